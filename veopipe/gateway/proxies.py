"""Which proxy carries a request: the only reader of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

* No library gets these variables. httpx stops at an IPv6 range in NO_PROXY, and quotes the beginning of a
  password that holds `#`, `/` or `?`; here an error names the variable and repeats nothing of its value.
* User name and password are taken out of the address at once, and hidden in every text from the start of a command.
* NO_PROXY means what curl and requests take it for. A value without a meaning excepts nothing.
* Requests to this machine itself go through no proxy.

Source: https://curl.se/libcurl/c/CURLOPT_NOPROXY.html; docs/hazards.md, e 36; DECISIONS.md, 26.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

from veopipe.errors import EnvironmentFault
from veopipe.takes.origin import PORTS, is_loopback
from veopipe.text import hide
from veopipe.values import dataclass

SCHEMES = ("http", "https", "socks5", "socks5h")
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@]+)(?::([0-9]{0,5}))?")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?")
_UNENCODED = "its user name or password holds a `#`, `/` or `?` as it is"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, as its variable names it.

    Attributes:
        variable: the environment variable's name, as it is spelt there.
        url: scheme, host and port; never a user.
        name: host and port, for people.
        login: user name and password, decoded.
    """

    variable: str
    url: str
    name: str
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def scheme(self) -> str:
        """One of `SCHEMES`."""
        return self.url.partition("://")[0]

    def __str__(self) -> str:
        return f"the proxy {self.name} ({self.variable})"


@dataclass(frozen=True, slots=True)
class Proxies:
    """What the environment says about proxies.

    Attributes:
        exceptions: the entries of NO_PROXY, in lower case.
    """

    exceptions: tuple[str, ...]
    _written: Mapping[str, tuple[str, str]] = field(repr=False)  # scheme or `all` → variable, value

    def carrier(self, url: str) -> Proxy | None:
        """The proxy that carries a request to `url`, or None: it goes there itself.

        Raises:
            EnvironmentFault: a proxy should, and its variable makes no sense.
            ValueError: `url` is no URL.
        """
        if self._is_direct(url):
            return None
        written = self._written.get(urlsplit(url).scheme) or self._written.get("all")
        return _parsed(*written) if written else None

    def check(self, url: str) -> None:
        """Check that the variables can be read, if any of them matters for `url`.

        ALL_PROXY stands in for the others, so it is read only where it does.

        Raises:
            EnvironmentFault: one of them makes no sense.
        """
        if not self._is_direct(url):
            self.carrier(url)
            for scheme in PORTS.keys() & self._written.keys():
                _parsed(*self._written[scheme])

    def _is_direct(self, url: str) -> bool:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme)
        return is_loopback(host) or _is_excepted(self.exceptions, host, port)


def read(environ: Mapping[str, str]) -> Proxies:
    """What an environment says; on macOS the system's settings where it says nothing of proxies."""
    hide_logins(environ)
    written = {name: found for name in ("http", "https", "all") if (found := _variable(environ, f"{name}_proxy"))}
    if not written:
        from urllib.request import getproxies  # brings http.client and more, which a look at the version needn't load

        settings = {name: value for name, value in getproxies().items() if name in ("http", "https", "all")}
        written = {name: (f"the system's proxy for {name}", value) for name, value in settings.items()}
    _, exceptions = _variable(environ, "no_proxy") or ("", "")
    return Proxies(tuple(re.split(r"[\s,;|]+", exceptions.strip().lower())), written)


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """A variable's spelling and value. The one in lower case wins; where it is empty, the others don't count."""
    spelt = name if name in environ else next((other for other in environ if other.lower() == name), name)
    value = environ.get(spelt, "").strip()
    return (spelt, value) if value else None


# --- what a variable names -------------------------------------------------------------------------


def _parsed(variable: str, written: str) -> Proxy:
    """The proxy that a value names. No error repeats a piece of the value: it may be a password."""
    scheme, found, rest = written.partition("://")
    scheme, rest = (scheme.lower(), rest) if found else ("http", written)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if re.search("[\x00-\x1f\x7f\ud800-\udfff]", written):
        raise _unusable(variable, "it holds a control character, or bytes that are no UTF-8")
    if "@" in rest[len(authority) :]:
        raise _unusable(variable, _UNENCODED)
    if scheme not in SCHEMES:
        raise _unusable(variable, "it names no kind of proxy that veopipe speaks to (http, https, socks5, socks5h)")
    login, _, place = authority.rpartition("@")
    if not found and place.endswith(":"):  # http:/proxy
        raise _unusable(variable, "its scheme isn't followed by ://")
    host, port = _place(variable, place)
    name = host + (f":{port}" if port else "")
    return Proxy(variable, f"{scheme}://{name}", name, _login(variable, login))


