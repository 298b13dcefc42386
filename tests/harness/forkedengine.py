"""An engine whose workers are forked: real processes, without the seconds that one of another kind needs to begin.

A worker is forked by a zygote (`tests.harness.fork`), may record its points and die at one of them
(`tests.harness.points`), and runs what it is sent, each in a thread. A run reaches workers by veopipe's own seam, an
entry point of the group `veopipe.executors`: `forked+tcp://127.0.0.1:PORT,PORT`; the first that lives is asked.
Its end with a call under way breaks the executor, as that of a pool's process does.
"""

from __future__ import annotations

import itertools
import json
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any

from tests.harness import mishaps, points

NAME = "forked"
PROOF = '"task": null'
"""What stands in an errand that only asks whether one could be run."""


def plug(folder: Path) -> Path:
    """A folder with what an installed package that brings this engine has; for `prepare`."""
    about = folder / "forked-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: forked\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text(f"[veopipe.executors]\n{NAME} = {__name__}:pool\n", "utf-8")
    return folder


def prepare(plugged: str, constants: Sequence[str], recorded: Mapping[str, Any] | None = None) -> None:
    """Let this process, which is about to become veopipe, know the engine.

    Args:
        plugged: the folder that `plug` made.
        constants: as for `mishaps.hurry`.
        recorded: arguments of `points.record`; None: nothing is recorded.
    """
    sys.path.insert(0, plugged)
    mishaps.hurry(list(constants))
    if recorded is not None:
        points.record(**recorded)


# --- in a run ---------------------------------------------------------------------------------------


def pool(url: str) -> Executor:
    """The engine: what the entry point names."""
    ports = url.rpartition(":")[2].split(",")
    return _Workers([int(port) for port in ports])


class _Workers(Executor):
    def __init__(self, ports: list[int]) -> None:
        self._ports = ports

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        given: Future[Any] = Future()
        threading.Thread(target=self._run, args=(given, pickle.dumps((fn, args, kwargs))), daemon=True).start()
        return given

    def _run(self, given: Future[Any], call: bytes) -> None:
        for port in self._ports:
            try:
                answer = ask(port, call)
            except ConnectionRefusedError:  # that one has died before
                continue
            if answer is not None:
                given.set_result(pickle.loads(answer))
                return
            break
        given.set_exception(BrokenExecutor("a worker died"))


def ask(port: int, call: bytes) -> bytes | None:
    """What a worker answers to a pickled call; None: it died. Raises `ConnectionRefusedError`: it is gone."""
    with socket.create_connection(("127.0.0.1", port)) as worker:
        try:
            worker.sendall(call)
            worker.shutdown(socket.SHUT_WR)
            return _all_of(worker) or None
        except ConnectionError:
            return None


def _all_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


# --- in a worker ------------------------------------------------------------------------------------


def work(recorded: Mapping[str, Any] | None = None, kept: str = "", *, spoils: bool = False) -> None:
    """Be a worker: print the port, and run what comes there, until it is killed.

    Args:
        recorded: arguments of `points.record`. The last point, `exit`, is when an errand that isn't a proof is done,
            and its answer not yet told.
        kept: where what comes is written, if anywhere: a file for each, named by its number.
        spoils: the first take that it brings into a folder is gone again before it says so.
    """
    recorder = points.record(**recorded) if recorded is not None else None
    number, spoiled = itertools.count(), iter([spoils])
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            kept_as = kept and f"{kept}.{next(number)}"
            threading.Thread(target=_serve, args=(connection, recorder, kept_as, spoiled)).start()


def _serve(connection: socket.socket, recorder: points.Recorder | None, kept: str, spoiled: Iterator[bool]) -> None:
    with connection:
        called = _all_of(connection)
        if not called:
            return
        fn, args, kwargs = pickle.loads(called)
        if kept:
            Path(kept).write_text(args[0], "utf-8")
        answer = fn(*args, **kwargs)
        if PROOF not in args[0]:
            if next(spoiled, False):
                errand = json.loads(args[0])
                Path(errand["place"]["folder"], f"{errand['name']}.mp4").unlink()
            if recorder is not None:
                recorder.last()
        connection.sendall(pickle.dumps(answer))
