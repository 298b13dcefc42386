"""Screening: a video decoded in a process that can be killed: for one frame of it, or to play it as a clip of a film.

Source: docs/design.md, 12 (Frames) and 12 (Cuts).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from veopipe.delivery.child import Answer, Child, Unready, asked_of
from veopipe.delivery.mp4 import boxes
from veopipe.film.footage import FILM, Footage

LIMIT_S = 120.0
"""Seconds that one answer may take. A clip is decoded from its beginning, so the first one may take longest. Eight
seconds of 4K take some four on two cores, and a minute of it thirty."""
DECODER, PLAYER = "veopipe.film.decoder", "veopipe.film.player"
"""The modules of these processes: one gives a frame, the other one plays."""

_AT_ONCE = 2  # as for frames: each has memory for some thirty 4K pictures
_LARGEST_ANSWER = 32 * 1024 * 1024  # bytes of pictures; two of 4K, or twenty of 720p


class Unplayable(Exception):
    """A video can't be decoded; the text says why, about the file."""


def counted(paths: Sequence[Path]) -> list[Footage | str]:
    """What the decoder counts of videos, or why it can't."""

    async def ask() -> list[Footage | str]:
        hands = asyncio.Semaphore(_AT_ONCE)

        async def one(path: Path) -> Footage | str:
            async with hands:
                return await _counted(path)

        return list(await asyncio.gather(*map(one, paths)))

    return asyncio.run(ask())


async def _counted(path: Path) -> Footage | str:
    try:
        async with screened(path) as screen:
            facts = (await screen.ask("count")).facts
    except Unplayable as why:
        return str(why)
    fps, seconds, count = Fraction(facts["fps"] or FILM), Fraction(facts["lasts_s"]), int(facts["count"])
    stays = seconds * fps - count >= 1  # its last picture stays longer than the others
    is_even = facts["is_even"] and not stays
    return Footage(count, fps, facts["width"], facts["height"], facts["has_sound"], is_even, seconds)


class Screen:
    """One video that is being decoded."""

    def __init__(self, child: Child, path: Path) -> None:
        self._child, self._path = child, path

    async def ask(self, what: str, **more: Any) -> Answer:
        """An answer about the video.

        Raises:
            Unplayable: there is none.
        """
        try:
            answer = await self._child.ask(asked_of(self._path, do=what, **more), LIMIT_S)
        except TimeoutError:
            raise Unplayable(f"the decoder didn't finish within {LIMIT_S:g} s and was stopped") from None
        if answer is None:
            raise Unplayable("the decoder crashed on it")
        if answer.error is not None:
            raise Unplayable(answer.error)
        return answer

    async def sound(self, begin_s: Fraction, samples: int) -> bytes:
        """Samples of its sound, 16 bits, stereo, 48 kHz; silence where there is none.

        Args:
            begin_s: seconds from its first picture.
            samples: how many.
        """
        content = (await self.ask("sound", begin_s=str(begin_s), samples=samples)).content
        return content[0] if content else b""

    async def pictures(self, size: tuple[int, int], count: int, **which: Any) -> AsyncIterator[Sequence[bytes]]:
        """Its pictures as yuv420p planes, some at a time; while they are used, the next ones are decoded.

        Args:
            size: width and height of the film in pixels.
            count: how many.
            which: `begin`, `step` and `fps`, as `player` has them.
        """
        width, height = size
        most = max(1, _LARGEST_ANSWER // (width * height * 3 // 2))
        asked = asyncio.ensure_future(self.ask("play", width=width, height=height, count=count, most=most, **which))
        try:
            while some := (await asked).content:
                asked = asyncio.ensure_future(self.ask("more", most=most))
                yield some
        finally:
            asked.cancel()


@asynccontextmanager
async def screened(path: Path, module: str = PLAYER) -> AsyncIterator[Screen]:
    """A video, to be decoded by one of the processes.

    Raises:
        Unplayable: it can't be.
    """
    try:
        looked = await asyncio.to_thread(boxes.look, path)
    except (OSError, ValueError) as error:
        raise Unplayable(
            f"it can't be read: {getattr(error, 'strerror', None) or 'no file can have that name'}"
        ) from None
    if isinstance(looked, boxes.BoxFault):
        raise Unplayable(f"it {looked.reason}")
    try:
        child = await Child.start(module, "the decoding process")
    except Unready as why:
        raise Unplayable(str(why)) from None
    try:
        yield Screen(child, path)
    finally:
        await child.end()
