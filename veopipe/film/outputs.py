"""Where films and pictures may be written: never among the takes, never in the ledger, and whole or not at all.

Source: docs/design.md, 12 (Frames) and 12 (Cuts).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from veopipe import files
from veopipe.errors import EnvironmentFault, UsageError
from veopipe.ledger.paths import Places
from veopipe.text import printable


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
        raise EnvironmentFault(f"{shown} can't be written: there is no such folder")
    for folder, where in ((places.folder, "in the ledger"), (places.takes_of(places.output_base), "among the takes")):
        if files.lies_in(path, folder):
            raise UsageError(f"{shown} lies {where}", hint="choose another name for -o")


@contextmanager
def made_beside(output: Path, name: str) -> Iterator[Path]:
    """A place in the same folder for what is to become this file: it gets its name when it is whole.

    Args:
        output: the file.
        name: of the place, with the ending that its maker wants.

    Raises:
        OSError: it can't be written there.
    """
    target = output.absolute()
    folder = Path(tempfile.mkdtemp(prefix=".veopipe-", dir=target.parent))
    try:
        yield folder / name
        files.rename(folder / name, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
