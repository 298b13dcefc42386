"""How faults are ordered: in a prompt, by the interface, on the control surface."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from veopipe.simulator.dialects.videos.faults import TABLE
from veopipe.simulator.faults import UnknownFault, order_for
from veopipe.simulator.server import Simulator

Create = Callable[..., httpx.Response]


def test_a_prompt_can_order_faults_for_its_own_shot(create: Create, client: httpx.Client) -> None:
    prompt = "A lighthouse [simulate: 429_busy times=2] at [simulate: lag_404 seconds=60] sunset"
    assert [create(prompt=prompt).status_code for _ in range(3)] == [429, 429, 200]
    task = create(prompt=prompt).json()["id"]
    assert client.get(f"/v1/videos/{task}/content").status_code == 404
    assert create(prompt="A lighthouse").status_code == 200


def test_orders_can_wait_repeat_and_pick_their_requests(simulator: Simulator, create: Create) -> None:
    simulator.order_fault("429_busy", after=1, times=2, match={"prompt": "harbour"})
    prompts = ["The harbour", "The sea", "The harbour", "Old harbour", "The harbour"]
    assert [create(prompt=prompt).status_code for prompt in prompts] == [200, 200, 429, 429, 200]
    simulator.order_fault("400_google", times=None, match={"model": "veo-3.1-generate-preview"})
    assert [create(model="veo-3.1-generate-preview").status_code for _ in range(3)] == [400] * 3
    assert create().status_code == 200


def test_the_control_surface_orders_lists_and_clears(client: httpx.Client, create: Create) -> None:
    ordered = client.post("/_simulator/faults", json={"fault": "html_502", "times": 5, "charged": False})
    assert (ordered.status_code, ordered.json()["stage"]) == (200, "create")
    assert create().status_code == 502
    listed = client.get("/_simulator/faults").json()
    assert (listed["ordered"][0]["met"], len(listed["known"])) == (1, len(TABLE))
    client.request("DELETE", "/_simulator/faults")
    assert create().status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "nothing"},
        {"fault": "stall", "speed": 1},
        {"fault": "stall", "part": "half"},
        {"fault": "stall", "seconds": float("nan")},
        {"fault": "stall", "times": -1},
        {"fault": "stall", "match": {"shot": "a"}},
        {"fault": "html_502", "charged": "perhaps"},
        [],
    ],
    ids=str,
)
def test_an_order_that_makes_no_sense_is_refused(client: httpx.Client, body: Any) -> None:
    answer = client.post("/_simulator/faults", content=json.dumps(body))
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_unknown_fault_is_named_where_it_is_ordered() -> None:
    with pytest.raises(UnknownFault, match=r"no fault is called 'lost'.*--list-faults"):
        order_for(TABLE, "lost", {})
