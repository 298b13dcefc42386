"""How answers leave: whole, cut, or in parts. The only place that touches a connection."""

from __future__ import annotations

from aiohttp import web

from veopipe.simulator.answers import Answer
from veopipe.simulator.wirelog import Entry

ENTRY: web.RequestKey[Entry] = web.RequestKey("entry", Entry)


def respond(request: web.Request, answer: Answer) -> web.Response:
    """A whole answer, noted in the log."""
    request[ENTRY].status = answer.status
    headers = {"Content-Type": answer.content_type, **answer.headers}
    if answer.by_proxy:
        headers["X-Answered-By-Proxy"] = "1"  # taken off again before it leaves
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def cut(request: web.Request, status: int | str = "cut") -> web.Response:
    """Close the connection; what was written before still goes out, nothing else does."""
    request[ENTRY].status = status
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def begin(request: web.Request, content_type: str, length: int | None, status: int = 200) -> web.StreamResponse:
    """Send the head of an answer whose body comes in parts; without a length it is chunked."""
    request[ENTRY].status = status
    response = web.StreamResponse(status=status, headers={"Content-Type": content_type})
    if length is None:
        response.enable_chunked_encoding()
    else:
        response.content_length = length
    await response.prepare(request)
    return response
