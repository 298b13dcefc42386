"""From a task id to a verified file: the loop of a take, and the only place that records what its steps say.

While a take's status is open: take its step, let the attempt table decide, record durably, go on. A resumed take
enters where its file says; there is no resume code.

Source: docs/design.md, 5 (Videos) and 6 (The loop).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, TypeVar

from veopipe.delivery.buckets.objects import Passing, Refused
from veopipe.delivery.output import Output
from veopipe.delivery.shelf import Away
from veopipe.errors import ExitCode
from veopipe.ledger.store import NotRecorded, Store
from veopipe.run import naming
from veopipe.run.events import Happening
from veopipe.run.polling.watching import Watch
from veopipe.run.steps import Step, Steps, not_stored
from veopipe.takes.status import Event, Status
from veopipe.takes.take import ShotState, Take
from veopipe.values import dataclass

_T = TypeVar("_T")


@dataclass(slots=True)
class Settler:
    """Carries takes on from their task id to their file.

    Attributes:
        store: where takes stand.
        output: where they are put.
        steps: say what happens to a take.
        may_show: whether the finished name of a shot may go to its take of a number (`Plan.may_show`).
    """

    store: Store
    output: Output
    steps: Steps
    may_show: Callable[[ShotState, int], bool]
    _turns: dict[tuple[str, int], asyncio.Lock] = field(default_factory=dict)

    async def settle(self, shot: str, number: int) -> None:
        """Carry one take on until it is settled, parked, or the run ends."""
        watch = Watch(self.steps.pipeline.poll.timeout)
        brakes = self.steps.brakes
        take = self.store.shots[shot].take(number)
        try:
            while not brakes.is_leaving and (step := await self._next(shot, take, watch)) is not None:
                take = self.store.shots[shot].take(number)
                if step.wait and not await brakes.pause(step.wait):
                    return
        except Away as away:  # nothing is asked for, fetched or recorded in its stead
            brakes.journal.note(Happening.MISSING, shot, number, str(away))
        except (NotRecorded, OSError) as error:
            self._stop(shot, error)

    async def _next(self, shot: str, take: Take, watch: Watch) -> Step | None:
        """Take the next step and record it; None: there is nothing more that can be done for the take now."""
        try:
            step = await self.steps.next(shot, take, watch)
            if step is not None:
                await self._record(shot, take, step)
        except Passing as trouble:  # the part is where it was, and nothing was recorded
            self.steps.brakes.journal.note(Happening.WAITING, shot, take.number, f"the store: {trouble.strerror}")
            step = not_stored(watch.content, trouble.strerror or "", self.steps.pipeline.download.not_ready_interval)
            await self._record(shot, take, step)
        return step

    def _stop(self, shot: str, error: Exception) -> None:
        """Make no further create: what is paid couldn't be put down. A store says the same of every shot."""
        said = f"the store refuses: {error.strerror}" if isinstance(error, Refused) else f"{shot}: {_said(error)}"
        self.steps.brakes.stop(said, ExitCode.ENVIRONMENT)

    async def _record(self, shot: str, take: Take, step: Step) -> None:
        """Put down what a step says of a take."""
        if step.event is None and not step.facts:
            return
        # One hand-over to a thread for all of it: each costs as much as a millisecond of work.
        if step.measured is not None or step.event is Event.MATCHES:
            taken, shown = await self._in_a_thread(self._put_down, shot, take, step)
        else:  # waits behind no upload
            taken, shown = await asyncio.to_thread(self._put_down, shot, take, step)
        if step.event is not None:
            self.steps.brakes.journal.note(taken.status, shot, take.number, taken.last.message or "")
        if isinstance(shown, OSError):
            self._stop(shot, shown)
        else:
            self._tell(shot, take.number, shown)

    async def _in_a_thread(self, work: Callable[..., _T], *of: Any) -> _T:
        """Do what may put something into the output; where that takes its time, it has threads of its own."""
        return await asyncio.get_running_loop().run_in_executor(self.output.threads, work, *of)

    def _put_down(self, shot: str, take: Take, step: Step) -> tuple[Take, str | OSError | None]:
        """Name a measured part, record what happened, let a verified take be shown; what became of the latter."""
        facts = dict(step.facts)
        if step.measured is not None:
            measured = facts["file"]
            facts["file"] = self.output.shelf.put_away(step.measured, take, measured)
            if facts["file"].sha256 != measured.sha256:  # what lies there is the take, so that is judged next
                return self.store.change(shot, take.number, lambda old: _with(old, facts)), None
        if step.event is None:
            return self.store.change(shot, take.number, lambda old: _with(old, facts)), None
        taken = self.store.record(shot, take.number, step.event, **facts)
        if taken.status is not Status.VERIFIED or not self.may_show(self.store.shots[shot], take.number):
            return taken, None
        try:
            return taken, self._publish(shot, taken)
        except OSError as error:  # it is verified all the same
            return taken, error

    def _publish(self, shot: str, take: Take) -> str | None:
        """Let the shot's finished name be this verified take; why it can't be, in words, or `OSError`."""
        return naming.show(self.store, self.output.shelf, shot, take)

    def _tell(self, shot: str, number: int, left: str | None) -> None:
        if left:
            self.steps.brakes.journal.note(Happening.LEFT_ALONE, shot, number, left)

    async def _show(self, shot: str, take: Take) -> None:
        """Let the shot's finished name be this verified take; raises `OSError` where it can't be linked or copied."""
        self._tell(shot, take.number, await self._in_a_thread(self._publish, shot, take))

    async def bring_back(self, shot: str, take: Take) -> None:
        """See that a verified take is on disk under both names; fetch it again if the gateway may have it.

        Never bought again. A run and a shot that takes a frame of it may ask at once.
        """
        async with self._turns.setdefault((shot, take.number), asyncio.Lock()):
            await self._bring_back(shot, take)

    async def _bring_back(self, shot: str, take: Take) -> None:
        brakes = self.steps.brakes
        try:
            shelf = self.output.shelf
            if not await self._in_a_thread(shelf.restore, shot, take):
                if (away := shelf.instead(shot, take)) is not None:
                    brakes.journal.note(Happening.MISSING, shot, take.number, str(away))
                    return
                step = await self.steps.fetch_again(shot, take)
                if isinstance(step, str):
                    brakes.journal.note(Happening.MISSING, shot, take.number, f"its file is gone, and {step}")
                    return
                await self._record(shot, take, step)
                brakes.journal.note(Happening.FETCHED_AGAIN, shot, take.number)
            if self.may_show(self.store.shots[shot], take.number):
                await self._show(shot, self.store.shots[shot].take(take.number))
        except (NotRecorded, OSError) as error:
            self._stop(shot, error)


def _with(take: Take, facts: Mapping[str, Any]) -> Take:
    """The take, where it stands, with what became known of it."""
    of_attempt = {name: fact for name, fact in facts.items() if name != "file"}
    last = replace(take.last, **of_attempt)
    return replace(take, attempts=(*take.attempts[:-1], last), file=facts.get("file", take.file))


def _said(error: Exception) -> str:
    return f"{error.strerror} ({error.filename})" if isinstance(error, OSError) else str(error)
