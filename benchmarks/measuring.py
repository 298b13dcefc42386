"""What the benchmarks share: run a command and weigh it, keep the best of several, print a table, judge limits.

A command runs as a real process of its own. Its memory is the kernel's `ru_maxrss`: the peak of the largest
process of the command (veopipe, or its measuring child). Linux counts the memory of the process that started
it too, so the scripts themselves stay small: whatever needs much memory is done in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

VEOPIPE = (sys.executable, "-m", "veopipe")
ROOT = Path(__file__).resolve().parent.parent
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux


@dataclass(frozen=True)
class Weighed:
    """How a command ended and what it took: seconds of wall time and of CPU, MB (10^6 bytes) at the peak."""

    code: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    out: str
    err: str


def own_environment() -> dict[str, str]:
    """The environment of what is measured: no proxy, a key, this checkout, and compiled modules as people have them."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"VEOPIPE_API_KEY": "sk-benchmark", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}


def weigh(arguments: Sequence[str], folder: Path, **environment: str) -> Weighed:
    """Run a command to its end, and weigh it."""
    kept = {**own_environment(), **environment}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(arguments, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    peak = usage.ru_maxrss * _MAXRSS_UNIT / 1e6
    return Weighed(process.returncode, wall, usage.ru_utime + usage.ru_stime, peak, texts[0], texts[1])


def best_of(times: int, make: Callable[[], Weighed], code: int = 0) -> Weighed:
    """The quickest of several equal commands; other work on the machine can only make one slower.

    Raises:
        SystemExit: one ended with another exit code than `code`.
    """
    best: Weighed | None = None
    for _ in range(times):
        found = make()
        if found.code != code:
            raise SystemExit(f"exit code {found.code} instead of {code}:\n{found.out[-2000:]}\n{found.err[-2000:]}")
        best = found if best is None or found.wall_s < best.wall_s else best
    if best is None:
        raise ValueError("at least once")
    return best


@dataclass
class Table:
    """Rows for people, and what of them misses a limit."""

    headings: tuple[str, ...]
    missed: list[str] = field(default_factory=list)
    _rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """One row; figures with at most two decimals."""
        self._rows.append(tuple(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells))

    def require(self, what: str, figure: float, limit: float) -> None:
        """Note that `figure` must not exceed `limit`."""
        if figure > limit:
            self.missed.append(f"{what}: {figure:.2f}, the limit is {limit:g}")

    def close(self) -> None:
        """Print the table and end the script: 0, or 1 with what misses its limit."""
        rows = [self.headings, *self._rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.headings))]
        for number, row in enumerate(rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        for line in self.missed:
            print(f"MISSED  {line}")
        sys.exit(1 if self.missed else 0)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of this benchmark's own, removed at its end (set TMPDIR to measure another disk)."""
    with tempfile.TemporaryDirectory(prefix="veopipe-benchmark-") as folder:
        yield Path(folder)


@contextmanager
def server(arguments: Sequence[str], folder: Path) -> Iterator[str]:
    """A server in a process of its own; its first line on stdout is its base URL."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with (
        (folder / "server.err").open("wb") as errors,
        subprocess.Popen(arguments, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line.startswith(b"http"):
                raise SystemExit(f"the server doesn't start:\n{(folder / 'server.err').read_text()[-2000:]}")
            yield line.decode().strip()
        finally:
            process.terminate()
