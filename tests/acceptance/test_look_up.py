"""The account's log settles what is in doubt, as far as it proves anything, and never buys.

Each row of the rule, with the real command against a gateway with books of its own.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.harness.canary import KEY
from tests.harness.film import FAST, Film, Result
from tests.harness.fork import Mishap
from tests.harness.looks import age
from veopipe.simulator.server import Options, Simulator, start

KEY_OF_API = "sk-an-ordinary-key-of-this-test"
"""The canary is the account's token here, so that each test looks for it everywhere."""


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    with start(Options(task_time=0, account_token=KEY)) as running:
        yield running


@pytest.fixture
def film(film: Film) -> Film:
    film.environment |= {"VEOPIPE_API_KEY": KEY_OF_API, "VEOPIPE_ACCOUNT_TOKEN": KEY}
    film.pipeline(provider__token_name="veopipe")
    return film


def look(film: Film, *words: str) -> Result:
    """`resolve --look-up` at the test's gateway."""
    fixed = ["-p", "quick.yaml", "--base-url", film.base_url, "--format", "json"]
    return film.command("resolve", "shots.yaml", *words, "--look-up", *fixed)


def found(result: Result) -> dict[str, str]:
    return {shot: said["found"] for shot, said in result.document["shots"].items()}


def in_doubt(film: Film, gateway: Simulator, *, charged: bool = True, shots: tuple[str, ...] = ("a",)) -> None:
    """Let the creates of these shots end without an answer."""
    film.list(dict.fromkeys(shots, "a cat"))
    gateway.order_fault("html_502", charged=charged, times=len(shots))
    film.environment.pop("VEOPIPE_ACCOUNT_TOKEN")
    assert set(film.run().statuses.values()) == {"in_doubt"}
    film.environment["VEOPIPE_ACCOUNT_TOKEN"] = KEY


def last(film: Film, shot: str = "a") -> dict[str, Any]:
    attempt: dict[str, Any] = film.state(shot)["takes"][-1]["attempts"][-1]
    return attempt


def test_a_charge_with_a_task_is_carried_on(film: Film, gateway: Simulator, posts: Callable[[], int]) -> None:
    in_doubt(film, gateway)
    gateway.order_fault("log_task_id", times=None)
    result = look(film, "a")

    assert found(result) == {"a": "task"}
    assert (last(film)["status"], last(film)["task_id"]) == ("rendering", gateway.ledger[0]["task_id"])
    assert film.run().statuses == {"a": "verified"}
    assert (posts(), len(gateway.charged)) == (1, 1)


@pytest.mark.parametrize("what", ["damaged", "gone"])
def test_a_charge_is_nobodys_while_a_record_is_missing_whose_it_may_be(
    film: Film, gateway: Simulator, posts: Callable[[], int], what: str
) -> None:
    """Else the uncharged shot would carry the other one's task on, and its video would be called verified."""
    in_doubt(film, gateway, charged=False)
    film.list({"a": "a cat", "b": "a dog"})
    gateway.order_fault("log_task_id", times=None)
    assert film.run("--only", "b").statuses == {"b": "verified"}
    path = film.folder / ".veopipe/shots/state/b.json"
    whole = path.read_text("utf-8")
    path.write_text(whole[:100], "utf-8") if what == "damaged" else path.unlink()

    looked = look(film, "a")
    assert found(looked) == {"a": "unclear"}
    assert "may be for" in looked.document["shots"]["a"]["message"]
    assert film.run().statuses["a"] == "in_doubt"  # which begins with the same look

    path.write_text(whole, "utf-8")
    assert found(look(film, "a")) == {"a": "unclear"}
    age(film, "a", minutes=26)
    assert found(look(film, "a")) == {"a": "not_charged"}
    assert film.run().statuses == {"a": "verified", "b": "verified"}
    assert (posts(), len(gateway.charged)) == (3, 2)


def test_a_charge_without_a_task_is_held_and_said(film: Film, gateway: Simulator, posts: Callable[[], int]) -> None:
    in_doubt(film, gateway)
    before = last(film)["message"]
    for _ in range(2):
        result = look(film)
        assert (found(result), result.code) == ({"a": "charged"}, 3)
    held = last(film)
    assert (held["status"], held["message"].count("has a charge for it")) == ("in_doubt", 1)
    assert held["message"].startswith(before)
    assert film.run().statuses == {"a": "in_doubt"}
    assert posts() == 1


