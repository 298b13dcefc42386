"""What can go wrong on order: the table of faults, and who has ordered which.

* `TABLE` is data: name → stage, a sentence, the parameters with their defaults. `routes` holds the behaviour.
* A fault is ordered at run time (control surface) or by a directive in the prompt:
  `[simulate: lag_400 seconds=3]`, `[simulate: 429_busy times=2]`, `[simulate: wrong_resolution]`.
* `times` and `after` count requests, or tasks where the fault stays with its task for ever (`stays`).
* Orders are kept in memory. Those in a prompt are found again after a restart, because the prompt is.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["create", "poll", "content", "file"]
Value = str | float | bool

STAGES: Mapping[Stage, str] = {
    "create": "On a create",
    "poll": "On a poll",
    "content": "On a download",
    "file": "In the delivered file",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave.

    Attributes:
        name: as ordered.
        stage: which kind of request it meets; `file` changes the delivered file itself.
        about: one line for people.
        parameters: what can be set, with defaults.
        stays: whether it holds for a task once it has met it.
    """

    name: str
    stage: Stage
    about: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    stays: bool = False


_FAILED_TEXT = "Video generation failed due to an internal server issue. Please try again in a few minutes."
_CHARGED: Mapping[str, Value] = {"charged": True}
_REASON: Mapping[str, Value] = {"code": "13", "message": _FAILED_TEXT}
_NUMBERED: Mapping[str, Value] = {**_REASON, "code": 13.0}
_LAG: Mapping[str, Value] = {"seconds": 3.0, "wording": "document"}
_CUT: Mapping[str, Value] = {"part": 0.5, "moov": "missing"}
_RETRY: Mapping[str, Value] = {"retry_after": 0.0}
_JSON_TYPE: Mapping[str, Value] = {"type": "application/json; charset=utf-8"}
_LIMIT: Mapping[str, Value] = {"limit": 20.0 * 1024 * 1024}

