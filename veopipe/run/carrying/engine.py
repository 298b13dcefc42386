"""Which engine runs errands, and the way to it. The owner of `distributed`.

* The seam is `concurrent.futures.Executor`: Dask is ours; what else is one comes in by an entry point of the group
  `veopipe.executors`, a function from the URL (or None) to an executor. `local` is none at all.
* Nothing of a cluster's settings is needed for safety, and none is relied on: an errand may be lost, repeated or late.
* What engines log doesn't reach the user's terminal.

Source: docs/scale.md, c and d; DECISIONS.md, 50.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from veopipe.errors import EnvironmentFault, UsageError
from veopipe.gateway.address import Address
from veopipe.takes.origin import is_loopback
from veopipe.text import printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

LOCAL, DASK = "local", "dask"
GROUP = "veopipe.executors"
"""Of the entry points that bring other engines."""
CONNECT_WAIT = 20.0
"""Seconds in which a scheduler must answer."""
OPEN_TO_ALL = (
    "dask+tcp:// is in the clear, and whoever reaches the scheduler's port can let workers run what they like: "
    "use dask+tls://, or a network that is closed"
)
"""What is said of a scheduler elsewhere without TLS."""
_CLOSE_WAIT = 2.0
_LOGGERS = (
    "distributed",
    "distributed.client",
    "dask",
    "tornado",
    "tornado.application",
    "bokeh",
    "concurrent.futures",
)
_TLS = "its certificates come from Dask's own configuration (DASK_DISTRIBUTED__COMM__TLS__CA_FILE and others)"


@dataclass(frozen=True, slots=True)
class Named:
    """An engine as a pipeline or the command line names it: `local`, `dask+tls://HOST:PORT`, `NAME`, `NAME+URL`.

    Attributes:
        name: of the engine.
        url: what it is given, or None.
    """

    name: str
    url: str | None

    @classmethod
    def of(cls, written: str) -> Named:
        """What a text names."""
        name, plus, url = written.partition("+")
        return cls(name, url if plus else None)

    @property
    def is_local(self) -> bool:
        """Whether the run fetches its videos itself."""
        return self.name == LOCAL

    @property
    def is_near(self) -> bool:
        """Whether, as far as its URL says, its workers are on this machine."""
        return self.url is None or is_loopback(urlsplit(self.url).hostname or "")

    def warnings(self) -> Iterator[str]:
        """What people should know before it is used."""
        if self.name == DASK and not self.is_near and (self.url or "").startswith("tcp:"):
            yield f"warning: {OPEN_TO_ALL}"


def check(written: str, address: Address) -> Named:
    """The engine that is named, if there can be one.

    Args:
        written: as a pipeline or the command line names it.
        address: the gateway of the run.

    Raises:
        UsageError: there is none of that name, or it can't reach this gateway.
    """
    named = Named.of(written)
    if not named.is_local and named.name != DASK and named.name not in _entry_points():
        known = ", ".join([LOCAL, f"{DASK}+tls://HOST:PORT", f"{DASK}+tcp://HOST:PORT", *sorted(_entry_points())])
        raise UsageError(f"there is no executor {printable(named.name, 60)}", hint=f"there are {known}")
    if named.name == DASK and (fault := _fault(named.url)) is not None:
        raise UsageError(f"the executor {DASK}: {fault}", hint="write dask+tls://HOST:8786")
    if address.is_loopback and not named.is_near:
        what = "a rehearsal's gateway" if address.simulated else "this gateway"
        raise UsageError(f"{what} is on this machine, where workers elsewhere can't reach it", hint="--executor local")
    return named


def _fault(url: str | None) -> str | None:
    """What is wrong with a scheduler's address; None: nothing."""
    if url is None:
        return "it names no scheduler"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "that is no address"
    if parts.scheme not in {"tls", "tcp"} or not parts.hostname or port is None:
        return "a scheduler's address is tls://HOST:PORT or tcp://HOST:PORT"
    is_more = parts.path or parts.query or parts.fragment or parts.username is not None
    return "behind the port there is nothing, and no user before the host" if is_more else None


