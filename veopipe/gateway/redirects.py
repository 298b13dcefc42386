"""Where a redirect of a download may lead; creates and polls follow none.

A gateway may send the client to a signed URL elsewhere (docs/api-facts.md, a). It may not send it to an address
with a password. Unless the gateway is itself on this machine, it may not send it to one without TLS; unless the
gateway is itself inside the network that this machine stands in, it may not send it there.

This machine knows where a name leads only if it connects itself. A proxy that carries the request looks the name up in
its own network, of which this machine's DNS knows nothing. Then only an address that the URL spells out can be judged.

Source: docs/hazards.md, b (Download) and e 29.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from veopipe.gateway.address import Address
from veopipe.takes.origin import PORTS
from veopipe.text import printable

_NUMBERS = re.compile(r"[0-9a-fx.]+")
_FAKE = ipaddress.ip_network("198.18.0.0/15")
"""A proxy that works as a network device (TUN) makes this machine's DNS answer with made-up addresses of this range,
which lead to the proxy. The range is for tests of equipment (RFC 2544), so no service has an address there."""
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""IPv4 addresses written as IPv6, on networks without IPv4 (RFC 6052, RFC 8215): the last 32 bits count."""

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotFollowed(Exception):
    """A redirect that isn't followed; the text says why, without the URL's query."""


async def target(gateway: Address, url: str, location: str, carries: Callable[[str], bool]) -> str:
    """The URL that a redirect leads to.

    Args:
        gateway: the one that was asked first.
        url: the one that answered with the redirect.
        location: the Location header of that answer.
        carries: whether a proxy carries the requests to a URL.

    Raises:
        NotFollowed: it leads where no download should go.
    """
    try:
        found = urljoin(url, location)
        parts = urlsplit(found)
        _ = parts.port
    except ValueError:
        raise NotFollowed("a redirect to no address") from None
    host = parts.hostname
    if parts.scheme not in PORTS or not host or "@" in parts.netloc or "\\" in parts.netloc:
        raise NotFollowed("a redirect to an address that can't be used")
    if gateway.is_loopback:
        return found
    if parts.scheme != "https":
        raise NotFollowed("a redirect to an address without TLS")
    inside = await _inside(found, carries)
    if inside is not None and await _inside(gateway.base_url, carries) is None:
        raise NotFollowed(
            f"a redirect to {printable(host)}, which is inside this network ({inside}), while the gateway isn't; "
            "run where that name leads outside, or let a proxy carry it (HTTPS_PROXY)"
        )
    return found


async def _inside(url: str, carries: Callable[[str], bool]) -> str | None:
    """The address inside this network that a URL leads to, or None."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    spelt_out = _spelt_out(host)
    if spelt_out is not None:
        return str(spelt_out) if is_private(spelt_out) else None
    if carries(url):
        return None
    addresses = await _looked_up(host, parts.port or 443)
    return next((str(address) for address in addresses if is_private(address) and not is_made_up(address)), None)


async def _looked_up(host: str, port: int) -> list[_IP]:
    """The addresses that this machine's DNS knows for a name."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # UnicodeError: a label that is empty or too long
        raise NotFollowed(
            f"a redirect to {printable(host)}, a name that this machine's DNS doesn't know; "
            "look at the network, or let a proxy carry it (HTTPS_PROXY)"
        ) from None
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _spelt_out(host: str) -> _IP | None:
    """The address that a host spells out, in any spelling that the system understands; None: it is a name."""
    host = unicodedata.normalize("NFKC", host).rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # 127.1, 0x7f.1 and 2130706433 are the same
        return ipaddress.IPv4Address(socket.inet_aton(host)) if _NUMBERS.fullmatch(host) else None
    except OSError:
        return None


def is_private(address: _IP) -> bool:
    """Whether an address isn't one of the open internet; IPv4 written as IPv6 is judged as IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if any(address in network for network in _NAT64):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_private(inner)
        if address.is_site_local:
            return True
    return not address.is_global or address.is_multicast


def is_made_up(address: _IP) -> bool:
    """Whether an address that DNS gave is a TUN proxy's own, which says nothing of where the name leads."""
    return address in _FAKE
