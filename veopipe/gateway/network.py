"""How this machine reaches others: one decision on proxies and certificates for all requests.

Creates, polls, downloads and the webhook use the clients that are made here, so that what holds for one of them
holds for the others. httpx itself reads no variable.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from importlib import util
from typing import Any
from urllib.parse import urlsplit

import httpcore

from veopipe.errors import EnvironmentFault, VeopipeError
from veopipe.gateway import proxies, trust
from veopipe.gateway.library import httpx
from veopipe.gateway.proxies import Proxies, Proxy
from veopipe.gateway.trust import Trust
from veopipe.text import printable
from veopipe.values import dataclass

# Of httpx for creates, and of httpcore, which it is made of, for what is free.
_PROXY_ERRORS = (httpx.ProxyError, httpcore.ProxyError)
_NO_HTTP = (httpx.RemoteProtocolError, httpcore.RemoteProtocolError)
_ON_THE_WAY = (httpx.NetworkError, httpcore.NetworkError, httpx.TimeoutException, httpcore.TimeoutException)
_OF_THE_WAY = (*_ON_THE_WAY, *_PROXY_ERRORS, *_NO_HTTP)


@dataclass(frozen=True)
class Network:
    """Proxies and certificates.

    Attributes:
        proxies: which proxy carries what.
    """

    proxies: Proxies
    _environ: Mapping[str, str] = field(repr=False)
    _is_plain: bool = False  # the gateway is reached without TLS

    @cached_property
    def trust(self) -> Trust:
        """Whose certificates are believed. Read where TLS is first spoken: it takes 30 ms, and 3 MB.

        Raises:
            EnvironmentFault: a variable that names them can't be used, and the gateway needs it.
        """
        try:
            return trust.read(self._environ)
        except EnvironmentFault:
            if not self._is_plain:
                raise
            return trust.read({})  # as this machine has it

    def context(self, url: str, proxy: Proxy | None) -> ssl.SSLContext:
        """What TLS on the way to `url` goes by; without TLS on it, a context that believes nobody."""
        speaks = url.startswith("https:") or (proxy is not None and proxy.scheme == "https")
        return self.trust.context if speaks else trust.NOBODY

    def client(self, limits: httpx.Limits | None = None, **settings: Any) -> httpx.Client:
        """A client that blocks, and follows no redirect."""
        return httpx.Client(transport=_Routes(self, limits or httpx.Limits()), trust_env=False, **settings)

    def through(self, proxy: Proxy | None) -> httpx.Proxy | None:
        """A proxy as httpx takes it.

        Raises:
            EnvironmentFault: a library for it is missing.
        """
        if proxy is None:
            return None
        _require_library(proxy)
        secure = self.trust.context if proxy.scheme == "https" else None
        return httpx.Proxy(proxy.url, auth=proxy.login, ssl_context=secure)

    def carries(self, url: str) -> bool:
        """Whether a proxy carries requests to `url`: then the proxy looks the name up, in its network.

        Raises:
            EnvironmentFault: a proxy should, and can't be used.
        """
        return self.proxies.carrier(url) is not None

    def words(self, error: BaseException, url: str, *, arrived: bool = False) -> str:
        """What the exception of a request means, for people. It never repeats what a library says of a proxy's address.

        Args:
            error: the exception.
            url: where the request went.
            arrived: the request got there: what went wrong then isn't a proxy's doing.
        """
        if isinstance(error, VeopipeError):
            return _in_one(error)
        host = urlsplit(url).hostname or ""
        refused = self.trust.refusal(error, host) if trust.is_about_tls(error) else None
        words = refused or _no_address(error) or printable(str(error) or type(error).__name__)
        proxy = None if arrived else self._suspect(error, url)
        return words if proxy is None else _said_of(proxy, error, printable(host), words)

    def _suspect(self, error: BaseException, url: str) -> Proxy | None:
        """The proxy that carried a request, if what went wrong may be its doing."""
        try:
            return self.proxies.carrier(url) if isinstance(error, _OF_THE_WAY) else None
        except EnvironmentFault:  # guards: nothing was connected then
            return None


def _no_address(error: BaseException | None) -> str | None:
    """That a name has no address, if an exception comes from that, however it is wrapped."""
    while error is not None and not isinstance(error, socket.gaierror):
        error = error.__cause__ or error.__context__
    return "no address is found for its name; is this machine on the network?" if error is not None else None


def _in_one(fault: VeopipeError) -> str:
    """An error of ours as one text."""
    return f"{fault.message} {fault.hint or ''}".strip()


def _said_of(proxy: Proxy, error: BaseException, host: str, words: str) -> str:
    """What went wrong between a proxy and `host`; `words` are the library's."""
    if isinstance(error, _PROXY_ERRORS):
        return _refused_by(proxy, host, words)
    if isinstance(error, _NO_HTTP):  # h11 repeats what it was told
        words = "the connection was closed" if "disconnected" in words else "what was answered isn't HTTP"
    return f"{words} (through {proxy})"


