"""A gateway for one purpose: it accepts every create, is ready at once, and delivers a valid MP4 as long as wanted.

The prompt says how long: `500 MB`. A clip of the simulator's (4 s at 720p) is followed by a `free` box of random
bytes that fills the file up; a player, the box walk and libmediainfo read past it. Prints its base URL.

    python -m benchmarks.vault
"""

from __future__ import annotations

import asyncio
import os
import re

from aiohttp import web

from veopipe.simulator.footage import Cut, clip
from veopipe.simulator.slate import Slate

_PIECE = os.urandom(1 << 20)
_HEADER = 8


class Vault:
    """Tasks and the sizes of their videos."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._clip = clip(Cut(1280, 720, 4), Slate("A large file", (), ()))

    async def create(self, request: web.Request) -> web.Response:
        """POST /v1/videos."""
        form = await request.post()
        said = re.match(r"(\d+) MB", str(form["prompt"]))
        self._sizes.append(int(said[1]) * 1_000_000 if said else 0)
        return web.json_response(self._task(len(self._sizes) - 1, "queued"))

    async def poll(self, request: web.Request) -> web.Response:
        """GET /v1/videos/{id}."""
        return web.json_response(self._task(int(request.match_info["number"]), "completed"))

    def _task(self, number: int, status: str) -> dict[str, object]:
        return {"id": f"task_{number}", "object": "video", "status": status, "progress": 100, "created_at": 1779235200}

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}/content."""
        filling = max(self._sizes[int(request.match_info["number"])] - len(self._clip), _HEADER)
        answer = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        answer.content_length = len(self._clip) + filling
        await answer.prepare(request)
        await answer.write(self._clip + filling.to_bytes(4, "big") + b"free")
        rest = filling - _HEADER
        while rest:
            piece = _PIECE[: min(rest, len(_PIECE))]
            await answer.write(piece)
            rest -= len(piece)
        return answer


async def main() -> None:
    vault = Vault()
    app = web.Application()
    app.router.add_post("/v1/videos", vault.create)
    app.router.add_get(r"/v1/videos/task_{number:\d+}", vault.poll)
    app.router.add_get(r"/v1/videos/task_{number:\d+}/content", vault.content)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
