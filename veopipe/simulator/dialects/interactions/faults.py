"""What can go wrong at this gateway: name → stage, a sentence, the parameters with their defaults.

`mishaps` and the shared modules of the simulator (`sending`, `delivery`) hold the behaviour.
Source: docs/api-facts.md, h and e.
"""

from __future__ import annotations

from collections.abc import Mapping

from veopipe.simulator.faults import Fault, Value

_CHARGED: Mapping[str, Value] = {"charged": True}
_RETRY: Mapping[str, Value] = {"retry_after": 0.0}
_CUT: Mapping[str, Value] = {"part": 0.5, "moov": "missing"}
_HOST: Mapping[str, Value] = {"host": "localhost"}
_END: Mapping[str, Value] = {"word": "failed", "message": "An internal error has occurred."}

_ALL = (
    # -- create ------------------------------------------------------------------------------------------
    Fault("blocked", "create", "accepts; completed in the end, with words and without a video"),
    Fault("lost_response", "create", "accepts and charges, then closes the connection without a byte"),
    Fault("slow_create", "create", "accepts and charges, answers after `seconds`", {"seconds": 30.0}),
    Fault("cut_json", "create", "accepts and charges, sends 200 and half of the body"),
    Fault("html_502", "create", "an HTML page from a proxy in front; `charged` says whether a task exists", _CHARGED),
    Fault("500_internal", "create", "500 INTERNAL; `charged` as html_502", _CHARGED),
    Fault("503_overloaded", "create", "503 UNAVAILABLE; `charged` as html_502", {"charged": False}),
    Fault("429_quota", "create", "429 RESOURCE_EXHAUSTED; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("400_safety", "create", "400: the prompt goes against a policy"),
    Fault("400_value", "create", "400 with the name of a field"),
    Fault("400_key", "create", "400 as for a wrong key"),
    Fault("400_billing", "create", "400 FAILED_PRECONDITION as without billing"),
    Fault("403_denied", "create", "403 PERMISSION_DENIED in a list"),
    Fault("404_retired", "create", "404: the model is no longer available"),
    Fault("413_html", "create", "an HTML page from a proxy: request too large"),
    Fault("redirect_307", "create", "307 to the same path: following it would pay twice"),
    Fault("ghost_id", "create", "200 with an id that no later request knows; charged"),
    Fault("no_id", "create", "200 without an id; charged"),
    Fault("bad_id", "create", "200 with an id made to break paths; charged", {"id": "../../admin?x=1#y"}),
    Fault("duplicate_id", "create", "200 with the id of the task accepted before; charged"),
    # -- poll --------------------------------------------------------------------------------------------
    Fault("credentials_400", "poll", "400 Multiple authentication credentials received, though there is one"),
    Fault("blobstore_400", "poll", "400 Unsupported file uri, though none was sent"),
    Fault("unknown_id_first", "poll", "400 Invalid interaction name once, as before it was stored"),
    Fault("unknown_id", "poll", "400 Invalid interaction name for ever", stays=True),
    Fault("denied_403", "poll", "403: the interaction may not exist"),
    Fault("poll_key_400", "poll", "400 as for a wrong key"),
    Fault("poll_403_list", "poll", "403 PERMISSION_DENIED in a list"),
    Fault("poll_429", "poll", "429 RESOURCE_EXHAUSTED; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("poll_502_html", "poll", "an HTML page from a proxy"),
    Fault("poll_503", "poll", "503 UNAVAILABLE"),
    Fault("poll_html_200", "poll", "200 with an HTML page, as a captive portal answers"),
    Fault("poll_cut", "poll", "closes the connection without a byte"),
    Fault("poll_read_timeout", "poll", "no answer for `seconds`, then the connection closes", {"seconds": 3600.0}),
    Fault("unknown_word", "poll", "a `word` that nobody knows, though it goes on", {"word": "reticulating"}),
    Fault("stuck", "poll", "in_progress for ever", stays=True),
    Fault("flap_failed", "poll", "failed, though the task goes on"),
    Fault("ended", "poll", "a `word` for an end without a video, for ever", _END, stays=True),
    Fault("wrong_id", "poll", "the answer is about another interaction"),
    Fault("no_address", "poll", "completed and charged, and no word of where the video is", stays=True),
    Fault("no_usage", "poll", "completed without a video, and no word of what it used", stays=True),
    Fault("inline", "poll", "completed, and the video stands in the answer", stays=True),
    Fault("other_host", "poll", "completed, and the video is said to be at another `host`", _HOST, stays=True),
    Fault("long_echo", "poll", "repeats so many `bytes` that were never sent", {"bytes": 2.0 * 1024 * 1024}),
    # -- content -----------------------------------------------------------------------------------------
    Fault("processing", "content", "400 for `seconds`: the file is not ACTIVE", {"seconds": 3.0}, stays=True),
    Fault("expired_403", "content", "403 for ever: the file may not exist", stays=True),
    Fault("expired_404", "content", "404 for ever", stays=True),
    Fault("truncated_length", "content", "the connection closes at `part` of the announced length", {"part": 0.5}),
    Fault("truncated_chunked", "content", "ends cleanly at `part`; `moov` is missing or first", _CUT),
    Fault("stall", "content", "the bytes stop at `part` for `seconds`", {"part": 0.5, "seconds": 3600.0}),
    Fault("slow_drip", "content", "1 KiB each `interval` seconds", {"interval": 0.1}),
    Fault("content_cut", "content", "closes the connection without a byte"),
    Fault("content_429", "content", "429 RESOURCE_EXHAUSTED; Retry-After if `retry_after` isn't 0", _RETRY),
    Fault("html_200", "content", "200 with an HTML page"),
    Fault("metadata_200", "content", "200 with what is known of the file instead of the file"),
    Fault("empty_200", "content", "200 with no bytes"),
    Fault("corrupt_mp4", "content", "the right length, but its index is damaged"),
    Fault("redirect_302_other_host", "content", "302 to another host name, where no key is needed", {"location": ""}),
    # -- the delivered file ------------------------------------------------------------------------------
    Fault("wrong_resolution", "file", "delivers `resolution`", {"resolution": ""}, stays=True),
    Fault("wrong_duration", "file", "delivers `seconds`", {"seconds": 4.0}, stays=True),
    Fault("wrong_aspect", "file", "delivers the other ratio", stays=True),
    Fault("no_audio", "file", "delivers a file without a sound track", stays=True),
)  # fmt: skip

TABLE: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}
