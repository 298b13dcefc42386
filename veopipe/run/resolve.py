"""What a person decides about a take whose outcome the program can't know.

* In doubt: the gateway has it (task id), never had it (not charged), or it will never be known (write off).
* Parked: it is paid; the next run asks again, or a person writes it off. A task that a person named and the gateway
  doesn't know may have been mistyped: it can be named once more.

Source: docs/design.md, 6 and 7 (resolve); docs/hazards.md, c 8.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from veopipe.clock import now
from veopipe.dialects import choice
from veopipe.errors import EnvironmentFault, UsageError
from veopipe.gateway.address import Address
from veopipe.ledger.store import Store
from veopipe.plan.plan import NOT_CHARGED
from veopipe.project.project import address_typed
from veopipe.takes import take as takes
from veopipe.takes.money import as_text
from veopipe.takes.status import UNKNOWN_OUTCOME, Event, Status
from veopipe.takes.take import UNKNOWN_TASK, Take
from veopipe.text import printable
from veopipe.values import dataclass

_OPEN = UNKNOWN_OUTCOME | {Status.PARKED}


@dataclass(frozen=True, slots=True)
class Entry:
    """A take that waits for a person, with everything that helps to look it up."""

    shot: str
    take: Take

    @property
    def status(self) -> Status:
        """Parked or in doubt; what died while it asked is in doubt."""
        return Status.PARKED if self.take.status is Status.PARKED else Status.IN_DOUBT

    def as_json(self) -> dict[str, Any]:
        """What is known of it, money as a decimal string."""
        last = self.take.last
        return {
            "shot": self.shot,
            "take": self.take.number,
            "status": self.status,
            "since": last.submitted_at,
            "price_usd": as_text(last.price_usd),
            "model": self.take.order.model,
            "prompt": printable(self.take.order.prompt, 60, own=True),
            "reason": last.reason or "crash",
            "message": last.message or "",
            "gateway": last.gateway,
            "request_id": last.request_id,
            "task_id": last.task_id,
        }

    @property
    def _ordered(self) -> str | None:
        """When its create was, unless that is since when it waits: by that time a gateway's console finds it."""
        last = self.take.last
        return last.submitted_at if last.submitted_at != last.since else None

    def facts(self) -> list[tuple[str, str]]:
        """Names and values for people."""
        known = self.as_json()
        facts = [("why", known["message"] or known["reason"]), ("ordered", self._ordered)]
        facts += [
            (name.replace("_", " "), known[name]) for name in ("model", "prompt", "gateway", "request_id", "task_id")
        ]
        return [(name, value) for name, value in facts if value]


def unresolved(store: Store, only: Collection[str] | None, *, running: bool = False) -> list[Entry]:
    """All takes in doubt or parked, in doubt first.

    Args:
        store: the ledger's states.
        only: these shots; None for all, shots that left the manifest included.
        running: a run is on: what is being sent isn't in doubt yet.
    """
    waiting = _OPEN - {Status.SUBMITTING} if running else _OPEN
    entries = [
        Entry(shot, take)
        for shot, state in store.shots.items()
        for take in state.takes
        if take.status in waiting and (only is None or shot in only)
    ]
    return sorted(entries, key=lambda entry: entry.status is Status.PARKED)


def is_waiting(store: Store, shot: str) -> bool:
    """Whether a take of the shot is in doubt or parked."""
    return _has(store, shot, _OPEN)


def _has(store: Store, shot: str, statuses: Collection[Status]) -> bool:
    state = store.shots.get(shot)
    return state is not None and any(take.status in statuses for take in state.takes)


def found(store: Store, shot: str, task_id: str, base_url: str | None) -> Take:
    """The gateway has the take: record its task id, so that the next run carries it on.

    What can be a task id is for the dialect to say that made the call.

    Raises:
        UsageError: the shot has nothing in doubt, nor a task that may be mistyped; that can't be a task id; another
            take has it.
        EnvironmentFault: its state file can't be understood.
        NotRecorded: nothing changed.
    """
    waiting = _without_task(store, shot)
    meant = next((take for take in waiting if take.last.task_id == task_id), waiting[-1])
    if not choice.dialect(meant.last.dialect).is_task_id(task_id):
        raise UsageError(f"{printable(task_id, 60)!r} can't be a task id; copy it from the gateway's console")
    if (holder := _holder(store, task_id, but=(shot, meant.number))) is not None:
        raise UsageError(f"the task {printable(task_id, 60)} is already known: {holder} has it")
    elsewhere = Address(address_typed(base_url)).name if base_url is not None else None
    take = _doubtful(store, shot, meant)
    gateway = elsewhere or take.last.gateway

    def step(old: Take) -> Take:
        facts: dict[str, Any] = {"task_id": task_id, "gateway": gateway, "scope": None}
        if old.status is not Status.PARKED:
            return takes.advance(old, Event.ACCEPTED, now(), **facts)
        facts |= {"content_url": None, "message": f"a person named its task; before, that was {old.last.task_id}"}
        return takes.advance(old, Event.RESUMED, now(), **facts)

    return store.change(shot, take.number, step)


