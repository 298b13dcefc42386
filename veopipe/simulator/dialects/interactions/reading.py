"""A create request's body: JSON in, a document out. Its size is capped while it comes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

LARGEST_BODY = 100 * 1024 * 1024
"""Bytes of inline data that the API takes (docs/api-facts.md, h)."""


class WrongBody(ValueError):
    """The body isn't JSON."""


class TooLarge(ValueError):
    """The body is above the gateway's limit."""


async def body_of(request: web.Request) -> bytes:
    """All of it.

    Raises:
        TooLarge: there is more than is taken.
    """
    data = bytearray()
    async for chunk in request.content.iter_chunked(256 * 1024):
        data += chunk
        if len(data) > LARGEST_BODY:
            raise TooLarge(f"Request payload size exceeds the limit: {LARGEST_BODY} bytes.")
    return bytes(data)


async def document_of(request: web.Request, body: bytes) -> Any:
    """What it holds, off the event loop: it may hold pictures of some 100 MB.

    Raises:
        WrongBody: that can't be read.
    """
    if request.content_type != "application/json":
        raise WrongBody("Request Content-Type isn't application/json.")
    try:
        return await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError):
        raise WrongBody("Invalid JSON payload received.") from None
