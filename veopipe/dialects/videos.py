"""What an answer of the gateway means: pure functions from status and bytes to a verdict.

* What happened to a create is judged by *gate passed, body done, status read*, never by the class of an
  exception: httpx raises the same one before and after the server had the whole body.
* An HTTP status is believed only where this family's gateways provably refuse before they accept.

Source: docs/design.md, 6 (Answers to a create); docs/api-facts.md, a and c; docs/hazards.md, b.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from veopipe.dialects import jobs
from veopipe.dialects.bodies import (
    A_PAGE,
    code_of,
    complaint_of,
    created_at,
    error_words,
    parse_json,
    task_id_of,
    words_of,
    words_of_body,
)
from veopipe.text import printable

LONGEST_RETRY_AFTER = 600.0
"""Seconds that a Retry-After may ask for (docs/hazards.md, b)."""

_HOST = re.compile(r"https?://(?:[^/?#@\s]*@)?([^/?#@\s]+)", re.IGNORECASE)

# The gateway decided before it accepted anything, envelope or not (docs/design.md, 6).
_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 414, 415, 422, 431})
_ACCOUNT_STATUS = frozenset({401, 402, 403})
_ACCOUNT_CODE = re.compile(r"quota|balance|invalid_api_key|pre_consume", re.ASCII)
# 5xx by which new-api refuses all the same (docs/api-facts.md, a).
_REFUSED_CODES = frozenset({"model_not_found", "build_request_failed"})
_ROUTE_STATUS = frozenset({404, 405, 415})
# What only routers and web servers say with these statuses (new-api, OpenAI, Express, Kong, Go, FastAPI).
_NO_ROUTE = re.compile(
    r"invalid url \(|unrecognized request url|cannot (?:post|get) /|no route matched|page not found|method not allowed",
    re.IGNORECASE,
)
# The same with 400: new-api; HTTP to a port for HTTPS (nginx, Go); IIS.
_NO_ROUTE_400 = re.compile(
    rf"invalid url \((?:post|get) /|http request (?:was sent )?to (?:an )?https|{A_PAGE}.*invalid hostname",
    re.IGNORECASE,
)
# What the statuses of a route speak of when they are about the order: its model (new-api, Google), its pictures.
_ABOUT_ORDER = re.compile(
    r"model|channel|engine|entity|prompt|no longer available|模型|渠道|分组"
    r"|image|picture|file(?! not found)|field|reference|upload|webp|jpe?g|png",
    re.IGNORECASE,
)
# What they may say of an address: its parts by name, or nothing but that something isn't there.
_ABOUT_ADDRESS = re.compile(
    r"\b(?:route|endpoint|ur[il]|path|page|method|address|api|post|(?:media|content)[ -]?type|nosuch(?:key|bucket))\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?:[\W\d_]|nothing|not|found|the|requested|resource|file|was|is|here|error|http|status)*", re.IGNORECASE
)
_ABOUT_TASK = re.compile(r"task|video|job|generation|operation|resource|record|任务|视频", re.IGNORECASE)
# Codes that say no more than the status does, or name the address; any other is about what was asked for there.
_NO_CODE = re.compile(
    r"|[0-9]+|not_?found|unsupported_?media_?type|invalid_request\w*|\w*(?:url|route|endpoint|method)\w*", re.IGNORECASE
)
# How this family calls its tasks (docs/api-facts.md, a); what else has an id may be the request.
_TASK_FORM = re.compile(r"(?:task|video)[_-].+")


class Outcome(StrEnum):
    """What became of one create call."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    IN_DOUBT = "in doubt"
    NOT_SENT = "not sent"


class Scope(StrEnum):
    """What a refusal is about."""

    SHOT = "shot"
    ACCOUNT = "account"
    GATEWAY = "gateway"
    THROTTLE = "throttle"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a create call when it is over, however it ended.

    Attributes:
        gate_passed: the intent is on disk and the first body byte was allowed out.
        body_done: the whole body was handed to the network.
        status: of the answer, if its head was read.
        headers: of the answer, names in lower case.
        error: what ended the call early, for people.
    """

    gate_passed: bool
    body_done: bool
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of the order that was sent, and of the address that it was sent to.

    Attributes:
        model: of the order; words that name it aren't about the address.
        is_known: some take has a task at this gateway, though perhaps below another path of it.
        has_accepted: a create was accepted at this very address in this run.
    """

    model: str = ""
    is_known: bool = False
    has_accepted: bool = False


