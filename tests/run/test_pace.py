"""Rates and waits: never faster than said, never in step, never for ever."""

from __future__ import annotations

import asyncio
import time

import pytest

from veopipe.run.pace import MINUTE, Line, Rate, about, after_throttling, after_trouble

MANY = 2000


def sent_at_once(rate: Rate) -> int:
    """How many creates may go before the first wait."""
    count = 0
    while rate.delay() == 0.0 and count < 100_000:
        rate.let_go(count)
        rate.went(count)
        count += 1
    return count


def wait_of(rate: Rate) -> float:
    """How long the next one has to wait."""
    wait = rate.delay()
    assert wait is not None
    return wait


@pytest.mark.parametrize(("per_minute", "at_once"), [(1, 1), (10, 10), (1000, 1000), (1.9, 1), (2.5, 2)])
def test_a_short_list_starts_at_once_and_no_minute_has_more_than_said(per_minute: float, at_once: int) -> None:
    rate = Rate(per_minute)

    assert sent_at_once(rate) == at_once
    assert 0 < MINUTE - wait_of(rate) < 5


@pytest.mark.parametrize(("per_minute", "window"), [(0.5, 120.0), (0.1, 600.0)])
def test_less_than_one_a_minute_is_one_in_several_minutes(per_minute: float, window: float) -> None:
    rate = Rate(per_minute)

    assert sent_at_once(rate) == 1
    assert window - 5 < wait_of(rate) <= window


def test_the_wait_is_for_the_oldest_create_of_the_minute() -> None:
    now = time.monotonic()
    rate = Rate(2)
    rate._sent.extend([now - 50, now - 10])

    assert 9 < wait_of(rate) <= 10


def test_what_is_older_than_a_minute_counts_no_more() -> None:
    now = time.monotonic()
    rate = Rate(2)
    rate._sent.extend([now - 61, now - 60.5])

    assert rate.delay() == 0.0


def test_what_was_let_go_keeps_its_place_until_it_goes_and_counts_from_then() -> None:
    rate = Rate(2)
    rate.let_go("SC01")
    rate.let_go("SC02")
    assert rate.delay() is None  # however long it takes

    rate.went("SC01")
    assert wait_of(rate) > 55
    rate._sent[0] -= 61  # a minute later the other one still isn't ready
    assert rate.delay() == 0.0
    rate.let_go("SC03")
    assert rate.delay() is None
    rate.went("SC02")
    rate.over("SC02")
    assert wait_of(rate) > 55
    rate.over("SC03")  # held: it takes nobody's place
    assert rate.delay() == 0.0


def test_polls_keep_their_interval_by_a_fifth_and_not_in_step() -> None:
    waits = [about(15.0) for _ in range(MANY)]

    assert 12.0 <= min(waits) < 13.0
    assert 17.0 < max(waits) <= 18.0


def test_a_busy_gateway_is_left_alone_for_half_a_minute_to_two() -> None:
    waits = [after_throttling(15.0) for _ in range(MANY)]

    assert 30.0 <= min(waits) < 40.0
    assert 110.0 < max(waits) <= 120.0


@pytest.mark.parametrize(
    ("tries", "longest"), [(0, 2.0), (1, 4.0), (2, 8.0), (3, 16.0), (4, 32.0), (5, 60.0), (9, 60.0)]
)
def test_trouble_is_met_with_longer_and_longer_waits(tries: int, longest: float) -> None:
    waits = [after_trouble(tries, 15.0) for _ in range(MANY)]

    assert longest / 2 <= min(waits)
    assert longest * 0.9 < max(waits) <= longest


def test_trouble_without_end_is_no_arithmetic_trouble() -> None:
    assert after_trouble(10**9, 15.0) <= 60.0


def test_a_rehearsals_waits_are_as_quick_as_its_polls() -> None:
    assert after_trouble(20, 0.05) <= 0.2
    assert after_throttling(0.05) <= 0.4


def test_of_those_who_stand_in_line_the_lowest_rank_comes_next_and_who_leaves_costs_no_place() -> None:
    async def served(*, leaving: str) -> list[str]:
        line, order, over = Line(1), [], asyncio.Event()

        async def come(rank: str) -> None:
            async with line.turn(rank):
                order.append(rank)
                await over.wait()

        tasks = {rank: asyncio.create_task(come(rank)) for rank in ("2", "5", "1", "4", "3")}
        await asyncio.sleep(0)
        assert order == ["2"]  # there was a place
        tasks[leaving].cancel()
        over.set()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        async with asyncio.timeout(5), line.turn("9"):  # the place is free again
            return order

    assert asyncio.run(served(leaving="5")) == ["2", "1", "3", "4"]
    assert asyncio.run(served(leaving="1")) == ["2", "3", "4", "5"]
    assert asyncio.run(served(leaving="2")) == ["2", "1", "3", "4", "5"]
