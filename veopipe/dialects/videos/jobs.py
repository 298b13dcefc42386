"""A gateway's task object: whose it is, the word for where it stands, and what that word means. Pure.

Only words that a provider documents as final are final here. Everything else means that the task still runs: to ask
on is free, and to believe that something paid has ended costs its video. Numbers are never final: 2 is "failed" at
one provider, "queued" at the next, and "done" at a third.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from veopipe.takes.origin import is_safe_id
from veopipe.text import holds_secret, printable

_KEYS = ("status", "task_status", "taskStatus", "state", "job_status", "jobStatus", "task_state")
"""Where the word stands: Kling, Zhipu and Wan say `task_status`, Luma and kie.ai `state`."""
_SHORT = 40  # characters of a word; a longer one is a sentence
# Names of the type that some spell in front (`TASK_STATUS_SUCCEEDED`, `JOB_STATE_FAILED`, `video_failed`).
_PREFIX = re.compile(r"(?:(?:video|generation|task|job|status|state)_)+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")

DONE = frozenset(
    # OpenAI, new-api; Runway, Azure, Replicate, Wan, Seedance; Vidu, Zhipu, MiniMax; Ideogram; Google's `done`
    {"completed", "succeeded", "success", "complete", "done"}
    # Kling, SiliconFlow, ModelScope `succeed`; Pika, Midjourney proxies `finished`; BFL `Ready`
    | {"succeed", "successful", "finished", "finish", "ready"}
)
"""Words for "the video is there" (docs/api-facts.md, c, and the providers' own pages)."""

FAILED = frozenset(
    # OpenAI, new-api; Replicate `canceled`, `aborted`; Runway, Azure, MiniMax `cancelled`; Seedance `expired`
    {"failed", "failure", "error", "cancelled", "canceled", "rejected", "expired"}
    # MiniMax, Zhipu, kie.ai `Fail`; Replicate `aborted`; task queues behind self-hosted gateways; sglang `deleted`
    | {"fail", "errored", "aborted", "terminated", "stopped", "timeout", "timed_out", "deleted"}
    # BFL `Request Moderated`, `Content Moderated`; Leonardo, PixVerse; Azure and Bedrock `content_filtered`
    | {"moderated", "content_moderated", "request_moderated", "moderation_failed", "moderation_rejected"}
    | {"content_filtered", "content_filter", "filtered", "content_blocked", "banned", "nsfw", "refused", "denied"}
    | {"content_policy_violation", "policy_violation", "sensitive_word_error"}
    # kie.ai; Google's Interactions
    | {"create_task_failed", "generate_failed", "budget_exceeded"}
)
"""Words for "there will be no video": believed after the usual confirmations only (docs/api-facts.md, c). `blocked`
and `incomplete` are none: they also say that a task waits, or isn't complete yet."""

RUNNING = frozenset(
    {"", "unknown", "queued", "queueing", "queuing", "in_queue", "pending", "submitted", "created", "accepted"}
    | {"not_start", "not_started", "notstart", "waiting", "wait", "scheduled", "throttled", "starting", "started"}
    | {"preparing", "preprocessing", "initializing", "processing", "running", "in_progress", "inprogress", "active"}
    | {"generating", "rendering", "dreaming", "working", "postprocessing", "validating", "uploading", "encoding"}
)
"""Words for "it goes on", which needn't be repeated to people; any other is, and it goes on all the same."""


def task_id_of(document: Any) -> str | None:
    """The task's id in the answer to a create, in any of the family's shapes; None if there is no safe one."""
    if not isinstance(document, dict):
        return None
    inner = document.get("data")
    for holder in (document, inner if isinstance(inner, dict) else {}):
        for key in ("id", "task_id", "taskId"):
            found = holder.get(key)
            if isinstance(found, str) and is_safe_id(found) and not holds_secret(found):
                return found
    return None


def instant(said: Any) -> int | None:
    """A time that the gateway gives, Unix seconds, if it is one that can be.

    The end of a task that runs means nothing (docs/api-facts.md, a).
    """
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 < said < 1 << 40 else None


def job_of(document: Any) -> dict[str, Any] | None:
    """The task object of an answer: flat, or inside `data` or `output` of a wrapper (docs/api-facts.md, a)."""
    if not isinstance(document, dict):
        return None
    for holder in ("data", "output"):
        inner = document.get(holder)
        if isinstance(inner, dict) and inner.keys() & {*_KEYS, "task_id"} and not _is_one(document):
            return inner
    known = {*_KEYS, "progress"} & document.keys()
    named = {"id", "task_id"} & document.keys()
    return document if known or (named and "error" not in document) else None


def _is_one(document: Mapping[str, Any]) -> bool:
    """Whether a document that wraps something is itself the task: JSend's `status` is the answer's, not the task's."""
    return "status" in document and bool({"id", "task_id"} & document.keys())


def is_about(job: Mapping[str, Any], task_id: str, *, is_error: bool) -> bool:
    """Whether a job is that task. In an error it must say so: a proxy says `{"status": "error"}` of anything."""
    names = [job[key] for key in ("task_id", "id") if isinstance(job.get(key), str) and job[key]]
    return task_id in names or not (names or is_error or meaning_of(word_of(job)) == "error")


def word_of(job: Mapping[str, Any]) -> str:
    """The gateway's own word for where a task stands, safe to print, or an empty text."""
    found = [job.get(key) for key in _KEYS]
    words = [said.strip() for said in found if isinstance(said, str)]
    numbers = [str(said) for said in found if type(said) is int and abs(said) < 10**_SHORT]
    return printable(next(filter(None, [*words, *numbers]), ""), _SHORT)


def meaning_of(word: str) -> str:
    """`Task-Status Succeeded`, `TASK_STATUS_SUCCEEDED` and `taskStatusSucceeded` as one: `succeeded`."""
    plain = re.sub(r"[\s_./-]+", "_", _HUMP.sub("_", word.strip())).lower().strip("_")
    prefix = _PREFIX.match(plain)
    return plain[prefix.end() :] if prefix else plain
