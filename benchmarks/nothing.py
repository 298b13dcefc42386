"""A run with nothing to do on 10,000 shots, beside doit with as many tasks that are up to date, in turn.

veopipe checks the list by its schema, reads the whole ledger and looks at each file and each finished name; doit (which
must be installed) compares settings and looks whether files are there. The quickest of each counts.

Limit (issue 11): no more than doit's time.

    python -m benchmarks.nothing [--shots 10000] [--times 5]
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from benchmarks.filling import write_list
from benchmarks.measuring import ROOT, VEOPIPE, Table, Weighed, scratch, weigh


def _ready(ours: Path, theirs: Path, shots: int) -> dict[str, tuple[list[str], Path]]:
    """Both commands with their folders, everything made."""
    write_list(ours, shots)
    filling = [sys.executable, "-m", "benchmarks.filling", "shots.yaml"]
    subprocess.run(filling, cwd=ours, check=True, env={"PYTHONPATH": str(ROOT)})
    doit = [sys.executable, str(ROOT / "benchmarks/peers/doit_list.py"), str(shots)]
    subprocess.run(doit, cwd=theirs, check=True, stdout=subprocess.DEVNULL)
    return {"doit": (doit, theirs), "veopipe run": ([*VEOPIPE, "run", "shots.yaml"], ours)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shots", type=int, default=10_000)
    options.add_argument("--times", type=int, default=5)
    chosen = options.parse_args()
    if importlib.util.find_spec("doit") is None:
        sys.exit("doit isn't installed: pip install doit")
    table, best = Table(("program", "s", "CPU s", "MB")), dict[str, Weighed]()
    with scratch() as ours, scratch() as theirs:
        commands = _ready(ours, theirs, chosen.shots)
        for _ in range(chosen.times):
            for name, (words, folder) in commands.items():
                found = weigh(words, folder)
                if found.code != 0:
                    sys.exit(f"{name}: exit code {found.code}\n{found.err[-2000:]}")
                best[name] = min(best.get(name, found), found, key=lambda each: each.wall_s)
    for name, each in best.items():
        table.add(name, each.wall_s, each.cpu_s, round(each.peak_mb))
    table.require("nothing to do, times doit's time", best["veopipe run"].wall_s / best["doit"].wall_s, 1.0)
    table.close()


if __name__ == "__main__":
    main()
