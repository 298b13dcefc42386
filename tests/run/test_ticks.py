"""Ticks of a gateway are found from its own times, placed by our clock, and believed only if they are no chance."""

from __future__ import annotations

import math
import random

import pytest

from veopipe.run.polling.ticks import Sighting, find

LONGEST, AWAY = 60.0, 1e9
"""Seconds of the slowest loop; what the gateway's clock is ahead of ours."""


def looked(chance: random.Random, there: float, stamp: float) -> Sighting:
    """A result as polls of 15 s ± 20 %, at any phase, see it."""
    seen = there + chance.uniform(0, 15)
    return Sighting(int(stamp + AWAY), seen - chance.uniform(15, 18), seen)


def ticking(number: int, step: float, seed: int = 1) -> list[Sighting]:
    chance = random.Random(seed)
    begin = chance.uniform(0, step)
    there = [begin + step * at for at in range(number)]
    return [looked(chance, at, at) for at in there for _ in range(2)]


@pytest.mark.parametrize("step", [5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 15.1, 15.6, 31.0])
@pytest.mark.parametrize("seed", range(5))
def test_steady_steps_are_found_and_placed(step: float, seed: int) -> None:
    seen = ticking(12, step, seed)
    found = find(seen, LONGEST)
    there = random.Random(seed).uniform(0, step)

    assert found is not None
    assert found.period == pytest.approx(step, rel=0.02)
    off = (there - found.late + step / 2) % step - step / 2  # the true tick, against the end of where it is looked for
    assert -found.period / 3 - 1.5 < off < 1.5


def test_four_moments_are_enough_for_the_loop_that_is_known_and_three_are_not() -> None:
    assert find(ticking(3, 15.0), LONGEST) is None
    assert sum(find(ticking(4, 15.0, seed), LONGEST) is not None for seed in range(20)) >= 15


def test_random_times_are_no_ticks() -> None:
    believed = 0
    for seed in range(300):
        chance = random.Random(seed)
        times = sorted(chance.uniform(0, 600) for _ in range(chance.randrange(4, 40)))
        believed += find([looked(chance, at, at) for at in times], LONGEST) is not None

    assert believed <= 3


def test_a_stamp_of_the_poll_itself_is_no_tick() -> None:
    believed = 0
    for seed in range(300):
        chance = random.Random(seed)
        times = sorted(chance.uniform(0, 600) for _ in range(20))
        seen = sorted((looked(chance, at, at) for at in times), key=lambda one: one.seen)
        stamped = [Sighting(int(one.seen + AWAY), one.before, one.seen) for one in seen]
        believed += find(stamped, LONGEST) is not None

    assert believed <= 3


def test_all_at_one_moment_is_no_tick() -> None:
    assert find([Sighting(1_000_000_000, 40.0 + at, 55.0 + at) for at in range(30)], LONGEST) is None


def test_a_loop_that_is_too_slow_for_the_interval_is_not_waited_for() -> None:
    found = find(ticking(12, 60.0), 20.0)

    assert found is None or found.period <= 20


@pytest.mark.parametrize(
    "stamps",
    [[0] * 9, [1, 1 << 39, 5, 1 << 20, 77, 3, 2], list(range(0, 1 << 39, 1 << 35))],
    ids=["nothing", "anything", "ages apart"],
)
def test_no_stamps_make_arithmetic_trouble(stamps: list[int]) -> None:
    found = find([Sighting(stamp, 1.0, 2.0) for stamp in sorted(stamps)], LONGEST)

    assert found is None or math.isfinite(found.following(1e6))


def test_the_next_tick_is_behind_now_and_no_more_than_a_step() -> None:
    found = find(ticking(12, 15.0), LONGEST)

    assert found is not None
    for now in (0.0, 7.3, 1e6):
        assert now < found.following(now) <= now + 15.0
        assert now - 15.0 < found.last(now) <= now
