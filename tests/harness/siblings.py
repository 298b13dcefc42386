"""Measuring and decoding processes of forked commands are forked, too, by the zygote, which has their libraries loaded.

Such a process takes 70 to 200 ms to start and a millisecond to do its work, and most commands of the tests start one.
Forked it is a process like any other, with a session, memory, limits and streams of its own, that can be killed. What
belongs to its start from nothing is seen where tests start a child themselves (`tests/delivery/test_measure.py`), and
in each command that isn't forked. Tests that decode in the process of pytest have theirs forked likewise.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

LIBRARIES = {"veopipe.delivery.probe": "pymediainfo", "veopipe.film.decoder": "av", "veopipe.film.player": "av"}
"""What such a process runs → the library that it needs. Of another one nothing is loaded before the fork."""


def load(module: str) -> None:
    """Import what such a process needs, without starting a thread, when the first of its kind is asked for."""
    if module not in LIBRARIES:
        return
    importlib.import_module(module)
    library = importlib.import_module(LIBRARIES[module])
    if library.__name__ == "pymediainfo":
        library.MediaInfo.can_parse()  # loads libmediainfo


def be(module: str, talk: int) -> None:
    """Be such a process: what is asked comes in at a socket, and the answers go out there."""
    os.setsid()
    os.chdir("/")
    os.environ.clear()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number, descriptor in enumerate((talk, talk, nowhere)):
        os.dup2(descriptor, number)
    os.closerange(3, 64)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
    importlib.import_module(module).main()
    os._exit(0)


def have(asks: str) -> None:
    """Let the children of this process be forked by the zygote that listens there."""
    from veopipe.delivery import child

    child._started = maker(asks)


def maker(asks: str) -> Callable[[str], Awaitable[Any]]:
    """What makes such processes, in place of what `child` starts them with."""
    return lambda module: Sibling.born(module, asks)


class Sibling(asyncio.Protocol):
    """Such a process, with what `child` uses of asyncio's own `Process`. The zygote tells its number and its end."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader

    def __init__(self) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self._told = b""
        self._is_born, self._is_gone = asyncio.Event(), asyncio.Event()

    @classmethod
    async def born(cls, module: str, asks: str) -> Sibling:
        """A new one."""
        mine, its = socket.socketpair()
        told = socket.socket(socket.AF_UNIX)
        told.connect(asks)
        with its:
            socket.send_fds(told, [module.encode()], [its.fileno()])
        _, sibling = await asyncio.get_running_loop().create_unix_connection(cls, sock=told)
        await sibling._is_born.wait()
        sibling.stdout, sibling.stdin = await asyncio.open_unix_connection(sock=mine)
        return sibling

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Where it is told of."""
        self._hears = transport

    def data_received(self, data: bytes) -> None:
        """A line with its number, then one with its exit code."""
        self._told += data
        lines = self._told.splitlines() if self._told.endswith(b"\n") else self._told.splitlines()[:-1]
        if lines:
            self.pid = int(lines[0])
            self._is_born.set()
        if len(lines) > 1:
            self.returncode = int(lines[1])
            self._is_gone.set()

    async def wait(self) -> int | None:
        """Wait for its end."""
        await self._is_gone.wait()
        self.stdin.close()
        self._hears.close()
        return self.returncode
