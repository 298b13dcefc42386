"""`python -m veopipe` and the installed command."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


def _open_what_is_closed() -> None:
    """Lead closed standard streams nowhere: else the next file that is opened is taken for one of them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        os.set_inheritable(descriptor, True)  # noqa: FBT003  it takes no name
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def main() -> None:
    """Run the command line and exit with its code. A character that the terminal lacks never ends a run."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until there is somebody to answer (`cli.main`)
    from veopipe.cli import main as run_command_line
    from veopipe.cli import terminate

    signal.signal(signal.SIGTERM, terminate)
    code = run_command_line(sys.argv[1:])
    for _ in ENDING:  # once more if one arrives right here
        with contextlib.suppress(KeyboardInterrupt):
            _ignore_signals()
    sys.exit(code)


def _ignore_signals() -> None:
    """All is said; while Python tidies up, a signal would only change the code."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
