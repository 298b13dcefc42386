"""One step of a take that is paid: one poll, one download, one measurement. Nothing is recorded here.

A step looks at a take and says what happened, for the loop in `settling` to record. It buys nothing, and it can be
taken for any take with a task id, as often as one likes.

Source: docs/design.md, 5 (Videos) and 6 (The loop); docs/api-facts.md, c; docs/hazards.md, b.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from veopipe import clock, crashpoints
from veopipe.delivery.download import Fetched, Part
from veopipe.delivery.measure import Measured, Prober, Unmeasurable, judge, recalled
from veopipe.delivery.shelf import Shelf
from veopipe.dialects.base import PollAnswer, Progress
from veopipe.errors import ExitCode
from veopipe.gateway.client import Gateway
from veopipe.ledger.store import Store
from veopipe.pipeline.pipeline import Pipeline
from veopipe.project.open_ledger import OpenLedger
from veopipe.run.brakes import Brakes
from veopipe.run.carrying.carrying import Downloads
from veopipe.run.carrying.here import Carried
from veopipe.run.creating.admission import Admission
from veopipe.run.events import Happening
from veopipe.run.polling.waiting import Waits
from veopipe.run.polling.watching import Content, Watch
from veopipe.takes.status import Event, Status
from veopipe.takes.take import UNKNOWN_TASK, Attempt, Delivered, Take, attempts_of
from veopipe.text import counted
from veopipe.values import dataclass

CONFIRMATIONS = 3
"""Polls in a row that must say `failed`: a gateway takes it back after an upstream hiccup (docs/api-facts.md, c)."""
UNKNOWN_FOR = 600.0
"""Seconds that a gateway may not know a task it accepted: it answers before it stores it (docs/hazards.md, b)."""
CORRUPT_AGAIN = 3
"""Further downloads of a corrupt body (docs/design.md, 4)."""

# What only an answer about a task can say.
_ABOUT_TASK = frozenset({Progress.RUNNING, Progress.COMPLETED, Progress.FAILED, Progress.BLOCKED})
_ABOUT_TASK |= {Progress.UNREADABLE}
# What only an answer about a task, or its video, makes of a take.
_TOLD = frozenset({Status.RENDERED, Status.DOWNLOADED, Status.VERIFIED, Status.MISMATCHED, Status.FAILED})


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to a take.

    Attributes:
        event: for the attempt table; None: the take stands where it stood.
        facts: fields of its newest attempt that become known; `file` is the take's.
        wait: seconds until its next step.
        measured: the part that gets its final name before this is recorded.
    """

    event: Event | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    wait: float = 0.0
    measured: Path | None = None


