"""Nothing is paid twice: the real command, killed; the gateway's own ledger judges.

`tests/sweeps/test_power_loss.py` kills it at every step, `test_io_errors.py` fills the disk at each, and
`test_soak.py` strikes at random.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.harness.breadth import cases
from tests.harness.fork import Mishap

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator


def assert_whole(film: Film, shot: str) -> None:
    """The finished name and the take are one complete file, and nothing else lies there."""
    take = film.folder / "renders/shots/takes" / f"{shot}.001.mp4"
    assert film.finished(shot).samefile(take)
    assert film.state(shot)["takes"][0]["file"]["bytes"] == take.stat().st_size
    assert sorted(path.name for path in take.parent.iterdir() if not path.name.startswith(".new-")) == [take.name]


DOUBTFUL = {"body", "answer", "record"}
"""Killed just before one of these steps, it leaves an intent and no answer: nobody can know."""


@cases("step", ["gate", *sorted(DOUBTFUL), "download", "mkdir", "poll", "walk", "measure", "link"], quick=4)
@pytest.mark.shows("stopped at each durable operation, SIGKILL and power loss")
def test_killed_at_a_step_it_pays_once_and_goes_on(film: Film, gateway: Simulator, step: str) -> None:
    film.list({"shot": "a cat"})
    assert film.start(*film.arguments(), first=Mishap("kill", step)).result().code == -signal.SIGKILL
    later = [film.run() for _ in range(2)]
    ends = (3, {"shot": "in_doubt"}) if step in DOUBTFUL else (0, {"shot": "verified"})
    assert [(run.code, run.statuses) for run in later] == [ends, ends]
    assert len(gateway.charged) <= 1
    assert sum(bool(entry["form"]) for entry in gateway.wire) <= 1
    if step not in DOUBTFUL:
        assert len(gateway.charged) == 1
        assert later[0].shots["shot"]["file"] == "renders/shots/shot.mp4"
        assert_whole(film, "shot")


def test_the_run_that_brings_a_take_home_removes_what_a_dead_worker_left_of_it(film: Film, gateway: Simulator) -> None:
    """No later run may have anything to do, and so to tidy up."""
    film.list({"shot": "a cat"})
    assert film.start(*film.arguments(), first=Mishap("kill", "download")).result().code == -signal.SIGKILL
    folder = film.folder / "renders/shots/takes"
    for shot in ("shot", "other"):
        (folder / f".{shot}.001.host-123-0123abcd.part").write_bytes(b"half of it")

    assert film.run().statuses == {"shot": "verified"}
    assert [path.name for path in folder.glob(".*.part")] == [".other.001.host-123-0123abcd.part"]


@pytest.mark.parametrize("how", ["slow_create", "lost_response"])
def test_killed_while_the_gateway_has_the_order_it_is_in_doubt_until_a_person_says_more(
    film: Film, gateway: Simulator, until: Callable[[Callable[[], object]], None], how: str
) -> None:
    film.list({"shot": "the order is there"}, budget_usd=5)
    if how == "slow_create":
        gateway.order_fault(how, seconds=60)
        run = film.start(*film.arguments())
        until(lambda: gateway.charged)
        run.signal(signal.SIGKILL)
        assert run.result().code == -signal.SIGKILL
    else:
        gateway.order_fault(how)
        assert film.run().code == 3
    for _ in range(2):
        again = film.run()
        assert (again.code, again.statuses) == (3, {"shot": "in_doubt"})
    assert film.command("resolve", "shots.yaml", "shot", "--task-id", gateway.charged[0]["task_id"]).code == 0
    assert film.run().statuses == {"shot": "verified"}
    assert len(gateway.charged) == 1


@pytest.mark.slow
@pytest.mark.shows("stopped with several creates under way, and between the files of several shots")
def test_struck_at_random_again_and_again_a_batch_of_16_is_paid_at_most_16_times(
    film: Film, gateway: Simulator
) -> None:
    prompts = {f"S{number:02d}": f"shot number {number:02d} of the batch" for number in range(16)}
    film.list(prompts)
    film.pipeline(limits__creates_in_flight=2, limits__in_flight=16)
    gateway.order_fault("slow_create", times=None, seconds=0.1)
    chance, killed = random.Random(20261122), 0
    for _ in range(40):  # it ends by itself once all shots are settled or in doubt
        run = film.start(*film.arguments(), first=Mishap("kill", chance.randint(5, 70)))
        killed += run.result().code == -signal.SIGKILL
    assert killed >= 10, killed
    last = film.run()
    assert len(list((film.folder / ".veopipe/shots/runs").iterdir())) > 1  # it was killed at work, not before
    assert last.code in {0, 3}
    assert set(last.statuses.values()) <= {"verified", "in_doubt"}
    posted = Counter(dict(entry["form"])["prompt"] for entry in gateway.wire if entry["form"])
    paid = Counter(create["prompt"] for create in gateway.charged)
    assert max(posted.values()) == max(paid.values()) == 1
    assert set(posted) <= set(prompts.values())
    for shot, status in last.statuses.items():
        if status == "verified":
            assert paid[prompts[shot]] == 1
            assert film.finished(shot).stat().st_size == film.state(shot)["takes"][0]["file"]["bytes"]
    assert film.run().statuses == last.statuses
    assert len(gateway.charged) <= 16


def test_what_a_person_says_about_a_doubt_holds(film: Film, gateway: Simulator) -> None:
    film.list({"a": "not charged", "b": "written off"})
    gateway.order_fault("html_502", times=2, charged=False)
    assert film.run().statuses == {"a": "in_doubt", "b": "in_doubt"}
    listed = film.command("resolve", "shots.yaml", "--format", "json").document["takes"]
    assert [entry["shot"] for entry in listed] == ["a", "b"]
    assert film.command("resolve", "shots.yaml", "a", "--not-charged").code == 0
    given_up = film.command("resolve", "shots.yaml", "b", "--write-off")
    assert given_up.code == 0
    assert "b take 1: abandoned; it is given up: raise its take in the list to order another" in given_up.err
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "verified", "b": "abandoned"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.30"
    assert [create["prompt"] for create in gateway.charged] == ["not charged"]


def test_an_answer_that_was_rescued_is_taken_in_before_a_person_says_otherwise(film: Film, gateway: Simulator) -> None:
    film.list({"a": "paid, and rescued"})
    film.start(*film.arguments(), first=Mishap("kill", "record")).result()
    task = gateway.ledger[0]["task_id"]
    rescued = {"format": 1, "at": "2026-11-22T06:00:00Z", "shot": "a", "take": 1, "attempt": 1, "event": "ACCEPTED"}
    (film.folder / ".veopipe/shots/rescue/a.0.json").write_text(json.dumps({**rescued, "task_id": task}))
    said = film.command("resolve", "shots.yaml", "a", "--not-charged", "--format", "json")
    assert said.document["exit_code"] == 2
    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


def test_a_part_that_is_lost_is_fetched_again_and_without_a_key_it_says_so(film: Film, gateway: Simulator) -> None:
    film.list({"a": "the part is lost"})
    film.start(*film.arguments(), first=Mishap("kill", "measure")).result()
    assert film.state("a")["takes"][0]["status"] == "downloaded"
    (film.folder / "renders/shots/takes/.a.001.part").unlink()
    key = film.environment.pop("VEOPIPE_API_KEY")
    run = film.start(*film.arguments()).result(limit=40)
    assert (run.code, run.statuses) == (6, {"a": "rendered"})
    film.environment["VEOPIPE_API_KEY"] = key
    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


@pytest.mark.shows("lock held, holder killed, child left behind")
def test_the_lock_dies_with_its_process(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "the lock"})
    gateway.order_fault("stuck_in_progress")
    first = film.start(*film.arguments())
    first.until_it_says("rendering")
    assert film.run().code == 7
    first.signal(signal.SIGKILL)
    first.result()
    gateway.clear_faults()
    assert film.run().statuses == {"shot": "verified"}
    assert len(gateway.charged) == 1


def test_what_a_crash_leaves_behind_confuses_nobody(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "leftovers"})
    ledger, takes = film.folder / ".veopipe/shots", film.folder / "renders/shots/takes"
    run = film.start(*film.arguments(), first=Mishap("kill", "walk"))
    assert run.result().code == -signal.SIGKILL
    assert (takes / ".shot.001.part").exists()
    (takes / ".shot.001.part").write_bytes(b"half")
    for folder in (ledger / "state", ledger, takes, takes.parent):
        (folder / ".new-0123456789ab").write_bytes(b'{"half": ')
    os.utime(ledger / "lock", (0, 0))
    assert film.run().statuses == {"shot": "verified"}
    assert len(gateway.charged) == 1
    assert_whole(film, "shot")
