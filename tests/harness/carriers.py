"""Carriers that die: every point at which a worker, or the run that has one, may end, and what must hold afterwards.

A `Dock` has an engine (`tests.harness.forkedengine`) and an output, a folder or a bucket. Each trial has a shot of its
own, bought from a gateway that keeps books of its own. A complaint is a sentence.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.harness.disks import WORST, Disk, Point, copy, cuts, read_log
from tests.harness.forkedengine import NAME, ask
from tests.harness.store import Store, environment_of
from tests.harness.sweeping import idle
from tests.harness.trials import Count, Ended, Trial, Yard, gateway, look, states
from veopipe import files
from veopipe.delivery import beside
from veopipe.delivery.bringing import bring
from veopipe.delivery.marks import KEY, Mark
from veopipe.delivery.mp4 import boxes
from veopipe.run.carrying.here import name_of, task_of
from veopipe.simulator.server import Simulator
from veopipe.takes.take import Delivered, Take

if TYPE_CHECKING:
    from tests.harness.film import Film
    from tests.harness.fork import Forked

ONE = Count(1, 1)
QUICK = ("run.carrying.carrying.LOST_PAUSE=0.05", "run.carrying.carrying.LOOK=0.5")
"""A run gives a lost errand out again sooner."""
_BESIDE = re.compile(r"\.new-\w+|\.engine|\.\w+\.\d{3}(-\d+)?\.json")
"""What workers may leave in the folder of the takes for good."""
_ENDINGS = {".part": "part", ".json": "mark", ".mp4": "take"}


def step_of(point: Point) -> str:
    """A point, whatever its number and its names are: `link mark`."""
    name = Path(point.subject).name
    what = "temporary" if name.startswith(files.TEMPORARY_PREFIX) else _ENDINGS.get(Path(name).suffix, "")
    return f"{point.kind} {'state' if point.is_state else what}".strip()


@dataclass
class Worker:
    """A worker that is up.

    Attributes:
        process: its own.
        log: of its points.
        port: where it listens.
    """

    process: Forked
    log: Path
    port: int = 0

    def __post_init__(self) -> None:
        self.port = int(self.process.stdout.readline())

    def points(self) -> list[Point]:
        """What it did so far."""
        return read_log(self.log)

    def proof(self) -> dict[str, Any]:
        """The first errand that came: a proof."""
        found: dict[str, Any] = json.loads(Path(f"{self.log}.errand.0").read_text("utf-8"))
        return found

    def end(self) -> int:
        """It ends now, unless it has; how it did: -9, as that of one which was killed at its point, too."""
        self.process.kill()
        self.process.communicate(10)
        return self.process.wait(10)


@dataclass
class Dock:
    """Where carriers work.

    Attributes:
        yard: forks all of them.
        plugged: the folder by which a run finds the engine.
        store: has the output; None: it is a folder.
        prefix: of the bucket.
    """

    yard: Yard
    plugged: Path
    store: Store | None = None
    prefix: str = ""
    _steady: list[Worker] = field(default_factory=list)

    def film(self, simulator: Simulator) -> Film:
        """A new list of one shot, with an output of its own."""
        return self._with_output(self.yard.film(simulator))

    def another(self, ready: Film) -> Film:
        """A copy of a list, with an output of its own."""
        folder = self.yard.folder()
        copy(ready.folder, folder)
        return self._with_output(self.yard.at(ready, folder))

    def _with_output(self, film: Film) -> Film:
        if self.store is not None:
            film.environment = {**film.environment, **environment_of(self.store.endpoint)}
            film.pipeline(output=f"{self.prefix}/{film.folder.name}")
        return film

    def worker(self, film: Film, at: int | list[str] = 0, *, spoils: bool = False) -> Worker:
        """A worker that is killed at a point; 0: at none. `spoils`: as in `forkedengine.work`."""
        log = Path(f"{self.yard.folder()}.log")
        recorded = {"folder": str(film.folder), "log": str(log), "how": "kill" if at else "watch", "at": at}
        first = {
            "call": "tests.harness.forkedengine.work",
            "recorded": recorded,
            "kept": f"{log}.errand",
            "spoils": spoils,
        }
        return Worker(self.yard.fork(film, [], first), log)

    def steady(self, film: Film) -> Worker:
        """The worker that nobody kills."""
        if not self._steady:
            self._steady.append(self.worker(film))
        return self._steady[0]

    def __enter__(self) -> Dock:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._steady:
            worker.end()

    def start(
        self, film: Film, workers: Iterable[Worker], how: str = "", at: int | list[str] = 0
    ) -> tuple[Forked, Path]:
        """Start a run with these workers, the first that lives being asked; and the log of its points."""
        log = Path(f"{self.yard.folder()}.log")
        recorded = {"folder": str(film.folder), "log": str(log), "how": how, "at": at} if how else None
        first = {
            "call": "tests.harness.forkedengine.prepare",
            "plugged": str(self.plugged),
            "constants": QUICK,
            "recorded": recorded,
        }
        address = f"{NAME}+tcp://127.0.0.1:{','.join(str(worker.port) for worker in workers)}"
        return self.yard.fork(film, film.arguments("--executor", address), first), log

    def run(self, film: Film, workers: Iterable[Worker], how: str = "", at: int | list[str] = 0) -> Ended:
        """The same to its end."""
        run, log = self.start(film, workers, how, at)
        ended = self.yard.ended(run)
        return replace(ended, points=read_log(log)) if how else ended

    # --- what must hold ---------------------------------------------------------------------------

    def judge(self, film: Film, ended: Ended, simulator: Simulator, downloads: int = 2) -> list[str]:
        """What is wrong after the run that brought the take home.

        Args:
            film: its folder.
            ended: that run.
            simulator: from which this one shot was bought.
            downloads: how often its video may have been fetched.
        """
        sent, begun = Count.of(simulator), fetches(simulator)
        wrong = [] if sent == ONE else [f"sent {sent.posted} times, paid {sent.paid} times"]
        wrong += [f"fetched {begun} times, and {downloads} would do"] if begun > downloads else []
        return wrong + self.settled(film, ended)

    def settled(self, film: Film, ended: Ended) -> list[str]:
        """What is wrong with such a run, and with what it leaves; without the books."""
        wrong = ended.blemishes()
        if (ended.code, ended.status()) != (0, "verified"):
            wrong.append(f"exit {ended.code} and {ended.status()!r}: {ended.err[-400:]} {ended.out[-400:]}")
        return wrong + look(film) + self._whole(film)

    def _whole(self, film: Film) -> list[str]:
        take = take_of(film)
        if take is None or take.file is None:
            return ["nothing is on record of what was paid: it is nowhere"]
        return self._in_bucket(film, take.file, take) if self.store is not None else in_folder(film, take.file, take)

    def _in_bucket(self, film: Film, file: Delivered, take: Take) -> list[str]:
        assert self.store is not None
        url = f"{self.prefix}/{film.folder.name}/shots"
        found = self.store.objects(url)
        own = f"takes/{file.name}"
        wrong = [] if found.keys() - {".ledger", ".engine"} == {own, "shot.mp4"} else [f"there are {sorted(found)}"]
        for name in {own, "shot.mp4"} & found.keys():
            if hashlib.sha256(self.store.content(url, name)).hexdigest() != file.sha256:
                wrong.append(f"{name} holds something that was never measured")
            mark = Mark.read({KEY: found[name]})
            if mark is None or (mark.task_id, mark.sha256) != (take.last.task_id, file.sha256):
                wrong.append(f"{name} says that it is {found[name]}")
        left = [path.name for path in film.folder.rglob("*.part")]
        return wrong + ([f"{left} is left over"] if left else [])


def in_folder(film: Film, file: Delivered, take: Take) -> list[str]:
    """What is wrong with a folder in the end."""
    folder, finished = film.folder / "renders/shots/takes", film.finished("shot")
    own = folder / file.name
    end, pause = time.monotonic() + 10, threading.Event()
    while any(folder.glob("*.part")) and time.monotonic() < end:  # a worker is still at what nobody waits for
        pause.wait(0.02)
    left = sorted(path.name for path in folder.iterdir() if not _BESIDE.fullmatch(path.name))
    wrong = [] if left == [file.name] else [f"the takes are {left}"]
    if not finished.exists() or not finished.samefile(own):
        wrong.append("the finished name isn't its take")
    text = beside.content(own)
    mark = Mark.read({KEY: text.decode()}) if text is not None else None
    if mark is not None and (mark.task_id, mark.sha256) != (take.last.task_id, file.sha256):
        wrong.append(f"beside {file.name} stands {mark}")
    return wrong


def take_of(film: Film) -> Take | None:
    """The take of the one shot, as it is on record."""
    state = states(film).get("shot")
    return state.takes[-1] if state is not None and not isinstance(state, str) else None


def as_left(film: Film) -> list[str]:
    """What is wrong with a folder as a dead worker left it: what has a take's name is whole, and marked as that."""
    take, wrong = take_of(film), []
    for path in (film.folder / "renders/shots/takes").glob("*.mp4"):
        if take is None or beside.record(path, take.last.task_id, "renders") is None:
            wrong.append(f"{path.name} holds something that was never measured")
        elif isinstance(boxes.look(path), boxes.BoxFault):
            wrong.append(f"{path.name} is damaged")
    return wrong


