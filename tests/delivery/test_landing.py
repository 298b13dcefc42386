"""A folder as workers see it: of many that bring one take at once, one names it, and its mark holds for it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.builders import attempt, take
from veopipe import files
from veopipe.delivery import beside
from veopipe.delivery.errand import SIGHT, Desk, Errand, Foreign, Place, Task, Unfit, read_answer, read_errand
from veopipe.delivery.landing import Folder, clear_parts, landing_of, open_sight
from veopipe.delivery.shelf import FolderShelf, strays
from veopipe.ledger.paths import Places
from veopipe.run.carrying.here import task_of
from veopipe.takes.take import Delivered

NAME, TASK = "SC01.001", Task("task_1", "https://gateway.example:443", "videos")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "shots.yaml", ".veopipe", "renders")


@pytest.fixture
def place(places: Places) -> Place:
    folder = places.takes_of("renders")
    return open_sight(Place("renders", "shots", str(folder), "ledger-1", ""))


def brought(landing: Folder, content: bytes, task: Task = TASK) -> Delivered:
    """Put a video there, as a worker does that was told nothing of others."""
    part = landing.part(NAME)
    part.write_bytes(content)
    measured = {"fps": 24.0, "container": "MPEG-4"}
    file = Delivered("renders", f"{NAME}.mp4", files.sha256_of_bytes(content), len(content), 1280, 720, 4.0, measured)
    return landing.keep(part, NAME, task, file)


def worker(place: Place) -> Folder:
    landing = landing_of(place)
    assert isinstance(landing, Folder)
    return landing


def test_what_was_brought_is_found_with_its_facts(place: Place) -> None:
    file = brought(worker(place), b"video")

    assert file.name == "SC01.001.mp4"
    assert worker(place).look(NAME, TASK) == file
    assert worker(place).look(NAME, replace(TASK, id="task_2")) is None
    assert sorted(os.listdir(place.folder)) == [".SC01.001.json", SIGHT, "SC01.001.mp4"]
    assert not os.access(Path(place.folder, file.name), os.W_OK) or os.getuid() == 0


def test_another_delivery_of_the_task_finds_the_first(place: Place) -> None:
    first = brought(worker(place), b"video")

    assert brought(worker(place), b"another") == first
    assert Path(place.folder, first.name).read_bytes() == b"video"


def test_a_name_that_something_else_has_is_left_to_it(place: Place) -> None:
    Path(place.folder, "SC01.001.mp4").write_bytes(b"mine")

    assert brought(worker(place), b"video").name == "SC01.001-2.mp4"
    assert brought(worker(place), b"other", replace(TASK, id="task_2")).name == "SC01.001-3.mp4"
    assert Path(place.folder, "SC01.001.mp4").read_bytes() == b"mine"


def test_a_file_that_changed_isnt_the_take_any_more(place: Place) -> None:
    brought(worker(place), b"video")
    path = Path(place.folder, "SC01.001.mp4")
    path.unlink()
    path.write_bytes(b"viDeo")

    assert worker(place).look(NAME, TASK) is None


def test_a_mark_without_a_take_is_of_a_worker_that_died_and_hinders_nobody(place: Place) -> None:
    brought(worker(place), b"video")
    Path(place.folder, "SC01.001.mp4").unlink()
    assert worker(place).look(NAME, TASK) is None

    file = brought(worker(place), b"another")
    assert file.name == "SC01.001.mp4"
    assert worker(place).look(NAME, TASK) == file


@pytest.mark.parametrize("same", [True, False], ids=["same bytes", "other bytes"])
def test_of_many_at_once_one_names_it_and_its_mark_holds(place: Place, *, same: bool) -> None:
    for number in range(20):
        task, start = replace(TASK, id=f"task_{number}"), threading.Barrier(6)
        name = f"SC{number:02d}.001"

        def race(each: int, task: Task = task, start: threading.Barrier = start, name: str = name) -> Delivered:
            landing = worker(place)
            content = b"video" if same else b"video %d" % each
            part = landing.part(name)
            part.write_bytes(content)
            digest = files.sha256_of_bytes(content)
            file = Delivered("renders", f"{name}.mp4", digest, len(content), 1280, 720, 4.0, {"container": "MPEG-4"})
            start.wait()
            return landing.keep(part, name, task, file)

        with ThreadPoolExecutor(6) as pool:
            told = set(pool.map(lambda each: race(each).sha256, range(6)))
        there = [path for path in os.listdir(place.folder) if path.startswith(name)]
        found = worker(place).look(name, task)
        assert found is not None
        assert found.sha256 in told
        assert f"{name}.mp4" in there
        assert len(there) == 1 or not same


def test_a_worker_says_what_it_lacks(place: Place, tmp_path: Path) -> None:
    assert worker(place).trouble() is None
    assert "another folder" in str(worker(replace(place, nonce="x")).trouble())
    assert "doesn't see the output" in str(worker(replace(place, folder=str(tmp_path / "none"))).trouble())


def test_what_workers_leave_is_no_stray_and_parts_go_when_nobody_needs_them(place: Place, places: Places) -> None:
    part = worker(place).part(NAME)
    old = worker(place).part("SC02.001")
    for path in (part, old, Path(place.folder, ".SC03.001.part")):
        path.write_bytes(b"half")
    brought(worker(place), b"video")
    Path(place.folder, "SC01.001.mp4").unlink()  # what has a name and no record is a stray, as ever
    os.utime(old, (0, 0))

    assert strays(places, {}, ["SC01", "SC02"]) == {}
    clear_parts(Path(place.folder), lambda shot, number: False)
    assert (part.exists(), old.exists()) == (True, False)
    clear_parts(Path(place.folder), lambda shot, number: (shot, number) == ("SC01", 1))
    assert not part.exists()
    assert Path(place.folder, ".SC03.001.part").exists()  # a run's own


def test_a_run_on_one_machine_finds_that_a_worker_was_as_far(place: Place, places: Places) -> None:
    mine = take(attempt(task_id="task_1"))
    first = brought(worker(place), b"video", task_of(mine))
    part = Path(place.folder, f".{NAME}.part")
    part.write_bytes(b"again")
    file = Delivered("renders", f"{NAME}.mp4", files.sha256_of_bytes(b"again"), 5)

    assert FolderShelf(places).put_away(part, mine, file) == first
    assert not part.exists()


def test_odd_marks_are_none(place: Place) -> None:
    path = Path(place.folder, "SC01.001.mp4")
    path.write_bytes(b"video")
    for text in (b"", b"[]", b"\xff", b'{"v": 1}', b'{"v": 2, "task_id": "task_1"}', b"{" * 10_000):
        beside.place_of(path).write_bytes(text)
        assert beside.record(path, "task_1", "renders") is None


# --- errands as texts -----------------------------------------------------------------------------------


def test_an_errand_reads_back_and_one_of_another_version_doesnt(place: Place) -> None:
    desk = Desk("https://gateway.example", False, "videos", "videos", None, "VEOPIPE_API_KEY")
    errand = Errand(NAME, TASK, desk, place)
    text = errand.as_json()

    assert read_errand(text) == errand
    assert read_errand(replace(errand, task=None).as_json()).task is None
    for odd in ("", "[]", "{}", text.replace('"v": 1', '"v": 2'), text.replace('"name"', '"nom"', 1)):
        with pytest.raises(Foreign):
            read_errand(odd)


def test_an_answer_reads_back_and_what_lacks_is_understood_in_any_version() -> None:
    assert read_answer(Unfit("no key").as_json()) == Unfit("no key")
    assert read_answer('{"v": 7, "unfit": "no key"}') == Unfit("no key")
    for odd in (None, "", "{}", '{"unfit": 1}', 5):
        with pytest.raises(Foreign):
            read_answer(odd)
