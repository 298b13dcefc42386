"""Who is asked for when: the takes of a run that render, each waiting for the poll that is worth most.

What polls say goes to a forecast for each kind of take. When that says otherwise than before, everybody who waits by
what it said before waits by the new one. Times are monotonic; how old a take already is, the time of day says.

Source: docs/polls.md, 5.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from veopipe import clock
from veopipe.dialects.base import PollAnswer, Progress
from veopipe.ledger.store import Store
from veopipe.pipeline.pipeline import Poll
from veopipe.run.creating.admission import Key
from veopipe.run.pace import Tempo
from veopipe.run.polling.forecast import Forecast
from veopipe.run.polling.inspection import CLOSEST
from veopipe.run.polling.latency import Bounds
from veopipe.takes.kinds import Kind, kind_of, rendered_by_kind
from veopipe.takes.take import Attempt, Take
from veopipe.values import dataclass

CUT = 1.0
"""Seconds that a time in a state file may be too early: it is cut to whole ones."""


def _kind(take: Take) -> Kind:
    return kind_of(take.last.gateway, take.order)


@dataclass(slots=True)
class Waits:
    """The takes of a run that render.

    Attributes:
        poll: the pipeline's.
        tempo: how hard the gateway is asked.
        leaving: ends all waits.
        earlier: what earlier runs saw, by kind, the oldest first.
        known: tasks that were there when the run began.
    """

    poll: Poll
    tempo: Tempo
    leaving: asyncio.Event
    earlier: Mapping[Kind, list[Bounds]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    _began: float = field(default_factory=time.monotonic)
    _forecasts: dict[Kind, Forecast] = field(default_factory=dict)
    _limits: dict[Key, tuple[asyncio.Timeout, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, poll: Poll, tempo: Tempo, leaving: asyncio.Event, store: Store) -> Waits:
        """Those of a run that begins."""
        states = store.shots.values()
        earlier = {kind: [Bounds(*each) for each in found] for kind, found in rendered_by_kind(states).items()}
        tasks = (take.last.task_id for state in states for take in state.takes)
        return cls(poll, tempo, leaving, earlier, frozenset(task for task in tasks if task))

    async def turn(self, key: Key, take: Take, until: float) -> bool:
        """Wait until a take should be asked for; whether the run goes on.

        A fresh take waits before its first poll, too. One of an earlier run may be there for long: it is asked at once.

        Args:
            key: the take's.
            take: as it is recorded.
            until: when to ask at the latest, monotonic.
        """
        forecast = self._forecast(_kind(take))
        is_new, is_fresh = key not in forecast.waiting, take.last.task_id not in self.known
        if is_new:
            began = time.monotonic() - self._age(take.last, is_fresh=is_fresh)
            forecast.begin(key, began, random.random(), teaches=is_fresh)
        if not self.poll.adaptive or (is_new and not is_fresh):
            return not self.leaving.is_set()
        try:
            async with asyncio.timeout_at(min(self._due(forecast, key), until)) as limit:
                self._limits[key] = limit, until
                await self.leaving.wait()
        except TimeoutError:
            return True
        finally:
            self._limits.pop(key, None)
        return False

    def hear(self, key: Key, take: Take, answer: PollAnswer) -> dict[str, Any]:
        """Take an answer into account; what becomes known of the attempt."""
        forecast = self._forecast(_kind(take))
        one = forecast.waiting.get(key)
        if one is None:
            return {}
        now = time.monotonic()
        if answer.progress is Progress.RUNNING:
            self._tell(forecast, is_news=forecast.renders(key, now, random.random()))
        elif answer.progress is Progress.COMPLETED:
            self._tell(forecast, is_news=forecast.ended(key, now, answer.told.completed_at))
            if one.teaches and take.last.rendered_s is None:
                return {"rendered_s": (round(one.age, 2), round(now - one.began, 2))}
        return {}

    def leave(self, key: Key, take: Take) -> None:
        """A take isn't asked for any more."""
        self._forecast(_kind(take)).drop(key)

    def _forecast(self, kind: Kind) -> Forecast:
        if kind not in self._forecasts:
            earlier = self.earlier.get(kind, []) if self.poll.adaptive else []
            self._forecasts[kind] = Forecast.of(self.poll.interval, earlier, learns=self.poll.adaptive)
        return self._forecasts[kind]

    def _tell(self, forecast: Forecast, *, is_news: bool) -> None:
        """Let those who wait wait by the news."""
        waiting = [key for key in forecast.waiting if key in self._limits] if is_news else ()
        for key in waiting:
            limit, until = self._limits[key]
            if not limit.expired():  # else it is this one's turn already, and its task hasn't come to it yet
                limit.reschedule(min(self._due(forecast, key), until))

    def _due(self, forecast: Forecast, key: Key) -> float:
        """When to ask for a take, at the pace that the gateway bears; who is late by the news is spread a little."""
        one, now = forecast.waiting[key], time.monotonic()
        at = one.asked + (forecast.due(key) - one.asked) * self.tempo.factor()
        return max(at, now + one.draw * CLOSEST * self.poll.interval) if at < now else at

    def _age(self, attempt: Attempt, *, is_fresh: bool) -> float:
        """Seconds since a create was sent. The time of day may be wrong: a fresh one isn't older than the run."""
        age = max(clock.since(attempt.created_at, attempt.submitted_at) - CUT, 0.0)
        return min(age, time.monotonic() - self._began) if is_fresh else age
