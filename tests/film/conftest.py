"""Videos are decoded and played in processes that are forked, not started: a fifth of a second less for each."""

from __future__ import annotations

import pytest

from tests.harness.fork import Zygote
from veopipe.delivery import child


@pytest.fixture(autouse=True)
def forked(request: pytest.FixtureRequest, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    """What decodes for this process is forked, but for a test that wants it `started`."""
    if "started" not in request.fixturenames:
        monkeypatch.setattr(child, "_started", zygote.sibling)


@pytest.fixture
def started() -> None:
    """What decodes is started from nothing: the test looks at that process."""
