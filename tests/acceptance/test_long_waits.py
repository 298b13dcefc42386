"""The waits that nobody waits for in a test, whole: 300 s for an answer, 600 s for an unknown task, 48 h for a video.

`tests.harness.mishaps.hurry` makes them short before the real command runs; everything else is as ever.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.fork import hurried
from veopipe.profiles import profile
from veopipe.run import steps
from veopipe.run.creating import creating

if TYPE_CHECKING:
    from tests.harness.film import Film, Result, Started
    from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow

Until = Callable[[Callable[[], object]], None]
ANSWER, UNKNOWN, KEPT = "run.creating.creating.ANSWER_WAIT=1", "run.steps.UNKNOWN_FOR=1.5", "4s"
SLACK = 0.5
"""Seconds by which the gateway's log may differ from what the command saw, on a busy machine."""
FOR_EVER = 60.0
"""Seconds that a slow create takes when its answer must not come in this test."""


def start(film: Film, *words: str, hurry: str) -> Started:
    return film.start(*film.arguments(*words), first=hurried(hurry))


def run(film: Film, *words: str, hurry: str) -> Result:
    return start(film, *words, hurry=hurry).result()


def run_where_videos_are_kept(film: Film, retention: str) -> Result:
    """A run with a profile whose gateway keeps them that long; a missing one is waited for 200 ms."""
    film.pipeline(provider__profile=film.keeps(retention), download__not_ready_for="200ms")
    return film.run()


def events(film: Film, shot: str) -> list[str]:
    """What the event log says of a shot, without what is only for who watches."""
    return [line["event"] for line in film.log() if line.get("shot") == shot and line["event"] not in {"waiting"}]


def status(film: Film, shot: str) -> str:
    """What is on disk at this moment."""
    try:
        return str(film.state(shot)["takes"][-1]["status"])
    except FileNotFoundError:
        return ""


def posts_of(gateway: Simulator) -> int:
    return sum(entry["method"] == "POST" for entry in gateway.wire)


def test_the_waits_are_those_of_the_design() -> None:
    assert (creating.ANSWER_WAIT, steps.UNKNOWN_FOR, profile.KEPT_FOR) == (300, 600, 48 * 3600)


# --- 300 s: a late answer still counts -------------------------------------------------------------


@pytest.mark.shows("300 s: a late answer still counts")
def test_an_answer_that_comes_too_late_is_in_doubt_until_it_comes_and_then_counts(
    film: Film, gateway: Simulator, until: Until
) -> None:
    film.list({"late": "comes late", "next": "goes on"}, budget_usd=0.60)
    gateway.order_fault("slow_create", match={"prompt": "comes late"}, seconds=4)
    gateway.order_fault("stuck_in_progress", times=None, match={"prompt": "goes on"})  # until the late one is there
    going = start(film, hurry=ANSWER)
    until(lambda: status(film, "late") == "in_doubt")
    doubt = film.state("late")["takes"][0]["attempts"][0]
    assert (doubt["reason"], doubt.get("task_id")) == ("no_answer_in_time", None)
    until(lambda: status(film, "late") == "verified")
    gateway.clear_faults()
    ended = going.result()
    assert (ended.code, ended.statuses) == (0, {"late": "verified", "next": "verified"})
    order = [event for event in events(film, "late") if event != "downloading"]
    assert order == ["submitting", "in_doubt", "rendering", "rendered", "downloaded", "verified"]
    told = [(line["event"], line.get("shot")) for line in film.log()]
    assert told.index(("in_doubt", "late")) < told.index(("submitting", "next")) < told.index(("rendering", "late"))
    assert (posts_of(gateway), len(gateway.charged)) == (2, 2)
    assert ended.document["cost_usd"]["charged"] == "0.60"


@pytest.mark.shows("300 s: a late answer still counts")
def test_a_run_that_ends_before_the_late_answer_leaves_a_doubt_that_costs_and_is_never_sent_again(
    film: Film, gateway: Simulator
) -> None:
    film.list({"late": "comes too late", "next": "finds no money"})
    gateway.order_fault("slow_create", match={"prompt": "comes too late"}, seconds=FOR_EVER)
    ended = run(film, "--max-cost", "0.30", hurry=ANSWER)
    assert (ended.code, ended.statuses) == (3, {"late": "in_doubt", "next": "pending"})
    assert "no answer within 1 s" in ended.shots["late"]["reason"]
    assert ended.document["cost_usd"]["possibly_charged"] == "0.30"
    again = film.run("--retry-failed")
    assert (again.code, again.statuses) == (3, {"late": "in_doubt", "next": "verified"})
    assert (posts_of(gateway), len(gateway.charged)) == (2, 2)
    task = next(create["task_id"] for create in gateway.charged if create["prompt"] == "comes too late")
    assert film.command("resolve", "shots.yaml", "late", "--task-id", task).code == 0
    assert film.run(yes=False).statuses == {"late": "verified", "next": "verified"}
    assert (posts_of(gateway), len(gateway.charged)) == (2, 2)


