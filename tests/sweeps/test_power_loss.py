"""SIGKILL and power cuts at every durable operation: paid at most once, nothing lost, nothing torn.

Per push a run that buys is stopped at every point, and from around the create every disk is tried; of what others do
before it and after it each second point is, by turns. `VEOPIPE_LONG=1` tries all, thousands of disks. Command and
figures: docs/reliability.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.disks import KILL, LOST, WORST, Disk, Point, copy, cuts, seeded
from tests.harness.figures import LONG, Figures
from tests.harness.looks import LONG_AGO, died_asking, in_doubt
from tests.harness.sweeping import (
    AT_ONCE,
    PROMPTS,
    WHOLE,
    World,
    again_and_again,
    chained,
    crash_loop,
    google,
    picture,
    points_of,
    several,
    some_of,
    stop,
    sweep_command,
    sweep_new,
    sweep_resumed,
    sweep_several,
    sweep_several_resumed,
    text,
    watched,
)
from tests.harness.trials import Count, Trial, Yard, complaints_of, figures_of, gateway

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 1200)]
ALL = (*WORST, *seeded(12 if LONG else 1))
FEW = ALL if LONG else (KILL, LOST)
ONE = ALL if LONG else (LOST,)
ODD, EVEN = (WHOLE, WHOLE) if LONG else (slice(0, None, 2), slice(1, None, 2))
HISTORIES = 500 if LONG else 24
LOOPS = 100 if LONG else 4
OLDER = '<meta name="generator" content="veopipe 0.1.0">'
"""A report is replaced by a report, and nothing else is."""


@pytest.fixture
def told(figures: Figures) -> Callable[[str, list[Trial]], None]:
    """Every trial passed; their number goes into the figures of the run."""

    def tell(name: str, trials: list[Trial]) -> None:
        print(f"{name}: {figures_of(trials)}")
        figures(**figures_of(trials))
        assert not complaints_of(trials), complaints_of(trials)

    return tell


Told = Callable[[str, list[Trial]], None]


def first(points: list[Point], kind: str) -> int:
    return next(point.n for point in points if point.kind == kind)


@pytest.mark.shows("stopped at each durable operation, SIGKILL and power loss")
def test_stopped_at_every_point_a_new_shot_is_paid_once_from_every_disk_that_it_may_find(
    yard: Yard, told: Told
) -> None:
    points = points_of(yard, text)
    gate, end = first(points, "gate"), len(points) + 1
    if LONG:
        trials = sweep_new(yard, text, range(1, end), ALL)
    else:
        polled = first(points, "poll") + 1
        trials = sweep_new(yard, text, range(gate, polled), ALL)
        for turn, kind in enumerate((LOST, KILL)):
            trials += sweep_new(yard, text, range(1 + turn, gate, 2), (kind,))
        for turn, kind in enumerate(others := [kind for kind in ALL if kind != LOST]):
            trials += sweep_new(yard, text, range(polled + turn, end, len(others)), (LOST, kind))
    told("a shot of text", trials)
    assert {trial.point.n for trial in trials} >= set(range(1, end - 2))  # a run may have one more than another
    assert len(trials) > len(points) * 3 / 2 > 150
    assert {trial.status for trial in trials} == {"verified", "in_doubt"}
    doubtful = {trial.point.n for trial in trials if trial.status == "in_doubt"}
    assert min(doubtful) > gate
    assert max(doubtful) <= first(points, "poll")


@pytest.mark.shows("stopped at each durable operation, SIGKILL and power loss")
def test_stopped_around_the_create_a_shot_with_a_picture_is_paid_once(yard: Yard, told: Told) -> None:
    points = points_of(yard, picture)
    around = range(1, len(points) + 1) if LONG else range(first(points, "connect"), first(points, "poll") + 2)
    told("a shot with a picture", sweep_new(yard, picture, around, FEW))


@pytest.mark.shows("stopped at each durable operation, SIGKILL and power loss")
def test_stopped_at_every_point_a_shot_at_google_is_paid_once(yard: Yard, told: Told) -> None:
    points = points_of(yard, google)
    places = range(1, len(points) + 1) if LONG else some_of(points)  # the wire is all that differs
    trials = sweep_new(yard, google, places, ONE)
    told("a shot at Google's API", trials)
    assert {trial.status for trial in trials} == {"verified", "in_doubt"}
    assert max(trial.point.n for trial in trials if trial.status == "in_doubt") <= first(points, "poll")


def settled(yard: Yard, simulator: Simulator, kind: str) -> Film:
    """A film whose run was killed just before the first point of that kind after the create."""
    film = text(yard, simulator)
    stop(yard, film, simulator, ["gate", kind])
    assert Count.of(simulator) == Count(1, 1)
    return film


@pytest.mark.parametrize(
    ("kind", "part"),
    [("poll", WHOLE), ("download", ODD), ("measure", EVEN), ("link", ODD)],
    ids=["poll", "download", "measure", "link"],
)
@pytest.mark.shows("compound crashes, also during recovery")
def test_stopped_while_it_goes_on_from_any_status_a_paid_shot_is_not_paid_again(
    yard: Yard, told: Told, kind: str, part: slice
) -> None:
    kinds = FEW if kind == "link" else ONE
    with gateway() as simulator:
        ready = settled(yard, simulator, kind)
        told(f"resumed at {kind}", sweep_resumed(yard, ready, simulator, World(Count(1, 1)), kinds, part=part))


def test_stopped_while_it_wakes_a_parked_take_it_is_not_paid_again(yard: Yard, told: Told) -> None:
    with gateway() as simulator:
        film = text(yard, simulator)
        film.pipeline(poll__timeout="1ms")
        simulator.order_fault("stuck_in_progress", times=None)
        assert yard.run(film).status() == "parked"
        simulator.clear_faults()
        film.pipeline()
        told("parked", sweep_resumed(yard, film, simulator, World(Count(1, 1)), ONE, part=EVEN))


@pytest.mark.shows("compound crashes, also during recovery")
def test_stopped_while_a_doubt_is_recorded_or_resolved_it_is_neither_lost_nor_paid_again(
    yard: Yard, told: Told
) -> None:
    with gateway() as simulator:
        died = settled(yard, simulator, "record")
        doubt = World(Count(1, 1), doubt_is_fair=True)
        told("found submitting", sweep_resumed(yard, died, simulator, doubt, FEW))
        assert yard.run(died).code == 3
        told("in doubt", sweep_resumed(yard, died, simulator, doubt, FEW))
        task = simulator.charged[0]["task_id"]
        resolve = ["resolve", "shots.yaml", "shot", "--task-id", task, "-p", "quick.yaml", "--base-url", died.base_url]
        words = World(Count(1, 1), doubt_is_fair=True, command=resolve)
        trials = sweep_resumed(yard, died, simulator, words, ALL)
        told("resolved", trials)
        assert {trial.status for trial in trials} == {"verified", "in_doubt"}


@pytest.mark.shows("compound crashes, also during recovery")
def test_stopped_while_it_looks_at_the_accounts_log_what_was_charged_is_neither_lost_nor_paid_again(
    yard: Yard, told: Told
) -> None:
    doubt = World(Count(1, 1), doubt_is_fair=True)
    with gateway() as simulator:
        charged = died_asking(yard, simulator)
        told("a charge in the log", sweep_resumed(yard, charged, simulator, doubt, ONE))
        simulator.order_fault("log_task_id", times=None)
        place = "exit" if LONG else "poll"  # what follows is that of any other run that goes on
        trials = sweep_resumed(yard, charged, simulator, World(Count(1, 1)), ONE, until=place, part=ODD)
        told("a task in the log", trials)
        assert {trial.status for trial in trials} == {"verified"}


@pytest.mark.shows("compound crashes, also during recovery")
def test_stopped_while_it_looks_at_the_accounts_log_what_was_not_charged_is_sent_once(yard: Yard, told: Told) -> None:
    def make(yard: Yard, simulator: Simulator) -> Film:
        return in_doubt(yard, simulator, charged=False, minutes=LONG_AGO)

    with gateway() as simulator:
        looked = watched(yard, make(yard, simulator))
    assert (looked.code, looked.status()) == (1, "refused")
    trials = sweep_new(yard, make, range(1, len(looked.points) + 1), ONE, once_more=True)
    told("nothing in the log", trials)
    assert {trial.status for trial in trials} == {"verified"}


@pytest.mark.parametrize(("kind", "part"), [("poll", EVEN), ("link", WHOLE)], ids=["poll", "link"])
def test_stopped_while_a_renamed_shot_takes_its_state_over_it_is_not_paid_again(
    yard: Yard, told: Told, kind: str, part: slice
) -> None:
    with gateway() as simulator:
        ready = settled(yard, simulator, kind)
        path = ready.folder / "shots.yaml"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8"))).replace('"shot":', '"other":'), "utf-8")
        world = World(Count(1, 1), shot="other")
        told(f"renamed at {kind}", sweep_resumed(yard, ready, simulator, world, ONE, part=part))


@pytest.mark.shows("stopped in the other commands")
def test_a_finished_name_that_was_removed_comes_back_whatever_stops_it(yard: Yard, told: Told) -> None:
    with gateway() as simulator:
        film = text(yard, simulator)
        assert yard.run(film).code == 0
        film.finished("shot").unlink()
        told("shown again", sweep_resumed(yard, film, simulator, World(Count(1, 1)), FEW))


@pytest.mark.shows("stopped with several creates under way, and between the files of several shots")
def test_stopped_while_two_creates_are_under_way_each_shot_is_paid_once_and_no_more_than_two_are_in_doubt(
    yard: Yard, told: Told
) -> None:
    points = points_of(yard, several)
    places = range(1, len(points) + 1) if LONG else range(first(points, "connect"), len(points) + 1, 7)
    trials = sweep_several(yard, places, WORST if LONG else FEW)
    told("two creates at once", trials)
    assert any(trial.status.count("in_doubt") == AT_ONCE for trial in trials)
    assert any("in_doubt" not in trial.status for trial in trials)


@pytest.mark.shows("film sweep")
def test_stopped_anywhere_in_a_chain_each_shot_is_paid_once(yard: Yard, told: Told) -> None:
    """A shot that waits for one in doubt isn't sent; so the judge of several shots holds with one exception."""
    points = points_of(yard, chained)
    places = range(1, len(points) + 1) if LONG else range(first(points, "measure"), len(points) + 1, 4)
    trials = sweep_several(yard, places, FEW if LONG else (LOST,), chained)
    told("a chain of two", trials)
    assert {trial.status for trial in trials} >= {"verified,verified", "verified,in_doubt"}


