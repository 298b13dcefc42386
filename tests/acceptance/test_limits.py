"""Money, limits and plans as permissions: never more than someone allowed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

Until = Callable[[Callable[[], object]], None]
STANDARD = "veo-3.1-generate-preview"


def forms(gateway: Simulator) -> list[dict[str, str]]:
    """The text fields of all creates, in order of arrival."""
    return [dict(entry["form"]) for entry in gateway.wire if entry["form"] is not None]


def batch(number: int, words: str = "shot number") -> dict[str, str]:
    return {f"S{at:02d}": f"{words} {at:02d}" for at in range(number)}


# --- money -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lowest", ["list", "pipeline", "option"])
def test_of_three_caps_the_lowest_holds_and_is_never_overshot(film: Film, gateway: Simulator, lowest: str) -> None:
    caps = {"list": 2.0, "pipeline": 2.0, "option": 2.0, lowest: 1.0}
    film.list(batch(6), budget_usd=caps["list"])
    film.pipeline(limits__max_cost_usd=caps["pipeline"], limits__creates_in_flight=4)
    run = film.run("--max-cost", str(caps["option"]), yes=False)
    assert run.code == 5
    assert sorted(run.statuses.values()) == ["pending"] * 3 + ["verified"] * 3
    assert len(gateway.ledger) == 3
    assert run.document["cost_usd"]["planned"] == "0.90"


def test_what_is_in_doubt_counts_as_spent(film: Film, gateway: Simulator) -> None:
    film.list(batch(3))
    gateway.order_fault("lost_response")
    run = film.run("--max-cost", "0.60", yes=False)
    assert run.code == 3
    assert sorted(run.statuses.values()) == ["in_doubt", "pending", "verified"]
    assert run.document["cost_usd"]["possibly_charged"] == "0.30"
    assert len(gateway.ledger) == 2


def test_a_killed_runs_spending_counts_in_the_next_one_and_is_said(film: Film, gateway: Simulator) -> None:
    film.list(batch(4))
    gateway.order_fault("stuck_in_progress", times=None)
    first = film.start(*film.arguments("--max-cost", "0.60", yes=False))
    first.until_it_says("the budget leaves no room")
    first.signal(signal.SIGKILL)
    first.result()
    gateway.clear_faults()
    second = film.run("--max-cost", "0.60", yes=False)
    assert second.code == 5
    assert "0.60" in second.err
    assert "killed" in second.err
    assert len(gateway.ledger) == 2
    assert film.run("--max-cost", "0.60", yes=False).code == 0
    assert len(gateway.ledger) == 4


@pytest.mark.parametrize(("number", "code", "paid"), [(signal.SIGINT, 130, 4), (signal.SIGTERM, 143, 2)])
def test_after_ctrl_c_a_new_run_has_its_whole_budget_and_after_sigterm_it_has_not(
    film: Film, gateway: Simulator, number: int, code: int, paid: int
) -> None:
    film.list(batch(4))
    gateway.order_fault("stuck_in_progress", times=None)
    first = film.start(*film.arguments("--max-cost", "0.60", yes=False))
    first.until_it_says("the budget leaves no room")
    first.signal(number)
    assert first.result().document["exit_code"] == code
    gateway.clear_faults()
    assert film.run("--max-cost", "0.60", yes=False).code == (0 if paid == 4 else 5)
    assert len(gateway.ledger) == paid


# --- limits ----------------------------------------------------------------------------------------


def test_no_more_takes_are_in_flight_than_the_limit_says(film: Film, gateway: Simulator) -> None:
    film.list(batch(6))
    film.pipeline(limits__in_flight=2)
    gateway.order_fault("unknown_first", times=12)
    assert film.run().code == 0
    flying: set[str] = set()
    most = 0
    for entry in sorted(gateway.wire, key=lambda entry: entry["number"]):
        if entry["method"] == "POST":
            flying.add(entry["task_id"])
            most = max(most, len(flying))
        elif entry["path"].endswith("/content") and entry["status"] == 200:
            flying.discard(entry["task_id"])
    assert most == 2


def test_one_create_at_a_time_means_never_two_posts_at_once(film: Film, gateway: Simulator, until: Until) -> None:
    film.list(batch(3))
    gateway.order_fault("slow_create", times=None, seconds=0.3)
    assert film.run().code == 0
    times = [entry["time"] for entry in gateway.wire if entry["method"] == "POST"]
    assert all(later - earlier >= 0.3 for earlier, later in itertools.pairwise(times))
    connections = [entry["connection"] for entry in gateway.wire if entry["method"] == "POST"]
    assert len(set(connections)) == 3


def test_the_rate_of_creates_holds_with_many_at_once_and_the_deadline_ends_creating(
    film: Film, gateway: Simulator
) -> None:
    film.list(batch(6))
    film.pipeline(limits__creates_per_minute=2, limits__creates_in_flight=4, limits__deadline="1500ms")
    run = film.run()
    assert run.code == 4
    assert sorted(run.statuses.values()) == ["pending"] * 4 + ["verified"] * 2
    assert "deadline" in run.shots["S05"]["reason"]
    assert len(gateway.ledger) == 2


def test_failures_in_a_row_end_creating(film: Film, gateway: Simulator) -> None:
    film.list(batch(5))
    film.pipeline(limits__stop_after_failures=2, limits__in_flight=1)
    gateway.order_fault("failed_with_error", times=None)
    run = film.run()
    assert run.code == 4
    assert sorted(run.statuses.values()) == ["failed", "failed", "pending", "pending", "pending"]
    assert len(gateway.ledger) == 2


def test_refusals_for_the_same_reason_in_a_row_end_creating(film: Film, gateway: Simulator, posts: Any) -> None:
    film.list(batch(5))
    film.pipeline(limits__stop_after_failures=3)
    gateway.order_fault("400_google", times=None)
    run = film.run()
    assert run.code == 4
    assert sorted(run.statuses.values()) == ["pending"] * 2 + ["refused"] * 3
    assert (posts(), gateway.ledger) == (3, [])


def test_a_failed_take_is_tried_again_as_often_as_the_pipeline_says(film: Film, gateway: Simulator) -> None:
    film.list({"a": "fails twice"})
    film.pipeline(limits__retry_failed=2)
    gateway.order_fault("failed_no_error", times=2)
    run = film.run()
    assert (run.code, run.statuses) == (0, {"a": "verified"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.60"
    assert len(gateway.ledger) == 3


def test_a_failed_take_is_tried_again_only_when_someone_says_so(film: Film, gateway: Simulator) -> None:
    film.list({"a": "fails once"})
    gateway.order_fault("failed_with_error")
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "failed"})
    assert "internal server issue" in run.shots["a"]["reason"]
    assert film.run().code == 1
    assert len(gateway.ledger) == 1
    assert film.run("--retry-failed").statuses == {"a": "verified"}
    assert len(gateway.ledger) == 2


def test_an_older_take_that_nobody_wants_any_more_is_carried_on_but_never_bought_again(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "the first text", "b": "it leaves the list"})
    gateway.order_fault("stuck_in_progress", times=None)
    first = film.start(*film.arguments())
    first.until_it_says("rendering")
    first.until_it_says("rendering")
    first.signal(signal.SIGKILL)
    first.result()
    gateway.clear_faults()
    for prompt in ("the first text", "it leaves"):
        gateway.order_fault("failed_no_error", times=None, match={"prompt": prompt})
    film.list({"a": "the second text"})
    film.pipeline(limits__retry_failed=3)
    run = film.run()
    assert run.statuses["a"] == "verified"
    assert run.code == 0
    assert [create["prompt"] for create in gateway.ledger].count("the first text") == 1
    assert len(gateway.ledger) == 3


# --- a plan as a permission ------------------------------------------------------------------------


def planned(film: Film, *words: str) -> dict[str, Any]:
    words = ("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "-o", "plan.json", *words)
    return film.command(*words, "--format", "json").document


def test_a_plan_is_a_permission_for_just_what_it_lists(film: Film, gateway: Simulator) -> None:
    film.list(batch(2))
    assert planned(film)["cost_usd"]["planned"] == "0.60"
    film.list({**batch(2), "S01": "edited after the plan"})
    run = film.run("--plan", "plan.json", yes=False)
    assert run.code == 2
    assert "S01" in run.document["error"]
    assert "S00" not in run.document["error"]
    assert gateway.wire == []
    film.list(batch(2))
    assert film.run("--plan", "plan.json", yes=False).code == 0
    assert film.run("--plan", "plan.json", yes=False).code == 0
    assert len(gateway.ledger) == 2


@pytest.mark.parametrize(
    "output",
    [
        *("shots.yaml", "./quick/../shots.yaml", "notes.txt", "pipe", "."),
        *(".veopipe/shots/ledger.json", ".veopipe/shots/state/a.json"),
    ],
)
def test_a_plan_is_written_over_nothing_but_a_plan(film: Film, gateway: Simulator, output: str) -> None:
    film.list({"a": "kept"})
    assert film.run().code == 0
    (film.folder / "quick").mkdir()
    (film.folder / "notes.txt").write_text("mine")
    os.mkfifo(film.folder / "pipe")
    path = film.folder / output
    before = path.read_bytes() if path.is_file() else b""
    planned = film.start("plan", "shots.yaml", "-o", output, "--format", "json").result(limit=20)
    assert planned.document["exit_code"] == 2
    assert "left alone" in planned.document["error"]
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert film.run(yes=False).statuses == {"a": "verified"}


def test_a_plan_replaces_an_older_one_and_an_empty_file(film: Film) -> None:
    film.list({"a": "planned"})
    plan = film.folder / "plan.json"
    plan.touch()
    for _ in range(2):
        assert film.command("plan", "shots.yaml", "-o", "plan.json").code == 0
        assert json.loads(plan.read_text("utf-8"))["format"] == 1


def test_a_plan_can_be_carried_out_again_after_a_crash(film: Film, gateway: Simulator) -> None:
    film.list(batch(3))
    planned(film)
    gateway.order_fault("stuck_in_progress")
    run = film.start(*film.arguments("--plan", "plan.json", yes=False))
    run.until_it_says("rendering")
    run.signal(signal.SIGKILL)
    run.result()
    gateway.clear_faults()
    assert film.run("--plan", "plan.json", yes=False).code in {0, 3}
    assert len(gateway.ledger) == 3


def test_a_plan_allows_no_higher_price_and_no_further_attempt(film: Film, gateway: Simulator) -> None:
    film.list({"a": "dearer"})
    planned(film)
    film.pipeline(provider__models={"veo-3.1-fast-generate-preview": {"price_usd": 0.40}})
    run = film.run("--plan", "plan.json", yes=False)
    assert run.code == 2
    assert "0.40" in run.document["error"]
    film.pipeline()
    gateway.order_fault("failed_no_error")
    assert film.run("--plan", "plan.json", yes=False).code == 1
    film.pipeline(limits__retry_failed=1)
    again = film.run("--plan", "plan.json", yes=False)
    assert again.code == 2
    assert len(gateway.ledger) == 1
    planned(film)
    assert film.run("--plan", "plan.json", yes=False).code == 0


def test_what_is_no_plan_is_refused(film: Film, gateway: Simulator) -> None:
    film.list({"a": "no plan"})
    for text in ("{", "[]", '{"format": 99, "shots": []}', '{"format": 1}'):
        (film.folder / "plan.json").write_text(text)
        assert film.run("--plan", "plan.json").document["exit_code"] == 2
    assert film.run("--plan", "missing.json").document["exit_code"] == 2
    assert gateway.wire == []


@pytest.mark.parametrize("other", ["a rehearsal's", "another ledger's", "that of a ledger that is gone"])
def test_a_plan_of_a_rehearsal_or_by_another_ledger_permits_nothing(film: Film, gateway: Simulator, other: str) -> None:
    plan, where = film.folder / "plan.json", ("--base-url", film.base_url)
    film.list({"a": "a cat"})
    assert film.run().code == 0
    film.list({"a": "a cat", "b": "a dog"})
    if other == "a rehearsal's":
        where = ("--simulate",)
    assert film.command("plan", "shots.yaml", "-p", "quick.yaml", *where, "-o", plan.name).code == 0
    if other == "another ledger's":
        shutil.rmtree(film.folder / ".veopipe")
        shutil.rmtree(film.folder / "renders")
        film.list({"c": "of this one"})
        assert film.run("--new-ledger").code == 0
        film.list({"a": "a cat", "b": "a dog"})
    if other == "that of a ledger that is gone":
        shutil.rmtree(film.folder / ".veopipe")
        shutil.rmtree(film.folder / "renders")
    before = len(gateway.ledger)
    refused = film.run("--plan", plan.name, yes=False).document
    assert refused["exit_code"] == 2
    assert "the plan file is about" in refused["error"]
    assert len(gateway.ledger) == before


def test_a_plan_of_a_real_run_may_be_rehearsed_and_one_made_before_the_ledger_holds_for_it(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "a cat", "b": "a dog"})
    where = ("-p", "quick.yaml", "--base-url", film.base_url)
    assert film.command("plan", "shots.yaml", *where, "-o", "plan.json").code == 0
    film.list({"a": "a cat"})
    assert film.run().code == 0
    film.list({"a": "a cat", "b": "a dog"})
    assert film.run("--plan", "plan.json", "--simulate", yes=False).code == 0
    assert film.run("--plan", "plan.json", yes=False).code == 0
    assert len(gateway.charged) == 2
