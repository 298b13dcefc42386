"""The state files of one ledger: read whole at the start, replaced one at a time, never out of step.

* What `Store` holds in memory for a shot is what its file holds: memory follows the disk, not the other
  way round. A save that fails leaves both as they were.
* Saves come from the event loop and from the threads that create; one lock orders them.
* A paid answer that can't be recorded in its place is tried there again with the reserve's room, then goes
  to a rescue file, and if that fails too, to one line on stderr: it is never lost silently. The next start
  merges rescue files.
* A file that can't be understood (`unreadable`) or isn't on this disk (`missing`) holds its shot, and an order that was
  made more often than is on record (`lost`) is made no more; the other shots go on.
* Once the lock is given up nothing is written in its place any more (`close`): an answer that comes in after
  that is rescued, too, since another process may have changed the file meanwhile.

Source: docs/design.md, 5 (State files) and 5 (The count); docs/hazards.md, c 6.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from veopipe import files, standins
from veopipe.clock import now
from veopipe.errors import EnvironmentFault
from veopipe.ledger import statefiles
from veopipe.ledger.paths import Places
from veopipe.ledger.reading import Unreadable
from veopipe.ledger.record import FORMAT, LARGEST, dump, parse
from veopipe.takes.status import Event, IllegalTransition, Status
from veopipe.takes.take import ShotState, Take, advance
from veopipe.text import printable

ASIDE = "aside-"
"""What the id begins with that a state has for a moment while shots change ids in a circle."""
RESERVE = 256 << 10
"""Bytes: the state files of some dozen answers that arrive at the same time."""


class NotRecorded(Exception):
    """A state file couldn't be written. Where money was already spent, the record was rescued."""


