"""The other side of `tests.harness.fork`: has veopipe loaded, and forks a child for each command. A script."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any, TextIO

from tests.harness import siblings

SCRIPTS = {"veopipe.__main__", "veopipe.delivery.probe", "veopipe.film.decoder"}
LATER = (
    *("anyio._backends._asyncio", "httpcore._backends.anyio", "filelock", "secrets"),
    *("encodings.ascii", "encodings.idna", "encodings.unicode_escape"),
)
"""What commands import in their midst: a child would do it again each time."""
WARM = """version: 1
shots:
  a: {prompt: a cat, model: veo-3.1-fast-generate-preview}
  b: {prompt: a cat, model: gemini-omni-1.2-flash}
"""


def load() -> None:
    """Import and build all that a command needs, without starting a thread."""
    import veopipe

    for name in LATER:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(veopipe.__path__, "veopipe."):
        if ".simulator" not in module.name and module.name not in SCRIPTS:
            importlib.import_module(module.name)
    from veopipe.cli import main as cli

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "warm.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(WARM)
        for words in (["profiles"], ["validate", path], ["plan", path, "--format", "json"], ["status", path]):
            cli.main(words)
    assert threading.active_count() == 1, "a fork would copy half of a process"
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Birth:
    """What a child is to be.

    Attributes:
        told: where its number and its end are told; of a command also where its order comes from.
        streams: of a command its three, of a sibling the one where it talks.
        module: of a sibling, what it runs.
    """

    told: socket.socket
    streams: list[int]
    module: str = ""


def serve(channel: socket.socket, listening: socket.socket) -> Birth | None:
    """Fork until nobody asks any more. Returns in each child, with what it is to be."""
    ring, rung = socket.socketpair()
    for end in (ring, rung):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(rung.fileno())
    children: dict[int, socket.socket] = {}
    while True:
        ready = select.select([channel, listening, ring], [], [])[0]
        if ring in ready:
            ring.recv(4096)
            reap(children)
        for asker in {channel, listening}.intersection(ready):
            birth = asked(asker, is_command=asker is channel)
            if birth is None:
                return None
            if birth.module:
                siblings.load(birth.module)
            child = os.fork()
            if child == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (channel, listening, ring, rung, *children.values()):
                    each.close()
                return birth
            for descriptor in birth.streams:
                os.close(descriptor)
            children[child] = birth.told
            tell(birth.told, child)


def asked(asker: socket.socket, *, is_command: bool) -> Birth | None:
    """What somebody wants; None: nobody wants anything any more."""
    if is_command:
        found, descriptors, _, _ = socket.recv_fds(asker, 1, 4)
        return Birth(socket.socket(fileno=descriptors.pop()), descriptors) if found else None
    told, _ = asker.accept()
    module, descriptors, _, _ = socket.recv_fds(told, 100, 1)
    return Birth(told, descriptors, module.decode())


def tell(told: socket.socket, number: int) -> None:
    """Say a number; whoever wanted to know it may be gone."""
    with contextlib.suppress(OSError):
        told.sendall(f"{number}\n".encode())


def reap(children: dict[int, socket.socket]) -> None:
    """Tell how those ended that did."""
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        with children.pop(child) as told:
            tell(told, os.waitstatus_to_exitcode(status))


def become(streams: list[int], told: socket.socket, asks: str) -> None:
    """Be the command."""
    siblings.have(asks)
    with told, told.makefile("rb") as lines:
        order: dict[str, Any] = json.loads(lines.readline())
    for number, (name, descriptor) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(descriptor, number)
        os.close(descriptor)
        setattr(sys, name, again(getattr(sys, name), number))
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    time.tzset()
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    first = order["first"]
    if first is not None:
        module, _, name = first.pop("call").rpartition(".")
        getattr(importlib.import_module(module), name)(**first)
    sys.argv = ["veopipe", *order["words"]]
    from veopipe.__main__ import main

    try:
        main()
    except SystemExit as ending:
        if isinstance(ending.code, int):
            leave(ending.code)
        raise
    leave(0)


def leave(code: int) -> None:
    """End as Python does, but without taking apart what was loaded before the fork.

    That touches, and so copies, all of its memory: most of what a short command would cost. What the command itself
    left is looked through, so that a task whose exception nobody saw is still heard of.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # veopipe itself has flushed them before
            stream.flush()
    os._exit(code)


def again(stream: TextIO, number: int) -> TextIO:
    """A stream as Python made it, at what its number leads to now."""
    made = open(number, "wb" if number else "rb", buffering=0 if stream.write_through else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        made, stream.encoding, stream.errors, line_buffering=stream.line_buffering, write_through=stream.write_through
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is for pytest
    load()
    with socket.socket(fileno=int(sys.argv[2])) as listening:
        asks = listening.getsockname()
        born = serve(socket.socket(fileno=int(sys.argv[1])), listening)
    if born is not None and born.module:
        siblings.be(born.module, born.streams[0])
    elif born is not None:
        become(born.streams, born.told, asks)
