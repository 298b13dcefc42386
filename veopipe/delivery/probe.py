"""The process that asks libmediainfo: `python -m veopipe.delivery.probe`. Started by `measure` only.

* libmediainfo hangs for ever on some files, so it lives here, where it can be killed (`confinement`). This module is
  the only one that knows pymediainfo.
* Says one JSON line when ready, then answers JSON line by JSON line: `{"path", "limit_s"}` → facts or
  `{"error"}`. Ends when its standard input ends.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from veopipe.delivery.confinement import confine, opened, questions, say

if TYPE_CHECKING:
    from pymediainfo import MediaInfo, Track

_MEMORY_BYTES = 1536 * 1024 * 1024  # docs/hazards.md, e 25
SPEED = 0.0
"""How much of the pictures and the sound is looked at: least. What is asked for stands in the headers, and looking
at more takes twice the time: 292 files of five encoders, odd and damaged ones among them, gave the same facts."""
_TEXT = 60  # characters of a format name that are passed on


def main() -> None:
    """Answer questions until there are no more."""
    confine(_MEMORY_BYTES)
    _leave_versions_out()
    try:
        from pymediainfo import MediaInfo
    except ImportError as error:
        say({"error": f"pymediainfo can't be imported: {error}"})
        return
    if not MediaInfo.can_parse():
        say({"error": "libmediainfo can't be loaded"})
        return
    say({"ready": True})
    for question in questions():
        say(_answer(MediaInfo, question["path"]))


def _leave_versions_out() -> None:
    """Let pymediainfo not learn its own version: looking it up is a third of this process's start."""
    unknown = ModuleType("importlib.metadata")
    vars(unknown).update(PackageNotFoundError=KeyError, version={}.__getitem__)
    sys.modules[unknown.__name__] = importlib.metadata = unknown


def _answer(library: type[MediaInfo], path: str) -> dict[str, Any]:
    try:
        with opened(path) as file:
            return _facts(library.parse(file, parse_speed=SPEED))
    except OSError as error:
        return {"error": f"the file can't be read: {error.strerror or error}"}
    except MemoryError:
        return {"error": "libmediainfo needs too much memory for this file"}
    except (SyntaxError, ValueError, RuntimeError) as error:  # ElementTree's ParseError is a SyntaxError
        return {"error": f"libmediainfo can't read the file: {str(error)[:_TEXT]}"}


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
