"""What lies in the folder of the state files: states, and names and files that say nothing.

* A state file is named by its shot, so a name that no shot can have is none: AppleDouble (`._a.json`), a copy that a
  file manager or a sync client made (`a 2.json`, `a (conflicted copy).json`).
* A placeholder of a sync client stands for a file whose bytes aren't on this disk: that shot's state exists, and
  isn't here.
* Some sync clients call a copy by a name that a shot could have (`a-LAPTOP.json`). Such a copy names another shot,
  and holds attempts that the file of that shot holds, too.

Source: docs/design.md, 2 and 5 (State files).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path

from veopipe import files
from veopipe.documents import standins
from veopipe.documents.standins import StandIn
from veopipe.ledger.reading import Unreadable
from veopipe.ledger.record import LARGEST, SHOT_ID, parse
from veopipe.takes.take import ShotState
from veopipe.text import printable
from veopipe.values import dataclass

_ENDING = ".json"


@dataclass(frozen=True, slots=True)
class StateFiles:
    """The names in the folder of the state files.

    Attributes:
        shots: shots with a state file `<shot>.json`, in the order of their names.
        away: shots whose state file is a placeholder, with which one.
        strange: names with the ending of a state file that no shot can have.
    """

    shots: tuple[str, ...] = ()
    away: tuple[tuple[str, StandIn], ...] = ()
    strange: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether any shot has a state, here or elsewhere."""
        return bool(self.shots or self.away)


@dataclass(frozen=True, slots=True)
class Unusable:
    """What lies among the state files and can't be relied on.

    Attributes:
        unreadable: shots whose file can't be understood, with the reason.
        missing: shots whose file isn't here, or isn't all: what is the matter with "its state file".
        strange: names that no shot can have; nothing is known from them.
        copies: names of files that are copies of another shot's → that shot; nothing is known from them either.
    """

    unreadable: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    strange: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)

    @property
    def shots(self) -> dict[str, str]:
        """The shots that are held by it, with what is the matter with "its state file"."""
        return {**self.missing, **{shot: f"can't be understood: {why}" for shot, why in self.unreadable.items()}}


def look_into(folder: Path) -> StateFiles:
    """The names in `folder`; none where it isn't there.

    Raises:
        OSError: it can't be read.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return StateFiles()
    candidates = {name: _shot_of(name) for name in names if name.endswith(_ENDING)}
    shots = dict.fromkeys(filter(None, candidates.values()))
    stand_ins = filter(None, map(standins.of_name, names))
    away = tuple((shot, found) for name, found in stand_ins if (shot := _shot_of(name)) and shot not in shots)
    return StateFiles(tuple(shots), away, tuple(name for name, shot in candidates.items() if shot is None))


def _shot_of(name: str) -> str | None:
    """The shot whose state file has this name."""
    shot = name.removesuffix(_ENDING)
    return shot if shot != name and SHOT_ID.fullmatch(shot) else None


def read_all(folder: Path) -> tuple[dict[str, ShotState], Unusable]:
    """The states in `folder`, by the shot that their file is named by, and what can't be relied on.

    The `shot` inside a file may still be an older id after a rename.

    Raises:
        OSError: the folder can't be read.
    """
    found = look_into(folder)
    states, unreadable = {}, {}
    for shot in found.shots:
        try:
            states[shot] = _read(f"{folder}/{shot}{_ENDING}")  # of 10,000 files a text each, no path
        except Unreadable as error:
            unreadable[shot] = str(error)
    copies, missing = {}, {shot: f"isn't here: {what}" for shot, what in found.away}
    for copy, shot, knows_more in list(_copies(states)):
        copies[f"{copy}{_ENDING}"] = shot
        del states[copy]
        if knows_more:
            missing[shot] = (
                f"has a copy, {copy}.json, that knows of attempts which it doesn't know: write them into one file, "
                f'or keep both and let "shot" in the copy be "{copy}"'
            )
    own = {
        shot: state if state.shot == shot else replace(state, shot=shot)
        for shot, state in states.items()
        if shot not in missing
    }
    return own, Unusable(unreadable, missing, found.strange, copies)


def _read(path: str) -> ShotState:
    """The state that a file holds.

    Raises:
        Unreadable: with a reason that is safe to print.
    """
    try:
        return parse(files.read_bounded(path, LARGEST))
    except Unreadable as error:
        raise Unreadable(printable(str(error))) from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        away = standins.of(Path(path))
        raise Unreadable(str(away) if away else f"it can't be read ({printable(said or '')})") from None


def _copies(states: Mapping[str, ShotState]) -> Iterator[tuple[str, str, bool]]:
    """The files that are copies: by name, of which shot, and whether they know of attempts that its file doesn't know.

    After a rename that a crash cut short a file names the older shot, too, but then nothing else holds its attempts.
    """
    for name, state in states.items():
        if state.shot != name and state.shot in states:
            here, there = set(state.calls()), set(states[state.shot].calls())
            if here & there:
                yield name, state.shot, bool(here - there)
