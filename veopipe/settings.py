"""Small values that a person writes, read strictly: durations, the gateway's address, the API key.

* A function here takes text and gives a checked value, or raises with a sentence for people.
* The key comes from the environment only and is never part of any message.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from veopipe.errors import EnvironmentFault

LONGEST_DURATION = 365 * 24 * 3600.0
"""Seconds. Longer waits are typing errors, and some clocks overflow far above this."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
# One header value in ASCII: other characters make the HTTP library raise with the key in its message
# (docs/hazards.md, e 39).
_KEY = re.compile(r"[\x21-\x7e]{1,512}")
_DRIVE = re.compile(r"[A-Za-z]:(?:\S|$)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.@_-]*:(?=\S|$)")  # s3:, and name@host: as scp and rclone write it
_VARIABLE = re.compile(r"(?:^|[^A-Za-z0-9])\$[A-Za-z_{(]|(?:^|/)%[A-Za-z_][A-Za-z0-9_]*%")
_NO_PATH = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:[/\\]|\\\\|~[\w.-]*/|~$|\$\{?\w+\}?/|%\w+%[/\\])")
# Whole endpoints of the API at the end of an address that was copied from a program or a page: OpenAI's ends in /v1.
# What goes on otherwise below /v1 is a gateway's own path.
_API_PATH = re.compile(
    r"/+v1(?:/+(?:videos(?:/+[^/]+(?:/+content)?)?|video/+generations(?:/+[^/]+)?|(?:chat/+)?completions"
    r"|responses|messages|models|files|images/+(?:generations|edits)|audio/+(?:speech|transcriptions)))?/*$",
    re.IGNORECASE,
)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?")


def parse_duration(written: str | int | float) -> float:
    """Seconds of a duration as people write it: `250ms`, `15s`, `5m`, `6h`, or a number of seconds.

    Raises:
        ValueError: not of that form, not above zero, or longer than a year; the text is for people.
    """
    form = "a duration is written like 250ms, 15s, 5m, 6h or as a number of seconds"
    if isinstance(written, bool):
        raise ValueError(form)
    if isinstance(written, str):
        match = _DURATION.fullmatch(written.strip())
        if match is None:
            raise ValueError(form)
        # A decimal point can't move: 0.1 h is 360 s, not 360.00000000000006 s.
        seconds = round(float(match[1]) * _UNITS[match[2]], 6)
    else:
        seconds = float(written)
    if not math.isfinite(seconds) or not 0 < seconds <= LONGEST_DURATION:
        raise ValueError("a duration is longer than zero and at most 365 days")
    return seconds


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
    default = {"https": 443, "http": 80}[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, default) else "")
    path, api = _split_path(parts.path)
    if api:
        raise ValueError(f"leave {api} off: veopipe adds the API's paths itself; write {origin}{path}")
    if parts.query or parts.fragment:
        raise ValueError(f"an address has no ?query and no #fragment; write {origin}{path}")
    return origin + path


def _split_path(written: str) -> tuple[str, str]:
    """The path that a gateway stands under, and what of the API's own paths was written behind it."""
    path = written.rstrip("/")
    while match := _API_PATH.search(path):
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


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine, without asking DNS."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def meant_elsewhere(written: str) -> str | None:
    """What a text is that means a place to other programs, and here would silently become a folder's name.

    Args:
        written: a path as a person wrote it. One that begins with `./` is always a path.

    Returns:
        What is wrong and what to do, for people, or None: it is a path.
    """
    text = written.lstrip()
    if text.startswith("./"):
        return None
    if _DRIVE.match(text) or "\\" in text:
        what = "is a path of Windows"
    elif (scheme := _SCHEME.match(text)) is not None:
        what = f"is an address (`{scheme[0].rpartition('@')[2]}`)"  # what stands before it may be a password
    elif text.startswith("~"):
        what = "begins with `~`, which isn't expanded here"
    elif _VARIABLE.search(text) is not None:
        what = "names a variable, which isn't expanded here"
    else:
        return None
    return f"{what}: write the path of a file or folder here (./ in front if that is really its name)"


def is_no_path(word: str) -> bool:
    """Whether a word of the command line is an address, or a path that only a shell or Windows understands.

    Narrower than `meant_elsewhere`: `plan:1.json` is a file's name there.
    """
    return _NO_PATH.match(word) is not None


def read_key(variable: str, environ: Mapping[str, str]) -> str:
    """The API key, without spaces and line ends around it.

    Args:
        variable: name of the environment variable (pipeline: `provider.api_key_env`).
        environ: the environment.

    Raises:
        EnvironmentFault: missing, or with characters that no key has. The text never holds the value.
    """
    hint = f"Set it for this shell: read -rs {variable} && export {variable}"
    key = environ.get(variable, "").strip()
    if not key:
        raise EnvironmentFault(f"There is no API key: the environment variable {variable} is not set.", hint=hint)
    if not _KEY.fullmatch(key):
        raise EnvironmentFault(
            f"The value of {variable} is no API key: at most 512 visible ASCII characters without spaces.",
            hint=hint + " (copy the key again; quotes, spaces and typographic dashes don't belong to it).",
        )
    return key