@dataclass(frozen=True, slots=True)
class CreateAnswer:
    """The verdict on one create call.

    Attributes:
        reason: a short id, such as `no_answer`, or the gateway's own code.
        named: an id that stands in the answer, of which it isn't known whether it is the task's.
        message: for people; the gateway's words where it gave some.
        retry_after: seconds that a 429 asks to wait, if it says.
    """

    outcome: Outcome
    reason: str
    message: str
    scope: Scope | None = None
    task_id: str | None = None
    named: str | None = None
    created_at: int | None = None
    http_status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None


def judge_create(evidence: Evidence, asked: Asked = Asked()) -> CreateAnswer:
    """What a create call did, as far as it can be known. Whatever isn't provable is in doubt."""
    if evidence.status is None or not evidence.gate_passed:  # an answer to the head alone: nothing was ordered
        return _unanswered(evidence)
    headers = evidence.headers or {}
    document = parse_json(evidence.body)
    request_id = headers.get("x-oneapi-request-id") or headers.get("x-request-id") or headers.get("cf-ray")
    named = printable(request_id) if request_id else None
    common: dict[str, Any] = {"http_status": evidence.status, "request_id": named}
    if 200 <= evidence.status < 300:
        return _taken(document, evidence, common)
    code, words = error_words(document)
    words = words or words_of_body(evidence.body)
    if evidence.status == 429 and not _is_about_account(429, code):
        return CreateAnswer(
            Outcome.REFUSED,
            code or "too_many_requests",
            words or "the gateway is busy (HTTP 429)",
            Scope.THROTTLE,
            retry_after=retry_after(headers),
            **common,
        )
    if evidence.status in _REFUSED or evidence.status == 429 or code in _REFUSED_CODES:
        return CreateAnswer(Outcome.REFUSED, *_refusal(evidence.status, code, words, asked), **common)
    return CreateAnswer(Outcome.IN_DOUBT, *_unclear(evidence, code, words, headers), **common)


def _refusal(status: int, code: str | None, words: str | None, asked: Asked) -> tuple[str, str, Scope]:
    """Why a create was refused, and what that is about."""
    reason, message = code or f"http_{status}", words or (f"{code} (HTTP {status})" if code else f"HTTP {status}")
    if words and words.startswith(A_PAGE):
        message = f"HTTP {status}: {words}"
    if _is_about_account(status, code):
        return reason, message, Scope.ACCOUNT
    if _is_about_route(status, code, words, asked):
        said = f"HTTP {status}: {words}" if words else f"HTTP {status}"
        message = (
            f"it takes no creates at this address ({said}); check provider.base_url, which is what stands before /v1"
        )
        return reason, message, Scope.GATEWAY
    if "no longer available" in message:
        return "model_retired", f"the model was switched off upstream: {message}", Scope.SHOT
    return reason, message, Scope.SHOT


def _is_about_route(status: int, code: str | None, words: str | None, asked: Asked) -> bool:
    """Whether an answer speaks of the address and not of what was asked for there.

    A page or an empty answer comes from whoever found nothing at the address; a gateway that refuses a model names it.
    One that took creates here has the address, whatever it says.
    """
    if asked.has_accepted or not _NO_CODE.fullmatch(code or ""):
        return False
    if status == 400:
        return bool(words and _NO_ROUTE_400.search(words))
    if status not in _ROUTE_STATUS:
        return False
    if words and _is_of_router(words):
        return True
    return not asked.is_known and (not words or _may_be_of_address(words, asked.model))


def _is_of_router(words: str) -> bool:
    """Whether nobody who has the address says so."""
    return words.startswith(A_PAGE) or _NO_ROUTE.search(words) is not None


def _may_be_of_address(words: str, model: str) -> bool:
    if _ABOUT_ORDER.search(words) or (model and model.lower() in words.lower()):
        return False
    return bool(_BARE.fullmatch(words) or _ABOUT_ADDRESS.search(words))


