"""What a gateway says in its own words reaches people, and what it says of the address is no matter of a shot.

The far side is a small server that answers what a test tells it to; `gateway` of the other tests is the document's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow  # many situations of one kind; each promise has faster tests

TASK = "task_of_a_gateway_with_words"
REQUEST = "2026112206_request"
WORDS = "your account's render farm is paused"


class Blunt:
    """A gateway that says what it is told to: `creates` in turn (the last for ever), `polls` for every task.

    `of_form` and `of_task` go before them, where they say something of a form's bytes or a task's id.
    """

    def __init__(self) -> None:
        self.creates: list[tuple[int, Any]] = []
        self.polls: tuple[int, Any] = (200, {"status": "in_progress"})
        self.content: tuple[int, Any] = (404, {"error": {"message": "Task not found"}})
        self.of_form: Callable[[bytes], tuple[int, Any] | None] = lambda form: None
        self.of_task: Callable[[str], tuple[int, Any] | None] = lambda task: None
        self.posts: list[str] = []
        self.asked = 0
        blunt = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["content-length"]))
                blunt.posts.append(self.path)
                task = f"{TASK}_{len(blunt.posts)}"
                told = blunt.creates[min(len(blunt.posts), len(blunt.creates)) - 1] if blunt.creates else None
                self.say(*(blunt.of_form(form) or told or (200, {"id": task, "object": "video", "status": "queued"})))

            def do_GET(self) -> None:
                blunt.asked += 1
                name = self.path.removesuffix("/content").rpartition("/")[2]
                polled = blunt.of_task(name) or blunt.polls
                status, body = blunt.content if self.path.endswith("/content") else polled
                if isinstance(body, dict) and "status" in body:
                    body = {"id": self.path.rpartition("/")[2], **body}
                self.say(status, body)

            def say(self, status: int, body: Any) -> None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def blunt() -> Iterator[Blunt]:
    made = Blunt()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def told(film: Film, blunt: Blunt) -> Film:
    """A film whose gateway is blunt, and a run that doesn't wait long for it."""
    film.base_url = blunt.base_url
    film.pipeline(provider__base_url=blunt.base_url, poll__timeout="400ms", limits__in_flight=1)
    film.list({"a": "the first", "b": "the second"})
    return film


@pytest.fixture
def everywhere(told: Film) -> Callable[[Result], dict[str, str]]:
    """All that is shown after a run, by where it is shown."""

    def look(run: Result) -> dict[str, str]:
        common = ("-p", "quick.yaml")
        return {
            "run": run.out,
            "seen": run.err,
            "status": told.command("status", "shots.yaml", *common).out,
            "report": told.command("report", "shots.yaml", *common).out,
            "markdown": told.command("report", "shots.yaml", *common, "--format", "markdown").out,
            "resolve": told.command("resolve", "shots.yaml", *common).out,
            "resolve as JSON": told.command("resolve", "shots.yaml", *common, "--format", "json").out,
            "log": json.dumps(told.log(), ensure_ascii=False),
        }

    return look


# --- words that settle nothing ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"status": "suspended", "failure_reason": WORDS}),
        (200, {"status": 99, "message": WORDS}),
        (200, {"error": {"code": "farm", "message": WORDS}}),
        (500, {"detail": [{"loc": ["farm"], "msg": WORDS}]}),
    ],
    ids=["a word that isn't known", "a number", "an error with 200", "a list with 500"],
)
def test_what_a_gateway_says_of_a_task_that_never_ends_is_shown_everywhere(
    told: Film, blunt: Blunt, everywhere: Callable[[Result], dict[str, str]], status: int, body: dict[str, Any]
) -> None:
    blunt.polls = (status, body)
    run = told.run("--only", "a")
    assert (run.code, run.statuses, len(blunt.posts)) == (4, {"a": "parked"}, 1)
    shown = everywhere(run)
    assert [where for where, text in shown.items() if WORDS not in text] == []
    if "status" in body:
        assert all(str(body["status"]) in text for text in shown.values())
    assert [note["event"] for note in told.log() if WORDS in note.get("message", "")] == ["waiting", "parked"]


