"""Which picture of a video is meant: its first one, its last one, or the one that is on screen at a time.

Source: docs/design.md, 12 (Frames).
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

from veopipe.values import dataclass

WORDS = ("first", "last")

_SECONDS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in a video.

    Attributes:
        name: how it is written everywhere: `first`, `last`, or seconds in their shortest form, so that one moment
            has one name: `7.25`, and `2` for 2.0, too.
    """

    name: str

    @classmethod
    def of(cls, written: str) -> Moment:
        """What a person wrote.

        Raises:
            ValueError: it names no picture; the text says what would.
        """
        text = written.strip()
        if text in WORDS:
            return cls(text)
        if _SECONDS.fullmatch(text) is None:
            raise ValueError("write first, last, or seconds from the first picture, such as 7.25")
        return cls(f"{Decimal(text):f}".rstrip("0").rstrip(".") if "." in text else str(int(text)))

    @property
    def seconds(self) -> Fraction | None:
        """Seconds from the first picture shown; None: the first or the last picture."""
        return None if self.name in WORDS else Fraction(self.name)

    @property
    def in_a_file_name(self) -> str:
        """As the name of a frame's file has it: `last`, `at-7.25`."""
        return self.name if self.name in WORDS else f"at-{self.name}"


FIRST, LAST = Moment("first"), Moment("last")
