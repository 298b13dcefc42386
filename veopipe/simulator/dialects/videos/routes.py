"""The API document's four routes.

Order of judgement for a create, as in the real family: key (401, before the body is read), form, rules,
wallet (403), then it is accepted: written to the book, charged, answered. A fault comes where its real
counterpart would: refusals before the rules, lost answers after the charge.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from aiohttp import web

from veopipe.simulator.answers import Answer
from veopipe.simulator.book import Task
from veopipe.simulator.dialects.videos import answers, mishaps
from veopipe.simulator.dialects.videos.account import Account, Reader
from veopipe.simulator.dialects.videos.faults import TABLE
from veopipe.simulator.dialects.videos.form import Form
from veopipe.simulator.dialects.videos.reading import FormReader, TooLarge, WrongForm
from veopipe.simulator.dialects.videos.rules import FIRST_FRAME, LAST_FRAME, judge
from veopipe.simulator.faults import Fault, FaultOrder, Target, UnknownFault
from veopipe.simulator.gateway import Gateway
from veopipe.simulator.orders import DIMENSIONS, Order, State
from veopipe.simulator.sending import ELSEWHERE, send_video
from veopipe.simulator.slate import small_picture
from veopipe.simulator.wire import ENTRY, respond

_ID_ALPHABET = string.ascii_letters + string.digits


class Videos:
    """The dialect of the API document, as `gateway.Dialect` wants it."""

    request_id = "X-Oneapi-Request-Id"
    faults: Mapping[str, Fault] = TABLE

    def __init__(self, reader: Reader, key_names: Mapping[str, str]) -> None:
        self._reader = reader
        self._key_names = key_names

    def add_to(self, app: web.Application, gateway: Gateway) -> None:
        """Serve the document's routes, and the account's log."""
        routes, account = _Routes(gateway, self._key_names), Account(gateway, self._reader)
        app.router.add_post("/v1/videos", routes.create)
        app.router.add_get("/v1/videos/{task_id}", routes.poll, allow_head=False)
        app.router.add_get("/v1/video/generations/{task_id}", routes.poll, allow_head=False)
        app.router.add_get("/v1/videos/{task_id}/content", routes.content, allow_head=False)
        app.router.add_get(f"{ELSEWHERE}{{task_id}}", routes.elsewhere, allow_head=False)
        app.router.add_get("/api/log/self", account.log, allow_head=False)

    def no_such_route(self, method: str, path: str) -> Answer:
        """Another path, in the gateway's envelope."""
        return answers.no_such_route(method, path)


