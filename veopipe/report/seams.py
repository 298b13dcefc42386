"""Where one shot goes over into another: the pictures before and after, for people who look whether it jumps.

* A chain has a seam: the frame that a shot was made from beside the frame that it begins or ends with.
* A cut has one between each two clips, with the very frames that it shows there. Without `cuts/main.yaml` the list's
  order is nobody's word on what follows upon what, so only chains have seams then.
* Nothing is taken out of a video here: the page's browser draws both pictures, and only of seams that are looked at.
  So the report needs no extra, and which take is shown follows what is picked on the page.

Source: docs/design.md, 12 (The page) and 12 (Cuts).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from veopipe.errors import InvalidInput, VeopipeError
from veopipe.film.cutfile import MAIN
from veopipe.film.cutting import Film, Shown, timecode
from veopipe.project.open_ledger import OpenLedger
from veopipe.report.rows import Row
from veopipe.report.showing import Linker
from veopipe.takes.moment import FIRST, LAST
from veopipe.takes.order import BEGINS, ENDS, OrderedPicture
from veopipe.takes.take import Take
from veopipe.text import printable
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two pictures of a seam.

    Attributes:
        name: of the shot, or of a file, safe to show.
        at: which picture: `first`, `last`, or seconds from the first one.
        words: the same for people.
        shot: the id of the shot; empty: it is a file.
        take: the take that is shown whatever is picked; None: the chosen one.
        video: link to the video, where the page has no card that knows it.
    """

    name: str
    at: str
    words: str
    shot: str = ""
    take: int | None = None
    video: str | None = None


