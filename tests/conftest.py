"""Shared fixtures: a folder with a shot list, and a real gateway on loopback.

`film` is such a folder; `gateway` is a simulator of the test's own, whose ledger says what was really paid.
`tests.harness` has what they are made of.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.harness")

from tests.harness import bytecode  # noqa: E402

bytecode.make_once()

from tests.harness.film import LIMIT, Film, Veopipe, environment_of  # noqa: E402  its asserts are to be explained
from tests.harness.fork import Zygote  # noqa: E402
from tests.harness.order import shared  # noqa: E402
from tests.harness.store import BUCKET, Proxy, Store, proxied, started  # noqa: E402
from veopipe.simulator.footage import Cut, clip  # noqa: E402
from veopipe.simulator.server import Options, Simulator, start  # noqa: E402
from veopipe.simulator.slate import Slate  # noqa: E402

pytest_plugins = ["tests.harness.canary", "tests.harness.figures", "tests.harness.fuzzing"]

# Whatever started the tests may ignore Ctrl-C or a hangup, as a shell does for what runs in the background, and nohup;
# commands would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_xdist_auto_num_workers() -> int:
    """Three for two processors with `-n auto`: tests wait for processes and clocks, too."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over eight thousand tests: they stay to the end, and it looks often."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)  # when it is known which of them are wanted
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the workers begin with the long tests, each with its share of them."""
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = shared([(item.nodeid, item) for item in items], workers)


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """A gateway of this test's own; tasks are ready at once."""
    with start(Options(task_time=0)) as running:
        yield running


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """What forks the commands of this process of pytest."""
    with Zygote() as running:
        yield running


@pytest.fixture(scope="session")
def veopipe(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Veopipe:
    """Any command in any folder."""
    environment = environment_of(tmp_path_factory.mktemp("home"))
    return lambda folder, *words: Film(folder, environment=environment, zygote=zygote).command(*words)


@pytest.fixture
def make_film(zygote: Zygote, gateway: Simulator, tmp_path: Path) -> Callable[[str], Film]:
    """Make a folder of that name with the quick pipeline; its commands talk to `gateway`."""
    environment = environment_of(tmp_path)

    def make(name: str) -> Film:
        folder = tmp_path / name
        folder.mkdir()
        made = Film(folder, gateway.base_url, environment, zygote)
        made.pipeline()
        return made

    return make


@pytest.fixture
def film(make_film: Callable[[str], Film]) -> Film:
    """One such folder."""
    return make_film("film")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of this process of pytest."""
    with started(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def prefix(store: Store) -> str:
    """The address of a prefix of that store which this test alone has."""
    return f"s3://{BUCKET}/{os.urandom(6).hex()}"


@pytest.fixture
def proxy(store: Store) -> Iterator[Proxy]:
    """That store behind a proxy of this test's own, which makes trouble."""
    with proxied(store) as running:
        yield running


@pytest.fixture
def posts(gateway: Simulator) -> Callable[[], int]:
    """How many creates reached the gateway, accepted or not."""
    return lambda: sum(entry["method"] == "POST" for entry in gateway.wire)


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for something that happens elsewhere, by looking often."""

    def wait(happened: Callable[[], object]) -> None:
        end, pause = time.monotonic() + LIMIT, threading.Event()
        while not happened():
            assert time.monotonic() < end, "it didn't happen"
            pause.wait(0.01)

    return wait


@pytest.fixture(scope="session")
def measured_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a list without settings orders: 4 s at 720p."""
    path = tmp_path_factory.mktemp("video") / "720p.mp4"
    path.write_bytes(clip(Cut(1280, 720, 4), Slate("a cat", ("a", "b", "c", "d", "e", "f"))))
    return path
