"""One create call, from the intent to the recorded answer, in a daemon thread of its own.

* The intent is on disk before the first body byte leaves (the gate calls `_write_intent`).
* The thread records the answer itself, so that no Ctrl-C can cut between answer and record; the event
  loop only waits, and an answer that comes after it gave up still counts.
* What can't be recorded after money was spent is rescued by the store.

Source: docs/design.md, 6 (The gate); docs/hazards.md, c 4.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import field, replace

from veopipe import crashpoints
from veopipe.clock import now
from veopipe.dialects.base import Asked, CreateAnswer, Outcome
from veopipe.gateway.client import Gateway
from veopipe.ledger import rescue
from veopipe.ledger.store import NotRecorded, Store
from veopipe.plan.plan import Item
from veopipe.run.creating.uploads import Uploads
from veopipe.run.events import Journal
from veopipe.takes.status import Event, Status
from veopipe.takes.take import Attempt, Sent, ShotState, Take
from veopipe.values import dataclass

_EVENTS = {Outcome.ACCEPTED: Event.ACCEPTED, Outcome.REFUSED: Event.REFUSED, Outcome.IN_DOUBT: Event.UNKNOWN}


@dataclass(slots=True)
class Asker:
    """Makes single create calls for one run.

    Attributes:
        run: the run's id, recorded with each attempt.
        store: where intents and answers are recorded.
        gateway: that is asked.
        journal: is told what happens.
        recorded: is called once an answer is on disk, in the thread that made the call.
    """

    run: str
    store: Store
    gateway: Gateway
    journal: Journal
    recorded: Callable[[], None] = lambda: None
    _tasks_known: set[tuple[str, str]] = field(init=False)
    _is_known: bool = field(init=False)
    _has_accepted: bool = False
    _recording: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tasks_known = {
            (attempt.gateway, attempt.task_id)
            for state in self.store.shots.values()
            for take in state.takes
            for attempt in take.attempts
            if attempt.task_id is not None
        }
        self._is_known = any(gateway == self.gateway.address.name for gateway, _ in self._tasks_known)

    def ask(self, item: Item, uploads: Uploads, went: Callable[[], None]) -> Call:
        """Send one create; the returned call is under way.

        Args:
            item: what is bought.
            uploads: its pictures.
            went: is called in the event loop once its first body byte may leave.
        """
        call = Call(self, item, uploads, went)
        call.start()
        return call

    def submit(self, item: Item, uploads: Uploads, passed: Callable[[], None]) -> CreateAnswer:
        """Make the call and record what became of it. Runs in a thread; its answer is already on disk.

        `passed` is called once the intent is on disk, and must not raise: what follows is the first body byte.
        """
        if item.order is None:
            raise ValueError("nothing is ordered")
        dialect = self.gateway.dialect
        request = dialect.create(item.order, uploads.pictures)

        def intend() -> None:
            self._write_intent(item, request.echo_bytes, uploads.sent)
            passed()

        try:
            evidence = self.gateway.create(request, intend)
        except NotRecorded as error:
            return CreateAnswer(Outcome.NOT_SENT, "not_recorded", str(error))
        answer = dialect.judge_create(evidence, Asked(item.order.model, self._is_known, self._has_accepted))
        self._has_accepted |= answer.outcome is Outcome.ACCEPTED
        if answer.outcome is Outcome.NOT_SENT:
            return answer
        return self._write_answer(item, answer)

    def _write_intent(self, item: Item, echo_bytes: int | None, sent: tuple[Sent, ...]) -> None:
        """The gate: on disk before the first body byte."""
        with self.store.turn(item.shot):  # older takes of the shot are carried on meanwhile: none of it may be undone
            self._save_intent(item, echo_bytes, sent)

    def _save_intent(self, item: Item, echo_bytes: int | None, sent: tuple[Sent, ...]) -> None:
        attempt = Attempt(
            number=1,
            run=self.run,
            status=Status.SUBMITTING,
            gateway=self.gateway.address.name,
            price_usd=item.price_usd,
            submitted_at=now(),
            dialect=self.gateway.dialect.name,
            echo_bytes=echo_bytes,
            sent=sent,
        )
        state = self.store.shots.get(item.shot, ShotState(item.shot))
        try:
            take = state.take(item.number)
        except KeyError:
            if item.order is None:
                raise ValueError("an item without an order buys nothing") from None
            take = Take(item.number, item.fingerprint, item.order, (attempt,))
        else:
            attempt = replace(attempt, number=len(take.attempts) + 1)
            take = replace(take, attempts=(*take.attempts, attempt))
        self.store.save(state.with_take(take))

    def _write_answer(self, item: Item, answer: CreateAnswer) -> CreateAnswer:
        task_id = answer.task_id or answer.named
        if task_id is not None and not self._is_news((self.gateway.address.name, task_id)):
            message = f"the gateway answered with the task {task_id}, which another take has"
            answer = replace(answer, outcome=Outcome.IN_DOUBT, reason="duplicate_id", message=message)
            answer = replace(answer, task_id=None, named=None)
        facts: dict[str, object] = {
            "message": answer.message or None,
            "http_status": answer.http_status,
            "request_id": answer.request_id,
        }
        event = _EVENTS[answer.outcome]
        if answer.outcome is Outcome.ACCEPTED:
            facts |= {"task_id": answer.task_id, "created_at": answer.created_at}
        else:
            facts |= {"reason": answer.reason}
        if answer.named is not None:  # kept, so that no other take gets it, and shown where people look it up
            facts |= {"task_id": answer.named}
        if answer.scope is not None:
            facts |= {"scope": answer.scope.value}
        crashpoints.reach("record", item.shot)
        try:
            self.record_answer(item, event, facts)
        except NotRecorded as error:
            paid = "; its task id is kept: free some room and run again" if answer.outcome is Outcome.ACCEPTED else ""
            return replace(answer, outcome=Outcome.IN_DOUBT, reason="not_recorded", message=f"{error}{paid}")
        self.recorded()
        return answer

    def _is_news(self, task: tuple[str, str]) -> bool:
        """Whether no take has that task yet; from now on one has."""
        with self._recording:
            known = task in self._tasks_known
            self._tasks_known.add(task)
        return not known

    def record_answer(self, item: Item, event: Event, facts: Mapping[str, object]) -> None:
        """Record an answer, unless the same was recorded before (the loop gave up waiting, then it came).

        Raises:
            NotRecorded: after the record was rescued.
        """
        with self._recording:
            state = self.store.shots.get(item.shot)
            known = {take.number: take.status for take in state.takes} if state else {}
            if event is Event.UNKNOWN and known.get(item.number) is not Status.SUBMITTING:
                return  # answered meanwhile, or still on its way to the gateway: no intent, nothing to doubt
            taken = rescue.record_paid(self.store, item.shot, item.number, event, **facts)
        self.journal.note(taken.status, item.shot, item.number, taken.last.message or "", task_id=taken.last.task_id)


class Call:
    """One create call in its own daemon thread, and the wait for it."""

    def __init__(self, asker: Asker, item: Item, uploads: Uploads, went: Callable[[], None]) -> None:
        self._asker, self._item, self._uploads, self._went = asker, item, uploads, went
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[CreateAnswer] = self._loop.create_future()

    def start(self) -> None:
        """Send it."""
        threading.Thread(target=self._run, name=f"create {self._item.shot}", daemon=True).start()

    def _run(self) -> None:
        try:
            answer = self._asker.submit(self._item, self._uploads, lambda: self._tell(self._went))
        except BaseException as error:  # noqa: BLE001  a bug in the thread must end the run, not hang it
            self._tell(self._answer.set_exception, error)
        else:
            self._tell(self._answer.set_result, answer)

    def _tell(self, act: Callable[..., None], *values: object) -> None:
        """Let the event loop do something."""
        try:
            self._loop.call_soon_threadsafe(act, *values)
        except RuntimeError:
            return  # the run is over; what matters is on disk

    async def wait(self, limit: float | None) -> CreateAnswer:
        """The answer, or after `limit` seconds that there is none yet, which is recorded."""
        done, _ = await asyncio.wait([self._answer], timeout=limit)
        if done:
            return self._answer.result()
        message = f"no answer within {limit:.0f} s; one that comes later still counts"
        facts = {"reason": "no_answer_in_time", "message": message}
        try:
            self._asker.record_answer(self._item, Event.UNKNOWN, facts)
        except NotRecorded as error:
            return CreateAnswer(Outcome.IN_DOUBT, "not_recorded", str(error))
        return CreateAnswer(Outcome.IN_DOUBT, "no_answer_in_time", message)
