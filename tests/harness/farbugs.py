"""Bugs of buckets, engines and guards, each one change of veopipe's source text, and the trial that must notice it.

As `tests.harness.bugs`, with a real store behind a proxy and workers that are forked (`tests.harness.carriers`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.harness.carriers import Dock, points_of_worker, step_of, sweep_workers, take_of
from tests.harness.changes import Change
from tests.harness.disks import copy
from tests.harness.store import Proxy, Store
from tests.harness.trials import LIMIT, Ended, gateway, look
from veopipe.delivery.marks import KEY, Mark

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

TAKE = "takes/shot.001.mp4"
OTHERS = b"of somebody else"


@dataclass
class Coast:
    """What these trials need.

    Attributes:
        dock: whose output is a folder.
        port: whose output is a bucket.
        proxy: before the store; its trouble is the trial's.
    """

    dock: Dock
    port: Dock
    proxy: Proxy

    @property
    def store(self) -> Store:
        """The store itself."""
        assert self.port.store is not None
        return self.port.store

    def far(self, simulator: Simulator) -> tuple[Film, str]:
        """A list whose output is a bucket behind the proxy, and the address of that."""
        film = self.port.film(simulator)
        film.environment |= self.proxy.environment
        return film, f"{self.port.prefix}/{film.folder.name}/shots"

    def guarded(self, simulator: Simulator) -> Film:
        """A list with a guard behind the proxy, one shot of which is bought; its next run wants one more."""
        film = self.dock.film(simulator)
        film.environment = {**film.environment, **self.proxy.environment}
        film.pipeline(guard=self.guard_of(film))
        assert self.dock.yard.run(film).code == 0
        film.list({"shot": "a cat", "more": "a dog"})
        return film

    def guard_of(self, film: Film) -> str:
        """The address of its guard."""
        return f"{self.port.prefix}/{film.folder.name}.guard"

    def copy(self, film: Film) -> Film:
        """A second checkout."""
        folder = self.dock.yard.folder()
        copy(film.folder, folder)
        return self.dock.yard.at(film, folder)


FarTrial = Callable[[Coast], list[str]]


@dataclass(frozen=True)
class FarBug(Change):
    """A bug of what is far away.

    Attributes:
        trial: what must notice it.
        says: words of the complaint that it must raise.
    """

    trial: FarTrial
    says: str


# --- a bucket ---------------------------------------------------------------------------------------


def at_first(coast: Coast, method: str, happens: Callable[[], None]) -> None:
    """Let something happen before the first request about a take goes on."""
    first = iter([True])

    def trouble(asked: str, path: str) -> None:
        if asked == method and TAKE in path and next(first, False):
            happens()

    coast.proxy.trouble = trouble


def as_measured(coast: Coast, film: Film, url: str, ended: Ended) -> list[str]:
    """What is wrong with a take in a bucket: it must be what its record says."""
    take = take_of(film)
    if take is None or take.file is None or ended.status() != "verified":
        return [f"exit {ended.code} and {ended.status()!r}: {ended.err[-400:]}"]
    content = coast.store.content(url, f"takes/{take.file.name}")
    is_this = hashlib.sha256(content).hexdigest() == take.file.sha256
    return [] if is_this else [f"{take.file.name} holds something that was never measured"]


def name_taken_meanwhile(coast: Coast) -> list[str]:
    """Somebody puts a file under the take's name, between the look at it and the video."""
    with gateway() as simulator:
        film, url = coast.far(simulator)
        at_first(coast, "PUT", lambda: coast.store.put(url, TAKE, OTHERS))
        ended = coast.port.yard.run(film)
        kept = coast.store.content(url, TAKE) == OTHERS
        return as_measured(coast, film, url, ended) + ([] if kept else ["a file was overwritten"])


