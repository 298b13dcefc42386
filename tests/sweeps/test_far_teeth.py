"""The harness has teeth far away, too: each bug of a bucket, an engine or a guard is noticed by its trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.harness.carriers import Dock
from tests.harness.changes import package_with
from tests.harness.farbugs import FAR, Coast
from tests.harness.figures import Figures
from tests.harness.film import Film
from tests.harness.fork import Zygote
from tests.harness.forkedengine import plug
from tests.harness.store import Proxy, Store
from tests.harness.trials import Yard

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
Sail = Callable[[Yard], AbstractContextManager[Coast]]


@pytest.fixture
def coast(tmp_path: Path, store: Store, proxy: Proxy, prefix: str) -> Sail:
    """What trials need whose processes are forked in a yard."""
    plugged = plug(tmp_path / "site")

    @contextmanager
    def at(yard: Yard) -> Iterator[Coast]:
        with Dock(yard, plugged) as dock, Dock(yard, plugged, store, prefix) as port:
            yield Coast(dock, port, proxy)

    return at


@pytest.mark.parametrize("name", FAR)
@pytest.mark.shows("the harness has teeth")
def test_the_bug_is_noticed(name: str, film: Film, tmp_path: Path, coast: Sail, figures: Figures) -> None:
    bug = FAR[name]
    with (
        Zygote(package_with(bug, tmp_path / "package"), nice=True) as zygote,
        coast(Yard(film, tmp_path / "yard", zygote, at_once=1)) as there,
    ):
        found = bug.trial(there)
    assert any(bug.says in complaint for complaint in found), found
    figures(bugs=1)


@pytest.mark.shows("the harness has teeth")
def test_without_a_bug_no_trial_complains(yard: Yard, coast: Sail, proxy: Proxy) -> None:
    found = {}
    for name, bug in FAR.items():
        with coast(yard) as there:
            found[name] = bug.trial(there)
        proxy.trouble = lambda _method, _path: None
    assert not {name: complaints for name, complaints in found.items() if complaints}