@dataclass(slots=True)
class Engine:
    """An engine: opened when it is needed, and again when it broke.

    Attributes:
        named: which.
        executor: while it is open.
    """

    named: Named
    executor: Executor | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)
    _is_closed: bool = False

    def open(self) -> None:
        """See that it can be given errands; blocks.

        Raises:
            EnvironmentFault: it can't be reached, or isn't installed.
        """
        with self._opening:
            if self.executor is None and not self._is_closed:
                self.executor = _opened(self.named)

    def give(self, text: str, label: str) -> Future[str]:
        """Let an errand be run somewhere. Blocks nothing.

        Args:
            text: the errand's.
            label: what people see of it who look at the engine.

        Raises:
            Exception: whatever the engine says; it isn't to be had now.
        """
        from veopipe.delivery.bringing import bring  # with all that a worker needs

        if self.executor is None:
            raise EnvironmentFault("the engine isn't open")
        if isinstance(self.executor, DaskExecutor):  # it shares out evenly what has the same first word
            return self.executor.submit(bring, text, key=label)
        return self.executor.submit(bring, text)

    def broke(self, executor: Executor | None) -> None:
        """Errands that were given to this executor are lost; the next one opens it again."""
        with self._opening:
            if executor is not None and self.executor is executor:
                self.executor = None
                _shut(executor)

    def trouble(self) -> str | None:
        """Why no errand can come back now, for people, as far as the engine says; blocks."""
        if self.executor is None:
            try:
                self.open()
            except EnvironmentFault as fault:
                return fault.message
        executor = self.executor
        if not isinstance(executor, DaskExecutor):
            return None
        if executor.is_gone:
            self.broke(executor)
        return executor.trouble()

    def everywhere(self, text: str) -> Mapping[str, str] | None:
        """What each worker answers to an errand, by its address; None: this engine can't say. Blocks."""
        return self.executor.everywhere(text) if isinstance(self.executor, DaskExecutor) else None

    def close(self) -> None:
        """Give no more errands; those under way aren't waited for. Blocks for a moment."""
        with self._opening:
            self._is_closed, executor, self.executor = True, self.executor, None
        if executor is not None:
            _shut(executor)


class DaskExecutor(Executor):
    """A Dask cluster. Raises `EnvironmentFault` where its scheduler can't be reached."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            warnings.filterwarnings("ignore", module=r"(distributed|dask|tornado)\b")
            from distributed import Client
        except ImportError:
            raise EnvironmentFault("the executor dask needs distributed", hint="pip install 'veopipe[dask]'") from None
        _hush()
        connect: Any = Client
        try:
            self._client: Any = connect(url, timeout=CONNECT_WAIT, set_as_default=False, name="veopipe")
        except TypeError as error:  # "TLS expects a `ssl_context` argument …"
            raise EnvironmentFault(f"no TLS to the scheduler {url}: {printable(str(error))}", hint=_TLS) from None
        except (OSError, ValueError, RuntimeError, TimeoutError) as error:
            said = printable(str(error) or type(error).__name__)
            raise EnvironmentFault(f"the scheduler {url} doesn't answer: {said}") from None
        self._tasks: Any = self._client.get_executor(pure=False, retries=0)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Let a function be called somewhere."""
        given: Future[Any] = self._tasks.submit(fn, *args, **kwargs)
        return given

    @property
    def is_gone(self) -> bool:
        """Whether this connection is over for good."""
        return self._client.status in {"closed", "closing"}

    def trouble(self) -> str | None:
        """Why no errand can come back now; blocks for a moment."""
        if self._client.status != "running":
            return f"the scheduler {self._url} is gone"
        try:
            workers = self._client.sync(self._client.scheduler.ncores, callback_timeout=CONNECT_WAIT)
        except Exception as error:  # noqa: BLE001  whatever it is, there was no answer
            return f"the scheduler {self._url} doesn't answer: {type(error).__name__}"
        return None if workers else f"the scheduler {self._url} has no workers"

    def everywhere(self, text: str) -> Mapping[str, str]:
        """What each worker answers to an errand, by its address; blocks."""
        from veopipe.delivery.bringing import bring

        found: Mapping[str, Any] = self._client.run(bring, text, on_error="return")
        return {str(worker): str(answer) for worker, answer in found.items()}

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Leave the cluster to itself."""
        with suppress(Exception):
            self._client.close(timeout=_CLOSE_WAIT)


def _opened(named: Named) -> Executor:
    """A new way to an engine; raises `EnvironmentFault`."""
    if named.name == DASK:
        return DaskExecutor(named.url or "")
    try:
        made = _entry_points()[named.name].load()(named.url)
    except Exception as error:  # noqa: BLE001  it is another's code
        said = printable(f"{type(error).__name__}: {error}")
        raise EnvironmentFault(f"the executor {named.name} can't be had: {said}") from None
    if not isinstance(made, Executor):
        raise EnvironmentFault(f"the executor {named.name} is no concurrent.futures.Executor")
    return made


def _shut(executor: Executor) -> None:
    """Give an executor up. A pool's processes end now: Python would wait for their downloads at its own end."""
    from concurrent.futures import ProcessPoolExecutor  # which loads much, and is mostly not there

    processes = list((getattr(executor, "_processes", None) or {}).values())
    with suppress(Exception):
        try:
            executor.shutdown(wait=False, cancel_futures=True)
        except TypeError:  # some don't know that word
            executor.shutdown(wait=False)
    if isinstance(executor, ProcessPoolExecutor):
        for process in processes:
            process.terminate()


def _entry_points() -> dict[str, EntryPoint]:
    from importlib import metadata  # which takes its time, and is mostly not needed

    found = metadata.entry_points(group=GROUP)
    return {point.name: point for point in found if re.fullmatch(r"[a-z][a-z0-9_-]*", point.name)}


def _hush() -> None:
    """Let what the engine logs go nowhere: what counts of it is said in the run's own words."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
