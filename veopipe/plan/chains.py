"""Chains in a plan: of which take a frame is taken, and what becomes of a shot whose producer changed. Pure.

* An order names the order of the take that its frame is of: so a whole chain has its price before anything exists.
* A shot is bought by itself once. What changes upstream afterwards makes its take stale, and nothing is bought.

Source: docs/design.md, 12 (Chains).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from veopipe.plan.plan import Action, Item, Source, Wanted
from veopipe.takes.money import dollars_to_come
from veopipe.takes.order import Order, OrderedPicture
from veopipe.takes.status import Status
from veopipe.takes.take import ShotState, Take
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Producer:
    """What a shot gives to those that take frames of it.

    Attributes:
        shot: its id.
        take: the number of its chosen take, on record or to be made in this run; None: there is none.
        fingerprint: of that take's order.
        lack: why there is none, for people.
        made: fingerprint → number of every take that it has on record.
        outside: it isn't selected, so this run makes nothing of it.
    """

    shot: str
    take: int | None
    fingerprint: str | None
    lack: str
    made: Mapping[str, int]
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """The order of a shot with the takes that its frames are of.

    Attributes:
        order: with `of` in each frame, as far as it is known.
        sources: of the frames.
        producers: of the frames, in the same order.
        lack: why the order isn't complete, for people; empty: it is.
        outside: it lacks a take of a shot that isn't selected.
    """

    order: Order
    sources: tuple[Source, ...] = ()
    producers: tuple[Producer, ...] = ()
    lack: str = ""
    outside: bool = False


def resolve(wanted: Wanted, producers: Mapping[str, Producer]) -> Resolved:
    """Name the take that each frame of an order is taken of."""
    if not any(wanted.links):
        return Resolved(wanted.order)
    found = [producers[shot] for shot in wanted.links if shot is not None]
    lacking = [producer for producer in found if producer.take is None]
    pictures = tuple(
        picture if shot is None else replace(picture, of=producers[shot].fingerprint)
        for picture, shot in zip(wanted.order.pictures, wanted.links, strict=True)
    )
    return Resolved(
        order=replace(wanted.order, pictures=pictures),
        sources=tuple(_sources(pictures, wanted.links, producers)),
        producers=tuple(found),
        lack=lacking[0].lack if lacking else "",
        outside=any(producer.outside for producer in lacking),
    )


def _sources(
    pictures: Iterable[OrderedPicture], links: Iterable[str | None], producers: Mapping[str, Producer]
) -> Iterator[Source]:
    """The frames among the pictures of an order, as far as it is known what they are taken of."""
    for picture, shot in zip(pictures, links, strict=True):
        take = producers[shot].take if shot is not None else None
        if shot is not None and take is not None and picture.frame is not None and picture.of is not None:
            yield Source(picture.role, shot, take, picture.frame, picture.of)


def stale_take(resolved: Resolved, order: Order, takes: Iterable[Take]) -> Take | None:
    """The newest take that differs from an order only in the takes that its frames are of.

    Those must be takes of the shots that the list names now: a frame of another shot is another picture.

    Args:
        resolved: the shot's order.
        order: the same for one of its results.
        takes: of the shot, that satisfy this run.
    """
    found = None
    for take in takes:
        if take.status is Status.REFUSED or take.order.take != order.take or not take.order.has_text_of(order):
            continue
        if is_of(take, resolved.producers):
            found = take
    return found


def is_of(take: Take, producers: Sequence[Producer]) -> bool:
    """Whether the frames of a take are of takes of these shots, one for each; of a shot without a record any may be."""
    of = [picture.of for picture in take.order.pictures if picture.frame is not None]
    known = zip(of, producers, strict=True)
    return all(each in producer.made or (producer.take is None and not producer.made) for each, producer in known)


def is_stale(take: Take, producers: Sequence[Producer]) -> bool:
    """Whether frames of a take, which is of these shots, are of other takes than they would be of now."""
    of = [picture.of for picture in take.order.pictures if picture.frame is not None]
    return of != [producer.fingerprint for producer in producers]


def stale_words(take: Take, producers: Sequence[Producer]) -> str:
    """Why a take is stale, for people; of one that isn't as ordered, or has no video, how it ended, too."""
    why = _not_made_from(take, producers)
    if take.status is Status.VERIFIED:
        return why
    said = take.last.message or take.last.reason
    return f"{take.status}{f': {said}' if said else ''}; {why}"


def _not_made_from(take: Take, producers: Sequence[Producer]) -> str:
    """Of what a take was made, and what it would be made from now."""
    of = [picture.of for picture in take.order.pictures if picture.frame is not None]
    for each, producer in zip(of, producers, strict=True):
        if producer.take is None:
            before = producer.made.get(each or "")
            made = f"take {before} of {producer.shot}" if before else f"a take that no record of {producer.shot} has"
            return f"kept, made from {made}: {producer.lack}"
        if each != producer.fingerprint:
            before = producer.made.get(each or "")
            return f"made from take {before} of {producer.shot}, which is take {producer.take} now"
    return "made from another take"