@dataclass(slots=True)
class Steps:
    """The steps of the takes of one run, with the tools for them.

    Attributes:
        gateway: that has the tasks, or None when nothing needs the network.
        prober: measures files.
        pipeline: intervals and tolerance.
        shelf: the output folders.
        brakes: are put on by what stops the run, and end the waits here.
        admission: hears what polls say, and knows how hard the gateway is asked.
        has_told: whether this gateway told of any task before, as far as is on record.
        downloads: bring videos, or None when nothing needs the network.
        waits: whom to ask when.
    """

    gateway: Gateway | None
    prober: Prober
    pipeline: Pipeline
    shelf: Shelf
    brakes: Brakes
    admission: Admission
    has_told: Callable[[], bool]
    downloads: Downloads | None
    waits: Waits
    _has_answered: bool = False

    @classmethod
    def of(
        cls, ledger: OpenLedger, downloads: Downloads | None, prober: Prober, brakes: Brakes, admission: Admission
    ) -> Steps:
        """The steps for the takes of a project."""
        gateway = downloads.gateway if downloads is not None else None

        def has_told() -> bool:
            return gateway is not None and _has_told(ledger.store, gateway.address.name)

        project = ledger.project
        waits = Waits.of(project.pipeline.poll, admission.tempo, brakes.leaving, ledger.store)
        return cls(gateway, prober, project.pipeline, ledger.shelf, brakes, admission, has_told, downloads, waits)

    async def next(self, shot: str, take: Take, watch: Watch) -> Step | None:
        """Take the step of the take's status; None: there is nothing more that can be done for it now."""
        if take.status is Status.RENDERING:
            return await self._poll(shot, take, watch)
        if take.status is Status.RENDERED:
            return await self._download(shot, take, watch)
        return await self._measure(take, watch) if take.status is Status.DOWNLOADED else None

    # --- rendering ---------------------------------------------------------------------------------

    async def _poll(self, shot: str, take: Take, watch: Watch) -> Step | None:
        """Ask what became of the task."""
        if await self._has_file(take):
            return Step(Event.COMPLETED)
        key = shot, take.number
        if not await self.waits.turn(key, take, watch.until) or not await self._rested():
            return None
        answer = await self._ask(take)
        self.admission.hear(shot, take.number, answer)
        known = self.waits.hear(key, take, answer)
        decided = self._read(take, watch, answer)
        said = self._pass_on(shot, take, watch, answer)
        if decided is None and watch.is_over():
            decided = _overdue(watch, take, self.pipeline.provider.keeps(take.order.model))
        if decided is not None:
            self.waits.leave(key, take)
            return replace(decided, facts={**decided.facts, **known})
        tempo = self.admission.tempo
        if answer.busy:
            tempo.slow_down(answer.retry_after)
        if self.pipeline.poll.adaptive and answer.progress is Progress.RUNNING:
            return Step(None, said)  # its next turn waits
        return Step(None, said, wait=watch.wait(answer, tempo))

    def _pass_on(self, shot: str, take: Take, watch: Watch, answer: PollAnswer) -> dict[str, str]:
        """Let people hear what the gateway says of a task that isn't over, now and from the state file."""
        said = "" if answer.progress is Progress.RUNNING and not answer.is_news else answer.message
        journal = self.brakes.journal
        journal.note(Happening.POLLED, shot, take.number, said, percent=answer.percent)
        if not watch.is_news(answer):
            return {}
        journal.note(Happening.WAITING, shot, take.number, answer.message)
        return {"message": answer.message} if answer.progress is Progress.RUNNING else {}

    async def _has_file(self, take: Take) -> bool:
        """Whether a complete file is on disk that only couldn't be measured: then the gateway isn't needed again.

        By now it may have forgotten the task, and what is paid and here must not be lost to that.
        """
        return take.file is not None and await asyncio.to_thread(self.shelf.locate, take) is not None

    async def _rested(self) -> bool:
        """Leave the gateway alone for as long as it asked, however that came in; whether the run still goes on.

        Afterwards not all at once: spread over an interval.
        """
        tempo = self.admission.tempo
        while (rest := tempo.rest()) > 0:
            if not await self.brakes.pause(rest + random.uniform(0, tempo.interval)):
                return False
        return not self.brakes.is_leaving

    async def _ask(self, take: Take) -> PollAnswer:
        if self.gateway is None or take.last.task_id is None:  # a settled take never comes here; guards the types
            return PollAnswer(Progress.TROUBLE, "no gateway")
        crashpoints.reach("poll", take.last.task_id)
        answer = await self.gateway.poll(take.last)
        self._has_answered |= answer.progress in _ABOUT_TASK
        return answer

    def _read(self, take: Take, watch: Watch, answer: PollAnswer) -> Step | None:
        watch.count(answer)
        cost = self.pipeline.provider.cost(take.order.model, answer.told)
        if (ended := _ended(watch, answer, cost)) is not None:
            return ended
        if answer.progress is Progress.KEY_REFUSED:
            return self._key_refused(answer.message)
        if watch.lost >= CONFIRMATIONS and not (self._has_answered or self.has_told()):
            # There is no address to ask at: what is bought now couldn't be asked for.
            why = f"the gateway has no address for what is bought there: {answer.message}"
            self.brakes.stop(why, ExitCode.ENVIRONMENT)
        if answer.progress is Progress.NO_SUCH_TASK and watch.unknown_for() >= UNKNOWN_FOR:
            return _parked(UNKNOWN_TASK, f"the gateway doesn't know the task: {answer.message}")
        return None

    def _key_refused(self, message: str) -> Step:
        why = f"the gateway refuses the key: {message}"
        self.brakes.stop(f"{why}; what is paid is kept, run again with a valid key", ExitCode.ENVIRONMENT)
        return _parked("key_refused", why)

    # --- rendered ----------------------------------------------------------------------------------

    async def _download(self, shot: str, take: Take, watch: Watch) -> Step | None:
        """Fetch the video."""
        if await self._has_file(take):
            return Step(Event.DELIVERED, {"file": take.file})
        if self.gateway is None:  # the file was there, so the run went on without a key
            key = self.pipeline.provider.api_key_env
            self.brakes.stop(f"{shot}: its file must be fetched again: set {key} and run again", ExitCode.ENVIRONMENT)
            return None
        if self.gateway.spoken(take.last).content(take.last) is None:  # a record that was merged by hand
            return Step(Event.RUNNING_AGAIN, {"message": "where its video is must be asked for again"})
        if watch.content.was_empty and (again := await self._asked_again(take, watch)) is not None:
            return again
        carried = await self._fetch(shot, take)
        part, decided = carried.part, self._received(shot, take, carried, watch)
        if decided is not None or part.fetched is Fetched.DISK:
            return decided
        self.brakes.journal.note(Happening.WAITING, shot, take.number, part.why)
        tempo = self.admission.tempo
        if part.busy:
            tempo.slow_down(part.retry_after)
        return Step(None, wait=max(self.pipeline.download.not_ready_interval, tempo.rest()))

    async def _asked_again(self, take: Take, watch: Watch) -> Step | None:
        """What the gateway says now of a task that it called completed and has no video for; None: no news."""
        answer = await self._ask(take)
        if answer.progress is Progress.RUNNING:
            # A gateway may take `completed` back for ever: each time anew, but not longer than any other wait.
            watch.content = Content()  # its next video is another matter
            again = {"message": "the gateway says that it is still running"}
            if not watch.is_over():
                return Step(Event.RUNNING_AGAIN, again)
            return _overdue(watch, take, self.pipeline.provider.keeps(take.order.model))
        found = answer.told.content_url
        if found in {None, take.last.content_url}:
            return None
        watch.content.was_empty = False
        return Step(None, {"content_url": found})

    async def _fetch(self, shot: str, take: Take, *, here: bool = False) -> Carried:
        """Bring a video; `here`: into its part on this disk, and nowhere else."""
        if self.downloads is None or take.last.task_id is None:  # guards the types
            return Carried(Part(Fetched.NOT_READY, "no gateway"))
        carried = await self.downloads.fetch(shot, take, here=here)
        part = carried.part
        if part.fetched is Fetched.KEY_REFUSED and (await self._ask(take)).progress is not Progress.KEY_REFUSED:
            part = replace(part, fetched=Fetched.NOT_READY)  # new-api: `403 request blocked` is about this video
        return replace(carried, part=part)

    def _received(self, shot: str, take: Take, carried: Carried, watch: Watch) -> Step | None:
        content, part = watch.content, carried.part
        waited = content.count(is_corrupt=part.fetched is Fetched.CORRUPT, is_empty=part.fetched is Fetched.NOT_READY)
        if part.fetched is Fetched.COMPLETE:
            content.whole = carried.whole(self.shelf.part(shot, take.number))
            file = carried.file or self.shelf.expected(shot, take.number, part.sha256, part.bytes)
            took = {"fetched_s": round(part.seconds, 2)} if part.seconds else {}
            return Step(Event.DELIVERED, {"file": file, **took})
        if part.fetched is Fetched.GONE:
            return Step(Event.GONE, {"reason": "gone", "message": f"paid, and gone at the gateway: {part.why}"})
        if part.fetched is Fetched.KEY_REFUSED:
            return self._key_refused(part.why)
        if part.fetched is Fetched.CORRUPT and content.corrupt > CORRUPT_AGAIN:
            return _parked("corrupt_content", f"{content.corrupt} downloads were damaged, the last one: {part.why}")
        if part.fetched is Fetched.NOT_READY and waited >= self.pipeline.download.not_ready_for:
            return _without_content(take, part, waited, self.pipeline.provider.keeps(take.order.model))
        return None

    # --- downloaded --------------------------------------------------------------------------------

    async def _measure(self, take: Take, watch: Watch) -> Step:
        """Measure the file that is on disk and compare it with the order."""
        whole, watch.content.whole = watch.content.whole, None
        tolerance = self.pipeline.verify.duration_tolerance
        path: Path | Delivered | None
        path, video = whole or (None, None)
        path = path or await asyncio.to_thread(self.shelf.locate, take)
        if path is None or take.file is None:
            return Step(Event.PART_LOST, {"file": None, "message": "the downloaded file is gone or changed"})
        if isinstance(path, Delivered):  # it was put away, and that wasn't recorded any more
            known = recalled(path)
            if known is None:
                return _parked("unmeasurable", "nothing is known of its file")
            return _judged(take, known, path, tolerance)
        crashpoints.reach("measure", path)
        measured = await self.prober.measure(path, walked=True, video=video)
        if isinstance(measured, Unmeasurable):
            return _parked("unmeasurable", f"the file can't be measured: {measured.reason}")
        return replace(_judged(take, measured, measured.of(take.file), tolerance), measured=path)

    # --- verified ----------------------------------------------------------------------------------

    async def fetch_again(self, shot: str, take: Take) -> Step | str:
        """Fetch the file of a verified take once more; or why it can't be had."""
        file, last = take.file, take.last
        if file is None or _age(last) > self.pipeline.provider.keeps(take.order.model):
            return "the gateway has it no more"
        if self.gateway is None or last.gateway != self.gateway.address.name:
            return f"only a run with the gateway {last.gateway} and its key can fetch it"
        part = (await self._fetch(shot, take, here=True)).part
        if part.fetched is not Fetched.COMPLETE:
            return f"it couldn't be fetched again: {part.why}"
        path = self.shelf.part(shot, take.number)
        if part.sha256 != file.sha256:
            measured = await self.prober.measure(path, walked=True)
            tolerance = self.pipeline.verify.duration_tolerance
            if isinstance(measured, Unmeasurable) or not judge(measured, take.order, tolerance).matches:
                return "what the gateway sends now is another video"
        fresh = self.shelf.expected(shot, take.number, part.sha256, part.bytes)
        again = replace(file, output=fresh.output, name=fresh.name, sha256=fresh.sha256, bytes=fresh.bytes)
        return Step(None, {"file": again}, measured=path)


