"""The account's log: one record for each charge, from the simulator's own book.

* It asks for the account's token, bare; an API key reads nothing. A wrong token is HTTP 200 with `success: false`.
* Ten records a page, newest first, pages from 0, and no total: who wants all asks until a page isn't full.
* As new-api shows it: only to who names the account's number, too (else 401); pages count from 1, may be longer, and
  say how many records there are.

Source: docs/api-facts.md, i.
"""

from __future__ import annotations

import gzip
import hmac
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from veopipe.simulator.answers import Answer, json_of, page
from veopipe.simulator.book import Task
from veopipe.simulator.faults import FaultOrder, Target
from veopipe.simulator.gateway import Gateway
from veopipe.simulator.wire import ENTRY, cut, respond

PAGE, LARGEST_PAGE = 10, 100
QUOTA_OF_A_DOLLAR = 500_000
_CONSUMED = "2"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who may read the log.

    Attributes:
        token: the account's; None: any that isn't empty.
        user: the account's number, in new-api's form of the log; None: it has one-api's.
    """

    token: str | None = None
    user: int | None = None

    def takes(self, given: str) -> bool:
        """Whether that is the account's token."""
        if self.token is not None:
            return hmac.compare_digest(given.encode(), self.token.encode())
        return bool(given) and " " not in given

    def misses(self, number: str | None) -> str | None:
        """What new-api says to an account's number; None: it is the right one, or isn't asked for."""
        if self.user is None or number == str(self.user):
            return None
        if not number:
            return "无权进行此操作，未提供 New-Api-User"
        is_number = number.isascii() and number.isdecimal()
        return f"无权进行此操作，New-Api-User {'与登录用户不匹配' if is_number else '格式错误'}"


class Account:
    """The log's one route."""

    def __init__(self, gateway: Gateway, reader: Reader) -> None:
        self._gateway = gateway
        self._reader = reader

    async def log(self, request: web.Request) -> web.StreamResponse:
        """GET /api/log/self."""
        asked, entry = request.query, request[ENTRY]
        fault = self._gateway.fault_for("log", Target("", asked.get("model_name", "")), entry)
        name = fault.fault.name if fault is not None else ""
        if name == "log_cut":
            return cut(request)
        if name == "log_502_html":
            return respond(request, page(502, "Bad Gateway"))
        if name == "log_bad_token" or not self._reader.takes(request.headers.get("Authorization", "")):
            said = "Unauthorized, access token is invalid."
            return respond(request, json_of(200, {"success": False, "message": said}))
        if (wrong := self._reader.misses(request.headers.get("New-Api-User"))) is not None:
            return respond(request, json_of(401, {"success": False, "message": wrong}))
        records = [_record(task, fault) for task in self._asked(asked, fault)]
        shown = _list(records, asked) if self._reader.user is None else _page(records, asked)
        answer = json_of(200, {"success": True, "message": "", "data": shown})
        return respond(request, _packed(answer) if name == "log_gzip" else answer)

    def _asked(self, asked: Mapping[str, str], fault: FaultOrder | None) -> list[Task]:
        """The charges that a question is about, newest first."""
        if asked.get("type", _CONSUMED) not in {"0", _CONSUMED}:
            return []
        late = float(fault.parameters["seconds"]) if fault is not None and fault.fault.name == "log_late" else 0.0
        first = _number(asked.get("start_timestamp"), 0)
        last = min(_number(asked.get("end_timestamp"), sys.maxsize), time.time() - late)
        charges = [task for task in self._gateway.book.charges() if first <= int(task.created_at) <= last]
        return [task for task in charges if _is_of(task, asked.get("model_name"), asked.get("token_name"))]


def _is_of(task: Task, model: str | None, key_name: str | None) -> bool:
    return (model or task.model) == task.model and (key_name or task.key_name) == task.key_name


def _number(given: str | None, otherwise: int) -> int:
    return int(given) if given and given.isdecimal() and len(given) < 13 else otherwise


def _list(records: list[Mapping[str, Any]], asked: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """One-api's form of a page."""
    start = PAGE * _number(asked.get("p"), 0)
    return records[start : start + PAGE]


def _page(records: list[Mapping[str, Any]], asked: Mapping[str, str]) -> Mapping[str, Any]:
    """New-api's form of one: page 0 is its first, too."""
    page, size = max(1, _number(asked.get("p"), 1)), min(_number(asked.get("page_size"), PAGE) or PAGE, LARGEST_PAGE)
    shown = records[(page - 1) * size : page * size]
    return {"page": page, "page_size": size, "total": len(records), "items": shown}


def _record(task: Task, fault: FaultOrder | None) -> Mapping[str, Any]:
    where = fault.parameters["where"] if fault is not None and fault.fault.name == "log_task_id" else ""
    other = {"billing_type": "per_call", "request_path": "/v1/videos", "model_price": float(task.price)}
    if where == "other":
        other["task_id"] = task.task_id
    return {
        "id": 0,
        "created_at": int(task.created_at),
        "type": int(_CONSUMED),
        "content": f"video task {task.task_id}" if where == "content" else "per call",
        "token_name": task.key_name,
        "model_name": task.model,
        "quota": int(task.price * Decimal(QUOTA_OF_A_DOLLAR)),
        "use_time": 1,
        "is_stream": False,
        "other": json.dumps(other),
    }


def _packed(answer: Answer) -> Answer:
    return replace(answer, body=gzip.compress(answer.body), headers={"Content-Encoding": "gzip"})
