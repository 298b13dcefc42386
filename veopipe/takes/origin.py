"""Where a take was made: the name of a gateway as attempts record it.

Source: docs/design.md, 5 (Which gateway).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

SIMULATOR = "simulator"
"""What a rehearsal's gateway is called, whatever its port."""


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
