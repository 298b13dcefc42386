"""Texts that a list says once and uses by name: `${look}` in a prompt stands for the text `look`.

* Only a list that has `texts` or `bible` is written out; in any other a `${` is what it is, as before there were texts.
* A text names no other one, so that nothing is written out twice and no circle can be.
* Written out, a list is no longer than a file may be: it says nothing that it couldn't say without texts.
* A problem stands at the reference itself; where escapes hide that, at the value.

Source: docs/design.md, 3 (Texts).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from veopipe.documents import checks, neighbours, schema, yaml
from veopipe.documents.nodes import Layer, MappingNode, Node, ScalarNode, plain
from veopipe.documents.problems import Finding, Place, Rule
from veopipe.documents.syntax import LINE_END
from veopipe.errors import Problem
from veopipe.pipeline.pipeline import Overrides
from veopipe.text import printable
from veopipe.values import dataclass

_SENT = ("prompt", "negative_prompt")
_KEYS = (*_SENT, "notes")
_MARK = re.compile(r"\$\$\{|\$\{(?:([A-Za-z][A-Za-z0-9_-]{0,63})\})?")
_LIKE_ONE = re.compile(r"[^}]{0,40}\}?")
_BLOCK = re.compile(r"(?:&\S+\s+)?[|>][^\r\n]*")  # the line before a text in lines of its own, with its comment

_MOST_CHARACTERS = yaml.MAX_BYTES
_MOST_MARKS = 1_000
"""In one text: a prompt that Google reads whole has 1,024 tokens."""
_GUESSES, _KNOWN = 20, 500  # names that are compared, so that a long list with many mistakes takes no minutes
_NAMED = 10

_OWN = "veopipe, Manifest"
UNKNOWN = Rule("text-unknown", "error", "`${name}` names a text of the list or of its bible", _OWN)
UNUSED = Rule("text-unused", "info", "a text of the list is used in it", _OWN)
LITERAL = Rule("text-literal", "warning", "`${name}` is used where there are `texts`, or a `bible`", _OWN)
RULES = (UNKNOWN, UNUSED, LITERAL)

_Wrong = tuple[Finding, Place]
_NONE: frozenset[str] = frozenset()  # one for all: each would have 216 bytes of its own


@dataclass(slots=True)
class WrittenOut(ScalarNode):
    """A value whose references are written out; `uses`: the names of their texts."""

    uses: frozenset[str]


def uses(shot: Layer) -> frozenset[str]:
    """The names of the texts in what is ordered for a shot."""
    found = [name for key in _SENT if isinstance(node := shot.get(key), WrittenOut) for name in node.uses]
    return frozenset(found) if found else _NONE


def literal(shot: Layer) -> Iterator[Finding]:
    """Findings about what looks like a reference in a list without texts: it would be paid for as it stands."""
    for key in _SENT:
        node = shot.get(key)
        if isinstance(node, ScalarNode) and not isinstance(node, WrittenOut) and "${" in (text := node.text):
            names = (mark[1] for mark in islice(_MARK.finditer(text), _MOST_MARKS) if mark[1])
            if (name := next(names, None)) is not None:
                message = f"`${{{name}}}` is sent as it stands: the list has neither `texts` nor a `bible`"
                yield LITERAL.finding(message, (key,))


@dataclass(frozen=True, slots=True)
class WrittenList:
    """A list and a pipeline's overrides, with their references written out.

    Attributes:
        root: of the list.
        overrides: likewise.
        wrong: what is wrong with texts and references: where, and the shot in which a reference stands.
        problems: of the bible's file as YAML.
    """

    root: Node
    overrides: Overrides
    wrong: Sequence[tuple[Finding, Place, str | None]] = ()
    problems: Sequence[Problem] = ()


def write_out(read: yaml.Document, root: Node, overrides: Overrides, folder: Path) -> WrittenList:
    """Write out the references of a list that has texts; one that has none stays as it is.

    Args:
        read: the list's file.
        root: of the list.
        overrides: of the pipeline.
        folder: the list's, absolute.
    """
    said = _said(root, read.file, folder) if isinstance(root, MappingNode) else None
    if said is None or not isinstance(root, MappingNode):
        return WrittenList(root, overrides)
    texts = _Texts(said)
    sections = dict(root.items)
    if isinstance(defaults := sections.get("defaults"), MappingNode):
        sections["defaults"] = texts.written_out(defaults, read)
    if isinstance(shots := sections.get("shots"), MappingNode):
        made = {
            shot: texts.written_out(node, read, shot) if isinstance(node, MappingNode) else node
            for shot, node in shots.items.items()
        }
        sections["shots"] = replace(shots, items=made)
    laid_over = replace(overrides, nodes=texts.layer(overrides.nodes, overrides))
    wrong = [*((*each, None) for each in said.wrong), *texts.wrong, *texts.unused()]
    return WrittenList(replace(root, items=sections), laid_over, wrong, said.problems)


@dataclass(frozen=True, slots=True)
class _Said:
    """The texts of a list and of its bible.

    Attributes:
        words: name → text.
        own: where the names of the list's own stand.
        is_whole: all that could be read; else a name that isn't among them is nobody's mistake.
        wrong: what is wrong with them, and where.
        problems: of the bible's file as YAML.
    """

    words: Mapping[str, str]
    own: Mapping[str, Place]
    is_whole: bool
    wrong: Sequence[_Wrong] = ()
    problems: Sequence[Problem] = ()


def _said(root: MappingNode, file: str, folder: Path) -> _Said | None:
    """The texts of a list; None if it has neither `texts` nor `bible`."""
    bible = root.items.get("bible")
    has_bible = bible is not None and plain(bible) is not None
    if not has_bible and "texts" not in root.items:
        return None
    shared = _bible(root, file, folder) if has_bible else _Said({}, {}, is_whole=True)
    return _with_own(shared, root.items.get("texts"), file)


def _with_own(shared: _Said, texts: Node | None, file: str) -> _Said:
    """What a bible says, with the list's own texts laid over it."""
    if not isinstance(texts, MappingNode):
        is_nothing = texts is None or plain(texts) is None
        return replace(shared, is_whole=shared.is_whole and is_nothing)  # else the list's other keys tell what it is
    found = schema.check("manifest", plain(texts), "properties", "texts")
    wrong = [*shared.wrong, *((finding, finding.place(file, texts)) for finding in found)]
    bad = {finding.path[0] for finding in found}
    own = {name: Place(file, *where) for name, where in texts.keys.items() if name not in bad}
    return replace(shared, words={**shared.words, **_words(texts)}, own=own, wrong=wrong)


