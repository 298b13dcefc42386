"""A forked command is a process like one that was started: the harness hides nothing, and adds nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film
    from tests.harness.fork import Zygote
    from veopipe.simulator.server import Simulator


def describe(path: str) -> None:
    """Write down what a process can tell of itself, but for its number."""
    streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
    umask = os.umask(0)
    os.umask(umask)
    facts = {
        "folder": os.getcwd(),
        "environment": {name: len(value) for name, value in os.environ.items()},  # the key is to stand in no file
        "umask": umask,
        "group": os.getpgrp(),
        "session": os.getsid(0),
        "descriptors": sorted(os.listdir("/dev/fd")),
        "streams": {name: (s.fileno(), s.encoding, s.errors, s.line_buffering) for name, s in streams.items()},
        "signals": {number.name: str(signal.getsignal(number)).partition(" at ")[0] for number in signal.Signals},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "threads": threading.active_count(),
        "limits": [resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)],
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
    }
    Path(path).write_text(json.dumps(facts, default=str), "utf-8")


def told(path: Path) -> Any:
    facts = json.loads(path.read_text("utf-8"))
    facts["environment"].pop("PYTHONPATH", None)  # what the test needs to find itself
    return facts


def test_it_has_what_a_started_process_has(film: Film, zygote: Zygote, tmp_path: Path) -> None:
    forked, started = tmp_path / "forked", tmp_path / "started"
    environment = {**film.environment, "ONLY_HERE": "ü"}
    first = {"call": "tests.test_fork.describe", "path": str(forked)}
    zygote.start(["--version"], film.folder, environment, first).communicate(60)
    code = f"from tests.test_fork import describe; describe({str(started)!r})"
    root = str(Path(__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=film.folder,
        env={**environment, "PYTHONPATH": root},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert told(forked) == told(started)


def told_of(sibling: psutil.Process) -> dict[str, object]:
    """What the kernel tells of a process that measures."""
    kinds = (psutil.RLIMIT_AS, psutil.RLIMIT_CORE, psutil.RLIMIT_FSIZE, psutil.RLIMIT_NOFILE, psutil.RLIMIT_CPU)
    descriptors = {
        int(name): os.readlink(f"/proc/{sibling.pid}/fd/{name}") for name in os.listdir(f"/proc/{sibling.pid}/fd")
    }
    return {
        "session": os.getsid(sibling.pid) == os.getpgid(sibling.pid) == sibling.pid,
        "folder": sibling.cwd(),
        "limits": [sibling.rlimit(kind) for kind in kinds],
        "descriptors": sorted(descriptors),
        "errors": descriptors[2],
        "niceness": sibling.nice(),
    }


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="only Linux tells limits of other processes")
def test_what_measures_for_it_has_what_one_that_it_started_has(
    make_film: Callable[[str], Film], zygote: Zygote, gateway: Simulator
) -> None:
    gateway.order_fault("stuck_in_progress", times=None, match={"prompt": "stays"})
    found = {}
    for name in ("forked", "started"):
        film = make_film(name) if name == "forked" else replace(make_film(name), zygote=None)
        film.list({"done": "is verified", "stuck": "stays where it is"})
        run = film.start(*film.arguments())
        try:
            run.until_it_says("verified")
            parent = psutil.Process(zygote._process.pid if name == "forked" else run.process.pid)
            (sibling,) = (child for child in parent.children() if os.getsid(child.pid) == child.pid)
            found[name] = told_of(sibling)
        finally:
            run.signal(signal.SIGKILL)
            run.result()
    assert found["forked"] == found["started"]


@pytest.mark.slow
def test_it_says_and_ends_as_the_real_command(film: Film, zygote: Zygote) -> None:
    film.list({"a": "fine"})
    for words in (
        ["--version"],
        ["plan", "missing.yaml"],
        ["validate", "shots.yaml"],
        ["nonsense"],
        ["plan", "shots.yaml"],
    ):
        forked = zygote.start(words, film.folder, film.environment)
        real = subprocess.run(
            [sys.executable, "-m", "veopipe", *words],
            cwd=film.folder,
            env=film.environment,
            capture_output=True,
            text=True,
        )
        assert (*forked.communicate(60), forked.wait()) == (real.stdout, real.stderr, real.returncode)


def test_it_can_be_killed_and_leaves_nothing_running(film: Film, gateway: Simulator) -> None:
    film.list({"a": "x [simulate: stuck_in_progress]"})
    run = film.start(*film.arguments())
    run.until_it_says("rendering")
    assert run.process.poll() is None
    run.signal(signal.SIGKILL)
    assert run.result().code == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(run.process.pid, 0)
