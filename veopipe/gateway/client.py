"""The gateway on the wire: what is asked of it, and what of its answer can be had.

* A create is one POST on a fresh connection, never repeated and never redirected here. Its intent is
  written *inside* the request: after DNS, connect and TLS, before the first body byte (the gate).
* Creates use the synchronous client, in a thread of the caller's: the asynchronous one loses a 401 or
  413 that arrives while a large body is on its way. Polls and downloads are free and use the other one.
* No exception of httpx leaves this module (`network` says what they mean), and the key appears in no text that does.

Source: API document, Create a Task, Poll Status, Compatibility Status Polling, Download Video;
docs/design.md, 6 (The gate).
"""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from veopipe import __version__, crashpoints
from veopipe.dialects.bodies import LARGEST_JSON
from veopipe.dialects.videos import (
    Content,
    Evidence,
    PollAnswer,
    Progress,
    content_label,
    judge_content,
    judge_poll,
    retry_after,
)
from veopipe.errors import EnvironmentFault
from veopipe.gateway import network, redirects
from veopipe.gateway.address import Address
from veopipe.gateway.network import Network
from veopipe.text import hide

MAX_REDIRECTS = 5
"""Hops from a content answer to a signed URL that are followed (docs/hazards.md, b)."""

POLLS_AT_ONCE = 64
"""Polls on their way at the same time; the others wait here, which costs nothing. At 300 ms an answer they are
some 200 a second, enough for 2,500 takes at 15 s, and a few that hang delay no other."""
POLLS_PER_CLIENT = 8
"""httpx looks at every request and idle connection of a client at each request. 64 polls at once cost 14 ms of CPU
each with one client, and 1.2 ms with eight of eight."""
KEEP_FOR = 30.0
"""Seconds that an idle connection is kept for the next poll: longer than the usual interval of 15 s."""

_VIDEO = {"Accept": "video/mp4, */*;q=0.1"}
_STATUS_PATHS = {"videos": "/v1/videos/{}", "generations": "/v1/video/generations/{}"}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """After how many seconds a silent or slow gateway is given up.

    The document's own example allows 180 for a create, 60 for a poll and 180 for a download.

    Attributes:
        connect: for DNS, TCP and TLS together, each time.
        create_write: in which the network must take another piece of a create's body.
        create_read: in which the answer to a create must go on.
        create_answer: for that answer's whole body, however steadily it drips.
        read: in which an answer to a poll or download must go on.
        poll: for a whole poll.
        download: for a whole download. 100 MB in half an hour is 56 KB/s; slower than that it is stuck.
    """

    connect: float = 10
    create_write: float = 60
    create_read: float = 180
    create_answer: float = 180
    read: float = 60
    poll: float = 90
    download: float = 1800


class Interrupted(Exception):
    """A download ended before it was whole; the text says how. It can be made again for nothing."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture as it goes into the create request."""

    field: str
    name: str
    content: bytes
    media_type: str


@dataclass(slots=True)
class _Gate(httpx.SyncByteStream):
    """The body of a create; its first byte leaves only after `intent` returned."""

    body: httpx.SyncByteStream
    intent: Callable[[], None]
    passed: bool = False
    done: bool = False

    def __iter__(self) -> Iterator[bytes]:
        crashpoints.reach("gate")
        self.intent()
        self.passed = True
        crashpoints.reach("body")
        yield from self.body
        self.done = True

    def close(self) -> None:
        self.body.close()