def _refused_by(proxy: Proxy, host: str, words: str) -> str:
    """Why a proxy doesn't carry a request: its number, not its words, in which it may repeat what it was told."""
    number = re.match(r"[0-9]{3}", words)
    if number is None:  # SOCKS has no words of its own
        return f"{proxy} doesn't carry requests to {host}: {words}"
    if number[0] == "407":
        return f"{proxy} wants a user name and a password, or others than those in {proxy.variable} (HTTP 407)"
    return f"{proxy} doesn't carry requests to {host} (HTTP {number[0]})"


def for_url(url: str, environ: Mapping[str, str]) -> Network:
    """The network as an environment describes it, to reach `url`.

    Raises:
        EnvironmentFault: a variable that matters for `url` can't be used; the text names it.
    """
    found = proxies.read(environ)
    found.check(url)
    carrier = found.carrier(url)
    if carrier is not None:
        _require_library(carrier)
    if url.startswith("https:"):
        made = Network(found, environ)
        _ = made.trust
        return made
    return Network(found, environ, _is_plain=True)


def _require_library(proxy: Proxy) -> None:
    """Refuse a SOCKS proxy where the library for it isn't installed."""
    if proxy.scheme.startswith("socks") and util.find_spec("socksio") is None:
        raise EnvironmentFault(
            f"{proxy.variable} can't be used: it names a SOCKS proxy, for which a library is missing.",
            hint="pip install socksio, or set HTTPS_PROXY to a proxy that speaks HTTP (many speak both).",
        )


# --- the ways of a request -------------------------------------------------------------------------


class _Routes(httpx.BaseTransport):
    """Sends each request straight or through its proxy, by a transport that is made when it is first needed."""

    def __init__(self, network: Network, limits: httpx.Limits) -> None:
        self._network, self._limits = network, limits
        self._made: dict[Proxy | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        url = str(request.url)
        proxy = self._network.proxies.carrier(url)
        if proxy not in self._made:
            through, context = self._network.through(proxy), self._network.context(url, proxy)
            made = httpx.HTTPTransport(verify=context, trust_env=False, limits=self._limits, proxy=through)
            self._made[proxy] = made
        return self._made[proxy].handle_request(request)

    def close(self) -> None:
        """Close what is open."""
        for transport in self._made.values():
            transport.close()


# --- a message -------------------------------------------------------------------------------------


def post(url: str, document: Any, agent: str, timeout: float, environ: Mapping[str, str]) -> int | str:
    """Send a JSON document once, to that address only; the status of the answer, or why there is none. Blocks.

    Args:
        url: where to; in no text that is returned.
        document: what JSON can hold.
        agent: who asks.
        timeout: seconds, for each thing that has to happen.
        environ: the environment.
    """
    try:
        network = for_url(url, environ)
    except VeopipeError as error:
        return _in_one(error)
    try:
        with (
            network.client(headers={"User-Agent": agent}, timeout=timeout) as client,
            client.stream("POST", url, json=document) as response,
        ):
            return response.status_code
    except httpx.TimeoutException:
        return f"no answer within {timeout:g} s"
    except httpx.TransportError as error:
        return network.words(error, url)
    except Exception as error:  # noqa: BLE001  a strange address or answer raises almost anything
        return type(error).__name__
