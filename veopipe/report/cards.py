"""What the page, Markdown and JUnit show of a shot besides its row, and which shots need a person.

* Everything in a card came through `text.printable`: no controls, no keys. It isn't escaped for any format yet.
* Task ids open a video without a key at some gateways (docs/hazards.md, e 43b): cards hold their first
  characters only, wherever they stand.
* Links are relative to the folder of the report, so that both can be moved together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from veopipe.clock import between, minutes
from veopipe.ledger.prefixes import is_prefix
from veopipe.manifest import shots
from veopipe.manifest.shots import Scalar
from veopipe.project.project import Project
from veopipe.report.choosing import Choosing, choosing_of
from veopipe.report.legend import LEGEND, PENDING, Advice, Standing
from veopipe.report.rows import Report, Row
from veopipe.report.showing import Cleaner, Linker, masked
from veopipe.takes.money import dollars, dollars_exactly, dollars_to_come
from veopipe.takes.order import Order, OrderedPicture
from veopipe.takes.status import POSSIBLY_CHARGED, SETTLED, Status
from veopipe.takes.take import Attempt, ShotState, Spending, Take, attempts_of, spending
from veopipe.text import printable, without_ids
from veopipe.values import dataclass

_ROLES = {"input_reference": "first frame", "last_frame": "last frame", "reference_images": "reference"}
_MODES = {
    "text": "from text",
    "image": "from a picture",
    "first_last": "first to last frame",
    "references": "from references",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was ordered, and what was measured.

    Attributes:
        differs: whether the file isn't as ordered there.
    """

    name: str
    ordered: str
    measured: str
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the order: its role in words, its file as the manifest names it, a link to it if known."""

    role: str
    name: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Past:
    """One attempt of one take, newest first in a card."""

    take: int
    attempt: int
    status: str
    at: str
    took: str
    cost: str
    reason: str
    task: str
    gateway: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Brief:
    """What the list says of a shot, or said when its take was ordered.

    Attributes:
        prompt: as it was ordered.
        settings: name and value of each parameter.
        summary: the order in the fewest words: `720p`, `16:9`, `8 s`, `veo-3.1-fast`.
        pictures: of the order.
        tags: labels, while the shot is in the list.
        notes: likewise.
        info: the keys of the user's own with their values, likewise.
    """

    prompt: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    summary: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tags: tuple[str, ...] = ()
    notes: str = ""
    info: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One shot.

    Attributes:
        row: where it stands.
        brief: what is wanted.
        choosing: its takes, and what people said of them.
        facts: ordered against measured.
        reason: why it stands there; empty for what is verified.
        note: for a verified take whose file isn't here, or a take that the list doesn't want any more.
        took_s: seconds from the create to the end of the newest attempt, once that is settled.
        spending: all attempts of all its takes.
        history: these attempts, the newest first.
    """

    row: Row
    brief: Brief
    choosing: Choosing
    facts: tuple[Fact, ...]
    reason: str
    note: str
    took_s: float | None
    spending: Spending
    history: tuple[Past, ...]

    @property
    def took(self) -> str:
        """The time it took, `m:ss`, or an empty text."""
        return minutes(self.took_s)

    @property
    def cost(self) -> str:
        """What it cost, in few words and to the cent; `?` behind what may have been charged."""
        if self.spending.total:
            return self._spent(dollars)
        price = self.row.item.price_usd
        return f"{dollars_to_come(price)} to come" if self.row.standing.status == PENDING else "$0"

    @property
    def exact_cost(self) -> str:
        """What it cost with all digits, where `cost` says fewer; else an empty text."""
        exact = self._spent(dollars_exactly) if self.spending.total else self.cost
        return exact if exact != self.cost else ""

    def _spent(self, written: Callable[[Decimal], str]) -> str:
        certain, possible = self.spending.certain, self.spending.possible
        parts = [written(certain)] if certain else []
        return " + ".join([*parts, f"{written(possible)}?"] if possible else parts)

    @property
    def is_stored(self) -> bool:
        """Whether its file lies in a store, where no page plays it."""
        return self.row.file is not None and is_prefix(self.row.file)

    @property
    def differs(self) -> bool:
        """Whether something measured isn't as ordered."""
        return any(fact.differs for fact in self.facts)