@dataclass(slots=True)
class Gateway:
    """One gateway, with a key.

    Attributes:
        address: where it is.
        status_endpoint: `videos` or `generations`.
        timeouts: when it is given up.
        environ: what the environment says of proxies and certificates.

    Raises:
        EnvironmentFault: one of its variables can't be used; the text names it.
    """

    address: Address
    status_endpoint: str
    _key: str = field(repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _network: Network = field(init=False, repr=False)
    _creates: httpx.Client = field(init=False, repr=False)
    _reads: list[httpx.AsyncClient] = field(init=False, repr=False)
    _seats: list[httpx.AsyncClient] = field(init=False, repr=False)
    _turns: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        hide(self._key)
        self._turns = asyncio.Semaphore(POLLS_AT_ONCE)
        self._network = network.for_url(self.address.base_url, self.environ)
        headers = {"User-Agent": f"veopipe/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        limit = self.timeouts
        creates = httpx.Timeout(limit.connect, write=limit.create_write, read=limit.create_read)
        reads = httpx.Timeout(limit.connect, read=limit.read, pool=limit.read)
        fresh = httpx.Limits(max_keepalive_connections=0)
        self._creates = self._network.client(fresh, headers=headers, timeout=creates)
        many = httpx.Limits(max_keepalive_connections=POLLS_PER_CLIENT, keepalive_expiry=KEEP_FOR)
        self._reads = [
            self._network.asynchronous(many, headers=headers, timeout=reads)
            for _ in range(POLLS_AT_ONCE // POLLS_PER_CLIENT)
        ]
        self._seats = [client for client in self._reads for _ in range(POLLS_PER_CLIENT)]

    @asynccontextmanager
    async def _seat(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client with room for one more poll; the last one that was given back, whose connection is open still."""
        async with self._turns:
            client = self._seats.pop()
            try:
                yield client
            finally:
                self._seats.append(client)

    def create(
        self, fields: Sequence[tuple[str, str]], uploads: Sequence[Upload], intent: Callable[[], None]
    ) -> Evidence:
        """Ask the gateway to start one video. One call is at most one billed request; blocks.

        Args:
            fields: the form's text fields, in order.
            uploads: its files, in order; a field may repeat.
            intent: writes the intent durably; whatever it raises passes through, and nothing was sent.

        Returns:
            What is known of the call when it is over. Never an exception for what the network did.

        Source: API document, Create a Task (POST /v1/videos, multipart/form-data).
        """
        parts: list[tuple[str, tuple[str | None, str | bytes] | tuple[str | None, str | bytes, str]]] = [
            (name, (None, value)) for name, value in fields
        ]
        parts += [(item.field, (item.name, item.content, item.media_type)) for item in uploads]
        try:
            request = self._creates.build_request("POST", self._url("/v1/videos"), files=parts, headers=self._auth())
        except Exception as error:  # noqa: BLE001  half a character in a field, for instance
            return Evidence(gate_passed=False, body_done=False, error=self._said(error))
        gate = _Gate(request.stream, _Marked(intent))  # type: ignore[arg-type]
        request.stream = gate
        try:
            crashpoints.reach("connect")
            response = self._creates.send(request, stream=True)
        except _IntentFailed as error:
            raise error.cause from None
        except Exception as error:  # noqa: BLE001  httpx lets socket, h11, ssl, unicode and value errors through
            return Evidence(gate.passed, gate.done, error=self._said(error, arrived=gate.passed))
        return self._read_answer(gate, response)

    def _read_answer(self, gate: _Gate, response: httpx.Response) -> Evidence:
        headers = _headers(response)
        body, error, end = bytearray(), None, time.monotonic() + self.timeouts.create_answer
        try:
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > LARGEST_JSON or time.monotonic() > end:
                    error = "the answer was too long" if len(body) > LARGEST_JSON else "the answer came too slowly"
                    break
        except Exception as problem:  # noqa: BLE001  see create
            error = self._said(problem, arrived=True)
        finally:
            response.close()
        crashpoints.reach("answer")
        return Evidence(
            gate.passed, gate.done, response.status_code, headers, self._unpacked(headers, bytes(body)), error
        )

    async def poll(self, task_id: str) -> PollAnswer:
        """Ask for a task's status once. Free; may be repeated.

        Source: API document, Poll Status and Compatibility Status Polling.
        """
        path, arrived = _STATUS_PATHS[self.status_endpoint].format(quote(task_id, safe="")), False
        try:
            async with (
                self._seat() as client,
                asyncio.timeout(self.timeouts.poll),
                client.stream("GET", self._url(path), headers=self._auth()) as response,
            ):
                arrived = True
                body = await _bounded(response, LARGEST_JSON + 1)
                headers = _headers(response)
        except TimeoutError:
            return PollAnswer(Progress.TROUBLE, "no answer in time")
        except Exception as error:  # noqa: BLE001  see create
            return PollAnswer(Progress.TROUBLE, self._said(error, arrived=arrived))
        return judge_poll(response.status_code, headers, self._unpacked(headers, body), task_id)

    @asynccontextmanager
    async def content(self, task_id: str) -> AsyncIterator[ContentStream]:
        """Open a task's video. Free; may be repeated. Redirects are followed by hand, without the key.

        Raises:
            Interrupted: no answer could be had.

        Source: API document, Download Video (GET /v1/videos/{id}/content, video/mp4 bytes).
        """
        url = self._url(f"/v1/videos/{quote(task_id, safe='')}/content")
        client = self._reads[0]  # whose seats are the last that polls take
        for _ in range(MAX_REDIRECTS + 1):
            try:
                own = redirects.is_same_origin(url, self.address.base_url)
                request = client.build_request("GET", url, headers={**(self._auth() if own else {}), **_VIDEO})
                response = await client.send(request, stream=True)
            except Exception as error:  # noqa: BLE001  see create
                raise Interrupted(self._said(error, url)) from None
            kind, why = judge_content(response.status_code)
            if not own and kind in {Content.KEY_REFUSED, Content.GONE}:
                kind = Content.NOT_READY  # another host saw no key; what it lacks, the gateway may still give
            if kind is not Content.REDIRECT:
                try:
                    label = content_label(response.status_code, _headers(response))
                    yield ContentStream(kind, why or label, response, self)
                finally:
                    await response.aclose()
                return
            await response.aclose()
            try:
                location = response.headers.get("location", "")
                url = await redirects.target(self.address, url, location, self._network.carries)
            except redirects.NotFollowed as refusal:
                raise Interrupted(str(refusal)) from None
            except EnvironmentFault as fault:  # it would go through another proxy than the gateway's requests
                raise Interrupted(self._said(fault)) from None
        raise Interrupted(f"more than {MAX_REDIRECTS} redirects")

    def _url(self, path: str) -> str:
        return self.address.base_url + path

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def _said(self, error: BaseException, url: str | None = None, *, arrived: bool = False) -> str:
        """What the exception of a request says, without the key; httpx quotes header values in some."""
        return self._network.said(error, url or self.address.base_url, arrived=arrived)

    @staticmethod
    def _unpacked(headers: Mapping[str, str], body: bytes) -> bytes:
        """The body, unpacked if it came packed though nobody asked for it."""
        if headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip", "deflate"}:
            try:
                return zlib.decompressobj(wbits=47).decompress(body, LARGEST_JSON + 1)
            except zlib.error:
                return body  # the header lies; a task id may still stand in it
        return body

    async def clock(self) -> float | None:
        """The gateway's own time, Unix seconds, if it says. Free; sends no key."""
        try:
            async with asyncio.timeout(self.timeouts.poll):
                response = await self._reads[0].head(self._url("/"))
            return parsedate_to_datetime(response.headers["date"]).timestamp()
        except Exception:  # noqa: BLE001  see create
            return None

    async def close(self) -> None:
        """Close the connections of polls and downloads; a create that is still on keeps its own."""
        for client in self._reads:
            await client.aclose()


class _IntentFailed(Exception):
    """Carries what the intent raised through httpx, past every handler that might misread it."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("the intent couldn't be written")
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Marked:
    intent: Callable[[], None]

    def __call__(self) -> None:
        try:
            self.intent()
        except Exception as error:
            raise _IntentFailed(error) from error


@dataclass(slots=True)
class ContentStream:
    """The answer to a content request.

    Attributes:
        kind: what its head promises.
        why: for people, what its head calls the body, where that is no video.
    """

    kind: Content
    why: str
    _response: httpx.Response
    _gateway: Gateway

    @property
    def patience(self) -> float:
        """Seconds in which something must arrive."""
        return self._gateway.timeouts.read

    @property
    def busy(self) -> bool:
        """Whether the gateway says that it is asked too much."""
        return self._response.status_code == 429

    @property
    def retry_after(self) -> float | None:
        """Seconds that the answer asks to wait, if it says."""
        return retry_after(_headers(self._response))

    @property
    def length(self) -> int | None:
        """Bytes that the answer announces, if it does: of the whole video, where it is a part (206)."""
        headers = self._response.headers
        if "transfer-encoding" in headers:
            return None  # then Content-Length says nothing (RFC 9112, 6.3)
        said = headers.get("content-length", "")
        if self._response.status_code == 206:
            said = headers.get("content-range", "").rpartition("/")[2].strip() or said
        return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, undecoded.

        Raises:
            Interrupted: it ended early, by the transport's own count too.
        """
        try:
            async for chunk in self._response.aiter_raw():
                yield chunk
        except (GeneratorExit, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001  see Gateway.create
            raise Interrupted(self._gateway._said(error, arrived=True)) from None

    def unpacked(self, body: bytes) -> bytes:
        """The body of an answer in words, unpacked if it came packed."""
        return self._gateway._unpacked(_headers(self._response), body)


async def _bounded(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
