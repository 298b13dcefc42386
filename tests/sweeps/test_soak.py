"""Many shots, a gateway that misbehaves at random, a run that is killed at random; `tests/harness/soak.py` says more.

Per push a short soak in each dialect; `VEOPIPE_LONG=1`: 300 shots, several seeds, which the dialects share.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.figures import LONG, Figures
from tests.harness.soak import Soak

SHOTS, SEEDS = (300, [1, 2, 3, 4]) if LONG else (20, [4, 5])
TURNS = [(seed, ("videos", "interactions")[turn % 2]) for turn, seed in enumerate(SEEDS)]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("seed", "dialect"), TURNS)
@pytest.mark.shows("stopped with several creates under way, and between the files of several shots")
@pytest.mark.shows("soak")
def test_killed_and_cheated_again_and_again_every_shot_settles_and_the_money_agrees(
    tmp_path: Path, figures: Figures, seed: int, dialect: str
) -> None:
    soaked = Soak(tmp_path, SHOTS, seed, dialect).go()
    figures(faults=soaked.faults + soaked.killed, paid_twice=soaked.paid_twice, lost=soaked.lost)
    figures(shots=SHOTS, runs=soaked.runs, kills=soaked.killed)
    print(soaked)
    assert soaked.broken == [], soaked
    assert soaked.killed >= 1
    assert soaked.statuses["verified"] >= SHOTS * 2 // 3
    assert soaked.runs > soaked.killed
