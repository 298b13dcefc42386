"""Chains: shots that begin or end with a frame of another shot's video. What is wrong with them, by the list alone.

* A chain is between shots of one list, by their ids; a list's order means nothing for it.
* Everything is iterative and linear: a chain may be as long as a list.

Source: docs/design.md, 12 (Chains).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, Protocol

from veopipe.documents.problems import Finding, Rule
from veopipe.takes.chain import in_order
from veopipe.takes.moment import FIRST, LAST, Moment
from veopipe.takes.order import SIZES
from veopipe.text import printable
from veopipe.values import dataclass

_OWN = "veopipe, Film craft"
UNKNOWN = Rule("chain-unknown", "error", "`shot` is the id of a shot of this list", _OWN)
SELF = Rule("chain-self", "error", "no shot continues from itself", _OWN)
CYCLE = Rule("chain-cycle", "error", "no chain leads back to where it began", _OWN)
FRAME = Rule("chain-frame", "error", "`frame` is first, last, or seconds within the video", _OWN)
RATIO = Rule("chain-ratio", "warning", "a frame has the aspect ratio of the video that it is for", _OWN)
RATIO_4K = Rule("chain-ratio-4k", "error", "at 4k a frame has the aspect ratio of its video", _OWN)
SMALL = Rule("chain-small", "warning", "a frame is as large as the video that it begins or ends", _OWN)
LONG = Rule("chain-long", "info", "a chain has no more than three links", _OWN)
RULES = (UNKNOWN, SELF, CYCLE, FRAME, RATIO, RATIO_4K, SMALL, LONG)

_SOFTENS = 4
"""The link at which a chain is called long: each generation softens what it is given."""
_RING = 8  # shots of a ring that are named
_RINGS = 20  # that are told; whoever breaks these sees the next ones
_GUESSES, _KNOWN = 20, 500  # names that are compared, so that one mistake in `defaults` of a long list takes no hours

ValuePath = tuple[str | int, ...]
"""Keys and indexes down to a value of a shot."""


@dataclass(frozen=True, slots=True)
class Link:
    """A picture that is a frame of another shot's video.

    Attributes:
        role: what it is for, one of `takes.order.ROLES`.
        shot: the id of the other shot, the producer.
        frame: which picture of its video (`moment.Moment`).
    """

    role: str
    shot: str
    frame: str


class Ordered(Protocol):
    """What is asked of a shot here."""

    @property
    def seconds(self) -> int:
        """Its length."""

    @property
    def resolution(self) -> str:
        """Such as `720p`."""

    @property
    def aspect_ratio(self) -> str:
        """Such as `16:9`."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A shot that has links.

    Attributes:
        links: where each stands in the shot → the link.
    """

    links: Mapping[ValuePath, Link]

    @property
    def producers(self) -> Sequence[str]:
        """The shots that it takes frames of, each once."""
        return list(dict.fromkeys(link.shot for link in self.links.values()))


def linked(values: Mapping[str, Any], roles: Iterable[str]) -> tuple[dict[ValuePath, Link], list[Finding]]:
    """The links of an effective shot, and what is wrong with them by themselves."""
    found: dict[ValuePath, Link] = {}
    wrong: list[Finding] = []
    for path, entry in _entries(values, roles):
        try:
            found[path] = Link(str(path[0]), entry["shot"], Moment.of(str(entry["frame"])).name)
        except ValueError as error:
            wrong.append(FRAME.finding(f"`frame` names no picture: {error}", (*path, "frame")))
    return found, wrong


def _entries(values: Mapping[str, Any], roles: Iterable[str]) -> Iterator[tuple[ValuePath, Mapping[str, Any]]]:
    for role in roles:
        value = values.get(role)
        if isinstance(value, dict):
            yield (role,), value
        elif isinstance(value, list):
            yield from (((role, index), entry) for index, entry in enumerate(value) if isinstance(entry, dict))


def judge(shots: Mapping[str, Linked], ids: Sequence[str]) -> Iterator[tuple[str, Finding]]:
    """What is wrong with the chains of a list by their names: shot and finding.

    Args:
        shots: those that have links, in the list's order.
        ids: of all shots.
    """
    known, unknown = frozenset(ids), _unknown(ids)
    for shot, its in shots.items():
        for path, link in its.links.items():
            if link.shot == shot:
                message = f"{shot} continues from itself; if `defaults` say so, set `{path[0]}` on this shot, or null"
                yield shot, SELF.finding(message, (*path, "shot"))
            elif link.shot not in known:
                yield shot, UNKNOWN.finding(unknown(link.shot), (*path, "shot"))
    rings = _first_rings(shots)
    yield from (_ring(shots, ring) for ring in rings)
    if not rings:
        yield from _long(shots)


def _ring(shots: Mapping[str, Linked], ring: Sequence[str]) -> tuple[str, Finding]:
    first, second = ring[0], ring[1]
    path = next(path for path, link in shots[first].links.items() if link.shot == second)
    shown = " → ".join([*ring[:_RING], *(["…"] if len(ring) > _RING else []), first])
    return first, CYCLE.finding(f"these shots wait for each other: {shown}", (*path, "shot"))


def _unknown(ids: Sequence[str]) -> Callable[[str], str]:
    """What says that there is no such shot, and which was probably meant; each name is compared once."""
    told: dict[str, str] = {}
    compared = list(islice(ids, _KNOWN))

    def words(shot: str) -> str:
        if shot not in told:
            close = difflib.get_close_matches(shot[:64], compared, n=1) if len(told) < _GUESSES else ()
            guess = f"did you mean {close[0]}?" if close else "`shot` is the id of a shot of this list"
            told[shot] = f"there is no shot {printable(shot, 60)}: {guess}"
        return told[shot]

    return words


def _first_rings(shots: Mapping[str, Linked]) -> Sequence[Sequence[str]]:
    """The first rings, one for each link that closes some; see `_rings`."""
    found: dict[tuple[str, str], Sequence[str]] = {}
    for ring in _rings(shots):
        found.setdefault((ring[0], ring[1]), ring)
        if len(found) == _RINGS:
            break
    return list(found.values())


def _rings(shots: Mapping[str, Linked]) -> Iterator[Sequence[str]]:
    """Each ring of shots that wait for each other, from a consumer to its producer; a shot by itself is none.

    Of a long one only the first shots, one more than are named.
    """
    done: set[str] = set()
    after: dict[str, str] = {}  # shot on the way → the next one
    for start in shots:
        way = {} if start in done else {start: _others(shots, start)}
        while way:
            here = next(reversed(way))
            producer = next(way[here], None)
            if producer is None:
                done.add(here)
                del way[here]
            elif producer in way:
                yield _along(after, producer, here)
            elif producer not in done:
                after[here] = producer
                way[producer] = _others(shots, producer)


def _along(after: Mapping[str, str], first: str, last: str) -> Sequence[str]:
    names = [first]
    while names[-1] != last and len(names) <= _RING:
        names.append(after[names[-1]])
    return names


def _others(shots: Mapping[str, Linked], shot: str) -> Iterator[str]:
    """The producers of a shot that have links themselves."""
    return (producer for producer in shots[shot].producers if producer in shots and producer != shot)


def _long(shots: Mapping[str, Linked]) -> Iterator[tuple[str, Finding]]:
    """The links at which chains become long."""
    depth: dict[str, int] = {}
    producers = {shot: its.producers for shot, its in shots.items()}
    for shot in in_order(producers):
        depth[shot] = 1 + max((depth.get(producer, 0) for producer in producers[shot] if producer != shot), default=0)
        if depth[shot] == _SOFTENS:
            path = next(iter(shots[shot].links))
            message = f"this is the {_SOFTENS}th link of a chain: pictures soften from link to link, and motion stalls"
            yield shot, LONG.finding(message, (*path, "shot"))


def upstream(shots: Mapping[str, Linked], of: Iterable[str]) -> Iterator[str]:
    """Those of `of` that have links, and all with links that they wait for, each once."""
    found: set[str] = set()
    stack = list(of)
    while stack:
        here = stack.pop()
        if here in shots and here not in found:
            found.add(here)
            yield here
            stack += shots[here].producers


def fitting(link: Link, path: ValuePath, consumer: Ordered, producer: Ordered) -> Iterator[Finding]:
    """What is wrong with a link by what both shots order.

    Args:
        link: the link.
        path: where it stands in the consumer.
        consumer: the shot that has it.
        producer: the shot that it names.
    """
    at, lasts = Moment(link.frame), producer.seconds
    if at not in {FIRST, LAST} and Decimal(at.name) >= lasts:
        message = f"{link.shot} lasts {lasts} s: nothing is shown at {at.name} s; its last picture is `last`"
        yield FRAME.finding(message, (*path, "frame"))
    yield from _of_its_size(link, path, consumer, producer)


def _of_its_size(link: Link, path: ValuePath, consumer: Ordered, producer: Ordered) -> Iterator[Finding]:
    reads = frozenset({link.role, "aspect_ratio", "resolution"})
    if consumer.aspect_ratio != producer.aspect_ratio:
        rule = RATIO_4K if consumer.resolution == "4k" else RATIO
        message = f"{link.shot} is {producer.aspect_ratio}, and this shot is {consumer.aspect_ratio}"
        yield rule.finding(message, (*path, "shot"), reads=reads)
    elif link.role != "reference_images" and _pixels(producer) < _pixels(consumer):
        message = f"{link.shot} is made in {producer.resolution}: its frames are smaller than this video"
        yield SMALL.finding(message, (*path, "shot"), reads=reads)


def _pixels(shot: Ordered) -> int:
    width, height = SIZES[shot.resolution, shot.aspect_ratio]
    return width * height
