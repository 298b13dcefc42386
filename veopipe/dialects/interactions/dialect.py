"""The dialect itself: its three requests, and who judges the answers. Pure.

Source: docs/api-facts.md, h.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from veopipe.dialects.base import (
    JSON,
    LONGEST_ANSWER,
    VIDEO,
    Asked,
    ContentAnswer,
    CreateAnswer,
    Evidence,
    Picture,
    PollAnswer,
    Request,
    id_of,
)
from veopipe.dialects.heads import judge_content
from veopipe.dialects.interactions import body, creates, polls
from veopipe.takes.order import Order
from veopipe.takes.origin import INTERACTIONS
from veopipe.takes.take import Attempt
from veopipe.values import dataclass

_AROUND_ECHO = 1.05
"""Times as long as what it repeats may an answer be, besides `LONGEST_ANSWER`: base64 in lines has an end for each."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """The `Dialect` of Google's Interactions API; `dialect.Dialect` says what each method means.

    Attributes:
        api_version: what the API's paths begin with.
    """

    api_version: str = "v1beta"

    @property
    def name(self) -> str:
        """As attempts record it."""
        return INTERACTIONS

    @property
    def settings(self) -> str:
        """The one part of the address that a pipeline can say."""
        return f"base_url (what stands before {self._path})"

    @property
    def look_up(self) -> None:
        """There is no list of interactions (docs/api-facts.md, h)."""
        return

    def key_header(self, key: str) -> tuple[str, str]:
        """A header of its own; in the URL, which the API takes as well, it would stand in logs."""
        return "x-goog-api-key", key

    def create(self, order: Order, pictures: Sequence[Picture]) -> Request:
        """One JSON body, pictures included."""
        content, echoed = body.body_of(order, pictures)
        headers = {**JSON, "Content-Type": "application/json"}
        return Request("POST", self._path, headers, body=content, echo_bytes=echoed or None)

    def judge_create(self, evidence: Evidence, asked: Asked) -> CreateAnswer:
        """See `creates`."""
        return creates.judge(evidence, asked, f"/{self.api_version}")

    def status(self, attempt: Attempt) -> Request:
        """Without the input; the API repeats it all the same, so the answer may be as long as that."""
        path = f"{self._path}/{quote(id_of(attempt), safe='')}?include_input=false"
        return Request("GET", path, JSON, longest_answer=_longest(attempt))

    def judge_poll(self, evidence: Evidence, attempt: Attempt) -> PollAnswer:
        """See `polls`."""
        return polls.judge(evidence, id_of(attempt), _longest(attempt))

    def content(self, attempt: Attempt) -> Request | None:
        """At the address that a poll gave, below this gateway's: whatever host was named, no other gets the key.

        Without `alt=media` it would be what is known of the file, and not the film.
        """
        id_of(attempt)
        return Request("GET", f"{attempt.content_url}?alt=media", VIDEO) if attempt.content_url is not None else None

    def judge_content(self, evidence: Evidence) -> ContentAnswer:
        """By the status alone."""
        return judge_content(evidence)

    def is_task_id(self, text: str) -> bool:
        """Such as `v1_Chd…`."""
        return creates.is_task_id(text)

    @property
    def _path(self) -> str:
        return f"/{self.api_version}/interactions"


def _longest(attempt: Attempt) -> int:
    return LONGEST_ANSWER + int(_AROUND_ECHO * (attempt.echo_bytes or 0))