def fetches(simulator: Simulator) -> int:
    """How many downloads were begun."""
    return sum(entry["path"].endswith("/content") for entry in simulator.wire)


# --- sweeps -----------------------------------------------------------------------------------------


def points_of_worker(dock: Dock) -> list[Point]:
    """All that a worker does for an errand; nothing goes wrong."""
    with gateway() as simulator:
        film = dock.film(simulator)
        worker = dock.worker(film)
        ended = dock.run(film, [worker])
        points = worker.points()
        worker.end()
        wrong = dock.judge(film, ended, simulator, 1)
    assert not wrong, wrong
    return points


def points_of_run(dock: Dock) -> list[Point]:
    """All that a run with a worker does; nothing goes wrong."""
    with gateway() as simulator:
        film = dock.film(simulator)
        ended = dock.run(film, [dock.steady(film)], "watch")
        wrong = dock.judge(film, replace(ended, points=[]), simulator, 1)
    assert not wrong, wrong
    return ended.points


def sweep_workers(dock: Dock, points: Sequence[Point]) -> list[Trial]:
    """At each of these points a worker dies, and the run goes on with another one."""

    def one(point: Point) -> list[Trial]:
        with gateway() as simulator:
            film = dock.film(simulator)
            worker = dock.worker(film, point.n)
            ended = dock.run(film, [worker, dock.steady(film)])
            met = worker.points()
            if met[-1].n != point.n:  # it had fewer points this time
                worker.end()
                return []
            assert worker.end() == -9
            wrong = dock.judge(film, ended, simulator) + idle(dock.yard, film, simulator, ended)
            return [Trial(met[-1], "a worker", ended.status(), wrong)]

    return dock.yard.each(one, points)


