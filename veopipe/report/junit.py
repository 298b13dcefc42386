"""The report as JUnit XML, one test case per shot, for CI systems that show test results.

* A shot that isn't what was ordered is a failure; one that a person must look up first is an error; one
  that isn't settled yet is skipped, because a deadline or a budget isn't a defect of the shot.
* Characters that XML can't hold are replaced, so that every parser reads the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

from veopipe.report.cards import Card

# What XML 1.0 can't hold, not even as a reference (Extensible Markup Language 1.0, 2.2 Characters).
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(manifest: str, cards: Sequence[Card]) -> str:
    """The XML document.

    Args:
        manifest: its name, for the test suite.
        cards: one per shot.
    """
    suite = Xml.Element("testsuite", name=_held(manifest))
    outcomes = [_add(suite, card, _held(Path(manifest).stem)) for card in cards]
    seconds = sum(card.took_s or 0 for card in cards)
    counts = {"tests": len(cards), "failures": outcomes.count("failure"), "errors": outcomes.count("error")}
    for element in (suite, root := Xml.Element("testsuites", name="veopipe")):
        for name, count in counts.items():
            element.set(name, str(count))
        element.set("skipped", str(outcomes.count("skipped")))
        element.set("time", f"{seconds:.0f}")
    root.append(suite)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _add(suite: Xml.Element, card: Card, list_name: str) -> str:
    row, standing = card.row, card.row.standing
    case = Xml.SubElement(suite, "testcase", classname=list_name, name=row.shot, time=f"{card.took_s or 0:.0f}")
    properties = Xml.SubElement(case, "properties")
    facts = [("status", standing.word), ("take", str(row.take)), ("cost", card.cost), *_measured(card)]
    for name, value in [*facts, *([("note", card.note)] if card.note else [])]:
        Xml.SubElement(properties, "property", name=name, value=_held(value))
    if standing.outcome != "passed":
        message = f"{standing.word}: {card.reason}" if card.reason else standing.word
        element = Xml.SubElement(case, standing.outcome, message=_held(message))
        if standing.outcome != "skipped":
            element.set("type", standing.status)
        element.text = _held(f"{message}\n{card.brief.prompt}")
    return standing.outcome


def _measured(card: Card) -> list[tuple[str, str]]:
    return [(f"measured {fact.name}", fact.measured) for fact in card.facts]


def _held(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
