"""A run that stops at a point, the disks it may leave, and the runs that go on from each; with a judge.

`Yard` forks the runs, `points` stops them, `disks` makes the disks, the simulator's own ledger counts what
was paid. A complaint is a sentence; no complaint is a pass.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.harness.canary import holds_key, leaks_below
from tests.harness.disks import Point, read_log
from tests.harness.fork import First, Forked, Zygote
from veopipe import files
from veopipe.delivery.mp4 import boxes
from veopipe.ledger import record
from veopipe.simulator.server import Options, Simulator, start
from veopipe.takes import take as takes
from veopipe.takes.status import Status

if TYPE_CHECKING:
    from tests.harness.film import Film

AT_ONCE = 2
LIMIT = 60.0
"""Seconds after which a run hangs."""
HUNG = -1000
"""Its exit code then."""
_LOSSES = ("is nowhere", "no file on disk has", "can't be read", "never measured", "paid 0 times", "could be known")


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str
    points: list[Point] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON, or nothing."""
        try:
            found: dict[str, Any] = json.loads(self.out)
        except ValueError:
            return {}
        return found

    def status(self, shot: str = "shot") -> str:
        """What the report says of a shot."""
        return str(self.document.get("shots", {}).get(shot, {}).get("status", ""))

    def blemishes(self) -> list[str]:
        """What no ending may have."""
        both = self.out + self.err
        found = [f"it hung for a minute: {both}"] if self.code == HUNG else []
        if "Traceback (most recent" in both or self.code == 70 or "never retrieved" in both:
            found.append(f"a traceback: {both}")
        return [*found, "the key was printed"] if holds_key(both) else found


class Yard:
    """Where trials are: their folders, and the process that forks their runs.

    Args:
        film: what new films are like.
        folder: where trials go.
        zygote: of the real package, or of a copy with a bug.
        at_once: how many trials run at a time.
    """

    def __init__(self, film: Film, folder: Path, zygote: Zygote, at_once: int = AT_ONCE) -> None:
        folder.mkdir(parents=True)
        self._film, self._folder, self._zygote, self.at_once = film, folder, zygote, at_once
        self._numbers = itertools.count()

    def run(self, film: Film, how: str = "", *words: str, arguments: list[str] | None = None, **more: Any) -> Ended:
        """Run the film's command to its end; `how` and more as in `points.record`, nothing: without a log."""
        log = Path(f"{self.folder()}.log")
        recorded = {
            "call": "tests.harness.points.record",
            "folder": str(film.folder),
            "log": str(log),
            "how": how,
            **more,
        }
        ended = self.ended(self.fork(film, arguments or film.arguments(*words), recorded if how else None))
        return replace(ended, points=read_log(log)) if how and ended.code != HUNG else ended

    def fork(self, film: Film, arguments: list[str], first: First = None) -> Forked:
        """Start a command, or what `first` makes of its process."""
        return self._zygote.start(arguments, film.folder, film.environment, first)

    def ended(self, run: Forked) -> Ended:
        """How a command ends."""
        try:
            out, err = run.communicate(LIMIT)
        except subprocess.TimeoutExpired:
            run.kill()
            return Ended(HUNG, "", "")
        return Ended(run.wait(), out, err)

    def film(self, gateway: Simulator, prompt: str = "a cat", dialect: str = "videos", **keys: Any) -> Film:
        """A new folder with a list of one shot."""
        film = replace(self._film, folder=self.folder(), base_url=gateway.base_url, dialect=dialect)
        film.folder.mkdir()
        film.pipeline()
        film.list({"shot": {"prompt": prompt, **keys}})
        return film

    def folder(self) -> Path:
        """A name for a new folder."""
        return self._folder / str(next(self._numbers))

    def at(self, film: Film, folder: Path) -> Film:
        """The same film in another folder."""
        return replace(film, folder=folder)

    def each(self, work: Callable[[Any], list[Any]], items: Iterable[Any]) -> list[Any]:
        """Do `work` for all items, some at once; all results in one list."""
        with ThreadPoolExecutor(self.at_once) as pool:
            return [result for results in pool.map(work, items) for result in results]


