"""When takes of one kind should be asked again, by what polls said of them so far. Pure: times come from outside.

Source: docs/polls.md, 1 to 5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import field, replace

from veopipe.run.polling import ticks
from veopipe.run.polling.inspection import CLOSEST, FARTHEST, Price, Schedule, schedule
from veopipe.run.polling.latency import Bounds, Law, fit, some_of
from veopipe.run.polling.ticks import Sighting, Ticks
from veopipe.values import dataclass

FEWEST = 4
"""Results before anything is believed."""
NEWEST = 200
"""Results that count: a queue changes."""
SIGHTED = 60
"""Results among which ticks are looked for."""
EARLIER = 10.0
"""Results that all of earlier runs count for at most: another night may have another queue."""
SAMPLE = 64
"""Takes under way that are looked at: how long some of many have been running says as much."""
ANSWER = 0.02
"""Seconds between two looks at least: an answer takes about as long."""
SLACK = 8.0
"""Looks, over all, above those of even spacing, before less is spent."""
UNSURE, SURE = 0.2, 0.05
"""Jitter of even spacing and of a schedule: parts of an interval, of a look."""
WORTHLESS = 0.025
"""A chance to find something for which nobody looks at a tick."""
AT_ONCE = 200.0
"""Looks a second for what came at one tick: what polls share can do that (docs/design.md, 10)."""
SCOUTS = 1 / 6
"""Of the looks at a tick: they come earlier, as long as it isn't known well when it is."""
KNOWN = 1 / 60
"""Intervals: a tick that is known as well as that needs no scouts."""


@dataclass(slots=True)
class Waiting:
    """A take that renders.

    Attributes:
        began: when it began to render, by the clock that times come from.
        asked: when it was last found rendering; at first: when it began.
        draw: a chance of 0 to 1 for its next wait.
        teaches: whether it is certain when it began.
    """

    began: float
    asked: float
    draw: float
    teaches: bool = True

    @property
    def age(self) -> float:
        """Seconds that it certainly rendered."""
        return self.asked - self.began


@dataclass(slots=True)
class _Known:
    """What was seen: latencies, of earlier runs apart; results with their time at the gateway; what was spent."""

    earlier: tuple[Bounds, ...] = ()
    ended: deque[Bounds] = field(default_factory=lambda: deque(maxlen=NEWEST))
    sighted: deque[Sighting] = field(default_factory=lambda: deque(maxlen=SIGHTED))
    unheard: int = 0
    spent: float = 0.0
    evenly: float = 0.0

    def __iter__(self) -> Iterator[Bounds]:
        yield from self.earlier
        yield from self.ended

    def thrift(self, looks_under_way: float) -> float:
        """The part of the price that may still be spent: less, the more was spent above even spacing."""
        return min(1.0, (self.evenly + looks_under_way + SLACK) / (self.spent + SLACK)) ** 3