def test_what_was_not_charged_is_refused_and_sent_by_the_next_run(
    film: Film, gateway: Simulator, posts: Callable[[], int]
) -> None:
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=26)
    result = look(film, "a")

    assert (found(result), result.code) == ({"a": "not_charged"}, 1)
    assert (last(film)["status"], last(film)["reason"]) == ("refused", "not_charged")
    assert posts() == 1
    assert film.run().statuses == {"a": "verified"}
    assert (posts(), len(gateway.charged)) == (2, 1)


def test_a_charge_that_may_still_appear_leaves_it_in_doubt(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway)
    gateway.order_fault("log_late", times=1, seconds=3600)
    result = look(film, "a")

    assert (found(result), result.code) == ({"a": "unclear"}, 3)
    assert "may still appear" in result.document["shots"]["a"]["message"]
    assert last(film)["status"] == "in_doubt"
    assert found(look(film, "a")) == {"a": "charged"}


@pytest.mark.parametrize("spoilt", ["created_at", "status"])
def test_a_neighbour_whose_charge_may_lie_elsewhere_never_hides_the_one_that_is_looked_for(
    film: Film, gateway: Simulator, spoilt: str
) -> None:
    """Its charge and the doubtful one's would be one and one; believed, the doubtful one would be bought again."""
    in_doubt(film, gateway, charged=True)
    film.list({"a": "a cat", "b": "a dog"})
    film.environment.pop("VEOPIPE_ACCOUNT_TOKEN")
    film.run()
    film.environment["VEOPIPE_ACCOUNT_TOKEN"] = KEY
    path = film.folder / ".veopipe/shots/state/b.json"
    state = json.loads(path.read_text("utf-8"))
    attempt = state["takes"][0]["attempts"][0]
    if spoilt == "created_at":  # it was ordered hours before, and the gateway's time of it is wrong
        attempt["submitted_at"] = "2026-01-01T00:00:00Z"
        gateway.order_fault("log_late", seconds=0)
    else:
        attempt |= {"status": "failed", "reason": "failed"}
        state["takes"][0].pop("file", None)
    path.write_text(json.dumps(state), "utf-8")

    assert found(look(film, "a")) == {"a": "unclear"}
    assert last(film)["status"] == "in_doubt"


def test_several_in_doubt_around_one_time_stay_so(film: Film, gateway: Simulator, posts: Callable[[], int]) -> None:
    in_doubt(film, gateway, charged=False, shots=("a", "b"))
    age(film, "a", minutes=40)
    age(film, "b", minutes=30)
    asked = len(gateway.wire)

    assert found(look(film)) == {"a": "unclear", "b": "unclear"}
    assert len(gateway.wire) == asked
    age(film, "b", hours=3)
    assert found(look(film, "a")) == {"a": "not_charged"}
    assert posts() == 2


SPOILT = {
    "log_bad_token": "access token is invalid",
    "log_502_html": "502 Bad Gateway",
    "log_cut": "can't be read",
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_page_that_cannot_be_had_leaves_it_in_doubt(film: Film, gateway: Simulator, name: str) -> None:
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=26)
    gateway.order_fault(name)
    result = look(film)

    assert (found(result), result.code) == ({"a": "unclear"}, 3)
    assert SPOILT[name] in result.document["shots"]["a"]["message"]
    assert last(film)["status"] == "in_doubt"


def test_a_packed_page_is_read(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway)
    gateway.order_fault("log_gzip")

    assert found(look(film)) == {"a": "charged"}


def test_without_the_keys_name_nothing_is_ever_denied(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=26)
    film.pipeline()

    assert found(look(film)) == {"a": "unclear"}
    film.pipeline(provider__token_name="veopipe")
    assert found(look(film)) == {"a": "not_charged"}


@pytest.mark.parametrize("by", ["resolve", "run"])
def test_what_died_while_it_asked_is_looked_up_too(film: Film, gateway: Simulator, by: str) -> None:
    film.list({"a": "a cat"})
    assert film.start(*film.arguments(), first=Mishap("kill", "record")).result().code == -9
    gateway.order_fault("log_task_id", times=None)
    if by == "resolve":
        assert last(film)["status"] == "submitting"
        assert found(look(film)) == {"a": "task"}

    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.charged) == 1


def test_without_a_token_it_says_which_variable_and_asks_nobody(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway)
    film.pipeline(provider__account_token_env="MY_ACCOUNT")
    asked = len(gateway.wire)
    result = look(film)

    assert result.code == 6
    assert "MY_ACCOUNT" in result.document["error"]
    assert len(gateway.wire) == asked


