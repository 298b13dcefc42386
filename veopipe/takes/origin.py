"""Where a take was made: the name of a gateway as attempts record it, and which addresses are that gateway's.

Source: docs/design.md, 5 (Which gateway).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

SIMULATOR = "simulator"
"""What a rehearsal's gateway is called, whatever its port."""
PORTS = {"http": 80, "https": 443}
"""The port of a scheme, where an address names none."""


@lru_cache(maxsize=256)
def is_local(gateway: str) -> bool:
    """Whether a gateway of that recorded name is on this machine, without asking DNS."""
    return gateway == SIMULATOR or is_loopback(urlsplit(gateway).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine, without asking DNS."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_same_origin(url: str, other: str) -> bool:
    """Whether scheme, host and port are the same: only to the gateway's own may the key go.

    Raises:
        ValueError: one of them is no URL.
    """
    return _origin(urlsplit(url)) == _origin(urlsplit(other))


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)
