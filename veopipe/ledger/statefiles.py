"""Which names in the folder of the states are state files, and which another program left there.

A state file is named by its shot, so a name that no shot can have is none: AppleDouble (`._a.json`), a copy that a
file manager or a sync client made (`a 2.json`, `a (conflicted copy).json`). A placeholder of a sync client stands
for a file whose bytes aren't on this disk: that shot's state exists, and isn't here.

Source: docs/design.md, 2 and 5 (State files).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from veopipe import standins
from veopipe.standins import StandIn

SHOT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a shot can be called (docs/design.md, 2)."""

_ENDING = ".json"


@dataclass(frozen=True, slots=True)
class StateFiles:
    """What lies in the folder of the states.

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


def look_into(folder: Path) -> StateFiles:
    """The state files in `folder`; none where it isn't there.

    Raises:
        OSError: it can't be read.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return StateFiles()
    candidates = [name for name in names if name.endswith(_ENDING)]
    shots = [shot for name in candidates if (shot := _shot_of(name))]
    stand_ins = [found for name in names if (found := standins.of_name(name)) is not None]
    away = [(shot, found) for name, found in stand_ins if (shot := _shot_of(name)) and shot not in set(shots)]
    return StateFiles(tuple(shots), tuple(away), tuple(name for name in candidates if not _shot_of(name)))


def _shot_of(name: str) -> str | None:
    """The shot whose state file has this name."""
    shot = name.removesuffix(_ENDING)
    return shot if shot != name and SHOT_ID.fullmatch(shot) else None
