"""YAML without surprises: a file becomes nodes with places, or problems with places.

This is the only module that imports PyYAML. Rules that hold here (docs/design.md, 3):

* Plain PyYAML reads `16:9` as 969, keeps the last of two equal keys, explodes merges and aliases, and its
  C composer crashes on deep nesting. So only its *events* are used; nodes are composed here.
* Only true/false, null, decimal whole numbers and fractions are more than text. Keys are text as written.
* Every cap holds while reading: depth, nodes, expansion by aliases and merges, size of the file. The caps allow
  100,000 shots.
* Every fault becomes a `Problem` with line and column; no error of PyYAML leaves this module.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

from veopipe import files
from veopipe.documents import characters, standins, syntax
from veopipe.documents.nodes import MappingNode, Node, ScalarNode, SequenceNode, resolved
from veopipe.documents.problems import Rule
from veopipe.errors import Problem
from veopipe.text import printable
from veopipe.values import dataclass

MAX_BYTES = 128 * 1024 * 1024
"""Size of a file: 100,000 shots with prompts of 1,000 characters fit."""
MAX_NODES = 4_000_000
"""Keys and values as written: 100,000 shots of 16 keys fit."""
MAX_DEPTH = 20
"""Levels of nesting, aliases included; a manifest needs five."""
_REPEATED = 40
"""Characters: a text as short is perhaps a key or a setting, and is kept once however often it stands there."""
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
FREE_EXPANSION, EXPANSION_RATIO = 100_000, 10
"""What aliases and merges may add: this many nodes, and ten for each that is written."""

RULES = {
    rule: Rule(rule, "error", sentence, "veopipe, YAML")
    for rule, sentence in (
        ("file-unreadable", "a file of yours is a readable regular file of at most 128 MiB"),
        ("yaml-encoding", "a file is UTF-8 text without control characters"),
        ("yaml-syntax", "a file is valid YAML"),
        ("yaml-document", "a file holds exactly one YAML document"),
        ("yaml-duplicate-key", "a key is written once in its mapping"),
        ("yaml-key", "a key is text"),
        ("yaml-tag", "tags such as !!str aren't used"),
        ("yaml-alias", "an alias names an anchor that is complete above it"),
        ("yaml-merge", "a merge key `<<` holds a mapping or a list of mappings"),
        ("yaml-limit", "nesting, nodes and what aliases expand to stay within limits"),
    )
}
"""The rules of every YAML file, id → rule."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds. `root` is None if it couldn't be read to its end.

    Attributes:
        cut: texts without quotes that YAML has perhaps cut: place → what YAML takes for a comment behind the text,
            with the blanks before it, or for an anchor before the text that no alias names.
        spelt: texts that hold `${`: place → how they stand in the file, from there to their end.
    """

    file: str
    root: Node | None
    problems: tuple[Problem, ...]
    cut: Mapping[tuple[int, int], str] = field(default_factory=dict)
    spelt: Mapping[tuple[int, int], str] = field(default_factory=dict)


def load(path: Path, *, shown_as: str | None = None) -> Document:
    """Read a YAML file.

    Args:
        path: the file.
        shown_as: its name in problems; default: `path` as given.
    """
    file = shown_as or str(path)
    content = content_of(path, file)
    return Document(file, None, (content,)) if isinstance(content, Problem) else read(content, file)


def content_of(path: Path, file: str) -> bytes | Problem:
    """The bytes of a file, or why they can't be had; `file` is its name in problems."""
    try:
        return _bytes_of(path)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = (isinstance(error, OSError) and standins.of(path)) or said
        return _problem(file, "file-unreadable", f"can't read this file: {reason}")


def read(data: bytes, file: str) -> Document:
    """Read YAML from bytes; `file` is the name in problems."""
    composer = _Composer(file)
    try:
        composer.run(characters.decoded(data), _parser_class())
    except characters.Undecodable as odd:
        return Document(file, None, (_problem(file, "yaml-encoding", str(odd), odd.line, odd.column),))
    except _Stop as stop:
        composer.report(stop.rule, stop.message, stop.line, stop.column)
        return Document(file, None, tuple(composer.problems))
    return Document(file, composer.root, tuple(composer.problems), composer.cuts.places, composer.spelt)


def _problem(file: str, rule: str, message: str, line: int = 1, column: int = 1) -> Problem:
    return Problem(file, line, column, RULES[rule].severity, rule, message)


