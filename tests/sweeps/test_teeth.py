"""The harness has teeth: each protocol bug, seeded into a copy of the package, is noticed by its trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.bugs import BUGS, package_with
from tests.harness.figures import Figures
from tests.harness.trials import Yard

if TYPE_CHECKING:
    from tests.harness.film import Film

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("name", BUGS)
def test_the_bug_is_noticed(name: str, film: Film, tmp_path: Path, figures: Figures) -> None:
    yard = Yard(film, tmp_path / "yard", package_with(BUGS[name], tmp_path / "package"), at_once=1)
    try:
        found = BUGS[name].trial(yard)
    finally:
        yard.close()
    assert any(BUGS[name].says in complaint for complaint in found), found
    figures(bugs=1)


def test_without_a_bug_no_trial_complains(film: Film, tmp_path: Path) -> None:
    yard = Yard(film, tmp_path / "yard")
    try:
        found = {name: bug.trial(yard) for name, bug in BUGS.items()}
    finally:
        yard.close()
    assert not {name: complaints for name, complaints in found.items() if complaints}
