"""A paid answer that can't be recorded in its place is never lost silently."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.builders import attempt, take
from tests.ledger.conftest import break_disk, mend_disk, on_disk
from veopipe.ledger import rescue
from veopipe.ledger.paths import Places
from veopipe.ledger.store import NotRecorded, Store, open_store
from veopipe.takes.status import Event, Status


def lose(places: Places, store: Store, event: Event = Event.ACCEPTED, **facts: Any) -> None:
    """A paid answer that can't be recorded in its place."""
    break_disk(places)
    with pytest.raises(NotRecorded):
        rescue.record_paid(store, "hero", 1, event, **(facts or {"task_id": "task_9", "created_at": 1779283975}))
    mend_disk(places)


def test_a_paid_answer_that_cannot_be_written_is_rescued_and_merged_at_the_next_start(
    places: Places, store: Store
) -> None:
    lose(places, store)
    [rescued] = places.rescue.iterdir()
    assert json.loads(rescued.read_bytes())["task_id"] == "task_9"

    again = open_store(places)
    assert again.shots["hero"].take(1).status is Status.SUBMITTING
    assert rescue.merge(again) == ["hero"]

    assert on_disk(places).take(1).status is Status.RENDERING
    assert on_disk(places).take(1).last.task_id == "task_9"
    assert list(places.rescue.iterdir()) == []


def test_an_answer_that_comes_after_the_lock_was_given_up_overwrites_nothing_and_is_merged_later(
    places: Places, store: Store
) -> None:
    store.record("hero", 1, Event.UNKNOWN)
    rescue.keep_reserve(places)
    store.close()
    other = open_store(places)  # of a process that has the lock now
    other.save(other.shots["hero"].with_take(take(attempt(Status.SUBMITTING), number=2)))

    with pytest.raises(NotRecorded):
        rescue.record_paid(store, "hero", 1, Event.ACCEPTED, task_id="task_9")

    assert [one.number for one in on_disk(places).takes] == [1, 2]
    later = open_store(places)
    assert rescue.merge(later) == ["hero"]
    assert later.shots["hero"].take(1).last.task_id == "task_9"
    assert places.reserve.exists()


def test_a_rescued_answer_is_merged_also_after_the_take_was_put_in_doubt(places: Places, store: Store) -> None:
    lose(places, store)
    store.record("hero", 1, Event.UNKNOWN, reason="crash")

    assert rescue.merge(open_store(places)) == ["hero"]
    assert on_disk(places).take(1).last.task_id == "task_9"


@pytest.mark.parametrize("event", [Event.ACCEPTED, Event.REFUSED, Event.UNKNOWN], ids=lambda event: event.name)
def test_a_rescued_record_that_was_merged_before_the_power_went_is_merged_once(
    places: Places, store: Store, event: Event
) -> None:
    lose(places, store, event, **({"task_id": "task_9"} if event is Event.ACCEPTED else {"reason": "x"}))
    [rescued] = places.rescue.iterdir()
    copy = rescued.read_bytes()
    assert rescue.merge(open_store(places)) == ["hero"]
    after = on_disk(places)

    rescued.write_bytes(copy)  # the file is still there: its removal was lost

    assert rescue.merge(open_store(places)) == []
    assert on_disk(places) == after
    assert list(places.rescue.iterdir()) == []


def test_a_rescued_answer_of_an_older_attempt_changes_nothing(places: Places, store: Store) -> None:
    lose(places, store)
    store.record("hero", 1, Event.REFUSED, scope="throttle")
    refused = store.shots["hero"].take(1)
    second = replace(refused.last, number=2, status=Status.SUBMITTING)
    store.save(store.shots["hero"].with_take(replace(refused, attempts=(*refused.attempts, second))))

    again = open_store(places)

    assert rescue.merge(again) == []
    assert again.shots["hero"].take(1).status is Status.SUBMITTING


def test_a_rescued_answer_stays_while_its_state_file_cannot_be_written(places: Places, store: Store) -> None:
    lose(places, store)
    again = open_store(places)
    break_disk(places)

    with pytest.raises(NotRecorded):
        rescue.merge(again)

    mend_disk(places)
    assert rescue.merge(open_store(places)) == ["hero"]


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

    assert rescue.merge(store) == []
    assert (places.rescue / "hero.0.json").read_bytes() == text


def test_a_rescue_goes_beside_the_videos_when_the_ledger_takes_nothing(places: Places, store: Store) -> None:
    places.output.mkdir(parents=True)
    places.rescue.write_text("in the way")
    lose(places, store)
    [rescued] = places.output.glob(".rescue-*.json")

    places.rescue.unlink()
    assert rescue.merge(open_store(places)) == ["hero"]
    assert not rescued.exists()


@pytest.fixture
def in_a_bucket(places: Places, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The same ledger, of a list whose output is a bucket; the system keeps temporary things in `tmp_path/tmp`."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    places.rescue.write_text("in the way")
    return replace(store, places=replace(places, output_base="s3://bucket/film"))


def test_with_a_bucket_it_goes_where_the_system_keeps_such_things(in_a_bucket: Store, tmp_path: Path) -> None:
    lose(in_a_bucket.places, in_a_bucket)
    [rescued] = (tmp_path / "tmp").glob("veopipe-*/.rescue-*.json")

    assert rescued.parent.stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.glob("s3:*"))
    assert rescue.merge(open_store(in_a_bucket.places)) == ["hero"]
    assert not rescued.exists()


@pytest.mark.parametrize("kind", ["open to all", "link"])
def test_what_somebody_else_may_have_put_there_is_not_believed(
    in_a_bucket: Store, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lose(in_a_bucket.places, in_a_bucket)
    [rescued] = (tmp_path / "tmp").glob("veopipe-*/.rescue-*.json")
    folder = rescued.parent
    if kind == "open to all":
        folder.chmod(0o777)
    else:
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")

    assert rescue.merge(open_store(in_a_bucket.places)) == []
    lose(in_a_bucket.places, in_a_bucket)
    assert "VEOPIPE-RESCUE" in capfd.readouterr().err


NOWHERE = """
import errno, sys
from dataclasses import replace
from pathlib import Path
from veopipe import crashpoints
from veopipe.ledger import rescue
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
    rescue.record_paid(store, "hero", 1, Event.ACCEPTED, task_id="task_9")
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
    assert rescue.merge(open_store(places)) == ["hero"]


def test_a_closed_stderr_hides_no_disk_failure(places: Places, store: Store) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOWHERE, str(places.manifest), "closed"], capture_output=True, text=True, timeout=60
    )

    assert "No space left on device" in done.stdout
    assert done.returncode == 0


CROWDED = """
import os, resource, sys, threading
from pathlib import Path
from veopipe.ledger import rescue
from veopipe.ledger.paths import Places
from veopipe.takes.status import Event
from veopipe.ledger.store import open_store

store = open_store(Places(Path(sys.argv[1]), ".veopipe", "renders"))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
open_ones = []
try:
    while True:
        open_ones.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
threading.Timer(0.5, lambda: list(map(os.close, open_ones))).start()
rescue.record_paid(store, "hero", 1, Event.ACCEPTED, task_id="task_9")
"""


def test_an_answer_waits_for_a_file_where_too_many_are_open(places: Places, store: Store) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROWDED, str(places.manifest)], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert on_disk(places).takes[0].last.task_id == "task_9"
    assert not places.rescue.exists()
