"""What a run will do with each shot, why, and what that costs. Pure: no network, no clock, no disk.

* An order that has a take is never bought again by itself; an edited order is a new take.
* A shot with a take in doubt, an unreadable state file or takes on disk that no record knows gets nothing new.
* A take made at a gateway on this machine satisfies only runs at such a gateway.
* A pick locks the text of its shot: an edit buys nothing. Between two picks nothing is bought either.

Source: docs/design.md, 5, 6 (What goes on, what is held) and 12.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from decimal import Decimal
from enum import StrEnum

from veopipe.profiles.profile import Model, Retirement
from veopipe.takes.order import Order
from veopipe.takes.origin import is_local
from veopipe.takes.status import CARRIED_ON, Scope, Status
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import Reviews
from veopipe.values import dataclass

LOST = (
    "it was ordered before, and no state file here knows of it: bring the ledger's state/ back (from git, a backup, "
    "the machine that ran last), or give the record up (resolve --write-off)"
)
"""Why an order is held that the ledger counted and no state file knows: one text, by which reports group them."""
NOT_CHARGED = "not_charged"
"""The scope that `resolve --not-charged` gives a refusal: a person looked it up, so it may be sent again."""

# A run at its own gateway buys nothing for such a take.
_KEPT = CARRIED_ON | {Status.VERIFIED}
# Scopes of refusals that aren't about the shot: the next run may have more luck.
_TRIED_AGAIN = frozenset({Scope.ACCOUNT, Scope.GATEWAY, Scope.THROTTLE, NOT_CHARGED})

_SAID = frozenset({"prompt", "negative prompt"})
"""What of an order texts stand in."""


class Action(StrEnum):
    """What a run will do with a take."""

    CREATE = "create"
    RETRY = "retry"
    CONTINUE = "continue"
    KEEP = "keep"
    RENAME = "rename"
    STALE = "stale"
    WAIT = "wait"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A shot as the manifest wants it now.

    Attributes:
        order: of the first take that is wanted.
        takes: how many results of it are wanted, from that one on.
        uses: the names of the texts in its prompt and negative prompt.
        links: for each picture of the order, the shot whose frame it is; None: it is a file.
    """

    shot: str
    order: Order
    model: Model
    takes: int = 1
    uses: frozenset[str] = frozenset()
    links: tuple[str | None, ...] = ()

    @property
    def frames_of(self) -> list[str]:
        """The shots that its frames are of, frame by frame."""
        return [shot for shot in self.links if shot is not None]

    @property
    def producers(self) -> list[str]:
        """The same, each once."""
        return list(dict.fromkeys(self.frames_of))

    def orders(self, wishes: int = 0) -> tuple[Order, ...]:
        """What is wanted, and behind it as many further results as reviews wish for."""
        first = self.order.take
        more = range(first + 1, first + self.takes + wishes)
        return (self.order, *(replace(self.order, take=number) for number in more))


