"""What is asked of a gateway for nothing: how a task stands, and its video. It can be asked again.

* Nothing here can spend: there is no create, so what only fetches videos is given this and no more.
* No exception of a library leaves this module: `network` puts each into words, and the key is in none of these.

Source: docs/design.md, 6 (The gate).
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import field, replace

import httpcore

from veopipe import __version__
from veopipe.dialects import choice
from veopipe.dialects.base import LONGEST_ANSWER, Content, ContentAnswer, Evidence, PollAnswer, Request
from veopipe.dialects.dialect import Dialect
from veopipe.dialects.heads import date_of
from veopipe.errors import EnvironmentFault
from veopipe.gateway import network, redirects
from veopipe.gateway.address import Address
from veopipe.gateway.connections import Connections, lowered
from veopipe.gateway.network import Network
from veopipe.takes.origin import is_same_origin
from veopipe.takes.take import Attempt
from veopipe.text import hide
from veopipe.values import dataclass

MAX_REDIRECTS = 5
"""Hops from a content answer to a signed URL that are followed (docs/hazards.md, b)."""

POLLS_AT_ONCE = 64
"""Polls on their way at the same time; the others wait here, which costs nothing. At 300 ms an answer they are
some 200 a second, enough for 2,500 takes at 15 s, and a few that hang delay no other."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds after which a silent or slow gateway is given up.

    The document's own example allows 180 for a create, 60 for a poll and 180 for a download.

    Attributes:
        connect: for DNS, TCP and TLS together, each time.
        create_write: until the network takes the next piece of a create's body.
        create_read: until the next piece of the answer to a create.
        create_answer: for that answer's whole body, also if it comes steadily.
        read: until the next piece of an answer to a poll or download.
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
    """A request ended early; the text says how. A free one can be made again."""


class Untranslated(Exception):
    """What passes through a request as it is, since it isn't the network's."""


