"""The points of a run: every operation that a power cut could undo. Each is logged, and one may go wrong.

`record` is called in a forked command (`tests.harness.zygote`). Names of points come from Python's own audit events
(open for writing, mkdir, rename, link, unlink, chmod, connect), so that no operation has to be announced to be seen;
writes, syncs and the stages of a create come from `veopipe.crashpoints`; the last one is the exit, when all is said
to be done. Each is written to the log just before the operation, numbered from 1; `at` is such a number, or a list
of kinds that are met one after the other, the last being the point.

    watch   nothing happens
    kill    SIGKILL just before point `at`
    once    point `at` (on disk) raises `errno`
    ever    so does every later one on disk
    short   from the write at point `at` on, no file can grow beyond `room` bytes: the kernel itself takes a
            part and then refuses
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from veopipe import crashpoints

ON_DISK = frozenset({"open", "write", "fsync", "fsync-folder", "mkdir", "rename", "link", "remove", "chmod"})
_AUDITED = {
    "os.mkdir": "mkdir",
    "os.rename": "rename",
    "os.link": "link",
    "os.remove": "remove",
    "os.chmod": "chmod",
}
STEPS = frozenset(
    {
        *("write", "fsync", "fsync-folder"),
        *("gate", "body", "answer", "record", "poll", "download", "walk", "measure"),
        *("put", "stored", "copy", "guard"),
    }
)
ON_FILES = (
    *(
        "files.py",
        "ledger/store.py",
        "ledger/rescue.py",
        "ledger/owner.py",
        "delivery/download.py",
        "delivery/shelf.py",
    ),
    "run/events.py",
)
"""Files of the package that work on the disk; `test_index` knows that each is there."""
_ON_FILES = tuple(f"{os.sep}veopipe{os.sep}{name}" for name in ON_FILES)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Recorder:
    """Numbers, logs and disturbs the points of this process."""

    def __init__(self, folder: str, log: str, how: str, at: int | list[str], errno: int, room: int) -> None:
        self._root, self._how = folder + os.sep, how
        self._at, self._path = (sys.maxsize, list(at)) if isinstance(at, list) else (at, [])
        self._errno, self._room, self._is_over = errno, room, False
        self._shadow = log + ".kept"
        os.mkdir(self._shadow)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock, self._mine, self._count = threading.RLock(), threading.local(), 0
        self._at_work: dict[int, FrameType | None] = {}  # thread → the function that reached its last point

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Called by the interpreter before the operation."""
        kind = _AUDITED.get(event)
        if kind is not None:
            self._named(kind, *args[: 2 if kind in {"rename", "link"} else 1])
        elif event == "open" and isinstance(args[2], int) and args[2] & _WRITES:
            self._named("open", args[0], flags=args[2])
        elif event == "socket.connect":
            self._point("connect", "")

    def step(self, step: str, subject: str) -> None:
        """Called by veopipe before the operation."""
        if step in STEPS:
            on_disk = step in ON_DISK
            size = os.stat(subject).st_size if step == "fsync" and subject else 0
            self._point(step, self._inside(subject) or "" if on_disk else subject, size=size)

    def last(self) -> None:
        """Called when all is said to be done; what the interpreter still does is none of veopipe."""
        self._point("exit", "")
        self._is_over = True

    def _inside(self, path: object) -> str | None:
        if isinstance(path, str | bytes | os.PathLike):
            full = os.path.abspath(os.fsdecode(path))
            return full.removeprefix(self._root) if full.startswith(self._root) else None
        return None

    def _named(self, kind: str, *paths: object, flags: int = 0) -> None:
        if self._is_over or getattr(self._mine, "busy", False):
            return
        inside = [self._inside(path) for path in paths]
        if inside[-1] is not None:
            self._point(kind, *(name or "" for name in inside), truncates=bool(flags & os.O_TRUNC))

    def _point(self, kind: str, *paths: str, size: int = 0, truncates: bool = False) -> None:
        with self._lock:
            self._mine.busy = True
            try:
                self._count += 1
                self._walk(kind)
                line = {"n": self._count, "kind": kind, "paths": paths, "size": size, "truncates": truncates}
                if kind in {"rename", "remove"}:
                    line["kept"] = self._keep(paths[-1])
                fails = self._fails(kind)
                if fails:
                    line["failed"] = True
                line["thread"] = threading.get_ident()
                self._at_work[threading.get_ident()] = next(filter(_is_on_files, _stack(sys._getframe())), None)
                if self._how == "kill" and self._count == self._at:
                    line["under_way"] = self._under_way()
                if self._how != "short" or self._count <= self._at:  # the limit is the log's, too
                    os.write(self._log, json.dumps(line).encode() + b"\n")
                if self._how == "kill" and self._count == self._at:
                    os.kill(os.getpid(), signal.SIGKILL)
            finally:
                self._mine.busy = False
        if self._how == "short" and self._count >= self._at and kind == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._room, resource.RLIM_INFINITY))
        elif fails:
            raise OSError(self._errno, os.strerror(self._errno), paths[-1] or None)

    def _under_way(self) -> list[int]:
        """Threads whose last point may not have happened yet: the function that reached it hasn't returned.

        Not those that are here at a new point: what was before it has happened. Nor those that are at work on
        something else by now, or wait for a lock.
        """
        return [
            thread
            for thread, frame in sys._current_frames().items()
            if thread != threading.get_ident()
            and frame.f_code.co_filename != __file__
            and self._at_work.get(thread) in {*_stack(frame)}
        ]

    def _walk(self, kind: str) -> None:
        """Kinds that must be met in order; the last one is the point."""
        if self._path and kind == self._path[0]:
            del self._path[0]
            if not self._path:
                self._at = self._count
        elif self._path:
            self._at = sys.maxsize

    def _fails(self, kind: str) -> bool:
        if kind not in ON_DISK:
            return False
        return (self._how == "once" and self._count == self._at) or (self._how == "ever" and self._count >= self._at)

    def _keep(self, path: str) -> str | None:
        """A second name for what is about to lose its name, so that a power cut can bring it back."""
        kept = f"{self._shadow}/{self._count}"
        try:
            os.link(self._root + path, kept, follow_symlinks=False)
        except OSError:
            return None
        return kept


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_on_files(frame: FrameType) -> bool:
    return frame.f_code.co_filename.endswith(_ON_FILES)


def record(folder: str, log: str, how: str, at: int | list[str] = 0, errno: int = 0, room: int = 0) -> Recorder:
    """Log and disturb the points of this process from here on; see the top of this file.

    Args:
        folder: what is seen of the disk.
        log: is made.
        how: what happens at the point.
        at: its number, or kinds.
        errno: what a disk says that fails.
        room: bytes, for `short`.
    """
    recorder = Recorder(folder, log, how, at, errno, room)
    crashpoints.listen(recorder.step)
    sys.addaudithook(recorder.audit)
    atexit.register(recorder.last)
    return recorder
