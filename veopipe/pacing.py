"""How fast to ask: the create rate, and how long to wait after trouble.

* The rate is what it says: at most `creates_per_minute` in any 60 seconds; a short list starts at once.
* Waits are random, so that many takes and many machines don't ask in step (AWS: "full jitter").
* All waits grow from the pipeline's own intervals, so a rehearsal with fast polling also recovers fast.
* Monotonic time only: neither a clock change nor a sleep of the machine makes a wait wrong.
"""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class Rate:
    """At most `per_minute` creates in any minute; below one, one in as many minutes as that takes."""

    per_minute: float
    _sent: deque[float] = field(default_factory=deque)

    def delay(self) -> float:
        """Seconds until the next create may go."""
        now, window = time.monotonic(), MINUTE / min(self.per_minute, 1)
        while self._sent and now - self._sent[0] >= window:
            self._sent.popleft()
        return 0.0 if len(self._sent) < max(1, int(self.per_minute)) else window - (now - self._sent[0])

    def count(self) -> None:
        """A create goes now."""
        self._sent.append(time.monotonic())


def about(seconds: float) -> float:
    """`seconds` ± 20 % (reliability.md, b: cadence of polls)."""
    return seconds * random.uniform(0.8, 1.2)


def after_throttling(interval: float) -> float:
    """Seconds to wait after a 429 without Retry-After: 30 to 120 s at the usual poll interval of 15 s."""
    return random.uniform(2 * interval, 8 * interval)


def after_trouble(tries: int, interval: float) -> float:
    """Seconds to wait after the n-th failure in a row: 2, 4, 8 … 60 s at an interval of 15 s, jittered."""
    return random.uniform(0.5, 1.0) * min(interval * 4, interval / 7.5 * float(2 ** min(tries, 16)))