def renamed(shots: list[str]) -> list[str]:
    return [f"{shot}-renamed" for shot in shots]


def rotated(shots: list[str]) -> list[str]:
    return [*shots[1:], shots[0]]


@pytest.mark.parametrize(("called", "part"), [(renamed, ODD), (rotated, EVEN)], ids=["renamed", "rotated"])
@pytest.mark.shows("stopped with several creates under way, and between the files of several shots")
def test_stopped_while_several_shots_are_renamed_and_shown_none_is_paid_again(
    yard: Yard, told: Told, called: Callable[[list[str]], list[str]], part: slice
) -> None:
    with gateway() as simulator:
        ready = several(yard, simulator)
        assert yard.run(ready).code == 0
        assert len(simulator.charged) == len(PROMPTS)
        for shot in PROMPTS:
            ready.finished(shot).unlink()
        ready.list(dict(zip(called(list(PROMPTS)), PROMPTS.values(), strict=True)))
        told(f"several {called.__name__}", sweep_several_resumed(yard, ready, simulator, ONE, part))
        assert len(simulator.charged) == len(PROMPTS)


@pytest.mark.shows("stopped in the other commands")
def test_stopped_while_a_mismatched_take_is_judged_again_it_is_verified_in_the_end(yard: Yard, told: Told) -> None:
    with gateway() as simulator:
        film = text(yard, simulator)
        simulator.order_fault("wrong_duration", seconds=6)
        assert yard.run(film).status() == "mismatched"
        film.pipeline(verify__duration_tolerance="5s")
        words = ["verify", "shots.yaml", "-p", "quick.yaml"]
        world = World(Count(1, 1), command=words, first=words)
        told("verify", sweep_resumed(yard, film, simulator, world, ONE, part=ODD))


