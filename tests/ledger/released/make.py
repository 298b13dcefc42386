"""Makes the ledger of a release, by that release's own code and simulator: a script.

    python tests/ledger/released/make.py CHECKOUT NAME

CHECKOUT has the release, NAME is the new folder beside this file. What a run is killed in, what a gateway refuses
and what a person writes off stand there as the release left them, with the gateway's book and a plan that nobody has
carried out. Of the films one is kept; a clone has none.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

KEPT = (".veopipe/shots/ledger.json", ".veopipe/shots/state", "gateway", "first.png", "quick.yaml", "shots.yaml")
KEPT += ("plan.json", "renders/shots/.ledger", "renders/shots/takes/text.001.mp4")

FIRST = {
    "text": {"prompt": "a lighthouse at dusk"},
    "picture": {"prompt": "it begins to rain", "input_reference": "first.png", "seed": 7},
    "edited": {"prompt": "a harbour"},
    "named": {"prompt": "a gull", "negative_prompt": "blurry", "aspect_ratio": "9:16"},
    "mismatched": {
        "prompt": "a ship [simulate: wrong_resolution resolution=720p]",
        "resolution": "1080p",
        "seconds": 8,
    },
    "refused": {"prompt": "a storm [simulate: 400_google]"},
    "failed": {"prompt": "a cliff [simulate: failed_with_error]"},
    "doubt": {"prompt": "a bell [simulate: lost_response]"},
    "given-up": {"prompt": "a rope [simulate: html_502]"},
}
SLOW = {
    "parked": {"prompt": "a buoy"},
    "rendering": {"prompt": "the tide"},
    "asking": {"prompt": "a horn [simulate: slow_create seconds=60]"},
}
LAST = {"new": {"prompt": "the morning after", "tags": ["new"]}}
PIPELINE = {
    "version": 1,
    "limits": {"in_flight": 50, "creates_per_minute": 60_000, "stop_after_failures": 50},
    "poll": {"interval": "50ms", "timeout": "30s"},
    "download": {"not_ready_interval": "50ms", "not_ready_for": "20s"},
}


class Release:
    """The commands of a checkout, in a folder with a list."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(checkout), "VEOPIPE_API_KEY": "sk-simulated"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command."""
        command = [sys.executable, "-m", "veopipe", *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, url: str, *words: str) -> subprocess.Popen[str]:
        """Start `run` at a gateway."""
        return self.start("run", "shots.yaml", "-p", "./quick.yaml", "--base-url", url, "--yes", *words)

    def list(self, *parts: dict[str, dict[str, object]]) -> None:
        """Write the list."""
        shots = {shot: keys for part in parts for shot, keys in part.items()}
        defaults = {"model": "veo-3.1-fast-generate-preview", "seconds": 4}
        document = {"version": 1, "budget_usd": 50, "defaults": defaults, "shots": shots}
        (self.folder / "shots.yaml").write_text(json.dumps(document, indent=1), "utf-8")

    def statuses(self) -> dict[str, str]:
        """Shot → status of the newest attempt on disk."""
        states = (self.folder / ".veopipe" / "shots" / "state").glob("*.json")
        documents = [json.loads(path.read_text("utf-8")) for path in states]
        return {found["shot"]: found["takes"][-1]["attempts"][-1]["status"] for found in documents}

    @contextlib.contextmanager
    def gateway(self, port: str, task_time: str) -> Iterator[str]:
        """A simulator of the release; it keeps its book."""
        process = self.start("simulate", "--port", port, "--task-time", task_time, "--folder", "gateway")
        assert process.stdout is not None
        while "http://" not in (line := process.stdout.readline()):
            assert line, "the simulator ended"
        yield "http://" + line.partition("http://")[2].split()[0].rstrip("/.,")
        process.terminate()
        process.wait()


def make(checkout: Path, target: Path, folder: Path) -> None:
    """Fill `folder` as people do in a week, and keep what a clone has of it."""
    release = Release(checkout, folder)
    (folder / "quick.yaml").write_text(json.dumps(PIPELINE, indent=1), "utf-8")
    Image.new("RGB", (1280, 720), (40, 90, 160)).save(folder / "first.png")
    with release.gateway("0", "100ms") as url:
        for shot in FIRST:  # one by one: two creates in doubt in a row would end creating
            release.list({shot: FIRST[shot]})
            release.run(url).communicate()
        release.list(FIRST)
        release.start("resolve", "shots.yaml", "given-up", "-p", "./quick.yaml", "--write-off").communicate()
        named = {"renamed" if shot == "named" else shot: dict(keys) for shot, keys in FIRST.items()}
        named["edited"]["prompt"] = "a harbour at dawn"
        release.list(named)
        print(release.run(url).communicate()[0])
    with release.gateway(url.rpartition(":")[2], "60s") as url:
        release.list(named, SLOW)
        impatient = PIPELINE | {"poll": {"interval": "50ms", "timeout": "1s"}}
        (folder / "quick.yaml").write_text(json.dumps(impatient), "utf-8")
        release.run(url, "--only", "parked").communicate()
        (folder / "quick.yaml").write_text(json.dumps(PIPELINE, indent=1), "utf-8")
        for shot, status in (("rendering", "rendering"), ("asking", "submitting")):
            running = release.run(url, "--only", shot)
            while release.statuses().get(shot) != status:
                time.sleep(0.05)
            running.send_signal(signal.SIGKILL)
            running.wait()
        release.list(named, SLOW, LAST)
        plan = release.start("plan", "shots.yaml", "-p", "./quick.yaml", "--base-url", url, "-o", "plan.json")
        print(plan.communicate()[0])
    for name in KEPT:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (folder / name).is_dir() else shutil.copyfile
        copy(folder / name, target / name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        make(Path(sys.argv[1]).absolute(), Path(__file__).parent / sys.argv[2], Path(made))
