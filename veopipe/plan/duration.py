"""How long a plan takes, and which limit holds it. Pure: what takes need is on record, or assumed.

Each limit alone would let the run end at some time; the latest of these is when it ends, and its limit is the one to
raise. Trouble, a slow gateway and further attempts come on top.

Source: docs/outlook.md, 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from veopipe.clock import roughly
from veopipe.plan.coming import Coming
from veopipe.takes.kinds import Experience, Kind
from veopipe.values import dataclass

USUAL = 63.0
"""Seconds that a take renders on average, where nothing is on record (docs/polls.md, 1)."""
_MINUTE = 60.0
_NOTHING = Experience()


class Limit(StrEnum):
    """What holds a run."""

    RATE = "creates_per_minute"
    IN_FLIGHT = "in_flight"
    DOWNLOADS = "downloads"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The limits of a pipeline that a duration depends on (`Pipeline.limits`, `Poll.interval`)."""

    creates_per_minute: float
    in_flight: int
    downloads: int
    interval: float
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a run takes, about.

    Attributes:
        by: limit → seconds after which the run would end if nothing else held it; the rate is always there.
        takes: how many are to come.
        longest_chain: how many of them the longest chain has.
        take: seconds from a create to the file, on average.
        on_record: takes of these kinds that say so; 0: it is assumed.
        missed: creates that the deadline leaves to the next run.
        pace: the limits.
    """

    by: Mapping[Limit, float]
    takes: int
    longest_chain: int
    take: float
    on_record: int
    missed: int
    pace: Pace

    @property
    def limit(self) -> Limit:
        """What holds the run."""
        return max(self.by, key=lambda limit: self.by[limit])

    @property
    def seconds(self) -> float:
        """Until the last file is there."""
        return max(self.by.values())

    def words(self) -> str:
        """For people: `about 17 h at 10 creates a minute; in_flight: 4 makes it 42 h (…)`."""
        pace, (rate, longest) = self.pace, (roughly(self.by[Limit.RATE]), roughly(self.seconds))
        holds = {
            Limit.RATE: "",
            Limit.IN_FLIGHT: f"in_flight: {pace.in_flight}",
            Limit.DOWNLOADS: f"downloads: {pace.downloads}",
            Limit.CHAIN: f"a chain of {self.longest_chain:,} takes",
        }[self.limit]
        said = f"about {rate} at {pace.creates_per_minute:g} creates a minute"
        said += f"; {holds} makes it {longest}" if holds and longest != rate else ""
        if self.missed and pace.deadline is not None:
            said += f"; the deadline of {roughly(pace.deadline)} leaves some {self.missed:,} to the next run"
        how = f"{self.on_record:,} on record" if self.on_record else "assumed"
        return f"{said} ({roughly(self.take)} a take, {how})"

    def as_json(self) -> dict[str, object]:
        """As plans hold it."""
        return {
            "seconds": round(self.seconds),
            "limit": self.limit.value,
            "by_limit": {limit.value: round(seconds) for limit, seconds in self.by.items()},
            "take_s": round(self.take, 1),
            "takes_on_record": self.on_record,
            **({"left_by_deadline": self.missed} if self.missed else {}),
        }


@dataclass(frozen=True, slots=True)
class _Needs:
    """What one take needs, in seconds."""

    renders: float
    fetched: float

    @property
    def whole(self) -> float:
        return self.renders + self.fetched


def duration(takes: Sequence[Coming], known: Mapping[Kind, Experience], pace: Pace) -> Duration | None:
    """How long it takes until all of these are there; None: nothing is to come.

    Args:
        takes: what is to come.
        known: what is on record.
        pace: the limits.
    """
    if not takes:
        return None
    needs = [_needs(one, known, pace) for one in takes]
    usual = sum(need.whole for need in needs) / len(needs)
    creates = sum(one.is_new for one in takes)
    length, chain = _longest_chain(takes, needs)
    by = {Limit.RATE: _last_create(creates, pace) + usual, **_places(needs, usual, pace)}
    if length > 1:
        by[Limit.CHAIN] = chain
    on_record = sum(known.get(kind, _NOTHING).rendered.count for kind in {one.kind for one in takes})
    missed = _missed(creates, max(by.values()) - usual, pace)
    return Duration(by, len(takes), length, usual, on_record, missed, pace)


def _places(needs: Sequence[_Needs], usual: float, pace: Pace) -> dict[Limit, float]:
    """What the places for takes under way, and for downloads, make of it."""
    found, at_once = dict[Limit, float](), pace.in_flight
    if at_once < len(needs):  # else each take finds a place at once
        found[Limit.IN_FLIGHT] = (sum(need.whole for need in needs) + (at_once - 1) * usual) / at_once
    if fetched := sum(need.fetched for need in needs):
        rendered = sum(need.renders for need in needs) / len(needs)
        found[Limit.DOWNLOADS] = rendered + fetched / min(pace.downloads, len(needs))
    return found


def _missed(creates: int, last: float, pace: Pace) -> int:
    """How many creates the deadline comes before, where the last one would go after so many seconds."""
    if pace.deadline is None or last <= pace.deadline:
        return 0
    return round(creates * (1 - pace.deadline / last))


def _needs(one: Coming, known: Mapping[Kind, Experience], pace: Pace) -> _Needs:
    record = known.get(one.kind, _NOTHING)
    renders = record.rendered.value if record.rendered.count else USUAL + pace.interval / 2
    return _Needs(renders if one.renders else 0.0, record.fetched.value)


def _last_create(creates: int, pace: Pace) -> float:
    """Seconds until the last of so many creates may go (`run.pace.Rate`)."""
    at_once = max(1, int(pace.creates_per_minute))
    return max(creates - 1, 0) // at_once * (_MINUTE / min(pace.creates_per_minute, 1))


def _longest_chain(takes: Sequence[Coming], needs: Sequence[_Needs]) -> tuple[int, float]:
    """How many takes the chain that needs longest has, and the seconds; chains hold no circle."""
    seconds = {one.take: need.whole for one, need in zip(takes, needs, strict=True)}
    before = {one.take: [take for take in one.of if take in seconds] for one in takes}
    found: dict[tuple[str, int], tuple[float, int]] = {}
    look_at = list(before)
    while look_at:
        waits = [take for take in before[look_at[-1]] if take not in found]
        if waits:
            look_at += waits
            continue
        here = look_at.pop()
        longest, length = max((found[take] for take in before[here]), default=(0.0, 0))
        found[here] = longest + seconds[here], length + 1
    longest, length = max(found.values())
    return length, longest
