"""The bodies of its answers: two error envelopes, and a task.

As in the open gateway of the same family, task handlers answer errors as `{"code", "message", "data"}`;
authentication, routing and download answer them as `{"error": {"message", "type", "code"}}`. Both occur on one route.

Source: API document, Create Response, Poll Status and Download Video; docs/api-facts.md, a.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from veopipe.simulator.answers import Answer, json_of
from veopipe.simulator.orders import State

GOOGLE_UNSUPPORTED = (
    "Your use case is currently not supported. Please refer to Gemini API documentation for current model offering."
)


def task_error(status: int, code: str, message: str) -> Answer:
    """The envelope of the task handlers."""
    return json_of(status, {"code": code, "message": message, "data": None})


def gateway_error(status: int, message: str, code: str = "", kind: str = "new_api_error") -> Answer:
    """The envelope of authentication and model choice."""
    return json_of(status, {"error": {"message": message, "type": kind, "code": code}})


def content_error(status: int, message: str, kind: str = "invalid_request_error") -> Answer:
    """The envelope of the download route, which has no code."""
    return json_of(status, {"error": {"message": message, "type": kind}})


def google_error(status: int, message: str, name: str = "INVALID_ARGUMENT") -> Answer:
    """What the model's maker refused: its JSON is a string inside the gateway's message."""
    inner = json.dumps({"error": {"code": status, "message": message, "status": name}}, indent=2) + "\n"
    return task_error(status, "fail_to_fetch_task", inner)


def invalid_token(request_id: str) -> Answer:
    """No key, or a wrong one."""
    return gateway_error(401, f"Invalid token (request id: {request_id})")


def no_such_route(method: str, path: str) -> Answer:
    """Any other method or path."""
    message = f"Invalid URL ({method} {path})"
    return json_of(404, {"error": {"message": message, "type": "invalid_request_error", "param": "", "code": ""}})


def no_such_task() -> Answer:
    """An unknown id on a status route: 400, not 404."""
    return task_error(400, "task_not_exist", "task_not_exist")


def wallet_empty() -> Answer:
    """Not enough money: 403 and a text that is always Chinese."""
    return task_error(403, "insufficient_user_quota", "用户额度不足, 剩余额度: ＄0.000000 额度")


# --- tasks -------------------------------------------------------------------------------------------

WORDS: Mapping[State, str] = {
    State.WAITING: "queued",
    State.RUNNING: "in_progress",
    State.DONE: "completed",
    State.FAILED: "failed",
    State.GONE: "gone",
}
_PROGRESS: Mapping[State, int] = {State.WAITING: 0, State.RUNNING: 50}


def created(task_id: str, model: str, created_at: int) -> dict[str, Any]:
    """The answer to an accepted create (API document, Create Response)."""
    return {
        "id": task_id,
        "task_id": task_id,
        "object": "video",
        "model": model,
        "status": WORDS[State.WAITING],
        "progress": 0,
        "created_at": created_at,
    }


def task_status(task_id: str, model: str, created_at: int, state: State, completed_at: int) -> dict[str, Any]:
    """The answer to a poll (API document, Poll Status); `completed_at` is shown only when completed."""
    body = {
        "id": task_id,
        "object": "video",
        "model": model,
        "status": WORDS[state],
        "progress": _PROGRESS.get(state, 100),
        "created_at": created_at,
    }
    return body | {"completed_at": completed_at} if state is State.DONE else body
