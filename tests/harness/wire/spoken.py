"""How the fault server and its trials speak in each dialect: one task, one order, and what a good gateway says of them.

Source: docs/api-facts.md, a and h.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.harness.sold import SOLD, Sold
from tests.harness.wire.wire import Good
from veopipe.dialects.dialect import Dialect
from veopipe.dialects.interactions.dialect import Interactions
from veopipe.dialects.videos.dialect import Videos
from veopipe.takes.order import Order
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt

_FILE = "/v1beta/files/fault0001:download"
_THOUGHT = "q7Rk" * 1_700  # signatures have some 7 kB


@dataclass(frozen=True)
class Spoken:
    """How a dialect is spoken here.

    Attributes:
        dialect: the client's.
        sold: what is ordered.
        task: the id of the one task.
        content_url: where its video is, if an answer must say so.
        job: base URL, and whether it is completed → what a create or a poll says of the task.
    """

    dialect: Dialect
    sold: Sold
    task: str
    content_url: str | None
    job: Callable[[str, bool], Mapping[str, Any]]

    @property
    def order(self) -> Order:
        """What is ordered."""
        return Order(self.sold.model, "a cat", 4, "720p", "16:9", None, None, (), 1)

    @property
    def attempt(self) -> Attempt:
        """The attempt whose task is asked for."""
        more = {"task_id": self.task, "dialect": self.dialect.name, "content_url": self.content_url}
        return Attempt(1, "run-1", Status.RENDERING, "simulator", Decimal("0.3"), "", **more)  # type: ignore[arg-type]

    def good(self, stage: str, video: Path, base_url: str) -> Good:
        """What a gateway that works says at a stage."""
        told = json.dumps(self.job(base_url, True))
        if stage == "content":
            return Good(stage, video.read_bytes(), "video/mp4", self.task, told[1:-1])
        said = told if stage == "poll" else json.dumps(self.job(base_url, False))
        return Good(stage, said.encode(), "application/json", self.task, told[1:-1])


def _of_videos(base_url: str, is_completed: bool) -> Mapping[str, Any]:
    job = {"id": "task_fault0001", "task_id": "task_fault0001", "object": "video", "model": "m"}
    more = {"status": "completed", "progress": 100} if is_completed else {"status": "queued", "progress": 0}
    return job | more | {"created_at": 1779283975}


def _of_interactions(base_url: str, is_completed: bool) -> Mapping[str, Any]:
    times = {"created": "2026-11-26T06:00:00Z", "updated": "2026-11-26T06:00:00Z"}
    job = {"id": "v1_fault0001", "object": "interaction", "model": "m", **times}
    if not is_completed:
        return job | {"status": "in_progress"}
    film = {"type": "video", "mime_type": "video/mp4", "uri": f"{base_url}{_FILE}?alt=media"}
    steps = [
        {"type": "user_input", "content": [{"type": "text", "text": "a cat"}]},
        {"type": "thought", "signature": _THOUGHT},
        {"type": "model_output", "content": [film]},
    ]
    made = [{"modality": "video", "tokens": 23_168}]
    usage = {"total_input_tokens": 1, "total_output_tokens": 23_168, "output_tokens_by_modality": made}
    return job | {"status": "completed", "steps": steps, "usage": usage}


SPOKEN = {
    "videos": Spoken(Videos(), SOLD["videos"], "task_fault0001", None, _of_videos),
    "interactions": Spoken(Interactions(), SOLD["interactions"], "v1_fault0001", _FILE, _of_interactions),
}
"""Name of a dialect → how it is spoken."""
