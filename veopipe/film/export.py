"""What is made of a film: a rough cut to look at, or a timeline for editing programs. The ending of the file decides.

A file that is there is replaced only if it was made here, and never where takes or the ledger lie.

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable
from pathlib import Path

from veopipe import files
from veopipe.errors import EnvironmentFault, UsageError
from veopipe.film import outputs
from veopipe.film.cutting import Film
from veopipe.ledger.paths import Places
from veopipe.text import printable

_MP4, _OTIO, _OTIOZ, _EDL = ".mp4", ".otio", ".otioz", ".edl"
ENDINGS = (_MP4, _OTIO, _OTIOZ, _EDL)

_MARK = b"veopipe"
_LOOKED_AT = 16 * 1024 * 1024  # bytes of a file in which the mark is looked for: an MP4 has it in front


def require(output: Path, places: Places, *, is_drawn: bool) -> None:
    """See that a film can be made of a list here, before anything is looked at.

    Args:
        output: the file.
        places: the list's.
        is_drawn: something is asked for that only a rough cut has.

    Raises:
        UsageError: it is no such file, or would replace something that wasn't made here.
        EnvironmentFault: the extra isn't installed.
    """
    kind, shown = output.suffix.lower(), printable(str(output))
    if kind not in ENDINGS:
        raise UsageError(f"the ending of {shown} names no kind of film", hint=f"endings are {' '.join(ENDINGS)}")
    if is_drawn and kind != _MP4:
        raise UsageError(f"--burn and --full are of an .mp4; {shown} has no pictures of its own")
    needed = {"av": "PyAV"} if kind == _MP4 else {"av": "PyAV", "opentimelineio": "OpenTimelineIO"}
    for module, name in needed.items():
        if importlib.util.find_spec(module) is None:
            raise EnvironmentFault(f"{name} isn't installed, which a film needs", hint="pip install 'veopipe[film]'")
    _refuse_loss(output, shown, places)


def _refuse_loss(output: Path, shown: str, places: Places) -> None:
    outputs.refuse(output, places)
    path = output.absolute()
    if path.exists() and not _is_ours(path):
        raise UsageError(f"{shown} wasn't made by veopipe cut: left alone", hint="choose another name for -o")


def _is_ours(path: Path) -> bool:
    """Whether a film was made here; takes, and what others made, are none."""
    kind = path.suffix.lower()
    try:
        if kind == _OTIOZ:
            with zipfile.ZipFile(path) as bundle, bundle.open("content.otio") as content:
                return _MARK in content.read(_LOOKED_AT)
        with files.open_regular(path) as file:
            content_begins = file.read(_LOOKED_AT)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False
    return (_comment("").encode() if kind == _MP4 else _MARK) in content_begins


def _comment(ledger: str) -> str:
    return f"veopipe cut {ledger}"


def write(film: Film, output: Path, ledger: str, *, burn: bool = False, full: bool = False) -> None:
    """Make a film, whole or not at all.

    Args:
        film: laid out by what the decoder counted.
        output: the file.
        ledger: the id of the ledger whose takes are shown.
        burn: names and numbers of frames are written into the picture.
        full: it is as large as its largest video, instead of 720p.

    Raises:
        UsageError: it can't be made.
        EnvironmentFault: a part that it needs isn't installed, or the file can't be written.
    """
    kind = output.suffix.lower()
    try:
        if kind == _MP4:
            _write_mp4(film, output, ledger, burn=burn, full=full)
            return
        from veopipe.film import timeline  # an extra

        made: dict[str, Callable[[Film, Path, str], None]] = {
            _OTIO: timeline.write_otio,
            _OTIOZ: timeline.write_otioz,
            _EDL: timeline.write_edl,
        }
        made[kind](film, output, ledger)
    except ImportError as error:  # it is there, and its libraries aren't, or there is no memory for them
        raise EnvironmentFault(f"what makes a film can't be loaded: {printable(str(error))}") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise EnvironmentFault(f"{printable(str(output))} can't be written: {why}") from None


def _write_mp4(film: Film, output: Path, ledger: str, *, burn: bool, full: bool) -> None:
    from veopipe.film import assembly  # an extra, and heavy

    with outputs.made_beside(output, "film.mp4") as made:
        assembly.write(film, made, assembly.Look(burn, full), _comment(ledger))