def test_what_a_gateway_says_stands_in_the_state_while_it_is_still_asked(
    told: Film, blunt: Blunt, until: Callable[[Callable[[], object]], None]
) -> None:
    told.pipeline(provider__base_url=blunt.base_url, poll__timeout="60s")
    blunt.polls = (200, {"status": "suspended", "message": WORDS})
    run = told.start(*told.arguments("--only", "a"))
    until(lambda: WORDS in told.command("status", "shots.yaml", "-p", "quick.yaml").out)
    assert told.state("a")["takes"][0]["status"] == "rendering"
    run.signal(2)
    ended = run.result()
    assert (ended.code, ended.shots["a"]["reason"]) == (130, f'the gateway says "suspended": {WORDS}')


def test_a_task_that_was_parked_holds_no_new_create_back(told: Film, blunt: Blunt) -> None:
    blunt.polls = (200, {"status": "suspended"})
    assert told.run("--only", "a").statuses == {"a": "parked"}
    told.pipeline(provider__base_url=blunt.base_url, poll__timeout="2s", limits__in_flight=1)
    told.run()
    log = told.log()
    first = next(number for number, note in enumerate(log) if note["event"] == "submitting" and note["shot"] == "b")
    parked = [number for number, note in enumerate(log) if note["event"] == "parked" and note["shot"] == "a"]
    assert parked[0] < first < parked[1]


def test_an_old_task_is_said_with_its_age_and_what_to_do(told: Film, blunt: Blunt) -> None:
    blunt.polls = (200, {"status": "suspended", "message": WORDS})
    told.run("--only", "a")
    path = told.folder / ".veopipe/shots/state/a.json"
    state = told.state("a")
    state["takes"][0]["attempts"][0]["submitted_at"] = "2026-01-01T00:00:00Z"
    path.write_text(json.dumps(state), "utf-8")
    reason = told.run("--only", "a").shots["a"]["reason"]
    assert "days after it was ordered" in reason
    assert f'"suspended": {WORDS}' in reason
    assert "veopipe resolve" in reason


@pytest.mark.parametrize("word", ["Fail", "moderated", "CONTENT_FILTERED", "cancelled", "expired"])
def test_a_word_of_failure_is_confirmed_and_recorded_with_its_reason(told: Film, blunt: Blunt, word: str) -> None:
    told.pipeline(provider__base_url=blunt.base_url, poll__timeout="20s")
    blunt.polls = (200, {"status": word, "failure_reason": WORDS})
    run = told.run("--only", "a")
    assert (run.code, run.statuses) == (1, {"a": "failed"})
    assert WORDS in run.shots["a"]["reason"]
    assert blunt.asked >= 3


@pytest.mark.parametrize(
    "body",
    [
        {"failure_reason": WORDS},
        {"errors": [{"detail": WORDS}]},
        f"<?xml version='1.0'?><Error><Code>Busy</Code><Message>{WORDS}</Message></Error>".encode(),
    ],
    ids=["a key of its own", "a list", "XML"],
)
def test_what_a_gateway_says_in_place_of_a_video_is_said(told: Film, blunt: Blunt, body: Any) -> None:
    told.pipeline(provider__base_url=blunt.base_url, download__not_ready_for="300ms")
    blunt.polls, blunt.content = (200, {"status": "succeed"}), (409, body)
    run = told.run("--only", "a")
    assert (run.code, run.statuses) == (4, {"a": "parked"})
    assert WORDS in run.shots["a"]["reason"]


@pytest.mark.parametrize(
    ("words", "in_time"), [("in_progress", False), ("suspended", True)], ids=["it renders", "nobody knows"]
)
def test_a_task_that_was_parked_counts_as_in_flight_once_it_is_known_to_render(
    told: Film, blunt: Blunt, words: str, in_time: bool
) -> None:
    blunt.polls = (200, {"status": words})
    assert told.run("--only", "a").statuses == {"a": "parked"}
    told.pipeline(provider__base_url=blunt.base_url, poll__timeout="2s", limits__in_flight=1)
    told.run()
    log = told.log()
    first = next(number for number, note in enumerate(log) if note["event"] == "submitting" and note["shot"] == "b")
    parked = [number for number, note in enumerate(log) if note["event"] == "parked" and note["shot"] == "a"]
    assert (first < parked[1]) is in_time


# --- an id beside an error -------------------------------------------------------------------------


