"""Where a redirect of a download may lead; creates and polls follow none.

A gateway may send the client to a signed URL elsewhere (api-facts.md, a). It may not send it to an address
with a password or, unless the gateway is itself on this machine, without TLS; nor inside the network that
this machine stands in, unless the gateway is there, too.

Source: reliability.md (b) Download, (e) 29.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urljoin, urlsplit

from veopipe.address import Address
from veopipe.wording import printable

_PORTS = {"http": 80, "https": 443}


class NotFollowed(Exception):
    """A redirect that leads nowhere a key's owner wants to go; the text says why, without the URL's query."""


def is_same_origin(url: str, other: str) -> bool:
    """Whether scheme, host and port are the same: only there the key may go.

    Raises:
        ValueError: one of them is no URL.
    """
    return _origin(urlsplit(url)) == _origin(urlsplit(other))


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


async def target(gateway: Address, url: str, location: str) -> str:
    """The URL that a redirect leads to.

    Args:
        gateway: that was asked first.
        url: that answered with the redirect.
        location: its Location header.

    Raises:
        NotFollowed: it leads where no download should go.
    """
    try:
        found = urljoin(url, location)
        parts = urlsplit(found)
        port = parts.port or _PORTS.get(parts.scheme, 443)
    except ValueError:
        raise NotFollowed("a redirect to no address") from None
    host = parts.hostname
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc or "\\" in parts.netloc:
        raise NotFollowed("a redirect to an address that can't be used")
    if gateway.is_loopback:
        return found
    if parts.scheme != "https":
        raise NotFollowed("a redirect to an address without TLS")
    own = urlsplit(gateway.base_url)
    if await _is_inside(host, port) and not await _is_inside(own.hostname or "", own.port or 443):
        raise NotFollowed(f"a redirect to {printable(host)}, which is inside this network")
    return found


async def _is_inside(host: str, port: int) -> bool:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # UnicodeError: a label that is empty or too long
        raise NotFollowed(f"a redirect to {printable(host)}, which has no address") from None
    return any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found)
