"""What happens in a run, as it happens: one JSON line each in the run's event log, and to who watches.

The log explains a night; it decides nothing, so it isn't synced, and a log that can't be written never
stops a run. No key and no prompt stands in it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import TextIO, TypedDict, Unpack

from veopipe.clock import now
from veopipe.takes.status import Status
from veopipe.values import dataclass

KEPT_LOGS = 100
"""Event logs that are kept, this run's included: a quarter of a year of nights."""


class Happening(StrEnum):
    """What can happen in a run besides a new status of a take."""

    STARTED = "started"
    BOUGHT_ELSEWHERE = "bought elsewhere"
    RENAMED = "renamed"
    HELD = "held"
    WAITING = "waiting"
    POLLED = "polled"
    DOWNLOADING = "downloading"
    RECEIVED = "received"
    FETCHED_AGAIN = "fetched again"
    MISSING = "missing"
    LEFT_ALONE = "left alone"
    STOPPED = "stopped"
    LEFT = "left"


_NAMED = re.compile(r"[0-9]{8}T[0-9]{6}Zb*\.jsonl")
_QUIET = frozenset({Happening.POLLED, Happening.RECEIVED})  # too many for a log


class Facts(TypedDict, total=False):
    """What else is known of something that happened; amounts of money are decimal texts, US dollars.

    `started` has `takes`, `spent_usd`, `cap_usd`; `submitting` has `price_usd`; the answer to a create `task_id`;
    `polled` `percent`; `received` `bytes`, and `length` where the gateway says how many there are in all.
    """

    takes: int
    spent_usd: str
    cap_usd: str | None
    price_usd: str
    task_id: str | None
    percent: int | None
    bytes: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened.

    Attributes:
        at: when, UTC, ISO 8601.
        event: what: a new status of a take, or another happening.
        shot: whose, if it is about one.
        take: its take's number.
        message: for people.
        facts: whatever else is known.
    """

    at: str
    event: Status | Happening
    shot: str | None
    take: int | None
    message: str
    facts: Facts


def _is_log(path: Path) -> bool:
    """Whether a file is called as a run's log is: others that lie there are somebody's."""
    return _NAMED.fullmatch(path.name) is not None


@dataclass(slots=True)
class Journal:
    """Writes notes to a file, once it has one, and passes them on.

    Attributes:
        watcher: called with each note, in the order of events.
    """

    watcher: Callable[[Note], None]
    _log: TextIO | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def open(self, path: Path) -> None:
        """Write to `path` from now on; if that can't be written, only the watcher is told."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for old in sorted(filter(_is_log, path.parent.iterdir()))[: -KEPT_LOGS + 1]:  # names sort by time
                old.unlink(missing_ok=True)
            self._log = path.open("x", encoding="utf-8")
        except OSError:
            self._log = None

    def note(
        self,
        event: Status | Happening,
        shot: str | None = None,
        take: int | None = None,
        message: str = "",
        **facts: Unpack[Facts],
    ) -> None:
        """Something happened. Polls and bytes go to the watcher only."""
        note = Note(now(), event, shot, take, message, facts)
        with self._one_at_a_time:  # creates are noted from their threads
            self.watcher(note)
            self._write(note)

    def _write(self, note: Note) -> None:
        if self._log is None or note.event in _QUIET:
            return
        known = {
            "at": note.at,
            "event": note.event,
            "shot": note.shot,
            "take": note.take,
            "message": note.message or None,
            **note.facts,
        }
        line = json.dumps({key: value for key, value in known.items() if value is not None}, default=str)
        try:
            self._log.write(line + "\n")
            self._log.flush()
        except OSError:
            self._log = None

    def close(self) -> None:
        """End the log."""
        with self._one_at_a_time:  # a late answer may still be noted, to the watcher only
            log, self._log = self._log, None
        if log is not None:
            try:
                log.close()
            except OSError:
                return
