"""How near a run comes to the quickest possible: 200 shots, tasks of 2 s, 50 in flight, polls every 200 ms.

The gateway is `veopipe simulate` in a process of its own. Ideal: the rounds that 200 takes need at 50 a time, each
as long as a task, plus the creates, one after the other. What one create takes is read from the simulator's log of
the wire: the mean distance of the first 50, between which nothing waits.
Of three runs the quickest by wall time is judged, never the one with the lowest ratio: slow creates make the ideal
larger, so a busy machine flatters the ratio. `strict` is the ratio to the rounds and one round's creates only, because
the creates of later rounds can overlap with tasks; it has no limit.

With `--flood N` instead: N takes in flight, polled every 200 ms, tasks so long (20 s and 50 ms for each take) that all
are on their way together, to see what polling costs. The gateway is `benchmarks.vault` then, which needs less of the
machine than the simulator; the best five seconds count.

Limits: 1.3 times the ideal (issue 2); 1,500 polls a second on one core (issue 11).

    python -m benchmarks.throughput [--flood 2000]
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.measuring import VEOPIPE, Table, Weighed, scratch, server, weigh

SHOTS, IN_FLIGHT, TASK_S, LIMIT = 200, 50, 2.0, 1.3
FLOOD_TASK_S, FLOOD_CREATE_S = 20.0, 0.05


def _write(folder: Path, shots: int, in_flight: int) -> None:
    listed = {f"SC{number:04d}": {"prompt": f"Shot {number} of a lighthouse"} for number in range(shots)}
    defaults = {"model": "veo-3.1-fast-generate-preview", "resolution": "720p", "seconds": 4}
    (folder / "shots.yaml").write_text(json.dumps({"version": 1, "defaults": defaults, "shots": listed}, indent=1))
    pipeline: dict[str, Any] = {
        "version": 1,
        "limits": {"in_flight": in_flight, "creates_per_minute": 60_000},
        "poll": {"interval": "200ms", "timeout": "10m", "adaptive": False},
    }
    (folder / "quick.yaml").write_text(json.dumps(pipeline))


def _wire(base_url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{base_url}/_simulator/wire") as answer:
        entries: list[dict[str, Any]] = json.load(answer)["requests"]
    return entries


def measure(shots: int, in_flight: int, task_s: float) -> tuple[Weighed, list[dict[str, Any]]]:
    """One run in a folder of its own at a gateway of its own, and the log of the wire."""
    with scratch() as folder:
        _write(folder, shots, in_flight)
        gateway = [*VEOPIPE, "simulate", "--port", "0", "--task-time", f"{task_s:g}s"]
        with server(gateway, folder) as base_url:
            words = ["run", "shots.yaml", "-p", "quick.yaml", "--base-url", base_url, "--yes", "--format", "json"]
            found = weigh([*VEOPIPE, *words], folder)
            if found.code != 0:
                sys.exit(f"exit code {found.code}:\n{found.out[-1000:]}\n{found.err[-1000:]}")
            return found, _wire(base_url)


def _row(table: Table, shots: int, in_flight: int, task_s: float) -> tuple[float, float]:
    """One run as a row; its seconds of wall time and their ratio to the ideal."""
    found, wire = measure(shots, in_flight, task_s)
    posts: list[float] = [entry["time"] for entry in wire if entry["method"] == "POST"]
    create_s: float = mean(after - before for before, after in pairwise(posts[:in_flight]))
    polls = [entry["time"] for entry in wire if entry["method"] == "GET" and not entry["path"].endswith("/content")]
    strict = -(-shots // in_flight) * task_s + min(shots, in_flight) * create_s
    ideal = -(-shots // in_flight) * task_s + shots * create_s
    connections = len({entry["connection"] for entry in wire})
    rate = len(polls) / (polls[-1] - polls[0])
    timing = (found.wall_s, ideal, found.wall_s / ideal, found.wall_s / strict, f"{create_s * 1000:.1f}", found.cpu_s)
    table.add(shots, in_flight, *timing, len(polls), round(rate), connections, round(found.peak_mb))
    return found.wall_s, found.wall_s / ideal


def flood(takes: int) -> None:
    """So many takes in flight, each asked every 200 ms."""
    task_s = FLOOD_TASK_S + takes * FLOOD_CREATE_S
    with scratch() as folder:
        _write(folder, takes, takes)
        vault = [sys.executable, "-m", "benchmarks.vault", "--task-time", f"{task_s:g}"]
        with server(vault, folder) as base_url:
            words = ["run", "shots.yaml", "-p", "quick.yaml", "--base-url", base_url, "--yes", "--format", "json"]
            found = weigh([*VEOPIPE, *words], folder)
            if found.code != 0:
                sys.exit(f"exit code {found.code}:\n{found.out[-1000:]}\n{found.err[-1000:]}")
            with urllib.request.urlopen(f"{base_url}/figures") as answer:
                seen = json.load(answer)
    table = Table(("takes in flight", "s", "CPU s", "polls", "polls a second", "in the best 5 s", "MB"))
    rates = (round(seen["polls_a_second"]), round(seen["most_polls_a_second"]))
    table.add(takes, found.wall_s, found.cpu_s, seen["polls"], *rates, round(found.peak_mb))
    table.require("1,500 by the polls a second", 1500 / max(seen["most_polls_a_second"], 1), 1.0)
    table.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--flood", type=int, metavar="N")
    takes = options.parse_args().flood
    if takes:
        flood(takes)
    timing, polling = ("s", "ideal s", "ratio", "strict", "create ms", "CPU s"), ("polls", "polls/s", "TCP", "MB")
    table = Table(("shots", "in flight", *timing, *polling))
    _, ratio = min(_row(table, SHOTS, IN_FLIGHT, TASK_S) for _ in range(3))  # the quickest
    table.require("quickest of 3, times the ideal", ratio, LIMIT)
    table.close()


if __name__ == "__main__":
    main()
