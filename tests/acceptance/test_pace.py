"""When the gateway says that it is too much, creates and polls slow down together, and recover."""

from __future__ import annotations

import itertools
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from veopipe.simulator.server import Options, Simulator, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.film import Film

pytestmark = pytest.mark.slow

INTERVAL = 0.1
GRACE = 0.15
"""Seconds in which a request may still come that was on its way when the gateway said stop."""


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """Tasks that take a while, so that they are polled."""
    with start(Options(task_time=3)) as running:
        yield running


def batch(number: int) -> dict[str, str]:
    return {f"S{at:02d}": f"shot number {at:02d}" for at in range(number)}


def asked(gateway: Simulator) -> list[dict[str, Any]]:
    """Creates and polls, in order of arrival."""
    return [entry for entry in gateway.wire if not entry["path"].endswith("/content")]


def refused(gateway: Simulator) -> dict[str, Any]:
    return next(entry for entry in asked(gateway) if entry["status"] == 429)


def quiet_after(gateway: Simulator, moment: float) -> float:
    """Seconds without a request after what was on its way at that moment."""
    later = [entry["time"] for entry in asked(gateway) if entry["time"] > moment + GRACE]
    return min(later) - moment


@pytest.mark.parametrize("fault", ["poll_429", "429_busy"])
@pytest.mark.shows("429 and Retry-After: creates and polls slow down together, and recover")
def test_retry_after_is_kept_by_creates_and_polls_alike(film: Film, gateway: Simulator, fault: str) -> None:
    film.list(batch(5))
    film.pipeline(poll__interval=f"{INTERVAL}s", limits__creates_per_minute=240)  # a short list goes at once
    gateway.order_fault(fault, after=2, retry_after=2)
    run = film.run()
    assert set(run.statuses.values()) == {"verified"}
    said = refused(gateway)
    assert quiet_after(gateway, said["time"]) >= 1.95
    methods = {entry["method"] for entry in asked(gateway) if entry["time"] > said["time"] + 1.95}
    assert "GET" in methods
    if fault == "429_busy":
        assert "POST" in methods
    assert len(gateway.charged) == 5


def test_a_download_that_is_too_much_lets_polls_and_creates_rest_too(film: Film) -> None:
    with start(Options(task_time=0)) as gateway:
        film.list(batch(8))
        film.pipeline(poll__interval=f"{INTERVAL}s", limits__downloads=1)
        gateway.order_fault("content_429", retry_after=2)
        run = film.run("--base-url", gateway.base_url)
        assert set(run.statuses.values()) == {"verified"}
        said = next(entry["time"] for entry in gateway.wire if entry["status"] == 429)
        asked_later = quiet_after(gateway, said)
    assert asked_later >= 1.95


def test_after_a_rest_takes_are_not_asked_about_all_at_once(film: Film, gateway: Simulator) -> None:
    film.list(batch(20))
    film.pipeline(poll__interval="500ms")
    gateway.order_fault("poll_429", after=5, retry_after=1.5)
    assert set(film.run().statuses.values()) == {"verified"}
    over = refused(gateway)["time"] + 1.45
    first: dict[str, float] = {}
    for entry in asked(gateway):
        if entry["method"] == "GET" and entry["time"] > over:
            first.setdefault(entry["task_id"], entry["time"])
    times = sorted(first.values())
    assert len(times) == 20
    assert times[-1] - times[0] > 0.2
    assert max(sum(start <= time < start + 0.05 for time in times) for start in times) <= 10


def gaps(gateway: Simulator, task_id: str) -> list[tuple[float, float]]:
    """When each poll of a task came, and how long after the one before."""
    times = [entry["time"] for entry in gateway.wire if entry["method"] == "GET" and entry["path"].endswith(task_id)]
    return [(later, later - earlier) for earlier, later in itertools.pairwise(times)]


@pytest.mark.slow
def test_polls_that_hang_delay_no_other_take(film: Film, gateway: Simulator, until: Callable[..., None]) -> None:
    film.list(batch(40))
    gateway.order_fault("poll_read_timeout", times=16)
    began = time.monotonic()
    run = film.start(*film.arguments())
    until(lambda: len(list((film.folder / "renders/shots").glob("*.mp4"))) == 24)
    assert time.monotonic() - began < 40  # a poll is given up after 60 s
    run.signal(signal.SIGINT)
    ended = run.result()
    assert Counter(row["status"] for row in ended.document["shots"].values()) == {"verified": 24, "rendering": 16}


@pytest.mark.shows("429 and Retry-After: creates and polls slow down together, and recover")
def test_polls_get_slower_when_there_are_too_many_and_quick_again_afterwards(film: Film) -> None:
    interval = 0.05
    with start(Options(task_time=7)) as gateway:
        film.list({"a": "slow and quick"})
        film.pipeline(poll__interval=f"{interval}s")
        gateway.order_fault("poll_429", times=5, after=5)
        assert film.run("--base-url", gateway.base_url).code == 0
        said = [entry["time"] for entry in gateway.wire if entry["status"] == 429]
        found = gaps(gateway, gateway.ledger[0]["task_id"])
    slow = [gap for time, gap in found if said[1] < time <= said[-1] + 0.3]
    later = [gap for time, gap in found if time > said[-1] + 4 * 8 * interval]  # half of it back in 8 intervals
    assert max(slow) > 2.5 * interval
    assert len(later) > 10
    assert sorted(later)[len(later) // 2] < 1.6 * interval


@pytest.mark.shows("429 and Retry-After: creates and polls slow down together, and recover")
def test_creates_that_are_too_many_slow_down_and_none_is_lost_or_paid_twice(film: Film, gateway: Simulator) -> None:
    film.list(batch(6))
    film.pipeline(poll__interval=f"{INTERVAL}s", limits__creates_in_flight=3)
    gateway.order_fault("429_busy", times=4, after=1)
    run = film.run()
    assert (run.code, set(run.statuses.values())) == (0, {"verified"})
    posts = [entry for entry in gateway.wire if entry["method"] == "POST"]
    assert [entry["status"] for entry in posts].count(429) == 4
    said = refused(gateway)["time"]
    assert quiet_after(gateway, said) >= 2 * INTERVAL
    assert len(gateway.charged) == 6


@pytest.mark.shows("429 and Retry-After: creates and polls slow down together, and recover")
def test_a_gateway_that_stays_busy_ends_creating_and_nothing_is_refused_for_good(
    film: Film, gateway: Simulator
) -> None:
    film.list(batch(2))
    film.pipeline(poll__interval="20ms")
    gateway.order_fault("429_empty", times=None)
    run = film.run()
    assert (run.code, set(run.statuses.values())) == (4, {"pending"})
    assert "busy" in run.err
    gateway.clear_faults()
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.charged) == 2
