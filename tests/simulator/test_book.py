"""The simulator's memory: it outlives a kill, a torn line and a restart, and counts what was charged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from veopipe.errors import EnvironmentFault
from veopipe.simulator.book import FILE_NAME
from veopipe.simulator.server import Options, start

KEY = {"Authorization": "Bearer k"}
FAST = "veo-3.1-fast-generate-preview"
ROOT = Path(__file__).parents[2]
COMMAND = "from veopipe.cli.commands.simulate import command; command()"


@contextmanager
def _process(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A simulator in a process of its own, and its base URL."""
    words = [sys.executable, "-c", COMMAND, "--port", "0", "--folder", str(folder), *options]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def _create(base_url: str, prompt: str, *files: tuple[str, tuple[str, bytes, str]]) -> httpx.Response:
    parts = [("model", (None, FAST)), ("prompt", (None, prompt)), ("seconds", (None, "8")), *files]
    return httpx.post(f"{base_url}/v1/videos", headers=KEY, files=parts)


@pytest.mark.slow
def test_a_killed_simulator_knows_every_task_that_it_charged(tmp_path: Path) -> None:
    answered: list[str] = []
    with _process(tmp_path, "--task-time", "50ms", "--wallet", "100") as (process, base_url):

        def order() -> None:
            try:
                while True:
                    answered.append(_create(base_url, f"Shot {len(answered)}").json()["id"])
                    if len(answered) == 15:
                        os.kill(process.pid, signal.SIGKILL)
            except (httpx.HTTPError, ValueError):
                return

        threads = [threading.Thread(target=order) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert process.wait() == -signal.SIGKILL
    with start(Options(folder=tmp_path)) as again:
        known = {task["task_id"] for task in again.charged}
        assert set(answered) <= known
        ledger = httpx.get(f"{again.base_url}/_simulator/ledger").json()
        assert Decimal(ledger["wallet_usd"]) == 100 - len(known) * Decimal("0.3")
        assert Decimal(ledger["charged_usd"]) == len(known) * Decimal("0.3")
        for task in answered[:3]:
            assert httpx.get(f"{again.base_url}/v1/videos/{task}", headers=KEY).status_code == 200


@pytest.mark.slow
def test_a_restart_goes_on_with_tasks_prompts_pictures_and_directives(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    image = ("input_reference", ("a.png", picture(), "image/png"))
    with start(Options(task_time=0, folder=tmp_path)) as first:
        task = _create(first.base_url, "A harbour", image).json()["id"]
        stuck = _create(first.base_url, "A sea [simulate: stuck_queued]").json()["id"]
        video = httpx.get(f"{first.base_url}/v1/videos/{task}/content", headers=KEY).content
        ledger = first.ledger
    with start(Options(task_time=60, folder=tmp_path)) as second:
        assert json.loads(json.dumps(second.ledger)) == json.loads(json.dumps(ledger))
        assert httpx.get(f"{second.base_url}/v1/videos/{task}", headers=KEY).json()["status"] == "completed"
        assert httpx.get(f"{second.base_url}/v1/videos/{task}/content", headers=KEY).content == video
        assert httpx.get(f"{second.base_url}/v1/videos/{stuck}", headers=KEY).json()["status"] == "queued"


def test_a_line_that_a_kill_tore_is_dropped(tmp_path: Path) -> None:
    with start(Options(task_time=0, folder=tmp_path)) as first:
        for number in range(2):
            _create(first.base_url, f"Shot {number}")
    book = tmp_path / FILE_NAME
    book.write_bytes(book.read_bytes()[:-20])
    with start(Options(task_time=0, folder=tmp_path)) as second:
        assert [task["prompt"] for task in second.charged] == ["Shot 0"]
        _create(second.base_url, "Shot 2")
    with start(Options(folder=tmp_path)) as third:
        assert [task["prompt"] for task in third.charged] == ["Shot 0", "Shot 2"]


def test_one_folder_serves_one_simulator(tmp_path: Path) -> None:
    with start(Options(folder=tmp_path)), pytest.raises(EnvironmentFault, match="another simulator is using"):
        start(Options(folder=tmp_path))
    start(Options(folder=tmp_path)).close()


@pytest.mark.parametrize("content", ["not a book\n", "[]\n", '{"event":"accepted"}\n'])
def test_a_file_that_is_no_book_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(EnvironmentFault, match="isn't a simulator's book"):
        start(Options(folder=tmp_path))
    assert (tmp_path / FILE_NAME).read_text() == content


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EnvironmentFault, match="the simulator can't use"):
        start(Options(folder=tmp_path / "file"))


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with start(Options()) as running, pytest.raises(EnvironmentFault, match=f"port {running.port} on 127.0.0.1"):
        start(Options(), running.port)


def test_equal_creates_are_counted(tmp_path: Path) -> None:
    with start(Options(task_time=0)) as running:
        for prompt in ("one", "two", "one", "one"):
            _create(running.base_url, prompt)
        assert [task["alike"] for task in running.charged] == [1, 1, 2, 3]


def test_connections_and_parts_are_in_the_log_of_the_wire(picture: Callable[..., bytes]) -> None:
    with start(Options(task_time=0)) as running:
        _create(running.base_url, "one", ("input_reference", ("x.png", picture(), "image/png")))
        with httpx.Client(base_url=running.base_url, headers=KEY) as client:
            client.get("/v1/videos/task_a")
            client.get("/v1/videos/task_b")
        create, one, two = running.wire
        assert create["connection"] != one["connection"] == two["connection"]
        assert create["form"] == [["model", FAST], ["prompt", "one"], ["seconds", "8"]]
        (file,) = create["files"]
        assert (file["field"], file["filename"], file["content_type"]) == ("input_reference", "x.png", "image/png")
        assert file["size"] == len(picture())
        assert running.charged[0]["files"][0]["sha256"] == file["sha256"]


def test_closing_twice_and_with_open_requests_is_quick() -> None:
    running = start(Options(task_time=0))
    running.order_fault("slow_create", seconds=600)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{running.base_url}/v1/videos",
            headers=KEY,
            files={"model": (None, FAST), "prompt": (None, "a")},
            timeout=0.2,
        )
    running.close()
    running.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.base_url)
