"""Notices: a real webhook on loopback, real commands, real runs; none of them can change how a run ends."""

import http.server
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import pytest

pytestmark = pytest.mark.slow

HOOK = "FILM_WEBHOOK"
# What the command writes down: its facts, what it was given to read, and the secrets that it must not see.
TELL = """
import json, os, sys
facts = {name: value for name, value in os.environ.items() if name.startswith(("VEOPIPE_", "FILM_"))}
json.dump({"facts": facts, "document": json.load(sys.stdin), "folder": os.getcwd()}, open("told.json", "w"))
print("a word of the command")
"""


@dataclass
class Webhook:
    """A server that writes down what it is sent, and answers `status` after `pause` seconds."""

    status: int = 200
    location: str = ""
    pause: threading.Event | None = None
    got: list = field(default_factory=list)
    address: str = ""


@pytest.fixture
def webhook():
    hook = Webhook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
            if hook.pause:
                hook.pause.wait(30)
            self.send_response(hook.status)
            if hook.location:
                self.send_header("Location", hook.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            hook.got.append((self.path, "GET", None))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        hook.address = f"http://127.0.0.1:{server.server_port}/services/T0/s3cret"
        yield hook
        if hook.pause:
            hook.pause.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def run(film):
    """Run a list with a pipeline that notifies; the address goes into the environment, beside a token."""

    def go(shots, notify, address="", *words):
        film.list(shots)
        film.pipeline(notify=notify)
        environment = {"VEOPIPE_ACCOUNT_TOKEN": "a-token-of-the-account", **({HOOK: address} if address else {})}
        return film.start(*film.arguments(*words), **environment).result()

    return go


def teller(film):
    (film.folder / "tell.py").write_text(TELL)
    return [sys.executable, "tell.py"]


@pytest.mark.parametrize(
    ("prompt", "code", "said"),
    [
        ("A sea", 0, "shots.yaml: 1 of 1 shot verified"),
        ("A sea [simulate: 400_google]", 1, "1 refused: SC01"),
        ("A sea [simulate: lost_response]", 3, "1 in doubt: SC01"),
    ],
)
def test_a_webhook_is_told_how_a_run_ended(run, webhook, prompt, code, said):
    result = run({"SC01": prompt}, {"webhook_env": HOOK}, webhook.address)
    assert result.document["exit_code"] == code
    [(path, kind, body)] = webhook.got
    assert (path, kind, list(body)) == ("/services/T0/s3cret", "application/json", ["text"])
    assert said in body["text"]
    assert f"exit {code}" in body["text"]
    assert "s3cret" not in result.out + result.err


@pytest.mark.parametrize(
    ("on", "told"), [(["finished"], 0), (["failed"], 1), (["in_doubt"], 0), (["failed", "in_doubt"], 1)]
)
def test_only_what_was_asked_for_is_told(run, webhook, on, told):
    run({"SC01": "A sea [simulate: 400_google]"}, {"webhook_env": HOOK, "on": on}, webhook.address)
    assert len(webhook.got) == told


def test_a_command_gets_the_facts_and_the_report_but_no_secret(run, film, webhook):
    result = run({"SC01": "A sea"}, {"command": teller(film), "webhook_env": HOOK}, webhook.address)
    assert result.document["exit_code"] == 0
    told = json.loads((film.folder / "told.json").read_text("utf-8"))
    assert told["document"] == result.document
    assert told["folder"] == str(film.folder)
    text = told["facts"].pop("VEOPIPE_TEXT")
    assert text.startswith("shots.yaml: 1 of 1 shot verified")
    assert told["facts"] == {
        "VEOPIPE_EVENT": "finished",
        "VEOPIPE_MANIFEST": "shots.yaml",
        "VEOPIPE_EXIT_CODE": "0",
        "VEOPIPE_SHOTS": "1",
        "VEOPIPE_VERIFIED": "1",
        "VEOPIPE_IN_DOUBT": "0",
        "VEOPIPE_CHARGED_USD": "0.30",
        "VEOPIPE_POSSIBLY_CHARGED_USD": "0.00",
        "VEOPIPE_THIS_RUN_USD": "0.30",
    }
    assert "a word of the command" in result.err


def test_a_run_that_cant_start_is_told_too(run, film, webhook):
    film.list({"SC01": "A sea"})
    film.pipeline(notify={"webhook_env": HOOK}, provider__require_ledger=True)
    result = film.start(*film.arguments(), **{HOOK: webhook.address}).result()
    assert result.code == 6
    [(_, _, body)] = webhook.got
    assert "the run couldn't go on" in body["text"]
    assert "(exit 6)" in body["text"]


def test_a_rehearsal_tells_nobody_unless_it_is_asked_to(run, webhook):
    shots = {"SC01": "A sea"}
    assert run(shots, {"webhook_env": HOOK}, webhook.address, "--simulate").code == 0
    assert webhook.got == []
    assert run(shots, {"webhook_env": HOOK, "simulated": True}, webhook.address, "--simulate").code == 0
    assert webhook.got[0][2]["text"].startswith("(rehearsal) shots.yaml")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "its environment variable isn't set"),
        ("http://hooks.example/s3cret", "holds no https:// address"),
        ("file:///etc/s3cret", "holds no https:// address"),
        ("https://me:s3cret@hooks.example/", "holds no https:// address"),
        ("http://[s3cret", "holds no https:// address"),
        ("http://127.0.0.1:9/s3cret", "it can't be reached"),
    ],
)
def test_a_webhook_that_cant_be_asked_is_a_line_and_never_shown(run, address, said):
    result = run({"SC01": "A sea"}, {"webhook_env": HOOK}, address)
    assert result.document["exit_code"] == 0
    assert sum(said in line for line in result.err.splitlines()) == 1
    assert "s3cret" not in result.out + result.err


