"""What the acceptance tests share on top: the command that dies at a step."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from canary import pytest_runtest_makereport, the_key_is_kept

__all__ = ["pytest_runtest_makereport", "the_key_is_kept"]


@pytest.fixture(scope="session")
def dying() -> tuple[str, ...]:
    """The program `dying.py`, to be followed by how, where, and the command's own words."""
    return sys.executable, str(Path(__file__).with_name("dying.py"))
