"""What the fuzzers share: values, bodies and heads of answers, the saved corpus, how many inputs they try.

Per push always the same; `VEOPIPE_LONG=1` tries many more, other ones each time.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.harness.figures import LONG

PUSH, NIGHTLY = 400, 10_000
"""Inputs per fuzzer; `tests/test_index.py` counts the fuzzers."""
WALKED, MEASURED, DECODED = (100_000, 8_000, 4_000) if LONG else (4_000, 400, 80)
"""Damaged videos that are walked, that are measured, and that are decoded."""
TESTS = Path(__file__).parents[1]
MEDIA = TESTS / "media/whole"
CORPUS = TESTS / "hostile/corpus"
REAL = "https://api.laozhang.ai:443"
SINCE = "2026-11-22T06:00:00Z"
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
STATUSES = st.sampled_from(
    [200, 201, 202, 204, 301, 302, 307, 400, 401, 403, 404, 408, 409, 410, 413, 429, 500, 503, 524]
)


_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example)
settings.register_profile(
    "push", max_examples=PUSH, derandomize=True, database=None, deadline=None, suppress_health_check=_QUIET
)
settings.register_profile(
    "nightly", max_examples=NIGHTLY, derandomize=False, database=None, deadline=None, suppress_health_check=_QUIET
)
settings.load_profile("nightly" if LONG else "push")


def corpus(folder: str) -> list[Path]:
    """The saved inputs of one fuzzer."""
    found = sorted((CORPUS / folder).iterdir())
    assert found
    return found


@contextmanager
def a_folder() -> Iterator[Path]:
    """A folder for one input: fixtures would be shared by all of a test's."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder).resolve()


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["completed", "failed", "task_1", "../x", "sk-abcdefghijkl", "\ud800", 10**400, -1, 1e308, "1e999"]
    )
)
ANSWER_KEYS = ("id", "task_id", "status", "progress", "error", "code", "message", "data", "detail", "created_at")
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(ANSWER_KEYS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)


def as_body(value: Any) -> bytes:
    try:
        return json.dumps(value).encode("utf-8", "surrogatepass")
    except ValueError:  # a number with too many digits for Python
        return b'{"id": ' + b"9" * 5000 + b"}"


bodies = st.binary(max_size=200) | values.map(as_body)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "date", "location", "x-request-id", "content-type", "content-encoding", "cf-ray"]),
    st.text(max_size=40)
    | st.sampled_from(["nan", "-1", "1e999", "Wed, 21 Oct 2099 07:28:00 GMT", "gzip", "http://[::1"]),
    max_size=4,
)
