"""The document's own examples, unchanged but for host and key, work against the simulator."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pymediainfo
import pytest

from veopipe.simulator.server import Simulator

HOST = "https://api.laozhang.ai"
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")
SAMPLE_TASK = "task_" + "x" * 32
KEY = "sk-of-the-document"


def _for_us(text: str, simulator: Simulator) -> str:
    assert HOST in text
    return text.replace(HOST, simulator.base_url).replace("YOUR_API_KEY", KEY)


def _curl_calls(document: str) -> list[str]:
    calls, lines = [], iter(document.splitlines())
    for line in lines:
        if line.startswith("curl "):
            call = line
            while call.endswith("\\"):
                call = call[:-1] + " " + next(lines).strip()
            calls.append(call)
    return calls


def _python_example(document: str) -> str:
    return document.partition("\nPython Complete Example\n")[2].partition("\nFAQ\n")[0]


def _run_curl(call: str, folder: Path) -> str:
    words = shlex.split(call)
    ended = subprocess.run([words[0], "-sS", *words[1:]], cwd=folder, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def folder(tmp_path: Path, picture: Callable[..., bytes]) -> Path:
    """A folder with the pictures that the examples name."""
    (tmp_path / "reference.jpg").write_bytes(picture("JPEG"))
    (tmp_path / "reference-4k.jpg").write_bytes(picture("JPEG", (3840, 2160)))
    for name in ("first-frame.png", "last-frame.png", "ref-1.png", "ref-2.png"):
        (tmp_path / name).write_bytes(picture("PNG"))
    return tmp_path


def test_the_python_example_makes_and_downloads_a_video(simulator: Simulator, document: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(_for_us(_python_example(document), simulator), encoding="utf-8")
    ended = subprocess.run([sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "status=completed, progress=100" in ended.stdout
    measured = pymediainfo.MediaInfo.parse(tmp_path / "veo-output.mp4").video_tracks[0]
    assert (measured.width, measured.height, measured.duration) == (1280, 720, 8000)


def test_each_function_of_the_python_example_is_accepted(simulator: Simulator, document: str, folder: Path) -> None:
    calls = (
        "create_image_video('a', 'reference.jpg')",
        "create_first_last_frame_video('b', 'first-frame.png', 'last-frame.png')",
        "create_reference_images_video('c', ['ref-1.png', 'ref-2.png'])",
    )
    lines = ["import json", "from example import *", *(f"print(json.dumps({call}))" for call in calls)]
    (folder / "example.py").write_text(_for_us(_python_example(document), simulator), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    made = [json.loads(line)["id"] for line in ended.stdout.splitlines()]
    modes = {task["task_id"]: task["mode"] for task in simulator.charged}
    assert [modes[task_id] for task_id in made] == ["first frame", "first and last frame", "reference images"]


@needs_curl
def test_the_five_create_calls_are_accepted_as_written(simulator: Simulator, document: str, folder: Path) -> None:
    calls = [call for call in _curl_calls(document) if " -X POST " in call]
    assert len(calls) == 5
    already = len(simulator.charged)
    answers = [json.loads(_run_curl(_for_us(call, simulator), folder)) for call in calls]
    charged = simulator.charged[already:]
    assert [answer["id"] for answer in answers] == [task["task_id"] for task in charged]
    assert [(task["mode"], task["resolution"], task["price_usd"]) for task in charged] == [
        ("text", "720p", "0.3"),
        ("first frame", "720p", "1.2"),
        ("first frame", "4k", "0.3"),
        ("first and last frame", "720p", "1.2"),
        ("reference images", "720p", "0.3"),
    ]
    sample = {"task_id", "id", "object", "model", "status", "progress", "created_at"}
    assert all(answer.keys() == sample and answer["status"] == "queued" for answer in answers)
    assert all(task["ignored"] == [] or task["ignored"] == () for task in charged)


@needs_curl
def test_the_poll_and_download_calls_work_as_written(
    simulator: Simulator, document: str, task: str, folder: Path
) -> None:
    poll, compatible, download = (
        _for_us(call, simulator).replace(SAMPLE_TASK, task) for call in _curl_calls(document) if " -X POST " not in call
    )
    body = json.loads(_run_curl(poll, folder))
    assert list(body) == ["id", "object", "model", "status", "progress", "created_at", "completed_at"]
    assert json.loads(_run_curl(compatible, folder)) == body
    _run_curl(download, folder)
    assert (folder / "veo-3-1-output.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_log_keeps_the_names_of_headers_and_never_the_key(simulator: Simulator, task: str) -> None:
    url = f"{simulator.base_url}/v1/videos/{task}"
    httpx.get(url, headers={"Authorization": "Bearer sk-secret-canary"})
    wire = httpx.get(f"{simulator.base_url}/_simulator/wire").text
    assert "Authorization" in wire
    assert "canary" not in wire
