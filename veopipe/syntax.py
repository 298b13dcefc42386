"""What PyYAML says about a file that isn't YAML, in words for people who don't write YAML every day."""

from __future__ import annotations

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
