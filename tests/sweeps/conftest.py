"""What the sweeps share: a place for trials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.film import Film
from tests.harness.fork import Zygote
from tests.harness.trials import Yard


@pytest.fixture(scope="session")
def nice_zygote() -> Iterator[Zygote]:
    """Forks the runs of all sweeps of this process; they leave the processor to the gateway."""
    with Zygote(nice=True) as running:
        yield running


@pytest.fixture
def yard(film: Film, tmp_path: Path, nice_zygote: Zygote) -> Yard:
    """A place for the trials of one sweep."""
    return Yard(film, tmp_path / "yard", nice_zygote)
