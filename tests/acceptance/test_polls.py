"""Polls come when results are expected, at the price of even spacing; and what is seen is on record for later runs."""

from __future__ import annotations

import json
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, Any

import pytest

from veopipe.simulator.server import Options, Simulator, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.film import Film

pytestmark = pytest.mark.slow

INTERVAL, MEDIAN, SPREAD, TAKES = 1.0, 3.4, 0.35, 60
"""A fifteenth of the usual times: 15 s and 51 s; a law that is narrower, so that sixty takes tell the difference."""


def batch(number: int) -> dict[str, str]:
    return {f"S{at:02d}": f"shot number {at:02d}" for at in range(number)}


def lateness(gateway: Simulator) -> tuple[float, float]:
    """Polls of a take, and seconds from its end to the poll that saw it."""
    asked: dict[str, list[float]] = {}
    for entry in gateway.wire:
        if entry["method"] == "GET" and not entry["path"].endswith("/content"):
            asked.setdefault(entry["task_id"], []).append(entry["time"])
    ready = {line["task_id"]: line["ready_at"] for line in gateway.ledger}
    late = [asked[task][-1] - at for task, at in ready.items()]
    return mean(len(times) for times in asked.values()), mean(late)


def measured(film: Film, **poll: Any) -> tuple[float, float]:
    with start(Options(task_time=MEDIAN, spread=SPREAD)) as gateway:
        film.list(batch(TAKES))
        film.pipeline(poll__interval=f"{INTERVAL}s", limits__in_flight=20, **poll)
        run = film.run("--base-url", gateway.base_url)
        assert set(run.statuses.values()) == {"verified"}
        return lateness(gateway)


def test_polls_that_adapt_are_fewer_and_no_later_than_even_ones(make_film: Callable[[str], Film]) -> None:
    polls, late = measured(make_film("adaptive"))
    before, later = measured(make_film("fixed"), poll__adaptive=False)

    assert polls < before
    assert polls * late < 0.8 * before * later


def test_what_polls_saw_is_on_record_and_says_when_the_video_was_there(film: Film) -> None:
    with start(Options(task_time=1.5)) as gateway:
        film.list(batch(2))
        film.pipeline(poll__interval="400ms")
        assert film.run("--base-url", gateway.base_url).code == 0
        state = film.state("S00")
    before, seen = state["takes"][0]["attempts"][0]["rendered_s"]

    assert 0.5 < before <= 1.6
    assert 1.4 < seen <= before + 4 * 0.4 + 0.5
    assert json.dumps(state["takes"][0]["order"]).find("rendered") < 0


def test_a_fixed_interval_asks_at_once_and_then_each_interval(film: Film) -> None:
    with start(Options(task_time=3)) as gateway:
        film.list(batch(1))
        film.pipeline(poll__interval="500ms", poll__adaptive=False)
        assert film.run("--base-url", gateway.base_url).code == 0
        times = [e["time"] for e in gateway.wire if e["method"] == "GET" and not e["path"].endswith("/content")]
        began = gateway.ledger[0]["created_at"]
    gaps = [after - before for before, after in pairwise(times)]

    assert times[0] - began < 0.35
    assert min(gaps) >= 0.38
    assert mean(gaps) < 0.75
