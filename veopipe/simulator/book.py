"""The gateway's own book: every accepted and charged create, and the wallet. It believes no client.

* With a folder it is durable: a line is on disk (fsync) before any answer leaves, so that a simulator that
  was killed at any instant knows every task that it charged. A line that the kill tore is dropped: nothing
  of it was answered.
* Completion is by the wall clock and the task's own `ready_at`, so that tasks go on while no simulator runs.
* One simulator per folder: the file is locked, and the lock dies with its process.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from veopipe.errors import EnvironmentFault

FILE_NAME = "gateway.jsonl"


@dataclass(frozen=True, slots=True)
class Task:
    """One accepted create.

    Attributes:
        task_id: as answered.
        created_at: seconds since 1970.
        ready_at: when it is completed.
        model: as requested.
        prompt: as sent.
        mode: see `orders.Order`.
        seconds: length of the video.
        resolution: what is delivered.
        ratio: `16:9` or `9:16`.
        seed: as sent, or None.
        price: US dollars, 0 where it wasn't charged.
        fields: the form's text fields as sent.
        files: field, file name, content type, size and sha256 of each upload.
        likeness: one hash over fields and files: equal creates have it in common.
        ignored: text fields that meant nothing.
        dropped: what a fault made the gateway drop silently.
        fault: the name of the create fault it was accepted under.
        ghost: whether the gateway forgot it at once.
        pictures: small JPEGs for the slate.
        begins: the name of the picture that the clip begins with, in the album; None: it begins with the slate.
        ends: likewise, of the one that it ends on.
        key_name: what the key that asked is called in the account's log.
    """

    task_id: str
    created_at: float
    ready_at: float
    model: str
    prompt: str
    mode: str
    seconds: int
    resolution: str
    ratio: str
    seed: str | None
    price: Decimal
    fields: Mapping[str, str]
    files: tuple[Mapping[str, Any], ...]
    likeness: str
    ignored: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    fault: str | None = None
    ghost: bool = False
    pictures: tuple[bytes, ...] = field(default=(), repr=False)
    begins: str | None = None
    ends: str | None = None
    key_name: str = "veopipe"

    def as_line(self) -> dict[str, Any]:
        """The task as a JSON object of the book."""
        value = asdict(self)
        value["price"] = str(self.price)
        value["pictures"] = [base64.b64encode(data).decode("ascii") for data in self.pictures]
        return {"event": "accepted", **value}

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> Task:
        """The reverse of `as_line`."""
        value = {key: line[key] for key in line if key != "event"}
        value["price"] = Decimal(value["price"])
        value["pictures"] = tuple(base64.b64decode(text) for text in value["pictures"])
        for name in ("files", "ignored", "dropped"):
            value[name] = tuple(value[name])
        return cls(**value)


class Book:
    """All tasks in the order accepted, and the money left. Safe to read from another thread."""

    def __init__(self, folder: Path | None, wallet: Decimal | None) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._latest: Task | None = None
        self._alike: Counter[str] = Counter()
        self._shown: list[dict[str, Any]] = []
        self._file: int | None = None
        self.wallet = wallet
        if folder is not None:
            self._open(folder)

    def task(self, task_id: str) -> Task | None:
        """The task of that id that the gateway admits to know."""
        task = self._tasks.get(task_id)
        return None if task is None or task.ghost else task

    def charges(self) -> list[Task]:
        """What was charged, newest first: ghosts, too."""
        with self._lock:
            return [task for task in reversed(self._tasks.values()) if task.price > 0]

    def latest(self) -> Task | None:
        """The task accepted last."""
        return self._latest

    @property
    def creates(self) -> list[dict[str, Any]]:
        """Every accepted create, oldest first, without its pictures."""
        with self._lock:
            return list(self._shown)

    @property
    def charged_usd(self) -> Decimal:
        """The sum of all charges."""
        with self._lock:
            return sum((task.price for task in self._tasks.values()), Decimal(0))

    def reserve(self, price: Decimal) -> bool:
        """Take `price` from the wallet; False where there isn't enough."""
        with self._lock:
            if self.wallet is None:
                return True
            if self.wallet < price:
                return False
            self.wallet -= price
            return True

    def accept(self, task: Task) -> None:
        """Write the task down for good. Its price must have been reserved."""
        self._append(task.as_line())
        with self._lock:
            self._remember(task)

    def fill_wallet(self, wallet: Decimal | None) -> None:
        """Set the money that is left; None means no limit."""
        self._append({"event": "wallet", "usd": None if wallet is None else str(wallet)})
        with self._lock:
            self.wallet = wallet

    def close(self) -> None:
        """Give the file and its lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _remember(self, task: Task) -> None:
        self._tasks[task.task_id] = self._latest = task
        self._alike[task.likeness] += 1
        line = task.as_line()
        for name in ("event", "pictures", "price"):
            del line[name]
        self._shown.append(
            line
            | {
                "price_usd": str(task.price),
                "charged": task.price > 0,
                "alike": self._alike[task.likeness],
            }
        )

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)

    def _open(self, folder: Path) -> None:
        path = folder / FILE_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = path.read_bytes()
        except BlockingIOError:
            self.close()
            raise EnvironmentFault(
                f"another simulator is using {folder}", hint="stop it, or give this one a folder of its own"
            ) from None
        except OSError as error:
            self.close()
            raise EnvironmentFault(f"the simulator can't use {folder}: {error.strerror}") from None
        if data:
            self._replay(data, path)
        else:
            self.fill_wallet(self.wallet)
            _sync_folder(folder)

    def _replay(self, data: bytes, path: Path) -> None:
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data) and self._file is not None:
            os.ftruncate(self._file, len(whole))
        try:
            for text in whole.splitlines():
                line = json.loads(text)
                if line["event"] == "wallet":
                    self.wallet = None if line["usd"] is None else Decimal(line["usd"])
                else:
                    task = Task.from_line(line)
                    self._remember(task)
                    self.wallet = None if self.wallet is None else self.wallet - task.price
        except (ValueError, KeyError, TypeError):
            self.close()
            raise EnvironmentFault(
                f"{path} isn't a simulator's book", hint="move it away to start with an empty one"
            ) from None


def _sync_folder(folder: Path) -> None:
    """As far as the disk can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
