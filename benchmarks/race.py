"""A race at one gateway: veopipe and programs that do less, as many shots, places, polls and bytes for each.

Each contestant is a process of its own; the gateway is `benchmarks.vault`, started anew for each. Wall time is from
the start of the program to its end, CPU with all its children, memory the largest sum of the proportional shares (PSS)
of its processes, looked at four times a second. `late` is how long after a task's end its video was fetched, `polls`
how often a shot was asked for; both by the gateway. Rounds go through all contestants in turn; the median counts.

Peers: the bare ruler (asyncio streams), doit, the API document's script, the official SDK, Luigi, Snakemake; what isn't
installed (`pip install doit openai requests luigi snakemake`) is left out.

    python -m benchmarks.race [--rounds 3] [--shots 100] [--task-time 3] [--mb 1] [--only ruler,veopipe]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import ROOT, VEOPIPE, Table, scratch, server
from benchmarks.scales import ran

PLACES, INTERVAL_S = 25, 0.5
PEERS = {"ruler": None, "doit_threads": "doit", "script": "requests", "sdk": "openai"}
PEERS |= {"luigi_workers": "luigi", "snakemake_jobs": "snakemake"}
"""Program → library that it needs."""
LIMIT_WALL, LIMIT_CPU, LIMIT_PSS = 1.05, 0.8, 50.0


@dataclass(frozen=True)
class Lap:
    """What one contestant took: seconds, milliseconds of CPU a shot, MB; and what the gateway saw of it."""

    wall_s: float
    cpu_ms: float
    pss_mb: float
    late_s: float
    polls: float


@dataclass(frozen=True)
class Case:
    """What is raced for: so many shots, seconds that a task takes, MB that a file has."""

    shots: int
    task_s: float
    megabytes: int


def words_of(name: str, folder: Path, base_url: str, case: Case) -> list[str]:
    """The command line of a contestant, with what it needs in its folder."""
    if name == "veopipe":
        return _veopipe(folder, base_url, case)
    program = ROOT / "benchmarks" / "peers" / f"{name}.py"
    if name == "script":
        program = _with_the_example(folder, base_url, program)
    figures = (case.shots, PLACES, case.megabytes, INTERVAL_S)
    return [sys.executable, str(program), base_url, *map(str, figures)]


def _with_the_example(folder: Path, base_url: str, loop: Path) -> Path:
    document = (ROOT / "docs/api-document.txt").read_text("utf-8")
    example = document.partition("\nPython Complete Example\n")[2].partition("\nFAQ\n")[0]
    functions = example.partition('if __name__ == "__main__":')[0]
    functions = functions.replace("https://api.laozhang.ai", base_url).replace("YOUR_API_KEY", "sk-benchmark")
    (folder / "batch.py").write_text(f"{functions}\n{loop.read_text('utf-8')}", "utf-8")
    return folder / "batch.py"


def _veopipe(folder: Path, base_url: str, case: Case) -> list[str]:
    shots = {f"SC{number:04d}": {"prompt": f"{case.megabytes} MB, shot {number}"} for number in range(case.shots)}
    defaults = {"model": "veo-3.1-fast-generate-preview", "resolution": "720p", "seconds": 4}
    limits = {"in_flight": PLACES, "creates_per_minute": 60_000, "downloads": PLACES}
    pipeline = {"version": 1, "limits": limits, "poll": {"interval": f"{INTERVAL_S * 1000:g}ms"}}
    (folder / "shots.yaml").write_text(json.dumps({"version": 1, "defaults": defaults, "shots": shots}, indent=1))
    (folder / "race.yaml").write_text(json.dumps(pipeline))
    return [*VEOPIPE, "run", "shots.yaml", "-p", "race.yaml", "--base-url", base_url, "--yes"]


def lap(name: str, case: Case) -> Lap:
    """One contestant at a gateway of its own."""
    vault = [sys.executable, "-m", "benchmarks.vault", "--task-time", f"{case.task_s:g}"]
    with scratch() as folder, scratch() as elsewhere, server(vault, elsewhere) as base_url:
        words = words_of(name, folder, base_url, case)
        took = ran(words, folder)
        with urllib.request.urlopen(f"{base_url}/figures") as answer:
            seen: dict[str, Any] = json.load(answer)
        if (seen["creates"], seen["videos"]) != (case.shots, case.shots):
            raise SystemExit(f"{name}: {seen}\n{(folder / 'output').read_text()[-2000:]}")
        cpu_ms = took.cpu_s * 1000 / case.shots
        return Lap(took.wall_s, cpu_ms, took.most_mb, seen["late_s"], seen["polls"] / case.shots)


def main() -> None:
    """Race, print the medians, judge veopipe beside the ruler and the SDK."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--shots", type=int, default=100)
    options.add_argument("--task-time", type=float, default=3.0, metavar="S")
    options.add_argument("--mb", type=int, default=1)
    options.add_argument("--only", default=",".join([*PEERS, "veopipe"]))
    chosen = options.parse_args()
    case = Case(chosen.shots, chosen.task_time, chosen.mb)
    here = [name for name in chosen.only.split(",") if _is_here(PEERS.get(name))]
    laps: dict[str, list[Lap]] = {name: [] for name in here}
    for _ in range(chosen.rounds):
        for name in here:
            laps[name].append(lap(name, case))
    table = Table(("contestant", "wall s", "times the ruler", "CPU ms a shot", "PSS MB", "late s", "polls a shot"))
    _judge(table, {name: _middle(found) for name, found in laps.items()})
    table.close()


def _is_here(library: str | None) -> bool:
    return library is None or importlib.util.find_spec(library) is not None


def _middle(laps: Sequence[Lap]) -> Lap:
    return Lap(*(median(getattr(each, name) for each in laps) for name in Lap.__dataclass_fields__))


def _judge(table: Table, found: dict[str, Lap]) -> None:
    for name, each in found.items():
        ratio = each.wall_s / found["ruler"].wall_s if "ruler" in found else float("nan")
        table.add(name, each.wall_s, ratio, each.cpu_ms, each.pss_mb, each.late_s, each.polls)
    ours = found.get("veopipe")
    if ours is None:
        return
    if "ruler" in found:
        table.require("wall, times the ruler", ours.wall_s / found["ruler"].wall_s, LIMIT_WALL)
    if "sdk" in found:
        table.require("CPU a shot, times the SDK's", ours.cpu_ms / found["sdk"].cpu_ms, LIMIT_CPU)
    table.require("PSS, MB", ours.pss_mb, LIMIT_PSS)


if __name__ == "__main__":
    main()
