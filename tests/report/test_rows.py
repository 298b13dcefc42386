"""The report: one honest row per shot, the money, and the gravest exit code."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from veopipe.delivery.shelf import FolderShelf
from veopipe.errors import ExitCode
from veopipe.files import sha256_of_bytes
from veopipe.ledger.paths import Places
from veopipe.ledger.statefiles import Unusable
from veopipe.ledger.store import Store
from veopipe.plan.plan import Action, Plan, Wanted, World
from veopipe.plan.planner import make_plan
from veopipe.profiles.reading import built_in
from veopipe.project.ending import Ending
from veopipe.report.rows import Report, Row, code_of, make_rows, money_of
from veopipe.takes.order import Order
from veopipe.takes.status import CHARGED, Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take

REAL = "https://api.laozhang.ai:443"
FAST = built_in().models["veo-3.1-fast-generate-preview"]
ORDER = Order(FAST.name, "A lighthouse", 8, "720p", "16:9", None, None, (), 1)
EDITED = replace(ORDER, prompt="A pier")
FILE = Delivered("renders", "hero.001.mp4", sha256_of_bytes(b"video"), 5, width=1280, height=720, duration_s=8.0)


def attempt(status: Status, number: int = 1, **more: Any) -> Attempt:
    task = f"task_{number}" if status in CHARGED else None
    facts = {"run": "r1", "gateway": REAL, "price_usd": Decimal("0.3"), "submitted_at": "2026-11-22T06:00:00Z"}
    return Attempt(number=number, status=status, **{**facts, "task_id": task, **more})


def take(*attempts: Attempt, order: Order = ORDER, number: int = 1, file: Delivered | None = None) -> Take:
    return Take(number, order.fingerprint(), order, attempts, file)


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    return FolderShelf(Places(tmp_path / "shots.yaml", ".veopipe", "renders"))


def rows_of(
    shelf: FolderShelf, *takes: Take, order: Order = ORDER, world: dict[str, Any] | None = None, **more: Any
) -> tuple[Row, ...]:
    """The rows of a list with the one shot `hero`."""
    states = {"hero": ShotState("hero", takes)} if takes else {}
    about: dict[str, Any] = {"unreadable": {}, "strays": {}, "gateway": REAL, "retry_all": False, "retry_failed": 0}
    plan = make_plan(
        {"hero": Wanted("hero", order, FAST)},
        World(states=states, **{**about, **(world or {})}, manifest_ids={"hero"}),
    )
    unreadable = (world or {}).get("unreadable", {})
    return make_rows(plan, Store(shelf.places, states, Unusable(unreadable)), **more)


def row_of(shelf: FolderShelf, *takes: Take, **more: Any) -> Row:
    [row] = rows_of(shelf, *takes, **more)
    return row


# --- rows ------------------------------------------------------------------------------------------


def test_a_shot_never_tried_is_pending(shelf: FolderShelf) -> None:
    row = row_of(shelf)

    assert (row.status, row.reason, row.take, row.wanted, row.made) == ("pending", "new", 1, True, None)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.SUBMITTING}))
def test_a_row_says_where_its_take_stands(shelf: FolderShelf, status: Status) -> None:
    row = row_of(shelf, take(attempt(status, message="because")))

    assert row.status == status
    assert row.wanted
    if status not in {Status.PARKED, Status.RENDERING, Status.RENDERED}:
        assert row.reason == "because"


def test_a_take_that_was_being_asked_for_is_in_doubt_unless_a_run_is_on(shelf: FolderShelf) -> None:
    asking = take(attempt(Status.SUBMITTING))

    assert row_of(shelf, asking).status == "in_doubt"
    assert row_of(shelf, asking, running=True).status == "submitting"


def test_a_take_that_was_only_throttled_is_pending(shelf: FolderShelf) -> None:
    assert row_of(shelf, take(attempt(Status.REFUSED, scope="throttle"))).status == "pending"
    assert row_of(shelf, take(attempt(Status.REFUSED, scope="account"))).status == "refused"


def test_an_unreadable_shot_says_why(shelf: FolderShelf) -> None:
    row = row_of(shelf, world={"unreadable": {"hero": "it isn't JSON"}})

    assert row.status == "unreadable"
    assert "it isn't JSON" in str(row.reason)


def test_what_creating_was_stopped_for_is_the_reason_of_what_is_pending(shelf: FolderShelf) -> None:
    ending = Ending("r1", Plan(()), notes=("the budget is used up", "interrupted"))

    assert row_of(shelf, ending=ending).reason == "the budget is used up"
    assert row_of(shelf, ending=replace(ending, held={"hero": "a.png was changed"})).reason == "a.png was changed"


def test_a_take_of_another_gateway_names_it(shelf: FolderShelf) -> None:
    row = row_of(shelf, take(attempt(Status.RENDERING, gateway="https://other.example:443")))

    assert "--base-url https://other.example:443" in str(row.reason)


def test_what_is_in_doubt_is_shown_before_what_is_wanted(shelf: FolderShelf) -> None:
    verified = take(attempt(Status.VERIFIED), file=FILE)
    doubt = take(attempt(Status.IN_DOUBT), order=EDITED, number=2)

    row = row_of(shelf, verified, doubt)

    assert (row.status, row.take, row.wanted) == ("in_doubt", 2, False)


def test_what_is_wanted_is_shown_before_what_is_merely_open(shelf: FolderShelf) -> None:
    row = row_of(shelf, take(attempt(Status.RENDERING)), order=EDITED)

    assert (row.status, row.take, row.wanted, row.reason) == (
        *("pending", 2, True),
        "prompt changed; take 1 is still rendering",
    )


def test_a_row_has_the_measured_facts_and_the_finished_name(shelf: FolderShelf) -> None:
    made = take(attempt(Status.VERIFIED), file=FILE)
    shelf.path(FILE).parent.mkdir(parents=True)
    shelf.path(FILE).write_bytes(b"video")
    assert row_of(shelf, made).file == "renders/shots/takes/hero.001.mp4"

    shelf.publish("hero", made, [made])
    row = row_of(shelf, made)

    assert row.file == "renders/shots/hero.mp4"
    assert row.delivered == FILE


@pytest.mark.parametrize("content", [None, b"vide"], ids=["gone", "cut"])
def test_a_verified_take_whose_file_is_gone_stays_verified_without_a_file(
    shelf: FolderShelf, content: bytes | None
) -> None:
    if content is not None:
        shelf.path(FILE).parent.mkdir(parents=True)
        shelf.path(FILE).write_bytes(content)

    row = row_of(shelf, take(attempt(Status.VERIFIED), file=FILE))

    assert (row.status, row.file) == ("verified", None)


def test_a_file_that_is_not_judged_yet_is_not_shown(shelf: FolderShelf) -> None:
    shelf.path(FILE).parent.mkdir(parents=True)
    shelf.path(FILE).write_bytes(b"video")

    assert row_of(shelf, take(attempt(Status.DOWNLOADED), file=FILE)).file is None
    assert row_of(shelf, take(attempt(Status.MISMATCHED), file=FILE)).file == "renders/shots/takes/hero.001.mp4"


def test_the_json_is_the_contract(shelf: FolderShelf) -> None:
    rows = rows_of(shelf, take(attempt(Status.VERIFIED), file=FILE))
    money = money_of(Plan(()), [], None)

    document = Report("shots.yaml", rows, money, ExitCode.OK).as_json()

    assert document == {
        "manifest": "shots.yaml",
        "exit_code": 0,
        "cost_usd": {"charged": "0.00", "possibly_charged": "0.00", "this_run": "0.00", "planned": "0.00"},
        "shots": {
            "hero": {
                "status": "verified",
                "take": 1,
                "wanted": True,
                "task_id": "task_1",
                "file": None,
                "sha256": FILE.sha256,
                "width": 1280,
                "height": 720,
                "duration_s": 8.0,
                "reason": None,
                "takes": [
                    {
                        "take": 1,
                        "status": "verified",
                        "name": "hero.001.mp4",
                        "sha256": FILE.sha256,
                        "width": 1280,
                        "height": 720,
                        "duration_s": 8.0,
                    }
                ],
            }
        },
    }


# --- money -----------------------------------------------------------------------------------------

SIDES = {
    "charged": {"rendering", "rendered", "downloaded", "parked", "mismatched", "verified"},
    "possibly_charged": {"submitting", "in_doubt", "failed", "abandoned"},
}


@pytest.mark.parametrize("status", Status)
def test_every_attempt_is_charged_possibly_charged_or_free(status: Status) -> None:
    money = money_of(Plan(()), [attempt(status)], "r1").as_json()

    for side, statuses in SIDES.items():
        assert money[side] == ("0.30" if status.value in statuses else "0.00")
    assert money["this_run"] == ("0.00" if status is Status.REFUSED else "0.30")


def test_all_attempts_ever_are_counted_and_this_runs_apart() -> None:
    attempts = [attempt(Status.FAILED, 1), attempt(Status.REFUSED, 2), attempt(Status.VERIFIED, 3, run="r2")]
    attempts.append(attempt(Status.IN_DOUBT))

    money = money_of(Plan(()), attempts, "r2").as_json()

    assert money == {"charged": "0.30", "possibly_charged": "0.60", "this_run": "0.30", "planned": "0.00"}
    assert money_of(Plan(()), attempts, None).this_run == 0


# --- exit codes ------------------------------------------------------------------------------------

GRAVITY = (70, 130, 143, 6, 3, 5, 4, 1, 0)


@pytest.mark.parametrize(("graver", "lesser"), [*combinations(GRAVITY, 2)])
def test_the_gravest_code_wins(graver: int, lesser: int) -> None:
    assert code_of([], {ExitCode(lesser), ExitCode(graver)}) is ExitCode(graver)


CODES = {
    Status.VERIFIED: 0,
    Status.REFUSED: 1,
    Status.FAILED: 1,
    Status.MISMATCHED: 1,
    Status.ABANDONED: 1,
    Status.IN_DOUBT: 3,
    Status.SUBMITTING: 3,
    Status.RENDERING: 4,
    Status.RENDERED: 4,
    Status.DOWNLOADED: 4,
    Status.PARKED: 4,
}


@pytest.mark.parametrize("status", Status)
def test_each_status_has_its_code(shelf: FolderShelf, status: Status) -> None:
    rows = rows_of(shelf, take(attempt(status), file=FILE))

    assert code_of(rows, set()) == CODES[status]


def test_a_shot_not_made_yet_is_pending(shelf: FolderShelf) -> None:
    assert code_of(rows_of(shelf), set()) is ExitCode.PENDING
    assert code_of(rows_of(shelf, take(attempt(Status.REFUSED, scope="throttle"))), set()) is ExitCode.PENDING
    assert code_of(rows_of(shelf), {ExitCode.BUDGET}) is ExitCode.BUDGET


@pytest.mark.parametrize(
    "world", [{"unreadable": {"hero": "torn"}}, {"strays": {"hero": "takes/hero.001.mp4"}}], ids=str
)
def test_a_held_shot_is_a_matter_of_the_environment(shelf: FolderShelf, world: dict[str, Any]) -> None:
    rows = rows_of(shelf, world=world)

    assert rows[0].item.action is Action.HOLD
    assert code_of(rows, set()) is ExitCode.ENVIRONMENT


def test_doubt_outweighs_failure_budget_and_pending(shelf: FolderShelf) -> None:
    doubt = rows_of(shelf, take(attempt(Status.IN_DOUBT)))
    failed = rows_of(shelf, take(attempt(Status.FAILED)))

    assert code_of((*failed, *doubt), {ExitCode.BUDGET, ExitCode.PENDING}) is ExitCode.IN_DOUBT
    assert code_of((*failed, *doubt), {ExitCode.ENVIRONMENT}) is ExitCode.ENVIRONMENT


@pytest.mark.parametrize("status", [Status.REFUSED, Status.FAILED, Status.ABANDONED, Status.MISMATCHED])
def test_a_take_that_nobody_wants_any_more_spoils_no_run(shelf: FolderShelf, status: Status) -> None:
    row = row_of(shelf, take(attempt(status)))
    row = replace(row, item=replace(row.item, order=None))

    assert code_of([row], set()) is ExitCode.OK


@pytest.mark.parametrize(("gateway", "code"), [(REAL, 4), ("https://other.example:443", 0)])
def test_a_paid_take_that_this_run_could_settle_keeps_the_run_pending(
    shelf: FolderShelf, gateway: str, code: int
) -> None:
    older, wanted = take(attempt(Status.PARKED)), take(attempt(Status.VERIFIED), order=EDITED, number=2, file=FILE)
    rows = rows_of(shelf, older, wanted, order=EDITED, world={"gateway": gateway})

    assert [(row.take, row.status) for row in rows] == [(2, "verified")]
    assert code_of(rows, set()) == code


def test_a_report_holds_what_a_run_said(shelf: FolderShelf) -> None:
    report = Report("shots.yaml", (), money_of(Plan(()), [], None), notes=("it stopped",), warnings=("be warned",))

    assert report.as_json()["notes"] == ["be warned", "it stopped"]
