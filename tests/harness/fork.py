"""The real command in processes of its own, without a second of imports each: a nursery that forks them.

`Nursery` starts this file as a script. It imports the whole of veopipe once, stays single-threaded, and forks
a child for every command: a true process, with its own memory, signals and locks, that dies as one. A command
can be given a way to go wrong (`Mishap`): SIGKILL, Ctrl-C or a full disk at the n-th step (`veopipe.crashpoints`).
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

WRITING = frozenset({"mkdir", "open", "write", "fsync", "fsync-folder", "rename", "link"})
"""Steps that a full disk lets fail."""


@dataclass(frozen=True)
class Mishap:
    """What goes wrong in a run: `how` is kill, interrupt or terminate at its `at`-th step, or full from there on.

    With `only`, just the steps count whose subject (a path) ends like that.
    """

    how: str
    at: int
    only: str = ""


@dataclass(frozen=True)
class Ended:
    """How a command ended; `code` is negative for a signal, and None when it had to be killed for its time."""

    code: int | None
    out: str
    err: str


class Nursery:
    """A running nursery; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def start(
        self, words: list[str], cwd: Path, environment: Mapping[str, str], mishap: Mishap | None = None
    ) -> Callable[[float], Ended]:
        """Start a command; what is returned waits for its end, for so many seconds at most."""
        self._number += 1
        out, err = (self._folder / f"{self._number}.{name}" for name in ("out", "err"))
        order = {"words": words, "cwd": str(cwd), "environment": dict(environment), "out": str(out), "err": str(err)}
        pid = self._ask({**order, "mishap": asdict(mishap) if mishap else None})

        def wait(limit: float) -> Ended:
            code = self._ask({"wait": pid, "limit": limit})
            said = [path.read_text("utf-8", "backslashreplace") for path in (out, err)]
            for path in (out, err):
                path.unlink()
            return Ended(code, *said)

        return wait

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        return json.loads(self._process.stdout.readline())


# --- the other side --------------------------------------------------------------------------------


def _listener(mishap: Mishap) -> Callable[[str, str], None]:
    lock, seen = threading.Lock(), [0]
    signals = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}

    def listen(step: str, subject: str) -> None:
        if not subject.endswith(mishap.only):
            return
        with lock:
            seen[0] += 1
            number = seen[0]
        if mishap.how == "full":
            if number >= mishap.at and step in WRITING:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif number == mishap.at:
            os.kill(os.getpid(), signals[mishap.how])

    return listen


def _grow_up(order: dict[str, Any]) -> NoReturn:
    """Become the command."""
    from veopipe import crashpoints
    from veopipe.__main__ import main

    code = 99
    try:
        os.setsid()
        for path, descriptor in (("/dev/null", 0), (order["out"], 1), (order["err"], 2)):
            os.dup2(os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["environment"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if order["mishap"]:
            crashpoints.listen(_listener(Mishap(**order["mishap"])))
        sys.argv = ["veopipe", *order["words"]]
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, limit: float) -> int | None:
    def late(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        _, status = os.waitpid(pid, 0)
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return os.waitstatus_to_exitcode(status)


def _import_everything() -> None:
    import importlib
    import pkgutil

    import veopipe

    for module in pkgutil.walk_packages(veopipe.__path__, "veopipe."):
        if ".simulator." not in module.name and module.name not in {"veopipe.__main__", "veopipe.delivery.probe"}:
            importlib.import_module(module.name)
    assert threading.active_count() == 1, "a fork would copy half of a process"


def _serve() -> None:
    _import_everything()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is for pytest
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = _wait(order["wait"], order["limit"])
        else:
            answer = os.fork()
            if answer == 0:
                _grow_up(order)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    _serve()
