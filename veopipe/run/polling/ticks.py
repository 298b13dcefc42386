"""Whether a gateway lets results come in ticks, and when the next one is. Pure.

A gateway may ask its own servers in a loop: whatever ended since then is told as completed at the same moment. The
times at which it says that takes were completed show that: they lie on a line of even steps. The steps may be a little
longer than the loop's pause, by what its own work takes.

Source: docs/polls.md, 4; docs/api-facts.md, c.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from veopipe.values import dataclass

PERIODS = {60: 1e-4, 30: 1e-4, 20: 1e-4, 15: 1.5e-3, 10: 1e-4, 5: 1e-4}
"""Seconds that a loop may pause → the most that chance may explain before it is believed. The longest that fits is
taken. That new-api's loop pauses for 15 s is known, so less is asked of that (docs/api-facts.md, c)."""
FEWEST = 4
"""Moments at which something was completed, before anything is believed."""
NEWEST = 12
"""Moments that count, so that ticks which change are followed."""
MOST_WORK = 0.1
"""Of a pause: what a loop's own work may add to it. Of a loop that works longer no two steps are alike."""
WIDEST = 1 / 3
"""Of a period: if the tick isn't known better than that, there is none."""
SAME = 2
"""Seconds within which two results are of one moment."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A result that was seen.

    Attributes:
        completed_at: the gateway's time of it, whole Unix seconds.
        before: our time of the last look that didn't show it; of any clock that doesn't jump.
        seen: our time of the look that showed it.
    """

    completed_at: int
    before: float
    seen: float


@dataclass(frozen=True, slots=True)
class Ticks:
    """When results come, by our clock.

    Attributes:
        period: seconds.
        early: a tick isn't before that …
        late: … and by then all of it was there.
    """

    period: float
    early: float
    late: float

    @property
    def width(self) -> float:
        """How well it is known when a tick is, seconds."""
        return self.late - self.early

    def last(self, at: float) -> float:
        """The newest moment until `at` by which all of a tick was there."""
        return at - (at - self.late) % self.period

    def following(self, at: float) -> float:
        """The next such moment after `at`."""
        return self.last(at) + self.period


def find(seen: Sequence[Sighting], longest: float, fewest: int = FEWEST) -> Ticks | None:
    """The ticks that results came in; None where it may be chance.

    Args:
        seen: results, by their `completed_at`.
        longest: seconds; a loop that is slower isn't looked for.
        fewest: moments that are asked for.
    """
    moments: list[int] = []
    for sighting in reversed(seen):
        if not moments or moments[-1] - sighting.completed_at >= SAME:
            moments.append(sighting.completed_at)
    moments = moments[NEWEST - 1 :: -1]
    if len(moments) < fewest:
        return None
    for pause, chance in PERIODS.items():
        if pause <= longest and (line := _line(moments, pause, chance)) is not None:
            return _placed([s for s in seen if s.completed_at >= moments[0]], *line)
    return None


def _line(moments: Sequence[int], pause: int, chance: float) -> tuple[float, float] | None:
    """First moment and step of the line on which all moments lie, if that is no chance."""
    numbers = [0]
    for before, after in pairwise(moments):
        numbers.append(numbers[-1] + round((after - before) / pause))
    count = len(moments)
    for step, free in ((float(pause), 1), (_slope(numbers, moments), 2)):
        if not pause <= step <= pause * (1 + MOST_WORK):
            continue
        rests = [moment - step * number for number, moment in zip(numbers, moments, strict=True)]
        part = (max(rests) - min(rests) + 1) / pause
        if part < 1 and count * part ** (count - free) <= chance:
            return (max(rests) if free == 1 else sum(rests) / count), step
    return None


def _slope(xs: Sequence[int], ys: Sequence[int]) -> float:
    """Of the line through points by least squares."""
    mean = sum(xs) / len(xs)
    square = sum((x - mean) ** 2 for x in xs)
    return sum((x - mean) * y for x, y in zip(xs, ys, strict=True)) / square if square else 0.0


def _placed(seen: Sequence[Sighting], first: float, step: float) -> Ticks | None:
    """The ticks by our own clock."""
    early, late = [], []
    for sighting in seen:
        tick = first + step * round((sighting.completed_at - first) / step)
        early.append(sighting.before - tick)
        late.append(sighting.seen - tick)
    begin, end = max(early), min(late)
    if begin >= end:  # not all of a tick comes at once
        begin, end = end, begin + step / 30
    if end - min(late) > WIDEST * step:
        return None
    return Ticks(step, first + max(begin, end - step), first + end)
