"""What an account's log says about a create call whose outcome isn't known. Pure.

A log lists charges, not orders. So a call was charged where, around its time, one charge more stands there than is
accounted for; and it wasn't where none is too many, if the log can be trusted to be complete. Everything that speaks
against either leaves the call in doubt.

Source: docs/design.md, 7 (resolve); docs/api-facts.md, i.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from veopipe.text import counted, printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.dialects.base import Evidence, Request

BEFORE, AFTER = 120, 900
"""Seconds around an intent in which its charge stands: the clocks differ a little, an answer may take minutes."""
SETTLED_AFTER = 600
"""Seconds after the window until what isn't there isn't coming any more."""
CLOCKS_DIFFER = 60.0
"""Seconds by which our clock may differ from the gateway's: half of what the window has room for."""
CHARGED_WITHIN = 300
"""Seconds after its intent in which the charge of a call with a known answer was written."""


class Found(StrEnum):
    """What was found out about a take in doubt."""

    TASK = "task"
    NOT_CHARGED = "not_charged"
    CHARGED = "charged"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Question:
    """What a log is asked for.

    Attributes:
        since: Unix seconds.
        until: the same.
        model: only charges for it; None: for all.
        key_name: only charges by the key of that name; None: by all of the account.
    """

    since: int
    until: int
    model: str | None = None
    key_name: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One charge.

    Attributes:
        model: as the log calls it.
        at: Unix seconds; None: it doesn't say, so it may be of any time.
        task_ids: whatever in it can be a task's id; safe.
    """

    model: str
    at: int | None = None
    task_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """The verdict on one page.

    Attributes:
        records: the charges on it that were asked for.
        is_last: there are no more.
        trouble: why nothing of it can be relied on; empty: it can. Safe to print.
    """

    records: tuple[Record, ...] = ()
    is_last: bool = True
    trouble: str = ""


class AccountLog(Protocol):
    """How a gateway's account log is read. Asks nothing itself, never raises; see `dialect.Dialect`."""

    def token_header(self, token: str) -> tuple[str, str]:
        """Name and value of the header that shows whose account it is."""

    def page(self, question: Question, number: int) -> Request:
        """Ask for a page, from 0. Free; may be repeated."""

    def judge_page(self, evidence: Evidence, question: Question) -> Page:
        """What an answer to `page` holds."""


@dataclass(frozen=True, slots=True)
class Known:
    """A create call that was accepted, or may have been.

    Attributes:
        model: of its order.
        at: of its intent, Unix seconds.
        task_id: None: it was given up without one, so it may have a charge or none.
        is_certain: it has a charge, and around that time.
    """

    model: str
    at: float
    task_id: str | None
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Doubt:
    """A create call whose outcome isn't known, and all that is known around it.

    Attributes:
        model: of its order.
        at: of its intent, Unix seconds.
        named: an id that its answer named beside an error.
        rivals: other calls in doubt for the same model, as far as their windows touch.
        known: every other call at that gateway.
        taken: every task's id that any take has.
    """

    model: str
    at: float
    named: str | None = None
    rivals: int = 0
    known: Sequence[Known] = ()
    taken: Collection[str] = ()

    def question(self, key_name: str | None) -> Question:
        """What to ask the log for. A key of its own is asked for whatever it bought: the log may call models anew."""
        model = self.model if key_name is None else None
        return Question(int(self.at) - BEFORE, int(self.at) + AFTER, model, key_name)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of a log.

    Attributes:
        records: of all pages.
        now: the gateway's own time when it answered, Unix seconds; None: it didn't say.
        here: ours at the same moment.
        key_name: whose charges were asked for.
        trouble: why it isn't the whole log, if it isn't.
    """

    records: Sequence[Record] = ()
    now: float | None = None
    here: float = 0.0
    key_name: str | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a log says about a take in doubt.

    Attributes:
        found: what.
        message: the same for people.
        task_id: of the task that was found.
    """

    found: Found
    message: str
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Count:
    """The charges of a window beside the calls that account for them.

    Attributes:
        records: of the model, without those whose tasks are known.
        others: of other models, the same.
        certain: known calls whose charges must be among the records.
        possible: known calls whose charges may be.
        elsewhere: known calls of other models whose charges may be in the window.
    """

    records: list[Record] = field(default_factory=list)
    others: int = 0
    certain: int = 0
    possible: int = 0
    elsewhere: int = 0

    def in_words(self) -> str:
        """How many of the records are of known calls: `none is`, `2 are`, `0 to 1 are`."""
        if self.certain != self.possible:
            return f"{self.certain} to {self.possible} are"
        return {0: "none is", 1: "1 is"}.get(self.certain, f"{self.certain} are")


