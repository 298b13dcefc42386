"""The event log explains a night and never stops one."""

from __future__ import annotations

import json
from pathlib import Path

from veopipe.run.events import Journal, Note


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_what_happens_is_told_and_written_one_line_each(tmp_path: Path) -> None:
    told: list[Note] = []
    journal = Journal(told.append)
    journal.open(tmp_path / "runs/r1.jsonl")
    journal.note("rendering", "hero", 1, "accepted \ud800", task_id="task_1", price=None)
    journal.note("stopped", message="the deadline is over")
    journal.close()

    written = lines(tmp_path / "runs/r1.jsonl")
    assert [note.event for note in told] == ["rendering", "stopped"]
    assert [line["event"] for line in written] == ["rendering", "stopped"]
    assert written[0]["task_id"] == "task_1"
    assert "price" not in written[0]


def test_polls_are_told_and_not_written(tmp_path: Path) -> None:
    told: list[Note] = []
    journal = Journal(told.append)
    journal.open(tmp_path / "r1.jsonl")
    journal.note("polled", "hero", 1)
    journal.close()

    assert [note.event for note in told] == ["polled"]
    assert lines(tmp_path / "r1.jsonl") == []


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    told: list[Note] = []
    journal = Journal(told.append)
    journal.open(tmp_path / "runs/r1.jsonl")
    journal.note("rendering")
    journal.close()

    assert len(told) == 1


def test_an_existing_log_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "r1.jsonl").write_text("older\n")
    journal = Journal(lambda note: None)
    journal.open(tmp_path / "r1.jsonl")
    journal.note("rendering")
    journal.close()

    assert (tmp_path / "r1.jsonl").read_text() == "older\n"


def test_a_late_answer_after_the_end_is_still_told(tmp_path: Path) -> None:
    told: list[Note] = []
    journal = Journal(told.append)
    journal.open(tmp_path / "r1.jsonl")
    journal.close()
    journal.note("rendering", "hero", 1)
    journal.close()

    assert [note.event for note in told] == ["rendering"]
