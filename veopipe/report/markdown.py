"""The report as GitHub-flavoured Markdown: a job summary or a comment, what needs a person first.

* Everything from outside is escaped: it can't become a link, a picture, HTML, a table cell or a mention.
* GitHub cuts a job summary at 1 MiB: tables end after `_MOST` rows and say so.

Source: docs/hazards.md, e 47; GitHub, Workflow commands, Adding a job summary.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from veopipe.report.cards import Card, for_people
from veopipe.report.rows import Report
from veopipe.takes.money import dollars, dollars_to_come
from veopipe.takes.status import Status
from veopipe.text import counted, printable

_MOST = 500
# What has a meaning in Markdown. Entities, not backslashes: GitHub finds bare addresses behind those, too.
_SPECIAL = re.compile(r"[&<>\[\]!`*_~|\\@#$:]|(?<=\b[wW])(?=[wW]{2}\.)")
# GitHub looks for mentions and issue numbers once the entities are read: a zero-width space parts them.
_PARTED = "@#"
_LONGEST = 300


def render(report: Report, cards: Sequence[Card]) -> str:
    """The Markdown text.

    Args:
        report: for the money.
        cards: one per shot.
    """
    verified = sum(card.row.status == Status.VERIFIED for card in cards)
    words = Counter(card.row.standing.word for card in cards)
    money = report.money
    lines = [
        f"## {escaped(report.manifest, own=True)}: {verified:,} of {counted(len(cards), 'shot')} verified",
        "",
        f"Charged **\\{dollars(money.charged)}**, possibly charged **\\{dollars(money.possibly_charged)}**"
        f", still wanted **\\{dollars_to_come(money.planned)}**",
        "",
        ", ".join(f"{count:,} {word}" for word, count in words.most_common()),
        "",
    ]
    lines += [f"> {escaped(note)}\n" for note in report.notes]
    lines += _people(cards)
    lines += _table(cards)
    return "\n".join(lines) + "\n"


def _people(cards: Sequence[Card]) -> list[str]:
    lines = []
    for group in for_people(cards):
        lines += [f"### {group.advice.title}: {group.count:,}", "", escaped(group.advice.text), ""]
        for cause in group.causes:
            shots = ", ".join(escaped(shot, own=True) for shot in cause.shots[:40])
            more = f" and {len(cause.shots) - 40:,} more" if len(cause.shots) > 40 else ""
            lines.append(f"- **{shots}{more}**: {escaped(cause.reason)}" if cause.reason else f"- **{shots}{more}**")
        lines.append("")
    return lines


def _table(cards: Sequence[Card]) -> list[str]:
    lines = ["<details><summary>All shots</summary>", "", "| Shot | Status | Measured | Time | Cost | Prompt |"]
    lines.append("| --- | --- | --- | ---: | ---: | --- |")
    for card in cards[:_MOST]:
        measured = ", ".join(fact.measured for fact in card.facts if fact.ordered)
        status = f"{card.row.standing.word}. {card.note}" if card.note else card.row.standing.word
        cells = (card.row.shot, status, measured, card.took, card.cost, card.brief.prompt)
        lines.append("| " + " | ".join(escaped(cell, own=True) for cell in cells) + " |")
    if len(cards) > _MOST:
        lines.append(f"\n{counted(len(cards) - _MOST, 'more shot')}.")
    return [*lines, "", "</details>"]


def escaped(text: str, *, own: bool = False) -> str:
    """`text` on one line, as nothing but text; `own`: see `printable`."""
    return _SPECIAL.sub(_entity, printable(text, _LONGEST, own=own))


def _entity(match: re.Match[str]) -> str:
    entity = f"&#{ord(match[0])};" if match[0] else ""
    return entity if match[0] and match[0] not in _PARTED else f"{entity}&#8203;"
