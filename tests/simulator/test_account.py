"""The account's log: who may read it, what stands in it, and how it misbehaves."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from veopipe.simulator.server import Options, Simulator, start

FAST, OMNI = "veo-3.1-fast-generate-preview", "gemini-omni-1.2-flash"
TOKEN = "the-accounts-own-token"
WRONG = {"success": False, "message": "Unauthorized, access token is invalid."}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Simulator]:
    """13 charges by the key `veopipe`, one of another model and one of another key."""
    options = Options(task_time=0, account_token=TOKEN, key_names={"sk-of-a-colleague": "studio"})
    with start(options) as running:
        for number in range(15):
            key = "sk-of-a-colleague" if number == 3 else "sk-mine"
            fields = {"model": OMNI if number == 5 else FAST, "prompt": f"p{number}", "seconds": "4"}
            parts = [(name, (None, value)) for name, value in fields.items()]
            httpx.post(f"{running.base_url}/v1/videos", files=parts, headers={"Authorization": f"Bearer {key}"})
        yield running


@pytest.fixture(autouse=True)
def fine(gateway: Simulator) -> None:
    gateway.clear_faults()


def asked(gateway: Simulator, token: str | None = TOKEN, **query: Any) -> httpx.Response:
    headers = {} if token is None else {"Authorization": token}
    return httpx.get(f"{gateway.base_url}/api/log/self", params=query, headers=headers)


def records(gateway: Simulator, **query: Any) -> list[dict[str, Any]]:
    document = asked(gateway, **query).json()
    assert document["success"] is True
    found: list[dict[str, Any]] = document["data"]
    return found


@pytest.mark.parametrize("token", [None, "", "sk-mine", f"Bearer {TOKEN}", TOKEN[:-1]])
def test_only_the_accounts_bare_token_reads_it_and_a_wrong_one_is_a_200(gateway: Simulator, token: str | None) -> None:
    answer = asked(gateway, token)

    assert (answer.status_code, answer.json()) == (200, WRONG)


def test_ten_records_a_page_newest_first_and_no_total(gateway: Simulator) -> None:
    pages = [records(gateway, p=number, page_size=100) for number in range(3)]

    assert [len(page) for page in pages] == [10, 5, 0]
    times = [record["created_at"] for page in pages for record in page]
    assert times == sorted(times, reverse=True)
    assert asked(gateway).json().keys() == {"success", "message", "data"}


def test_it_can_be_asked_for_a_model_a_key_a_kind_and_a_time(gateway: Simulator) -> None:
    now = int(time.time())

    assert [record["quota"] for record in records(gateway, model_name=OMNI)] == [150_000]
    assert [record["token_name"] for record in records(gateway, token_name="studio")] == ["studio"]
    assert records(gateway, type=1) == []
    assert len(records(gateway, type=2, token_name="veopipe", p=1)) == 4
    assert records(gateway, start_timestamp=now + 5) == []
    assert records(gateway, end_timestamp=now - 3600) == []
    assert len(records(gateway, start_timestamp=now - 3600, end_timestamp=now)) == 10


def test_a_record_holds_no_task_unless_that_is_ordered(gateway: Simulator) -> None:
    tasks = {create["task_id"] for create in gateway.ledger}
    plain = records(gateway)[0]
    assert not any(task in json.dumps(plain) for task in tasks)
    gateway.order_fault("log_task_id", times=None)
    assert json.loads(records(gateway)[0]["other"])["task_id"] in tasks
    gateway.clear_faults()
    gateway.order_fault("log_task_id", where="content")
    assert records(gateway)[0]["content"].removeprefix("video task ") in tasks


def test_it_misbehaves_as_ordered(gateway: Simulator) -> None:
    gateway.order_fault("log_bad_token")
    assert asked(gateway).json() == WRONG
    gateway.order_fault("log_late", seconds=3600)
    assert records(gateway) == []
    gateway.order_fault("log_502_html")
    assert asked(gateway).status_code == 502
    gateway.order_fault("log_cut")
    with pytest.raises(httpx.RemoteProtocolError):
        asked(gateway)
    gateway.order_fault("log_gzip")
    with httpx.stream("GET", f"{gateway.base_url}/api/log/self", headers={"Authorization": TOKEN}) as answer:
        body = b"".join(answer.iter_raw())
    assert len(json.loads(gzip.decompress(body))["data"]) == 10


def test_it_never_charges_and_asks_for_no_key_of_its_own() -> None:
    with start(Options(task_time=0)) as running:
        assert asked(running, "anything").json()["data"] == []
        assert asked(running, "Bearer anything").json() == WRONG
        assert running.ledger == []


# --- new-api's form ----------------------------------------------------------------------------------


@pytest.fixture
def new_api(gateway: Simulator) -> Iterator[Simulator]:
    """Wants the account's number; 12 charges."""
    with start(Options(task_time=0, account_token=TOKEN, account_user=7)) as running:
        for number in range(12):
            parts = [(name, (None, value)) for name, value in {"model": FAST, "prompt": f"p{number}"}.items()]
            httpx.post(f"{running.base_url}/v1/videos", files=parts, headers={"Authorization": "Bearer sk-mine"})
        yield running


@pytest.mark.parametrize(("number", "says"), [(None, "未提供"), ("x", "格式错误"), ("8", "不匹配")])
def test_new_api_shows_it_to_who_knows_the_accounts_number(new_api: Simulator, number: str | None, says: str) -> None:
    headers = {"Authorization": TOKEN} | ({"New-Api-User": number} if number else {})
    answer = httpx.get(f"{new_api.base_url}/api/log/self", headers=headers)

    assert (answer.status_code, answer.json()["success"]) == (401, False)
    assert says in answer.json()["message"]


def test_new_api_counts_pages_from_one_and_says_how_many_records_there_are(new_api: Simulator) -> None:
    def page(**query: int) -> dict[str, Any]:
        headers = {"Authorization": TOKEN, "New-Api-User": "7"}
        found = httpx.get(f"{new_api.base_url}/api/log/self", params=query, headers=headers).json()["data"]
        assert isinstance(found, dict)
        return found

    first, second = page(p=1), page(p=2)
    assert page(p=0) == page() == first
    assert [(each["page"], each["page_size"], each["total"], len(each["items"])) for each in (first, second)] == [
        (1, 10, 12, 10),
        (2, 10, 12, 2),
    ]
    assert len(page(page_size=1000)["items"]) == 12
