"""Two of them: runs, commands, lists that share a folder, a run and the child that it left behind."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film, Started
    from veopipe.simulator.server import Simulator

Until = Callable[[Callable[[], object]], None]


@contextmanager
def a_run_that_says(film: Film, words: str) -> Iterator[Started]:
    """A run that has said so, and that is killed if it is still on."""
    run = film.start(*film.arguments())
    run.until_it_says(words)
    yield run
    if run.process.poll() is None:
        run.signal(signal.SIGKILL)
        run.result()


@contextmanager
def a_run_that_stays(film: Film, gateway: Simulator) -> Iterator[Started]:
    """A run whose first shot is verified and whose second one renders until the gateway says otherwise."""
    film.list({"done": "is verified", "stuck": "stays where it is"})
    gateway.order_fault("stuck_in_progress", times=None, match={"prompt": "stays"})
    with a_run_that_says(film, "verified") as run:
        yield run


@pytest.mark.shows("lock held, holder killed, child left behind")
def test_a_child_that_outlives_a_killed_run_holds_no_lock_and_ends_by_itself(
    film: Film, gateway: Simulator, until: Until
) -> None:
    film = replace(film, zygote=None)  # the children of a forked command are the zygote's
    with a_run_that_stays(film, gateway) as run:
        children = psutil.Process(run.process.pid).children(recursive=True)
        assert children, "nobody measured anything, so nothing is shown"
        for child in children:
            child.suspend()  # it can't notice that its parent is gone
        try:
            run.signal(signal.SIGKILL)
            run.result()
            gateway.clear_faults()
            assert all(child.is_running() for child in children)
            again = film.run()
        finally:
            for child in children:
                child.resume()
    assert (again.code, again.statuses) == (0, {"done": "verified", "stuck": "verified"})
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    assert len(gateway.charged) == 2


WRITING = {
    "run": ("run", "shots.yaml", "-p", "quick.yaml", "--yes"),
    "verify": ("verify", "shots.yaml", "-p", "quick.yaml"),
    "resolve": ("resolve", "shots.yaml", "stuck", "--write-off"),
    "resolve with a task": ("resolve", "shots.yaml", "stuck", "--task-id", "task_of_nobody"),
}
LOOKING = {
    "status": ("status", "shots.yaml", "-p", "quick.yaml"),
    "resolve": ("resolve", "shots.yaml"),
    "plan": ("plan", "shots.yaml", "-p", "quick.yaml"),
    "report": ("report", "shots.yaml", "-p", "quick.yaml"),
}


@pytest.mark.shows("resolve while a run is on")
def test_while_a_run_is_on_what_would_write_is_told_to_wait_and_what_only_looks_is_not(
    film: Film, gateway: Simulator
) -> None:
    with a_run_that_stays(film, gateway) as run:
        before = film.state("stuck")
        for words in WRITING.values():
            told = film.command(*words, "--format", "json")
            assert told.document["exit_code"] == 7, words
            assert f"pid {run.process.pid}" in told.document["error"]
        for words in LOOKING.values():
            assert film.command(*words).code == 0, words
        assert film.state("stuck") == before
        gateway.clear_faults()
        ended = run.result()
    assert (ended.code, len(gateway.charged)) == (0, 2)


@contextmanager
def a_run_that_still_buys(film: Film, gateway: Simulator) -> Iterator[Started]:
    """A run that has bought the first of five shots and is asking for the next one, which takes its time."""
    film.list({f"S{number}": f"shot number {number}" for number in range(5)})
    gateway.order_fault("slow_create", times=None, seconds=0.6)
    with a_run_that_says(film, "rendering") as run:
        yield run


def often(gateway: Simulator) -> dict[str, int]:
    """How often each prompt was paid."""
    return Counter(create["prompt"] for create in gateway.charged)


@pytest.mark.shows("lock held, holder killed, child left behind")
@pytest.mark.parametrize("gone", ["lock", "all that git ignores"])
def test_who_removes_the_lock_of_a_run_starts_no_second_one(film: Film, gateway: Simulator, gone: str) -> None:
    ledger = film.folder / ".veopipe/shots"
    with a_run_that_still_buys(film, gateway) as run:
        (ledger / "lock").unlink()
        if gone != "lock":
            shutil.rmtree(ledger / "runs")
            shutil.rmtree(ledger / "rescue")
        assert film.run().document["exit_code"] == 7
        assert "in_doubt" not in film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json").out
        assert run.result().code == 0
    assert set(often(gateway).values()) == {1}
    assert len(gateway.charged) == 5
    assert film.run().code == 0


def test_the_ledger_of_a_list_that_is_renamed_under_its_run_is_not_to_be_moved_before_the_run_ends(
    film: Film, gateway: Simulator
) -> None:
    with a_run_that_still_buys(film, gateway) as run:
        (film.folder / "shots.yaml").rename(film.folder / "film.yaml")
        told = film.run(manifest="film.yaml").document
        assert told["exit_code"] == 7
        assert "mv " not in told["hint"]
        assert run.result().code == 0
    assert set(often(gateway).values()) == {1}
    assert "mv .veopipe/shots .veopipe/film" in film.run(manifest="film.yaml").document["hint"]


def test_a_ledger_that_is_moved_or_replaced_under_its_run_is_written_no_more_and_nothing_more_is_sent(
    film: Film, gateway: Simulator
) -> None:
    ledger = film.folder / ".veopipe/shots"
    with a_run_that_still_buys(film, gateway) as run:
        shutil.copytree(ledger, ledger.with_name("copy"))
        ledger.rename(ledger.with_name("aside"))
        ledger.with_name("copy").rename(ledger)
        before = {path.name: path.read_bytes() for path in (ledger / "state").iterdir()}
        ended = run.result()
    assert ended.code == 6
    assert "was moved or replaced while this run is on" in ended.err
    assert {path.name: path.read_bytes() for path in (ledger / "state").iterdir()} == before
    sent = sum(often(gateway).values())
    assert sent <= 3
    gateway.clear_faults()
    assert film.run().code in {0, 3}
    assert set(often(gateway).values()) == {1}


def two_lists(film: Film) -> list[Film]:
    """Two lists of one name in two folders, whose pipelines put the videos into one and the same."""
    films = []
    for name in ("one", "two"):
        folder = film.folder / name
        folder.mkdir()
        made = replace(film, folder=folder)
        made.pipeline(output="../shared")
        made.list({"hero": f"of list {name}"})
        films.append(made)
    return films


@pytest.mark.shows("two lists that share an output")
def test_two_lists_that_share_an_output_folder_never_write_over_each_other(film: Film, gateway: Simulator) -> None:
    one, two = two_lists(film)
    assert one.run().code == 0
    finished = film.folder / "shared/shots/hero.mp4"
    content = finished.read_bytes()
    for words in ((), ("--new-ledger",)):
        refused = two.run(*words)
        assert refused.code == 2
        assert "belongs to another ledger" in refused.document["error"]
    assert finished.read_bytes() == content
    assert [create["prompt"] for create in gateway.charged] == ["of list one"]


@pytest.mark.shows("two lists that share an output")
def test_of_two_lists_that_claim_one_output_folder_at_the_same_moment_one_gets_it(
    film: Film, gateway: Simulator
) -> None:
    for made in (films := two_lists(film)):
        made.list({"hero": f"of list {made.folder.name}"}, budget_usd=0.30)
    runs = [one.start(*one.arguments()) for one in films]
    ended = [run.result() for run in runs]
    assert sorted(one.code for one in ended) == [0, 2], ended
    winner = films[[one.code for one in ended].index(0)]
    assert [create["prompt"] for create in gateway.charged] == [f"of list {winner.folder.name}"]
    assert winner.run(yes=False).statuses == {"hero": "verified"}


@pytest.mark.shows("each operation fails, once and for ever; short writes; the rescue")
def test_a_rescued_answer_counts_more_than_what_a_person_believes(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "answered, and not recorded in its place"})
    gateway.order_fault("lost_response")
    assert film.run().statuses == {"shot": "in_doubt"}
    rescue = film.folder / ".veopipe/shots/rescue"
    rescue.mkdir(exist_ok=True)
    task = gateway.charged[0]["task_id"]
    record = {"format": 1, "at": "2026-11-22T06:00:00Z", "shot": "shot", "take": 1, "attempt": 1}
    Path(rescue / "shot.0.json").write_text(json.dumps({**record, "event": "ACCEPTED", "task_id": task}), "ascii")
    believed = film.command("resolve", "shots.yaml", "shot", "--not-charged", "--format", "json")
    assert believed.document["exit_code"] == 2
    assert film.state("shot")["takes"][0]["attempts"][0]["task_id"] == task
    assert film.run().statuses == {"shot": "verified"}
    assert len(gateway.charged) == 1
