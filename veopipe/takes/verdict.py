"""What people said of takes: verdicts and wishes, and which take is the chosen one.

* A verdict is about one delivered file: it counts for a take only if name and digits agree.
* A pick chooses among the takes of one output folder: the pick of a draft isn't that of a final.

Source: docs/design.md, 12 (Review).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from veopipe.takes.status import Status
from veopipe.takes.take import Take
from veopipe.values import dataclass

DIGITS = 12
"""Hex digits of a file's sha256 that a review file holds: 48 bits, to tell the takes of one film apart."""


class Verdict(StrEnum):
    """What a person decided about a take."""

    PICK = "pick"
    ALT = "alt"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Review:
    """What was said of one delivered file.

    Attributes:
        take: the file's name without its ending, such as `SC01.002`.
        digits: how its sha256 begins, hex.
        verdict: None: none yet.
        again: one more result of the same text is wished.
        note: for people.
        by: who said it.
        at: when, UTC, ISO 8601.
        unknown: what else stands in its file, kept.
        kept: the lines of that, as they are written.
    """

    take: str
    digits: str
    verdict: Verdict | None = None
    again: bool = False
    note: str | None = None
    by: str | None = None
    at: str | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict, hash=False)
    kept: str = ""

    @property
    def says_nothing(self) -> bool:
        """Whether nothing is left of what was said."""
        return self.verdict is None and not self.again and self.note is None and not self.unknown

    def is_about(self, take: Take) -> bool:
        """Whether it is about the file that was delivered for a take."""
        return take.file is not None and self.take == name_of(take) and take.file.sha256.startswith(self.digits)


def name_of(take: Take) -> str | None:
    """What a take's file is called without its ending: the name that reviews know it by."""
    return take.file.name.removesuffix(".mp4") if take.file is not None else None


@dataclass(frozen=True, slots=True)
class Reviews:
    """All that was said of the takes of one list.

    Attributes:
        by_take: name of a take → what was said of it.
        output: the pipeline's output folder: a pick of a take that lies elsewhere chooses nothing here.
    """

    by_take: Mapping[str, Review] = field(default_factory=lambda: MappingProxyType({}))
    output: str = ""

    def of(self, take: Take) -> Review | None:
        """What was said of a take's file."""
        review = self.by_take.get(name_of(take) or "") if self.by_take else None
        return review if review is not None and review.is_about(take) else None

    def verdict(self, take: Take) -> Verdict | None:
        """The verdict on a take."""
        review = self.of(take)
        return review.verdict if review is not None else None

    def wishes_again(self, take: Take) -> bool:
        """Whether one more result of a take's text is wished."""
        review = self.of(take)
        return review is not None and review.again

    def picks(self, takes: Iterable[Take]) -> list[Take]:
        """The picked ones among those of these takes that lie in the output folder."""
        if not self.by_take:
            return []
        here = (take for take in takes if take.file is not None and take.file.output == self.output)
        return [take for take in here if self.verdict(take) is Verdict.PICK]

    def undecided(self, takes: Iterable[Take]) -> list[Take]:
        """The takes of a shot among which nobody has chosen one: several picks, else several that aren't rejected."""
        here = [take for take in takes if take.file is not None and take.file.output == self.output]
        picks = self.picks(here)
        left = [take for take in here if take.status is Status.VERIFIED and self.verdict(take) is not Verdict.REJECT]
        candidates = picks or left
        return candidates if len(candidates) > 1 else []

    def unmatched(self, takes: Iterable[Take]) -> Iterator[Review]:
        """What was said of files that none of these takes has, by name."""
        about = {review.take for take in takes if (review := self.of(take)) is not None} if self.by_take else set()
        yield from (review for name, review in sorted(self.by_take.items()) if name not in about)
