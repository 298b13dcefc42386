"""Which gateway, and with which key: an address as people write it, and the name that attempts record.

* A function here takes text and gives a checked value, or raises with a sentence for people.
* The key comes from the environment only and is never part of any message.

Source: docs/design.md, 5 (Which gateway).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from veopipe.errors import EnvironmentFault
from veopipe.takes.origin import PORTS, SIMULATOR, is_local, is_loopback
from veopipe.values import dataclass

# One header value in ASCII: other characters make the HTTP library raise with the key in its message
# (docs/hazards.md, e 39).
_KEY = re.compile(r"[\x21-\x7e]{1,512}")
# Whole endpoints of the API at the end of an address that was copied from a program or a page: OpenAI's ends in /v1.
# What goes on otherwise below /v1 is a gateway's own path.
_API_PATH = (
    r"/+v1(?:/+(?:videos(?:/+[^/]+(?:/+content)?)?|video/+generations(?:/+[^/]+)?|(?:chat/+)?completions"
    r"|responses|messages|models|files|images/+(?:generations|edits)|audio/+(?:speech|transcriptions)))?/*$"
)
REHEARSAL_KEY = "a-rehearsal-needs-no-key"
"""What stands for a key at a simulated gateway on this machine."""
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?")


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
        port = parts.port or PORTS[parts.scheme]
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it runs on this machine (takes from there satisfy no real run)."""
        return is_local(self.name)


def parse_base_url(written: str) -> str:
    """The gateway's address, normalised: lower-case scheme and host, no slash at the end.

    Args:
        written: `https://host[:port][/path]`, or `http://` when the host is this machine.

    Raises:
        ValueError: anything else; the text is for people and never repeats a password.
    """
    # Control characters and spaces are dropped silently by urlsplit: refuse them first.
    if re.search(r"[\x00-\x20\x7f-\x9f\\]", written) or not written.isascii():
        raise ValueError("an address has no spaces, backslashes, control or non-ASCII characters")
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError:
        raise ValueError("this is no address; write https://host or https://host:port") from None
    host = _checked_host(parts)
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, PORTS[parts.scheme]) else "")
    path, api = _split_path(parts.path)
    if api:
        raise ValueError(f"leave {api} off: veopipe adds the API's paths itself; write {origin}{path}")
    if parts.query or parts.fragment:
        raise ValueError(f"an address has no ?query and no #fragment; write {origin}{path}")
    return origin + path


def _split_path(written: str) -> tuple[str, str]:
    """The path that a gateway stands under, and what of the API's own paths was written behind it."""
    path = written.rstrip("/")
    while match := re.search(_API_PATH, path, re.IGNORECASE):
        path = path[: match.start()].rstrip("/")
    if ".." in path or "//" in path:
        raise ValueError("the path of an address has no `..` and no empty part")
    api = written[len(path) :].strip("/")
    return path, "/v1 and what follows it" if "/" in api else f"/{api}" if api else ""


def _checked_host(parts: SplitResult) -> str:
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("an address starts with https:// (or with http:// for this machine only)")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no user name or password; the key comes from the environment")
    host = parts.hostname.lower()
    if ":" in host:
        host = _spelt(host)
    elif not _HOST.fullmatch(host):
        raise ValueError("this is no host name")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("http:// is for this machine only (localhost, 127.0.0.1, ::1); write https://")
    return host


def _spelt(host: str) -> str:
    """An IPv6 address in its one short spelling: a gateway has one name, however it is written."""
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError("this is no IPv6 address") from None
    if address.scope_id is not None:
        raise ValueError("an IPv6 address has no zone (%…) here: it means something on one machine only")
    return address.compressed


def read_key(variable: str, environ: Mapping[str, str], kind: str = "API key") -> str:
    """A secret that a gateway knows, without spaces and line ends around it.

    Args:
        variable: name of the environment variable (pipeline: `provider.api_key_env`, `provider.account_token_env`).
        environ: the environment.
        kind: what it is called.

    Raises:
        EnvironmentFault: missing, or with characters that no key has. The text never holds the value.
    """
    hint = f"Set it for this shell: read -rs {variable} && export {variable}"
    key = environ.get(variable, "").strip()
    if not key:
        raise EnvironmentFault(f"There is no {kind}: the environment variable {variable} is not set.", hint=hint)
    if not _KEY.fullmatch(key):
        raise EnvironmentFault(
            f"The value of {variable} is no {kind}: at most 512 visible ASCII characters without spaces.",
            hint=hint + " (copy it again; quotes, spaces and typographic dashes don't belong to it).",
        )
    return key
