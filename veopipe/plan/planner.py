"""Makes a plan: compares what is wanted with what was paid, shot by shot. Pure: no network, no clock, no disk.

Source: docs/design.md, 5, 6 (What goes on, what is held) and 12 (Review).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from veopipe.plan import chains
from veopipe.plan.chains import Producer, Resolved
from veopipe.plan.plan import LOST, Action, Chaining, Choice, Item, Plan, Wanted, World
from veopipe.plan.renames import takeovers
from veopipe.takes import order as orders
from veopipe.takes.chain import in_order
from veopipe.takes.order import Order, key_of
from veopipe.takes.origin import SIMULATOR
from veopipe.takes.status import CARRIED_ON, CHARGED, SETTLED, UNKNOWN_OUTCOME, Status
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import Verdict, name_of


@dataclass(frozen=True, slots=True)
class _Ask:
    """One wanted result of a shot.

    Attributes:
        resolved: the shot's order, with the takes that its frames are of.
        number: that its take gets if it is a new one.
        results: how many results of the shot are wanted.
        refreshes: if its take is stale, another one is ordered.
    """

    world: World
    wanted: Wanted
    resolved: Resolved
    state: ShotState
    order: Order
    fingerprint: str
    number: int
    results: int
    refreshes: bool = False

    def blank(self) -> Item:
        """The item of an order that was never made."""
        model = self.wanted.model
        return Item(
            shot=self.wanted.shot,
            action=Action.CREATE,
            reason="new" if self.order.take == self.wanted.order.take else self.further,
            number=self.number,
            fingerprint=self.fingerprint,
            order=self.order,
            price_usd=model.price.of(self.order),
            google_usd=model.listed(self.order),
            retired=model.retired,
            uses=self.wanted.uses,
            sources=self.resolved.sources,
            outside=self.resolved.outside,
        )

    @property
    def further(self) -> str:
        """Why it is wanted though it isn't the first of its text."""
        if self.order.take >= self.wanted.order.take + self.wanted.takes:
            return f"take {self.order.take}: once more, as a review says"
        return f"take {self.order.take} of {self.wanted.takes}"

    @property
    def judged(self) -> Verdict | None:
        """What people said of its take."""
        take = self.take()
        return self.world.reviews.verdict(take) if take is not None else None

    def take(self) -> Take | None:
        """The take that this order has."""
        return _best(take for take in self._of_this_order() if self.world.accepts(take))

    def decide(self) -> Item:
        """The item of this result."""
        if self.take() is None and (item := self._chained()) is not None:
            return item
        blank, local, take = self.blank(), self._bought_here(), self.take()
        if take is not None and take.status not in SETTLED:
            return _open(self.world, take, _of(take, blank))
        item = self._new(local) if take is None else self._settled(take, _of(take, blank))
        if not item.buys:
            return item
        unclear = [take for take in self.state.takes if take.status in UNKNOWN_OUTCOME]
        if unclear:
            return self._in_doubt(unclear)
        return replace(item, bought_here=local)

    def _chained(self) -> Item | None:
        """The item of an order that can't be made yet, or has a take that is stale; None: it is made as any other."""
        if not self.resolved.producers:
            return None
        blank, resolved = self.blank(), self.resolved
        stale = chains.stale_take(resolved, self.order, filter(self.world.accepts, self.state.takes))
        if stale is None:
            return replace(blank, action=Action.WAIT, reason=resolved.lack) if resolved.lack else None
        kept = replace(_of(stale, blank), fingerprint=stale.fingerprint, order=stale.order)
        if stale.status not in SETTLED:
            return _open(self.world, stale, kept)
        why = chains.stale_words(stale, resolved.producers)
        if self.world.reviews.verdict(stale) is Verdict.REJECT:
            return replace(kept, action=Action.KEEP, reason=f"rejected, {why}")
        if self.refreshes and not resolved.lack:
            return replace(blank, reason=f"refreshed: {why}", bought_before=self.world.has_cost(stale))
        return replace(kept, action=Action.STALE, reason=why, sources=() if resolved.lack else resolved.sources)

    def _of_this_order(self) -> Iterator[Take]:
        """The takes that this order has: several, if a rehearsal left some."""
        return (take for take in self.state.takes if take.fingerprint == self.fingerprint)

    def _bought_here(self) -> Take | None:
        """The take of this order that a gateway on this machine may have been paid for, if it satisfies no run."""
        elsewhere = (take for take in self._of_this_order() if not self.world.accepts(take))
        paid = (take for take in elsewhere if take.status is not Status.REFUSED and take.last.gateway != SIMULATOR)
        return _best(paid)

    def _in_doubt(self, unclear: Sequence[Take]) -> Item:
        """The item of a shot that gets nothing new: of its take in doubt, the wanted one if that is one of them."""
        meant = next((take for take in unclear if take.fingerprint == self.fingerprint), None)
        if meant is not None:
            return _open(self.world, meant, _of(meant, self.blank()))
        if self.results > 1:
            return replace(self.blank(), action=Action.WAIT, reason=f"take {unclear[-1].number} of it is in doubt")
        return _open(self.world, unclear[-1], _unwanted(unclear[-1], self.wanted.shot))

    def _new(self, local: Take | None) -> Item:
        """The item of an order that has no take, or none that satisfies this run."""
        takes, blank = self.state.takes, self.blank()
        if not takes:
            return blank
        rehearsed = _best(self._of_this_order())  # or it were a match
        if local is not None:
            bought = "bought" if local.status in CHARGED else "ordered"
            where = f"{local.last.gateway} (take {local.number}: {local.status})"
            reason = f"already {bought} at {where}, which satisfies no run elsewhere"
        elif rehearsed is not None:
            reason = f"its take was made at {rehearsed.last.gateway}, which satisfies no real run"
        elif self.results > 1 and any(take.order.has_text_of(self.order) for take in takes):
            return replace(blank, reason=self.further)
        else:
            words = self._changed(orders.changes(takes[-1].order, self.wanted.order))
            reason = f"{' and '.join(words)} changed" if words else f"take {self.order.take} ordered"
            blank = replace(blank, changes=tuple(words))
        return replace(blank, reason=reason, bought_before=any(map(self.world.has_cost, takes)))

    def _changed(self, words: Sequence[str]) -> Sequence[str]:
        """What differs from the newest take's order, if it isn't only which result is wanted."""
        if words == ["take"] or self.results > 1:  # which of several the newest take was is no reason
            return [word for word in words if word != "take"]
        return words

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


