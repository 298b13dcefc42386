"""Budget, brakes and further attempts of the part that spends; no network is touched here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.harness.canary import KEY
from veopipe.dialects.videos.dialect import Videos
from veopipe.errors import ExitCode
from veopipe.gateway.address import Address
from veopipe.gateway.client import Gateway
from veopipe.ledger.paths import Places
from veopipe.ledger.store import open_store
from veopipe.pipeline.reading import load_pipeline
from veopipe.plan.permission import Permission
from veopipe.plan.plan import Action, Item
from veopipe.run.brakes import Brakes
from veopipe.run.creating.admission import Admission
from veopipe.run.creating.create_call import Asker
from veopipe.run.creating.creating import Creator
from veopipe.run.creating.uploads import Uploads
from veopipe.run.events import Journal, Note
from veopipe.run.pace import Tempo
from veopipe.simulator.server import Options, start
from veopipe.takes.money import Budget
from veopipe.takes.order import Order
from veopipe.takes.status import CHARGED, Event, Status
from veopipe.takes.take import Attempt, ShotState, Take

PRICE = Decimal("0.3")
ORDER = Order("veo-3.1-fast-generate-preview", "A lighthouse", 8, "720p", "16:9", None, None, (), 1)


def take(*statuses: Status, number: int = 1) -> Take:
    attempts = tuple(
        Attempt(
            n,
            "r1",
            status,
            "http://127.0.0.1:9",
            PRICE,
            "2026-11-22T06:00:00Z",
            task_id=f"task_{n}" if status in CHARGED else None,
        )
        for n, status in enumerate(statuses, 1)
    )
    return Take(number, ORDER.fingerprint(), ORDER, attempts)


def item(**changed: Any) -> Item:
    plain = Item("hero", Action.CONTINUE, "", 1, ORDER.fingerprint(), ORDER, PRICE, status=Status.RENDERING)
    return replace(plain, **changed)


async def nothing_to_upload(_item: Item) -> Uploads:
    return Uploads()


def queued_in(creator: Creator) -> list[Item]:
    """What can be created now, taken out."""
    found = []
    while creator.queue:
        found.append(creator.queue.pop())
    return found


@pytest.fixture
def make_creator(tmp_path: Path) -> Callable[..., Creator]:
    def make(
        permission: Permission | None = None, watch: Callable[[Note], None] = lambda note: None, **limits: Any
    ) -> Creator:
        pipeline, _ = load_pipeline("rehearsal", tmp_path, simulated=True)
        assert pipeline is not None
        places = Places(tmp_path / "shots.yaml", ".veopipe", "renders")
        places.state.mkdir(parents=True)
        journal, chosen = Journal(watch), replace(pipeline.limits, **limits)
        gateway = Gateway(Address("http://127.0.0.1:9"), Videos(), "sk-0123456789")
        brakes = Brakes(journal, chosen.stop_after_failures)
        admission = Admission(chosen, Tempo(pipeline.poll.interval), brakes.leaving)
        admission.start()
        return Creator(
            asker=Asker("r1", open_store(places), gateway, journal),
            admission=admission,
            brakes=brakes,
            budget=Budget(None),
            prepare=nothing_to_upload,
            permission=permission,
        )

    return make


def test_a_budget_is_never_overshot_by_a_cent() -> None:
    budget = Budget(Decimal("0.9"))

    assert [budget.reserve(PRICE) for _ in range(4)] == [True, True, True, False]
    assert budget.spent == Decimal("0.9")
    budget.give_back(PRICE)
    assert budget.reserve(PRICE)
    assert not budget.reserve(Decimal("0.000001"))


def test_what_a_killed_run_spent_counts() -> None:
    assert not Budget(Decimal("0.5"), Decimal("0.3")).reserve(PRICE)
    assert not Budget(Decimal(0)).reserve(PRICE)
    assert Budget(None, Decimal(10**6)).reserve(PRICE)


@pytest.mark.parametrize(("failures", "allowed", "queued"), [(1, 0, 0), (1, 1, 1), (2, 1, 0), (2, 2, 1)])
def test_a_failed_take_is_tried_again_as_often_as_the_pipeline_says(
    make_creator: Callable[..., Creator], failures: int, allowed: int, queued: int
) -> None:
    creator = make_creator(retry_failed=allowed)

    creator.landed(item(), "hero", take(*[Status.FAILED] * failures))

    assert [one.attempt for one in queued_in(creator)] == [failures + 1] * queued


def test_a_failed_take_that_nobody_wants_any_more_is_not_bought_again(make_creator: Callable[..., Creator]) -> None:
    creator = make_creator(retry_failed=3)

    creator.landed(item(order=None), "hero", take(Status.FAILED))
    creator.landed(None, "hero", take(Status.FAILED))

    assert not creator.queue


@pytest.mark.parametrize(
    ("attempts", "price", "queued"), [(0, "0.3", 0), (1, "0.3", 0), (2, "0.3", 1), (3, "1", 1), (2, "0.29", 0)]
)
def test_a_further_attempt_needs_the_plans_permission(
    make_creator: Callable[..., Creator], attempts: int, price: str, queued: int
) -> None:
    allowed = {("hero", ORDER.fingerprint()): (attempts, Decimal(price))} if attempts else {}
    creator = make_creator(Permission(allowed), retry_failed=3)

    creator.landed(item(), "hero", take(Status.FAILED))

    assert len(queued_in(creator)) == queued


def test_failures_in_a_row_end_creating_and_a_good_take_ends_the_row(make_creator: Callable[..., Creator]) -> None:
    creator = make_creator(stop_after_failures=3)
    for status in (Status.FAILED, Status.MISMATCHED, Status.VERIFIED, Status.FAILED, Status.MISMATCHED):
        creator.landed(item(), "hero", take(status))
    assert creator.brakes.why is None

    creator.landed(item(), "hero", take(Status.FAILED))

    assert creator.brakes.why == "3 takes in a row failed or are mismatched: no further create"


def test_creates_that_meet_the_same_trouble_at_once_are_one_failure_to_reach_the_gateway(
    make_creator: Callable[..., Creator],
) -> None:
    asked: list[str] = []
    watch = lambda note: asked.append(str(note.shot)) if note.event == "submitting" else None  # noqa: E731
    creator = make_creator(watch=watch, creates_in_flight=4)
    shots = [f"S{number}" for number in range(4)]
    for shot in shots:
        creator.queue.append(item(shot=shot, action=Action.CREATE, status=None))

    asyncio.run(creator.create_all(lambda shot, number: None))

    assert sorted(asked[:4]) == shots
    assert len(asked) > 4, "no create was tried once more"
    assert creator.brakes.codes == {ExitCode.ENVIRONMENT}


def test_after_the_deadline_what_is_in_flight_is_waited_for_at_rest(make_creator: Callable[..., Creator]) -> None:
    creator = make_creator(deadline=0.01)
    creator.admission.flight.begin(("hero", 1))
    looks = 0

    class Counted(asyncio.Event):
        async def wait(self) -> Literal[True]:
            nonlocal looks
            looks += 1
            return await super().wait()

    async def land_after_a_while() -> None:
        creating = asyncio.create_task(creator.create_all(lambda shot, number: None))
        await asyncio.wait([creating], timeout=0.5)
        creator.landed(item(), "hero", take(Status.VERIFIED))
        await creating

    creator.brakes.leaving = creator.admission.leaving = Counted()
    asyncio.run(land_after_a_while())

    assert looks < 5


def test_a_take_that_landed_makes_room(make_creator: Callable[..., Creator]) -> None:
    creator = make_creator()
    for number in (1, 2):
        creator.admission.flight.begin(("hero", number))

    creator.landed(item(), "hero", take(Status.PARKED))

    assert creator.admission.flight.under_way == {("hero", 2)}


def test_an_intent_undoes_nothing_that_became_of_an_older_take_meanwhile(make_creator: Callable[..., Creator]) -> None:
    store = make_creator().asker.store
    asker = Asker("r1", store, Gateway(Address("http://127.0.0.1:9"), Videos(), "sk-0123456789"), Journal(print))
    store.save(ShotState("hero", (take(Status.RENDERING),)))
    undone = []

    def carry_on() -> None:
        for step in range(100):
            said = store.change("hero", 1, lambda old, step=step: replace(old, unknown={**old.unknown, str(step): 1}))
            undone.append(len(said.unknown) != step + 1)

    carrying = threading.Thread(target=carry_on)
    carrying.start()
    for number in range(2, 40):
        asker._write_intent(item(number=number), None, ())
    carrying.join()

    assert not any(undone)
    assert len(open_store(store.places).shots["hero"].takes) == 39


def test_a_wait_that_ends_before_the_intent_was_written_doubts_nothing(make_creator: Callable[..., Creator]) -> None:
    """No intent on disk: no byte of the body left. The gate decides, not the clock."""
    asker = make_creator().asker

    asker.record_answer(item(), Event.UNKNOWN, {"reason": "no_answer_in_time"})
    assert asker.store.shots == {}

    asker.store.save(ShotState("hero", (take(Status.REFUSED),)))
    asker.record_answer(item(), Event.UNKNOWN, {"reason": "no_answer_in_time"})
    assert asker.store.shots["hero"].take(1).status is Status.REFUSED


def test_creates_that_are_long_made_ready_dont_go_together(
    make_creator: Callable[..., Creator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are taken, and a video is fetched again, before a create goes: what counts is when it goes.

    Here a minute has two seconds, and to make the first two ready takes nearly as long: if they were counted when they
    were let go, all four would go within a moment.
    """
    monkeypatch.setattr("veopipe.run.pace.MINUTE", 2.0)

    async def prepare(asked: Item) -> Uploads:
        await asyncio.sleep(1.9 if asked.shot in {"a", "b"} else 0.0)
        return Uploads()

    def land(shot: str, number: int) -> None:
        creator.landed(None, shot, take(Status.VERIFIED))

    with start(Options()) as gateway:
        creator = make_creator(creates_per_minute=2, creates_in_flight=4, in_flight=50)
        creator.asker.gateway = Gateway(Address(gateway.base_url), Videos(), KEY)
        creator.prepare = prepare
        for shot in "abcd":
            creator.queue.append(item(shot=shot, action=Action.CREATE, status=None))
        asyncio.run(creator.create_all(land))
        went = [entry["time"] for entry in gateway.wire if entry["method"] == "POST"]

    assert len(went) == 4
    assert went[2] - went[0] >= 1.9, "three went within a minute"


def test_what_was_made_ready_after_the_deadline_is_not_sent(make_creator: Callable[..., Creator]) -> None:
    noted: list[str] = []
    creator = make_creator(watch=lambda note: noted.append(note.event), deadline=0.2)

    async def prepare(_item: Item) -> Uploads:
        await asyncio.sleep(0.4)
        return Uploads()

    creator.prepare = prepare
    creator.queue.append(item(action=Action.CREATE, status=None))
    asyncio.run(creator.create_all(lambda shot, number: None))

    assert "submitting" not in noted
    assert [one.shot for one in queued_in(creator)] == ["hero"]
    assert creator.brakes.why == "the deadline is over; the rest stays pending"
