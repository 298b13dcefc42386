"""A disk without room, results that the gateway forgets, and clocks that are wrong: nothing paid is lost."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import veopipe
from tests.harness.fork import Mishap

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

# The only functions that may ask what time it is: texts, the 48 hours, and the check of the clock itself.
READ_THE_CLOCK = {
    *("clock.now", "clock.since", "cli.commands.doctor._gateway", "run.looking._read"),
    *(
        "delivery.buckets.bucket.put",
        "delivery.buckets.probing.prove",
        "delivery.landing._is_old",
        "film.outputs._tidy",
    ),
}
"""`run.looking._read` decides something, "not charged": only where the gateway's own clock agrees (`lookup.judge`).
`delivery.landing._is_old` removes parts of workers that are older than a day; a take never.
`film.outputs._tidy` removes half-made films that nobody holds any more.
"""


def batch(number: int) -> dict[str, str]:
    return {f"S{at:02d}": f"shot number {at:02d}" for at in range(number)}


def downloads(gateway: Simulator) -> list[str]:
    """The tasks whose videos were asked for, in order."""
    return [entry["task_id"] for entry in gateway.wire if entry["path"].endswith("/content")]


def killed_at(film: Film, mishap: Mishap, *words: str) -> None:
    ended = film.start(*film.arguments(*words), first=mishap).result()
    assert ended.code == -9, ended


# --- room ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.shows("disk space before a download; a full disk")
def test_a_disk_that_fills_up_stops_downloads_and_loses_nothing(film: Film, gateway: Simulator, at: int) -> None:
    film.list(batch(8))
    film.pipeline(limits__downloads=1)
    ended = film.start(*film.arguments(), first=Mishap("full", at, only=".part")).result()
    document = ended.document
    assert (ended.code, document["exit_code"]) == (6, 6)
    assert "it is kept: No space left" in document["notes"][0]
    assert "it is kept" in ended.err
    statuses = Counter(row["status"] for row in document["shots"].values())
    assert statuses["verified"] <= at // 3
    assert set(statuses) <= {"verified", "downloaded", "rendered", "pending"}  # what rendered was asked for to its end
    assert len(downloads(gateway)) <= 1 + at // 3 + 1
    assert len(document["notes"]) == 1
    parts = {path.name[1:4] for path in (film.folder / "renders/shots/takes").glob(".S0*.part")}
    assert parts == {shot for shot, row in document["shots"].items() if row["status"] == "downloaded"}
    before = len(gateway.charged)
    assert set(film.run().statuses.values()) == {"verified"}
    assert (before <= len(gateway.charged), len(gateway.charged)) == (True, 8)


@pytest.fixture
def small_disk(film: Film) -> Iterator[Path]:
    """A file system of 32 MiB under `renders`."""
    place = film.folder / "renders"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=32m", "veopipe-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.shows("disk space before a download; a full disk")
def test_room_is_looked_at_before_a_download_and_more_of_it_is_all_that_is_needed(
    film: Film, gateway: Simulator, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,size=128m", str(small_disk)], check=True)
    ordered_but_not_fetched(film, gateway, 3)
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    run = film.run()
    assert run.code == 6
    assert "MiB needed" in run.document["notes"][0]
    assert set(run.statuses.values()) == {"rendered"}
    assert not list(small_disk.rglob("*.part"))
    assert len(downloads(gateway)) == 1
    subprocess.run(["mount", "-o", "remount,size=128m", str(small_disk)], check=True)
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.charged) == 3


def test_a_folder_that_cannot_be_written_is_not_called_full(film: Film, gateway: Simulator, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=128m", str(small_disk)], check=True)
    ordered_but_not_fetched(film, gateway, 2)
    (small_disk / "shots/takes").mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    run = film.run()
    assert run.code == 6
    assert "takes/ in it can't be written" in run.document["error"]
    assert "room" not in run.document["error"]
    assert downloads(gateway) == []
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.charged) == 2


def test_a_ledger_on_a_disk_that_is_full_lets_nothing_be_sent(film: Film, gateway: Simulator) -> None:
    place = film.folder / ".veopipe"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "veopipe-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system, and not everywhere")
    try:
        film.list(batch(2))
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        assert shutil.disk_usage(place).free == 0
        run = film.run()
        assert run.code == 6
        assert not [entry for entry in gateway.wire if entry["method"] == "POST"]
        filler.unlink()
        assert set(film.run().statuses.values()) == {"verified"}
        assert len(gateway.charged) == 2
    finally:
        subprocess.run(["umount", str(place)], check=True)


# --- 48 hours --------------------------------------------------------------------------------------


def shift(film: Film, hours: dict[str, float]) -> None:
    """Let the records say that a shot was ordered so many hours earlier."""
    for shot, by in hours.items():
        path = film.folder / f".veopipe/shots/state/{shot}.json"
        document = json.loads(path.read_text("utf-8"))
        for attempt in (attempt for take in document["takes"] for attempt in take["attempts"]):
            for name in {"submitted_at", "settled_at"} & attempt.keys():
                then = datetime.fromisoformat(attempt[name]) - timedelta(hours=by)
                attempt[name] = then.strftime("%Y-%m-%dT%H:%M:%SZ")
            if "created_at" in attempt:
                attempt["created_at"] -= int(by * 3600)
        path.write_text(json.dumps(document), "utf-8")


def ordered_but_not_fetched(film: Film, gateway: Simulator, number: int) -> dict[str, str]:
    """Run until everything is ordered and nothing is fetched; shot → task."""
    film.list(batch(number))
    gateway.order_fault("stuck_in_progress", times=None)
    film.pipeline(poll__timeout="300ms")
    assert set(film.run().statuses.values()) == {"parked"}
    gateway.clear_faults()
    film.pipeline(limits__downloads=1)
    return {shot: film.state(shot)["takes"][0]["attempts"][0]["task_id"] for shot in batch(number)}


@pytest.mark.shows("48 hours")
def test_what_the_gateway_will_forget_soon_is_fetched_first(film: Film, gateway: Simulator) -> None:
    tasks = ordered_but_not_fetched(film, gateway, 12)
    shift(film, {shot: 3.0 * at for at, shot in enumerate(tasks)})  # the last one in the list is the oldest
    gateway.order_fault("stall", seconds=1.5)  # meanwhile all others come to stand in line
    assert set(film.run().statuses.values()) == {"verified"}
    begun, *fetched = downloads(gateway)
    fetched.remove(begun)
    assert fetched == [tasks[shot] for shot in sorted(tasks, reverse=True) if tasks[shot] != begun]


@pytest.mark.parametrize("fault", ["expired_502", "expired_410", "safety_completed_502"])
def test_a_result_that_is_gone_after_48_hours_is_said_to_be_gone_and_not_bought_again(
    film: Film, gateway: Simulator, fault: str
) -> None:
    ordered_but_not_fetched(film, gateway, 1)
    film.pipeline(download__not_ready_for="200ms")
    shift(film, {"S00": 49})
    gateway.order_fault(fault, times=None)
    run = film.run()
    assert (run.code, run.statuses) == (1, {"S00": "abandoned"})
    assert "48 h" in run.shots["S00"]["reason"] or "gone at the gateway" in run.shots["S00"]["reason"]
    assert film.run().statuses == {"S00": "abandoned"}
    assert len(gateway.charged) == 1


def test_a_verified_video_that_was_deleted_is_fetched_for_48_hours_and_then_said_to_be_missing(
    film: Film, gateway: Simulator
) -> None:
    film.list(batch(2))
    assert film.run().code == 0
    shift(film, {"S00": 47, "S01": 49})
    for path in (film.folder / "renders/shots").rglob("*.mp4"):
        path.unlink()
    verified = film.command("verify", "shots.yaml", "-p", "quick.yaml")
    assert (verified.code, verified.err.count(".001.mp4: missing\n")) == (1, 2)
    assert verified.err.endswith("buys none of it again: veopipe run shots.yaml -p quick.yaml\n")
    run = film.run()
    assert run.shots["S00"]["file"] == "renders/shots/S00.mp4"
    assert run.shots["S01"]["file"] is None
    assert "S01" in run.err
    assert "has it no more" in run.err
    assert len(gateway.charged) == 2


# --- clocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-24.0, 24.0, -24.0 * 365, 24.0 * 365])
@pytest.mark.shows("monotonic deadlines; clock changes alter messages only")
def test_a_clock_that_jumped_changes_no_decision(film: Film, gateway: Simulator, hours: float) -> None:
    film.list(batch(3))
    gateway.order_fault("lost_response", after=2)
    gateway.order_fault("stuck_in_progress", after=1)
    film.pipeline(poll__timeout="300ms")
    first = film.run()
    assert Counter(first.statuses.values()) == {"verified": 1, "parked": 1, "in_doubt": 1}
    gateway.clear_faults()
    shift(film, dict.fromkeys(batch(3), hours))
    run: Result = film.run()
    assert run.code == 3
    assert run.statuses == {**first.statuses, **{s: "verified" for s, one in first.statuses.items() if one == "parked"}}
    assert len(gateway.charged) == 3


def functions_that(call: str) -> set[str]:
    """Module and function of every place in veopipe (but the simulator) that makes such a call."""
    package, found = Path(veopipe.__file__).parent, set()
    for path in package.rglob("*.py"):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        source = path.read_text("utf-8")
        if name.startswith("simulator.") or call.rpartition(".")[2] not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                calls: list[Any] = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
                found |= {f"{name}.{node.name}" for func in calls if ast.unparse(func) == call}
    return found


@pytest.mark.shows("monotonic deadlines; clock changes alter messages only")
def test_the_time_of_day_is_asked_for_in_few_places_and_every_wait_is_monotonic() -> None:
    asking = set().union(*(functions_that(f"{name}") for name in ("time.time", "datetime.now", "time.time_ns")))
    assert asking == READ_THE_CLOCK
    assert len(functions_that("time.monotonic")) > 5