def sweep_both(dock: Dock, points: Sequence[Point]) -> list[Trial]:
    """At each of these points a worker dies, and so does the run; another one goes on without an engine."""

    def one(point: Point) -> list[Trial]:
        with gateway() as simulator:
            film = dock.film(simulator)
            worker = dock.worker(film, point.n)
            run, _ = dock.start(film, [worker])
            pause = threading.Event()
            while worker.process.poll() is None and run.poll() is None:
                pause.wait(0.01)
            run.kill()
            run.communicate(10)
            met = worker.points()
            worker.end()
            if met[-1].n != point.n:
                return []
            again = dock.yard.run(film)
            return [Trial(met[-1], "both", again.status(), dock.judge(film, again, simulator))]

    return dock.yard.each(one, points)


def sweep_power(dock: Dock, points: Sequence[Point]) -> list[Trial]:
    """At each of these points the power fails where a worker is at work, and no run is on.

    From every disk that this may leave a run without an engine goes on.
    """
    with gateway() as simulator:
        ready = dock.film(simulator)
        worker = dock.worker(ready)
        assert dock.run(ready, [worker], "kill", ["download"]).code == -9
        proof = worker.proof()
        worker.end()

        def one(point: Point) -> list[Trial]:
            film, trials = dock.another(ready), []
            before = Disk.of(film.folder)
            met = errand_alone(dock, film, proof, point.n)
            for kind, left in cuts(before, met, film.folder, dock.yard.folder(), WORST):
                trials.append(gone_on(dock, dock.yard.at(ready, left), simulator, met[-1], kind))
                shutil.rmtree(left)
            return trials

        trials = dock.yard.each(one, points)
        assert Count.of(simulator) == ONE
    return trials


