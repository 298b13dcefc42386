"""What happens in a run, as it happens: one JSON line each in the run's event log, and to who watches.

The log explains a night; it decides nothing, so it isn't synced, and a log that can't be written never
stops a run. No key and no prompt stands in it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from veopipe.clock import now

KEPT_LOGS = 100
"""Event logs that are kept, this run's included: a quarter of a year of nights."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened.

    Attributes:
        at: when, UTC, ISO 8601.
        event: what: a status of the attempt table, or a word such as `polled`, `stopped`.
        shot: whose, if it is about one.
        take: its take's number.
        message: for people.
        facts: whatever else is known.
    """

    at: str
    event: str
    shot: str | None
    take: int | None
    message: str
    facts: dict[str, Any]


@dataclass(slots=True)
class Journal:
    """Writes notes to a file and passes them on.

    Attributes:
        watcher: called with each note, in the order of events.
    """

    watcher: Callable[[Note], None]
    _log: TextIO | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    _quiet: frozenset[str] = field(default=frozenset({"polled", "received"}))

    @classmethod
    def open(cls, path: Path, watcher: Callable[[Note], None]) -> Journal:
        """A journal that writes to `path`; only to `watcher` if that can't be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for old in sorted(path.parent.glob("*.jsonl"))[: -KEPT_LOGS + 1]:  # names sort by time
                old.unlink(missing_ok=True)
            return cls(watcher, path.open("x", encoding="utf-8"))
        except OSError:
            return cls(watcher)

    def note(
        self, event: str, shot: str | None = None, take: int | None = None, message: str = "", **facts: Any
    ) -> None:
        """Something happened. Polls and bytes go to the watcher only."""
        note = Note(now(), event, shot, take, message, facts)
        with self._one_at_a_time:  # creates are noted from their threads
            self.watcher(note)
            self._write(note)

    def _write(self, note: Note) -> None:
        if self._log is None or note.event in self._quiet:
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
