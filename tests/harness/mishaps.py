"""What a test lets go wrong in a forked command before it becomes veopipe. Called by name (`tests.harness.zygote`)."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import threading
import time

from veopipe import crashpoints

SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM, "hangup": signal.SIGHUP}
WRITING = frozenset({"mkdir", "open", "write", "fsync", "fsync-folder", "rename", "link"})
"""Steps that a full disk lets fail."""


def at(how: str, at: int | str, only: str, pause: float = 0) -> None:
    """Let a step go wrong: `tests.harness.fork.Mishap`."""
    lock, seen = threading.Lock(), list[str]()

    def listen(step: str, subject: str) -> None:
        if not subject.endswith(only):
            return
        with lock:
            seen.append(step)
            number, is_first = len(seen), seen.count(step) == 1
        if how == "full":
            assert isinstance(at, int)
            if number >= at and step in WRITING:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif number == at or (step == at and is_first):
            if how == "odd":
                raise LookupError(f"an odd thing at {step}")
            os.kill(os.getpid(), SIGNALS[how])
            time.sleep(pause)

    crashpoints.listen(listen)


def hurry(constants: list[str]) -> None:
    """Make waits shorter, each `module.CONSTANT=seconds`.

    A constant that isn't there, or that isn't a number of seconds, is an error: a renamed one can't be hurried in vain.
    """
    for word in constants:
        place, _, seconds = word.partition("=")
        name, _, constant = place.rpartition(".")
        module = importlib.import_module(f"veopipe.{name}")
        if not isinstance(getattr(module, constant), float):
            raise TypeError(f"{place} is no number of seconds")
        setattr(module, constant, float(seconds))
