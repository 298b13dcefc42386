"""The gateway on the wire: sends the requests of a dialect, and lets the dialect judge what came back.

* A create is one POST on a fresh connection, never repeated and never redirected here. Its intent is
  written *inside* the request: after DNS, connect and TLS, before the first body byte (the gate).
* Creates use httpx's synchronous client, in a thread of the caller's: the asynchronous one loses a 401 or
  413 that arrives while a large body is on its way. Polls and downloads are free and stand in `reads`.

Source: docs/design.md, 6 (The gate).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field

from veopipe import crashpoints
from veopipe.dialects.base import Evidence, Request
from veopipe.gateway.connections import lowered
from veopipe.gateway.library import httpx
from veopipe.gateway.reads import Interrupted, Reads, Untranslated, unpacked
from veopipe.values import dataclass

_PIECE = 64 << 10  # bytes of a create's body that leave together


@dataclass(slots=True)
class _Gate(httpx.SyncByteStream):
    """The body of a create; its first byte leaves only after `intent` returned."""

    body: httpx.SyncByteStream
    intent: Callable[[], None]
    passed: bool = False
    done: bool = False

    def __iter__(self) -> Iterator[bytes]:
        crashpoints.reach("gate")
        self.intent()
        self.passed = True
        crashpoints.reach("body")
        yield from _joined(self.body)
        self.done = True

    def close(self) -> None:
        self.body.close()


@dataclass(slots=True)
class Gateway(Reads):
    """One gateway, how it speaks, and a key, for what costs money, too."""

    _creates: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        Reads.__post_init__(self)
        limit = self.timeouts
        creates = httpx.Timeout(limit.connect, write=limit.create_write, read=limit.create_read)
        fresh = httpx.Limits(max_keepalive_connections=0)
        self._creates = self._network.client(fresh, headers=self._manners(), timeout=creates)

    def create(self, request: Request, intent: Callable[[], None]) -> Evidence:
        """Send the request that costs money. One call is at most one billed request; blocks.

        Args:
            request: what to send; its body may be as large as a few pictures.
            intent: writes the intent durably; what it raises passes through, and nothing was sent.

        Returns:
            What is known of the call when it is over. Never an exception for what the network did.
        """
        try:
            with self._translated():
                sent = self._creates.build_request(
                    request.method,
                    self._url(request),
                    content=request.body or None,
                    files=_files(request) or None,
                    headers=self._headers(request, self.dialect),
                )
        except Interrupted as error:  # half a character in a field, for instance
            return Evidence(error=str(error), gate_passed=False, body_done=False)
        gate = _Gate(sent.stream, _marked(intent))  # type: ignore[arg-type]
        sent.stream = gate
        try:
            with self._translated(arrived=lambda: gate.passed):
                crashpoints.reach("connect")
                response = self._creates.send(sent, stream=True)
        except _IntentFailed as error:
            raise error.cause from None
        except Interrupted as error:
            return Evidence(error=str(error), gate_passed=gate.passed, body_done=gate.done)
        return self._read_answer(gate, response, request.longest_answer)

    def _read_answer(self, gate: _Gate, response: httpx.Response, most: int) -> Evidence:
        headers = lowered(response.headers.raw)
        body, error, end = bytearray(), None, time.monotonic() + self.timeouts.create_answer
        try:
            with self._translated(arrived=lambda: True):
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > most or time.monotonic() > end:
                        error = "the answer was too long" if len(body) > most else "the answer came too slowly"
                        break
        except Interrupted as problem:
            error = str(problem)
        finally:
            response.close()
        crashpoints.reach("answer")
        answer = unpacked(headers, bytes(body), most)
        return Evidence(response.status_code, headers, answer, error, gate.passed, gate.done)


class _IntentFailed(Untranslated):
    """Carries what the intent raised through httpx, past each handler that might take it for the network's."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("the intent couldn't be written")
        self.cause = cause


def _marked(intent: Callable[[], None]) -> Callable[[], None]:
    """An intent whose failure is told apart from what the network did."""

    def write() -> None:
        try:
            intent()
        except Exception as error:
            raise _IntentFailed(error) from error

    return write


def _files(request: Request) -> list[tuple[str, tuple[str | None, str | bytes, str | None]]]:
    """The parts of a form as httpx wants them; without a file name they are texts."""
    return [(part.name, (part.file_name, part.content, part.media_type)) for part in request.parts]


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of a body in fewer and larger ones: a form comes in four for each field, and each is a system call."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
