"""How each fault of `faults.TABLE` looks in an answer. With no fault: what the recordings show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from veopipe.simulator.answers import Answer, json_of, page
from veopipe.simulator.book import Task
from veopipe.simulator.dialects.interactions import answers
from veopipe.simulator.faults import FaultOrder
from veopipe.simulator.orders import State
from veopipe.simulator.sending import cut_after
from veopipe.simulator.wire import cut, respond

Body = dict[str, Any]

# -- create ------------------------------------------------------------------------------------------------

_BUSY = answers.front_error(
    429, "You exceeded your current quota, please check your plan and billing details.", "RESOURCE_EXHAUSTED"
)
_UNAVAILABLE = answers.front_error(503, "The model is overloaded. Please try again later.", "UNAVAILABLE")
_DENIED = answers.front_error(403, "Permission denied: Consumer has been suspended.", "PERMISSION_DENIED", listed=True)
_REFUSALS: Mapping[str, Answer] = {
    "429_quota": _BUSY,
    "400_safety": answers.api_error(400, "The prompt was blocked: it goes against the safety policy."),
    "400_value": answers.api_error(400, "Invalid value at 'response_format.duration' (Duration), 8"),
    "400_key": answers.wrong_key(),
    "400_billing": answers.out_of_money(),
    "403_denied": _DENIED,
    "404_retired": answers.front_error(
        404, "This model is no longer available. Please update your code to use a newer model.", "NOT_FOUND"
    ),
    "413_html": page(413, "Request Entity Too Large"),
    "redirect_307": Answer(307, b"", "text/html", headers={"Location": "/v1beta/interactions"}),
}
# Answered with or without a task behind them: the parameter `charged` says which.
_AMBIGUOUS: Mapping[str, Answer] = {
    "html_502": page(502, "Bad Gateway"),
    "500_internal": answers.front_error(500, "An internal error has occurred.", "INTERNAL"),
    "503_overloaded": _UNAVAILABLE,
}


def refused_create(fault: FaultOrder | None) -> Answer | None:
    """The refusal that a fault orders before anything is charged, or None."""
    if fault is None:
        return None
    name = fault.fault.name
    if name in _AMBIGUOUS and not fault.parameters["charged"]:
        return _AMBIGUOUS[name]
    return _with_retry_after(_REFUSALS.get(name), fault)


def _with_retry_after(answer: Answer | None, fault: FaultOrder) -> Answer | None:
    seconds = float(fault.parameters.get("retry_after", 0))
    return replace(answer, headers={"Retry-After": f"{seconds:g}"}) if answer and seconds else answer


BLOCKED = "I can't make this video: it goes against the safety policy."
"""What the model says then."""


def is_blocked(task: Task) -> bool:
    """Whether a task ends with words and without a video."""
    return task.fault == "blocked"


async def answer_create(
    request: web.Request, body: Body, fault: FaultOrder | None, before: Task | None
) -> web.StreamResponse:
    """The answer to an accepted create, which is charged and in the book.

    Args:
        request: the create.
        body: of the honest answer.
        fault: what goes wrong with it.
        before: the task accepted before this one.
    """
    name = fault.fault.name if fault else ""
    answer = json_of(200, _created(body, fault, before))
    if name == "lost_response":
        return cut(request)
    if name == "cut_json":
        return await cut_after(request, answer.body, len(answer.body) // 2, answer.content_type)
    if fault is not None and name == "slow_create":
        await asyncio.sleep(float(fault.parameters["seconds"]))
    return respond(request, _AMBIGUOUS.get(name, answer))


def _created(body: Body, fault: FaultOrder | None, before: Task | None) -> Body:
    """The body with the id that a fault wants, or without one."""
    name = fault.fault.name if fault else ""
    if name == "no_id":
        return {key: value for key, value in body.items() if key != "id"}
    if name == "bad_id" and fault is not None:
        return body | {"id": str(fault.parameters["id"])}
    return body | {"id": before.task_id} if name == "duplicate_id" and before is not None else body


# -- poll --------------------------------------------------------------------------------------------------

# What stays true of the task, for later polls and for the download, too.
FIXED_STATES: Mapping[str, State] = {
    "stuck": State.RUNNING,
    "ended": State.FAILED,
    "unknown_id": State.GONE,
}
_POLL_ANSWERS: Mapping[str, Answer] = {
    "credentials_400": answers.api_error(400, "Multiple authentication credentials received. Please pass only one."),
    "blobstore_400": answers.api_error(400, "Unsupported file uri: blobstore:///prod/video/0"),
    "denied_403": answers.front_error(
        403, "You do not have permission to access this interaction, or it may not exist.", "PERMISSION_DENIED"
    ),
    "poll_key_400": answers.wrong_key(),
    "poll_403_list": _DENIED,
    "poll_429": _BUSY,
    "poll_502_html": page(502, "Bad Gateway"),
    "poll_503": _UNAVAILABLE,
    "poll_html_200": page(200, "Please log in to this network"),
}


def _videos(body: Body, change: Callable[[Body], Body]) -> Body:
    """An interaction whose video contents are changed."""

    def changed(step: Body) -> Body:
        content = [change(part) if part.get("type") == "video" else part for part in step.get("content", [])]
        return step | {"content": content} if step.get("type") == "model_output" else step

    return body | {"steps": [changed(step) for step in body["steps"]]}


def _without_video(body: Body) -> Body:
    return body | {"steps": [step for step in body["steps"] if step["type"] != "model_output"]}


def _elsewhere(body: Body, host: str) -> Body:
    def moved(part: Body) -> Body:
        scheme, _, rest = str(part["uri"]).partition("://")
        port = rest.partition("/")[0].partition(":")[2]
        return part | {"uri": f"{scheme}://{host}{':' if port else ''}{port}/{rest.partition('/')[2]}"}

    return _videos(body, moved)


def _echoing(body: Body, size: int) -> Body:
    picture = {"type": "image", "data": "A" * size, "mime_type": "image/png"}
    return body | {"steps": [{"type": "user_input", "content": [picture]}, *body["steps"]]}


def _running(body: Body, word: str) -> Body:
    return {key: value for key, value in body.items() if key != "usage"} | {
        "status": word,
        "steps": [step for step in body["steps"] if step["type"] == "user_input"],
    }


_SHAPES: Mapping[str, Callable[[Body, Mapping[str, Any]], Body]] = {
    "unknown_word": lambda body, given: _running(body, str(given["word"])),
    "flap_failed": lambda body, _: _running(body, "failed"),
    "ended": lambda body, given: (
        _running(body, str(given["word"])) | {"errors": [{"code": "internal", "message": str(given["message"])}]}
    ),
    "wrong_id": lambda body, _: body | {"id": "v1_" + "0" * 64},
    "no_address": lambda body, _: _without_video(body),
    "no_usage": lambda body, _: _without_video({key: value for key, value in body.items() if key != "usage"}),
    "inline": lambda body, _: _videos(body, lambda part: {"type": "video", "mime_type": "video/mp4", "data": "AAAA"}),
    "other_host": lambda body, given: _elsewhere(body, str(given["host"])),
    "long_echo": lambda body, given: _echoing(body, int(given["bytes"])),
}


async def answer_poll(request: web.Request, body: Body, fault: FaultOrder | None) -> web.StreamResponse:
    """The answer to a poll whose honest body is `body`."""
    if fault is None:
        return respond(request, json_of(200, body))
    name = fault.fault.name
    if name == "poll_read_timeout":
        await asyncio.sleep(float(fault.parameters["seconds"]))
    if name in ("poll_cut", "poll_read_timeout"):
        return cut(request)
    if name in ("unknown_id", "unknown_id_first"):
        return respond(request, answers.no_such_interaction(str(body["id"])))
    if (answer := _with_retry_after(_POLL_ANSWERS.get(name), fault)) is not None:
        return respond(request, answer)
    shaped = _SHAPES[name](body, fault.parameters) if name in _SHAPES else body
    return respond(request, json_of(200, shaped))


# -- content -----------------------------------------------------------------------------------------------


def refused_content(fault: FaultOrder | None, waited: float, task: Task) -> Answer | None:
    """What is answered instead of a video, or None; `waited` seconds ago the content was first asked for."""
    if fault is None:
        return None
    name, file = fault.fault.name, answers.file_name(task.task_id)
    if name == "processing":
        message = f"The File {file} is not in an ACTIVE state and usage is not allowed."
        is_over = waited >= float(fault.parameters["seconds"])
        return None if is_over else answers.front_error(400, message, "FAILED_PRECONDITION")
    if name == "expired_403":
        return answers.no_such_file(file)
    refusals = {
        "expired_404": answers.front_error(404, "Requested entity was not found.", "NOT_FOUND"),
        "content_429": _BUSY,
        "html_200": page(200, "Just a moment..."),
        "metadata_200": json_of(200, answers.file_of(file, "ACTIVE", 0)),
        "empty_200": Answer(200, b"", "video/mp4"),
    }
    return _with_retry_after(refusals.get(name), fault)
