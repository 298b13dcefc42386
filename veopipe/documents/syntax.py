"""YAML for people who don't write it every day: PyYAML's errors in our words, and texts that YAML cuts."""

from __future__ import annotations

import re
from typing import Any

from veopipe.documents.nodes import ScalarNode
from veopipe.text import dense, printable

UNCLOSED = "a quote that opens here is never closed"
_TAB = "a tab can't indent YAML: use spaces"
_INDICATOR = "a text can't start with this character: put it in quotes"
_INDENT = "the indent doesn't fit the lines above"
_REST = "the value ended before this: put all of the text in quotes, or below `>-` on lines of its own"

# PyYAML's words → ours, for the most frequent mistakes; the first words that the error contains count.
_WORDS = (
    (
        "mapping values are not allowed",
        "a colon here starts a new key: is the indent right? Text with `: ` needs quotes",
    ),
    ("could not find expected ':'", "this line isn't `key: value`: a colon is missing, or the text above needs quotes"),
    ("expected <block end>", _INDENT),
    ("did not find expected key", _INDENT),
    ("unexpected end of stream", UNCLOSED),
    ("did not find expected ',' or", "a bracket or brace isn't closed, or a comma is missing"),
    ("sequence entries are not allowed", "a list begins on a line of its own; text that starts with `- ` needs quotes"),
    ("expected comment or line break", "text that starts with `>` or `|` needs quotes"),
    ("mapping keys are not allowed", "text that starts with `? ` needs quotes"),
    ("expected alphabetic or numeric character", "text that starts with `*` or `&` needs quotes"),
    (
        "invalid Unicode character",
        "this escape is half a character, or none: write the character itself, or both halves, such as \\ud83d\\ude00",
    ),
    ("hexdecimal number", "\\x takes two hexadecimal digits, \\u four and \\U eight"),
    ("hexadecimal number", "\\x takes two hexadecimal digits, \\u four and \\U eight"),
    ("unknown escape character", "a backslash in double quotes needs a second one, or use single quotes"),
)


def explained(said: str, before: str, at: str) -> str:
    """Our words for PyYAML's.

    Args:
        said: what PyYAML says.
        before: what stands before the place on its line.
        at: the character at the place, or nothing.
    """
    if "cannot start any token" in said:
        return _TAB if at == "\t" else _INDICATOR
    ours = next((words for theirs, words in _WORDS if theirs in said), printable(said))
    return _REST if ours == _INDENT and before.strip() else ours


LINE_END = re.compile("\r\n|\r|\n")
"""What ends a line for editors."""

# YAML takes this for a comment behind something else on its line.
_COMMENT = re.compile(r"(?<=\S)[ \t]+#")
# What stands before the comment is no text that could go on.
_TEXT_ENDS = re.compile(r"""["':\]}|>-]$|[:-][ \t]+(?:[-+.\d]+|true|false|null|~)$""", re.IGNORECASE)
_KEY = re.compile(r"""[ \t]*["']?[\w.-]+["']?[ \t]*:(?:\s|$)""")
# This is most likely no comment: people write comments `# like this`, and numbers `#3` or `# 3`.
_WORD = re.compile(r"\s*#[^\s#!]")
_STARTS_WITH_DIGIT = re.compile(r"\s*#\s*\d")
# A number for the text before it; not a date, an ordinal, a ratio or a unit, and not a remark on how many there are.
_REMARKS = (
    r"[%x×/]|mm|cm|m|km|s|secs?|seconds?|min|mins|minutes?|fps|px|k|usd|dollars?|takes?|versions?|variants?|tries|shots?"
    r"|times|of|more|left|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
)
_NUMBER = re.compile(
    rf"\s+#\s+\d{{1,4}}[:\uff1a](?!\d)|\s#\s+\d{{1,4}}(?:\.?\s*$|\s+(?!(?:{_REMARKS})(?!\w))[^\W\d])", re.IGNORECASE
)
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "\uff01", "\uff1f")
_SHORT = 50  # characters, about eight words; a number behind a longer text is as likely a remark
_NO_PROMPT = 16  # characters, about two words; `Scene` alone is no prompt that people pay for
_GOES_ON = 4  # words; a remark such as `# approved by Ann` has at most so many, a sentence that goes on has more
_EATEN = 82  # characters of a comment that are kept, to be shown


