"""The store: memory follows the disk, a paid answer is never lost silently, a torn file holds its shot only."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from veopipe.ledger import record
from veopipe.ledger.paths import Places
from veopipe.ledger.store import NotRecorded, Store, open_store
from veopipe.takes.order import Order
from veopipe.takes.status import CHARGED, Event, IllegalTransition, Status
from veopipe.takes.take import Attempt, ShotState, Take

ORDER = Order("veo", "A pier", 8, "720p", "16:9", None, None, (), 1)


def take(status: Status = Status.SUBMITTING, number: int = 1) -> Take:
    task = "task_1" if status in CHARGED else None
    made = Attempt(1, "r1", status, "https://api.laozhang.ai:443", Decimal("0.3"), "2026-11-22T06:00:00Z", task_id=task)
    return Take(number, ORDER.fingerprint(), ORDER, (made,))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "shots.yaml", ".veopipe", "renders")
    places.state.mkdir(parents=True)
    return places


@pytest.fixture
def store(places: Places) -> Store:
    store = open_store(places)
    store.save(ShotState("hero", (take(),)))
    return store


def on_disk(places: Places, shot: str = "hero") -> ShotState:
    return record.parse((places.state / f"{shot}.json").read_bytes())


def break_disk(places: Places) -> None:
    """Let every write of a state file fail, whoever runs this: the folder becomes a file."""
    places.state.rename(places.folder / "away")
    places.state.write_text("in the way")


def mend_disk(places: Places) -> None:
    places.state.unlink()
    (places.folder / "away").rename(places.state)


def test_what_is_saved_is_there_in_the_next_process(places: Places, store: Store) -> None:
    assert open_store(places).shots == store.shots == {"hero": on_disk(places)}


def test_a_ledger_without_state_is_empty(tmp_path: Path) -> None:
    empty = open_store(Places(tmp_path / "shots.yaml", ".veopipe", "renders"))

    assert (empty.shots, empty.unreadable) == ({}, {})


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
        store.save(store.shots["hero"].with_take(take(number=number)))
    threads = [
        threading.Thread(target=store.record, args=("hero", n, Event.ACCEPTED), kwargs={"task_id": f"task_{n}"})
        for n in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {on_disk(places).take(n).last.task_id for n in numbers} == {f"task_{n}" for n in numbers}


# --- rescue ----------------------------------------------------------------------------------------


def lose(places: Places, store: Store, event: Event = Event.ACCEPTED, **facts: Any) -> None:
    """A paid answer that can't be recorded in its place."""
    break_disk(places)
    with pytest.raises(NotRecorded):
        store.record_paid("hero", 1, event, **(facts or {"task_id": "task_9", "created_at": 1779283975}))
    mend_disk(places)


def test_a_paid_answer_that_cannot_be_written_is_rescued_and_merged_at_the_next_start(
    places: Places, store: Store
) -> None:
    lose(places, store)
    [rescued] = places.rescue.iterdir()
    assert json.loads(rescued.read_bytes())["task_id"] == "task_9"

    again = open_store(places)
    assert again.shots["hero"].take(1).status is Status.SUBMITTING
    assert again.merge_rescued() == ["hero"]

    assert on_disk(places).take(1).status is Status.RENDERING
    assert on_disk(places).take(1).last.task_id == "task_9"
    assert list(places.rescue.iterdir()) == []


def test_an_answer_that_comes_after_the_lock_was_given_up_overwrites_nothing_and_is_merged_later(
    places: Places, store: Store
) -> None:
    store.record("hero", 1, Event.UNKNOWN)
    store.keep_reserve()
    store.close()
    other = open_store(places)  # of a process that has the lock now
    other.save(other.shots["hero"].with_take(take(number=2)))

    with pytest.raises(NotRecorded):
        store.record_paid("hero", 1, Event.ACCEPTED, task_id="task_9")

    assert [one.number for one in on_disk(places).takes] == [1, 2]
    later = open_store(places)
    assert later.merge_rescued() == ["hero"]
    assert later.shots["hero"].take(1).last.task_id == "task_9"
    assert places.reserve.exists()


def test_a_rescued_answer_is_merged_also_after_the_take_was_put_in_doubt(places: Places, store: Store) -> None:
    lose(places, store)
    store.record("hero", 1, Event.UNKNOWN, reason="crash")

    assert open_store(places).merge_rescued() == ["hero"]
    assert on_disk(places).take(1).last.task_id == "task_9"


@pytest.mark.parametrize("event", [Event.ACCEPTED, Event.REFUSED, Event.UNKNOWN], ids=lambda event: event.name)
def test_a_rescued_record_that_was_merged_before_the_power_went_is_merged_once(
    places: Places, store: Store, event: Event
) -> None:
    lose(places, store, event, **({"task_id": "task_9"} if event is Event.ACCEPTED else {"reason": "x"}))
    [rescued] = places.rescue.iterdir()
    copy = rescued.read_bytes()
    assert open_store(places).merge_rescued() == ["hero"]
    after = on_disk(places)

    rescued.write_bytes(copy)  # the file is still there: its removal was lost

    assert open_store(places).merge_rescued() == []
    assert on_disk(places) == after
    assert list(places.rescue.iterdir()) == []