@dataclass(slots=True)
class Forecast:
    """What is known of takes of one kind, and when to ask for each of them.

    Attributes:
        interval: seconds between two polls of a take, on average.
        learns: whether spacing may be other than even.
        waiting: those that render.
    """

    interval: float
    learns: bool = True
    waiting: dict[Hashable, Waiting] = field(default_factory=dict)
    _known: _Known = field(default_factory=_Known)
    _law: Law | None = None
    _schedule: Schedule | None = None
    _ticks: Ticks | None = None
    _news: float = 0.0

    @classmethod
    def of(cls, interval: float, earlier: Sequence[Bounds] = (), *, learns: bool = True) -> Forecast:
        """One that begins with what earlier runs saw, the oldest first."""
        newest = earlier[-NEWEST:]
        weight = min(1.0, EARLIER / max(len(newest), 1))
        found = cls(interval, learns)
        found._known.earlier = tuple(replace(bounds, weight=weight) for bounds in newest)
        found._learn()
        return found

    # --- what is seen ------------------------------------------------------------------------------

    def begin(self, take: Hashable, at: float, draw: float, *, teaches: bool = True) -> None:
        """A take renders since then; `teaches` says whether that is certain."""
        self.waiting[take] = Waiting(at, at, draw, teaches)

    def drop(self, take: Hashable) -> None:
        """A take isn't waited for any more, however it ended."""
        self.waiting.pop(take, None)

    def renders(self, take: Hashable, at: float, draw: float) -> bool:
        """A take was asked for and still renders; whether all waits are other ones now."""
        waiting = self.waiting[take]
        waiting.asked, waiting.draw = at, draw
        self._known.spent += waiting.teaches
        self._news += 1 / 16
        return self._look_back()

    def ended(self, take: Hashable, at: float, completed_at: int | None) -> bool:
        """A take was asked for and is there; whether all waits are other ones now.

        Args:
            take: which.
            at: when.
            completed_at: the gateway's time of it, Unix seconds, if it says.
        """
        waiting, known = self.waiting.pop(take), self._known
        if not waiting.teaches:
            return False
        known.ended.append(Bounds(waiting.age, at - waiting.began))
        known.spent += 1
        known.evenly += (at - waiting.began) / self.interval + 0.5
        self._news += 1
        if completed_at is None:
            return self._look_back()
        known.sighted.append(Sighting(completed_at, waiting.asked, at))
        return self._look_back(at_once=self._listen())

    def _listen(self) -> bool:
        """Look for ticks, seldom while there are none; whether they are news."""
        had, known = self._ticks, self._known
        known.unheard += 1
        if known.unheard >= (2 if had is not None else max(1, len(known.sighted) // 4)):
            known.unheard = 0
            seen = sorted(known.sighted, key=lambda one: one.completed_at)
            self._ticks = ticks.find(seen, FARTHEST * self.interval)
        return (had is None) != (self._ticks is None)

    def _look_back(self, *, at_once: bool = False) -> bool:
        """Learn once there is enough news: what that costs grows with what is known."""
        enough = 1 if self._law is None else max(1, len(self._known.ended) // 2, len(self.waiting) // 8)
        return (at_once or self._news >= enough) and self._learn()

    def _learn(self) -> bool:
        self._news = 0.0
        known = [*self._known] if self.learns else []
        if sum(bounds.weight for bounds in known) < FEWEST:
            return False
        known += self._rendering()
        self._law = fit(known, self._law)
        closest = ANSWER if self._ticks is None else self._ticks.period
        thrift = self._known.thrift(sum(one.age for one in self.waiting.values() if one.teaches) / self.interval)
        self._schedule = schedule(self._law, Price(self.interval, closest, thrift), some_of(known, SAMPLE))
        return True

    def _rendering(self) -> list[Bounds]:
        """How long takes have been rendering."""
        certain = [Bounds(one.age) for one in self.waiting.values() if one.age > 0 and one.teaches]
        return some_of(certain, SAMPLE)

    # --- when to look ------------------------------------------------------------------------------

    def due(self, take: Hashable) -> float:
        """The time at which to ask for a take."""
        one = self.waiting[take]
        if self._schedule is None:
            return one.asked + self.interval * _about(UNSURE, one.draw)
        at = one.began + self._schedule.following(one.age, _about(SURE, one.draw))
        return at if self._ticks is None or self._law is None else self._at_tick(self._ticks, self._law, one, at)

    def _at_tick(self, server: Ticks, law: Law, one: Waiting, at: float) -> float:
        """When to ask for what comes in ticks, instead of at that time."""
        is_slow = server.period >= self.interval  # then no tick is left out for the price
        tick = server.following(one.asked if is_slow else max(one.asked, at - server.period / 2))
        left = (1 - WORTHLESS) * law.later(server.last(one.asked) - one.began)
        while tick < one.asked + FARTHEST * self.interval and law.later(tick - one.began) > left:
            tick += server.period
        if one.draw < SCOUTS and server.width > KNOWN * self.interval:
            return max(tick - server.width / 2, one.asked + CLOSEST * self.interval)
        return tick + one.draw * min(len(self.waiting) / AT_ONCE, server.period / 4)


def _about(jitter: float, draw: float) -> float:
    """One, give or take the jitter."""
    return 1 - jitter + 2 * jitter * draw
