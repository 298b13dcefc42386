"""Looks come where results are expected, cost what even spacing costs, and keep their distance."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from statistics import mean

import pytest

from veopipe.run.polling.inspection import CLOSEST, FARTHEST, Price, Schedule, schedule
from veopipe.run.polling.latency import Bounds, Law

INTERVAL = 15.0
LAW = Law(math.log(51))


def drawn(number: int = 200) -> list[Bounds]:
    chance = random.Random(3)
    latencies = [chance.lognormvariate(LAW.middle, LAW.spread) for _ in range(number)]
    return [Bounds(max(latency - 5, 0), latency + 5) for latency in latencies]


def tried(plan: Schedule, draw: Callable[[random.Random], float], jitter: float = 0.05) -> tuple[float, float]:
    """Looks and delay of many takes."""
    chance, looks, delays = random.Random(9), [], []
    for _ in range(4_000):
        latency, age, count = draw(chance), 0.0, 0
        while age < latency:
            age, count = plan.following(age, 1 + chance.uniform(-jitter, jitter)), count + 1
        looks.append(count)
        delays.append(age - latency)
    return mean(looks), mean(delays)


def usual(chance: random.Random) -> float:
    return chance.lognormvariate(LAW.middle, LAW.spread)


@pytest.mark.parametrize("interval", [5.0, 10.0, 15.0, 30.0])
def test_the_interval_stays_the_price_and_results_are_seen_sooner(interval: float) -> None:
    looks, delay = tried(schedule(LAW, Price(interval), drawn()), usual)
    evenly, late = tried(Schedule(interval), usual, jitter=0.2)

    assert looks < 1.05 * evenly
    assert looks * delay < 0.87 * evenly * late


def test_the_exact_optimum_is_near() -> None:
    """Of the exact schedule for this law: 5.7 looks, 4.8 s (benchmarks/README.md, Polls)."""
    looks, delay = tried(schedule(LAW, Price(12.0), drawn()), usual)

    assert looks * delay < 1.07 * 5.7 * 4.8


def test_looks_are_dense_where_the_hazard_is_high_and_never_too_dense_or_too_sparse() -> None:
    plan, age, ages = schedule(Law(math.log(51), 0.2), Price(INTERVAL), [Bounds(50, 52)] * 20), 0.0, [0.0]
    while age < 2_000:
        age = plan.following(age)
        ages.append(age)
    gaps = [after - before for before, after in pairwise(ages)]

    assert ages[1] > 25  # nothing is there before
    assert min(gap for gap, at in zip(gaps, ages, strict=False) if 35 < at < 65) < 6
    assert min(gaps) >= CLOSEST * INTERVAL
    assert max(gaps) <= FARTHEST * INTERVAL + 1e-9


def test_a_law_that_gains_nothing_leaves_spacing_even() -> None:
    at_two_times = [Bounds(29, 31), Bounds(299, 301)] * 20

    assert schedule(Law(math.log(95), 1.2), Price(INTERVAL), at_two_times).ages == ()


def test_a_law_that_many_outlast_leaves_spacing_even() -> None:
    usual_ones = [Bounds(46, 56)] * 20

    assert schedule(Law(math.log(51), 0.1), Price(INTERVAL), usual_ones).ages
    assert not schedule(Law(math.log(51), 0.1), Price(INTERVAL), [*usual_ones, *[Bounds(500)] * 5]).ages


def test_who_spent_too_much_looks_less_often() -> None:
    looks, _ = tried(schedule(LAW, Price(INTERVAL), drawn()), usual)
    fewer, _ = tried(schedule(LAW, Price(INTERVAL, thrift=0.6), drawn()), usual)

    assert fewer < 0.75 * looks


@pytest.mark.parametrize("spread", [0.03, 0.65, 20.0])
@pytest.mark.parametrize("middle", [-20.0, 0.0, 4.0, 20.0])
def test_no_law_makes_a_look_come_late_or_at_once(middle: float, spread: float) -> None:
    plan = schedule(Law(middle, spread), Price(INTERVAL), [Bounds(1, 2), Bounds(1e6)])
    for age in (0.0, 1e-9, 3.0, 51.0, 1e3, 1e9):
        assert CLOSEST * INTERVAL - 1e-6 * age <= plan.following(age) - age <= FARTHEST * INTERVAL + 1e-6 * age
