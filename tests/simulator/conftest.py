"""A running gateway and a client of its own (httpx), shared by the tests of one file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.harness.film import AUTHORITY
from veopipe.simulator.server import Options, Simulator, start

FAST = "veo-3.1-fast-generate-preview"
PLAIN = {"model": FAST, "prompt": "A lighthouse at sunset", "seconds": "8"}

Create = Callable[..., httpx.Response]


@pytest.fixture(scope="package", autouse=True)
def one_authority() -> Iterator[None]:
    """To read all authorities of a machine takes a client longer than most of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", AUTHORITY)
        yield


@pytest.fixture(scope="module")
def shared_simulator() -> Iterator[Simulator]:
    with start(Options(task_time=0)) as running:
        yield running


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Simulator:
    shared_simulator.clear_faults()
    shared_simulator.fill_wallet(None)
    return shared_simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer sk-a-test-key"}
    with httpx.Client(base_url=simulator.base_url, headers=headers, timeout=10) as made:
        yield made


@pytest.fixture
def create(client: httpx.Client) -> Create:
    """Create with fields over `PLAIN` (None takes one away) and files (field, file name, bytes, type)."""

    def call(*files: tuple[str, str, bytes, str], **fields: str | None) -> httpx.Response:
        parts: list[tuple[str, object]] = [
            (name, (None, value)) for name, value in (PLAIN | fields).items() if value is not None
        ]
        parts += [(field, (name, data, kind)) for field, name, data, kind in files]
        return client.post("/v1/videos", files=parts)

    return call


@pytest.fixture
def task(create: Create) -> str:
    """The id of a task that is completed."""
    return str(create().json()["id"])


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """A picture's bytes in the format asked for."""

    @cache
    def make(kind: str = "PNG", size: tuple[int, int] = (1280, 720)) -> bytes:
        out = io.BytesIO()
        Image.linear_gradient("L").resize(size).convert("RGB").save(out, kind)
        return out.getvalue()

    return make


@pytest.fixture(scope="session")
def document() -> str:
    """The API document that the simulator stands in for."""
    return (Path(__file__).parents[2] / "docs" / "api-document.txt").read_text(encoding="utf-8")