def test_after_two_answers_in_a_row_that_do_not_come_nothing_more_is_sent(film: Film, gateway: Simulator) -> None:
    film.list({"a": "never", "b": "never", "c": "never"})
    gateway.order_fault("slow_create", times=None, seconds=FOR_EVER)
    ended = run(film, hurry=ANSWER)
    assert (ended.code, ended.statuses) == (3, {"a": "in_doubt", "b": "in_doubt", "c": "pending"})
    assert posts_of(gateway) == 2


class _LateRefusal(BaseHTTPRequestHandler):
    """Refuses the key for its first create, three seconds late; takes the others, which fail once that was said."""

    posts = 0
    has_refused = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        _LateRefusal.posts += 1
        if _LateRefusal.posts > 1:
            self._answer(200, {"id": f"task_{_LateRefusal.posts}", "status": "queued"})
            return
        threading.Event().wait(3)
        self._answer(401, {"error": {"message": "Invalid token", "type": "new_api_error", "code": ""}})
        _LateRefusal.has_refused = True

    def do_GET(self) -> None:
        status = "failed" if self.has_refused else "in_progress"
        self._answer(200, {"id": self.path.rpartition("/")[2], "status": status})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_a_refusal_of_the_key_that_comes_late_still_ends_creating(film: Film) -> None:
    film.list({"a": "refused late", "b": "fails", "c": "must not be sent"})
    film.pipeline(limits__in_flight=1)
    with ThreadingHTTPServer(("127.0.0.1", 0), _LateRefusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        film.base_url = f"http://127.0.0.1:{server.server_port}"
        ended = run(film, hurry=ANSWER)
        server.shutdown()
    assert (ended.code, ended.statuses) == (6, {"a": "refused", "b": "failed", "c": "pending"})
    assert _LateRefusal.posts == 2
    assert ended.document["cost_usd"]["charged"] == "0.00"


def test_a_kill_between_the_doubt_and_the_late_answer_leaves_the_doubt(
    film: Film, gateway: Simulator, until: Until
) -> None:
    film.list({"late": "comes to nobody", "next": "goes on"})
    gateway.order_fault("slow_create", match={"prompt": "comes to nobody"}, seconds=FOR_EVER)
    gateway.order_fault("stuck_in_progress", times=None)
    going = start(film, hurry=ANSWER)
    until(lambda: status(film, "late") == "in_doubt" and status(film, "next") == "rendering")
    going.signal(signal.SIGKILL)
    going.result()
    gateway.clear_faults()
    ended = film.run()
    assert (ended.code, ended.statuses) == (3, {"late": "in_doubt", "next": "verified"})
    assert (posts_of(gateway), len(gateway.charged)) == (2, 2)


# --- 600 s: a task that the gateway doesn't know ---------------------------------------------------


def polls(gateway: Simulator) -> list[dict[str, Any]]:
    return [entry for entry in gateway.wire if entry["method"] == "GET" and not entry["path"].endswith("/content")]


@pytest.mark.shows("600 s: a task that the gateway doesn't know")
def test_a_task_that_stays_unknown_is_parked_after_its_time_and_not_before_and_is_asked_about_again(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "unknown for long"})
    gateway.order_fault("poll_502_html", times=3, after=3)  # trouble in between says nothing about the task
    gateway.order_fault("task_not_exist_after_restart", times=None)
    ended = run(film, hurry=UNKNOWN)
    assert (ended.code, ended.statuses) == (4, {"a": "parked"})
    assert "doesn't know the task" in ended.shots["a"]["reason"]
    unknown = [entry["time"] for entry in polls(gateway) if entry["status"] == 400]
    assert unknown[-1] - unknown[0] > 1.5 - SLACK
    assert unknown[-2] - unknown[0] < 1.5 + SLACK
    assert ended.document["cost_usd"]["charged"] == "0.30"
    gateway.clear_faults()
    later = run(film, hurry=UNKNOWN)
    assert (later.code, later.statuses, posts_of(gateway)) == (0, {"a": "verified"}, 1)


