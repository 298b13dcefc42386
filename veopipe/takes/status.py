"""The attempt table: which status may follow which, and why. Data, and the only place that says it.

* Everything that decides about the next status of an attempt lives here; steps only produce events.
* A pair that the table doesn't list is a bug of veopipe, never a state of the world.
* The README's diagram is drawn from this table.
* A new attempt starts at `submitting`; it is there only once the intent is on disk.

Source: docs/design.md, 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """Where an attempt stands. The value is what state files and reports say."""

    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    RENDERING = "rendering"
    RENDERED = "rendered"
    DOWNLOADED = "downloaded"
    PARKED = "parked"
    REFUSED = "refused"
    FAILED = "failed"
    ABANDONED = "abandoned"
    MISMATCHED = "mismatched"
    VERIFIED = "verified"

    @property
    def word(self) -> str:
        """The status as people read it."""
        return self.replace("_", " ")


class Scope(StrEnum):
    """What a refusal is about."""

    SHOT = "shot"
    ACCOUNT = "account"
    GATEWAY = "gateway"
    THROTTLE = "throttle"


class Event(StrEnum):
    """What happened to an attempt."""

    ACCEPTED = "accepted"  # the gateway gave a task id, at once, late, or a person looked it up
    REFUSED = "refused"  # the gateway provably refused, or a person knows that it wasn't charged
    UNKNOWN = "unknown"  # whether the gateway took it can't be known
    WRITTEN_OFF = "written off"  # a person gave the money up
    COMPLETED = "completed"  # the gateway says that the video is ready
    FAILED = "failed, confirmed"  # the gateway said `failed` in three polls
    UNSETTLED = "unsettled"  # no answer that settles it in this run; the money is spent
    DELIVERED = "complete file"  # a complete file is on disk, hashed and synced
    RUNNING_AGAIN = "running again"  # the gateway took `completed` back
    GONE = "gone for good"  # the gateway has the video no more
    MATCHES = "matches"  # measured as ordered
    DIFFERS = "differs"  # measured otherwise
    PART_LOST = "part lost"  # the downloaded file is gone or changed
    RESUMED = "next run"


TABLE: Mapping[Status, Mapping[Event, Status]] = MappingProxyType(
    {
        Status.SUBMITTING: {
            Event.ACCEPTED: Status.RENDERING,
            Event.REFUSED: Status.REFUSED,
            Event.UNKNOWN: Status.IN_DOUBT,
        },
        Status.IN_DOUBT: {
            Event.ACCEPTED: Status.RENDERING,
            Event.REFUSED: Status.REFUSED,
            Event.WRITTEN_OFF: Status.ABANDONED,
        },
        Status.RENDERING: {
            Event.COMPLETED: Status.RENDERED,
            Event.FAILED: Status.FAILED,
            Event.UNSETTLED: Status.PARKED,
        },
        Status.RENDERED: {
            Event.DELIVERED: Status.DOWNLOADED,
            Event.RUNNING_AGAIN: Status.RENDERING,
            Event.UNSETTLED: Status.PARKED,
            Event.GONE: Status.ABANDONED,
        },
        Status.DOWNLOADED: {
            Event.MATCHES: Status.VERIFIED,
            Event.DIFFERS: Status.MISMATCHED,
            Event.UNSETTLED: Status.PARKED,
            Event.PART_LOST: Status.RENDERED,
        },
        Status.PARKED: {
            Event.RESUMED: Status.RENDERING,
            Event.WRITTEN_OFF: Status.ABANDONED,
        },
        Status.REFUSED: {},
        Status.FAILED: {},
        Status.ABANDONED: {},
        # `veopipe verify` with a wider tolerance may find that it matches after all.
        Status.MISMATCHED: {Event.MATCHES: Status.VERIFIED},
        Status.VERIFIED: {},
    }
)

SETTLED = frozenset({Status.REFUSED, Status.FAILED, Status.ABANDONED, Status.MISMATCHED, Status.VERIFIED})
"""Nothing more happens to these by itself."""

UNKNOWN_OUTCOME = frozenset({Status.SUBMITTING, Status.IN_DOUBT})
"""Held for a person: whether the gateway has the order isn't known."""

CARRIED_ON = frozenset({Status.RENDERING, Status.RENDERED, Status.DOWNLOADED, Status.PARKED})
"""Paid, a task id on disk, and still something to do that costs nothing."""

IN_FLIGHT = frozenset({Status.RENDERING, Status.RENDERED, Status.DOWNLOADED})
"""What counts against `limits.in_flight`."""

CHARGED = CARRIED_ON | {Status.MISMATCHED, Status.VERIFIED}
"""Certainly paid: accepted attempts."""

POSSIBLY_CHARGED = UNKNOWN_OUTCOME | {Status.FAILED, Status.ABANDONED}
"""Perhaps paid: in doubt, reported failed (a refund isn't certain), given up."""


class IllegalTransition(Exception):
    """The table has no such pair: a bug of veopipe."""


def after(status: Status, event: Event) -> Status:
    """The status that follows `status` when `event` happens.

    Raises:
        IllegalTransition: the table doesn't list the pair; nothing is changed.
    """
    try:
        return TABLE[status][event]
    except KeyError:
        raise IllegalTransition(f"{event.value!r} can't happen to an attempt that is {status.value!r}") from None
