"""What was left under an earlier name of a list whose ledger was moved by hand: videos, and folders of no list.

Nothing is guessed: a folder of videos names its ledger, and is spoken of only where it has takes that are missing.

Source: docs/design.md, 5 (Whose ledger it is).
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from veopipe.errors import EnvironmentFault
from veopipe.ledger import moves, owner
from veopipe.ledger.paths import Places
from veopipe.ledger.prefixes import is_prefix
from veopipe.takes.take import Delivered, Take
from veopipe.text import counted, printable

_LISTS = frozenset({".yaml", ".yml", ".json"})


def videos(places: Places, ledger: str, takes: Iterable[Take]) -> Iterator[str]:
    """For people: takes on record that aren't in their folder, and are in one of the same ledger.

    Args:
        places: of the list.
        ledger: its ledger's id.
        takes: on record.
    """
    for base, files in _by_output(takes).items():
        for name in _beside(places, base):
            folder = places.manifest.parent / base / name
            if _is_of(folder, ledger) and (missing := _missing(places, files, folder / "takes")):
                yield _said(places, base, name, missing, is_all=_has_no_others(folder / "takes", files))


def _said(places: Places, base: str, name: str, missing: Sequence[str], *, is_all: bool) -> str:
    old, new = (f"{base}/{each}/takes" for each in (name, places.name))
    lie = f"{counted(len(missing), 'take')} of this list {'lies' if len(missing) == 1 else 'lie'} in {printable(old)}"
    return f"{lie}, and not in {printable(new)}: {moves.joins(places, old, new, '.mp4', () if is_all else missing)}"


def _by_output(takes: Iterable[Take]) -> dict[str, list[Delivered]]:
    """The delivered files by the folder that they were put into; those in stores left out."""
    found: dict[str, list[Delivered]] = {}
    for take in takes:
        if take.file is not None and not is_prefix(take.file.output):
            found.setdefault(take.file.output, []).append(take.file)
    return found


def of_gone_lists(places: Places, base: str) -> list[str]:
    """The names of the folders in `base` that belong to no list beside the manifest."""
    if not (found := _beside(places, base)):
        return []
    endings = {*_LISTS, places.manifest.suffix}
    there = {_plain(path.stem) for path in places.manifest.parent.iterdir() if path.suffix.lower() in endings}
    return [name for name in found if _plain(name) not in there]


def _beside(places: Places, base: str) -> list[str]:
    """The names of the folders in `base` but this list's."""
    found: list[str] = []
    with suppress(OSError):
        found = [each.name for each in os.scandir(places.manifest.parent / base) if each.is_dir()]
    return sorted(name for name in found if name != places.name)


def _is_of(folder: Path, ledger: str) -> bool:
    with suppress(EnvironmentFault):
        return owner.owner_of(folder) == ledger
    return False


def _missing(places: Places, files: Iterable[Delivered], other: Path) -> list[str]:
    """The takes that aren't in their own folder, and are in another one."""
    gone = (file.name for file in files if not os.path.lexists(places.takes_of(file.output) / file.name))
    return [name for name in gone if (other / name).is_file()]


def _has_no_others(folder: Path, files: Iterable[Delivered]) -> bool:
    """Whether a folder has no takes but these: others, which no record here knows, would hold their shots."""
    return {path.name for path in folder.glob("*.mp4")} <= {file.name for file in files}


def _plain(name: str) -> str:
    """A name as any disk may spell it."""
    return unicodedata.normalize("NFC", name).casefold()
