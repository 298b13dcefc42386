"""How long a plan takes, and which limit holds it."""

from __future__ import annotations

import random

import pytest

from veopipe.plan.coming import Coming
from veopipe.plan.duration import USUAL, Duration, Limit, Pace, duration
from veopipe.takes.kinds import Experience, Kind, Mean

KIND: Kind = ("https://a:443", "veo", "720p", 8)
OTHER: Kind = ("https://a:443", "veo", "4k", 8)
MINUTE = Experience(rendered=Mean(60.0, 30))


def pace(per_minute: float = 10, in_flight: int = 4, downloads: int = 4, deadline: float | None = None) -> Pace:
    return Pace(
        creates_per_minute=per_minute, in_flight=in_flight, downloads=downloads, interval=15.0, deadline=deadline
    )


def takes(number: int, kind: Kind = KIND, *, is_new: bool = True, renders: bool = True) -> list[Coming]:
    return [Coming((f"S{at}", 1), kind, is_new, renders) for at in range(number)]


def chain(length: int) -> list[Coming]:
    """Each begins with a frame of the one before; the last one first, as a list may have it."""
    found = [Coming((f"S{at}", 1), KIND, True, True, ((f"S{at - 1}", 1),) if at else ()) for at in range(length)]
    return found[::-1]


def of(*arguments: object) -> Duration:
    found = duration(*arguments)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_nothing_to_come_takes_no_time() -> None:
    assert duration([], {}, pace()) is None


def test_the_defaults_make_a_day_of_creates_two_days_and_the_plan_says_why() -> None:
    """What issue 12 asks for, in its words."""
    found = of(takes(10_000), {KIND: MINUTE}, pace())

    assert (found.limit, found.on_record) == (Limit.IN_FLIGHT, 30)
    assert found.words() == (
        "about 17 h at 10 creates a minute; in_flight: 4 makes it 42 h (60 s a take, 30 on record)"
    )


def test_with_places_enough_the_rate_holds_it() -> None:
    found = of(takes(10_000), {KIND: MINUTE}, pace(in_flight=20))

    assert found.limit is Limit.RATE
    assert found.words() == "about 17 h at 10 creates a minute (60 s a take, 30 on record)"


def test_a_rate_below_one_a_minute_spaces_creates_by_more_than_a_minute() -> None:
    assert of(takes(11), {KIND: MINUTE}, pace(per_minute=0.5)).by[Limit.RATE] == 10 * 120.0 + 60.0


@pytest.mark.parametrize(("number", "waits"), [(1, 0), (10, 0), (11, 60), (20, 60), (21, 120)])
def test_as_many_creates_as_the_rate_allows_go_at_once(number: int, waits: float) -> None:
    assert of(takes(number), {KIND: MINUTE}, pace()).by[Limit.RATE] == waits + 60.0


def test_without_records_it_is_assumed_and_said_so() -> None:
    found = of(takes(4), {}, pace(in_flight=1))

    assert found.take == USUAL + 7.5
    assert found.words() == "about 70 s at 10 creates a minute; in_flight: 1 makes it 5 min (70 s a take, assumed)"


def test_downloads_hold_it_where_they_are_slow_and_on_record() -> None:
    slow = Experience(rendered=Mean(60.0, 9), fetched=Mean(40.0, 9))
    found = of(takes(1_000), {KIND: slow}, pace(1_000, in_flight=500, downloads=2))

    assert (found.limit, found.seconds) == (Limit.DOWNLOADS, 60 + 1_000 * 40 / 2)
    assert "; downloads: 2 makes it 5.6 h (" in found.words()


def test_a_chain_takes_its_takes_one_after_the_other_however_long_it_is() -> None:
    found = of([*takes(3, OTHER), *chain(3_000)], {KIND: MINUTE}, pace(10_000, in_flight=5_000))

    assert (found.limit, found.longest_chain) == (Limit.CHAIN, 3_000)
    assert found.seconds == 3_000 * 60.0
    assert "; a chain of 3,000 takes makes it 50 h (" in found.words()


def test_paid_takes_need_no_create_and_what_is_rendered_only_its_download() -> None:
    known = {KIND: Experience(rendered=Mean(60.0, 5), fetched=Mean(2.0, 5))}
    rendered = of(takes(1_000, is_new=False, renders=False), known, pace(in_flight=1))

    assert rendered.by[Limit.RATE] == 2.0
    assert rendered.seconds == 2_000.0


def test_the_deadline_says_what_it_leaves_to_the_next_run() -> None:
    found = of(takes(10_000), {KIND: MINUTE}, pace(deadline=6 * 3600.0))

    assert found.missed == pytest.approx(8_560, abs=20)
    assert "; the deadline of 6.0 h leaves some 8,5" in found.words()
    assert of(takes(10), {KIND: MINUTE}, pace(deadline=6 * 3600.0)).missed == 0


def played(times: list[float], limits: Pace) -> float:
    """When the last of so many takes ends, played by the limits: what a run does, without a clock."""
    free, sent, ends = [0.0] * limits.in_flight, [], 0.0
    for time in times:
        free.sort()
        start = free[0]
        if len(sent) >= limits.creates_per_minute:
            start = max(start, sent[-int(limits.creates_per_minute)] + 60.0)
        sent.append(start)
        free[0] = start + time
        ends = max(ends, free[0])
    return ends


@pytest.mark.parametrize("number", [1, 5, 40, 2_000])
@pytest.mark.parametrize("in_flight", [1, 4, 25, 200])
def test_what_it_says_is_what_runs_take_within_a_quarter(number: int, in_flight: int) -> None:
    draw = random.Random(f"{number} {in_flight}")
    limits = pace(in_flight=in_flight)
    ends = [played([draw.lognormvariate(3.93, 0.65) for _ in range(number)], limits) for _ in range(40)]
    mean = sum(ends) / len(ends)
    found = of(takes(number), {KIND: Experience(rendered=Mean(63.0, 100))}, limits)

    # Of a handful at once the slowest one decides, which no mean knows.
    assert mean * 0.75 - 60 <= found.seconds <= mean * 1.25


def test_places_hold_nothing_where_each_take_finds_one() -> None:
    found = of(takes(4), {}, pace(in_flight=4))

    assert Limit.IN_FLIGHT not in found.by
    assert found.words() == "about 70 s at 10 creates a minute (70 s a take, assumed)"
