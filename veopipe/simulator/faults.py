"""Faults on order: what one is, and who has ordered which.

* Which there are is data of a dialect: name → stage, a sentence, the parameters with their defaults.
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

Stage = Literal["create", "poll", "content", "file", "log"]
Value = str | float | bool

STAGES: Mapping[Stage, str] = {
    "create": "On a create",
    "poll": "On a poll",
    "content": "On a download",
    "file": "In the delivered file",
    "log": "In the account's log",
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


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "wording": ("document", "new-api"),
    "moov": ("missing", "first"),
    "where": ("other", "content"),
    "resolution": ("", "360p", "720p", "1080p", "4k"),
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


def listing(table: Mapping[str, Fault]) -> str:
    """All faults of a table with their parameters, stage by stage, for people."""
    width = max(map(len, table))
    lines = []
    for stage, heading in STAGES.items():
        lines.append(f"{heading}:")
        for fault in table.values():
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


def order_for(table: Mapping[str, Fault], name: str, options: Mapping[str, Any]) -> FaultOrder:
    """An order from its name and options.

    Args:
        table: the faults that there are.
        name: one of theirs.
        options: `times`, `after`, `match` and the fault's own parameters.

    Raises:
        UnknownFault: a name or a value that doesn't exist.
    """
    fault = table.get(name)
    if fault is None:
        raise UnknownFault(f"no fault is called {name!r}; `veopipe simulate --list-faults` shows them all")
    rest = dict(options)
    times, after, match = rest.pop("times", 1), rest.pop("after", 0), rest.pop("match", None) or {}
    unknown = [key for key in rest if key not in fault.parameters]
    if unknown:
        known = ", ".join(fault.parameters) or "none"
        raise UnknownFault(f"{name} has no parameter {unknown[0]!r}; its own: {known}; besides: times, after, match")
    if not _can_match(match):
        raise UnknownFault("match takes texts for prompt, task_id and model")
    parameters = {key: _as_kind(key, rest.get(key, default), default) for key, default in fault.parameters.items()}
    return FaultOrder(fault, parameters, _count("times", times), _count("after", after) or 0, match)


def _can_match(match: Any) -> bool:
    return isinstance(match, dict) and all(
        key in ("prompt", "task_id", "model") and isinstance(value, str) for key, value in match.items()
    )


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


def directives(table: Mapping[str, Fault], prompt: str) -> Iterator[FaultOrder]:
    """The orders written in a prompt.

    Raises:
        UnknownFault: a name or a value that doesn't exist.
    """
    for found in _DIRECTIVE.finditer(prompt):
        words = found[1].split()
        if not words or any("=" not in word for word in words[1:]):
            raise UnknownFault(f"{found[0]} isn't a directive; one looks like [simulate: lag_400 seconds=3]")
        yield order_for(table, words[0], dict(word.split("=", 1) for word in words[1:]))


class Mischief:
    """All standing orders, and the choice for one request."""

    def __init__(self, table: Mapping[str, Fault]) -> None:
        self.table = table
        self._orders: list[FaultOrder] = []
        self._by_prompt: dict[str, list[FaultOrder]] = {}

    def order(self, name: str, options: Mapping[str, Any]) -> FaultOrder:
        """Let an order stand from now on, behind those that stand already; see `order_for`.

        Raises:
            UnknownFault: a name or a value that doesn't exist.
        """
        order = order_for(self.table, name, options)
        self._orders.append(order)
        return order

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
            self._by_prompt[prompt] = list(directives(self.table, prompt))
        return self._by_prompt[prompt]
