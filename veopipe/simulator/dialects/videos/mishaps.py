"""How each fault of `faults.TABLE` looks in an answer. With no fault: the document's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from veopipe.simulator.answers import Answer, json_of, page
from veopipe.simulator.book import Task
from veopipe.simulator.dialects.videos import answers
from veopipe.simulator.dialects.videos.form import Form
from veopipe.simulator.dialects.videos.rules import LAST_FRAME
from veopipe.simulator.faults import FaultOrder
from veopipe.simulator.orders import State
from veopipe.simulator.sending import cut_after
from veopipe.simulator.wire import ENTRY, cut, respond

Body = dict[str, Any]

# -- create: refusals ----------------------------------------------------------------------------------------

BEFORE_THE_BODY = frozenset({"cut_upload", "413_html"})
_BUSY = "当前分组上游负载已饱和，请稍后再试"
_RETIRED = "models/veo-3.1-generate-preview is no longer available. Please update your code to use a newer model."
_REFUSALS: Mapping[str, Answer] = {
    "429_busy": answers.task_error(429, "fail_to_fetch_task", _BUSY),
    "429_empty": Answer(429, b"", "text/plain"),
    "403_quota": answers.wallet_empty(),
    "503_no_channel": answers.gateway_error(
        503, "No available channel for model under group default (distributor)", code="model_not_found"
    ),
    "400_google": answers.google_error(400, answers.GOOGLE_UNSUPPORTED),
    "404_retired": answers.google_error(404, _RETIRED, "NOT_FOUND"),
    "503_retired": answers.gateway_error(503, "There are no available channels for this model", "get_channel_failed"),
    "500_build_request_failed": answers.task_error(
        500, "build_request_failed", "unmarshal metadata failed: json: cannot unmarshal string into Go struct field"
    ),
    "redirect_307": Answer(307, b"", "text/html", headers={"Location": "/v1/videos"}),
}  # fmt: skip
# Answered with or without a task behind them: the parameter `charged` says which.
_AMBIGUOUS: Mapping[str, Answer] = {
    "html_502": page(502, "Bad Gateway"),
    "html_504": page(504, "Gateway Time-out"),
    "html_524": page(524, "A timeout occurred"),
    "500_do_request_failed": answers.task_error(500, "do_request_failed", "upstream error: do request failed"),
}


async def refuse_early(request: web.Request, fault: FaultOrder) -> web.StreamResponse:
    """A fault that doesn't wait for the body."""
    if fault.fault.name == "413_html":
        return respond(request, page(413, "Request Entity Too Large"))
    return cut(request)


def refused_create(fault: FaultOrder | None, request_id: str) -> Answer | None:
    """The refusal that a fault orders before anything is charged, or None."""
    if fault is None:
        return None
    name = fault.fault.name
    if name in ("401_bad_key", "401_exhausted_midrun"):
        return answers.invalid_token(request_id)
    if name in _AMBIGUOUS and not fault.parameters["charged"]:
        return _AMBIGUOUS[name]
    if name == "404_replaced":
        words = f"This model has been retired. Please use {fault.parameters['successor']} instead."
        return answers.gateway_error(404, words, "model_retired")
    return _with_retry_after(_REFUSALS.get(name), fault)


def _with_retry_after(answer: Answer | None, fault: FaultOrder) -> Answer | None:
    seconds = float(fault.parameters.get("retry_after", 0))
    return replace(answer, headers={"Retry-After": f"{seconds:g}"}) if answer and seconds else answer


def after_drops(form: Form, fault: FaultOrder | None) -> tuple[Form, tuple[str, ...]]:
    """What is left of a form at a gateway that drops fields silently, and the names dropped."""
    kept = _kept(form, fault) if fault is not None else form
    dropped = form.names
    for name in kept.names:
        dropped.remove(name)
    return kept, tuple(dropped)


def _kept(form: Form, fault: FaultOrder) -> Form:
    name = fault.fault.name
    if name == "metadata_wins" and form.text("metadata"):
        return form.without(frozenset({"resolution", "aspectRatio", "negativePrompt", "seed"}))
    if name == "last_frame_ignored":
        return form.without(frozenset(), LAST_FRAME)
    if name == "big_image_ignored":
        limit = float(fault.parameters["limit"])
        return replace(form, uploads=tuple(upload for upload in form.uploads if upload.size <= limit))
    return form


# -- create: accepted ----------------------------------------------------------------------------------------


def task_id(fault: FaultOrder | None) -> str | None:
    """The id that a fault wants for the new task, or None."""
    return str(fault.parameters["id"]) if fault and fault.fault.name == "bad_id" else None


def _without(body: Body, *names: str) -> Body:
    return {key: value for key, value in body.items() if key not in names}


_CREATED: Mapping[str, Callable[[Body], Body]] = {
    "no_task_id": lambda body: _without(body, "task_id"),
    "no_id": lambda body: _without(body, "id"),
    "no_ids": lambda body: _without(body, "id", "task_id"),
    "empty_status": lambda body: body | {"status": ""},
}


