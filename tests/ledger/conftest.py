"""A ledger with one shot, and a disk that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.builders import attempt, take
from veopipe.ledger import record
from veopipe.ledger.paths import Places
from veopipe.ledger.store import Store, open_store
from veopipe.takes.status import Status
from veopipe.takes.take import ShotState


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "shots.yaml", ".veopipe", "renders")
    places.state.mkdir(parents=True)
    return places


@pytest.fixture
def store(places: Places) -> Store:
    store = open_store(places)
    store.save(ShotState("hero", (take(attempt(Status.SUBMITTING)),)))
    return store


def on_disk(places: Places, shot: str = "hero") -> ShotState:
    return record.parse((places.state / f"{shot}.json").read_bytes())


def break_disk(places: Places) -> None:
    """Let every write of a state file fail, whoever runs this: the folder becomes a file."""
    places.state.rename(places.folder / "away")
    places.state.write_text("in the way")


def mend_disk(places: Places) -> None:
    places.state.unlink()
    (places.folder / "away").rename(places.state)
