"""The store: memory follows the disk, a torn file holds its shot only."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.harness.builders import attempt, take
from tests.ledger.conftest import break_disk, mend_disk, on_disk
from veopipe.ledger import record
from veopipe.ledger.paths import Places
from veopipe.ledger.store import NotRecorded, Store, open_store
from veopipe.takes.status import Event, IllegalTransition, Status
from veopipe.takes.take import ShotState


def test_what_is_saved_is_there_in_the_next_process(places: Places, store: Store) -> None:
    assert open_store(places).shots == store.shots == {"hero": on_disk(places)}


def test_a_ledger_without_state_is_empty(tmp_path: Path) -> None:
    empty = open_store(Places(tmp_path / "shots.yaml", ".veopipe", "renders"))

    assert (empty.shots, empty.unusable.shots) == ({}, {})


def test_looking_at_a_ledger_writes_nothing(tmp_path: Path) -> None:
    open_store(Places(tmp_path / "shots.yaml", ".veopipe", "renders"))

    assert list(tmp_path.iterdir()) == []


def test_an_event_is_on_disk_before_it_is_in_memory(places: Places, store: Store) -> None:
    recorded = store.record("hero", 1, Event.ACCEPTED, task_id="task_9")

    assert recorded.status is Status.RENDERING
    assert on_disk(places).take(1) == store.shots["hero"].take(1) == recorded


def test_a_save_that_fails_leaves_memory_and_disk_as_they_were(places: Places, store: Store) -> None:
    before = store.shots["hero"]
    break_disk(places)

    with pytest.raises(NotRecorded, match=r"hero\.json can't be written"):
        store.record("hero", 1, Event.ACCEPTED, task_id="task_9")

    mend_disk(places)
    assert store.shots["hero"] == before == on_disk(places)
    assert [path.name for path in places.state.iterdir()] == ["hero.json"]


def test_an_illegal_event_changes_neither_memory_nor_disk(places: Places, store: Store) -> None:
    before = store.shots["hero"]

    with pytest.raises(IllegalTransition):
        store.record("hero", 1, Event.MATCHES)

    assert store.shots["hero"] == before == on_disk(places)


def test_many_threads_lose_no_record(places: Places, store: Store) -> None:
    numbers = range(2, 22)
    for number in numbers:
        store.save(store.shots["hero"].with_take(take(attempt(Status.SUBMITTING), number=number)))
    threads = [
        threading.Thread(target=store.record, args=("hero", n, Event.ACCEPTED), kwargs={"task_id": f"task_{n}"})
        for n in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {on_disk(places).take(n).last.task_id for n in numbers} == {f"task_{n}" for n in numbers}


# --- rename ----------------------------------------------------------------------------------------


def test_a_renamed_shot_has_its_state_under_the_new_name_only(places: Places, store: Store) -> None:
    store.move({"lead": "hero"})

    assert list(store.shots) == ["lead"]
    assert [path.name for path in places.state.iterdir()] == ["lead.json"]
    assert on_disk(places, "lead").shot == "lead"


def test_a_rename_that_died_half_way_is_read_under_the_files_name(places: Places, store: Store) -> None:
    (places.state / "hero.json").rename(places.state / "lead.json")

    found = open_store(places)

    assert list(found.shots) == ["lead"]
    assert found.shots["lead"].shot == "lead"
    assert found.shots["lead"].takes == store.shots["hero"].takes


def test_a_rename_that_fails_changes_nothing(places: Places, store: Store) -> None:
    break_disk(places)

    with pytest.raises(NotRecorded, match="can't be renamed"):
        store.move({"lead": "hero"})

    assert list(store.shots) == ["hero"]


HALF_RENAMED = """
import errno, sys
from pathlib import Path
from veopipe import crashpoints
from veopipe.ledger.paths import Places
from veopipe.ledger.store import NotRecorded, open_store

def full(step, subject):
    if step == "write":
        raise OSError(errno.ENOSPC, "No space left on device")

store = open_store(Places(Path(sys.argv[1]), ".veopipe", "renders"))
crashpoints.listen(full)
try:
    store.move({"lead": "hero"})
except NotRecorded:
    print(*store.shots, len(store.shots["lead"].takes))
"""


def test_memory_follows_a_rename_whose_second_half_fails(places: Places, store: Store) -> None:
    """Else the shot would look new in memory, and its next save would overwrite paid takes."""
    done = subprocess.run(
        [sys.executable, "-c", HALF_RENAMED, str(places.manifest)], capture_output=True, text=True, timeout=60
    )

    assert done.stdout.split() == ["lead", "1"]
    assert open_store(places).shots["lead"].takes == store.shots["hero"].takes


# --- damaged files ---------------------------------------------------------------------------------


def test_a_torn_file_holds_its_shot_and_no_other(places: Places, store: Store) -> None:
    store.save(ShotState("other", (take(attempt(Status.SUBMITTING)),)))
    path = places.state / "hero.json"
    path.write_bytes(path.read_bytes()[:-20])

    found = open_store(places)

    assert list(found.shots) == ["other"]
    assert found.unusable.unreadable["hero"].startswith("it isn't JSON")


def test_what_cannot_be_read_holds_its_shot(places: Places, store: Store) -> None:
    (places.state / "folder.json").mkdir()
    (places.state / "loop.json").symlink_to("loop.json")
    (places.state / "empty.json").write_bytes(b"")
    (places.state / "large.json").write_bytes(b" " * (record.LARGEST + 1))

    found = open_store(places)

    assert list(found.shots) == ["hero"]
    assert set(found.unusable.unreadable) == {"folder", "loop", "empty", "large"}
    assert all(found.unusable.unreadable.values())


def test_a_damaged_texts_words_are_safe_to_print(places: Places, store: Store) -> None:
    path = places.state / "hero.json"
    path.write_text(path.read_text().replace('"submitting"', '"\\u001b[2J' + "x" * 10_000 + '"'))

    assert "\x1b" not in open_store(places).unusable.unreadable["hero"]
    assert len(open_store(places).unusable.unreadable["hero"]) < 400


def test_leftovers_of_a_crash_are_no_state(places: Places, store: Store) -> None:
    (places.state / ".new-0123456789ab").write_text("half")

    assert list(open_store(places).shots) == ["hero"]


@pytest.mark.parametrize("name", ["hero-LAPTOP", "hero_conflict-20260101-101010"])
def test_a_copy_that_a_shot_could_be_called_counts_nothing(places: Places, store: Store, name: str) -> None:
    """One name sorts before the original's, one behind it."""
    (places.state / f"{name}.json").write_bytes((places.state / "hero.json").read_bytes())
    before = store.count.made()

    found = open_store(places, before)

    assert (list(found.shots), dict(found.unusable.copies)) == (["hero"], {f"{name}.json": "hero"})
    assert (found.count.made(), found.count.lost) == (before, frozenset())
