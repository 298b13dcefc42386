"""The bare ruler: asyncio streams and HTTP by hand; one connection a take, and nothing besides."""

from __future__ import annotations

import asyncio
import json
import sys
from urllib.parse import urlsplit

BASE, SHOTS, PLACES, MEGABYTES, INTERVAL = sys.argv[1], *map(int, sys.argv[2:5]), float(sys.argv[5])
HOST = urlsplit(BASE)
HEAD = f"Host: {HOST.netloc}\r\nAuthorization: Bearer sk-benchmark\r\n"
FIELDS = {"model": "veo-3.1-fast-generate-preview", "seconds": "4", "size": "1280x720", "resolution": "720p"}


async def answer(reader: asyncio.StreamReader) -> int:
    """The length of an answer's body, whose head was read."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if " 200 " not in head.partition("\r\n")[0]:
        raise SystemExit(head)
    return int(head.partition("content-length:")[2].partition("\r\n")[0])


async def create(number: int) -> str:
    """Order one video, on a connection of its own; its id."""
    reader, writer = await asyncio.open_connection(HOST.hostname, HOST.port)
    parts = {**FIELDS, "prompt": f"{MEGABYTES} MB, shot {number}"}
    body = "".join(f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in parts.items())
    body += "--b--\r\n"
    head = f"POST /v1/videos HTTP/1.1\r\n{HEAD}Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    found = json.loads(await reader.readexactly(await answer(reader)))
    writer.close()
    return str(found["id"])


async def make(number: int, places: asyncio.Semaphore) -> None:
    """Order, poll, fetch."""
    async with places:
        task = await create(number)
        reader, writer = await asyncio.open_connection(HOST.hostname, HOST.port)
        while True:
            writer.write(f"GET /v1/videos/{task} HTTP/1.1\r\n{HEAD}\r\n".encode())
            if json.loads(await reader.readexactly(await answer(reader)))["status"] == "completed":
                break
            await asyncio.sleep(INTERVAL)
        writer.write(f"GET /v1/videos/{task}/content HTTP/1.1\r\n{HEAD}\r\n".encode())
        left = await answer(reader)
        with open(f"{number:04d}.mp4", "wb") as out:  # noqa: ASYNC230  the barest there is
            while left:
                piece = await reader.read(min(left, 1 << 18))
                out.write(piece)
                left -= len(piece)
        writer.close()


async def main() -> None:
    places = asyncio.Semaphore(PLACES)
    await asyncio.gather(*(make(number, places) for number in range(SHOTS)))


asyncio.run(main())
