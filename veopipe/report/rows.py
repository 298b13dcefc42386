"""What a run achieved, as data: one row per shot, the money, the exit code.

The same report serves `run`, `status` and `report`; how it looks is another module's business.

Source: docs/design.md, 7 (JSON) and 7 (Exit codes); `schemas/report.schema.json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from decimal import Decimal
from typing import Any

from veopipe.delivery.output import output_of
from veopipe.delivery.shelf import Shelf
from veopipe.documents.standins import StandIn
from veopipe.errors import GRAVEST_FIRST, ExitCode
from veopipe.ledger.store import Store
from veopipe.manifest.shots import Scalar
from veopipe.plan.plan import Action, Choice, Item, Plan
from veopipe.project.ending import Ending
from veopipe.project.open_ledger import OpenLedger
from veopipe.report.legend import HELD, LEGEND, PENDING, UNREADABLE, WAITING, Standing
from veopipe.takes.money import as_text
from veopipe.takes.status import UNKNOWN_OUTCOME, Scope, Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take, spending
from veopipe.takes.verdict import Review, Reviews, Verdict
from veopipe.values import dataclass

_UNREVIEWED = Reviews()
_SAID_MORE = {Action.HOLD: HELD, Action.WAIT: WAITING}


@dataclass(frozen=True, slots=True)
class Row:
    """Where one shot stands.

    Attributes:
        item: what the plan would do next with the take that the row is about.
        state: all takes of the shot.
        made: that take, once it was ordered.
        status: a status of the attempt table, `pending` or `unreadable`.
        file: its file, relative to the manifest's folder, if it is on disk.
        away: what only stands for its file, if that isn't on disk.
        reason: why it stands there, for people.
        hidden: rows of other takes of the shot that are wanted, that this run can carry on, or that are in doubt: no
            row of their own, but they count for the exit code.
        judged: what people said of the shot's takes, by the take's number.
        info: the shot's keys of the user's own, while it is in the list.
    """

    item: Item
    state: ShotState
    made: Take | None
    status: str
    file: str | None = None
    away: StandIn | None = None
    reason: str | None = None
    hidden: tuple[Row, ...] = ()
    judged: Mapping[int, Review] = field(default_factory=dict)
    info: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def shot(self) -> str:
        """Its id."""
        return self.item.shot

    @property
    def take(self) -> int:
        """The number of the take that the row is about."""
        return self.item.number

    @property
    def wanted(self) -> bool:
        """Whether the manifest wants that take now."""
        return self.item.wanted

    @property
    def delivered(self) -> Delivered | None:
        """What was delivered and measured, wherever it is now."""
        return self.made.file if self.made is not None else None

    @property
    def standing(self) -> Standing:
        """How its status is shown; `held` and `waiting` say more than `pending`."""
        return LEGEND[_SAID_MORE.get(self.item.action, PENDING) if self.status == PENDING else self.status]

    @property
    def verdict(self) -> Verdict | None:
        """What people decided about the take that the row is about."""
        review = self.judged.get(self.take)
        return review.verdict if review is not None else None

    def as_json(self) -> dict[str, Any]:
        """The row as JSON reports hold it."""
        file = self.delivered
        return {
            "status": self.status,
            "take": self.take,
            "wanted": self.wanted,
            "task_id": self.made.last.task_id if self.made is not None else None,
            "file": self.file,
            **{name: getattr(file, name, None) for name in ("sha256", "width", "height", "duration_s")},
            "reason": self.reason,
            **{name: True for name, holds in (("picked", self.item.picked), ("stale", self.item.is_stale)) if holds},
            "takes": [self._take_as_json(take) for take in self.state.takes],
            **({"info": dict(self.info)} if self.info else {}),
        }

    def _take_as_json(self, take: Take) -> dict[str, Any]:
        """One of the shot's takes, with what was said of it."""
        file, review = take.file, self.judged.get(take.number)
        said = (
            {"verdict": review.verdict, "again": review.again, "note": review.note, "by": review.by} if review else {}
        )
        return {
            "take": take.number,
            "status": take.status.value,
            "name": file.name if file is not None else None,
            **{name: getattr(file, name, None) for name in ("sha256", "width", "height", "duration_s")},
            **{name: value for name, value in said.items() if value},
        }