def _unanswered(evidence: Evidence) -> CreateAnswer:
    why = evidence.error or (f"HTTP {evidence.status}" if evidence.status else "the connection ended")
    if not evidence.gate_passed:
        return CreateAnswer(Outcome.NOT_SENT, "not_sent", why)
    if not evidence.body_done:
        message = f"the connection ended while the request was being sent; very likely not charged ({why})"
        return CreateAnswer(Outcome.IN_DOUBT, "partial_body", message)
    return CreateAnswer(Outcome.IN_DOUBT, "no_answer", f"the request was sent, no answer came ({why})")


def _taken(document: Any, evidence: Evidence, common: dict[str, Any]) -> CreateAnswer:
    task_id, complaint = task_id_of(document), complaint_of(document)
    if task_id is None:
        said = words_of(document) or code_of(document) or words_of_body(evidence.body)
        said = said or printable(evidence.body.decode("utf-8", "replace"))
        message = f"accepted, but the answer names no task ({evidence.error or said or 'empty body'})"
        return CreateAnswer(Outcome.IN_DOUBT, "accepted_without_id", message, **common)
    if complaint and not _is_task(document):  # the id may be the request's, not a task's
        message = f"accepted or refused? The answer holds an id beside an error: {complaint}"
        return CreateAnswer(Outcome.IN_DOUBT, "id_beside_an_error", message, named=task_id, **common)
    message = f"accepted, and the gateway says: {complaint}" if complaint else ""
    told = created_at(document)
    return CreateAnswer(Outcome.ACCEPTED, "accepted", message, task_id=task_id, created_at=told, **common)


def _is_task(document: Any) -> bool:
    """Whether an answer is a task object and not only something with an id."""
    if _TASK_FORM.fullmatch(task_id_of(document) or ""):  # polling is free and tells the truth
        return True
    job = jobs.job_of(document) or document
    named = any(isinstance(job.get(key), str) and job[key] for key in ("task_id", "taskId"))
    return named or bool(jobs.word_of(job)) or job.get("object") == "video"


def _unclear(evidence: Evidence, code: str | None, words: str | None, headers: Mapping[str, str]) -> tuple[str, str]:
    status = evidence.status or 0
    if 300 <= status < 400:
        target = _HOST.match(headers.get("location", ""))
        place = printable(target[1]) if target else "another address"
        return "redirect", f"the gateway redirects creates to {place} (HTTP {status}); check provider.base_url"
    kind = "server_error_enveloped" if code else "server_error"
    if not words or words.startswith(A_PAGE):
        words = "an answer of something in front of the gateway"
    return kind, f"HTTP {status}: {words}"


