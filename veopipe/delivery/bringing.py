"""Runs errands on a worker: look, download, prove whole, measure, name. Text in, text out.

* `bring` may be called in any thread of any process that has veopipe, a key in its environment and sight of the
  output. It can't spend: nothing it imports can (tests/test_architecture.py).
* One event loop, one prober and one set of connections serve a process, in a thread of their own: an engine's
  heartbeats don't wait for a download.
* Each errand proves its worker anew, so that one that lost its key or its disk says so instead of harming a take.
* Of two errands for one take in a process, the second waits and finds the take there.

Source: docs/scale.md, c.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

from veopipe import crashpoints, files
from veopipe.delivery.download import Fetched, Part, fetch
from veopipe.delivery.errand import Brought, Desk, Errand, Foreign, Place, Task, Unfit, read_errand
from veopipe.delivery.landing import Landing, landing_of
from veopipe.delivery.measure import Measured, Prober, Unmeasurable
from veopipe.dialects import choice
from veopipe.dialects.base import Progress
from veopipe.errors import EnvironmentFault
from veopipe.gateway.address import REHEARSAL_KEY, Address, read_key
from veopipe.gateway.reads import Reads
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt, Delivered
from veopipe.text import printable

THREADS = 64
"""Of a worker: one writes, looks or sends for an errand. Made when needed."""


def bring(text: str) -> str:
    """Run an errand; blocks until it is over.

    Args:
        text: `Errand.as_json`.

    Returns:
        `Brought.as_json` or `Unfit.as_json`. No exception for what the network, the disk or the worker lacks.
    """
    worker = _here()
    try:
        asked = read_errand(text)
    except Foreign as why:
        return worker.unfit(str(why)).as_json()
    answer = asyncio.run_coroutine_threadsafe(worker.answer(asked), worker.loop).result()
    return answer.as_json()


class Worker:
    """A process that runs errands.

    Attributes:
        pid: of the process.
        loop: its errands', in a thread of its own.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(ThreadPoolExecutor(THREADS, "veopipe-errand"))
        self._prober = Prober()
        self._gateways: dict[tuple[Desk, str], Reads] = {}
        self._landings: dict[Place, Landing] = {}
        self._turns: dict[tuple[str, str, str], asyncio.Lock] = {}
        self._arriving = asyncio.Lock()
        self._host = printable(f"{socket.gethostname()}:{self.pid}", 80)
        threading.Thread(target=self.loop.run_forever, name="veopipe-errands", daemon=True).start()

    def unfit(self, why: str) -> Unfit:
        """That this worker can't run an errand."""
        return Unfit(f"worker {self._host}: {why}")

    async def answer(self, errand: Errand) -> Brought | Unfit:
        """What comes of an errand here."""
        began = time.monotonic()
        try:
            landing = await self._landing(errand.place)
            gateway = self._gateway(errand.desk)
            lack = await self._prober.trouble() or await asyncio.to_thread(landing.trouble)
            if lack is not None:
                return self.unfit(lack)
            found = await self._in_turn(errand, gateway, landing)
        except EnvironmentFault as fault:
            return self.unfit(fault.message)
        except OSError as error:
            return self.unfit(f"{error.strerror or error} ({error.filename or errand.place.output})")
        if isinstance(found, Unfit):
            return found
        return replace(found, host=self._host, seconds=round(time.monotonic() - began, 3))

    async def _in_turn(self, errand: Errand, gateway: Reads, landing: Landing) -> Brought | Unfit:
        """Run an errand when none for its take is being run here."""
        if errand.task is None:
            return Brought(Part(Fetched.NOT_READY, "nothing was asked for"))
        place = errand.place
        turn = self._turns.setdefault((place.folder or place.output, place.name, errand.name), asyncio.Lock())
        async with turn:
            return await self._run(errand, errand.task, gateway, landing)

    async def _run(self, errand: Errand, task: Task, gateway: Reads, landing: Landing) -> Brought | Unfit:
        if (file := await asyncio.to_thread(landing.look, errand.name, task)) is not None:
            return Brought(Part(Fetched.COMPLETE, sha256=file.sha256, bytes=file.bytes), file)
        attempt, path = _attempt(task), landing.part(errand.name)
        began = time.monotonic()
        part = await fetch(gateway, attempt, path, lambda *_: None)
        part = replace(part, seconds=time.monotonic() - began)
        if part.fetched is Fetched.DISK:
            return self.unfit(part.why)
        if part.fetched is Fetched.KEY_REFUSED:  # of this video, or of all?
            if (await gateway.poll(attempt)).progress is Progress.KEY_REFUSED:
                return self.unfit(f"the gateway refuses its key: {part.why}")
            return Brought(replace(part, fetched=Fetched.NOT_READY))
        if part.fetched is not Fetched.COMPLETE:
            return Brought(part)
        try:
            crashpoints.reach("measure", path)
            measured = await self._prober.measure(path, walked=True, video=part.video)
            return await asyncio.to_thread(_kept, errand, task, landing, replace(part, video=None), measured)
        finally:
            files.remove_quietly(path)

    async def _landing(self, place: Place) -> Landing:
        """Where an errand's video goes; one for all to that place."""
        async with self._arriving:
            if place not in self._landings:
                self._landings[place] = await asyncio.to_thread(landing_of, place)
        return self._landings[place]

    def _gateway(self, desk: Desk) -> Reads:
        """The way to a gateway; raises `EnvironmentFault`."""
        address = Address(desk.base_url, desk.simulated)
        is_free = desk.simulated and address.is_loopback
        key = REHEARSAL_KEY if is_free else read_key(desk.key_env, os.environ)
        if (desk, key) not in self._gateways:
            settings = choice.Settings(desk.status_endpoint, desk.api_version)
            self._gateways[desk, key] = Reads(address, choice.dialect(desk.dialect, settings), key)
        return self._gateways[desk, key]


def _kept(errand: Errand, task: Task, landing: Landing, part: Part, measured: Measured | Unmeasurable) -> Brought:
    """Put a measured part where it goes; raises `OSError`."""
    path = landing.part(errand.name)
    if isinstance(measured, Unmeasurable):
        landing.leave(path, errand.name)
        return Brought(replace(part, why=measured.reason))
    found = measured.of(Delivered(errand.place.output, f"{errand.name}.mp4", part.sha256, part.bytes))
    file = landing.keep(path, errand.name, task, found)
    return Brought(replace(part, sha256=file.sha256, bytes=file.bytes), file)


_making = threading.Lock()
_worker: Worker | None = None


def _here() -> Worker:
    """This process's."""
    global _worker
    with _making:
        if _worker is None or _worker.pid != os.getpid():  # a fork has none of its parent's threads
            _worker = Worker()
        return _worker


def _attempt(task: Task) -> Attempt:
    """What a gateway is asked about, without what it cost."""
    return Attempt(
        1,
        "errand",
        Status.RENDERED,
        task.gateway,
        Decimal(0),
        "",
        task_id=task.id,
        dialect=task.dialect,
        content_url=task.content_url,
        echo_bytes=task.echo_bytes,
    )
