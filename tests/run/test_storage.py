"""Whether the video of a create could be stored."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from veopipe.api import Project
from veopipe.plan.plan import Item
from veopipe.project.choices import Choices
from veopipe.run.brakes import Brakes
from veopipe.run.creating.admission import Admission
from veopipe.run.creating.storage import NoRoom, Storage
from veopipe.run.events import Journal
from veopipe.run.pace import Tempo
from veopipe.takes.kinds import Experience, Mean, kind_of
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt, ShotState, Take

LIST = """\
version: 1
defaults: {model: veo-3.1-fast-generate-preview, prompt: x, takes: 20}
shots: {one: {}}
"""


def storage(folder: Path, under_way: int, part_of_the_disk: float, *, is_known: bool = True) -> tuple[Storage, Item]:
    """That of a run with so many takes under way, whose videos need that part of what is free each; and an item."""
    (folder / "shots.yaml").write_text(LIST, "utf-8")
    film = Project.of(Choices(folder / "shots.yaml"), environ={})
    ledger = film.look()
    plan, gateway = ledger.plan(), film.loaded.address.name
    item = plan.creates[-1]
    assert item.order is not None
    attempt = Attempt(1, "r", Status.RENDERING, gateway, Decimal("0.3"), "2026-11-22T06:00:00Z", task_id="task_1")
    takes = [
        Take(made.number, made.fingerprint, made.order, (attempt,))
        for made in plan.creates[:under_way]
        if made.order is not None
    ]
    ledger.store.shots["one"] = ShotState("one", tuple(takes))
    brakes = Brakes(Journal(lambda note: None), 3)
    admission = Admission(film.loaded.pipeline.limits, Tempo(1.0), brakes.leaving)
    for take in takes:
        admission.flight.begin(("one", take.number))
    size = int(shutil.disk_usage(folder).free * part_of_the_disk)
    known = {kind_of(gateway, item.order): Experience(size=Mean(float(size), 4))} if is_known else {}
    return Storage(ledger, admission, brakes, known, size), item


@pytest.mark.parametrize(("under_way", "fits"), [(0, True), (1, True), (2, False), (10, False)])
def test_a_video_must_fit_beside_those_under_way(tmp_path: Path, under_way: int, fits: bool) -> None:
    there, item = storage(tmp_path, under_way, 0.4)
    if fits:
        asyncio.run(there.make_sure(item))
    else:
        with pytest.raises(NoRoom, match=r"no room for more videos: .* MiB needed"):
            asyncio.run(there.make_sure(item))


def test_on_their_way_to_a_store_only_those_that_are_downloaded_at_once_need_room(tmp_path: Path) -> None:
    there, item = storage(tmp_path, 10, 0.4)
    asyncio.run(replace(there, passing=2).make_sure(item))
    with pytest.raises(NoRoom):
        asyncio.run(replace(there, passing=3).make_sure(item))


def test_a_size_that_is_only_assumed_is_waited_for_while_anything_is_under_way(tmp_path: Path) -> None:
    there, item = storage(tmp_path, 3, 1.5, is_known=False)
    enormous = replace(item.order, seconds=1 << 40) if item.order is not None else None
    item = replace(item, order=enormous)

    async def waits() -> None:
        waiting = asyncio.create_task(there.make_sure(item))
        for number in (1, 2):
            await asyncio.sleep(0.05)
            there.admission.flight.end(("one", number))
            there.admission.wake()
        await asyncio.sleep(0.05)
        assert not waiting.done()
        there.admission.flight.end(("one", 3))
        there.admission.wake()
        with pytest.raises(NoRoom):
            await waiting

    asyncio.run(waits())


def test_brakes_end_the_waiting(tmp_path: Path) -> None:
    there, item = storage(tmp_path, 3, 1.5, is_known=False)
    enormous = replace(item.order, seconds=1 << 40) if item.order is not None else None

    async def ended() -> None:
        waiting = asyncio.create_task(there.make_sure(replace(item, order=enormous)))
        await asyncio.sleep(0.05)
        there.brakes.stop_quietly("enough")
        there.admission.wake()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(ended())
