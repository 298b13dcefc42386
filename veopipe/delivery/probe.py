"""The process that asks libmediainfo: `python -m veopipe.delivery.probe`. Started by `measure` only.

* libmediainfo hangs for ever on some files, so it lives here, where it can be killed. This module is the
  only one that knows pymediainfo, and it imports nothing of veopipe: so it starts fast and has little to lose.
* Says one JSON line when ready, then answers JSON line by JSON line: `{"path", "limit_s"}` → facts or
  `{"error"}`. Ends when its standard input ends.
* Each question sets an alarm that kills this process, also in the midst of C code and also when the
  process that asked is gone. Memory and processor time are limited, files can't be written.
* libmediainfo is given an open file, never a name: a playlist called `.mp4` makes it open the files
  and hosts that are named inside (docs/hazards.md, e 26), and names can look like URLs.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from pymediainfo import MediaInfo, Track

_MEMORY_BYTES = 1536 * 1024 * 1024  # docs/hazards.md, e 25
_OPEN_FILES = 64
# How an MP4 can begin: `boxes` has walked it and says the same; a playlist can't.
_FIRST = frozenset({b"ftyp", b"styp", b"pdin", b"free", b"skip", b"wide", b"uuid", b"moov", b"mdat", b"pnot"})
_TEXT = 60  # characters of a format name that are passed on


def main() -> None:
    """Answer questions until there are no more."""
    _limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    try:
        from pymediainfo import MediaInfo
    except ImportError as error:
        _say({"error": f"pymediainfo can't be imported: {error}"})
        return
    if not MediaInfo.can_parse():
        _say({"error": "libmediainfo can't be loaded"})
        return
    _say({"ready": True})
    for line in sys.stdin.buffer:
        question = json.loads(line)
        _start_clock(question["limit_s"])
        answer = _answer(MediaInfo, question["path"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        _say(answer)


def _limit(kind: int, soft: int) -> None:
    """Lower a limit; a system that doesn't know it, or already has a lower one, stays as it is."""
    hard = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    except (OSError, ValueError):
        return


def _start_clock(limit_s: float) -> None:
    """From now on this process has so many seconds; the default action of both signals is to end it."""
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + limit_s) + 2)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
    sys.stdout.buffer.flush()


def _answer(library: type[MediaInfo], path: str) -> dict[str, Any]:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _refuse_others(file)
            return _facts(library.parse(file))
    except OSError as error:
        return {"error": f"the file can't be read: {error.strerror or error}"}
    except MemoryError:
        return {"error": "libmediainfo needs too much memory for this file"}
    except (SyntaxError, ValueError, RuntimeError) as error:  # ElementTree's ParseError is a SyntaxError
        return {"error": f"libmediainfo can't read the file: {str(error)[:_TEXT]}"}


def _refuse_others(file: BinaryIO) -> None:
    """Refuse what is no MP4, by its first bytes."""
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise OSError("not a regular file")
    if file.read(8)[4:] not in _FIRST:
        raise ValueError("no ftyp box")
    file.seek(0)


def _facts(found: MediaInfo) -> dict[str, Any]:
    """What is passed on: numbers as libmediainfo gives them, display size, the first track of a kind."""
    general, video, audio = map(_leading, (found.general_tracks, found.video_tracks, found.audio_tracks))
    if video is None:
        return {"error": "the file has no video track"}
    width, height = _number(video.width), _number(video.height)
    if _number(video.rotation) in {90.0, 270.0}:
        width, height = height, width
    duration = _number(video.duration) or _number(getattr(general, "duration", None)) or 0.0
    if not (width and height):
        return {"error": "libmediainfo finds no size"}
    return {
        "width": int(width),
        "height": int(height),
        "duration_s": duration / 1000,
        "fps": _number(video.frame_rate),
        "video_codec": _text(video.format),
        "audio_codec": _text(audio.format or "unknown") if audio else None,
        "container": _text(getattr(general, "format", None)) or "unknown",
    }


def _leading(tracks: list[Track]) -> Track | None:
    return tracks[0] if tracks else None


def _number(value: object) -> float | None:
    """A number that libmediainfo gives as int, float or text, depending on the field."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:_TEXT]


if __name__ == "__main__":
    main()
