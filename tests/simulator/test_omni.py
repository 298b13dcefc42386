"""Gemini Omni as LaoZhang sells it: what it costs, what arrives, and what it replaces."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow

Create = Callable[..., httpx.Response]

OMNI = "gemini-omni-1.2-flash"


@pytest.mark.parametrize(
    ("resolution", "size", "price"),
    [
        ("360p", "640x360", "0.10"),
        ("720p", "720x1280", "0.30"),
        ("1080p", "1920x1080", "0.45"),
        (None, "1080x1920", "0.45"),
        ("1080p", None, "0.45"),
        (None, None, "0.30"),
    ],
)
def test_its_price_is_that_of_the_resolution_whatever_its_length(
    create: Create, simulator: Simulator, resolution: str | None, size: str | None, price: str
) -> None:
    for seconds in ("3", "10"):
        assert create(model=OMNI, seconds=seconds, resolution=resolution, size=size).status_code == 200
        assert simulator.charged[-1]["price_usd"] == price


def test_what_it_refuses_costs_nothing(create: Create, simulator: Simulator) -> None:
    before = len(simulator.charged)

    assert create(model=OMNI, seconds="11").status_code == create(model=OMNI, seed="1").status_code == 400
    assert len(simulator.charged) == before


def test_an_upright_360p_video_arrives_as_one(create: Create, client: httpx.Client, simulator: Simulator) -> None:
    made = create(model=OMNI, seconds="3", size="360x640", resolution="360p").json()["id"]

    assert client.get(f"/v1/videos/{made}").json()["status"] == "completed"
    assert client.get(f"/v1/videos/{made}/content", timeout=60).content[4:8] == b"ftyp"
    assert (simulator.charged[-1]["resolution"], simulator.charged[-1]["ratio"]) == ("360p", "9:16")


@pytest.mark.parametrize(("name", "status"), [("404_replaced", 404), ("503_retired", 503)])
def test_a_model_can_be_retired_while_the_other_is_sold(
    create: Create, simulator: Simulator, name: str, status: int
) -> None:
    simulator.order_fault(name, times=None, match={"model": "veo-3.1-fast-generate-preview"})
    before = len(simulator.charged)

    assert [create().status_code for _ in range(3)] == [status] * 3
    assert len(simulator.charged) == before
    assert create(model=OMNI).status_code == 200