def producer_of(
    wanted: Wanted, state: ShotState, items: Sequence[Item], picks: Sequence[Take], rejected: frozenset[int]
) -> Producer:
    """What a shot gives to its consumers, once it is known what becomes of it.

    Args:
        wanted: the shot.
        state: its takes on record.
        items: what becomes of its wanted results.
        picks: the picked ones of its takes.
        rejected: numbers of the rejected ones.
    """
    made = {take.fingerprint: take.number for take in state.takes}
    shot = wanted.shot
    if len(picks) == 1 and picks[0].status in {Status.VERIFIED, Status.MISMATCHED}:
        return Producer(shot, picks[0].number, picks[0].fingerprint, "", made)
    left = [item for item in items if item.wanted and item.number not in rejected]
    lack = _lack(shot, items, left, len(picks))
    if lack is None:
        return Producer(shot, left[0].number, left[0].fingerprint, "", made)
    return Producer(shot, None, None, lack, made)


def _lack(shot: str, items: Sequence[Item], left: Sequence[Item], picks: int) -> str | None:
    """Why a shot has no chosen take; None: it has one, or will have one in this run."""
    if picks > 1:
        return f"{shot} has two picks: leave one"
    if not any(item.wanted for item in items):  # an older take stands in the place of what is wanted
        return _stands(shot, items[0]) if items else f"{shot} has no take"
    if not left:
        return f"every take of {shot} is rejected: ask for another, or pick one"
    return f"none of the {len(left)} takes of {shot} is picked" if len(left) > 1 else _unusable(shot, left[0])


def _unusable(shot: str, item: Item) -> str | None:
    """Why no frame can be taken of the only take of a shot; None: one can, or can in this run."""
    is_to_come = item.buys or item.action is Action.CONTINUE
    if is_to_come or item.status is Status.VERIFIED:
        return None
    return f"{shot} waits itself" if item.action is Action.WAIT else _stands(shot, item)


def _stands(shot: str, item: Item) -> str:
    return f"{shot} is {(item.status or 'held').replace('_', ' ')}"


def with_refresh_prices(items: Sequence[Item], refreshed: Sequence[Item], wanted: Mapping[str, Wanted]) -> list[Item]:
    """The items of a plan; those that are stale say what `--refresh` would cost, alone and with what comes after.

    Args:
        items: of the plan.
        refreshed: of the same plan with `--refresh`: what is rejected, picked or in doubt buys nothing there, either.
        wanted: the selected shots.
    """
    without, bought = _bought(items), _bought(refreshed)
    extra = {result: price for result, price in bought.items() if result not in without}
    whole = _by_shot(extra, extra)
    # Its other takes may become stale by what comes before it.
    alone = _by_shot(extra, [_result(item) for item in items if item.is_stale])
    consumers: dict[str, list[str]] = {}
    for shot in dict.fromkeys(shot for shot, _ in bought):
        for producer in wanted[shot].producers:
            consumers.setdefault(producer, []).append(shot)
    return [_priced(item, alone, whole, consumers) if item.is_stale else item for item in items]


def _bought(items: Iterable[Item]) -> dict[tuple[str, int], Decimal]:
    """Which result of which shot → what it costs."""
    return {_result(item): item.cost_usd for item in items if item.buys}


def _result(item: Item) -> tuple[str, int]:
    return item.shot, item.order.take if item.order is not None else 0


def _by_shot(prices: Mapping[tuple[str, int], Decimal], results: Iterable[tuple[str, int]]) -> dict[str, Decimal]:
    """Shot → what some of its results cost."""
    found: dict[str, Decimal] = {}
    for result in results:
        found[result[0]] = found.get(result[0], Decimal(0)) + prices.get(result, Decimal(0))
    return found


def _priced(
    item: Item, alone: Mapping[str, Decimal], whole: Mapping[str, Decimal], consumers: Mapping[str, Sequence[str]]
) -> Item:
    """A stale item with its price, if it would be refreshed."""
    price = alone[item.shot]
    if not price:
        return item
    also = [shot for shot in _after(item.shot, consumers) if shot in whole]
    words = f"again {dollars_to_come(price)}"
    if also:
        words += (
            f", with {len(also):,} after it {dollars_to_come(price + sum((whole[shot] for shot in also), Decimal(0)))}"
        )
    return replace(item, reason=f"{item.reason}; {words} (--refresh)")


def _after(shot: str, consumers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The shots that are made from a shot, directly or not, each once."""
    seen, stack = {shot}, [shot]
    while stack:
        for consumer in consumers.get(stack.pop(), ()):
            if consumer not in seen:
                seen.add(consumer)
                stack.append(consumer)
                yield consumer
