"""The routes of interactions and of their files.

Order of judgement for a create: key (before the body is read), body, rules, money, then it is accepted: written to the
book, charged, answered. A fault comes where its real counterpart would: refusals before the rules, lost answers after
the charge.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import string
import time
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from veopipe.simulator.answers import Answer, json_of
from veopipe.simulator.book import Book, Task
from veopipe.simulator.dialects.interactions import answers, mishaps, prices, reading
from veopipe.simulator.dialects.interactions.faults import TABLE
from veopipe.simulator.dialects.interactions.rules import Asked, judge, prompt_of
from veopipe.simulator.faults import Fault, FaultOrder, Target, UnknownFault
from veopipe.simulator.gateway import Gateway
from veopipe.simulator.orders import DIMENSIONS, State
from veopipe.simulator.sending import ELSEWHERE, send_video
from veopipe.simulator.slate import small_picture
from veopipe.simulator.wire import ENTRY, respond
from veopipe.simulator.wirelog import Entry

KEY = "x-goog-api-key"
_TOO_LARGE_INLINE = frozenset({"1080p", "4k"})  # films of that size have more than 4 MB; ours are slates
_ID_ALPHABET = string.ascii_letters + string.digits + "-_"
_ECHOED = 128 * 1024 * 1024  # bytes of inputs that are remembered, to be repeated in polls


class Interactions:
    """The dialect, as `gateway.Dialect` wants it."""

    request_id = "X-Goog-Request-Id"
    faults: Mapping[str, Fault] = TABLE

    def add_to(self, app: web.Application, gateway: Gateway) -> None:
        """Serve the routes of both versions."""
        routes, version = _Routes(gateway), "/{version:v1|v1beta}"
        app.router.add_post(f"{version}/interactions", routes.create)
        app.router.add_get(f"{version}/interactions/{{task_id}}", routes.poll, allow_head=False)
        app.router.add_get(f"{version}/files/{{name:[A-Za-z0-9_-]+}}:download", routes.content, allow_head=False)
        app.router.add_get(f"{version}/files/{{name:[A-Za-z0-9_-]+}}", routes.file, allow_head=False)
        app.router.add_get(f"{ELSEWHERE}{{task_id}}", routes.elsewhere, allow_head=False)

    def no_such_route(self, method: str, path: str) -> Answer:
        """Another method or path: a page."""
        return answers.no_such_route(path)


class _Routes:
    """The handlers."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._first_asked: dict[str, float] = {}
        self._inputs = _Inputs()
        self._files = _Files(gateway.book)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /{version}/interactions."""
        entry = request[ENTRY]
        if (refusal := self._wrong_key(request)) is not None:
            return respond(request, refusal)
        try:
            document = await reading.document_of(request, await reading.body_of(request))
            fault = self._fault(document, entry)
        except UnknownFault as error:
            return respond(request, answers.api_error(400, f"simulator: {error}"))
        except reading.TooLarge as error:
            return respond(request, answers.front_error(413, str(error), "INVALID_ARGUMENT"))
        except reading.WrongBody as error:
            return respond(request, answers.front_error(400, str(error), "INVALID_ARGUMENT"))
        before = self._gateway.book.latest()
        outcome = await self._judged(document, fault, entry)
        if isinstance(outcome, Answer):
            return respond(request, outcome)
        task, asked = outcome
        body = answers.head(task.task_id, task.model, answers.WORDS[State.WAITING])
        if asked.waits:
            body = await self._when_made(request, task, inline=asked.inline)
        return await mishaps.answer_create(request, body, fault, before)

    def _fault(self, document: Any, entry: Entry) -> FaultOrder | None:
        model = str(document.get("model") or "") if isinstance(document, dict) else ""
        entry.form = [("model", model), ("prompt", prompt_of(document))]  # its whole body arrived
        return self._gateway.fault_for("create", Target(prompt_of(document), model), entry)

    async def poll(self, request: web.Request) -> web.StreamResponse:
        """GET /{version}/interactions/{id}."""
        entry, task_id = request[ENTRY], request.match_info["task_id"]
        if (refusal := self._wrong_key(request)) is not None:
            return respond(request, refusal)
        task = self._gateway.book.task(task_id)
        if task is None:
            return respond(request, answers.no_such_interaction(task_id))
        entry.task_id = task_id
        fault = self._gateway.fault_for("poll", _target(task), entry)
        if fault is not None and fault.fault.name in mishaps.FIXED_STATES:
            self._gateway.fix(task_id, mishaps.FIXED_STATES[fault.fault.name])
        inline = task.fields.get("delivery", "inline") == "inline"
        return await mishaps.answer_poll(request, await self._body(request, task, inline=inline), fault)

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /{version}/files/{name}:download."""
        task = self._owner(request)
        if isinstance(task, Answer):
            return respond(request, task)
        entry = request[ENTRY]
        entry.task_id = task.task_id
        first = self._first_asked.setdefault(task.task_id, time.monotonic())
        fault = self._gateway.fault_for("content", _target(task), entry)
        if (refusal := mishaps.refused_content(fault, time.monotonic() - first, task)) is not None:
            return respond(request, refusal)
        video = await self._gateway.delivery.video(task, self._gateway.fault_for("file", _target(task), entry))
        if request.query.get("alt") != "media":
            return respond(request, _described(task, video))
        return await send_video(request, video, fault, task.task_id)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """GET /{version}/files/{name}: what is known of it."""
        task = self._owner(request)
        if isinstance(task, Answer):
            return respond(request, task)
        return respond(request, _described(task, await self._gateway.delivery.video(task, None)))

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        """The other host of `redirect_302_other_host`: a signed link, so no key is asked for."""
        task = self._gateway.book.task(request.match_info["task_id"])
        if task is None:
            return respond(request, answers.no_such_file("elsewhere"))
        return await send_video(request, await self._gateway.delivery.video(task, None), None)

    # -- judgement ---------------------------------------------------------------------------------------

    def _wrong_key(self, request: web.Request) -> Answer | None:
        given = request.headers.get(KEY, "").strip()
        if not given:
            return answers.no_key()
        return None if self._gateway.takes_key(given) else answers.wrong_key()

    def _owner(self, request: web.Request) -> Task | Answer:
        """Whose file a download asks for."""
        name = request.match_info["name"]
        if (refusal := self._wrong_key(request)) is not None:
            return refusal if request.headers.get(KEY) else answers.no_such_file(name)
        task = self._files.task_of(name)
        if task is None or mishaps.is_blocked(task) or self._gateway.state_of(task) is not State.DONE:
            return answers.no_such_file(name)
        return task

    async def _judged(self, document: Any, fault: FaultOrder | None, entry: Entry) -> tuple[Task, Asked] | Answer:
        """The accepted task, written down and charged; or the refusal."""
        if (refusal := mishaps.refused_create(fault)) is not None:
            return refusal
        asked = await asyncio.to_thread(judge, document)
        if isinstance(asked, Answer):
            return asked
        entry.form = list(_texts(asked).items())
        entry.files = [dict(upload.facts) for upload in asked.uploads]
        price = asked.order.price
        if fault is not None and fault.fault.name == "blocked":
            price = prices.used_by_refusal(asked.order.prompt, len(asked.uploads)).cost(asked.order.model)
        if not self._gateway.book.reserve(price):
            return answers.out_of_money()
        task = await self._gateway.accept(partial(self._task, asked, fault, price))
        self._inputs.keep(task.task_id, asked)
        entry.task_id = task.task_id
        return task, asked

    def _task(self, asked: Asked, fault: FaultOrder | None, price: Any) -> Task:
        now, order = time.time(), asked.order
        pictures = (small_picture(upload.data) for upload in asked.uploads[:3])
        files = tuple(upload.facts for upload in asked.uploads)
        by_role = {upload.role: upload.data for upload in asked.uploads}
        album, size = self._gateway.album, DIMENSIONS[order.resolution, order.ratio]
        return Task(
            task_id="v1_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(64)),
            created_at=now,
            ready_at=self._gateway.latency.end(now),
            model=order.model,
            prompt=order.prompt,
            mode=order.mode,
            seconds=order.seconds,
            resolution=order.resolution,
            ratio=order.ratio,
            seed=None,
            price=price,
            fields=_texts(asked),
            files=files,
            likeness=_likeness(asked, files),
            fault=fault.fault.name if fault else None,
            ghost=fault is not None and fault.fault.name == "ghost_id",
            pictures=tuple(small for small in pictures if small is not None),
            begins=album.keep(by_role.get("first_frame"), size),
            ends=album.keep(by_role.get("last_frame"), size),
        )

    # -- bodies ------------------------------------------------------------------------------------------

    async def _when_made(self, request: web.Request, task: Task, *, inline: bool) -> dict[str, Any]:
        """Without `background` the answer waits for the video."""
        await asyncio.sleep(max(0.0, task.ready_at - time.time()))
        return await self._body(request, task, inline=inline)

    async def _body(self, request: web.Request, task: Task, *, inline: bool) -> dict[str, Any]:
        state = self._gateway.state_of(task)
        sent, form = self._inputs.of(task)
        head = answers.head(task.task_id, task.model, answers.WORDS.get(state, "failed"))
        body = answers.polled(head, sent, form)
        if state is not State.DONE:
            return body
        if mishaps.is_blocked(task):
            used = prices.used_by_refusal(task.prompt, len(task.files))
            return answers.ended(body, [{"type": "text", "text": mishaps.BLOCKED}], used.as_json())
        used = prices.used_by(task.prompt, len(task.files), task.seconds, task.resolution)
        if not inline:
            return answers.ended(body, [_at(request, task)], used.as_json())
        if task.resolution in _TOO_LARGE_INLINE:
            return body | {"status": "failed", "errors": [{"message": "The video is too large to be sent inline."}]}
        video = await self._gateway.delivery.video(task, None)
        packed = base64.b64encode(video).decode("ascii")
        return answers.ended(body, [{"type": "video", "mime_type": "video/mp4", "data": packed}], used.as_json())


