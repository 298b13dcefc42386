"""The rough cut: a film to look at. Each clip is decoded, cut to the frame and to the sample, and encoded once.

To put encoded clips one behind the other would be quicker, and is wrong: each stream of sound has a few samples in
front, one clip without sound takes it from all behind, and two rates give one film of neither length
(docs/media-facts.md, e).

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

import array
import asyncio
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from veopipe.errors import UsageError
from veopipe.film import reel, slates
from veopipe.film.cutting import Film, Shown, timecode
from veopipe.film.player import BYTES_PER_SAMPLE, SAMPLES_PER_S
from veopipe.film.reel import Reel
from veopipe.film.screening import Screen, Unplayable, screened
from veopipe.text import printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from PIL.Image import Image

ROUGH = 720
"""Pixels of the shorter side of a film to look at."""

_RAMP = SAMPLES_PER_S * 5 // 1000  # 5 ms: a hard joint clicks, and a longer one is heard
_AT_ONCE = 24  # pictures of a slate or a gap that are made in one go


@dataclass(frozen=True, slots=True)
class Look:
    """How a rough cut looks.

    Attributes:
        burn: names and numbers of frames are written into the picture.
        full: it is as large as its largest video, instead of 720p.
    """

    burn: bool = False
    full: bool = False


def size_of(film: Film, look: Look) -> tuple[int, int]:
    """Width and height of a rough cut in pixels; even, as its encoder needs."""
    shorter = min(film.width, film.height)
    factor = Fraction(1) if look.full else Fraction(ROUGH, shorter)
    width, height = (max(2, round(side * factor / 2) * 2) for side in (film.width, film.height))
    return width, height


def write(film: Film, path: Path, look: Look, comment: str) -> None:
    """Make a rough cut.

    Args:
        film: laid out by what the decoder counted.
        path: of the new MP4.
        look: how it looks.
        comment: what is written into the file.

    Raises:
        UsageError: a video can't be played.
        OSError: the file can't be written.
    """
    asyncio.run(_write(film, path, look, comment))


async def _write(film: Film, path: Path, look: Look, comment: str) -> None:
    size = size_of(film, look)
    with Reel(path, size, film.fps, comment) as made:
        table = _Table(film, size, look, made)
        for shown in film.clips:
            try:
                await table.append(shown)
            except Unplayable as why:
                raise UsageError(f"{shown.clip.name} can't be shown: {why}") from None


@dataclass(frozen=True, slots=True)
class _Table:
    """Where a film is cut.

    Attributes:
        film: laid out.
        size: of its pictures.
        look: how it looks.
        made: what it is encoded to.
    """

    film: Film
    size: tuple[int, int]
    look: Look
    made: Reel

    async def append(self, shown: Shown) -> None:
        """Append a clip: its sound, then its pictures."""
        begin, end = (self._sample(frame) for frame in (shown.at, shown.at + shown.frames))
        length = (end - begin) * BYTES_PER_SAMPLE
        path = shown.path
        if path is None:
            await asyncio.to_thread(self.made.add_sound, bytes(length))
            await asyncio.to_thread(self._stand_in, shown)
            return
        async with screened(path) as screen:
            sound = b""
            if shown.footage.has_sound:
                sound = await screen.sound(shown.begin / shown.footage.fps, end - begin)
            await asyncio.to_thread(self.made.add_sound, ramped(sound.ljust(length, b"\0")))
            await self._play(shown, screen)

    def _sample(self, frame: int) -> int:
        """The sample that begins with a frame of the film; counted from its beginning, so that nothing adds up."""
        return round(frame * SAMPLES_PER_S / self.film.fps)

    async def _play(self, shown: Shown, screen: Screen) -> None:
        footage, done = shown.footage, 0
        which = {
            "begin": str(shown.begin),
            "step": str(footage.fps / self.film.fps),
            "fps": None if footage.is_even else str(footage.fps),
        }
        async for planes in screen.pictures(self.size, shown.frames, **which):
            await asyncio.to_thread(self._add, shown, planes, done)
            done += len(planes)
        if done != shown.frames:
            raise Unplayable(f"it shows {done} pictures where {shown.frames} were counted")

    def _stand_in(self, shown: Shown) -> None:
        """Append the pictures of a gap, or of a clip that is missing."""
        content = reel.black(self.size)
        if shown.material is not None:
            content = reel.planes_of(slates.slate(*self.size, shown.clip.name, shown.missing or ""))
        for done in range(0, shown.frames, _AT_ONCE):
            self._add(shown, [content] * min(_AT_ONCE, shown.frames - done), done)

    def _add(self, shown: Shown, planes: Sequence[bytes], done: int) -> None:
        self.made.add(planes, list(self._strips(shown, done, len(planes))) if self.look.burn else ())

    def _strips(self, shown: Shown, done: int, count: int) -> Iterator[Image]:
        """The strips of some frames of a clip: its name, and which frame of the video and of the film it is."""
        width, height = self.size
        step = shown.footage.fps / self.film.fps
        for number in range(done, done + count):
            frame = int(shown.begin + number * step)
            numbers = f"frame {frame}   {timecode(shown.at + number, self.film.fps)}"
            yield slates.strip(width, slates.strip_height(height), printable(shown.name, 60), numbers)


def ramped(sound: bytes) -> bytes:
    """Samples that begin and end softly, so that no joint clicks."""
    samples = array.array("h", sound)
    if sys.byteorder == "big":
        samples.byteswap()
    length = len(samples) // 2
    ramp = min(_RAMP, length // 2)
    for number in range(ramp):
        for place in (number * 2, number * 2 + 1, (length - number) * 2 - 1, (length - number) * 2 - 2):
            samples[place] = samples[place] * number // ramp
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
