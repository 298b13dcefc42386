"""What can go wrong at this gateway: name → stage, a sentence, the parameters with their defaults.

`mishaps` and the shared modules of the simulator (`sending`, `delivery`) hold the behaviour.
Source: docs/api-facts.md, e.
"""

from __future__ import annotations

from collections.abc import Mapping

from veopipe.simulator.faults import Fault, Value

_FAILED_TEXT = "Video generation failed due to an internal server issue. Please try again in a few minutes."
_CHARGED: Mapping[str, Value] = {"charged": True}
_REASON: Mapping[str, Value] = {"code": "13", "message": _FAILED_TEXT}
_NUMBERED: Mapping[str, Value] = {**_REASON, "code": 13.0}
_LAG: Mapping[str, Value] = {"seconds": 3.0, "wording": "document"}
_CUT: Mapping[str, Value] = {"part": 0.5, "moov": "missing"}
_RETRY: Mapping[str, Value] = {"retry_after": 0.0}
_JSON_TYPE: Mapping[str, Value] = {"type": "application/json; charset=utf-8"}
_SUCCESSOR: Mapping[str, Value] = {"successor": "gemini-omni-1.2-flash"}
_WHERE: Mapping[str, Value] = {"where": "other"}
_LIMIT: Mapping[str, Value] = {"limit": 20.0 * 1024 * 1024}

