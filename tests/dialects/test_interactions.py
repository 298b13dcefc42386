"""Answers of Google's Interactions API, one case per known answer (docs/api-facts.md, h), and the body of a create."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from veopipe.dialects import choice
from veopipe.dialects.base import (
    LONGEST_ANSWER,
    Asked,
    CreateAnswer,
    Evidence,
    Outcome,
    Picture,
    PollAnswer,
    Progress,
    Scope,
    Tokens,
    Told,
)
from veopipe.dialects.interactions.dialect import Interactions
from veopipe.takes.order import Order, OrderedPicture
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt

ID = "v1_" + "Chd9_x-Q" * 8
BASE = "https://generativelanguage.googleapis.com"
FILE = "/v1beta/files/abc-123_x:download"
DIALECT = Interactions()
ATTEMPT = Attempt(1, "run", Status.RENDERING, f"{BASE}:443", Decimal(1), "", task_id=ID, dialect="interactions")
ORDER = Order("gemini-omni-1.2-flash", "A lighthouse", 8, "720p", "16:9", None, None, (), 1)
HTML = b"<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title></html>"
HTML_502 = b"<html><body>502 Bad Gateway</body></html>"


def api(message: str, code: str = "invalid_request") -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


def front(status: int, message: str, name: str, reason: str = "") -> dict[str, Any]:
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if reason:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return {"error": error}


def forms(status: int, message: str, name: str, reason: str = "") -> list[Any]:
    """The same error in all three forms."""
    said = front(status, message, name, reason)
    return [api(message), said, [said]]


def body_of(said: Any) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said).encode()


def answered(status: int, said: Any = b"", asked: Asked | None = None, **headers: str) -> CreateAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return DIALECT.judge_create(Evidence(status, named, body_of(said)), asked or Asked())


def polled(status: int, said: Any = b"", base_url: str = BASE, **headers: str) -> PollAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return DIALECT.judge_poll(Evidence(status, named, body_of(said), base_url=base_url), ATTEMPT)


def interaction(status: Any = "in_progress", **more: Any) -> dict[str, Any]:
    return {"id": ID, "status": status, "object": "interaction", "model": "gemini-omni-1.2-flash", **more}


def made(*content: Any) -> dict[str, Any]:
    """The steps of one that made something."""
    echo = {
        "type": "user_input",
        "content": [{"type": "image", "data": "AAAA"}, {"type": "text", "text": "A lighthouse"}],
    }
    thought = {"type": "thought", "signature": "s" * 7_000}
    return {"steps": [{"type": "model_output", "content": list(content)}, echo, thought]}


def video(uri: Any) -> dict[str, Any]:
    return {"type": "video", "mime_type": "video/mp4", "uri": uri}


def usage(video: int | None = 23_168, text: int = 0) -> dict[str, Any]:
    parts = [{"modality": "video", "tokens": video}] if video else []
    parts += [{"modality": "text", "tokens": text}] if text else []
    return {
        "usage": {
            "total_input_tokens": 19,
            "total_output_tokens": (video or 0) + text,
            "output_tokens_by_modality": parts,
            "total_thought_tokens": 732,
        }
    }


DONE = {**interaction("completed"), **made(video(f"{BASE}{FILE}?alt=media")), **usage()}

# --- create: the request -----------------------------------------------------------------------------


def pictures(*roles: str) -> tuple[Order, list[Picture]]:
    found = [Picture(role, "image/png", f"{number}".encode()) for number, role in enumerate(roles)]
    ordered = tuple(OrderedPicture(role, "a" * 64) for role in roles)
    return replace(ORDER, pictures=ordered), found


def sent(order: Order, found: list[Picture]) -> dict[str, Any]:
    request = DIALECT.create(order, found)
    assert (request.method, request.path, request.parts) == ("POST", "/v1beta/interactions", ())
    document = json.loads(request.body)
    assert isinstance(document, dict)
    return document


def test_a_text_is_sent_in_the_background_and_wants_an_address() -> None:
    assert sent(ORDER, []) == {
        "model": "gemini-omni-1.2-flash",
        "input": "A lighthouse",
        "background": True,
        "response_format": {
            "type": "video",
            "delivery": "uri",
            "aspect_ratio": "16:9",
            "resolution": "720p",
            "duration": "8s",
        },
    }


TAGGED = {
    "first frame": (("input_reference",), "<FIRST_FRAME>", "image_to_video"),
    "first and last": (("input_reference", "last_frame"), "<FIRST_FRAME> <LAST_FRAME>", "image_to_video"),
    "references": (("reference_images",) * 3, "<IMAGE_REF_0> <IMAGE_REF_1> <IMAGE_REF_2>", "reference_to_video"),
}


@pytest.mark.parametrize(("roles", "tags", "task"), TAGGED.values(), ids=TAGGED)
def test_pictures_go_first_and_tags_say_what_they_are_for(roles: tuple[str, ...], tags: str, task: str) -> None:
    document = sent(*pictures(*roles))

    *images, text = document["input"]
    assert text == {"type": "text", "text": f"{tags} A lighthouse"}
    assert [base64.b64decode(image["data"]).decode() for image in images] == [str(n) for n in range(len(roles))]
    assert {(image["type"], image["mime_type"]) for image in images} == {("image", "image/png")}
    assert document["generation_config"] == {"video_config": {"task": task}}


def test_a_tag_that_its_author_wrote_isnt_written_again() -> None:
    order, found = pictures("reference_images", "reference_images")
    document = sent(replace(order, prompt="<IMAGE_REF_1> meets the other one"), found)

    assert document["input"][-1]["text"] == "<IMAGE_REF_0> <IMAGE_REF_1> meets the other one"


def test_tags_are_no_part_of_the_order() -> None:
    order, found = pictures("input_reference")
    before = order.fingerprint()
    sent(order, found)
    assert order.fingerprint() == before


@pytest.mark.parametrize("more", [{"negative_prompt": "blurry"}, {"seed": 7}])
def test_what_it_has_no_words_for_is_never_left_out_silently(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no negative prompt and no seed"):
        DIALECT.create(replace(ORDER, **more), [])


def test_half_a_character_can_be_sent() -> None:
    assert b"\\ud800" in DIALECT.create(replace(ORDER, prompt="a \ud800"), []).body


def test_the_key_goes_into_a_header_of_its_own_and_into_no_path() -> None:
    assert DIALECT.key_header("k") == ("x-goog-api-key", "k")
    for request in (DIALECT.create(ORDER, []), DIALECT.status(ATTEMPT)):
        assert "key" not in request.path
        assert not any("key" in name.lower() for name in request.headers)


def test_the_version_is_what_its_profile_says() -> None:
    dialect = choice.dialect("interactions", choice.Settings(api_version="v1"))
    assert dialect.create(ORDER, []).path == "/v1/interactions"
    assert dialect.status(ATTEMPT).path.startswith(f"/v1/interactions/{ID}")
    assert "/v1/interactions" in dialect.settings


# --- create: the answer ------------------------------------------------------------------------------


def test_an_answer_with_an_interaction_is_accepted() -> None:
    answer = answered(200, interaction(), x_goog_request_id="r-1")
    assert (answer.outcome, answer.task_id, answer.request_id) == (Outcome.ACCEPTED, ID, "r-1")
    assert answer.created_at is None  # it moves with every poll


WITHOUT_ID = {
    "empty": b"",
    "cut": json.dumps(interaction()).encode()[:30],
    "HTML": HTML_502,
    "no id": {"object": "interaction", "status": "in_progress"},
    "another form": {"id": "task_0123", "status": "in_progress"},
    "a path": {"id": "v1_../../admin"},
    "a list": [interaction()],
    "a number": {"id": 17},
    "too long": {"id": "v1_" + "x" * 300},
    "an error": front(500, "no", "INTERNAL"),
}


@pytest.mark.parametrize("said", WITHOUT_ID.values(), ids=WITHOUT_ID)
def test_an_accepted_create_without_an_id_is_in_doubt(said: Any) -> None:
    answer = answered(200, said)
    assert (answer.outcome, answer.reason, answer.task_id) == (Outcome.IN_DOUBT, "accepted_without_id", None)


ACCOUNT = {
    "wrong key": (400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
    "key expired": (400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
    "no key": (401, "Request is missing required authentication credential.", "UNAUTHENTICATED", ""),
    "suspended": (403, "Permission denied: Consumer has been suspended.", "PERMISSION_DENIED", ""),
}


@pytest.mark.parametrize("case", ACCOUNT.values(), ids=ACCOUNT)
def test_a_refusal_of_the_account_is_one_in_every_form(case: tuple[int, str, str, str]) -> None:
    for said in forms(*case):
        answer = answered(case[0], said)
        assert (answer.outcome, answer.scope) == (Outcome.REFUSED, Scope.ACCOUNT)
        assert case[1] in answer.message


def test_billing_and_country_are_about_the_account() -> None:
    said = front(400, "User location is not supported for the API use.", "FAILED_PRECONDITION")
    assert (answered(400, said).scope, answered(400, [said]).scope) == (Scope.ACCOUNT, Scope.ACCOUNT)


SHOT = {
    "value": (400, "Invalid value at 'response_format.duration'", "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "model": (404, "models/x is not found for API version v1beta", "NOT_FOUND", "NOT_FOUND"),
    "retired": (404, "This model is no longer available.", "NOT_FOUND", "model_retired"),
    "too large": (413, "Request payload size exceeds the limit", "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "safety": (400, "The prompt was blocked by the safety filter.", "INVALID_ARGUMENT", "safety"),
    "policy": (400, "It violates our prohibited use policy", "INVALID_ARGUMENT", "safety"),
    "no channel": (503, "No available channel for model x", "UNAVAILABLE", "model_retired"),
}


@pytest.mark.parametrize(("status", "message", "name", "reason"), SHOT.values(), ids=SHOT)
def test_a_refusal_of_a_shot_is_one_in_every_form(status: int, message: str, name: str, reason: str) -> None:
    for said in forms(status, message, name):
        answer = answered(status, said, Asked(model="x"))
        assert (answer.outcome, answer.scope) == (Outcome.REFUSED, Scope.SHOT)
        assert answer.reason == ("invalid_request" if said == api(message) and reason == name else reason)
        assert message in answer.message


def test_a_page_that_isnt_there_is_about_the_address() -> None:
    answer = answered(404, HTML)
    assert (answer.outcome, answer.scope) == (Outcome.REFUSED, Scope.GATEWAY)
    assert "provider.base_url, which is what stands before /v1beta" in answer.message
    assert answered(404, HTML, Asked(has_accepted=True)).scope is Scope.SHOT


def test_too_much_asked_is_asked_again_later() -> None:
    for said in forms(429, "You exceeded your current quota", "RESOURCE_EXHAUSTED"):
        answer = answered(429, said, retry_after="7")
        assert (answer.outcome, answer.scope, answer.retry_after) == (Outcome.REFUSED, Scope.THROTTLE, 7.0)


@pytest.mark.parametrize("status", [408, 409, 418, 425, 500, 502, 503, 504, 524, 302, 307])
@pytest.mark.parametrize("said", [b"", HTML_502, front(500, "An internal error", "INTERNAL"), api("oops")])
def test_whatever_proves_nothing_is_in_doubt(status: int, said: Any) -> None:
    assert answered(status, said).outcome is Outcome.IN_DOUBT


def test_a_call_without_an_answer_is_judged_by_what_left() -> None:
    def judged(**known: Any) -> Outcome:
        return DIALECT.judge_create(Evidence(**known), Asked()).outcome

    assert judged(gate_passed=False, body_done=False) is Outcome.NOT_SENT
    assert judged(status=400, gate_passed=False, body_done=False) is Outcome.NOT_SENT
    assert judged(body_done=False) is Outcome.IN_DOUBT
    assert judged() is Outcome.IN_DOUBT


# --- polls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["queued", "in_progress", "idle"])
def test_a_known_word_of_one_that_goes_on_is_no_news(word: str) -> None:
    answer = polled(200, {**interaction(word), **made()})
    assert (answer.progress, answer.is_news) == (Progress.RUNNING, False)


@pytest.mark.parametrize("word", ["reticulating", "", None, 7, [], "completed soon", "\x1b[2J"])
def test_a_word_that_nobody_knows_means_that_it_goes_on_and_is_said(word: Any) -> None:
    answer = polled(200, interaction(word))
    assert (answer.progress, answer.is_news) == (Progress.RUNNING, True)
    assert "\x1b" not in answer.message


def test_completed_tells_the_address_and_the_tokens() -> None:
    answer = polled(200, DONE)
    assert answer == PollAnswer(
        Progress.COMPLETED, percent=100, told=Told(FILE, Tokens(video=23_168, text=732, input=19))
    )


def test_what_isnt_told_costs_what_was_set_aside() -> None:
    told = {**DONE, "usage": {"total_output_tokens": 23_168}}
    assert (polled(200, told).progress, polled(200, told).told.tokens) == (Progress.COMPLETED, None)
    assert polled(200, {**DONE, **usage()}).told.tokens == Tokens(23_168, 732, 19)
    thoughts_among_them = {**usage()["usage"], "total_output_tokens": 23_168 + 732}
    assert polled(200, {**DONE, "usage": thoughts_among_them}).told.tokens == Tokens(23_168, 2 * 732, 19)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_steps_means_nothing(seed: int) -> None:
    steps = [*DONE["steps"]]
    Random(seed).shuffle(steps)
    assert polled(200, {**DONE, "steps": steps}).told.content_url == FILE


def test_only_what_the_model_made_is_its_video_however_much_else_there_is() -> None:
    mine = video(f"{BASE}{FILE}?alt=media")
    thought = {"type": "thought", "signature": "s" * 7_000, "content": [mine], "summary": [mine]}
    others = [thought] * 60 + [{"type": "user_input", "content": [mine]}, {"type": "tool", "content": [mine]}]
    output = {"type": "model_output", "content": [mine]}
    assert polled(200, {**DONE, "steps": [*others, output]}).told.content_url == FILE
    for steps in (others, [thought] * 10 + [{"type": "model_output", "content": thought}], [mine], mine):
        answer = polled(200, {**DONE, "steps": steps})
        assert (answer.progress, answer.told.content_url) == (Progress.UNREADABLE, None)
    beyond = [{"type": "thought"}] * 1_000 + [output]
    assert polled(200, {**DONE, "steps": beyond}).progress is Progress.UNREADABLE


@pytest.mark.parametrize("word", ["failed", "cancelled", "incomplete", "budget_exceeded"])
def test_a_video_that_is_there_can_be_looked_at_whatever_the_end_is_called(word: str) -> None:
    assert polled(200, {**DONE, "status": word}).progress is Progress.COMPLETED


@pytest.mark.parametrize(
    "word", ["failed", "cancelled", "incomplete", "budget_exceeded", "requires_action", "requires_continuation"]
)
def test_an_end_without_a_video_has_failed(word: str) -> None:
    answer = polled(200, interaction(word, errors=[{"code": "internal", "message": "upstream is ill"}]))
    assert answer.progress is Progress.FAILED
    assert "upstream is ill" in answer.message
    assert (word in answer.message) is (word != "failed")


def test_completed_without_a_video_and_without_video_tokens_is_blocked_and_says_why() -> None:
    text = {"type": "text", "text": "I can't make that.\x1b[2J"}
    answer = polled(200, {**interaction("completed"), **made(text), **usage(video=None, text=15)})
    assert (answer.progress, answer.told.tokens) == (Progress.BLOCKED, Tokens(0, 747, 19))
    assert answer.message == "the gateway made no video: I can't make that.\\u001b[2J"


UNREADABLE = {
    "no output": {**made(), **usage()},
    "no usage": made({"type": "text", "text": "?"}),
    "empty usage": {**made({"type": "text", "text": "?"}), "usage": {}},
    "tokens that can't be": {**made(), "usage": {"output_tokens_by_modality": [{"modality": "text", "tokens": "9"}]}},
    "a total of nobody knows what": {**made(), "usage": {"total_output_tokens": 23_168}},
    "a total of more than its parts": {
        **made(),
        "usage": {"total_output_tokens": 23_168, "output_tokens_by_modality": [{"modality": "text", "tokens": 9}]},
    },
    "a kind that nobody knows": {**made(), "usage": {"output_tokens_by_modality": [{"modality": "film", "tokens": 9}]}},
    "no kind": {**made(), "usage": {"output_tokens_by_modality": [{"tokens": 9}]}},
    "parts that are none": {**made(), "usage": {"total_output_tokens": 0, "output_tokens_by_modality": {"text": 9}}},
    "more parts than are looked at": {
        **made(),
        "usage": {"output_tokens_by_modality": [{"modality": "text", "tokens": 0}] * 201},
    },
    "inline": {**made({"type": "video", "data": "AAAA"}), **usage()},
    "another host": {**made(video("https://evil.example/v1beta/files/x:download")), **usage()},
    "another host, no tokens": {**made(video("https://evil.example/v1beta/files/x:download")), **usage(None, 15)},
}


@pytest.mark.parametrize("more", UNREADABLE.values(), ids=UNREADABLE)
def test_a_video_that_may_be_paid_and_cannot_be_asked_for_is_unreadable(more: dict[str, Any]) -> None:
    answer = polled(200, {**interaction("completed"), **more})
    assert (answer.progress, answer.told.content_url) == (Progress.UNREADABLE, None)
    assert "its video can't be asked for" in answer.message


NOT_OURS = [
    "http://generativelanguage.googleapis.com/v1beta/files/x:download",
    "https://generativelanguage.googleapis.com:8443/v1beta/files/x:download",
    "https://generativelanguage.googleapis.com.evil.example/v1beta/files/x:download",
    "https://generativelanguage.googleapis.com@evil.example/v1beta/files/x:download",
    "https://evil.example/v1beta/files/x:download",
    "//evil.example/v1beta/files/x:download",
    "/v1beta/files/x:download",
    f"{BASE}/v1beta/files/../../admin:download",
    f"{BASE}/v1beta/files/x%2f..:download",
    f"{BASE}/v1beta/files/x",
    f"{BASE}/v1beta/files/x:delete",
    f"{BASE}/upload/v1beta/files/x:download",
    f"{BASE}\\@evil.example/v1beta/files/x:download",
    f"{BASE}/v1beta/files/x:download\r\nHost: evil",
    f"{BASE}/v1beta/files/{'x' * 3000}:download",
    "https://[::1/v1beta/files/x:download",
    "https://generativelanguage.googleapis.com:port/v1beta/files/x:download",
    "gs://bucket/x.mp4",
    "file:///etc/passwd",
    "",
    17,
    ["x"],
]


@pytest.mark.parametrize("uri", NOT_OURS, ids=str)
def test_only_the_gateways_own_files_are_asked_for(uri: Any) -> None:
    answer = polled(200, {**interaction("completed"), **made(video(uri)), **usage()})
    assert (answer.progress, answer.told.content_url) == (Progress.UNREADABLE, None)
    assert "evil\r" not in answer.message


def test_an_address_below_a_gateways_own_path_is_kept_without_it() -> None:
    base = "https://proxy.example/google"
    document = {**interaction("completed"), **made(video(f"{base}{FILE}?alt=media")), **usage()}
    assert polled(200, document, base).told.content_url == FILE


def test_the_film_itself_is_asked_for_at_this_gateway_only() -> None:
    request = DIALECT.content(replace(ATTEMPT, content_url=FILE))
    assert request is not None
    assert request.path == f"{FILE}?alt=media"
    assert DIALECT.content(ATTEMPT) is None
    with pytest.raises(ValueError, match="no task"):
        DIALECT.content(replace(ATTEMPT, task_id=None, content_url=FILE))


NO_TASK = {
    "unknown id": (400, "Invalid interaction name: interactions/v1_x"),
    "somebody else's": (403, "You do not have permission to access it, or it may not exist."),
    "gone": (404, "Requested entity was not found."),
    "gone for good": (410, "Gone."),
}


@pytest.mark.parametrize(("status", "message"), NO_TASK.values(), ids=NO_TASK)
def test_a_task_that_nobody_knows_is_no_such_task_in_every_form(status: int, message: str) -> None:
    for said in forms(status, message, "NOT_FOUND"):
        answer = polled(status, said)
        assert (answer.progress, answer.is_about_route) == (Progress.NO_SUCH_TASK, False)
        assert message in answer.message


def test_a_page_that_isnt_there_is_about_the_route() -> None:
    assert polled(404, HTML).is_about_route


@pytest.mark.parametrize("case", ACCOUNT.values(), ids=ACCOUNT)
def test_a_key_that_is_refused_is_no_word_about_the_task(case: tuple[int, str, str, str]) -> None:
    assert {polled(case[0], said).progress for said in forms(*case)} == {Progress.KEY_REFUSED}


TROUBLE = {
    "two keys": (400, "Multiple authentication credentials received. Please pass only one."),
    "blobstore": (400, "Unsupported file uri: blobstore:///prod/video/0"),
    "a value": (400, "Invalid value"),
    "precondition": (400, "Billing"),
    "overloaded": (503, "The model is overloaded."),
    "internal": (500, "An internal error has occurred."),
    "conflict": (409, "Aborted"),
}


@pytest.mark.parametrize(("status", "message"), TROUBLE.values(), ids=TROUBLE)
def test_other_errors_are_trouble_and_never_proof(status: int, message: str) -> None:
    for said in forms(status, message, "FAILED_PRECONDITION"):
        answer = polled(status, said)
        assert (answer.progress, answer.is_news) == (Progress.TROUBLE, True)
        assert message in answer.message


def test_too_many_polls_are_busy_and_say_how_long() -> None:
    answer = polled(429, front(429, "quota", "RESOURCE_EXHAUSTED"), retry_after="9")
    assert (answer.progress, answer.busy, answer.retry_after, answer.is_news) == (Progress.TROUBLE, True, 9.0, False)


@pytest.mark.parametrize(
    "said", [b"", HTML_502, b"[1, 2]", {"id": "v1_another", "status": "completed"}, {"status": "completed"}]
)
def test_an_answer_about_something_else_settles_nothing(said: Any) -> None:
    assert polled(200, said).progress is Progress.TROUBLE


def test_an_answer_may_be_as_long_as_what_it_repeats() -> None:
    attempt = replace(ATTEMPT, echo_bytes=30_000_000)
    assert DIALECT.status(ATTEMPT).longest_answer == LONGEST_ANSWER
    assert DIALECT.status(attempt).longest_answer > 31_000_000
    echo = {"type": "user_input", "content": [{"type": "image", "data": "A" * 30_000_000}]}
    body = body_of({**DONE, "steps": [echo, *DONE["steps"]]})
    assert DIALECT.judge_poll(Evidence(200, {}, body, base_url=BASE), attempt).progress is Progress.COMPLETED
    answer = DIALECT.judge_poll(Evidence(200, {}, body, base_url=BASE), ATTEMPT)
    assert (answer.progress, answer.is_news) == (Progress.TROUBLE, True)
    assert "more than 1,048,576 bytes" in answer.message


# --- hostile bodies ----------------------------------------------------------------------------------

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        10**400,
        1.5,
        "",
        "x",
        "\ud800",
        "../x",
        [],
        [[]],
        {},
        {"error": {}},
        ID,
        "completed",
        "failed",
    ),
    *("video", "model_output", f"{BASE}{FILE}", "https://evil.example/v1beta/files/x:download", "API_KEY_INVALID"),
)
KEYS = (
    *("id", "status", "steps", "content", "type", "uri", "text", "usage", "error", "errors", "code", "message"),
    *("details", "reason", "output_tokens_by_modality", "modality", "tokens", "total_output_tokens"),
)


@pytest.mark.slow
def test_thousands_of_odd_documents_end_in_a_verdict() -> None:
    random = Random(20261126)

    def odd(depth: int) -> Any:
        if depth == 0 or random.random() < 0.3:
            return random.choice(ODD)
        if random.random() < 0.25:
            return [odd(depth - 1) for _ in range(random.randrange(3))]
        return {key: odd(depth - 1) for key in random.sample(KEYS, random.randrange(1, 7))}

    for _ in range(3000):
        document = odd(5)
        if isinstance(document, dict) and random.random() < 0.7:
            document["id"] = ID
        body = json.dumps(document).encode()
        for status in (200, 302, 400, 401, 403, 404, 429, 500, 503):
            answer = answered(status, body)
            assert (answer.outcome is Outcome.ACCEPTED) == (answer.task_id is not None)
            assert (answer.outcome is Outcome.ACCEPTED) <= (status == 200)
            assert answer.task_id is None or DIALECT.is_task_id(answer.task_id)
            poll = polled(status, body)
            assert (poll.progress is Progress.COMPLETED) == (poll.told.content_url is not None)
            assert poll.told.content_url in {None, FILE}
            if status != 200:
                assert poll.progress in {Progress.NO_SUCH_TASK, Progress.KEY_REFUSED, Progress.TROUBLE}
            for text in (answer.message, answer.reason, poll.message):
                assert text.isprintable()
                assert len(text) < 600


def test_mutated_bytes_end_in_a_verdict_and_never_in_another_address() -> None:
    whole, random = json.dumps(DONE).encode(), Random(7)
    for _ in range(3000):
        body = bytearray(whole)
        for _ in range(random.randrange(1, 4)):
            body[random.randrange(len(body))] = random.randrange(256)
        found = polled(200, bytes(body)).told.content_url
        assert found is None or found.startswith("/v")
        answered(200, bytes(body))