class _Inputs:
    """What was sent with the last creates; of older ones, and of those before a restart, only the text is known."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[int, Asked]] = OrderedDict()

    def keep(self, task_id: str, asked: Asked) -> None:
        self._kept[task_id] = sum(len(upload.data) for upload in asked.uploads), asked
        while len(self._kept) > 1 and sum(size for size, _ in self._kept.values()) > _ECHOED:
            self._kept.popitem(last=False)

    def of(self, task: Task) -> tuple[list[Any], Mapping[str, Any]]:
        """The parts of the input and the format, as far as they are known."""
        if task.task_id in self._kept:
            asked = self._kept[task.task_id][1]
            return list(asked.sent), asked.response_format
        return [{"type": "text", "text": task.prompt}], json.loads(task.fields["response_format"])


class _Files:
    """Whose file a name is."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._known: dict[str, str] = {}

    def task_of(self, name: str) -> Task | None:
        if name not in self._known:
            self._known = {answers.file_name(create["task_id"]): create["task_id"] for create in self._book.creates}
        return self._book.task(self._known.get(name, ""))


def _at(request: web.Request, task: Task) -> dict[str, Any]:
    place = f"{request.url.origin()}/v1beta/files/{answers.file_name(task.task_id)}:download?alt=media"
    return {"type": "video", "mime_type": "video/mp4", "uri": place}


def _described(task: Task, video: bytes) -> Answer:
    return json_of(200, answers.file_of(answers.file_name(task.task_id), "ACTIVE", len(video)))


def _target(task: Task) -> Target:
    return Target(task.prompt, task.model, task.task_id)


def _texts(asked: Asked) -> dict[str, str]:
    """What the book and the log keep of a request besides its pictures."""
    form = asked.response_format
    kept = {name: str(form[name]) for name in ("aspect_ratio", "resolution", "duration", "delivery") if name in form}
    whole = json.dumps(dict(form), sort_keys=True)
    return {"model": asked.order.model, "prompt": asked.order.prompt, **kept, "response_format": whole}


def _likeness(asked: Asked, files: tuple[Mapping[str, Any], ...]) -> str:
    parts = [sorted(_texts(asked).items()), [(file["field"], file["sha256"]) for file in files]]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
