"""The client on real sockets: what leaves it, when, and what it knows afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

from veopipe.dialects.base import Part, Progress, Request
from veopipe.dialects.videos.dialect import Videos
from veopipe.gateway.address import Address
from veopipe.gateway.client import Gateway
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt

KEY = "sk-0123456789"
ATTEMPT = Attempt(1, "run", Status.RENDERING, "http://127.0.0.1:1", Decimal(1), "", task_id="task_a=b:c")
JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class _Recorder(BaseHTTPRequestHandler):
    """Keeps what it is asked, and answers each request with the same words."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, dict[str, str], bytes]]
    said: bytes

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        named = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append((self.command, self.path, named, body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.said)))
        self.end_headers()
        self.wfile.write(self.said)

    do_GET = do_POST

    def log_message(self, *args: object) -> None:
        """Silent."""


@contextmanager
def recorder(said: bytes = b"{}") -> Iterator[tuple[str, list[tuple[str, str, dict[str, str], bytes]]]]:
    """A server, and what it was asked."""
    handler = type("Recorder", (_Recorder,), {"asked": [], "said": said})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
        server.shutdown()
        thread.join()


def gateway_at(base_url: str) -> Gateway:
    return Gateway(Address(base_url), Videos(), KEY)


def test_a_body_that_is_no_form_leaves_as_it_is_after_the_intent() -> None:
    with recorder() as (base_url, asked):
        before: list[int] = []
        evidence = gateway_at(base_url).create(
            Request("POST", "/v9/make", JSON, body=b'{"prompt": "a cat"}'), lambda: before.append(len(asked))
        )

    method, path, headers, body = asked[0]
    assert (method, path, body, before) == ("POST", "/v9/make", b'{"prompt": "a cat"}', [0])
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (evidence.status, evidence.gate_passed, evidence.body_done) == (200, True, True)


def test_a_form_leaves_part_by_part() -> None:
    parts = (Part("model", "m"), Part("picture", b"\x89PNG", "a.png", "image/png"))
    with recorder() as (base_url, asked):
        gateway_at(base_url).create(Request("POST", "/v9/make", {}, parts), lambda: None)

    boundary = asked[0][2]["content-type"].partition("boundary=")[2].encode()
    assert asked[0][3].split(b"--" + boundary)[1:3] == [
        b'\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n',
        b'\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n\x89PNG\r\n",
    ]


def test_what_cannot_be_sent_writes_no_intent() -> None:
    with recorder() as (base_url, asked):
        evidence = gateway_at(base_url).create(Request("POST", "/v9/make", {}, (Part("a", "\ud800"),)), asked.clear)

    assert (evidence.gate_passed, evidence.status, asked) == (False, None, [])
    assert evidence.error


def test_an_answer_is_read_as_far_as_the_request_says() -> None:
    with recorder(b"x" * 5000) as (base_url, _):
        short = gateway_at(base_url).create(Request("POST", "/a", {}, longest_answer=100), lambda: None)
        whole = gateway_at(base_url).create(Request("POST", "/a", {}, longest_answer=5000), lambda: None)

    assert short.error == "the answer was too long"
    assert (whole.error, len(whole.body)) == (None, 5000)


def test_a_poll_asks_for_the_task_and_takes_the_dialects_verdict() -> None:
    async def ask(base_url: str) -> Progress:
        gateway = gateway_at(base_url)
        answer = await gateway.poll(ATTEMPT)
        await gateway.close()
        return answer.progress

    with recorder(b'{"id": "task_a=b:c", "status": "completed"}') as (base_url, asked):
        assert asyncio.run(ask(base_url)) is Progress.COMPLETED

    assert asked[0][:2] == ("GET", "/v1/videos/task_a%3Db%3Ac")
    assert asked[0][2]["accept"] == "application/json"
