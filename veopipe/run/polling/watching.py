"""What polls and downloads of one take said so far in one run, and when to ask again. No clock but the monotonic one.

Source: docs/design.md, 6; docs/hazards.md, b (Poll).
"""

from __future__ import annotations

import time
from dataclasses import field
from pathlib import Path

from veopipe.delivery.mp4.boxes import Video
from veopipe.dialects.base import PollAnswer, Progress
from veopipe.run.pace import Tempo, about, after_trouble
from veopipe.takes.take import Delivered
from veopipe.text import without_ids
from veopipe.values import dataclass

MOST_NEWS = 20
"""Different things that a gateway may say of one take in one run; one that says something else each time says noise."""


@dataclass(slots=True)
class Content:
    """What downloads of one video said so far.

    Attributes:
        corrupt: those whose body was damaged.
        was_empty: the last one brought no video.
        unsent: how often it couldn't be put into its store.
        whole: the part that the last one brought, hashed and looked at as it came, and what its boxes say; or the
            record of it, measured and in its place.
    """

    corrupt: int = 0
    was_empty: bool = False
    unsent: int = 0
    whole: tuple[Path | Delivered, Video | None] | None = None
    _since: float | None = None

    def count(self, *, is_corrupt: bool, is_empty: bool) -> float:
        """Take one download into account; seconds since the first one, not since it stood in line."""
        self.corrupt += is_corrupt
        self.was_empty = is_empty
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since


@dataclass(slots=True)
class Watch:
    """What polls and downloads of one take said so far in this run, and how long they may go on.

    Attributes:
        limit: seconds from when this run began to poll the take (`poll.timeout`).
        since: when it began, monotonic.
        failed: polls in a row that said `failed`.
        troubles: polls in a row without a usable answer.
        unknown_since: since when the gateway hasn't known the task, monotonic.
        problem: what the gateway said last, for people.
        lost: polls in a row for which there was no address.
        content: what downloads said of its video.
    """

    limit: float
    since: float = field(default_factory=time.monotonic)
    failed: int = 0
    troubles: int = 0
    unknown_since: float | None = None
    problem: str = ""
    lost: int = 0
    content: Content = field(default_factory=Content)
    _heard: set[str] = field(default_factory=set)

    def count(self, answer: PollAnswer) -> None:
        """Take one answer into account; a different one ends a row."""
        progress = answer.progress
        self.problem = answer.message
        self.lost = self.lost + 1 if answer.is_about_route else 0
        if progress is not Progress.TROUBLE:
            self.failed = self.failed + 1 if progress is Progress.FAILED else 0
        self.troubles = self.troubles + 1 if progress is Progress.TROUBLE else 0
        if progress is Progress.NO_SUCH_TASK:
            self.unknown_since = self.unknown_since or time.monotonic()
        elif progress is not Progress.TROUBLE:
            self.unknown_since = None

    def is_news(self, answer: PollAnswer) -> bool:
        """Whether people must hear what the gateway says, and haven't in this run."""
        if not answer.is_news or len(self._heard) >= MOST_NEWS:
            return False
        said = without_ids(answer.message)
        if said in self._heard:
            return False
        self._heard.add(said)
        return True

    @property
    def until(self) -> float:
        """When this run asks for the last time, monotonic."""
        return self.since + self.limit

    def is_over(self) -> bool:
        """Whether this run has asked for long enough."""
        return self.seconds() >= self.limit

    def seconds(self) -> float:
        """Since this run began to poll the take."""
        return time.monotonic() - self.since

    def unknown_for(self) -> float:
        """Seconds that the gateway hasn't known the task."""
        return time.monotonic() - self.unknown_since if self.unknown_since is not None else 0.0

    def wait(self, answer: PollAnswer, tempo: Tempo) -> float:
        """Seconds until the next poll."""
        interval = tempo.interval * tempo.factor()
        if answer.progress is Progress.TROUBLE:
            asked = 0.0 if answer.busy else answer.retry_after or 0.0  # a busy gateway rests from everybody: `_rested`
            return max(asked, interval * 0.8, after_trouble(self.troubles, interval))
        return about(interval)
