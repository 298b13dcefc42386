"""The real command with a listener at its named steps: it dies there, or the step fails there.

    python dying.py kill 17 run shots.yaml …        SIGKILL just before the 17th step
    python dying.py kill gate run shots.yaml …      SIGKILL just before the first step of that name
    python dying.py full 17 run shots.yaml …        from the 17th step on, nothing can be written any more
    python dying.py interrupt 17 run shots.yaml …   Ctrl-C just before the 17th step; likewise `terminate`, `hangup`
    python dying.py odd poll run shots.yaml …       that step raises what nobody expects
    python dying.py count - run shots.yaml …        goes through; the steps are listed in $STEPS

A script, not a test: it runs in a process of its own.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading

from veopipe import crashpoints
from veopipe.__main__ import main

_lock = threading.Lock()
_seen: list[str] = []


# Steps that write: they are what fails when a disk is full.
_WRITING = {"mkdir", "open", "write", "fsync", "fsync-folder", "rename", "link"}


def _listener(how: str, where: str) -> crashpoints.Listener:
    def listen(step: str, subject: str) -> None:
        with _lock:
            _seen.append(step)
            number = len(_seen)
        if how == "count":
            with open(os.environ["STEPS"], "a", encoding="utf-8") as file:
                file.write(f"{step}\t{os.path.basename(subject)}\n")
        elif how == "full":
            if number >= int(where) and step in _WRITING:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif where == str(number) or (where == step and _seen.count(step) == 1):
            _happen(how, step)

    return listen


_SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM, "hangup": signal.SIGHUP}


def _happen(how: str, step: str) -> None:
    if how in _SIGNALS:
        os.kill(os.getpid(), _SIGNALS[how])
    if how == "odd":
        raise LookupError(f"an odd thing at {step}")


if __name__ == "__main__":
    mode, place = sys.argv[1:3]
    crashpoints.listen(_listener(mode, place))
    sys.argv = ["veopipe", *sys.argv[3:]]
    main()
