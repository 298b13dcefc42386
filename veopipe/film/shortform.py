"""The form in which `veopipe review` writes its files, read without a YAML parser.

A film of a thousand shots has thousands of these files, and every command reads them all. What isn't exactly in this
form is read as any YAML file, and so is everything that YAML might take for something else: the two never differ
(`tests/film/test_shortform.py`).

Source: docs/design.md, 12 (Review); `schemas/review.schema.json`.
"""

from __future__ import annotations

import re

from veopipe.documents.nodes import resolved
from veopipe.takes.verdict import Review, Verdict

# A text without quotes, of one line: no character that begins something else in YAML, and a letter in front.
_PLAIN = r"[A-Za-z](?:[\w ,.()/!?;+=%-]*[\w,.()/!?;+=%-])?"
_QUOTED = "'[ -&(-~]*'"  # with them, and none inside
_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_FORM = re.compile(
    r"file: sha256:(?P<file>[0-9a-f]{12,64})\n"
    r"(?:verdict: (?P<verdict>pick|alt|reject)\n)?"
    r"(?:again: (?P<again>true)\n)?"
    rf"(?:by: (?P<by>{_PLAIN}|{_QUOTED})\n)?"
    rf"(?:at: (?P<at>'{_TIME}'|{_TIME})\n)?"
    rf"(?:note: (?P<note>{_PLAIN}|{_QUOTED})\n)?"
)
_LONGEST = 200  # characters of a text: `by` may have no more


def read(take: str, content: bytes) -> Review | None:
    """The review that a file holds; None: it has another form.

    Args:
        take: the name of the take's file, without its ending.
        content: of the review file.
    """
    try:
        found = _FORM.fullmatch(content.decode())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    texts = found["note"], found["by"], found["at"]
    if not all(map(_is_text, texts)):
        return None
    note, by, at = (text and text.strip("'") for text in texts)
    verdict = Verdict(found["verdict"]) if found["verdict"] else None
    return Review(take, found["file"], verdict, bool(found["again"]), note, by, at)


def _is_text(written: str | None) -> bool:
    """Whether YAML takes it for a text, too, and it isn't too long for one; or there is none."""
    return written is None or (len(written) <= _LONGEST and resolved(written) == written)
