"""`veopipe doctor` tells what is missing and what to do about it, costs nothing, and never shows the key."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from veopipe.cli.commands.doctor import _LIBRARIES, LITTLE_ROOM, _disk
from veopipe.simulator.server import Options, start

KEY_VARIABLE = "VEOPIPE_API_KEY"


@pytest.fixture
def doctor(film):
    """`veopipe doctor` at the test's gateway: code, and the checks by name."""

    def ask(*words, base_url=film.base_url, **environment):
        changed = {**film.environment, **environment}
        film.environment = {name: value for name, value in changed.items() if value is not None}
        done = film.command("doctor", "--base-url", base_url, "--format", "json", *words)
        assert done.err == ""
        return done.code, {check["name"]: check for check in done.document["checks"]}

    return ask


@pytest.fixture
def closed_port():
    """A port of this machine where nobody listens, held by us so that nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_with_everything_there_all_is_good_but_what_cant_be_seen(doctor):
    code, checks = doctor()
    assert code == 0
    states = {name: check["state"] for name, check in checks.items() if check["state"] != "good"}
    assert states == {"token": "note", "model": "note", "account log": "note"}
    assert {
        "veopipe",
        "libraries",
        "libmediainfo",
        "simulator",
        "disk",
        "proxy",
        "key",
        "gateway",
        "clock",
    } < checks.keys()


def test_it_creates_nothing(doctor, gateway):
    doctor()
    assert [entry["method"] for entry in gateway.wire if entry["method"] not in ("GET", "HEAD")] == []
    assert gateway.wire


def test_a_key_that_the_gateway_refuses_is_bad(doctor):
    with start(Options(key="another-key-altogether")) as strict:
        code, checks = doctor(base_url=strict.base_url)
    assert code == 6
    assert checks["gateway"]["state"] == "bad"
    assert "refuses the key" in checks["gateway"]["found"]
    assert KEY_VARIABLE in checks["gateway"]["remedy"]


@pytest.mark.parametrize("key", [None, "", "two words", "line\nend"], ids=["none", "empty", "spaces", "line-end"])
def test_without_a_usable_key_it_says_how_to_set_one_and_asks_nobody(doctor, gateway, key):
    code, checks = doctor(VEOPIPE_API_KEY=key)
    assert code == 6
    assert checks["key"]["state"] == "bad"
    assert checks["key"]["remedy"]
    assert "gateway" not in checks
    assert all("two words" not in str(check) for check in checks.values())
    assert gateway.wire == []


def test_a_gateway_that_cant_be_reached_is_bad_and_the_clock_isnt_judged(doctor, closed_port):
    code, checks = doctor(base_url=f"http://127.0.0.1:{closed_port}")
    assert code == 6
    assert checks["gateway"]["state"] == "bad"
    assert "base_url" in checks["gateway"]["remedy"]
    assert "clock" not in checks


@pytest.mark.parametrize("body", [b"<html>no such page</html>", b'{"error": {"message": "Invalid URL (GET /v1)"}}'])
def test_a_server_that_is_no_such_gateway_is_bad(doctor, body):
    class NotFound(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), NotFound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, checks = doctor(base_url=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert code == 6
    assert checks["gateway"]["state"] == "bad"
    assert "base_url" in checks["gateway"]["remedy"]


@pytest.mark.shows("e 37")
def test_a_proxy_is_named_without_its_password(doctor, closed_port):
    proxy = f"http://somebody:hunter2-hunter2@127.0.0.1:{closed_port}"
    code, checks = doctor(base_url="https://gateway.invalid", HTTPS_PROXY=proxy)
    assert code == 6
    assert checks["proxy"]["state"] == "note"
    assert checks["proxy"]["found"] == "requests go through 127.0.0.1"
    assert "hunter2" not in str(checks)


def test_a_proxy_that_isnt_for_this_gateway_is_no_matter(doctor, closed_port):
    proxy = f"http://127.0.0.1:{closed_port}"
    code, checks = doctor(HTTPS_PROXY=proxy, HTTP_PROXY=proxy, NO_PROXY="127.0.0.1")
    assert (code, checks["proxy"]["found"]) == (0, "none for this gateway")


@pytest.mark.parametrize(("base", "state"), [(None, "note"), ("https://gateway.invalid", "bad")])
def test_certificates_that_are_gone_matter_where_there_is_tls(doctor, film, base, state):
    code, checks = doctor(base_url=base or film.base_url, SSL_CERT_FILE="/no/such/authority.pem")
    assert (code, checks["certificates"]["state"]) == (6 if base else 0, state)
    assert "SSL_CERT_FILE" in checks["certificates"]["found"]


def test_the_key_is_in_no_output_and_in_no_file(film):
    key = "quite-unlike-a-key-4711"
    for words in (["--format", "json"], []):
        done = subprocess.run(
            [sys.executable, "-m", "veopipe", "doctor", "--base-url", film.base_url, *words],
            cwd=film.folder,
            env={**film.environment, KEY_VARIABLE: key},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0
        assert key not in done.stdout + done.stderr
        assert f"{len(key)} characters" in done.stdout
    assert [path for path in Path(film.folder).rglob("*") if path.is_file() and key.encode() in path.read_bytes()] == []


def test_as_text_each_check_is_a_line_with_its_remedy_below(film):
    film.environment.pop(KEY_VARIABLE)
    done = film.command("doctor", "--base-url", film.base_url)
    lines = done.out.splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith("✗ key"))
    assert lines[number + 1].startswith("    → Set it")
    assert {line[0] for line in lines} == {"✓", "✗", "!", " "}


@pytest.mark.parametrize("words", [["--base-url", "http://example.com"], ["-p", "no-such"]])
def test_wrong_usage_is_told(film, words):
    done = film.command("doctor", *words)
    assert done.code == 2
    assert done.err.startswith("Error: ")


def test_the_pipelines_own_key_variable_and_gateway_are_meant(film):
    film.pipeline("own.yaml", provider__base_url=film.base_url, provider__api_key_env="FILM_KEY")
    done = film.command("doctor", "-p", "own.yaml", "--format", "json")
    assert done.code == 6
    assert "FILM_KEY" in next(check for check in done.document["checks"] if check["name"] == "key")["found"]


def test_every_library_of_the_project_is_looked_at():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    wanted = text.partition("\ndependencies = [")[2].partition("]")[0]
    names = {line.strip().strip('",').partition(">")[0] for line in wanted.splitlines() if line.strip()}
    assert names == set(_LIBRARIES)


def test_little_room_on_the_disk_is_a_note(tmp_path):
    check = _disk(tmp_path)
    free = os.statvfs(tmp_path)
    assert (check.state == "good") == (free.f_bavail * free.f_frsize >= LITTLE_ROOM)


@pytest.mark.parametrize(
    ("token", "name", "state", "found"),
    [
        (None, None, "note", "VEOPIPE_ACCOUNT_TOKEN is not set"),
        ("two words", "mine", "note", "The value of VEOPIPE_ACCOUNT_TOKEN is no account token"),
        ("a-token", None, "note", "VEOPIPE_ACCOUNT_TOKEN is set, provider.token_name is not"),
        ("a-token", "mine", "good", "VEOPIPE_ACCOUNT_TOKEN is set; charges by the key mine are looked at"),
    ],
)
def test_it_says_whether_the_accounts_log_can_be_looked_at(doctor, film, gateway, token, name, state, found):
    film.pipeline(**({"provider__token_name": name} if name else {}))
    code, checks = doctor("-p", "./quick.yaml", VEOPIPE_ACCOUNT_TOKEN=token)
    assert (code, checks["account log"]["state"]) == (0, state)
    assert checks["account log"]["found"].startswith(found)
    assert "a-token" not in str(checks)
    assert not any("/log/" in entry["path"] for entry in gateway.wire)


def test_of_a_gateway_without_such_a_log_it_says_nothing(doctor, film):
    film.pipeline(provider__profile="google", provider__api_key_env=KEY_VARIABLE)
    assert "account log" not in doctor("-p", "./quick.yaml")[1]


@pytest.mark.parametrize(("pipeline", "said"), [("draft", True), ("final-4k", True), ("default", False)])
def test_it_says_that_a_pipeline_orders_a_model_that_is_over(doctor, pipeline, said):
    _, checks = doctor("-p", pipeline)
    assert ("overrides" in checks) is said
    if said:
        assert "this pipeline orders every shot with veo-3.1-" in checks["overrides"]["found"]
        assert "in pipelines/ beside the list" in checks["overrides"]["remedy"]


def test_it_says_that_new_api_wants_the_accounts_number(doctor, film):
    mine = {"mine": {"price_usd": 0.3}}
    settings = {"provider__profile": "new-api", "provider__base_url": film.base_url, "provider__models": mine}
    film.pipeline(**settings)
    _, checks = doctor("-p", "./quick.yaml", VEOPIPE_ACCOUNT_TOKEN="a-token")
    assert "provider.account_user is not set" in checks["account log"]["found"]
    film.pipeline(**settings, provider__account_user=7, provider__token_name="mine")
    assert doctor("-p", "./quick.yaml")[1]["account log"]["state"] == "good"
