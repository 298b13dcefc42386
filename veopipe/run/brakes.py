"""What ends a run early: why it makes no further create, and whether it leaves altogether.

Everything that can end creating is decided here: two answers in doubt in a row, a refused account, an address that
takes no creates, a gateway that can't be reached or stays busy, refusals and failures in a row. What is under way
goes on.

Source: docs/design.md, 4 and 6 (Answers to a create); docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import field

from veopipe.dialects.base import CreateAnswer
from veopipe.errors import ExitCode
from veopipe.run.events import Happening, Journal
from veopipe.takes.status import Scope, Status
from veopipe.values import dataclass

DOUBTS_IN_A_ROW = 2
"""Answers in doubt after which nothing more is sent: something is wrong with the way to the gateway."""
NOT_SENT_TRIES = 5
"""Further tries of a create that provably wasn't sent (docs/hazards.md, b); one, before a run's first answer."""
THROTTLED_TRIES = 5
"""429 answers for one take after which creating ends (docs/hazards.md, b)."""


@dataclass(slots=True)
class _Streaks:
    """Bad results in a row, in the order of answers.

    Attributes:
        doubts: answers in doubt.
        bad: takes that failed or are mismatched.
        refusals: of a shot, all for the same reason.
        refused_for: that reason.
        throttled: shot → 429 answers.
        answered: the gateway has answered a create of this run.
        unsent: creates that provably weren't sent.
        unsent_at: when the newest of them was judged, monotonic.
    """

    doubts: int = 0
    bad: int = 0
    refusals: int = 0
    refused_for: str | None = None
    throttled: dict[str, int] = field(default_factory=dict)
    answered: bool = False
    unsent: int = 0
    unsent_at: float = 0.0


@dataclass(slots=True)
class Brakes:
    """The brakes of a run.

    Attributes:
        journal: is told why they are on.
        failures: results of a kind in a row that end creating (`limits.stop_after_failures`).
        why: why no further create is made; the first reason stays. None: creates may be made.
        codes: exit codes that the reasons ask for.
        notes: every reason, in the order in which it came.
        leaving: set when nothing new may be started and what waits should end.
        is_full: the disk takes no video any more, so no download is begun either.
    """

    journal: Journal
    failures: int
    why: str | None = None
    codes: set[ExitCode] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    is_full: bool = False
    _streaks: _Streaks = field(default_factory=_Streaks)

    def stop_quietly(self, why: str, code: ExitCode | None = None) -> bool:
        """Make no further create from now on; whether that is news."""
        if code is not None:
            self.codes.add(code)
        news = why not in self.notes
        if news:
            self.notes.append(why)
        self.why = self.why or why
        return news

    def stop(self, why: str, code: ExitCode | None = None) -> None:
        """Make no further create from now on, and tell people why."""
        if self.stop_quietly(why, code):
            self.journal.note(Happening.STOPPED, message=why)

    def leave(self, why: str, code: ExitCode) -> None:
        """End the run: wake everything that waits."""
        self.stop_quietly(why, code)
        self.leaving.set()

    @property
    def are_on(self) -> bool:
        """Whether no further create may be made."""
        return self.why is not None or self.is_leaving

    @property
    def is_leaving(self) -> bool:
        """Whether the run is to end now."""
        return self.leaving.is_set()

    async def pause(self, seconds: float) -> bool:
        """Wait; whether the time went by without the run being ended."""
        if seconds <= 0:
            return not self.is_leaving
        try:
            async with asyncio.timeout(seconds):
                await self.leaving.wait()
        except TimeoutError:
            return True
        return False

    # --- answers to creates, in their order ----------------------------------------------------------

    def accepted(self) -> None:
        """A create was accepted."""
        self._reached()
        self._streaks.doubts = self._streaks.refusals = 0

    def refused(self, answer: CreateAnswer, gateway: str) -> None:
        """A create was refused, for good: for its shot, or for all that this account or this address could ask."""
        self._reached()
        self._streaks.doubts = 0
        if answer.scope is Scope.ACCOUNT:
            why = f"the gateway refuses this account: {answer.message}; nothing was charged for it"
            self.stop(why, ExitCode.ENVIRONMENT)
        elif answer.scope is Scope.GATEWAY:
            why = f"no shot can be made at {gateway}: {answer.message}; nothing was charged"
            self.stop(why, ExitCode.ENVIRONMENT)
        else:
            self._refused_shot(answer)

    def _refused_shot(self, answer: CreateAnswer) -> None:
        streaks = self._streaks
        streaks.refusals = streaks.refusals + 1 if answer.reason == streaks.refused_for else 1
        streaks.refused_for = answer.reason
        if streaks.refusals >= self.failures:
            number = streaks.refusals
            self.stop(f"{number} creates in a row were refused for the same reason: {answer.message}")

    def throttled(self, shot: str, answer: CreateAnswer) -> bool:
        """A create was refused for now; whether that was once too often."""
        self._reached()
        self._streaks.doubts = 0
        tries = self._streaks.throttled[shot] = self._streaks.throttled.get(shot, 0) + 1
        if tries > THROTTLED_TRIES:
            self.stop(f"the gateway stays busy: {answer.message}; the rest stays pending")
        return tries > THROTTLED_TRIES

    def doubted(self, answer: CreateAnswer) -> None:
        """Whether a create was taken isn't known."""
        self._reached()
        self._streaks.doubts += 1
        if answer.reason == "not_recorded":
            self.stop(answer.message, ExitCode.ENVIRONMENT)
        elif self._streaks.doubts >= DOUBTS_IN_A_ROW:
            self.stop("two creates in a row are in doubt: nothing more is sent in this run")

    def unsent(self, answer: CreateAnswer, gateway: str, asked_at: float) -> int:
        """A create provably wasn't sent; how many in a row by now, or 0 if that ends creating."""
        streaks = self._streaks
        if asked_at >= streaks.unsent_at:  # calls that were under way together met with the same trouble
            streaks.unsent, streaks.unsent_at = streaks.unsent + 1, time.monotonic()
        if answer.reason == "not_recorded":
            self.stop(f"{answer.message}; nothing was sent", ExitCode.ENVIRONMENT)
        elif streaks.unsent > (NOT_SENT_TRIES if streaks.answered else 1):
            self.stop(f"the gateway {gateway} can't be reached: {answer.message}", ExitCode.ENVIRONMENT)
        else:
            return streaks.unsent
        return 0

    def _reached(self) -> None:
        self._streaks.answered, self._streaks.unsent = True, 0

    # --- what became of takes ------------------------------------------------------------------------

    def landed(self, status: Status) -> None:
        """A take isn't under way any more."""
        if status is Status.VERIFIED:
            self._streaks.bad = 0
        elif status in {Status.FAILED, Status.MISMATCHED}:
            self._streaks.bad += 1
            if self._streaks.bad >= self.failures:
                self.stop(f"{self._streaks.bad} takes in a row failed or are mismatched: no further create")

    def fails_in_a_row(self) -> bool:
        """Whether too many takes in a row failed or are mismatched."""
        return self._streaks.bad >= self.failures
