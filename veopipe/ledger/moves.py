"""The commands that hints give: most move what belongs to a list. They work wherever a person types them.

A hint removes nothing, and what it moves goes to a name that is free.

Source: docs/design.md, 5 (Whose ledger it is).
"""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from veopipe.ledger import statefiles
from veopipe.ledger.paths import Places
from veopipe.ledger.prefixes import is_prefix


def is_one(path: Path, other: Path) -> bool:
    """Whether both names lead to one file or folder: in another case, with other accents, by a link."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):  # one isn't there; this locale can't write its name
        return False


def free(path: Path) -> Path:
    """The first of `path-2`, `path-3` … that is nothing's name: what a hint moves must not replace anything."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(name for name in numbered if not os.path.lexists(name))


def renames(places: Places, name: str) -> str:
    """What a person does with everything of the list that was called `name`, so that it is this list's.

    That is the ledger, what people said of its takes, and the videos: in the pipeline's output, and in each other one
    that a take on record lies in. What lies in a store is to be copied there.
    """
    outputs = dict.fromkeys([places.output_base, *_outputs(places.folder.with_name(name) / "state")])
    moves = [_move(places, places.folder, places.ledger_base, name)]
    for base in ("review", *(base for base in outputs if not is_prefix(base))):
        if (there := places.manifest.parent / base).joinpath(name).is_dir():
            moves.append(_move(places, there / places.name, base, name))
    copies = "".join(
        f", and copy {base}/{name} to {base}/{places.name} in the store" for base in outputs if is_prefix(base)
    )
    return " && ".join(moves) + copies


def _outputs(states: Path) -> Iterator[str]:
    """Where the takes lie that are on record there, as far as that can be read."""
    with suppress(OSError):
        for state in statefiles.read_all(states)[0].values():
            yield from (take.file.output for take in state.takes if take.file is not None)


def _move(places: Places, target: Path, base: str, name: str) -> str:
    """The command that gives the folder `name` the place of `target`; what is there gets another name."""
    move = mv(places, f"{base}/{name}", f"{base}/{target.name}")
    if not os.path.lexists(target) or (target.is_dir() and {entry.name for entry in target.iterdir()} <= {"lock"}):
        return move  # a lock that this very command holds goes with it
    return f"{mv(places, f'{base}/{target.name}', f'{base}/{free(target).name}')} && {move}"


def mv(places: Places, old: str, new: str) -> str:
    """The command that renames something beside the manifest, wherever a person types it."""
    return shlex.join(["mv", _typed(places, old), _typed(places, new)])


def joins(places: Places, old: str, new: str, ending: str, names: Iterable[str] = ()) -> str:
    """The command that moves files from one folder beside the manifest into another; it replaces none there.

    Args:
        places: of the list.
        old: where they are.
        new: where they go to.
        ending: all that end so, unless `names` are told.
        names: only these.
    """
    target = shlex.quote(_typed(places, new))
    told = " ".join(shlex.quote(_typed(places, f"{old}/{name}")) for name in names)
    return f"mkdir -p {target} && mv -n {told or f'{shlex.quote(_typed(places, old))}/*{ending}'} {target}/"


def typed(path: str) -> str:
    """A path as a word of a command: one that begins with a dash would be taken for an option."""
    return f"./{path}" if path.startswith("-") else path


def status(places: Places) -> str:
    """The command that shows where the list stands, or its rehearsal."""
    return shlex.join(["veopipe", "status", _typed(places, places.manifest.name), *["--simulate"] * places.simulated])


def git_checkout(places: Places, path: str) -> str:
    """The command that brings something beside the manifest back from git."""
    where = [] if _is_here(places) else ["-C", str(places.manifest.parent)]
    return shlex.join(["git", *where, "checkout", "--", path])


def git_checkout_of(path: Path) -> str:
    """The same of a file that is known by its absolute path."""
    return shlex.join(["git", "-C", str(path.parent), "checkout", "--", path.name])


def _typed(places: Places, path: str) -> str:
    """A path beside the manifest as it is typed in the working folder: another one may have a ledger of that name."""
    return typed(path if _is_here(places) else str(places.manifest.parent / path))


def _is_here(places: Places) -> bool:
    return is_one(places.manifest.parent, Path())
