"""Over the wire of each dialect: a video begins with the first picture of its order and ends on its last one."""

from __future__ import annotations

import base64
import io
from collections import deque
from collections.abc import Callable
from pathlib import Path

import av
import httpx
from PIL import Image, ImageChops, ImageStat

from tests.simulator.conftest import FAST
from veopipe.simulator.server import Options, start

KEYS = {"Authorization": "Bearer sk-a-test-key", "x-goog-api-key": "AIza-a-test-key"}
SIZE = (1280, 720)
SMALL = (640, 360)


def picture(shade: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", SIZE, shade).save(out, "PNG")
    return out.getvalue()


FIRST, LAST = picture((200, 120, 40)), picture((40, 120, 200))


def ask_videos(client: httpx.Client) -> bytes:
    fields = {"model": FAST, "prompt": "rain", "seconds": "8"}
    parts = [(name, (None, value)) for name, value in fields.items()]
    files = [("input_reference", ("a.png", FIRST, "image/png")), ("last_frame", ("b.png", LAST, "image/png"))]
    created = client.post("/v1/videos", files=[*parts, *files])
    return client.get(f"/v1/videos/{created.json()['id']}/content").content


def ask_interactions(client: httpx.Client) -> bytes:
    images = [
        {"type": "image", "data": base64.b64encode(one).decode(), "mime_type": "image/png"} for one in (FIRST, LAST)
    ]
    form = {"type": "video", "delivery": "uri", "duration": "3s", "resolution": "360p"}
    text = {"type": "text", "text": "<FIRST_FRAME> rain <LAST_FRAME>"}
    body = {
        "model": "gemini-omni-1.2-flash",
        "input": [*images, text],
        "background": True,
        "response_format": form,
    }
    created = client.post("/v1beta/interactions", json=body).json()
    steps = client.get(f"/v1beta/interactions/{created['id']}").json()["steps"]
    (video,) = [part for step in steps if step["type"] == "model_output" for part in step["content"]]
    return client.get(video["uri"]).content


def answered(options: Options, ask: Callable[[httpx.Client], bytes]) -> bytes:
    with start(options) as running, httpx.Client(base_url=running.base_url, headers=KEYS, timeout=60) as client:
        return ask(client)


def look(video: bytes) -> None:
    with av.open(io.BytesIO(video)) as container:
        frames = container.decode(video=0)
        ends = (next(frames), deque(frames, maxlen=1).pop())
    for shown, wanted in zip(ends, (FIRST, LAST), strict=True):
        frame = shown.reformat(format="rgb24", src_colorspace="ITU709").to_image()
        with Image.open(io.BytesIO(wanted)) as sent:
            difference = ImageChops.difference(frame, sent.convert("RGB").resize(frame.size))
        assert max(ImageStat.Stat(difference).mean) < 6


def test_a_video_of_the_api_document_has_the_seams_of_its_order() -> None:
    look(answered(Options(task_time=0), ask_videos))


def test_an_interaction_has_them_too() -> None:
    look(answered(Options(task_time=0, dialect="interactions"), ask_interactions))


def test_they_outlive_the_gateway(tmp_path: Path) -> None:
    options = Options(task_time=0, folder=tmp_path)
    first = answered(options, ask_videos)

    def again(client: httpx.Client) -> bytes:
        (made,) = client.get("/_simulator/ledger").json()["creates"]
        return client.get(f"/v1/videos/{made['task_id']}/content").content

    assert answered(options, again) == first
    assert len(list((tmp_path / "frames").iterdir())) == 2
