"""What a delivered file really is, and whether that is what was ordered.

* `Prober.measure` first looks at the boxes (`boxes`), then asks libmediainfo in a child process (`child`, `probe`),
  because libmediainfo hangs for ever on some files (docs/hazards.md, f).
* One child serves many files (3 ms each, a process per file costs over 100 ms).
* libmediainfo's word alone decides no duration: it adds up what fragments claim of themselves, and believes
  headers. What the samples last (`boxes.look`) is asked first; where libmediainfo contradicts it and the file's
  other witnesses side with libmediainfo, neither is believed and the file counts as unmeasurable.
* `judge` is pure. Resolution and duration decide; frame rate and sound are only notes, because the API
  document promises neither in figures (docs/api-facts.md, b 38).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Self

from veopipe.delivery.child import Answer, Child, Unready, asked_of
from veopipe.delivery.mp4.boxes import BoxFault, Video, look
from veopipe.takes.order import Order
from veopipe.takes.take import Delivered
from veopipe.values import dataclass

LIMIT_S = 20.0
"""Seconds that one file may take (docs/hazards.md, e 25); a good one takes some milliseconds."""

_FILES_PER_CHILD = 1_000  # then a fresh one: what libmediainfo leaks stays small
_EXPECTED_FPS, _FPS_TOLERANCE = 24.0, 0.1  # docs/api-facts.md, b 38
_ROUNDING_S = 0.0005  # libmediainfo gives whole milliseconds
_AGREED_S = 0.1  # two witnesses of a duration that differ by less agree: some frames, or the sound's padding


@dataclass(frozen=True, slots=True)
class Measured:
    """The facts of one video file.

    Attributes:
        width: pixels as displayed: cropping and rotation applied.
        height: pixels as displayed (1080, although 1088 rows are coded).
        duration_s: seconds of the video track; 0 where libmediainfo finds none.
        fps: frames per second, or None where that isn't known.
        video_codec: as libmediainfo names it, such as `AVC`.
        audio_codec: of the first audio track; None when there is none.
        container: as libmediainfo names it: `MPEG-4`.
    """

    width: int
    height: int
    duration_s: float
    fps: float | None
    video_codec: str | None
    audio_codec: str | None
    container: str

    def of(self, file: Delivered, **more: str) -> Delivered:
        """The record of `file` with what was measured; `more` is noted beside it."""
        facts = {name: getattr(self, name) for name in ("fps", "video_codec", "audio_codec", "container")}
        measured = {name: fact for name, fact in facts.items() if fact is not None} | more
        return replace(file, width=self.width, height=self.height, duration_s=self.duration_s, measured=measured)


def recalled(file: Delivered) -> Measured | None:
    """What was measured of a file, by its record; None: it wasn't measured."""
    if file.width is None or file.height is None or file.duration_s is None:
        return None
    facts = {name: file.measured.get(name) for name in ("fps", "video_codec", "audio_codec")}
    container = str(file.measured.get("container", ""))
    return Measured(file.width, file.height, file.duration_s, container=container, **facts)


@dataclass(frozen=True, slots=True)
class Unmeasurable:
    """Why a file has no facts; `reason` is for people: "the file is cut off: …"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a file is what was ordered.

    Attributes:
        differences: the evidence: "ordered 3840x2160, measured 1920x1080". Empty when it matches.
        notes: what is unusual and decides nothing.
    """

    differences: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def matches(self) -> bool:
        """Whether resolution and duration are as ordered."""
        return not self.differences

    @property
    def text(self) -> str:
        """The evidence, or what is unusual, as one text."""
        return "; ".join(self.notes if self.matches else self.differences)


def judge(measured: Measured, order: Order, duration_tolerance: float) -> Verdict:
    """Compare a file with its order.

    Args:
        measured: the file's facts.
        order: what was asked for; the resolution must be exact.
        duration_tolerance: seconds by which the duration may differ, either way.
    """
    differences = []
    width, height = order.size
    if (measured.width, measured.height) != (width, height):
        differences.append(f"ordered {width}x{height}, measured {measured.width}x{measured.height}")
    if abs(measured.duration_s - order.seconds) > duration_tolerance + _ROUNDING_S:
        differences.append(f"ordered {order.seconds:g} s, measured {measured.duration_s:g} s")
    notes = []
    if measured.fps is not None and abs(measured.fps - _EXPECTED_FPS) > _FPS_TOLERANCE:
        notes.append(f"{measured.fps:g} frames per second instead of {_EXPECTED_FPS:g}")
    if measured.audio_codec is None:
        notes.append("no audio track")
    return Verdict(tuple(differences), tuple(notes))


