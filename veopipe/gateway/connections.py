"""Connections for requests that are free: each carries one request at a time, and is kept for the next one.

httpcore speaks HTTP here without httpx's client around it: a client merges headers, URLs and cookies that never change
anew for each request, and looks through all its connections each time. Here the one used last is on top of a pile
(figures: DECISIONS.md, 46).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field
from typing import Any

import httpcore

from veopipe.gateway import sockets
from veopipe.gateway.library import httpx
from veopipe.gateway.network import Network
from veopipe.gateway.proxies import Proxy
from veopipe.values import dataclass

KEEP_FOR = 30.0
"""Seconds that an idle connection is kept for the next poll: longer than the usual interval of 15 s."""
_MOST_WAYS = 4096  # that are known by heart

Headers = list[tuple[bytes, bytes]]
_Carrier = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool
"""A connection, or where a proxy is on the way a pool of one, which knows how to get through."""
_Idle = deque[tuple[float, _Carrier]]


@dataclass(frozen=True, slots=True)
class _Way:
    """How a URL is reached: what carries it, the URL and its host's header as they are sent, what is idle there."""

    url: str
    proxy: Proxy | None
    place: httpcore.URL
    host: tuple[bytes, bytes]
    idle: _Idle


@dataclass(slots=True)
class Connections:
    """The connections of one gateway's polls and downloads, straight or through the proxy that carries a request.

    Attributes:
        network: how this machine reaches others.
        headers: sent with every request.
    """

    network: Network
    headers: Mapping[str, str]
    _ways: dict[str, _Way] = field(default_factory=dict)
    _idle: dict[tuple[Proxy | None, str], _Idle] = field(default_factory=dict)

    @asynccontextmanager
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], timeouts: Mapping[str, float]
    ) -> AsyncIterator[httpcore.Response]:
        """Send a request without a body, and follow no redirect; its answer, while its body arrives.

        Args:
            method: `GET`, for instance.
            url: where to; also to another host than before.
            headers: besides those of every request; texts that a header can hold.
            timeouts: seconds for `connect` and `read`.

        Raises:
            Exception: of httpcore, sockets, h11, ssl, or of values; `network.words` puts each into words.
        """
        way = self._way(url)
        written = [way.host, *_encoded(self.headers), *_encoded(headers)]
        carrier = await self._carrier(way)
        try:
            response = await carrier.handle_async_request(
                httpcore.Request(method, way.place, headers=written, extensions={"timeout": timeouts})
            )
            try:
                yield response
            finally:
                await response.aclose()
        except BaseException:  # cancelled in its midst, it may never be ready again
            await carrier.aclose()
            raise
        way.idle.append((time.monotonic(), carrier))

    def _way(self, url: str) -> _Way:
        """How a URL is reached; known by heart, since a take's is asked again and again."""
        found = self._ways.get(url)
        if found is None:
            if len(self._ways) >= _MOST_WAYS:
                self._ways.clear()
            proxy, read = self.network.proxies.carrier(url), httpx.URL(url)
            place = _taken_apart(read)
            idle = self._idle.setdefault((proxy, str(place.origin)), deque())
            found = self._ways[url] = _Way(url, proxy, place, (b"Host", read.netloc), idle)
        return found

    async def _carrier(self, way: _Way) -> _Carrier:
        """The one used last, if it is still open; the others are closed in time."""
        idle = way.idle
        while idle and time.monotonic() - idle[0][0] > KEEP_FOR:
            await idle.popleft()[1].aclose()
        while idle:
            found = idle.pop()[1]
            if isinstance(found, httpcore.AsyncConnectionPool) or (found.is_idle() and not found.has_expired()):
                return found
            await found.aclose()
        context, backend = self.network.context(way.url, way.proxy), sockets.Backend()
        if way.proxy is None:
            return httpcore.AsyncHTTPConnection(way.place.origin, context, KEEP_FOR, network_backend=backend)
        return httpcore.AsyncConnectionPool(
            ssl_context=context,
            proxy=_of_httpcore(self.network.through(way.proxy)),
            max_connections=1,
            keepalive_expiry=KEEP_FOR,
            network_backend=backend,
        )

    async def close(self) -> None:
        """Drop what is open."""
        for idle in self._idle.values():
            while idle:
                await idle.pop()[1].aclose()


def lowered(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an answer by their names in lower case; what is there several times, with commas between."""
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), _decoded(value)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _encoded(headers: Mapping[str, str]) -> Headers:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def _taken_apart(url: httpx.URL) -> httpcore.URL:
    """A URL as httpcore takes it; httpx knows how to encode what isn't ASCII."""
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _of_httpcore(proxy: httpx.Proxy | None) -> httpcore.Proxy | None:
    if proxy is None:
        return None
    settings: dict[str, Any] = {"auth": proxy.raw_auth, "headers": proxy.headers.raw}
    return httpcore.Proxy(_taken_apart(proxy.url), ssl_context=proxy.ssl_context, **settings)
