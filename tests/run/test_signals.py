"""A signal is heard at once, whatever the main thread waits in. Processes of their own, real signals.

The kernel may give a signal to any thread. One that another thread gets interrupts no call of the main thread, as one
doesn't that comes in the moment before such a call; only the first can be had at will.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

START = """
import asyncio, os, select, signal, subprocess, sys, threading, time
from veopipe.run import signals
from veopipe.run.leaving import Leaving

def elsewhere():
    time.sleep(0.1)
    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))

signals.listen()
threading.Thread(target=elsewhere, daemon=True).start()
try:
    {wait}
except signals.Terminated:
    print("terminated")
except KeyboardInterrupt:
    print("interrupted")
"""
AFTER_A_RUN = """
    leaving = Leaving(None, None, None, None)
    async def run():
        leaving.listen()
    with leaving.hearing():
        asyncio.run(run())
    select.select([], [], [], 30)
"""
WAITS = {
    "a pause": "time.sleep(30)",
    "a poll without end": "select.select([], [], [])",
    "a line of input": "sys.stdin.readline()",
    "a process": "subprocess.run(['sleep', '30'])",
    "a lock": "taken = threading.Lock(); taken.acquire(); taken.acquire()",
    "an event loop": "asyncio.run(asyncio.sleep(30))",
    "what follows a run": AFTER_A_RUN.strip(),
}


@pytest.mark.parametrize(
    ("wait", "number"), [*((wait, signal.SIGHUP) for wait in WAITS), ("an event loop", signal.SIGINT)], ids=str
)
def test_a_signal_is_heard_at_once(wait: str, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START.format(wait=WAITS[wait]), str(int(number))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()
        assert process.stdout.read() == (b"interrupted\n" if number == signal.SIGINT else b"terminated\n")
