"""Time and memory of `validate`, `plan` and a run with nothing to do, for long shot lists.

For 1,000, 10,000 and 100,000 shots (`--shots` to choose), and for each kind of list of `filling.KINDS`: write the
list, then validate and plan it without a ledger, then fill a ledger in which everything is verified and run.
Each figure is the best of three (of one at 100,000). `--kinds` to choose.

Limits (issue 2): at 10,000 plain shots `validate` 4 s, `plan` 6 s, the run 6 s, each 500 MB; ten times the shots
take at most 11 times the time, where the smaller time is at least a second (below it the start of the
interpreter rules). Lists of the other kinds must keep the same limits.

    python -m benchmarks.scale [--shots 1000,10000] [--kinds plain]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.filling import KINDS, write_list
from benchmarks.measuring import ROOT, VEOPIPE, Table, Weighed, best_of, scratch, weigh

LIMITS_S = {"validate": 4.0, "plan": 6.0, "run": 6.0}
LIMIT_MB = 500.0
AT = 10_000
GROWTH = 11.0
_ARGUMENTS = {"validate": ("validate", "shots.yaml"), "plan": ("plan", "shots.yaml"), "run": ("run", "shots.yaml")}


def measure(folder: Path, shots: int, kind: str, times: int) -> dict[str, Weighed]:
    """What each command takes."""
    write_list(folder, shots, kind)
    found = {}
    for command, words in _ARGUMENTS.items():
        if command == "run":
            subprocess.run(
                [sys.executable, "-m", "benchmarks.filling", "shots.yaml"],
                cwd=folder, check=True, env={"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        found[command] = best_of(times, partial(weigh, [*VEOPIPE, *words], folder))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shots", default="1000,10000,100000")
    options.add_argument("--kinds", default=",".join(KINDS))
    chosen = options.parse_args()
    table = Table(("list", "shots", "command", "s", "CPU s", "MB", "times the tenth"))
    for kind in chosen.kinds.split(","):
        before: dict[str, Weighed] = {}
        for shots in sorted(map(int, chosen.shots.split(","))):
            with scratch() as folder:
                found = measure(folder, shots, kind, 1 if shots > AT else 3)
            for command, best in found.items():
                seconds, megabytes = best.wall_s, best.peak_mb
                growth = seconds / before[command].wall_s if command in before else None
                table.add(kind, f"{shots:,}", command, seconds, best.cpu_s, round(megabytes), growth or "")
                if shots == AT:
                    table.require(f"{command} of {shots:,} {kind} shots, s", seconds, LIMITS_S[command])
                    table.require(f"{command} of {shots:,} {kind} shots, MB", megabytes, LIMIT_MB)
                if growth is not None and before[command].wall_s >= 1.0:
                    table.require(f"{command} of {shots:,} {kind} shots, times the tenth", growth, GROWTH)
            before = found
    table.close()


if __name__ == "__main__":
    main()
