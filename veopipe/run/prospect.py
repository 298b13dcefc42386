"""What to know before a run, besides the price: how long it takes, if the disk has room, what waited too long.

It decides nothing. Of rehearsals nothing is said: their gateway has times and videos of its own.

Source: docs/outlook.md, 1, 2 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from veopipe import clock
from veopipe.delivery import room
from veopipe.ledger.prefixes import is_prefix
from veopipe.plan.coming import coming
from veopipe.plan.duration import Duration, Pace, duration
from veopipe.plan.plan import Plan
from veopipe.plan.volume import Volume, volume
from veopipe.project.open_ledger import OpenLedger
from veopipe.takes.kinds import experience
from veopipe.takes.status import CARRIED_ON, Status
from veopipe.text import counted, printable, sized
from veopipe.values import dataclass

OLD = 24 * 3600.0
"""Seconds after which a paid take should have been fetched: half of the two days that Veo's videos are kept."""
_UNFETCHED = CARRIED_ON - {Status.DOWNLOADED}


@dataclass(frozen=True, slots=True)
class Room:
    """What is to come, and what the disk has for it.

    Attributes:
        volume: what is to come.
        free: bytes that are free where it goes; None: nobody can say.
        folder: where it goes, as people know it.
    """

    volume: Volume
    free: int | None
    folder: str

    @property
    def is_too_little(self) -> bool:
        """Whether the disk will be full before everything is there."""
        return self.free is not None and self.free < self.volume.bytes + room.ROOM_TO_LEAVE

    def words(self) -> str:
        """What lacks, for people."""
        videos = counted(self.volume.takes, "video")
        if self.volume.assumed:
            how = "by what such videos usually have" if self.volume.assumed == self.volume.takes else "in part assumed"
        else:
            how = "by those on record"
        return (
            f"{self.folder} has {sized(self.free or 0)} free, and {videos} to come need about "
            f"{sized(self.volume.bytes)} ({how}) beside {sized(room.ROOM_TO_LEAVE)} that stay free for the ledger: "
            "a run stops buying when no more of them fit"
        )

    def as_json(self) -> dict[str, Any]:
        """As plans hold it."""
        return {
            "bytes_to_come": self.volume.bytes,
            "bytes_free": self.free,
            "is_too_little": self.is_too_little,
            "sizes_assumed": self.volume.assumed,
        }


@dataclass(frozen=True, slots=True)
class Unfetched:
    """The paid takes that should have been fetched by now.

    Attributes:
        shot: of the one that is nearest to being lost.
        age: of that one, seconds since it was ordered.
        kept: how long its gateway keeps videos, seconds.
        more: how many others are as late.
    """

    shot: str
    age: float
    kept: float
    more: int

    def words(self) -> str:
        """For people."""
        others = f" ({counted(self.more, 'more take is', 'more takes are')} as late)" if self.more else ""
        told = f"{self.shot} was ordered {clock.roughly(self.age)} ago and isn't fetched{others}"
        if self.age > self.kept:
            return f"{told}: its gateway keeps videos for {clock.in_words(self.kept)}, so it may be gone; run at once"
        return f"{told}: its gateway keeps videos for {clock.in_words(self.kept)}; run before that"

    def as_json(self) -> dict[str, Any]:
        """As plans hold it."""
        return {"shot": self.shot, "age_s": round(self.age), "kept_s": round(self.kept), "more": self.more}


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is said before a run; each is None where there is nothing to say."""

    duration: Duration | None = None
    room: Room | None = None
    unfetched: Unfetched | None = None

    def time_words(self) -> str | None:
        """How long it takes, for people; None: at most one take is to come, and that is no news."""
        return self.duration.words() if self.duration is not None and self.duration.takes > 1 else None

    def warnings(self) -> Iterator[str]:
        """What may go wrong, a sentence for each."""
        if self.room is not None and self.room.is_too_little:
            yield self.room.words()
        if self.unfetched is not None:
            yield self.unfetched.words()

    def sentences(self) -> Iterator[str]:
        """All of it, as a run says it before it asks."""
        if (time := self.time_words()) is not None:
            yield f"time: {time}"
        yield from (f"warning: {sentence}" for sentence in self.warnings())

    def as_json(self) -> dict[str, Any]:
        """As plans hold it."""
        said = {"time": self.duration, "room": self.room, "unfetched": self.unfetched}
        return {name: what.as_json() for name, what in said.items() if what is not None}


def prospect(ledger: OpenLedger, plan: Plan) -> Prospect:
    """What there is to say of a plan.

    Args:
        ledger: of what is planned.
        plan: what a run would do.
    """
    project = ledger.project
    if project.choices.simulate:
        return Prospect()
    takes = coming(plan, ledger.store.shots, project.address.name)
    if not takes:
        return Prospect(unfetched=unfetched(ledger))
    known, limits = experience(ledger.store.shots.values()), project.pipeline.limits
    pace = Pace(
        creates_per_minute=limits.creates_per_minute,
        in_flight=limits.in_flight,
        downloads=limits.downloads,
        interval=project.pipeline.poll.interval,
        deadline=limits.deadline,
    )
    there = None
    if not is_prefix(project.places.output_base):  # how much a store takes, nobody can say
        shown = printable(project.pipeline.output, own=True)
        there = Room(volume((one.kind for one in takes), known), room.free(project.places.output), shown)
    return Prospect(duration(takes, known, pace), there, unfetched(ledger))


def unfetched(ledger: OpenLedger) -> Unfetched | None:
    """The paid takes that are without a file for a day, or for half the time that their gateway keeps them."""
    project, late = ledger.project, []
    if project.choices.simulate:
        return None
    for shot, state in ledger.store.shots.items():
        if project.choices.selects and shot not in project.wanted:
            continue
        for take in state.takes:
            if take.status in _UNFETCHED:
                kept = project.pipeline.provider.keeps(take.order.model)
                age = clock.since(take.last.created_at, take.last.submitted_at)
                if age > min(OLD, kept / 2):
                    late.append((age - kept, shot, age, kept))
    if not late:
        return None
    _, shot, age, kept = max(late)
    return Unfetched(shot, age, kept, len(late) - 1)
