"""Which gateway: the name that attempts record, and whether it runs on this machine.

Source: docs/design.md, 5 (Which gateway).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

SIMULATOR = "simulator"
"""What a rehearsal's gateway is called, whatever its port."""


@dataclass(frozen=True, slots=True)
class Address:
    """A gateway's base URL, taken apart.

    Attributes:
        base_url: without a trailing slash.
        simulated: it is the embedded simulator: recorded by that name, whatever its port.
    """

    base_url: str
    simulated: bool = False

    @property
    def name(self) -> str:
        """What attempts record: `https://api.laozhang.ai:443`, or `simulator`."""
        if self.simulated:
            return SIMULATOR
        parts = urlsplit(self.base_url)
        host = (parts.hostname or "").lower()
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it runs on this machine (takes from there satisfy no real run)."""
        return is_loopback(self.name)


@lru_cache(maxsize=256)
def is_loopback(gateway: str) -> bool:
    """Whether a recorded gateway name is one on this machine."""
    host = urlsplit(gateway).hostname
    if gateway == SIMULATOR or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
