"""Start and stop the simulated gateway: embedded in a thread, or as a server of its own.

Always on 127.0.0.1. The libraries it needs are loaded by `start` and `serve`, not by importing this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from veopipe.errors import EnvironmentFault

if TYPE_CHECKING:
    from veopipe.simulator.faults import Fault
    from veopipe.simulator.gateway import Dialect, Gateway

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulated gateway behaves.

    Attributes:
        task_time: seconds from create to completion; of spread ones, the median.
        spread: of the logarithms of these times, which are drawn one after the other from the same seed; 0: all alike.
        key: the only key accepted; None: any that isn't empty.
        folder: where its book is kept, so that a killed simulator goes on; None: in memory.
        wallet_usd: money at the start; None: no limit. A book that exists knows better.
        content_lag: seconds after completion in which the content still answers 400.
        dialect: how it speaks: `videos` or `interactions`.
        account_token: the only token that reads the account's log; None: any that isn't empty.
        key_names: key → what it is called in that log; others are called `veopipe`.
        account_user: the account's number, which that log wants in new-api's form of it; None: it is one-api's.
    """

    task_time: float = 2.0
    key: str | None = None
    folder: Path | None = None
    wallet_usd: Decimal | None = None
    content_lag: float = 0.0
    dialect: str = "videos"
    account_token: str | None = None
    key_names: Mapping[str, str] = field(default_factory=dict)
    account_user: int | None = None
    spread: float = 0.0


class Simulator:
    """A running gateway in a daemon thread with an event loop of its own; a context manager.

    Attributes:
        port: where it listens.
        base_url: `http://127.0.0.1:PORT`.
    """

    def __init__(self, options: Options, port: int = 0) -> None:
        self._gateway = _gateway(options)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._stop: Callable[[], object] = bool  # does nothing until the loop is there
        self.port = port
        self._thread = threading.Thread(target=self._live, name="simulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    @property
    def base_url(self) -> str:
        """Where a client finds it."""
        return f"http://{HOST}:{self.port}"

    @property
    def wire(self) -> list[dict[str, Any]]:
        """A copy of the log of the wire (see `wirelog.Entry`)."""
        return self._gateway.wire.as_json()

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """Every accepted create, charged or not, oldest first."""
        return self._gateway.book.creates

    @property
    def charged(self) -> list[dict[str, Any]]:
        """Every charged create, oldest first."""
        return [create for create in self.ledger if create["charged"]]

    def order_fault(
        self,
        name: str,
        *,
        times: int | None = 1,
        after: int = 0,
        match: dict[str, str] | None = None,
        **parameters: str | float | bool,
    ) -> None:
        """Order a fault of its dialect.

        Args:
            name: its name.
            times: how many requests, or tasks where the fault stays with its task; None: all.
            after: how many pass first.
            match: `prompt` (part of it), `task_id`, `model`.
            parameters: the fault's own.

        Raises:
            UnknownFault: there is no such fault, parameter or value.
        """
        options = {"times": times, "after": after, "match": match, **parameters}
        self._gateway.mischief.order(name, options)

    def clear_faults(self) -> None:
        """Forget all faults ordered so far."""
        self._gateway.forget_faults()

    def fill_wallet(self, usd: Decimal | None) -> None:
        """Set the money that is left; None: no limit."""
        self._gateway.fill_wallet(usd)

    def close(self) -> None:
        """Stop serving; connections that are still open are cut. A second call does nothing."""
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._stop()
        self._thread.join()

    def __enter__(self) -> Simulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _live(self) -> None:
        try:
            asyncio.run(self._main())
        except EnvironmentFault as error:
            self._failure = error
        finally:
            self._gateway.close()
            self._ready.set()

    async def _main(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        await _serving(self._gateway, self.port, self._up, stop)

    def _up(self, port: int) -> None:
        self.port = port
        self._ready.set()


def start(options: Options, port: int = 0) -> Simulator:
    """A running simulator.

    Args:
        options: how it behaves.
        port: on loopback; 0 takes a free one.

    Raises:
        EnvironmentFault: the extra isn't installed, the port is taken, or the folder can't be used.
    """
    return Simulator(options, port)


def serve(options: Options, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM, or until the terminal is closed, as far as these aren't ignored.

    Args:
        options: how it behaves.
        port: on loopback; 0 takes a free one.
        ready: called once with the base URL, when requests are answered.

    Raises:
        EnvironmentFault: as `start`.
    """
    gateway = _gateway(options)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(name) != signal.SIG_IGN:
                loop.add_signal_handler(name, stop.set)
        await _serving(gateway, port, lambda bound: ready(f"http://{HOST}:{bound}"), stop)

    try:
        asyncio.run(main())
    finally:
        gateway.close()


def require_libraries() -> None:
    """Check that the extra `simulator` is installed.

    Raises:
        EnvironmentFault: it isn't.
    """
    try:
        import aiohttp  # noqa: F401
        import av  # noqa: F401
    except ImportError as error:
        raise EnvironmentFault(
            f"the simulator needs {error.name or 'a library'}, which isn't installed",
            hint="pip install 'veopipe[simulator]'",
        ) from None


def _gateway(options: Options) -> Gateway:
    require_libraries()
    from veopipe.simulator.album import Album
    from veopipe.simulator.book import Book
    from veopipe.simulator.gateway import Gateway
    from veopipe.simulator.orders import Latency

    return Gateway(
        Book(options.folder, options.wallet_usd),
        Album(options.folder / "frames" if options.folder is not None else None),
        _dialect(options),
        key=options.key,
        latency=Latency(options.task_time, options.spread),
        content_lag=options.content_lag,
    )


def _dialect(options: Options) -> Dialect:
    """The dialect of that name. The only place that chooses one; raises `ValueError` if there is none."""
    from veopipe.simulator.dialects.interactions.routes import Interactions
    from veopipe.simulator.dialects.videos.account import Reader
    from veopipe.simulator.dialects.videos.routes import Videos

    if options.dialect == "interactions":
        return Interactions()
    if options.dialect != "videos":
        raise ValueError(f"there is no dialect {options.dialect!r}")
    return Videos(Reader(options.account_token, options.account_user), options.key_names)


def faults_of(dialect: str) -> Mapping[str, Fault]:
    """What can go wrong in a dialect, by name; needs no library."""
    from veopipe.simulator.dialects.interactions import faults as interactions
    from veopipe.simulator.dialects.videos import faults as videos

    return interactions.TABLE if dialect == "interactions" else videos.TABLE


async def _serving(gateway: Gateway, port: int, up: Callable[[int], None], stop: asyncio.Event) -> None:
    from aiohttp import web

    from veopipe.simulator import control

    app = gateway.application()
    control.add_to(app, gateway)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise EnvironmentFault(
                f"port {port} on {HOST} can't be used: {error.strerror}", hint="choose another with --port"
            ) from None
        up(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()
