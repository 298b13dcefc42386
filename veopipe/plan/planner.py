"""Makes a plan: compares what is wanted with what was paid, shot by shot. Pure: no network, no clock, no disk.

Source: docs/design.md, 5, 6 (What goes on, what is held) and 12 (Review).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from decimal import Decimal

from veopipe.plan import chains
from veopipe.plan.chains import Producer, Resolved
from veopipe.plan.drafts import lack
from veopipe.plan.plan import LOST, Action, Chaining, Choice, Item, Plan, Wanted, World
from veopipe.plan.renames import concerning, takeovers
from veopipe.plan.results import Result, item_of, judged_item, open_item, unwanted
from veopipe.takes import order as orders
from veopipe.takes.chain import in_order
from veopipe.takes.order import Order, key_of
from veopipe.takes.status import SETTLED, Status
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import Verdict, name_of
from veopipe.values import dataclass


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
            return f"there is {stray}, but no state file that knows it: bring that back, from git or a backup"
        if not state.takes and self.closed is not None:
            what = self.missing.get(self.closed.casefold(), "can't be understood")
            return f"it may be {self.closed} under a new id, whose state file {what}"
        return None


@dataclass(slots=True)
class _Planner:
    """Compares what is wanted with what was paid, shot by shot, as if all takeovers were made."""

    world: World
    chaining: Chaining
    keys: Mapping[str, Sequence[str]]  # of what the selected shots want (`Order.key`), each after its producers
    links: Mapping[str, Sequence[str]]  # of those that have frames: the shots that these are of
    moves: Mapping[str, str] = field(init=False)
    gaps: _Gaps = field(init=False)
    choices: dict[str, Choice] = field(default_factory=dict)
    producers: dict[str, Producer] = field(default_factory=dict)  # of those that are planned so far
    _vacated: Collection[str] = field(init=False)
    _used: dict[str, int] | None = None  # id without regard to case → the highest number that a file has with that name

    @classmethod
    def of(cls, wanted: Mapping[str, Wanted], world: World, chaining: Chaining) -> _Planner:
        """A planner for the selected shots."""
        every = {**wanted, **chaining.others}
        every = {shot: every[shot] for shot in world.manifest_ids if shot in every} if chaining.others else every
        links = {shot: one.frames_of for shot, one in every.items() if one.frames_of}
        ordered = in_order({shot: links.get(shot, ()) for shot in every}) if links else every
        keys = {shot: _fingerprints_of(every[shot].orders(), world.states.get(shot)) for shot in ordered}
        return cls(world, chaining, keys, links)

    def __post_init__(self) -> None:
        world = self.world
        self.gaps = _Gaps.of(world)
        moves = takeovers(self.keys, world.states, world.manifest_ids, self.gaps.shots, self.links)
        others = self.chaining.others
        self.moves = concerning(moves, self.keys.keys() - others.keys()) if others else moves
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
        items = self._wanted_items(wanted, state, refreshes=self.chaining.refresh)
        shown = items if old is None else [_renamed(item, old) for item in items]
        return [*shown, *self.leftovers(state, {item.number for item in items})]

    def look_at(self, wanted: Wanted) -> None:
        """See what a shot that isn't selected gives to others: what is on record, and nothing is made of it."""
        state = self.state_of(wanted.shot) or ShotState(wanted.shot)
        self._wanted_items(wanted, state, refreshes=False)
        self.choices.pop(wanted.shot, None)  # its finished name is no business of this command
        producer = self.producers[wanted.shot]
        if producer.take is not None and not any(
            take.number == producer.take and take.status in {Status.VERIFIED, Status.MISMATCHED} for take in state.takes
        ):
            producer = replace(producer, take=None, fingerprint=None, lack=f"{wanted.shot} has no take yet")
        self.producers[wanted.shot] = replace(producer, outside=True)

    def _wanted_items(self, wanted: Wanted, state: ShotState, *, refreshes: bool) -> list[Item]:
        """What becomes of the wanted results of a shot, and of its pick."""
        picks = self.world.picks(state)
        resolved = chains.resolve(wanted, self.producers)
        if resolved.order is not wanted.order:
            wanted = replace(wanted, order=resolved.order)
        items = self._results(wanted, resolved, state, refreshes=refreshes and not picks)
        if (why := self._lacks_draft(wanted, state)) is not None:
            items = [_waits(item, why) for item in items]
        if len(picks) == 1:
            items = _around(picks[0], wanted, resolved, items)
        elif picks:
            names = " and ".join(str(name_of(pick)) for pick in picks)
            items = [_waits(item, f"two picks, {names}: leave one") for item in items]
        self._note_choice(wanted, state, items, picks)
        return items

    def _lacks_draft(self, wanted: Wanted, state: ShotState) -> str | None:
        """Why a shot isn't ordered before its draft is picked; None: it may be."""
        draft = self.chaining.draft
        if draft is None:
            return None
        drafts = replace(self.world.reviews, output=draft.output)
        return lack(draft, wanted, drafts.picks(filter(self.world.accepts, state.takes)), self.producers)

    def _note_choice(self, wanted: Wanted, state: ShotState, items: list[Item], picks: list[Take]) -> None:
        """Which take is the chosen one, for the finished name and for those that take frames of the shot."""
        verdicts = {take.number: self.world.reviews.verdict(take) for take in state.takes}
        rejected = frozenset(number for number, said in verdicts.items() if said is Verdict.REJECT)
        choice = _picked_one(picks) if picks else _only_one(items, rejected)
        if choice is not None:
            self.choices[wanted.shot] = choice
        producer = chains.producer_of(wanted, state, items, picks, rejected)
        if self.chaining.only_picked and producer.take is not None and len(picks) != 1:
            producer = replace(producer, take=None, fingerprint=None, lack=f"no take of {wanted.shot} is picked")
        self.producers[wanted.shot] = producer

    def _results(self, wanted: Wanted, resolved: Resolved, state: ShotState, *, refreshes: bool) -> list[Item]:
        """An item for each wanted result."""
        found: list[Item] = []
        asked = wanted.orders(self.world.wishes(state, wanted.order))
        obstacle = self.gaps.obstacle(state)
        number = state.next_number()
        for order, fingerprint in zip(asked, self._fingerprints(wanted, asked), strict=True):
            ask = Result(self.world, wanted, resolved, state, order, fingerprint, number, len(asked), refreshes)
            if obstacle is not None:
                return [replace(ask.blank(), action=Action.HOLD, reason=obstacle)]
            item = ask.decide()
            if item.status is None and item.buys:
                item = replace(item, number=max(number, self._free_number(state.shot)))
                number = item.number + 1
            if item.buys and key_of(fingerprint) in self.world.lost:
                item = replace(item, action=Action.HOLD, reason=LOST, bought_before=False)
            found.append(judged_item(item, ask.judged))
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
                yield open_item(self.world, take, unwanted(take, state.shot))


