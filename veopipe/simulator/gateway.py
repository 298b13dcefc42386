"""One simulated gateway: what it knows of tasks, money, keys and faults, and what it does around every request.

How it speaks is its dialect's: routes, bodies, rules, the words for where a task stands.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from aiohttp import web

from veopipe.simulator.album import Album
from veopipe.simulator.answers import Answer
from veopipe.simulator.book import Book, Task
from veopipe.simulator.delivery import Delivery
from veopipe.simulator.faults import Fault, FaultOrder, Mischief, Stage, Target
from veopipe.simulator.orders import Latency, State
from veopipe.simulator.wire import ENTRY, cut, respond
from veopipe.simulator.wirelog import Entry, WireLog

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CONTROL = "/_simulator/"
_QUEUED_PART = 0.2  # of the task's time; then it is running


class Dialect(Protocol):
    """How a simulated gateway speaks."""

    @property
    def faults(self) -> Mapping[str, Fault]:
        """What can go wrong, by name."""

    @property
    def request_id(self) -> str:
        """The header with the gateway's name for a request."""

    def add_to(self, app: web.Application, gateway: Gateway) -> None:
        """Serve its routes in `app`."""

    def no_such_route(self, method: str, path: str) -> Answer:
        """The answer to any other method or path."""


class Gateway:
    """Everything that one simulated gateway knows.

    Attributes:
        book: what was accepted and charged.
        album: the pictures that videos begin with and end on.
        mischief: the faults that are ordered.
        wire: the log of all requests.
        delivery: makes the videos.
        latency: how long tasks take.
        content_lag: seconds after completion in which there is no content yet.
        exhausted: the key's quota has ended.
    """

    def __init__(
        self, book: Book, album: Album, dialect: Dialect, *, key: str | None, latency: Latency, content_lag: float
    ) -> None:
        self.book = book
        self.album = album
        self.mischief = Mischief(dialect.faults)
        self.wire = WireLog()
        self.delivery = Delivery(album)
        self.latency = latency
        self.content_lag = content_lag
        self.exhausted = False
        self._dialect = dialect
        self._key = key
        self._desk = ThreadPoolExecutor(1, thread_name_prefix="simulator-book")
        self._states: dict[str, State] = {}  # what a fault fixed
        self._connections: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()
        self._connection_count = 0

    def application(self) -> web.Application:
        """The application with the dialect's routes; any other path is its 404."""
        app = web.Application(middlewares=[self._logged], client_max_size=1024 * 1024)
        app.on_response_prepare.append(self._add_request_id)
        self._dialect.add_to(app, self)
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

    # -- for the dialect ---------------------------------------------------------------------------------

    def takes_key(self, given: str) -> bool:
        """Whether a request with that key is served."""
        right = bool(given) if self._key is None else hmac.compare_digest(given.encode(), self._key.encode())
        return right and not self.exhausted

    def fault_for(self, stage: Stage, target: Target, entry: Entry) -> FaultOrder | None:
        """The fault that meets a request, noted in the log.

        Raises:
            UnknownFault: the prompt has a directive that doesn't exist.
        """
        order = self.mischief.chosen(stage, target)
        if order is not None:
            entry.fault = order.fault.name if entry.fault is None else f"{entry.fault}+{order.fault.name}"
        if order is not None and order.fault.name == "401_exhausted_midrun":
            self.exhausted = True
        return order

    def state_of(self, task: Task) -> State:
        """Where a task stands now."""
        fixed = self._states.get(task.task_id)
        if fixed is not None:
            return fixed
        now = time.time()
        if now >= task.ready_at:
            return State.DONE
        queued_until = task.created_at + _QUEUED_PART * (task.ready_at - task.created_at)
        return State.WAITING if now < queued_until else State.RUNNING

    def fix(self, task_id: str, state: State) -> None:
        """Let a task stand there for ever."""
        self._states[task_id] = state

    async def accept(self, make: Callable[[], Task]) -> Task:
        """Make a task and write it down for good, in the book's own thread."""

        def write_down() -> Task:
            task = make()
            self.book.accept(task)
            return task

        task = await asyncio.get_running_loop().run_in_executor(self._desk, write_down)
        if task.ready_at > time.time():  # else it is asked for at once, or by nobody
            self.delivery.announce(task)
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
            return respond(request, self._dialect.no_such_route(request.method, request.path))
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

    async def _add_request_id(self, request: web.Request, response: web.StreamResponse) -> None:
        entry = request.get(ENTRY)
        if entry is not None and "X-Answered-By-Proxy" not in response.headers:
            response.headers[self._dialect.request_id] = entry.request_id
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
