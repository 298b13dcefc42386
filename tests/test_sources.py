"""What docstrings, comments, documents and rules cite is in the clone, or is public: nothing leads nowhere.

One spelling (CONTRIBUTING, Conventions): `docs/hazards.md, b (Submit) and e 22`. A place is a section's number or
letter, the number of an entry in it, and in brackets the heading below it.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted(path for folder in ("veopipe", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])

PUBLIC = (
    *("https://", "RFC ", "ITU-T ", "ISO/IEC ", "POSIX, ", "PNG (third edition)", "Exif (CIPA DC-008)", "C2PA "),
    *("gitattributes(5)", "git-lfs, ", "git-annex, ", "DVC, ", "Apple, ", "Nextcloud, ", "GitHub, ", "Amazon S3, "),
)
"""How what everybody can look up begins."""
ELSEWHERE = ("Google", "other gateways of the family", "Exif (CIPA DC-008)")
"""The same for rules of shot lists: what isn't the API document's is told in docs/api-facts.md, b."""

_PLACE = r"\b(?:[a-i](?![\w'])(?:\s[0-9]+[a-z]?\b)?|[0-9]+[a-z]?\b)(?:\s\([^()]+\))?"
_PLACES = rf"{_PLACE}(?:(?:,\s+|\s+and\s+|\s+to\s+){_PLACE})*"
_PARTS = re.compile(r"(?:(?P<letter>[a-i])(?![\w']))?\s?(?P<number>[0-9]+[a-z]?)?(?:\s?\((?P<name>[^()]+)\))?")
_CITED = re.compile(rf"(?P<document>docs/[\w-]+\.md|DECISIONS\.md)(?:,\s+(?P<places>{_PLACES}))?")
# A page names its neighbours without the folder.
_IN_PAGES = re.compile(rf"\b(?P<document>(?:design|api-facts|hazards|DECISIONS)\.md)\)?,\s+(?P<places>{_PLACES})")
_SOURCE = re.compile(r"\bSources?:\s+(.*?)(?=\n\s*\n|\Z)", re.DOTALL)
# What each of these, and of those below, begins with or holds.
_CITING = re.compile(r"Source|\.md\b|api-facts|DECISIONS|esign|\([a-i]\s")
_STRAY = {
    "write docs/ in front": r"(?<!docs/)\b(?:design|api-facts|hazards|reliability)\.md\b",
    "name the document": r"\bapi-facts\b(?!\.md)|\bDECISIONS\b(?!\.md)|\([a-i]\s[0-9]",
    "write docs/design.md, and the number": r"\b[Dd]esign(?:,?\s+sections?\b|,\s+[0-9]|:\s+[A-Z])",
    "write the number without `section`": r"docs/[\w-]+\.md,?\s+sections?\b|docs/[\w-]+\.md\s+\(",
    "name the decision": r"DECISIONS\.md(?!,\s+[0-9])",
    "write Source:": r"\bSources:",
}


# --- what can be cited -----------------------------------------------------------------------------


@cache
def sections(document: str) -> dict[str, set[str]]:
    """The places of a document, such as `5`, `e`, `e 22` and `c 4`, each with the headings below it."""
    found: dict[str, set[str]] = {}
    here, is_numbered = "", False
    for line in (ROOT / document).read_text("utf-8").splitlines():
        if head := re.match(r"## (?:\(([a-i])\)|([0-9]+)\.) ", line):
            here = head[1] or head[2]
            found[here] = set()
        elif entry := re.match(r"### ([a-i] [0-9]+)\. ", line):
            found[entry[1]] = set()
        elif is_numbered and (row := re.match(r"\| ([0-9]+[a-z]?) \|", line)):
            found[f"{here} {row[1]}"] = set()
        elif below := re.match(r"### (.+)", line):
            found[here].add(below[1].replace("`", ""))
        is_numbered = line.startswith("|") and (is_numbered or line.startswith("| # |"))
    return found


@cache
def headings() -> str:
    """A pattern for the headings of the API document: a short line alone between blank ones."""
    text = (ROOT / "docs" / "api-document.txt").read_text("utf-8")
    names = re.findall(r"(?:\A|\n\n)([A-Z0-9][\w/ -]{2,39})(?=\n\n)", text)
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def lacks(document: str, places: str | None) -> Iterator[str]:
    """What of a citation isn't there."""
    if not (ROOT / document).is_file():
        yield f"there is no {document}"
        return
    letter = ""
    for place in re.findall(_PLACE, places or ""):
        parts = _PARTS.fullmatch(place)
        assert parts, place
        letter = parts["letter"] or letter
        key = " ".join(part for part in (letter, parts["number"]) if part)
        if key not in sections(document):
            yield f"{document} has no {key}"
        elif parts["name"] and " ".join(parts["name"].split()) not in sections(document)[key]:
            yield f"{document}, {key} has no heading {parts['name']!r}"


