"""Each fault of the table, by its form on the wire and by what the ledger says afterwards."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import av
import httpx
import pymediainfo
import pytest

from tests.harness.breadth import cases
from veopipe.simulator.dialects.videos.faults import TABLE
from veopipe.simulator.server import Simulator

Create = Callable[..., httpx.Response]

CUT = "cut"
HTML = "text/html"


def _outcome(call: Callable[[], httpx.Response]) -> httpx.Response | str:
    """The answer, or `cut` where the connection closed before its end."""
    try:
        return call()
    except httpx.RemoteProtocolError:
        return CUT


# name → status (or cut), a part of the body, and how many creates are charged
CREATE_FAULTS: dict[str, tuple[int | str, str, int]] = {
    "lost_response": (CUT, "", 1),
    "cut_json": (CUT, "", 1),
    "cut_upload": (CUT, "", 0),
    "html_502": (502, "<center>nginx</center>", 1),
    "html_504": (504, "<center>nginx</center>", 1),
    "html_524": (524, "<center>nginx</center>", 1),
    "429_busy": (429, "当前分组上游负载已饱和", 0),
    "429_empty": (429, "", 0),
    "401_bad_key": (401, "Invalid token (request id: ", 0),
    "401_exhausted_midrun": (401, "Invalid token (request id: ", 0),
    "403_quota": (403, '"insufficient_user_quota"', 0),
    "503_no_channel": (503, '"model_not_found"', 0),
    "400_google": (400, "Your use case is currently not supported", 0),
    "404_retired": (404, "is no longer available", 0),
    "404_replaced": (404, "Please use gemini-omni-1.2-flash instead", 0),
    "503_retired": (503, "no available channels", 0),
    "500_do_request_failed": (500, "upstream error: do request failed", 0),
    "500_build_request_failed": (500, '"build_request_failed"', 0),
    "413_html": (413, "<center>nginx</center>", 0),
    "redirect_307": (307, "", 0),
    "ghost_id": (200, '"queued"', 1),
    "no_task_id": (200, '"id"', 1),
    "no_id": (200, '"task_id"', 1),
    "no_ids": (200, '"queued"', 1),
    "bad_id": (200, "../../admin?x=1#y", 1),
    "duplicate_id": (200, '"queued"', 1),
    "empty_status": (200, '"status": ""', 1),
    "slow_create": (200, '"queued"', 1),
    "metadata_wins": (200, '"queued"', 1),
    "big_image_ignored": (200, '"queued"', 1),
    "last_frame_ignored": (200, '"queued"', 1),
}


@cases("name", CREATE_FAULTS, quick=10)
def test_a_create_fault_answers_and_charges_as_its_name_says(simulator: Simulator, create: Create, name: str) -> None:
    status, part, charged = CREATE_FAULTS[name]
    before = len(simulator.charged)
    simulator.order_fault(name, **({"seconds": 0.2} if name == "slow_create" else {}))
    answer = _outcome(create)
    assert len(simulator.charged) - before == charged
    entry = simulator.wire[-1]
    assert (entry["fault"], entry["status"]) == (name, status)
    if isinstance(answer, str):
        assert status == CUT
    else:
        assert answer.status_code == status
        assert part in answer.text
        by_proxy = answer.headers["Content-Type"] == HTML and status != 307
        assert ("X-Oneapi-Request-Id" in answer.headers) is not by_proxy
        assert "Retry-After" not in answer.headers


def test_a_proxy_page_can_come_without_a_task_and_an_error_with_one(simulator: Simulator, create: Create) -> None:
    before = len(simulator.charged)
    simulator.order_fault("html_502", charged=False)
    assert create().status_code == 502
    assert len(simulator.charged) == before
    simulator.order_fault("500_do_request_failed", charged=True)
    assert create().json()["code"] == "do_request_failed"
    assert len(simulator.charged) == before + 1


def test_ids_that_are_missing_wrong_or_used_twice(simulator: Simulator, create: Create, client: httpx.Client) -> None:
    first = create().json()["id"]
    simulator.order_fault("duplicate_id")
    assert create().json()["id"] == first
    for name, keys in (("no_id", {"task_id"}), ("no_task_id", {"id"}), ("no_ids", set())):
        simulator.order_fault(name)
        assert create().json().keys() & {"id", "task_id"} == keys
    simulator.order_fault("ghost_id")
    ghost = create().json()["id"]
    assert client.get(f"/v1/videos/{ghost}").json()["code"] == "task_not_exist"
    assert client.get(f"/v1/videos/{ghost}/content").status_code == 404


def test_an_exhausted_key_is_refused_until_money_comes(
    simulator: Simulator, client: httpx.Client, create: Create, task: str
) -> None:
    simulator.order_fault("401_exhausted_midrun")
    assert create().status_code == 401
    assert client.get(f"/v1/videos/{task}").status_code == 401
    assert client.get(f"/v1/videos/{task}/content").status_code == 401
    simulator.fill_wallet(None)
    assert client.get(f"/v1/videos/{task}").status_code == 200


def test_a_slow_create_exists_although_the_client_left(simulator: Simulator, client: httpx.Client) -> None:
    before = len(simulator.charged)
    simulator.order_fault("slow_create", seconds=5)
    files = {"model": (None, "veo-3.1-generate-preview"), "prompt": (None, "slow"), "seconds": (None, "8")}
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/videos", files=files, timeout=0.3)
    assert [task["prompt"] for task in simulator.charged[before:]] == ["slow"]


def test_a_large_body_is_cut_or_refused_while_it_is_on_its_way(simulator: Simulator, create: Create) -> None:
    big = ("input_reference", "a.png", b"\x89PNG\r\n\x1a\n" + bytes(12 * 1024 * 1024), "image/png")
    simulator.order_fault("cut_upload")
    with pytest.raises(httpx.TransportError):
        create(big)
    assert (simulator.wire[-1]["status"], simulator.wire[-1]["files"]) == (CUT, [])


def test_what_is_dropped_silently_is_seen_in_the_log_of_the_wire(
    simulator: Simulator, create: Create, picture: Callable[..., bytes]
) -> None:
    png = picture()
    first = ("input_reference", "a.png", png, "image/png")
    simulator.order_fault("metadata_wins")
    create(seed="7", negativePrompt="blurry", resolution="1080p", metadata='{"resolution":"720p"}')
    assert set(simulator.wire[-1]["dropped"]) == {"seed", "negativePrompt", "resolution"}
    assert (simulator.charged[-1]["resolution"], simulator.charged[-1]["seed"]) == ("720p", None)
    simulator.order_fault("last_frame_ignored")
    create(first, ("last_frame", "b.png", png, "image/png"))
    assert list(simulator.wire[-1]["dropped"]) == ["last_frame"]
    assert simulator.charged[-1]["mode"] == "first frame"
    simulator.order_fault("big_image_ignored", limit=100)
    create(first)
    assert list(simulator.wire[-1]["dropped"]) == ["input_reference"]
    assert simulator.charged[-1]["mode"] == "text"


POLL_FAULTS: dict[str, tuple[int | str, Any]] = {
    "unknown_first": (200, {"status": "unknown", "progress": 0}),
    "stuck_queued": (200, {"status": "queued", "progress": 0}),
    "stuck_in_progress": (200, {"status": "in_progress", "progress": 50}),
    "flap_failed": (200, {"status": "failed", "progress": 100}),
    "failed_no_error": (200, {"status": "failed", "progress": 100}),
    "failed_with_error": (200, {"status": "failed", "error": {"code": "13", "message": "…"}}),
    "failed_http_500_with_job_body": (500, {"status": "failed", "error": {"code": 13, "message": "…"}}),
    "wrapped_data": (200, {"code": "success", "message": ""}),
    "upper_case_status": (200, {"status": "SUCCESS", "progress": "100%", "platform": "1"}),
    "nulls": (200, {"status": "completed", "progress": None, "error": None, "size": None}),
    "completed_at_while_running": (200, {"status": "completed"}),
    "back_to_in_progress": (200, {"status": "in_progress", "progress": 50}),
    "wrong_id": (200, {"id": "task_" + "0" * 32}),
    "poll_401": (401, {}),
    "poll_429": (429, {"code": "rate_limited"}),
    "poll_502_html": (502, HTML),
    "poll_html_200": (200, HTML),
    "poll_cut": (CUT, None),
    "poll_read_timeout": (CUT, None),
    "task_not_exist_first": (400, {"code": "task_not_exist"}),
    "task_not_exist_after_restart": (400, {"code": "task_not_exist"}),
}


@pytest.mark.parametrize("path", ["/v1/videos/", "/v1/video/generations/"])
@cases("name", POLL_FAULTS, quick=6)
def test_a_poll_fault_answers_as_its_name_says(
    simulator: Simulator, client: httpx.Client, task: str, name: str, path: str
) -> None:
    status, expected = POLL_FAULTS[name]
    settings = {key: "…" for key in TABLE[name].parameters if key == "message"}
    settings |= {key: 0.1 for key in TABLE[name].parameters if key == "seconds"}  # type: ignore[dict-item]
    simulator.order_fault(name, match={"task_id": task}, **settings)
    answer = _outcome(lambda: client.get(path + task))
    again = _outcome(lambda: client.get(path + task))
    if isinstance(answer, str):
        assert status == CUT
    elif expected == HTML:
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, HTML)
    else:
        assert answer.status_code == status
        assert {key: answer.json()[key] for key in expected} == expected
    assert not isinstance(again, str)
    if TABLE[name].stays:
        assert not isinstance(answer, str)
        assert again.content == answer.content
    else:
        assert again.json()["status"] == "completed"


@pytest.mark.parametrize("name", ["stuck_in_progress", "failed_no_error", "task_not_exist_after_restart"])
def test_a_task_that_is_not_done_has_no_content(
    simulator: Simulator, client: httpx.Client, task: str, name: str
) -> None:
    simulator.order_fault(name, match={"task_id": task})
    client.get(f"/v1/videos/{task}")
    answer = client.get(f"/v1/videos/{task}/content")
    assert (answer.status_code, "IN_PROGRESS" in answer.text) == {
        "stuck_in_progress": (400, True),
        "failed_no_error": (400, False),
        "task_not_exist_after_restart": (404, False),
    }[name]


CONTENT_FAULTS: dict[str, tuple[int | str, str, str]] = {
    "lag_400": (400, "task status is IN_PROGRESS", "application/json; charset=utf-8"),
    "lag_404": (404, "Task not found", "application/json; charset=utf-8"),
    "lag_502": (502, "Failed to resolve Gemini video URL", "application/json; charset=utf-8"),
    "safety_completed_502": (502, "Failed to resolve Gemini video URL", "application/json; charset=utf-8"),
    "expired_502": (502, "Upstream service returned status 404", "application/json; charset=utf-8"),
    "expired_410": (410, "video result has expired", "application/json; charset=utf-8"),
    "content_429": (429, "rate_limited", "application/json; charset=utf-8"),
    "blocked_403": (403, "request blocked", "application/json; charset=utf-8"),
    "html_200": (200, "Just a moment...", HTML),
    "json_200": (200, "task status is IN_PROGRESS", "application/json; charset=utf-8"),
    "empty_200": (200, "", "video/mp4"),
    "truncated_length": (CUT, "", ""),
    "content_cut": (CUT, "", ""),
    "redirect_302_other_host": (302, "", HTML),
}


@cases("name", CONTENT_FAULTS, quick=6)
def test_a_download_fault_answers_as_its_name_says(
    simulator: Simulator, client: httpx.Client, task: str, name: str
) -> None:
    status, part, kind = CONTENT_FAULTS[name]
    settings = {"seconds": 0.2} if "seconds" in TABLE[name].parameters else {}
    simulator.order_fault(name, match={"task_id": task}, **settings)
    answer = _outcome(lambda: client.get(f"/v1/videos/{task}/content"))
    if isinstance(answer, str):
        assert status == CUT
        return
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, kind)
    assert part in answer.text


def test_a_lag_ends_and_has_two_wordings(simulator: Simulator, client: httpx.Client, task: str) -> None:
    simulator.order_fault("lag_400", seconds=0.3, wording="new-api", match={"task_id": task})
    began = time.monotonic()
    while (answer := client.get(f"/v1/videos/{task}/content")).status_code == 400:
        assert answer.json()["error"]["message"] == "Task is not completed yet, current status: IN_PROGRESS"
    assert time.monotonic() - began >= 0.3
    assert answer.content[4:8] == b"ftyp"


@pytest.mark.parametrize("name", ["safety_completed_502", "expired_502", "expired_410"])
def test_what_is_gone_stays_gone(simulator: Simulator, client: httpx.Client, task: str, name: str) -> None:
    simulator.order_fault(name, match={"task_id": task})
    answers = [client.get(f"/v1/videos/{task}/content").status_code for _ in range(3)]
    assert answers == [410 if name == "expired_410" else 502] * 3
    assert client.get(f"/v1/videos/{task}").json()["status"] == "completed"


def test_the_truncations_lose_what_they_say(simulator: Simulator, client: httpx.Client, task: str) -> None:
    whole = client.get(f"/v1/videos/{task}/content").content
    for moov in ("missing", "first"):
        simulator.order_fault("truncated_chunked", part=0.6, moov=moov)
        answer = client.get(f"/v1/videos/{task}/content")
        assert "Content-Length" not in answer.headers
        assert len(answer.content) == int(len(whole) * 0.6)
        assert (b"moov" in answer.content) is (moov == "first")
    simulator.order_fault("truncated_length", part=0.25)
    with client.stream("GET", f"/v1/videos/{task}/content") as stream:
        got = bytearray()
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012 - what came before the cut is wanted
            for piece in stream.iter_raw():
                got += piece
    assert int(stream.headers["Content-Length"]) == len(whole)
    assert bytes(got) == whole[: len(whole) // 4]


def test_a_stall_sends_a_part_and_then_nothing(simulator: Simulator, client: httpx.Client, task: str) -> None:
    simulator.order_fault("stall", part=0.5)
    with pytest.raises(httpx.ReadTimeout):
        client.get(f"/v1/videos/{task}/content", timeout=0.3)
    assert client.get(f"/v1/videos/{task}/content").content[4:8] == b"ftyp"


def test_a_slow_drip_arrives_in_the_end(simulator: Simulator, client: httpx.Client, task: str) -> None:
    whole = client.get(f"/v1/videos/{task}/content").content
    simulator.order_fault("slow_drip", interval=0.001)
    began = time.monotonic()
    assert client.get(f"/v1/videos/{task}/content").content == whole
    assert time.monotonic() - began > len(whole) / 1024 * 0.001


def test_the_other_host_needs_no_key_and_its_visitors_are_logged(
    simulator: Simulator, client: httpx.Client, task: str
) -> None:
    simulator.order_fault("redirect_302_other_host")
    place = client.get(f"/v1/videos/{task}/content").headers["Location"]
    assert httpx.URL(place).host != httpx.URL(simulator.base_url).host
    assert httpx.get(place).content[4:8] == b"ftyp"
    assert "authorization" not in [name.lower() for name in simulator.wire[-1]["headers"]]


def _frames(data: bytes) -> int:
    """How many pictures can be decoded."""
    count = 0
    with contextlib.suppress(av.FFmpegError), av.open(io.BytesIO(data)) as container:
        for _ in container.decode(video=0):
            count += 1
    return count


def test_a_corrupt_file_has_the_right_length_and_cannot_be_decoded(
    simulator: Simulator, client: httpx.Client, task: str
) -> None:
    whole = client.get(f"/v1/videos/{task}/content").content
    simulator.order_fault("corrupt_mp4")
    broken = client.get(f"/v1/videos/{task}/content").content
    assert len(broken) == len(whole)
    assert (_frames(whole), _frames(broken)) == (192, 0)


FILE_FAULTS: dict[str, tuple[dict[str, Any], tuple[int, int, int, int]]] = {
    "wrong_resolution": ({}, (1920, 1080, 8000, 1)),
    "wrong_duration": ({"seconds": 4}, (1280, 720, 4000, 1)),
    "wrong_aspect": ({}, (720, 1280, 8000, 1)),
    "no_audio": ({}, (1280, 720, 8000, 0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILE_FAULTS)
def test_a_delivered_file_differs_as_ordered_every_time(
    simulator: Simulator, client: httpx.Client, task: str, name: str, tmp_path: Any
) -> None:
    settings, expected = FILE_FAULTS[name]
    simulator.order_fault(name, match={"task_id": task}, **settings)
    bodies = {client.get(f"/v1/videos/{task}/content").content for _ in range(2)}
    assert len(bodies) == 1
    (tmp_path / "it.mp4").write_bytes(bodies.pop())
    measured = pymediainfo.MediaInfo.parse(tmp_path / "it.mp4")
    video = measured.video_tracks[0]
    assert (video.width, video.height, video.duration, len(measured.audio_tracks)) == expected


def test_every_fault_of_the_table_is_tested_here() -> None:
    elsewhere = {"truncated_chunked", "stall", "slow_drip", "corrupt_mp4"}
    of_the_log = {name for name, fault in TABLE.items() if fault.stage == "log"}  # tests/simulator/test_account.py
    assert {*CREATE_FAULTS, *POLL_FAULTS, *CONTENT_FAULTS, *FILE_FAULTS, *elsewhere, *of_the_log} == set(TABLE)
