"""What a create call did where no dialect's words say it: nothing was sent, no answer came, an answer proves nothing.

It is judged by *gate passed, body done, status read*, never by the class of an exception: httpx raises the same one
before and after the server had the whole body. Pure.

Source: docs/design.md, 6 (Answers to a create); docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from veopipe.dialects.base import CreateAnswer, Evidence, Outcome
from veopipe.dialects.bodies import A_PAGE, code_of, parse_json, words_of, words_of_body
from veopipe.dialects.heads import retry_after
from veopipe.takes.status import Scope
from veopipe.text import printable

_HOST = re.compile(r"https?://(?:[^/?#@\s]*@)?([^/?#@\s]+)", re.IGNORECASE)


def unanswered(evidence: Evidence) -> CreateAnswer:
    """The verdict on a call without an answer to what was ordered."""
    why = evidence.error or (f"HTTP {evidence.status}" if evidence.status else "the connection ended")
    if not evidence.gate_passed:
        return CreateAnswer(Outcome.NOT_SENT, "not_sent", why)
    if not evidence.body_done:
        message = f"the connection ended while the request was being sent; very likely not charged ({why})"
        return CreateAnswer(Outcome.IN_DOUBT, "partial_body", message)
    return CreateAnswer(Outcome.IN_DOUBT, "no_answer", f"the request was sent, no answer came ({why})")


def common(evidence: Evidence, names: Sequence[str]) -> dict[str, Any]:
    """What holds of every answer: its status, and the gateway's name for the request.

    Args:
        evidence: the answer.
        names: of headers; the first one counts that is there. Another one is of what stands in front of the gateway.
    """
    found = [evidence.headers[name] for name in names if evidence.headers.get(name)]
    return {"http_status": evidence.status, "request_id": printable(found[0]) if found else None}


def throttled(evidence: Evidence, code: str | None, words: str | None, common: dict[str, Any]) -> CreateAnswer:
    """The verdict on a 429 that isn't about the account."""
    reason, said = code or "too_many_requests", words or "the gateway is busy (HTTP 429)"
    pause = retry_after(evidence.headers)
    return CreateAnswer(Outcome.REFUSED, reason, said, Scope.THROTTLE, retry_after=pause, **common)


def without_id(evidence: Evidence, what: str, common: dict[str, Any]) -> CreateAnswer:
    """The verdict on a 2xx that names nothing to ask for: it may be paid."""
    document = parse_json(evidence.body)
    said = words_of(document) or code_of(document) or words_of_body(evidence.body)
    said = evidence.error or said or printable(evidence.body.decode("utf-8", "replace")) or "empty body"
    message = f"accepted, but the answer names no {what} ({said})"
    return CreateAnswer(Outcome.IN_DOUBT, "accepted_without_id", message, **common)


def unclear(evidence: Evidence, code: str | None, words: str | None) -> tuple[str, str]:
    """Reason and message of an answer that neither accepts nor provably refuses."""
    status = evidence.status or 0
    if 300 <= status < 400:
        target = _HOST.match(evidence.headers.get("location", ""))
        place = printable(target[1]) if target else "another address"
        return "redirect", f"the gateway redirects creates to {place} (HTTP {status}); check provider.base_url"
    kind = "server_error_enveloped" if code else "server_error"
    if not words or words.startswith(A_PAGE):
        words = "an answer of something in front of the gateway"
    return kind, f"HTTP {status}: {words}"


def no_address(status: int, words: str | None, version: str) -> str:
    """The message of an answer that speaks of the address: where to look.

    Args:
        status: of the answer.
        words: what it says.
        version: what of the API's own paths comes first, such as `/v1`.
    """
    said = f"HTTP {status}: {words}" if words else f"HTTP {status}"
    return (
        f"it takes no creates at this address ({said}); check provider.base_url, which is what stands before {version}"
    )
