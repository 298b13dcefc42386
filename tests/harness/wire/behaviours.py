"""How a gateway can misbehave at the level of sockets: name → what is done with a connection.

A behaviour knows the good answer of the stage that is asked (create, poll, content) and spoils it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.harness.wire.wire import Good, Wire

CERTIFICATE = Path(__file__).with_name("untrusted.pem")

Behaviour = Callable[[Wire, Good], None]
BEHAVIOURS: dict[str, Behaviour] = {}
BEFORE_HTTP: frozenset[str] = frozenset({"refused", "never_accepted", "full_backlog"})
"""Behaviours of the listening socket itself."""
HTTPS: frozenset[str] = frozenset({"plain_behind_https", "tls_alert", "tls_stall", "tls_reset", "tls_untrusted"})
"""Behaviours at an https address."""


def behaviour(function: Behaviour) -> Behaviour:
    """Put a function into the table under its name."""
    BEHAVIOURS[function.__name__] = function
    return function


def answers(name: str, make: Callable[[Good], bytes], *, close: bool = True) -> None:
    """A behaviour that reads the request and answers with these bytes."""

    def act(wire: Wire, good: Good) -> None:
        wire.request()
        wire.send(make(good))
        if not close:
            wire.pause()

    BEHAVIOURS[name] = act


# --- connections -----------------------------------------------------------------------------------


@behaviour
def good(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(good.whole)


@behaviour
def latency(wire: Wire, good: Good) -> None:
    wire.request()
    wire.pause(0.2)
    wire.send(good.head())
    wire.pause(0.1)
    wire.send(good.body)


@behaviour
def refused(wire: Wire, good: Good) -> None:
    raise AssertionError("nobody listens")


@behaviour
def never_accepted(wire: Wire, good: Good) -> None:
    raise AssertionError("nobody accepts")


@behaviour
def full_backlog(wire: Wire, good: Good) -> None:
    raise AssertionError("nobody accepts")


@behaviour
def closed_at_once(wire: Wire, good: Good) -> None:
    """Nothing is read; with unread data that makes a reset."""


@behaviour
def reset_at_once(wire: Wire, good: Good) -> None:
    wire.reset()


@behaviour
def reset_after_the_head(wire: Wire, good: Good) -> None:
    wire.request_head()
    wire.reset()


@behaviour
def reset_within_the_body(wire: Wire, good: Good) -> None:
    wire.request_body(wire.request_head(), 100_000)
    wire.reset()


@behaviour
def reset_after_the_request(wire: Wire, good: Good) -> None:
    wire.request()
    wire.reset()


@behaviour
def closed_after_the_request(wire: Wire, good: Good) -> None:
    wire.request()


@behaviour
def reset_within_the_answer(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(good.head() + good.body[: len(good.body) // 2])
    wire.pause(0.05)
    wire.reset()


@behaviour
def never_reads(wire: Wire, good: Good) -> None:
    wire.pause()


@behaviour
def reads_a_little_and_stalls(wire: Wire, good: Good) -> None:
    wire.request_body(wire.request_head(), 100)
    wire.pause()


@behaviour
def closes_kept_connections(wire: Wire, good: Good) -> None:
    """Promises to keep the connection and closes it: the next request on it would be lost."""
    wire.request()
    wire.send(good.head("200 OK", -1, "Connection: keep-alive") + good.body)


@behaviour
def keeps_connections(wire: Wire, good: Good) -> None:
    for _ in range(10):
        wire.request()
        wire.send(good.head("200 OK", -1, "Connection: keep-alive") + good.body)


# --- TLS -------------------------------------------------------------------------------------------


@behaviour
def plain_behind_https(wire: Wire, good: Good) -> None:
    wire.receive()
    wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@behaviour
def tls_alert(wire: Wire, good: Good) -> None:
    wire.receive()
    wire.send(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal: handshake_failure


@behaviour
def tls_stall(wire: Wire, good: Good) -> None:
    wire.receive()
    wire.pause()


@behaviour
def tls_reset(wire: Wire, good: Good) -> None:
    wire.receive()
    wire.reset()


@behaviour
def tls_untrusted(wire: Wire, good: Good) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with suppress(OSError):
        wire.connection = context.wrap_socket(wire.connection, server_side=True)
        wire.request()


@behaviour
def tls_behind_http(wire: Wire, good: Good) -> None:
    wire.receive()
    wire.send(b"\x15\x03\x01\x00\x02\x02\x46")  # what a TLS server says to plain HTTP


# --- slow and endless ------------------------------------------------------------------------------


@behaviour
def stall_before_the_answer(wire: Wire, good: Good) -> None:
    wire.request()
    wire.pause()


@behaviour
def stall_in_the_head(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(good.head()[:-6])
    wire.pause()


@behaviour
def stall_in_the_body(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(good.head() + good.body[:-1])
    wire.pause()


@behaviour
def head_drips_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: x\r\n" * 10_000, 0.05)


@behaviour
def body_drips_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(good.head("200 OK", 1 << 19))
    wire.drip(good.body[:40] + b" " * (1 << 19), 0.05)


@behaviour
def drips_to_the_end(wire: Wire, good: Good) -> None:
    wire.request()
    wire.drip(good.head(), 0.001, 7)
    wire.drip(good.body, 0.001, 1 + len(good.body) // 50)


@behaviour
def interim_answers_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.flood(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


@behaviour
def interim_answers_drip(wire: Wire, good: Good) -> None:
    wire.request()
    while True:
        wire.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        wire.pause(0.05)


@behaviour
def headers_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(b"HTTP/1.1 200 OK\r\n")
    wire.flood(b"X-Filler: " + b"x" * 900 + b"\r\n")


@behaviour
def one_header_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    wire.flood(b"x" * 1000)


@behaviour
def status_line_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(b"HTTP/1.1 200 ")
    wire.flood(b"OK")


@behaviour
def body_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(good.head("200 OK", None))
    wire.flood(b'{"id": "task_endless", "filler": "' + b"x" * 5000)


@behaviour
def tiny_chunks_for_ever(wire: Wire, good: Good) -> None:
    wire.request()
    wire.send(good.head("200 OK", None, "Transfer-Encoding: chunked"))
    wire.flood(b"1\r\n[\r\n")