def until_quiet(gateway: Simulator) -> None:
    """Wait until a gateway is through with every create that was sent to it.

    What a process sent before it died may still lie in the kernel, or be half written into the gateway's book. A
    connection made now is accepted after all earlier ones, so its answer says that none of theirs is unknown.
    """
    desk = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=LIMIT)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        desk.request("GET", "/_simulator/faults")
        desk.getresponse().read()
        if all(entry["status"] is not None for entry in gateway.wire if entry["method"] == "POST"):
            break
    desk.close()


@dataclass(frozen=True)
class Count:
    """What a gateway saw so far; a create counts as posted when its whole body arrived."""

    paid: int
    posted: int

    @classmethod
    def of(cls, gateway: Simulator) -> Count:
        """Of everything that was sent before now, by a process that has died too."""
        until_quiet(gateway)
        return cls(len(gateway.charged), sum(bool(entry["form"]) for entry in gateway.wire))

    def __sub__(self, other: Count) -> Count:
        return Count(self.paid - other.paid, self.posted - other.posted)

    def __add__(self, other: Count) -> Count:
        return Count(self.paid + other.paid, self.posted + other.posted)


@dataclass
class Trial:
    """One disk and the run that went on from it."""

    point: Point
    kind: str
    status: str
    complaints: list[str]

    @property
    def is_paid_twice(self) -> bool:
        """Whether more was paid than ordered."""
        return any(re.search(r"\b(?:paid|sent) (?:[2-9]|\d\d+) times", complaint) for complaint in self.complaints)

    @property
    def has_lost(self) -> bool:
        """Whether something that was paid can't be found any more, or not as what it was."""
        return any(words in complaint for complaint in self.complaints for words in _LOSSES)

    def __str__(self) -> str:
        told = "; ".join(self.complaints)
        return f"{self.kind} at {self.point.n} {self.point.kind} {self.point.subject}: {self.status}: {told}"


def complaints_of(trials: Iterable[Trial]) -> str:
    """All complaints, one line a trial."""
    return "\n".join(str(trial) for trial in trials if trial.complaints)


def figures_of(trials: list[Trial]) -> dict[str, int]:
    """What a sweep came to."""
    return {
        "points": len({(trial.point.n, trial.point.kind) for trial in trials}),
        "faults": len(trials),
        "paid_twice": sum(trial.is_paid_twice for trial in trials),
        "lost": sum(trial.has_lost for trial in trials),
    }


def gateway(dialect: str = "videos") -> Simulator:
    """A gateway whose tasks are ready at once."""
    return start(Options(task_time=0, dialect=dialect))


# --- what must hold ---------------------------------------------------------------------------------


def may_doubt(points: list[Point], kind: str) -> bool:
    """Whether the run died where nobody can know: after the gate, before the answer was sure on disk."""
    done = points[:-1]
    at = [number for number, point in enumerate(done) if point.kind == "gate"]
    if not at:
        return False
    after = done[at[-1] :]
    recorded = [number for number, point in enumerate(after) if point.kind == "record"]
    sure = "rename" if kind == "kill" else "fsync-folder"
    return not recorded or not any(point.kind == sure and point.is_state for point in after[recorded[-1] :])


def states(film: Film) -> dict[str, takes.ShotState | str]:
    """Every state file, understood or why not."""
    found: dict[str, takes.ShotState | str] = {}
    for path in sorted((film.folder / ".veopipe/shots/state").glob("*.json")):
        try:
            found[path.stem] = record.parse(path.read_bytes())
        except record.Unreadable as error:
            found[path.stem] = f"{path.name} can't be read: {error}"
    return found


def look(film: Film) -> list[str]:
    """What is wrong with a disk, before anything goes on from it."""
    known = states(film)
    wrong = [state for state in known.values() if isinstance(state, str)]
    wrong += [f"the key stands in {path}" for path in leaks_below(film.folder)]
    output = film.folder / "renders/shots"
    records: dict[str, takes.Take] = {}
    for state in known.values():
        for take in () if isinstance(state, str) else state.takes:
            if take.file is not None:
                records[take.file.sha256] = take
                if take.status is Status.DOWNLOADED and not _has(output / "takes", take.file.sha256):
                    wrong.append("recorded as downloaded, and no file on disk has these bytes")
    for path in [*output.glob("*.mp4"), *output.glob("takes/*.mp4")]:
        take = records.get(files.sha256_of(path))
        if take is None or isinstance(boxes.look(path), boxes.BoxFault):
            wrong.append(f"{path.name} holds something that was never measured")
        elif path.parent == output and take.status is not Status.VERIFIED:
            wrong.append(f"{path.name} is there before its take is verified")
    return wrong


