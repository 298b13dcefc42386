"""What is said before a run, besides the price: how long it takes, whether the disk has room, what waited too long."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.acceptance.test_room_and_time import batch, ordered_but_not_fetched, shift

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

SCHEMA = Path(__file__).parents[2] / "schemas" / "plan.schema.json"


def plan(film: Film, *words: str, shown: bool = False) -> Result:
    """`veopipe plan` at the test's gateway; JSON, unless people are meant."""
    there = [] if "--simulate" in words else ["--base-url", film.base_url]
    how = [] if shown else ["--format", "json"]
    ended = film.command("plan", "shots.yaml", "-p", "quick.yaml", *there, *how, *words)
    assert ended.code == 0, ended
    return ended


def document(film: Film, *words: str) -> dict[str, Any]:
    found = plan(film, *words).document
    Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(found)
    return found


@pytest.fixture
def small_disk(film: Film) -> Iterator[Path]:
    """A file system of 96 MiB under `renders`: 32 MiB for videos."""
    place = film.folder / "renders"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=96m", "veopipe-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield place
    subprocess.run(["umount", str(place)], check=True)


# --- how long --------------------------------------------------------------------------------------


def test_a_plan_says_how_long_by_what_is_assumed_and_then_by_what_is_on_record(film: Film, gateway: Simulator) -> None:
    film.list(batch(4))
    film.pipeline(limits__in_flight=2)
    before = document(film)["time"]
    assert (before["limit"], before["takes_on_record"]) == ("in_flight", 0)
    assert before["seconds"] > 60
    shown = plan(film, shown=True).out.splitlines()[-1]
    assert shown == "Time: about 63 s at 60000 creates a minute; in_flight: 2 makes it 3 min (63 s a take, assumed)"
    run = film.run()
    assert f"time: {shown.removeprefix('Time: ')}" in run.err
    film.list(batch(9))
    after = document(film)["time"]
    assert after["takes_on_record"] == 4
    assert after["take_s"] < 5
    assert "downloads" in after["by_limit"]
    attempt = film.state("S00")["takes"][0]["attempts"][0]
    assert 0 <= attempt["fetched_s"] < 5


def test_one_take_or_none_and_a_rehearsal_are_no_news(film: Film, gateway: Simulator) -> None:
    film.list(batch(1))
    film.pipeline()
    assert "Time" not in plan(film, shown=True).out
    assert "time: " not in film.run().err
    assert not document(film).keys() & {"time", "room", "unfetched"}
    film.list(batch(5))
    assert "Time" not in plan(film, "--simulate", shown=True).out
    assert not document(film, "--simulate").keys() & {"time", "room", "unfetched"}


def test_a_plan_that_says_how_long_is_a_permission_as_before(film: Film, gateway: Simulator) -> None:
    film.list(batch(2))
    film.pipeline()
    plan(film, "-o", "plan.json", shown=True)
    assert json.loads((film.folder / "plan.json").read_text("utf-8"))["time"]["takes_on_record"] == 0
    assert set(film.run("--plan", "plan.json", yes=False).statuses.values()) == {"verified"}
    assert len(gateway.charged) == 2


# --- how much room ---------------------------------------------------------------------------------


def test_a_disk_with_too_little_room_is_named_before_anything_is_bought(
    film: Film, gateway: Simulator, small_disk: Path
) -> None:
    """24 videos of 720p and 4 s are taken for 3 MB each; those on record turn out to be far smaller."""
    film.list(batch(24))
    film.pipeline()
    found = document(film)["room"]
    assert found["is_too_little"]
    assert (found["bytes_to_come"], found["sizes_assumed"]) == (24 * 3_000_000, 24)
    assert 0 < found["bytes_free"] <= 96 << 20
    warning = "warning: renders has 101 MB free, and 24 videos to come need about 72 MB"
    beside = "(by what such videos usually have) beside 67 MB that stay free for the ledger"
    assert f"{warning} {beside}" in plan(film, shown=True).err
    assert warning in film.command(*film.arguments(yes=False)).err
    assert gateway.charged == []
    assert film.run("--only", "S00").code == 0
    found = document(film)["room"]
    assert (found["is_too_little"], found["sizes_assumed"]) == (False, 0)
    assert found["bytes_to_come"] == 23 * film.state("S00")["takes"][0]["file"]["bytes"]
    assert "warning: renders" not in plan(film, shown=True).err


# --- how late --------------------------------------------------------------------------------------


def test_what_is_paid_and_not_fetched_for_a_day_is_named(film: Film, gateway: Simulator) -> None:
    ordered_but_not_fetched(film, gateway, 4)
    status = ("status", "shots.yaml", "-p", "quick.yaml")
    assert "fetched" not in film.command(*status).err
    shift(film, {"S00": 23, "S01": 25, "S02": 47, "S03": 30})
    said = "S02 was ordered 47 h ago and isn't fetched (2 more takes are as late): its gateway keeps videos for 48 h"
    assert document(film)["unfetched"] == {
        "shot": "S02",
        "age_s": pytest.approx(47 * 3600, abs=60),
        "kept_s": 48 * 3600,
        "more": 2,
    }
    for ended in (plan(film, shown=True), film.command(*status)):
        assert f"warning: {said}; run before that" in ended.err
    noted = film.command(*status, "--format", "json").document["notes"]
    assert noted == [f"{said}; run before that"]
    run = film.run()
    assert said in run.err
    assert set(run.statuses.values()) == {"verified"}
    assert "fetched" not in film.command(*status).err
    assert len(gateway.charged) == 4


def test_a_gateway_that_keeps_videos_for_an_hour_is_late_after_half_of_it(film: Film, gateway: Simulator) -> None:
    ordered_but_not_fetched(film, gateway, 2)
    film.pipeline(provider__profile=film.keeps("1h"))
    status = ("status", "shots.yaml", "-p", "quick.yaml")
    assert "fetched" not in film.command(*status).err
    shift(film, {"S00": 0.6, "S01": 1.2})
    said = "S01 was ordered 72 min ago and isn't fetched (1 more take is as late): its gateway keeps videos for 1 h"
    assert f"{said}, so it may be gone; run at once" in film.command(*status).err
