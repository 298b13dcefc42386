"""Which names in the folder of the states are state files, and which another program left there.

A state file is named by its shot, so a name that no shot can have is none: AppleDouble (`._a.json`), a copy that a
file manager or a sync client made (`a 2.json`, `a (conflicted copy).json`). A placeholder of a sync client stands
for a file whose bytes aren't on this disk: that shot's state exists, and isn't here.

Source: design, sections 2 (ids of shots) and 5.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SHOT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a shot can be called (design, section 2)."""

_ENDING = ".json"
# What the bytes' place is called, and what brings them: iCloud Drive, Nextcloud, ownCloud, odrive.
_PLACEHOLDERS = (
    (re.compile(r"\.(.+)\.icloud"), "iCloud has it; open its folder in the Finder and choose Download Now"),
    (re.compile(r"(.+)\.(?:nextcloud|owncloud|cloud)"), "a sync client has it; let it make the file available offline"),
)


@dataclass(frozen=True, slots=True)
class StateFiles:
    """What lies in the folder of the states.

    Attributes:
        shots: shots with a state file `<shot>.json`, in the order of their names.
        away: shots whose state file is a placeholder, with how to get it.
        strange: names with the ending of a state file that no shot can have.
    """

    shots: tuple[str, ...] = ()
    away: tuple[tuple[str, str], ...] = ()
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
    away = [(shot, how) for name, how in _stand_ins(names) if (shot := _shot_of(name)) and shot not in set(shots)]
    return StateFiles(tuple(shots), tuple(away), tuple(name for name in candidates if not _shot_of(name)))


def why_away(path: Path) -> str | None:
    """How to get a file whose bytes a sync client keeps elsewhere; None if no placeholder stands for it."""
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return None
    return dict(_stand_ins(names)).get(path.name)


def _shot_of(name: str) -> str | None:
    """The shot whose state file has this name."""
    shot = name.removesuffix(_ENDING)
    return shot if shot != name and SHOT_ID.fullmatch(shot) else None


def _stand_ins(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The names that placeholders stand for, each with how to get its bytes."""
    for name in names:
        for pattern, how in _PLACEHOLDERS:
            if found := pattern.fullmatch(name):
                yield found[1], how
