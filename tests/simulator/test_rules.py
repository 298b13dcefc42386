"""What is accepted and what is refused, over HTTP, and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from veopipe.simulator.server import Options, Simulator, start

Create = Callable[..., httpx.Response]

FAST = "veo-3.1-fast-generate-preview"
PLAIN = {"model": FAST, "prompt": "A lighthouse at sunset", "seconds": "8"}
UNSUPPORTED = "Your use case is currently not supported"
EIGHT_4K = '{"durationSeconds":8,"resolution":"4k","aspectRatio":"16:9"}'


def _google(answer: httpx.Response) -> str:
    """Google's message inside the gateway's."""
    body = answer.json()
    assert (answer.status_code, body["code"], body["data"]) == (400, "fail_to_fetch_task", None)
    inner = json.loads(body["message"])["error"]
    assert (inner["code"], inner["status"]) == (400, "INVALID_ARGUMENT")
    return str(inner["message"])


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({"prompt": None}, 400, "invalid_request", "prompt is required"),
        ({"prompt": "  \n"}, 400, "invalid_request", "prompt is required"),
        ({"prompt": "\u200b \u3164\u2060\ufe0f\U000e0020"}, 400, "invalid_request", "prompt is required"),
        ({"seconds": "5"}, 400, "invalid_request", "seconds must be one of 4, 6, or 8"),
        ({"seconds": "8s"}, 400, "invalid_request", "seconds must be one of 4, 6, or 8"),
        ({"duration": "10"}, 400, "invalid_request", "duration must be one of 4, 6, or 8"),
        ({"resolution": "4K"}, 400, "invalid_request", "resolution must be one of 720p, 1080p, or 4k"),
        ({"aspectRatio": "1:1"}, 400, "invalid_request", "aspectRatio must be one of"),
        ({"size": "640x480"}, 400, "invalid_request", "size must be one of"),
        ({"metadata": "[]"}, 400, "invalid_request", "metadata must be a JSON object string"),
        ({"metadata": "{"}, 400, "invalid_request", "metadata must be a JSON object string"),
        ({"metadata": "[" * 100000}, 400, "invalid_request", "metadata must be a JSON object string"),
        ({"metadata": '{"durationSeconds":"8"}'}, 500, "build_request_failed", "cannot unmarshal string"),
        ({"metadata": '{"durationSeconds":8.5}'}, 500, "build_request_failed", "cannot unmarshal number 8.5"),
        ({"metadata": '{"resolution":720}'}, 500, "build_request_failed", "cannot unmarshal number 720"),
        ({"seed": "1.5"}, 500, "build_request_failed", "invalid syntax"),
        ({"input_reference": "https://example.com/a.png"}, 400, "invalid_request", "must be an uploaded file"),
        ({"prompt": "[simulate: no_such_fault]"}, 400, "invalid_request", "no fault is called 'no_such_fault'"),
        ({"prompt": "[simulate: lag_400 wording=odd]"}, 400, "invalid_request", "wording can't be 'odd'"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_by_the_gateway(
    create: Create, fields: dict[str, str | None], status: int, code: str, message: str
) -> None:
    answer = create(**fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"resolution": "1080p", "seconds": "4"},
        {"resolution": "4k", "seconds": "6", "metadata": '{"resolution":"4k"}'},
        {"size": "1920x1080", "seconds": "4"},
        {"size": "1280x720", "resolution": "1080p"},
        {"size": "1280x720", "aspectRatio": "9:16"},
        {"resolution": "720p", "metadata": '{"resolution":"1080p"}'},
        {"duration": "4"},
        {"metadata": '{"durationSeconds":6}'},
        {"resolution": "4k", "aspectRatio": "9:16", "metadata": '{"resolution":"4k"}'},
        {"seconds": None, "duration": "8", "resolution": "1080p"},
        {"referenceType": "asset"},
    ],
    ids=str,
)
def test_a_combination_that_does_not_exist_is_refused_by_google(create: Create, fields: dict[str, str | None]) -> None:
    assert UNSUPPORTED in _google(create(**fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"generateAudio": "true"}, "`generateAudio` isn't supported"),
        ({"metadata": '{"generateAudio":false}'}, "`generateAudio` isn't supported"),
        ({"video": "x"}, "`video` isn't supported"),
        ({"seed": "-1"}, "TYPE_UINT32"),
        ({"seed": "4294967296"}, "TYPE_UINT32"),
    ],
)
def test_what_google_does_not_know_is_named(create: Create, fields: dict[str, str], message: str) -> None:
    assert message in _google(create(**fields))


@pytest.fixture
def modes(picture: Callable[..., bytes]) -> dict[str, tuple[str, str, bytes, str]]:
    png, jpeg = picture("PNG"), picture("JPEG")
    return {
        "first": ("input_reference", "a.png", png, "image/png"),
        "last": ("last_frame", "b.jpg", jpeg, "image/jpeg"),
        "reference": ("referenceImages", "c.webp", picture("WEBP"), "image/webp"),
        "gif": ("input_reference", "a.gif", b"GIF89a", "image/gif"),
        "lying": ("input_reference", "a.jpg", png, "image/jpeg"),
        "large": ("input_reference", "a.png", png + b"\0" * 20 * 1024 * 1024, "image/png"),
        "extension": ("video", "a.mp4", b"\0\0\0\x18ftypmp42", "video/mp4"),
    }


@pytest.mark.parametrize(
    ("names", "fields", "message"),
    [
        (["last"], {}, UNSUPPORTED),
        (["first", "last"], {"negativePrompt": "blurry"}, UNSUPPORTED),
        (["first", "last"], {"metadata": '{"negativePrompt":"blurry"}'}, UNSUPPORTED),
        (["first", "last"], {"seconds": "4"}, UNSUPPORTED),
        (["reference"], {"negativePrompt": "blurry"}, UNSUPPORTED),
        (["reference"] * 4, {}, UNSUPPORTED),
        (["reference"], {"seconds": "6"}, UNSUPPORTED),
        (["reference"], {"referenceType": "style"}, UNSUPPORTED),
        (["reference"], {"reference_type": "ASSET"}, UNSUPPORTED),
        (["reference", "first"], {}, UNSUPPORTED),
        (["gif"], {}, "JPEG, PNG or WebP"),
        (["lying"], {}, "mimeType says image/jpeg"),
        (["large"], {}, "larger than 20 MB"),
        (["extension"], {}, "`video` isn't supported"),
    ],
)
def test_pictures_that_do_not_go_together_are_refused(
    create: Create, modes: dict[str, Any], names: list[str], fields: dict[str, str], message: str
) -> None:
    assert message in _google(create(*(modes[name] for name in names), **fields))


@pytest.mark.parametrize("spelling", ["referenceImages", "reference_image", "reference_images"])
@pytest.mark.parametrize("kind", ["referenceType", "reference_type"])
def test_every_spelling_of_reference_images_is_accepted(
    simulator: Simulator, create: Create, modes: dict[str, Any], spelling: str, kind: str
) -> None:
    one = (spelling, *modes["reference"][1:])
    task = create(one, one, one, **{kind: "asset"}).json()["id"]
    assert [t["mode"] for t in simulator.charged if t["task_id"] == task] == ["reference images"]


@pytest.mark.parametrize("spelling", ["last_frame", "lastFrame"])
def test_both_spellings_of_the_last_frame_are_accepted(
    simulator: Simulator, create: Create, modes: dict[str, Any], spelling: str
) -> None:
    task = create(modes["first"], (spelling, *modes["last"][1:])).json()["id"]
    assert [t["mode"] for t in simulator.charged if t["task_id"] == task] == ["first and last frame"]


@pytest.mark.parametrize(
    ("fields", "delivered"),
    [
        ({"seconds": None}, (4, "720p", "16:9")),
        ({"seconds": None, "duration": "8"}, (4, "720p", "16:9")),
        ({"seconds": None, "metadata": '{"durationSeconds":6}'}, (6, "720p", "16:9")),
        ({"size": "1080x1920"}, (8, "1080p", "9:16")),
        ({"size": "3840x2160", "metadata": EIGHT_4K}, (8, "4k", "16:9")),
        ({"size": "3840x2160", "resolution": "4k"}, (8, "1080p", "16:9")),
        ({"resolution": "4k", "metadata": '{"durationSeconds":8}'}, (8, "1080p", "16:9")),
        ({"aspectRatio": "9:16", "seconds": "6"}, (6, "720p", "9:16")),
        ({"seed": "4294967295", "negativePrompt": "blurry"}, (8, "720p", "16:9")),
    ],
    ids=str,
)
def test_what_is_left_out_gets_the_gateways_default(
    simulator: Simulator, create: Create, fields: dict[str, str | None], delivered: tuple[int, str, str]
) -> None:
    task_id = create(**fields).json()["id"]
    task = next(task for task in simulator.charged if task["task_id"] == task_id)
    assert (task["seconds"], task["resolution"], task["ratio"]) == delivered


def test_the_model_decides_before_everything_else(create: Create) -> None:
    missing, unknown = create(model=None, prompt=None), create(model="veo-3.1-fast", prompt=None)
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (503, "model_not_found")
    assert unknown.json()["error"]["type"] == "new_api_error"


def test_a_field_that_is_given_twice_or_unknown_is_noticed(client: httpx.Client, simulator: Simulator) -> None:
    twice = client.post("/v1/videos", files=[*((k, (None, v)) for k, v in PLAIN.items()), ("seconds", (None, "8"))])
    assert twice.json()["message"] == "seconds must be provided once"
    file = client.post("/v1/videos", data=PLAIN, files={"mask": ("a.png", b"x", "image/png")})
    assert file.json()["message"] == "unexpected file field: mask"
    client.post("/v1/videos", files={key: (None, value) for key, value in (PLAIN | {"aspect_ratio": "9:16"}).items()})
    assert list(simulator.charged[-1]["ignored"]) == ["aspect_ratio"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"model=a&prompt=b", "application/x-www-form-urlencoded"),
        (b'{"model":"a"}', "application/json"),
        (b"", "multipart/form-data"),
        (b"no boundary here", "multipart/form-data; boundary=abc"),
        (b"--abc\r\nContent-Disposition: form-data\r\n\r\nx\r\n--abc--\r\n", "multipart/form-data; boundary=abc"),
    ],
)
def test_only_a_multipart_form_is_read(client: httpx.Client, content: bytes, kind: str) -> None:
    answer = client.post("/v1/videos", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_multipart_form")


def test_nothing_refused_is_ever_charged() -> None:
    with start(Options(task_time=0)) as own, httpx.Client(base_url=own.base_url) as client:
        client.headers["Authorization"] = "Bearer k"
        client.post("/v1/videos", files={"model": (None, FAST), "prompt": (None, "a"), "seconds": (None, "5")})
        assert own.ledger == []
        assert [entry["status"] for entry in own.wire] == [400]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer wrong"])
def test_a_wrong_key_is_refused_on_every_route(header: str | None) -> None:
    with start(Options(task_time=0, key="right")) as own, httpx.Client(base_url=own.base_url) as client:
        if header is not None:
            client.headers["Authorization"] = header
        answers = [
            client.post("/v1/videos", files={"model": (None, FAST)}),
            client.get("/v1/videos/task_a"),
            client.get("/v1/video/generations/task_a"),
            client.get("/v1/videos/task_a/content"),
        ]
        for answer in answers:
            assert answer.status_code == 401
            assert answer.json()["error"]["message"].startswith("Invalid token (request id: ")
            assert answer.headers["X-Oneapi-Request-Id"] in answer.text
        client.headers["Authorization"] = "Bearer right"
        assert client.get("/v1/videos/task_a").status_code == 400


def test_the_wallet_pays_until_it_is_empty(simulator: Simulator, client: httpx.Client, create: Create) -> None:
    client.post("/_simulator/wallet", json={"usd": "0.7"})
    assert [create().status_code for _ in range(3)] == [200, 200, 403]
    assert create().json()["code"] == "insufficient_user_quota"
    assert client.get("/_simulator/ledger").json()["wallet_usd"] == "0.1"
    assert client.post("/_simulator/wallet", json={"usd": "much"}).status_code == 400


def test_routes_that_do_not_exist_answer_like_the_gateway(client: httpx.Client, task: str) -> None:
    listing = client.get("/v1/videos")
    assert listing.status_code == 404
    assert listing.json()["error"]["message"] == "Invalid URL (GET /v1/videos)"
    assert client.delete(f"/v1/videos/{task}").status_code == 404
    assert client.get("/v1/videos/task_unknown").json()["code"] == "task_not_exist"
    assert client.get("/v1/videos/task_unknown").status_code == 400
    assert client.get("/v1/videos/task_unknown/content").status_code == 404
    assert "X-Oneapi-Request-Id" in listing.headers


def test_a_task_goes_through_its_three_answers() -> None:
    with start(Options(task_time=1.0, content_lag=0.3)) as own, httpx.Client(base_url=own.base_url) as client:
        client.headers["Authorization"] = "Bearer k"
        task = client.post("/v1/videos", files={key: (None, value) for key, value in PLAIN.items()}).json()["id"]
        seen, early = [], client.get(f"/v1/videos/{task}/content")
        assert (early.status_code, early.json()["error"]["message"]) == (400, "task status is IN_PROGRESS")
        while not seen or seen[-1][0] != "completed":
            body = client.get(f"/v1/videos/{task}").json()
            assert ("completed_at" in body) == (body["status"] == "completed")
            if (body["status"], body["progress"]) not in seen:
                seen.append((body["status"], body["progress"]))
        assert seen == [("queued", 0), ("in_progress", 50), ("completed", 100)]
        assert client.get(f"/v1/videos/{task}/content").status_code == 400
        while (video := client.get(f"/v1/videos/{task}/content")).status_code == 400:
            assert "task status is IN_PROGRESS" in video.text
        assert video.headers["Content-Type"] == "video/mp4"
        assert int(video.headers["Content-Length"]) == len(video.content)
        assert client.get(f"/v1/videos/{task}/content").content == video.content


# --- Omni ------------------------------------------------------------------------------------------


OMNI = {"model": "gemini-omni-1.2-flash", "seconds": "5"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"seconds": "3", "resolution": "360p", "size": "640x360"},
        {"seconds": "10", "resolution": "1080p", "size": "1080x1920"},
        {"resolution": "1080p"},
        {"size": "360x640"},
    ],
    ids=str,
)
def test_omni_makes_three_to_ten_seconds_in_three_resolutions(create: Create, fields: dict[str, str]) -> None:
    assert create(**{**OMNI, **fields}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seconds": "2"}, "seconds must be one of 3, 4, 5, 6, 7, 8, 9, or 10"),
        ({"seconds": "11"}, "seconds must be one of 3"),
        ({"resolution": "4k"}, "resolution must be one of 360p, 720p, or 1080p"),
        ({"size": "3840x2160"}, "size must be one of 640x360"),
        ({"negativePrompt": "blurry"}, UNSUPPORTED),
        ({"seed": "7"}, UNSUPPORTED),
        ({"metadata": '{"seed":7}'}, UNSUPPORTED),
        ({"metadata": "{}"}, UNSUPPORTED),
        ({"duration": "5"}, UNSUPPORTED),
        ({"aspectRatio": "9:16"}, UNSUPPORTED),
        ({"size": "640x360", "resolution": "720p"}, UNSUPPORTED),
    ],
    ids=str,
)
def test_omni_refuses_what_it_doesnt_make(create: Create, fields: dict[str, str], message: str) -> None:
    answer = create(**{**OMNI, **fields})
    assert answer.status_code == 400
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("number", "frames", "status"), [(1, 0, 200), (6, 0, 200), (7, 0, 400), (1, 1, 400), (0, 1, 200)]
)
def test_omni_takes_six_references_or_frames(
    create: Create, picture: Callable[..., bytes], number: int, frames: int, status: int
) -> None:
    one = picture()
    files = [("reference_images", "a.png", one, "image/png")] * number + [
        ("input_reference", "f.png", one, "image/png")
    ] * frames
    assert create(*files, **OMNI).status_code == status


def test_veo_makes_no_size_of_omni(create: Create) -> None:
    assert "resolution must be one of 720p" in create(resolution="360p").json()["message"]
    assert "size must be one of" in create(size="640x360").json()["message"]
