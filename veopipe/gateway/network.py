"""How this machine reaches others: one decision on proxies and certificates for all that is sent.

Creates, polls, downloads and the webhook use the clients that are made here, so that what is said of the one
holds for the others. httpx reads no variable itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import util
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from veopipe.errors import EnvironmentFault, VeopipeError
from veopipe.gateway import proxies, trust
from veopipe.gateway.proxies import Proxies, Proxy
from veopipe.gateway.trust import Trust
from veopipe.text import printable

_Transport = TypeVar("_Transport")
_OF_THE_WAY = (httpx.NetworkError, httpx.TimeoutException, httpx.ProxyError, httpx.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class Network:
    """Proxies and certificates.

    Attributes:
        proxies: which proxy carries what.
        trust: whose certificates are believed.
    """

    proxies: Proxies
    trust: Trust

    def client(self, limits: httpx.Limits | None = None, **settings: Any) -> httpx.Client:
        """A client that blocks, and follows no redirect."""
        return httpx.Client(transport=_Routes(self, limits or httpx.Limits()), trust_env=False, **settings)

    def asynchronous(self, limits: httpx.Limits, **settings: Any) -> httpx.AsyncClient:
        """A client for the event loop, that follows no redirect."""
        return httpx.AsyncClient(transport=_AsyncRoutes(self, limits), trust_env=False, **settings)

    def carries(self, url: str) -> bool:
        """Whether a proxy carries requests to `url`: then it looks the name up, in its network.

        Raises:
            EnvironmentFault: it should, and can't be used.
        """
        return self.proxies.carrier(url) is not None

    def said(self, error: BaseException, url: str, *, arrived: bool = False) -> str:
        """What the exception of a request to `url` says, for people. No word of a library about a proxy's address.

        Args:
            error: the exception.
            url: where the request went.
            arrived: a proxy carried it to the end: what went wrong then isn't its doing.
        """
        if isinstance(error, VeopipeError):
            return f"{error.message} {error.hint or ''}".strip()
        host = urlsplit(url).hostname or ""
        refused = self.trust.refusal(error, host)
        words = refused or printable(str(error) or type(error).__name__)
        try:
            proxy = self.proxies.carrier(url) if isinstance(error, _OF_THE_WAY) and not arrived else None
        except EnvironmentFault:  # guards: nothing was connected then
            proxy = None
        if proxy is None:
            return words
        if isinstance(error, httpx.ProxyError):
            return _refused_by(proxy, printable(host), words)
        if isinstance(error, httpx.RemoteProtocolError):  # h11 repeats what it was told
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
        _see_that_it_speaks(carrier)
    try:
        return Network(found, trust.read(environ))
    except EnvironmentFault:
        if url.startswith("https:"):
            raise
        return Network(found, trust.read({}))  # this machine, without TLS


def _see_that_it_speaks(proxy: Proxy) -> None:
    if proxy.scheme.startswith("socks") and util.find_spec("socksio") is None:
        raise EnvironmentFault(
            f"{proxy.variable} can't be used: it names a SOCKS proxy, for which a library is missing.",
            hint="pip install socksio, or set HTTPS_PROXY to a proxy that speaks HTTP (many speak both).",
        )


# --- the ways of a request -------------------------------------------------------------------------


def _way(
    network: Network,
    made: dict[Proxy | None, _Transport],
    make: Callable[[httpx.Proxy | None], _Transport],
    request: httpx.Request,
) -> _Transport:
    """The transport for a request, made when it is first needed."""
    proxy = network.proxies.carrier(str(request.url))
    if proxy not in made:
        if proxy is None:
            made[proxy] = make(None)
        else:
            _see_that_it_speaks(proxy)
            secure = network.trust.context if proxy.scheme == "https" else None
            made[proxy] = make(httpx.Proxy(proxy.url, auth=proxy.login, ssl_context=secure))
    return made[proxy]


class _Routes(httpx.BaseTransport):
    """Sends each request straight or through its proxy."""

    def __init__(self, network: Network, limits: httpx.Limits) -> None:
        self._network, self._limits = network, limits
        self._made: dict[Proxy | None, httpx.HTTPTransport] = {}

    def _make(self, proxy: httpx.Proxy | None) -> httpx.HTTPTransport:
        return httpx.HTTPTransport(
            verify=self._network.trust.context, trust_env=False, limits=self._limits, proxy=proxy
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        return _way(self._network, self._made, self._make, request).handle_request(request)

    def close(self) -> None:
        """Close what is open."""
        for transport in list(self._made.values()):
            transport.close()


class _AsyncRoutes(httpx.AsyncBaseTransport):
    """The same for the event loop."""

    def __init__(self, network: Network, limits: httpx.Limits) -> None:
        self._network, self._limits = network, limits
        self._made: dict[Proxy | None, httpx.AsyncHTTPTransport] = {}

    def _make(self, proxy: httpx.Proxy | None) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(
            verify=self._network.trust.context, trust_env=False, limits=self._limits, proxy=proxy
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        return await _way(self._network, self._made, self._make, request).handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is open."""
        for transport in list(self._made.values()):
            await transport.aclose()


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
        return f"{error.message} {error.hint or ''}".strip()
    try:
        with (
            network.client(headers={"User-Agent": agent}, timeout=timeout) as client,
            client.stream("POST", url, json=document) as response,
        ):
            return response.status_code
    except httpx.TimeoutException:
        return f"no answer within {timeout:g} s"
    except httpx.TransportError as error:
        return network.said(error, url)
    except Exception as error:  # noqa: BLE001  a strange address or answer raises almost anything
        return type(error).__name__
