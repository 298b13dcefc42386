"""When the next create may go: places under way, the rate, waits that somebody asked for, the deadline.

Source: docs/design.md, 4; docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import field

from veopipe.dialects.base import PollAnswer, Progress
from veopipe.pipeline.pipeline import Limits
from veopipe.run.pace import Rate, Tempo
from veopipe.values import dataclass

LONG = 3600.0
"""Seconds that stand for no deadline; the loop looks again after that."""

Key = tuple[str, int]
"""A take: its shot and its number."""


@dataclass(slots=True)
class Flight:
    """Takes on their way to a file.

    Attributes:
        under_way: all of them.
        parked: those that an earlier run parked: they may never end.
        aside: of the parked, those that aren't known to render; they hold no create back.
    """

    under_way: set[Key] = field(default_factory=set)
    parked: set[Key] = field(default_factory=set)
    aside: set[Key] = field(default_factory=set)

    def __len__(self) -> int:
        """How many count against `limits.in_flight`."""
        return len(self.under_way - self.aside)

    def begin(self, take: Key, *, was_parked: bool = False) -> None:
        """A take is under way."""
        self.under_way.add(take)
        if was_parked:
            self.parked.add(take)

    def end(self, take: Key) -> None:
        """A take isn't under way any more."""
        for takes in (self.under_way, self.parked, self.aside):
            takes.discard(take)

    def hear(self, take: Key, answer: PollAnswer) -> bool:
        """A take was asked for; whether it gives its place up. Only one that is known to render holds it for long."""
        if take not in self.parked:
            return False
        if answer.progress is Progress.RUNNING and not answer.is_news:
            self.aside.discard(take)
            return False
        self.aside.add(take)
        return True


@dataclass(slots=True)
class Admission:
    """Lets creates go, one at a time.

    Attributes:
        limits: of the pipeline.
        tempo: how hard the gateway is asked.
        leaving: set when the run ends.
        flight: what is under way.
        asking: creates that are made ready, or wait for their answer.
    """

    limits: Limits
    tempo: Tempo
    leaving: asyncio.Event
    flight: Flight = field(default_factory=Flight)
    asking: int = 0
    _rate: Rate = field(init=False)
    _not_before: float = 0.0
    _began: float = math.inf
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._rate = Rate(self.limits.creates_per_minute)

    def start(self) -> None:
        """Let the deadline count from now."""
        self._began = time.monotonic()

    def delay(self) -> float | None:
        """Seconds until a create may be made; None: not before something changes."""
        if len(self.flight) + self.asking >= self.limits.in_flight:
            return None
        by_rate = self._rate.delay(self.tempo.factor())
        if by_rate is None:
            return None
        return max(by_rate, self._not_before - time.monotonic(), self.tempo.rest(), 0.0)

    def let_go(self, take: Key) -> None:
        """A create may go, and is made ready; until `over` it is one of those that are asked."""
        self._rate.let_go(take)
        self.asking += 1

    def went(self, take: Key) -> None:
        """It goes now: its intent is on disk."""
        self._rate.went(take)
        self.wake()

    def over(self, take: Key) -> None:
        """It has its answer, or won't go."""
        self._rate.over(take)
        self.asking -= 1
        self.wake()

    def put_off(self, seconds: float) -> None:
        """Let no create go before that time is over."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def rest_of_time(self) -> float:
        """Seconds until the deadline."""
        if self.limits.deadline is None:
            return LONG
        return self._began + self.limits.deadline - time.monotonic()

    def wake(self) -> None:
        """Something changed: a take landed, an item was queued, creating was ended."""
        self._changed.set()

    async def until_changed(self, limit: float | None) -> None:
        """Wait for a change or the end of the run, at most `limit` seconds."""
        self._changed.clear()
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self.leaving.wait())]
        try:
            await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def hear(self, shot: str, number: int, answer: PollAnswer) -> None:
        """A take was asked for: what is said of it may let another create go."""
        if self.flight.hear((shot, number), answer):
            self.wake()
