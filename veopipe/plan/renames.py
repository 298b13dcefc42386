"""Which shot takes over whose state: shots that got another id, one of them or all at once, in a row or in a circle.

* A shot takes a state over only if its own state has none of the orders that it wants, and the other one has one.
* A state is free if its shot left the manifest, or wants no order that it has. Each is taken over once.
* A state whose place is taken goes where the row of takeovers began, so no state is ever without a place.

Pure.

Source: docs/design.md, 1 and 5 (Renamed shots); DECISIONS.md, 24.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from veopipe.takes.take import ShotState, Take

_NO_LINKS: Mapping[str, Sequence[str]] = MappingProxyType({})


def takeovers(
    wanted: Mapping[str, Sequence[str]],
    states: Mapping[str, ShotState],
    manifest_ids: Collection[str],
    unreadable: Collection[str],
    links: Mapping[str, Sequence[str]] = _NO_LINKS,
) -> dict[str, str]:
    """Who takes over whose state.

    Args:
        wanted: shot → by what its orders are known (`Order.key`), each shot after its producers.
        states: of every shot that has one, wanted or not.
        manifest_ids: all shots of the manifest; those that aren't in `wanted` neither give nor take.
        unreadable: ids, without regard to case, whose state file can't be understood; nothing goes there.
        links: shot → the shots that its frames are of, frame by frame; shots without frames are left out.

    Returns:
        Shot → the shot whose state it takes over: each once on either side, and each id that gets a state while
        it has one gives its own to another.
    """
    return _Takeovers(wanted, states, frozenset(manifest_ids), frozenset(unreadable), links).made()


def may_be_exchanged(wanted: Mapping[str, Sequence[str]], states: Mapping[str, ShotState]) -> bool:
    """Whether what isn't selected has to be known: a selected shot lacks its orders, and ids may have been exchanged.

    Then its own state may be another shot's, or another one's its own: what is bought in its stead is paid twice.

    Args:
        wanted: selected shot → by what its orders are known.
        states: of every shot that has one.
    """
    needy = [shot for shot, keys in wanted.items() if shot not in states or states[shot].keys().isdisjoint(keys)]
    if any(shot in states for shot in needy):
        return True
    keys = {key for shot in needy for key in wanted[shot]}
    return any(not state.keys().isdisjoint(keys) for state in states.values()) if keys else False


def concerning(moves: Mapping[str, str], shots: Collection[str]) -> dict[str, str]:
    """The takeovers of these shots, and those that are in a row or a circle with them."""
    found, reached = dict[str, str](), set(shots)
    left = dict(moves)
    while linked := {new: old for new, old in left.items() if new in reached or old in reached}:
        found |= linked
        reached |= {*linked.keys(), *linked.values()}
        left = {new: old for new, old in left.items() if new not in linked}
    return {new: old for new, old in moves.items() if new in found}


class _Takeovers:
    """Finds for each shot that needs one the state that it takes over.

    An order with frames is known by its text and by whose takes the frames are of. Producers come first, so that it is
    known by then which state a renamed producer has.
    """

    def __init__(
        self,
        wanted: Mapping[str, Sequence[str]],
        states: Mapping[str, ShotState],
        manifest_ids: frozenset[str],
        unreadable: frozenset[str],
        links: Mapping[str, Sequence[str]],
    ) -> None:
        self._wanted, self._states, self._unreadable, self._links = wanted, states, unreadable, links
        self._departed = sorted(states.keys() - manifest_ids)
        self._owner = _owners(states) if links else {}
        self._known = {shot: self._keys_on_record(states[shot]) for shot in states}
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def made(self) -> dict[str, str]:
        """Shot → the shot whose state it takes over."""
        needy = [shot for shot in self._wanted if self._is_needy(shot)]
        self._give(dict(_respelt(needy, self._departed, self._states)))
        may_be_free = [*self._departed, *self._with_state(needy), *self._with_state(self._links)]
        holders = _holders(dict.fromkeys(may_be_free), self._known)
        for shot in self._wanted:
            if shot not in self._given and self._is_needy(shot):
                self._find(shot, self._keys(shot), holders)
        self._find_by_text()
        _make_room(self._given, self._states)
        return self._given

    def _with_state(self, shots: Iterable[str]) -> Iterator[str]:
        return (shot for shot in shots if shot in self._states)

    def _give(self, moves: Mapping[str, str]) -> None:
        self._given |= moves
        self._taken |= set(moves.values())

    def _keys(self, shot: str) -> list[str]:
        """By what a shot's wanted orders are known now."""
        of = [self._given.get(producer, producer) for producer in self._links.get(shot, ())]
        return [f"{key} {' '.join(of)}" if of else key for key in self._wanted[shot]]

    def _keys_on_record(self, state: ShotState) -> Mapping[str, None]:
        """By what a shot's takes are known, in their order."""
        return dict.fromkeys(_key_of(take, self._owner) for take in state.takes)

    def _is_needy(self, shot: str) -> bool:
        own = self._known.get(shot, {}).keys()
        return shot.casefold() not in self._unreadable and own.isdisjoint(self._keys(shot))

    def _find(self, shot: str, keys: Iterable[str], holders: Mapping[str, deque[str]]) -> None:
        for key in keys:
            while (found := _first(holders[key], self._taken)) is not None:
                if found not in self._wanted or self._is_needy(found):
                    self._give({shot: found})
                    return

    def _find_by_text(self) -> None:
        """New ids of shots whose producers aren't on record any more, or are others: known by their text alone."""
        old = {*self._given, *self._states}
        if self._links.keys() <= old:
            return
        left = [shot for shot in self._departed if shot not in self._taken]
        texts = {shot: dict.fromkeys(_key_of(take, {}) for take in self._states[shot].takes) for shot in left}
        holders = _holders(left, texts)
        for shot in sorted(self._links.keys() - old):
            self._find(shot, self._wanted[shot], holders)