def reconciled(measured: Measured, video: Video) -> Measured | Unmeasurable:
    """What libmediainfo measured, with the duration that can be believed.

    Args:
        measured: libmediainfo's facts.
        video: what the file's boxes say of it.

    Returns:
        The facts, with what the pictures last by their samples; or that the file contradicts itself, when
        libmediainfo says otherwise and the first other witness that sides with one of the two is on its side.
    """
    if video.seconds is None:
        return measured if measured.duration_s else Unmeasurable("nothing in it says how long it is")
    lasts = round(video.seconds, 3)
    if abs(measured.duration_s - video.seconds) <= _AGREED_S:
        return replace(measured, duration_s=lasts)
    for witness in video.witnesses:
        if abs(witness - video.seconds) <= _AGREED_S:
            break
        if abs(witness - measured.duration_s) <= _AGREED_S:
            said = f"libmediainfo measures {measured.duration_s:g} s, its pictures last {lasts:g} s"
            return Unmeasurable(f"it contradicts itself: {said}")
    return replace(measured, duration_s=lasts, fps=round(video.count / video.seconds, 3))


class Prober:
    """Measures files, one after the other, in a child process that is started when first needed.

    Use it as an asynchronous context manager, or call `close` when done. One event loop only.

    Args:
        limit_s: seconds that libmediainfo may take for one file.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._turn = asyncio.Lock()
        self._child: Child | None = None
        self._asked = 0
        self._ended: list[Child] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def measure(self, path: Path, *, walked: bool = False, video: Video | None = None) -> Measured | Unmeasurable:
        """The facts of a file, or why there are none. Waits for its turn; never raises for a bad file.

        Args:
            path: the file.
            walked: `boxes.look` has just passed it, so it isn't refused for its boxes.
            video: what it said; None: it is looked at again.
        """
        try:
            looked: Video | BoxFault = video if video is not None else await asyncio.to_thread(look, path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no file can have that name"
            return Unmeasurable(f"the file can't be read: {reason}")
        if isinstance(looked, BoxFault) and not walked:
            return Unmeasurable(f"the file {looked.reason}")
        async with self._turn:
            # A child can die between two questions (out of memory, killed): then a new one is asked once.
            found = await self._ask(path) or await self._ask(path) or Unmeasurable("libmediainfo crashed on the file")
        if isinstance(looked, BoxFault) or isinstance(found, Unmeasurable):
            return found
        return reconciled(found, looked)

    async def make_ready(self) -> None:
        """Start the child before there is a file. What is in its way is told when a file is to be measured."""
        await self.trouble()

    async def trouble(self) -> str | None:
        """Why nothing can be measured here, or None: a child that loads libmediainfo can be started."""
        async with self._turn:
            try:
                self._child = self._child or await self._start()
            except Unready as why:
                return str(why)
            return None

    async def close(self) -> None:
        """End the child and wait until it is gone. The prober can be used again afterwards."""
        self._discard()
        while self._ended:
            await self._ended[-1].end()
            self._ended.pop()

    async def _ask(self, path: Path) -> Measured | Unmeasurable | None:
        """One question to one child; None when the child died of it, or before."""
        if self._asked >= _FILES_PER_CHILD:
            self._discard()
        try:
            child = self._child or await self._start()
        except Unready as why:
            return Unmeasurable(str(why))
        self._child, self._asked = child, self._asked + 1
        answer = None
        try:
            answer = await child.ask(asked_of(path), self._limit_s)
        except TimeoutError:
            return Unmeasurable(f"libmediainfo didn't finish within {self._limit_s:g} s and was stopped")
        finally:
            if answer is None:  # it was killed
                self._discard()
        return None if answer is None else _understood(answer)

    async def _start(self) -> Child:
        """A new child that has loaded libmediainfo."""
        self._asked = 0
        return await Child.start("veopipe.delivery.probe", "the measuring process")

    def _discard(self) -> None:
        """Kill the child, if there is one, without waiting; `close` waits."""
        if self._child is not None:
            self._child.kill()
            self._ended = [*(ended for ended in self._ended if not ended.is_gone), self._child]
            self._child = None


def _understood(answer: Answer) -> Measured | Unmeasurable:
    if answer.error is not None:
        return Unmeasurable(answer.error)
    try:
        return Measured(**answer.facts)
    except TypeError:
        return Unmeasurable("the measuring process belongs to another version of veopipe")
