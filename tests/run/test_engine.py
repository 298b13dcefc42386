"""Which engine a text names, and who may use it."""

from __future__ import annotations

import pickle

import pytest

from tests.harness.canary import KEY, holds_key
from veopipe.delivery.bringing import bring
from veopipe.delivery.errand import Desk, Errand, Place, Task
from veopipe.errors import UsageError
from veopipe.gateway.address import Address
from veopipe.run.carrying.engine import Named, check

FAR, NEAR = Address("https://gateway.example"), Address("http://127.0.0.1:8787")


def test_an_engine_is_a_name_and_perhaps_a_url() -> None:
    assert Named.of("local").is_local
    assert Named.of("dask+tls://host:8786") == Named("dask", "tls://host:8786")
    assert Named.of("mine+https://host/a+b") == Named("mine", "https://host/a+b")
    assert Named.of("mine") == Named("mine", None)


@pytest.mark.parametrize(
    ("written", "warned"),
    [
        ("local", False),
        ("dask+tcp://10.0.0.5:8786", True),
        ("dask+tcp://scheduler:8786", True),
        ("dask+tcp://127.0.0.1:8786", False),
        ("dask+tcp://[::1]:8786", False),
        ("dask+tcp://localhost:8786", False),
        ("dask+tls://10.0.0.5:8786", False),
    ],
)
def test_a_scheduler_elsewhere_without_tls_is_warned_of(written: str, *, warned: bool) -> None:
    assert check(written, FAR) == Named.of(written)
    assert bool(list(Named.of(written).warnings())) is warned


@pytest.mark.parametrize(
    "written", ["ray", "dask", "dask+ws://host:1", "dask+tls://host:8786/x", "dask+tls://u@host:1"]
)
def test_what_can_be_none_is_refused(written: str) -> None:
    with pytest.raises(UsageError):
        check(written, FAR)


def test_a_gateway_on_this_machine_takes_workers_on_this_machine() -> None:
    check("dask+tcp://127.0.0.1:8786", NEAR)
    check("local", NEAR)
    with pytest.raises(UsageError, match="on this machine"):
        check("dask+tls://scheduler.example:8786", NEAR)


def test_what_travels_has_the_name_of_the_keys_variable_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEOPIPE_API_KEY", KEY)
    desk = Desk("https://gateway.example", False, "videos", "videos", None, "VEOPIPE_API_KEY")
    place = Place("renders", "shots", "/renders/shots/takes", "ledger", "nonce")
    errand = Errand("SC01.001", Task("task_1", "https://gateway.example:443", "videos"), desk, place)
    travels = pickle.dumps((bring, errand.as_json()))

    assert b"VEOPIPE_API_KEY" in travels
    assert not holds_key(travels)
    assert len(travels) < 1_000
