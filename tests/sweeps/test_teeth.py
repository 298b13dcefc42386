"""The harness has teeth: each protocol bug, seeded into a copy of the package, is noticed by its trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.bugs import BUGS
from tests.harness.changes import package_with
from tests.harness.figures import Figures
from tests.harness.fork import Zygote
from tests.harness.trials import Yard

if TYPE_CHECKING:
    from tests.harness.film import Film

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("name", BUGS)
@pytest.mark.shows("the harness has teeth")
def test_the_bug_is_noticed(name: str, film: Film, tmp_path: Path, figures: Figures) -> None:
    bug = BUGS[name]
    with Zygote(package_with(bug, tmp_path / "package"), nice=True) as zygote:
        yard = Yard(film, tmp_path / "yard", zygote, at_once=1)
        found = {make.__name__: bug.trial(yard, make) for make in bug.makes}
    assert [of for of, said in found.items() if not any(bug.says in complaint for complaint in said)] == [], found
    figures(bugs=1)


@pytest.mark.shows("the harness has teeth")
def test_without_a_bug_no_trial_complains(yard: Yard) -> None:
    trials = {
        (bug.trial, make): name for name, bug in BUGS.items() for make in bug.makes
    }  # bugs may have one in common
    found = {(name, make.__name__): trial(yard, make) for (trial, make), name in trials.items()}
    assert not {name: complaints for name, complaints in found.items() if complaints}
