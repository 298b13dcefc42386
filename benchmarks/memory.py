"""How much memory a large download needs: a run that fetches 500 MB against one that fetches 1 MB.

The gateway is `benchmarks.vault`, in a process of its own. Measured is the peak of the veopipe process over its
whole run: start, create, download, hash, box walk, measurement in the child. The base is the smallest
of three runs with files of 1 MB, the other figure the largest of three: memory isn't blurred by other work, so the
worst counts. Needs 4.5 GB on the disk of TMPDIR.

Limits (issue 2): one file of 500 MB adds less than 30 MB, eight at a time add less than 100 MB.

    python -m benchmarks.memory [--mb 500]
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.measuring import VEOPIPE, Table, Weighed, scratch, server, weigh

LIMITS_MB = {1: 30.0, 8: 100.0}
TIMES = 3


def fetch(base_url: str, files: int, megabytes: int) -> Weighed:
    """One run that downloads that many files at the same time."""
    with scratch() as folder:
        defaults = {"model": "veo-3.1-fast-generate-preview", "resolution": "720p", "seconds": 4}
        shots = {f"SC{number}": {"prompt": f"{megabytes} MB, file {number}"} for number in range(files)}
        (folder / "shots.yaml").write_text(json.dumps({"version": 1, "defaults": defaults, "shots": shots}))
        limits = {"in_flight": files, "creates_per_minute": 60_000, "downloads": files}
        pipeline = {"version": 1, "limits": limits, "poll": {"interval": "2s"}}
        (folder / "wide.yaml").write_text(json.dumps(pipeline))
        words = ["run", "shots.yaml", "-p", "wide.yaml", "--base-url", base_url, "--yes", "--format", "json"]
        found = weigh([*VEOPIPE, *words], folder)
        sizes = [path.stat().st_size for path in (folder / "renders" / "shots").glob("*.mp4")]
        if found.code != 0 or sizes != [megabytes * 1_000_000] * files:
            sys.exit(f"exit code {found.code}, {sizes}:\n{found.out[-1500:]}\n{found.err[-1500:]}")
        return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--mb", type=int, default=500)
    megabytes = options.parse_args().mb
    table = Table(("files at a time", "MB each", "peak MB", "added MB", "s", "MB/s"))
    with scratch() as folder, server([sys.executable, "-m", "benchmarks.vault"], folder) as base_url:
        for files, limit in LIMITS_MB.items():
            small = min((fetch(base_url, files, 1) for _ in range(TIMES)), key=lambda found: found.peak_mb)
            large = max((fetch(base_url, files, megabytes) for _ in range(TIMES)), key=lambda found: found.peak_mb)
            added = large.peak_mb - small.peak_mb
            table.add(files, 1, round(small.peak_mb), "", small.wall_s, "")
            table.add(files, megabytes, round(large.peak_mb), added, large.wall_s,
                      round(files * megabytes / large.wall_s))  # fmt: skip
            table.require(f"{files} files of {megabytes} MB add, MB", added, limit)
    table.close()


if __name__ == "__main__":
    main()
