"""The HTTP side of the gateway: the API document's four routes, with authentication and the log of the wire.

Order of judgement for a create, as in the real family: key (401, before the body is read), form, rules,
wallet (403), then it is accepted: written to the book, charged, answered. A fault comes where its real
counterpart would: refusals before the rules, lost answers after the charge.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import string
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from veopipe.simulator import answers, mishaps
from veopipe.simulator.answers import Answer
from veopipe.simulator.book import Book, Task
from veopipe.simulator.delivery import Delivery
from veopipe.simulator.faults import FaultOrder, Mischief, Stage, Target, UnknownFault
from veopipe.simulator.reading import FormReader, TooLarge, WrongForm, file_facts
from veopipe.simulator.rules import Form, Order, judge
from veopipe.simulator.slate import small_picture
from veopipe.simulator.wire import ENTRY, cut, respond
from veopipe.simulator.wirelog import Entry, WireLog

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CONTROL = "/_simulator/"
_QUEUED_PART = 0.2  # of the task's time; then it is in progress
_ID_ALPHABET = string.ascii_letters + string.digits


class Gateway:
    """Everything that one simulated gateway knows, and its routes."""

    def __init__(self, book: Book, *, key: str | None, task_time: float, content_lag: float) -> None:
        self.book = book
        self.mischief = Mischief()
        self.wire = WireLog()
        self.delivery = Delivery()
        self.exhausted = False
        self._key = key
        self._task_time = task_time
        self._content_lag = content_lag
        self._desk = ThreadPoolExecutor(1, thread_name_prefix="simulator-book")
        self._states: dict[str, str] = {}  # what a fault fixed: queued, in_progress, failed or gone
        self._first_asked: dict[str, float] = {}
        self._connections: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()
        self._connection_count = 0

    def application(self) -> web.Application:
        """The application with the document's routes; any other path is the gateway's 404."""
        app = web.Application(middlewares=[self._logged], client_max_size=1024 * 1024)
        app.on_response_prepare.append(_add_request_id)
        app.router.add_post("/v1/videos", self.create)
        app.router.add_get("/v1/videos/{task_id}", self.poll, allow_head=False)
        app.router.add_get("/v1/video/generations/{task_id}", self.poll, allow_head=False)
        app.router.add_get("/v1/videos/{task_id}/content", self.content, allow_head=False)
        app.router.add_get("/_elsewhere/{task_id}", self.elsewhere, allow_head=False)
        return app

    def forget_faults(self) -> None:
        """Behave well from now on; a key whose quota ended works again."""
        self.mischief.clear()
        self._states.clear()
        self.exhausted = False

    def fill_wallet(self, amount: Decimal | None) -> None:
        """Set the money that is left (None: no limit); a key whose quota ended works again."""
        self._desk.submit(self.book.fill_wallet, amount).result()
        self.exhausted = False

    def close(self) -> None:
        """Give threads and the book back."""
        self.delivery.close()
        self._desk.shutdown(wait=True)
        self.book.close()

    # -- routes ------------------------------------------------------------------------------------------

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/videos."""
        entry = request[ENTRY]
        refusal = self._wrong_key(request)
        if refusal is not None:
            return respond(request, refusal)
        reader = FormReader(request, entry)
        try:
            target = await reader.beginning()
            fault = self._fault("create", target, entry)
            if fault is not None and fault.fault.name in mishaps.BEFORE_THE_BODY:
                return await mishaps.refuse_early(request, fault)
            form = await reader.rest()
        except UnknownFault as error:
            return respond(request, answers.task_error(400, "invalid_request", f"simulator: {error}"))
        except TooLarge as error:
            return respond(request, answers.task_error(413, "read_request_body_failed", str(error)))
        except WrongForm as error:
            return respond(request, answers.task_error(400, "invalid_multipart_form", str(error)))
        before = self.book.latest()
        outcome = await self._judged(form, fault, entry)
        if isinstance(outcome, Answer):
            return respond(request, outcome)
        return await mishaps.answer_create(request, outcome, fault, before)

    async def poll(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id} and the compatibility path."""
        entry = request[ENTRY]
        task_id = request.match_info["task_id"]
        refusal = self._wrong_key(request)
        if refusal is not None:
            return respond(request, refusal)
        task = self.book.task(task_id)
        if task is None:
            return respond(request, answers.no_such_task())
        entry.task_id = task_id
        fault = self._fault("poll", _target(task), entry)
        if fault is not None and fault.fault.name in mishaps.FIXED_STATES:
            self._states[task_id] = mishaps.FIXED_STATES[fault.fault.name]
        body = answers.task_status(
            task.task_id, task.model, int(task.created_at), self._status(task), int(task.ready_at)
        )
        return await mishaps.answer_poll(request, body, fault)

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}/content."""
        entry = request[ENTRY]
        refusal = self._wrong_key(request)
        if refusal is not None:
            return respond(request, refusal)
        task = self.book.task(request.match_info["task_id"])
        if task is None or self._states.get(task.task_id) == "gone":
            return respond(request, answers.content_error(404, "Task not found"))
        entry.task_id = task.task_id
        status = self._status(task)
        lagging = time.time() < task.ready_at + self._content_lag
        if status != "completed" or lagging:
            word = "FAILURE" if status == "failed" else "IN_PROGRESS"
            return respond(request, answers.content_error(400, f"task status is {word}"))
        fault = self._fault("content", _target(task), entry)
        waited = time.time() - self._first_asked.setdefault(task.task_id, time.time())
        refusal = mishaps.refused_content(fault, waited)
        if refusal is not None:
            return respond(request, refusal)
        video = await self.delivery.video(task, self._fault("file", _target(task), entry))
        return await mishaps.answer_content(request, video, fault)

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        """The other host of `redirect_302_other_host`: a signed link, so no key is asked for."""
        task = self.book.task(request.match_info["task_id"])
        if task is None:
            return respond(request, answers.content_error(404, "Task not found"))
        return await mishaps.answer_content(request, await self.delivery.video(task, None), None)

    # -- judgement ---------------------------------------------------------------------------------------

    def _wrong_key(self, request: web.Request) -> Answer | None:
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        given = key.strip() if kind.lower() == "bearer" else ""
        right = bool(given) if self._key is None else hmac.compare_digest(given.encode(), self._key.encode())
        if right and not self.exhausted:
            return None
        return answers.invalid_token(request[ENTRY].request_id)

    def _fault(self, stage: Stage, target: Target, entry: Entry) -> FaultOrder | None:
        order = self.mischief.chosen(stage, target)
        if order is not None:
            entry.fault = order.fault.name if entry.fault is None else f"{entry.fault}+{order.fault.name}"
        if order is not None and order.fault.name == "401_exhausted_midrun":
            self.exhausted = True
        return order

    def _status(self, task: Task) -> str:
        fixed = self._states.get(task.task_id)
        if fixed is not None:
            return fixed
        now = time.time()
        if now >= task.ready_at:
            return "completed"
        queued_until = task.created_at + _QUEUED_PART * (task.ready_at - task.created_at)
        return "queued" if now < queued_until else "in_progress"

    async def _judged(self, form: Form, fault: FaultOrder | None, entry: Entry) -> Task | Answer:
        """The accepted task, written down and charged; or the refusal."""
        refusal = mishaps.refused_create(fault, entry.request_id)
        if refusal is not None:
            return refusal
        kept, dropped = mishaps.after_drops(form, fault)
        entry.dropped = dropped
        order = judge(kept)
        if isinstance(order, Answer):
            return order
        if not self.book.reserve(order.price):
            return answers.wallet_empty()
        loop = asyncio.get_running_loop()
        task = await loop.run_in_executor(self._desk, self._accepted, form, kept, order, fault, dropped)
        entry.task_id = task.task_id
        self.delivery.announce(task)
        return task

    def _accepted(
        self, form: Form, kept: Form, order: Order, fault: FaultOrder | None, dropped: tuple[str, ...]
    ) -> Task:
        now = time.time()
        pictures = (small_picture(upload.data) for upload in kept.uploads[:3])
        task = Task(
            task_id=mishaps.task_id(fault) or "task_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(32)),
            created_at=now,
            ready_at=now + self._task_time,
            model=order.model,
            prompt=order.prompt,
            mode=order.mode,
            seconds=order.seconds,
            resolution=order.resolution,
            ratio=order.ratio,
            seed=order.seed,
            price=order.price,
            fields=dict(form.fields),
            files=tuple(file_facts(upload) for upload in form.uploads),
            likeness=_likeness(form),
            ignored=order.ignored,
            dropped=dropped,
            fault=fault.fault.name if fault else None,
            ghost=fault is not None and fault.fault.name == "ghost_id",
            pictures=tuple(small for small in pictures if small is not None),
        )
        self.book.accept(task)
        return task

    # -- around every request ----------------------------------------------------------------------------

    @web.middleware
    async def _logged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        entry = self._entry(request)
        request[ENTRY] = entry
        if not request.path.startswith(CONTROL):
            entry.number = self.wire.next_number()
            self.wire.add(entry)
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return respond(request, answers.no_such_route(request.method, request.path))
        except (ConnectionError, asyncio.CancelledError, web.RequestPayloadError) as error:
            entry.status = "left" if entry.status is None else entry.status
            if isinstance(error, asyncio.CancelledError):
                raise
            cut(request, status=entry.status)
            return web.Response()

    def _entry(self, request: web.Request) -> Entry:
        transport = request.transport
        number = 0
        if transport is not None:
            if transport not in self._connections:
                self._connection_count += 1
                self._connections[transport] = self._connection_count
            number = self._connections[transport]
        stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
        request_id = f"{stamp}{time.time_ns() % 10**9:09d}{secrets.token_hex(4)}"
        names = [name.decode("latin-1") for name, _ in request.raw_headers]
        return Entry(0, time.time(), number, request.method, request.path, names, request_id)


def _target(task: Task) -> Target:
    return Target(task.prompt, task.model, task.task_id)


def _likeness(form: Form) -> str:
    parts: list[Any] = [list(pair) for pair in form.fields]
    parts += [[upload.field, upload.sha256] for upload in form.uploads]
    return hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()[:16]


async def _add_request_id(request: web.Request, response: web.StreamResponse) -> None:
    entry = request.get(ENTRY)
    if entry is not None and "X-Answered-By-Proxy" not in response.headers:
        response.headers["X-Oneapi-Request-Id"] = entry.request_id
    response.headers.popall("X-Answered-By-Proxy", None)


def in_money(value: Any) -> Decimal | None:
    """A wallet's amount from JSON: a number or its text, or None for no limit.

    Raises:
        ValueError: anything else.
    """
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        raise ValueError("the amount isn't a number") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError("the amount must be 0 or more")
    return amount