def _has_told(store: Store, gateway: str) -> bool:
    attempts = attempts_of(store.shots.values())
    return any(attempt.gateway == gateway and attempt.status in _TOLD for attempt in attempts)


def _ended(watch: Watch, answer: PollAnswer, cost: Decimal | None) -> Step | None:
    """What a task's end makes of its take; None: it isn't over, or nobody can rely on that yet."""
    known = {"content_url": answer.told.content_url, "charged_usd": cost}
    told = {name: value for name, value in known.items() if value is not None}
    if answer.progress is Progress.COMPLETED:
        return Step(Event.COMPLETED, told)
    if answer.progress is Progress.UNREADABLE:
        return Step(Event.UNSETTLED, {"reason": "unreadable", "message": answer.message, **told})
    if answer.progress is Progress.BLOCKED:
        return Step(Event.FAILED, {"reason": "blocked", "message": answer.message, **told})
    if answer.progress is Progress.FAILED and watch.failed >= CONFIRMATIONS:
        return Step(Event.FAILED, {"reason": "failed", "message": answer.message, **told})
    return None


def _judged(take: Take, measured: Measured, file: Delivered, tolerance: float) -> Step:
    """What the measured facts of its file make of a take."""
    verdict = judge(measured, take.order, tolerance)
    facts = {"file": file, "message": verdict.text or None}
    return Step(Event.MATCHES, facts) if verdict.matches else Step(Event.DIFFERS, {**facts, "reason": "mismatched"})


