"""`python -m veopipe` and the installed command."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys

from veopipe import __version__
from veopipe.run import signals


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
    if sys.argv[1:] == ["--version"] and _has_said(f"veopipe, version {__version__}"):
        return
    gc.disable()  # a command that reads and ends leaves nothing to collect; the others turn it on (`cli.main`, `run`)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals.ENDING)  # until there is somebody to answer (`cli.main`)
    from veopipe.cli.main import main as run_command_line

    signals.listen()
    code = run_command_line(sys.argv[1:])
    for _ in signals.ENDING:  # once more if one arrives right here
        with contextlib.suppress(KeyboardInterrupt):
            signals.hush()  # all is said; while Python tidies up, a signal would only change the code
    _drop_what_nobody_takes()
    objects = sys.modules.get("veopipe.delivery.buckets.objects")
    if objects is not None and objects.are_under_way():  # a video is on its way to a store: nobody waits, all is said
        os._exit(code)
    sys.exit(code)


def _has_said(text: str) -> bool:
    """Whether a line could be written. Scripts ask for the version first, and it needs no command line.

    What is in the way otherwise is the command line's to say.
    """
    try:
        os.write(1, f"{text}\n".encode())
    except OSError:
        return False
    return True


def _drop_what_nobody_takes() -> None:
    """Let Python's own last flush find nothing: it would complain in public and change the code."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError):
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  until the process ends


def process() -> None:
    """All that a process of veopipe's does: `main`, and then its end."""
    try:
        main()
    except SystemExit as ending:
        if not isinstance(ending.code, int):
            raise
        _leave(ending.code)


def _leave(code: int) -> None:
    """End as Python does, but without taking apart what was loaded: an eighth of a short command.

    What Python does first is done here, too: it waits for threads, calls who wants to be called, and flushes.
    """
    import threading  # which is loaded but for the version alone

    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    _drop_what_nobody_takes()
    os._exit(code)


if __name__ == "__main__":
    process()