def _place(variable: str, written: str) -> tuple[str, str | None]:
    match = _PLACE.fullmatch(written)
    if match is None or (match[2] and not 0 < int(match[2]) < 65536):
        raise _unusable(variable, "what stands there for host and port is none; a port is a number from 1 to 65535")
    host = match[1]
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
            return host, match[2]
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        host = ""
    if not _NAME.fullmatch(host):
        raise _unusable(variable, "it has no host name that can be used")
    return host, match[2]


def _login(variable: str, written: str) -> tuple[str, str] | None:
    user, _, password = written.partition(":")
    try:
        login = unquote(user, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        raise _unusable(variable, "its user name or password, decoded, is no UTF-8") from None
    return login if any(login) else None


def _unusable(variable: str, what: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{variable} can't be used: {what}.",
        hint=f"Write http://HOST:PORT, or USER:PASSWORD and an @ before HOST, with the signs in both percent-encoded "
        f"(# as %23, / as %2F, ? as %3F, @ as %40, % as %25), or unset {variable}.",
    )


# --- logins ----------------------------------------------------------------------------------------


def hide_logins(environ: Mapping[str, str]) -> None:
    """Mask the users and passwords of all proxy variables, also of other programs' ones, in every text from now on."""
    for name, value in environ.items():
        if name.lower().endswith("proxy") and name.lower() != "no_proxy":
            for secret in _secrets(value.strip()):
                hide(secret, is_key=False)


def _secrets(written: str) -> Iterator[str]:
    """What is secret in a proxy's address, also in one that makes no sense, in each form that a text may have it in."""
    rest = written.partition("://")[2] or written
    login, found, _ = rest.rpartition("@")
    if not found:  # perhaps the host was forgotten: what stands where the port would is the password then
        port = re.split(r"[/?#]", rest, maxsplit=1)[0].partition(":")[2]
        yield from () if port.isdigit() or rest.startswith("[") else (rest.partition(":")[2], port)
        return
    user, _, password = login.partition(":")
    for secret in (login, password or user):
        yield from (secret, unquote(secret), quote(secret, safe="", errors="surrogateescape"))
    plain = f"{unquote(user)}:{unquote(password)}"
    yield base64.b64encode(plain.encode("utf-8", "surrogateescape")).decode("ascii")  # Proxy-Authorization


# --- NO_PROXY --------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _is_excepted(entries: tuple[str, ...], host: str, port: int | None) -> bool:
    host = _spelt(host)
    try:
        address = _plain(ipaddress.ip_address(host))
    except ValueError:
        address = None
    return any(_excepts(entry, host, port, address) for entry in entries if entry)


def _excepts(entry: str, host: str, port: int | None, address: _Address | None) -> bool:
    """Whether an entry means that host: `*`, an address, a range, a name and what is below it, each with a port or not.

    Written with brackets, a scheme, a leading `*.` or dot, a dot or slash at the end, it means the same.
    """
    place, only_port = _split(entry)
    if only_port not in (None, port):
        return False
    if place == "*":
        return True
    try:
        network = ipaddress.ip_network(place.partition("%")[0], strict=False)
    except ValueError:
        return _names(_spelt(place.partition("/")[0].removeprefix("*")), host, is_address=address is not None)
    return address is not None and address in network


def _names(name: str, host: str, *, is_address: bool) -> bool:
    """Whether a name in an entry means that host; below a name there are only names."""
    if "*" in name:
        return fnmatchcase(host, name)
    return bool(name) and (host == name or (not is_address and host.endswith(f".{name}")))


def _split(entry: str) -> tuple[str, int | None]:
    """An entry's place and port."""
    _, found, rest = entry.partition("://")
    if found:
        entry = rest.partition("/")[0].rpartition("@")[2]
    if entry.startswith("["):
        place, _, rest = entry[1:].partition("]")
        place, rest = (place + rest, "") if rest.startswith("/") else (place, rest)
    elif entry.count(":") == 1:
        place, _, rest = entry.partition(":")
    else:
        place, rest = entry, ""
    port = rest.lstrip(":")
    return place, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None


def _spelt(host: str) -> str:
    """A host as it is compared: lower case, ASCII, without dots around it."""
    host = host.strip(".").lower().partition("%")[0]
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        return host


def _plain(address: _Address) -> _Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
