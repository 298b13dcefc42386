"""Where a redirect may lead: addresses only, so nothing is looked up."""

from __future__ import annotations

import asyncio

import pytest

from veopipe import redirects
from veopipe.address import Address


def followed(gateway: str, location: str) -> bool:
    try:
        asyncio.run(redirects.target(Address(gateway), f"{gateway}/v1/videos/task/content", location))
    except redirects.NotFollowed:
        return False
    return True


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.7/x",
        "https://192.168.1.1:8443/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[fe80::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "http://9.9.9.9/x",
        "https://user:secret@9.9.9.9/x",
    ],
)
def test_a_gateway_outside_leads_nobody_inside(location: str) -> None:
    assert not followed("https://8.8.8.8", location)


def test_a_gateway_outside_may_lead_elsewhere_outside() -> None:
    assert followed("https://8.8.8.8", "https://9.9.9.9/signed?x=1")
    assert followed("https://8.8.8.8", "/elsewhere")


def test_a_gateway_inside_may_lead_to_its_neighbours_but_not_without_tls() -> None:
    assert followed("https://10.0.0.5", "https://10.0.0.7/signed")
    assert followed("https://10.0.0.5", "/elsewhere")
    assert not followed("https://10.0.0.5", "http://10.0.0.7/signed")
