"""Timelines: a cut for editing programs, as OpenTimelineIO or as an EDL.

* A clip is called as its file is, and an address relative to the timeline leads there: so DaVinci Resolve finds it.
* What is shown is a part of what there is (`source_range` over `available_range`): an editor can pull at the ends.
* A clip with sound lies on a track of sound, too. An EDL has one track of pictures.

This is the only module that knows OpenTimelineIO. Source: docs/design.md, 12 (Cuts); docs/media-facts.md, f.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import opentimelineio as otio

from veopipe import files
from veopipe.errors import EnvironmentFault, UsageError
from veopipe.film import outputs
from veopipe.film.cutting import Film, Shown, rate_in_words
from veopipe.text import printable

_CMX = "cmx_3600"

Address = Callable[[Path], str]


def write_otio(film: Film, output: Path, ledger: str) -> None:
    """Write a timeline whose clips are found from where it lies.

    Args:
        film: laid out.
        output: the `.otio` file.
        ledger: the id of the ledger whose takes are shown.

    Raises:
        OSError: it can't be written.
    """

    def relative(path: Path) -> str:
        return quote(os.path.relpath(path, output.absolute().parent))

    text = otio.adapters.write_to_string(_timeline(film, ledger, relative), "otio_json")
    files.replace(output.absolute(), text.encode())


def write_otioz(film: Film, output: Path, ledger: str) -> None:
    """Write a timeline with its videos in one file.

    Raises:
        UsageError: two videos have one name.
        OSError: it can't be written.
    """
    timeline = _timeline(film, ledger, lambda path: path.absolute().as_uri())
    with outputs.made_beside(output, "film.otioz") as made:
        try:
            otio.adapters.write_to_file(timeline, str(made), "otioz")
        except otio.exceptions.OTIOError as error:
            raise UsageError(f"no .otioz can be made of it: {printable(str(error), 300)}") from None


def write_edl(film: Film, output: Path, ledger: str) -> None:
    """Write an EDL in the form of CMX 3600.

    Raises:
        UsageError: its rate is none of an EDL.
        EnvironmentFault: its adapter isn't installed.
        OSError: it can't be written.
    """
    if not otio.opentime.RationalTime.is_smpte_timecode_rate(float(film.fps)):
        raise UsageError(f"an EDL has no {rate_in_words(film.fps)} frames per second", hint="write an .otio")
    if _CMX not in otio.adapters.available_adapter_names():
        raise EnvironmentFault("the adapter for EDLs isn't installed", hint="pip install 'veopipe[film]'")
    timeline = _timeline(film, ledger, lambda path: path.name, for_edl=True)
    text = otio.adapters.write_to_string(timeline, _CMX, rate=float(film.fps))
    files.replace(output.absolute(), text.encode())


def _timeline(film: Film, ledger: str, address: Address, *, for_edl: bool = False) -> Any:
    timeline = otio.schema.Timeline(name=f"veopipe {film.name}")
    timeline.global_start_time = otio.opentime.RationalTime(0, float(film.fps))
    timeline.metadata["veopipe"] = {"ledger": ledger, "cut": film.name, "fps": str(film.fps)}
    kinds = otio.schema.TrackKind
    pictures = otio.schema.Track(name="V1", kind=kinds.Video)
    pictures.extend([_clip(film, shown, address, for_edl=for_edl) for shown in film.clips])
    timeline.tracks.append(pictures)
    if not for_edl and any(map(_has_sound, film.clips)):
        sound = otio.schema.Track(name="A1", kind=kinds.Audio)
        heard = ((shown, _has_sound(shown)) for shown in film.clips)
        sound.extend([_clip(film, shown, address) if is_heard else _gap(film, shown) for shown, is_heard in heard])
        timeline.tracks.append(sound)
    return timeline


def _has_sound(shown: Shown) -> bool:
    return shown.path is not None and shown.footage.has_sound


def _range(begin: Fraction | int, frames: Fraction | int, fps: Fraction) -> Any:
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(time(float(begin), float(fps)), time(float(frames), float(fps)))


def _gap(film: Film, shown: Shown) -> Any:
    return otio.schema.Gap(source_range=_range(0, shown.frames, film.fps))


def _clip(film: Film, shown: Shown, address: Address, *, for_edl: bool = False) -> Any:
    material, footage = shown.material, shown.footage
    if material is None:
        return _gap(film, shown)
    own = footage.fps
    shows = _range(shown.begin, shown.end - shown.begin, own)
    has = _range(0, footage.count, own)
    if for_edl and own != film.fps:  # its numbers are frames of the film, whatever it shows
        shows = _range(round(shown.begin / own * film.fps), shown.frames, film.fps)
        has = _range(0, round(footage.count / own * film.fps), film.fps)
    if material.path is None:
        media: Any = otio.schema.MissingReference(available_range=has, metadata={"veopipe": {"why": material.missing}})
    else:
        media = otio.schema.ExternalReference(target_url=address(material.path), available_range=has)
    name = material.path.name if material.path is not None else shown.clip.name
    metadata = {"veopipe": _facts(shown), _CMX: {"reel": _reel(film, shown)}}
    return otio.schema.Clip(name=name, media_reference=media, source_range=shows, metadata=metadata)


def _facts(shown: Shown) -> dict[str, Any]:
    """What travels along with a clip."""
    material = shown.material
    if material is None:
        return {}
    take = material.take
    facts = {
        "shot": shown.clip.shot,
        "take": take.number if take is not None else None,
        "sha256": material.sha256,
        "prompt": take.order.prompt if take is not None else None,
        "model": take.order.model if take is not None else None,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _reel(film: Film, shown: Shown) -> str:
    """What an EDL calls the tape of a clip, in eight characters: the shot's number in the list, and the take's."""
    material = shown.material
    if material is None or not material.number:
        others = list(dict.fromkeys(each.clip.file for each in film.clips if each.clip.file))
        return f"F{others.index(shown.clip.file or '') + 1:03d}"
    take = material.take.number if material.take is not None else 0
    if max(material.number, take) > 999:
        return f"{material.number:05d}{take:03d}"
    return f"S{material.number:03d}T{take:03d}"