@dataclass(frozen=True, slots=True)
class _Gaps:
    """State files that can't be relied on, and what that means for a shot.

    Attributes:
        unreadable: id without regard to case → why its state file can't be understood.
        missing: likewise, of those that aren't here.
        closed: a shot of them that left the manifest, or None: another one may be it under a new id.
        strays: shots with takes on disk that no state file knows.
    """

    unreadable: Mapping[str, str]
    missing: Mapping[str, str]
    closed: str | None
    strays: Mapping[str, str]

    @classmethod
    def of(cls, world: World) -> _Gaps:
        """Those of a ledger."""
        ids = {shot.casefold() for shot in world.manifest_ids}
        left = (shot for shot in (*world.unreadable, *world.missing) if shot.casefold() not in ids)
        unreadable = {shot.casefold(): why for shot, why in world.unreadable.items()}
        missing = {shot.casefold(): why for shot, why in world.missing.items()}
        return cls(unreadable, missing, min(left, default=None), world.strays)

    @property
    def shots(self) -> Collection[str]:
        """The shots, without regard to case."""
        return {*self.unreadable, *self.missing}

    def obstacle(self, state: ShotState) -> str | None:
        """Why nothing can be said of a shot's takes."""
        shot = state.shot.casefold()
        if (why := self.unreadable.get(shot)) is not None:
            return f"its state file can't be understood: {why}"
        stray = self.strays.get(state.shot)
        if (why := self.missing.get(shot)) is not None:
            return f"its state file {why}" + (f" ({stray} is there)" if stray is not None else "")
        if stray is not None:
            return f"there is {stray}, but no state file that knows it"
        if not state.takes and self.closed is not None:
            what = self.missing.get(self.closed.casefold(), "can't be understood")
            return f"it may be {self.closed} under a new id, whose state file {what}"
        return None


