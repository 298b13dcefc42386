"""The short form of the soak; the long one: `python tests/reliability/soak.py --shots 300 --seeds 1 2 3`."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak import Soak


@pytest.mark.slow
def test_killed_and_cheated_again_and_again_every_shot_settles_and_the_money_agrees(tmp_path: Path) -> None:
    soaked = Soak(tmp_path, 30, seed=4).go()
    assert soaked.broken == [], soaked
    assert soaked.killed >= 1
    assert soaked.statuses["verified"] >= 20
    assert soaked.runs > soaked.killed
