"""Answers of the gateway, one case per known answer of this family (docs/api-facts.md, a; docs/hazards.md, b)."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from veopipe.dialects.base import Asked, Content, CreateAnswer, Evidence, Outcome, PollAnswer, Progress
from veopipe.dialects.heads import label_of, retry_after
from veopipe.dialects.videos.dialect import Videos
from veopipe.takes.status import Scope, Status
from veopipe.takes.take import Attempt

TASK = "task_0123456789abcdefghijklmnopqrstuv"
UNKNOWN_ADDRESS = Asked()
DIALECT = Videos()
ATTEMPT = Attempt(1, "run", Status.RENDERING, "https://a.example:443", Decimal(1), "", task_id=TASK)
HTML = b"<html><body>502 Bad Gateway</body></html>"


def t_error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "data": None}


def o_error(message: str, code: str = "", kind: str = "new_api_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code}}


def google(code: int, message: str, status: str) -> dict[str, Any]:
    inner = json.dumps({"error": {"code": code, "message": message, "status": status}}, indent=2)
    return t_error("fail_to_fetch_task", inner + "\n")


def body_of(said: Any) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said).encode()


def answered(status: int, said: Any = b"", asked: Asked = UNKNOWN_ADDRESS, **headers: str) -> CreateAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return DIALECT.judge_create(Evidence(status, named, body_of(said)), asked)


# --- create: accepted ------------------------------------------------------------------------------

ACCEPTED = {
    "the document's": {"id": TASK, "task_id": TASK, "object": "video", "status": "queued", "created_at": 1779283975},
    "without task_id": {"id": TASK, "status": "queued"},
    "without id": {"task_id": TASK, "status": "queued"},
    "empty status": {"id": TASK, "status": ""},
    "the older routes'": {"success": True, "data": {"taskId": TASK, "status": "processing"}},
    "wrapped": {"code": "success", "message": "", "data": {"task_id": TASK}},
    "nulls": {"id": TASK, "task_id": None, "created_at": None, "progress": None, "error": None},
    "id that can't be one beside one that can": {"id": "../../admin", "task_id": TASK},
    "id as a number beside one that is text": {"id": 17, "task_id": TASK},
    "a byte order mark in front": b"\xef\xbb\xbf" + json.dumps({"id": TASK}).encode(),
}


@pytest.mark.parametrize("said", ACCEPTED.values(), ids=ACCEPTED)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_answer_with_a_task_is_accepted(status: int, said: Any) -> None:
    answer = answered(status, said)

    assert (answer.outcome, answer.task_id, answer.http_status) == (Outcome.ACCEPTED, TASK, status)
    assert answer.scope is None


def test_the_gateways_time_of_the_task_is_kept_if_it_is_one() -> None:
    assert answered(200, {"id": TASK, "created_at": 1779283975}).created_at == 1779283975
    for odd in (None, True, "1779283975", -1, 0, 1.5, 10**300, [1]):
        assert answered(200, {"id": TASK, "created_at": odd}).created_at is None


@pytest.mark.parametrize("name", [TASK, "video_" + "A1_=" * 40, "video_gen_00ff", "a", "bW9kZWxz.L29w:1-2"])
def test_ids_of_all_relatives_are_understood(name: str) -> None:
    assert answered(200, {"id": name}).task_id == name


UNSAFE_IDS = [
    "../../admin",
    "..",
    ".",
    "a..b",
    "http://evil/x",
    "//evil",
    "a?x=1",
    "a#b",
    "a/b",
    "a\\b",
    "a b",
    "a\n",
    "a\r\nHost: x",
    "a%2f..",
    "tàsk",
    "٣",
    "\ud800",
    "",
    "x" * 257,
]


@pytest.mark.parametrize("name", UNSAFE_IDS, ids=repr)
@pytest.mark.shows("e 28")
def test_an_id_that_could_rewrite_a_url_is_no_id(name: str) -> None:
    answer = answered(200, {"id": name, "status": "queued"})

    assert (answer.outcome, answer.reason) == (Outcome.IN_DOUBT, "accepted_without_id")
    assert answer.task_id is None


WITHOUT_ID = {
    "empty": b"",
    "cut": json.dumps({"id": TASK}).encode()[:20],
    "HTML": HTML,
    "no id": {"object": "video", "status": "queued"},
    "null ids": {"id": None, "task_id": None},
    "id as a list": {"id": [TASK]},
    "a list": [{"id": TASK}],
    "an envelope": t_error("fail_to_fetch_task", "no"),
    "an envelope of the other kind": o_error("no"),
    "too long": b'{"id": "' + TASK.encode() + b'", "x": "' + b"y" * (1 << 20) + b'"}',
    "NaN": b'{"id": "' + TASK.encode() + b'", "progress": NaN}',
    "100,000 [": b"[" * 100_000,
    "a number of 5,000 digits": b'{"id": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("said", WITHOUT_ID.values(), ids=WITHOUT_ID)
def test_an_accepted_create_that_names_no_task_is_in_doubt(said: Any) -> None:
    answer = answered(200, said)

    assert (answer.outcome, answer.reason) == (Outcome.IN_DOUBT, "accepted_without_id")
    assert "names no task" in answer.message


COMPLAINING = {
    "a task object": ({"id": TASK, "status": "queued", "error": {"code": "13", "message": "slow"}}, "13: slow"),
    "a failed one": ({"id": TASK, "status": "failed", "fail_reason": "blocked"}, "blocked"),
    "an envelope": ({"code": "busy", "message": "queue is long", "data": {"task_id": TASK}}, "queue is long"),
    "MiniMax": ({"task_id": TASK, "base_resp": {"status_code": 1026, "status_msg": "sensitive"}}, "1026: sensitive"),
    "object": ({"id": TASK, "object": "video", "error": "half"}, "half"),
}


@pytest.mark.parametrize(("said", "words"), COMPLAINING.values(), ids=COMPLAINING)
def test_a_task_beside_an_error_is_carried_on_and_the_words_are_kept(said: Any, words: str) -> None:
    answer = answered(200, said)

    assert (answer.outcome, answer.task_id) == (Outcome.ACCEPTED, TASK)
    assert words in answer.message


@pytest.mark.parametrize(
    "error", [{"message": "no credit"}, "no credit", [{"msg": "no credit"}], {"error": {"message": "no credit"}}]
)
def test_an_id_beside_an_error_is_in_doubt_and_both_are_kept(error: Any) -> None:
    answer = answered(200, {"id": "req-1", "error": error})

    assert (answer.outcome, answer.reason, answer.named) == (Outcome.IN_DOUBT, "id_beside_an_error", "req-1")
    assert answer.task_id is None
    assert "no credit" in answer.message


@pytest.mark.parametrize("name", [TASK, "video_1a"])
def test_an_id_of_the_familys_form_is_a_tasks_whatever_stands_beside_it(name: str) -> None:
    answer = answered(200, {"id": name, "error": {"message": "no credit"}})

    assert (answer.outcome, answer.task_id) == (Outcome.ACCEPTED, name)
    assert "no credit" in answer.message


@pytest.mark.parametrize("name", [TASK, "9f1c-22"])
@pytest.mark.parametrize(
    "beside",
    [
        {"code": 10000, "message": "submitted"},
        {"code": 1, "message": "任务已提交"},
        {"code": "1", "msg": "queued"},
        {"err_msg": "Success."},
        {"error": "false"},
        {"error_msg": "no errors"},
        {"errors": ["None"]},
        {"safety_filter": "enabled"},
        {"failover": "none"},
        {"moderation": {"filtered": "no"}},
    ],
)
def test_what_is_no_error_leaves_an_accepted_create_alone(name: str, beside: dict[str, Any]) -> None:
    answer = answered(200, {"id": name, **beside})

    assert (answer.outcome, answer.task_id, answer.message) == (Outcome.ACCEPTED, name, "")


@pytest.mark.parametrize("nothing", [None, "", {}, [], False, 0, "none", "success", {"code": 0, "message": "ok"}])
def test_an_error_that_is_none_is_no_error(nothing: Any) -> None:
    answer = answered(200, {"id": TASK, "error": nothing, "base_resp": {"status_code": 0, "status_msg": "success"}})

    assert (answer.outcome, answer.message) == (Outcome.ACCEPTED, "")


# --- create: refused -------------------------------------------------------------------------------

REFUSED = {
    "no key": (401, o_error("Invalid token (request id: 2026)"), Scope.ACCOUNT, "http_401"),
    "no key, Chinese": (401, o_error("无效的令牌"), Scope.ACCOUNT, "http_401"),
    "key exhausted": (
        403,
        o_error("quota is exhausted", "insufficient_user_quota"),
        Scope.ACCOUNT,
        "insufficient_user_quota",
    ),
    "the older routes' key": (401, o_error("Incorrect API key", "invalid_api_key"), Scope.ACCOUNT, "invalid_api_key"),
    "IP not allowed": (403, o_error("no", "access_denied"), Scope.ACCOUNT, "access_denied"),
    "wallet empty": (403, t_error("insufficient_user_quota", "用户额度不足"), Scope.ACCOUNT, "insufficient_user_quota"),
    "token budget": (
        403,
        t_error("pre_consume_token_quota_failed", "no"),
        Scope.ACCOUNT,
        "pre_consume_token_quota_failed",
    ),
    "payment required": (402, b"", Scope.ACCOUNT, "http_402"),
    "balance, 400": (
        400,
        o_error("Insufficient balance", "insufficient_balance"),
        Scope.ACCOUNT,
        "insufficient_balance",
    ),
    "quota, 429": (429, o_error("You exceeded", "insufficient_quota"), Scope.ACCOUNT, "insufficient_quota"),
    "model not allowed": (403, o_error("This token has no access to model X"), Scope.ACCOUNT, "http_403"),
    "model missing": (400, o_error("Model name not specified"), Scope.SHOT, "http_400"),
    "no channel, T": (503, t_error("model_not_found", "No available channel"), Scope.SHOT, "model_not_found"),
    "no channel, O": (503, o_error("No available channel", "model_not_found"), Scope.SHOT, "model_not_found"),
    "no channels, its own code": (
        503,
        o_error("There are no available channels", "get_channel_failed"),
        Scope.SHOT,
        "get_channel_failed",
    ),
    "no channel, no code": (503, o_error("当前分组 default 下对于模型 x 无可用渠道"), Scope.SHOT, "http_503"),
    "a model that is over, 503": (503, o_error("The model x is no longer available"), Scope.SHOT, "model_retired"),
    "replaced": (404, o_error("This model has been retired. Please use y", "gone"), Scope.SHOT, "gone"),
    "no prompt": (400, t_error("invalid_request", "prompt is required"), Scope.SHOT, "invalid_request"),
    "bad multipart": (400, t_error("invalid_multipart_form", "no"), Scope.SHOT, "invalid_multipart_form"),
    "bad metadata": (
        500,
        t_error("build_request_failed", "unmarshal metadata failed"),
        Scope.SHOT,
        "build_request_failed",
    ),
    "Google refuses": (400, google(400, "not supported", "INVALID_ARGUMENT"), Scope.SHOT, "fail_to_fetch_task"),
    "retired": (404, google(404, "models/x is no longer available", "NOT_FOUND"), Scope.SHOT, "model_retired"),
    "too large, HTML": (413, HTML, Scope.SHOT, "http_413"),
    "busy, Chinese": (
        429,
        t_error("fail_to_fetch_task", "当前分组上游负载已饱和"),
        Scope.THROTTLE,
        "fail_to_fetch_task",
    ),
    "busy, empty": (429, b"", Scope.THROTTLE, "too_many_requests"),
    "busy, HTML": (429, HTML, Scope.THROTTLE, "too_many_requests"),
    **{f"HTTP {status}": (status, b"", Scope.SHOT, f"http_{status}") for status in (400, 413, 414, 422, 431)},
    **{f"HTTP {status}, HTML": (status, HTML, Scope.SHOT, f"http_{status}") for status in (400, 413, 422)},
    "FastAPI": (422, {"detail": [{"loc": ["body"], "msg": "no"}]}, Scope.SHOT, "http_422"),
}


@pytest.mark.parametrize(("status", "said", "scope", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_provable_refusal_is_refused(status: int, said: Any, scope: Scope, reason: str) -> None:
    answer = answered(status, said)

    assert (answer.outcome, answer.scope, answer.reason) == (Outcome.REFUSED, scope, reason)
    assert answer.message
    assert answer.task_id is None


NO_ROUTE = {
    "new-api": (404, o_error("Invalid URL (POST /v1/v1/videos)", "", "invalid_request_error")),
    "OpenAI": (404, o_error("Unrecognized request URL (POST: /v1/v1/videos)", "unknown_url")),
    "nginx": (404, b"<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>"),
    "a page that speaks of models": (404, b"<!DOCTYPE html><html><title>All AI models - 404</title></html>"),
    "IIS": (404, b"<html><title>404 - File or directory not found.</title></html>"),
    "Express": (404, b"<!DOCTYPE html><html><body><pre>Cannot POST /v1/videos</pre></body></html>"),
    "Nest": (404, {"statusCode": 404, "message": "Cannot POST /v1/videos", "error": "Not Found"}),
    "Go": (404, b"404 page not found\n"),
    "FastAPI": (404, {"detail": "Not Found"}),
    "FastAPI, method": (405, {"detail": "Method Not Allowed"}),
    "Kong": (404, {"message": "no Route matched with those values", "request_id": "ab12"}),
    "AWS": (404, {"message": "Not Found"}),
    "Spring": (404, {"status": 404, "error": "Not Found", "path": "/api/v1/videos"}),
    "problem+json": (404, {"type": "about:blank", "title": "Not Found", "status": 404}),
    "S3": (
        404,
        b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>",
    ),
    "S3, method": (405, b"<Error><Code>MethodNotAllowed</Code><Message>The method is not allowed</Message></Error>"),
    "a bare word": (404, b"Not Found"),
    "an empty object": (404, {}),
    "a code that says nothing": (404, o_error("Not Found", "not_found")),
    "nginx, method": (405, b"<html><head><title>405 Not Allowed</title></head></html>"),
    "JSON only": (415, {"message": "Unsupported Media Type"}),
    "plain HTTP": (400, b"<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>"),
    "another host": (400, b"<html><title>Bad Request</title><h2>Bad Request - Invalid Hostname</h2></html>"),
    "plain HTTP, Go": (400, b"Client sent an HTTP request to an HTTPS server.\n"),
    "Flask": (404, {"message": "The requested URL was not found on the server."}),
    "Fastify": (404, {"message": "Route POST:/v1/v1/videos not found", "error": "Not Found", "statusCode": 404}),
    "Django": (405, {"detail": 'Method "POST" not allowed.'}),
    "PHP": (404, b"File not found."),
    "no such endpoint": (404, {"error": "Unknown endpoint"}),
    "a router's 400": (400, o_error("Invalid URL (POST /v1/v1/videos)")),
    **{f"HTTP {status}": (status, b"") for status in (404, 405, 415)},
    **{f"HTTP {status}, HTML": (status, HTML) for status in (404, 405, 415)},
}


@pytest.mark.parametrize(("status", "said"), NO_ROUTE.values(), ids=NO_ROUTE)
def test_an_answer_about_the_address_is_about_the_gateway_and_not_about_the_shot(status: int, said: Any) -> None:
    answer = answered(status, said)

    assert (answer.outcome, answer.scope, answer.task_id) == (Outcome.REFUSED, Scope.GATEWAY, None)
    assert "provider.base_url" in answer.message
    assert str(status) in answer.message


ABOUT_THE_SHOT = {
    "OpenAI's model": (404, o_error("The model 'veo-9' does not exist", "model_not_found")),
    "model in words only": (404, o_error("The model `veo-9` does not exist or you do not have access to it.")),
    "Google's model": (404, {"error": {"code": 404, "message": "models/veo-9 is not found for API version v1beta"}}),
    "Google's entity": (404, {"error": {"code": 404, "message": "Requested entity was not found."}}),
    "no channel": (404, t_error("channel_not_found", "无可用渠道")),
    "model, plain text": (404, b"model not found"),
    "a code of its own": (404, t_error("fail_to_fetch_task", "nothing there")),
    "a model at this address": (405, o_error("This model isn't served at this endpoint")),
    "a picture's type": (415, o_error("image/webp is not a supported image type")),
    "a model, however it is called": (404, o_error("veo-9-fast is not offered here", "not_found")),
    "a picture": (404, o_error("Image not found", "not_found")),
    "accounts": (404, o_error("No available accounts support this request")),
    "LiteLLM": (404, {"detail": "No healthy deployment for veo-9-fast"}),
    "a field's type": (415, o_error("Unsupported media type: multipart field reference")),
    "a picture's host": (422, {"detail": [{"loc": ["input_reference"], "msg": "invalid hostname in image address"}]}),
    "an echoed prompt": (400, o_error("rejected: 'a sign that reads 404 page not found'", "safety")),
    "an echoed prompt without code": (400, o_error("rejected: 'a sign that reads 404 page not found'")),
    "an echo beside a code": (404, o_error("'404 page not found' can't be drawn", "safety")),
    "a picture's address": (400, o_error("the image URL was not found")),
    "a page in front, too large": (413, b"<html><title>413 Request Entity Too Large</title></html>"),
}


@pytest.mark.parametrize(("status", "said"), ABOUT_THE_SHOT.values(), ids=ABOUT_THE_SHOT)
def test_the_same_statuses_about_the_order_stay_about_the_shot(status: int, said: Any) -> None:
    assert (answered(status, said).outcome, answered(status, said).scope) == (Outcome.REFUSED, Scope.SHOT)


def test_words_that_name_the_orders_model_are_about_the_shot() -> None:
    said = o_error("no such endpoint: veo-9-fast")

    assert answered(404, said).scope is Scope.GATEWAY
    assert answered(404, said, Asked(model="veo-9-fast")).scope is Scope.SHOT


@pytest.mark.parametrize(("status", "said"), NO_ROUTE.values(), ids=NO_ROUTE)
def test_a_gateway_that_accepted_a_create_at_this_address_has_it(status: int, said: Any) -> None:
    answer = answered(status, said, Asked(has_accepted=True))

    assert (answer.outcome, answer.scope) == (Outcome.REFUSED, Scope.SHOT)
    assert "base_url" not in answer.message


@pytest.mark.parametrize("status", [421, 426, 501, 505])
@pytest.mark.parametrize("said", [HTML, o_error("Invalid URL (POST /v1/videos)"), b"404 page not found"])
def test_words_about_the_address_make_no_refusal_of_what_is_in_doubt(status: int, said: Any) -> None:
    assert answered(status, said).outcome is Outcome.IN_DOUBT


def test_googles_words_are_taken_out_of_the_message() -> None:
    answer = answered(400, google(400, "Your use case is currently not supported.", "INVALID_ARGUMENT"))

    assert answer.message == "INVALID_ARGUMENT: Your use case is currently not supported."


def test_a_retired_model_is_said_to_be_one() -> None:
    answer = answered(404, google(404, "models/veo-3.1 is no longer available", "NOT_FOUND"))

    assert answer.message.startswith("the model was switched off upstream: NOT_FOUND: models/veo-3.1")


def test_the_request_id_is_kept_for_the_gateways_support() -> None:
    assert answered(400, b"", x_oneapi_request_id="2026112206").request_id == "2026112206"
    assert answered(504, HTML, cf_ray="8c\x1b[0m").request_id == "8c\\u001b[0m"
    assert answered(400).request_id is None


# --- create: in doubt ------------------------------------------------------------------------------

IN_DOUBT = {
    "408": (408, b"", "server_error"),
    "409": (409, o_error("conflict"), "server_error"),
    "425": (425, b"", "server_error"),
    "500 in an envelope": (500, t_error("do_request_failed", "upstream error"), "server_error_enveloped"),
    "no channels, as a page says": (
        503,
        b"<html><title>no available channels</title></html>",
        "server_error",
    ),
    "no channels, of another status": (500, o_error("no available channels", "x"), "server_error_enveloped"),
    "a service that is over": (503, o_error("this service is no longer available", "x"), "server_error_enveloped"),
    "Google 5xx in an envelope": (503, google(503, "unavailable", "UNAVAILABLE"), "server_error_enveloped"),
    "500 without operation": (500, t_error("invalid_response", "missing operation name"), "server_error_enveloped"),
    "500 with quota words": (500, t_error("insufficient_user_quota", "no"), "server_error_enveloped"),
    "500 without code": (500, o_error("oops"), "server_error"),
    "501": (501, b"", "server_error"),
    "502 HTML": (502, HTML, "server_error"),
    "504 HTML": (504, HTML, "server_error"),
    **{f"Cloudflare {status}": (status, HTML, "server_error") for status in range(520, 525)},
    **{f"redirect {status}": (status, b"", "redirect") for status in (301, 302, 303, 307, 308)},
    "304": (304, b"", "redirect"),
    "418": (418, b"", "server_error"),
    "451": (451, b"", "server_error"),
    "599": (599, b"", "server_error"),
}


@pytest.mark.parametrize(("status", "said", "reason"), IN_DOUBT.values(), ids=IN_DOUBT)
def test_whatever_proves_nothing_is_in_doubt(status: int, said: Any, reason: str) -> None:
    answer = answered(status, said)

    assert (answer.outcome, answer.reason, answer.scope) == (Outcome.IN_DOUBT, reason, None)
    assert str(status) in answer.message


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://other.example/v1/videos?key=1", "other.example"),
        ("https://user:word@other.example:8443/x", "other.example:8443"),
        ("/login", "another address"),
        ("", "another address"),
        ("http://[::1", "[::1"),
        ("javascript:alert(1)", "another address"),
        ("https://evil\x1b[2J/x", "evil\\u001b[2J"),
    ],
)
def test_a_redirect_names_the_host_and_nothing_secret(location: str, place: str) -> None:
    answer = answered(307, b"", location=location)

    assert f"redirects creates to {place} (HTTP 307)" in answer.message


def unanswered(**known: Any) -> CreateAnswer:
    return DIALECT.judge_create(Evidence(**known), UNKNOWN_ADDRESS)


def test_the_three_ends_without_an_answer() -> None:
    unsent = unanswered(gate_passed=False, body_done=False, error="connection refused")
    partly = unanswered(gate_passed=True, body_done=False, error="reset")
    whole = unanswered(gate_passed=True, body_done=True, error="reset")

    assert (unsent.outcome, unsent.reason) == (Outcome.NOT_SENT, "not_sent")
    assert (partly.outcome, partly.reason) == (Outcome.IN_DOUBT, "partial_body")
    assert "very likely not charged" in partly.message
    assert (whole.outcome, whole.reason) == (Outcome.IN_DOUBT, "no_answer")


def test_a_refusal_before_the_body_was_through_is_a_refusal() -> None:
    answer = unanswered(body_done=False, status=413, body=HTML)

    assert (answer.outcome, answer.scope) == (Outcome.REFUSED, Scope.SHOT)


# --- Retry-After -----------------------------------------------------------------------------------

RETRY_AFTER = {
    "30": 30.0,
    " 30 ": 30.0,
    "0": 0.0,
    "1.5": 1.5,
    "100000": 600.0,
    "-1": None,
    "NaN": None,
    "inf": None,
    "-inf": None,
    "1e999": None,
    "": None,
    "soon": None,
    "Sun, 22 Nov 2026 06:01:00 GMT": 60.0,
    "Sun, 22 Nov 2026 05:59:00 GMT": None,
    "Fri, 31 Dec 9999 23:59:59 GMT": 600.0,
    "Mon, 01 Jan 0001 00:00:00 +2359": None,
    "Sun, 99 Nov 2026 99:99:99 GMT": None,
    "Sun, 22 Nov 99999999999 06:00:00 GMT": None,
    "Sun, 22 Nov 2026 06:01:00 +999999999999": None,
    "9" * 100_000: None,
    "," * 10_000: None,
    "\ud800": None,
}


@pytest.mark.parametrize(("said", "seconds"), RETRY_AFTER.items(), ids=lambda value: repr(value)[:40])
def test_retry_after_is_seconds_or_a_date_and_capped(said: str, seconds: float | None) -> None:
    headers = {"retry-after": said, "date": "Sun, 22 Nov 2026 06:00:00 GMT"}

    assert retry_after(headers) == seconds
    assert answered(429, b"", retry_after=said, date=headers["date"]).retry_after == seconds


@pytest.mark.parametrize("date", ["", "now", "Sun, 22 Nov 99999999999 06:00:00 GMT", "\x00"])
def test_a_date_without_a_clock_to_hold_it_against_means_now(date: str) -> None:
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 06:01:00 GMT", "date": date}) == 0.0


def test_no_retry_after_is_none() -> None:
    assert retry_after({}) is None
    assert answered(429).retry_after is None


# --- polls -----------------------------------------------------------------------------------------


def polled(status: int, said: Any = b"", **headers: str) -> PollAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return DIALECT.judge_poll(Evidence(status, named, body_of(said)), ATTEMPT)


def job(status: Any, **more: Any) -> dict[str, Any]:
    return {"id": TASK, "object": "video", "model": "veo", "status": status, **more}


POLLS = {
    "running": (200, job("in_progress", progress=50), Progress.RUNNING),
    "running with completed_at": (200, job("in_progress", completed_at=1779284026), Progress.RUNNING),
    "queued": (200, job("queued", progress=0), Progress.RUNNING),
    "unknown": (200, job("unknown"), Progress.RUNNING),
    "empty": (200, job(""), Progress.RUNNING),
    "null": (200, job(None), Progress.RUNNING),
    "a number": (200, job(3), Progress.RUNNING),
    "missing": (200, {"id": TASK, "object": "video"}, Progress.RUNNING),
    "a new word": (200, job("warming_up"), Progress.RUNNING),
    "processing": (200, job("processing"), Progress.RUNNING),
    "done": (200, job("completed", progress=100), Progress.COMPLETED),
    "upper case": (200, {"task_id": TASK, "status": "SUCCESS", "progress": "100%"}, Progress.COMPLETED),
    "spaces": (200, job(" Completed\n"), Progress.COMPLETED),
    "another gateway's": (200, {"id": TASK, "usage": {"cost": 3.2}, "status": "completed"}, Progress.COMPLETED),
    "wrapped": (200, {"code": "success", "data": {"status": "succeeded", "task_id": TASK}}, Progress.COMPLETED),
    "wrapped, whole": (200, {"code": "success", "data": {"status": "SUCCESS", "progress": "100%"}}, Progress.COMPLETED),
    "wrapped, running": (200, {"code": "success", "data": {"status": "processing", "error": None}}, Progress.RUNNING),
    "nulls": (200, job("completed", error=None, progress=None), Progress.COMPLETED),
    "id only in task_id": (200, {"id": "1234", "task_id": TASK, "status": "completed"}, Progress.COMPLETED),
    "no id at all": (200, {"status": "completed"}, Progress.COMPLETED),
    "failed": (200, job("failed", progress=100), Progress.FAILED),
    "cancelled": (200, job("cancelled"), Progress.FAILED),
    "failed as HTTP 500": (500, job("failed", error={"code": 13, "message": "no"}), Progress.FAILED),
    "failed as HTTP 400": (400, job("failed", error={"message": "no"}), Progress.FAILED),
    "unknown task": (400, t_error("task_not_exist", "task_not_exist"), Progress.NO_SUCH_TASK),
    "unknown task, words only": (400, o_error("task_not_exist"), Progress.NO_SUCH_TASK),
    "unknown task, 404": (404, o_error("Task not found"), Progress.NO_SUCH_TASK),
    "gone": (410, b"", Progress.NO_SUCH_TASK),
    "404 HTML": (404, HTML, Progress.NO_SUCH_TASK),
    "key refused": (401, o_error("Invalid token"), Progress.KEY_REFUSED),
    "key exhausted": (403, o_error("exhausted", "insufficient_user_quota"), Progress.KEY_REFUSED),
    "key refused in a word of its own": (401, {"status": "error", "message": "unauthorized"}, Progress.KEY_REFUSED),
    "channel deleted": (400, t_error("invalid_channel_id", "no"), Progress.TROUBLE),
    "not implemented": (501, t_error("not_implemented:x", "no"), Progress.TROUBLE),
    "litellm's unknown": (500, o_error("internal", "internal_server_error"), Progress.TROUBLE),
    "busy": (429, b"", Progress.TROUBLE),
    "502 HTML": (502, HTML, Progress.TROUBLE),
    "a proxy's own error": (502, {"status": "error", "message": "upstream"}, Progress.TROUBLE),
    "a proxy's failure": (503, {"status": "failed"}, Progress.TROUBLE),
    "another job's failure as 500": (500, {"id": "task_other", "status": "failed"}, Progress.TROUBLE),
    "408": (408, b"", Progress.TROUBLE),
    "425": (425, b"", Progress.TROUBLE),
    "redirect": (302, job("completed"), Progress.COMPLETED),
    "redirect of a stranger": (302, {"status": "completed"}, Progress.TROUBLE),
    "captive portal": (200, HTML, Progress.TROUBLE),
    "empty body": (200, b"", Progress.TROUBLE),
    "another task": (200, {"id": "task_other", "status": "completed"}, Progress.TROUBLE),
    "a failure of nothing in particular": (200, {"status": "error", "message": "maintenance"}, Progress.TROUBLE),
    "another task failed": (200, {"id": "task_other", "status": "failed"}, Progress.TROUBLE),
    "an error with 200": (200, o_error("busy"), Progress.TROUBLE),
    "a list": (200, [job("completed")], Progress.TROUBLE),
    "text": (200, "completed", Progress.TROUBLE),
    "NaN": (200, b'{"id": "' + TASK.encode() + b'", "status": "failed", "progress": NaN}', Progress.TROUBLE),
    "100,000 [": (200, b"[" * 100_000, Progress.TROUBLE),
    "nested failure": (200, b'{"a":' * 100_000, Progress.TROUBLE),
    "a number of 5,000 digits": (200, b'{"status": "failed", "progress": ' + b"9" * 5000 + b"}", Progress.TROUBLE),
    "too long": (200, b'{"status": "failed", "x": "' + b"y" * (1 << 20) + b'"}', Progress.TROUBLE),
}


@pytest.mark.parametrize(("status", "said", "progress"), POLLS.values(), ids=POLLS)
def test_a_poll_says(status: int, said: Any, progress: Progress) -> None:
    assert polled(status, said).progress is progress


DONE = {
    "completed": ("OpenAI", "Completed", "COMPLETED", "TASK_STATUS_COMPLETED"),
    "succeeded": ("Runway", "SUCCEEDED", "Succeeded", "JOB_STATE_SUCCEEDED", "state-succeeded"),
    "success": ("Zhipu", "Success", " SUCCESS\n", "video_generation_status_success"),
    "complete": ("", "Complete"),
    "done": ("Google", "Done", "DONE"),
    "succeed": ("Kling", "Succeed", "SUCCEED"),
    "finished": ("Pika", "FINISHED", "taskStatusFinished"),
    "ready": ("BFL", "Ready"),
}
FAILED = {
    "failed": ("OpenAI", "FAILED", "TASK_STATUS_FAILED", "video_failed"),
    "failure": ("new-api", "FAILURE"),
    "fail": ("MiniMax, Zhipu, kie.ai", "Fail", "FAIL"),
    "error": ("BFL", "Error"),
    "cancelled": ("Azure", "CANCELLED"),
    "canceled": ("Replicate, Wan", "CANCELED"),
    "aborted": ("Replicate", "Aborted"),
    "rejected": ("new-api",),
    "expired": ("Seedance",),
    "timed_out": ("", "TimedOut", "timed-out", "timed out"),
    "moderated": ("BFL", "Moderated"),
    "request_moderated": ("BFL", "Request Moderated"),
    "content_moderated": ("BFL", "Content Moderated", "content-moderated"),
    "content_filtered": ("Azure, Bedrock", "CONTENT_FILTERED", "contentFiltered"),
    "nsfw": ("Higgsfield", "NSFW"),
    "sensitive_word_error": ("kie.ai", "SENSITIVE_WORD_ERROR"),
}
GOES_ON = (
    *("queued", "queueing", "in_progress", "Preparing", "Queueing", "processing", "IN_QUEUE", "preprocessing"),
    *("THROTTLED", "PENDING", "dreaming", "submitted", "created", "InProgress", "unknown", "UNKNOWN", "", None),
)
NEVER_FINAL = (
    *("not_found", "Task not found", "paused", "on_hold", "requires_action", "blocked", "incomplete", "cancelling"),
    *("half_done", "unfinished", "not_failed", "retrying_after_error", "partially_completed", "已完成", "失败"),
    *(0, 1, 2, 3, 99, -1, "2", "99", 10**30),
)


@pytest.mark.parametrize("word", [word for plain, spelt in DONE.items() for word in (plain, *spelt[1:])])
def test_every_word_of_success_is_understood(word: str) -> None:
    assert polled(200, job(word)).progress is Progress.COMPLETED


@pytest.mark.parametrize("word", [word for plain, spelt in FAILED.items() for word in (plain, *spelt[1:])])
def test_every_word_of_failure_is_understood(word: str) -> None:
    assert polled(200, job(word)).progress is Progress.FAILED
    assert polled(200, job(word, message="because")).message.endswith("because")


@pytest.mark.parametrize("key", ["task_status", "taskStatus", "state", "job_status"])
def test_the_word_may_stand_under_another_name(key: str) -> None:
    assert polled(200, {"task_id": TASK, key: "succeed"}).progress is Progress.COMPLETED
    assert polled(200, {"data": {"task_id": TASK, key: "fail"}, "code": 0}).progress is Progress.FAILED
    assert polled(200, {"output": {"task_id": TASK, key: "RUNNING"}}).progress is Progress.RUNNING


@pytest.mark.parametrize("word", GOES_ON)
def test_a_usual_word_is_kept_for_the_end_and_is_no_news(word: Any) -> None:
    answer = polled(200, job(word))

    assert (answer.progress, answer.is_news) == (Progress.RUNNING, False)
    assert (f'"{word}"' if word else "no status") in answer.message


@pytest.mark.parametrize("word", NEVER_FINAL)
def test_a_word_that_is_not_known_is_never_final_and_is_said_with_what_stands_beside_it(word: Any) -> None:
    answer = polled(200, job(word, failure_reason="out of credits"))

    assert (answer.progress, answer.is_news) == (Progress.RUNNING, True)
    assert answer.message == f'the gateway says "{word}": out of credits'


def test_the_status_of_a_wrapper_is_not_the_tasks() -> None:
    wrapped = {"status": "success", "data": {"task_id": TASK, "status": "processing"}}

    assert polled(200, wrapped).progress is Progress.RUNNING


def test_an_error_beside_a_usual_word_is_news() -> None:
    answer = polled(200, job("in_progress", error={"code": "slow", "message": "retrying upstream"}))

    assert (answer.progress, answer.is_news) == (Progress.RUNNING, True)
    assert answer.message == 'the gateway says "in_progress": slow: retrying upstream'


@pytest.mark.parametrize(
    ("said", "percent"),
    [
        (50, 50),
        ("50%", 50),
        (" 99.9 % ", 99),
        (-5, 0),
        (1000, 100),
        (10**400, None),
        ("1e999", None),
        ("nan", None),
        ("half", None),
        (None, None),
        ([], None),
        ({}, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_progress_is_a_percentage_or_nothing(said: Any, percent: int | None) -> None:
    answer = polled(200, job("in_progress", progress=said))

    assert (answer.progress, answer.percent) == (Progress.RUNNING, percent)


REASONS = {
    "code and words": ({"error": {"code": "13", "message": "internal issue"}}, "13: internal issue"),
    "code as a number": ({"error": {"code": 14, "message": "again"}}, "14: again"),
    "words only": ({"error": {"message": "audio"}}, "audio"),
    "error as text": ({"error": "out of memory"}, "out of memory"),
    "fail_reason": ({"fail_reason": "policy"}, "policy"),
    "none": ({}, "the gateway gave no reason"),
    "nulls": ({"error": None, "fail_reason": ""}, "the gateway gave no reason"),
    "an empty object": ({"error": {}}, "the gateway gave no reason"),
    "failure_reason": ({"failure_reason": "moderated"}, "moderated"),
    "failureReason": ({"failureReason": "moderated"}, "moderated"),
    "failure_code": ({"failure_code": "SAFETY.INPUT"}, "SAFETY.INPUT"),
    "Runway": ({"failure": "An unexpected error", "failureCode": "INTERNAL.BAD"}, "An unexpected error; INTERNAL.BAD"),
    "task_status_msg": ({"task_status_msg": "risk control"}, "risk control"),
    "base_resp": ({"base_resp": {"status_code": 1027, "status_msg": "sensitive"}}, "sensitive"),
    "detail": ({"detail": "no memory"}, "no memory"),
    "FastAPI's list": ({"detail": [{"loc": ["body", "seconds"], "msg": "too many"}]}, "body.seconds: too many"),
    "errors": ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
    "a list of texts": ({"error": ["one", "two"]}, "one; two"),
    "an error in an error": ({"error": {"error": {"message": "inner"}}}, "inner"),
    "error_message": ({"error_message": "late"}, "late"),
    "last_error": ({"last_error": {"code": "server_error", "message": "late"}}, "server_error: late"),
    "incomplete_details": ({"incomplete_details": {"reason": "content_filter"}}, "content_filter"),
    "data.error": ({"data": {"error": {"message": "within"}}}, "within"),
    "Wan": ({"output": {"code": "DataInspectionFailed", "message": "inappropriate"}}, "inappropriate"),
    "reason": ({"reason": "quota"}, "quota"),
    "description": ({"error": {"description": "why not"}}, "why not"),
    "Google's filter": ({"response": {"raiMediaFilteredReasons": ["a celebrity"]}}, "a celebrity"),
    "JSON in a string": ({"error": {"message": '{"error": {"code": 403, "message": "inner"}}'}}, "403: inner"),
    "JSON in a string in a string": ({"message": json.dumps(json.dumps({"message": "deep"}))}, '"{\\"message'),
    "a type alone": ({"error": {"type": "server_error"}}, "server_error"),
    "a code alone": ({"error": {"code": 13}}, "13"),
    "the same twice": ({"error": {"message": "once"}, "message": "once", "detail": "once"}, "once"),
    "no news": ({"message": "success", "error": "none", "code": 0}, "the gateway gave no reason"),
    "the order isn't said": (
        {"prompt": "a cat", "description": "a cat", "title": "a cat"},
        "the gateway gave no reason",
    ),
    "a key inside": ({"error": {"message": "for sk-abcdef0123456789"}}, "for sk-…"),
    "escapes": ({"error": {"message": "\x1b]0;x\x07\ud800"}}, "\\u001b]0;x\\u0007\\ud800"),
}


@pytest.mark.parametrize(("more", "words"), REASONS.values(), ids=REASONS)
def test_the_reason_of_a_failure_is_the_gateways_own(more: dict[str, Any], words: str) -> None:
    found = polled(200, job("failed", **more)).message

    assert found.startswith(words) if words.startswith('"') else found == words


@pytest.mark.parametrize("status", [200, 400, 409, 500, 502])
@pytest.mark.parametrize(
    "said", [o_error("upstream is ill"), {"detail": [{"msg": "upstream is ill"}]}, {"errors": ["upstream is ill"]}]
)
def test_a_poll_that_settles_nothing_passes_the_words_on(status: int, said: Any) -> None:
    answer = polled(status, said)

    assert (answer.progress, answer.is_news) == (Progress.TROUBLE, True)
    assert "upstream is ill" in answer.message


def test_what_is_no_json_is_named() -> None:
    assert "a web page (Log in)" in polled(200, b"<!doctype html><title>Log in</title>").message
    assert (
        "AccessDenied: Request has expired"
        in polled(500, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>").message
    )
    assert "upstream connect error" in polled(503, b"upstream connect error").message


LOST = {
    "Go": b"404 page not found",
    "new-api": o_error(f"Invalid URL (GET /v1/v1/videos/{TASK})"),
    "a page": HTML,
}
KNOWN = {
    "sglang": {"detail": "Video not found"},
    "words": o_error("Task not found"),
    "a code": t_error("task_gone", ""),
    "record": {"error": "record not found"},
    "resource": {"message": "Resource not found", "code": 404},
}


@pytest.mark.parametrize("said", LOST.values(), ids=LOST)
def test_a_poll_at_an_address_that_is_not_there_says_so(said: Any) -> None:
    answer = polled(404, said)

    assert (answer.progress, answer.is_about_route) == (Progress.NO_SUCH_TASK, True)
    assert "provider.base_url" in answer.message


@pytest.mark.parametrize("said", KNOWN.values(), ids=KNOWN)
def test_a_task_that_is_not_there_says_nothing_of_the_address(said: Any) -> None:
    assert not polled(404, said).is_about_route


@pytest.mark.parametrize("said", [{"detail": "Not Found"}, {"detail": "Not found."}, o_error("not found", "not_found")])
def test_a_bare_not_found_may_be_about_either_and_blames_nothing(said: Any) -> None:
    answer = polled(404, said)

    assert (answer.progress, answer.is_about_route) == (Progress.NO_SUCH_TASK, True)
    assert "base_url" not in answer.message


def test_trouble_keeps_what_the_gateway_asks_to_wait() -> None:
    assert polled(503, HTML, retry_after="7").retry_after == 7.0


# --- content ---------------------------------------------------------------------------------------

CONTENTS = {
    **{f"success {status}": (status, Content.VIDEO) for status in (200, 201, 202, 203, 204, 206, 226)},
    **{f"lag {status}": (status, Content.NOT_READY) for status in (400, 404, 409, 416, 422, 425, 429, 500, 502, 504)},
    **{f"neither {status}": (status, Content.NOT_READY) for status in (300, 302, 304)},
    "key refused": (401, Content.KEY_REFUSED),
    "forbidden": (403, Content.KEY_REFUSED),
    "gone": (410, Content.GONE),
}


@pytest.mark.parametrize(("status", "kind"), CONTENTS.values(), ids=CONTENTS)
def test_the_head_of_a_content_answer_promises(status: int, kind: Content) -> None:
    answer = DIALECT.judge_content(Evidence(status))

    assert answer.kind is kind
    assert bool(answer.why) is (status != 200)
    assert answer.busy is (status == 429)


LABELS = {
    "a video": (200, {"content-type": "video/mp4", "content-encoding": "identity"}, ""),
    "octets": (200, {"content-type": "application/octet-stream"}, ""),
    "nothing": (200, {}, ""),
    "JSON": (200, {"content-type": "application/json; charset=utf-8"}, "HTTP 200 with application/json"),
    "HTML": (202, {"content-type": "TEXT/HTML"}, "HTTP 202 with text/html instead of a video"),
    "packed": (200, {"content-encoding": "BR"}, "an encoded body (br)"),
    "a part": (206, {"content-type": "video/mp4"}, "HTTP 206"),
}


@pytest.mark.parametrize(("status", "headers", "said"), LABELS.values(), ids=LABELS)
def test_a_label_only_says_what_came_instead(status: int, headers: dict[str, str], said: str) -> None:
    assert label_of(status, headers).startswith(said)
    assert bool(label_of(status, headers)) is bool(said)


# --- hostile bodies --------------------------------------------------------------------------------

ODD: tuple[Any, ...] = (
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
    {"data": 1},
)


@pytest.mark.slow
def test_thousands_of_odd_documents_end_in_a_verdict() -> None:
    random = Random(20261122)
    keys = (
        "id",
        "task_id",
        "status",
        "progress",
        "error",
        "code",
        "message",
        "data",
        "detail",
        "created_at",
        "fail_reason",
    )

    def odd(depth: int) -> Any:
        if depth == 0 or random.random() < 0.4:
            return random.choice(ODD)
        return {key: odd(depth - 1) for key in random.sample(keys, random.randrange(1, 6))}

    for _ in range(3000):
        body = json.dumps(odd(3)).encode()
        for status in (200, 302, 400, 401, 404, 429, 500, 503):
            answer = answered(status, body)
            assert answer.outcome in {Outcome.ACCEPTED, Outcome.REFUSED, Outcome.IN_DOUBT}
            assert (answer.outcome is Outcome.ACCEPTED) == (answer.task_id is not None)
            assert (answer.outcome is Outcome.ACCEPTED) <= (status == 200)
            assert isinstance(polled(status, body).progress, Progress)


def test_mutated_bytes_end_in_a_verdict_and_never_in_another_task() -> None:
    whole, random = json.dumps(ACCEPTED["the document's"]).encode(), Random(7)
    for _ in range(3000):
        body = bytearray(whole)
        for _ in range(random.randrange(1, 4)):
            body[random.randrange(len(body))] = random.randrange(256)
        answer = answered(200, bytes(body))
        assert answer.task_id is None or DIALECT.is_task_id(answer.task_id)
        polled(200, bytes(body))


def test_words_of_the_gateway_are_safe_to_print_and_short() -> None:
    answer = answered(500, o_error("\x1b[2J\r\n" + "x" * 1_000_000, "\x07" * 100))

    assert "\x1b" not in answer.message
    assert len(answer.message) < 400