def errand_alone(dock: Dock, film: Film, proof: dict[str, Any], at: int) -> list[Point]:
    """What a worker did that was given the errand of a film, and died at a point."""
    take = take_of(film)
    assert take is not None
    place = {**proof["place"], "folder": str(film.folder / "renders/shots/takes")}
    text = json.dumps({**proof, "name": name_of("shot", take), "task": asdict(task_of(take)), "place": place})
    worker = dock.worker(film, at)
    assert ask(worker.port, pickle.dumps((bring, (text,), {}))) is None, f"it had no point {at}"
    worker.end()
    return worker.points()


def gone_on(dock: Dock, film: Film, simulator: Simulator, point: Point, kind: str) -> Trial:
    """The run without an engine that goes on from a disk."""
    wrong, again = as_left(film), dock.yard.run(film)
    take = take_of(film)
    if point.kind == "exit" and take is not None and take.last.fetched_s is not None:
        wrong.append("the worker was about to say that it is done, and the video was fetched once more")
    return Trial(point, kind, again.status(), wrong + dock.settled(film, again))


def sweep_runs(dock: Dock, points: Sequence[Point]) -> list[Trial]:
    """At each of these points the run dies, and its worker goes on; so does the same command.

    Each second time without the engine, which may still be at work.
    """

    def one(point: Point) -> list[Trial]:
        with gateway() as simulator:
            film = dock.film(simulator)
            killed = dock.run(film, [dock.steady(film)], "kill", point.n)
            if killed.code != -9:  # it had fewer points this time
                return []
            again = dock.yard.run(film) if point.n % 2 else dock.run(film, [dock.steady(film)])
            return [Trial(killed.points[-1], "the run", again.status(), dock.judge(film, again, simulator))]

    return dock.yard.each(one, points)


def sweep_alone(dock: Dock) -> tuple[list[Point], list[Trial]]:
    """A run without an engine brings what is paid, and dies at each of its points; the same command goes on."""
    with gateway() as simulator:
        ready = dock.film(simulator)
        assert dock.yard.run(ready, "kill", at=["download"]).code == -9
        untouched = dock.yard.run(dock.another(ready), "watch")
        assert untouched.status() == "verified", untouched

        def one(point: Point) -> list[Trial]:
            film = dock.another(ready)
            killed = dock.yard.run(film, "kill", at=point.n)
            if killed.code != -9:
                return []
            again = dock.yard.run(film)
            return [Trial(killed.points[-1], "alone", again.status(), dock.settled(film, again))]

        trials = dock.yard.each(one, untouched.points)
        assert Count.of(simulator) == ONE
    return untouched.points, trials
