"""What is shown of texts and files: made safe for a reader, and linked from where the report lies.

* Nothing keeps controls or keys; it isn't escaped for any format yet.
* Task ids open a video without a key at some gateways (docs/hazards.md, e 43b): their first characters are shown
  only, wherever they stand.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from veopipe.ledger.prefixes import is_prefix
from veopipe.project.project import Project
from veopipe.takes.status import SETTLED
from veopipe.takes.take import Take
from veopipe.text import printable
from veopipe.values import dataclass

_SHOWN_OF_TASK = 8


@dataclass(frozen=True, slots=True)
class Linker:
    """Links from a folder, so that both can be moved together.

    Attributes:
        project: whose files.
        folder: where the report will lie, resolved.
    """

    project: Project
    folder: Path

    def to(self, path: Path) -> str:
        """A link to a file."""
        return quote(os.path.relpath(path, self.folder))

    def to_take(self, take: Take) -> str | None:
        """A link to a take's file, if it is on this disk."""
        if take.file is None or take.status not in SETTLED:
            return None
        shelf = self.project.shelf
        there = shelf.is_whole(take.file)  # a Git LFS pointer shows nothing
        return self.to_shown(shelf.address(take.file)) if there else None

    def to_shown(self, shown: str) -> str | None:
        """A link to a file that a report names; None: it lies in a store, where no page reaches it."""
        if is_prefix(shown):
            return None
        return self.to(self.project.places.manifest.parent / shown)


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Makes texts about a shot safe to show.

    Attributes:
        tasks: the ids of its tasks.
    """

    tasks: tuple[str, ...]

    def lines(self, text: str, *, own: bool = False) -> str:
        """A text, its lines kept, everything else made safe to show and task ids masked; `own`: see `printable`."""
        for task in self.tasks:
            text = text.replace(task, masked(task))
        return "\n".join(printable(line, None, own=own) for line in text.splitlines())


def masked(task_id: str) -> str:
    """A task id by its first characters: enough to find it, too little to use it."""
    return printable(task_id[:_SHOWN_OF_TASK], None) + "…"