@dataclass(frozen=True, slots=True)
class Cause:
    """Shots that stand at the same place for the same reason."""

    reason: str
    shots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Shots of one status that wait for a person."""

    standing: Standing
    advice: Advice
    causes: tuple[Cause, ...]

    @property
    def count(self) -> int:
        """How many shots."""
        return sum(len(cause.shots) for cause in self.causes)


def for_people(cards: Iterable[Card]) -> tuple[Group, ...]:
    """The shots that need a person, the gravest first, those of one reason together."""
    by_status: dict[str, dict[str, list[Card]]] = {}
    for card in cards:
        status = card.row.standing.status
        if card.row.wanted or status in {Status.IN_DOUBT, Status.PARKED}:
            # Two refusals for one cause differ in request ids and time stamps only.
            by_status.setdefault(status, {}).setdefault(without_ids(card.reason), []).append(card)
    groups = []
    for status, by_reason in by_status.items():
        standing = LEGEND[status]
        if standing.advice is not None:
            causes = [Cause(same[0].reason, tuple(card.row.shot for card in same)) for same in by_reason.values()]
            causes.sort(key=lambda cause: -len(cause.shots))
            groups.append(Group(standing, standing.advice, tuple(causes)))
    return tuple(sorted(groups, key=lambda group: group.advice.rank))


def make_cards(project: Project, report: Report, folder: Path) -> tuple[Card, ...]:
    """One card per row of the report, in its order.

    Args:
        project: the manifest.
        report: its report.
        folder: where the report will lie; links are relative to it.
    """
    linker = Linker(project, Path(os.path.realpath(folder)))
    return tuple(_card(row, linker) for row in report.rows)


def _card(row: Row, linker: Linker) -> Card:
    attempts = list(attempts_of([row.state]))
    clean = Cleaner(tuple(attempt.task_id for attempt in attempts if attempt.task_id))
    take = row.made
    return Card(
        row=row,
        brief=_brief(row, clean, linker),
        choosing=choosing_of(row, clean, linker),
        facts=_facts(take) if take else (),
        reason=clean.lines(_reason(row)),
        note=_note(row),
        took_s=_took(take.last) if take is not None and take.status is not Status.REFUSED else None,
        spending=spending(attempts),
        history=_history(row.state, clean, linker),
    )


def _brief(row: Row, clean: Cleaner, linker: Linker) -> Brief:
    brief, listed = Brief(), linker.project.manifest.shots.get(row.shot)
    if listed is not None:
        tags = tuple(printable(tag, 60, own=True) for tag in listed.tags)
        brief = Brief(tags=tags, notes=clean.lines(listed.notes or "", own=True), info=_info(row.info, clean))
    order = row.made.order if row.made is not None else row.item.order
    if order is None:
        return brief
    return replace(
        brief,
        prompt=clean.lines(order.prompt, own=True),
        settings=_settings(order, row, clean),
        summary=_summary(order),
        pictures=_pictures(order, row, linker),
    )


def _info(info: Mapping[str, Scalar], clean: Cleaner) -> tuple[tuple[str, str], ...]:
    return tuple((printable(key, 60, own=True), clean.lines(_word(value), own=True)) for key, value in info.items())


def _word(value: Scalar) -> str:
    """A value as YAML has it; nothing for one that is left empty."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _took(attempt: Attempt) -> float | None:
    """Seconds from the create to the end, once there is one."""
    return between(attempt.submitted_at, attempt.settled_at) if attempt.status in SETTLED else None