def _without_task(store: Store, shot: str) -> list[Take]:
    """The takes of a shot that may be given a task: in doubt, else those whose task may be mistyped.

    Raises as `_all_seen` does where there is none.
    """
    state = store.shots.get(shot)
    mistyped = [take for take in state.takes if may_be_mistyped(take)] if state else []
    return mistyped if mistyped and not _has(store, shot, UNKNOWN_OUTCOME) else _all_seen(store, shot, UNKNOWN_OUTCOME)


def may_be_mistyped(take: Take) -> bool:
    """Whether a take is parked because the gateway doesn't know its task, and a person named that one.

    What the gateway itself gave in its answer to the create is the only trace of what was paid, and stays.
    """
    last = take.last
    is_gateways = last.created_at is not None or 200 <= (last.http_status or 0) < 300
    return take.status is Status.PARKED and last.reason == UNKNOWN_TASK and not is_gateways


def _holder(store: Store, task_id: str, but: tuple[str, int]) -> str | None:
    """The shot that has a task; `but`: a take whose last answer may have named it beside an error."""
    for shot, state in store.shots.items():
        for take in state.takes:
            attempts = take.attempts[:-1] if (shot, take.number) == but else take.attempts
            if any(attempt.task_id == task_id for attempt in attempts):
                return shot
    return None


def not_charged(store: Store, shot: str) -> Take:
    """The gateway never took it: the next run may send it again.

    Raises:
        UsageError: the shot has nothing in doubt.
        EnvironmentFault: its state file can't be understood.
        NotRecorded: nothing changed.
    """
    take = _doubtful(store, shot, _seen(store, shot, UNKNOWN_OUTCOME))
    facts = {"reason": "not_charged", "message": "a person looked it up: not charged", "scope": NOT_CHARGED}
    return store.record(shot, take.number, Event.REFUSED, **facts)


def written_off(store: Store, shot: str) -> Take:
    """Give the take up: what is in doubt first, since what is parked is paid and may still be delivered.

    Raises:
        UsageError: the shot has nothing in doubt or parked.
        EnvironmentFault: its state file can't be understood.
        NotRecorded: nothing changed.
    """
    statuses = UNKNOWN_OUTCOME if _has(store, shot, UNKNOWN_OUTCOME) else _OPEN
    take = _doubtful(store, shot, _seen(store, shot, statuses))
    return store.record(shot, take.number, Event.WRITTEN_OFF, reason="written_off", message="written off by a person")


def in_doubt(store: Store, shot: str) -> Take:
    """The newest take of the shot that is in doubt.

    Raises:
        UsageError: there is none.
        EnvironmentFault: its state file can't be understood.
    """
    return _seen(store, shot, UNKNOWN_OUTCOME)


def _seen(store: Store, shot: str, statuses: Collection[Status]) -> Take:
    """The newest take of the shot that has one of these statuses; raises if there is none."""
    return _all_seen(store, shot, statuses)[-1]


def _all_seen(store: Store, shot: str, statuses: Collection[Status]) -> list[Take]:
    """All of them; raises if there is none."""
    if (why := store.unusable.shots.get(shot)) is not None:
        raise EnvironmentFault(f"the state file of {shot} {why}")
    state = store.shots.get(shot)
    waiting = [take for take in state.takes if take.status in statuses] if state else []
    if not waiting:
        words = "in doubt or parked" if Status.PARKED in statuses else "in doubt"
        open_ones = ", ".join(entry.shot for entry in unresolved(store, None))
        hint = f"in doubt or parked: {open_ones}" if open_ones else "nothing of this list is in doubt or parked"
        raise UsageError(f"no take of {printable(shot, 60)} is {words}", hint=hint)
    return waiting


def _doubtful(store: Store, shot: str, take: Take) -> Take:
    """The take, in doubt on record, too, if the process died while asking."""
    if take.status is Status.SUBMITTING:  # the process died while asking; the table goes through in_doubt
        take = store.record(
            shot, take.number, Event.UNKNOWN, reason="crash", message="the process died while it was asking"
        )
    return take