def unresolved(item: str) -> list[str]:
    """Why one item of a `Source:` leads nowhere; empty: it doesn't."""
    if cited := _CITED.fullmatch(item):
        return list(lacks(cited["document"], cited["places"]))
    if item.startswith("API document, "):
        names = re.sub(r" \([^()]*\)", "", item.removeprefix("API document, "))
        known = re.fullmatch(rf"(?:{headings()})(?:(?:, | and )(?:{headings()}))*", names)
        return [] if known else [f"the API document has no such sections: {names}"]
    if item.startswith(PUBLIC) or (item.startswith("schemas/") and (ROOT / item).is_file()):
        return []
    return [f"nobody can look this up: {item}"]


# --- where it is cited -----------------------------------------------------------------------------


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """First line and text of everything that is written as a docstring, of attributes, too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def comments(text: str) -> Iterator[tuple[int, str]]:
    """First line and text of each comment; lines below one another are one."""
    begun, words, last = 0, "", 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1 or not words:
                yield from [(begun, words)] if words else []
                begun, words = token.start[0], ""
            words, last = f"{words}\n{token.string.lstrip('# ')}".lstrip("\n"), token.start[0]
    yield from [(begun, words)] if words else []


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and comments of a file; nothing where no word of it could be of a citation."""
    text = path.read_text("utf-8")
    if _CITING.search(text):
        yield from docstrings(text)
        yield from comments(text)


def name(path: Path) -> str:
    """As it is called from the root of the clone."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def at(path: Path, line: int, text: str, index: int, what: str) -> str:
    return f"{name(path)}:{line + text.count(chr(10), 0, index)}: {what}"


def items(sentence: str) -> list[str]:
    return " ".join(sentence.split()).removesuffix(".").replace("`", "").split("; ")


def complaints(path: Path) -> Iterator[str]:
    """Every citation of a Python file that leads nowhere or is spelt otherwise."""
    for line, text in spoken(path):
        for source in _SOURCE.finditer(text):
            for item in items(source[1]):
                yield from (at(path, line, text, source.start(), why) for why in unresolved(item))
        for cited in _CITED.finditer(text):
            yield from (at(path, line, text, cited.start(), why) for why in lacks(cited["document"], cited["places"]))
        for advice, stray in _STRAY.items():
            for found in re.finditer(stray, text):
                yield at(path, line, text, found.start(), f"{found[0]!r}: {advice}")


@pytest.mark.parametrize("path", [path for path in CODE if path != Path(__file__)], ids=name)
def test_what_a_file_cites_is_there(path: Path) -> None:
    assert list(complaints(path)) == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_what_a_page_cites_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    cited = [(found["document"], found["places"]) for found in _IN_PAGES.finditer(text)]
    folder = {"DECISIONS.md": ""}
    assert [why for document, places in cited for why in lacks(folder.get(document, "docs/") + document, places)] == []
    named = re.findall(r"\btests/[\w/.-]*\w(?![\w*])", text)
    assert [place for place in named if not (ROOT / place).exists()] == []


def rule_sources() -> Iterator[str]:
    """Of every rule in a schema, and of every rule in the README's table, which has those of the code, too."""

    def within(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["x-source"]] if isinstance(value.get("x-source"), str) else []
            value = list(value.values())
        for child in value if isinstance(value, list) else ():
            yield from within(child)

    for path in sorted((ROOT / "schemas").glob("*.json")):
        yield from within(json.loads(path.read_text("utf-8")))
    rules = (ROOT / "README.md").read_text("utf-8").partition("<!-- generated: rules -->")[2]
    rows = rules.partition("<!-- end -->")[0].splitlines()
    yield from (row.split(" | ")[-1].removesuffix(" |") for row in rows if row.startswith("| `"))


@pytest.mark.parametrize("source", sorted(set(rule_sources())))
def test_the_source_of_a_rule_is_there(source: str) -> None:
    if source.startswith("veopipe, "):
        design = (ROOT / "docs" / "design.md").read_text("utf-8")
        assert source.removeprefix("veopipe, ") in re.findall(r"^##+ (?:[0-9]+\. )?(.+)", design, re.MULTILINE)
    elif not source.startswith(ELSEWHERE):
        assert unresolved(source) == []