def _settings(order: Order, row: Row, clean: Cleaner) -> tuple[tuple[str, str], ...]:
    shown = [
        ("model", order.model),
        ("mode", _MODES[row.item.order.mode] if row.item.order is not None else None),
        ("resolution", order.resolution),
        ("aspect ratio", order.aspect_ratio),
        ("seconds", order.seconds),
        ("seed", order.seed),
        ("negative prompt", order.negative_prompt),
    ]
    return tuple((name, clean.lines(str(value), own=True)) for name, value in shown if value is not None)


def _summary(order: Order) -> tuple[str, ...]:
    model = order.model.removesuffix("-generate-preview")
    words = (order.resolution, order.aspect_ratio, f"{order.seconds} s", model)
    return tuple(printable(word, 40) for word in words if word)


def _pictures(order: Order, row: Row, linker: Linker) -> tuple[Picture, ...]:
    known = {digest: picture for picture, digest in linker.project.pictures.get(row.shot, ())}
    found = []
    for ordered in order.pictures:
        picture = known.get(ordered.sha256 or "")
        link = linker.to(picture.path) if picture else None
        found.append(Picture(_ROLES.get(ordered.role, ordered.role), _name_of(ordered, picture), link))
    return tuple(found)


def _name_of(ordered: OrderedPicture, file: shots.Picture | None) -> str:
    """What people know a picture by."""
    if file is not None:
        return printable(file.written, 120, own=True)
    if ordered.sha256 is not None:
        return f"sha256 {ordered.sha256[:12]}…"
    return f"the {ordered.frame} frame of another shot"


def _facts(take: Take) -> tuple[Fact, ...]:
    """Ordered against measured, once a file was measured."""
    file, (width, height) = take.file, take.order.size
    if file is None or file.width is None or file.duration_s is None:
        return ()
    wanted, found = f"{width} × {height}", f"{file.width} × {file.height}"
    # Whether a duration is near enough was decided with the tolerance of its run: the evidence says so.
    evidence = take.last.message or ""
    late = take.status is Status.MISMATCHED and f"measured {file.duration_s:g} s" in evidence
    size_fact = Fact("size", wanted, found, wanted != found)
    facts = [size_fact, Fact("length", f"{take.order.seconds} s", f"{file.duration_s:.2f} s", late)]
    fps, codec = file.measured.get("fps"), file.measured.get("video_codec")
    sound = file.measured.get("audio_codec")
    if isinstance(fps, int | float):
        facts.append(Fact("rate", "", f"{fps:g} fps"))
    if codec:
        facts.append(Fact("codecs", "", printable(f"{codec} + {sound}" if sound else f"{codec}, no sound", 40)))
    return tuple(facts)


def _reason(row: Row) -> str:
    told = row.status == Status.VERIFIED or (row.status == PENDING and row.item.reason == row.reason == "new")
    return "" if told else row.reason or ""


def _note(row: Row) -> str:
    if not row.wanted:
        return "The list doesn't want this take any more."
    if row.file is not None and is_prefix(row.file):
        return f"It lies at {printable(row.file, None, own=True)}"
    if row.status == Status.VERIFIED and row.file is None:
        return f"Its file isn't on this disk: {row.away}." if row.away else "Its file isn't on this disk."
    return ""


def _history(state: ShotState, clean: Cleaner, linker: Linker) -> tuple[Past, ...]:
    return tuple(
        Past(
            take=take.number,
            attempt=attempt.number,
            status=LEGEND[attempt.status].word,
            at=attempt.submitted_at,
            took=minutes(_took(attempt)),
            cost=_cost_of(attempt),
            reason=clean.lines(attempt.message or attempt.reason or ""),
            task=masked(attempt.task_id) if attempt.task_id else "",
            gateway=printable(attempt.gateway, 100),
            link=linker.to_take(take) if attempt is take.last else None,
        )
        for take in reversed(state.takes)
        for attempt in reversed(take.attempts)
    )


def _cost_of(attempt: Attempt) -> str:
    if attempt.is_charged:
        return dollars_exactly(attempt.cost_usd)
    return f"{dollars_exactly(attempt.cost_usd)}?" if attempt.status in POSSIBLY_CHARGED else "$0"
