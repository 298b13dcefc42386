"""Sockets of the event loop for httpcore: what it needs between a request that is free and the network.

httpcore's own way leads through anyio, whose streams cost more than the rest of a poll. It has a seam for others
(`AsyncNetworkBackend`); behind it stands here one protocol of asyncio.

* For requests without a body only: what is written goes into the transport's buffer, and nothing waits for it.
* A connection is dropped at its end, never said goodbye to: all that is wanted of it has been read, and a peer that
  doesn't answer a TLS farewell would hold the run.

Source: https://www.encode.io/httpcore/network-backends/; DECISIONS.md, 46.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

import httpcore

_MOST_WAITING = 1 << 16
"""Bytes that arrived and weren't fetched, above which the network is left to wait: a download needs no more."""
_SECOND_ADDRESS_AFTER = 0.25
"""Seconds until a name's next address is tried beside the first one (RFC 8305, 5)."""
_FAILED = "All connection attempts failed"


class Backend(httpcore.AsyncNetworkBackend):
    """Opens connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect; raises `httpcore.ConnectError` or `httpcore.ConnectTimeout`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                arriving = loop.create_connection(_Wire, host, port, happy_eyeballs_delay=_SECOND_ADDRESS_AFTER)
                return _Stream((await arriving)[1])
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(str(error) if isinstance(error, socket.gaierror) else _FAILED) from error


class _Wire(asyncio.Protocol):
    """What arrives on one connection, until somebody fetches it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.is_over = False
        self.fault: Exception | None = None
        self._arrived: deque[bytes] = deque()
        self._size = 0
        self._reader: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep it, and let the network wait if there is much."""
        self._arrived.append(data)
        self._size += len(data)
        if self._size > _MOST_WAITING:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Nothing more comes."""
        self.is_over = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes, perhaps since something went wrong."""
        self.is_over, self.fault = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    @property
    def has_news(self) -> bool:
        """Whether something arrived that nobody fetched, the end counted."""
        return bool(self._arrived) or self.is_over

    async def arrival(self) -> None:
        """Wait until something arrives."""
        while not self.has_news:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader

    def fetch(self) -> bytes:
        """The next bytes, as they arrived; none at the end."""
        if not self._arrived:
            return b""
        found = self._arrived.popleft()
        if self._size > _MOST_WAITING >= self._size - len(found) and not self.is_over:
            self.transport.resume_reading()
        self._size -= len(found)
        return found


class _Stream(httpcore.AsyncNetworkStream):
    """One connection as httpcore uses it."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, none at the end; raises `httpcore.ReadError` or `httpcore.ReadTimeout`.

        They are those of one arrival, 256 KiB at most, be it more than `max_bytes`: to part them would copy each of
        them twice, and HTTP's reader takes as many as come.
        """
        wire = self._wire
        if not wire.has_news:
            try:
                async with asyncio.timeout(timeout):
                    await wire.arrival()
            except TimeoutError as error:
                raise httpcore.ReadTimeout from error
        found = wire.fetch()
        if not found and wire.fault is not None:
            raise httpcore.ReadError(_words(wire.fault)) from wire.fault
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send; raises `httpcore.WriteError` if the connection is lost."""
        if self._wire.is_over:
            raise httpcore.WriteError("the connection was closed")
        self._wire.transport.write(buffer)

    async def aclose(self) -> None:
        """Drop the connection."""
        self._wire.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Speak TLS from here on; raises `httpcore.ConnectError` or `httpcore.ConnectTimeout`."""
        loop, wire = asyncio.get_running_loop(), self._wire
        try:
            async with asyncio.timeout(timeout):
                secure = await loop.start_tls(
                    wire.transport, wire, ssl_context, server_hostname=server_hostname, ssl_handshake_timeout=timeout
                )
        except TimeoutError as error:
            wire.transport.abort()
            raise httpcore.ConnectTimeout from error
        except OSError as error:  # ssl's own are some
            wire.transport.abort()
            raise httpcore.ConnectError(str(error)) from error
        wire.transport = cast("asyncio.Transport", secure)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Whether something waits that nobody asked for, and the TLS in use."""
        if info == "is_readable":
            return self._wire.has_news
        return self._wire.transport.get_extra_info("ssl_object") if info == "ssl_object" else None


def _words(fault: Exception) -> str:
    number = fault.errno if isinstance(fault, OSError) else None
    return os.strerror(number) if number is not None and number > 0 else str(fault)
