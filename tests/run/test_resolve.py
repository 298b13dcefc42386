"""What a person decides about a take in doubt or parked, recorded in real state files."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from veopipe.errors import UsageError
from veopipe.ledger.paths import Places
from veopipe.ledger.store import Store, open_store
from veopipe.run import resolve
from veopipe.takes.order import Order
from veopipe.takes.status import CHARGED, UNKNOWN_OUTCOME, Status
from veopipe.takes.take import UNKNOWN_TASK, Attempt, Delivered, ShotState, Take

REAL = "https://api.laozhang.ai:443"
ORDER = Order("veo-3.1-fast-generate-preview", "A lighthouse\x1b[2J " + "x" * 100, 8, "720p", "16:9", None, None, (), 1)
FILE = Delivered("renders", "hero.001.mp4", "b" * 64, 1234)


def take(status: Status, number: int = 1, **more: Any) -> Take:
    facts: dict[str, Any] = {"task_id": f"task_{number}" if status in CHARGED else None, **more}
    made = Attempt(1, "r1", status, REAL, Decimal("0.3"), "2026-11-22T06:00:00Z", **facts)
    return Take(number, ORDER.fingerprint(), ORDER, (made,), FILE if status in CHARGED else None)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "shots.yaml", ".veopipe", "renders")
    places.state.mkdir(parents=True)
    return places


def store_of(places: Places, **shots: Take | tuple[Take, ...]) -> Store:
    store = open_store(places)
    for shot, takes in shots.items():
        store.save(ShotState(shot, takes if isinstance(takes, tuple) else (takes,)))
    return store


def on_disk(places: Places, shot: str = "hero", number: int = 1) -> Take:
    return open_store(places).shots[shot].take(number)


# --- the list --------------------------------------------------------------------------------------


def test_what_waits_for_a_person_is_listed_doubt_first(places: Places) -> None:
    shots = {status.value: take(status) for status in Status}
    found = resolve.unresolved(store_of(places, **shots), None)

    assert [entry.shot for entry in found] == ["submitting", "in_doubt", "parked"]
    assert [entry.status for entry in found] == ["in_doubt", "in_doubt", "parked"]


def test_the_list_can_be_of_some_shots(places: Places) -> None:
    store = store_of(places, a=take(Status.IN_DOUBT), b=take(Status.IN_DOUBT))

    assert [entry.shot for entry in resolve.unresolved(store, ["b"])] == ["b"]
    assert resolve.unresolved(store, []) == []


def test_an_entry_has_what_helps_to_look_it_up(places: Places) -> None:
    store = store_of(places, hero=take(Status.IN_DOUBT, reason="no_answer", message="no answer came", request_id="r-1"))
    [entry] = resolve.unresolved(store, None)

    facts = dict(entry.facts())
    assert facts["why"] == "no answer came"
    assert facts["gateway"] == REAL
    assert facts["request id"] == "r-1"
    assert facts["prompt"].startswith("A lighthouse\\u001b[2J")
    assert "task id" not in facts
    assert json.loads(json.dumps(entry.as_json()))["price_usd"] == "0.30"


# --- found -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(UNKNOWN_OUTCOME))
def test_a_found_task_is_carried_on(places: Places, status: Status) -> None:
    resolve.found(store_of(places, hero=take(status)), "hero", "task_9", None)

    last = on_disk(places).last
    assert (last.status, last.task_id, last.gateway) == (Status.RENDERING, "task_9", REAL)


def test_a_task_found_at_another_gateway_is_asked_for_there(places: Places) -> None:
    store = store_of(places, hero=take(Status.IN_DOUBT))

    resolve.found(store, "hero", "task_9", "https://Other.Example/")

    assert on_disk(places).last.gateway == "https://other.example:443"


@pytest.mark.parametrize("task", ["", "../../admin", "a/b", "a b", "http://evil/x", "x" * 300, "task_9\n", "\x1b[2J"])
def test_what_can_be_no_task_id_changes_nothing(places: Places, task: str) -> None:
    store = store_of(places, hero=take(Status.SUBMITTING))

    with pytest.raises(UsageError, match="can't be a task id") as caught:
        resolve.found(store, "hero", task, None)

    assert caught.value.message.isprintable()
    assert on_disk(places).status is Status.SUBMITTING


def test_a_task_that_an_answer_named_is_carried_on_by_the_take_that_asked(places: Places) -> None:
    store = store_of(places, hero=(take(Status.IN_DOUBT, task_id="task_9"), take(Status.IN_DOUBT, 2)))

    assert resolve.found(store, "hero", "task_9", None).number == 1

    with pytest.raises(UsageError, match="already known: hero has it"):
        resolve.found(store, "hero", "task_9", None)
    assert on_disk(places, number=2).status is Status.IN_DOUBT


def test_a_task_that_another_shot_has_is_refused(places: Places) -> None:
    store = store_of(places, hero=take(Status.IN_DOUBT), other=take(Status.VERIFIED, task_id="task_9"))

    with pytest.raises(UsageError, match="already known: other has it"):
        resolve.found(store, "hero", "task_9", None)

    assert on_disk(places).status is Status.IN_DOUBT


@pytest.mark.parametrize("url", ["ftp://x", "http://other.example", "https://u:p@x", "nonsense", "https://[", ""])
def test_a_gateway_that_cannot_be_one_changes_nothing(places: Places, url: str) -> None:
    store = store_of(places, hero=take(Status.SUBMITTING))

    with pytest.raises(UsageError, match="--base-url"):
        resolve.found(store, "hero", "task_9", url)

    assert on_disk(places).status is Status.SUBMITTING


def test_what_a_run_is_sending_right_now_waits_for_nobody(places: Places) -> None:
    store = store_of(places, sent=take(Status.SUBMITTING), doubt=take(Status.IN_DOUBT))

    assert [entry.shot for entry in resolve.unresolved(store, None, running=True)] == ["doubt"]
    assert len(resolve.unresolved(store, None)) == 2


# --- not charged, written off ----------------------------------------------------------------------


def test_what_is_paid_is_given_up_only_when_nothing_of_its_shot_is_in_doubt(places: Places) -> None:
    store = store_of(places, hero=(take(Status.IN_DOUBT), take(Status.PARKED, 2)))

    assert resolve.written_off(store, "hero").number == 1
    assert on_disk(places, number=2).status is Status.PARKED
    assert resolve.written_off(store, "hero").number == 2


@pytest.mark.parametrize("status", sorted(UNKNOWN_OUTCOME))
def test_what_was_not_charged_may_be_sent_again(places: Places, status: Status) -> None:
    resolve.not_charged(store_of(places, hero=take(status)), "hero")

    last = on_disk(places).last
    assert (last.status, last.scope) == (Status.REFUSED, "not_charged")


@pytest.mark.parametrize("status", sorted(UNKNOWN_OUTCOME | {Status.PARKED}))
def test_what_is_written_off_is_abandoned_and_stays_counted(places: Places, status: Status) -> None:
    resolve.written_off(store_of(places, hero=take(status)), "hero")

    last = on_disk(places).last
    assert (last.status, last.reason, last.price_usd) == (Status.ABANDONED, "written_off", Decimal("0.3"))


def test_a_parked_take_was_charged_and_can_be_neither_found_nor_denied(places: Places) -> None:
    store = store_of(places, hero=take(Status.PARKED))

    with pytest.raises(UsageError, match="no take of hero is in doubt"):
        resolve.not_charged(store, "hero")
    with pytest.raises(UsageError, match="no take of hero is in doubt"):
        resolve.found(store, "hero", "task_9", None)

    assert on_disk(places).status is Status.PARKED


def test_a_task_that_a_person_named_and_the_gateway_does_not_know_can_be_named_anew(places: Places) -> None:
    parked = take(Status.PARKED, reason=UNKNOWN_TASK, content_url="/v1/videos/task_1/content")
    store = store_of(places, hero=parked, other=take(Status.VERIFIED, task_id="task_9"))

    with pytest.raises(UsageError, match="already known: other has it"):
        resolve.found(store, "hero", "task_9", None)
    resolve.found(store, "hero", "task_2", None)

    last = on_disk(places).last
    assert (last.status, last.task_id, last.content_url) == (Status.RENDERING, "task_2", None)
    assert last.message == "a person named its task; before, that was task_1"


@pytest.mark.parametrize("told", [{"http_status": 200}, {"created_at": 1_790_000_000}], ids=str)
def test_a_task_that_the_gateway_itself_gave_is_never_replaced(places: Places, told: dict[str, Any]) -> None:
    store = store_of(places, hero=take(Status.PARKED, reason=UNKNOWN_TASK, **told))

    with pytest.raises(UsageError, match="no take of hero is in doubt"):
        resolve.found(store, "hero", "task_2", None)

    assert on_disk(places).last.task_id == "task_1"


def test_what_is_in_doubt_is_named_before_what_is_named_anew(places: Places) -> None:
    store = store_of(places, hero=(take(Status.IN_DOUBT), take(Status.PARKED, 2, reason=UNKNOWN_TASK)))

    assert [resolve.found(store, "hero", task, None).number for task in ("task_8", "task_9")] == [1, 2]


@pytest.mark.parametrize("status", sorted(set(Status) - UNKNOWN_OUTCOME - {Status.PARKED}))
def test_nothing_else_waits_for_a_person(places: Places, status: Status) -> None:
    store = store_of(places, hero=take(status), other=take(Status.IN_DOUBT))

    with pytest.raises(UsageError, match="no take of hero is in doubt or parked") as caught:
        resolve.written_off(store, "hero")

    assert caught.value.hint == "in doubt or parked: other"
    assert on_disk(places).status is status


def test_an_unknown_shot_is_said_to_be_one_safely(places: Places) -> None:
    with pytest.raises(UsageError) as caught:
        resolve.written_off(store_of(places), "no\x1b[2Jbody")

    assert caught.value.message.isprintable()
    assert caught.value.hint == "nothing of this list is in doubt or parked"


def test_the_newest_of_several_is_meant_and_the_others_stay(places: Places) -> None:
    store = store_of(places, hero=(take(Status.PARKED), take(Status.IN_DOUBT, 2)))

    resolve.written_off(store, "hero")

    assert (on_disk(places, number=1).status, on_disk(places, number=2).status) == (Status.PARKED, Status.ABANDONED)
