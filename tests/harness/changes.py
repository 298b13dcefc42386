"""One change of veopipe's source text, and a copy of the package that has it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.harness.fork import ROOT


@dataclass(frozen=True)
class Change:
    """One change of the source.

    Attributes:
        file: in `veopipe/`.
        old: the exact text, there once.
        new: what stands there instead.
    """

    file: str
    old: str
    new: str


def package_with(change: Change, folder: Path) -> Path:
    """A copy of the package that has it."""
    shutil.copytree(ROOT / "veopipe", folder / "veopipe")
    for name in ("schemas", "pipelines"):
        (folder / name).symlink_to(ROOT / name)
    path = folder / "veopipe" / change.file
    source = path.read_text("utf-8")
    assert source.count(change.old) == 1, f"{change.file} has not exactly one {change.old!r}"
    path.write_text(source.replace(change.old, change.new), "utf-8")
    return folder
