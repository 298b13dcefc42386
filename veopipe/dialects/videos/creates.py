"""What a create call did, as far as it can be known. Pure.

An HTTP status is believed only where this family's gateways provably refuse before they accept.

Source: docs/design.md, 6 (Answers to a create); docs/api-facts.md, a and c; docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import re
from typing import Any

from veopipe.dialects import outcomes
from veopipe.dialects.addresses import is_about_address
from veopipe.dialects.base import Asked, CreateAnswer, Evidence, Outcome
from veopipe.dialects.bodies import A_PAGE, complaint_of, error_words, parse_json
from veopipe.dialects.videos import jobs
from veopipe.takes.status import Scope

# The gateway decided before it accepted anything, envelope or not (docs/design.md, 6).
_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 414, 415, 422, 429, 431})
_ACCOUNT_STATUS = frozenset({401, 402, 403})
_ACCOUNT_CODE = re.compile(r"quota|balance|invalid_api_key|pre_consume", re.ASCII)
# 5xx by which new-api refuses all the same (docs/api-facts.md, a).
_REFUSED_CODES = frozenset({"model_not_found", "build_request_failed"})
# A 503 by which a gateway says, under whatever code, that it can't sell the model: nothing took the order.
_NO_CHANNEL = re.compile(r"no available channels?\b|无可用渠道|没有可用的?渠道", re.IGNORECASE)
_NO_LONGER = re.compile(r"\bmodels?\b.*\bno longer available|模型.*(?:已下线|不再可用)", re.IGNORECASE | re.DOTALL)
# How this family calls its tasks (docs/api-facts.md, a); what else has an id may be the request.
_TASK_FORM = re.compile(r"(?:task|video)[_-].+")
_REQUEST_IDS = ("x-oneapi-request-id", "x-request-id", "cf-ray")


def judge(evidence: Evidence, asked: Asked) -> CreateAnswer:
    """The verdict; whatever isn't provable is in doubt."""
    if evidence.status is None or not evidence.gate_passed:  # an answer to the head alone: nothing was ordered
        return outcomes.unanswered(evidence)
    common = outcomes.common(evidence, _REQUEST_IDS)
    if 200 <= evidence.status < 300:
        return _taken(evidence, common)
    code, words = error_words(evidence.body)
    if evidence.status == 429 and not _is_about_account(429, code):
        return outcomes.throttled(evidence, code, words, common)
    if _refuses(evidence.status, code, words):
        return CreateAnswer(Outcome.REFUSED, *_refusal(evidence.status, code, words, asked), **common)
    return CreateAnswer(Outcome.IN_DOUBT, *outcomes.unclear(evidence, code, words), **common)


def _refusal(status: int, code: str | None, words: str | None, asked: Asked) -> tuple[str, str, Scope]:
    """Why a create was refused, and what that is about."""
    reason, message = code or f"http_{status}", words or (f"{code} (HTTP {status})" if code else f"HTTP {status}")
    if words and words.startswith(A_PAGE):
        message = f"HTTP {status}: {words}"
    if _is_about_account(status, code):
        return reason, message, Scope.ACCOUNT
    if is_about_address(status, code, words, asked):
        return reason, outcomes.no_address(status, words, "/v1"), Scope.GATEWAY
    if "no longer available" in message:
        return "model_retired", f"the model was switched off upstream: {message}", Scope.SHOT
    return reason, message, Scope.SHOT


def _taken(evidence: Evidence, common: dict[str, Any]) -> CreateAnswer:
    document = parse_json(evidence.body)
    task_id, complaint = jobs.task_id_of(document), complaint_of(document)
    if task_id is None:
        return outcomes.without_id(evidence, "task", common)
    if complaint and not _is_task(document):  # the id may be the request's, not a task's
        message = f"accepted or refused? The answer holds an id beside an error: {complaint}"
        return CreateAnswer(Outcome.IN_DOUBT, "id_beside_an_error", message, named=task_id, **common)
    message = f"accepted, and the gateway says: {complaint}" if complaint else ""
    told = jobs.instant(document.get("created_at"))
    return CreateAnswer(Outcome.ACCEPTED, "accepted", message, task_id=task_id, created_at=told, **common)


def _is_task(document: Any) -> bool:
    """Whether an answer is a task object and not only something with an id."""
    if _TASK_FORM.fullmatch(jobs.task_id_of(document) or ""):  # polling is free and tells the truth
        return True
    job = jobs.job_of(document) or document
    named = any(isinstance(job.get(key), str) and job[key] for key in ("task_id", "taskId"))
    return named or bool(jobs.word_of(job)) or job.get("object") == "video"


def _refuses(status: int, code: str | None, words: str | None) -> bool:
    """Whether the answer proves that nothing took the order.

    A 503 does where the gateway, and not a page in front of it, says that the model has no channel or is over.
    """
    if status in _REFUSED or code in _REFUSED_CODES:
        return True
    if status != 503 or words is None or words.startswith(A_PAGE):
        return False
    return bool(_NO_CHANNEL.search(words) or _NO_LONGER.search(words))


def _is_about_account(status: int, code: str | None) -> bool:
    return status in _ACCOUNT_STATUS or bool(code and _ACCOUNT_CODE.search(code))
