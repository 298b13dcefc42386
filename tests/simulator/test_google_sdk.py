"""Google's own library as a witness: it shares no line with our client, and gets its videos from our simulator.

It runs in a process of its own, which has nothing of veopipe loaded.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from veopipe.simulator.server import Options, start

pytestmark = pytest.mark.slow  # to import the library takes seconds

SCRIPT = """
import json, sys, time
from google import genai
from google.genai import types

said = json.load(sys.stdin)
client = genai.Client(api_key="AIza-of-a-witness", http_options=types.HttpOptions(base_url=said["base_url"]))

def make(create, film):
    made = client.interactions.create(**create)
    told = {"id": made.id, "first": made.status}
    while made.status in {"queued", "in_progress"}:
        time.sleep(0.05)
        made = client.interactions.get(made.id)
    # Its own `output_text` and `output_video` go by the order of the steps, which isn't fixed.
    parts = [part for step in made.steps if step.type == "model_output" for part in step.content]
    told |= {"last": made.status, "text": [part.text for part in parts if part.type == "text"]}
    told["used"] = {part.modality: part.tokens for part in made.usage.output_tokens_by_modality}
    for video in (part for part in parts if part.type == "video"):
        name = video.uri.rpartition("/")[2].partition(":")[0]
        client.files.download(file=f"files/{name}", destination=film)
    return told

print(json.dumps([make(create, f"{said['film']}.{number}.mp4") for number, create in enumerate(said["creates"])]))
"""
FORMAT = {"type": "video", "delivery": "uri", "duration": "4s", "resolution": "360p"}
CREATE = {"model": "gemini-omni-1.2-flash", "input": "A lighthouse", "background": True, "response_format": FORMAT}


def test_the_library_creates_polls_and_downloads_and_pays_again_for_what_failed(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    image = {"type": "image", "data": base64.b64encode(picture()).decode(), "mime_type": "image/png"}
    blocked = [image, {"type": "text", "text": "<FIRST_FRAME> rain [simulate: blocked]"}]
    creates = [CREATE, CREATE | {"input": blocked}, CREATE | {"input": "A pier [simulate: 500_internal]"}]
    with start(Options(task_time=0.1, dialect="interactions")) as simulator:
        said = {"base_url": simulator.base_url, "creates": creates, "film": str(tmp_path / "film")}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], input=json.dumps(said), capture_output=True, text=True, timeout=150, env={}
        )
        charged = simulator.charged
    assert done.returncode == 0, done.stderr
    text, refused, twice = json.loads(done.stdout)

    assert (text["first"], text["last"], text["used"]) == ("in_progress", "completed", {"video": 4 * 1_931})
    assert (tmp_path / "film.0.mp4").read_bytes()[4:8] == b"ftyp"
    assert (refused["last"], refused["used"]) == ("completed", {"text": 15})
    assert refused["text"] == ["I can't make this video: it goes against the safety policy."]
    assert twice["last"] == "completed"
    assert [create["task_id"] for create in charged[:2]] == [text["id"], refused["id"]]
    assert [(create["mode"], create["alike"]) for create in charged] == [
        ("text", 1),
        ("first frame", 1),
        ("text", 1),  # charged, and answered with 500
        ("text", 2),  # so the library sent it once more by itself, and it was charged once more
    ]
