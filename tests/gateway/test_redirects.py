"""Where a redirect may lead: addresses only, so nothing is looked up."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from veopipe.gateway import redirects
from veopipe.gateway.address import Address


def followed(gateway: str, location: str) -> bool:
    """Whether a redirect is followed where no proxy carries anything."""
    at = f"{gateway}/v1/videos/task/content"
    try:
        asyncio.run(redirects.target(Address(gateway), at, location, lambda _: False))
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


def carried(gateway: str, location: str, direct: str = "") -> bool:
    """Whether a redirect is followed where a proxy carries everything but the host `direct`."""

    def carries(url: str) -> bool:
        return not direct or direct not in url

    try:
        asyncio.run(redirects.target(Address(gateway), f"{gateway}/v1/videos/task/content", location, carries))
    except redirects.NotFollowed as refusal:
        return "x=secret" in str(refusal)  # which would be told
    return True


@pytest.mark.parametrize("location", ["https://media.example/a?x=secret", "https://a.b.corp/x", "https://minio:9000/x"])
def test_where_a_proxy_carries_the_request_no_name_is_looked_up(location: str) -> None:
    """None of them is known here."""
    assert carried("https://gateway.example", location)
    assert not followed("https://8.8.8.8", location)


@pytest.mark.parametrize(
    "host",
    ["10.0.0.7", "127.1", "0x7f.1", "2130706433", "127.0.0.1.", "localhost", "a.localhost.", "[::1]", "[fe80::1]",
     "[::ffff:10.0.0.1]", "[64:ff9b::10.0.0.7]", "[64:ff9b:1::192.168.0.1]", "[2002:a00:7::1]", "[fec0::1]", "0",
     "169.254.169.254", "100.100.100.200", "198.18.0.7", "224.0.0.1", "\uff11\uff10.0.0.7"],
)  # fmt: skip
def test_an_address_inside_that_is_spelt_out_is_refused_with_and_without_a_proxy(host: str) -> None:
    assert not carried("https://gateway.example", f"https://{host}/x?x=secret")
    assert not followed("https://8.8.8.8", f"https://{host}/x")


@pytest.mark.parametrize("host", ["9.9.9.9", "[2620:fe::9]", "[64:ff9b::9.9.9.9]", "[::ffff:9.9.9.9]", "dead.beef"])
def test_an_address_outside_is_followed_behind_a_proxy(host: str) -> None:
    assert carried("https://gateway.example", f"https://{host}/x")


def test_an_excepted_host_is_judged_by_this_machine_s_dns_as_ever() -> None:
    assert not carried("https://gateway.example", "https://media.example/x?x=secret", direct="media.example")
    assert carried("https://10.0.0.5", "https://10.0.0.7/signed", direct="10.0.0.7")


@pytest.mark.parametrize(
    ("address", "private"),
    [("10.0.0.1", True), ("100.64.0.1", True), ("64:ff9b::808:808", False), ("64:ff9b::a00:1", True),
     ("2002:808:808::1", False), ("2001:4860:4860::8888", False), ("fd00::1", True), ("0.0.0.0", True)],
)  # fmt: skip
def test_an_address_is_private_or_not_in_whatever_clothes_it_comes(address: str, private: bool) -> None:
    assert redirects.is_private(ipaddress.ip_address(address)) is private


@pytest.mark.parametrize(("address", "made_up"), [("198.18.0.1", True), ("198.19.255.9", True), ("198.20.0.1", False)])
def test_what_a_tun_proxy_answers_for_a_name_says_nothing_of_where_it_leads(address: str, made_up: bool) -> None:
    assert redirects.is_made_up(ipaddress.ip_address(address)) is made_up
