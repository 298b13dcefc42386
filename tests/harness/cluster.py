"""Real engines for the tests: a `dask scheduler` and its workers, each a process of its own, ended by its id.

with Cluster(folder) as cluster:
    worker = cluster.worker()
    film.run("--executor", cluster.executor)
    worker.kill()
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.harness.canary import KEY
from tests.harness.film import AUTHORITY

ROOT = Path(__file__).parents[2]
START = 60.0
"""Seconds within which a process of an engine is up; alone it takes two."""
_QUIET = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "6s",  # else a frozen worker is waited for five minutes
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s",
}


@dataclass
class Member:
    """A process of an engine, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """All of it so far."""
        return self.log.read_text("utf-8", "replace")

    def until_it_says(self, words: str) -> None:
        """Wait for words in what it says."""
        wait_for(lambda: words in self.said() or self.process.poll() is not None)
        assert words in self.said(), self.said()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, and all that it started."""
        for number in (signal.SIGCONT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
        self.process.wait()


@dataclass
class Cluster:
    """A scheduler with workers.

    Attributes:
        folder: for logs, and for what workers keep.
        scheme: `tcp` or `tls`.
        environment: more variables of all its processes.
    """

    folder: Path
    scheme: str = "tcp"
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=lambda: free_port())
    members: list[Member] = field(default_factory=list)
    scheduler: Member | None = None

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def executor(self) -> str:
        """As the command line names it."""
        return f"dask+{self.address}"

    def __enter__(self) -> Cluster:
        self.folder.mkdir()
        self.schedule()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members:
            member.kill()
        shutil.rmtree(self.folder / "kept", ignore_errors=True)

    def schedule(self) -> None:
        """Start the scheduler, again if it was killed; it needn't be up."""
        words = ["--host", f"{self.scheme}://127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-jupyter"]
        self.scheduler = self._start("scheduler", words, {})

    def worker(self, threads: int = 2, root: Path = ROOT, preload: str = "", **environment: str) -> Member:
        """Start a worker; it needn't be up.

        Args:
            threads: errands that it runs at once.
            root: where it finds veopipe.
            preload: a module that it loads first.
            environment: variables over the usual ones, the key among them.
        """
        words = [self.address, "--nthreads", str(threads), "--nworkers", "1", "--no-dashboard", "--no-nanny"]
        words += ["--local-directory", str(self.folder / "kept"), "--memory-limit", "0"]
        words += ["--preload", preload] if preload else []
        return self._start("worker", words, {"VEOPIPE_API_KEY": KEY, "PYTHONPATH": str(root), **environment})

    def workers(self, number: int, threads: int = 2) -> list[Member]:
        """Start workers, and wait until they are there."""
        started = [self.worker(threads) for _ in range(number)]
        for worker in started:
            worker.until_it_says("Registered to:")
        return started

    def kinds(self) -> list[str]:
        """Of work that the scheduler met."""
        from distributed import Client  # three workers of pytest read every module of tests; one calls this

        with Client(self.address, set_as_default=False) as client:
            prefixes: list[str] = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
            return prefixes

    def said(self) -> str:
        """What all of them said."""
        return "".join(member.said() for member in self.members)

    def _start(self, kind: str, words: list[str], environment: dict[str, str]) -> Member:
        kept = {name: value for name, value in os.environ.items() if name != "VEOPIPE_API_KEY"}
        log = self.folder / f"{kind}-{len(self.members)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + kind, *words],
                cwd=self.folder,
                env={**kept, "SSL_CERT_FILE": AUTHORITY, **_QUIET, **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        member = Member(process, log)
        self.members.append(member)
        return member


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for(happened: Callable[[], object], limit: float = START) -> None:
    """Wait for something that happens elsewhere, by looking often."""
    end, pause = time.monotonic() + limit, threading.Event()
    while not happened():
        assert time.monotonic() < end, "it didn't happen"
        pause.wait(0.02)
