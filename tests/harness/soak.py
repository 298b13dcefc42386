"""A long night in short: hundreds of shots, a gateway that misbehaves at random, a run that is killed at random.

    python -m tests.harness.soak --shots 300 --seeds 1 2 3 --dialect interactions

For each seed: runs follow one another until every shot is settled. Most are killed (SIGKILL) at a random
moment; the gateway's ledger decides what is in doubt, as a person would who looks into its console. In the end the
money that veopipe reports must be what the gateway charged, to the cent, or what was set aside where nobody was told.
No shot may be paid twice, and memory and open files of the runs must have stayed level. Prints one JSON object per
seed; exits 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil

from tests.harness.canary import leaks_below
from tests.harness.film import environment_of
from tests.harness.sold import SOLD
from tests.harness.trials import until_quiet
from veopipe.simulator.server import Options, Simulator, start

FAULTS = {
    "videos": (
        *("lost_response", "cut_json", "html_502", "429_busy", "403_quota", "no_ids", "cut_upload", "redirect_307"),
        *("flap_failed", "failed_no_error", "back_to_in_progress", "poll_429", "poll_502_html", "poll_cut", "wrong_id"),
        *("task_not_exist_first", "truncated_length", "truncated_chunked", "content_cut", "corrupt_mp4", "html_200"),
        *("wrong_resolution", "wrong_duration", "poll_401", "unknown_first", "duplicate_id", "500_do_request_failed"),
    ),
    "interactions": (
        *("lost_response", "cut_json", "html_502", "500_internal", "503_overloaded", "429_quota", "403_denied"),
        *("no_id", "redirect_307", "duplicate_id", "blocked", "flap_failed", "ended", "unknown_word", "poll_429"),
        *("poll_502_html", "poll_503", "poll_cut", "wrong_id", "unknown_id_first", "credentials_400", "poll_key_400"),
        *("no_address", "long_echo", "truncated_length", "truncated_chunked", "content_cut", "corrupt_mp4"),
        *("html_200", "metadata_200", "wrong_resolution", "wrong_duration"),
    ),
}
"""Dialect → faults of its simulator."""
PIPELINE: dict[str, Any] = {
    "version": 1,
    "limits": {"in_flight": 12, "creates_per_minute": 60_000, "creates_in_flight": 2, "stop_after_failures": 20},
    "poll": {"interval": "100ms", "timeout": "5s"},
    "download": {"not_ready_interval": "50ms", "not_ready_for": "3s"},
}
SETTLED = {"verified", "failed", "refused", "mismatched", "abandoned"}
TOLERANCE = 20 << 20
"""Bytes by which the biggest run of the end may be bigger than the biggest one of the beginning."""
MOST_RUNS = 200
SETTLED_IN = 1.5
"""Seconds after which a run has everything loaded; shorter ones say nothing about memory."""
LIMIT = 300.0


@dataclass
class Soaked:
    """What a soak came to."""

    shots: int
    seed: int
    dialect: str
    runs: int = 0
    killed: int = 0
    faults: int = 0
    resolved: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    paid_creates: int = 0
    paid_twice: int = 0
    lost: int = 0
    due_usd: Decimal = Decimal(0)
    reported_usd: Decimal = Decimal(0)
    rss_mib: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    seconds: float = 0.0
    odd: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        """The promises that were broken."""
        found = [name for name in ("paid_twice", "lost", "leaks") if getattr(self, name)]
        if self.statuses.total() != self.shots or set(self.statuses) - SETTLED:
            found.append("settled")
        if self.due_usd != self.reported_usd:
            found.append("money")
        if not self.rss_mib:
            return found
        third = max(1, len(self.rss_mib) // 3)
        if max(self.rss_mib[-third:]) > max(self.rss_mib[:third]) + (TOLERANCE >> 20):
            found.append("memory")
        if max(self.files[-third:]) > max(self.files[:third]) + 20:
            found.append("files")
        return found


class _Watched:
    """A command under way, its memory and open files looked at fifty times a second."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.rss = self.files = 0
        self._out = tempfile.TemporaryFile()  # noqa: SIM115  closed by `end`
        self.process = psutil.Popen(
            [sys.executable, "-m", "veopipe", *words, "--format", "json"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.DEVNULL,
        )

    def until(self, happened: Callable[[], bool]) -> bool:
        """Look on until something happened; whether it has ended before."""
        end, pause = time.monotonic() + LIMIT, threading.Event()
        while self.process.poll() is None and time.monotonic() < end and not happened():
            try:
                self.rss = max(self.rss, self.process.memory_info().rss)
                self.files = max(self.files, self.process.num_fds())
            except psutil.Error:
                break
            pause.wait(0.02)
        return self.process.poll() is not None

    def end(self) -> tuple[int, dict[str, Any]]:
        """Its exit code and document."""
        if not self.until(lambda: False):
            self.process.kill()
            raise AssertionError("a run hung")
        self._out.seek(0)
        text = self._out.read()
        self._out.close()
        return self.process.returncode, json.loads(text) if text else {}


class Soak:
    """One soak of one seed in one folder."""

    def __init__(self, folder: Path, shots: int, seed: int, dialect: str) -> None:
        self.folder, self.dice, self.soaked = folder, random.Random(seed), Soaked(shots, seed, dialect)
        self.sold = SOLD[dialect]
        self.environment = environment_of(folder)
        entries = {f"S{at:03d}": {"prompt": f"soaked shot {at:03d}"} for at in range(shots)}
        defaults = {"model": self.sold.model, "seconds": 4}
        manifest = {"version": 1, "defaults": defaults, "shots": entries}
        (folder / "shots.yaml").write_text(json.dumps(manifest, indent=1), "utf-8")
        (folder / "quick.yaml").write_text(json.dumps({**PIPELINE, "provider": self.sold.provider}), "utf-8")

    def go(self) -> Soaked:
        """Run until everything is settled."""
        began = time.monotonic()
        with start(Options(task_time=0.5, dialect=self.soaked.dialect)) as gateway:
            report: dict[str, Any] = {}
            while not self._is_settled(report):
                assert self.soaked.runs < MOST_RUNS, f"not settled after {MOST_RUNS} runs: {report}"
                self._misbehave(gateway)
                report = self._run(gateway)
                self._resolve(gateway)
            self._count(gateway, report)
        self.soaked.seconds = round(time.monotonic() - began, 1)
        return self.soaked

    def _is_settled(self, report: dict[str, Any]) -> bool:
        rows = report.get("shots", {}).values()
        return bool(rows) and all(row["status"] in SETTLED for row in rows)

    def _misbehave(self, gateway: Simulator) -> None:
        gateway.clear_faults()
        faults = FAULTS[self.soaked.dialect]
        for _ in range(self.dice.randint(2, 6)):
            gateway.order_fault(
                self.dice.choice(faults),
                times=self.dice.randint(1, 3),
                after=self.dice.randint(0, 40),
            )
            self.soaked.faults += 1

    def _command(self, *words: str) -> dict[str, Any]:
        return _Watched([*words], self.folder, self.environment).end()[1]

    def _run(self, gateway: Simulator) -> dict[str, Any]:
        words = ["run", "shots.yaml", "-p", "quick.yaml", "--base-url", gateway.base_url, "--yes"]
        run = _Watched(words, self.folder, self.environment)
        self.soaked.runs += 1
        began = time.monotonic()
        if self.dice.random() < 0.9 and not self._strikes(gateway, run):
            run.process.kill()
            threading.Event().wait(0.3)  # what was on its way arrives
        code, document = run.end()
        struck = code == -signal.SIGKILL  # a run may end by itself just before it is struck
        self.soaked.killed += struck
        assert code in {0, 1, 3, 4, 6, -9}, (code, document)
        if time.monotonic() - began > SETTLED_IN:
            self.soaked.rss_mib.append(run.rss >> 20)
            self.soaked.files.append(run.files)
        return {} if struck else document  # what a dying run has printed isn't its last word

    def _strikes(self, gateway: Simulator, run: _Watched) -> bool:
        """Wait for a random moment in the run: some creates, and a moment more; whether it ended before."""
        last = min(len(gateway.ledger) + self.dice.randint(0, 10 + self.soaked.shots // 10), self.soaked.shots)
        if run.until(lambda: len(gateway.ledger) >= last):
            return True
        moment = time.monotonic() + self.dice.uniform(0, 1)
        return run.until(lambda: time.monotonic() >= moment)

    def _resolve(self, gateway: Simulator) -> None:
        """Look up what is in doubt, and say it; not before the gateway is through with what a killed run sent."""
        until_quiet(gateway)
        for doubt in self._command("resolve", "shots.yaml")["takes"]:
            if doubt["status"] != "in_doubt":
                continue
            known = self._task_ids()
            tasks = [create["task_id"] for create in gateway.ledger if create["prompt"] == doubt["prompt"]]
            missing = [task for task in tasks if known.get(task) != doubt["prompt"]]
            words = ["--task-id", missing[0]] if missing else ["--not-charged"]
            if missing and missing[0] in known:  # the gateway gave its id to another shot
                words = ["--write-off"]
            document = self._command("resolve", "shots.yaml", doubt["shot"], *words)
            assert document["exit_code"] == 0, document
            self.soaked.resolved += 1

    def _task_ids(self) -> dict[str, str]:
        """Task → prompt, of all records."""
        states = (self.folder / ".veopipe/shots/state").glob("*.json")
        takes = [take for path in states for take in json.loads(path.read_text("utf-8"))["takes"]]
        return {a["task_id"]: take["order"]["prompt"] for take in takes for a in take["attempts"] if a.get("task_id")}

    def _count(self, gateway: Simulator, report: dict[str, Any]) -> None:
        soaked = self.soaked
        soaked.leaks = leaks_below(self.folder)
        soaked.statuses = Counter(row["status"] for row in report["shots"].values())
        paid = Counter(create["prompt"] for create in gateway.charged)
        soaked.paid_creates = paid.total()
        soaked.paid_twice = sum(number > 1 for number in paid.values())
        known = self._task_ids()
        # A create that was answered with another task's id never got one of its own.
        soaked.lost = sum(c["task_id"] not in known and c["fault"] != "duplicate_id" for c in gateway.charged)
        soaked.odd = [
            f"{create['prompt']}: {create['task_id']} ({create['fault']})"
            for create in gateway.charged
            if paid[create["prompt"]] > 1 or create["task_id"] not in known
        ]
        ended = {f"soaked shot {shot[1:]}": row["status"] for shot, row in report["shots"].items()}
        soaked.due_usd = sum((self._due(create, ended[create["prompt"]]) for create in gateway.charged), Decimal(0))
        money = report["cost_usd"]
        soaked.reported_usd = Decimal(money["charged"]) + Decimal(money["possibly_charged"])

    def _due(self, create: dict[str, Any], status: str) -> Decimal:
        """US dollars that a create costs as far as anybody was told, or that were set aside for it."""
        is_told = status in {"verified", "mismatched"} or create["fault"] == "blocked"
        return Decimal(create["price_usd"]) if is_told else self.sold.price


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--shots", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--dialect", choices=sorted(FAULTS), default="videos")
    arguments, broken = parser.parse_args(), False
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            soaked = Soak(Path(folder), arguments.shots, seed, arguments.dialect).go()
        print(json.dumps({**vars(soaked), "broken": soaked.broken}, default=str), flush=True)
        broken = broken or bool(soaked.broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