@dataclass(frozen=True, slots=True)
class Source:
    """A frame of another shot's take, which an order has for a picture.

    Attributes:
        role: what the picture is for.
        shot: the other shot, the producer.
        take: the number of its take, on record or to be made before.
        frame: which picture of the video (`moment.Moment`).
        fingerprint: of that take's order.
    """

    role: str
    shot: str
    take: int
    frame: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A pipeline whose picks are waited for.

    Attributes:
        pipeline: its name.
        output: its output folder.
        overridden: the keys that it or the one that waits overrides: they are no part of what was approved.
    """

    pipeline: str
    output: str
    overridden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Chaining:
    """How shots that depend on others are planned.

    Attributes:
        unselected: shots that aren't selected, and of which selected ones take frames, directly or not.
        refresh: `--refresh` was given: what is stale is ordered again.
        only_picked: frames are taken of picked takes only.
        draft: the pipeline whose picks are waited for, or None.
        others: all that aren't selected, where selected ones may have exchanged ids with them.
    """

    unselected: Mapping[str, Wanted] = field(default_factory=dict)
    refresh: bool = False
    only_picked: bool = False
    draft: Draft | None = None
    others: Mapping[str, Wanted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """What a plan depends on besides the wanted shots: what is on disk, and what the command asks for.

    Attributes:
        states: of every shot that has a state file, wanted or not.
        unreadable: shots whose state file can't be understood, with the reason.
        missing: shots whose state file isn't here: what is the matter with "its state file".
        lost: keys of orders that were made more often than is on record.
        strays: shots with takes on disk that no state file knows, with one file's name each.
        gateway: the name of the gateway of this run; None for commands that only look, which take every
            take as it is.
        retry_all: `--retry-failed` was given.
        retry_failed: the pipeline's further attempts for a failed take.
        manifest_ids: the ids of all shots of the manifest, selected or not.
        reviews: what people said of takes.
    """

    states: Mapping[str, ShotState]
    unreadable: Mapping[str, str]
    strays: Mapping[str, str]
    gateway: str | None
    retry_all: bool
    retry_failed: int
    manifest_ids: Collection[str]
    missing: Mapping[str, str] = field(default_factory=dict)
    lost: Collection[str] = ()
    reviews: Reviews = field(default_factory=Reviews)

    def accepts(self, take: Take) -> bool:
        """Whether a take satisfies this run: what a gateway on this machine made satisfies only runs at such a one."""
        return self.gateway is None or is_local(self.gateway) or not take.last.is_local

    def has_cost(self, take: Take) -> bool:
        """Whether a take may have cost money; what a gateway on this machine made cost none in a real run."""
        return self.accepts(take) and any(attempt.status is not Status.REFUSED for attempt in take.attempts)

    def picks(self, state: ShotState) -> list[Take]:
        """The picked takes of a shot, among those that satisfy this run and lie in its output folder."""
        return self.reviews.picks(filter(self.accepts, state.takes))

    def wishes(self, state: ShotState, order: Order) -> int:
        """How many further results of an order's text are wished for."""
        if not self.reviews.by_take:
            return 0
        asked = filter(self.reviews.wishes_again, filter(self.accepts, state.takes))
        return sum(take.order.has_text_of(order) for take in asked)

    def tries_again(self, take: Take) -> bool:
        """Whether another attempt is ordered for a take that was refused or failed."""
        if take.status is Status.REFUSED:
            return self.retry_all or take.last.scope in _TRIED_AGAIN
        return self.retry_all or take.failures() <= self.retry_failed