class Cuts:
    """Texts without quotes that YAML has perhaps cut: for YAML, `Take #3 of the house` is `Take` and a comment."""

    def __init__(self, text: str) -> None:
        self._comments = _comments(text)
        self.has_comments = bool(self._comments)
        self._behind: dict[tuple[int, int], str] = {}
        self._unused: dict[str, tuple[int, int]] = {}  # anchors of texts that no alias has named so far

    @property
    def places(self) -> dict[tuple[int, int], str]:
        """Line and column of such a text → what YAML takes for a comment behind it, or for an anchor before it."""
        return self._behind | {where: f"&{anchor}" for anchor, where in self._unused.items()}

    def look_at(self, node: ScalarNode, end: Any, anchor: str | None) -> None:
        """See whether something was cut off a text; `end` is PyYAML's mark of its end."""
        if self._comments and (comment := self._comments.get((end.line + 1, end.column + 1))):
            self._behind[node.line, node.column] = comment
        if anchor is not None and node.text:
            self._unused[anchor] = (node.line, node.column)

    def use(self, anchor: str) -> None:
        """Note that an alias names an anchor, so that it is no word of a text."""
        self._unused.pop(anchor, None)


def _comments(text: str) -> dict[tuple[int, int], str]:
    """Line and column of the blanks before each `#` (both from 1) → what begins there, blanks included."""
    if "#" not in text:
        return {}
    return {
        (number, hit.start() + 1): line[hit.start() : hit.end() + _EATEN]
        for number, line in enumerate(LINE_END.split(text), 1)
        if "#" in line
        for hit in _COMMENT.finditer(line)
    }


def after_a_comment(before: str, rest: str) -> str:
    """What to add to an error if a comment above has perhaps cut a text that goes on here.

    Args:
        before: all up to the place.
        rest: what stands on its line from there on.
    """
    above = before.rpartition("\n")[0].rpartition("\n")[2]
    found = _COMMENT.search(above)
    if found is None or above.lstrip().startswith("#") or _TEXT_ENDS.search(above[: found.start()]):
        return ""
    if before.rpartition("\n")[2].strip() or _KEY.match(rest):
        return ""
    return "; or does ` #` above belong to a text? It begins a comment: put all of the text in quotes"


def is_word(comment: str) -> bool:
    """Whether a comment begins like the rest of a text: `#3`, `#word`."""
    return _WORD.match(comment) is not None


def is_number(left: str, comment: str) -> bool:
    """Whether a comment is most likely a number that belongs to the text before it: `Scene # 3: a house`."""
    return _NUMBER.match(comment) is not None and _length(left) <= _SHORT and not left.endswith(_SENTENCE_ENDS)


def goes_on(left: str, comment: str) -> bool:
    """Whether a comment is most likely the rest of a text that says next to nothing without it."""
    blanks = len(comment) - len(comment.lstrip())
    is_remark = blanks != 1 or len(comment.split()) <= _GOES_ON  # people set comments off by two blanks
    is_remark = is_remark or _STARTS_WITH_DIGIT.match(comment) is not None
    return bool(left) and _length(left) <= _NO_PROMPT and not is_remark and not left.endswith(_SENTENCE_ENDS)


def is_sentence(anchor: str, left: str) -> bool:
    """Whether an anchor that no alias names is most likely a text's first word: `&Beyond the sea`."""
    return anchor.isalpha() and anchor[:1].isupper() and left[:1].islower()


def _length(text: str) -> int:
    return len(text) + 2 * dense(text)  # one such character says as much as three others
