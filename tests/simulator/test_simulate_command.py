"""`veopipe simulate` as a person uses it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from veopipe.simulator.dialects.videos.faults import TABLE

ROOT = Path(__file__).parents[2]
COMMAND = "from veopipe.cli.commands.simulate import command; command()"


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", COMMAND, *options]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_it_serves_until_it_is_asked_to_stop(name: str) -> None:
    words = [sys.executable, "-c", COMMAND, "--port", "0", "--task-time", "0.05", "--key", "sk-mine"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().strip()
            hint = process.stdout.readline()
            assert f"--base-url {base_url}" in hint
            assert httpx.get(f"{base_url}/v1/videos/task_a").status_code == 401
            good = httpx.get(f"{base_url}/v1/videos/task_a", headers={"Authorization": "Bearer sk-mine"})
            assert good.json()["code"] == "task_not_exist"
            process.send_signal(getattr(signal, name))
            rest, errors = process.communicate(timeout=10)
        finally:
            process.kill()
    assert (process.returncode, rest, errors) == (0, "", "")


def test_the_faults_are_listed_with_what_they_do() -> None:
    listed = _run("--list-faults")
    assert listed.returncode == 0
    for fault in TABLE.values():
        (line,) = (line for line in listed.stdout.splitlines() if line.split()[:1] == [fault.name])
        assert fault.about in line


def test_a_profile_says_whose_gateway_it_plays() -> None:
    words = [sys.executable, "-c", COMMAND, "--port", "0", "--profile", "google"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base_url, hint, pipeline = (process.stdout.readline().strip() for _ in range(3))
            unknown = httpx.get(f"{base_url}/v1beta/interactions/v1_a", headers={"x-goog-api-key": "k"})
        finally:
            process.kill()
    assert "GEMINI_API_KEY=sk-simulated veopipe run" in hint
    assert "profile: google" in pipeline
    assert unknown.json()["error"]["message"].startswith("Invalid interaction name")
    assert "credentials_400" in _run("--list-faults", "--profile", "google").stdout


def test_of_new_api_it_says_the_accounts_number() -> None:
    words = [sys.executable, "-c", COMMAND, "--port", "0", "--profile", "new-api"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base_url, _, pipeline = (process.stdout.readline().strip() for _ in range(3))
            headers = {"Authorization": "a-token", "New-Api-User": "1"}
            log = httpx.get(f"{base_url}/api/log/self", headers=headers).json()
            nobody = httpx.get(f"{base_url}/api/log/self", headers={"Authorization": "a-token"})
        finally:
            process.kill()
    assert "profile: new-api, account_user: 1" in pipeline
    assert (log["data"]["total"], nobody.status_code) == (0, 401)


def test_a_profile_that_isnt_there_is_explained() -> None:
    words = [sys.executable, "-m", "veopipe", "simulate", "--profile", "gogle"]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert "did you mean google?" in ended.stderr


def test_help_has_an_example_and_the_exit_codes() -> None:
    shown = _run("--help").stdout
    assert "veopipe run shots.yaml --base-url http://127.0.0.1:8787" in shown
    assert "Exit codes:" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task-time", "soon"], "a duration is written like 250ms"),
        (["--task-time", "0s"], "longer than zero"),
        (["--wallet", "much"], "isn't an amount"),
        (["--wallet", "NaN"], "not infinite"),
        (["--key", " "], "it must not be empty"),
        (["--wallet", "-1"], "0 or more"),
        (["--port", "70000"], "70000"),
    ],
)
def test_wrong_options_are_explained(options: list[str], message: str) -> None:
    ended = _run(*options)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_importing_the_package_loads_neither_library() -> None:
    modules = "veopipe.simulator.server, veopipe.cli.commands.simulate"
    code = f"import sys, {modules}; print({{'aiohttp', 'av', 'PIL'}} & {{*sys.modules}})"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.stdout.strip() == "set()", ended.stderr


def test_a_missing_library_is_named_with_the_command_that_helps(tmp_path: Path) -> None:
    code = (
        "import importlib.abc, sys\n"
        "from veopipe.errors import EnvironmentFault\n"
        "class Absent(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'aiohttp': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from veopipe.simulator.server import Options, start\n"
        "try: start(Options())\n"
        "except EnvironmentFault as error: print(error.message, '|', error.hint)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.stdout.strip() == (
        "the simulator needs aiohttp, which isn't installed | pip install 'veopipe[simulator]'"
    )
