"""The gateway on the wire, and the only module that knows httpx.

* A create is one POST on a fresh connection, never repeated and never redirected here. Its intent is
  written *inside* the request: after DNS, connect and TLS, before the first body byte (the gate).
* Creates use the synchronous client, in a thread of the caller's: the asynchronous one loses a 401 or
  413 that arrives while a large body is on its way. Polls and downloads are free and use the other one.
* No exception of httpx leaves this module, and the key appears in no text that does.

Source: API document, Create a Task, Poll Status, Compatibility Status Polling, Download Video; design,
section 6 "The gate".
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

import httpx

from veopipe import __version__, steps
from veopipe.address import Address
from veopipe.answers import LARGEST_JSON, Content, Evidence, PollAnswer, Progress, judge_content, judge_poll
from veopipe.errors import EnvironmentFault
from veopipe.wording import hide, printable

# Seconds. The document's own example allows 180 for a create, 60 for a poll, 180 for a download.
CREATE_TIMEOUT = httpx.Timeout(connect=10, write=60, read=180, pool=10)
POLL_TIMEOUT = httpx.Timeout(connect=10, write=30, read=60, pool=60)
POLL_DEADLINE = 90.0
CONTENT_TIMEOUT = httpx.Timeout(connect=10, write=30, read=60, pool=60)

MAX_REDIRECTS = 5
"""Hops from a content answer to a signed URL that are followed (reliability.md, b)."""

_STATUS_PATHS = {"videos": "/v1/videos/{}", "generations": "/v1/video/generations/{}"}


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
        steps.reach("gate")
        self.intent()
        self.passed = True
        steps.reach("body")
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
    """

    address: Address
    status_endpoint: str
    _key: str = field(repr=False)
    _creates: httpx.Client = field(init=False, repr=False)
    _reads: httpx.AsyncClient = field(init=False, repr=False)

    def __post_init__(self) -> None:
        hide(self._key)
        local = self.address.is_loopback  # a proxy has no business between this machine and itself
        shared = {"trust_env": not local, "follow_redirects": False}
        headers = {"User-Agent": f"veopipe/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            fresh = httpx.Limits(max_keepalive_connections=0)
            self._creates = httpx.Client(headers=headers, timeout=CREATE_TIMEOUT, limits=fresh, **shared)  # type: ignore[arg-type]
            many = httpx.Limits(max_connections=100, max_keepalive_connections=50)
            self._reads = httpx.AsyncClient(headers=headers, timeout=POLL_TIMEOUT, limits=many, **shared)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001  a bad HTTPS_PROXY, NO_PROXY or SSL_CERT_FILE raises almost anything
            raise EnvironmentFault(
                f"the network settings of this environment can't be used: {printable(str(error))}",
                hint="look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
            ) from None

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
        request = self._creates.build_request("POST", self._url("/v1/videos"), files=parts, headers=self._auth())
        gate = _Gate(request.stream, _Marked(intent))  # type: ignore[arg-type]
        request.stream = gate
        try:
            steps.reach("connect")
            response = self._creates.send(request, stream=True)
        except _IntentFailed as error:
            raise error.cause from None
        except Exception as error:  # noqa: BLE001  httpx lets socket, h11, ssl, unicode and value errors through
            return Evidence(gate.passed, gate.done, error=self._said(error))
        return self._read_answer(gate, response)

    def _read_answer(self, gate: _Gate, response: httpx.Response) -> Evidence:
        headers = _headers(response)
        body, error = b"", None
        try:
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > LARGEST_JSON:
                    error = "the answer was too long"
                    break
        except Exception as problem:  # noqa: BLE001  see create
            error = self._said(problem)
        finally:
            response.close()
        steps.reach("answer")
        return Evidence(gate.passed, gate.done, response.status_code, headers, self._unpacked(headers, body), error)

    async def poll(self, task_id: str) -> PollAnswer:
        """Ask for a task's status once. Free; may be repeated.

        Source: API document, Poll Status and Compatibility Status Polling.
        """
        path = _STATUS_PATHS[self.status_endpoint].format(quote(task_id, safe=""))
        try:
            async with asyncio.timeout(POLL_DEADLINE):
                async with self._reads.stream("GET", self._url(path), headers=self._auth()) as response:
                    body = await _bounded(response, LARGEST_JSON + 1)
                    headers = _headers(response)
        except TimeoutError:
            return PollAnswer(Progress.TROUBLE, "no answer in time")
        except Exception as error:  # noqa: BLE001  see create
            return PollAnswer(Progress.TROUBLE, self._said(error))
        return judge_poll(response.status_code, headers, self._unpacked(headers, body), task_id)

    @asynccontextmanager
    async def content(self, task_id: str) -> AsyncIterator[ContentStream]:
        """Open a task's video. Free; may be repeated. Redirects are followed by hand, without the key.

        Raises:
            Interrupted: no answer could be had.

        Source: API document, Download Video (GET /v1/videos/{id}/content, video/mp4 bytes).
        """
        url = self._url(f"/v1/videos/{quote(task_id, safe='')}/content")
        for _ in range(MAX_REDIRECTS + 1):
            request = self._reads.build_request("GET", url, headers=self._headers_for(url), timeout=CONTENT_TIMEOUT)
            try:
                response = await self._reads.send(request, stream=True)
            except Exception as error:  # noqa: BLE001  see create
                raise Interrupted(self._said(error)) from None
            kind, why = judge_content(response.status_code, _headers(response))
            if kind is not Content.REDIRECT:
                try:
                    yield ContentStream(kind, why, response, self)
                finally:
                    await response.aclose()
                return
            await response.aclose()
            url = await self._redirected(url, response.headers.get("location", ""))
        raise Interrupted(f"more than {MAX_REDIRECTS} redirects")

    async def _redirected(self, url: str, location: str) -> str:
        """Where a redirect of a content answer leads, if it may be followed at all."""
        try:
            target = urljoin(url, location)
            parts = urlsplit(target)
            host, port = parts.hostname, parts.port or 443
        except ValueError:
            raise Interrupted("a redirect to no address") from None
        if parts.scheme not in {"https", "http"} or not host or parts.username or parts.password:
            raise Interrupted("a redirect to an address that can't be used")
        if self.address.is_loopback:
            return target
        if parts.scheme != "https":
            raise Interrupted("a redirect to an address without TLS")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise Interrupted(f"a redirect to {printable(host)}, which has no address") from None
        if any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found):
            raise Interrupted(f"a redirect to {printable(host)}, which is inside this network")
        return target

    def _headers_for(self, url: str) -> dict[str, str]:
        own, other = urlsplit(self.address.base_url), urlsplit(url)
        same = (own.scheme, own.hostname, own.port) == (other.scheme, other.hostname, other.port)
        return {**(self._auth() if same else {}), "Accept": "video/mp4, */*;q=0.1"}

    def _url(self, path: str) -> str:
        return self.address.base_url + path

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def _said(self, error: BaseException) -> str:
        """What an exception says, without the key; httpx quotes header values in some."""
        return printable(str(error) or type(error).__name__)

    @staticmethod
    def _unpacked(headers: Mapping[str, str], body: bytes) -> bytes:
        """The body, unpacked if it came packed though nobody asked for it."""
        if headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip", "deflate"}:
            try:
                body = zlib.decompressobj(wbits=47).decompress(body, LARGEST_JSON + 1)
            except zlib.error:
                body = b""
        return body

    async def close(self) -> None:
        """Close the connections of polls and downloads; a create that is still on keeps its own."""
        await self._reads.aclose()


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
        why: for people, where it promises no video.
    """

    kind: Content
    why: str
    _response: httpx.Response
    _gateway: Gateway

    @property
    def length(self) -> int | None:
        """Bytes that the answer announces, if it does."""
        said = self._response.headers.get("content-length", "")
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
            raise Interrupted(self._gateway._said(error)) from None

    async def head(self, limit: int) -> bytes:
        """At most the first `limit` bytes: an error's text. Never raises."""
        try:
            return self._gateway._unpacked(_headers(self._response), await _bounded(self._response, limit))
        except Exception:  # noqa: BLE001  see Gateway.create
            return b""


async def _bounded(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