def _is_about_account(status: int, code: str | None) -> bool:
    return status in _ACCOUNT_STATUS or bool(code and _ACCOUNT_CODE.search(code))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` header asks for, capped; None if there is none or it makes no sense."""
    said = headers.get("retry-after", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
            seconds = until.timestamp() - _date_of(headers, until.timestamp())
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return min(seconds, LONGEST_RETRY_AFTER)


def _date_of(headers: Mapping[str, str], otherwise: float) -> float:
    """The gateway's own clock, so that ours doesn't matter; a date without it means "now"."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return otherwise


# --- polls -----------------------------------------------------------------------------------------


class Progress(StrEnum):
    """What a poll says."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    NO_SUCH_TASK = "no such task"
    KEY_REFUSED = "key refused"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """The verdict on one poll.

    Attributes:
        message: for people: the gateway's reason of a failure, its word for a task that isn't over, or what went wrong.
        percent: 0 to 100, if the gateway says.
        retry_after: seconds that the gateway asks to wait, if it says.
        busy: the gateway says that it is asked too much (429).
        is_news: people must hear the message though nothing is decided: a word that isn't known, an error beside it.
        is_about_route: there is no such address, as far as one answer can tell; nothing in it is about the task.
    """

    progress: Progress
    message: str = ""
    percent: int | None = None
    retry_after: float | None = None
    busy: bool = False
    is_news: bool = False
    is_about_route: bool = False


def judge_poll(status: int, headers: Mapping[str, str], body: bytes, task_id: str) -> PollAnswer:
    """What the answer to a status request says. An unknown word means that the task still runs."""
    document = parse_json(body)
    job = jobs.job_of(document)
    wait = retry_after(headers)
    if job is not None:
        named = status >= 300 or jobs.meaning_of(jobs.word_of(job)) == "error"
        if jobs.is_about(job, task_id, named=named):
            return _progress_of(job, document)
    code, words = error_words(document)
    words = words or code or words_of_body(body)
    page = status >= 300 and words is not None and words.startswith(A_PAGE)  # its title is the status once more
    said = f"HTTP {status}: {words}" if words and not page else f"HTTP {status}"
    if status in {401, 403}:
        return PollAnswer(Progress.KEY_REFUSED, said if page else words or said)
    if status in {404, 410} or (status == 400 and _names_no_task(code, words)):
        return _no_such_task(status, code, words)
    if status < 300:
        said = "the answer is no task object" if job is None else "the answer isn't about this task"
        said = f"{said}: {words}" if words else said
    lost = _is_about_route(status, code, words, Asked())
    return PollAnswer(
        Progress.TROUBLE, said, retry_after=wait, busy=status == 429, is_news=status != 429, is_about_route=lost
    )


def _no_such_task(status: int, code: str | None, words: str | None) -> PollAnswer:
    if words is None:  # who says nothing may mean either
        return PollAnswer(Progress.NO_SUCH_TASK, f"HTTP {status}", is_news=True)
    certain = _is_of_router(words)
    if not (_is_about_route(status, code, words, Asked()) and (certain or not _ABOUT_TASK.search(words))):
        return PollAnswer(Progress.NO_SUCH_TASK, words, is_news=True)
    said = f"HTTP {status}: {words}"
    if certain:  # a bare "not found" may be about the task
        said = f"there is no such address ({said}); provider.base_url is what stands before /v1/videos"
    return PollAnswer(Progress.NO_SUCH_TASK, said, is_news=True, is_about_route=True)


def _progress_of(job: Mapping[str, Any], document: Any) -> PollAnswer:
    word, percent = jobs.word_of(job), _percent(job.get("progress"))
    meaning = jobs.meaning_of(word)
    if meaning in jobs.DONE:
        return PollAnswer(Progress.COMPLETED, percent=100)
    words = words_of(job) or words_of(document)
    if meaning in jobs.FAILED:
        said = words or code_of(job) or "the gateway gave no reason"
        return PollAnswer(Progress.FAILED, said if meaning in {"failed", "error"} else f"{word}: {said}")
    said = f'the gateway says "{word}"' if word else "the gateway gives no status"
    said = f"{said}: {words}" if words else said
    news = not jobs.is_usual(word) or complaint_of(document) is not None
    return PollAnswer(Progress.RUNNING, said, percent, is_news=news)


def _percent(said: Any) -> int | None:
    if isinstance(said, str):
        said = said.strip().removesuffix("%")
    try:
        percent = float(said)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(min(max(percent, 0), 100)) if math.isfinite(percent) else None


def _names_no_task(code: str | None, words: str | None) -> bool:
    return code in {"task_not_exist", "task_not_found"} or "task_not_exist" in (words or "")


# --- content ---------------------------------------------------------------------------------------


class Content(StrEnum):
    """What the head of a content answer says."""

    VIDEO = "video"  # or whatever its bytes say
    NOT_READY = "not ready"
    GONE = "gone"
    KEY_REFUSED = "key refused"
    REDIRECT = "redirect"


def judge_content(status: int) -> tuple[Content, str]:
    """What may follow the head of a content answer, and why nothing can.

    A head refuses nothing that its body can decide: gateways label whole videos as text, as packed, as a part or
    as created. Whatever isn't a success, final or a matter of the key may still become a video (docs/api-facts.md, a).
    """
    if 200 <= status < 300:
        return Content.VIDEO, ""
    why = f"HTTP {status}"
    if status in {301, 302, 303, 307, 308}:
        return Content.REDIRECT, why
    if status in {401, 403}:
        return Content.KEY_REFUSED, why
    return (Content.GONE if status == 410 else Content.NOT_READY), why


def content_label(status: int, headers: Mapping[str, str]) -> str:
    """What the head calls a body that turned out to be no video; empty where it calls it a video."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.startswith("text/"):
        return f"HTTP {status} with {printable(kind, 40)} instead of a video"
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed not in {"", "identity"}:
        return f"an encoded body ({printable(packed, 40)}), which wasn't asked for"
    return f"HTTP {status}" if status != 200 else ""