@dataclass(frozen=True, slots=True)
class Item:
    """What will be done with one take.

    Attributes:
        shot: its id in the manifest (or its last one, if it left it).
        action: what will be done.
        reason: why, for people.
        number: the take's number, or the one that a new take will get.
        fingerprint: of the take's order.
        order: what is wanted; None: the manifest doesn't want this take any more.
        price_usd: what one create costs.
        attempt: the number of the next create among those that may cost money, from 1.
        bought_before: an earlier take of this shot may have cost money, and this one is bought on top.
        bought_here: the take of the same order that a gateway on this machine made, perhaps through a port that is
            forwarded; it satisfies no run elsewhere.
        renamed_from: the shot whose state this one takes over first.
        status: where the take stands on disk; None: no create was ever made for it.
        google_usd: Google's list price for the same video, where it is known.
        retired: that the order's model is announced as switched off, or None.
        picked: it is the pick of its shot.
        spared_usd: what the pick keeps from being bought, US dollars: its shot's text was edited since.
        changes: what differs from the newest take's order, or from the pick's, in people's words.
        uses: the names of the list's texts in what is wanted of the shot.
        sources: the frames that it is made from.
        outside: it waits for a take of a shot that isn't selected.
    """

    shot: str
    action: Action
    reason: str
    number: int
    fingerprint: str
    order: Order | None
    price_usd: Decimal
    attempt: int = 1
    bought_before: bool = False
    bought_here: Take | None = None
    renamed_from: str | None = None
    status: Status | None = None
    google_usd: Decimal | None = None
    retired: Retirement | None = None
    picked: bool = False
    spared_usd: Decimal = Decimal(0)
    changes: tuple[str, ...] = ()
    uses: frozenset[str] = frozenset()
    sources: tuple[Source, ...] = ()
    outside: bool = False

    @property
    def wanted(self) -> bool:
        """Whether the manifest wants this take now."""
        return self.order is not None

    @property
    def bought_at(self) -> str | None:
        """The gateway on this machine where the same order was bought."""
        return self.bought_here.last.gateway if self.bought_here is not None else None

    @property
    def is_whole(self) -> bool:
        """Whether the manifest wants it now, and it is known of which takes its frames are."""
        frames = sum(picture.frame is not None for picture in self.order.pictures) if self.order is not None else 0
        return self.wanted and frames == len(self.sources)

    @property
    def is_stale(self) -> bool:
        """Whether its take was made from another take than would be taken now."""
        return self.action is Action.STALE

    @property
    def buys(self) -> bool:
        """Whether a create will be made for it."""
        return self.action in {Action.CREATE, Action.RETRY}

    @property
    def cost_usd(self) -> Decimal:
        """What it costs if every create succeeds at once."""
        return self.price_usd if self.buys else Decimal(0)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why shots are bought again whose prompts changed: most likely by an edit of a text that all of them use.

    Attributes:
        changes: what changed, in people's words.
        items: what is bought.
        uses: the names of the texts.
        staying: how many shots use these texts, were edited, too, and stay, since they are picked.
    """

    changes: tuple[str, ...]
    items: tuple[Item, ...]
    uses: frozenset[str]
    staying: int

    @property
    def shots(self) -> int:
        """How many shots are bought again."""
        return len({item.shot for item in self.items})

    @property
    def cost_usd(self) -> Decimal:
        """What that costs, US dollars."""
        return sum((item.cost_usd for item in self.items), Decimal(0))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which take of a shot is the chosen one: its finished name shows it once it is verified.

    Attributes:
        number: the take's; None: nobody has chosen among several.
        stands_in: another take may have the name until the chosen one is verified: nobody had to choose.
    """

    number: int | None
    stands_in: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do, in the manifest's order, what left the manifest last.

    Attributes:
        items: one for each take that is wanted or still open.
        retry_failed: the pipeline's further attempts for a failed take.
        moves: shot → the shot whose state it takes over first (`renames.takeovers`).
        choices: selected shot → which take is the chosen one.
        departed_picks: takes that were picked, by name, of shots that left the manifest.
    """

    items: tuple[Item, ...]
    retry_failed: int = 0
    moves: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    departed_picks: tuple[str, ...] = ()

    @property
    def creates(self) -> list[Item]:
        """What will be bought, in the order in which it will: never tried first."""
        return sorted((item for item in self.items if item.buys), key=lambda item: item.status is not None)

    @property
    def bought_shots(self) -> int:
        """How many shots something is bought for."""
        return len({item.shot for item in self.creates})

    @property
    def cost_usd(self) -> Decimal:
        """What the run costs if every create succeeds at once, US dollars."""
        return sum((item.cost_usd for item in self.items), Decimal(0))

    @property
    def worst_usd(self) -> Decimal:
        """What it costs if every take fails as often as the pipeline lets it be tried again, US dollars.

        A take that is only carried on counts too: if it fails, it is tried again.
        """
        tried = [item for item in self.items if item.buys or (item.wanted and item.status in CARRIED_ON)]
        return self.cost_usd + self.retry_failed * sum((item.price_usd for item in tried), Decimal(0))

    def may_show(self, state: ShotState, number: int) -> bool:
        """Whether the finished name of a shot may go to its verified take of that number."""
        choice = self.choices.get(state.shot)
        if choice is None or choice.number == number:
            return True
        return choice.stands_in and choice.number is not None and not state.is_verified(choice.number)

    def record_of(self, shot: str) -> str | None:
        """The id that the state of a shot has on disk; None: it has none, or gives it to another shot."""
        if shot in self.moves:
            return self.moves[shot]
        return None if shot in self.moves.values() else shot

    @property
    def again(self) -> list[Item]:
        """What is bought though an earlier take of the shot was bought before."""
        return [item for item in self.items if item.buys and item.bought_before and item.bought_here is None]

    @property
    def causes(self) -> list[Cause]:
        """Those for which shots are bought again that have texts in common: one edit of a text can be many orders."""
        edited: dict[tuple[str, ...], list[Item]] = {}
        for item in self.again:
            if not _SAID.isdisjoint(item.changes):
                edited.setdefault(item.changes, []).append(item)
        found = []
        for changes, items in edited.items():
            if uses := frozenset.intersection(*(item.uses for item in items)):
                kept = (item for item in self.items if item.spared_usd and not _SAID.isdisjoint(item.changes))
                found.append(Cause(changes, tuple(items), uses, sum(item.uses >= uses for item in kept)))
        return found

    @property
    def elsewhere(self) -> dict[tuple[str, bool], list[Item]]:
        """What is bought though a gateway on this machine had the same order.

        Returns:
            Gateway, and whether a run there buys nothing, since the take is verified or carried on → what is bought.
        """
        found: dict[tuple[str, bool], list[Item]] = {}
        for item in self.items:
            if item.buys and (local := item.bought_here) is not None:
                found.setdefault((local.last.gateway, local.status in _KEPT), []).append(item)
        return found

    @property
    def renames(self) -> list[Item]:
        """The shots that take over the state of another one, by one item each."""
        return list({item.shot: item for item in reversed(self.items) if item.renamed_from is not None}.values())[::-1]
