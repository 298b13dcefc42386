"""How fast to ask and in which order: the create rate, waits after trouble, the line for downloads.

* The rate is what it says: at most `creates_per_minute` in any 60 seconds; a short list starts at once.
* Waits are random, so that many takes and many machines don't ask in step (AWS: "full jitter").
* All waits grow from the pipeline's own intervals, so a rehearsal with fast polling also recovers fast.
* Monotonic time only: neither a clock change nor a sleep of the machine makes a wait wrong.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import field

from veopipe.values import dataclass

MINUTE = 60.0
SLOWEST = 8.0
"""Two minutes between polls at the usual 15 s; slower would miss the 48 hours for long lists."""
RECOVERY = 8
"""Poll intervals: two quiet minutes at the usual 15 s take half of the slowness back."""


@dataclass(slots=True)
class Rate:
    """At most `per_minute` creates in any minute; below one, one in as many minutes as that takes.

    What counts is when a create goes, not when it was let go: in between its frames are taken, and perhaps a video is
    fetched again, so that several would go together. Until then it keeps its place.
    """

    per_minute: float
    _sent: deque[float] = field(default_factory=deque)
    _let_go: set[Hashable] = field(default_factory=set)

    def delay(self, slowed: float = 1.0) -> float | None:
        """Seconds until the next create may be let go; None: not before one that was let go has gone, or won't go.

        Args:
            slowed: how many times as slow as usual (`Tempo.factor`).
        """
        per_minute = self.per_minute / slowed
        now, window = time.monotonic(), MINUTE / min(per_minute, 1)
        while self._sent and now - self._sent[0] >= window:
            self._sent.popleft()
        if len(self._sent) + len(self._let_go) < max(1, int(per_minute)):
            return 0.0
        return window - (now - self._sent[0]) if self._sent else None

    def let_go(self, create: Hashable) -> None:
        """A create may go, and is made ready."""
        self._let_go.add(create)

    def went(self, create: Hashable) -> None:
        """It goes now."""
        self._let_go.discard(create)
        self._sent.append(time.monotonic())

    def over(self, create: Hashable) -> None:
        """It won't go any more, or went."""
        self._let_go.discard(create)


@dataclass(slots=True)
class Tempo:
    """How hard the gateway is asked: one pace for creates and polls, so that both slow down together.

    Each time the gateway says that it is too much, everything takes twice as long, up to `SLOWEST` times;
    with every quiet `RECOVERY` intervals half of that is taken back.

    Attributes:
        interval: seconds between polls of a take at the usual pace.
    """

    interval: float
    _slowed: float = 1.0
    _since: float = field(default_factory=time.monotonic)
    _not_before: float = 0.0

    def slow_down(self, wait: float | None) -> None:
        """The gateway was busy; answers within one interval are one sign.

        Args:
            wait: seconds that it asked to leave it alone, if it said.
        """
        now = time.monotonic()
        factor = self.factor()
        if factor == 1.0 or now - self._since >= self.interval:
            self._slowed, self._since = min(factor * 2, SLOWEST), now
        self._not_before = max(self._not_before, now + (wait or 0.0))

    def factor(self) -> float:
        """How many times as long everything takes now, from 1."""
        quiet = (time.monotonic() - self._since) / (RECOVERY * self.interval)
        return max(1.0, self._slowed * float(0.5**quiet))

    def rest(self) -> float:
        """Seconds that the gateway asked to be left alone, from now."""
        return max(self._not_before - time.monotonic(), 0.0)


class Line:
    """So many at once; of those who wait, the one with the lowest rank comes next."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[tuple[str, int, asyncio.Future[None]]] = []
        self._came = 0

    @asynccontextmanager
    async def turn(self, rank: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        if self._free:
            self._free -= 1
        else:
            place, self._came = asyncio.get_running_loop().create_future(), self._came + 1
            heapq.heappush(self._waiting, (rank, self._came, place))
            try:
                await place
            except asyncio.CancelledError:
                if not place.cancelled():  # called up and cancelled at once: the next one
                    self._call_up()
                raise
        try:
            yield
        finally:
            self._call_up()

    def _call_up(self) -> None:
        while self._waiting:
            place = heapq.heappop(self._waiting)[2]
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


def about(seconds: float) -> float:
    """`seconds` ± 20 % (docs/hazards.md, b)."""
    return seconds * random.uniform(0.8, 1.2)


def after_throttling(interval: float) -> float:
    """Seconds to wait after a 429 without Retry-After: 30 to 120 s at the usual poll interval of 15 s."""
    return random.uniform(2 * interval, 8 * interval)


def after_trouble(tries: int, interval: float) -> float:
    """Seconds to wait after the n-th failure in a row: 2, 4, 8 … 60 s at an interval of 15 s, jittered."""
    return random.uniform(0.5, 1.0) * min(interval * 4, interval / 7.5 * float(2 ** min(tries, 16)))
