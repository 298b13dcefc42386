"""Which shots need a person, the gravest first, and what that person should do about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from veopipe.report.cards import HELD, Card
from veopipe.report.rows import UNREADABLE
from veopipe.takes.status import Status
from veopipe.text import without_ids


@dataclass(frozen=True, slots=True)
class Cause:
    """Shots that stand at the same place for the same reason."""

    reason: str
    shots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Shots of one status that wait for a person.

    Attributes:
        advice: what to do, for people.
        command: the command that does it, without the manifest, or an empty text.
    """

    status: str
    title: str
    advice: str
    command: str
    causes: tuple[Cause, ...]

    @property
    def count(self) -> int:
        """How many shots."""
        return sum(len(cause.shots) for cause in self.causes)


# Status, title, advice, command: in the order in which a person should look.
_FOR_PEOPLE = (
    (
        Status.IN_DOUBT,
        "In doubt",
        "A create was sent and no answer came, so it counts as spent. "
        "Look it up in the gateway's console, then say what became of it.",
        "resolve",
    ),
    (UNREADABLE, "Unreadable", "Their state files can't be understood, so nothing is sent for them.", ""),
    (HELD, "Held", "Nothing is sent for them until this is cleared up.", ""),
    (
        Status.MISMATCHED,
        "Not as ordered",
        "Delivered and kept, but measured otherwise. Use the file as it is, or raise its take number to order another.",
        "",
    ),
    (
        Status.FAILED,
        "Failed",
        "The gateway reported them failed; they may have been billed. Another attempt is paid again.",
        "run --retry-failed",
    ),
    (
        Status.REFUSED,
        "Refused",
        "Nothing was charged. Change in the list what the reason names and run again; "
        "with --retry-failed the same is sent again.",
        "run",
    ),
    (Status.PARKED, "Parked", "Paid and not settled yet. The next run asks again and costs nothing more.", "run"),
    (
        Status.ABANDONED,
        "Abandoned",
        "Written off, or gone from the gateway. Raise its take number to order another.",
        "",
    ),
)


def for_people(cards: Iterable[Card]) -> tuple[Group, ...]:
    """The shots that need a person, the gravest first, those of one reason together."""
    by_status: dict[str, dict[str, list[Card]]] = {}
    for card in cards:
        if card.wanted or card.status in {Status.IN_DOUBT, Status.PARKED}:
            # Two refusals for one cause differ in request ids and time stamps only.
            key = without_ids(card.reason)
            by_status.setdefault(card.status, {}).setdefault(key, []).append(card)
    groups = []
    for status, title, advice, command in _FOR_PEOPLE:
        found = by_status.get(status, {})
        causes = [Cause(same[0].reason, tuple(card.shot for card in same)) for same in found.values()]
        if causes:
            causes.sort(key=lambda cause: -len(cause.shots))
            groups.append(Group(status, title, advice, command, tuple(causes)))
    return tuple(groups)