_ALL = (
    # -- create ------------------------------------------------------------------------------------------
    Fault("lost_response", "create", "accepts and charges, then closes the connection without a byte"),
    Fault("slow_create", "create", "accepts and charges, answers after `seconds`", {"seconds": 30.0}),
    Fault("cut_json", "create", "accepts and charges, sends 200 and half of the body"),
    Fault("cut_upload", "create", "closes the connection while the body is on its way; nothing is charged"),
    Fault("html_502", "create", "an HTML page from a proxy in front; `charged` says whether a task exists", _CHARGED),
    Fault("html_504", "create", "as html_502: gateway time-out", _CHARGED),
    Fault("html_524", "create", "as html_502: Cloudflare gave up waiting", _CHARGED),
    Fault("429_busy", "create", "429 in an envelope, text in Chinese; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("429_empty", "create", "429 without a body"),
    Fault("401_bad_key", "create", "401 as for a wrong key"),
    Fault("401_exhausted_midrun", "create", "the key's quota ends: 401 to this and every later request"),
    Fault("403_quota", "create", "403 insufficient_user_quota as for an empty wallet"),
    Fault("503_no_channel", "create", "503 model_not_found: no channel for the model"),
    Fault("400_google", "create", "400 with Google's JSON as a string: use case not supported"),
    Fault("404_retired", "create", "404 from Google: the model is no longer available"),
    Fault("500_do_request_failed", "create", "500 in an envelope; `charged` as html_502", {"charged": False}),
    Fault("500_build_request_failed", "create", "500 in an envelope although the request is at fault"),
    Fault("413_html", "create", "an HTML page from a proxy: request too large"),
    Fault("redirect_307", "create", "307 to the same path: following it would pay twice"),
    Fault("ghost_id", "create", "200 with an id that no later request knows; charged"),
    Fault("no_task_id", "create", "200 with `id` but no `task_id`"),
    Fault("no_id", "create", "200 with `task_id` but no `id`"),
    Fault("no_ids", "create", "200 with neither; charged"),
    Fault("bad_id", "create", "200 with an id made to break paths; charged", {"id": "../../admin?x=1#y"}),
    Fault("duplicate_id", "create", "200 with the id of the task accepted before; charged"),
    Fault("empty_status", "create", "200 with an empty status, as older gateways answer"),
    Fault("metadata_wins", "create", "metadata replaces resolution, aspectRatio, negativePrompt and seed"),
    Fault("big_image_ignored", "create", "an image above `limit` bytes is dropped and text-to-video is made", _LIMIT),
    Fault("last_frame_ignored", "create", "the final frame is dropped and the rest is made and charged"),
    # -- poll --------------------------------------------------------------------------------------------
    Fault("unknown_first", "poll", "status `unknown`, progress 0"),
    Fault("stuck_queued", "poll", "`queued` for ever", stays=True),
    Fault("stuck_in_progress", "poll", "`in_progress` for ever", stays=True),
    Fault("flap_failed", "poll", "`failed` although the task goes on"),
    Fault("failed_no_error", "poll", "`failed` for ever, without a reason", stays=True),
    Fault("failed_with_error", "poll", "`failed` for ever with `code` and `message`", _REASON, stays=True),
    Fault("failed_http_500_with_job_body", "poll", "HTTP 500 whose body is the failed task", _NUMBERED, stays=True),
    Fault("wrapped_data", "poll", '`{"code": "success", "data": {…}}` around the task', stays=True),
    Fault("upper_case_status", "poll", "`SUCCESS` and `100%`, no id", stays=True),
    Fault("nulls", "poll", "all fields there, the unknown ones null, progress null", stays=True),
    Fault("completed_at_while_running", "poll", "`completed_at` in every answer", stays=True),
    Fault("back_to_in_progress", "poll", "`in_progress` although it was completed"),
    Fault("wrong_id", "poll", "the answer is about another task"),
    Fault("poll_401", "poll", "401 as for a wrong key"),
    Fault("poll_429", "poll", "429 in an envelope; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("poll_502_html", "poll", "an HTML page from a proxy"),
    Fault("poll_html_200", "poll", "200 with an HTML page, as a captive portal answers"),
    Fault("poll_cut", "poll", "closes the connection without a byte"),
    Fault("poll_read_timeout", "poll", "no answer for `seconds`, then the connection closes", {"seconds": 3600.0}),
    Fault("task_not_exist_first", "poll", "400 task_not_exist once, as before the task was stored"),
    Fault("task_not_exist_after_restart", "poll", "400 task_not_exist for ever", stays=True),
    # -- content -----------------------------------------------------------------------------------------
    Fault("lag_400", "content", "400 not ready for `seconds`; `wording` is document or new-api", _LAG, stays=True),
    Fault("lag_404", "content", "404 for `seconds`", {"seconds": 3.0}, stays=True),
    Fault("lag_502", "content", "502 in an envelope for `seconds`", {"seconds": 3.0}, stays=True),
    Fault("safety_completed_502", "content", "completed, but filtered: 502 for ever", stays=True),
    Fault("expired_502", "content", "the file is gone upstream: 502 for ever", stays=True),
    Fault("expired_410", "content", "the file is gone: 410 for ever", stays=True),
    Fault("truncated_length", "content", "the connection closes at `part` of the announced length", {"part": 0.5}),
    Fault("truncated_chunked", "content", "ends cleanly at `part`; `moov` is missing or first", _CUT),
    Fault("stall", "content", "the bytes stop at `part` for `seconds`", {"part": 0.5, "seconds": 3600.0}),
    Fault("slow_drip", "content", "1 KiB each `interval` seconds", {"interval": 0.1}),
    Fault("content_cut", "content", "closes the connection without a byte"),
    Fault("html_200", "content", "200 with an HTML page"),
    Fault("content_429", "content", "429 in an envelope; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("blocked_403", "content", "403 request blocked: about this video, not about the key", stays=True),
    Fault("json_200", "content", "200, a JSON text of that `type`: the task is IN_PROGRESS", _JSON_TYPE),
    Fault("empty_200", "content", "200 with no bytes"),
    Fault("corrupt_mp4", "content", "the right length, but its index is damaged"),
    Fault("redirect_302_other_host", "content", "302 to another host name, where no key is needed", {"location": ""}),
    # -- the delivered file ------------------------------------------------------------------------------
    Fault("wrong_resolution", "file", "delivers `resolution`", {"resolution": ""}, stays=True),
    Fault("wrong_duration", "file", "delivers `seconds`", {"seconds": 4.0}, stays=True),
    Fault("wrong_aspect", "file", "delivers the other ratio", stays=True),
    Fault("no_audio", "file", "delivers a file without a sound track", stays=True),
)  # fmt: skip

TABLE: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "wording": ("document", "new-api"),
    "moov": ("missing", "first"),
    "resolution": ("", "720p", "1080p", "4k"),
    "type": ("application/json; charset=utf-8", "video/mp4"),
}
_DIRECTIVE = re.compile(r"\[simulate:([^\]]{1,300})\]")


class UnknownFault(ValueError):
    """An order for a fault, a parameter or a value that doesn't exist; the text says which do."""


@dataclass(slots=True)
class FaultOrder:
    """One order: which fault, for what, how often.

    Attributes:
        fault: what happens.
        parameters: all of the fault's parameters, defaults filled in.
        times: how many requests (or tasks, where the fault stays) it meets; None: all.
        after: how many it lets pass first.
        match: `prompt` (part of the text), `task_id` and `model`; all given must agree.
    """

    fault: Fault
    parameters: Mapping[str, Value]
    times: int | None = 1
    after: int = 0
    match: Mapping[str, str] = field(default_factory=dict)
    _met: int = 0
    _held: dict[str, bool] = field(default_factory=dict)

    def meets(self, target: Target) -> bool:
        """Whether this request gets the fault; counts it."""
        if not self._matches(target):
            return False
        if not self.fault.stays or target.task_id is None:
            return self._counted()
        if target.task_id not in self._held:
            self._held[target.task_id] = self._counted()
        return self._held[target.task_id]

    def _matches(self, target: Target) -> bool:
        given = {"prompt": target.prompt, "task_id": target.task_id or "", "model": target.model}
        exact = all(given[key] == value for key, value in self.match.items() if key != "prompt")
        return exact and self.match.get("prompt", "") in target.prompt

    def _counted(self) -> bool:
        self._met += 1
        return self._met > self.after and (self.times is None or self._met <= self.after + self.times)

    def as_json(self) -> dict[str, Any]:
        """The order for the control surface."""
        return {
            "fault": self.fault.name,
            "stage": self.fault.stage,
            "times": self.times,
            "after": self.after,
            "match": dict(self.match),
            "met": self._met,
            **self.parameters,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about, as far as orders ask for it."""

    prompt: str
    model: str
    task_id: str | None = None


def listing() -> str:
    """All faults with their parameters, stage by stage, for people."""
    width = max(map(len, TABLE))
    lines = []
    for stage, heading in STAGES.items():
        lines.append(f"{heading}:")
        for fault in TABLE.values():
            if fault.stage == stage:
                settings = "".join(f" {name}={_shown(value)}" for name, value in fault.parameters.items())
                lines.append(f"  {fault.name:<{width}}  {fault.about}{' |' if settings else ''}{settings}")
        lines.append("")
    lines.append("Order one in a prompt, as [simulate: lag_400 seconds=3 times=all], or by POST to /_simulator/faults.")
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else f"{value:.0f}"
    text = str(value)
    return "…" if " " in text or not text else text


def order_for(name: str, options: Mapping[str, Any]) -> FaultOrder:
    """An order from its name and options.

    Args:
        name: a name of `TABLE`.
        options: `times`, `after`, `match` and the fault's own parameters.

    Raises:
        UnknownFault: a name or a value that doesn't exist.
    """
    fault = TABLE.get(name)
    if fault is None:
        raise UnknownFault(f"no fault is called {name!r}; `veopipe simulate --list-faults` shows them all")
    rest = dict(options)
    times, after, match = rest.pop("times", 1), rest.pop("after", 0), rest.pop("match", None) or {}
    unknown = [key for key in rest if key not in fault.parameters]
    if unknown:
        known = ", ".join(fault.parameters) or "none"
        raise UnknownFault(f"{name} has no parameter {unknown[0]!r}; its own: {known}; besides: times, after, match")
    if not isinstance(match, dict) or any(
        key not in ("prompt", "task_id", "model") or not isinstance(value, str) for key, value in match.items()
    ):
        raise UnknownFault("match takes texts for prompt, task_id and model")
    parameters = {key: _as_kind(key, rest.get(key, default), default) for key, default in fault.parameters.items()}
    return FaultOrder(fault, parameters, _count("times", times), _count("after", after) or 0, match)


def _count(name: str, value: Any) -> int | None:
    if value is None or value == "all":
        return None
    if isinstance(value, bool) or not str(value).isdecimal():
        raise UnknownFault(f"{name} must be a whole number from 0, or `all`")
    return int(value)


def _as_kind(name: str, value: Any, default: Value) -> Value:
    """`value` in the kind of `default`; texts as they stand in a directive are understood."""
    if name in _CHOICES:
        if value in _CHOICES[name]:
            return str(value)
    elif isinstance(default, bool):
        if str(value).lower() in ("true", "yes", "1", "false", "no", "0"):
            return str(value).lower() in ("true", "yes", "1")
    elif isinstance(default, float):
        with contextlib.suppress(TypeError, ValueError):
            if 0 <= float(value) < 10**9:
                return float(value)
    else:
        return str(value)
    raise UnknownFault(f"{name} can't be {value!r}")


def directives(prompt: str) -> Iterator[FaultOrder]:
    """The orders written in a prompt.

    Raises:
        UnknownFault: a name or a value that doesn't exist.
    """
    for found in _DIRECTIVE.finditer(prompt):
        words = found[1].split()
        if not words or any("=" not in word for word in words[1:]):
            raise UnknownFault(f"{found[0]} isn't a directive; one looks like [simulate: lag_400 seconds=3]")
        yield order_for(words[0], dict(word.split("=", 1) for word in words[1:]))


class Mischief:
    """All standing orders, and the choice for one request."""

    def __init__(self) -> None:
        self._orders: list[FaultOrder] = []
        self._by_prompt: dict[str, list[FaultOrder]] = {}

    def add(self, order: FaultOrder) -> None:
        """Let `order` stand from now on, behind those that stand already."""
        self._orders.append(order)

    def clear(self) -> None:
        """Forget all orders given at run time; those in prompts count afresh."""
        self._orders.clear()
        self._by_prompt.clear()

    def listed(self) -> list[dict[str, Any]]:
        """The orders given at run time."""
        return [order.as_json() for order in self._orders]

    def chosen(self, stage: Stage, target: Target) -> FaultOrder | None:
        """The first order that meets this request, or None.

        Raises:
            UnknownFault: the prompt has a directive that doesn't exist.
        """
        for order in (*self._of_prompt(target.prompt), *self._orders):
            if order.fault.stage == stage and order.meets(target):
                return order
        return None

    def _of_prompt(self, prompt: str) -> list[FaultOrder]:
        if "[simulate:" not in prompt:
            return []
        if prompt not in self._by_prompt:
            self._by_prompt[prompt] = list(directives(prompt))
        return self._by_prompt[prompt]
