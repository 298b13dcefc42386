"""The part that spends: one create call at a time, each reserved, permitted, recorded, and asked once.

* Money is reserved before the call and durable before its first body byte (the intent). What is in doubt
  stays reserved.
* Two answers in doubt in a row, a refused account, a silent gateway or one that takes no creates at its address,
  the budget, the deadline or failures in a row end creating; what is under way goes on.

Source: docs/design.md, 4 and 6 (Answers to a create); docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from veopipe.dialects.base import CreateAnswer, Outcome, Picture, PollAnswer, Progress, Scope
from veopipe.errors import ExitCode
from veopipe.money import as_text
from veopipe.pipeline import Pipeline
from veopipe.plan.plan import Item
from veopipe.run.brakes import Halt
from veopipe.run.create_call import Asker, Call
from veopipe.run.events import Journal
from veopipe.run.pace import Rate, Tempo, after_throttling, after_trouble
from veopipe.takes.status import Status
from veopipe.takes.take import Take

ANSWER_WAIT = 300.0
"""Seconds that the run waits for the answer to a create; one that comes later still counts (docs/design.md, 6)."""
DOUBTS_IN_A_ROW = 2
"""Answers in doubt after which nothing more is sent: something is wrong with the way to the gateway."""
NOT_SENT_TRIES = 5
"""Further tries of a create that provably wasn't sent (docs/hazards.md, b); one, before a run's first answer."""
THROTTLED_TRIES = 5
"""429 answers for one take after which creating ends (docs/hazards.md, b)."""

ReadUploads = Callable[[Item], list[Picture]]


class Held(Exception):
    """A take can't be created as it was planned; the text says why. Nothing was sent."""


@dataclass(slots=True)
class Budget:
    """What this run may still spend.

    Attributes:
        cap: US dollars, or None for no limit.
        spent: certainly or possibly spent or reserved, US dollars, runs that were killed included.
    """

    cap: Decimal | None
    spent: Decimal = Decimal(0)

    def reserve(self, price: Decimal) -> bool:
        """Set `price` aside, if it fits."""
        if self.cap is not None and self.spent + price > self.cap:
            return False
        self.spent += price
        return True

    def give_back(self, price: Decimal) -> None:
        """The call was refused or never sent."""
        self.spent -= price


@dataclass(slots=True)
class _Streaks:
    """Bad results in a row, in the order of answers."""

    doubts: int = 0
    bad: int = 0
    refusals: int = 0
    refused_for: str | None = None


