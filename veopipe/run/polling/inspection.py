"""When to look whether a take is there: an inspection schedule for a known law of latencies. Pure.

Looks lie as dense as the root of the hazard asks for, so that each of them is worth the same. How dense they are in
all is the price: on average a take is looked for about as often as at even spacing.

Source: docs/polls.md, 3.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

from veopipe.run.polling.latency import Bounds, Law, density, tail
from veopipe.values import dataclass

CLOSEST = 1 / 15
"""Intervals between two looks at one take: a second at the usual 15 s."""
FARTHEST = 4.0
"""Intervals between two looks: a minute at the usual 15 s, in case that the law is wrong."""
SPAREST = 2.0
"""Times the interval that even spacing may be where a law that was wrong cost more than it should have."""
LAWS_OWN = 8.0
"""Results that the law counts for where the price is reckoned: with few results it knows better than they."""
OUTLIERS = 0.005
"""Of all takes: those that follow no law, so that one which a law calls overdue isn't looked for ever more often."""
OUTLAST = 3.0
"""Times the mean: how long such takes last on average."""
LATE, MOST_LATE = 0.01, 0.05
"""A chance to render still, and the part of all takes that may do so at it: if more do, the law is of other days."""
MUST_GAIN = 0.97
"""Of delay times looks, against even spacing, for what is known: a law that gains less doesn't fit."""
TRIES = 4
"""Steps towards the price: each looks lie denser, or no denser than the limits allow."""

_STEP = 0.125
_Z = [step * _STEP for step in range(-40, 49)]  # -5 to 6: beyond lies one take of a million
_DENSITIES = [density(z) for z in _Z]
_TAILS = [tail(z) for z in _Z]
_PARTS = [one * _STEP for one in _DENSITIES]  # of all takes
_LEFT = list(accumulate(_PARTS[::-1]))[::-1]  # of all takes, from there on


@dataclass(frozen=True, slots=True)
class Schedule:
    """Looks at one take: one at each whole number that `counts` passes.

    Attributes:
        interval: seconds between two looks on average.
        ages: seconds since the create, rising from 0; empty: even spacing.
        counts: looks until then, at each of `ages`.
    """

    interval: float
    ages: Sequence[float] = ()
    counts: Sequence[float] = ()

    def following(self, age: float, looks: float = 1.0) -> float:
        """The age at which to look next.

        Args:
            age: seconds, at the last look.
            looks: how many looks further: 1, give or take some jitter.
        """
        if not self.ages:
            return age + self.interval * looks
        wanted = _at(self.counts, self.ages, _at(self.ages, self.counts, age) + looks)
        return min(max(wanted, age + CLOSEST * self.interval), age + FARTHEST * self.interval)


@dataclass(frozen=True, slots=True)
class Price:
    """What looks may cost.

    Attributes:
        interval: seconds between two looks at a take, on average.
        closest: seconds; looks that lie closer find nothing new.
        thrift: part of what the interval allows, once more was spent than that.
    """

    interval: float
    closest: float = 0.0
    thrift: float = 1.0


def schedule(law: Law, price: Price, known: Sequence[Bounds]) -> Schedule:
    """The looks that are worth most under a law; even ones where what is known doesn't bear the law out.

    Args:
        law: of the latencies.
        price: of the looks.
        known: latencies and takes that still render: what was paid for them counts, whatever the law says.
    """
    ages = [0.0, *(math.exp(law.middle + law.spread * z) for z in _Z)]
    roots = _roots(law, ages[1:])
    dense, sparse = 1 / max(CLOSEST * price.interval, price.closest), 1 / (FARTHEST * price.interval)
    allowed = price.thrift * _expected(ages, ages, known) / price.interval
    scale = 1 / price.interval / sum(root * part for root, part in zip(roots, _PARTS, strict=True))
    found = Schedule(price.interval)
    for _ in range(TRIES):
        found = Schedule(price.interval, ages, _counts(ages, [min(max(scale * root, sparse), dense) for root in roots]))
        scale *= min(allowed / _expected(ages, found.counts, known), 100.0)
    if _gains(found, known) and not _is_outlasted(law, known):
        return found
    return Schedule(price.interval / max(price.thrift, 1 / SPAREST))  # what a wrong law spent is given back


def _is_outlasted(law: Law, known: Sequence[Bounds]) -> bool:
    """Whether more takes render than a law allows."""
    late = sum(bounds.weight for bounds in known if not bounds.is_over and law.later(bounds.before) < LATE)
    return late > 1 + MOST_LATE * sum(bounds.weight for bounds in known)


def _at(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """The line through points, at `x`; beyond the last one it goes straight on."""
    at = min(max(bisect_right(xs, x), 1), len(xs) - 1)
    return ys[at - 1] + (x - xs[at - 1]) * (ys[at] - ys[at - 1]) / (xs[at] - xs[at - 1])


def _roots(law: Law, ages: Sequence[float]) -> list[float]:
    """The root of the hazard at each age, where a few takes follow no law but last long, without memory."""
    rate = 1 / (OUTLAST * law.mean)
    roots = []
    for age, dense, later in zip(ages, _DENSITIES, _TAILS, strict=True):
        strange = OUTLIERS * math.exp(-rate * age)
        ended = (1 - OUTLIERS) * dense / (law.spread * age) + rate * strange
        roots.append(math.sqrt(ended / ((1 - OUTLIERS) * later + strange)))
    return roots


def _counts(ages: Sequence[float], rates: Sequence[float]) -> list[float]:
    """Looks until each age, at these rates per second; until the first one at the first rate."""
    means = [rates[0], *((one + other) / 2 for one, other in pairwise(rates))]
    return [0.0, *accumulate((later - age) * rate for (age, later), rate in zip(pairwise(ages), means, strict=True))]


def _expected(ages: Sequence[float], values: Sequence[float], known: Sequence[Bounds]) -> float:
    """The sum of a value that rises with age, at the ends of all takes; of those that render, as the law expects it."""
    pairs = zip(_PARTS[::-1], values[:0:-1], strict=True)
    sums = list(accumulate(part * value for part, value in pairs))[::-1]
    means = [total / part for total, part in zip(sums, _LEFT, strict=True)]  # of all ends from that age on
    found = LAWS_OWN * means[0]
    for bounds in known:
        age = bounds.about
        value = _at(ages, values, age) if bounds.is_over else _at(ages[1:], means, max(age, ages[1]))
        found += bounds.weight * value
    return found


def _gains(found: Schedule, known: Sequence[Bounds]) -> bool:
    """Whether looks times delay are less than at even spacing, for the latencies that are known."""
    looks = delay = evenly = total = 0.0
    for bounds in known:
        if not bounds.is_over:
            continue
        count = _at(found.ages, found.counts, bounds.about)
        ends = (_at(found.counts, found.ages, place) for place in (max(count - 0.5, 0.0), count + 0.5))
        begin, end = ends
        total += bounds.weight
        looks += bounds.weight * count
        delay += bounds.weight * (end - begin) / 2
        evenly += bounds.weight * bounds.about / found.interval
    return (looks + total / 2) * delay < MUST_GAIN * (evenly + total / 2) * total * found.interval / 2