def _words(texts: Node | None) -> dict[str, str]:
    """Name → text; one that is none stands for nothing."""
    items = texts.items if isinstance(texts, MappingNode) else {}
    return {name: node.text if isinstance(node, ScalarNode) else "" for name, node in items.items()}


def _bible(root: MappingNode, file: str, folder: Path) -> _Said:
    """What a list's bible says."""
    path = ("bible",)
    written = checks.text_at(root, path)
    if not written.strip():
        return _Said({}, {}, is_whole=False)  # said with the list's other keys
    try:
        if written.startswith(("/", "~")):
            raise LookupError(f"{printable(written, 60)} is no path relative to the list: copy the file beside it")
        place = neighbours.find(folder, written, "bible")
    except LookupError as error:
        finding = checks.wrong("manifest", path, f"`bible`: {error.args[0]}")
        return _Said({}, {}, is_whole=False, wrong=[(finding, finding.place(file, root))])
    read = yaml.load(place, shown_as=_shown(file, written))
    if read.root is None:
        return _Said({}, {}, is_whole=False, problems=read.problems)
    wrong = [(each, each.place(read.file, read.root)) for each in schema.check("bible", plain(read.root))]
    texts = read.root.items.get("texts") if isinstance(read.root, MappingNode) else None
    return _Said(_words(texts), {}, isinstance(texts, MappingNode), wrong, read.problems)


def _shown(file: str, written: str) -> str:
    """The bible's name in problems: as one would name it where the list is named so."""
    shown = os.path.join(os.path.dirname(file), written)
    plainly = os.path.normpath(shown)
    return plainly if os.path.realpath(plainly) == os.path.realpath(shown) else shown  # a link may lead elsewhere


class _File(Protocol):
    """A file whose values are written out: a list, or a pipeline with overrides."""

    @property
    def file(self) -> str:
        """Its name in problems."""

    @property
    def spelt(self) -> Mapping[tuple[int, int], str]:
        """As in `yaml.Document`."""