@dataclass(frozen=True, slots=True)
class Money:
    """What was paid, US dollars.

    Attributes:
        charged: accepted attempts, of all runs ever.
        possibly_charged: in doubt, failed or abandoned ones, of all runs ever.
        this_run: both, of this run.
        planned: creates still wanted.
    """

    charged: Decimal
    possibly_charged: Decimal
    this_run: Decimal
    planned: Decimal

    def as_json(self) -> dict[str, str]:
        """Decimal strings by name."""
        return {name: as_text(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says.

    Attributes:
        manifest: the manifest as the user named it.
        rows: one per shot, in the manifest's order.
        money: what was paid.
        exit_code: of the command.
        notes: why the run ended early, for people.
        simulated: it is about a rehearsal: no money was spent.
        warnings: what the run said before it bought anything.
        running: it was made while a run was on.
    """

    manifest: str
    rows: tuple[Row, ...]
    money: Money
    exit_code: ExitCode = ExitCode.OK
    notes: tuple[str, ...] = ()
    simulated: bool = False
    warnings: tuple[str, ...] = ()
    running: bool = False

    def as_json(self) -> dict[str, Any]:
        """The JSON report (contract: docs/design.md, 7; `schemas/report.schema.json`)."""
        document: dict[str, Any] = {
            "manifest": self.manifest,
            "exit_code": int(self.exit_code),
            "cost_usd": self.money.as_json(),
            "shots": {row.shot: row.as_json() for row in self.rows},
        }
        if self.warnings or self.notes:
            document["notes"] = [*self.warnings, *self.notes]
        return document


def make(ledger: OpenLedger, plan: Plan, ending: Ending | None = None, *, running: bool = False) -> Report:
    """Where the selected shots of a project stand.

    Args:
        ledger: the project's.
        plan: what is to be done with them.
        ending: of the run that is reported; its reasons, and the exit code, stand in the report.
        running: a run is on, so `submitting` isn't in doubt yet.
    """
    choices = ledger.project.choices
    rows = make_rows(plan, ledger.store, ending, running=running, reviews=ledger.reviews)
    listed = ledger.project.manifest.shots
    told = {shot: settings.info for shot, settings in listed.items() if settings.info}
    rows = tuple(replace(row, info=told[row.shot]) if row.shot in told else row for row in rows)
    money = money_of(plan, ledger.attempts(), ending.run if ending else None)
    report = Report(str(choices.manifest), rows, money, simulated=choices.simulate, running=running)
    if ending is None:
        return report
    code = code_of(rows, ending.codes)
    return replace(report, exit_code=code, notes=ending.notes, warnings=ending.warnings)


def make_rows(
    plan: Plan, store: Store, ending: Ending | None = None, *, running: bool = False, reviews: Reviews = _UNREVIEWED
) -> tuple[Row, ...]:
    """One row per shot: what is in doubt before the chosen take, before others that are wanted or merely open."""
    view = _View(store, output_of(store.places).shelf, ending, running, reviews)
    by_shot: dict[str, list[Row]] = {}
    for item in plan.items:
        by_shot.setdefault(item.shot, []).append(view.row(item))
    return tuple(rows[0] if len(rows) == 1 else _first_of(rows, plan) for rows in by_shot.values())


def _first_of(rows: list[Row], plan: Plan) -> Row:
    choice = plan.choices.get(rows[0].shot, Choice(None))
    first = min(rows, key=lambda row: (_rank(row), row.take != choice.number, -row.take if row.wanted else 0))
    hidden = [row for row in rows if row is not first and (row.wanted or _is_open(row))]
    words = [
        f"take {row.take} is {'' if row.wanted else 'still '}{row.status.replace('_', ' ')}"
        for row in hidden
        if row.status != Status.VERIFIED
    ]
    reason = "; ".join([first.reason, *words] if first.reason else words)
    return replace(first, reason=reason or None, hidden=tuple(hidden))


def _is_open(row: Row) -> bool:
    return row.status in UNKNOWN_OUTCOME or row.item.action is Action.CONTINUE


def _rank(row: Row) -> int:
    return 0 if row.status in UNKNOWN_OUTCOME else 1 if row.wanted else 2


_GONE = frozenset({"model_retired", "model_not_found"})
"""Reasons of a refusal that say that a model isn't served."""


@dataclass(frozen=True, slots=True)
class _View:
    """What rows are made from."""

    store: Store
    shelf: Shelf
    ending: Ending | None
    running: bool
    reviews: Reviews

    def row(self, item: Item) -> Row:
        state, take = self.made_for(item)
        shown = self.shelf.found(item.shot, take) if take is not None else None
        status, reason, judged = self.status(item, take), self.reason(item, take), self.judged(state)
        row = Row(item, state, take, status, shown, reason=reason, judged=judged)
        if take is None or shown is not None:
            return row
        away = self.shelf.instead(item.shot, take)
        return replace(row, away=away, reason=str(away)) if away is not None else row

    def judged(self, state: ShotState) -> dict[int, Review]:
        if not self.reviews.by_take:
            return {}
        said = ((take.number, self.reviews.of(take)) for take in state.takes)
        return {number: review for number, review in said if review is not None}

    def made_for(self, item: Item) -> tuple[ShotState, Take | None]:
        """The takes of an item's shot, and the one that the item is about, if it was ordered."""
        states = self.store.shots
        state = states.get(item.renamed_from or item.shot) or states.get(item.shot)  # taken over already
        if state is None:
            return ShotState(item.shot), None
        if item.status is None:  # not there yet; the state may be one that goes to another
            return state, None
        return state, next((take for take in state.takes if take.number == item.number), None)

    def status(self, item: Item, take: Take | None) -> str:
        if item.shot in self.store.unusable.unreadable:
            return UNREADABLE
        if take is None:
            return PENDING
        if take.status is Status.REFUSED and take.last.scope in {Scope.THROTTLE, Scope.GATEWAY}:
            return PENDING
        if take.status is Status.SUBMITTING and not self.running:
            return Status.IN_DOUBT.value
        return take.status.value

    def reason(self, item: Item, take: Take | None) -> str | None:
        if self.ending and item.shot in self.ending.held:
            return self.ending.held[item.shot]
        if take is None:
            return self.ending.stopped if item.buys and self.ending and self.ending.stopped else item.reason
        if item.is_stale or (item.action is Action.HOLD and take.status not in UNKNOWN_OUTCOME):
            return item.reason
        return _said(item, take)


def _said(item: Item, take: Take) -> str | None:
    """What is on record of why a take stands where it stands; of a model that is over, what replaces it."""
    said = take.last.message or take.last.reason
    if take.status is Status.REFUSED and take.last.reason in _GONE and item.retired is not None:
        return f"{said} ({take.order.model} was {item.retired.in_words()})"
    return said


def money_of(plan: Plan, attempts: Iterable[Attempt], run: str | None) -> Money:
    """What these attempts cost, those of `run` apart, and what the plan would still buy."""
    made = list(attempts)
    ever, now = spending(made), spending(attempt for attempt in made if attempt.run == run)
    return Money(ever.certain, ever.possible, now.total, plan.cost_usd)


def code_of(rows: Iterable[Row], codes: Collection[ExitCode]) -> ExitCode:
    """The gravest of what the run asked for and what the rows say."""
    found = set(codes) | {ExitCode.OK}
    for row in rows:
        found |= {_code_of_row(each) for each in (row, *row.hidden)}
    return next(code for code in GRAVEST_FIRST if code in found)


def _code_of_row(row: Row) -> ExitCode:
    if row.item.outside and row.item.action is Action.WAIT:  # nothing of this command could end the wait
        return ExitCode.PENDING
    code = row.standing.code
    is_let_go = not row.wanted or row.verdict is Verdict.REJECT
    return ExitCode.OK if code is ExitCode.SETTLED_BADLY and is_let_go else code
