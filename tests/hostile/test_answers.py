"""Whatever a gateway answers ends in a verdict that is provable, and in words that are safe.

Per push each fuzzer tries the same inputs; `VEOPIPE_LONG=1` tries many more, other ones each time (`conftest`).
What once went wrong, or nearly, is kept in `corpus/` and tried every time.
"""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.harness.fuzzing import (
    STATUSES,
    UNSAFE,
    bodies,
    headers,
)
from veopipe.dialects.base import Asked, Evidence, Outcome
from veopipe.dialects.bodies import error_words, parse_json
from veopipe.dialects.heads import LONGEST_RETRY_AFTER, label_of, retry_after
from veopipe.dialects.interactions.dialect import Interactions
from veopipe.dialects.videos.dialect import Videos
from veopipe.gateway import redirects
from veopipe.gateway.address import Address
from veopipe.takes.origin import is_same_origin
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt
from veopipe.text import SHOWN, hide, printable

DIALECT = Videos()
MINE = Attempt(1, "run", Status.RENDERING, "https://a.example:443", Decimal(1), "", task_id="task_mine")
GOOGLE = Interactions()
GOOGLES = Attempt(
    1, "run", Status.RENDERING, "https://a.example:443", Decimal(1), "", task_id="v1_mine", dialect="interactions"
)

# --- answers ---------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.none() | STATUSES | st.integers(0, 999), st.booleans(), st.booleans(), headers, bodies)
def test_a_create_answer_is_judged_by_what_is_provable(
    status: int | None, passed: bool, done: bool, head: dict[str, str], body: bytes
) -> None:
    answer = DIALECT.judge_create(Evidence(status, head, body, None, passed, passed and done), Asked())
    if not passed:
        assert answer.outcome is Outcome.NOT_SENT
    elif status is None or not 200 <= status < 300:
        assert answer.outcome in {Outcome.IN_DOUBT, Outcome.REFUSED}
    else:
        assert answer.outcome in {Outcome.IN_DOUBT, Outcome.ACCEPTED}
    if answer.outcome is Outcome.REFUSED and status not in {400, 401, 402, 403, 404, 405, 413, 414, 415, 422, 429, 431}:
        assert error_words(body)[0] in {"model_not_found", "build_request_failed"}
    assert (answer.outcome is Outcome.ACCEPTED) == (answer.task_id is not None)
    assert answer.task_id is None or DIALECT.is_task_id(answer.task_id)
    for text in (answer.reason, answer.message, answer.request_id or ""):
        assert not UNSAFE.search(text)
        assert len(text) < 3 * SHOWN


@given(STATUSES | st.integers(0, 999), headers, bodies)
def test_a_poll_answer_about_another_task_settles_nothing(status: int, head: dict[str, str], body: bytes) -> None:
    answer = DIALECT.judge_poll(Evidence(status, head, body), MINE)
    assert not UNSAFE.search(answer.message)
    assert len(answer.message) < 3 * SHOWN
    assert answer.percent is None or 0 <= answer.percent <= 100
    names = re.findall(rb'"(?:id|task_id)": "([^"\\]+)"', body)
    if names and b"task_mine" not in body and parse_json(body) is not None and status >= 300:
        assert answer.progress not in {"completed", "failed"}


@given(STATUSES | st.integers(0, 999), headers, bodies, st.booleans())
def test_google_answers_are_judged_by_what_is_provable(
    status: int, head: dict[str, str], body: bytes, wrapped: bool
) -> None:
    if wrapped:  # what a fuzzer doesn't find by itself: the task's own id, and words for an end
        body = b'{"id": "%s", "status": "completed", "steps": ' % GOOGLES.task_id.encode() + body + b"}"  # type: ignore[union-attr]
    create = GOOGLE.judge_create(Evidence(status, head, body), Asked())
    poll = GOOGLE.judge_poll(Evidence(status, head, body, base_url="https://a.example"), GOOGLES)
    assert (create.outcome is Outcome.ACCEPTED) == (create.task_id is not None)
    assert create.task_id is None or (GOOGLE.is_task_id(create.task_id) and 200 <= status < 300)
    assert poll.told.content_url is None
    if not 200 <= status < 300:
        assert poll.progress in {"no such task", "key refused", "trouble"}
    for text in (create.reason, create.message, create.request_id or "", poll.message):
        assert not UNSAFE.search(text)
        assert len(text) < 3 * SHOWN


@pytest.mark.slow
@given(STATUSES | st.integers(0, 999), headers, bodies)
def test_a_content_answer_gets_a_kind_and_words_that_are_safe(status: int, head: dict[str, str], body: bytes) -> None:
    answer = DIALECT.judge_content(Evidence(status, head))
    code, words = error_words(body)
    assert (answer.kind == "video") == (200 <= status < 300)
    for text in (answer.why, label_of(status, head), code or "", words or ""):
        assert not UNSAFE.search(text)
        assert len(text) < 2 * SHOWN


@given(st.text(max_size=60) | st.floats().map(str) | st.integers().map(str), st.text(max_size=40))
@example("9" * 100_000, "")
@example("Fri, 31 Dec 9999 23:59:59 -2400", "Mon, 01 Jan 0001 00:00:00 +2400")
def test_a_retry_after_never_asks_for_more_than_its_cap(said: str, date: str) -> None:
    wait = retry_after({"retry-after": said, "date": date})
    assert wait is None or 0 <= wait <= LONGEST_RETRY_AFTER


@given(st.text(max_size=300), st.text(max_size=50), st.integers(0, 40))
def test_text_from_outside_is_one_safe_short_line_without_the_key(text: str, more: str, cut: int) -> None:
    key = "Qz7!fuzzed-Key_0123456789"
    hide(key)
    shown = printable(f"{text}{key}{more}{key[:cut]}")
    assert not UNSAFE.search(shown)
    assert len(shown) <= SHOWN
    assert key not in shown
    assert not any(shown.endswith(key[:length]) for length in range(8, len(key)))


@given(st.text(max_size=80) | st.text("/:@?#[]\\%.0a\t ", max_size=30) | st.sampled_from(["", "//", "http://", "x:"]))
def test_a_redirect_leads_to_a_usable_address_or_nowhere(location: str) -> None:
    here = "http://127.0.0.1:8000"
    try:
        found = asyncio.run(
            redirects.target(Address(here), f"{here}/v1/videos/task/content", location, lambda url: False)
        )
        target = httpx.URL(found)
    except (redirects.NotFollowed, httpx.InvalidURL):
        return
    assert target.scheme in {"http", "https"}
    assert not target.userinfo
    if is_same_origin(found, here):  # only there the key goes
        assert (target.scheme, target.host, target.port) == ("http", "127.0.0.1", 8000)
