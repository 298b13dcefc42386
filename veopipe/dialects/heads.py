"""What stands in the heads of answers: how long to wait, and what a body is called. Pure.

Source: docs/api-facts.md, a; docs/hazards.md, b.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from veopipe.dialects.base import Content, ContentAnswer, Evidence
from veopipe.text import printable

LONGEST_RETRY_AFTER = 600.0
"""Seconds that a Retry-After may ask for (docs/hazards.md, b)."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` header asks for, capped; None if there is none or it makes no sense."""
    said = headers.get("retry-after", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            until, here = parsedate_to_datetime(said).timestamp(), date_of(headers)
            seconds = until - here if here is not None else 0.0
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return min(seconds, LONGEST_RETRY_AFTER)


def date_of(headers: Mapping[str, str]) -> float | None:
    """The gateway's own clock, so that ours doesn't matter, Unix seconds; None: it doesn't say."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None


def label_of(status: int, headers: Mapping[str, str]) -> str:
    """What a head calls a body that turned out to be no video; empty where it calls it a video."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.startswith("text/"):
        return f"HTTP {status} with {printable(kind, 40)} instead of a video"
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed not in {"", "identity"}:
        return f"an encoded body ({printable(packed, 40)}), which wasn't asked for"
    return f"HTTP {status}" if status != 200 else ""


def judge_content(evidence: Evidence) -> ContentAnswer:
    """What may follow a head: it refuses nothing that the body can decide.

    Gateways label whole videos as text, as packed, as a part or as created. Whatever isn't a success, final or a
    matter of the key may still become a video (docs/api-facts.md, a).
    """
    status = evidence.status or 0
    kind, why = Content.NOT_READY, f"HTTP {status}"
    if 200 <= status < 300:
        kind, why = Content.VIDEO, label_of(status, evidence.headers)
    elif status in {401, 403}:
        kind = Content.KEY_REFUSED
    elif status == 410:
        kind = Content.GONE
    return ContentAnswer(kind, why, retry_after(evidence.headers), busy=status == 429)