def _owners(states: Mapping[str, ShotState]) -> dict[str, str]:
    """Fingerprint of a take → the shot that has it."""
    return {take.fingerprint: shot for shot, state in states.items() for take in state.takes}


def _key_of(take: Take, owner: Mapping[str, str]) -> str:
    """By what a take is known: its order without what its frames are of, and whose takes those are."""
    of = [owner.get(picture.of or "", "?") for picture in take.order.pictures if picture.frame is not None]
    key = take.order.key(take.fingerprint)
    return f"{key} {' '.join(of)}" if of and owner else key


def _holders(free: Iterable[str], known: Mapping[str, Iterable[str]]) -> Mapping[str, deque[str]]:
    """By what a take is known → the free shots that have it, those that left first."""
    holders = defaultdict[str, deque[str]](deque)
    for shot in free:
        for key in known[shot]:
            holders[key].append(shot)
    return holders


def _respelt(
    needy: Iterable[str], departed: Iterable[str], states: Mapping[str, ShotState]
) -> Iterator[tuple[str, str]]:
    """Shots whose id is now written in another case: on many disks that is the same file, even if the order changed."""
    left = {shot.casefold(): shot for shot in departed}
    for shot in needy:
        if shot not in states and shot.casefold() in left:
            yield shot, left[shot.casefold()]


def _first(shots: deque[str], taken: Collection[str]) -> str | None:
    while shots:
        if (shot := shots.popleft()) not in taken:
            return shot
    return None


def _make_room(given: dict[str, str], states: Mapping[str, ShotState]) -> None:
    """Send each state whose place is taken to the id that its row of takeovers leaves empty."""
    taken = set(given.values())
    for shot in [shot for shot in given if shot in states and shot not in taken]:
        end = given[shot]
        while end in given:
            end = given[end]
        given[end] = shot