@dataclass(slots=True)
class Store:
    """The states of all shots of a ledger.

    Attributes:
        places: where the files lie.
        shots: the state of each shot that has one, by the id its file is named by.
        unreadable: shots whose file can't be understood, with the reason.
        missing: shots whose file isn't here, or isn't all: what is the matter with "its state file".
        strange: names among the state files that no shot can have; nothing is known from them.
        copies: names of state files that are copies of another shot's → that shot; nothing is known from them either.
        counted: key of an order → attempts that were made for it, as the ledger and the state files know.
        lost: orders of which fewer attempts are on record than were counted: a state file isn't here, or is older.
    """

    places: Places
    shots: dict[str, ShotState] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    strange: tuple[str, ...] = ()
    copies: dict[str, str] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    _present: Counter[str] = field(default_factory=Counter)
    _writing: threading.RLock = field(default_factory=threading.RLock)
    _is_closed: bool = False

    def close(self) -> None:
        """Leave the state files to others: what was under way is written, and nothing after it."""
        with self._writing:
            self._is_closed = True

    @property
    def unusable(self) -> dict[str, str]:
        """Shots whose state file says nothing that can be relied on, with what is the matter with it."""
        return {**self.missing, **{shot: f"can't be understood: {why}" for shot, why in self.unreadable.items()}}

    @property
    def is_closed(self) -> bool:
        """Whether the state files are another process's business now."""
        return self._is_closed

    def count(self) -> dict[str, int]:
        """How many attempts were made for each order, those included whose state file isn't here."""
        with self._writing:
            return dict(self.counted)

    def give_up(self, order: str) -> None:
        """Expect no more attempts for an order than are on record: a person says that the others are gone for good."""
        with self._writing:
            self.counted.pop(order, None)
            if self._present[order]:
                self.counted[order] = self._present[order]
            self.lost -= {order}

    def _hold(self, shot: ShotState) -> None:
        """Have a state in memory, and its attempts counted."""
        if shot.shot in self.shots:
            self._drop(shot.shot)
        self.shots[shot.shot] = shot
        tally = shot.attempts()
        self._present.update(tally)
        for order in tally:
            self.counted[order] = max(self.counted.get(order, 0), self._present[order])

    def _drop(self, shot: str) -> ShotState:
        state = self.shots.pop(shot)
        self._present.subtract(state.attempts())
        return state

    def exclusively(self) -> AbstractContextManager[object]:
        """Keep other threads from changing anything between a look at a state and its save."""
        return self._writing

    def save(self, shot: ShotState) -> None:
        """Put `shot` on disk, then in memory.

        Raises:
            NotRecorded: it isn't on disk; memory is unchanged.
        """
        with self._writing:
            if self._is_closed:
                raise NotRecorded(f"{self._path(shot.shot)} is another process's business now")
            try:
                files.replace(self._path(shot.shot), dump(shot))
            except OSError as error:
                raise NotRecorded(f"{self._path(shot.shot)} can't be written: {error.strerror}") from error
            self._hold(shot)

    def change(self, shot: str, number: int, step: Callable[[Take], Take]) -> Take:
        """Replace one take by `step(take)`, durably.

        Raises:
            NotRecorded: it isn't on disk; memory is unchanged.
        """
        with self._writing:
            state = self.shots[shot]
            changed = step(state.take(number))
            self.save(state.with_take(changed))
            return changed

    def record(self, shot: str, number: int, event: Event, **facts: Any) -> Take:
        """Record that `event` happened to a take.

        Raises:
            NotRecorded: it isn't on disk; memory is unchanged.
            IllegalTransition: the attempt table doesn't list it.
        """
        return self.change(shot, number, lambda take: advance(take, event, now(), **facts))

    def record_paid(self, shot: str, number: int, event: Event, **facts: Any) -> Take:
        """Like `record`, for the answer to a create: if it can't be written, it is rescued.

        Raises:
            NotRecorded: after the record was rescued: in its place by the reserve, to another file, or to stderr.
        """
        try:
            return self.record(shot, number, event, **facts)
        except NotRecorded:
            if self._recorded_in_reserve(shot, number, event, facts):
                raise
            with self._writing:
                attempt = self.shots[shot].take(number).last.number
            self._rescue({"shot": shot, "take": number, "attempt": attempt, "event": event.name, **facts})
            raise

    def keep_reserve(self) -> None:
        """See that the reserve is on disk: room for an answer that was paid for, should the disk be full by then.

        Raises:
            NotRecorded: there isn't even room for it.
        """
        path = self.places.reserve
        try:
            if not path.exists():
                files.make_folder(path.parent, 0o700)
                files.replace(path, secrets.token_bytes(RESERVE), 0o600)  # bytes that no disk can compress
        except OSError as error:
            raise NotRecorded(f"{path} can't be written: {error.strerror}") from error

    def _recorded_in_reserve(self, shot: str, number: int, event: Event, facts: Mapping[str, Any]) -> bool:
        """Give the reserve up and record once more; whether it is in its place now. The disk is full all the same."""
        if self._is_closed or not self.places.reserve.exists():
            return False
        files.remove_quietly(self.places.reserve)
        try:
            self.record(shot, number, event, **facts)
        except NotRecorded:
            return False
        return True

    def move(self, moves: Mapping[str, str]) -> None:
        """Let shots take over states of others, all at once: none is ever overwritten.

        A crash leaves each under its old id, its new one, or one that no list has: the next plan takes it from there.

        Args:
            moves: new id → old id, each once; a new id that has a state is an old id, too.

        Raises:
            NotRecorded: some are moved, the others have their old ids.
        """
        waiting, needed = dict(moves), set(moves.values())
        ready = [new for new in waiting if new not in needed]
        while waiting:
            if not ready:  # a circle: one of it makes room
                new, old = next(iter(waiting.items()))
                waiting[new] = f"{ASIDE}{secrets.token_hex(8)}"
                self._rename(old, waiting[new])
                ready.append(old)
            new = ready.pop()
            old = waiting.pop(new)
            self._rename(old, new)
            if old in waiting:
                ready.append(old)

    def _rename(self, old: str, new: str) -> None:
        """One rename, so a crash leaves one of the two.

        Raises:
            NotRecorded: the file has its old name, or its new one with the old id inside (which is read as well).
        """
        with self._writing:
            try:
                files.rename(self._path(old), self._path(new))
            except OSError as error:
                raise NotRecorded(f"{self._path(old)} can't be renamed: {error.strerror}") from error
            state = self._drop(old)
            self._hold(ShotState(new, state.takes, state.unknown))
            self.save(self.shots[new])

    def every_take(self, shot: str) -> Iterator[Take]:
        """All takes of the ledger, those of `shot` first."""
        yield from self.shots[shot].takes
        for state in list(self.shots.values()):
            yield from state.takes

    def _path(self, shot: str) -> Path:
        return self.places.state / f"{shot}.json"

    def _rescue(self, record: Mapping[str, Any]) -> None:
        line = json.dumps({"format": FORMAT, "at": now(), **record})
        name = f"{record['shot']}.{secrets.token_hex(4)}.json"
        for folder in (self.places.rescue, self.places.output):
            try:
                files.make_folder(folder, 0o700)
                files.replace(folder / (name if folder == self.places.rescue else f".rescue-{name}"), line.encode())
            except OSError:
                continue
            return
        # As Terraform does: a person can paste it into rescue/ or use `resolve --task-id`.
        with suppress(OSError, ValueError):  # stderr may be closed
            os.write(sys.stderr.fileno() if sys.stderr else 2, f"VEOPIPE-RESCUE {line}\n".encode())

    def merge_rescued(self) -> list[str]:
        """Bring rescued records into their state files; the shots that got one.

        Raises:
            NotRecorded: a state file still can't be written; the rescue file stays.
        """
        merged = []
        for path in self._rescue_files():
            try:
                record = json.loads(files.read_bounded(path, LARGEST))
                done = self._merge(record)
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
            if done:
                merged.append(record["shot"])
            files.remove_quietly(path)  # one that stays is merged again, which changes nothing
        return merged

    def _rescue_files(self) -> list[Path]:
        inside = sorted(self.places.rescue.glob("*.json")) if self.places.rescue.is_dir() else []
        beside = sorted(self.places.output.glob(".rescue-*.json")) if self.places.output.is_dir() else []
        return inside + beside

    def _merge(self, record: dict[str, Any]) -> bool:
        take = self.shots[record["shot"]].take(record["take"])
        if take.last.number != record["attempt"] or take.status not in {Status.SUBMITTING, Status.IN_DOUBT}:
            return False
        meta = {"format", "at", "shot", "take", "attempt", "event"}
        facts = {key: value for key, value in record.items() if key not in meta}
        event = Event[record["event"]]
        try:
            taken = advance(take, event, now(), **facts)
            parse(dump(ShotState(record["shot"], (taken,))))  # Unreadable, a ValueError: a damaged record
            self.record(record["shot"], record["take"], event, **facts)
        except IllegalTransition:  # it was merged before, and the process died before the file was removed
            return False
        return True


