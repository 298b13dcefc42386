"""Decisions: what people say of takes, on the command line or on a report's page, and which reviews change by it.

All of it holds or nothing. None of it buys anything.

Source: docs/design.md, 12 (Review); `schemas/decisions.schema.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from veopipe.clock import now
from veopipe.documents import checked
from veopipe.errors import UsageError
from veopipe.film.review import HASH, unreadable
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import DIGITS, Review, Reviews, Verdict, name_of
from veopipe.text import printable
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of one take. What is None stays as it was.

    Attributes:
        take: the name of its file, without the ending.
        digits: how the sha256 of the file begins that was looked at.
        verdict: a verdict.
        clears: the verdict is taken back, and the wish, too, if `again` is None.
        again: whether one more result is wished.
        note: for others; an empty text takes it away.
        by: who says it.
    """

    take: str
    digits: str
    verdict: Verdict | None = None
    clears: bool = False
    again: bool | None = None
    note: str | None = None
    by: str | None = None


def decision_of(take: Take, **said: Any) -> Decision:
    """A decision on a take, with what is said of it (fields of `Decision`).

    Raises:
        UsageError: nothing was delivered for it.
    """
    name = name_of(take)
    if take.file is None or name is None:
        raise UsageError(f"take {take.number} is {take.status.word}: it has no file to judge")
    return Decision(name, take.file.sha256[:DIGITS], **said)


def parse_decisions(path: Path, ledger: str) -> list[Decision]:
    """The decisions that a report's page saved.

    Args:
        path: its file.
        ledger: the id of this list's ledger.

    Raises:
        InvalidInput: it has errors.
        UsageError: it is about another ledger.
    """
    said = checked.load("decisions", path, "in it: nothing was taken in")
    if said["ledger"] != ledger:
        raise UsageError(f"{path} is about the takes of another ledger ({printable(said['ledger'], 40)}): left alone")
    return [_decision(entry) for entry in said["decisions"]]


def _decision(entry: Mapping[str, Any]) -> Decision:
    verdict = entry.get("verdict")
    return Decision(
        take=entry["take"],
        digits=entry["file"].removeprefix(HASH),
        verdict=Verdict(verdict) if verdict is not None else None,
        clears="verdict" in entry and verdict is None,
        again=entry.get("again"),
        note=entry.get("note"),
        by=entry.get("by"),
    )


def decide(reviews: Reviews, states: Mapping[str, ShotState], decisions: Sequence[Decision]) -> list[Review]:
    """The reviews that change by what is said, all of it or nothing.

    A pick takes the place of an earlier one of the same shot and output folder, which becomes `alt`.

    Raises:
        UsageError: a decision is about a file that no take of this ledger has, two are about one take or pick for one
            shot, or what is said couldn't be read back.
    """
    known = {name_of(take): (state, take) for state in states.values() for take in state.takes}
    _refuse([said.take for said in decisions if not _is_about(said, known.get(said.take))])
    _refuse_twice(decisions, known)
    after = dict(reviews.by_take)
    for said in decisions:
        state, take = known[said.take]
        after[said.take] = _after(Reviews(after).of(take) or Review(said.take, said.digits), said)
        if said.verdict is Verdict.PICK:
            after |= _unpicked(after, state, take)
    changed = [review for name, review in after.items() if reviews.by_take.get(name) != review]
    _refuse_unreadable(changed, reviews)
    return changed


def _refuse_twice(decisions: Sequence[Decision], known: Mapping[str | None, tuple[ShotState, Take]]) -> None:
    """Of two words about one take, and of two picks that choose for one shot, nobody knows which one is meant."""
    takes: set[str] = set()
    picks: dict[tuple[str, str], str] = {}
    for said in decisions:
        name = printable(said.take, 60)
        if said.take in takes:
            raise UsageError(f"{name} is decided twice: say one thing of each take; nothing was changed")
        takes.add(said.take)
        state, take = known[said.take]
        if said.verdict is Verdict.PICK and take.file is not None:
            other = picks.setdefault((state.shot, take.file.output), name)
            if other != name:
                raise UsageError(f"{other} and {name} are both picked for {state.shot}: leave one; nothing was changed")


def _refuse_unreadable(changed: Iterable[Review], before: Reviews) -> None:
    """Refuse what couldn't be read back once it is written: it would stop every command from then on."""
    for review in changed:
        if (why := unreadable(review)) is not None:
            raise UsageError(f"{review.take}: {why}; nothing was changed")
        same = review.take.casefold()
        if other := next((name for name in before.by_take if name != review.take and name.casefold() == same), None):
            raise UsageError(f"{other}.yaml isn't called as its take is: rename it {review.take}.yaml, or remove it")


def _refuse(strange: Sequence[str]) -> None:
    if strange:
        names = ", ".join(printable(name, 60) for name in strange[:6]) + (", …" if len(strange) > 6 else "")
        raise UsageError(f"{names}: no take of this ledger has the file that was looked at; nothing was changed")


def _is_about(said: Decision, known: tuple[ShotState, Take] | None) -> bool:
    return known is not None and Review(said.take, said.digits).is_about(known[1])


def _after(before: Review, said: Decision) -> Review:
    """A review after a decision; as it was if nothing is new."""
    verdict = None if said.clears else said.verdict or before.verdict
    again = said.again if said.again is not None else before.again and not said.clears
    note = before.note if said.note is None else said.note.strip() or None
    after = replace(before, verdict=verdict, again=again, note=note)
    return replace(after, by=said.by or before.by, at=now()) if after != before else before


def _unpicked(said: Mapping[str, Review], state: ShotState, pick: Take) -> dict[str, Review]:
    """The earlier picks in the output folder of a pick, as `alt`.

    Nobody judged them now, so their time stays: on two branches that pick anew they become the same file.
    """
    reviews = Reviews(said, pick.file.output if pick.file is not None else "")
    earlier = (reviews.of(take) for take in reviews.picks(state.takes) if take.number != pick.number)
    return {review.take: replace(review, verdict=Verdict.ALT) for review in earlier if review is not None}
