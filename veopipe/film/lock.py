"""Locks: what a cut showed when it was finished, down to the files: `cuts/NAME.lock.json`.

Source: docs/design.md, 12 (Cuts); `schemas/lock.schema.json`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from veopipe import files
from veopipe.documents import checked
from veopipe.film.cutting import Film, Shown
from veopipe.ledger.paths import Places
from veopipe.takes.verdict import name_of
from veopipe.text import counted, printable
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class LockedClip:
    """A clip as it was locked.

    Attributes:
        shot: the id of the shot; None: it is no shot.
        take: the number of the take.
        file: of a take its name, of another file its path as the cut has it; None: a gap.
        sha256: of the whole file, hex.
        begin: the first frame that is shown.
        end: the first one that isn't.
    """

    shot: str | None
    take: int | None
    file: str | None
    sha256: str | None
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Lock:
    """A locked cut.

    Attributes:
        ledger: the id of the ledger whose takes it shows.
        fps: frames per second, exact, as a text.
        clips: in the order in which they are shown.
    """

    ledger: str
    fps: str
    clips: tuple[LockedClip, ...]


def of(film: Film, ledger: str) -> Lock:
    """What a film is locked to now."""
    return Lock(ledger, str(film.fps), tuple(map(_locked, film.clips)))


def _locked(shown: Shown) -> LockedClip:
    material, take = shown.material, shown.take
    file = name_of(take) if take is not None else shown.clip.file
    sha256 = material.sha256 if material is not None and shown.missing is None else None
    return LockedClip(shown.clip.shot, take.number if take is not None else None, file, sha256, shown.begin, shown.end)


def read(places: Places, name: str) -> Lock | None:
    """What a cut was locked to; None: it never was.

    Raises:
        InvalidInput: the file isn't as it was written.
    """
    path = places.lock_of(name)
    if not os.path.lexists(path):
        return None
    said = checked.load("lock", path, "in the lock of a cut", shown_as=shown_as(places, name))
    return Lock(said["ledger"], said["fps"], tuple(map(_clip, said["clips"])))


def _clip(said: dict[str, Any]) -> LockedClip:
    return LockedClip(said["shot"], said["take"], said["file"], said["sha256"], said["in"], said["out"])


def shown_as(places: Places, name: str) -> str:
    """The file's name, relative to the list's folder."""
    return os.path.relpath(places.lock_of(name), places.manifest.parent)


def write(places: Places, name: str, lock: Lock) -> None:
    """Lock a cut.

    Raises:
        EnvironmentFault: the file can't be written.
    """
    path = places.lock_of(name)
    clips = [
        {{"begin": "in", "end": "out"}.get(key, key): value for key, value in asdict(clip).items()}
        for clip in lock.clips
    ]
    text = json.dumps({"version": 1, "ledger": lock.ledger, "fps": lock.fps, "clips": clips}, indent=1)
    with files.writing(path):
        files.make_folder(path.parent)
        files.replace(path, f"{text}\n".encode())


def unready(film: Film) -> list[str]:
    """Why a film can't be locked: clips that nobody decided on, or that aren't there."""
    return [f"{shown.clip.name}: {why}" for shown in film.clips for why in _lacks(shown)]


def _lacks(shown: Shown) -> Iterator[str]:
    material = shown.material
    if material is None:
        return
    if material.missing is not None:
        yield material.missing
    elif shown.clip.shot is not None and not material.is_picked:
        yield "it has no pick"
    if material.is_stale:
        yield "it is stale: its producer's take is another one now"


def differences(film: Film, ledger: str, locked: Lock) -> list[str]:
    """What of a film isn't as it was locked."""
    now = of(film, ledger)
    found = [] if now.ledger == locked.ledger else ["it was locked with the takes of another ledger"]
    found += [] if now.fps == locked.fps else [f"{now.fps} frames per second, locked with {locked.fps}"]
    if len(now.clips) != len(locked.clips):
        found.append(f"{counted(len(now.clips), 'clip')}, locked with {len(locked.clips)}")
    for number, (one, other) in enumerate(zip(now.clips, locked.clips, strict=False), 1):
        found += [f"clip {number}, {_name(one)}: {words}" for words in _changes(one, other)]
    return found


def _changes(now: LockedClip, locked: LockedClip) -> Iterator[str]:
    if (now.shot, now.file is None) != (locked.shot, locked.file is None) or (
        now.shot is None and now.file != locked.file
    ):
        yield f"locked with {_name(locked)} in its place"
        return
    if now.take != locked.take:
        yield f"take {now.take or 'none'}, locked with take {locked.take}"
    elif now.sha256 != locked.sha256:
        yield "its file is another one than was locked"
    if (now.begin, now.end) != (locked.begin, locked.end):
        yield f"frames {now.begin} to {now.end}, locked with {locked.begin} to {locked.end}"


def _name(clip: LockedClip) -> str:
    return printable(clip.shot or clip.file or "a gap", 80)


def changed_under_trims(film: Film, locked: Lock) -> dict[int, str]:
    """Clips that say where they begin or end and show another file than when they were locked: place → the note.

    A clip is found again by its shot, so that what was put between changes nothing.
    """
    found: dict[int, str] = {}
    left = list(locked.clips)
    for number, shown in enumerate(film.clips):
        before = next((clip for clip in left if clip.shot is not None and clip.shot == shown.clip.shot), None)
        if before is None:
            continue
        left.remove(before)
        now = _locked(shown)
        if shown.clip.is_trimmed and now.sha256 is not None and now.sha256 != before.sha256:
            found[number] = f"it was locked with take {before.take} and is take {now.take} now: check in and out"
    return found
