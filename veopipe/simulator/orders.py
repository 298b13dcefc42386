"""What an accepted create makes, and where a task stands, whatever the words of the wire for it are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from random import Random

DIMENSIONS: Mapping[tuple[str, str], tuple[int, int]] = {
    ("360p", "16:9"): (640, 360),
    ("360p", "9:16"): (360, 640),
    ("720p", "16:9"): (1280, 720),
    ("720p", "9:16"): (720, 1280),
    ("1080p", "16:9"): (1920, 1080),
    ("1080p", "9:16"): (1080, 1920),
    ("4k", "16:9"): (3840, 2160),
    ("4k", "9:16"): (2160, 3840),
}
"""Resolution and ratio → width and height, of all that any dialect sells."""


class State(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long tasks take: a lognormal law, drawn from the same seed each time.

    Attributes:
        median: seconds.
        spread: of the logarithms; 0: all alike.
    """

    median: float
    spread: float = 0.0
    _chance: Random = field(default_factory=lambda: Random(20_261_127))

    def end(self, begin: float) -> float:
        """When the next task ends that begins then."""
        return begin + self.median * math.exp(self.spread * self._chance.gauss(0, 1) if self.spread else 0.0)


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted request: what is delivered.

    Attributes:
        model: as requested.
        prompt: as sent.
        mode: `text`, `first frame`, `first and last frame` or `reference images`.
        seconds: length of the video.
        resolution: what is delivered, which for 4k without metadata is 1080p.
        ratio: `16:9` or `9:16`.
        seed: as sent, or None.
        price: US dollars.
        ignored: names of text fields that mean nothing to the gateway.
    """

    model: str
    prompt: str
    mode: str
    seconds: int
    resolution: str
    ratio: str
    seed: str | None
    price: Decimal
    ignored: tuple[str, ...] = ()
