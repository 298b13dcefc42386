"""The name of a gateway: one name for one place, and this machine is known as such."""

from __future__ import annotations

import pytest

from veopipe.gateway.address import Address, is_loopback
from veopipe.settings import parse_base_url


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("https://api.laozhang.ai", "https://api.laozhang.ai:443"),
        ("https://api.laozhang.ai/", "https://api.laozhang.ai:443"),
        ("https://API.LaoZhang.ai:443", "https://api.laozhang.ai:443"),
        ("https://api.laozhang.ai:8443/proxy", "https://api.laozhang.ai:8443"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_spellings_of_one_gateway_have_one_name(written: str, name: str) -> None:
    assert Address(parse_base_url(written)).name == name


def test_a_rehearsals_gateway_has_one_name_whatever_its_port() -> None:
    names = {Address(f"http://127.0.0.1:{port}", simulated=True).name for port in (1, 2, 65535)}

    assert names == {"simulator"}


@pytest.mark.parametrize(
    "name", ["simulator", "http://127.0.0.1:80", "http://127.9.9.9:80", "http://localhost:1", "http://[::1]:8080"]
)
def test_gateways_on_this_machine(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name",
    [
        "https://api.laozhang.ai:443",
        "https://localhost.example:443",
        "https://10.0.0.1:443",
        "https://simulator:443",
        "",
        "x",
    ],
)
def test_gateways_elsewhere(name: str) -> None:
    assert not is_loopback(name)
