"""The real command in processes of its own, without half a second of imports each.

A `Zygote` is a process that has veopipe loaded and no threads (`tests.harness.zygote`). For each command it forks
a child: a true process, with a pid, memory, streams, signals, working folder and environment of its own, that can
be killed and that ends as any other does. `Forked` is such a command, and has of `subprocess.Popen` what tests use.

    with Zygote() as zygote:
        run = zygote.start(["run", "shots.yaml"], folder, environment, Mishap("kill", "record"))
        out, err = run.communicate(60)
        assert run.returncode == -9

What belongs to a start from nothing isn't seen this way: signals while Python loads, closed streams, `-m`. Tests of
that start a program of their own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from tests.harness import siblings

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mishap:
    """What goes wrong in a run at one of its named steps (`veopipe.crashpoints`).

    Attributes:
        how: a name of `tests.harness.mishaps.SIGNALS`; `full`: no later step can write any more; `odd`: the step
            raises what nobody expects.
        at: the number of the step, from 1, or the name of one, whose first time counts.
        only: just the steps count whose subject (a path) ends like that.
        pause: seconds that the step takes after a signal.
    """

    how: str
    at: int | str
    only: str = ""
    pause: float = 0


First = Mishap | dict[str, Any] | None
"""What is done in a child before it becomes veopipe: a function and its arguments, or a mishap."""


def hurried(*constants: str) -> First:
    """Waits are shorter: each `module.CONSTANT=seconds`."""
    return {"call": "tests.harness.mishaps.hurry", "constants": list(constants)}


def refused(calls: str) -> First:
    """The kernel refuses some operations on files: `chmod=EPERM,link=ENOSYS`."""
    return {"call": "tests.harness.stubborn.refuse", "calls": calls}


class Zygote:
    """A running zygote; a context manager.

    Args:
        package: the folder that has `veopipe`: the real one, or a copy with a bug.
        nice: whether its children leave the processor to others, such as the gateway of a sweep.
    """

    def __init__(self, package: Path = ROOT, *, nice: bool = False) -> None:
        self._channel, theirs = socket.socketpair()
        self._folder = tempfile.TemporaryDirectory(prefix="zygote-")
        self._asks = os.path.join(self._folder.name, "asks")
        path = os.pathsep.join([str(package), str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with theirs, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self._asks)
            listening.listen(64)
            given = [theirs.fileno(), listening.fileno()]
            self._process = subprocess.Popen(
                [*(["nice"] if nice else []), sys.executable, "-P", "-m", "tests.harness.zygote", *map(str, given)],
                cwd=package,
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=given,
            )

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it. Commands that are under way go on."""
        self._channel.close()
        self._process.wait()
        self._folder.cleanup()

    @property
    def sibling(self) -> Callable[[str], Awaitable[Any]]:
        """What makes measuring and decoding processes (`siblings`) for this process."""
        return siblings.maker(self._asks)

    def start(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        first: First = None,
    ) -> Forked:
        """Start a command.

        Args:
            words: of the command line, after `veopipe`.
            folder: its working folder.
            environment: all of it.
            first: what is done in the child before.
        """
        if isinstance(first, Mishap):
            first = {"call": "tests.harness.mishaps.at", **asdict(first)}
        order = {"words": list(words), "folder": str(folder), "environment": dict(environment), "first": first}
        mine, theirs = socket.socketpair()
        (out, out_end), (err, err_end), nothing = os.pipe(), os.pipe(), os.open(os.devnull, os.O_RDONLY)
        socket.send_fds(self._channel, [b"+"], [nothing, out_end, err_end, theirs.fileno()])
        for descriptor in (nothing, out_end, err_end, theirs.detach()):
            os.close(descriptor)
        mine.sendall(json.dumps(order).encode() + b"\n")
        return Forked(mine, out, err)


class Forked:
    """A command under way, with what tests use of `subprocess.Popen`."""

    def __init__(self, told: socket.socket, out: int, err: int) -> None:
        self._socket, self._told = told, told.makefile("r", encoding="ascii")
        self.stdout: IO[str] = os.fdopen(out, "r", encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(err, "r", encoding="utf-8")
        self.returncode: int | None = None
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it is under way."""
        return self._look(0)

    def _look(self, limit: float | None) -> int | None:
        if self.returncode is None and select.select([self._socket], [], [], limit)[0]:
            self.returncode = int(self._told.readline())
            self._told.close()
            self._socket.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("veopipe", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has, and that wasn't told yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read all that it says, and wait for its end; nothing of a stream that was closed here."""
        said = {}

        def read(name: str, stream: IO[str]) -> None:
            with stream:
                said[name] = stream.read()

        streams = {name: stream for name, stream in (("out", self.stdout), ("err", self.stderr)) if not stream.closed}
        readers = [threading.Thread(target=read, args=each, daemon=True) for each in streams.items()]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
        if any(reader.is_alive() for reader in readers):
            raise subprocess.TimeoutExpired("veopipe", timeout or 0)
        self.wait(timeout)
        return said.get("out", ""), said.get("err", "")
