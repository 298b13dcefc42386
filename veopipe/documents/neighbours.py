"""Files that a list or a pipeline names: each lies in the list's folder, or in its git work tree.

A list may come from a stranger's pull request, and it must not show any other file of this machine. So links are
followed before that is decided, and what they lead to is what is read.

Source: docs/design.md, 3 (Texts) and 11 (Profiles).
"""

from __future__ import annotations

import os
from pathlib import Path

from veopipe import files
from veopipe.documents import standins
from veopipe.text import printable


def find(folder: Path, written: str, what: str) -> Path:
    """A file that is named, absolute, links followed.

    Args:
        folder: the list's.
        written: its path, relative to the folder.
        what: the file is, in a word: `profile`.

    Raises:
        LookupError: it isn't there, or lies elsewhere; the sentence is for people.
    """
    shown = printable(written, 60)
    try:
        path = Path(os.path.realpath(folder / written))
        within = path.is_relative_to(os.path.realpath(files.work_tree_of(folder)))
        there = path.exists()
    except (OSError, ValueError) as error:  # a NUL, a name that is too long
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise LookupError(f"{shown} is no {what}'s file: {why}") from None
    if not within:
        raise LookupError(f"{shown} lies outside the manifest's folder and its git work tree: copy the {what} there")
    if not there:
        raise LookupError(f"there is no {what} file {shown}{_instead(folder / written)}")
    return path


def _instead(path: Path) -> str:
    away = standins.of(path)
    return f": {away}" if away is not None else ""
