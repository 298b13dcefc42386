"""The report as HTML for a browser, a page or several, and the only module that knows Jinja2.

* No network: style and script are inside, allowed by their hashes; the policy forbids the rest.
* Videos are linked from the report's own folder, never embedded.
* Every value is escaped by the template engine; nothing from outside reaches the script, which reads
  the finished page only.
* What people decide on it leaves it as a file, `decisions.json`: the page can't spend, and writes no review itself.

Source: docs/design.md, 12 (The page); docs/hazards.md, e 43b to 45.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from veopipe import __version__
from veopipe.clock import between
from veopipe.project.open_ledger import OpenLedger
from veopipe.project.project import Project
from veopipe.report.cards import Card, Group, for_people, make_cards
from veopipe.report.legend import LEGEND, Standing
from veopipe.report.pages import parts_of, seams_by_part
from veopipe.report.rows import Report
from veopipe.report.seams import seams_of
from veopipe.report.showing import Linker
from veopipe.takes.money import dollars, dollars_exactly, dollars_to_come
from veopipe.takes.status import Status
from veopipe.takes.take import Spending, attempts_of, spending
from veopipe.text import counted, printable
from veopipe.values import dataclass

_STYLES = ("report.css", "review.css", "seams.css")
_SCRIPTS = ("sheet.js", "player.js", "review.js", "seams.js", "keys.js")  # in this order they make one script
_SCRIPTS_OF_PAGES = (*_SCRIPTS[:-1], "pages.js", _SCRIPTS[-1])
_TEMPLATES = ("report.html", "pages.html", "take.html", "seams.html", "seam.html")
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Segment:
    """The shots of one status: a button, and a part of the bar; `start` and `width` are per cent."""

    standing: Standing
    count: int
    start: float
    width: float


def render(ledger: OpenLedger, report: Report, folder: Path, at: str) -> str:
    """The report as one page, however long it is.

    Args:
        ledger: of the manifest.
        report: its report.
        folder: where the page will lie.
        at: when it is made, UTC, ISO 8601.
    """
    return next(pages(ledger, report, folder, at))[1]


def pages(
    ledger: OpenLedger, report: Report, folder: Path, at: str, name: str | None = None
) -> Iterator[tuple[str, str]]:
    """The pages of the report, each with the name of its file; one at a time, since each is long.

    Args:
        ledger: of the manifest.
        report: its report.
        folder: where the pages will lie.
        at: when they are made, UTC, ISO 8601.
        name: of the first page's file; None: all of it is one page.
    """
    cards = make_cards(ledger.project, report, folder)
    seams = seams_of(ledger, report.rows, Linker(ledger.project, Path(os.path.realpath(folder))))
    groups = for_people(cards)
    parts = parts_of(cards, name, {shot for group in groups for cause in group.causes for shot in cause.shots})
    page = _environment().get_template("report.html")
    overview = _overview(ledger, report, cards, groups, at)
    own = _Own.of(is_one=len(parts) == 1)
    for part, joints in zip(parts, seams_by_part(parts, seams), strict=True):
        yield (
            part.file or name or "",
            page.render(
                **overview,
                style=Markup(own.style),
                script=Markup(own.script),
                policy=own.policy,
                part=part,
                cards=part.cards,
                here=_segments(part.cards),
                review=_Review.of(ledger, part.cards, at),
                mixed=len({len(card.choosing.takes) > 1 for card in part.cards}) > 1,
                seams=joints,
                seams_by_shot=joints.by_shot(),
                tags=Counter(tag for card in part.cards for tag in card.brief.tags).most_common(),
            ),
        )


def _overview(
    ledger: OpenLedger, report: Report, cards: Sequence[Card], groups: Sequence[Group], at: str
) -> dict[str, object]:
    """What is about all shots, on whichever page."""
    project, last = ledger.project, _last_run(ledger)
    return {
        "title": _title(project),
        "manifest": printable(report.manifest, 200, own=True),
        "pipeline": printable(project.pipeline.name, 80, own=True),
        "simulated": project.choices.simulate,
        "at": at.replace("T", " ").replace("Z", " UTC"),
        "running": report.running,
        "version": __version__,
        "verdict": _verdict(cards, groups),
        "segments": _segments(cards),
        "total": len(cards),
        "money": report.money,
        "last": last,
        "cap": project.cap,
        "widths": _widths(last, project.cap),
        "groups": groups,
        "commands": {each: project.choices.typed(each) for each in {group.advice.command for group in groups} if each},
        "notes": [printable(note, None) for note in report.notes],
    }


@dataclass(frozen=True, slots=True)
class _Own:
    """Our own style and script, and the policy that allows nothing else."""

    style: str
    script: str
    policy: str

    @classmethod
    def of(cls, *, is_one: bool) -> _Own:
        """Those of a report that is one page, or one of several."""
        styles, scripts = (_STYLES, _SCRIPTS) if is_one else ((*_STYLES, "pages.css"), _SCRIPTS_OF_PAGES)
        style, script = "\n".join(map(_read, styles)).strip(), _whole("\n".join(map(_read, scripts)))
        return cls(style, script, _policy(style, script))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({name: _read(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"usd": dollars, "usd_to_come": dollars_to_come, "usd_exactly": _exactly}
    return environment


@dataclass(frozen=True, slots=True)
class _Review:
    """What the page needs so that people can decide on it.

    Attributes:
        ledger: the id of the ledger whose takes are shown.
        made: when the page was made, UTC, ISO 8601.
        about: the words behind `veopipe review`.
        undecided: how many shots wait for a verdict.
        stale: how many were made from another take than would be taken now.
        new: the shots of which a take arrived on the day before.
    """

    ledger: str
    made: str
    about: tuple[str, ...]
    undecided: int
    stale: int
    new: frozenset[str]

    @classmethod
    def of(cls, ledger: OpenLedger, cards: Sequence[Card], at: str) -> _Review:
        about = ledger.project.choices.typed("review")[2:]
        return cls(
            ledger.head.id,
            at,
            about,
            sum(card.choosing.undecided for card in cards),
            sum(_is_stale(card) for card in cards),
            frozenset(card.row.shot for card in cards if _is_new(card, at)),
        )


def _is_stale(card: Card) -> bool:
    return any(badge.kind == "stale" for badge in card.choosing.badges)


def _is_new(card: Card, at: str) -> bool:
    ages = (between(take.last.settled_at or "", at) for take in card.row.state.takes if take.file is not None)
    return any(age is not None and age <= _DAY for age in ages)


def _whole(script: str) -> str:
    """The parts of the script as one, which leaves no name behind."""
    return '(() => {\n"use strict";\n' + script.strip() + "\n})();"


def _title(project: Project) -> str:
    """The list's name, or its folder's where the list has the name that all lists have."""
    path = project.places.manifest
    return printable(path.parent.name if path.stem == "shots" and path.parent.name else path.stem, 80, own=True)


def _read(name: str) -> str:
    return (files("veopipe.report") / "templates" / name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """The page's content security policy: nothing but this style, this script and videos beside the page."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "media-src file: 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _exactly(amount: Decimal) -> str:
    """An amount with all its digits, where a page shows fewer; else an empty text."""
    exact = dollars_exactly(amount)
    return exact if exact not in {dollars(amount), dollars_to_come(amount)} else ""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _verdict(cards: Sequence[Card], groups: Sequence[Group]) -> str:
    """The state of things in a sentence or two."""
    verified = sum(card.row.status == Status.VERIFIED for card in cards)
    people = sum(group.count for group in groups)
    rest = len(cards) - verified - people
    if verified == len(cards):
        return f"All {counted(len(cards), 'shot')} verified." if len(cards) != 1 else "The shot is verified."
    said = [f"{verified:,} of {counted(len(cards), 'shot')} verified"]
    if people:
        said.append(f"{people:,} {'needs' if people == 1 else 'need'} you")
    if rest:
        said.append(f"{rest:,} still to come")
    return ", ".join(said) + "."


def _segments(cards: Sequence[Card]) -> list[Segment]:
    counts = Counter(card.row.standing.status for card in cards)
    found, start = [], 0.0
    for standing in sorted(LEGEND.values(), key=lambda standing: standing.place):
        if count := counts[standing.status]:
            width = 100 * count / len(cards)
            found.append(Segment(standing, count, round(start, 3), round(width, 3)))
            start += width
    return found


def _widths(last: Spending, cap: Decimal | None) -> tuple[float, float]:
    """The parts of a cap, in per cent, that the last run certainly and possibly used up; a cap is per run."""
    scale = max(cap or Decimal(0), last.total) or Decimal(1)
    return round(float(100 * last.certain / scale), 2), round(float(100 * last.possible / scale), 2)


def _last_run(ledger: OpenLedger) -> Spending:
    """What the newest run of this ledger cost."""
    attempts = list(attempts_of(ledger.store.shots.values()))
    newest = max(attempts, key=lambda attempt: attempt.submitted_at, default=None)
    return spending(attempt for attempt in attempts if newest is not None and attempt.run == newest.run)