FILES = {
    "plan": ["plan", "shots.yaml", "-p", "quick.yaml", "-o", "made.json"],
    "report": ["report", "shots.yaml", "-p", "quick.yaml", "-o", "made.html"],
    "init": ["init", "new"],
}


def is_whole(path: Path, old: str) -> bool:
    """Whether a made file is what it was before, or all of what it should be."""
    said = path.read_text("utf-8") if path.exists() else old
    if said == old:
        return True
    if path.suffix == ".json":
        return said.startswith("{") and said.endswith("}\n")
    return said.rstrip().endswith("</html>") or "shots:" in said


@pytest.mark.parametrize(
    ("command", "old"),
    [
        ("plan", ""),
        pytest.param("plan", '{"format": 1, "made_at": "", "shots": {}}\n', id="plan over an older one"),
        *(("report", ""), ("report", OLDER), ("init", "")),
    ],
)
@pytest.mark.shows("stopped in the other commands")
def test_stopped_while_a_file_is_made_it_is_the_old_one_or_the_new_one(
    yard: Yard, told: Told, command: str, old: str
) -> None:
    words = FILES[command]
    with gateway() as simulator:
        film = text(yard, simulator)
        made = "new/shots.yaml" if command == "init" else words[-1]
        if old:
            (film.folder / made).write_text(old, "utf-8")

        def judge_disk(left: Film) -> list[str]:
            path = left.folder / made
            wrong = [] if is_whole(path, old) else [f"{made} is torn: {path.read_bytes()[:200]!r}"]
            fine = {0, 2} if command == "init" and path.exists() else {0}  # a list that is there is left alone
            again = yard.run(left, arguments=words)
            if again.code not in fine:
                wrong.append(f"once more: exit {again.code}, {again.out} {again.err}")
            return wrong if is_whole(path, "") and path.exists() else [*wrong, "in the end it isn't there"]

        told(command, sweep_command(yard, film, words, judge_disk, ALL if LONG else FEW))
        assert simulator.wire == []