@dataclass(slots=True)
class _Texts:
    """Writes out what is said by name; each value once, however many shots have it.

    Attributes:
        said: the texts.
        wrong: what is wrong with references, so far.
    """

    said: _Said
    wrong: list[tuple[Finding, Place, str | None]] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)
    _done: dict[Place, tuple[ScalarNode, tuple[_Wrong, ...]]] = field(default_factory=dict)
    _guesses: dict[str, str | None] = field(default_factory=dict)
    _left: int = _MOST_CHARACTERS

    def written_out(self, settings: MappingNode, file: _File, shot: str | None = None) -> MappingNode:
        """The settings of a shot, or of all, with their references written out."""
        layer = self.layer(settings.items, file, shot)
        return settings if layer is settings.items else replace(settings, items=dict(layer))

    def layer(self, layer: Layer, file: _File, shot: str | None = None) -> Layer:
        """Likewise; the same object if there are none."""
        made: dict[str, Node] = {}
        for key in _KEYS:
            node = layer.get(key)
            if isinstance(node, ScalarNode) and isinstance(node.value, str) and "${" in node.value:
                where = Place(file.file, node.line, node.column)
                if where not in self._done:
                    self._done[where] = self._made(key, node, where, file)
                made[key], found = self._done[where]
                self.wrong += ((*each, shot) for each in found)
        return {**layer, **made} if made else layer

    def unused(self) -> Iterator[tuple[Finding, Place, str | None]]:
        """Findings about texts of the list that nothing names which was written out."""
        for name, where in self.said.own.items():
            if name not in self._used:
                message = f"no `prompt`, `negative_prompt` or `notes` uses the text `{printable(name, 60)}`"
                yield UNUSED.finding(message, ("texts", name), of_key=True), where, None

    def _made(self, key: str, node: ScalarNode, where: Place, file: _File) -> tuple[ScalarNode, tuple[_Wrong, ...]]:
        """A value written out, and what is wrong with it."""
        marks = list(islice(_MARK.finditer(node.text), _MOST_MARKS + 1))
        names = frozenset(mark[1] for mark in marks if mark[1])
        self._used |= names
        if len(marks) > _MOST_MARKS:
            return _left_alone(node), (_limit(key, where, f"more than {_MOST_MARKS:,} references in one text"),)
        if self._left < 0:
            return _left_alone(node), ()  # that is said
        self._left -= len(node.text) + sum(len(self._words(mark)) - len(mark[0]) for mark in marks)
        if self._left < 0:
            said = f"with its texts written out, a list has at most {_MOST_CHARACTERS:,} characters in them: it is"
            return _left_alone(node), (_limit(key, where, f"{said} longer from here on"),)
        words = _MARK.sub(self._words, node.text)
        written = WrittenOut(words, words, node.line, node.column, node.is_plain, names & self.said.words.keys())
        return written, tuple(self._wrong(key, node, marks, file))

    def _words(self, mark: re.Match[str]) -> str:
        """What a mark stands for; one that names no text stays as it is."""
        return "${" if mark[0] == "$${" else self.said.words.get(mark[1] or "", mark[0])

    def _wrong(self, key: str, node: ScalarNode, marks: Sequence[re.Match[str]], file: _File) -> Iterator[_Wrong]:
        known = self.said.words
        odd = [mark[0] != "$${" and (mark[1] is None or mark[1] not in known) for mark in marks]
        if any(odd):
            for mark, is_odd, place in zip(marks, odd, _places(node, marks, file), strict=True):
                if is_odd and (mark[1] is None or self.said.is_whole):
                    yield UNKNOWN.finding(self._about(mark), (key,)), Place(file.file, *place)

    def _about(self, mark: re.Match[str]) -> str:
        """What is wrong with a mark, and what was probably meant."""
        if (name := mark[1]) is None:
            like = _LIKE_ONE.match(mark.string, mark.start())
            shown = printable(like[0] if like else mark[0])
            return f"`{shown}` names no text: a reference is written `${{name}}`, and a literal `${{` is `$${{`"
        if name not in self._guesses:
            self._guesses[name] = self._guess(name) if len(self._guesses) < _GUESSES else None
        close, known = self._guesses[name], self.said.words
        if close is not None:
            self._used.add(close)  # one mistake is one problem
            return f"there is no text `{name}`: did you mean `{printable(close, 60)}`?"
        listed = ", ".join(f"`{printable(each, 60)}`" for each in islice(known, _NAMED))
        more = f" and {len(known) - _NAMED:,} more" if len(known) > _NAMED else ""
        return f"there is no text `{name}`" + (f"; the texts are {listed}{more}" if known else ", nor any other")

    def _guess(self, name: str) -> str | None:
        known = {each.casefold(): each for each in islice(self.said.words, _KNOWN)}
        close = difflib.get_close_matches(name.casefold(), known, n=1)
        return known[close[0]] if close else None


def _left_alone(node: ScalarNode) -> WrittenOut:
    """A value in a list with texts that is too long to be written out: an error says so, and nothing else does."""
    return WrittenOut(node.value, node.text, node.line, node.column, node.is_plain, _NONE)


def _limit(key: str, where: Place, message: str) -> _Wrong:
    return yaml.RULES["yaml-limit"].finding(message, (key,)), where


def _places(node: ScalarNode, marks: Sequence[re.Match[str]], file: _File) -> Iterator[tuple[int, int]]:
    """Line and column of each mark of a value in its file; of the value itself where escapes hide some of them."""
    written = file.spelt.get((node.line, node.column), "")
    block = _BLOCK.match(written)
    there = list(islice(_MARK.finditer(written, block.end() if block else 0), _MOST_MARKS + 1))
    if [mark[0] for mark in there] != [mark[0] for mark in marks]:
        yield from ((node.line, node.column) for _ in marks)
        return
    line, began, at = node.line, 1 - node.column, 0  # `began`: where the line does, which may be before the value
    for mark in there:
        for end in LINE_END.finditer(written, at, mark.start()):
            line, began = line + 1, end.end()
        at = mark.start()
        yield line, mark.start() - began + 1
