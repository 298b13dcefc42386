"""What a create call did where no dialect's words say it: nothing was sent, no answer came, an answer proves nothing.

It is judged by *gate passed, body done, status read*, never by the class of an exception: httpx raises the same one
before and after the server had the whole body. Pure.

Source: docs/design.md, 6 (Answers to a create); docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from veopipe.dialects.base import CreateAnswer, Evidence, Outcome
from veopipe.dialects.bodies import A_PAGE
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


def request_id(evidence: Evidence, names: Sequence[str]) -> str | None:
    """The gateway's name for the request, or that of what stands in front of it: the first of these headers."""
    found = [evidence.headers[name] for name in names if evidence.headers.get(name)]
    return printable(found[0]) if found else None


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
