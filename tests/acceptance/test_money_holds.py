"""The budget, the wallet and the key: whatever stops a run, no cent too much leaves, and nothing paid is lost."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.harness.fork import Mishap
from tests.harness.sold import SOLD
from veopipe.simulator.server import Options, Simulator, start

if TYPE_CHECKING:
    from tests.harness.film import Film

Fault = Callable[..., str]
RESTARTS = 10
# Dialect → kind → faults of its simulator.
FAULTS = {
    "videos": {
        "account": ("401_exhausted_midrun", "401_bad_key", "403_quota"),
        "failed": ("failed_no_error",),
        "key": ("poll_401",),
        "refused": ("400_google",),
        "stuck": ("stuck_in_progress",),
    },
    "interactions": {
        "account": ("400_key", "400_billing", "403_denied"),
        "failed": ("ended",),
        "key": ("poll_key_400",),
        "refused": ("400_value",),
        "stuck": ("stuck",),
    },
}


@pytest.fixture(params=["videos", pytest.param("interactions", marks=pytest.mark.slow)])
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def fault(dialect: str) -> Fault:
    """What a fault of a kind is called there."""
    return lambda kind, number=0: FAULTS[dialect][kind][number]


@pytest.fixture
def gateway(dialect: str) -> Iterator[Simulator]:
    with start(Options(task_time=0, dialect=dialect)) as running:
        yield running


@pytest.fixture
def film(film: Film, dialect: str) -> Film:
    film.dialect = dialect
    film.pipeline()
    return film


def batch(number: int) -> dict[str, str]:
    return {f"S{at:02d}": f"shot number {at:02d}" for at in range(number)}


def post_count(gateway: Simulator) -> int:
    return sum(entry["method"] == "POST" for entry in gateway.wire)


def paid_once(gateway: Simulator) -> bool:
    return max(Counter(create["prompt"] for create in gateway.charged).values()) == 1


@pytest.mark.shows("the budget: concurrency, a crash loop, resumption")
def test_many_creates_at_once_never_reserve_more_than_the_budget(film: Film, gateway: Simulator) -> None:
    film.list(batch(12))
    film.pipeline(limits__creates_in_flight=8)
    gateway.order_fault("slow_create", times=None, seconds=1.5)
    run = film.run("--max-cost", "1.60", yes=False)
    assert run.code == 5
    assert len(gateway.ledger) == 5
    at_once = [entry["time"] for entry in gateway.wire if entry["method"] == "POST"]
    assert max(at_once) - min(at_once) < 1.5, "they weren't under way together, so nothing was shown"


def test_a_budget_holds_while_some_are_refused_some_in_doubt_and_some_fail(
    film: Film, gateway: Simulator, fault: Fault
) -> None:
    film.list(batch(12))
    film.pipeline(limits__creates_in_flight=4, limits__retry_failed=2, limits__stop_after_failures=20)
    gateway.order_fault("lost_response", after=1)
    gateway.order_fault(fault("refused"), times=2, after=2)
    gateway.order_fault(fault("failed"), times=2)
    run = film.run("--max-cost", "1.50", yes=False)
    assert run.code in {3, 5}
    assert 3 <= len(gateway.ledger) <= 5
    money = run.document["cost_usd"]
    spent = Decimal(money["charged"]) + Decimal(money["possibly_charged"])
    paid = sum(Decimal(create["price_usd"]) for create in gateway.ledger)
    assert paid <= spent <= Decimal("1.50")
    assert spent == paid or film.dialect == "interactions"  # what failed doesn't tell there what it cost


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.shows("the budget: concurrency, a crash loop, resumption")
def test_a_service_that_restarts_it_ten_times_spends_one_budget(
    film: Film, gateway: Simulator, fault: Fault, seed: int
) -> None:
    film.list(batch(8))
    film.pipeline(limits__creates_in_flight=3)
    gateway.order_fault(fault("stuck"), times=None)  # no run comes to its end by itself
    dice = random.Random(seed)
    words = film.arguments("--max-cost", "0.90", yes=False)
    codes = []
    for _ in range(RESTARTS):
        mishap = Mishap("kill", dice.randint(5, 90))
        codes.append(film.start(*words, first=mishap).result().code)
        assert len(gateway.ledger) <= 3
    assert set(codes) == {-signal.SIGKILL}
    gateway.clear_faults()
    last = film.start(*words).result()
    assert last.code in {3, 5}
    assert len(gateway.ledger) <= 3
    assert paid_once(gateway)


@pytest.mark.shows("the budget: concurrency, a crash loop, resumption")
def test_a_take_that_fails_after_the_restart_is_tried_again_only_within_the_first_runs_budget(
    film: Film, gateway: Simulator, fault: Fault
) -> None:
    film.list(batch(2))
    film.pipeline(limits__retry_failed=5, limits__stop_after_failures=20)
    gateway.order_fault(fault("stuck"), times=None)
    first = film.start(*film.arguments("--max-cost", "0.90", yes=False))
    first.until_it_says("S01")
    first.until_it_says("rendering")
    first.signal(signal.SIGKILL)
    first.result()
    before = len(gateway.ledger)
    gateway.clear_faults()
    gateway.order_fault(fault("failed"), times=None)
    second = film.run("--max-cost", "0.90", yes=False)
    assert before <= 2
    assert second.code == 5
    assert len(gateway.ledger) == 3


@pytest.mark.shows("wallet empty, key exhausted or refused in the middle")
def test_an_empty_wallet_ends_creating_and_the_next_run_goes_on_with_what_was_paid(
    film: Film, gateway: Simulator
) -> None:
    film.list(batch(6))
    gateway.fill_wallet(Decimal("0.60"))
    run = film.run()
    assert run.code == 6
    assert "quota" in run.err or "wallet" in run.err or "额度" in run.err or "credit" in run.err
    assert Counter(run.statuses.values()) == {"verified": 2, "refused": 1, "pending": 3}
    assert post_count(gateway) == 3
    gateway.fill_wallet(None)
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.charged) == 6
    assert paid_once(gateway)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.shows("wallet empty, key exhausted or refused in the middle")
def test_a_key_refused_in_the_middle_ends_creating_and_what_is_paid_is_kept(
    film: Film, gateway: Simulator, fault: Fault, number: int
) -> None:
    film.list(batch(6))
    gateway.order_fault(fault("account", number), after=2)
    run = film.run()
    assert run.code == 6
    assert post_count(gateway) == 3
    paid = sum(Decimal(create["price_usd"]) for create in gateway.charged)
    charged, perhaps = (Decimal(run.document["cost_usd"][name]) for name in ("charged", "possibly_charged"))
    assert (len(gateway.charged), perhaps) == (2, 0)
    assert paid <= charged <= 2 * SOLD[film.dialect].price
    assert set(run.statuses.values()) <= {"pending", "refused", "verified", "parked"}
    gateway.clear_faults()
    gateway.fill_wallet(None)
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.charged) == 6
    assert paid_once(gateway)


@pytest.mark.shows("wallet empty, key exhausted or refused in the middle")
def test_a_key_that_ends_while_takes_render_parks_them_and_a_new_key_brings_them_home(
    film: Film, gateway: Simulator, fault: Fault
) -> None:
    film.list(batch(3))
    gateway.order_fault(fault("key"), times=None)
    run = film.run()
    assert run.code == 6
    assert "valid key" in run.err
    assert set(run.statuses.values()) <= {"parked", "pending"}
    assert "parked" in run.statuses.values()
    gateway.clear_faults()
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.charged) == 3
    assert paid_once(gateway)
