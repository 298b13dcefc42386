"""What a run will do with each shot, why, and what that costs. Pure: no network, no clock, no disk.

* An order that has a take is never bought again by itself; an edited order is a new take.
* A shot with a take in doubt, an unreadable state file or takes on disk that no record knows gets nothing new.
* A take made at a gateway on this machine satisfies only runs at such a gateway.

Source: docs/design.md, 5 and 6 (What goes on, what is held).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from veopipe.dialects.base import Scope
from veopipe.money import as_text
from veopipe.plan.renames import takeovers
from veopipe.profiles.profile import Model, Retirement
from veopipe.takes import order as orders
from veopipe.takes.order import Order, key_of
from veopipe.takes.origin import SIMULATOR, is_local
from veopipe.takes.status import CARRIED_ON, CHARGED, SETTLED, UNKNOWN_OUTCOME, Status
from veopipe.takes.take import ShotState, Take
from veopipe.text import counted

LOST = (
    "it was ordered before, and no state file here knows of it: bring the ledger's state/ back (from git, a backup, "
    "the machine that ran last), or give the record up: veopipe resolve LIST SHOT --write-off"
)
"""Why an order is held that the ledger counted and no state file knows: one text, by which reports group them."""
NOT_CHARGED = "not_charged"
"""The scope that `resolve --not-charged` gives a refusal: a person looked it up, so it may be sent again."""

# A run at its own gateway buys nothing for such a take.
_KEPT = CARRIED_ON | {Status.VERIFIED}
# Scopes of refusals that aren't about the shot: the next run may have more luck.
_TRIED_AGAIN = frozenset({Scope.ACCOUNT, Scope.GATEWAY, Scope.THROTTLE, NOT_CHARGED})


class Action(StrEnum):
    """What a run will do with a take."""

    CREATE = "create"
    RETRY = "retry"
    CONTINUE = "continue"
    KEEP = "keep"
    RENAME = "rename"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A shot as the manifest wants it now."""

    shot: str
    order: Order
    model: Model


@dataclass(frozen=True, slots=True)
class World:
    """What a plan depends on besides the wanted shots: what is on disk, and what the command asks for.

    Attributes:
        states: of every shot that has a state file, wanted or not.
        unreadable: shots whose state file can't be understood, with the reason.
        missing: shots whose state file isn't here: what is the matter with "its state file".
        lost: keys of orders that were made more often than is on record.
        strays: shots with takes on disk that no state file knows, with one file's name each.
        gateway: the name of the gateway of this run; None for commands that only look, which take every
            take as it is.
        retry_all: `--retry-failed` was given.
        retry_failed: the pipeline's further attempts for a failed take.
        manifest_ids: the ids of all shots of the manifest, selected or not.
    """

    states: Mapping[str, ShotState]
    unreadable: Mapping[str, str]
    strays: Mapping[str, str]
    gateway: str | None
    retry_all: bool
    retry_failed: int
    manifest_ids: Collection[str]
    missing: Mapping[str, str] = field(default_factory=dict)
    lost: Collection[str] = ()

    def accepts(self, take: Take) -> bool:
        """Whether a take satisfies this run: what a gateway on this machine made satisfies only runs at such a one."""
        return self.gateway is None or is_local(self.gateway) or not take.last.is_local

    def has_cost(self, take: Take) -> bool:
        """Whether a take may have cost money; what a gateway on this machine made cost none in a real run."""
        return self.accepts(take) and any(attempt.status is not Status.REFUSED for attempt in take.attempts)

    def tries_again(self, take: Take) -> bool:
        """Whether another attempt is ordered for a take that was refused or failed."""
        if take.status is Status.REFUSED:
            return self.retry_all or take.last.scope in _TRIED_AGAIN
        return self.retry_all or take.failures() <= self.retry_failed


