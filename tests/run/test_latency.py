"""A law of latencies is found from what polls can say: bounds, and takes that still render."""

from __future__ import annotations

import math
import random

import pytest

from veopipe.run.polling.latency import USUAL_SPREAD, Bounds, Law, fit, some_of

MEDIAN = 51.0


def polled(number: int, every: float, spread: float = USUAL_SPREAD, until: float = math.inf) -> list[Bounds]:
    """Latencies as even polls see them, those that are longer than `until` unfinished."""
    chance, found = random.Random(7), []
    for _ in range(number):
        latency = chance.lognormvariate(math.log(MEDIAN), spread)
        before = every * int(min(latency, until) / every)
        found.append(Bounds(before, before + every if latency <= until else math.inf))
    return found


@pytest.mark.parametrize("spread", [0.2, 0.65, 1.0])
def test_the_law_is_found_between_polls(spread: float) -> None:
    law = None
    for _ in range(10):
        law = fit(polled(2_000, 5.0, spread), law)

    assert law is not None
    assert math.exp(law.middle) == pytest.approx(MEDIAN, rel=0.05)
    assert law.spread == pytest.approx(spread, rel=0.06)


def test_takes_that_still_render_are_no_reason_to_think_that_all_are_short() -> None:
    early = polled(2_000, 5.0, until=45.0)  # most are unfinished
    law = None
    for _ in range(60):
        law = fit(early, law)

    assert law is not None
    assert math.exp(law.middle) == pytest.approx(MEDIAN, rel=0.1)
    ended = [bounds.about for bounds in early if bounds.is_over]
    assert math.exp(law.middle) > 1.5 * sum(ended) / len(ended)


def test_four_results_alike_are_no_law_without_spread() -> None:
    law = fit([Bounds(45, 60)] * 4)

    assert law.spread > 0.4


@pytest.mark.parametrize(
    "known",
    [
        [Bounds(0, 1e-9)] * 4,
        [Bounds(1e8, 1e9)] * 4,
        [Bounds(0, 1e-9), Bounds(1e8, 1e9), Bounds(3, 3), Bounds(0, 0)],
        [*[Bounds(50, 51)] * 100, *[Bounds(1e6)] * 100],
        [*[Bounds(1e5, 1e5 + 1)] * 200, *[Bounds(0, 0.001)] * 10],
    ],
    ids=["at once", "years", "anything", "all stuck", "a new world"],
)
def test_no_latencies_make_arithmetic_trouble(known: list[Bounds]) -> None:
    law = None
    for _ in range(20):
        law = fit(known, law)
        assert math.isfinite(law.middle)
        assert 0 < law.spread < 100
        assert all(0 <= law.later(age) <= 1 for age in (0.0, 1e-9, 50.0, 1e12))


def test_a_chance_to_render_longer_falls_with_age() -> None:
    law = Law(math.log(MEDIAN))
    chances = [law.later(age) for age in (0, 1, 10, 51, 100, 1_000)]

    assert chances[0] == 1
    assert law.later(MEDIAN) == pytest.approx(0.5)
    assert chances == sorted(chances, reverse=True)


def test_some_of_many_count_for_all() -> None:
    every = [Bounds(1.0, 2.0, weight=0.5)] * 1_000
    some = some_of(every, 64)

    assert len(some) < 130
    assert sum(bounds.weight for bounds in some) == pytest.approx(500)
    assert some_of(every[:10], 64) == every[:10]
