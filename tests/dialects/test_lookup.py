"""What an account's log proves, and what it doesn't: the rule, its borders, and records that mean harm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.harness.canary import KEY
from veopipe.dialects.base import Evidence
from veopipe.dialects.interactions.dialect import Interactions
from veopipe.dialects.lookup import AFTER, BEFORE, SETTLED_AFTER, Doubt, Found, Known, Question, Record, Seen, judge
from veopipe.dialects.videos.dialect import Videos
from veopipe.text import hide

AT = 1_790_000_000
OMNI, FAST = "gemini-omni-1.2-flash", "veo-3.1-fast-generate-preview"
TASK, OTHER = "task_Ab3" + "x" * 29, "task_Cd4" + "y" * 29
DOUBT = Doubt(OMNI, AT)
NOW = AT + AFTER + SETTLED_AFTER + 1.0
EMPTY = Seen((), NOW, NOW, "veopipe")
LOG = Videos().look_up
QUESTION = Question(AT - BEFORE, AT + AFTER, None, "veopipe")


def charge(at: float | None = AT + 1, model: str = OMNI, *tasks: str) -> Record:
    return Record(model, None if at is None else int(at), frozenset(tasks))


def seen(*records: Record, **more: Any) -> Seen:
    return replace(EMPTY, records=records, **more)


# --- the rule --------------------------------------------------------------------------------------


def test_no_charge_at_all_is_not_charged() -> None:
    assert judge(DOUBT, EMPTY).found is Found.NOT_CHARGED


def test_one_charge_too_many_with_a_task_is_the_task() -> None:
    verdict = judge(DOUBT, seen(charge(AT, OMNI, TASK), now=AT + 5.0, here=AT + 5.0))

    assert (verdict.found, verdict.task_id) == (Found.TASK, TASK)


def test_one_charge_too_many_without_a_task_is_charged_and_that_is_all_that_is_known() -> None:
    verdict = judge(DOUBT, seen(charge(AT + 7), now=AT + 60.0, here=AT + 60.0))

    assert (verdict.found, verdict.task_id) == (Found.CHARGED, None)
    assert "+7 s from its order" in verdict.message


KNOWN = Known(OMNI, AT + 3, OTHER)


@pytest.mark.parametrize("mine", [(), (TASK,)])
@pytest.mark.parametrize("theirs", [(), (OTHER,)])
def test_what_other_takes_were_charged_for_is_no_surplus(mine: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    far = replace(DOUBT, at=AT, known=[replace(KNOWN, at=AT + 200)], taken={OTHER})
    paid = charge(AT + 200, OMNI, *theirs)

    assert judge(far, seen(paid)).found is Found.NOT_CHARGED
    found = judge(far, seen(paid, charge(AT + 1, OMNI, *mine))).found
    assert found is (Found.TASK if mine else Found.CHARGED)


UNCLEAR: Mapping[str, tuple[Doubt, Seen, str]] = {
    "another in doubt": (replace(DOUBT, rivals=1), seen(charge()), "1 other take of gemini-omni"),
    "a page is missing": (DOUBT, replace(EMPTY, trouble="the log can't be read"), "the log can't be read"),
    "two charges": (DOUBT, seen(charge(), charge()), "2 charges"),
    "two tasks in one charge": (DOUBT, seen(charge(AT, OMNI, TASK, OTHER)), "names 2 tasks"),
    "too early": (DOUBT, replace(EMPTY, now=NOW - 2, here=NOW - 2), "one may still appear"),
    "too early by the gateway's clock": (DOUBT, replace(EMPTY, now=NOW - 5), "one may still appear"),
    "no name of a key": (DOUBT, replace(EMPTY, key_name=None), "token_name"),
    "no clock": (DOUBT, replace(EMPTY, now=None), "doesn't say what time it is"),
    "clocks apart": (DOUBT, replace(EMPTY, now=NOW + 61), "61 s apart"),
    "clocks apart, and a charge": (DOUBT, seen(charge(), now=NOW - 3600), "3600 s apart"),
    "a charge under another name": (DOUBT, seen(charge(AT, "omni")), "for other models"),
    "an accepted take without its charge": (replace(DOUBT, known=[replace(KNOWN, at=AT + 200)]), EMPTY, "0 charges"),
    "an accepted take at the border": (replace(DOUBT, known=[replace(KNOWN, at=AT + AFTER)]), EMPTY, "0 to 1"),
    "the charge may be the neighbour's": (
        replace(DOUBT, known=[replace(KNOWN, at=AT + AFTER)]),
        seen(charge(AT + AFTER - 1)),
        "0 to 1 are known",
    ),
    "one that failed, whose charge may be gone": (
        replace(DOUBT, known=[Known(OMNI, AT + 200, OTHER, is_certain=False)]),
        seen(charge(AT + 1)),
        "0 to 1 are known",
    ),
    "charges of which none is known": (
        DOUBT,
        seen(charge(), charge()),
        "2 charges around that time, and none is known",
    ),
    "one that was given up": (replace(DOUBT, known=[Known(OMNI, AT, None)]), seen(charge()), "0 to 1 are known"),
}


@pytest.mark.parametrize(("doubt", "log", "words"), UNCLEAR.values(), ids=UNCLEAR)
def test_whatever_speaks_against_it_leaves_it_in_doubt(doubt: Doubt, log: Seen, words: str) -> None:
    verdict = judge(doubt, log)

    assert (verdict.found, verdict.task_id) == (Found.UNCLEAR, None)
    assert words in verdict.message


def test_what_lies_outside_of_the_window_is_another_matter() -> None:
    outside = [charge(AT - BEFORE - 1), charge(AT + AFTER + 1)]
    far = replace(DOUBT, known=[replace(KNOWN, at=AT - 3600), replace(KNOWN, at=AT + 3600)])

    assert judge(far, seen(*outside)).found is Found.NOT_CHARGED
    for at in (AT - BEFORE, AT + AFTER, None):
        assert judge(DOUBT, seen(charge(at))).found is Found.CHARGED


def test_other_models_that_this_key_bought_are_no_surplus() -> None:
    bought = replace(DOUBT, known=[Known(FAST, AT + 3, OTHER)])

    assert judge(bought, seen(charge(AT + 3, FAST))).found is Found.NOT_CHARGED


def test_a_task_that_the_answer_named_beside_an_error_is_its_own() -> None:
    named = replace(DOUBT, named=TASK, taken={TASK})

    assert judge(named, seen(charge(AT, OMNI, TASK))).task_id == TASK


# --- the log of this family --------------------------------------------------------------------------


def page(*records: Any, success: Any = True, status: int = 200, question: Question = QUESTION) -> Any:
    body = json.dumps({"success": success, "message": "", "data": list(records)}).encode()
    return LOG.judge_page(Evidence(status, {}, body), question)


def written(**more: Any) -> dict[str, Any]:
    return {"created_at": AT, "type": 2, "model_name": OMNI, "token_name": "veopipe", "other": "{}"} | more


def test_a_page_is_asked_for_in_the_accounts_own_words() -> None:
    asked = LOG.page(Question(1, 2, "a b", "n&m"), 3)

    assert (asked.method, asked.parts, asked.body) == ("GET", (), b"")
    path = "/api/log/self?p=3&type=2&start_timestamp=1&end_timestamp=2&model_name=a+b&token_name=n%26m"
    assert asked.path == path
    assert LOG.token_header("tok") == ("Authorization", "tok")
    assert Interactions().look_up is None


NEW_API = Videos(account_user=7).look_up


def test_new_api_is_told_the_accounts_number_and_its_pages_count_from_one() -> None:
    asked = NEW_API.page(Question(1, 2), 0)

    assert asked.headers["New-Api-User"] == "7"
    assert asked.path.startswith("/api/log/self?p=1&")
    assert "New-Api-User" not in LOG.page(Question(1, 2), 0).headers


def figures(page: Any = 1, page_size: Any = 10, total: Any = 1) -> dict[str, Any]:
    return {"page": page, "page_size": page_size, "total": total}


PAGES: dict[str, tuple[Any, int | None, bool]] = {
    "one": ({**figures(), "items": [written()]}, 1, True),
    "none": ({**figures(total=0), "items": []}, 0, True),
    "none, as Go may write it": ({**figures(total=0), "items": None}, 0, True),
    "full": ({**figures(total=12), "items": [written()] * 10}, 10, False),
    "full, and the last": ({**figures(total=10), "items": [written()] * 10}, 10, True),
    "the rest": ({**figures(page=2, total=12), "items": [written()] * 2}, 2, True),
    "fewer than it says": ({**figures(total=2), "items": [written()]}, None, True),
    "more than it says": ({**figures(total=0), "items": [written()]}, None, True),
    "one that counts from 0": ({**figures(page=1, total=12), "items": [written()] * 2}, None, True),
    "no figures": ({"items": [written()]}, None, True),
    "no whole numbers": ({**figures(page=True, total=1.0), "items": [written()]}, None, True),
    "one-api's list": ([written()], None, True),
    "no records": ({**figures(), "items": ["x"]}, None, True),
    "no mapping": ("x", None, True),
}


@pytest.mark.parametrize(("data", "records", "is_last"), PAGES.values(), ids=PAGES)
def test_a_page_of_new_api_holds_what_its_figures_say(data: Any, records: int | None, is_last: bool) -> None:
    body = json.dumps({"success": True, "message": "", "data": data}).encode()
    read = NEW_API.judge_page(Evidence(200, {}, body), QUESTION)

    assert (len(read.records), read.is_last) == (records or 0, is_last)
    assert bool(read.trouble) is (records is None)


def test_a_full_page_has_ten_records_whatever_is_left_of_them() -> None:
    whole = page(*[written(type=1)] * 10)

    assert (whole.records, whole.is_last) == ((), False)
    assert page(*[written()] * 9).is_last


def test_only_charges_by_the_key_that_was_asked_for_count() -> None:
    found = page(written(type=6), written(token_name="studio"), written(token_name=None), written(type=None))

    assert [record.at for record in found.records] == [AT]
    assert len(page(written(token_name="studio"), question=replace(QUESTION, key_name=None)).records) == 1
    assert page(written(), question=replace(QUESTION, model=FAST)).records == ()


HOLDERS = {
    "a field": {"task_id": TASK},
    "other": {"other": json.dumps({"task_id": TASK})},
    "other in other": {"other": json.dumps({"info": json.dumps({"id": TASK})})},
    "a sentence": {"content": f"视频任务 {TASK}，按次计费"},
    "a label": {"content": f"task_id={TASK}"},
    "a label of two words": {"content": f"任务ID:{TASK} ok"},
    "a list": {"content": "", "x": [[{"y": TASK}]]},
}


@pytest.mark.parametrize("more", HOLDERS.values(), ids=HOLDERS)
def test_a_task_is_found_wherever_it_stands(more: dict[str, Any]) -> None:
    [record] = page(written(**more)).records

    assert record.task_ids == {TASK}


HARMFUL: dict[str, Any] = {
    "climbs": "task_../../../admin1",
    "climbs at its end": f"{TASK}/../../admin",
    "a query": f"{TASK}?x=1",
    "quoted": f"{TASK}%2e%2e",
    "a fragment": f"{TASK}#x",
    "an escape": f"{TASK}\x1b[2J",
    "too long": "task_1" + "a" * 300,
    "in an address": f"https://evil.example/{TASK}",
    "no id": "task_per_call_price",
    "short": "task_1",
    "the key": f"task_{KEY}",
}


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL)
def test_what_can_be_no_task_id_is_none(text: str) -> None:
    hide(KEY)
    [record] = page(written(content=text, other=json.dumps({"task_id": text, text: 1}))).records

    assert record.task_ids == frozenset()


def test_a_task_that_is_only_a_key_of_a_record_is_none() -> None:
    [record] = page(written(**{TASK: 1})).records

    assert record.task_ids == frozenset()


@pytest.mark.parametrize("at", [None, True, "1790000000", -1, 0, 1.5, 10**400, [AT], {"a": 1}])
def test_a_time_that_cannot_be_one_may_be_any_time(at: Any) -> None:
    [record] = page(written(created_at=at)).records

    assert record.at is None


DEEP = "[" * 100_000 + "]" * 100_000
SPOILT: dict[str, bytes] = {
    "nothing": b"",
    "a wrong token": json.dumps({"success": False, "message": "access token is invalid."}).encode(),
    "a success of another kind": json.dumps({"success": "true", "data": []}).encode(),
    "no list": json.dumps({"success": True, "data": None}).encode(),
    "items": json.dumps({"success": True, "data": {"items": []}}).encode(),
    "no records": json.dumps({"success": True, "data": [1]}).encode(),
    "a page": b"<html><title>502</title></html>",
    "a list": b"[]",
    "deep": DEEP.encode(),
    "a number of 5,000 digits": b'{"success": true, "data": [{"created_at": ' + b"9" * 5000 + b"}]}",
    "too long": json.dumps({"success": True, "data": [written(content="x" * (1 << 20))]}).encode(),
    "an escape": json.dumps({"success": False, "message": "\x1b[2J\u202egone"}).encode(),
}


@pytest.mark.parametrize("body", SPOILT.values(), ids=SPOILT)
def test_a_page_that_is_none_is_trouble_and_proves_nothing(body: bytes) -> None:
    found = LOG.judge_page(Evidence(200, {}, body), QUESTION)

    assert found.trouble
    assert found.trouble.isprintable()
    assert len(found.trouble) < 400
    assert found.records == ()


def test_a_page_of_another_status_or_without_an_answer_is_trouble() -> None:
    assert "doesn't show" in page(status=500).trouble
    assert "gone" in LOG.judge_page(Evidence(error="gone"), QUESTION).trouble


def test_a_record_with_deep_json_inside_is_read_as_far_as_it_goes() -> None:
    [record] = page(written(other=DEEP, content=[[[[[[[[[[TASK]]]]]]]]]])).records

    assert record.task_ids == frozenset()
