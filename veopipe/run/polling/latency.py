"""How long takes of one kind render: a lognormal law, learned from polls. Pure.

Nobody sees a take end: it ended between two polls, or it hasn't ended yet. Both are told to the law as bounds, and
expectation-maximisation finds the law that makes them likely.

Source: docs/polls.md, 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from veopipe.values import dataclass

USUAL_SPREAD = 0.65
"""Of logarithms: the API document's examples and users' reports (11 to 356 s around 51 s; docs/polls.md, 1)."""
DOUBT = 4.0
"""Results that `USUAL_SPREAD` counts for: four alike must not look like a law without spread."""
ROUNDS = 2
"""Rounds of EM at each fit. A fit goes on where the last one ended, so that it needs no more."""
_SMALLEST, _LARGEST = 0.03, 5.0  # spreads: below, a poll's own time is larger; above, it is no law
_NEVER = 1e-12  # a chance that is none
_FAR = 30.0  # spreads


@dataclass(frozen=True, slots=True)
class Bounds:
    """What polls say of one latency, in seconds from the accepted create.

    Attributes:
        before: the last poll that said that it renders; 0: there was none.
        seen: the first poll that said that it is there; infinite: it still renders.
        weight: how many results it counts for.
    """

    before: float
    seen: float = math.inf
    weight: float = 1.0

    @property
    def is_over(self) -> bool:
        """Whether it was seen to end."""
        return self.seen < math.inf

    @property
    def about(self) -> float:
        """One figure for it."""
        return (self.before + self.seen) / 2 if self.is_over else self.before


def some_of(every: Sequence[Bounds], most: int) -> list[Bounds]:
    """Not many more of them than that, which count for all."""
    step = max(1, len(every) // most)
    some = every[::step]
    return [Bounds(b.before, b.seen, b.weight * len(every) / len(some)) for b in some] if step > 1 else [*every]


@dataclass(frozen=True, slots=True)
class Law:
    """The logarithm of a latency is normal.

    Attributes:
        middle: its mean: the logarithm of the median in seconds.
        spread: its standard deviation.
    """

    middle: float
    spread: float = USUAL_SPREAD

    @property
    def mean(self) -> float:
        """Seconds."""
        return math.exp(self.middle + self.spread**2 / 2)

    def later(self, age: float) -> float:
        """The chance that a take renders longer than `age` seconds."""
        return tail(self.place(age))

    def place(self, age: float) -> float:
        """Spreads that an age lies behind the median; far out, where nothing happens, no more than `_FAR`."""
        if not 0 < age < math.inf:
            return -_FAR if age <= 0 else _FAR
        return min(max((math.log(age) - self.middle) / self.spread, -_FAR), _FAR)


def tail(z: float) -> float:
    """The chance of more than `z` under the standard normal law."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def density(z: float) -> float:
    """Of the standard normal law."""
    return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def fit(known: Sequence[Bounds], start: Law | None = None) -> Law:
    """The law that makes these bounds likely.

    Args:
        known: at least one that is over.
        start: the law so far.
    """
    law = start or Law(_mean_of_ended(known))
    for _ in range(ROUNDS):
        law = _better(law, known)
    return law


def _mean_of_ended(known: Sequence[Bounds]) -> float:
    logs = [math.log(max(bounds.about, _NEVER)) for bounds in known if bounds.is_over]
    return sum(logs) / len(logs)


def _better(law: Law, known: Sequence[Bounds]) -> Law:
    """One round of EM."""
    total = first = second = 0.0
    for bounds in known:
        mean, square = _moments(law, bounds)
        total += bounds.weight
        first += bounds.weight * mean
        second += bounds.weight * square
    mean = first / total  # of z
    variance = max(second / total - mean * mean, 0.0) * law.spread * law.spread
    spread = math.sqrt((total * variance + DOUBT * USUAL_SPREAD**2) / (total + DOUBT))
    return Law(law.middle + law.spread * mean, min(max(spread, _SMALLEST), _LARGEST))


def _moments(law: Law, bounds: Bounds) -> tuple[float, float]:
    """Mean and mean square of z, given that the latency lies within the bounds."""
    low, high = law.place(bounds.before), law.place(bounds.seen)
    chance = tail(low) - tail(high) if low > 0 else tail(-high) - tail(-low)
    if chance < _NEVER:  # far out: the end that is nearer
        z = low if low > 0 else high
        return z, z * z
    at_low, at_high = density(low), density(high)
    return (at_low - at_high) / chance, 1 + (low * at_low - high * at_high) / chance
