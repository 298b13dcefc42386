"""A carrier that dies at each step, one after the other: paid once, brought home by whoever goes on, nothing damaged.

A carrier brings a video: a worker of an engine does, into a folder or a bucket, and the run itself. Untouched trials
record the points first, so a step that veopipe doesn't announce is swept, too. Command and figures:
docs/reliability.md.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_engines import fetches, takes
from tests.harness.carriers import (
    Dock,
    points_of_run,
    points_of_worker,
    step_of,
    sweep_alone,
    sweep_both,
    sweep_power,
    sweep_runs,
    sweep_workers,
)
from tests.harness.cluster import Cluster
from tests.harness.disks import Point
from tests.harness.figures import Figures
from tests.harness.film import Film
from tests.harness.forkedengine import plug
from tests.harness.store import Proxy, Store
from tests.harness.trials import Trial, Yard, complaints_of, figures_of
from veopipe.delivery.errand import SIGHT
from veopipe.simulator.server import Simulator

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
FETCH = {"connect", "walk part", "measure part"}
RECORD = {"open temporary", "write temporary", "fsync temporary", "rename state", "fsync-folder state"}
INTO_FOLDER = {
    *(*FETCH, "remove part", "open part", "write part", "fsync part", "chmod part"),
    *("open temporary", "write temporary", "fsync temporary", "rename temporary", "link mark", "remove temporary"),
    *("link take", "fsync-folder", "exit"),
}
"""What a worker does for an errand."""
INTO_BUCKET = {*FETCH, "write", "fsync", "fsync-folder", "put part", "stored part", "exit"}
WITH_FOLDER = {*RECORD, "download", "connect", "remove part", "link temporary", "rename take", "fsync-folder", "exit"}
"""What a run does from the errand on."""
WITH_BUCKET = {*RECORD, "download", "connect", "remove part", "copy take", "exit"}
ALONE = {
    *(*RECORD, "download", "open part", "write part", "fsync part", "walk part", "measure part"),
    *("put part", "stored part", "remove part", "copy take", "exit"),
}

Told = Callable[[list[Point], list[Trial]], None]


@pytest.fixture
def folder(yard: Yard, tmp_path: Path) -> Iterator[Dock]:
    """Videos go into a folder."""
    with Dock(yard, plug(tmp_path / "site")) as dock:
        yield dock


@pytest.fixture
def bucket(yard: Yard, tmp_path: Path, store: Store, prefix: str) -> Iterator[Dock]:
    """Videos go into a bucket."""
    with Dock(yard, plug(tmp_path / "site"), store, prefix) as dock:
        yield dock


@pytest.fixture
def told(figures: Figures, request: pytest.FixtureRequest) -> Told:
    """Every trial passed, and each point was struck; their number goes into the figures."""

    def tell(points: list[Point], trials: list[Trial]) -> None:
        print(f"{request.node.name}: {figures_of(trials)}")
        figures(**figures_of(trials))
        assert not complaints_of(trials), complaints_of(trials)
        missed = {point.n for point in points} - {trial.point.n for trial in trials}
        assert len(missed) <= 1, missed  # a run may have one more than another
        assert {trial.status for trial in trials} == {"verified"}

    return tell


def seen(points: list[Point], steps: set[str], since: str = "") -> list[Point]:
    """The points from the first of a kind on; a step that isn't there any more wouldn't be swept, unseen."""
    found = points[[point.kind for point in points].index(since) if since else 0 :]
    assert steps - {step_of(point) for point in found} == set()
    return found


def arriving(points: list[Point]) -> list[Point]:
    """Those from where a run writes what its workers are to see, up to the first create."""
    sight = next(number for number, point in enumerate(points) if point.subject.endswith(f"/{SIGHT}"))
    gate = [point.kind for point in points].index("gate")
    assert points[sight - 3].kind == "open"
    return points[sight - 3 : gate + 1]


@pytest.mark.shows("a carrier that dies at each step")
def test_a_worker_that_dies_at_any_step_into_a_folder_costs_a_download_at_most(folder: Dock, told: Told) -> None:
    points = seen(points_of_worker(folder), INTO_FOLDER)
    told(points, sweep_workers(folder, points))


@pytest.mark.shows("a carrier that dies at each step")
def test_a_worker_that_dies_at_any_step_into_a_bucket_costs_a_download_at_most(bucket: Dock, told: Told) -> None:
    points = seen(points_of_worker(bucket), INTO_BUCKET)
    told(points, sweep_workers(bucket, points))


@pytest.mark.shows("a carrier that dies at each step")
def test_a_power_cut_where_a_worker_is_at_work_leaves_nothing_that_is_half_there(folder: Dock, told: Told) -> None:
    points = seen(points_of_worker(folder), INTO_FOLDER)
    told(points, sweep_power(folder, points))


@pytest.mark.shows("a carrier that dies at each step")
def test_what_a_worker_and_its_run_that_die_leave_in_a_bucket_is_adopted(bucket: Dock, told: Told) -> None:
    points = seen(points_of_worker(bucket), INTO_BUCKET)
    told(points, sweep_both(bucket, points))


@pytest.mark.shows("a carrier that dies at each step")
def test_a_run_that_dies_after_it_gave_an_errand_out_finds_the_take_in_its_folder(folder: Dock, told: Told) -> None:
    points = points_of_run(folder)
    chosen = arriving(points) + seen(points, WITH_FOLDER, "download")
    told(chosen, sweep_runs(folder, chosen))


@pytest.mark.shows("a carrier that dies at each step")
def test_a_run_that_dies_after_it_gave_an_errand_out_finds_the_take_in_its_bucket(bucket: Dock, told: Told) -> None:
    points = seen(points_of_run(bucket), WITH_BUCKET, "download")
    told(points, sweep_runs(bucket, points))


@pytest.mark.shows("a carrier that dies at each step")
def test_a_run_that_dies_at_any_step_on_the_way_into_a_bucket_sends_each_video_once(
    bucket: Dock, proxy: Proxy, told: Told
) -> None:
    bucket.store = Store(proxy.endpoint)
    points, trials = sweep_alone(bucket)
    seen(points, ALONE, "download")
    told(points, trials)
    sent = [path for method, path in proxy.asked if method == "PUT" and "/takes/" in path]
    assert len(sent) == len(set(sent)) > len(trials)


@pytest.mark.shows("a carrier that dies at each step")
def test_dask_workers_that_die_one_after_the_other_leave_an_errand_to_the_next(
    film: Film, gateway: Simulator, tmp_path: Path
) -> None:
    """After some deaths Dask gives the errand up itself (`KilledWorker`)."""
    steps = ["write .part", "walk .part", "link .json", "link .mp4"]
    film.list({"shot": "a cat"})
    with Cluster(tmp_path / "cluster") as cluster:
        started = film.start(*film.arguments("--executor", cluster.executor))
        for step in steps:
            worker = cluster.worker(preload="tests.harness.dying", DIES_AT=step)
            assert worker.process.wait(60) == -signal.SIGKILL, worker.said()
        cluster.workers(1)
        result = started.result()

    assert (result.code, result.statuses) == (0, {"shot": "verified"})
    assert len(gateway.ledger) == 1
    assert [name for name in takes(film) if not name.startswith(".new-")] == [
        ".engine",
        ".shot.001.json",
        "shot.001.mp4",
    ]
    assert fetches(gateway) == len(steps) + 1  # each death cost one
