"""YAML for people who don't write it every day: what PyYAML says in our words, and what YAML means otherwise."""

from __future__ import annotations

import re

from veopipe.wording import printable

UNCLOSED = "a quote that opens here is never closed"
_TAB = "a tab can't indent YAML: use spaces"
_INDICATOR = "a text can't start with this character: put it in quotes"
_INDENT = "the indent doesn't fit the lines above"
_REST = "the value ended before this: put all of the text in quotes, or below `>-` on lines of its own"

# PyYAML's words → ours, for what people do most often; the first that is contained wins.
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
    ("expected alphabetic or numeric character", "text that starts with `*` or `&` needs quotes"),
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


# A comment that is most likely none: people write `# like this`, and number things `#3`.
_HASH = re.compile(r"(?<=\S)[ \t]+(#[^\s#!][^\r\n]{0,80})")


def cut_texts(text: str) -> dict[int, tuple[int, str]]:
    """Where YAML may end a text that goes on for its writer: `Take #3 of the house` is `Take` and a comment.

    Returns:
        Line → column of the blanks before the `#` (both from 1), and what begins there.
    """
    if "#" not in text:
        return {}
    found = ((number, _HASH.search(line)) for number, line in enumerate(text.split("\n"), 1) if "#" in line)
    return {number: (hit.start() + 1, hit[1]) for number, hit in found if hit is not None}
