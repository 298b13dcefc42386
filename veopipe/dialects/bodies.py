"""What stands in the bodies of answers: JSON that can be trusted, an error's code and words. Pure.

* Bodies are decoded here, with caps, and never by httpx (`.text` and `.json()` can raise what nobody expects).
* Every text that leaves here is safe to print.
* Where words may stand is said by what their keys are called, not by a list of the gateways that were seen: each
  has its own (`fail_reason`, `failure_reason`, `task_status_msg`, `base_resp.status_msg`, FastAPI's lists), and a
  person needs them all.

Source: docs/api-facts.md, a; docs/hazards.md, e 30 and 31.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from veopipe.text import printable

LARGEST_JSON = 1 << 20
"""Bytes of a JSON text that are looked at, unless it may be longer."""

A_PAGE = "a web page"
"""What is said of a body that is one."""

_DEEPEST = 5  # holders and JSON in strings inside one another; litellm around new-api around Google needs four
_MOST_TEXTS = 4  # that are shown of one answer: enough for the reason and what the gateway adds to it
_MOST_ENTRIES = 200  # of a list or object that are looked at; FastAPI names one per field, a task object has twenty
_LONGEST_KEY = 200  # characters of a key that are looked at
_HEAD = 2_000  # characters within which a page says that it is one; notes and an XML declaration may come before
_NO_LETTER = re.compile("[^a-z]")
_BLAMING = re.compile(r"^err|error|fail|reject|refus|violat|denied|incomplete|filter")
_COMPLAINING = re.compile(r"^err|error|fail|reject|refus|violat|denied")  # `safety_filter` says how it is set
_SAYING = re.compile(r"mess|msg|reason|detail|explan|cause|warn|moderat|block")
_DESCRIBING = re.compile(r"descri|title|text|^info$|^note$|^hint$")  # in an error; elsewhere the order may stand there
# What an answer is wrapped in, or a part of it that may hold words; everything else is the order or the result.
_HOLDERS = frozenset({"data", "output", "result", "taskresult", "baseresp", "response", "task", "job", "status"})
_NO_NEWS = frozenset(
    {"", "0", "200", "success", "successful", "succeed", "succeeded", "ok", "normal", "none", "null", "nil"}
    | {"no error", "no errors", "false", "undefined", "n/a"}
)
_CODES = ("code", "error_code", "errorCode", "failure_code", "failureCode", "fail_code", "status_code")
_MARKUP = re.compile(r"\s*<(?:!doctype|\?xml|[a-z])", re.IGNORECASE)
_PAGE = re.compile(r"<(?:!doctype\s+)?html\b", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h[12]|pre)(?:\s[^>]{0,200})?>([^<]{1,300})", re.IGNORECASE)
_XML_WORDS = re.compile(r"<(code|message)>([^<]{1,300})</", re.IGNORECASE)


def parse_json(body: bytes, most: int = LARGEST_JSON) -> Any:
    """The JSON value of a body of at most so many bytes, or None if it holds none that can be trusted."""
    if len(body) > most:
        return None
    try:
        return json.loads(body.decode("utf-8", "replace").lstrip("\ufeff"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(name)


# --- words -----------------------------------------------------------------------------------------


def error_words(body: bytes) -> tuple[str | None, str | None]:
    """Code and words of an error body, whatever its envelope.

    Returns:
        The gateway's code, if it gave one as a text, and words for people, if there are any; both safe to print.
    """
    document, words = parse_json(body), words_of_body(body)
    if not isinstance(document, dict):
        return None, words
    error = document.get("error")
    code = (error if isinstance(error, dict) else document).get("code")
    return (printable(code, 80) if isinstance(code, str) and code else None), words


def words_of(document: Any) -> str | None:
    """What a JSON answer says to people, the reason of an error first; None if it says nothing."""
    return _joined([*_texts(document, _BLAMING), *_texts(document, _SAYING)])


def complaint_of(document: Any) -> str | None:
    """The error that stands in an answer, whatever else does: its words, or its code; None if there is none."""
    found = _joined(_texts(document, _COMPLAINING))
    if found is not None or not isinstance(document, dict):
        return found
    for part in (document, document.get("base_resp")):  # new-api's `code`, `message`, `data`; MiniMax
        if isinstance(part, dict) and (code := _code(part)) and (words := words_of(part)):
            if part is document and code.isdecimal():
                continue  # each gateway has its own number for "submitted"
            return printable(f"{code}: {words}")
    return None


def code_of(document: Any) -> str | None:
    """The code of an answer that has no words."""
    code = _code(document) if isinstance(document, dict) else ""
    return printable(code, 80) if code else None


def words_of_body(body: bytes) -> str | None:
    """What a body says, JSON or not: a page's title, an XML error, a line of text."""
    document = parse_json(body)
    if document is not None:
        return words_of(document)
    text = body[:LARGEST_JSON].decode("utf-8", "replace").strip()
    if not _MARKUP.match(text):
        return printable(text, 120) if text and text.isprintable() and text[0] not in "{[" else None
    return printable(_words_of_markup(text), 120)


