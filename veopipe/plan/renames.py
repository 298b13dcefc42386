"""Which shot takes over whose state: shots that got another id, one of them or all at once, in a row or in a circle.

* A shot takes a state over only if its own state has none of the orders that it wants, and the other one has one.
* A state is free if its shot left the manifest, or wants no order that it has. Each is taken over once.
* A state whose place is taken goes where the row of takeovers began, so no state is ever without a place.

Pure.

Source: docs/design.md, 1 and 5 (Renamed shots); DECISIONS.md, 24.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, KeysView, Mapping, Sequence

from veopipe.takes.take import ShotState


def takeovers(
    wanted: Mapping[str, Sequence[str]],
    states: Mapping[str, ShotState],
    manifest_ids: Collection[str],
    unreadable: Collection[str],
) -> dict[str, str]:
    """Who takes over whose state.

    Args:
        wanted: selected shot → fingerprints of what it wants, in the manifest's order.
        states: of every shot that has one, wanted or not.
        manifest_ids: all shots of the manifest; those that aren't selected neither give nor take.
        unreadable: ids, without regard to case, whose state file can't be understood; nothing goes there.

    Returns:
        Shot → the shot whose state it takes over: each once on either side, and each id that gets a state while
        it has one gives its own to another.
    """
    departed = sorted(states.keys() - set(manifest_ids))
    needy = {
        shot: fingerprints
        for shot, fingerprints in wanted.items()
        if shot.casefold() not in unreadable and _orders_of(states.get(shot)).isdisjoint(fingerprints)
    }
    given = dict(_respelt(needy, departed, states))
    taken = set(given.values())
    holders = _holders([*departed, *(shot for shot in needy if shot in states)], states)
    for shot, fingerprints in needy.items():
        for fingerprint in fingerprints if shot not in given else ():
            if (found := _first(holders[fingerprint], taken)) is not None:
                given[shot] = found
                taken.add(found)
                break
    _make_room(given, states)
    return given


def _orders_of(state: ShotState | None) -> KeysView[str]:
    """By what a shot's takes are known again, in their order: a shot may be renamed while its producer is retaken."""
    return dict.fromkeys(take.order.key(take.fingerprint) for take in (state.takes if state is not None else ())).keys()


def _holders(free: Iterable[str], states: Mapping[str, ShotState]) -> Mapping[str, deque[str]]:
    """Fingerprint → the free shots that have its take, those that left first."""
    holders = defaultdict[str, deque[str]](deque)
    for shot in free:
        for fingerprint in _orders_of(states[shot]):
            holders[fingerprint].append(shot)
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