@dataclass(slots=True)
class _Planner:
    """Compares what is wanted with what was paid, shot by shot, as if all takeovers were made."""

    world: World
    chaining: Chaining
    keys: Mapping[str, Sequence[str]]  # of what the selected shots want (`Order.key`)
    moves: Mapping[str, str] = field(init=False)
    gaps: _Gaps = field(init=False)
    choices: dict[str, Choice] = field(default_factory=dict)
    producers: dict[str, Producer] = field(default_factory=dict)  # of those that are planned so far
    _vacated: Collection[str] = field(init=False)
    _used: dict[str, int] | None = None  # id without regard to case → the highest number that a file has with that name

    def __post_init__(self) -> None:
        world = self.world
        self.gaps = _Gaps.of(world)
        self.moves = takeovers(self.keys, world.states, world.manifest_ids, self.gaps.shots)
        self._vacated = set(self.moves.values()) - self.moves.keys()

    def state_of(self, shot: str) -> ShotState | None:
        """The state that a shot has once all takeovers are made."""
        if shot in self._vacated:
            return None
        state = self.world.states.get(self.moves.get(shot, shot))
        return replace(state, shot=shot) if state is not None and shot in self.moves else state

    def items_of_all(self, wanted: Mapping[str, Wanted]) -> list[Item]:
        """The items of all selected shots in their order; each is planned after those that it takes frames of."""
        every, found = {**wanted, **self.chaining.unselected}, dict[str, list[Item]]()
        producers = {shot: one.producers for shot, one in every.items() if one.links}
        for shot in in_order({shot: producers.get(shot, ()) for shot in every}) if producers else wanted:
            if shot in wanted:
                found[shot] = self.items_of(wanted[shot])
            else:
                self.look_at(every[shot])
        return [item for shot in wanted for item in found[shot]]

    def items_of(self, wanted: Wanted) -> list[Item]:
        """The items of one selected shot: what is wanted first, then older takes that are still open."""
        state, old = self.state_of(wanted.shot) or ShotState(wanted.shot), self.moves.get(wanted.shot)
        items = self._wanted_items(wanted, state)
        shown = items if old is None else [_renamed(item, old) for item in items]
        return [*shown, *self.leftovers(state, {item.number for item in items})]

    def look_at(self, wanted: Wanted) -> None:
        """See what a shot that isn't selected gives to others: what is on record, and nothing is made of it."""
        state = self.state_of(wanted.shot) or ShotState(wanted.shot)
        self._wanted_items(wanted, state)
        self.choices.pop(wanted.shot, None)  # its finished name is no business of this command
        producer = self.producers[wanted.shot]
        if producer.take is not None and not any(
            take.number == producer.take and take.status in {Status.VERIFIED, Status.MISMATCHED} for take in state.takes
        ):
            producer = replace(producer, take=None, fingerprint=None, lack=f"{wanted.shot} has no take yet")
        self.producers[wanted.shot] = replace(producer, outside=True)

    def _wanted_items(self, wanted: Wanted, state: ShotState) -> list[Item]:
        """What becomes of the wanted results of a shot, and of its pick."""
        picks = self.world.picks(state)
        resolved = chains.resolve(wanted, self.producers)
        wanted = replace(wanted, order=resolved.order)
        items = self._results(wanted, resolved, state, refreshes=self.chaining.refresh and not picks)
        if len(picks) == 1:
            items = _around(picks[0], wanted, items)
        elif picks:
            names = " and ".join(str(name_of(pick)) for pick in picks)
            why = f"two picks, {names}: leave one (veopipe review)"
            items = [replace(item, action=Action.WAIT, reason=why) if item.buys else item for item in items]
        self._note_choice(wanted, state, items, picks)
        return items

    def _note_choice(self, wanted: Wanted, state: ShotState, items: list[Item], picks: list[Take]) -> None:
        """Which take is the chosen one, for the finished name and for those that take frames of the shot."""
        rejected = frozenset(take.number for take in state.takes if self._is_rejected(take))
        choice = _picked_one(picks) if picks else _only_one(items, rejected)
        if choice is not None:
            self.choices[wanted.shot] = choice
        producer = chains.producer_of(wanted, state, items, picks, rejected)
        if self.chaining.only_picked and producer.take is not None and len(picks) != 1:
            producer = replace(producer, take=None, fingerprint=None, lack=f"no take of {wanted.shot} is picked")
        self.producers[wanted.shot] = producer

    def _is_rejected(self, take: Take) -> bool:
        return self.world.reviews.verdict(take) is Verdict.REJECT

    def _results(self, wanted: Wanted, resolved: Resolved, state: ShotState, *, refreshes: bool) -> list[Item]:
        """An item for each wanted result."""
        found: list[Item] = []
        asked = wanted.orders(self.world.wishes(state, wanted.order))
        obstacle = self.gaps.obstacle(state)
        number = state.next_number()
        for order, fingerprint in zip(asked, self._fingerprints(wanted, asked), strict=True):
            ask = _Ask(self.world, wanted, resolved, state, order, fingerprint, number, len(asked), refreshes)
            if obstacle is not None:
                return [replace(ask.blank(), action=Action.HOLD, reason=obstacle)]
            item = ask.decide()
            if item.status is None and item.buys:
                item = replace(item, number=max(number, self._free_number(state.shot)))
                number = item.number + 1
            if item.buys and key_of(fingerprint) in self.world.lost:
                item = replace(item, action=Action.HOLD, reason=LOST, bought_before=False)
            found.append(_judged(item, ask.judged))
        return found

    def _fingerprints(self, wanted: Wanted, asked: Sequence[Order]) -> Iterator[str]:
        """Those of all wanted results; what has no frames is known by them, so they aren't made anew."""
        known = () if wanted.producers else self.keys.get(wanted.shot, ())
        yield from known
        yield from (order.fingerprint() for order in asked[len(known) :])

    def _free_number(self, shot: str) -> int:
        """A number that no file has which is called as the shot's are: a shot had this id before."""
        if self._used is None:
            names = (name_of(take) or "" for state in self.world.states.values() for take in state.takes)
            self._used = _highest([*names, *self.world.reviews.by_take])
        return self._used.get(shot.casefold(), 0) + 1

    def departed(self) -> Iterator[ShotState]:
        """The states of shots that the manifest hasn't, once all takeovers are made."""
        for shot in sorted(self.world.states):
            state = self.state_of(shot) if shot not in self.world.manifest_ids else None
            if state is not None:
                yield state

    def leftovers(self, state: ShotState, shown: Collection[int]) -> Iterator[Item]:
        """Items for takes of `state` that are still open though the manifest doesn't want them any more."""
        for take in state.takes:
            if take.status not in SETTLED and take.number not in shown:
                yield _open(self.world, take, _unwanted(take, state.shot))


