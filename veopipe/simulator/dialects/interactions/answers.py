"""The bodies of its answers: errors in three forms, an interaction, a file.

The API says errors with a code of letters; Google's front end with the number of HTTP and a status, sometimes in a
list.

Source: docs/api-facts.md, h.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from veopipe.simulator.answers import Answer, json_of
from veopipe.simulator.orders import State

WORDS: Mapping[State, str] = {
    State.WAITING: "in_progress",
    State.RUNNING: "in_progress",
    State.DONE: "completed",
    State.FAILED: "failed",
}
_SIGNATURE = "Ci8B" + "q7Rk" * 1_700  # a thought is signed with some 7 kB


def api_error(status: int, message: str, code: str = "invalid_request") -> Answer:
    """The form of the API itself."""
    return json_of(status, {"error": {"message": message, "code": code}})


def front_error(status: int, message: str, name: str, reason: str = "", *, listed: bool = False) -> Answer:
    """The form of Google's front end; `listed`: inside a list."""
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if reason:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": kind, "reason": reason, "domain": "googleapis.com"}]
    return json_of(status, [{"error": error}] if listed else {"error": error})


def no_key() -> Answer:
    """A request without a key."""
    message = "Method doesn't allow unregistered callers (callers without established identity)."
    return front_error(403, message, "PERMISSION_DENIED")


def wrong_key() -> Answer:
    """A key that is none: 400, not 401."""
    message = "API key not valid. Please pass a valid API key."
    return front_error(400, message, "INVALID_ARGUMENT", "API_KEY_INVALID")


def no_such_route(path: str) -> Answer:
    """Any other method or path: a page of the front end."""
    page = (
        "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n"
        f"<p><b>404.</b> <ins>That's an error.</ins>\n<p>The requested URL <code>{len(path)} letters</code> was not "
        "found on this server.\n</html>\n"
    )
    return Answer(404, page.encode(), "text/html; charset=UTF-8", by_proxy=True)


def no_such_interaction(task_id: str) -> Answer:
    """An unknown id: 400, not 404."""
    return api_error(400, f"Invalid interaction name: {task_id[:80]}")


def no_such_file(name: str) -> Answer:
    """A file that is gone, or somebody else's."""
    message = f"You do not have permission to access the File {name[:40]} or it may not exist."
    return front_error(403, message, "PERMISSION_DENIED")


def out_of_money() -> Answer:
    """Billing is the matter: 400, not 402."""
    return front_error(400, "Billing isn't enabled for this project, or its credit is used up.", "FAILED_PRECONDITION")


# --- interactions ------------------------------------------------------------------------------------


def head(task_id: str, model: str, status: str) -> dict[str, Any]:
    """The fields of every answer, and all of the one to a create. Both times move with each poll."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "id": task_id,
        "status": status,
        "created": now,
        "updated": now,
        "service_tier": "standard",
        "object": "interaction",
        "model": model,
    }


def polled(head: Mapping[str, Any], sent: Sequence[Any], response_format: Mapping[str, Any]) -> dict[str, Any]:
    """An interaction that isn't over: it repeats what was sent, with the pictures."""
    steps = [{"type": "user_input", "content": list(sent)}]
    return {**head, "steps": steps, "response_format": dict(response_format)}


def ended(body: Mapping[str, Any], content: Sequence[Mapping[str, Any]], usage: Mapping[str, Any]) -> dict[str, Any]:
    """The same when the model has made something, which stands among the steps in no fixed order."""
    steps = [
        *body["steps"],
        {"type": "thought", "signature": _SIGNATURE},
        {"type": "model_output", "content": list(content)},
    ]
    random.shuffle(steps)
    return {**body, "steps": steps, "usage": dict(usage)}


def file_name(task_id: str) -> str:
    """What the file of a task is called: twelve small letters and digits."""
    return hashlib.sha256(task_id.encode()).hexdigest()[:12]


def file_of(name: str, state: str, size: int) -> dict[str, Any]:
    """What is known of a file: what a download without `alt=media` brings."""
    return {
        "name": f"files/{name}",
        "mimeType": "video/mp4",
        "sizeBytes": str(size),
        "state": state,
        "source": "GENERATED",
    }
