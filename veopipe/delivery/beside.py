"""What lies beside a take in a folder, where a worker put it: `.SC01.001.json`, whose task it is and what was measured.

It was written before the take got its name, so that a take with a name is known by it whoever asks. It says the same as
the metadata of a take in a bucket. A run on one machine writes none: its state files say all that.

Source: docs/scale.md, c.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from veopipe import files
from veopipe.delivery.marks import KEY, Mark
from veopipe.takes.take import Delivered

_LONGEST = 64 << 10  # bytes; one has some hundreds


def place_of(take: Path) -> Path:
    """Where it lies, by the place of the take."""
    return take.with_name(f".{take.stem}.json")


def is_there(take: Path) -> bool:
    """Whether a worker was about to name a take (one look at the folder)."""
    return os.path.lexists(f"{take.parent}/.{take.stem}.json")


def content(take: Path) -> bytes | None:
    """All of it; None: there is none that can be read."""
    try:
        return files.read_bounded(place_of(take), _LONGEST)
    except (OSError, ValueError):
        return None


def written(mark: Mark) -> bytes:
    """A mark as it lies there."""
    return mark.dump()[KEY].encode() + b"\n"


def record(take: Path, task_id: str | None, output: str) -> Delivered | None:
    """The record of the take of a task under a name; None: what lies there is something else. It is read.

    Args:
        take: where it may lie.
        task_id: of the gateway's task.
        output: of the folder, as records have it.

    Raises:
        OSError: it couldn't be read.
    """
    text = content(take)
    mark = Mark.read({KEY: text.decode("utf-8", "replace")}) if text is not None else None
    if mark is None or mark.task_id != task_id or not take.is_file() or take.stat().st_size != mark.bytes:
        return None
    if files.sha256_of(take) != mark.sha256:
        return None
    return replace(mark.record(output, take.name, ""), stored=None)
