"""A Dask cluster for measuring: a scheduler and workers, each a process of its own, with words before their command.

The words put a process on a host: `("ip", "netns", "exec", "one")`. All of them end with the cluster.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from benchmarks.measuring import own_environment

START_S = 60.0
PORT = 8786


class Cluster:
    """A scheduler with workers, whose folder is for their logs and what they keep.

    Args:
        folder: is there.
        host: an address of the host that the scheduler runs on.
        port: that it listens at.
        before: words before the scheduler's command.
    """

    def __init__(self, folder: Path, host: str, port: int = PORT, before: Sequence[str] = ()) -> None:
        self._folder, self._host, self._before = folder, host, before
        self.address = f"tcp://{host}:{port}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        port = self.address.rpartition(":")[2]
        words = ["--host", f"tcp://{self._host}", "--port", port, "--no-dashboard", "--no-jupyter"]
        self._start("scheduler", words, self._before, {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def worker(self, threads: int, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Path:
        """Start a worker; its log. It needn't be up."""
        words = [self.address, "--nthreads", str(threads), "--nworkers", "1", "--no-dashboard", "--no-nanny"]
        words += ["--local-directory", str(self._folder / "kept"), "--memory-limit", "0"]
        return self._start("worker", words, before, environment or {})

    def wait(self, logs: Sequence[Path]) -> None:
        """Until the workers with these logs are there.

        Raises:
            SystemExit: one isn't in a minute.
        """
        end = time.monotonic() + START_S
        for log in logs:
            while b"Registered to:" not in log.read_bytes():
                if time.monotonic() > end:
                    raise SystemExit(f"a worker doesn't start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
                time.sleep(0.05)

    def _start(self, kind: str, words: Sequence[str], before: Sequence[str], environment: Mapping[str, str]) -> Path:
        log = self._folder / f"{kind}-{len(self._processes)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", f"distributed.cli.dask_{kind}", *words],
                cwd=self._folder,
                env={**own_environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return log