def cut_in_its_place(coast: Coast) -> list[str]:
    """A take whose record was lost with its run has other content by now, under the same metadata."""
    with gateway() as simulator:
        film, url = coast.far(simulator)
        coast.port.yard.run(film, "kill", at=["stored"])
        coast.store.put(url, TAKE, b"cut short", {KEY: coast.store.objects(url)[TAKE]})
        for part in film.folder.rglob("*.part"):
            part.unlink()
        return as_measured(coast, film, url, coast.port.yard.run(film))


def of_another_task(coast: Coast) -> list[str]:
    """What comes to lie under the take's name is this ledger's, and another task's."""
    with gateway() as simulator:
        film, url = coast.far(simulator)

        def comes() -> None:
            ledger = json.loads((film.folder / ".veopipe/shots/ledger.json").read_text("utf-8"))["id"]
            facts = {"width": 1280, "height": 720, "duration_s": 4.0}
            mark = Mark(ledger, "another-task", hashlib.sha256(OTHERS).hexdigest(), len(OTHERS), facts)
            coast.store.put(url, TAKE, OTHERS, mark.dump())

        at_first(coast, "HEAD", comes)
        wrong, take = as_measured(coast, film, url, coast.port.yard.run(film)), take_of(film)
        is_its = take is not None and take.file is not None and take.file.name == "shot.001-2.mp4"
        return wrong if wrong or is_its else ["another task's video was taken for this one's, which is nowhere"]


def finished_name_of_somebody_else(coast: Coast) -> list[str]:
    """A file of somebody else has the finished name."""
    with gateway() as simulator:
        film, url = coast.far(simulator)
        coast.store.put(url, "shot.mp4", OTHERS)
        ended = coast.port.yard.run(film)
        kept = coast.store.content(url, "shot.mp4") == OTHERS
        return as_measured(coast, film, url, ended) + ([] if kept else ["a file was overwritten"])


def forgotten_here(coast: Coast) -> list[str]:
    """An older ledger knows nothing of a take that lies in the bucket."""
    with gateway() as simulator:
        film, _ = coast.far(simulator)
        assert coast.port.yard.run(film).code == 0
        ledger = film.folder / ".veopipe/shots"
        (ledger / "state/shot.json").unlink()
        (ledger / "runs/ledger.json").unlink()
        head = json.loads((ledger / "ledger.json").read_text("utf-8"))
        (ledger / "ledger.json").write_text(json.dumps({**head, "attempts": {}}), "utf-8")
        return _paid(simulator, 1, coast.port.yard.run(film))


# --- an engine --------------------------------------------------------------------------------------


def brought_and_gone(coast: Coast) -> list[str]:
    """A worker says that it has put a take there, and it isn't there."""
    dock = coast.dock
    with gateway() as simulator:
        film = dock.film(simulator)
        worker = dock.worker(film, spoils=True)
        ended = dock.run(film, [worker])
        worker.end()
        return dock.judge(film, ended, simulator)


def died_at_work(coast: Coast) -> list[str]:
    """A worker dies, and another one lives."""
    dock = coast.dock
    with gateway() as simulator:
        film = dock.film(simulator)
        worker = dock.worker(film, ["walk"])
        ended = dock.run(film, [worker, dock.steady(film)])
        worker.end()
        return dock.judge(film, ended, simulator)


def died_after_naming(coast: Coast) -> list[str]:
    """A worker dies at the first steps after a take got its name."""
    points = points_of_worker(coast.dock)
    named = next(number for number, point in enumerate(points) if step_of(point) == "link take")
    trials = sweep_workers(coast.dock, points[named + 1 : named + 3])
    assert len(trials) == 2
    return [complaint for trial in trials for complaint in trial.complaints]


