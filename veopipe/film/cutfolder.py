"""The cuts that lie beside a list, looked at without its ledger and without a video: for those who check lists.

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Set
from pathlib import Path

from veopipe.documents import yaml
from veopipe.documents.nodes import MappingNode
from veopipe.errors import EnvironmentFault, Problem
from veopipe.film import cutfile
from veopipe.ledger.paths import Places
from veopipe.text import printable


def check(manifest: Path, shots: Collection[str] | None) -> list[Problem]:
    """What is wrong with the cuts beside a list.

    Several lists of one folder have their cuts in one place: a cut that names no shot of this one, and some of another
    one, isn't about this one.

    Args:
        manifest: the list's path as people wrote it; places are told likewise.
        shots: its ids; None: the list has errors, and they aren't known.

    Raises:
        EnvironmentFault: their folder can't be read.
    """
    folder = Places(manifest, "", "").cut_of(cutfile.MAIN).parent
    return [problem for name in _names(folder) for problem in _of(folder / name, manifest, shots)]


def _of(path: Path, manifest: Path, shots: Collection[str] | None) -> Iterable[Problem]:
    """What is wrong with one of them."""
    if path.suffix != ".yaml" or not cutfile.can_be_named(path.stem):
        return [_misnamed(path)]
    root, problems = cutfile.checked(path, str(path), shots)
    named = {node.text for node in cutfile.shots_in(root)}
    if named and named.isdisjoint(shots or ()) and _are_elsewhere(named, manifest):
        return [problem for problem in problems if problem.rule != cutfile.UNKNOWN_SHOT.id]
    return problems


def _names(folder: Path) -> list[str]:
    """The files that are cuts, or were perhaps meant to be some."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise EnvironmentFault(f"{printable(str(folder))} can't be read: {error.strerror}") from None
    return [name for name in names if not name.startswith(".") and name.casefold().endswith((".yaml", ".yml"))]


def _misnamed(path: Path) -> Problem:
    rule = cutfile.NAMED
    message = f"no command finds a cut that is called {printable(path.name, 80)}: {rule.message}"
    return Problem(str(path), 1, 1, rule.severity, rule.id, message)


def _are_elsewhere(named: Set[str], manifest: Path) -> bool:
    """Whether another list of that folder has some of these shots."""
    return any(not named.isdisjoint(ids) for ids in _other_lists(manifest))


def _other_lists(manifest: Path) -> Iterator[Collection[str]]:
    for path in sorted(manifest.parent.glob("*.y*ml")):
        root = yaml.load(path).root if path.name != manifest.name and path.is_file() else None
        shots = root.items.get("shots") if isinstance(root, MappingNode) else None
        if isinstance(shots, MappingNode):
            yield shots.items