def judge(doubt: Doubt, seen: Seen) -> Verdict:
    """What became of a call, by the log; whatever isn't certain is unclear."""
    if doubt.rivals:
        others = counted(doubt.rivals, "other take")
        return unclear(f"{others} of {printable(doubt.model)} may or may not have been taken around the same time")
    if seen.trouble:
        return unclear(seen.trouble)
    if (why := _clock(seen)) is not None:
        return unclear(why)
    count = _counted(doubt, seen.records)
    surplus = len(count.records) - count.certain
    if surplus == 1 and count.possible == count.certain:
        return _charged(doubt, count.records)
    if surplus or count.possible != count.certain:
        charges = counted(len(count.records), "charge")
        return unclear(f"the log has {charges} around that time, and {count.in_words()} known here")
    return _not_charged(doubt, seen, count)


def unclear(why: str) -> Verdict:
    """It stays in doubt."""
    return Verdict(Found.UNCLEAR, f"still in doubt: {why}")


def _clock(seen: Seen) -> str | None:
    if seen.now is None:
        return "the gateway doesn't say what time it is, so its log can't be compared"
    apart = abs(seen.now - seen.here)
    if apart > CLOCKS_DIFFER:
        return f"this machine's clock and the gateway's are {apart:.0f} s apart, so its log can't be compared"
    return None


def _counted(doubt: Doubt, records: Sequence[Record]) -> _Count:
    first, last = int(doubt.at) - BEFORE, int(doubt.at) + AFTER
    taken = set(doubt.taken) - {doubt.named}
    inside = _inside(records, first, last)
    told = {task_id for record in inside for task_id in record.task_ids & taken}
    rest = [record for record in inside if not record.task_ids & taken]
    own = [record for record in rest if record.model == doubt.model]
    calls = _calls(doubt, told, first, last)
    alike = [call for call in calls if call.model == doubt.model]
    certain = sum(_must_be_in(call, first, last) for call in alike)
    return _Count(own, len(rest) - len(own), certain, len(alike), len(calls) - len(alike))


def _calls(doubt: Doubt, told: Collection[str], first: int, last: int) -> list[Known]:
    """The known calls whose charges may be in the window and aren't told by their tasks."""
    return [call for call in doubt.known if call.task_id not in told and _may_be_in(call, first, last)]


def _inside(records: Sequence[Record], first: int, last: int) -> list[Record]:
    return [record for record in records if record.at is None or first <= record.at <= last]


def _may_be_in(call: Known, first: int, last: int) -> bool:
    within = CHARGED_WITHIN if call.task_id is not None else AFTER
    return call.at + within >= first and call.at - BEFORE <= last


def _must_be_in(call: Known, first: int, last: int) -> bool:
    is_inside = call.at - BEFORE >= first and call.at + CHARGED_WITHIN <= last
    return is_inside and call.is_certain and call.task_id is not None


def _charged(doubt: Doubt, records: Sequence[Record]) -> Verdict:
    """Exactly one charge is too many: with a task's id, or without."""
    fresh = {task_id for record in records for task_id in record.task_ids}
    if len(fresh) == 1:
        (task_id,) = fresh
        return Verdict(Found.TASK, f"the account's log has a charge with the task {task_id}", task_id)
    if fresh:
        return unclear(f"the log names {len(fresh)} tasks around that time that no take has")
    at = next((record.at for record in records if record.at is not None), None) if len(records) == 1 else None
    when = f", {at - int(doubt.at):+d} s from its order" if at is not None else ""
    return Verdict(Found.CHARGED, f"the account's log has a charge for it{when}, and no task id: it was taken")


def _not_charged(doubt: Doubt, seen: Seen, count: _Count) -> Verdict:
    """No charge is too many: does that prove that there is none?"""
    none = f"the log has no charge for it between {BEFORE // 60} min before and {AFTER // 60} min after its order"
    rest = doubt.at + AFTER + SETTLED_AFTER - min(seen.here, seen.now or seen.here)
    if rest > 0:
        return unclear(f"{none}, and one may still appear: ask again in {rest / 60:.0f} min")
    if seen.key_name is None:
        return unclear(f"{none}, which proves nothing while `provider.token_name` isn't set")
    if count.others > count.elsewhere:
        return unclear(f"{none}, but {counted(count.others, 'charge')} by this key for other models")
    return Verdict(Found.NOT_CHARGED, f"{none}: not charged")
