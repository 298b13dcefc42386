"""What a client and a dialect say to each other: a request, what became of it, and what that means. Pure.

A dialect knows the words of a family of gateways: paths, fields, headers, what each answer means. It asks nothing
itself. `gateway.client` sends its requests and knows none of these words.

Source: docs/design.md, 2 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from enum import StrEnum

from veopipe.takes.status import Scope
from veopipe.takes.take import Attempt
from veopipe.values import dataclass

LONGEST_ANSWER = 1 << 20
"""Bytes of an answer that are read, where it repeats nothing; a task object has 300."""

# --- requests --------------------------------------------------------------------------------------

JSON, VIDEO = {"Accept": "application/json"}, {"Accept": "video/mp4, */*;q=0.1"}
"""Headers of requests, by what is to come."""


def id_of(attempt: Attempt) -> str:
    """Of its task; raises `ValueError` where it has none."""
    if attempt.task_id is None:
        raise ValueError("the attempt has no task")
    return attempt.task_id


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an order, as it is on disk now.

    Attributes:
        role: what it is for, as in the order.
        media_type: what its bytes say, such as `image/png`.
        content: all of it.
    """

    role: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart form: a text, or a file if it has a file name.

    Attributes:
        name: of the form's field.
        content: what is sent.
        file_name: of a file, as the gateway is told.
        media_type: of a file.
    """

    name: str
    content: str | bytes = field(repr=False)
    file_name: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, in the gateway's own words. Who sends it adds the address and the key.

    Attributes:
        method: of HTTP.
        path: below the gateway's base URL, quoted.
        headers: that this request has besides the key's.
        parts: of a multipart form, in order; a name may repeat.
        body: all of it, where it is no form; then the headers say what it is.
        longest_answer: bytes of the answer that are read. An answer that repeats what was uploaded needs more.
        echo_bytes: of a create: bytes of it that answers about its task may repeat, or None. They are recorded with
            the attempt, so that a later process knows how long these answers may be.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    parts: tuple[Part, ...] = ()
    body: bytes = field(default=b"", repr=False)
    longest_answer: int = LONGEST_ANSWER
    echo_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a request when it is over, however it ended.

    Attributes:
        status: of the answer, if its head was read.
        headers: of the answer, names in lower case.
        body: of the answer, as far as it was read.
        error: what ended the request early, for people.
        gate_passed: of a create: the intent is on disk and the first body byte was allowed out.
        body_done: of a create: the whole body was handed to the network.
        base_url: of the gateway that was asked; an address in its answer is compared with it.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    error: str | None = None
    gate_passed: bool = True
    body_done: bool = True
    base_url: str = ""


# --- creates ---------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """What became of one create call."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    IN_DOUBT = "in doubt"
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of the order that was sent, and of the address that it was sent to.

    Attributes:
        model: of the order; words that name it aren't about the address.
        is_known: some take has a task at this gateway, though perhaps below another path of it.
        has_accepted: a create was accepted at this very address in this run.
    """

    model: str = ""
    is_known: bool = False
    has_accepted: bool = False


@dataclass(frozen=True, slots=True)
class CreateAnswer:
    """The verdict on one create call.

    Attributes:
        outcome: what became of it.
        reason: a short id, such as `no_answer`, or the gateway's own code.
        message: for people; the gateway's words where it gave some.
        scope: of a refusal.
        task_id: of the gateway's job, once accepted.
        named: an id that stands in the answer, of which it isn't known whether it is the task's.
        created_at: the gateway's own time of the task, Unix seconds, if it says.
        http_status: of the answer.
        request_id: the gateway's name for the request, for its support.
        retry_after: seconds that a 429 asks to wait, if it says.
    """

    outcome: Outcome
    reason: str
    message: str
    scope: Scope | None = None
    task_id: str | None = None
    named: str | None = None
    created_at: int | None = None
    http_status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None


# --- polls -----------------------------------------------------------------------------------------


class Progress(StrEnum):
    """What a poll says."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    NO_SUCH_TASK = "no such task"
    KEY_REFUSED = "key refused"
    TROUBLE = "trouble"
    BLOCKED = "blocked"  # the gateway finished and made no video, on purpose: final, and no poll takes it back
    UNREADABLE = "unreadable"  # it is over and may be paid, and the answer doesn't say where the video is


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a task used, where its price is made of that.

    Attributes:
        video: of the video.
        text: of everything else that was made, thoughts included.
        input: of what was sent.
    """

    video: int = 0
    text: int = 0
    input: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer tells of a task besides where it stands.

    Attributes:
        content_url: where the video is, below the gateway's base URL; safe to ask for.
        tokens: what the task used.
        cost_usd: what it cost, US dollars.
        completed_at: of a task that is completed: the gateway's own time of that, Unix seconds.
    """

    content_url: str | None = None
    tokens: Tokens | None = None
    cost_usd: Decimal | None = None
    completed_at: int | None = None


NOTHING_TOLD = Told()
"""Where an answer says nothing of that."""


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """The verdict on one poll.

    Attributes:
        progress: what it says.
        message: for people: the gateway's reason of a failure, its word for a task that isn't over, or what went wrong.
        percent: 0 to 100, if the gateway says.
        retry_after: seconds that the gateway asks to wait, if it says.
        busy: the gateway says that it is asked too much (429).
        is_news: people must hear the message though nothing is decided: a word that isn't known, an error beside it.
        is_about_route: there is no such address, as far as one answer can tell; nothing in it is about the task.
        told: what it tells besides.
    """

    progress: Progress
    message: str = ""
    percent: int | None = None
    retry_after: float | None = None
    busy: bool = False
    is_news: bool = False
    is_about_route: bool = False
    told: Told = NOTHING_TOLD


# --- content ---------------------------------------------------------------------------------------


class Content(StrEnum):
    """What the head of an answer with content says."""

    VIDEO = "video"  # or whatever its bytes say
    NOT_READY = "not ready"
    GONE = "gone"
    KEY_REFUSED = "key refused"


@dataclass(frozen=True, slots=True)
class ContentAnswer:
    """The verdict on the head of an answer with content.

    Attributes:
        kind: what may follow.
        why: for people: why nothing can, or what the head calls a body that it doesn't call a video.
        retry_after: seconds that the gateway asks to wait, if it says.
        busy: the gateway says that it is asked too much (429).
    """

    kind: Content
    why: str = ""
    retry_after: float | None = None
    busy: bool = False
