"""Connections of free requests: kept, and dropped where they may not be ready again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping

import httpx
import pytest

from veopipe.gateway import network
from veopipe.gateway.connections import Connections

BODY = b'{"id": "task_1", "status": "queued"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
PATIENCE = {"connect": 2.0, "read": 2.0}


class Far:
    """A server that answers every request, as a gateway and as a proxy; counts its connections."""

    def __init__(self) -> None:
        self.opened = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


async def ask(connections: Connections, url: str) -> bytes:
    """The body of one answer."""
    async with connections.send("GET", url, {}, PATIENCE) as response:
        return b"".join([piece async for piece in response.aiter_stream()])


def connected(url: str, environ: Mapping[str, str]) -> Connections:
    """The connections of a machine with that environment."""
    return Connections(network.for_url(url, environ), {})


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def polls() -> int:
        far = Far()
        async with far as url:
            connections = connected(url, {})
            for _ in range(5):
                assert await ask(connections, url) == BODY
            await connections.close()
        return far.opened

    assert asyncio.run(polls()) == 1


# asyncio leaves the socket of a connection that is cancelled while it is made to be collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("proxied", [False, True], ids=["straight", "through a proxy"])
def test_a_request_that_is_cancelled_at_any_moment_spoils_no_other(*, warm: bool, proxied: bool) -> None:
    async def cancelled_after(turns: int) -> bool:
        """Whether the request was still under way after so many turns of the loop."""
        async with Far() as place:
            url = "http://gateway.example/v1/videos/task_1" if proxied else place
            connections = connected(url, {"http_proxy": place} if proxied else {})
            if warm:
                await ask(connections, url)
            request = asyncio.create_task(ask(connections, url))
            for _ in range(turns):
                await asyncio.sleep(0)
            was_under_way = request.cancel()
            await asyncio.gather(request, return_exceptions=True)
            async with asyncio.timeout(10):
                assert [await ask(connections, url) for _ in range(3)] == [BODY] * 3
            await connections.close()
            return was_under_way

    tried = 0
    while asyncio.run(cancelled_after(tried)):
        tried += 1
    gc.collect()  # here, where what asyncio leaves is no matter
    assert tried > 5


def test_certificates_that_can_t_be_read_are_no_matter_where_nobody_speaks_tls() -> None:
    async def refused() -> str:
        async with Far() as url:
            known = network.for_url(url, {"SSL_CERT_FILE": "/nowhere/ca.pem"})
            connections = Connections(known, {})
            assert await ask(connections, url) == BODY
            await connections.close()
            return known.words(ConnectionResetError("Connection reset by peer"), url)

    assert asyncio.run(refused()) == "Connection reset by peer"


def test_a_name_without_an_address_is_told_in_words() -> None:
    url = "http://nobody.invalid"
    known = network.for_url(url, {})

    async def asked() -> str:
        connections = Connections(known, {})
        try:
            await ask(connections, url)
        except Exception as error:  # noqa: BLE001 - whatever the library makes of it
            return known.words(error, url)
        finally:
            await connections.close()
        return "an answer"

    with known.client() as client, pytest.raises(httpx.ConnectError) as caught:
        client.get(url)
    assert {asyncio.run(asked()), known.words(caught.value, url)} == {
        "no address is found for its name; is this machine on the network?"
    }