@dataclass(frozen=True, slots=True)
class Item:
    """What will be done with one take.

    Attributes:
        shot: its id in the manifest (or its last one, if it left it).
        action: what will be done.
        reason: why, for people.
        number: the take's number, or the one that a new take will get.
        fingerprint: of the take's order.
        order: what is wanted; None: the manifest doesn't want this take any more.
        price_usd: what one create costs.
        attempt: the number of the next create among those that may cost money, from 1.
        bought_before: an earlier take of this shot may have cost money, and this one is bought on top.
        bought_here: the take of the same order that a gateway on this machine made, perhaps through a port that is
            forwarded; it satisfies no run elsewhere.
        renamed_from: the shot whose state this one takes over first.
        status: where the take stands on disk; None: no create was ever made for it.
        google_usd: Google's list price for the same video, where it is known.
        retired: that the order's model is announced as switched off, or None.
    """

    shot: str
    action: Action
    reason: str
    number: int
    fingerprint: str
    order: Order | None
    price_usd: Decimal
    attempt: int = 1
    bought_before: bool = False
    bought_here: Take | None = None
    renamed_from: str | None = None
    status: Status | None = None
    google_usd: Decimal | None = None
    retired: Retirement | None = None

    @property
    def wanted(self) -> bool:
        """Whether the manifest wants this take now."""
        return self.order is not None

    @property
    def bought_at(self) -> str | None:
        """The gateway on this machine where the same order was bought."""
        return self.bought_here.last.gateway if self.bought_here is not None else None

    @property
    def buys(self) -> bool:
        """Whether a create will be made for it."""
        return self.action in {Action.CREATE, Action.RETRY}

    @property
    def cost_usd(self) -> Decimal:
        """What it costs if every create succeeds at once."""
        return self.price_usd if self.buys else Decimal(0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do, in the manifest's order, what left the manifest last.

    Attributes:
        items: one for each take that is wanted or still open.
        retry_failed: the pipeline's further attempts for a failed take.
        moves: shot → the shot whose state it takes over first (`renames.takeovers`).
    """

    items: tuple[Item, ...]
    retry_failed: int = 0
    moves: Mapping[str, str] = field(default_factory=dict)

    @property
    def creates(self) -> list[Item]:
        """What will be bought, in the order in which it will: never tried first."""
        return sorted((item for item in self.items if item.buys), key=lambda item: item.status is not None)

    @property
    def cost_usd(self) -> Decimal:
        """What the run costs if every create succeeds at once, US dollars."""
        return sum((item.cost_usd for item in self.items), Decimal(0))

    @property
    def worst_usd(self) -> Decimal:
        """What it costs if every take fails as often as the pipeline lets it be tried again, US dollars.

        A take that is only carried on counts too: if it fails, it is tried again.
        """
        tried = [item for item in self.items if item.buys or (item.wanted and item.status in CARRIED_ON)]
        return self.cost_usd + self.retry_failed * sum((item.price_usd for item in tried), Decimal(0))

    @property
    def wanted_takes(self) -> dict[str, int]:
        """Shot → number of the take that the manifest wants now."""
        return {item.shot: item.number for item in self.items if item.wanted}

    @property
    def again(self) -> list[Item]:
        """What is bought though an earlier take of the shot was bought before."""
        return [item for item in self.items if item.buys and item.bought_before and item.bought_here is None]

    @property
    def elsewhere(self) -> dict[tuple[str, bool], list[Item]]:
        """What is bought though a gateway on this machine had the same order.

        Returns:
            Gateway, and whether a run there buys nothing, since the take is verified or carried on → what is bought.
        """
        found: dict[tuple[str, bool], list[Item]] = {}
        for item in self.items:
            if item.buys and (local := item.bought_here) is not None:
                found.setdefault((local.last.gateway, local.status in _KEPT), []).append(item)
        return found

    @property
    def renames(self) -> list[Item]:
        """The shots that take over the state of another one."""
        return [item for item in self.items if item.renamed_from is not None]


@dataclass(slots=True)
class _Planner:
    """Compares what is wanted with what was paid, shot by shot, as if all takeovers were made."""

    world: World
    fingerprints: Mapping[str, str]  # of what the selected shots want
    moves: Mapping[str, str] = field(init=False)
    unreadable: Mapping[str, str] = field(init=False)  # id without regard to case → why
    missing: Mapping[str, str] = field(init=False)  # likewise
    closed: str | None = field(init=False)  # a shot that left, with a state file that can't be relied on
    _vacated: Collection[str] = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        self.unreadable = {shot.casefold(): why for shot, why in world.unreadable.items()}
        self.missing = {shot.casefold(): why for shot, why in world.missing.items()}
        ids = {shot.casefold() for shot in world.manifest_ids}
        left = (shot for shot in (*world.unreadable, *world.missing) if shot.casefold() not in ids)
        self.closed = min(left, default=None)
        closed = {*self.unreadable, *self.missing}
        self.moves = takeovers(self.fingerprints, world.states, world.manifest_ids, closed)
        self._vacated = set(self.moves.values()) - self.moves.keys()

    def state_of(self, shot: str) -> ShotState | None:
        """The state that a shot has once all takeovers are made."""
        if shot in self._vacated:
            return None
        state = self.world.states.get(self.moves.get(shot, shot))
        return replace(state, shot=shot) if state is not None and shot in self.moves else state

    def items_of(self, wanted: Wanted) -> Iterator[Item]:
        """The items of one selected shot: what is wanted first, then older takes that are still open."""
        state, old = self.state_of(wanted.shot), self.moves.get(wanted.shot)
        item = self._decide(wanted, state or ShotState(wanted.shot))
        if item.buys and key_of(item.fingerprint) in self.world.lost:
            item = replace(item, action=Action.HOLD, reason=LOST, bought_before=False)
        if old is not None:
            quiet = item.action in {Action.KEEP, Action.CONTINUE}
            is_it = item.status is not None or old.casefold() == wanted.shot.casefold()
            reason = f"was {old}; {item.reason}" if is_it else item.reason
            item = replace(item, action=Action.RENAME if quiet else item.action, reason=reason, renamed_from=old)
        yield item
        yield from self.leftovers(state, item) if state else ()

    def departed(self) -> Iterator[ShotState]:
        """The states of shots that the manifest hasn't, once all takeovers are made."""
        for shot in sorted(self.world.states):
            state = self.state_of(shot) if shot not in self.world.manifest_ids else None
            if state is not None:
                yield state

    def leftovers(self, state: ShotState, shown: Item | None) -> Iterator[Item]:
        """Items for takes of `state` that are still open though the manifest doesn't want them any more."""
        for take in state.takes:
            if take.status not in SETTLED and (shown is None or take.number != shown.number):
                yield self._open(take, _unwanted(take, state.shot))

    def _decide(self, wanted: Wanted, state: ShotState) -> Item:
        """The item of what a shot wants."""
        blank = self._blank(wanted, state)
        if (why := self._obstacle(state)) is not None:
            return replace(blank, action=Action.HOLD, reason=why)
        take, local = self._match(state, blank.fingerprint), self._bought_here(state, blank.fingerprint)
        if take is not None and take.status not in SETTLED:
            return self._open(take, _of(take, blank))
        item = self._new(wanted, blank, state, local) if take is None else self._settled(take, _of(take, blank))
        if not item.buys:
            return item
        unclear = [take for take in state.takes if take.status in UNKNOWN_OUTCOME]
        if unclear:
            return self._in_doubt(unclear, state.shot, blank)
        return replace(item, bought_here=local)

    def _in_doubt(self, unclear: Sequence[Take], shot: str, blank: Item) -> Item:
        """The item of a shot that gets nothing new: of its take in doubt, the wanted one if that is one of them."""
        meant = next((take for take in unclear if take.fingerprint == blank.fingerprint), None)
        if meant is not None:
            return self._open(meant, _of(meant, blank))
        return self._open(unclear[-1], _unwanted(unclear[-1], shot))

    def _obstacle(self, state: ShotState) -> str | None:
        """Why nothing can be said of a shot's takes."""
        shot = state.shot.casefold()
        if (why := self.unreadable.get(shot)) is not None:
            return f"its state file can't be understood: {why}"
        stray = self.world.strays.get(state.shot)
        if (why := self.missing.get(shot)) is not None:
            return f"its state file {why}" + (f" ({stray} is there)" if stray is not None else "")
        if stray is not None:
            return f"there is {stray}, but no state file that knows it"
        if not state.takes and self.closed is not None:
            what = self.world.missing.get(self.closed, "can't be understood")
            return f"it may be {self.closed} under a new id, whose state file {what}"
        return None

    def _blank(self, wanted: Wanted, state: ShotState) -> Item:
        """The item of an order that was never made."""
        return Item(
            shot=wanted.shot,
            action=Action.CREATE,
            reason="new",
            number=state.next_number(),
            fingerprint=self.fingerprints[wanted.shot],
            order=wanted.order,
            price_usd=wanted.model.price.of(wanted.order),
            google_usd=wanted.model.listed(wanted.order),
            retired=wanted.model.retired,
        )

    def _match(self, state: ShotState, fingerprint: str) -> Take | None:
        """The take that this order already has, the best of them if a rehearsal left several."""
        return _best(take for take in state.takes if take.fingerprint == fingerprint and self.world.accepts(take))

    def _bought_here(self, state: ShotState, fingerprint: str) -> Take | None:
        """The take of this order that a gateway on this machine may have been paid for, if it isn't a match."""
        return _best(
            take
            for take in state.takes
            if take.fingerprint == fingerprint
            and not self.world.accepts(take)
            and take.last.gateway != SIMULATOR
            and take.status is not Status.REFUSED
        )

    def _new(self, wanted: Wanted, blank: Item, state: ShotState, local: Take | None) -> Item:
        """The item of an order that has no take, or none that satisfies this run."""
        if not state.takes:
            return blank
        paid = any(map(self.world.has_cost, state.takes))
        rehearsed = _best(take for take in state.takes if take.fingerprint == blank.fingerprint)  # or it were a match
        if local is not None:
            bought = "bought" if local.status in CHARGED else "ordered"
            where = f"{local.last.gateway} (take {local.number}: {local.status})"
            reason = f"already {bought} at {where}, which satisfies no run elsewhere"
        elif rehearsed is not None:
            reason = f"its take was made at {rehearsed.last.gateway}, which satisfies no real run"
        else:
            words = orders.changes(state.takes[-1].order, wanted.order)
            reason = f"{' and '.join(words)} changed" if words != ["take"] else f"take {wanted.order.take} ordered"
        return replace(blank, reason=reason, bought_before=paid)

    def _open(self, take: Take, item: Item) -> Item:
        """The item of a take that isn't settled."""
        last = take.last
        if take.status in UNKNOWN_OUTCOME:
            return replace(item, action=Action.HOLD, reason=f"in doubt since {last.submitted_at}; see veopipe resolve")
        if take.status is not Status.DOWNLOADED and self.world.gateway not in {None, last.gateway}:
            how = f"carry it on with the pipeline of that gateway, or --base-url {last.gateway} if it takes this key"
            return replace(item, action=Action.HOLD, reason=f"{take.status} at {last.gateway}; {how}")
        return replace(item, action=Action.CONTINUE, reason=f"{take.status} since {last.settled_at}")

    def _settled(self, take: Take, item: Item) -> Item:
        """The item of a wanted take that is settled: kept as it is, or tried again."""
        item = replace(item, action=Action.KEEP)
        why = take.last.message or take.last.reason or ""
        if take.status is Status.VERIFIED:
            return replace(item, reason="verified")
        if take.status is Status.MISMATCHED:
            return replace(item, reason=f"mismatched: {why}; raise take to order another")
        if take.status is Status.ABANDONED:
            return replace(item, reason=f"abandoned: {why}; raise take to order another")
        if self.world.tries_again(take):
            paid = self.world.has_cost(take)
            return replace(item, action=Action.RETRY, reason=f"{take.status}: {why}", bought_before=paid)
        return replace(item, reason=f"{take.status}: {why}; --retry-failed orders another attempt")


_WORTH = {
    Status.VERIFIED: 6,
    **dict.fromkeys(CARRIED_ON, 5),
    **dict.fromkeys(UNKNOWN_OUTCOME, 4),
    Status.MISMATCHED: 3,
    Status.FAILED: 2,
    Status.REFUSED: 1,
    Status.ABANDONED: 0,
}


def _best(takes: Iterable[Take]) -> Take | None:
    """The take that a shot is shown by, if it has several of one order."""
    return max(takes, key=lambda take: (_WORTH[take.status], take.number), default=None)


def _of(take: Take, blank: Item) -> Item:
    """The item of a wanted order that has a take."""
    return replace(blank, number=take.number, status=take.status, attempt=take.paid_ordinal())


def _unwanted(take: Take, shot: str) -> Item:
    """The item of a take that the manifest doesn't want any more."""
    price, ordinal = take.last.price_usd, take.paid_ordinal()
    return Item(shot, Action.CONTINUE, "", take.number, take.fingerprint, None, price, ordinal, status=take.status)


def make_plan(wanted: Mapping[str, Wanted], world: World, *, departed_too: bool = True) -> Plan:
    """The plan for the selected shots.

    Args:
        wanted: the selected shots, in the manifest's order.
        world: what is on disk and asked for.
        departed_too: carry on open takes of shots that left the manifest (nothing was selected by name).
    """
    planner = _Planner(world, {shot: one.order.fingerprint() for shot, one in wanted.items()})
    items = [item for shot in wanted.values() for item in planner.items_of(shot)]
    if departed_too:
        items += [item for state in planner.departed() for item in planner.leftovers(state, None)]
    return Plan(tuple(items), world.retry_failed, planner.moves)


def bought_words(plan: Plan) -> str | None:
    """What an edit buys again, for people, or None: `3 shots were already bought; this buys them again: $0.90 (…)`."""
    again = plan.again
    if not again:
        return None
    total = as_text(sum((item.price_usd for item in again), Decimal(0)))
    reasons = list(dict.fromkeys(item.reason for item in again))
    shown = "; ".join(reasons[:3]) + ("; …" if len(reasons) > 3 else "")
    were, them = ("was", "it") if len(again) == 1 else ("were", "them")
    return f"{counted(len(again), 'shot')} {were} already bought; this buys {them} again: ${total} ({shown})"


def elsewhere_words(plan: Plan) -> list[str]:
    """A sentence for each key of `Plan.elsewhere`: `3 shots were already bought at http://localhost:3000, …`."""
    found = []
    for (gateway, kept_there), items in plan.elsewhere.items():
        total = as_text(sum((item.price_usd for item in items), Decimal(0)))
        were, them, they_are = ("was", "it", "it is") if len(items) == 1 else ("were", "them", "they are")
        bought, billed = ("bought", "") if kept_there else ("ordered", "perhaps billed, ")
        kept = f"; with --base-url {gateway} {they_are} kept" if kept_there else ""
        found.append(
            f"{counted(len(items), 'shot')} {were} already {bought} at {gateway}, {billed}perhaps the same gateway "
            f"under another name: this buys {them} again for ${total}{kept} "
            f"(if that was `veopipe simulate`, nothing was paid)"
        )
    return found


def retired_words(plan: Plan, imposed: str | None) -> list[str]:
    """What is bought of models that are announced as switched off: a sentence for each model, for people.

    Args:
        plan: what a run would do.
        imposed: the model that the pipeline orders every shot with, or None.
    """
    bought = Counter((item.order.model, item.retired) for item in plan.creates if item.order and item.retired)
    return [
        f"{counted(n, 'create')} of {model}{' (as this pipeline overrides it)' if model == imposed else ''}: "
        f"it was {retired.in_words()}"
        for (model, retired), n in bought.items()
    ]