def _fingerprints_of(wanted: Iterable[Order], state: ShotState | None) -> tuple[str, ...]:
    """The fingerprints of orders. A take has its order's, which was checked when it was read: it isn't made again."""
    known = state.takes if state is not None else ()
    return tuple(
        next((take.fingerprint for take in known if take.order == order), None) or order.fingerprint()
        for order in wanted
    )


_UNCHAINED = Chaining()


def _renamed(item: Item, old: str) -> Item:
    """The item of a shot that takes over the state of another one first."""
    quiet = item.action in {Action.KEEP, Action.CONTINUE}
    is_it = item.status is not None or old.casefold() == item.shot.casefold()
    reason = f"was {old}; {item.reason}" if is_it else item.reason
    return replace(item, action=Action.RENAME if quiet else item.action, reason=reason, renamed_from=old)


def _waits(item: Item, why: str) -> Item:
    """An item that would be bought waits instead."""
    return replace(item, action=Action.WAIT, reason=why) if item.buys or item.action is Action.WAIT else item


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


def _around(pick: Take, wanted: Wanted, resolved: Resolved, items: list[Item]) -> list[Item]:
    """The items of a shot with a pick: its text is locked, and it has an item whatever the list wants."""
    if not pick.order.has_text_of(wanted.order) or not chains.is_of(pick, resolved.producers):
        return [_locked(pick, wanted, items)]
    if all(item.number != pick.number for item in items):
        return [*items, _beside(pick, wanted, resolved)]
    return [_as_pick(item, resolved) if item.number == pick.number else item for item in items]


def _beside(pick: Take, wanted: Wanted, resolved: Resolved) -> Item:
    """The item of a pick beside the results that the list wants: the older take where a refresh made one, say."""
    item = _picked(pick, wanted, "picked")
    if not chains.is_stale(pick, resolved.producers):
        return item
    why = chains.stale_words(pick, resolved.producers)
    return replace(item, action=Action.STALE, reason=f"picked; {why}")


def _as_pick(item: Item, resolved: Resolved) -> Item:
    """The item of a pick that is as the list wants it; one that is stale says that a refresh leaves it alone."""
    if item.is_stale:
        how = "" if resolved.lack else ", which orders nothing: clear the pick to refresh it"
        item = replace(item, reason=f"picked; {item.reason}{how}")
    return replace(item, picked=True)


def _picked(pick: Take, wanted: Wanted, reason: str) -> Item:
    """The item of a pick that isn't among the results that the list wants now."""
    price = wanted.model.price.of(wanted.order)
    item = Item(wanted.shot, Action.KEEP, reason, pick.number, pick.fingerprint, pick.order, price, picked=True)
    return replace(item_of(pick, item), uses=wanted.uses)


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
    planner = _Planner.of(wanted, world, chaining)
    items = planner.items_of_all(wanted)
    if not chaining.refresh and any(item.is_stale for item in items):
        again = replace(planner, chaining=replace(chaining, refresh=True), choices={}, producers={})
        items = chains.with_refresh_prices(items, again.items_of_all(wanted), wanted)
    departed = list(planner.departed()) if departed_too else []
    items += [item for state in departed for item in planner.leftovers(state, ())]
    picks = tuple(str(name_of(pick)) for state in departed for pick in world.picks(state))
    return Plan(tuple(items), world.retry_failed, planner.moves, planner.choices, picks)
