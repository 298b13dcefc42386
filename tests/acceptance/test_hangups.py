"""A run whose terminal goes: a closed window, a dropped connection. Real terminals, and the system's own signals."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.harness.breadth import cases

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow

Until = Callable[[Callable[[], object]], None]
VEOPIPE = (sys.executable, "-m", "veopipe")
# What a terminal emulator or sshd does: the program leads a session whose controlling terminal this is.
LEADER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, film: Film, *words: str) -> None:
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEADER, *words],
            cwd=film.folder,
            env=film.environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._said = b""

    def said(self) -> str:
        """All that it showed so far; must be asked for, else the terminal is full one day."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                got = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                break
            if not got:
                break
            self._said += got
        return self._said.decode("utf-8", "replace")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        """The window is closed."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def result(self) -> int:
        """Its exit code."""
        return self.process.wait(timeout=60)


@pytest.fixture
def terminal(film: Film) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def start(*words: str) -> Terminal:
        made.append(Terminal(film, *words))
        return made[-1]

    yield start
    for each in made:
        each.close()
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


@pytest.fixture
def slow(film: Film, gateway: Simulator) -> Simulator:
    """Two shots, and a gateway that takes its time for the answer to the first."""
    film.list({"S00": "a lighthouse", "S01": "a harbor"})
    gateway.order_fault("slow_create", seconds=2)
    return gateway


def words(film: Film, *more: str) -> list[str]:
    return [*VEOPIPE, "run", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, *more]


def bugs(film: Film) -> list[str]:
    return [name for name in os.listdir(film.environment["TMPDIR"]) if "bug" in name]


def is_recorded(film: Film, gateway: Simulator, shot: str = "S00") -> bool:
    """Whether the one create that was sent has its answer, and nothing is bought again."""
    last = film.state(shot)["takes"][0]["attempts"][-1]
    assert (len(gateway.ledger), last["task_id"], last["status"]) == (1, gateway.ledger[0]["task_id"], "rendering")
    assert bugs(film) == []
    later = film.run()
    assert (set(later.statuses.values()), len(gateway.ledger)) == ({"verified"}, 2)
    return True


@cases("more", [(), ("--format", "json"), ("--verbose",), ("--quiet",)], ids=" ".join)
def test_a_terminal_that_is_closed_during_a_create_waits_for_its_answer(
    film: Film, slow: Simulator, until: Until, terminal: Callable[..., Terminal], more: tuple[str, ...]
) -> None:
    run = terminal(*words(film, "--yes", *more))
    until(lambda: run.said() is not None and slow.ledger)
    run.close()
    assert run.result() == 143
    assert is_recorded(film, slow)


def test_a_shell_that_passes_the_hangup_on_ends_it_no_sooner(
    film: Film, slow: Simulator, until: Until, terminal: Callable[..., Terminal]
) -> None:
    """The shell tells its jobs, then the system tells them once more as the shell dies."""
    line = shlex.join(words(film, "--yes", "--format", "json"))
    shell = terminal("bash", "--norc", "--noprofile", "-i")
    shell.type(f"{line} >out 2>err; echo $? >code\n")
    until(lambda: shell.said() is not None and slow.ledger)
    shell.close()
    until(lambda: (film.folder / "out").read_text().endswith("}\n"))
    with open(film.folder / ".veopipe/shots/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it is over
    assert '"exit_code": 143' in (film.folder / "out").read_text()
    assert "terminated: waiting for the answer" in (film.folder / "err").read_text()
    assert is_recorded(film, slow)


def test_under_nohup_it_goes_on_to_the_end(
    film: Film, slow: Simulator, until: Until, terminal: Callable[..., Terminal]
) -> None:
    run = terminal("nohup", *words(film, "--yes"))
    until(lambda: run.said() is not None and slow.ledger)
    run.close()
    assert run.result() == 0
    assert "2 verified" in (film.folder / "nohup.out").read_text()
    assert (len(slow.ledger), bugs(film)) == (2, [])


def test_where_a_script_ignores_the_hangup_it_goes_on_without_its_terminal(
    film: Film, slow: Simulator, until: Until, terminal: Callable[..., Terminal]
) -> None:
    """Unlike under nohup its streams are the terminal, which takes nothing more."""
    run = terminal("sh", "-c", f"trap '' HUP; exec {shlex.join(words(film, '--yes'))}")
    until(lambda: run.said() is not None and slow.ledger)
    run.close()
    assert run.result() == 0
    assert (len(slow.ledger), bugs(film)) == (2, [])
    assert set(film.run().statuses.values()) == {"verified"}


@pytest.mark.parametrize(("before", "code"), [("", 143), ("trap '' HUP; ", 2)], ids=["heard", "ignored"])
def test_a_terminal_that_is_closed_at_the_question_has_not_agreed(
    film: Film, slow: Simulator, until: Until, terminal: Callable[..., Terminal], before: str, code: int
) -> None:
    run = terminal("sh", "-c", f"{before}exec {shlex.join(words(film))}")
    until(lambda: "[y/N]" in run.said())
    run.close()
    assert run.result() == code
    assert (slow.wire, bugs(film)) == ([], [])


@cases(
    "numbers",
    [
        (signal.SIGHUP, signal.SIGHUP, signal.SIGHUP),
        (signal.SIGTERM, signal.SIGHUP),
        (signal.SIGINT, signal.SIGHUP),
        (signal.SIGHUP, signal.SIGTERM),
        (signal.SIGXCPU, signal.SIGXCPU),
    ],
    ids=lambda numbers: "-".join(signal.Signals(number).name for number in numbers),
)
def test_what_the_system_says_twice_is_no_second_wish(
    film: Film, slow: Simulator, until: Until, numbers: tuple[signal.Signals, ...]
) -> None:
    """However far apart: systemd's SendSIGHUP, a shell and the system, a window closed after Ctrl-C."""
    run = film.start(*film.arguments())
    until(lambda: slow.ledger)
    for number in numbers:
        run.signal(number)
        run.process.poll()
        # longer than two signals that count as one (`leaving.ECHO`)
        select.select([], [], [], 0.2)
    ended = run.result()
    assert ended.document["exit_code"] == (130 if signal.SIGINT in numbers else 143)
    assert "left at once" not in ended.err
    assert is_recorded(film, slow)