@dataclass(slots=True)
class Creator:
    """Makes the creates of a run.

    Attributes:
        asker: makes one call and records it.
        pipeline: limits.
        budget: of the run.
        permitted: attempts allowed for (shot, fingerprint) by `--plan`, with the highest price, or None.
        read_uploads: reads an item's pictures, hashed again; raises `Held` if it may not be sent as it is.
        accepted: is called in the event loop with shot and take number once a task id is on disk.
        journal: is told what happens.
        halt: the run's brakes.
        tempo: how hard the gateway is asked.
        in_flight: takes that count against `limits.in_flight`.
        parked: takes under way that an earlier run parked: they may never end.
        aside: those of them that aren't known to render; they don't count.
    """

    asker: Asker
    pipeline: Pipeline
    budget: Budget
    read_uploads: ReadUploads
    accepted: Callable[[str, int], None]
    journal: Journal
    halt: Halt
    tempo: Tempo
    permitted: Mapping[tuple[str, str], tuple[int, Decimal]] | None = None
    queue: deque[Item] = field(default_factory=deque)
    in_flight: set[tuple[str, int]] = field(default_factory=set)
    parked: set[tuple[str, int]] = field(default_factory=set)
    aside: set[tuple[str, int]] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    _asking: int = 0
    _answered: bool = False
    _unsent: int = 0
    _unsent_at: float = 0.0
    _throttled: dict[str, int] = field(default_factory=dict)
    _streaks: _Streaks = field(default_factory=_Streaks)
    _rate: Rate = field(init=False)
    _not_before: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rate = Rate(self.pipeline.limits.creates_per_minute)

    # --- the loop ----------------------------------------------------------------------------------

    async def create_all(self) -> None:
        """Make creates until there is nothing left to make, or the brakes are on."""
        workers = [self._work() for _ in range(self.pipeline.limits.creates_in_flight)]
        await asyncio.gather(*workers)

    async def _work(self) -> None:
        while (item := await self._next()) is not None:
            self._asking += 1
            try:
                await self._make(item)
            finally:
                self._asking -= 1
                self.wake()

    async def _next(self) -> Item | None:
        """The next item that may be created now; None when there will be none any more."""
        while not self.halt.is_leaving:
            if self.halt.why is not None or self._is_late():
                return None
            if self.queue:
                wait = self._delay()
                if wait is None:
                    await self._until_changed()
                elif wait == 0.0:
                    self._rate.count()  # here, so that no other worker takes the same place
                    return self.queue.popleft()
                else:
                    await self.halt.pause(min(wait, self._rest_of_time()))
            elif self._asking or self.in_flight:
                await self._until_changed()  # a take under way may still fail and be tried again
            else:
                return None
        return None

    def _delay(self) -> float | None:
        """Seconds until a create may be made; None: not before something changes."""
        if len(self.in_flight - self.aside) + self._asking >= self.pipeline.limits.in_flight:
            return None
        waits = self._rate.delay(self.tempo.factor()), self._not_before - time.monotonic(), self.tempo.rest()
        return max(*waits, 0.0)

    def _is_late(self) -> bool:
        if self.queue and self._rest_of_time() <= 0:
            self._stop("the deadline is over; the rest stays pending")
            return True
        return False

    def _rest_of_time(self) -> float:
        if self.pipeline.limits.deadline is None:
            return 3600.0
        return self._began + self.pipeline.limits.deadline - time.monotonic()

    async def _until_changed(self) -> None:
        self._changed.clear()
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self.halt.leaving.wait())]
        limit = max(self._rest_of_time(), 0.01) if self.queue else None  # the deadline ends only what is queued
        try:
            await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    @property
    def is_asking(self) -> bool:
        """Whether a create is under way."""
        return self._asking > 0

    def wake(self) -> None:
        """Something changed: a take left the sky, an item was queued, the brakes were pulled."""
        self._changed.set()

    def _stop(self, why: str, code: ExitCode | None = None) -> None:
        if self.halt.stop_creating(why, code):
            self.journal.note("stopped", message=why)
        self.wake()

    # --- one create --------------------------------------------------------------------------------

    async def _make(self, item: Item) -> None:
        """Create one take: everything from the reservation to the recorded answer."""
        try:
            uploads = await asyncio.to_thread(self.read_uploads, item)
        except Held as error:
            self.held[item.shot] = str(error)
            self.halt.codes.add(ExitCode.ENVIRONMENT)
            self.journal.note("held", item.shot, item.number, str(error))
            return
        if self.halt.is_leaving or self.halt.why is not None:  # while the pictures were read
            self.queue.appendleft(item)
            return
        if not self.budget.reserve(item.price_usd):
            self._out_of_budget(item)
            return
        self.journal.note(Status.SUBMITTING, item.shot, item.number, price_usd=as_text(item.price_usd))
        asked_at = time.monotonic()
        call = self.asker.ask(item, uploads)
        answer = await call.wait(ANSWER_WAIT)
        self._react(item, answer, asked_at)
        if answer.reason == "no_answer_in_time":
            late = asyncio.create_task(self._await_late(item, call, asked_at))
            self._late.add(late)

    def _out_of_budget(self, item: Item) -> None:
        self.queue.appendleft(item)
        spent, cap = as_text(self.budget.spent), as_text(self.budget.cap or Decimal(0))
        why = f"the budget is used up: ${spent} of ${cap}, and the next create costs ${as_text(item.price_usd)}"
        self._stop(why, ExitCode.BUDGET)

    async def _await_late(self, item: Item, call: Call, asked_at: float) -> None:
        answer = await call.wait(None)
        if answer.outcome is not Outcome.IN_DOUBT:  # which it counted as when the wait was given up
            self._react(item, answer, asked_at)
            self.wake()

    def _react(self, item: Item, answer: CreateAnswer, asked_at: float) -> None:
        reactions = {
            Outcome.ACCEPTED: self._on_accepted,
            Outcome.REFUSED: self._on_refused,
            Outcome.IN_DOUBT: self._on_doubt,
            Outcome.NOT_SENT: self._on_not_sent,
        }
        if answer.outcome is not Outcome.NOT_SENT:
            self._answered, self._unsent = True, 0
        elif asked_at >= self._unsent_at:  # calls that were under way together met with the same trouble
            self._unsent, self._unsent_at = self._unsent + 1, time.monotonic()
        reactions[answer.outcome](item, answer)

    def _on_accepted(self, item: Item, answer: CreateAnswer) -> None:
        self._streaks.doubts = self._streaks.refusals = 0
        self._took_off(item)

    def _took_off(self, item: Item) -> None:
        self.in_flight.add((item.shot, item.number))
        self.accepted(item.shot, item.number)

    def _on_refused(self, item: Item, answer: CreateAnswer) -> None:
        self._streaks.doubts = 0
        self.budget.give_back(item.price_usd)
        if answer.scope is Scope.ACCOUNT:
            self._stop(
                f"the gateway refuses this account: {answer.message}; nothing was charged for it", ExitCode.ENVIRONMENT
            )
        elif answer.scope is Scope.GATEWAY:
            name = self.asker.gateway.address.name
            self._stop(f"no shot can be made at {name}: {answer.message}; nothing was charged", ExitCode.ENVIRONMENT)
        elif answer.scope is Scope.THROTTLE:
            self._on_throttled(item, answer)
        else:
            self._count_refusal(answer)

    def _on_throttled(self, item: Item, answer: CreateAnswer) -> None:
        tries = self._throttled[item.shot] = self._throttled.get(item.shot, 0) + 1
        if tries > THROTTLED_TRIES:
            self._stop(f"the gateway stays busy: {answer.message}; the rest stays pending")
            return
        wait = answer.retry_after if answer.retry_after is not None else after_throttling(self.pipeline.poll.interval)
        self.tempo.slow_down(wait)
        self.journal.note("waiting", item.shot, item.number, f"the gateway is busy; next create in {wait:.0f} s")
        self.queue.appendleft(replace(item, never_tried=False))

    def _count_refusal(self, answer: CreateAnswer) -> None:
        same = answer.reason == self._streaks.refused_for
        self._streaks.refusals = self._streaks.refusals + 1 if same else 1
        self._streaks.refused_for = answer.reason
        if self._streaks.refusals >= self.pipeline.limits.stop_after_failures:
            number = self._streaks.refusals
            self._stop(f"{number} creates in a row were refused for the same reason: {answer.message}")

    def _on_doubt(self, item: Item, answer: CreateAnswer) -> None:
        self._streaks.doubts += 1
        if answer.reason == "not_recorded":
            self._stop(answer.message, ExitCode.ENVIRONMENT)
        elif self._streaks.doubts >= DOUBTS_IN_A_ROW:
            self._stop("two creates in a row are in doubt: nothing more is sent in this run")

    def _on_not_sent(self, item: Item, answer: CreateAnswer) -> None:
        self.budget.give_back(item.price_usd)
        self.queue.appendleft(item)
        if answer.reason == "not_recorded":
            self._stop(f"{answer.message}; nothing was sent", ExitCode.ENVIRONMENT)
        elif self._unsent > (NOT_SENT_TRIES if self._answered else 1):
            name = self.asker.gateway.address.name
            self._stop(f"the gateway {name} can't be reached: {answer.message}", ExitCode.ENVIRONMENT)
        else:
            wait = after_trouble(self._unsent, self.pipeline.poll.interval)
            self._not_before = max(self._not_before, time.monotonic() + wait)
            self.journal.note("waiting", item.shot, item.number, f"not sent ({answer.message}); again in {wait:.0f} s")

    # --- what became of it -------------------------------------------------------------------------

    def heard(self, shot: str, number: int, answer: PollAnswer) -> None:
        """A take was asked for: only one that is known to render may hold a new create back for long."""
        if (shot, number) not in self.parked:
            return
        if answer.progress is Progress.RUNNING and not answer.is_news:
            self.aside.discard((shot, number))
        else:
            self.aside.add((shot, number))
            self.wake()

    def landed(self, item: Item | None, shot: str, take: Take) -> None:
        """A take isn't in flight any more: count its result, and try it again if the pipeline says so."""
        for takes in (self.in_flight, self.parked, self.aside):
            takes.discard((shot, take.number))
        if take.status is Status.VERIFIED:
            self._streaks.bad = 0
        elif take.status in {Status.FAILED, Status.MISMATCHED}:
            self._streaks.bad += 1
            if self._streaks.bad >= self.pipeline.limits.stop_after_failures:
                self._stop(f"{self._streaks.bad} takes in a row failed or are mismatched: no further create")
            elif take.status is Status.FAILED and item is not None and item.wanted and item.order is not None:
                self._try_again(item, take)
        self.wake()

    def _try_again(self, item: Item, take: Take) -> None:
        again = replace(item, number=take.number, attempt=take.paid_ordinal(), never_tried=False)
        if take.failures() <= self.pipeline.limits.retry_failed and self._allows(again):
            self.queue.append(again)

    def _allows(self, item: Item) -> bool:
        if self.permitted is None:
            return True
        last, price = self.permitted.get((item.shot, item.fingerprint), (0, Decimal(0)))
        return item.attempt <= last and item.price_usd <= price