def test_a_task_that_was_mistyped_can_be_named_once_more(film: Film, gateway: Simulator) -> None:
    film.list({"a": "lost, and found in the console"})
    gateway.order_fault("lost_response")
    assert film.run().statuses == {"a": "in_doubt"}
    task, name = gateway.ledger[0]["task_id"], ("resolve", "shots.yaml", "a", "-p", "quick.yaml", "--task-id")
    assert film.command(*name, f"{task}0").code == 0
    assert run(film, hurry=UNKNOWN).statuses == {"a": "parked"}
    listed = film.command("resolve", "shots.yaml", "-p", "quick.yaml")
    assert "another task's id   veopipe resolve shots.yaml -p quick.yaml a --task-id task_..." in listed.err

    assert film.command(*name, task).code == 0
    later = film.run()
    assert (later.code, later.statuses, posts_of(gateway)) == (0, {"a": "verified"}, 1)


@pytest.mark.shows("600 s: a task that the gateway doesn't know")
def test_a_task_that_becomes_known_in_between_has_all_its_time_again(film: Film, gateway: Simulator) -> None:
    film.list({"a": "known now and then"})
    film.pipeline(poll__interval="100ms")
    for _ in range(4):  # 6 polls of a tenth of a second, four times: more than the whole time, but never at once
        gateway.order_fault("task_not_exist_first", times=6)
        gateway.order_fault("unknown_first")
    ended = run(film, hurry="run.steps.UNKNOWN_FOR=2")
    assert (ended.code, ended.statuses) == (0, {"a": "verified"})
    unknown = [entry["time"] for entry in polls(gateway) if entry["status"] == 400]
    assert len(unknown) == 24
    assert unknown[-1] - unknown[0] > 2


# --- 48 h: what the gateway keeps ------------------------------------------------------------------


def ordered_only(film: Film, gateway: Simulator) -> float:
    """A shot that is paid and not fetched; when it was ordered, by its record."""
    film.list({"a": "kept for a while"})
    film.pipeline(poll__timeout="200ms", download__not_ready_for="200ms")
    gateway.order_fault("stuck_in_progress", times=None)
    assert film.run().statuses == {"a": "parked"}
    gateway.clear_faults()
    film.pipeline(download__not_ready_for="200ms")
    attempt = film.state("a")["takes"][0]["attempts"][0]
    return max(datetime.fromisoformat(attempt["submitted_at"]).timestamp(), attempt.get("created_at") or 0)


@pytest.mark.parametrize("fault", ["expired_502", "safety_completed_502", "lag_404"])
@pytest.mark.shows("48 hours")
def test_a_video_that_does_not_come_is_waited_for_until_its_time_is_over_and_then_it_is_said_to_be_gone(
    film: Film, gateway: Simulator, until: Until, fault: str
) -> None:
    ordered = ordered_only(film, gateway)
    more = {"seconds": FOR_EVER} if fault == "lag_404" else {}
    gateway.order_fault(fault, times=None, **more)  # type: ignore[arg-type]
    early = run_where_videos_are_kept(film, "1h")
    assert (early.code, early.statuses) == (4, {"a": "parked"})
    until(lambda: time.time() > ordered + 4)
    late = run_where_videos_are_kept(film, KEPT)
    assert (late.code, late.statuses) == (1, {"a": "abandoned"})
    assert "no video 4 s after" in late.shots["a"]["reason"]
    assert late.document["cost_usd"]["possibly_charged"] == "0.30"
    gateway.clear_faults()
    for words in ((), ("--retry-failed",)):  # never bought again, by nobody's leave
        assert film.run(*words).statuses == {"a": "abandoned"}
    assert (posts_of(gateway), len(gateway.charged)) == (1, 1)


def test_a_video_that_still_comes_after_its_time_is_taken(film: Film, gateway: Simulator, until: Until) -> None:
    ordered = ordered_only(film, gateway)
    until(lambda: time.time() > ordered + 4)
    assert run_where_videos_are_kept(film, KEPT).statuses == {"a": "verified"}
    assert posts_of(gateway) == 1


@pytest.mark.shows("48 hours")
def test_a_deleted_video_comes_back_while_the_gateway_keeps_it_and_afterwards_nobody_is_asked(
    film: Film, gateway: Simulator, until: Until
) -> None:
    film.list({"a": "deleted"})
    assert film.run().code == 0
    attempt = film.state("a")["takes"][0]["attempts"][0]
    folder = film.finished("a").parent

    def deleted() -> None:
        for path in folder.rglob("*.mp4"):
            path.unlink()

    deleted()
    assert run_where_videos_are_kept(film, "1h").shots["a"]["file"] == "renders/shots/a.mp4"
    deleted()
    until(lambda: time.time() > max(datetime.fromisoformat(attempt["submitted_at"]).timestamp(), 0) + 6)
    before = len(gateway.wire)
    late = run_where_videos_are_kept(film, KEPT)
    assert (late.shots["a"]["status"], late.shots["a"]["file"]) == ("verified", None)
    assert "has it no more" in late.err
    assert len(gateway.wire) == before
