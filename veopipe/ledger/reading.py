"""JSON files of our own, read strictly: what isn't understood whole is trusted in nothing.

Source: docs/design.md, 5 (State files).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, TypeVar

from veopipe import standins
from veopipe.standins import StandIn
from veopipe.values import dataclass

NOTHING: Mapping[str, Any] = MappingProxyType({})

_T = TypeVar("_T")


class NotHere(ValueError):
    """Only a stand-in of the file is here; the sentence says what it is and what brings the file.

    Attributes:
        remedy: the latter alone.
    """

    def __init__(self, found: StandIn) -> None:
        super().__init__(str(found))
        self.remedy = found.remedy


class Unreadable(ValueError):
    """A file that can't be understood; the sentence says why."""


def strict_json(text: bytes) -> Any:
    """The value of a JSON text without what Python's reader adds to JSON or passes over.

    Raises:
        NotHere: it is a pointer to the file.
        ValueError: it is no JSON, or has a key twice, a number that isn't one, or too deep a nest.
    """
    if (found := standins.of_bytes(text)) is not None:
        raise NotHere(found)
    try:
        return json.loads(
            text.decode("utf-8-sig"),  # given bytes, Python guesses: zeros that a power cut left would be UTF-32
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_without_duplicates,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):  # it could be read, but never written again
        raise ValueError(f"{digits[:40]} is no number")
    return number


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # a merge gone wrong; the last of two would win silently
        raise ValueError("a key is there twice")
    return found


@dataclass(slots=True)
class Reader:
    """Takes known fields out of a JSON object, strictly; what is left is unknown and kept."""

    document: Any
    where: str
    _seen: set[str] = field(default_factory=set)

    def take_out(self, key: str, kind: type[_T]) -> _T:
        """The field, which must be there.

        Raises:
            Unreadable: it isn't, or has another type.
        """
        found = self.maybe(key, kind)
        if found is None:
            raise Unreadable(f"{self.where} has no {key!r}")
        return found

    def maybe(self, key: str, kind: type[_T] | tuple[type[_T], ...]) -> _T | None:
        """The field, or None.

        Raises:
            Unreadable: it has another type.
        """
        if not isinstance(self.document, dict):
            raise Unreadable(f"{self.where} isn't a JSON object")
        self._seen.add(key)
        found = self.document.get(key)
        if found is not None and (not isinstance(found, kind) or isinstance(found, bool)):
            raise Unreadable(f"{key!r} of {self.where} has the wrong type")
        return found

    def some(self, kinds: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
        """Those of these fields that are there, each of its kind. Long records have most fields seldom.

        Raises:
            Unreadable: one has another type.
        """
        if not isinstance(self.document, dict):
            raise Unreadable(f"{self.where} isn't a JSON object")
        self._seen.update(kinds)
        found = {key: value for key, value in self.document.items() if value is not None and key in kinds}
        for key, value in found.items():
            if not isinstance(value, kinds[key]) or isinstance(value, bool):
                raise Unreadable(f"{key!r} of {self.where} has the wrong type")
        return found

    def rest(self) -> Mapping[str, Any]:
        """The fields that weren't asked for."""
        return {key: value for key, value in self.document.items() if key not in self._seen} or NOTHING