class _Stop(Exception):
    """Reading can't go on; carries the problem."""

    def __init__(self, rule: str, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.rule, self.message, self.line, self.column = rule, message, line, column


def _bytes_of(path: Path) -> bytes:
    try:
        with files.open_regular(path) as file:
            data = files.read_until(file, MAX_BYTES + 1)
    except files.Irregular as odd:
        said = os.strerror(errno.EISDIR) if stat.S_ISDIR(odd.mode) else "it is no regular file"
        raise ValueError(said) from None
    if len(data) > MAX_BYTES:
        raise ValueError("it is larger than 128 MiB")
    if (found := standins.of_bytes(data)) is not None:
        raise ValueError(str(found))
    return data


def _syntax_stop(error: Exception, text: str) -> _Stop:
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    opened = getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or opened
    if mark is None:
        return _Stop("yaml-syntax", f"this isn't valid YAML: {syntax.explained(said, '', '')}")
    if "maximum nesting depth" in said:  # newer parsers have a cap of their own and read far ahead
        return _Stop("yaml-limit", _TOO_DEEP, mark.line + 1, mark.column + 1)
    before, rest = text[max(0, mark.index - mark.column) : mark.index], text[mark.index :].partition("\n")[0]
    ours = syntax.explained(said, before, rest[:1] or "\n") + syntax.after_a_comment(text[: mark.index], rest)
    if ours.startswith(syntax.UNCLOSED) and opened:
        mark = opened
    return _Stop("yaml-syntax", f"this isn't valid YAML: {ours}", mark.line + 1, mark.column + 1)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end hasn't come yet."""

    node: SequenceNode | MappingNode
    anchor: str | None
    before: int  # how many nodes there were when it began
    height: int = 1
    key: ScalarNode | None = None
    merged: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Anchor:
    node: Node
    size: int
    height: int


@dataclass(slots=True)
class _Size:
    """How many nodes a file has, as it is written and as aliases and merges expand it; `_Stop` at the caps."""

    written: int = 0
    expanded: int = 0

    @property
    def nodes(self) -> int:
        """All together."""
        return self.written + self.expanded

    def write(self, node: Node) -> None:
        """Count a node that is written."""
        self.written += 1
        if self.written > MAX_NODES:
            raise _Stop("yaml-limit", f"more than {MAX_NODES:,} keys and values", node.line, node.column)

    def expand(self, nodes: int, line: int, column: int) -> None:
        """Count what an alias or a merge stands for."""
        self.expanded += nodes
        if self.expanded > FREE_EXPANSION + EXPANSION_RATIO * self.written:
            raise _Stop("yaml-limit", "aliases and merges expand to too much from here on", line, column)


class _Composer:
    """Events in, nodes out. One per file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self.cuts = syntax.Cuts("")
        self.spelt: dict[tuple[int, int], str] = {}
        self._written = ""  # all of it, if `${` stands anywhere
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchor | None] = {}  # None: open, so an alias to it would be endless
        self._size = _Size()
        self._documents = 0
        self._has_stand_ins = False

    def report(self, rule: str, message: str, line: int, column: int) -> None:
        self.problems.append(_problem(self.file, rule, message, line, column))

    def run(self, text: str, parser_class: Callable[[str], Any]) -> None:
        """Read everything; raises `_Stop` where reading can't go on."""
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        self.cuts = syntax.Cuts(text)
        self._written = text if "${" in text else ""
        stood_in = characters.stood_in(text)
        self._has_stand_ins, text = stood_in is not text, stood_in
        try:
            parser = parser_class(text)
            while (event := parser.get_event()) is not None:
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except yaml.YAMLError as error:
            raise _syntax_stop(error, text) from None
        # The pure parser raises these on some escapes and directives (docs/hazards.md, e 2).
        except (ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            raise _syntax_stop(error, text) from None
        if self._documents == 0:
            raise _Stop("yaml-document", "this file is empty")

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        mark = event.start_mark
        if self._documents > 1:
            raise _Stop("yaml-document", "a second document starts here; one file holds one", *_from_one(mark))
        if event.tags:
            self.report("yaml-tag", "a %TAG directive isn't allowed", *_from_one(mark))

    def _scalar(self, event: Any) -> None:
        """Nearly every value is ASCII without anchor, tag and reference, and goes by here; the rest the long way."""
        text = event.value
        if event.anchor is not None or event.tag is not None or not text.isascii() or "${" in text or "\0" in text:
            self._odd_scalar(event)
            return
        is_plain, mark = not event.style, event.start_mark
        if len(text) <= _REPEATED:
            text = sys.intern(text)
        node = ScalarNode(resolved(text) if is_plain else text, text, mark.line + 1, mark.column + 1, is_plain)
        if is_plain and self.cuts.has_comments:
            self.cuts.look_at(node, event.end_mark, None)
        self._size.write(node)
        self._add(node, 1)

    def _odd_scalar(self, event: Any) -> None:
        text, is_plain = event.value, not event.style
        if self._has_stand_ins:
            text = characters.as_written(text, in_double_quotes=event.style == '"')
        value = resolved(text) if is_plain and event.tag is None else text
        node = ScalarNode(value, text, *_from_one(event.start_mark), is_plain)
        if event.tag is not None:
            self._refuse_tag(event)
        if not text.isascii() or "\0" in text:
            self._check_text(node)
        if is_plain:
            self.cuts.look_at(node, event.end_mark, event.anchor)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(node, 1, 1)
        if self._written:
            self._keep_spelling(node, event)
        self._size.write(node)
        self._add(node, 1)

    def _keep_spelling(self, node: ScalarNode, event: Any) -> None:
        if "${" in node.text:
            written = self._written[event.start_mark.index : event.end_mark.index]
            self.spelt[node.line, node.column] = written

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        line, column = _from_one(event.start_mark)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = MappingNode({}, {}, line, column) if is_mapping else SequenceNode([], line, column)
        if event.tag is not None:
            self._refuse_tag(event)
        if len(self._stack) >= MAX_DEPTH:
            raise _Stop("yaml-limit", _TOO_DEEP, node.line, node.column)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._size.write(node)
        self._stack.append(_Open(node, event.anchor, self._size.nodes))

    def _close(self, _event: object) -> None:
        done = self._stack.pop()
        if done.anchor is not None:
            size = self._size.nodes - done.before + 1
            self._anchors[done.anchor] = _Anchor(done.node, size, done.height)
        self._add(done.node, done.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        line, column = _from_one(event.start_mark)
        shown = printable(str(event.anchor), 40)
        if event.anchor not in self._anchors:
            raise _Stop(
                "yaml-alias", f"there is no anchor &{shown} above; text that starts with * needs quotes", line, column
            )
        self.cuts.use(event.anchor)
        anchor = self._anchors[event.anchor]
        if anchor is None:
            raise _Stop("yaml-alias", f"the alias *{shown} stands inside its own anchor", line, column)
        if len(self._stack) + anchor.height > MAX_DEPTH:
            raise _Stop("yaml-limit", f"aliases nest deeper than {MAX_DEPTH} levels", line, column)
        self._size.expand(anchor.size, line, column)
        self._add(anchor.node, anchor.height)

    def _add(self, node: Node, height: int) -> None:
        """Put a finished node into the open list, or as key or value into the open mapping."""
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        if height >= top.height:
            top.height = height + 1
        if isinstance(top.node, SequenceNode):
            top.node.items.append(node)
        elif top.key is None:
            if not isinstance(node, ScalarNode):
                raise _Stop("yaml-key", "a key must be text, not a list or mapping", node.line, node.column)
            top.key = node
        else:
            key, top.key = top.key, None
            if key.text == "<<" and key.is_plain:
                self._merge(top, top.node, key, node)
            else:
                self._entry(top, top.node, key, node)

    def _entry(self, top: _Open, mapping: MappingNode, key: ScalarNode, value: Node) -> None:
        name = key.text
        if name in mapping.items and name not in top.merged:
            first = mapping.keys[name][0]
            message = f"the key {printable(name, 70)} is here twice; it is already on line {first}"
            self.report("yaml-duplicate-key", message, key.line, key.column)
            return
        top.merged.discard(name)
        mapping.items[name] = value
        line = value.line if value.line == key.line else key.line  # one object for both: there are 1,600,000
        mapping.keys[name] = (line, key.column)

    def _merge(self, top: _Open, mapping: MappingNode, key: ScalarNode, value: Node) -> None:
        """Merge: a key that the mapping itself writes wins, then the first mapping of the list that has it."""
        sources = value.items if isinstance(value, SequenceNode) else [value]
        for source in sources:
            if not isinstance(source, MappingNode):
                self.report("yaml-merge", "<< takes a mapping or a list of mappings", key.line, key.column)
                return
            self._size.expand(len(source.items), key.line, key.column)
            for name, node in source.items.items():
                if name not in mapping.items:
                    mapping.items[name], mapping.keys[name] = node, source.keys[name]
                    top.merged.add(name)

    def _refuse_tag(self, event: Any) -> None:
        message = f"the tag {printable(event.tag, 60)} isn't allowed; to make a value text, put it in quotes"
        self.report("yaml-tag", message, *_from_one(event.start_mark))

    def _check_text(self, node: ScalarNode) -> None:
        if "\0" in node.text or re.search("[\ud800-\udfff]", node.text):
            message = "this text holds a NUL or half a character (an escape such as \\ud800)"
            self.report("yaml-encoding", message, node.line, node.column)


def _from_one(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's parser in Python, for where the one in C wasn't built."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _parser_class() -> Callable[[str], Any]:
    """PyYAML's parser in C; where libyaml is missing the one in Python, which is many times slower."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        return _PureParser
    return CParser


_BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")  # line ends to YAML 1.1, text to us


class _Writer(yaml.SafeDumper):
    """Quotes every text that `read` would take for a number or a constant."""


def _text(writer: _Writer, text: str) -> yaml.ScalarNode:
    style = None if resolved(text) == text and not _BREAKS.search(text) else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _text)


def dump(value: dict[str, Any]) -> str:
    """Plain values as YAML that `read` reads back as the same values, keys in their order."""
    return yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=110)