class _Routes:
    """The handlers."""

    def __init__(self, gateway: Gateway, key_names: Mapping[str, str]) -> None:
        self._gateway = gateway
        self._key_names = key_names
        self._first_asked: dict[str, float] = {}

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/videos."""
        entry = request[ENTRY]
        if (refusal := self._wrong_key(request)) is not None:
            return respond(request, refusal)
        reader = FormReader(request, entry)
        try:
            target = await reader.beginning()
            fault = self._gateway.fault_for("create", target, entry)
            if fault is not None and fault.fault.name in mishaps.BEFORE_THE_BODY:
                return await mishaps.refuse_early(request, fault)
            form = await reader.rest()
        except UnknownFault as error:
            return respond(request, answers.task_error(400, "invalid_request", f"simulator: {error}"))
        except TooLarge as error:
            return respond(request, answers.task_error(413, "read_request_body_failed", str(error)))
        except WrongForm as error:
            return respond(request, answers.task_error(400, "invalid_multipart_form", str(error)))
        before = self._gateway.book.latest()
        outcome = await self._judged(form, fault, request)
        if isinstance(outcome, Answer):
            return respond(request, outcome)
        return await mishaps.answer_create(request, outcome, fault, before)

    async def poll(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id} and the compatibility path."""
        entry = request[ENTRY]
        task_id = request.match_info["task_id"]
        if (refusal := self._wrong_key(request)) is not None:
            return respond(request, refusal)
        task = self._gateway.book.task(task_id)
        if task is None:
            return respond(request, answers.no_such_task())
        entry.task_id = task_id
        fault = self._gateway.fault_for("poll", _target(task), entry)
        if fault is not None and fault.fault.name in mishaps.FIXED_STATES:
            self._gateway.fix(task_id, mishaps.FIXED_STATES[fault.fault.name])
        body = answers.task_status(
            task.task_id, task.model, int(task.created_at), self._gateway.state_of(task), int(task.ready_at)
        )
        return await mishaps.answer_poll(request, body, fault)

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}/content."""
        entry = request[ENTRY]
        if (refusal := self._wrong_key(request)) is not None:
            return respond(request, refusal)
        task = self._gateway.book.task(request.match_info["task_id"])
        if task is None or self._gateway.state_of(task) is State.GONE:
            return respond(request, answers.content_error(404, "Task not found"))
        entry.task_id = task.task_id
        state = self._gateway.state_of(task)
        lagging = time.time() < task.ready_at + self._gateway.content_lag
        if state is not State.DONE or lagging:
            word = "FAILURE" if state is State.FAILED else "IN_PROGRESS"
            return respond(request, answers.content_error(400, f"task status is {word}"))
        fault = self._gateway.fault_for("content", _target(task), entry)
        waited = time.time() - self._first_asked.setdefault(task.task_id, time.time())
        if (refusal := mishaps.refused_content(fault, waited)) is not None:
            return respond(request, refusal)
        video = await self._gateway.delivery.video(task, self._gateway.fault_for("file", _target(task), entry))
        return await send_video(request, video, fault, task.task_id)

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        """The other host of `redirect_302_other_host`: a signed link, so no key is asked for."""
        task = self._gateway.book.task(request.match_info["task_id"])
        if task is None:
            return respond(request, answers.content_error(404, "Task not found"))
        return await send_video(request, await self._gateway.delivery.video(task, None), None)

    # -- judgement ---------------------------------------------------------------------------------------

    def _wrong_key(self, request: web.Request) -> Answer | None:
        if self._gateway.takes_key(_key_of(request)):
            return None
        return answers.invalid_token(request[ENTRY].request_id)

    async def _judged(self, form: Form, fault: FaultOrder | None, request: web.Request) -> Task | Answer:
        """The accepted task, written down and charged; or the refusal."""
        entry = request[ENTRY]
        if (refusal := mishaps.refused_create(fault, entry.request_id)) is not None:
            return refusal
        kept, dropped = mishaps.after_drops(form, fault)
        entry.dropped = dropped
        order = judge(kept)
        if isinstance(order, Answer):
            return order
        if not self._gateway.book.reserve(order.price):
            return answers.wallet_empty()
        name = self._key_names.get(_key_of(request), "veopipe")
        task = await self._gateway.accept(partial(self._task, form, kept, order, fault, dropped, name))
        entry.task_id = task.task_id
        return task

    def _task(
        self, form: Form, kept: Form, order: Order, fault: FaultOrder | None, dropped: tuple[str, ...], key_name: str
    ) -> Task:
        now = time.time()
        pictures = (small_picture(upload.data) for upload in kept.uploads[:3])
        album, size = self._gateway.album, DIMENSIONS[order.resolution, order.ratio]
        return Task(
            task_id=mishaps.task_id(fault) or "task_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(32)),
            created_at=now,
            ready_at=self._gateway.latency.end(now),
            **asdict(order),
            fields=dict(form.fields),
            files=tuple(upload.facts for upload in form.uploads),
            likeness=_likeness(form),
            dropped=dropped,
            fault=fault.fault.name if fault else None,
            ghost=fault is not None and fault.fault.name == "ghost_id",
            pictures=tuple(small for small in pictures if small is not None),
            key_name=key_name,
            begins=album.keep(_content(kept, FIRST_FRAME), size),
            ends=album.keep(_content(kept, LAST_FRAME), size),
        )


def _content(form: Form, fields: frozenset[str]) -> bytes | None:
    """The picture in one of these fields."""
    return next((upload.data for upload in form.of(fields)), None)


def _key_of(request: web.Request) -> str:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _target(task: Task) -> Target:
    return Target(task.prompt, task.model, task.task_id)


def _likeness(form: Form) -> str:
    parts: list[Any] = [list(pair) for pair in form.fields]
    parts += [[upload.field, upload.sha256] for upload in form.uploads]
    return hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()[:16]
