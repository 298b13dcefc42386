"""Which shot takes over whose state: shots that got another id, one of them or all at once, in a row or in a circle.

* A shot takes a state over only if it wants an order that its own state doesn't have and the other one has.
* A state is free if its shot left the manifest, or wants no order that it has. Each is taken over once.
* A state whose place is taken goes where the row of takeovers began, so no state is ever without a place.

Pure.

Source: docs/design.md, 1 and 5 (Renamed shots); DECISIONS.md, 24.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping

from veopipe.takes.take import ShotState


def takeovers(
    wanted: Mapping[str, str],
    states: Mapping[str, ShotState],
    manifest_ids: Collection[str],
    unreadable: Collection[str],
) -> dict[str, str]:
    """Who takes over whose state.

    Args:
        wanted: selected shot → fingerprint of what it wants, in the manifest's order.
        states: of every shot that has one, wanted or not.
        manifest_ids: all shots of the manifest; those that aren't selected neither give nor take.
        unreadable: ids, without regard to case, whose state file can't be understood; nothing goes there.

    Returns:
        Shot → the shot whose state it takes over: each once on either side, and each id that gets a state while
        it has one gives its own to another.
    """
    departed = [shot for shot in sorted(states) if shot not in manifest_ids]
    needy = {
        shot: fingerprint
        for shot, fingerprint in wanted.items()
        if shot.casefold() not in unreadable and not _has(states.get(shot), fingerprint)
    }
    given = dict(_respelt(needy, departed, states))
    free = [*(shot for shot in departed if shot not in given.values()), *(shot for shot in needy if shot in states)]
    holders: dict[str, deque[str]] = {}
    for shot in free:
        for fingerprint in dict.fromkeys(take.fingerprint for take in states[shot].takes):
            holders.setdefault(fingerprint, deque()).append(shot)
    taken = set(given.values())
    for shot, fingerprint in needy.items():
        found = None if shot in given else _first(holders.get(fingerprint, deque()), taken)
        if found is not None:
            given[shot] = found
            taken.add(found)
    _make_room(given, states)
    return given


def _has(state: ShotState | None, fingerprint: str) -> bool:
    return state is not None and any(take.fingerprint == fingerprint for take in state.takes)


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
