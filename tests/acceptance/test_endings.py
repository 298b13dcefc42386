"""How a run ends: signals, exit codes, and one JSON document on stdout whatever happens."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.breadth import cases
from tests.harness.fork import Mishap
from veopipe.simulator.server import Options, start

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

Until = Callable[[Callable[[], object]], None]
STANDARD = "veo-3.1-generate-preview"


def forms(gateway: Simulator) -> list[dict[str, str]]:
    """The text fields of all creates, in order of arrival."""
    return [dict(entry["form"]) for entry in gateway.wire if entry["form"] is not None]


def batch(number: int, words: str = "shot number") -> dict[str, str]:
    return {f"S{at:02d}": f"{words} {at:02d}" for at in range(number)}


# --- signals ---------------------------------------------------------------------------------------


ENDINGS = [
    (signal.SIGINT, 130),
    *((number, 143) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)),
    (signal.SIGXCPU, 143),
]


@cases(("number", "code"), ENDINGS)
def test_a_signal_during_a_create_waits_for_its_answer(
    film: Film, gateway: Simulator, until: Until, number: int, code: int
) -> None:
    film.list(batch(3))
    gateway.order_fault("slow_create", seconds=1)
    run = film.start(*film.arguments())
    until(lambda: gateway.ledger)
    run.signal(number)
    ended = run.result()
    assert (ended.code, ended.document["shots"]["S00"]["status"]) == (code, "rendering")
    assert film.state("S00")["takes"][0]["attempts"][0]["task_id"] == gateway.ledger[0]["task_id"]
    assert len(gateway.ledger) == 1
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.ledger) == 3


def test_one_ctrl_c_that_arrives_twice_is_one(film: Film, gateway: Simulator, until: Until) -> None:
    """`timeout --signal=INT` signals the process and then its group."""
    film.list(batch(2))
    gateway.order_fault("slow_create", seconds=2)
    run = film.start(*film.arguments())
    until(lambda: gateway.ledger)
    for _ in range(3):
        run.signal(signal.SIGINT)
    ended = run.result()
    assert (ended.code, ended.statuses) == (130, {"S00": "rendering", "S01": "pending"})


def test_a_second_ctrl_c_leaves_at_once_and_the_create_is_in_doubt(
    film: Film, gateway: Simulator, until: Until
) -> None:
    film.list(batch(2))
    gateway.order_fault("slow_create", seconds=60)
    run = film.start(*film.arguments())
    until(lambda: gateway.ledger)
    run.signal(signal.SIGINT)
    run.until_it_says("again to leave now")
    run.signal(signal.SIGINT)
    ended = run.result(limit=40)
    assert ended.document["exit_code"] == 130
    later = film.run()
    assert (later.code, later.statuses) == (3, {"S00": "in_doubt", "S01": "verified"})
    assert len(gateway.ledger) == 2


@pytest.mark.parametrize(("how", "code"), [("interrupt", 130), ("terminate", 143), ("hangup", 143)])
@cases("at", [4, 14, 1, 9, 19])
def test_a_signal_before_the_first_create_ends_with_one_document_and_sends_nothing(
    film: Film, gateway: Simulator, at: int, how: str, code: int
) -> None:
    film.list(batch(2))
    ended = film.start(*film.arguments(), first=Mishap(how, at)).result()
    assert (ended.code, ended.document["exit_code"]) == (code, code)
    assert gateway.ledger == []
    assert set(film.run().statuses.values()) == {"verified"}


@cases(("number", "code"), ENDINGS)
def test_a_signal_while_it_is_being_loaded_ends_with_one_document(film: Film, number: int, code: int) -> None:
    """The command is imported when it starts: a tenth of a second in which nobody used to answer."""
    early = (
        "import os, sys\n"
        "class Early:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == 'veopipe.errors': os.kill(os.getpid(), {int(number)})\n"
        "from veopipe.__main__ import main\n"
        "sys.meta_path.insert(0, Early())\n"
        "main()\n"
    )
    ended = film.start(*film.arguments(), program=(sys.executable, "-c", early)).result()
    assert (ended.code, ended.document["exit_code"]) == (code, code)


@pytest.mark.slow
@cases("number", [number for number, _ in ENDINGS])
def test_a_signal_after_the_last_word_changes_nothing(film: Film, number: int) -> None:
    late = (
        "import atexit, os\n"
        "from veopipe.__main__ import main\n"
        f"atexit.register(lambda: os.kill(os.getpid(), {int(number)}))\n"
        "main()\n"
    )
    film.list(batch(1))
    ended = film.start(*film.arguments(), program=(sys.executable, "-c", late)).result()
    assert (ended.code, ended.document["exit_code"]) == (0, 0)


def test_a_second_ctrl_c_ends_with_one_document_also_when_the_ledger_takes_nothing(
    film: Film, gateway: Simulator, until: Until
) -> None:
    film.list(batch(1))
    gateway.order_fault("slow_create", seconds=60)
    run = film.start(*film.arguments())
    until(lambda: gateway.ledger)
    ledger = film.folder / ".veopipe/shots/ledger.json"
    ledger.unlink()
    ledger.mkdir()
    run.signal(signal.SIGINT)
    run.until_it_says("again to leave now")
    run.signal(signal.SIGINT)
    assert run.result(limit=10).document["exit_code"] == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_cuts_the_notice_short_leaves_one_document(film: Film, until: Until, number: int) -> None:
    film.list(batch(1))
    film.pipeline(
        notify={
            "command": ["sh", "-c", "exec >/dev/null 2>&1; touch told; sleep 60"],
            "on": ["finished"],
            "timeout": "60s",
        }
    )
    run = film.start(*film.arguments())
    until((film.folder / "told").exists)
    run.signal(number)
    ended = run.result(limit=10)
    assert (ended.code, ended.document["exit_code"]) == (0, 0)
    assert "nobody was told" in ended.err


def test_after_ctrl_c_it_says_that_the_same_command_goes_on(film: Film, gateway: Simulator, until: Until) -> None:
    film.list({"S00": "x [simulate: stuck_in_progress]"})
    run = film.start(*film.arguments("--format", "text"))
    until(lambda: gateway.ledger)
    run.signal(signal.SIGINT)
    ended = run.result()
    assert ended.code == 130
    assert "the same command goes on from here" in ended.out


def test_ctrl_c_leaves_a_download_that_hangs(film: Film, gateway: Simulator, until: Until) -> None:
    film.list({"a": "hangs"})
    gateway.order_fault("stall", seconds=60)
    run = film.start(*film.arguments())
    until(lambda: any(entry["sent"] for entry in gateway.wire))
    run.signal(signal.SIGINT)
    assert run.result(limit=40).code == 130
    assert not list((film.folder / "renders/shots/takes").iterdir())  # half a video may be what fills the disk
    assert film.run().statuses == {"a": "verified"}


def test_ctrl_c_while_a_part_is_opened_leaves_none(film: Film) -> None:
    film.list({"a": "begins to come"})
    slowly = Mishap("interrupt", "open", only="a.001.part", pause=1)
    assert film.start(*film.arguments(), first=slowly).result().code == 130
    assert not list((film.folder / "renders/shots/takes").iterdir())
    assert film.run().statuses == {"a": "verified"}


def test_ctrl_c_leaves_a_lost_take_that_hangs_on_its_way_back(film: Film, gateway: Simulator, until: Until) -> None:
    film.list({"a": "comes back"})
    assert film.run().code == 0
    film.finished("a").unlink()
    (film.folder / "renders/shots/takes/a.001.mp4").unlink()
    gateway.order_fault("stall", seconds=60)
    before = len(gateway.wire)
    run = film.start(*film.arguments())
    until(lambda: any(entry["sent"] for entry in gateway.wire[before:]))
    run.signal(signal.SIGINT)
    assert run.result(limit=40).code == 130
    assert film.run().shots["a"]["file"] == "renders/shots/a.mp4"
    assert len(gateway.ledger) == 1


# --- exit codes and JSON ---------------------------------------------------------------------------


def test_the_detailed_exit_code_of_a_plan(film: Film) -> None:
    film.list({"a": "a plan"})
    words = ("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json")
    assert film.command(*words).document["exit_code"] == 0
    assert film.command(*words, "--detailed-exitcode").document["exit_code"] == 8
    assert film.run().code == 0
    assert film.command(*words, "--detailed-exitcode").document["exit_code"] == 0


WRONG = {
    "no such option": ("run", "shots.yaml", "--nonsense"),
    "no such command": ("rnu", "shots.yaml"),
    "no list": ("run",),
    "a list that isn't there": ("run", "missing.yaml"),
    "a folder": ("run", "."),
    "money that is none": ("run", "shots.yaml", "--max-cost", "lots"),
    "in flight none": ("run", "shots.yaml", "--in-flight", "0"),
    "no such pipeline": ("run", "shots.yaml", "-p", "nonsense"),
    "a list with errors": ("run", "wrong.yaml"),
    "a pipeline with errors": ("run", "shots.yaml", "-p", "wrong.yaml"),
    "nothing selected": ("run", "shots.yaml", "--only", "nothing"),
    "two gateways": ("run", "shots.yaml", "--simulate", "--base-url", "http://127.0.0.1:1"),
    "an address that is none": ("run", "shots.yaml", "--base-url", "ftp://example.org"),
    "nothing to resolve": ("resolve", "shots.yaml", "a", "--write-off"),
    "half a resolve": ("resolve", "shots.yaml", "--write-off"),
    "plan of nothing": ("plan", "missing.yaml"),
    "status of nothing": ("status", "missing.yaml"),
}


@cases("words", WRONG.values(), quick=6, ids=WRONG.keys())
def test_what_is_wrong_ends_with_2_and_one_json_document(
    film: Film, gateway: Simulator, words: tuple[str, ...]
) -> None:
    film.list({"a": "fine"})
    (film.folder / "wrong.yaml").write_text("version: 1\nshots:\n  a: {promt: x}\n")
    ended = film.command(*words, "--format", "json")
    assert ended.document["exit_code"] == 2
    assert ended.document["error"]
    assert film.command(*words).code == 2
    assert gateway.wire == []


@pytest.mark.parametrize("step", ["mkdir", "record", "poll", "download", "measure"])
def test_a_bug_ends_with_70_and_its_traceback_is_in_a_private_file(film: Film, gateway: Simulator, step: str) -> None:
    film.list({"a": "a bug"})
    ended = film.start(*film.arguments(), first=Mishap("odd", step)).result()
    assert ended.document["exit_code"] == 70
    log = Path(ended.document["error"].partition("Traceback: ")[2])
    assert "LookupError: an odd thing" in log.read_text("utf-8")
    assert log.stat().st_mode & 0o777 == 0o600
    later = film.run()
    assert later.code in {0, 3}
    assert len(gateway.ledger) <= 1


def test_a_missing_key_ends_with_6_before_anything_is_written_as_spent(film: Film, gateway: Simulator) -> None:
    film.list({"a": "no key"})
    for value in ("", " ", "with a space in it", "sk-dash–typographic"):
        film.environment["VEOPIPE_API_KEY"] = value
        assert film.run().document["exit_code"] == 6
    assert gateway.wire == []
    assert film.command("status", "shots.yaml", "--format", "json").document["shots"]["a"]["status"] == "pending"


def test_a_gateway_that_cannot_be_reached_ends_with_6_and_nothing_counts_as_spent(film: Film) -> None:
    with start(Options()) as gone:
        nowhere = gone.base_url
    film.list(batch(2))
    run = film.run("--base-url", nowhere)
    assert (run.code, set(run.statuses.values())) == (6, {"pending"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.00"
    assert not list((film.folder / ".veopipe/shots/state").iterdir())
    assert film.run().code == 0


def test_the_version_and_the_help(film: Film) -> None:
    assert film.command("--version").code == 0
    for command in ("run", "plan", "status", "verify", "resolve", "simulate"):
        shown = film.command(command, "--help")
        assert shown.code == 0
        assert "Example" in shown.out
        assert "Exit codes" in shown.out


PIPED = {
    "plan": ("plan", "shots.yaml", "-p", "quick.yaml"),
    "JSON": ("status", "shots.yaml", "--format", "json"),
    "help": ("run", "--help"),
}


@pytest.mark.parametrize("words", PIPED.values(), ids=PIPED.keys())
def test_a_pipe_that_closes_early_is_no_error(film: Film, words: tuple[str, ...]) -> None:
    film.list(batch(50))
    run = film.start(*words)
    assert run.process.stdout is not None
    run.process.stdout.close()
    ended = run.result()
    assert ended.code == 0
    assert "pipe" not in ended.err.lower()


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [("status", "shots.yaml", "--format", "json"), ("status", "no.yaml", "--format=json")]
)
def test_a_stdout_that_takes_nothing_ends_without_a_traceback(
    film: Film, words: tuple[str, ...], unbuffered: str
) -> None:
    film.list({"a": "nobody can read it"})
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "veopipe", *words],
            cwd=film.folder,
            env={**film.environment, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (ended.returncode, "Traceback" in ended.stderr) == (6 if "shots.yaml" in words else 2, False)


def test_standard_streams_that_are_closed_harm_neither_the_run_nor_its_ledger(film: Film, gateway: Simulator) -> None:
    film.list(batch(2))
    words = shlex.join([sys.executable, "-m", "veopipe", *film.arguments()])
    ended = subprocess.run(["sh", "-c", f"{words} <&- >&- 2>&-"], cwd=film.folder, env=film.environment)
    assert ended.returncode == 0
    assert film.run().statuses == {"S00": "verified", "S01": "verified"}
    assert len(gateway.ledger) == 2


def test_a_run_whose_reader_left_keeps_its_exit_code(film: Film, gateway: Simulator) -> None:
    film.list(batch(1))
    gateway.order_fault("lost_response")
    run = film.start(*film.arguments())
    assert run.process.stdout is not None
    run.process.stdout.close()
    assert run.result().code == 3


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [(), ("--format", "json")])
@cases("verb", ["run", "status", "plan", "validate"])
def test_a_result_that_cannot_be_written_is_the_environments_fault(
    film: Film, verb: str, words: tuple[str, ...]
) -> None:
    film.list(batch(1))
    own = film.arguments()[1:] if verb == "run" else ["shots.yaml", "-p", film.pipeline().name]
    line = shlex.join([sys.executable, "-m", "veopipe", verb, *own, *words])
    done = subprocess.run(
        ["sh", "-c", f"{line} >/dev/full"], cwd=film.folder, env=film.environment, capture_output=True, text=True
    )
    assert done.returncode == 6, done.stderr
    assert "Error: the result can't be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_goes_on_when_nobody_reads_its_progress(film: Film, gateway: Simulator) -> None:
    film.list(batch(3))
    run = film.start(*film.arguments())
    assert run.process.stderr is not None
    run.process.stderr.close()
    ended = run.result()
    assert (ended.code, set(ended.statuses.values())) == (0, {"verified"})
    assert len(gateway.charged) == 3


def test_the_event_log_tells_the_whole_story(film: Film) -> None:
    film.list({"a": "a story"})
    assert film.run().code == 0
    events = [line["event"] for line in film.log()]
    assert events[0] == "started"
    assert [event for event in events[1:] if event not in {"downloading", "left"}] == [
        "submitting",
        "rendering",
        "rendered",
        "downloaded",
        "verified",
    ]
