"""Where a take was made: the names of gateways and dialects as attempts record them, addresses, ids of tasks.

Source: docs/design.md, 5 (Which gateway).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

VIDEOS, INTERACTIONS = "videos", "interactions"
"""The dialects. An attempt that names none is of the first: there was no other when state files began."""
SIMULATOR = "simulator"
"""What a rehearsal's gateway is called, whatever its port."""
PORTS = {"http": 80, "https": 443}
"""The port of a scheme, where an address names none."""


# A task id becomes part of a URL: nothing that could leave its place (docs/hazards.md, e 28). litellm's have 166
# characters.
_SAFE_ID = re.compile(r"[A-Za-z0-9_=.:-]{1,256}")


def is_safe_id(text: str) -> bool:
    """Whether a task's id, of whatever dialect, is safe as one segment of a URL."""
    return _SAFE_ID.fullmatch(text) is not None and ".." not in text and text != "."


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