def test_after_a_hangup_a_person_may_still_end_it_at_once(film: Film, gateway: Simulator, until: Until) -> None:
    film.list({"S00": "a lighthouse"})
    gateway.order_fault("slow_create", seconds=60)
    run = film.start(*film.arguments())
    until(lambda: gateway.ledger)
    run.signal(signal.SIGHUP)
    run.until_it_says("waiting for the answer to the create in flight")
    run.signal(signal.SIGTERM)
    run.until_it_says("again to leave now")
    run.signal(signal.SIGTERM)
    assert run.result(limit=20).document["exit_code"] == 143
    assert (film.run().code, len(gateway.ledger)) == (3, 1)


@cases("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_what_was_ignored_at_the_start_stays_ignored(
    film: Film, slow: Simulator, until: Until, number: signal.Signals
) -> None:
    """A script's background job ignores Ctrl-C, which is meant for the script."""
    line = shlex.join([*VEOPIPE, *film.arguments()])
    run = film.start("-c", f"trap '' {number.name.removeprefix('SIG')}; exec {line}", program=("sh",))
    until(lambda: slow.ledger)
    run.signal(number)
    assert run.result().statuses == {"S00": "verified", "S01": "verified"}


def test_a_run_that_was_stopped_in_a_create_goes_on(film: Film, slow: Simulator, until: Until) -> None:
    """Ctrl-Z, and `fg` after the answer came."""
    run = film.start(*film.arguments())
    until(lambda: slow.ledger)
    run.signal(signal.SIGSTOP)
    select.select([], [], [], 3)
    run.signal(signal.SIGCONT)
    assert run.result().statuses == {"S00": "verified", "S01": "verified"}
    assert len(slow.ledger) == 2


def test_whoever_is_to_be_told_hears_of_a_terminal_that_went(film: Film, gateway: Simulator, until: Until) -> None:
    film.list({"S00": "x [simulate: stuck_in_progress]"})
    told = "touch told; sleep 1; cat > report.json"
    film.pipeline(notify={"command": ["sh", "-c", told], "on": ["failed"], "timeout": "20s"})
    run = film.start(*film.arguments())
    until(lambda: gateway.ledger and film.log()[-1]["event"] == "rendering")
    run.signal(signal.SIGHUP)
    until((film.folder / "told").exists)
    run.signal(signal.SIGHUP)  # the shell is slow
    ended = run.result()
    assert ended.document["exit_code"] == 143
    assert '"exit_code": 143' in (film.folder / "report.json").read_text()
    assert "nobody was told" not in ended.err


def test_the_simulator_ends_with_its_terminal(film: Film, until: Until, terminal: Callable[..., Terminal]) -> None:
    simulator = terminal(*VEOPIPE, "simulate", "--port", "0")
    until(lambda: "Try it" in simulator.said())
    simulator.close()
    assert simulator.result() == 0


def test_a_command_that_only_looks_ends_with_its_terminal(
    film: Film, until: Until, terminal: Callable[..., Terminal]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, answers nothing
        film.pipeline(provider__base_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = terminal(*VEOPIPE, "doctor", "-p", "quick.yaml")
        connection, _ = silent.accept()
        with connection:
            command.close()
            assert command.result() == 143
    assert bugs(film) == []
