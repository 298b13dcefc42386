"""What commands say to people: facts that agree, sums that can be read, and hints that can be typed as they stand."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator


def test_plan_and_resolve_say_the_same_time_of_a_parked_take(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("stuck_in_progress", times=None)
    film.pipeline(poll__timeout="300ms")
    film.list({"a": "one"})
    assert film.run().statuses == {"a": "parked"}
    path = film.folder / ".veopipe/shots/state/a.json"
    state = json.loads(path.read_text())
    last = state["takes"][0]["attempts"][-1]
    last["settled_at"] = "2031-01-01T00:00:00Z"
    path.write_text(json.dumps(state))

    listed = film.command("resolve", "shots.yaml", "-p", "quick.yaml")
    assert "a take 1: parked since 2031-01-01T00:00:00Z" in listed.out
    assert f"ordered    {last['submitted_at']}" in listed.out
    planned = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    assert "parked since 2031-01-01T00:00:00Z" in planned.out
    document = film.command("resolve", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert document["takes"][0]["since"] == last["submitted_at"]  # as its schema says


def test_large_sums_have_separators_for_people_and_none_in_documents(film: Film) -> None:
    film.pipeline(provider__models={"dear": {"price_usd": 1234.5, "like": "veo-3.1-fast-generate-preview"}})
    film.list({"a": {"prompt": "one", "model": "dear"}}, budget_usd=1000000)

    text = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url).out
    assert re.findall(r"\$[0-9,.]*[0-9]", text) == ["$1,234.50", "$1,234.50", "$1,000,000.00"]
    document = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert (document["cost_usd"]["planned"], document["cost_usd"]["cap"]) == ("1234.50", "1000000.00")