def test_what_is_not_in_doubt_is_not_looked_up(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat"})
    film.run()

    assert (look(film).document["shots"], look(film).code) == ({}, 0)
    assert look(film, "a").code == 2
    assert look(film, "a", "--not-charged").code == 2


def test_the_log_of_another_gateway_says_nothing(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway)
    with start(Options(task_time=0, account_token=KEY)) as other:
        film.base_url = other.base_url
        result = look(film)
        assert other.wire == []

    assert found(result) == {"a": "unclear"}
    assert "this is the log of" in result.document["shots"]["a"]["message"]


def test_googles_profile_has_no_log(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway)
    (film.folder / "google.yaml").write_text("provider: {profile: google}\n")
    result = film.command("resolve", "shots.yaml", "--look-up", "-p", "google.yaml", "--format", "json")

    assert result.code == 2


# --- a gateway that runs new-api -----------------------------------------------------------------------


@pytest.fixture
def new_api(film: Film) -> Iterator[tuple[Film, Simulator]]:
    """A film at such a gateway, whose account has the number 7."""
    with start(Options(task_time=0, account_token=KEY, account_user=7)) as running:
        film.base_url = running.base_url
        at_new_api(film, account_user=7)
        yield film, running


def at_new_api(film: Film, **provider: Any) -> None:
    models = {FAST: {"price_usd": 0.3, "family": "veo-3.1"}}
    more = {f"provider__{key}": value for key, value in provider.items()}
    film.pipeline(
        provider__profile="new-api",
        provider__base_url=film.base_url,
        provider__models=models,
        provider__token_name="veopipe",
        **more,
    )


def test_new_apis_log_is_read_with_the_accounts_number(new_api: tuple[Film, Simulator]) -> None:
    film, gateway = new_api
    in_doubt(film, gateway)
    film.list({"a": "a cat", **{f"S{number:02d}": "a dog" for number in range(11)}})
    film.environment.pop("VEOPIPE_ACCOUNT_TOKEN")
    assert film.run().code == 3
    film.environment["VEOPIPE_ACCOUNT_TOKEN"] = KEY
    asked = len(gateway.wire)

    assert found(look(film, "a")) == {"a": "charged"}
    pages = [entry for entry in gateway.wire[asked:] if "/log/" in entry["path"]]
    assert len(pages) == 2
    assert all("new-api-user" in map(str.lower, entry["headers"]) for entry in pages)


def test_without_the_accounts_number_new_api_isnt_asked(new_api: tuple[Film, Simulator]) -> None:
    film, gateway = new_api
    in_doubt(film, gateway)
    at_new_api(film)
    asked = len(gateway.wire)
    result = look(film)

    assert (result.code, len(gateway.wire)) == (6, asked)
    assert "provider.account_user is not set" in result.document["error"]
    assert "wasn't looked up" in film.run().err


def test_a_wrong_number_proves_nothing(new_api: tuple[Film, Simulator]) -> None:
    film, gateway = new_api
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=26)
    at_new_api(film, account_user=8)

    assert found(look(film)) == {"a": "unclear"}
    at_new_api(film, account_user=7)
    assert found(look(film)) == {"a": "not_charged"}


# --- a run begins with a look ------------------------------------------------------------------------


def test_a_run_begins_with_a_look_and_goes_on_with_what_it_finds(
    film: Film, gateway: Simulator, posts: Callable[[], int]
) -> None:
    in_doubt(film, gateway)
    gateway.order_fault("log_task_id", times=None)

    assert film.run().statuses == {"a": "verified"}
    assert (posts(), len(gateway.charged)) == (1, 1)


def test_a_run_sends_nothing_that_it_found_not_charged(
    film: Film, gateway: Simulator, posts: Callable[[], int]
) -> None:
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=26)
    first = film.run("--retry-failed")

    assert (first.statuses, posts()) == ({"a": "refused"}, 1)
    assert film.run().statuses == {"a": "verified"}
    assert posts() == 2


def test_a_run_that_cannot_look_goes_on(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway)
    film.list({"a": "a cat", "b": "a dog"})
    gateway.order_fault("log_cut", times=None)

    assert film.run().statuses == {"a": "in_doubt", "b": "verified"}
    film.environment["VEOPIPE_ACCOUNT_TOKEN"] = "no tokén"
    again = film.run()
    assert again.statuses == {"a": "in_doubt", "b": "verified"}
    assert "wasn't looked up" in again.err


