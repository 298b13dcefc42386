"""The harness has teeth: each protocol bug, seeded into a copy of the package, is noticed by its trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.bugs import BUGS, package_with
from tests.harness.figures import Figures
from tests.harness.fork import Zygote
from tests.harness.trials import Yard

if TYPE_CHECKING:
    from tests.harness.film import Film

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("name", BUGS)
@pytest.mark.shows("the harness has teeth")
def test_the_bug_is_noticed(name: str, film: Film, tmp_path: Path, figures: Figures) -> None:
    with Zygote(package_with(BUGS[name], tmp_path / "package"), nice=True) as zygote:
        found = BUGS[name].trial(Yard(film, tmp_path / "yard", zygote, at_once=1))
    assert any(BUGS[name].says in complaint for complaint in found), found
    figures(bugs=1)


@pytest.mark.shows("the harness has teeth")
def test_without_a_bug_no_trial_complains(yard: Yard) -> None:
    found = {name: bug.trial(yard) for name, bug in BUGS.items()}
    assert not {name: complaints for name, complaints in found.items() if complaints}
