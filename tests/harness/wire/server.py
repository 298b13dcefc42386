"""A gateway that misbehaves at the level of sockets: one named behaviour per server, no HTTP library.

    with FaultServer("cut_in_the_body", video) as server:
        ...                                     # base_url, requests, connections

With `spoils` a server spoils only one stage, and with `times` only its first requests; everything else is
answered as it should be. It listens on loopback only and keeps what it saw, so that a test can say: one
request, and the key went nowhere else.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.wire.answers import BEHAVIOURS
from tests.harness.wire.behaviours import BEFORE_HTTP, HTTPS
from tests.harness.wire.spoken import SPOKEN
from tests.harness.wire.wire import Gone, Good, Request, Wire


class FaultServer:
    """Listens on a free loopback port and does the same to every connection, or to some.

    Args:
        name: the behaviour, a key of `BEHAVIOURS`.
        video: the file that a good content answer holds.
        stage: the stage that every request is taken for; None: by its path.
        spoils: the only stage that is spoiled; None: all.
        times: how many requests of that stage are spoiled; None: all.
        other: the server that redirects lead to.
        dialect: how it speaks.
    """

    def __init__(
        self,
        name: str,
        video: Path,
        *,
        stage: str | None = None,
        spoils: str | None = None,
        times: int | None = None,
        other: FaultServer | None = None,
        dialect: str = "videos",
    ) -> None:
        self.name, self.other, self.spoken = name, other, SPOKEN[dialect]
        self.requests: list[Request] = []
        self.connections = 0
        self.closing = threading.Event()
        self._video, self._stage, self._spoils, self._left = video, stage, spoils, times
        self._turn = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0)) if name not in BEFORE_HTTP else socket.socket()
        if name in BEFORE_HTTP:
            self._listener.bind(("127.0.0.1", 0))
            if name != "refused":
                self._listener.listen(0 if name == "full_backlog" else 5)
        self.port: int = self._listener.getsockname()[1]
        if name == "full_backlog":
            self._fill()

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.name in HTTPS else 'http'}://127.0.0.1:{self.port}"

    def creates(self) -> list[Request]:
        """The creates that arrived."""
        return [request for request in self.requests if request.method == "POST"]

    def _elsewhere(self) -> int:
        return self.other.port if self.other is not None else self.port

    def _fill(self) -> None:
        for _ in range(4):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", self.port))
            self._open.add(connection)

    def __enter__(self) -> Self:
        if self.name not in BEFORE_HTTP:
            self._begin(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._turn:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), f"{self.name} doesn't end"

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._turn:
                self._open.add(connection)
            self.connections += 1
            self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        wire = Wire(connection, self.closing, self._elsewhere, self.requests.append)
        with suppress(Gone, OSError, ValueError):
            if self._stage is not None or self.name in HTTPS:
                BEHAVIOURS[self.name](wire, self._good(self._stage or "create"))
            else:
                self._route(wire)
        with self._turn:
            self._open.discard(connection)
        with suppress(OSError):
            wire.connection.close()
        connection.close()

    def _route(self, wire: Wire) -> None:
        """Look at the first line without taking it out, then act as the stage deserves."""
        while b"\r\n" not in (seen := wire.connection.recv(8192, socket.MSG_PEEK)):
            if not seen:
                return
            self.closing.wait(0.01)
        method, path, _ = seen.partition(b"\r\n")[0].decode("latin-1").split(" ")
        stage = "create" if method == "POST" else "content" if self._is_content(path) else "poll"
        spoiled = self._spoils in {None, stage} and self._take_turn()
        if self._spoils == stage and path.startswith("/signed"):
            spoiled = True
        BEHAVIOURS[self.name if spoiled else "good"](wire, self._good(stage))

    def _good(self, stage: str) -> Good:
        return self.spoken.good(stage, self._video, self.base_url)

    @staticmethod
    def _is_content(path: str) -> bool:
        return path.endswith(("/content", "/video")) or ":download" in path

    def _take_turn(self) -> bool:
        with self._turn:
            if self._left is None:
                return True
            self._left -= 1
            return self._left >= 0
