"""What a poll tells of an interaction: its word, its video's address, what it used, what it says. Pure.

Nothing in it is trusted. A poll may repeat the request with all its pictures, so only the keys that mean something are
looked at, and of each list only so many entries.

Source: docs/api-facts.md, h.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from veopipe.dialects.base import Tokens
from veopipe.takes.origin import is_same_origin
from veopipe.text import printable

ENDED = frozenset({"failed", "cancelled", "incomplete", "budget_exceeded", "requires_action", "requires_continuation"})
"""Words for "it ended and made no video", believed after the usual confirmations only."""
RUNNING = frozenset({"queued", "in_progress", "idle"})
"""Words for "it goes on", which needn't be repeated to people; any unknown one is, and it goes on all the same."""

_FILE = re.compile(r"/v[0-9][a-z0-9]{0,15}/files/[A-Za-z0-9_-]{1,200}:download")
_PLAIN = re.compile(r"[!-?A-\[\]-~]{1,2000}")  # neither a name in front of the host (`@`) nor a backslash
_MOST_ENTRIES = 200  # of a list that are looked at; a video has three steps
_MOST_TOKENS = 10**12
_VIDEO = "video"
_KINDS = frozenset({_VIDEO, "text", "image", "audio", "document"})  # all that google-genai 3.6.1 has words for


def word_of(document: Mapping[str, Any]) -> str:
    """The word for where it stands, safe to print, or an empty text."""
    said = document.get("status")
    return printable(said.strip(), 40) if isinstance(said, str) else ""


def content_of(document: Mapping[str, Any], base_url: str) -> tuple[str | None, str]:
    """Where its video is, below the gateway's base URL; or None, and why it can't be asked for, if one is named.

    The address comes from outside and the key would go to it: so it must be the gateway's own, and that of a file.
    """
    problem = ""
    for content in _made(document, "video"):
        found, why = _below(content.get("uri"), base_url)
        if found is not None:
            return found, ""
        problem = problem or why
    return None, problem


def _below(uri: Any, base_url: str) -> tuple[str | None, str]:
    if uri is None:
        return None, "it is inside the answer, and not at an address"
    unusable = "its address can't be used"
    if not isinstance(uri, str) or not _PLAIN.fullmatch(uri):
        return None, unusable
    try:
        parts, own = urlsplit(uri), is_same_origin(uri, base_url)
        path = parts.path.removeprefix(urlsplit(base_url).path)
    except ValueError:
        return None, unusable
    if not own:
        return None, f"its address is on another host ({printable(parts.hostname or 'none', 80)})"
    return (path, "") if _FILE.fullmatch(path) else (None, unusable)


def said_instead(document: Mapping[str, Any]) -> str:
    """What the model says instead of a video, safe to print, or an empty text."""
    texts = [content.get("text") for content in _made(document, "text")]
    return printable("; ".join(text.strip() for text in texts[:4] if isinstance(text, str) and text.strip()))


def _made(document: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    """The parts of that kind that the model made, in any order of its steps."""
    for step in _entries(document.get("steps")):
        if step.get("type") == "model_output":
            yield from (content for content in _entries(step.get("content")) if content.get("type") == kind)


def _entries(value: Any) -> list[Mapping[str, Any]]:
    """The objects among the first entries of what should be a list of them."""
    return [entry for entry in value[:_MOST_ENTRIES] if isinstance(entry, dict)] if isinstance(value, list) else []


def tokens_of(document: Mapping[str, Any]) -> Tokens | None:
    """What it used; None if it doesn't tell of all that was made what it is, or says what can't be."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return None
    made, total = _kinds(usage.get("output_tokens_by_modality")), _count(usage.get("total_output_tokens"))
    if made is None or (total is None and not made):
        return None
    thoughts = _count(usage.get("total_thought_tokens")) or 0
    untold = max((total or 0) - made.total(), 0)
    if untold > thoughts:  # it may be of a video
        return None
    video = made.pop(_VIDEO, 0)
    return Tokens(video, made.total() + untold + thoughts, _count(usage.get("total_input_tokens")) or 0)


def _kinds(parts: Any) -> Counter[str] | None:
    """Kind of output → tokens; None if one of them isn't understood: it may be a video."""
    made: Counter[str] = Counter()
    if parts is None:
        return made
    if not isinstance(parts, list) or len(parts) > _MOST_ENTRIES:
        return None
    for part in parts:
        told = part if isinstance(part, dict) else {}
        kind, count = str(told.get("modality")).strip().lower(), _count(told.get("tokens"))
        if kind not in _KINDS or count is None:
            return None
        made[kind] += count
    return made


def _count(said: Any) -> int | None:
    return said if type(said) is int and 0 <= said < _MOST_TOKENS else None