@dataclass(frozen=True, slots=True)
class Seam:
    """Two pictures that are seen one after the other.

    Attributes:
        before: the earlier one.
        after: the later one.
        consumer: the shot that was made from the other one, so that both should look alike; empty: neither was.
        made_from: number of a take of that shot → the take of the other one that it was made from.
    """

    before: Side
    after: Side
    consumer: str = ""
    made_from: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A clip in the bar of a cut; `start` and `width` are per cent of the film.

    Attributes:
        shot: its id; empty: it is a file or a gap.
        words: what it is, from when on, and how long.
        kind: `shot`, `file`, `gap`, or `missing` where a slate would stand.
    """

    start: float
    width: float
    shot: str
    words: str
    kind: str


@dataclass(frozen=True, slots=True)
class Seams:
    """What a page shows of them.

    Attributes:
        all: those of the cut in its order, then those of other chains in the list's.
        bar: the clips of the cut; nothing without one.
        length: of the film, for people; empty without a cut.
        problem: why there is a cut and it can't be shown; empty: it can.
    """

    all: tuple[Seam, ...] = ()
    bar: tuple[Stretch, ...] = ()
    length: str = ""
    problem: str = ""

    def by_shot(self) -> dict[str, list[tuple[int, str]]]:
        """Shot → place of each of its seams, and the name of what is on the other side."""
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for place, seam in enumerate(self.all):
            found[seam.after.shot].append((place, seam.before.name))
            found[seam.before.shot].append((place, seam.after.name))
        found.pop("", None)
        return found


def seams_of(ledger: OpenLedger, rows: Iterable[Row], linker: Linker) -> Seams:
    """The seams of a list.

    Args:
        ledger: of the list.
        rows: of its report: what has a card on the page.
        linker: for videos without a card.
    """
    rows = tuple(rows)
    chains = tuple(_Chains.of(ledger, rows, linker).seams(rows))
    if ledger.project.choices.selects or not os.path.lexists(ledger.project.places.cut_of(MAIN)):
        return Seams(chains)
    try:
        film = ledger.editing().film()
    except VeopipeError as error:
        said = str(error.problems[0]) if isinstance(error, InvalidInput) and error.problems else str(error)
        return Seams(chains, problem=printable(said, None))
    length = f"{timecode(film.frames, film.fps)} ({float(film.seconds):.1f} s)"
    return Seams(tuple(_joined(film, chains, linker)), tuple(_bar(film)), length)


# --- chains ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Chains:
    """Who was made from whom, by what is on record.

    Attributes:
        made: fingerprint of an order → the shots that have a take of it, with the take.
        shown: the shots that have a card.
        linker: for takes of the others.
    """

    made: Mapping[str, list[tuple[str, Take]]]
    shown: frozenset[str]
    linker: Linker

    @classmethod
    def of(cls, ledger: OpenLedger, rows: tuple[Row, ...], linker: Linker) -> _Chains:
        made: dict[str, list[tuple[str, Take]]] = defaultdict(list)
        states = {row.state.shot: row.shot for row in rows}
        for state in ledger.store.shots.values():
            for take in state.takes:
                made[take.fingerprint].append((states.get(state.shot, state.shot), take))
        return cls(made, frozenset(row.shot for row in rows), linker)

    def seams(self, rows: tuple[Row, ...]) -> Iterator[Seam]:
        for row in rows:
            take = row.made
            for picture in take.order.pictures if take is not None and take.file is not None else ():
                if take is not None and picture.frame is not None and picture.role in {BEGINS, ENDS}:
                    yield from self._seam(row, take, picture)

    def _seam(self, row: Row, take: Take, picture: OrderedPicture) -> Iterator[Seam]:
        found = self._producer(take, picture)
        if found is None:
            return
        producer, of = found
        there = None if producer in self.shown else self.linker.to_take(of)
        source = replace(_side(producer, picture.frame or LAST.name), video=there)
        made_from = dict(self._made_from(row, picture.role, producer))
        if picture.role == BEGINS:
            yield Seam(source, _side(row.shot, FIRST.name), row.shot, made_from)
        else:
            yield Seam(_side(row.shot, LAST.name), source, row.shot, made_from)

    def _producer(self, take: Take, picture: OrderedPicture) -> tuple[str, Take] | None:
        """The shot that a picture was taken from, and its take; of several with one order, the one that was noted."""
        candidates = self.made.get(picture.of or "", [])
        noted = {sent.shot for sent in take.last.sent if sent.role == picture.role}
        return next((pair for pair in candidates if pair[0] in noted), next(iter(candidates), None))

    def _made_from(self, row: Row, role: str, producer: str) -> Iterator[tuple[int, int]]:
        for take in row.state.takes:
            for picture in take.order.pictures:
                found = self._producer(take, picture) if picture.role == role and picture.frame is not None else None
                if found is not None and found[0] == producer:
                    yield take.number, found[1].number


def _side(shot: str, at: str) -> Side:
    words = f"{at} frame" if at in {FIRST.name, LAST.name} else f"at {at} s"
    return Side(printable(shot, None, own=True), at, words, shot)


# --- the cut ---------------------------------------------------------------------------------------


def _joined(film: Film, chains: tuple[Seam, ...], linker: Linker) -> Iterator[Seam]:
    """The seams of a cut, then the chains that it doesn't show."""
    shown: set[int] = set()
    between: dict[tuple[str, str], list[Seam]] = defaultdict(list)
    for chain in chains:
        between[chain.before.shot, chain.after.shot].append(chain)
    for one, other in zip(film.clips, film.clips[1:], strict=False):
        if "gap" in {one.kind, other.kind}:
            continue
        seam = Seam(_end_of(one, linker), _begin_of(other, linker))
        for chain in between[seam.before.shot, seam.after.shot]:
            if chain.before.at == seam.before.at and chain.after.at == FIRST.name:  # a cut may start a frame later
                shown.add(id(chain))
                seam = replace(seam, consumer=chain.consumer, made_from=chain.made_from)
        yield seam
    yield from (chain for chain in chains if id(chain) not in shown)


def _end_of(shown: Shown, linker: Linker) -> Side:
    if shown.is_whole_to_its_end:
        return _clip(shown, LAST.name, "last frame", linker)
    return _clip(shown, _middle(shown, shown.end - 1), f"frame {shown.end - 1}", linker)


def _begin_of(shown: Shown, linker: Linker) -> Side:
    if shown.begin == 0:
        return _clip(shown, FIRST.name, "first frame", linker)
    return _clip(shown, _middle(shown, shown.begin), f"frame {shown.begin}", linker)


def _middle(shown: Shown, frame: int) -> str:
    """When a frame is on screen, in the middle of its time, so that no rounding shows its neighbour."""
    return f"{float((frame + 0.5) / shown.footage.fps):.4f}"


def _clip(shown: Shown, at: str, words: str, linker: Linker) -> Side:
    clip, path = shown.clip, shown.path
    video = linker.to(path) if clip.file is not None and path is not None else None
    return Side(printable(clip.name, None, own=True), at, words, clip.shot or "", clip.take, video)


def _bar(film: Film) -> Iterator[Stretch]:
    for shown in film.clips:
        name, at = printable(shown.clip.name, None, own=True), timecode(shown.at, film.fps)
        words = f"{name}, {at}, {float(shown.frames / film.fps):.2f} s"
        start, width = (round(100 * part / max(1, film.frames), 3) for part in (shown.at, shown.frames))
        kind = shown.kind if shown.missing is None else "missing"
        yield Stretch(start, width, shown.clip.shot or "", words, kind)
