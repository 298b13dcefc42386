"""How a video leaves: whole, or spoilt as a fault says. The same for every dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from veopipe.simulator.answers import Answer
from veopipe.simulator.faults import FaultOrder
from veopipe.simulator.wire import ENTRY, begin, cut, respond

ELSEWHERE = "/_elsewhere/"
"""Where the other host of `redirect_302_other_host` has the videos, by task."""


async def send_video(
    request: web.Request, video: bytes, fault: FaultOrder | None, task_id: str = ""
) -> web.StreamResponse:
    """The answer to a download whose honest body is `video`.

    Args:
        request: the download.
        video: all of it.
        fault: what goes wrong.
        task_id: whose video it is, for a redirect.
    """
    name = fault.fault.name if fault else ""
    if name == "content_cut":
        return cut(request)
    if fault is not None and name == "redirect_302_other_host":
        place = str(fault.parameters["location"])
        place = place or f"http://localhost:{request.url.port}{ELSEWHERE}{task_id}?signature=abc"
        return respond(request, Answer(302, b"", "text/html", headers={"Location": place}))
    if fault is not None and name in _SENT_BADLY:
        return await _SENT_BADLY[name](request, video, fault)
    if name == "corrupt_mp4":
        video = _damaged(video)
    request[ENTRY].sent = len(video)
    cache = {"Cache-Control": "public, max-age=86400"}
    return respond(request, Answer(200, video, "video/mp4", headers=cache))


async def cut_after(request: web.Request, body: bytes, sent: int, kind: str) -> web.StreamResponse:
    """Announce the whole body, send `sent` bytes of it, and close the connection."""
    response = await begin(request, kind, len(body))
    await response.write(body[:sent])
    request[ENTRY].sent = sent
    cut(request)
    return response


def _part(video: bytes, fault: FaultOrder) -> int:
    return int(len(video) * min(1.0, max(0.0, float(fault.parameters["part"]))))


async def _truncated_length(request: web.Request, video: bytes, fault: FaultOrder) -> web.StreamResponse:
    return await cut_after(request, video, _part(video, fault), "video/mp4")


async def _truncated_chunked(request: web.Request, video: bytes, fault: FaultOrder) -> web.StreamResponse:
    if fault.parameters["moov"] == "missing":
        video = _index_last(video)
    response = await begin(request, "video/mp4", None)
    request[ENTRY].sent = _part(video, fault)
    await response.write(video[: _part(video, fault)])
    await response.write_eof()
    return response


async def _stall(request: web.Request, video: bytes, fault: FaultOrder) -> web.StreamResponse:
    response = await begin(request, "video/mp4", len(video))
    request[ENTRY].sent = _part(video, fault)
    await response.write(video[: _part(video, fault)])
    await asyncio.sleep(float(fault.parameters["seconds"]))
    cut(request)
    return response


async def _slow_drip(request: web.Request, video: bytes, fault: FaultOrder) -> web.StreamResponse:
    response = await begin(request, "video/mp4", len(video))
    for start in range(0, len(video), 1024):
        await response.write(video[start : start + 1024])
        request[ENTRY].sent = min(start + 1024, len(video))
        await asyncio.sleep(float(fault.parameters["interval"]))
    await response.write_eof()
    return response


_SENT_BADLY: Mapping[str, Callable[[web.Request, bytes, FaultOrder], Awaitable[web.StreamResponse]]] = {
    "truncated_length": _truncated_length,
    "truncated_chunked": _truncated_chunked,
    "stall": _stall,
    "slow_drip": _slow_drip,
}


def _index_last(video: bytes) -> bytes:
    """The same boxes with the index behind the media data, as cameras write them; only good for cutting."""
    start = video.index(b"moov") - 4
    end = start + int.from_bytes(video[start : start + 4], "big")
    return video[:start] + video[end:] + video[start:end]


def _damaged(video: bytes) -> bytes:
    """The table of chunk positions overwritten: sizes add up, but nothing is where the index says."""
    at = video.index(b"stco") + 12
    return video[:at] + b"\xff" * 8 + video[at + 8 :]