@dataclass(slots=True)
class Reads:
    """One gateway, how it speaks, and a key, for what is free.

    Attributes:
        address: where it is.
        dialect: how it speaks now; what was bought there in another one is carried on in that.
        timeouts: when it is given up.
        environ: what the environment says of proxies and certificates.

    Raises:
        EnvironmentFault: one of its variables can't be used; the text names it.
    """

    address: Address
    dialect: Dialect
    _key: str = field(repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _network: Network = field(init=False, repr=False)
    _reads: Connections = field(init=False, repr=False)
    _polling: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        hide(self._key)
        self._network = network.for_url(self.address.base_url, self.environ)
        self._reads = Connections(self._network, {**self._manners(), "Connection": "keep-alive"})
        self._polling = asyncio.Semaphore(POLLS_AT_ONCE)

    @staticmethod
    def _manners() -> dict[str, str]:
        """The headers of every request."""
        return {"User-Agent": f"veopipe/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}

    async def poll(self, attempt: Attempt) -> PollAnswer:
        """Ask once how an attempt's task stands. Free; may be repeated.

        Raises:
            ValueError: the attempt has no task.
        """
        dialect = self.spoken(attempt)
        evidence = await self.ask(dialect.status(attempt), dialect.key_header(self._key))
        if len(evidence.body) > LONGEST_ANSWER:  # to read 30 MB of pictures takes a while
            return await asyncio.to_thread(dialect.judge_poll, evidence, attempt)
        return dialect.judge_poll(evidence, attempt)

    def spoken(self, attempt: Attempt) -> Dialect:
        """The dialect that an attempt was bought in, which carries it on."""
        return self.dialect if attempt.dialect == self.dialect.name else choice.dialect(attempt.dialect)

    async def ask(self, request: Request, who: tuple[str, str]) -> Evidence:
        """Send a request that is free; may be repeated.

        Args:
            request: what to ask; no body of it is sent.
            who: name and value of the header that shows whose request it is. Hide the value before.

        Returns:
            What is known of it. Never an exception for what the network did.
        """
        response: httpcore.Response | None = None
        url, headers = self._url(request), {**request.headers, who[0]: who[1]}
        try:
            with self._translated(arrived=lambda: response is not None):
                async with (
                    self._polling,
                    asyncio.timeout(self.timeouts.poll),
                    self._reads.send(request.method, url, headers, self._patience()) as response,
                ):
                    body = await _bounded(response, request.longest_answer + 1)
        except Interrupted as error:
            return Evidence(error=str(error))
        found = lowered(response.headers)
        body = unpacked(found, body, request.longest_answer)
        return Evidence(response.status, found, body, base_url=self.address.base_url)

    def _patience(self) -> dict[str, float]:
        return {"connect": self.timeouts.connect, "read": self.timeouts.read}

    @asynccontextmanager
    async def content(self, attempt: Attempt) -> AsyncIterator[ContentStream]:
        """Open the video of an attempt's task. Free; may be repeated.

        Redirects are followed here, not by httpx: only the gateway itself gets the key.

        Raises:
            Interrupted: no answer could be had.
            ValueError: the attempt has no task.
        """
        dialect = self.spoken(attempt)
        request = dialect.content(attempt)
        if request is None:
            raise Interrupted("where its video is isn't known")
        url = self._url(request)
        for _ in range(MAX_REDIRECTS + 1):
            own = is_same_origin(url, self.address.base_url)
            headers = self._headers(request, dialect) if own else request.headers
            async with AsyncExitStack() as until_read:
                with self._translated(url):
                    sent = self._reads.send(request.method, url, headers, self._patience())
                    response = await until_read.enter_async_context(sent)
                if response.status not in _REDIRECTS:
                    found = lowered(response.headers)
                    answer = self._judged(Evidence(response.status, found), dialect, own=own)
                    yield ContentStream(answer, self.timeouts.read, response, found, self._translated)
                    return
            url = await self._target(url, lowered(response.headers).get("location", ""))
        raise Interrupted(f"more than {MAX_REDIRECTS} redirects")

    @staticmethod
    def _judged(evidence: Evidence, dialect: Dialect, *, own: bool) -> ContentAnswer:
        answer = dialect.judge_content(evidence)
        if not own and answer.kind in {Content.KEY_REFUSED, Content.GONE}:
            return replace(answer, kind=Content.NOT_READY)  # the other host saw no key; the gateway may still have it
        return answer

    async def _target(self, url: str, location: str) -> str:
        try:
            return await redirects.target(self.address, url, location, self._network.carries)
        except redirects.NotFollowed as refusal:
            raise Interrupted(str(refusal)) from None
        except EnvironmentFault as fault:  # it would go through another proxy than the gateway's requests
            raise Interrupted(self._network.words(fault, self.address.base_url)) from None

    def _url(self, request: Request) -> str:
        return self.address.base_url + request.path

    def _headers(self, request: Request, dialect: Dialect) -> dict[str, str]:
        name, value = dialect.key_header(self._key)
        return {name: value, **request.headers}

    @contextmanager
    def _translated(self, url: str | None = None, *, arrived: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Turn each exception of a request into `Interrupted` with words for people.

        httpx lets exceptions of sockets, h11, ssl, of encodings and of values through, and quotes header values in
        some: so all of them are caught here, and no text of theirs has the key.

        Args:
            url: where the request goes, if not to the gateway itself.
            arrived: whether the request got there: then no proxy on the way is to blame.
        """
        try:
            yield
        except Untranslated:
            raise
        except TimeoutError:
            raise Interrupted("no answer in time") from None
        except Exception as error:  # noqa: BLE001
            raise Interrupted(self._network.words(error, url or self.address.base_url, arrived=arrived())) from None

    async def clock(self) -> float | None:
        """The gateway's own time, Unix seconds, if it says. Free; sends no key."""
        try:
            with self._translated():
                url, patience = f"{self.address.base_url}/", self._patience()
                async with asyncio.timeout(self.timeouts.poll), self._reads.send("HEAD", url, {}, patience) as answer:
                    return date_of(lowered(answer.headers))
        except Interrupted:
            return None

    async def close(self) -> None:
        """Close the connections of polls and downloads; a create that is still on keeps its own."""
        await self._reads.close()


@dataclass(slots=True)
class ContentStream:
    """The answer to a request for content.

    Attributes:
        answer: what its head says.
        patience: seconds until the next piece must arrive.
    """

    answer: ContentAnswer
    patience: float
    _response: httpcore.Response
    _headers: Mapping[str, str]
    _translated: Callable[..., AbstractContextManager[None]]

    @property
    def length(self) -> int | None:
        """Bytes that the answer announces, if it does: of the whole video, where it is a part (206)."""
        headers = self._headers
        if "transfer-encoding" in headers:
            return None  # then Content-Length says nothing (RFC 9112, 6.3)
        said = headers.get("content-length", "")
        if self._response.status == 206:
            said = headers.get("content-range", "").rpartition("/")[2].strip() or said
        return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, undecoded.

        Raises:
            Interrupted: it ended early, by the transport's own count too.
        """
        arriving = self._response.aiter_stream()
        while True:
            with self._translated(arrived=lambda: True):
                chunk = await anext(arriving, None)
            if chunk is None:
                return
            yield chunk

    def unpacked(self, body: bytes) -> bytes:
        """The body of an answer in words, unpacked if it came packed."""
        return unpacked(self._headers, body, LONGEST_ANSWER)


async def _bounded(response: httpcore.Response, limit: int) -> bytes:
    """The first `limit` bytes of a body, or all there are."""
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def unpacked(headers: Mapping[str, str], body: bytes, most: int) -> bytes:
    """The body, unpacked if it came packed though nothing asked for that; at most one byte more than `most`."""
    if headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip", "deflate"}:
        try:
            return zlib.decompressobj(wbits=47).decompress(body, most + 1)
        except zlib.error:
            return body  # the header lies; a task id may still stand in it
    return body