def not_stored(content: Content, why: str, interval: float) -> Step:
    """What becomes of a take that couldn't be put into its store now: tried again, as often as a download."""
    content.unsent += 1
    if content.unsent > CORRUPT_AGAIN:
        return _parked("not_stored", f"it couldn't be put into the store {content.unsent} times, the last one: {why}")
    return Step(None, wait=interval)


def _parked(reason: str, message: str) -> Step:
    return Step(Event.UNSETTLED, {"reason": reason, "message": message})


def _without_content(take: Take, part: Part, waited: float, kept: float) -> Step:
    if part.answered and _age(take.last) > kept:  # nothing is given up for a fault on this side
        message = f"no video {clock.in_words(kept)} after it was ordered: {part.why}"
        said = {"reason": "expired", "message": message}
        return Step(Event.GONE, said)
    return _parked("no_content", f"completed, but no video after {waited:.0f} s: {part.why}")


def _overdue(watch: Watch, take: Take, kept: float) -> Step:
    problem = f" ({watch.problem})" if watch.problem else ""
    days = int(_age(take.last) // 86_400)
    old = f", {counted(days, 'day')} after it was ordered" if days else ""
    todo = "run again"
    if _age(take.last) > kept:
        todo = "look it up in the gateway's console; the next run asks again, or veopipe resolve gives it up"
    message = f"not ready {watch.seconds():.0f} s after this run began to ask{old}{problem}; {todo}"
    return _parked("poll_timeout", message)


def _age(attempt: Attempt) -> float:
    """Seconds since the gateway took an attempt: by our clock or by the gateway's, whichever makes it younger.

    A wrong clock must not write a video off.
    """
    return clock.since(attempt.created_at, attempt.submitted_at)