def open_store(places: Places, counted: Mapping[str, int] | None = None) -> Store:
    """All state files of a ledger, in memory. Reads only.

    A file is named by its shot; the `shot` inside may still be an older id after a rename.

    Args:
        places: where they lie.
        counted: key of an order → attempts that were made for it when the ledger was written. Where fewer are on
            record, a checkout, a merge or a copy left a file out, and its order would be bought again.

    Raises:
        EnvironmentFault: their folder can't be read, so what was paid isn't known.
    """
    store = Store(places, counted=dict(counted or {}))
    try:
        found = statefiles.look_into(places.state)
    except OSError as error:
        raise EnvironmentFault(f"{places.state} can't be read: {error.strerror}") from None
    store.strange = found.strange
    store.missing = {shot: f"isn't here: {what}" for shot, what in found.away}
    for shot in found.shots:
        try:
            state = parse(files.read_bounded(places.state / f"{shot}.json", LARGEST))
        except Unreadable as error:
            store.unreadable[shot] = printable(str(error))
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            away = standins.of(places.state / f"{shot}.json")
            store.unreadable[shot] = str(away) if away else f"it can't be read ({printable(said or '')})"
        else:
            store._hold(ShotState(shot, state.takes, state.unknown))
            if state.shot != shot:
                _look_for_twin(store, shot, state)
    for shot in store.missing.keys() & store.shots.keys():
        store._drop(shot)
    store.lost = frozenset(order for order, number in (counted or {}).items() if store._present[order] < number)
    return store


def _look_for_twin(store: Store, shot: str, state: ShotState) -> None:
    """Pass over the file `shot` if it is a copy of the file of the shot that it names.

    Some sync clients call a copy by a name that a shot could have (`a-LAPTOP.json`). After a rename that a crash
    cut short the file names the older shot, too, but then nothing else holds its attempts.
    """
    original = store.shots.get(state.shot)
    path = store.places.state / f"{state.shot}.json"
    if original is None and path.exists():
        try:
            original = parse(files.read_bounded(path, LARGEST))
        except (OSError, ValueError):
            return
    if original is None:
        return
    here, there = set(state.calls()), set(original.calls())
    if here & there:
        store._drop(shot)
        store.copies[f"{shot}.json"] = state.shot
        if here - there:
            why = (
                f"has a copy, {shot}.json, that knows of attempts which it doesn't know: write them into one file, "
                f'or keep both and let "shot" in the copy be "{shot}"'
            )
            store.missing[state.shot] = why
