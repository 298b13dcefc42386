"""Runs a program to its end and weighs the memory of its processes meanwhile, four times a second.

`Pss` is the proportional share of a process in what it uses, libraries and files in memory with it; `Private_Dirty` is
what it wrote itself and nobody else has: proc_pid_smaps(5) of the Linux manual.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import own_environment

_LOOKS_S = 0.25


@dataclass(frozen=True)
class Ran:
    """What a program took, with its children: seconds of wall time and of CPU, MB (10^6 bytes) at the peak."""

    wall_s: float
    cpu_s: float
    most_mb: float


def ran(words: Sequence[str], folder: Path, kind: str = "Pss", environment: Mapping[str, str] | None = None) -> Ran:
    """Run a program; what it says goes to the file `output` in its folder.

    Args:
        words: its command line.
        folder: that it runs in.
        kind: of memory, a line of `smaps_rollup`.
        environment: more variables.

    Raises:
        SystemExit: it ended with another exit code than 0.
    """
    kept = {**own_environment(), **(environment or {})}
    with (folder / "output").open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(words, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        scales = _Scales(process.pid, kind)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    most = scales.end()
    if process.returncode != 0:
        raise SystemExit(f"{words}: exit code {process.returncode}\n{(folder / 'output').read_text()[-2000:]}")
    return Ran(took, usage.ru_utime + usage.ru_stime, most)


class _Scales:
    """Weighs the memory of a process and its children while they run, in a thread."""

    def __init__(self, pid: int, kind: str) -> None:
        self._pid, self._kind, self._over, self._most = pid, f"{kind}:", threading.Event(), 0.0
        self._thread = threading.Thread(target=self._weigh, daemon=True)
        self._thread.start()

    def _weigh(self) -> None:
        while not self._over.wait(_LOOKS_S):
            self._most = max(self._most, sum(_mb(pid, self._kind) for pid in _family(self._pid)))

    def end(self) -> float:
        """The most MB that were seen."""
        self._over.set()
        self._thread.join()
        return self._most


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                found += map(int, Path(f"/proc/{parent}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return found


def _mb(pid: int, kind: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(kind)), 0.0)
