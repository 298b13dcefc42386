"""A forecast begins even, learns from results, keeps to the price, and is led astray by no law."""

from __future__ import annotations

import pytest

from benchmarks.polls import HOSTILE, World, measure, seen_before
from tests.harness.breadth import cases
from veopipe.run.polling.forecast import FEWEST, Forecast
from veopipe.run.polling.inspection import CLOSEST, FARTHEST

INTERVAL = 15.0


def after(results: int, latency: float = 51.0) -> Forecast:
    """A forecast that saw so many results, and has one take more."""
    forecast = Forecast.of(INTERVAL)
    for number in range(results):
        forecast.begin(number, 10.0 * number, 0.5)
        forecast.renders(number, 10.0 * number + latency - 6, 0.5)
        forecast.ended(number, 10.0 * number + latency + 4, None)
    forecast.begin("new", 1_000.0, 0.5)
    return forecast


def test_spacing_is_even_until_four_results_are_known() -> None:
    for results in range(FEWEST):
        assert after(results).due("new") == 1_015.0
    assert after(FEWEST).due("new") > 1_020.0


def test_even_spacing_keeps_its_interval_by_a_fifth() -> None:
    forecast = Forecast.of(INTERVAL)
    for draw in (0.0, 0.25, 1.0):
        forecast.begin("a", 100.0, draw)
        assert forecast.due("a") == pytest.approx(100 + 15 * (0.8 + 0.4 * draw))


def test_news_are_told_once_they_are_enough() -> None:
    forecast, told = Forecast.of(INTERVAL), []
    for number in range(40):
        forecast.begin(number, 0.0, 0.5)
        told.append(forecast.ended(number, 51.0, None))

    assert not any(told[: FEWEST - 1])
    assert told[FEWEST - 1]
    assert 3 < sum(told) < 15


def test_what_earlier_runs_saw_counts_from_the_first_take_on() -> None:
    forecast = Forecast.of(INTERVAL, seen_before(30))
    forecast.begin("a", 0.0, 0.5)

    assert forecast.due("a") > 18


def test_a_fixed_forecast_learns_nothing() -> None:
    forecast = Forecast.of(INTERVAL, seen_before(30), learns=False)
    forecast.begin("a", 0.0, 0.5)

    assert forecast.due("a") == 15.0


def test_a_take_whose_age_is_uncertain_teaches_nothing() -> None:
    forecast = Forecast.of(INTERVAL)
    for number in range(20):
        forecast.begin(number, -5_000.0, 0.5, teaches=False)
        forecast.renders(number, 100.0, 0.5)
        assert not forecast.ended(number, 110.0, None)
    forecast.begin("new", 1_000.0, 0.5)

    assert forecast.due("new") == 1_015.0


@pytest.mark.parametrize("asked", [0.0, 5.0, 1e4, 1e8])
def test_waits_keep_their_bounds_at_any_age(asked: float) -> None:
    forecast = after(20)
    if asked:
        forecast.renders("new", 1_000 + asked, 0.5)
    wait = forecast.due("new") - (1_000 + asked)

    assert CLOSEST * INTERVAL - 1e-6 * asked <= wait <= FARTHEST * INTERVAL + 1e-6 * asked


@cases("name", HOSTILE, quick=4)
def test_no_law_makes_it_much_worse_than_even_spacing(name: str) -> None:
    evenly, late, _ = measure(World("even", HOSTILE[name]), 6)
    polls, delay, _ = measure(World("forecast", HOSTILE[name]), 6)

    assert polls * delay < 1.25 * evenly * late
    assert polls < 1.6 * evenly


def test_results_are_seen_sooner_for_the_same_polls() -> None:
    polls, delay, _ = measure(World("loop"), 6)
    ours, sooner, _ = measure(World("forecast"), 6)

    assert ours * sooner < 0.72 * polls * delay
    assert ours < 0.88 * polls


def test_ticks_are_found_and_kept_to() -> None:
    polls, _, _ = measure(World("loop", step=15.0), 4)
    ours, delay, _ = measure(World("forecast", takes=300, step=15.0), 4)

    assert ours < 0.8 * polls
    assert delay < 1.0


def test_what_says_when_we_asked_changes_nothing() -> None:
    ours, delay, _ = measure(World("forecast", stamp="poll"), 6)

    assert ours * delay < 0.75 * 5.7 * 7.5