def changed_in_its_place(coast: Coast) -> list[str]:
    """A run died before it heard of a take that a worker brought; by then the take has other bytes, as many."""
    dock = coast.dock
    with gateway() as simulator:
        film = dock.film(simulator)
        worker = dock.worker(film, ["link", "link", "exit"])
        run, _ = dock.start(film, [worker])
        worker.process.wait(LIMIT)
        run.kill()
        dock.yard.ended(run)
        worker.end()
        take = film.folder / "renders/shots" / TAKE
        content = take.read_bytes()
        take.unlink()
        take.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
        ended = dock.yard.run(film)
        file = take_of(film)
        is_its = file is not None and file.file is not None and file.file.name == "shot.001-2.mp4"
        return ended.blemishes() + look(film) if not is_its else []


# --- a guard ----------------------------------------------------------------------------------------


def _paid(simulator: Simulator, most: int, *ended: Ended) -> list[str]:
    paid = len(simulator.charged)
    codes = [each.code for each in ended]
    return [] if paid == most else [f"paid {paid} times, and {most} were wanted; exits {codes}: {ended[-1].err[-300:]}"]


def a_quicker_copy(coast: Coast) -> list[str]:
    """Another copy takes the guard and spends, between this one's look at it and its swap."""
    with gateway() as simulator:
        film = coast.guarded(simulator)
        other = coast.copy(film)
        other.environment = {**other.environment, "AWS_ENDPOINT_URL": coast.store.endpoint}
        asked: list[str] = []

        def trouble(method: str, path: str) -> None:
            if method == "PUT" and path.endswith(".guard"):
                asked.append(path)
                if len(asked) == 3:  # the first two are what the store must refuse
                    assert coast.dock.yard.run(other).code == 0

        coast.proxy.trouble = trouble
        return _paid(simulator, 2, coast.dock.yard.run(film))


def a_stale_copy_of_a_killed_run(coast: Coast) -> list[str]:
    """A run that was killed after its create has told nobody; a copy from before it goes on."""
    with gateway() as simulator:
        film = coast.guarded(simulator)
        stale = coast.copy(film)
        killed = coast.dock.yard.run(film, "kill", at=["record", "poll"])
        assert (killed.code, len(simulator.charged)) == (-9, 2)
        return _paid(simulator, 2, coast.dock.yard.run(stale))


def killed_with_the_guard(coast: Coast) -> list[str]:
    """A run was killed when it had just taken the guard; the same copy goes on."""
    with gateway() as simulator:
        film = coast.guarded(simulator)
        killed = coast.dock.yard.run(film, "kill", at=["guard", "open"])
        assert (killed.code, len(simulator.charged)) == (-9, 1)
        ended = coast.dock.yard.run(film)
        return [] if ended.code == 0 else [f"exit {ended.code}: {ended.document.get('error')}"]


def deaf(coast: Coast) -> list[str]:
    """The store of a guard ignores conditions."""
    with gateway() as simulator:
        film = coast.guarded(simulator)
        coast.proxy.trouble = lambda method, _path: "deaf" if method == "PUT" else None
        return _paid(simulator, 1, coast.dock.yard.run(film))


def a_vanished_guard(coast: Coast) -> list[str]:
    """A guard that was there is gone."""
    with gateway() as simulator:
        film = coast.guarded(simulator)
        folder, _, name = coast.guard_of(film).rpartition("/")
        coast.store.remove(folder, name)
        return _paid(simulator, 1, coast.dock.yard.run(film))


