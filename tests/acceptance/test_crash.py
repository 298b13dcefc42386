"""Nothing is paid twice: the real command, killed at every step and at random; the gateway's own ledger judges."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

ON_DISK = frozenset({"mkdir", "open", "write", "fsync", "fsync-folder", "rename", "link"})
# A process that dies just before one of these leaves the intent on disk and no answer: nobody can know.
DOUBTFUL = ["fsync-folder", "body", "answer", "record", "open", "write", "fsync", "rename"]
AT_ONCE = 3


@dataclass
class Trial:
    """What became of one shot whose first run went wrong at one step."""

    number: int
    step: str
    first: Result
    status: str
    codes: list[int]
    paid: int
    posted: int


@pytest.fixture
def steps(make_film: Callable[[str], Film], dying: tuple[str, ...]) -> list[str]:
    """The names of all steps of a whole run of one shot, in order."""
    film = make_film("counted")
    film.list({"shot": "trial 000 is counted"})
    listed = film.folder / "steps.txt"
    run = film.start("count", "-", *film.arguments(), program=dying, STEPS=str(listed))
    assert run.result().statuses == {"shot": "verified"}
    return [line.partition("\t")[0] for line in listed.read_text("utf-8").splitlines()]


@dataclass
class Trials:
    """Shots whose first run goes wrong, one for each step, some at once.

    Attributes:
        how: `kill` or `full`.
        again: how often each is run as ever after that.
    """

    make_film: Callable[[str], Film]
    gateway: Simulator
    dying: tuple[str, ...]
    how: str
    again: int

    def of(self, steps: Mapping[int, str]) -> list[Trial]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.one, steps.keys(), steps.values()))

    def one(self, number: int, step: str) -> Trial:
        """Run one shot until it goes wrong at a step, then as ever; look at all that is left."""
        film, prompt = self.make_film(f"trial-{number}"), f"trial {number:03d}"
        film.list({"shot": prompt})
        first = film.start(self.how, str(number), *film.arguments(), program=self.dying).result()
        later = [film.run() for _ in range(self.again)]
        assert all(one.statuses == later[0].statuses for one in later), (number, step, later)
        paid = [create for create in self.gateway.charged if create["prompt"] == prompt]
        posted = [entry for entry in self.gateway.wire if ["prompt", prompt] in (entry["form"] or [])]
        status = later[0].statuses["shot"]
        if status == "verified":
            assert later[0].shots["shot"]["file"] == "renders/shots/shot.mp4"
            assert_whole(film, "shot")
        return Trial(number, step, first, status, [one.code for one in later], len(paid), len(posted))


def assert_whole(film: Film, shot: str) -> None:
    """The finished name and the take are one complete file, and nothing else lies there."""
    take = film.folder / "renders/shots/takes" / f"{shot}.001.mp4"
    assert film.finished(shot).samefile(take)
    assert film.state(shot)["takes"][0]["file"]["bytes"] == take.stat().st_size
    assert sorted(path.name for path in take.parent.iterdir() if not path.name.startswith(".new-")) == [take.name]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_every_step_it_pays_once_and_goes_on(
    make_film: Callable[[str], Film], gateway: Simulator, dying: tuple[str, ...], steps: list[str]
) -> None:
    trials = Trials(make_film, gateway, dying, "kill", again=2).of(dict(enumerate(steps, 1)))
    assert len(trials) > 60
    assert all(one.first.code == -signal.SIGKILL for one in trials)
    assert all(one.paid <= 1 and one.posted <= 1 for one in trials), trials
    assert {one.status for one in trials} == {"verified", "in_doubt"}
    doubtful = [one for one in trials if one.status == "in_doubt"]
    assert [one.step for one in doubtful] == DOUBTFUL
    assert [one.number for one in doubtful] == list(range(doubtful[0].number, doubtful[0].number + len(DOUBTFUL)))
    assert all(one.codes == [3, 3] for one in doubtful)
    assert all(one.codes == [0, 0] and one.paid == 1 for one in trials if one.status == "verified")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_with_a_full_disk_from_any_step_on_it_pays_once_and_goes_on(
    make_film: Callable[[str], Film], gateway: Simulator, dying: tuple[str, ...], steps: list[str]
) -> None:
    writing = {number: step for number, step in enumerate(steps, 1) if step in ON_DISK}
    trials = Trials(make_film, gateway, dying, "full", again=1).of(writing)
    assert all(one.first.document["exit_code"] == 6 for one in trials)
    assert all(one.paid <= 1 and one.posted <= 1 for one in trials), trials
    settled = [one for one in trials if one.status == "verified"]
    assert all(one.codes == [0] and one.paid == 1 for one in settled)
    # Only while the answer had no place at all on the disk is it lost there; then it stands on stderr.
    intent, *answers = [one for one in trials if one not in settled]
    assert (intent.step, intent.posted, intent.codes) == ("fsync-folder", 0, [3])
    assert [one.step for one in answers] == ["open", "write", "fsync", "rename"]
    assert all(one.codes == [3] and 'VEOPIPE-RESCUE {"format": 1' in one.first.err for one in answers)


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
@pytest.mark.timeout(1200)
def test_killed_again_and_again_while_it_recovers_it_pays_once(
    make_film: Callable[[str], Film], gateway: Simulator, dying: tuple[str, ...]
) -> None:
    chance = random.Random(20261122)

    def one(number: int, places: list[int]) -> tuple[str, int]:
        film, prompt = make_film(f"again-{number}"), f"killed again and again {number:03d}"
        film.list({"shot": prompt})
        for place in places:
            film.start("kill", str(place), *film.arguments(), program=dying).result()
        last = film.run()
        assert last.code == {"verified": 0, "in_doubt": 3}[last.statuses["shot"]]
        return last.statuses["shot"], sum(create["prompt"] == prompt for create in gateway.charged)

    places = [[chance.randint(28, 72), chance.randint(6, 30), chance.randint(6, 20)] for _ in range(16)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(one, range(16), places))
    assert all(paid <= 1 for _, paid in ends)
    assert all(paid == 1 for status, paid in ends if status == "verified")
    assert "verified" in {status for status, _ in ends}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_40_times_at_random_a_batch_of_16_is_paid_16_times(film: Film, gateway: Simulator) -> None:
    prompts = {f"S{number:02d}": f"shot number {number:02d} of the batch" for number in range(16)}
    film.list(prompts)
    film.pipeline(limits__creates_in_flight=2, limits__in_flight=16)
    gateway.order_fault("slow_create", times=None, seconds=0.1)
    chance, killed, began = random.Random(20261122), 0, time.monotonic()
    film.command("plan", "shots.yaml", "-p", "quick.yaml")
    awake = time.monotonic() - began  # what this machine needs before a run begins, today
    while killed < 40:
        run = film.start(*film.arguments())
        try:
            run.process.wait(chance.uniform(0.6 * awake, 1.5 * awake + 0.8))
        except subprocess.TimeoutExpired:
            run.signal(signal.SIGKILL)
        struck = run.result().code == -signal.SIGKILL
        killed += struck
        awake *= 1.03 if struck else 0.8  # by then it may be another: a run that is never struck would go on for ever
    last = film.run()
    assert len(list((film.folder / ".veopipe/shots/runs").iterdir())) > 1  # it was killed at work, not before
    assert last.code in {0, 3}
    assert set(last.statuses.values()) <= {"verified", "in_doubt"}
    posted = Counter(dict(entry["form"])["prompt"] for entry in gateway.wire if entry["form"])
    assert max(posted.values()) == 1
    assert set(posted) <= set(prompts.values())
    paid = Counter(create["prompt"] for create in gateway.charged)
    assert max(paid.values()) == 1
    assert all(paid[prompts[shot]] == 1 for shot, status in last.statuses.items() if status == "verified")
    for shot, status in last.statuses.items():
        if status == "verified":
            assert film.finished(shot).stat().st_size == film.state(shot)["takes"][0]["file"]["bytes"]
    assert film.run().statuses == last.statuses
    assert sum(Counter(create["prompt"] for create in gateway.charged).values()) <= 16


def test_what_a_person_says_about_a_doubt_holds(film: Film, gateway: Simulator) -> None:
    film.list({"a": "not charged", "b": "written off"})
    gateway.order_fault("html_502", times=2, charged=False)
    assert film.run().statuses == {"a": "in_doubt", "b": "in_doubt"}
    listed = film.command("resolve", "shots.yaml", "--format", "json").document["takes"]
    assert [entry["shot"] for entry in listed] == ["a", "b"]
    assert film.command("resolve", "shots.yaml", "a", "--not-charged").code == 0
    assert film.command("resolve", "shots.yaml", "b", "--write-off").code == 0
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "verified", "b": "abandoned"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.30"
    assert [create["prompt"] for create in gateway.charged] == ["not charged"]


def test_an_answer_that_was_rescued_is_taken_in_before_a_person_says_otherwise(
    film: Film, gateway: Simulator, dying: tuple[str, ...]
) -> None:
    film.list({"a": "paid, and rescued"})
    film.start("kill", "record", *film.arguments(), program=dying).result()
    task = gateway.ledger[0]["task_id"]
    rescued = {"format": 1, "at": "2026-11-22T06:00:00Z", "shot": "a", "take": 1, "attempt": 1, "event": "ACCEPTED"}
    (film.folder / ".veopipe/shots/rescue/a.0.json").write_text(json.dumps({**rescued, "task_id": task}))
    said = film.command("resolve", "shots.yaml", "a", "--not-charged", "--format", "json")
    assert said.document["exit_code"] == 2
    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


def test_a_part_that_is_lost_is_fetched_again_and_without_a_key_it_says_so(
    film: Film, gateway: Simulator, dying: tuple[str, ...]
) -> None:
    film.list({"a": "the part is lost"})
    film.start("kill", "measure", *film.arguments(), program=dying).result()
    assert film.state("a")["takes"][0]["status"] == "downloaded"
    (film.folder / "renders/shots/takes/.a.001.part").unlink()
    key = film.environment.pop("VEOPIPE_API_KEY")
    run = film.start(*film.arguments()).result(limit=40)
    assert (run.code, run.statuses) == (6, {"a": "rendered"})
    film.environment["VEOPIPE_API_KEY"] = key
    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


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


def test_what_a_crash_leaves_behind_confuses_nobody(film: Film, gateway: Simulator, dying: tuple[str, ...]) -> None:
    film.list({"shot": "leftovers"})
    ledger, takes = film.folder / ".veopipe/shots", film.folder / "renders/shots/takes"
    run = film.start("kill", "walk", *film.arguments(), program=dying)
    assert run.result().code == -signal.SIGKILL
    assert (takes / ".shot.001.part").exists()
    (takes / ".shot.001.part").write_bytes(b"half")
    for folder in (ledger / "state", ledger, takes, takes.parent):
        (folder / ".new-0123456789ab").write_bytes(b'{"half": ')
    os.utime(ledger / "lock", (0, 0))
    assert film.run().statuses == {"shot": "verified"}
    assert len(gateway.charged) == 1
    assert_whole(film, "shot")
