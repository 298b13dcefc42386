"""The bodies that the gateway answers with: its two error envelopes, and a task in all its shapes.

As in the open gateway of the same family, task handlers answer errors as `{"code", "message", "data"}`;
authentication, routing and download answer them as `{"error": {"message", "type", "code"}}`. Both occur on one route.

Source: API document, Create Response, Poll Status and Download Video; docs/api-facts.md, a.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

GOOGLE_UNSUPPORTED = (
    "Your use case is currently not supported. Please refer to Gemini API documentation for current model offering."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: status, content type and body; `json_of` makes the usual ones.

    Attributes:
        status: the HTTP status.
        body: the bytes.
        content_type: the header's value.
        by_proxy: whether something in front of the gateway answered: then there is no request id.
        headers: further headers.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    by_proxy: bool = False
    headers: dict[str, str] = field(default_factory=dict)


def json_of(status: int, value: Any) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8")


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


def page(status: int, title: str) -> Answer:
    """An HTML page as nginx or Cloudflare answers it."""
    text = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), "text/html", by_proxy=True)


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


def created(task_id: str, model: str, created_at: int) -> dict[str, Any]:
    """The answer to an accepted create (API document, Create Response)."""
    return {
        "id": task_id,
        "task_id": task_id,
        "object": "video",
        "model": model,
        "status": "queued",
        "progress": 0,
        "created_at": created_at,
    }


def task_status(task_id: str, model: str, created_at: int, status: str, completed_at: int) -> dict[str, Any]:
    """The answer to a poll (API document, Poll Status); `completed_at` is shown only when completed."""
    progress = {"queued": 0, "in_progress": 50, "unknown": 0}.get(status, 100)
    body = {
        "id": task_id,
        "object": "video",
        "model": model,
        "status": status,
        "progress": progress,
        "created_at": created_at,
    }
    return body | {"completed_at": completed_at} if status == "completed" else body
