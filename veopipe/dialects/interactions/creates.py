"""What a create call did, as far as it can be known. Pure.

A 4xx is decided before anything is taken on, so it is believed. A 5xx proves nothing: a video may be made and charged.
Nothing is ever repeated; Google's own library repeats a create up to four times (docs/api-facts.md, h).

Source: docs/design.md, 6 (Answers to a create); docs/api-facts.md, h; docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import re
from typing import Any

from veopipe.dialects import outcomes
from veopipe.dialects.addresses import is_about_address
from veopipe.dialects.base import Asked, CreateAnswer, Evidence, Outcome
from veopipe.dialects.bodies import parse_json
from veopipe.dialects.interactions.complaints import Complaint, complaint_of
from veopipe.takes.origin import is_safe_id
from veopipe.takes.status import Scope
from veopipe.text import holds_secret

_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 414, 415, 422, 429, 431})
_ID = re.compile(r"v[0-9]{1,3}_[A-Za-z0-9_-]{1,250}")
_REQUEST_IDS = ("x-goog-request-id", "x-request-id", "cf-ray")


def is_task_id(text: str) -> bool:
    """Whether a text has the form of an interaction's id: a version, and base64 that is safe in a URL."""
    return _ID.fullmatch(text) is not None and is_safe_id(text)


def judge(evidence: Evidence, asked: Asked, version: str) -> CreateAnswer:
    """The verdict; whatever isn't provable is in doubt.

    Args:
        evidence: of the call.
        asked: what is known besides.
        version: what the API's paths begin with, for people.
    """
    if evidence.status is None or not evidence.gate_passed:
        return outcomes.unanswered(evidence)
    common = outcomes.common(evidence, _REQUEST_IDS)
    if 200 <= evidence.status < 300:
        return _taken(evidence, common)
    complaint = complaint_of(evidence.status, evidence.body)
    if evidence.status == 429:
        return outcomes.throttled(evidence, complaint.code, complaint.words, common)
    if evidence.status in _REFUSED or complaint.is_about_retired_model:
        return CreateAnswer(Outcome.REFUSED, *_refusal(complaint, asked, version), **common)
    unclear = outcomes.unclear(evidence, complaint.code, complaint.words)
    return CreateAnswer(Outcome.IN_DOUBT, *unclear, **common)


def _refusal(complaint: Complaint, asked: Asked, version: str) -> tuple[str, str, Scope]:
    """Why a create was refused, and what that is about."""
    reason = complaint.code or f"http_{complaint.status}"
    if complaint.is_about_account:
        return reason, complaint.said, Scope.ACCOUNT
    if complaint.is_about_retired_model:
        return "model_retired", f"the model was switched off upstream: {complaint.said}", Scope.SHOT
    code = complaint.code if complaint.code.islower() else ""  # Google's NOT_FOUND says no more than 404 does
    if is_about_address(complaint.status, code, complaint.words, asked):
        said = outcomes.no_address(complaint.status, complaint.words, version)
        return reason, said, Scope.GATEWAY
    if complaint.is_about_safety:
        return "safety", complaint.said, Scope.SHOT
    return reason, complaint.said, Scope.SHOT


def _taken(evidence: Evidence, common: dict[str, Any]) -> CreateAnswer:
    document = parse_json(evidence.body)
    found = document.get("id") if isinstance(document, dict) else None
    if isinstance(found, str) and is_task_id(found) and not holds_secret(found):
        return CreateAnswer(Outcome.ACCEPTED, "accepted", "", task_id=found, **common)
    return outcomes.without_id(evidence, "interaction", common)
