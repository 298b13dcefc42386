"""Frames: single pictures of delivered videos, taken exactly, to begin or to end another shot with.

* The picture is chosen and converted by `decoder`, in a process that can be killed; here are its limits, what it says,
  and the files that are kept of it.
* Why there is no frame is a value, `NoFrame`, with words for people: what becomes of the shot isn't decided here.
* A frame beside the takes is for eyes, and can be made again: it is read back only while it has the hash that was
  recorded when it was made.

Source: docs/design.md, 12 (Frames); docs/media-facts.md.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping
from dataclasses import field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.delivery.shelf import Absent, Shelf
from veopipe.errors import EnvironmentFault
from veopipe.film.screening import DECODER, Unplayable, screened
from veopipe.takes.moment import Moment
from veopipe.takes.take import Delivered
from veopipe.values import dataclass

LARGEST_PNG = 8_000_000
"""Bytes; what is larger is sent as a JPEG, since some gateways refuse 10 MB (docs/media-facts.md, c)."""

_LARGEST_KEPT = 256 * 1024 * 1024
_DARK, _PLAIN = 10.0, 5.0  # of 255 (docs/media-facts.md, d)
_AT_ONCE = 2  # each has memory for some thirty 4K pictures


@dataclass(frozen=True, slots=True)
class Counted:
    """What the decoder counts of a whole video, as a player shows it.

    Attributes:
        count: pictures shown.
        fps: pictures per second, exact (24000/1001); None where there is only one.
        lasts_s: seconds until nothing is shown any more, exact.
        is_even: each picture is shown for as long as the others.
    """

    count: int
    fps: Fraction | None
    lasts_s: Fraction
    is_even: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video.

    Attributes:
        png: the picture as a PNG without metadata.
        jpeg: the same as a JPEG (quality 95, no subsampling) where that was wanted, or the PNG is too large to be sent.
        width: pixels.
        height: pixels.
        number: of the picture, from 0, among those that are shown.
        at_s: when it comes on, in seconds from the first picture shown, exact.
        video: what was counted of the whole video.
        is_blank: it is dark and shows nothing, as where a video fades to black.
        made_by: versions of what made it: evidence, which decides nothing.
    """

    png: bytes = field(repr=False)
    jpeg: bytes | None = field(repr=False)
    width: int
    height: int
    number: int
    at_s: Fraction
    video: Counted
    is_blank: bool
    made_by: str

    @property
    def sent(self) -> tuple[str, bytes]:
        """Media type and bytes of what goes to a gateway."""
        if self.jpeg is not None and len(self.png) > LARGEST_PNG:
            return "image/jpeg", self.jpeg
        return "image/png", self.png


@dataclass(frozen=True, slots=True)
class NoFrame:
    """Why there is none; `reason` is for people, about the file: "it lasts 8 s: nothing is shown at 9.5 s"."""

    reason: str


def require() -> None:
    """See that frames can be taken here: what needs one says so before anything is sent.

    Raises:
        EnvironmentFault: the extra isn't installed.
    """
    if importlib.util.find_spec("av") is None:
        raise EnvironmentFault("PyAV isn't installed, which frames need", hint="pip install 'veopipe[film]'")


async def picture_of(path: Path, at: Moment, *, largest_png: int = LARGEST_PNG) -> Frame | NoFrame:
    """One picture of a video file. Never raises for a bad file.

    Args:
        path: the file.
        at: which picture.
        largest_png: bytes above which there is a JPEG, too; 0: always.
    """
    try:
        async with screened(path, DECODER) as screen:
            answer = await screen.ask("frame", at=at.name, largest_png=largest_png)
    except Unplayable as why:
        return NoFrame(str(why))
    try:
        return _frame(dict(answer.facts), *answer.content)
    except (TypeError, ValueError, LookupError, ArithmeticError):
        return NoFrame("the decoding process belongs to another version of veopipe")


def _frame(facts: Mapping[str, Any], png: bytes, jpeg: bytes | None = None) -> Frame:
    fps = facts["fps"]
    return Frame(
        png=png,
        jpeg=jpeg,
        width=facts["width"],
        height=facts["height"],
        number=facts["number"],
        at_s=Fraction(facts["at_s"]),
        video=Counted(
            facts["count"], None if fps is None else Fraction(fps), Fraction(facts["lasts_s"]), facts["is_even"]
        ),
        is_blank=facts["mean"] < _DARK and facts["spread"] < _PLAIN,
        made_by=facts["made_by"],
    )


class Frames:
    """The frames of one list's takes, each taken once. One event loop only.

    Args:
        shelf: where the takes lie; their frames are kept beside them.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._hands = asyncio.Semaphore(_AT_ONCE)
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}
        self._recorded: dict[tuple[str, str], tuple[str, Frame]] = {}

    def path(self, file: Delivered, at: Moment) -> Path:
        """Where the frame of a take is kept: `frames/SC01.002.last.png`."""
        name = f"{Path(file.name).stem}.{at.in_a_file_name}.png"
        return self._shelf.places.frames_of(file.output) / name

    async def frame_of(self, file: Delivered, at: Moment) -> Frame | NoFrame:
        """A frame of a delivered take, kept beside it; or why there is none.

        Args:
            file: the take's file; it must still be what was delivered.
            at: which picture.
        """
        key = (file.sha256, at.name)
        async with self._turns.setdefault(key, asyncio.Lock()), self._hands:
            kept = await asyncio.to_thread(self._read_back, key, self.path(file, at))
            return kept or await self._taken(key, file, at)

    def _read_back(self, key: tuple[str, str], path: Path) -> Frame | None:
        """What was taken before and is still there as it was recorded."""
        if key not in self._recorded:
            return None
        sha256, frame = self._recorded[key]
        try:
            png = files.read_bounded(path, _LARGEST_KEPT)
        except (OSError, ValueError):
            return None
        return replace(frame, png=png) if files.sha256_of_bytes(png) == sha256 else None

    async def _taken(self, key: tuple[str, str], file: Delivered, at: Moment) -> Frame | NoFrame:
        try:
            source = await asyncio.to_thread(self._shelf.bring, file)
        except Absent as absent:
            return NoFrame(str(absent))
        frame = await picture_of(source, at)
        if isinstance(frame, NoFrame):
            return frame
        try:
            await asyncio.to_thread(_keep, self.path(file, at), frame.png)
        except OSError as error:
            return NoFrame(f"its frame can't be kept: {error.strerror or error}")
        if frame.jpeg is None:  # which isn't kept
            self._recorded[key] = files.sha256_of_bytes(frame.png), replace(frame, png=b"")
        return frame


def _keep(path: Path, png: bytes) -> None:
    """Let a file hold a frame: whole or not at all, and read-only."""
    files.make_folder(path.parent)
    files.replace(path, png, mode=0o444)
