"""One shot list, one gateway, and what must be true between them: the model of the stateful test.

The model knows what a person ordered, from the lists that were written. It judges by the gateway's own ledger
and by what lies on disk, and shares no code with veopipe. A create costs 30 cents, or somewhat less.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import av

from tests.harness.canary import holds_key, leaks_below
from tests.harness.film import environment_of
from tests.harness.fork import Mishap, Zygote
from tests.harness.sold import Sold
from tests.harness.trials import until_quiet
from veopipe.simulator.server import Simulator

LIMIT = 60.0
"""Seconds after which a command counts as hanging; they take a tenth of a second, also with every fault here."""
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 130}
QUICK: dict[str, Any] = {
    "version": 1,
    "limits": {"in_flight": 50, "creates_per_minute": 60_000},
    "poll": {"interval": "20ms", "timeout": "400ms"},
    "download": {"not_ready_interval": "20ms", "not_ready_for": "200ms"},
}


@dataclass(frozen=True)
class Shot:
    """What the list says about one shot; shots of one line of descent have its prompts for themselves."""

    line: int
    version: int = 0
    take: int = 1

    @property
    def prompt(self) -> str:
        return f"line {self.line} version {self.version}"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """The folder, the gateway, and the model.

    Attributes:
        sold: what is bought there.
        wanted: what the list says now, by id.
        allowed: prompt → how many creates may ever be paid for it.
        copies: state files that this test took away or damaged, as they were.
        lost: takes of state files that are gone for good.
        forgiven: prompt → accepted creates that a person said weren't charged, or wrote off.
        debt: US dollars that killed runs spent, which count in the next one.
        scars: digests of files that this test damaged or that are a person's own.
    """

    folder: Path
    gateway: Simulator
    zygote: Zygote
    sold: Sold
    wanted: dict[str, Shot] = field(default_factory=dict)
    departed: dict[str, Shot] = field(default_factory=dict)
    allowed: Counter[str] = field(default_factory=Counter)
    copies: dict[Path, bytes] = field(default_factory=dict)
    lost: list[dict[str, Any]] = field(default_factory=list)
    forgiven: Counter[str] = field(default_factory=Counter)
    debt: Decimal = Decimal(0)
    scars: set[str] = field(default_factory=set)
    own: dict[Path, bytes] = field(default_factory=dict)
    runs: int = 0
    spelling: int = 0
    faults: set[str] = field(default_factory=set)
    _ordered: set[tuple[str, int]] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)
    _takes: dict[Path, tuple[int, int, int]] = field(default_factory=dict)
    _digests: dict[tuple[int, int, int], str] = field(default_factory=dict)
    _sound: set[str] = field(default_factory=set)

    @property
    def ledger(self) -> Path:
        return self.folder / ".veopipe/shots"

    @property
    def output(self) -> Path:
        return self.folder / "renders/shots"

    def state_of(self, shot: str) -> Path:
        return self.ledger / "state" / f"{shot}.json"

    # --- what a person does ------------------------------------------------------------------------

    def write(self) -> None:
        """Write the list. What it says, and how it is spelled, are two things."""
        lines = [f"# draft {self.spelling}"] if self.spelling % 2 else []
        lines += ["version: 1", f"defaults: {{model: {self.sold.model}, seconds: 4}}", "shots:"]
        for shot, wants in self.wanted.items():
            keys = [f"prompt: '{' ' * (self.spelling % 3)}{wants.prompt}'", f"take: {wants.take}"]
            if self.spelling % 4 > 1:
                keys = [*reversed(keys), f"notes: draft {self.spelling}"]
            lines += [f"  {shot}:", *(f"    {key}" for key in keys)]
            if (wants.prompt, wants.take) not in self._ordered:
                self._ordered.add((wants.prompt, wants.take))
                self.allowed[wants.prompt] += 1
        (self.folder / "shots.yaml").write_text("\n".join(lines) + "\n")

    def owners(self, line: int) -> set[str]:
        """The ids under which the ledger has takes of a line of descent."""
        prompts = tuple(f"line {line} version {version}" for version in range(9))
        return {shot for shot, takes in self.states().items() if any(t["order"]["prompt"] in prompts for t in takes)}

    # --- what is on disk ---------------------------------------------------------------------------

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """Shot → takes, of the files that can be read and weren't damaged."""
        found = {}
        for path in sorted((self.ledger / "state").glob("*.json")):
            if path not in self.copies:
                found[path.stem] = json.loads(path.read_text("utf-8"))["takes"]
        return found

    def known(self) -> list[dict[str, Any]]:
        """All takes that were ever recorded, what this test took away included."""
        takes = [take for takes in self.states().values() for take in takes] + self.lost
        for path, text in self.copies.items():
            if path.parent.name == "state":
                takes += json.loads(text)["takes"]
        return takes

    def accepted(self) -> Counter[str]:
        """Prompt → paid creates, by the gateway's own ledger."""
        return Counter(create["prompt"] for create in self.gateway.charged)

    def paid_usd(self) -> Decimal:
        """US dollars, by the gateway's own ledger."""
        return sum((Decimal(create["price_usd"]) for create in self.gateway.charged), Decimal(0))

    def unclaimed(self, prompt: str) -> dict[str, Decimal]:
        """Tasks that the gateway has for a prompt and that no record of that prompt names, with what each costs."""
        takes = [take for take in self.known() if take["order"]["prompt"] == prompt]
        ids = {attempt.get("task_id") for take in takes for attempt in take["attempts"]}
        found = {c["task_id"]: Decimal(c["price_usd"]) for c in self.gateway.ledger if c["prompt"] == prompt}
        return {task: price for task, price in found.items() if task not in ids}

    def task_ids(self) -> set[str]:
        """All tasks on record."""
        return {a["task_id"] for take in self.known() for a in take["attempts"] if a.get("task_id")}

    def digest(self, path: Path) -> str:
        found = path.stat()
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp not in self._digests:
            self._digests[stamp] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[stamp]

    # --- commands ----------------------------------------------------------------------------------

    def start(self, *words: str, mishap: Mishap | None = None) -> Any:
        """Start a command; what is returned waits for its end and looks at it."""
        environment = environment_of(self.folder.parent)
        run = self.zygote.start([*words, "--format", "json"], self.folder, environment, mishap)

        def wait() -> Ended:
            said = run.communicate(LIMIT)
            return self._looked_at(Ended(run.wait(), *said), mishap)

        return wait

    def command(self, *words: str) -> dict[str, Any]:
        """A command to its end, as its JSON document."""
        ended = self.start(*words)()
        document: dict[str, Any] = json.loads(ended.out)
        return document

    def _looked_at(self, ended: Ended, mishap: Mishap | None) -> Ended:
        for text in (ended.out, ended.err):
            assert "Traceback (most recent" not in text, text
            assert "never retrieved" not in text, text
            assert not holds_key(text)
        how = mishap.how if mishap else ""
        signals = {"kill": {-9}, "terminate": {143, -15}}.get(how, set())
        assert ended.code in CODES | signals, (ended, self._bug(ended))
        if ended.code >= 0:
            assert json.loads(ended.out)["exit_code"] == ended.code, ended
        return ended

    def _bug(self, ended: Ended) -> str:
        path = Path(ended.out.partition("Traceback: ")[2].partition('"')[0] or os.devnull)
        return path.read_text("utf-8") if path.exists() else ""

    def run(self, *words: str, cap: int | None = None, mishap: Mishap | None = None, at_once: int = 1) -> list[Ended]:
        """One run, or several at once, with what must be true after it."""
        self._forget_what_is_gone()
        if "--retry-failed" in words:
            self._allow_retries()
        before = self.paid_usd()
        money = ["--yes"] if cap is None else ["--max-cost", f"{cap / 100:.2f}"]
        order = ["run", "shots.yaml", "-p", "quick.yaml", "--base-url", self.gateway.base_url, *money, *words]
        waits = [self.start(*order, mishap=mishap if number == 0 else None) for number in range(at_once)]
        ended = [wait() for wait in waits]
        self.runs += at_once
        until_quiet(self.gateway)
        spent = self.paid_usd() - before
        if cap is not None and at_once == 1:
            assert spent == 0 or spent + self.debt <= Decimal(cap) / 100, (spent, self.debt, cap)
        self._settle_debt([one.code for one in ended], spent)
        return ended

    def _settle_debt(self, codes: list[int], spent: Decimal) -> None:
        if any(code in {-9, -15, 143} for code in codes):
            self.debt += spent
        if any(code in {0, 1, 3, 4, 5, 130} for code in codes):
            self.debt = Decimal(0)  # with two at once: the later one took over
        if 6 in codes and not self._open_runs():
            self.debt = Decimal(0)

    def _open_runs(self) -> bool:
        try:
            return bool(json.loads((self.ledger / "ledger.json").read_text("utf-8"))["open_runs"])
        except (OSError, ValueError, KeyError):
            return True

    def _allow_retries(self) -> None:
        states = self.states()
        for shot, wants in self.wanted.items():
            for take in states.get(shot, []):
                if take["status"] == "failed" and take["order"]["prompt"] == wants.prompt:
                    self.allowed[wants.prompt] += 1

    def _forget_what_is_gone(self) -> None:
        """A state file that was deleted, and of which nothing lies on disk either, is bought again."""
        for path in [path for path in self.copies if path.parent.name == "state" and not path.exists()]:
            left = [name for name in self._names() if name.lstrip(".").partition(".")[0] == path.stem]
            if path.stem in self.wanted and not left:
                gone = json.loads(self.copies.pop(path))["takes"]
                self.lost += gone
                self.debt = Decimal(0)
                for take in gone:
                    self.allowed[take["order"]["prompt"]] += 1

    def _names(self) -> list[str]:
        folder = self.output / "takes"
        return [path.name for path in folder.iterdir()] if folder.is_dir() else []

    # --- what must be true at any time -------------------------------------------------------------

    def check(self) -> None:
        """Look at everything."""
        assert not (leaks := leaks_below(self.folder)), f"the key stands in {leaks}"
        paid, known = self.accepted(), self.known()
        over = {
            prompt: (number, self.allowed[prompt]) for prompt, number in paid.items() if number > self.allowed[prompt]
        }
        assert not over, f"paid more often than ordered: {over}"
        tried = Counter(
            take["order"]["prompt"] for take in known for attempt in take["attempts"] if attempt["status"] != "refused"
        )
        lost = {prompt: number for prompt, number in paid.items() if number > tried[prompt] + self.forgiven[prompt]}
        assert not lost, f"paid, and no record knows it: {lost}"
        ids = self.task_ids()
        assert ids >= self._ids, f"task ids that were on record are lost: {self._ids - ids}"
        self._ids = ids
        self._check_takes()
        self._check_finished(known)

    def _check_takes(self) -> None:
        """A take that lies on disk stays as it is."""
        folder, found = self.output / "takes", {}
        for path in folder.glob("[!.]*.mp4"):
            stat = path.stat()
            found[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        for path, stamp in self._takes.items():
            assert path in found, f"{path.name} was deleted"
            assert stamp == found[path] or self._digests.get(stamp) == self.digest(path), f"{path.name} was changed"
        for path in found:
            self.digest(path)
        self._takes = found

    def _check_finished(self, known: list[dict[str, Any]]) -> None:
        """A finished name holds a verified take, complete and as ordered, or what a person put there."""
        verified = {take["file"]["sha256"] for take in known if take["status"] == "verified"}
        for path, content in self.own.items():
            assert path.read_bytes() == content, f"{path.name} was a person's own"
        for path in self.output.glob("*.mp4"):
            digest = self.digest(path)
            if path in self.own or digest in self.scars:
                continue
            assert digest in verified, f"{path.name} holds no verified take"
            assert digest in self._sound or self._is_as_ordered(path), f"{path.name} isn't what was ordered"
            self._sound.add(digest)

    def _is_as_ordered(self, path: Path) -> bool:
        """4 seconds at 720p, decoded to the last frame by another library than veopipe's."""
        with av.open(io.BytesIO(path.read_bytes())) as video:
            stream = video.streams.video[0]
            frames = sum(1 for packet in video.demux(stream) if packet.size)
            size, rate = (stream.width, stream.height), float(stream.average_rate or 0)
        return size == (1280, 720) and rate > 0 and abs(frames / rate - 4) < 0.3

    def touched(self, path: Path, *, gone: bool = False) -> None:
        """This test changed or removed a file: what is true of it now is another matter."""
        inode = None if gone else path.stat().st_ino
        for other in list(self._takes):
            if other == path or (inode is not None and other.exists() and other.stat().st_ino == inode):
                del self._takes[other]
        if gone:
            self.own.pop(path, None)
        else:
            self.scars.add(self.digest(path))
