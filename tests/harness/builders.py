"""Takes and attempts of one shot, for tests of values: `take(attempt(Status.PARKED))`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from veopipe.takes.order import Order, OrderedPicture
from veopipe.takes.status import CHARGED, Status
from veopipe.takes.take import Attempt, Delivered, Sent, ShotState, Take

NOW = "2026-11-22T06:00:00Z"
PICTURE = OrderedPicture("input_reference", "a" * 64)
ORDER = Order(
    "veo-3.1-fast-generate-preview", "A lighthouse at sunset — späť", 8, "720p", "16:9", None, None, (PICTURE,), 1
)
FRAME = OrderedPicture("last_frame", frame="7.25", of="c" * 64)
CHAINED = replace(ORDER, pictures=(PICTURE, FRAME))
SENT = Sent("last_frame", "SC01", 1, "7.25", "d" * 64, "e" * 64, 1_234_567, "PyAV 14.2.0, FFmpeg 7.1")
FILE = Delivered(
    "renders", "hero.001.mp4", "b" * 64, 1234, width=1280, height=720, duration_s=8.0, measured={"fps": 24.0}
)


def attempt(status: Status = Status.RENDERING, number: int = 1, **more: Any) -> Attempt:
    """One with a task id, if its status says that it was charged."""
    more.setdefault("task_id", f"task_{number}" if status in CHARGED else None)
    return Attempt(number, "20261122T060000Z", status, "https://api.laozhang.ai:443", Decimal("0.3"), NOW, **more)


def take(*attempts: Attempt, number: int = 1, file: Delivered | None = None) -> Take:
    """One of `ORDER`."""
    return Take(number, ORDER.fingerprint(), ORDER, attempts or (attempt(),), file)


def full_state() -> ShotState:
    """A shot with every field that an attempt and a file can have."""
    everything = attempt(
        Status.VERIFIED,
        3,
        settled_at=NOW,
        created_at=1779283975,
        message="fine \ud800 \x1b",
        http_status=200,
        request_id="r-1",
        dialect="interactions",
        content_url="/v1beta/files/abc-1:download",
        charged_usd=Decimal("0.284604028"),
        echo_bytes=1_400,
        sent=(SENT,),
        rendered_s=(42.6, 51.25),
        fetched_s=2.5,
    )
    first = take(attempt(Status.FAILED, 1), attempt(Status.REFUSED, 2, scope="account"), everything, file=FILE)
    second = Take(2, CHAINED.fingerprint(), CHAINED, (attempt(Status.IN_DOUBT, reason="no_answer"),))
    return ShotState("hero", (first, second))
