"""What a dialect is: how a family of gateways is asked, and what its answers mean. Pure.

`base` has the values that go in and come out, `lookup` the log of an account, which some families have. Each folder
beside it is one dialect; `choice` finds the right one.

Source: docs/design.md, 2 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from veopipe.dialects.base import Asked, ContentAnswer, CreateAnswer, Evidence, Picture, PollAnswer, Request
from veopipe.dialects.lookup import AccountLog
from veopipe.takes.order import Order
from veopipe.takes.take import Attempt


class Dialect(Protocol):
    """How a family of gateways speaks. No method asks anything, and none has a memory.

    A judge never raises, whatever the evidence holds: what proves nothing is in doubt, trouble, or not ready.
    Each text of a verdict is safe to print.
    """

    @property
    def name(self) -> str:
        """As attempts record it: who bought a take carries it on (`choice`)."""

    @property
    def settings(self) -> str:
        """The settings of a provider to look at where a gateway has no such address, for people."""

    @property
    def look_up(self) -> AccountLog | None:
        """The log of an account that tells what was charged; None: this family has none."""

    def key_header(self, key: str) -> tuple[str, str]:
        """Name and value of the header that shows whose request it is."""

    def create(self, order: Order, pictures: Sequence[Picture]) -> Request:
        """The one request that costs money: make a video.

        Args:
            order: what is asked for.
            pictures: those of the order, in its sequence.

        Raises:
            ValueError: the order has something that can't be said here; the rules of its model refuse it before.
        """

    def judge_create(self, evidence: Evidence, asked: Asked) -> CreateAnswer:
        """What a create did, as far as it can be proven. Whatever isn't provable is in doubt.

        Args:
            evidence: of the call, its gate included.
            asked: what is known besides.
        """

    def status(self, attempt: Attempt) -> Request:
        """Ask how a task stands. Free; may be repeated.

        Raises:
            ValueError: the attempt has no task.
        """

    def judge_poll(self, evidence: Evidence, attempt: Attempt) -> PollAnswer:
        """What an answer to `status` says of the attempt's task. An unknown word means that the task still runs.

        Raises:
            ValueError: the attempt has no task.
        """

    def content(self, attempt: Attempt) -> Request | None:
        """Ask for a task's video. Free; may be repeated. None: only an answer to `status` says where it is.

        Raises:
            ValueError: the attempt has no task.
        """

    def judge_content(self, evidence: Evidence) -> ContentAnswer:
        """What may follow the head of an answer to `content`. Redirects were followed before.

        Args:
            evidence: of the head; its body is empty.
        """

    def is_task_id(self, text: str) -> bool:
        """Whether `text` can be the id of a task at a gateway of this family; then it is safe (`is_safe_id`)."""