async def answer_create(
    request: web.Request, task: Task, fault: FaultOrder | None, before: Task | None
) -> web.StreamResponse:
    """The answer to an accepted create.

    Args:
        request: the create.
        task: what it made; charged and in the book.
        fault: what goes wrong with the answer.
        before: the task accepted before this one.
    """
    body = answers.created(task.task_id, task.model, int(task.created_at))
    name = fault.fault.name if fault else ""
    if name in _CREATED:
        body = _CREATED[name](body)
    if name == "duplicate_id" and before is not None:
        body |= {"id": before.task_id, "task_id": before.task_id}
    answer = json_of(200, body)
    if name == "lost_response":
        return cut(request)
    if name == "cut_json":
        return await cut_after(request, answer.body, len(answer.body) // 2, answer.content_type)
    if fault is not None and name == "slow_create":
        await asyncio.sleep(float(fault.parameters["seconds"]))
    return respond(request, _AMBIGUOUS.get(name, answer))


# -- poll ----------------------------------------------------------------------------------------------------

# What stays true of the task, for later polls and for the download, too.
FIXED_STATES: Mapping[str, State] = {
    "stuck_queued": State.WAITING,
    "stuck_in_progress": State.RUNNING,
    "failed_no_error": State.FAILED,
    "failed_with_error": State.FAILED,
    "failed_http_500_with_job_body": State.FAILED,
    "task_not_exist_after_restart": State.GONE,
}


def _running(body: Body) -> Body:
    return _without(body, "completed_at") | {"status": "in_progress", "progress": 50}


def _upper_case(body: Body) -> Body:
    word = {"completed": "SUCCESS", "failed": "FAILURE"}.get(body["status"], str(body["status"]).upper())
    return {
        "created_at": body["created_at"],
        "fail_reason": "",
        "finished_at": body.get("completed_at", 0),
        "platform": "1",
        "progress": f"{body['progress']}%",
        "status": word,
        "task_id": body["id"],
    }


_NULLS = dict.fromkeys(("completed_at", "error", "expires_at", "progress", "prompt", "seconds", "size"))
_SHAPES: Mapping[str, Callable[[Body], Body]] = {
    "unknown_first": lambda body: _running(body) | {"status": "unknown", "progress": 0},
    "flap_failed": lambda body: body | {"status": "failed", "progress": 100},
    "back_to_in_progress": _running,
    "wrapped_data": lambda body: {"code": "success", "message": "", "data": body},
    "upper_case_status": _upper_case,
    "nulls": lambda body: _NULLS | body | {"progress": None},
    "completed_at_while_running": lambda body: {"completed_at": body["created_at"] + 1} | body,
    "wrong_id": lambda body: body | {"id": "task_" + "0" * 32},
}
_POLL_ANSWERS: Mapping[str, Answer] = {
    "poll_429": answers.task_error(429, "rate_limited", _BUSY),
    "poll_502_html": page(502, "Bad Gateway"),
    "poll_html_200": page(200, "Please log in to this network"),
    "task_not_exist_first": answers.no_such_task(),
    "task_not_exist_after_restart": answers.no_such_task(),
}


async def answer_poll(request: web.Request, body: Body, fault: FaultOrder | None) -> web.StreamResponse:
    """The answer to a poll whose honest body is `body`."""
    if fault is None:
        return respond(request, json_of(200, body))
    name = fault.fault.name
    if name == "poll_401":
        return respond(request, answers.invalid_token(request[ENTRY].request_id))
    if name == "poll_read_timeout":
        await asyncio.sleep(float(fault.parameters["seconds"]))
    if name in ("poll_cut", "poll_read_timeout"):
        return cut(request)
    if (answer := _with_retry_after(_POLL_ANSWERS.get(name), fault)) is not None:
        return respond(request, answer)
    return respond(request, json_of(500 if name == "failed_http_500_with_job_body" else 200, _shaped(body, fault)))


def _shaped(body: Body, fault: FaultOrder) -> Body:
    """The body of an answer that says something else than the honest one, or says it in another form."""
    parameters = fault.parameters
    if "message" in parameters:
        code = parameters["code"]
        number = int(code) if isinstance(code, float) else code
        return body | {"error": {"code": number, "message": parameters["message"]}}
    return _SHAPES[fault.fault.name](body) if fault.fault.name in _SHAPES else body


# -- content -------------------------------------------------------------------------------------------------

_LAGS: Mapping[str, Answer] = {
    "document": answers.content_error(400, "task status is IN_PROGRESS"),
    "new-api": answers.content_error(400, "Task is not completed yet, current status: IN_PROGRESS"),
    "lag_404": answers.content_error(404, "Task not found"),
    "lag_502": answers.content_error(502, "Failed to resolve Gemini video URL", "server_error"),
}
_NO_CONTENT: Mapping[str, Answer] = {
    "safety_completed_502": _LAGS["lag_502"],
    "expired_502": answers.content_error(502, "Upstream service returned status 404", "server_error"),
    "expired_410": answers.content_error(410, "video result has expired"),
    "content_429": answers.task_error(429, "rate_limited", _BUSY),
    "blocked_403": answers.content_error(403, "request blocked: access to private IP address", "server_error"),
    "html_200": page(200, "Just a moment..."),
    "json_200": json_of(200, {"error": {"message": "task status is IN_PROGRESS", "type": "invalid_request_error"}}),
    "empty_200": Answer(200, b"", "video/mp4"),
}


def refused_content(fault: FaultOrder | None, waited: float) -> Answer | None:
    """What is answered instead of a video, or None; `waited` seconds ago the content was first asked for."""
    if fault is None:
        return None
    name = fault.fault.name
    if name in ("lag_400", "lag_404", "lag_502"):
        if waited >= float(fault.parameters["seconds"]):
            return None
        return _LAGS[str(fault.parameters["wording"]) if name == "lag_400" else name]
    answer = _with_retry_after(_NO_CONTENT.get(name), fault)
    if answer is not None and "type" in fault.parameters:
        return replace(answer, content_type=str(fault.parameters["type"]))
    return answer
