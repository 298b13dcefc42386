"""Takes wait for their polls, together, and their waits end with the run."""

from __future__ import annotations

import asyncio
import time

from tests.harness.builders import take
from veopipe.dialects.base import PollAnswer, Progress
from veopipe.pipeline.pipeline import Poll
from veopipe.run.pace import Tempo
from veopipe.run.polling.waiting import Waits

TAKES = 30


def waits(interval: float = 60.0) -> Waits:
    """Those of a run with nothing on record."""
    return Waits(Poll(interval=interval, timeout=600.0, adaptive=True), Tempo(interval), asyncio.Event())


def test_news_may_come_while_others_are_called_up_already() -> None:
    """The waits of all end in one turn of the loop, and the first answer of some is news for the others."""

    async def everybody() -> list[bool]:
        found, until = waits(), time.monotonic() + 0.3

        async def one(number: int) -> bool:
            goes_on = await found.turn(("a", number), take(), until)
            found.hear(("a", number), take(), PollAnswer(Progress.COMPLETED))
            return goes_on

        return await asyncio.gather(*map(one, range(TAKES)))

    assert asyncio.run(everybody()) == [True] * TAKES


def test_the_end_of_a_run_ends_every_wait() -> None:
    async def ended() -> list[bool]:
        found = waits()
        waiting = [asyncio.create_task(found.turn(("a", n), take(), time.monotonic() + 600.0)) for n in range(5)]
        await asyncio.sleep(0.05)
        found.leaving.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(ended()) == [False] * 5
