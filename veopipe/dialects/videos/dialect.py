"""The dialect itself: its three requests, and who judges the answers. Pure.

Source: API document, Create a Task, Poll Status, Compatibility Status Polling and Download Video; docs/api-facts.md, a.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from urllib.parse import quote

from veopipe.dialects.base import (
    JSON,
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
from veopipe.dialects.videos import creates, form, polls
from veopipe.dialects.videos.account import Log
from veopipe.takes.order import Order
from veopipe.takes.origin import VIDEOS, is_safe_id
from veopipe.takes.take import Attempt
from veopipe.values import dataclass

_STATUS_PATHS = {"videos": "/v1/videos/{}", "generations": "/v1/video/generations/{}"}


@dataclass(frozen=True, slots=True)
class Videos:
    """The `Dialect` of the API document; `dialect.Dialect` says what each method means.

    Attributes:
        status_endpoint: where status is asked for: `videos`, or `generations` for gateways that have only that one.
        lean: models that take the lean form (`form`).
        pictures: model → role of a picture → field of the form, where that isn't the document's.
        account_user: the account's number, where its log wants it (`account.Log`).
    """

    status_endpoint: str = "videos"
    lean: frozenset[str] = frozenset()
    pictures: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    account_user: int | None = None

    @property
    def name(self) -> str:
        """That of an attempt that names none, too."""
        return VIDEOS

    @property
    def settings(self) -> str:
        """Both parts of the address that a pipeline can say."""
        return "base_url (what stands before /v1/videos) and status_endpoint"

    @property
    def look_up(self) -> Log:
        """The account's log."""
        return Log(self.account_user)

    def key_header(self, key: str) -> tuple[str, str]:
        """A bearer token, as in every example of the document."""
        return "Authorization", f"Bearer {key}"

    def create(self, order: Order, pictures: Sequence[Picture]) -> Request:
        """A multipart form; its first part is the model."""
        lean, fields = order.model in self.lean, self.pictures.get(order.model)
        return Request("POST", "/v1/videos", JSON, form.parts_of(order, pictures, lean=lean, fields=fields))

    def judge_create(self, evidence: Evidence, asked: Asked) -> CreateAnswer:
        """See `creates`."""
        return creates.judge(evidence, asked)

    def status(self, attempt: Attempt) -> Request:
        """At the endpoint that the pipeline names."""
        return Request("GET", _STATUS_PATHS[self.status_endpoint].format(_segment(attempt)), JSON)

    def judge_poll(self, evidence: Evidence, attempt: Attempt) -> PollAnswer:
        """See `polls`."""
        return polls.judge(evidence, id_of(attempt))

    def content(self, attempt: Attempt) -> Request:
        """Has one endpoint, whatever the one for status is."""
        return Request("GET", f"/v1/videos/{_segment(attempt)}/content", VIDEO)

    def judge_content(self, evidence: Evidence) -> ContentAnswer:
        """By the status alone."""
        return judge_content(evidence)

    def is_task_id(self, text: str) -> bool:
        """Any that is safe: the relatives have ids of many forms (docs/hazards.md, e 28)."""
        return is_safe_id(text)


def _segment(attempt: Attempt) -> str:
    return quote(id_of(attempt), safe="")
