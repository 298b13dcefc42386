"""A gateway for measuring: it accepts every create, and delivers a valid MP4 as long as wanted when its time has come.

The prompt says how long: `500 MB`. A clip of the simulator's (4 s at 720p) is followed by a `free` box of random
bytes that fills the file up; a player, the box walk and libmediainfo read past it. Prints its base URL.
`GET /figures` tells what it was asked and how late its videos were fetched.

With `--tls` it speaks HTTPS, as veopipe wants it of a gateway elsewhere than on this machine; `--rate` is what each
connection gets at most while it fetches a video.

    python -m benchmarks.vault [--task-time 3.0] [--listen 10.0.0.1] [--tls CERTIFICATE KEY] [--rate MB/S]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import ssl
import time
from bisect import bisect_left
from dataclasses import dataclass
from statistics import mean

from aiohttp import web

from veopipe.simulator.footage import Cut, clip
from veopipe.simulator.slate import Slate

_PIECE = os.urandom(1 << 20)
_HEADER = 8
_WINDOW_S = 5.0
_BEAT_S = 0.1  # of a connection that is held to a rate


@dataclass
class Task:
    """What was ordered: the size of its video, and when it is done and was fetched whole (seconds, monotonic)."""

    size: int
    done_at: float
    fetched_at: float | None = None


class Vault:
    """Tasks and their videos.

    Args:
        task_s: seconds that a task takes.
        rate: bytes a second that each connection gets at most; 0: all there are.
    """

    def __init__(self, task_s: float, rate: float = 0.0) -> None:
        self._task_s, self._rate = task_s, rate
        self._tasks: list[Task] = []
        self._polls: list[float] = []
        self._clip = clip(Cut(1280, 720, 4), Slate("A large file", (), ()))

    async def create(self, request: web.Request) -> web.Response:
        """POST /v1/videos."""
        form = await request.post()
        said = re.match(r"(\d+) MB", str(form["prompt"]))
        size = int(said[1]) * 1_000_000 if said else 0
        self._tasks.append(Task(size, time.monotonic() + self._task_s))
        return web.json_response(self._told(len(self._tasks) - 1, "queued"))

    async def poll(self, request: web.Request) -> web.Response:
        """GET /v1/videos/{id}."""
        number, now = int(request.match_info["number"]), time.monotonic()
        self._polls.append(now)
        return web.json_response(self._told(number, "completed" if now >= self._tasks[number].done_at else "queued"))

    def _told(self, number: int, status: str) -> dict[str, object]:
        progress = 100 if status == "completed" else 0
        told = {"id": f"task_{number}", "object": "video", "status": status, "progress": progress}
        return {**told, "created_at": 1779235200}

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}/content."""
        task = self._tasks[int(request.match_info["number"])]
        filling = max(task.size - len(self._clip), _HEADER)
        answer = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        answer.content_length = len(self._clip) + filling
        await answer.prepare(request)
        await answer.write(self._clip + filling.to_bytes(4, "big") + b"free")
        rest, began = filling - _HEADER, time.monotonic()
        most = min(len(_PIECE), int(self._rate * _BEAT_S)) if self._rate else len(_PIECE)
        while rest:
            piece = _PIECE[: min(rest, most)]
            await answer.write(piece)
            rest -= len(piece)
            if self._rate:
                due = began + (filling - rest) / self._rate
                await asyncio.sleep(max(due - time.monotonic(), 0))
        await answer.write_eof()
        task.fetched_at = time.monotonic()
        return answer

    async def figures(self, _: web.Request) -> web.Response:
        """GET /figures: creates, polls, polls a second (over all; in the best five), videos, mean seconds of delay."""
        late = [task.fetched_at - task.done_at for task in self._tasks if task.fetched_at is not None]
        spread = self._polls[-1] - self._polls[0] if len(self._polls) > 1 else 0.0
        told = {"creates": len(self._tasks), "polls": len(self._polls), "videos": len(late)}
        rate = len(self._polls) / spread if spread else 0.0
        most = max((bisect_left(self._polls, at + _WINDOW_S) - n for n, at in enumerate(self._polls)), default=0)
        told |= {"polls_a_second": rate, "most_polls_a_second": most / _WINDOW_S}
        return web.json_response({**told, "late_s": mean(late) if late else 0.0})


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--task-time", type=float, default=0.0, metavar="S")
    options.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS")
    options.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    options.add_argument("--rate", type=float, default=0.0, metavar="MB/S")
    chosen = options.parse_args()
    vault = Vault(chosen.task_time, chosen.rate * 1e6)
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if chosen.tls else None
    if secure is not None:
        secure.load_cert_chain(*chosen.tls)
    app = web.Application()
    app.router.add_post("/v1/videos", vault.create)
    app.router.add_get(r"/v1/videos/task_{number:\d+}", vault.poll)
    app.router.add_get(r"/v1/videos/task_{number:\d+}/content", vault.content)
    app.router.add_get("/figures", vault.figures)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, chosen.listen, 0, ssl_context=secure)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"{'https' if secure else 'http'}://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
