"""The state files of one ledger: read whole at the start, replaced one at a time, never out of step.

* What `Store` holds in memory for a shot is what its file holds: memory follows the disk, not the other
  way round. A save that fails leaves both as they were.
* Saves come from the event loop and from many threads. Those of one shot come one after the other; those of several
  go to the disk together, which takes them for hardly more than one: 25 takes that end at once don't wait in line.
* A file that can't be relied on (`unusable`) holds its shot, and an order that was made more often than is on record
  (`Count.lost`) is made no more; the other shots go on.
* Once the lock is given up nothing is written in its place any more (`close`): another process may have changed the
  file meanwhile.

Source: docs/design.md, 5 (State files) and 5 (The count); docs/hazards.md, c 6.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import field, replace
from typing import Any

from veopipe import files
from veopipe.clock import now
from veopipe.errors import EnvironmentFault
from veopipe.ledger import statefiles
from veopipe.ledger.count import Count
from veopipe.ledger.holding import Hold
from veopipe.ledger.paths import Places
from veopipe.ledger.record import dump
from veopipe.ledger.statefiles import Unusable
from veopipe.takes.status import Event
from veopipe.takes.take import ShotState, Take, advance
from veopipe.values import dataclass

ASIDE = "aside-"
"""What the id begins with that a state has for a moment while shots change ids in a circle."""


class NotRecorded(Exception):
    """A state file couldn't be written. Where money was already spent, the record was rescued."""


@dataclass(slots=True)
class Store:
    """The states of all shots of a ledger.

    Attributes:
        places: where the files lie.
        shots: the state of each shot that has one, by the id its file is named by.
        unusable: what lies among the files and can't be relied on.
        count: how often each order was made.
        hold: on the ledger's folder; None: nobody writes, or its disk locks files only.
    """

    places: Places
    shots: dict[str, ShotState] = field(default_factory=dict)
    unusable: Unusable = field(default_factory=Unusable)
    count: Count = field(default_factory=Count)
    hold: Hold | None = None
    _is_closed: bool = False
    _turns: dict[str, threading.RLock] = field(default_factory=dict)
    _handing_out: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_closed(self) -> bool:
        """Whether the state files are another process's business now: left to it, or their folder was moved."""
        return self._is_closed or (self.hold is not None and not self.hold.lasts())

    def close(self) -> None:
        """Leave the state files to others: what was under way is written, and nothing after it."""
        self._is_closed = True
        with self._handing_out:
            turns = list(self._turns.values())
        for turn in turns:
            with turn:  # whoever had it before has written
                pass

    def turn(self, shot: str) -> AbstractContextManager[object]:
        """Keep other threads from changing a shot between a look at its state and its save."""
        with self._handing_out:
            return self._turns.setdefault(shot, threading.RLock())

    def save(self, shot: ShotState) -> None:
        """Put `shot` on disk, then in memory.

        Raises:
            NotRecorded: it isn't on disk; memory is unchanged.
        """
        with self.turn(shot.shot):
            self._see_that_it_is_ours(shot.shot)
            try:
                files.replace(self.places.state_of(shot.shot), dump(shot))
            except OSError as error:
                raise NotRecorded(f"{self.places.state_of(shot.shot)} can't be written: {error.strerror}") from error
            self._hold(shot)

    def _see_that_it_is_ours(self, shot: str) -> None:
        """Write nothing in another process's place; raises `NotRecorded`."""
        if not self.is_closed:
            return
        if not self._is_closed:
            raise NotRecorded(f"the ledger {self.places.folder} was moved or replaced while this run is on")
        raise NotRecorded(f"{self.places.state_of(shot)} is another process's business now")

    def _hold(self, shot: ShotState) -> None:
        """Have a state in memory, and its attempts counted. Who looks meanwhile sees the old one or the new one."""
        before = self.shots.get(shot.shot)
        if before is not None:
            self.count.remove(before)
        self.shots[shot.shot] = shot
        self.count.add(shot)

    def _drop(self, shot: str) -> ShotState:
        state = self.shots.pop(shot)
        self.count.remove(state)
        return state

    def change(self, shot: str, number: int, step: Callable[[Take], Take]) -> Take:
        """Replace one take by `step(take)`, durably.

        Raises:
            NotRecorded: it isn't on disk; memory is unchanged.
        """
        with self.turn(shot):
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
                waiting[new] = f"{ASIDE}{os.urandom(8).hex()}"
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
        with self.turn(old), self.turn(new):
            self._see_that_it_is_ours(old)
            try:
                files.rename(self.places.state_of(old), self.places.state_of(new))
            except OSError as error:
                raise NotRecorded(f"{self.places.state_of(old)} can't be renamed: {error.strerror}") from error
            self._hold(replace(self._drop(old), shot=new))
            self.save(self.shots[new])

    def every_take(self, shot: str) -> Iterator[Take]:
        """All takes of the ledger, those of `shot` first."""
        yield from self.shots[shot].takes
        for state in list(self.shots.values()):
            yield from state.takes


def open_store(places: Places, counted: Mapping[str, int] | None = None) -> Store:
    """All state files of a ledger, in memory. Reads only.

    Args:
        places: where they lie.
        counted: key of an order → attempts that were made for it when the ledger was written. Where fewer are on
            record, a checkout, a merge or a copy left a file out, and its order would be bought again.

    Raises:
        EnvironmentFault: their folder can't be read, so what was paid isn't known.
    """
    try:
        states, unusable = statefiles.read_all(places.state)
    except OSError as error:
        raise EnvironmentFault(f"{places.state} can't be read: {error.strerror}") from None
    return Store(places, states, unusable, Count.of(counted or {}, states.values()))
