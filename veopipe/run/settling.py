"""From a task id to a measured file: poll, download, measure. Free and repeatable, and without creating.

One loop per take: while its status is open, do the step of that status, let the attempt table decide,
record durably, go on. A resumed take enters where its file says; there is no resume code.

Everything here is callable for any set of takes with a task id (docs/design.md, 10).

Source: docs/design.md, 5 (Videos) and 6 (The loop); docs/api-facts.md, c; docs/hazards.md, b.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from veopipe import clock, crashpoints, files
from veopipe.delivery.download import Fetched, Part, fetch
from veopipe.delivery.measure import Measured, Prober, Unmeasurable, judge
from veopipe.delivery.shelf import Away, Shelf
from veopipe.dialects.base import PollAnswer, Progress
from veopipe.errors import ExitCode
from veopipe.gateway.client import Gateway
from veopipe.ledger.store import NotRecorded, Store
from veopipe.pipeline import Pipeline
from veopipe.run.brakes import Halt
from veopipe.run.events import Journal
from veopipe.run.pace import Line, Tempo
from veopipe.run.watching import Watch
from veopipe.takes.status import Event, Status
from veopipe.takes.take import Attempt, Take
from veopipe.text import counted

CONFIRMATIONS = 3
"""Polls in a row that must say `failed`: a gateway takes it back after an upstream hiccup (docs/api-facts.md, c)."""
UNKNOWN_FOR = 600.0
"""Seconds that a gateway may not know a task it accepted: it answers before it stores it (docs/hazards.md, b)."""
CORRUPT_AGAIN = 3
"""Further downloads of a corrupt body (docs/design.md, 4)."""
KEPT_FOR = 48 * 3600.0
"""Seconds that results are kept upstream: 2 days (docs/api-facts.md, b 35)."""

# What only an answer about a task, or its video, makes of a take.
_TOLD = frozenset({Status.RENDERED, Status.DOWNLOADED, Status.VERIFIED, Status.MISMATCHED, Status.FAILED})

Step = tuple[Event, dict[str, Any]]


@dataclass(slots=True)
class Settler:
    """Carries takes on from their task id to their file.

    Attributes:
        store: where takes stand.
        gateway: that has the tasks, or None when nothing needs the network.
        prober: measures files.
        pipeline: intervals and tolerance.
        shelf: the output folders.
        journal: is told what happens.
        halt: is told what stops the run, and stops the waits here.
        tempo: how hard the gateway is asked.
        wanted: shot → number of the take that the list wants now; no other takes its finished name from it.
        heard: is told what a poll of a take said.
    """

    store: Store
    gateway: Gateway | None
    prober: Prober
    pipeline: Pipeline
    shelf: Shelf
    journal: Journal
    halt: Halt
    tempo: Tempo
    wanted: Mapping[str, int] = field(default_factory=dict)
    heard: Callable[[str, int, PollAnswer], None] = lambda shot, number, answer: None
    _downloads: Line = field(init=False)
    _has_answered: bool = False

    def __post_init__(self) -> None:
        self._downloads = Line(self.pipeline.limits.downloads)

    async def settle(self, shot: str, number: int) -> Status:
        """Carry one take on until it is settled, parked, or the run ends.

        Returns:
            Its status when nothing more can be done for it now.
        """
        watch = Watch(self.pipeline.poll.timeout)
        todo: dict[Status, Callable[[Take], Awaitable[Step | None]]] = {
            Status.RENDERING: lambda take: self._poll(shot, take, watch),
            Status.RENDERED: lambda take: self._download(shot, take, watch),
            Status.DOWNLOADED: lambda take: self._measure(shot, take),
        }
        take = self.store.shots[shot].take(number)
        try:
            while take.status in todo and not self.halt.is_leaving:
                result = await todo[take.status](take)
                if result is None:
                    return take.status
                event, facts = result
                take = await asyncio.to_thread(self.store.record, shot, number, event, **facts)
                self.journal.note(take.status, shot, number, take.last.message or "")
            outdone = self.store.shots[shot].is_outdone(number, self.wanted.get(shot))
            if take.status is Status.VERIFIED and not outdone:
                await self.show(shot, take)
        except Away as away:  # nothing is asked for, fetched or recorded in its stead
            self.journal.note("missing", shot, number, str(away))
        except (NotRecorded, OSError) as error:
            self._environment(f"{shot}: {_said(error)}")
        return self.store.shots[shot].take(number).status

    # --- rendering ---------------------------------------------------------------------------------

    async def _poll(self, shot: str, take: Take, watch: Watch) -> Step | None:
        """Ask until the gateway says what became of the task, or there is no use in asking on."""
        if await self._has_file(shot, take):
            return Event.COMPLETED, {}
        while await self._rested():
            answer = await self._ask(take)
            self.heard(shot, take.number, answer)
            decided = self._read(watch, answer)
            await self._pass_on(shot, take, watch, answer)
            if decided is not None:
                return decided
            if watch.is_over():
                return _overdue(watch, take)
            if answer.busy:
                self.tempo.slow_down(answer.retry_after)
            if not await self.halt.pause(watch.wait(answer, self.tempo)):
                return None
        return None

    async def _pass_on(self, shot: str, take: Take, watch: Watch, answer: PollAnswer) -> None:
        """Let people hear what the gateway says of a task that isn't over, now and from the state file."""
        said = "" if answer.progress is Progress.RUNNING and not answer.is_news else answer.message
        self.journal.note("polled", shot, take.number, said, percent=answer.percent)
        if watch.is_news(answer):
            self.journal.note("waiting", shot, take.number, answer.message)
            if answer.progress is Progress.RUNNING:
                await asyncio.to_thread(self.store.change, shot, take.number, lambda old: _saying(old, answer.message))

    async def _has_file(self, shot: str, take: Take) -> bool:
        """Whether a complete file is on disk that only couldn't be measured: then the gateway isn't needed again.

        By now it may have forgotten the task, and what is paid and here must not be lost to that.
        """
        return take.file is not None and await asyncio.to_thread(self.shelf.locate, take) is not None

    async def _rested(self) -> bool:
        """Leave the gateway alone for as long as it asked, however that came in; whether the run still goes on.

        Afterwards not all at once: spread over an interval.
        """
        while (rest := self.tempo.rest()) > 0:
            if not await self.halt.pause(rest + random.uniform(0, self.tempo.interval)):
                return False
        return not self.halt.is_leaving

    async def _ask(self, take: Take) -> PollAnswer:
        task_id = take.last.task_id
        if self.gateway is None or task_id is None:  # a settled take never comes here; guards the types
            return PollAnswer(Progress.TROUBLE, "no gateway")
        crashpoints.reach("poll", task_id)
        answer = await self.gateway.poll(take.last)
        self._has_answered |= answer.progress in {Progress.RUNNING, Progress.COMPLETED, Progress.FAILED}
        return answer

    def _has_known_any(self) -> bool:
        """Whether this gateway ever told about a task: then there is an address to ask at."""
        if self._has_answered or self.gateway is None:
            return self._has_answered
        name, states = self.gateway.address.name, self.store.shots.values()
        attempts = (attempt for state in states for take in state.takes for attempt in take.attempts)
        return any(attempt.gateway == name and attempt.status in _TOLD for attempt in attempts)

    def _read(self, watch: Watch, answer: PollAnswer) -> Step | None:
        watch.count(answer)
        if answer.progress is Progress.COMPLETED:
            return Event.COMPLETED, {}
        if answer.progress is Progress.FAILED and watch.failed >= CONFIRMATIONS:
            return Event.FAILED, {"reason": "failed", "message": answer.message}
        if answer.progress is Progress.KEY_REFUSED:
            return self._key_refused(answer.message)
        if watch.lost >= CONFIRMATIONS and not self._has_known_any():  # what is bought now couldn't be asked for
            self._environment(f"the gateway has no address for what is bought there: {answer.message}")
        if answer.progress is Progress.NO_SUCH_TASK and watch.unknown_for() >= UNKNOWN_FOR:
            return _parked("unknown_to_server", f"the gateway doesn't know the task: {answer.message}")
        return None

    def _key_refused(self, message: str) -> Step:
        self._environment(f"the gateway refuses the key: {message}; what is paid is kept, run again with a valid key")
        return _parked("key_refused", f"the gateway refuses the key: {message}")

    # --- rendered ----------------------------------------------------------------------------------

    async def _download(self, shot: str, take: Take, watch: Watch) -> Step | None:
        """Fetch until a complete file is on disk, or there is no use in going on."""
        if await self._has_file(shot, take):
            return Event.DELIVERED, {"file": take.file}
        since: float | None = None  # from the first answer without a video, not from when it stood in line
        corrupt = 0
        if self.gateway is None:  # the file was there, so the run went on without a key
            self._environment(
                f"{shot}: its file must be fetched again: set {self.pipeline.provider.api_key_env} and run again"
            )
            return None
        while True:
            part = await self._fetch(shot, take)
            corrupt += part.fetched is Fetched.CORRUPT
            since = since or time.monotonic()
            decided = self._received(shot, take, part, corrupt, time.monotonic() - since)
            if decided is not None:
                return decided
            if part.fetched is Fetched.DISK:
                return None
            self.journal.note("waiting", shot, take.number, part.why)
            if part.busy:
                self.tempo.slow_down(part.retry_after)
            if not await self.halt.pause(max(self.pipeline.download.not_ready_interval, self.tempo.rest())):
                return None
            if part.fetched is Fetched.NOT_READY and (await self._ask(take)).progress is Progress.RUNNING:
                # A gateway may take `completed` back for ever: each time anew, but not longer than any other wait.
                again = Event.RUNNING_AGAIN, {"message": "the gateway says that it is still running"}
                return _overdue(watch, take) if watch.is_over() else again

    async def _fetch(self, shot: str, take: Take) -> Part:
        if self.gateway is None or take.last.task_id is None:  # guards the types
            return Part(Fetched.NOT_READY, "no gateway")
        async with self._downloads.turn(take.last.submitted_at):  # what the gateway forgets first comes first
            if self.halt.is_leaving:
                return Part(Fetched.DISK, "leaving")
            crashpoints.reach("download", shot)
            self.journal.note("downloading", shot, take.number)
            await asyncio.to_thread(files.make_folder, self.shelf.part(shot, take.number).parent)
            part = await fetch(
                self.gateway,
                take.last,
                self.shelf.part(shot, take.number),
                lambda size, length: self.journal.note("received", shot, take.number, bytes=size, length=length),
            )
        if part.fetched is Fetched.KEY_REFUSED and (await self._ask(take)).progress is not Progress.KEY_REFUSED:
            return replace(part, fetched=Fetched.NOT_READY)  # new-api: `403 request blocked` is about this video
        return part

    def _received(self, shot: str, take: Take, part: Part, corrupt: int, waited: float) -> Step | None:
        if part.fetched is Fetched.COMPLETE:
            return Event.DELIVERED, {"file": self.shelf.expected(shot, take.number, part.sha256, part.bytes)}
        if part.fetched is Fetched.GONE:
            return Event.GONE, {"reason": "gone", "message": f"paid, and gone at the gateway: {part.why}"}
        if part.fetched is Fetched.KEY_REFUSED:
            return self._key_refused(part.why)
        if part.fetched is Fetched.DISK and not self.halt.is_leaving:
            self._environment(f"{shot}: {part.why}")
            self.halt.leaving.set()
        if part.fetched is Fetched.CORRUPT and corrupt > CORRUPT_AGAIN:
            return _parked("corrupt_content", f"{corrupt} downloads were damaged, the last one: {part.why}")
        if part.fetched is Fetched.NOT_READY and waited >= self.pipeline.download.not_ready_for:
            if part.answered and _age(take.last) > KEPT_FOR:  # nothing is given up for a fault on this side
                return Event.GONE, {"reason": "expired", "message": f"no video 48 h after it was ordered: {part.why}"}
            return _parked("no_content", f"completed, but no video after {waited:.0f} s: {part.why}")
        return None

    # --- downloaded --------------------------------------------------------------------------------

    async def _measure(self, shot: str, take: Take) -> Step | None:
        """Measure the file that is on disk and compare it with the order."""
        path = await asyncio.to_thread(self.shelf.locate, take)
        if path is None or take.file is None:
            return Event.PART_LOST, {"file": None, "message": "the downloaded file is gone or changed"}
        crashpoints.reach("measure", path)
        measured = await self.prober.measure(path, walked=True)
        if isinstance(measured, Unmeasurable):
            return _parked("unmeasurable", f"the file can't be measured: {measured.reason}")
        return await self._judged(take, path, measured)

    async def _judged(self, take: Take, path: Path, measured: Measured) -> Step:
        if take.file is None:  # guards the types
            raise ValueError("no file was downloaded")
        verdict = judge(measured, take.order, self.pipeline.verify.duration_tolerance)
        file = await asyncio.to_thread(self.shelf.put_away, path, take.file)
        facts = {"file": measured.of(file), "message": verdict.text or None}
        return (Event.MATCHES, facts) if verdict.matches else (Event.DIFFERS, {**facts, "reason": "mismatched"})

    # --- verified ----------------------------------------------------------------------------------

    async def show(self, shot: str, take: Take) -> None:
        """Let the shot's finished name be this verified take.

        Raises:
            OSError: it couldn't be linked or copied.
        """
        left = await asyncio.to_thread(self.shelf.publish, shot, take, self.store.every_take(shot))
        if left:
            self.journal.note("left alone", shot, take.number, left)

    async def bring_back(self, shot: str, take: Take) -> bool:
        """See that a verified take is on disk under both names; fetch it again if the gateway may have it.

        Never bought again. Returns whether it is there.
        """
        try:
            if not self.shelf.restore(shot, take):
                away = self.shelf.instead(shot, take)
                lack = str(away) if away else await self._fetch_again(shot, take)
                if lack is not None:
                    self.journal.note("missing", shot, take.number, lack if away else f"its file is gone, and {lack}")
                    return False
            await self.show(shot, self.store.shots[shot].take(take.number))
        except (NotRecorded, OSError) as error:
            self._environment(f"{shot}: {_said(error)}")
            return False
        return True

    async def _fetch_again(self, shot: str, take: Take) -> str | None:
        """Why the file can't be had, or None: it is back."""
        file, last = take.file, take.last
        if file is None or _age(last) > KEPT_FOR:
            return "the gateway has it no more"
        if self.gateway is None or last.gateway != self.gateway.address.name:
            return f"only a run with the gateway {last.gateway} and its key can fetch it"
        part = await self._fetch(shot, take)
        if part.fetched is Fetched.DISK and not self.halt.is_leaving:
            self._environment(f"{shot}: {part.why}")
        if part.fetched is not Fetched.COMPLETE:
            return f"it couldn't be fetched again: {part.why}"
        path = self.shelf.part(shot, take.number)
        if part.sha256 != file.sha256:
            measured = await self.prober.measure(path, walked=True)
            tolerance = self.pipeline.verify.duration_tolerance
            if isinstance(measured, Unmeasurable) or not judge(measured, take.order, tolerance).matches:
                return "what the gateway sends now is another video"
        again = replace(
            file,
            output=self.pipeline.output,
            name=f"{shot}.{take.number:03d}.mp4",
            sha256=part.sha256,
            bytes=part.bytes,
        )
        again = await asyncio.to_thread(self.shelf.put_away, path, again)
        await asyncio.to_thread(self.store.change, shot, take.number, lambda old: replace(old, file=again))
        self.journal.note("fetched again", shot, take.number)
        return None

    def _environment(self, why: str) -> None:
        if self.halt.stop_creating(why, ExitCode.ENVIRONMENT):
            self.journal.note("stopped", message=why)


def _parked(reason: str, message: str) -> Step:
    return Event.UNSETTLED, {"reason": reason, "message": message}


def _overdue(watch: Watch, take: Take) -> Step:
    problem = f" ({watch.problem})" if watch.problem else ""
    days = int(_age(take.last) // 86_400)
    old = f", {counted(days, 'day')} after it was ordered" if days else ""
    todo = "run again"
    if _age(take.last) > KEPT_FOR:
        todo = "look it up in the gateway's console; the next run asks again, or veopipe resolve gives it up"
    message = f"not ready {watch.seconds():.0f} s after this run began to ask{old}{problem}; {todo}"
    return _parked("poll_timeout", message)


def _saying(take: Take, words: str) -> Take:
    """The take with what the gateway says of it, where it stands."""
    return replace(take, attempts=(*take.attempts[:-1], replace(take.last, message=words)))


def _age(attempt: Attempt) -> float:
    """Seconds since the gateway took an attempt: by our clock or by the gateway's, whichever makes it younger.

    A wrong clock must not write a video off.
    """
    return clock.since(attempt.created_at, attempt.submitted_at)


def _said(error: Exception) -> str:
    return f"{error.strerror} ({error.filename})" if isinstance(error, OSError) else str(error)