def test_a_rescued_answer_of_an_older_attempt_changes_nothing(places: Places, store: Store) -> None:
    lose(places, store)
    store.record("hero", 1, Event.REFUSED, scope="throttle")
    refused = store.shots["hero"].take(1)
    second = replace(refused.last, number=2, status=Status.SUBMITTING)
    store.save(store.shots["hero"].with_take(replace(refused, attempts=(*refused.attempts, second))))

    again = open_store(places)

    assert again.merge_rescued() == []
    assert again.shots["hero"].take(1).status is Status.SUBMITTING


def test_a_rescued_answer_stays_while_its_state_file_cannot_be_written(places: Places, store: Store) -> None:
    lose(places, store)
    again = open_store(places)
    break_disk(places)

    with pytest.raises(NotRecorded):
        again.merge_rescued()

    mend_disk(places)
    assert open_store(places).merge_rescued() == ["hero"]


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'{"shot": "nobody", "take": 1}', b'{"shot": ["hero"]}', b"[" * 100_000],
    ids=lambda text: text[:20].decode(),
)
def test_a_rescue_file_that_says_nothing_usable_is_kept_and_stops_nothing(
    places: Places, store: Store, text: bytes
) -> None:
    places.rescue.mkdir()
    (places.rescue / "hero.0.json").write_bytes(text)

    assert store.merge_rescued() == []
    assert (places.rescue / "hero.0.json").read_bytes() == text


def test_a_rescue_goes_beside_the_videos_when_the_ledger_takes_nothing(places: Places, store: Store) -> None:
    places.output.mkdir(parents=True)
    places.rescue.write_text("in the way")
    lose(places, store)
    [rescued] = places.output.glob(".rescue-*.json")

    places.rescue.unlink()
    assert open_store(places).merge_rescued() == ["hero"]
    assert not rescued.exists()


NOWHERE = """
import errno, sys
from pathlib import Path
from veopipe import crashpoints
from veopipe.ledger.paths import Places
from veopipe.takes.status import Event
from veopipe.ledger.store import NotRecorded, open_store

def full(step, subject):
    if step in {"open", "mkdir", "write", "fsync"}:
        raise OSError(errno.ENOSPC, "No space left on device")

store = open_store(Places(Path(sys.argv[1]), ".veopipe", "renders"))
crashpoints.listen(full)
if len(sys.argv) > 2:
    import os; os.close(2)
try:
    store.record_paid("hero", 1, Event.ACCEPTED, task_id="task_9")
except NotRecorded as error:
    print(error)
"""


def test_with_a_full_disk_everywhere_the_answer_goes_to_stderr(places: Places, store: Store) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOWHERE, str(places.manifest)], capture_output=True, text=True, timeout=60
    )

    marker, _, record = done.stderr.strip().partition(" ")
    assert marker == "VEOPIPE-RESCUE"
    assert json.loads(record)["task_id"] == "task_9"
    assert "No space left on device" in done.stdout

    places.rescue.mkdir()  # a person pastes the line
    (places.rescue / "pasted.json").write_text(record)
    assert open_store(places).merge_rescued() == ["hero"]


def test_a_closed_stderr_hides_no_disk_failure(places: Places, store: Store) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOWHERE, str(places.manifest), "closed"], capture_output=True, text=True, timeout=60
    )

    assert "No space left on device" in done.stdout
    assert done.returncode == 0


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
    store.save(ShotState("other", (take(),)))
    path = places.state / "hero.json"
    path.write_bytes(path.read_bytes()[:-20])

    found = open_store(places)

    assert list(found.shots) == ["other"]
    assert found.unreadable["hero"].startswith("it isn't JSON")


def test_what_cannot_be_read_holds_its_shot(places: Places, store: Store) -> None:
    (places.state / "folder.json").mkdir()
    (places.state / "loop.json").symlink_to("loop.json")
    (places.state / "empty.json").write_bytes(b"")
    (places.state / "large.json").write_bytes(b" " * (record.LARGEST + 1))

    found = open_store(places)

    assert list(found.shots) == ["hero"]
    assert set(found.unreadable) == {"folder", "loop", "empty", "large"}
    assert all(found.unreadable.values())


def test_a_damaged_texts_words_are_safe_to_print(places: Places, store: Store) -> None:
    path = places.state / "hero.json"
    path.write_text(path.read_text().replace('"submitting"', '"\\u001b[2J' + "x" * 10_000 + '"'))

    assert "\x1b" not in open_store(places).unreadable["hero"]
    assert len(open_store(places).unreadable["hero"]) < 400


def test_leftovers_of_a_crash_are_no_state(places: Places, store: Store) -> None:
    (places.state / ".new-0123456789ab").write_text("half")

    assert list(open_store(places).shots) == ["hero"]
