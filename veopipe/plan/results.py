"""What becomes of one wanted result of a shot: bought, carried on, kept, held, or left to wait. Pure.

Source: docs/design.md, 5, 6 (What goes on, what is held) and 12 (Takes).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from veopipe.plan import chains
from veopipe.plan.chains import Resolved
from veopipe.plan.plan import Action, Item, Wanted, World
from veopipe.takes import order as orders
from veopipe.takes.order import Order
from veopipe.takes.origin import SIMULATOR
from veopipe.takes.status import CARRIED_ON, CHARGED, SETTLED, UNKNOWN_OUTCOME, Status
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import Verdict
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Result:
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
        reviews = self.world.reviews
        take = self.take() if reviews.by_take else None
        return reviews.verdict(take) if take is not None else None

    def take(self) -> Take | None:
        """The take that this order has."""
        return _best(take for take in self._of_this_order() if self.world.accepts(take))

    def decide(self) -> Item:
        """The item of this result."""
        take = self.take()
        chained = self._chained() if take is None else None
        if chained is not None and not chained.buys:
            return chained
        if take is not None and take.status not in SETTLED:
            return open_item(self.world, take, item_of(take, self.blank()))
        item = chained or self._ordered(take)
        return self._bought(item) if item.buys else item

    def _bought(self, item: Item) -> Item:
        """An item that would be bought, unless something of the shot is in doubt."""
        unclear = [take for take in self.state.takes if take.status in UNKNOWN_OUTCOME]
        return self._in_doubt(unclear) if unclear else replace(item, bought_here=self._bought_here())

    def _ordered(self, take: Take | None) -> Item:
        """The item of an order that can be made, or was."""
        if take is None:
            return self._new(self._bought_here())
        return self._settled(take, item_of(take, self.blank()))

    def _chained(self) -> Item | None:
        """The item of an order that can't be made yet, or has a take that is stale; None: it is made as any other."""
        if not self.resolved.producers:
            return None
        blank, resolved = self.blank(), self.resolved
        stale = chains.stale_take(resolved, self.order, filter(self.world.accepts, self.state.takes))
        if stale is None:
            return replace(blank, action=Action.WAIT, reason=resolved.lack) if resolved.lack else None
        kept = replace(item_of(stale, blank), fingerprint=stale.fingerprint, order=stale.order)
        if stale.status not in SETTLED:
            return open_item(self.world, stale, replace(kept, sources=()))  # carried on, and not tried again
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
            return open_item(self.world, meant, item_of(meant, self.blank()))
        if self.results > 1:
            return replace(self.blank(), action=Action.WAIT, reason=f"take {unclear[-1].number} of it is in doubt")
        return open_item(self.world, unclear[-1], unwanted(unclear[-1], self.wanted.shot))

    def _new(self, local: Take | None) -> Item:
        """The item of an order that has no take, or none that satisfies this run."""
        takes, blank = self.state.takes, self.blank()
        if not takes:
            return blank
        rehearsed = _best(self._of_this_order())  # or it were a match
        if local is not None:
            bought = "bought" if local.status in CHARGED else "ordered"
            where = f"{local.last.gateway} (take {local.number}: {local.status.word})"
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
        why = (take.last.message or take.last.reason or "").removesuffix(".")
        if take.status is Status.VERIFIED:
            return replace(item, action=Action.KEEP, reason="verified")
        if take.status in {Status.MISMATCHED, Status.ABANDONED}:
            return replace(item, action=Action.KEEP, reason=f"{take.status}: {why}; raise take to order another")
        if self.world.tries_again(take):
            paid = self.world.has_cost(take)
            return replace(item, action=Action.RETRY, reason=f"{take.status}: {why}", bought_before=paid)
        reason = f"{take.status}: {why}; --retry-failed orders another attempt"
        return replace(item, action=Action.KEEP, reason=reason)


_DOUBTFUL = "look it up at the gateway, then say with resolve what became of it"


def open_item(world: World, take: Take, item: Item) -> Item:
    """The item of a take that isn't settled."""
    last = take.last
    if take.status in UNKNOWN_OUTCOME:
        return replace(item, action=Action.HOLD, reason=f"in doubt since {last.since}; {_DOUBTFUL}")
    if take.status is not Status.DOWNLOADED and world.gateway not in {None, last.gateway}:
        how = f"carry it on with the pipeline of that gateway, or --base-url {last.gateway} if it takes this key"
        return replace(item, action=Action.HOLD, reason=f"{take.status} at {last.gateway}; {how}")
    return replace(item, action=Action.CONTINUE, reason=f"{take.status} since {last.since}")


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


def item_of(take: Take, blank: Item) -> Item:
    """The item of a wanted order that has a take."""
    return replace(blank, number=take.number, status=take.status, attempt=take.paid_ordinal())


def unwanted(take: Take, shot: str) -> Item:
    """The item of a take that the manifest doesn't want any more."""
    price, ordinal = take.last.price_usd, take.paid_ordinal()
    return Item(shot, Action.CONTINUE, "", take.number, take.fingerprint, None, price, ordinal, status=take.status)


def judged_item(item: Item, verdict: Verdict | None) -> Item:
    """The item of a take that people have judged: they read what they said."""
    if verdict is None or item.action is not Action.KEEP:
        return item
    return replace(item, reason=f"{item.reason}, {_VERDICTS[verdict]}")