FAR: dict[str, FarBug] = {
    "a video is put without its condition": FarBug(
        "delivery/buckets/bucket.py",
        'self.objects.put(f"takes/{found}", source, NEW, mark.dump())',
        'self.objects.put(f"takes/{found}", source, None, mark.dump())',
        name_taken_meanwhile,
        "a file was overwritten",
    ),
    "metadata are believed without the size": FarBug(
        "delivery/buckets/bucket.py",
        "mark.ledger == self.ledger and mark.bytes == thing.seen.size",
        "mark.ledger == self.ledger",
        cut_in_its_place,
        "never measured",
    ),
    "whatever is this ledger's is this task's": FarBug(
        "delivery/buckets/bucket.py",
        "self.is_ours(thing) and thing.mark.task_id == task_id:",
        "self.is_ours(thing):",
        of_another_task,
        "which is nowhere",
    ),
    "a finished name without metadata is free": FarBug(
        "delivery/buckets/shelf.py",
        "if there is not None and not self.bucket.is_ours(there):",
        "if there is not None and there.mark is not None and not self.bucket.is_ours(there):",
        finished_name_of_somebody_else,
        "a file was overwritten",
    ),
    "takes that no record knows are looked for under other names": FarBug(
        "delivery/bucketoutput.py",
        'takes = [name.removeprefix("takes/") for name in sorted(known)',
        "takes = [name for name in sorted(known)",
        forgotten_here,
        "paid 2 times",
    ),
    "a worker's word is enough": FarBug(
        "run/carrying/carrying.py",
        "            file = await asyncio.to_thread(put_there, self.shelf, replace(take, file=brought.file))\n",
        "            file: Delivered | None = brought.file\n",
        brought_and_gone,
        "the takes are []",
    ),
    "a lost errand is a lost video": FarBug(
        "run/carrying/carrying.py",
        "                lost, pause = lost + 1,",
        "                return Carried(Part(Fetched.GONE, answer.why))\n                lost, pause = lost + 1,",
        died_at_work,
        "'abandoned'",
    ),
    "a take is named before it is marked": FarBug(
        "delivery/landing.py",
        "before = None if files.claim(mark, mine) else beside.content(take)",
        "before = beside.content(take)",
        died_after_naming,
        "the takes are ['shot.001-2.mp4', 'shot.001.mp4']",
    ),
    "a take that has a mark is adopted unread": FarBug(
        "delivery/beside.py",
        "    if files.sha256_of(take) != mark.sha256:\n        return None\n",
        "",
        changed_in_its_place,
        "never measured",
    ),
    "the guard is swapped without its etag": FarBug(
        "run/guard.py",
        "NEW if found is None else found.etag",
        "NEW if found is None else None",
        a_quicker_copy,
        "paid 3 times",
    ),
    "the guard is taken when all is paid": FarBug(
        "run/run.py",
        "    if claim is not None:\n        claim.take(ledger)\n"
        "    budget = current.make_ready(plan)\n"
        "    if not gc.isenabled():  # the command line reads without it (`__main__`)\n"
        "        gc.freeze()  # list, plan and ledger stay as long as the run: no need to go through them again and "
        "again\n"
        "        gc.enable()\n"
        "    try:\n"
        "        with current.leaving.hearing() if hears_signals else contextlib.nullcontext():\n"
        "            asyncio.run(current.go(plan, gateway, budget, permission))\n",
        "    budget = current.make_ready(plan)\n"
        "    try:\n"
        "        with current.leaving.hearing() if hears_signals else contextlib.nullcontext():\n"
        "            asyncio.run(current.go(plan, gateway, budget, permission))\n"
        "        if claim is not None:\n            claim.take(ledger)\n",
        a_stale_copy_of_a_killed_run,
        "paid 3 times",
    ),
    "what is about to be swapped isn't on record": FarBug(
        "run/guard.py",
        "ledger.write(guard=claimed, starts=True)",
        "ledger.write(starts=True)",
        killed_with_the_guard,
        "isn't the newest",
    ),
    "nobody sees whether a store keeps conditions": FarBug(
        "run/guard.py",
        "self._name, text, when)) for when in (NEW, STALE)):",
        "self._name, text, when)) for when in ()):",
        deaf,
        "paid 2 times",
    ),
    "a guard that vanished is made anew": FarBug(
        "run/guard.py",
        "            if mark is None or mark.nonce is None:\n                return None\n",
        "            if mark is None or found is None:\n                return None\n",
        a_vanished_guard,
        "paid 2 times",
    ),
}
