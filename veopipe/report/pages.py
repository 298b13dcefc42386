"""A long report as several pages: the first has the overview, each has its cards, and each knows where the others are.

Browsers bear a thousand cards on one page, and not ten thousand. A report of up to that is one page, as ever.

Source: docs/design.md, 12 (The page).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import PurePath
from urllib.parse import quote

from veopipe.report.cards import Card
from veopipe.report.seams import Seam, Seams, Side
from veopipe.values import dataclass

CARDS = 1_000
"""On one page: it has some 1.2 MB then, and a browser shows it within a second or two."""


@dataclass(frozen=True, slots=True)
class Link:
    """A page as the others name it.

    Attributes:
        number: from 1.
        href: of its file.
        first: the id of its first shot.
        last: of its last one.
        people: how many of its shots need a person.
    """

    number: int
    href: str
    first: str
    last: str
    people: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one page shows.

    Attributes:
        number: from 1.
        file: its name; empty: there is one page, and it needs none.
        cards: of its shots.
        before: how many cards the pages before it have.
        links: all pages; none where there is one.
    """

    number: int
    file: str
    cards: Sequence[Card]
    before: int = 0
    links: Sequence[Link] = ()
    _places: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_first(self) -> bool:
        """Whether it has the overview."""
        return self.number == 1

    @property
    def is_last(self) -> bool:
        """Whether no page comes after it."""
        return self.number >= len(self.links)

    def has(self, shot: str) -> bool:
        """Whether a shot has its card here."""
        return self._places.get(shot, self.number) == self.number

    def page_of(self, shot: str) -> str:
        """What stands before `#shot-…` in a link to a card: nothing where it is on this page."""
        return "" if self.has(shot) else self.links[self._places[shot] - 1].href


def file_of(name: str, number: int) -> str:
    """What the file of a page is called: `night.html`, `night-2.html`."""
    path = PurePath(name)
    return name if number == 1 else f"{path.stem}-{number}{path.suffix}"


def files_of(name: str, shots: int) -> list[str]:
    """What the files of a report about so many shots are called, the first one first."""
    return [file_of(name, number) for number in range(1, max(1, -(-shots // CARDS)) + 1)]


def parts_of(cards: Sequence[Card], name: str | None, people: Collection[str]) -> list[Part]:
    """The pages of a report.

    Args:
        cards: of all its shots.
        name: of the first page's file; None: all of it is one page.
        people: the shots that need a person.
    """
    if name is None or len(cards) <= CARDS:
        return [Part(1, "", cards)]
    slices = [cards[at : at + CARDS] for at in range(0, len(cards), CARDS)]
    places = {card.row.shot: number for number, those in enumerate(slices, 1) for card in those}
    links = [
        Link(
            number,
            quote(file_of(name, number)),
            those[0].row.shot,
            those[-1].row.shot,
            sum(card.row.shot in people for card in those),
        )
        for number, those in enumerate(slices, 1)
    ]
    return [
        Part(number, file_of(name, number), those, CARDS * (number - 1), links, places)
        for number, those in enumerate(slices, 1)
    ]


def seams_by_part(parts: Sequence[Part], seams: Seams) -> Iterator[Seams]:
    """The seams of each page: those of its shots, with links to the videos of others; the bar is the first one's."""
    if len(parts) == 1:
        yield seams
        return
    there = [(card, part.number) for part in parts for card in part.cards]
    cards = {card.row.shot: card for card, _ in there}
    mine = _sorted(seams.all, {card.row.shot: number for card, number in there})
    for part in parts:
        own = tuple(_linked(seam, part, cards) for seam in mine[part.number])
        yield replace(seams, all=own) if part.is_first else Seams(own)


def _sorted(seams: Sequence[Seam], places: Mapping[str, int]) -> Mapping[int, list[Seam]]:
    """Page → the seams that one of its shots has; the first one has those of two files, too."""
    found: dict[int, list[Seam]] = defaultdict(list)
    for seam in seams:
        for number in {places[side.shot] for side in (seam.before, seam.after) if side.shot in places} or {1}:
            found[number].append(seam)
    return found


def _linked(seam: Seam, part: Part, cards: Mapping[str, Card]) -> Seam:
    return replace(seam, before=_side(seam.before, part, cards), after=_side(seam.after, part, cards))


def _side(side: Side, part: Part, cards: Mapping[str, Card]) -> Side:
    """A side whose shot has its card on another page, with the link to its video."""
    card = cards.get(side.shot)
    if card is None or part.has(side.shot):
        return side
    number = card.row.take if side.take is None else side.take
    return replace(side, video=next((take.video for take in card.choosing.takes if take.number == number), None))
