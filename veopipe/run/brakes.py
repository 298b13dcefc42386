"""What ends a run early: why it makes no further create, and whether it leaves altogether."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from veopipe.errors import ExitCode


@dataclass(slots=True)
class Halt:
    """The brakes of a run.

    Attributes:
        why: why no further create is made; the first reason stays. None: creates may be made.
        codes: exit codes that the reasons ask for.
        notes: every reason, in the order in which it came.
        leaving: set when nothing new may be started and what waits should end.
    """

    why: str | None = None
    codes: set[ExitCode] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def stop_creating(self, why: str, code: ExitCode | None = None) -> bool:
        """Make no further create from now on; whether that is news."""
        if code is not None:
            self.codes.add(code)
        news = why not in self.notes
        if news:
            self.notes.append(why)
        self.why = self.why or why
        return news

    def leave(self, why: str, code: ExitCode) -> None:
        """End the run: wake whoever waits."""
        self.stop_creating(why, code)
        self.leaving.set()

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