def test_an_id_beside_an_error_is_in_doubt_and_one_copy_away_from_going_on(
    told: Film, blunt: Blunt, everywhere: Callable[[Result], dict[str, str]]
) -> None:
    blunt.creates = [(200, {"id": REQUEST, "error": {"message": WORDS}})]
    run = told.run("--only", "a")
    assert (run.code, run.statuses) == (3, {"a": "in_doubt"})
    shown = everywhere(run)
    assert [where for where, text in shown.items() if WORDS not in text] == []
    assert [where for where in ("run", "resolve", "resolve as JSON", "log") if REQUEST not in shown[where]] == []
    assert REQUEST not in shown["markdown"]  # a report may be passed on, and an id opens a video at some gateways
    assert told.run("--only", "a", "--retry-failed").code == 3
    assert len(blunt.posts) == 1
    done = told.command("resolve", "shots.yaml", "a", "--task-id", REQUEST, "-p", "quick.yaml")
    assert done.code == 0
    assert told.state("a")["takes"][0]["status"] == "rendering"
    told.run("--only", "a")
    assert len(blunt.posts) == 1


def test_an_id_beside_an_error_is_given_to_no_other_take(told: Film, blunt: Blunt) -> None:
    blunt.creates = [(200, {"id": REQUEST, "error": WORDS}), (200, {"id": REQUEST, "status": "queued"})]
    told.pipeline(provider__base_url=blunt.base_url, poll__timeout="400ms", limits__in_flight=2)
    run = told.run()
    assert (run.code, run.statuses) == (3, {"a": "in_doubt", "b": "in_doubt"})
    assert "another take has" in run.shots["b"]["reason"]


def test_an_id_beside_an_error_may_be_found_to_cost_nothing(told: Film, blunt: Blunt) -> None:
    blunt.creates = [(200, {"id": "req-1", "error": WORDS}), (200, {"id": TASK, "status": "queued"})]
    told.run("--only", "a")
    assert told.command("resolve", "shots.yaml", "a", "--not-charged", "-p", "quick.yaml").code == 0
    assert told.run("--only", "a").statuses == {"a": "parked"}
    assert len(blunt.posts) == 2


def test_a_task_object_beside_an_error_is_carried_on_and_its_words_are_said(told: Film, blunt: Blunt) -> None:
    blunt.creates = [(200, {"id": TASK, "status": "queued", "error": {"message": WORDS}})]
    run = told.run("--only", "a")
    assert (run.code, run.statuses, len(blunt.posts)) == (4, {"a": "parked"}, 1)
    assert WORDS in run.err
    assert WORDS in json.dumps(told.log(), ensure_ascii=False)


# --- the address -----------------------------------------------------------------------------------

PAGE = b"<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>"
GOOGLES_PAGE = (
    b"<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> "
    b"<ins>That's an error.</ins>\n<p>The requested URL <code>/v1/videos</code> was not found here.\n</html>\n"
)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, PAGE),
        (404, GOOGLES_PAGE),
        (404, {"detail": "Not Found"}),
        (404, {"message": "no Route matched with those values"}),
        (405, b""),
        (415, {"message": "Unsupported Media Type"}),
    ],
    ids=["nginx", "Google", "FastAPI", "Kong", "method", "type"],
)
def test_an_address_that_takes_no_creates_ends_creating_and_settles_nothing(
    told: Film, blunt: Blunt, status: int, body: Any
) -> None:
    blunt.creates = [(status, body)]
    run = told.run()
    assert (run.code, run.statuses, len(blunt.posts)) == (6, {"a": "pending", "b": "pending"}, 1)
    assert run.document["cost_usd"]["possibly_charged"] == run.document["cost_usd"]["charged"] == "0.00"
    assert "provider.base_url" in " ".join(run.document["notes"])
    blunt.creates = []
    again = told.run()
    assert (again.statuses, len(blunt.posts)) == ({"a": "parked", "b": "parked"}, 3)


def test_a_model_that_is_not_there_is_still_a_matter_of_its_shot(told: Film, blunt: Blunt) -> None:
    blunt.creates = [
        (404, {"error": {"message": "The model 'x' does not exist"}}),
        (404, {"error": {"message": "no model"}}),
    ]
    run = told.run()
    assert (run.code, run.statuses, len(blunt.posts)) == (1, {"a": "refused", "b": "refused"}, 2)


def test_a_gateway_that_takes_creates_and_has_no_address_to_ask_is_given_no_more(told: Film, blunt: Blunt) -> None:
    told.pipeline(provider__base_url=blunt.base_url, poll__timeout="1s", limits__in_flight=1)
    blunt.polls = (404, {"detail": "Not Found"})
    run = told.run()
    assert (run.code, run.statuses, len(blunt.posts)) == (6, {"a": "parked", "b": "pending"}, 1)


