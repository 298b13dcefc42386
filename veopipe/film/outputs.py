"""Where films and pictures may be written: never among the takes, never in the ledger, and whole or not at all.

Source: docs/design.md, 12 (Frames) and 12 (Cuts).
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from veopipe import files
from veopipe.errors import UsageError
from veopipe.ledger import holding
from veopipe.ledger.paths import Places
from veopipe.text import printable

_PLACE = ".veopipe-"
_FRESH = 60.0  # seconds in which a place may not be held yet by who makes it


def refuse(output: Path, places: Places) -> None:
    """Refuse a file where none belongs, before anything is made for it.

    Raises:
        UsageError: it is a folder, or lies among takes or in the ledger.
        EnvironmentFault: its folder isn't there.
    """
    path, shown = output.absolute(), printable(str(output))
    if path.is_dir():
        raise UsageError(f"{shown} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise files.without_folder(output)
    for folder, where in ((places.folder, "in the ledger"), (places.takes_of(places.output_base), "among the takes")):
        if files.lies_in(path, folder):
            raise UsageError(f"{shown} lies {where}", hint="choose another name for -o")


@contextmanager
def made_beside(output: Path, name: str) -> Iterator[Path]:
    """A place in the same folder for what is to become this file: it gets its name when it is whole, and on the disk.

    Args:
        output: the file.
        name: of the place, with the ending that its maker wants.

    Raises:
        OSError: it can't be written there.
    """
    target = output.absolute()
    _tidy(target.parent, name)
    folder = Path(tempfile.mkdtemp(prefix=_PLACE, dir=target.parent))
    try:
        with holding.held(folder, 0):
            yield folder / name
            with (folder / name).open("rb") as made:
                files.sync(made.fileno(), target)
            files.rename(folder / name, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_place(path: Path) -> bool:
    """Whether a folder is called as `mkdtemp` calls it."""
    return re.fullmatch(r"[a-z0-9_]{8}", path.name.removeprefix(_PLACE)) is not None and not path.is_symlink()


def _tidy(parent: Path, name: str) -> None:
    """Remove such places of makers that were killed: halves of films are large, and nobody looks for them."""
    for place in filter(_is_place, parent.glob(f"{_PLACE}*")):
        with suppress(OSError, holding.Busy):
            if time.time() - place.lstat().st_mtime > _FRESH:
                with holding.held(place, 0) as hold:
                    if hold is not None:  # else nobody knows whether its maker is at work
                        files.remove_quietly(place / name)
                        place.rmdir()  # unless something else is in it