def _has(folder: Path, sha256: str) -> bool:
    return any(files.sha256_of(path) == sha256 for path in folder.iterdir()) if folder.is_dir() else False


def judge(
    film: Film, ended: Ended, sent: Count, *, doubt_is_fair: bool, shot: str = "shot", has_links: bool = True
) -> list[str]:
    """What is wrong after the run that went on.

    Args:
        film: its folder.
        ended: that run.
        sent: all that was sent for the shot in this history of the world.
        doubt_is_fair: whether some run died where nobody can know.
        shot: its id.
        has_links: its disk said that it has hard links; else a finished name may be a copy.
    """
    wrong = ended.blemishes()
    if sent.paid > 1 or sent.posted > 1:
        wrong.append(f"sent {sent.posted} times, paid {sent.paid} times")
    status = ended.status(shot)
    expected = {"verified": 0, "in_doubt": 3}.get(status)
    if expected != ended.code:
        wrong.append(f"exit {ended.code} and {status!r}: {ended.err[-400:]} {ended.out[-400:]}")
    if status == "in_doubt" and not doubt_is_fair:
        wrong.append("in doubt, though what became of it could be known")
    if status == "verified":
        if sent.paid != 1:
            wrong.append(f"verified, and paid {sent.paid} times")
        wrong += whole(film, shot, has_links=has_links)
    return wrong + look(film)


def judge_all(
    film: Film, ended: Ended, sent: Counter[str], doubtful: set[str], prompts: Mapping[str, str]
) -> list[str]:
    """What is wrong after the run that went on with several shots.

    Args:
        film: its folder.
        ended: that run.
        sent: prompt → paid creates in this history of the world.
        doubtful: the shots whose records said, before it went on, that somebody had died while asking.
        prompts: shot → prompt.
    """
    wrong = ended.blemishes()
    statuses = {shot: ended.status(shot) for shot in prompts}
    if ended.code != (3 if "in_doubt" in statuses.values() else 0):
        wrong.append(f"exit {ended.code} and {statuses}: {ended.err[-400:]} {ended.out[-400:]}")
    for shot, status in statuses.items():
        paid = sent[prompts[shot]]
        if paid > 1:
            wrong.append(f"{shot}: paid {paid} times")
        if status == "pending" and "in doubt" in str(ended.document["shots"][shot]["reason"]) and not paid:
            continue  # it waits for a shot that is in doubt
        if status not in {"verified", "in_doubt"} or (status == "in_doubt") != (shot in doubtful):
            wrong.append(f"{shot}: {status!r}, and the records said {'' if shot in doubtful else 'not '}in doubt")
        if status == "verified":
            wrong += [f"{shot}: verified, and paid {paid} times"] if paid != 1 else []
    return wrong + look(film) + whole(film, *(shot for shot, status in statuses.items() if status == "verified"))


def whole(film: Film, *shots: str, has_links: bool = True) -> list[str]:
    """What is wrong with the files of verified shots; nothing else may lie there."""
    folder, known = film.folder / "renders/shots/takes", states(film)
    files_of = {shot: [] if isinstance(state, str) else [take.file.name for take in state.takes if take.file]
                for shot, state in known.items()}  # fmt: skip
    recorded = sorted(name for names in files_of.values() for name in names)
    found = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".new-"))
    wrong = [] if found == recorded else [f"the takes are {found}, and recorded are {recorded}"]
    for shot in shots:
        names, finished = files_of.get(shot, []), film.finished(shot)
        if not names or not finished.exists() or not _shows(finished, folder / names[-1], has_links=has_links):
            wrong.append(f"the finished name of {shot} isn't its take")
    return wrong


def _shows(finished: Path, take: Path, *, has_links: bool) -> bool:
    same = finished.samefile(take)
    return same if has_links else same or files.sha256_of(finished) == files.sha256_of(take)