@pytest.mark.parametrize(
    "body",
    [
        (404, b""),
        (404, PAGE),
        (404, {"error": {"message": "Not Found", "code": "not_found"}}),
        (415, {"message": "Unsupported Media Type"}),
    ],
    ids=["empty", "page", "words", "type"],
)
def test_what_looks_like_the_address_is_about_the_shot_once_a_create_was_accepted_there(
    told: Film, blunt: Blunt, body: Any
) -> None:
    told.pipeline(provider__base_url=blunt.base_url, poll__timeout="400ms")
    told.list({"a": "the first", "b": "the second", "c": "the third"})
    blunt.of_form = lambda form: body if b"the second" in form else None
    run = told.run()
    assert (run.code, run.statuses) == (4, {"a": "parked", "b": "refused", "c": "parked"})
    assert "base_url" not in run.shots["b"]["reason"]
    assert told.run().statuses["b"] == "refused"
    assert len(blunt.posts) == 3


def test_a_ledger_that_knows_the_gateway_makes_bare_words_a_matter_of_the_shot(told: Film, blunt: Blunt) -> None:
    told.run("--only", "a")
    blunt.creates = [(404, {"error": {"message": "Not Found"}})]
    assert told.run("--only", "b").statuses == {"b": "refused"}


def test_a_ledger_that_knows_the_gateway_says_nothing_of_another_path_there(told: Film, blunt: Blunt) -> None:
    told.run("--only", "a")
    blunt.creates = [(404, PAGE)]
    run = told.run("--only", "b")
    assert (run.code, run.statuses) == (6, {"b": "pending"})


@pytest.mark.parametrize(
    "said",
    [
        (404, {"detail": "Not found."}),
        (404, {"error": {"message": "nope", "code": "not_found"}}),
        (405, b""),
        (404, {"error": "record not found"}),
        (404, {"message": "Resource not found", "code": 404}),
        (404, PAGE),
    ],
    ids=["bare", "code", "method", "record", "resource", "page"],
)
def test_a_task_that_is_forgotten_ends_no_creating_where_others_are_told_about(
    told: Film, blunt: Blunt, said: Any
) -> None:
    polls = {"poll__interval": "400ms", "poll__timeout": "2s"}
    told.pipeline(provider__base_url=blunt.base_url, limits__in_flight=2, **polls)
    told.list({"a": "the first", "b": "the second", "c": "the third"})
    told.run("--only", "a")
    blunt.of_task = lambda task: said if task == f"{TASK}_1" else None
    run = told.run()  # before the third answer about the first, another is created and told about
    assert (run.code, run.statuses) == (4, dict.fromkeys("abc", "parked"))


def test_a_base_url_below_the_right_one_is_found_by_doctor_and_by_the_first_create(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "the first", "b": "the second"})
    film.base_url = f"{gateway.base_url}/api"
    found = film.command("doctor", "--base-url", film.base_url, "--format", "json")
    checks = {check["name"]: check for check in found.document["checks"]}
    assert (found.code, checks["gateway"]["state"]) == (6, "bad")
    assert "base_url" in checks["gateway"]["remedy"]
    run = film.run()
    assert (run.code, run.statuses, gateway.charged) == (6, {"a": "pending", "b": "pending"}, [])
    film.base_url = gateway.base_url
    assert (film.run().code, len(gateway.charged)) == (0, 2)


@pytest.mark.parametrize(
    "end", ["/v1", "/v1/videos", "/v1/videos/", "//v1//videos", "/v1/chat/completions?x=1", "/V1/"]
)
def test_a_base_url_that_is_the_whole_endpoint_is_met_with_the_right_one(
    film: Film, gateway: Simulator, end: str
) -> None:
    film.list({"a": "the first"})
    right = f"write {gateway.base_url}\n"
    for done in (
        film.command("run", "shots.yaml", "--base-url", gateway.base_url + end, "--yes"),
        film.command("doctor", "--base-url", gateway.base_url + end),
    ):
        assert done.code == 2
        assert right in done.err + "\n"
    film.pipeline(provider__base_url=gateway.base_url + end)
    problem = film.command("plan", "shots.yaml", "-p", "quick.yaml")
    assert problem.code == 2
    assert "quick.yaml:1:" in problem.err
    assert right.strip() in problem.err
    assert gateway.wire == []
