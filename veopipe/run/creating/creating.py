"""The part that spends: one create at a time, each reserved, permitted, recorded, and asked once.

Money is reserved before the call and durable before its first body byte (the intent). What is in doubt stays
reserved.

Source: docs/design.md, 4 and 6 (Answers to a create); docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import field, replace
from decimal import Decimal

from veopipe.dialects.base import CreateAnswer, Outcome
from veopipe.errors import ExitCode
from veopipe.plan.permission import Permission
from veopipe.plan.plan import Item
from veopipe.run.brakes import Brakes
from veopipe.run.creating.admission import Admission
from veopipe.run.creating.create_call import Asker, Call
from veopipe.run.creating.queue import Queue
from veopipe.run.creating.storage import NoRoom
from veopipe.run.creating.uploads import Held, Uploads
from veopipe.run.events import Happening
from veopipe.run.pace import after_throttling, after_trouble
from veopipe.takes.money import Budget, as_text, dollars, dollars_left, dollars_to_come
from veopipe.takes.status import Scope, Status
from veopipe.takes.take import Take
from veopipe.values import dataclass

ANSWER_WAIT = 300.0
"""Seconds that the run waits for the answer to a create; one that comes later still counts (docs/design.md, 6)."""


@dataclass(slots=True)
class Creator:
    """Makes the creates of a run.

    Attributes:
        asker: makes one call and records it.
        admission: says when the next create may go.
        brakes: say whether any may.
        budget: of the run.
        prepare: makes an item's pictures ready; raises `Held` if it may not be sent as it is, and `NoRoom`.
        permission: what may be created; None: all that the pipeline allows.
        queue: what is still to be created.
        held: shot → why it can't be created as it was planned.
    """

    asker: Asker
    admission: Admission
    brakes: Brakes
    budget: Budget
    prepare: Callable[[Item], Awaitable[Uploads]]
    permission: Permission | None = None
    queue: Queue = field(default_factory=lambda: Queue(()))
    held: dict[str, str] = field(default_factory=dict)
    _begin: Callable[[str, int], None] = lambda shot, number: None
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    async def create_all(self, begin: Callable[[str, int], None]) -> None:
        """Make creates until there is nothing left to make, or the brakes are on.

        Args:
            begin: is called in the event loop with shot and take number once a task id is on disk.
        """
        self._begin = begin
        await asyncio.gather(*[self._work() for _ in range(self.admission.limits.creates_in_flight)])

    async def _work(self) -> None:
        while (item := await self._next()) is not None:
            try:
                await self._make(item)
            finally:
                self.admission.over((item.shot, item.number))

    async def _next(self) -> Item | None:
        """The next item that may be created now; None when there will be none any more."""
        admission = self.admission
        while not self.brakes.are_on and not self._is_late():
            if self.queue:
                wait = admission.delay()
                if wait is None:  # the deadline ends only what is queued
                    await admission.until_changed(max(admission.rest_of_time(), 0.01))
                elif wait == 0.0:
                    item = self.queue.pop()
                    admission.let_go((item.shot, item.number))  # here, so that no other worker takes the same place
                    return item
                else:
                    await self.brakes.pause(min(wait, admission.rest_of_time()))
            elif admission.asking or admission.flight.under_way:
                await admission.until_changed(None)  # a take under way may still fail and be tried again
            else:
                return None
        return None

    def _is_late(self) -> bool:
        if self.queue and self.admission.rest_of_time() <= 0:
            self.brakes.stop("the deadline is over; the rest stays pending")
            self.admission.wake()
            return True
        return False

    # --- one create --------------------------------------------------------------------------------

    async def _make(self, item: Item) -> None:
        """Create one take: everything from the reservation to the recorded answer."""
        journal = self.asker.journal
        try:
            uploads = await self.prepare(item)
        except Held as error:
            self.held[item.shot] = str(error)
            self.brakes.codes.add(error.code)
            self.queue.ended(item.shot, item.number, usable=False)
            journal.note(Happening.HELD, item.shot, item.number, str(error))
            return
        except NoRoom as error:
            self.queue.put_back(item)
            self.brakes.stop(str(error), ExitCode.ENVIRONMENT)
            return
        if self.brakes.are_on or self.admission.rest_of_time() <= 0:  # while the pictures were made ready
            self.queue.put_back(item)
            return
        if not self.budget.reserve(item.price_usd):
            self._out_of_budget(item)
            return
        journal.note(Status.SUBMITTING, item.shot, item.number, price_usd=as_text(item.price_usd))
        asked_at = time.monotonic()
        call = self.asker.ask(item, uploads, lambda: self.admission.went((item.shot, item.number)))
        answer = await call.wait(ANSWER_WAIT)
        self._react(item, answer, asked_at)
        if answer.reason == "no_answer_in_time":
            late = asyncio.create_task(self._await_late(item, call, asked_at))
            self._late.add(late)

    def _out_of_budget(self, item: Item) -> None:
        self.queue.put_back(item)
        spent, cap = dollars(self.budget.spent), dollars_left(self.budget.cap or Decimal(0))
        price = dollars_to_come(item.price_usd)
        why = f"the budget leaves no room for the next create: {spent} of {cap} is spent, and it costs {price}"
        self.brakes.stop(why, ExitCode.BUDGET)

    async def _await_late(self, item: Item, call: Call, asked_at: float) -> None:
        answer = await call.wait(None)
        if answer.outcome is not Outcome.IN_DOUBT:  # which it counted as when the wait was given up
            self._react(item, answer, asked_at)
            self.admission.wake()

    def _react(self, item: Item, answer: CreateAnswer, asked_at: float) -> None:
        if answer.outcome is Outcome.ACCEPTED:
            self.brakes.accepted()
            self.admission.flight.begin((item.shot, item.number))
            self._begin(item.shot, item.number)
        elif answer.outcome is Outcome.REFUSED:
            self._on_refused(item, answer)
        elif answer.outcome is Outcome.IN_DOUBT:
            self.queue.ended(item.shot, item.number, usable=False)
            self.brakes.doubted(answer)
        else:
            self._on_unsent(item, answer, asked_at)

    def _on_refused(self, item: Item, answer: CreateAnswer) -> None:
        self.budget.give_back(item.price_usd)
        if answer.scope is not Scope.THROTTLE:
            self.queue.ended(item.shot, item.number, usable=False)
            self.brakes.refused(answer, self.asker.gateway.address.name)
        elif not self.brakes.throttled(item.shot, answer):
            tempo = self.admission.tempo
            wait = answer.retry_after if answer.retry_after is not None else after_throttling(tempo.interval)
            tempo.slow_down(wait)
            self._again_later(item, f"the gateway is busy; next create in {wait:.0f} s")
            self.queue.put_back(item)

    def _on_unsent(self, item: Item, answer: CreateAnswer, asked_at: float) -> None:
        self.budget.give_back(item.price_usd)
        self.queue.put_back(item)
        tries = self.brakes.unsent(answer, self.asker.gateway.address.name, asked_at)
        if tries:
            wait = after_trouble(tries, self.admission.tempo.interval)
            self.admission.put_off(wait)
            self._again_later(item, f"not sent ({answer.message}); again in {wait:.0f} s")

    def _again_later(self, item: Item, message: str) -> None:
        self.asker.journal.note(Happening.WAITING, item.shot, item.number, message)

    # --- what became of it -------------------------------------------------------------------------

    def landed(self, item: Item | None, shot: str, take: Take) -> None:
        """A take isn't in flight any more: count its result, and try it again if the pipeline says so.

        What was set aside for it and not charged is free again, if it was set aside in this run.
        """
        self.admission.flight.end((shot, take.number))
        if take.last.run == self.asker.run:
            self.budget.give_back(take.last.price_usd - take.last.cost_usd)
        self.brakes.landed(take.status)
        again = self._again(item, take)
        if again is not None:
            self.queue.append(again)
        else:
            self.queue.ended(shot, take.number, usable=take.status is Status.VERIFIED)
        self.admission.wake()

    def _again(self, item: Item | None, take: Take) -> Item | None:
        """The create of another attempt for a take that failed, if one may be made."""
        if take.status is not Status.FAILED or self.brakes.fails_in_a_row() or item is None or not item.is_whole:
            return None
        again = replace(item, number=take.number, attempt=take.paid_ordinal())
        allowed = self.permission is None or self.permission.lacks(again) is None
        return again if take.failures() <= self.admission.limits.retry_failed and allowed else None