# --- the test itself -------------------------------------------------------------------------------

GOOD = (
    "API document, Poll Status and Duration and Resolution (both)",
    "docs/design.md, 4 (Consent), 5 and 7 (--plan)",
    "docs/design.md, 4 to 7",
    "docs/hazards.md, b (Submit) and e 28, 30 and 43b",
    "docs/hazards.md, c 4",
    "docs/api-facts.md, b 35",
    "docs/reliability.md",
    "DECISIONS.md, 25",
    "RFC 9112, 7.1",
    "schemas/plan.schema.json",
)
BAD = (
    "API document, Poll",
    "docs/design.md, 99",
    "docs/design.md, 7 (Consent)",
    "docs/hazards.md, e 52",
    "docs/hazards.md, e 22, 99",
    "docs/hazards.md, b 429",
    "docs/nowhere.md",
    "DECISIONS.md, 999",
    "DECISIONS, 25",
    "design, section 5",
    "schemas/none.json",
    "somebody said so",
)


@pytest.mark.parametrize("item", GOOD)
def test_what_is_there_is_found(item: str) -> None:
    assert unresolved(item) == []


@pytest.mark.parametrize("item", BAD)
def test_what_leads_nowhere_is_said(item: str) -> None:
    assert unresolved(item) != []


STRAYS = (
    '"""Kept.\n\nSource: design, section 5.\n"""',
    '"""Kept.\n\nSource: docs/design.md, 5; a dream.\n"""',
    '"""Kept (reliability.md, e 22)."""',
    "# kept: reliability.md (b)",
    "# a key of this family (api-facts, b 24)",
    "# nothing that could leave its place (e 28)",
    "LIMIT = 3\n'''Tries (docs/hazards.md,\ne 99).'''",
    "# two lines, of which the second one says docs/design.md,\n# 98 and nobody finds it",
    "# (docs/design.md, section 5)",
)


@pytest.mark.parametrize("text", STRAYS)
def test_a_stray_citation_is_noticed_with_its_place_in_docstrings_and_comments(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kept.py"
    path.write_text(text, "utf-8")
    found = list(complaints(path))
    assert found != []
    assert all(re.match(r"kept\.py:[1-9]: ", complaint) for complaint in found)


def test_there_is_enough_to_be_found() -> None:
    """A change of the pattern must not make everything pass."""
    said = [text for path in CODE for _, text in spoken(path)]
    assert sum(len(items(found[1])) for text in said for found in _SOURCE.finditer(text)) > 60
    assert sum(len(_CITED.findall(text)) for text in said) > 120
    assert len(sections("docs/design.md")) == 12
    assert len(sections("docs/api-facts.md")) > 40
    assert len(sections("docs/hazards.md")) > 60


# --- what is named in passing ----------------------------------------------------------------------

_NAMED = re.compile(r"`(?:\w+\.)*([a-z_]+)\.([A-Za-z_]+)(?:\(\))?`")


def test_what_a_module_is_said_to_hold_is_there() -> None:
    """A name in a text outlives its module, if nobody looks. Keys of a pipeline and names of files look alike."""
    held: dict[str, set[str]] = {}
    for path in CODE:
        held.setdefault(path.stem, set()).update(re.findall(r"\w+", path.read_text("utf-8")))
    mine = [path for path in CODE if ROOT / "veopipe" in path.parents]
    ours = {path.stem for path in mine} - {"download", "poll", "verify"}
    folders = {path.parent.name for path in mine}
    strays = [
        f"{path.relative_to(ROOT)}: {named[0]}"
        for path in [*CODE, *PAGES]
        for named in _NAMED.finditer(path.read_text("utf-8"))
        if (named[1] in ours or named[2].isupper())
        and named[2] not in {*held.get(named[1], ()), *ours, *folders, "py", "yaml", "yml"}
    ]
    assert strays == []


def test_a_file_that_is_named_is_there() -> None:
    names = {str(path.relative_to(ROOT)) for path in CODE}
    strays = [
        f"{path.relative_to(ROOT)}: {named}"
        for path in [*CODE, *PAGES]
        for named in re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", path.read_text("utf-8"))
        if not any(name.endswith(f"/{named}") or name == named for name in names)
    ]
    assert strays == []
