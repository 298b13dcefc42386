"""What stands in the bodies of answers: JSON that can be trusted, a task's id, an error's code and words. Pure.

* Bodies are decoded here, with caps, and never by httpx (`.text` and `.json()` can raise what nobody expects).
* Every text that leaves here is safe to print.

Source: api-facts.md (a); reliability.md (e) 28, 30, 31.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from veopipe.wording import holds_secret, printable

LARGEST_JSON = 1 << 20
"""Bytes of an answer that are read; a task object has 300."""

# A task id becomes part of a URL: nothing that could leave its place (e 28). litellm's have 166 characters.
_TASK_ID = re.compile(r"[A-Za-z0-9_=.:-]{1,256}")


def parse_json(body: bytes) -> Any:
    """The JSON value of a body, or None if it holds none that can be trusted."""
    if len(body) > LARGEST_JSON:
        return None
    try:
        return json.loads(body.decode("utf-8", "replace").lstrip("\ufeff"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def task_id_of(document: Any) -> str | None:
    """The task's id in an accepted create's body, in any of the family's shapes; None if there is no safe one."""
    if not isinstance(document, dict):
        return None
    inner = document.get("data")
    for holder in (document, inner if isinstance(inner, dict) else {}):
        for key in ("id", "task_id", "taskId"):
            found = holder.get(key)
            if isinstance(found, str) and is_task_id(found) and not holds_secret(found):
                return found
    return None


def is_task_id(text: str) -> bool:
    """Whether `text` can be a task id: safe as one segment of a URL."""
    return _TASK_ID.fullmatch(text) is not None and ".." not in text and text != "."


def created_at(document: Mapping[str, Any]) -> int | None:
    """The gateway's own time of a task, Unix seconds, if it gives one that can be."""
    said = document.get("created_at")
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 < said < 1 << 40 else None


def error_words(document: Any) -> tuple[str | None, str | None]:
    """Code and message of an error body: both envelopes, FastAPI's `detail`, Google's JSON inside a message.

    Returns:
        The gateway's code, if it gave one, and words for people, if there are any; both safe to print.
    """
    if not isinstance(document, dict):
        return None, None
    error = document.get("error")
    holder = error if isinstance(error, dict) else document
    code, message = holder.get("code"), holder.get("message", document.get("detail"))
    if not isinstance(message, str) and isinstance(error, str):
        message = error
    message = _google_words(message) if isinstance(message, str) else None
    code = code if isinstance(code, str) and code else None
    return (printable(code, 80) if code else None), (printable(message) if message else None)


def _google_words(message: str) -> str:
    """The inner message, where Google's JSON was passed on as a string (api-facts.md, a)."""
    inner = parse_json(message.encode("utf-8", "replace")) if message.lstrip().startswith("{") else None
    error = inner.get("error") if isinstance(inner, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        status = error.get("status")
        return f"{status}: {error['message']}" if isinstance(status, str) else str(error["message"])
    return message.strip()
