"""What people choose among: the takes of a shot beside each other, what was said of them, and what waits for it.

Source: docs/design.md, 12 (Review) and 12 (The page).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from veopipe.plan.plan import Action, Item
from veopipe.report.legend import LEGEND, Standing
from veopipe.report.rows import Row
from veopipe.report.showing import Cleaner, Linker
from veopipe.takes.money import dollars, dollars_to_come
from veopipe.takes.status import Status
from veopipe.takes.take import Take
from veopipe.takes.verdict import DIGITS, Review, Reviews, Verdict, name_of
from veopipe.text import printable
from veopipe.values import dataclass

_SAID_NOTHING = Review("", "")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One take of a shot.

    Attributes:
        number: of the take.
        standing: where it stands.
        name: of its file without the ending, the name that reviews know it by; empty without a file.
        digits: how the sha256 of the file begins.
        output: the folder of its file, which has picks of its own.
        video: link to the file, or None if it isn't on this disk.
        earlier: its order isn't the one that is wanted now.
        here: its file lies in the output folder of this pipeline.
        said: what people said of it, safe to show.
    """

    number: int
    standing: Standing
    name: str = ""
    digits: str = ""
    output: str = ""
    video: str | None = None
    earlier: bool = False
    here: bool = True
    said: Review = _SAID_NOTHING

    @property
    def is_eligible(self) -> bool:
        """Whether a shot with several like it waits for a choice, unless it is rejected."""
        return self.here and self.standing.status == Status.VERIFIED


@dataclass(frozen=True, slots=True)
class Badge:
    """A word about a shot that stands out, and the sentence behind it."""

    kind: str
    word: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Choosing:
    """A shot as people choose among its takes.

    Attributes:
        takes: all of them, by number.
        badges: what they should know before.
        undecided: it waits for a verdict.
        price_usd: of one more result, US dollars.
    """

    takes: tuple[Candidate, ...] = ()
    badges: tuple[Badge, ...] = ()
    undecided: bool = False
    price_usd: Decimal = Decimal(0)


def choosing_of(row: Row, clean: Cleaner, linker: Linker) -> Choosing:
    """What there is to choose for a shot.

    Args:
        row: where the shot stands.
        clean: for what people wrote.
        linker: for the files of its takes.
    """
    takes = tuple(_candidate(take, row, clean, linker) for take in row.state.takes)
    said = {review.take: review for review in row.judged.values()}
    reviews = Reviews(said, linker.project.places.output_base)
    undecided = bool(reviews.undecided(row.state.takes))
    return Choosing(takes, tuple(_badges(row, takes, clean)), undecided, row.item.price_usd)


def _candidate(take: Take, row: Row, clean: Cleaner, linker: Linker) -> Candidate:
    rows = {each.take: each for each in (row, *row.hidden)}
    known, wanted = rows.get(take.number), row.item.order
    standing = known.standing if known is not None and known.made is take else LEGEND[take.status]
    found = Candidate(
        take.number,
        standing,
        video=_video(take, row, linker),
        earlier=wanted is not None and not take.order.has_text_of(wanted),
        said=_said(row.judged.get(take.number), clean),
    )
    if take.file is None:
        return found
    output = printable(take.file.output, None, own=True)
    here = take.file.output == linker.project.places.output_base
    name = printable(name_of(take) or "", None, own=True)
    return replace(found, name=name, digits=take.file.sha256[:DIGITS], output=output, here=here)


def _video(take: Take, row: Row, linker: Linker) -> str | None:
    if take is row.made and row.file is not None:
        return linker.to_shown(row.file)
    return linker.to_take(take)


def _said(review: Review | None, clean: Cleaner) -> Review:
    if review is None:
        return _SAID_NOTHING
    by = printable(review.by, 80, own=True) if review.by else None
    return replace(review, note=clean.lines(review.note or "", own=True), by=by, at=printable(review.at or "", 40))


# --- badges ----------------------------------------------------------------------------------------


def _badges(row: Row, takes: tuple[Candidate, ...], clean: Cleaner) -> Iterator[Badge]:
    picks = [str(take.number) for take in takes if take.here and take.said.verdict is Verdict.PICK]
    if len(picks) > 1:
        yield Badge("two-picks", "two picks", f"Takes {' and '.join(picks)} are picked, so none counts: leave one.")
    yield from _planned(row, clean)
    if row.item.spared_usd:
        spared = f"locked, {dollars(row.item.spared_usd)} spared"
        yield Badge("locked", spared, clean.lines(row.item.reason))


def _planned(row: Row, clean: Cleaner) -> Iterator[Badge]:
    """What the plan would do with the shot's takes, where that stands out: one badge for each kind."""
    shown = row.reason if row.status != Status.VERIFIED else None  # of what is verified, a card gives no reason
    items = [row.item, *(other.item for other in row.hidden)]
    if stale := [item for item in items if item.is_stale]:
        price = sum((item.price_usd for item in stale), Decimal(0))
        yield Badge("stale", f"stale, {dollars_to_come(price)}", _unless(shown, stale[0], clean))
    if (waiting := next((item for item in items if item.action is Action.WAIT), None)) is not None:
        yield Badge("wait", "waits", _unless(shown, waiting, clean))


def _unless(shown: str | None, item: Item, clean: Cleaner) -> str:
    """Why it is planned so, unless that is shown anyway."""
    return "" if item.reason == shown else clean.lines(item.reason)