@pytest.mark.shows("compound crashes, also during recovery")
def test_struck_again_and_again_also_while_it_recovers_it_pays_once(yard: Yard, told: Told) -> None:
    longest = len(points_of(yard, text))
    trials = again_and_again(yard, longest, range(HISTORIES))
    told("again and again", trials)
    assert {trial.status for trial in trials} == {"verified", "in_doubt"}


@pytest.mark.shows("the budget: concurrency, a crash loop, resumption")
def test_a_budget_holds_in_a_service_that_dies_ten_times(yard: Yard, told: Told) -> None:
    told("crash loop with a budget", crash_loop(yard, range(LOOPS)))


@pytest.mark.shows("stopped at each durable operation, SIGKILL and power loss")
def test_a_power_cut_takes_exactly_what_was_not_synced(tmp_path: Path) -> None:
    """The model itself: without it the sweeps would prove nothing."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    before = Disk.of(folder)
    (folder / "old").rename(tmp_path / "kept")
    (folder / "old").write_bytes(b"newer")
    points = [
        Point(1, "open", (".new-1",)),
        Point(2, "write", (".new-1",)),
        Point(3, "fsync", (".new-1",), size=3),
        Point(4, "rename", (".new-1", "old"), kept=str(tmp_path / "kept")),
        Point(5, "open", ("log",)),
        Point(6, "poll", ("task",)),
    ]
    (folder / "log").write_bytes(b"line")
    left = dict(cuts(before, points, folder, tmp_path / "cut", (*WORST, *seeded(20))))
    assert contents(left["kill"]) == {"old": b"newer", "log": b"line"}
    assert contents(left["everything unsure lost"]) == {"old": b"old"}
    assert contents(left["bytes zeroed"]) == {"old": b"new\0\0", "log": b"\0\0\0\0"}
    by_chance = [contents(made) for kind, made in left.items() if kind.startswith("seed")]
    assert {"old": b"old", ".new-1": b"newer"} in by_chance or {"old": b"old", ".new-1": b"new"} in by_chance
    assert all(found["old"] in {b"old", b"new", b"newe", b"newer", b"new\0\0"} for found in by_chance)
    copy(folder, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
