"""Fixtures of the reliability tests, and how many inputs the fuzzers try.

Per push always the same; `VEOPIPE_LONG=1` tries many more, other ones each time.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from canary import pytest_runtest_makereport, the_key_is_kept
from crashtrial import LONG
from figures import figures, pytest_runtest_call, pytest_terminal_summary
from fuzzing import NIGHTLY, PUSH
from hypothesis import HealthCheck, settings

from veopipe.simulator.footage import Cut, clip
from veopipe.simulator.slate import Slate

__all__ = [
    "figures",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "the_key_is_kept",
]

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example)
settings.register_profile(
    "push", max_examples=PUSH, derandomize=True, database=None, deadline=None, suppress_health_check=_QUIET
)
settings.register_profile(
    "nightly", max_examples=NIGHTLY, derandomize=False, database=None, deadline=None, suppress_health_check=_QUIET
)
settings.load_profile("nightly" if LONG else "push")


@pytest.fixture(scope="session")
def measured_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a list without settings orders: 4 s at 720p."""
    path = tmp_path_factory.mktemp("video") / "720p.mp4"
    path.write_bytes(clip(Cut(1280, 720, 4), Slate("a cat", ("a", "b", "c", "d", "e", "f"))))
    return path
