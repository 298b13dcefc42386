"""The log of the wire: what really arrived, and what was answered. Values of headers are never kept."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

KEPT = 200_000
"""Requests kept: the polls of a run of 10,000 shots fit."""


@dataclass(slots=True)
class Entry:
    """One request.

    Attributes:
        number: from 1, in order of arrival.
        time: seconds since 1970.
        connection: number of the TCP connection, from 1.
        method: as sent.
        path: without the query.
        headers: names, as sent.
        request_id: the answer's `X-Oneapi-Request-Id`.
        form: names and values of text fields; None where no form was read.
        files: field, filename, content type, size and sha256 of each upload.
        task_id: the task that it was about or made.
        fault: the fault that it met.
        dropped: fields that a fault made the gateway drop.
        status: the HTTP status, `cut` where we closed the connection, `left` where the client did,
            None while there is no answer yet.
        sent: bytes of content sent, of downloads.
    """

    number: int
    time: float
    connection: int
    method: str
    path: str
    headers: Sequence[str]
    request_id: str
    form: list[tuple[str, str]] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    task_id: str | None = None
    fault: str | None = None
    dropped: Sequence[str] = ()
    status: int | str | None = None
    sent: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry for tests and the control surface."""
        return {
            "number": self.number,
            "time": self.time,
            "connection": self.connection,
            "method": self.method,
            "path": self.path,
            "headers": list(self.headers),
            "request_id": self.request_id,
            "form": None if self.form is None else [list(pair) for pair in self.form],
            "files": list(self.files),
            "task_id": self.task_id,
            "fault": self.fault,
            "dropped": list(self.dropped),
            "status": self.status,
            "sent": self.sent,
        }


class WireLog:
    """All requests, oldest first. Safe to read from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._number = 0

    def next_number(self) -> int:
        """The number of the request that has just arrived."""
        self._number += 1
        return self._number

    def add(self, entry: Entry) -> None:
        """Log a request; it may be completed later."""
        with self._lock:
            self._entries.append(entry)

    def as_json(self) -> list[dict[str, Any]]:
        """A copy of the log."""
        with self._lock:
            return [entry.as_json() for entry in self._entries]
