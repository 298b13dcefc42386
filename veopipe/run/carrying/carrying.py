"""Who brings a finished video: this process, or an engine that runs errands.

Either way a run asks for one video and hears how that ended. With an engine, errands that are lost or that a worker
can't run are given out again here; an engine that runs none for a minute ends creating, and for five ends the run.

Source: docs/scale.md, c and e.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future
from contextlib import suppress
from dataclasses import field, replace
from functools import partial
from typing import Protocol, TypeVar

from veopipe import clock, crashpoints, files
from veopipe.delivery.buckets.objects import SEND_WAIT
from veopipe.delivery.download import Fetched, Part
from veopipe.delivery.errand import Brought, Desk, Errand, Foreign, Place, Unfit, read_answer
from veopipe.delivery.landing import clear_parts, open_sight
from veopipe.delivery.shelf import Shelf
from veopipe.errors import EnvironmentFault, ExitCode
from veopipe.gateway.address import Address
from veopipe.gateway.client import Gateway
from veopipe.gateway.reads import Timeouts
from veopipe.ledger.prefixes import is_prefix
from veopipe.ledger.store import Store
from veopipe.pipeline.pipeline import Provider
from veopipe.project.open_ledger import OpenLedger
from veopipe.run.brakes import Brakes
from veopipe.run.carrying.engine import Engine, Named
from veopipe.run.carrying.here import Carried, Here, name_of, put_there, task_of
from veopipe.run.events import Happening
from veopipe.run.pace import Line
from veopipe.takes.status import SETTLED
from veopipe.takes.take import Take
from veopipe.text import printable
from veopipe.values import dataclass

MOST_HERE = 64
"""Downloads at once without an engine: each has a socket and a file open."""
PATIENCE = 60.0
"""Seconds without any errand that could come back, after which nothing more is created."""
THE_END = 300.0
"""The same, after which the run ends."""
LOOK = 2.0
"""Seconds between two looks at the engine."""
LOST_PAUSE, LONGEST_LOST_PAUSE = 2.0, 30.0
"""Seconds before a lost errand is given out again, at first and at most; each time twice as long."""
UNFIT_PAUSE, LONGEST_UNFIT_PAUSE = 5.0, 60.0
"""The same for one that a worker couldn't run."""
OVERDUE = Timeouts().download + SEND_WAIT
"""Seconds after which an errand is lost that nobody says anything of."""
PROOFS = 6
"""Unfit answers in a row, before anything is created, after which no fit worker is looked for any more."""
_QUICK = 30.0  # seconds; an errand that is out for longer is being run: a worker that is unfit says so at once
_CLOSE_WAIT = 3.0  # seconds
_T = TypeVar("_T")


class Carrier(Protocol):
    """Brings finished videos."""

    async def ready(self) -> None:
        """See that videos can be brought, unless that was seen; else the brakes end the run."""

    async def carry(self, shot: str, take: Take) -> Carried:
        """Bring the video of a take whose task has an id."""

    async def close(self) -> None:
        """Nothing more is asked for."""


@dataclass(slots=True)
class Health:
    """Whether errands come back.

    Attributes:
        brakes: are put on where they don't.
    """

    brakes: Brakes
    _silent_since: float | None = None
    _unfit_since: float | None = None
    _why: str = ""

    def good(self) -> None:
        """An errand came back."""
        self._unfit_since = None

    def bad(self, why: str, *, others_run: bool) -> None:
        """An errand was lost, or a worker couldn't run it.

        Args:
            why: for people.
            others_run: some errand is being run by now, which may take long.
        """
        if others_run:
            self._unfit_since = None
            return
        self._unfit_since = self._unfit_since or time.monotonic()
        self._judge(self._unfit_since, why)

    def seen(self, trouble: str | None) -> None:
        """The engine was looked at.

        Args:
            trouble: why no errand can come back now, for people; None: nothing is known against it.
        """
        if trouble is None:
            self._silent_since = None
            return
        self._silent_since = self._silent_since or time.monotonic()
        self._judge(self._silent_since, trouble)

    def _judge(self, since: float, why: str) -> None:
        waited = time.monotonic() - since
        if waited >= PATIENCE:
            self._why = self._why or f"nothing can be fetched: {why}; no further create, what is paid is kept"
            self.brakes.stop(self._why, ExitCode.ENVIRONMENT)
        if waited >= THE_END:
            self.brakes.stop(f"{why}: the run ends, {clock.in_words(THE_END)} without it", ExitCode.ENVIRONMENT)
            self.brakes.leaving.set()


