"""Where films and pictures may be written: never among the takes, and never in the ledger.

Source: docs/design.md, 12 (Frames) and 12 (Cuts).
"""

from __future__ import annotations

from pathlib import Path

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
        if path.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{shown} lies {where}", hint="choose another name for -o")
