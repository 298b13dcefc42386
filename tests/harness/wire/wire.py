"""One connection of the fault server, and the good answers that behaviours spoil."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENCE = 20.0
"""Seconds after which a connection that nobody ends is ended here."""


@dataclass(frozen=True)
class Good:
    """The answer that the stage should get.

    Attributes:
        stage: create, poll or content.
        body: what it says.
        content_type: of it.
        task: the id of the task that is asked for.
        told: the fields of a poll that says that the task is completed, as JSON without the braces.
    """

    stage: str
    body: bytes
    content_type: str
    task: str
    told: str

    def head(self, status: str = "200 OK", length: int | None = -1, *lines: str, kind: str | None = "") -> bytes:
        """A response head; the body's real length unless told, no type if `kind` is None."""
        said = [f"HTTP/1.1 {status}"]
        if kind is not None:
            said.append(f"Content-Type: {kind or self.content_type}")
        if length is not None:
            said.append(f"Content-Length: {len(self.body) if length == -1 else length}")
        return ("\r\n".join([*said, *lines]) + "\r\n\r\n").encode("latin-1")

    @property
    def whole(self) -> bytes:
        """Head and body as they should be."""
        return self.head() + self.body

    def with_body(self, body: bytes, status: str = "200 OK", *lines: str, kind: str | None = "") -> bytes:
        """Another body, correctly framed."""
        return self.head(status, len(body), *lines, kind=kind) + body

    def telling(self, more: str) -> str:
        """A poll that says that the task is completed, and more."""
        return f"{{{self.told}, {more}}}"


@dataclass
class Request:
    """What arrived of one request."""

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: int = 0

    @property
    def key(self) -> str:
        """The key that it shows, in whichever header."""
        return self.headers.get("x-goog-api-key") or self.headers["authorization"].removeprefix("Bearer ")


class Gone(Exception):
    """The client left, or the server closes."""


class Wire:
    """One connection, and the ways to spoil it."""

    def __init__(
        self,
        connection: socket.socket,
        closing: threading.Event,
        elsewhere: Callable[[], int],
        arrived: Callable[[Request], None],
    ) -> None:
        self.connection, self.waiting = connection, b""
        self._closing, self._elsewhere, self._arrived = closing, elsewhere, arrived
        connection.settimeout(PATIENCE)

    def receive(self) -> bytes:
        """Whatever comes next."""
        try:
            found = self.connection.recv(65536)
        except OSError:
            raise Gone from None
        if not found:
            raise Gone
        return found

    def request_head(self) -> Request:
        """Read to the end of the head."""
        while b"\r\n\r\n" not in self.waiting:
            self.waiting += self.receive()
        head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        request = Request(method, path, {name.lower(): value.strip() for name, _, value in pairs})
        self._arrived(request)
        return request

    def request_body(self, request: Request, most: int | None = None) -> None:
        """Read the body, or about `most` bytes of it."""
        wanted = int(request.headers.get("content-length", 0))
        wanted = wanted if most is None else min(most, wanted)
        request.body = len(self.waiting)
        self.waiting = b""
        while request.body < wanted:
            request.body += len(self.receive())

    def request(self) -> Request:
        """Read a whole request."""
        request = self.request_head()
        self.request_body(request)
        return request

    def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self.connection.sendall(data)
        except OSError:
            raise Gone from None

    def pause(self, seconds: float = PATIENCE) -> None:
        """Wait, unless the server is being closed."""
        if self._closing.wait(seconds):
            raise Gone

    def drip(self, data: bytes, pause: float, size: int = 1) -> None:
        """Send a little at a time."""
        for start in range(0, len(data), size):
            self.send(data[start : start + size])
            self.pause(pause)

    def flood(self, data: bytes) -> None:
        """Send the same for ever."""
        block = data * (1 + 4096 // len(data))
        while not self._closing.is_set():
            self.send(block)

    @property
    def elsewhere(self) -> int:
        """The port that redirects lead to."""
        return self._elsewhere()

    def reset(self) -> None:
        """End the connection with RST, throwing away what is under way."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
