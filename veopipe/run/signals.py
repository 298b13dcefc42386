"""Which signals end a command, and what each of them says.

* Ctrl-C and SIGTERM are wishes: somebody wants the command to end, and the same wish once more means "now".
* SIGHUP says that the terminal is gone (closed, a connection dropped). A shell and the system both say it, and
  service managers send it beside SIGTERM, so it may come twice: that is no second wish, and it ends nothing sooner.
* SIGALRM, SIGUSR1, SIGUSR2 and SIGXCPU are how schedulers of batch jobs, limits and alarms announce an end. Left to
  the system they would cut a create off.
* What was ignored when the command was started stays ignored: `nohup`, `trap '' HUP`, a script's background job.

Left alone: SIGQUIT and SIGABRT (a person or a watchdog wants the end at once, and a core file), SIGTSTP and its
kin (stopped, not ended), SIGPIPE (Python makes an error of it).

Source: POSIX, General Concepts, Signals; docs/design.md, 7 (Signals); DECISIONS.md, 29.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

WISHES = frozenset({signal.SIGINT, signal.SIGTERM})
"""Said once: end soon; twice: now."""

ENDING = WISHES | {signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU}
"""Every signal that ends a command."""
_NUDGE = signal.SIGURG
"""Interrupts what the main thread waits in. Nobody else sends it here, and one that nobody answers does nothing."""
_PATIENCE = (0.02, 0.2, 2.0)
"""Seconds before each nudge. The first is longer than Python works without a look, unless the machine is busy."""


class Terminated(KeyboardInterrupt):
    """Any of them but SIGINT: ends a command as Ctrl-C does, wherever it is."""


def heard() -> list[signal.Signals]:
    """Those that this process was told to hear."""
    return [number for number in sorted(ENDING) if signal.getsignal(number) != signal.SIG_IGN]


def listen() -> None:
    """Answer from now on. SIGINT has Python's own answer; a run's event loop has a gentler one for all."""
    for number in heard():
        if number != signal.SIGINT:
            signal.signal(number, _terminate)
    with contextlib.suppress(OSError, RuntimeError):  # too few files or threads: then one may be heard late
        _keep_awake()


def hush(numbers: frozenset[signal.Signals] = ENDING) -> None:
    """What comes from now on changes nothing: the command is ending already."""
    for number in heard():
        if number in numbers:
            signal.signal(number, _nothing)


def _keep_awake() -> None:
    """Let no signal be slept through.

    Python looks for signals between its own steps. One that comes after the last look and before a call of the system
    (a poll, a read, the wait for a process) would be heard when that call ends by itself: a minute later, or never.
    So Python also writes the number of each signal into a pipe, from where a thread takes it and ends the wait.
    An event loop that answers signals by itself (`Leaving`) needs none of this.
    """
    numbers, written = os.pipe()
    os.set_blocking(written, False)
    signal.signal(_NUDGE, _nothing)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    threading.Thread(target=_nudge, args=(numbers, threading.get_ident()), name="veopipe-signals", daemon=True).start()


def _nudge(numbers: int, sleeper: int) -> None:
    while number := os.read(numbers, 1):
        for patience in _PATIENCE if number[0] != _NUDGE else ():
            time.sleep(patience)
            signal.pthread_kill(sleeper, _NUDGE)


def _terminate(_number: int, _frame: object) -> None:
    hush(ENDING - {signal.SIGINT})  # one that follows at once must not cut the last words short
    raise Terminated


def _nothing(_number: int, _frame: object) -> None:
    """Not SIG_IGN: Python complains in public about a signal that came just before it was ignored."""