@dataclass(slots=True)
class Elsewhere:
    """An engine.

    Attributes:
        engine: which.
        desk: where tasks are asked for.
        place: where their videos go; its nonce is made when the run begins.
        shelf: the same, as this process sees it.
        brakes: end waits, and are put on where no errand comes back.
        health: judges that.
    """

    engine: Engine
    desk: Desk
    place: Place
    shelf: Shelf
    brakes: Brakes
    health: Health
    _out: dict[str, float] = field(default_factory=dict)
    _counted: itertools.count[int] = field(default_factory=itertools.count)
    _watching: asyncio.Task[None] | None = None
    _arriving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ready(self) -> None:
        """Reach the engine, and let a worker prove that it can run errands; once; else the brakes end the run."""
        async with self._arriving:
            if self._watching is None and not self.brakes.is_leaving:
                await self._arrive()

    async def _arrive(self) -> None:
        try:
            await aside(self.engine.open)
            self.place = await aside(partial(open_sight, self.place))
        except EnvironmentFault as fault:
            hint = f" ({fault.hint})" if fault.hint else ""
            self._end(f"{fault.message}{hint}")
            return
        except OSError as error:
            self._end(f"{error.filename} can't be written: {error.strerror}")
            return
        self._watching = asyncio.create_task(self._watch())
        why = await self._proved()
        if why is not None and not self.brakes.is_leaving:
            self._end(why)

    def _end(self, why: str) -> None:
        """End the run before it sent anything."""
        self.brakes.stop(f"{why}; nothing was sent", ExitCode.ENVIRONMENT)
        self.brakes.leaving.set()

    async def _proved(self) -> str | None:
        """Why no worker can run an errand; None: one can."""
        proof = Errand("proof", None, self.desk, self.place).as_json()
        unfit, end = 0, time.monotonic() + THE_END
        while unfit < PROOFS:
            asked = asyncio.create_task(self._answer("proof", proof))
            stopped = asyncio.create_task(self._until_stopped(end))
            await asyncio.wait([asked, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not asked.done():
                asked.cancel()
                return self.brakes.why or "no worker ran an errand in time"
            answer = asked.result()
            if isinstance(answer, Brought):
                return None
            unfit = unfit + 1 if isinstance(answer, Unfit) else unfit
            why = answer.why
            if not await self.brakes.pause(0.2 if isinstance(answer, Unfit) else LOST_PAUSE):
                return why
        return why

    async def _until_stopped(self, end: float) -> None:
        while not self.brakes.are_on and time.monotonic() < end:
            await self.brakes.pause(0.1)

    async def carry(self, shot: str, take: Take) -> Carried:
        """Give the errand out, and again, until it comes back or the run ends."""
        await self.ready()
        text = Errand(name_of(shot, take), task_of(take), self.desk, self.place).as_json()
        lost = unfit = 0
        while not self.brakes.is_leaving:
            answer: Carried | Brought | Unfit | _Lost = await self._answer(name_of(shot, take), text)
            if isinstance(answer, Brought):
                self.health.good()
                answer = await self._carried(answer, shot, take)
            if isinstance(answer, Carried):
                return answer
            if isinstance(answer, Unfit):
                unfit, pause = unfit + 1, min(UNFIT_PAUSE * 2 ** min(unfit, 10), LONGEST_UNFIT_PAUSE)
            else:
                lost, pause = lost + 1, min(LOST_PAUSE * 2 ** min(lost, 10), LONGEST_LOST_PAUSE)
            is_overdue = isinstance(answer, _Lost) and answer.is_overdue
            self.health.bad(answer.why, others_run=self._others_run() and not is_overdue)
            self.brakes.journal.note(Happening.WAITING, shot, take.number, answer.why)
            await self.brakes.pause(pause)
        return Carried(Part(Fetched.DISK, "nothing is fetched any more in this run"))

    async def _carried(self, brought: Brought, shot: str, take: Take) -> Carried | _Lost:
        """What a run makes of it: what was put away must be seen from here, too."""
        part = brought.part
        if brought.file is None:
            return Carried(replace(part, why=f"{part.why} ({brought.host})") if part.why else part)
        try:
            file = await asyncio.to_thread(put_there, self.shelf, replace(take, file=brought.file))
        except OSError as error:
            return _Lost(f"what {brought.host} brought can't be looked for: {error.strerror or error}")
        if file is None:
            return _Lost(f"what {brought.host} brought isn't seen here")
        self.brakes.journal.note(Happening.RECEIVED, shot, take.number, bytes=file.bytes, length=file.bytes)
        return Carried(part, file)

    def _others_run(self) -> bool:
        """Whether some errand is being run, as far as one can see from here."""
        return any(time.monotonic() - since > _QUICK for since in self._out.values())

    async def _answer(self, name: str, text: str) -> Brought | Unfit | _Lost:
        """What comes of giving an errand out once."""
        executor, label = self.engine.executor, f"errand-{os.getpid()}-{next(self._counted)}-{name}"
        try:
            if executor is None:
                await aside(self.engine.open)
                executor = self.engine.executor
            given = self.engine.give(text, label)
        except Exception as error:  # noqa: BLE001  an engine's own
            if not isinstance(error, EnvironmentFault):
                await aside(lambda: self.engine.broke(executor))
            return _Lost(printable(str(error) or type(error).__name__))
        self._out[label] = time.monotonic()
        try:
            ended = await _ended(given, lambda: self.engine.executor is executor)
        finally:
            del self._out[label]
        if not ended:
            if self.engine.executor is not executor:
                return _Lost("the executor is gone")
            return _Lost(f"the errand didn't come back in {clock.in_words(OVERDUE)}", is_overdue=True)
        answer = _told(given)
        if isinstance(answer, _Lost) and answer.breaks:
            await aside(lambda: self.engine.broke(executor))
        return answer

    async def _watch(self) -> None:
        """Look at the engine again and again. Goes on until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.health.seen(await aside(self.engine.trouble))

    async def close(self) -> None:
        """Leave the engine; errands that are under way there go on by themselves."""
        if self._watching is not None:
            self._watching.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WAIT):
                await aside(self.engine.close)


@dataclass(frozen=True, slots=True)
class Downloads:
    """The videos of a run: so many at once, in the order in which the gateway forgets them.

    Attributes:
        gateway: that has the tasks.
        line: where those wait that can't be fetched yet.
        carrier: who brings them.
        here: brings what must lie on this disk.
        brakes: end the waiting.
        tidy: removes parts of workers that nobody needs any more; blocks.
    """

    gateway: Gateway
    line: Line
    carrier: Carrier
    here: Here
    brakes: Brakes
    tidy: Callable[[], None]

    @classmethod
    def of(cls, ledger: OpenLedger, gateway: Gateway, brakes: Brakes) -> Downloads:
        """Those of a project, by the executor that its pipeline names."""
        project, shelf = ledger.project, ledger.shelf
        named, most = Named.of(project.pipeline.executor), project.pipeline.limits.downloads
        places = project.places
        folder = places.takes_of(places.output_base)
        in_folder = "" if is_prefix(places.output_base) else str(folder)
        place = Place(places.output_base, places.name, in_folder, ledger.head.id or "", "")
        here = Here(gateway, shelf, place, brakes.journal)
        tidy = partial(clear_parts, folder, partial(_needs_no_part, ledger.store))
        if named.is_local:
            return cls(gateway, Line(min(most, MOST_HERE)), here, here, brakes, tidy)
        carrier = Elsewhere(
            engine=Engine(named),
            desk=desk_of(project.pipeline.provider, project.address),
            place=place,
            shelf=shelf,
            brakes=brakes,
            health=Health(brakes),
        )
        return cls(gateway, Line(most), carrier, here, brakes, tidy)

    async def ready(self, *, now: bool) -> None:
        """Remove what workers left behind, and see that videos can be brought; else the brakes end the run.

        Args:
            now: some are to be brought, as far as is known; else that is seen when the first one is.
        """
        await self.tidied()
        if now:
            await self.carrier.ready()

    async def tidied(self) -> None:
        """Remove the parts of workers that are gone, of takes that need none any more."""
        await asyncio.to_thread(self.tidy)

    async def fetch(self, shot: str, take: Take, *, here: bool) -> Carried:
        """Bring a video; `here`: into its part on this disk."""
        async with self.line.turn(take.last.submitted_at):  # what the gateway forgets first comes first
            if self.brakes.is_leaving or self.brakes.is_full:
                return Carried(Part(Fetched.DISK, "nothing is fetched any more in this run"))
            crashpoints.reach("download", shot)
            self.brakes.journal.note(Happening.DOWNLOADING, shot, take.number)
            carried = await (self.here.bring(shot, take) if here else self.carrier.carry(shot, take))
        part = carried.part
        if carried.file is not None:  # what an earlier run had of it on this disk
            files.remove_quietly(self.here.shelf.part(shot, take.number))
        if part.fetched is Fetched.DISK and not (self.brakes.is_leaving or self.brakes.is_full):
            self.brakes.is_full = True
            self.brakes.stop(f"{shot}: {part.why}", ExitCode.ENVIRONMENT)
        return carried

    async def close(self) -> None:
        """Nothing more is brought."""
        await self.carrier.close()
        await self.gateway.close()


@dataclass(frozen=True, slots=True)
class _Lost:
    """An errand that didn't come back.

    Attributes:
        why: for people.
        breaks: nor will any other that was given to this executor.
        is_overdue: it was out for longer than one can take.
    """

    why: str
    breaks: bool = False
    is_overdue: bool = False


def _needs_no_part(store: Store, shot: str, number: int) -> bool:
    """Whether a take has its file, or will never have one."""
    takes = store.shots[shot].takes if shot in store.shots else ()
    return any(take.number == number and (take.file is not None or take.status in SETTLED) for take in takes)


def desk_of(provider: Provider, address: Address) -> Desk:
    """Where workers ask for tasks."""
    return Desk(
        base_url=address.base_url,
        simulated=address.simulated,
        dialect=provider.profile.dialect,
        status_endpoint=provider.status_endpoint,
        api_version=provider.profile.api_version,
        key_env=provider.api_key_env,
    )


def _told(given: Future[str]) -> Brought | Unfit | _Lost:
    """What an errand that is over came to."""
    try:
        return read_answer(given.result())
    except Foreign as why:
        return Unfit(f"a worker isn't the same as here: {why}")
    except BrokenExecutor as error:
        return _Lost(f"the executor broke: {printable(str(error))}", breaks=True)
    except (CancelledError, OSError) as error:
        return _Lost(f"the errand was lost: {printable(str(error) or type(error).__name__)}")
    except Exception as error:  # noqa: BLE001  an engine's own, or a worker's
        if type(error).__name__ == "KilledWorker":
            return _Lost("the errand was lost with its worker")
        return Unfit(f"a worker can't run errands: {type(error).__name__}: {printable(str(error))}")


async def _ended(given: Future[str], still_there: Callable[[], bool]) -> bool:
    """Wait for an errand; whether it is over, and not its engine before it, nor its time.

    It is never cancelled: an engine may log what comes too late, and what runs elsewhere runs on anyway.
    """
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    end = time.monotonic() + OVERDUE

    def tell(_: Future[str]) -> None:
        with suppress(RuntimeError):  # the run is over
            loop.call_soon_threadsafe(over.set)

    given.add_done_callback(tell)
    while not over.is_set() and (given.done() or (still_there() and time.monotonic() < end)):
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await over.wait()
    return given.done()


async def aside(work: Callable[[], _T]) -> _T:
    """Do something that blocks in a thread of its own, which no end of the process waits for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def tell(result: _T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  it is raised where it is awaited
            failed = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, result, failed)

    threading.Thread(target=run, name="veopipe-aside", daemon=True).start()
    return await done
