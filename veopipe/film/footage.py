"""Footage: how many frames a video has, how fast they go, and how large they are.

Of a delivered take that is on record since it was measured; another file is measured for it. A film that is made of
them is counted by the decoder, whose word holds (`screening`).

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from veopipe.delivery.measure import Measured, Prober, Unmeasurable
from veopipe.film.decoder import COMMON_RATES
from veopipe.takes.order import SIZES
from veopipe.takes.take import Delivered
from veopipe.values import dataclass

FILM = Fraction(24)
"""Frames per second where nothing says it: of a film without any video, and of takes that weren't measured."""

USUAL = SIZES["720p", "16:9"]
"""Pixels, likewise."""

_NEAR = 0.005  # frames per second; libmediainfo gives three decimals, and 24 and 23.976 are 0.024 apart


@dataclass(frozen=True, slots=True)
class Footage:
    """What a video holds.

    Attributes:
        count: frames.
        fps: frames per second, exact.
        width: pixels.
        height: pixels.
        has_sound: there is a track of sound.
        is_even: each frame is shown for as long as the others; where nobody counted, that is believed.
        seconds: how long it is shown, exact.
    """

    count: int
    fps: Fraction
    width: int
    height: int
    has_sound: bool = True
    is_even: bool = True
    seconds: Fraction = Fraction(0)

    @property
    def is_portrait(self) -> bool:
        """Whether it is higher than wide."""
        return self.height > self.width


def on_record(file: Delivered) -> Footage | None:
    """What is on record of a delivered file; None: it was never measured."""
    if not (file.width and file.height and file.duration_s):
        return None
    fps = _rate(file.measured.get("fps"))
    return _of(file.duration_s, fps, file.width, file.height, has_sound="audio_codec" in file.measured)


def ordered(seconds: int, size: tuple[int, int], fps: Fraction = FILM) -> Footage:
    """What an order would give: a slate stands for it.

    Args:
        seconds: as ordered.
        size: width and height in pixels.
        fps: frames per second of the film.
    """
    return Footage(round(seconds * fps), fps, *size, has_sound=False, seconds=Fraction(seconds))


def measured(paths: Sequence[Path]) -> list[Footage | str]:
    """What other files hold, or why that can't be said; libmediainfo is asked in its process."""

    async def ask() -> list[Measured | Unmeasurable]:
        async with Prober() as prober:
            return [await prober.measure(path) for path in paths]

    found = asyncio.run(ask()) if paths else []
    return [each.reason if isinstance(each, Unmeasurable) else _measured(each) for each in found]


def _measured(found: Measured) -> Footage:
    fps = _rate(found.fps)
    return _of(found.duration_s, fps, found.width, found.height, has_sound=found.audio_codec is not None)


def _of(seconds: float, fps: Fraction, width: int, height: int, *, has_sound: bool) -> Footage:
    count = max(1, round(seconds * fps))
    return Footage(count, fps, width, height, has_sound=has_sound, seconds=count / fps)


def _rate(told: object) -> Fraction:
    """The exact rate that a measured one stands for."""
    if not isinstance(told, int | float) or not 0 < told < 1000:
        return FILM
    nearest = min(COMMON_RATES, key=lambda rate: abs(float(rate) - told))
    return nearest if abs(float(nearest) - told) <= _NEAR else Fraction(told).limit_denominator(1001)
