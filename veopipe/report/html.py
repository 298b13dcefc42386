"""The report as one HTML page for a browser, and the only module that knows Jinja2.

* One file, no network: style and script are inside, allowed by their hashes; the policy forbids the rest.
* Videos are linked from the report's own folder, never embedded.
* Every value is escaped by the template engine; nothing from outside reaches the script, which reads
  the finished page only.

Source: docs/hazards.md, e 43b to 45.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from veopipe import __version__
from veopipe.money import as_text
from veopipe.project import OpenLedger, Project
from veopipe.report.cards import Card, Group, for_people, make_cards
from veopipe.report.legend import LEGEND, Standing
from veopipe.report.rows import Report
from veopipe.takes.status import Status
from veopipe.takes.take import Spending, attempts_of, spending
from veopipe.text import counted, printable


@dataclass(frozen=True, slots=True)
class Segment:
    """The shots of one status: a button, and a part of the bar; `start` and `width` are per cent."""

    standing: Standing
    count: int
    start: float
    width: float


def render(ledger: OpenLedger, report: Report, folder: Path, at: str) -> str:
    """The page.

    Args:
        ledger: of the manifest.
        report: its report.
        folder: where the page will lie.
        at: when it is made, as people read it.
    """
    project = ledger.project
    cards = make_cards(project, report, folder)
    groups = for_people(cards)
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"report.html": _read("report.html")}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["usd"] = lambda amount: f"${as_text(amount)}"
    last, cap = _last_run(ledger), project.cap
    style, script = _read("report.css").strip(), _read("report.js").strip()
    return environment.get_template("report.html").render(
        title=_title(project),
        manifest=printable(report.manifest, 200, own=True),
        pipeline=printable(project.pipeline.name, 80, own=True),
        simulated=project.choices.simulate,
        at=at,
        running=report.running,
        version=__version__,
        verdict=_verdict(cards, groups),
        segments=_segments(cards),
        money=report.money,
        last=last,
        cap=cap,
        widths=_widths(last, cap),
        groups=groups,
        about=project.choices.words().split(),
        cards=cards,
        tags=Counter(tag for card in cards for tag in card.brief.tags).most_common(),
        notes=[printable(note, None) for note in report.notes],
        style=Markup(style),  # our own file, as the next
        script=Markup(script),
        policy=_policy(style, script),
    )


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
