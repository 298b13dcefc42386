"""A gateway that sends what it was told for each shot: any head and any body, byte by byte.

    with Labelled({"the prompt": answer, …}) as gateway:
        ...                     # base_url, posts, fetched

It answers creates and polls as it should; a prompt is found in the create's form.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


def answer(body: bytes, *lines: str, status: str = "200 OK", kind: str | None = "video/mp4") -> bytes:
    """A whole HTTP answer; `lines` are further header lines, and replace Content-Length where they frame it."""
    head = [f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind is not None else []), *lines]
    if not any(line.lower().startswith(("content-length", "transfer-encoding", "connection: close")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body


class Labelled:
    """Listens on a free loopback port."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self.answers = dict(answers)
        self.prompts: list[str] = []
        self.fetched: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["content-length"]))
                found = re.search(rb'name="prompt"\r\n\r\n(.*?)\r\n', form)
                outer.prompts.append(found[1].decode() if found else "")
                self._job(len(outer.prompts) - 1, "queued")

            def do_GET(self) -> None:
                number = int(self.path.split("task_")[1].split("/")[0])
                if not self.path.endswith("/content"):
                    self._job(number, "completed")
                    return
                outer.fetched[outer.prompts[number]] += 1
                self.close_connection = True
                self.wfile.write(outer.answers[outer.prompts[number]])

            def _job(self, number: int, status: str) -> None:
                job: dict[str, Any] = {"id": f"task_{number}", "object": "video", "status": status}
                self.wfile.write(answer(json.dumps(job).encode(), "Connection: close", kind="application/json"))
                self.close_connection = True

            def log_message(self, *said: object) -> None:
                """Nothing."""

        return Handler
