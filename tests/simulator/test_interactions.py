"""The simulated Interactions API: what it takes, what it refuses, what it charges, and how it misbehaves."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from veopipe.simulator.dialects.interactions.faults import TABLE
from veopipe.simulator.server import Options, Simulator, start

OMNI = "gemini-omni-1.2-flash"
FORMAT = {"type": "video", "delivery": "uri", "duration": "4s"}
PLAIN = {"model": OMNI, "input": "A lighthouse", "background": True, "response_format": FORMAT}
KEY = {"x-goog-api-key": "AIza-a-test-key"}

Create = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with start(Options(task_time=0, dialect="interactions")) as running:
        yield running


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    shared.clear_faults()
    shared.fill_wallet(None)
    return shared


@pytest.fixture
def client(simulator: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=simulator.base_url, headers=KEY, timeout=20) as made:
        yield made


@pytest.fixture
def create(client: httpx.Client) -> Create:
    """Create with keys over `PLAIN` (None takes one away)."""

    def call(**keys: Any) -> httpx.Response:
        whole = PLAIN | keys
        return client.post(
            "/v1beta/interactions", json={name: value for name, value in whole.items() if value is not None}
        )

    return call


def poll(client: httpx.Client, created: httpx.Response) -> dict[str, Any]:
    found = client.get(f"/v1beta/interactions/{created.json()['id']}").json()
    assert isinstance(found, dict)
    return found


def outputs(interaction: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for step in interaction["steps"] if step["type"] == "model_output" for part in step["content"]]


def image(picture: Callable[..., bytes], kind: str = "PNG", media_type: str = "image/png") -> dict[str, str]:
    return {"type": "image", "data": base64.b64encode(picture(kind)).decode(), "mime_type": media_type}


# --- the good case -----------------------------------------------------------------------------------


def test_a_video_is_made_polled_and_downloaded(client: httpx.Client, create: Create, simulator: Simulator) -> None:
    created = create()
    assert created.json()["status"] == "in_progress"
    assert created.json()["id"].startswith("v1_")
    done = poll(client, created)
    (video,) = outputs(done)
    assert done["status"] == "completed"
    assert {len(step["signature"]) for step in done["steps"] if step["type"] == "thought"} == {6_804}
    answer = client.get(video["uri"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert answer.content[4:8] == b"ftyp"


def test_it_answers_under_both_versions(client: httpx.Client) -> None:
    created = client.post("/v1/interactions", json=PLAIN)
    assert client.get(f"/v1/interactions/{created.json()['id']}").status_code == 200


def test_a_poll_repeats_what_was_sent_and_its_steps_come_in_any_order(
    client: httpx.Client, create: Create, picture: Callable[..., bytes]
) -> None:
    sent = [image(picture), {"type": "text", "text": "<FIRST_FRAME> rain"}]
    created = create(input=sent)
    seen = set()
    for _ in range(30):
        done = poll(client, created)
        assert [step["content"] for step in done["steps"] if step["type"] == "user_input"] == [sent]
        seen.add(tuple(step["type"] for step in done["steps"]))
    assert len(seen) > 1


def test_the_time_of_creation_moves(client: httpx.Client, create: Create) -> None:
    created = create()
    first = poll(client, created)["created"]
    end = time.monotonic() + 10
    while poll(client, created)["created"] == first:
        assert time.monotonic() < end


def test_without_background_it_answers_when_the_video_is_made() -> None:
    with start(Options(task_time=0.3, dialect="interactions")) as slow:
        where = f"{slow.base_url}/v1beta/interactions"
        began = time.monotonic()
        answer = httpx.post(where, headers=KEY, json=PLAIN | {"background": False}, timeout=60)
        assert time.monotonic() - began >= 0.3
        assert answer.json()["status"] == "completed"
        assert httpx.post(where, headers=KEY, json=PLAIN, timeout=60).json()["status"] == "in_progress"


def test_without_an_address_the_video_comes_inside_up_to_4_megabytes(client: httpx.Client, create: Create) -> None:
    form = {"type": "video", "duration": "4s", "resolution": "360p"}
    (video,) = outputs(poll(client, create(response_format=form)))
    assert base64.b64decode(video["data"])[4:8] == b"ftyp"
    done = poll(client, create(response_format=form | {"resolution": "1080p"}))
    assert done["status"] == "failed"
    assert "too large" in done["errors"][0]["message"]


@pytest.mark.parametrize(
    ("resolution", "ratio", "size"),
    [("360p", "16:9", b"640x360"), ("360p", "9:16", b"360x640")],
)
def test_every_size_is_delivered(
    resolution: str, ratio: str, size: bytes, client: httpx.Client, create: Create
) -> None:
    form = FORMAT | {"resolution": resolution, "aspect_ratio": ratio, "duration": "3s"}
    (video,) = outputs(poll(client, create(response_format=form)))
    content = client.get(video["uri"]).content
    width, height = (int(number) for number in size.split(b"x"))
    assert width.to_bytes(2, "big") + b"\0\0" + height.to_bytes(2, "big") in content


# --- money -------------------------------------------------------------------------------------------


def cost(usage: dict[str, Any], video: str = "12") -> Decimal:
    made = {part["modality"]: part["tokens"] for part in usage["output_tokens_by_modality"]}
    text = made.get("text", 0) + usage["total_thought_tokens"]
    return (made.get("video", 0) * Decimal(video) + text * 9 + usage["total_input_tokens"] * Decimal("1.5")) / 10**6


@pytest.mark.parametrize(("model", "price"), [(OMNI, "12"), ("gemini-omni-1.1-flash", "17.5")])
def test_the_charge_is_what_its_tokens_cost(
    model: str, price: str, client: httpx.Client, create: Create, simulator: Simulator, picture: Callable[..., bytes]
) -> None:
    created = create(model=model, input=[image(picture), {"type": "text", "text": "<FIRST_FRAME> rain"}])
    usage = poll(client, created)["usage"]
    assert usage["output_tokens_by_modality"] == [{"modality": "video", "tokens": 4 * 5_792}]
    assert usage["total_tokens"] == usage["total_input_tokens"] + usage["total_output_tokens"] + 732
    assert Decimal(simulator.charged[-1]["price_usd"]) == cost(usage, price)


def test_what_is_blocked_costs_next_to_nothing(client: httpx.Client, create: Create, simulator: Simulator) -> None:
    done = poll(client, create(input="A cat [simulate: blocked]"))
    assert done["status"] == "completed"
    assert [part["type"] for part in outputs(done)] == ["text"]
    charge = Decimal(simulator.charged[-1]["price_usd"])
    assert 0 < charge == cost(done["usage"]) < Decimal("0.001")


def test_an_empty_wallet_is_a_matter_of_billing(create: Create, simulator: Simulator) -> None:
    simulator.fill_wallet(Decimal("0.10"))
    count = len(simulator.ledger)
    answer = create()
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert len(simulator.ledger) == count


def test_a_restart_knows_what_was_charged_and_goes_on(tmp_path: Path) -> None:
    options = Options(task_time=0, folder=tmp_path, dialect="interactions")
    with start(options) as first, httpx.Client(base_url=first.base_url, headers=KEY) as client:
        created = client.post("/v1beta/interactions", json=PLAIN)
        charged = json.dumps(first.charged)
    with start(options) as second, httpx.Client(base_url=second.base_url, headers=KEY) as client:
        assert json.dumps(second.charged) == charged
        done = poll(client, created)
        assert done["response_format"] == FORMAT
        assert client.get(outputs(done)[0]["uri"]).status_code == 200


# --- what it refuses ---------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"prompt": "x"}, 'Unknown name "prompt"'),
    "unknown field of the format": ({"response_format": FORMAT | {"fps": 24}}, 'Unknown name "fps" at'),
    "no model": ({"model": None}, "model is required"),
    "no text": ({"input": "  "}, "must have a text"),
    "no input": ({"input": None}, "must have a text"),
    "odd content": ({"input": [{"type": "audio"}, {"type": "text", "text": "x"}]}, "unknown type of content"),
    "no format": ({"response_format": None}, "response_format.type"),
    "a bare duration": ({"response_format": FORMAT | {"duration": "8"}}, "response_format.duration"),
    "a number": ({"response_format": FORMAT | {"duration": 8}}, "response_format.duration"),
    "too short": ({"response_format": FORMAT | {"duration": "2s"}}, "between 3s and 10s"),
    "too long": ({"response_format": FORMAT | {"duration": "11s"}}, "between 3s and 10s"),
    "a ratio": ({"response_format": FORMAT | {"aspect_ratio": "1:1"}}, "response_format.aspect_ratio"),
    "a resolution": ({"response_format": FORMAT | {"resolution": "480p"}}, "response_format.resolution"),
    "background as text": ({"background": "true"}, "'background' (TYPE_BOOL)"),
    "background without store": ({"store": False}, "requires store"),
    "sampling": ({"generation_config": {"seed": 7}}, 'Unknown name "seed"'),
    "a task": ({"generation_config": {"video_config": {"task": "dream"}}}, "video_config.task"),
    "a task that doesn't fit": ({"generation_config": {"video_config": {"task": "image_to_video"}}}, "doesn't fit"),
    "a tag without a picture": ({"input": "<FIRST_FRAME> x"}, "names 1 images, the input has 0"),
    "a gap": ({"input": "<IMAGE_REF_1> x"}, "counts from 0"),
    "last without first": ({"input": "<LAST_FRAME> x"}, "needs <FIRST_FRAME>"),
    "seven references": ({"input": " ".join(f"<IMAGE_REF_{n}>" for n in range(7))}, "at most 6"),
}


@pytest.mark.parametrize(("keys", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_refused_and_costs_nothing(
    keys: dict[str, Any], message: str, create: Create, simulator: Simulator
) -> None:
    count = len(simulator.ledger)
    answer = create(**keys)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert message in answer.json()["error"]["message"]
    assert len(simulator.ledger) == count


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "not base64!"}, "Base64 decoding failed"),
        ({"data": None}, "Base64 decoding failed"),
        ({"mime_type": "image/jpeg"}, "Unable to process input image"),
        ({"mime_type": "video/mp4"}, "input.mime_type"),
        ({"uri": "files/x"}, 'Unknown name "uri"'),
    ],
)
def test_a_wrong_picture_is_refused(
    change: dict[str, Any], message: str, create: Create, picture: Callable[..., bytes]
) -> None:
    answer = create(input=[image(picture) | change, {"type": "text", "text": "<FIRST_FRAME> rain"}])
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_an_unknown_model_is_a_404(create: Create) -> None:
    answer = create(model="veo-3.1-generate-preview")
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"[]", b"null"])
def test_a_body_that_is_no_request_is_a_400(body: bytes, client: httpx.Client) -> None:
    answer = client.post("/v1beta/interactions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert client.post("/v1beta/interactions", data={"model": OMNI}).status_code == 400


def test_keys_are_asked_for_in_the_header_alone(client: httpx.Client, create: Create) -> None:
    video = outputs(poll(client, create()))[0]["uri"]
    with start(Options(key="right", dialect="interactions")) as strict:
        where = f"{strict.base_url}/v1beta/interactions"
        assert httpx.post(where, json=PLAIN).status_code == 403
        assert httpx.post(where, params={"key": "right"}, json=PLAIN).status_code == 403
        assert httpx.post(where, headers={"Authorization": "Bearer right"}, json=PLAIN).status_code == 403
        wrong = httpx.post(where, headers={"x-goog-api-key": "wrong"}, json=PLAIN)
        assert (wrong.status_code, wrong.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
        assert httpx.post(where, headers={"x-goog-api-key": "right"}, json=PLAIN).status_code == 200
    assert httpx.get(video).status_code == 403


def test_unknown_ids_files_and_routes(client: httpx.Client, create: Create) -> None:
    unknown = client.get("/v1beta/interactions/v1_nobody")
    assert (unknown.status_code, unknown.json()["error"]["message"][:24]) == (400, "Invalid interaction name")
    assert client.get("/v1beta/files/nobody:download?alt=media").status_code == 403
    page = client.get("/v1beta/models")
    assert (page.status_code, page.headers["content-type"][:9]) == (404, "text/html")


def test_without_alt_media_it_is_what_is_known_of_the_file(client: httpx.Client, create: Create) -> None:
    uri = outputs(poll(client, create()))[0]["uri"]
    for place in (uri.partition("?")[0], uri.partition(":download")[0]):
        assert client.get(place).json()["state"] == "ACTIVE"


# --- faults ------------------------------------------------------------------------------------------

CREATE_ANSWERS = {
    "html_502": 502,
    "500_internal": 500,
    "503_overloaded": 503,
    "429_quota": 429,
    "400_safety": 400,
    "400_value": 400,
    "400_key": 400,
    "400_billing": 400,
    "403_denied": 403,
    "404_retired": 404,
    "413_html": 413,
    "redirect_307": 307,
    "no_id": 200,
    "bad_id": 200,
    "duplicate_id": 200,
    "ghost_id": 200,
    "blocked": 200,
    "slow_create": 200,
}
CHARGED = {*("html_502", "500_internal", "no_id", "bad_id", "duplicate_id", "ghost_id", "blocked", "slow_create")}


@pytest.mark.parametrize(("name", "status"), CREATE_ANSWERS.items(), ids=CREATE_ANSWERS)
def test_a_create_fault_answers_and_charges_as_it_says(
    name: str, status: int, create: Create, simulator: Simulator
) -> None:
    settings: dict[str, Any] = {"seconds": 0.1} if name == "slow_create" else {}
    simulator.order_fault(name, **settings)
    count = len(simulator.charged)
    answer = create()
    assert (answer.status_code, len(simulator.charged) - count) == (status, int(name in CHARGED))
    assert create().status_code == 200


@pytest.mark.parametrize("name", ["lost_response", "cut_json"])
def test_an_answer_that_is_lost_was_charged(name: str, create: Create, simulator: Simulator) -> None:
    simulator.order_fault(name)
    count = len(simulator.charged)
    with pytest.raises(httpx.HTTPError):
        create()
    assert len(simulator.charged) == count + 1


POLL_ANSWERS = {
    "credentials_400": (400, "Multiple authentication credentials"),
    "blobstore_400": (400, "blobstore:///"),
    "unknown_id_first": (400, "Invalid interaction name"),
    "unknown_id": (400, "Invalid interaction name"),
    "denied_403": (403, "may not exist"),
    "poll_key_400": (400, "API_KEY_INVALID"),
    "poll_403_list": (403, "PERMISSION_DENIED"),
    "poll_429": (429, "RESOURCE_EXHAUSTED"),
    "poll_502_html": (502, "Bad Gateway"),
    "poll_503": (503, "UNAVAILABLE"),
    "poll_html_200": (200, "Please log in"),
    "unknown_word": (200, "reticulating"),
    "stuck": (200, "in_progress"),
    "flap_failed": (200, '"failed"'),
    "ended": (200, "An internal error"),
    "wrong_id": (200, "v1_0000"),
    "no_address": (200, '"completed"'),
    "no_usage": (200, '"completed"'),
    "inline": (200, '"data": "AAAA"'),
    "other_host": (200, "http://localhost:"),
    "long_echo": (200, "A" * 1000),
}


@pytest.mark.parametrize(("name", "found"), POLL_ANSWERS.items(), ids=POLL_ANSWERS)
def test_a_poll_fault_answers_as_it_says_and_goes_on_afterwards_unless_it_stays(
    name: str, found: tuple[int, str], client: httpx.Client, create: Create, simulator: Simulator
) -> None:
    task = create().json()["id"]
    simulator.order_fault(name)
    answer = client.get(f"/v1beta/interactions/{task}")
    assert (answer.status_code, found[1] in answer.text) == (found[0], True)
    again = client.get(f"/v1beta/interactions/{task}")
    is_fine = again.status_code == 200 and again.json()["status"] == "completed" and ":download" in again.text
    assert is_fine is (not TABLE[name].stays or name == "other_host")


@pytest.mark.parametrize(("name", "settings"), [("poll_cut", {}), ("poll_read_timeout", {"seconds": 0.1})])
def test_a_poll_may_get_no_answer(
    name: str, settings: dict[str, Any], client: httpx.Client, create: Create, simulator: Simulator
) -> None:
    task = create().json()["id"]
    simulator.order_fault(name, **settings)
    with pytest.raises(httpx.HTTPError):
        client.get(f"/v1beta/interactions/{task}")


CONTENT_ANSWERS = {
    "processing": (400, b"not in an ACTIVE state"),
    "expired_403": (403, b"may not exist"),
    "expired_404": (404, b"NOT_FOUND"),
    "content_429": (429, b"RESOURCE_EXHAUSTED"),
    "html_200": (200, b"Just a moment"),
    "metadata_200": (200, b'"state": "ACTIVE"'),
    "empty_200": (200, b""),
    "corrupt_mp4": (200, b"ftyp"),
    "redirect_302_other_host": (302, b""),
}


@pytest.mark.parametrize(("name", "found"), CONTENT_ANSWERS.items(), ids=CONTENT_ANSWERS)
def test_a_content_fault_answers_as_it_says(
    name: str, found: tuple[int, bytes], client: httpx.Client, create: Create, simulator: Simulator
) -> None:
    uri = outputs(poll(client, create()))[0]["uri"]
    simulator.order_fault(name)
    answer = client.get(uri)
    assert answer.status_code == found[0]
    assert found[1] in answer.content


def test_a_redirect_leads_to_the_video_without_a_key(
    client: httpx.Client, create: Create, simulator: Simulator
) -> None:
    uri = outputs(poll(client, create()))[0]["uri"]
    simulator.order_fault("redirect_302_other_host")
    elsewhere = client.get(uri).headers["location"]
    assert httpx.get(elsewhere).content == client.get(uri).content


def test_a_prompt_and_the_control_surface_order_faults(client: httpx.Client, create: Create) -> None:
    assert create(input="A cat [simulate: 429_quota retry_after=3]").headers["retry-after"] == "3"
    assert create(input="A cat [simulate: nothing]").status_code == 400
    client.post("/_simulator/faults", json={"fault": "403_denied"})
    assert create().json()[0]["error"]["status"] == "PERMISSION_DENIED"
    known = client.get("/_simulator/faults").json()["known"]
    assert {fault["fault"] for fault in known} == set(TABLE)


def test_every_fault_has_a_test() -> None:
    shared_with_videos = {
        *("truncated_length", "truncated_chunked", "stall", "slow_drip", "content_cut"),
        *("wrong_resolution", "wrong_duration", "wrong_aspect", "no_audio"),
    }
    here = {
        *CREATE_ANSWERS,
        *POLL_ANSWERS,
        *CONTENT_ANSWERS,
        "lost_response",
        "cut_json",
        "poll_cut",
        "poll_read_timeout",
    }
    assert here | shared_with_videos == set(TABLE)


def test_there_is_no_other_dialect() -> None:
    with pytest.raises(ValueError, match="no dialect 'esperanto'"):
        start(Options(dialect="esperanto"))
