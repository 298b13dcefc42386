"""A run has an id that no other has: what it spends is told from the others' by it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import veopipe
from tests.harness.builders import attempt, take
from veopipe.run.consent import Voice
from veopipe.run.run import Run
from veopipe.takes.status import Status
from veopipe.takes.take import ShotState

LIST = "version: 1\nshots: {hero: {model: veo-3.1-fast-generate-preview, prompt: x}}\n"


def test_a_run_has_no_id_that_an_attempt_has_though_no_log_is_here_and_the_clock_was_put_back(tmp_path: Path) -> None:
    path = tmp_path / "shots.yaml"
    path.write_text(LIST)
    ledger = veopipe.open(path).look()
    began = time.time()
    soon = [datetime.fromtimestamp(began + late, UTC).strftime("%Y%m%dT%H%M%SZ") for late in range(60)]
    ledger.store.shots["hero"] = ShotState(
        "hero", (take(*[replace(attempt(Status.REFUSED), run=run) for run in soon]),)
    )
    voice = Voice(tell=lambda _said: None, watch=lambda _note: None)
    assert Run.of(ledger, voice).id not in soon