def _words_of_markup(text: str) -> str:
    """What an XML error says, or the titles of a page. In a page `<code>` is how a word looks."""
    is_page = _PAGE.search(text, 0, _HEAD) is not None
    told = [] if is_page else [match[2].strip() for match in islice(_XML_WORDS.finditer(text), _MOST_TEXTS)]
    if told:
        return ": ".join(told)
    titles = list(dict.fromkeys(match[2].strip() for match in islice(_TITLE.finditer(text), 2)))
    return f"{A_PAGE} ({': '.join(titles)})" if titles else A_PAGE


def _joined(texts: Iterable[str]) -> str | None:
    """At most a few texts, none twice, none that another one holds."""
    kept: list[str] = []
    for text in texts:
        if len(kept) < _MOST_TEXTS and not any(text in other for other in kept):
            kept.append(text)
    return printable("; ".join(kept)) if kept else None


def _entries(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Keys, however they are spelt (`failReason`, `fail_reason`), and values."""
    for key, inner in islice(value.items(), _MOST_ENTRIES):
        yield _name(str(key)[:_LONGEST_KEY]), inner


@lru_cache(256)  # the same twenty keys come with every poll
def _name(key: str) -> str:
    return _NO_LETTER.sub("", key.lower())


@lru_cache(1024)
def _is_of(keys: re.Pattern[str], name: str) -> bool:
    return keys.search(name) is not None


def _texts(value: Any, keys: re.Pattern[str], depth: int = 0) -> Iterator[str]:
    """The texts under keys of that kind, in an answer and in whatever it is wrapped in."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):  # Google's array form
        for entry in value[:_MOST_TEXTS]:
            yield from _texts(entry, keys, depth + 1)
    if isinstance(value, dict):
        for name, inner in _entries(value):
            if _is_of(keys, name):
                yield from _told(inner, depth + 1)
            elif name in _HOLDERS:
                yield from _texts(inner, keys, depth + 1)


def _told(value: Any, depth: int) -> Iterator[str]:
    """The texts of whatever stands where an error is told."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield from _of_text(value.strip(), depth)
    elif isinstance(value, list):
        for entry in value[:_MOST_TEXTS]:
            yield from _told(entry, depth + 1)
    elif isinstance(value, dict):
        yield from _of_error(value, depth)


def _of_text(text: str, depth: int) -> Iterator[str]:
    """A text, or what stands in it where it is JSON that was passed on as a string (docs/api-facts.md, a)."""
    inner = parse_json(text.encode("utf-8", "replace")) if text[:1] in {"{", "["} else None
    found = list(islice(_told(inner, depth + 1), _MOST_TEXTS)) if inner is not None else []
    yield from found or ([text] if text.lower().rstrip(".!") not in _NO_NEWS else [])


def _of_error(error: Mapping[str, Any], depth: int) -> Iterator[str]:
    """The words of an error with its code in front, or its code alone."""
    found, label = list(islice(_words_in(error, depth), _MOST_TEXTS)), _label(error)
    if found and label not in found[0]:
        found[0] = f"{label}: {found[0]}"
    alone = label or error.get("type")
    yield from found or ([alone] if isinstance(alone, str) and alone else [])


def _words_in(error: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, inner in _entries(error):
        holds = name in _HOLDERS and not isinstance(inner, str)
        says = not name.endswith("code") and any(_is_of(keys, name) for keys in (_BLAMING, _SAYING, _DESCRIBING))
        if holds or says:
            yield from _told(inner, depth + 1)


def _label(error: Mapping[str, Any]) -> str:
    """The short name of an error: FastAPI's place, Google's status, a code."""
    place, status = error.get("loc"), error.get("status")
    if isinstance(place, list):
        return ".".join(str(part) for part in place[:_DEEPEST] if isinstance(part, str | int))
    if isinstance(status, str) and status.strip().lower() not in _NO_NEWS and len(status) <= 80:
        return status.strip()
    return _code(error)


def _code(error: Mapping[str, Any]) -> str:
    for key in _CODES:
        said = error.get(key)
        text = str(said).strip() if isinstance(said, str | int) and not isinstance(said, bool) else ""
        if text.lower() not in _NO_NEWS and len(text) <= 80:
            return text
    return ""