def _open(world: World, take: Take, item: Item) -> Item:
    """The item of a take that isn't settled."""
    last = take.last
    if take.status in UNKNOWN_OUTCOME:
        return replace(item, action=Action.HOLD, reason=f"in doubt since {last.submitted_at}; see veopipe resolve")
    if take.status is not Status.DOWNLOADED and world.gateway not in {None, last.gateway}:
        how = f"carry it on with the pipeline of that gateway, or --base-url {last.gateway} if it takes this key"
        return replace(item, action=Action.HOLD, reason=f"{take.status} at {last.gateway}; {how}")
    return replace(item, action=Action.CONTINUE, reason=f"{take.status} since {last.settled_at}")


_UNCHAINED = Chaining()
_VERDICTS = {Verdict.PICK: "picked", Verdict.ALT: "alt", Verdict.REJECT: "rejected"}
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


def _renamed(item: Item, old: str) -> Item:
    """The item of a shot that takes over the state of another one first."""
    quiet = item.action in {Action.KEEP, Action.CONTINUE}
    is_it = item.status is not None or old.casefold() == item.shot.casefold()
    reason = f"was {old}; {item.reason}" if is_it else item.reason
    return replace(item, action=Action.RENAME if quiet else item.action, reason=reason, renamed_from=old)


