"""A company's network on loopback: a proxy that asks for a login, and names that only it can look up.

    with CompanyProxy(authority, {"gateway.example": simulator.port}) as proxy:
        ...                                     # url, asked, logins

The proxy takes `CONNECT name:443`, shows a certificate for that name and passes everything on to a plain HTTP
server of this machine. `.example` is a name that no DNS knows (RFC 2606), so whoever looks it up itself fails.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


@dataclass
class Authority:
    """Signs certificates, as a company's TLS inspection does.

    Attributes:
        folder: where they lie; `pem` is its own.
    """

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _openssl("req", "-x509", *_KEY, "-keyout", self.folder / "ca.key", "-out", self.pem, "-subj", "/CN=A company",
                 "-days", "30")  # fmt: skip

    @property
    def pem(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    def certify(self, name: str, *, days: int = 30) -> ssl.SSLContext:
        """A server's context with a certificate for `name`; with negative days it has expired."""
        key, wish, signed = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        kind = "IP" if name.replace(".", "").isdigit() else "DNS"
        _openssl("req", *_KEY, "-keyout", key, "-out", wish, "-subj", f"/CN={name}",
                 "-addext", f"subjectAltName={kind}:{name}")  # fmt: skip
        _openssl("x509", "-req", "-in", wish, "-CA", self.pem, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
                 "-copy_extensions", "copy", "-days", str(days), "-out", signed)  # fmt: skip
        return self.context(signed, key)

    def self_signed(self, name: str) -> ssl.SSLContext:
        """A server's context with a certificate that nobody else signed."""
        key, signed = self.folder / f"{name}.self.key", self.folder / f"{name}.self.pem"
        _openssl("req", "-x509", *_KEY, "-keyout", key, "-out", signed, "-subj", f"/CN={name}",
                 "-addext", f"subjectAltName=DNS:{name}", "-days", "30")  # fmt: skip
        return self.context(signed, key)

    @staticmethod
    def context(signed: Path, key: Path) -> ssl.SSLContext:
        """A server's context with that certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(signed, key)
        return context


class CompanyProxy:
    """Listens on a free loopback port.

    Args:
        routes: name → port of the plain server that stands for it.
        contexts: name → certificate that is shown for it.
        login: `user:password` that it asks for; None: nobody is asked.
        status: what it answers instead of letting anybody through, with words that repeat what it was told.
        junk: bytes that it sends instead of an answer, before it hangs up.
        paths: name → path that is asked for in place of the one in the request.
    """

    def __init__(
        self,
        routes: Mapping[str, int],
        contexts: Mapping[str, ssl.SSLContext],
        *,
        login: str | None = None,
        status: int | None = None,
        junk: bytes | None = None,
        paths: Mapping[str, Callable[[], str]] | None = None,
    ) -> None:
        self._routes, self._contexts, self._login, self._status = routes, contexts, login, status
        self._junk, self._paths = junk, paths or {}
        self.asked: list[str] = []
        self.logins: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            head = _head(connection)
            target = head.split()[1].decode("ascii")
            name = target.rpartition(":")[0]
            self.asked.append(target)
            login = _login(head)
            self.logins.append(login)
            if self._junk is not None:
                connection.sendall(self._junk)
                return
            if self._status or name not in self._routes or (self._login and login != self._login):
                status = self._status or (407 if self._login and login != self._login else 502)
                connection.sendall(f"HTTP/1.1 {status} No way for {login}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self._contexts[name].wrap_socket(connection, server_side=True) as secure:
                self._open.add(secure)
                self._pass_on(name, secure)

    def _pass_on(self, name: str, secure: ssl.SSLSocket) -> None:
        with socket.create_connection(("127.0.0.1", self._routes[name])) as behind:
            self._open.add(behind)
            if name in self._paths:
                first = _head(secure)
                method, _, rest = first.split(b" ", 2)
                behind.sendall(b" ".join((method, self._paths[name]().encode("ascii"), rest)))
            threading.Thread(target=_pump, args=(behind, secure), daemon=True).start()
            _pump(secure, behind)


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            raise ValueError("no request")
        head += piece
    return head


def _login(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"proxy-authorization":
            return base64.b64decode(value.split()[1]).decode("utf-8")
    return ""


def _pump(source: socket.socket, drain: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while piece := source.recv(65536):
            drain.sendall(piece)
    with contextlib.suppress(OSError):
        drain.shutdown(socket.SHUT_RDWR)