_ALL = (
    # -- create ------------------------------------------------------------------------------------------
    Fault("lost_response", "create", "accepts and charges, then closes the connection without a byte"),
    Fault("slow_create", "create", "accepts and charges, answers after `seconds`", {"seconds": 30.0}),
    Fault("cut_json", "create", "accepts and charges, sends 200 and half of the body"),
    Fault("cut_upload", "create", "closes the connection while the body is on its way; nothing is charged"),
    Fault("html_502", "create", "an HTML page from a proxy in front; `charged` says whether a task exists", _CHARGED),
    Fault("html_504", "create", "as html_502: gateway time-out", _CHARGED),
    Fault("html_524", "create", "as html_502: Cloudflare gave up waiting", _CHARGED),
    Fault("429_busy", "create", "429 in an envelope, text in Chinese; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("429_empty", "create", "429 without a body"),
    Fault("401_bad_key", "create", "401 as for a wrong key"),
    Fault("401_exhausted_midrun", "create", "the key's quota ends: 401 to this and every later request"),
    Fault("403_quota", "create", "403 insufficient_user_quota as for an empty wallet"),
    Fault("503_no_channel", "create", "503 model_not_found: no channel for the model"),
    Fault("400_google", "create", "400 with Google's JSON as a string: use case not supported"),
    Fault("404_retired", "create", "404 from Google: the model is no longer available"),
    Fault("404_replaced", "create", "404 of the gateway: the model is retired; its words name `successor`", _SUCCESSOR),
    Fault("503_retired", "create", "503 no available channels, with a code of its own, for a model that is retired"),
    Fault("500_do_request_failed", "create", "500 in an envelope; `charged` as html_502", {"charged": False}),
    Fault("500_build_request_failed", "create", "500 in an envelope although the request is at fault"),
    Fault("413_html", "create", "an HTML page from a proxy: request too large"),
    Fault("redirect_307", "create", "307 to the same path: following it would pay twice"),
    Fault("ghost_id", "create", "200 with an id that no later request knows; charged"),
    Fault("no_task_id", "create", "200 with `id` but no `task_id`"),
    Fault("no_id", "create", "200 with `task_id` but no `id`"),
    Fault("no_ids", "create", "200 with neither; charged"),
    Fault("bad_id", "create", "200 with an id made to break paths; charged", {"id": "../../admin?x=1#y"}),
    Fault("duplicate_id", "create", "200 with the id of the task accepted before; charged"),
    Fault("empty_status", "create", "200 with an empty status, as older gateways answer"),
    Fault("metadata_wins", "create", "metadata replaces resolution, aspectRatio, negativePrompt and seed"),
    Fault("big_image_ignored", "create", "an image above `limit` bytes is dropped and text-to-video is made", _LIMIT),
    Fault("last_frame_ignored", "create", "the final frame is dropped and the rest is made and charged"),
    # -- poll --------------------------------------------------------------------------------------------
    Fault("unknown_first", "poll", "status `unknown`, progress 0"),
    Fault("stuck_queued", "poll", "`queued` for ever", stays=True),
    Fault("stuck_in_progress", "poll", "`in_progress` for ever", stays=True),
    Fault("flap_failed", "poll", "`failed` although the task goes on"),
    Fault("failed_no_error", "poll", "`failed` for ever, without a reason", stays=True),
    Fault("failed_with_error", "poll", "`failed` for ever with `code` and `message`", _REASON, stays=True),
    Fault("failed_http_500_with_job_body", "poll", "HTTP 500 whose body is the failed task", _NUMBERED, stays=True),
    Fault("wrapped_data", "poll", '`{"code": "success", "data": {…}}` around the task', stays=True),
    Fault("upper_case_status", "poll", "`SUCCESS` and `100%`, no id", stays=True),
    Fault("nulls", "poll", "all fields there, the unknown ones null, progress null", stays=True),
    Fault("completed_at_while_running", "poll", "`completed_at` in every answer", stays=True),
    Fault("back_to_in_progress", "poll", "`in_progress` although it was completed"),
    Fault("wrong_id", "poll", "the answer is about another task"),
    Fault("poll_401", "poll", "401 as for a wrong key"),
    Fault("poll_429", "poll", "429 in an envelope; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("poll_502_html", "poll", "an HTML page from a proxy"),
    Fault("poll_html_200", "poll", "200 with an HTML page, as a captive portal answers"),
    Fault("poll_cut", "poll", "closes the connection without a byte"),
    Fault("poll_read_timeout", "poll", "no answer for `seconds`, then the connection closes", {"seconds": 3600.0}),
    Fault("task_not_exist_first", "poll", "400 task_not_exist once, as before the task was stored"),
    Fault("task_not_exist_after_restart", "poll", "400 task_not_exist for ever", stays=True),
    # -- content -----------------------------------------------------------------------------------------
    Fault("lag_400", "content", "400 not ready for `seconds`; `wording` is document or new-api", _LAG, stays=True),
    Fault("lag_404", "content", "404 for `seconds`", {"seconds": 3.0}, stays=True),
    Fault("lag_502", "content", "502 in an envelope for `seconds`", {"seconds": 3.0}, stays=True),
    Fault("safety_completed_502", "content", "completed, but filtered: 502 for ever", stays=True),
    Fault("expired_502", "content", "the file is gone upstream: 502 for ever", stays=True),
    Fault("expired_410", "content", "the file is gone: 410 for ever", stays=True),
    Fault("truncated_length", "content", "the connection closes at `part` of the announced length", {"part": 0.5}),
    Fault("truncated_chunked", "content", "ends cleanly at `part`; `moov` is missing or first", _CUT),
    Fault("stall", "content", "the bytes stop at `part` for `seconds`", {"part": 0.5, "seconds": 3600.0}),
    Fault("slow_drip", "content", "1 KiB each `interval` seconds", {"interval": 0.1}),
    Fault("content_cut", "content", "closes the connection without a byte"),
    Fault("html_200", "content", "200 with an HTML page"),
    Fault("content_429", "content", "429 in an envelope; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("blocked_403", "content", "403 request blocked: about this video, not about the key", stays=True),
    Fault("json_200", "content", "200, a JSON text of that `type`: the task is IN_PROGRESS", _JSON_TYPE),
    Fault("empty_200", "content", "200 with no bytes"),
    Fault("corrupt_mp4", "content", "the right length, but its index is damaged"),
    Fault("redirect_302_other_host", "content", "302 to another host name, where no key is needed", {"location": ""}),
    # -- the delivered file ------------------------------------------------------------------------------
    Fault("wrong_resolution", "file", "delivers `resolution`", {"resolution": ""}, stays=True),
    Fault("wrong_duration", "file", "delivers `seconds`", {"seconds": 4.0}, stays=True),
    Fault("wrong_aspect", "file", "delivers the other ratio", stays=True),
    Fault("no_audio", "file", "delivers a file without a sound track", stays=True),
    # -- the account's log -------------------------------------------------------------------------------
    Fault("log_bad_token", "log", "HTTP 200 with success: false, as for a wrong token"),
    Fault("log_task_id", "log", "records hold the task's id, in `where`: other (JSON in a string) or content", _WHERE),
    Fault("log_late", "log", "records appear `seconds` after the charge", {"seconds": 3600.0}),
    Fault("log_gzip", "log", "the answer comes packed, though nothing asked for that"),
    Fault("log_502_html", "log", "an HTML page from a proxy instead of a page of the log"),
    Fault("log_cut", "log", "closes the connection without a byte"),
)  # fmt: skip

TABLE: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}
