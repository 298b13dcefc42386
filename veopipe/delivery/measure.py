"""What a delivered file really is, and whether that is what was ordered.

* `Prober.measure` first looks at the boxes (`boxes`), then asks libmediainfo in a child process (`probe`),
  because libmediainfo hangs for ever on some files (docs/hazards.md, f).
* One child serves many files (3 ms each, a process per file costs over 100 ms). A child whose question was cut
  off, by the time limit or by a cancellation, is killed and never asked again: its late answer would be
  taken for the next file's.
* The child knows no key: its environment is a list of what it needs, not ours minus something.
* libmediainfo's word alone decides no duration: it adds up what fragments claim of themselves, and believes
  headers. What the samples last (`boxes.look`) is asked first; where libmediainfo contradicts it and the file's
  other witnesses side with libmediainfo, neither is believed and the file counts as unmeasurable.
* `judge` is pure. Resolution and duration decide; frame rate and sound are only notes, because the API
  document promises neither in figures (docs/api-facts.md, b 38).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from veopipe.delivery.boxes import BoxFault, Video, look
from veopipe.takes.order import Order
from veopipe.takes.take import Delivered
from veopipe.text import printable

LIMIT_S = 20.0
"""Seconds that one file may take (docs/hazards.md, e 25); a good one takes some milliseconds."""

_START_LIMIT_S = 30.0  # for a child to load libmediainfo: 0.1 s here, but machines can be busy
_GRACE_S = 2.0  # the child's own alarm rings so much later than ours
_FILES_PER_CHILD = 1_000  # then a fresh one: what libmediainfo leaks stays small
_EXPECTED_FPS, _FPS_TOLERANCE = 24.0, 0.1  # docs/api-facts.md, b 38
_ROUNDING_S = 0.0005  # libmediainfo gives whole milliseconds
_AGREED_S = 0.1  # two witnesses of a duration that differ by less agree: some frames, or the sound's padding

# What a child needs to find libmediainfo and the user's packages; everything else stays here.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "PYTHONHOME", "HOME", "LANG")


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
        self._child: Process | None = None
        self._asked = 0
        self._ended: list[Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def measure(self, path: Path, *, walked: bool = False) -> Measured | Unmeasurable:
        """The facts of a file, or why there are none. Waits for its turn; never raises for a bad file.

        Args:
            path: the file.
            walked: `boxes.look` has just passed it, so it isn't refused for its boxes.
        """
        try:
            looked = await asyncio.to_thread(look, path)
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

    async def trouble(self) -> str | None:
        """Why nothing can be measured here, or None: a child that loads libmediainfo can be started."""
        async with self._turn:
            child = self._child or await self._start()
            if isinstance(child, Unmeasurable):
                return child.reason
            self._child = child
            return None

    async def close(self) -> None:
        """End the child and wait until it is gone. The prober can be used again afterwards."""
        if self._child is not None:
            self._discard(self._child)
        while self._ended:
            await self._ended[-1].wait()
            self._ended.pop()

    async def _ask(self, path: Path) -> Measured | Unmeasurable | None:
        """One question to one child; None when the child died of it, or before."""
        if self._asked >= _FILES_PER_CHILD and self._child is not None:
            self._discard(self._child)
        child = self._child or await self._start()
        if isinstance(child, Unmeasurable):
            return child
        self._child, self._asked = None, self._asked + 1  # if we are cut off now, it isn't asked again
        try:
            async with asyncio.timeout(self._limit_s):
                answer = await _exchange(child, _question(path, self._limit_s))
        except TimeoutError:
            self._discard(child)
            return Unmeasurable(f"libmediainfo didn't finish within {self._limit_s:g} s and was stopped")
        except BaseException:
            self._discard(child)
            raise
        if answer is None:
            self._discard(child)
            return None
        self._child = child
        return _understood(answer)

    async def _start(self) -> Process | Unmeasurable:
        """A new child that has loaded libmediainfo, or why there is none."""
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "veopipe.delivery.probe"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # a Ctrl-C at the terminal is ours to handle
            )
        except OSError as error:
            return Unmeasurable(f"the measuring process can't be started: {error.strerror or error}")
        self._asked = 0
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                hello = await _exchange(child, None)
        except TimeoutError:
            hello = None
        except BaseException:
            self._discard(child)
            raise
        if hello is None or "ready" not in hello:
            self._discard(child)
            reason = str((hello or {}).get("error", "it ended at once"))
            return Unmeasurable(f"the measuring process doesn't start: {printable(reason)}")
        return child

    def _discard(self, child: Process) -> None:
        """Kill a child without waiting; `close` waits."""
        if child is self._child:
            self._child = None
        with suppress(ProcessLookupError):
            child.kill()
        self._ended = [*(ended for ended in self._ended if ended.returncode is None), child]


async def _exchange(child: Process, question: dict[str, Any] | None) -> dict[str, Any] | None:
    """Send a question, if there is one, and read one answer; None when the child is gone or talks nonsense."""
    if child.stdin is None or child.stdout is None:
        return None
    try:
        if question is not None:
            child.stdin.write(json.dumps(question).encode() + b"\n")
            await child.stdin.drain()
        answer = json.loads(await child.stdout.readline())
    except (BrokenPipeError, ConnectionResetError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _question(path: Path, limit_s: float) -> dict[str, Any]:
    return {"path": str(path.absolute()), "limit_s": limit_s + _GRACE_S}


def _understood(answer: dict[str, Any]) -> Measured | Unmeasurable:
    if "error" in answer:
        return Unmeasurable(printable(str(answer["error"])))
    try:
        return Measured(**answer)
    except TypeError:
        return Unmeasurable("the measuring process belongs to another version of veopipe")


def _environment() -> dict[str, str]:
    """The child's environment: it finds the modules that this process finds, and knows nothing else."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    modules = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    package = str(Path(__file__).absolute().parents[2])
    return kept | {"PYTHONPATH": f"{modules}{os.pathsep}{package}"}