def test_its_own_doubts_are_not_looked_up_by_a_run(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat"})
    gateway.order_fault("html_502")

    assert film.run().statuses == {"a": "in_doubt"}
    assert [entry["path"] for entry in gateway.wire if "log" in entry["path"]] == []


# --- logs that mean harm -----------------------------------------------------------------------------


@contextmanager
def answering(*bodies: bytes, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that answers its requests with these bodies in turn, the last one for ever; its address, and methods."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.command)
            body = bodies[min(len(asked), len(bodies)) - 1]
            self.send_response_only(200)
            usual = {"Content-Length": str(len(body)), "Date": self.date_time_string()}
            for name, value in (usual | headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def hostile(film: Film, *bodies: bytes, **headers: str) -> tuple[Result, list[str]]:
    """Look the take up at a gateway that answers with these bodies, as if that one had been asked."""
    with answering(*bodies, **headers) as (base_url, asked):
        path = film.folder / ".veopipe/shots/state/a.json"
        path.write_text(path.read_text("utf-8").replace(film.base_url, base_url), "utf-8")
        film.base_url = base_url
        return look(film), asked


def page(*records: dict[str, Any]) -> bytes:
    return json.dumps({"success": True, "message": "", "data": list(records)}).encode()


BAD: dict[str, bytes] = {
    "30 MB": b'{"success": true, "data": [' + b" " * (30 << 20) + b"]}",
    "deep": b"[" * 200_000,
    "huge numbers": b'{"success": true, "data": [{"created_at": ' + b"9" * 6000 + b"}]}",
    "escapes": json.dumps({"success": False, "message": f"\x1b[2J\u202e{KEY}"}).encode(),
    "the same full page for ever": page(*[{"type": 2, "model_name": FAST, "token_name": "veopipe"}] * 10),
}


@pytest.mark.parametrize("name", BAD)
def test_a_hostile_log_proves_nothing_and_nothing_of_it_is_believed(film: Film, gateway: Simulator, name: str) -> None:
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=26)
    result, asked = hostile(film, BAD[name])

    assert (found(result), result.code) == ({"a": "unclear"}, 3)
    assert result.document["shots"]["a"]["message"].isprintable()
    assert set(asked) == {"GET"}
    assert len(asked) <= 100


def test_a_task_that_would_climb_out_of_a_url_is_none(film: Film, gateway: Simulator) -> None:
    in_doubt(film, gateway, charged=False)
    ids = ["task_1234567890/../../admin", "task_1234567890?x=1", "task_%2e%2e%2f1234567"]
    result, asked = hostile(film, page({"type": 2, "model_name": FAST, "content": ids[0], "other": json.dumps(ids)}))

    assert found(result) == {"a": "charged"}
    assert "task_id" not in last(film)
    assert asked == ["GET"]


@pytest.mark.parametrize(
    ("date", "says"),
    [
        (None, "not_charged"),
        (timedelta(minutes=-2), "unclear"),
        (timedelta(minutes=2), "unclear"),
        ("nonsense", "unclear"),
    ],
)
def test_a_clock_that_is_wrong_or_none_proves_nothing(
    film: Film, gateway: Simulator, date: timedelta | str | None, says: str
) -> None:
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=40)
    told = format_datetime(datetime.now(UTC) + date, usegmt=True) if isinstance(date, timedelta) else date
    result, _ = hostile(film, page(), **({} if told is None else {"Date": told}))

    assert found(result) == {"a": says}


@pytest.mark.parametrize(("rest", "says"), [(page(), "not_charged"), (b'{"success": false}', "unclear")])
def test_nothing_is_denied_before_the_last_page(film: Film, gateway: Simulator, rest: bytes, says: str) -> None:
    in_doubt(film, gateway, charged=False)
    age(film, "a", minutes=26)
    result, asked = hostile(film, page(*[{"type": 1, "model_name": FAST}] * 10), rest)

    assert (found(result), len(asked)) == ({"a": says}, 2)


def test_the_accounts_token_stands_nowhere(film: Film, gateway: Simulator, tmp_path: Path) -> None:
    """The fixture of the canary looks through all files; here is what the gateway repeats."""
    in_doubt(film, gateway, charged=False)
    result, _ = hostile(film, json.dumps({"success": False, "message": f"bad token {KEY} and {KEY_OF_API}"}).encode())

    assert KEY_OF_API not in result.out + result.err
    assert "sk-…" in result.document["shots"]["a"]["message"]
