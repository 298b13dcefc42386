"""Films in doubt whose next run begins with a look at the account's log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.harness.sweeping import stop, text
from tests.harness.trials import Yard
from veopipe.simulator.server import Simulator

if TYPE_CHECKING:
    from tests.harness.film import Film

TOKEN = "the-token-of-an-account"
"""Any does for a simulator that wants none in particular."""
LONG_AGO = 26.0
"""Minutes after which a charge that isn't in the log isn't coming any more: docs/design.md, 7 (resolve)."""


def in_doubt(yard: Yard, simulator: Simulator, *, charged: bool, minutes: float = 0.0) -> Film:
    """A film whose create got no answer some minutes ago; its next runs have the account's token."""
    film = _named(yard, simulator)
    simulator.order_fault("html_502", charged=charged)
    ended = yard.run(film)
    assert ended.status() == "in_doubt", ended
    age(film, "shot", minutes=minutes)
    return _with_token(film)


def died_asking(yard: Yard, simulator: Simulator) -> Film:
    """A film whose run was killed when the answer to its create was there and on no record; the same."""
    film = _named(yard, simulator)
    assert stop(yard, film, simulator, ["record"]).ended.code == -9
    return _with_token(film)


def _named(yard: Yard, simulator: Simulator) -> Film:
    film = text(yard, simulator)
    film.pipeline(provider__token_name="veopipe")
    return film


def _with_token(film: Film) -> Film:
    return replace(film, environment={**film.environment, "VEOPIPE_ACCOUNT_TOKEN": TOKEN})


def age(film: Film, shot: str, **by: float) -> None:
    """Let an intent be older than it is."""
    path = film.folder / ".veopipe/shots/state" / f"{shot}.json"
    state = json.loads(path.read_text("utf-8"))
    last = state["takes"][-1]["attempts"][-1]
    then = datetime.now(UTC) - timedelta(**by)
    last["submitted_at"] = then.strftime("%Y-%m-%dT%H:%M:%SZ")
    path.write_text(json.dumps(state), "utf-8")