def test_a_redirect_is_not_followed(run, webhook):
    webhook.status, webhook.location = 302, "/elsewhere"
    result = run({"SC01": "A sea"}, {"webhook_env": HOOK}, webhook.address)
    assert result.document["exit_code"] == 0
    assert "it answered 302" in result.err
    assert [path for path, _, _ in webhook.got] == ["/services/T0/s3cret"]


def test_a_webhook_that_never_answers_holds_a_run_no_longer_than_it_may(run, webhook):
    webhook.pause = threading.Event()
    result = run({"SC01": "A sea"}, {"webhook_env": HOOK, "timeout": "300ms"}, webhook.address)
    assert result.document["exit_code"] == 0
    assert "no answer within 0.3 s" in result.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["./nowhere"], "it can't be started: No such file or directory"),
        ([sys.executable, "-c", "raise SystemExit(5)"], "it ended with 5"),
        ("sh -c 'exit 7'", "it ended with 7"),
    ],
)
def test_a_command_that_fails_is_a_line_and_fails_no_run(run, command, said):
    result = run({"SC01": "A sea"}, {"command": command})
    assert result.document["exit_code"] == 0
    assert said in result.err


def test_a_command_that_hangs_is_ended_with_what_it_started(run, film, until):
    script = "sleep 60 & echo $! > child; wait"
    began = time.monotonic()
    result = run({"SC01": "A sea"}, {"command": ["sh", "-c", script], "timeout": "500ms"})
    assert result.document["exit_code"] == 0
    assert "it didn't end within 0.5 s and was stopped" in result.err
    assert time.monotonic() - began < 40
    child = int((film.folder / "child").read_text())
    until(lambda: not os.path.exists(f"/proc/{child}") or is_dead(child))


def is_dead(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_name_that_looks_like_slack_markup_is_only_a_name(film, webhook):
    film.list({"SC01": "A sea"}, name="a<!channel>&b.yaml")
    film.pipeline(notify={"webhook_env": HOOK})
    result = film.start(*film.arguments(manifest="a<!channel>&b.yaml"), **{HOOK: webhook.address}).result()
    assert result.code == 0
    assert webhook.got[0][2]["text"].startswith("a&lt;!channel&gt;&amp;b.yaml: 1 of 1 shot verified")


def test_what_a_command_left_running_is_ended_with_it_so_that_nobody_waits_for_it(run, film):
    """A shell's `veopipe run … 2>&1 | tee night.log` ends when nobody holds stderr any more."""
    began = time.monotonic()
    result = run({"SC01": "A sea"}, {"command": ["sh", "-c", "sleep 60 & echo told >&2"]})
    assert result.document["exit_code"] == 0
    assert "told" in result.err
    assert time.monotonic() - began < 40


def test_a_command_is_told_where_stderr_is_closed(run, film):
    film.list({"SC01": "A sea"})
    film.pipeline(notify={"command": teller(film)})
    line = shlex.join([sys.executable, "-m", "veopipe", *film.arguments()])
    done = subprocess.run(["sh", "-c", f"{line} 2>&-"], cwd=film.folder, env=film.environment, capture_output=True)
    assert done.returncode == 0
    assert (film.folder / "told.json").is_file()