def _judged(item: Item, verdict: Verdict | None) -> Item:
    """The item of a take that people have judged: they read what they said."""
    if verdict is None or item.action is not Action.KEEP:
        return item
    return replace(item, reason=f"{item.reason}, {_VERDICTS[verdict]}")


def _picked_one(picks: Sequence[Take]) -> Choice:
    """The pick; between two, and where it isn't as ordered, no finished name changes."""
    pick = picks[0] if len(picks) == 1 and picks[0].status is Status.VERIFIED else None
    return Choice(pick.number if pick is not None else None)


def _only_one(items: Sequence[Item], rejected: Collection[int]) -> Choice | None:
    """The only result that isn't rejected; None: the list wants nothing of the shot now."""
    wanted = [item.number for item in items if item.wanted]
    if not wanted:  # an older take that is in doubt stands in their place
        return None
    left = [number for number in wanted if number not in rejected]
    return Choice(left[0] if len(left) == 1 else None, stands_in=len(wanted) == 1 and not rejected)


def _around(pick: Take, wanted: Wanted, items: list[Item]) -> list[Item]:
    """The items of a shot with a pick: its text is locked, and it has an item whatever the list wants."""
    if not pick.order.has_text_of(wanted.order):
        return [_locked(pick, wanted, items)]
    if all(item.number != pick.number for item in items):
        return [*items, _picked(pick, wanted, "picked")]
    return [replace(item, picked=item.number == pick.number) for item in items]


def _picked(pick: Take, wanted: Wanted, reason: str) -> Item:
    """The item of a pick that isn't among the results that the list wants now."""
    price = wanted.model.price.of(wanted.order)
    item = Item(wanted.shot, Action.KEEP, reason, pick.number, pick.fingerprint, pick.order, price, picked=True)
    return replace(_of(pick, item), uses=wanted.uses)


def _locked(pick: Take, wanted: Wanted, instead: Iterable[Item]) -> Item:
    """The item of a shot whose text was edited after its pick; `instead` would be bought without that."""
    words = tuple(word for word in orders.changes(pick.order, wanted.order) if word != "take")
    said = f"picked; {' and '.join(words)} changed since, which orders nothing: clear the pick to order it"
    item = replace(_picked(pick, wanted, said), changes=words)
    return replace(item, spared_usd=sum((item.cost_usd for item in instead), Decimal(0)))


def _highest(names: Iterable[str]) -> dict[str, int]:
    """Id without regard to case → the highest number in these names of takes: `SC01.002`, or `SC01.002-2`."""
    found: dict[str, int] = {}
    for name in names:
        shot, _, rest = name.rpartition(".")
        digits = rest.partition("-")[0]
        if digits.isascii() and digits.isdigit():
            found[shot.casefold()] = max(found.get(shot.casefold(), 0), int(digits))
    return found


def make_plan(
    wanted: Mapping[str, Wanted], world: World, *, departed_too: bool = True, chaining: Chaining = _UNCHAINED
) -> Plan:
    """The plan for the selected shots.

    Args:
        wanted: the selected shots, in the manifest's order.
        world: what is on disk and asked for.
        departed_too: carry on open takes of shots that left the manifest (nothing was selected by name).
        chaining: how shots that take frames of others are planned.
    """
    keys = {shot: tuple(order.fingerprint() for order in one.orders()) for shot, one in wanted.items()}
    planner = _Planner(world, chaining, keys)
    items = planner.items_of_all(wanted)
    if any(item.is_stale for item in items):
        items = chains.with_refresh_prices(items, wanted)
    departed = list(planner.departed()) if departed_too else []
    items += [item for state in departed for item in planner.leftovers(state, ())]
    picks = tuple(str(name_of(pick)) for state in departed for pick in world.picks(state))
    return Plan(tuple(items), world.retry_failed, planner.moves, planner.choices, picks)
