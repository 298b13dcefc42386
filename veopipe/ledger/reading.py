"""JSON files of our own, read strictly: what isn't understood whole is trusted in nothing.

Source: docs/design.md, 5 (State files).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from veopipe.documents import standins
from veopipe.documents.standins import StandIn
from veopipe.values import dataclass

NOTHING: Mapping[str, Any] = MappingProxyType({})


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
        # Given bytes, Python guesses: zeros that a power cut left would be UTF-32.
        return _STRICT.decode(text.decode("utf-8-sig"))
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


_STRICT = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_without_duplicates)


@dataclass(frozen=True, slots=True)
class Fields:
    """The known fields of a kind of JSON object, each with the types that its value may have.

    Attributes:
        must: names of those that must be there.
        kinds: name → types; null stands for a field that isn't there.
    """

    must: tuple[str, ...]
    kinds: Mapping[str, tuple[type, ...]]

    @classmethod
    def of(cls, must: Mapping[str, type], may: Mapping[str, type | tuple[type, ...]] = NOTHING) -> Fields:
        """Those that must be there and those that may."""
        kinds = {**must, **may}
        return cls(tuple(must), {key: kind if isinstance(kind, tuple) else (kind,) for key, kind in kinds.items()})

    def read(self, document: Any, where: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """The known fields that an object has, and the unknown ones, which are kept.

        Args:
            document: as `strict_json` gives it.
            where: what it is, for people.

        Raises:
            Unreadable: it is no object, lacks a field, or has one of another type.
        """
        if not isinstance(document, dict):
            raise Unreadable(f"{where} isn't a JSON object")
        known, rest = {}, {}
        for key, value in document.items():
            kinds = self.kinds.get(key)
            if kinds is None:
                rest[key] = value
            elif type(value) in kinds:  # exactly: true is no number
                known[key] = value
            elif value is not None:
                raise Unreadable(f"{key!r} of {where} has the wrong type")
        for key in self.must:
            if key not in known:
                raise Unreadable(f"{where} has no {key!r}")
        return known, rest or NOTHING
