"""State files that grew apart: what both sides recorded is kept, and what can't both be true is left to a person."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from veopipe.ledger import record
from veopipe.merging import Apart, merged
from veopipe.takes.order import Order
from veopipe.takes.status import CHARGED, Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take

NOW = "2026-11-22T06:00:00Z"
ORDER = Order("veo-3.1-fast-generate-preview", "A lighthouse", 8, "720p", "16:9", None, None, (), 1)
DELIVERED = {Status.DOWNLOADED, Status.MISMATCHED, Status.VERIFIED}


def attempt(status: Status, number: int = 1, **more: Any) -> Attempt:
    more.setdefault("task_id", f"task_{number}" if status in CHARGED else None)
    return Attempt(number, "20261122T060000Z", status, "https://api.laozhang.ai:443", Decimal("0.3"), NOW, **more)


def take(*attempts: Attempt, number: int = 1, sha256: str = "b" * 64) -> Take:
    order = replace(ORDER, take=number)
    has_file = attempts[-1].status in DELIVERED
    file = Delivered("renders", f"hero.{number:03d}.mp4", sha256, 1234) if has_file else None
    return Take(number, order.fingerprint(), order, attempts, file)


def shot(*all_takes: Take) -> ShotState:
    return ShotState("hero", all_takes)


DOUBT, RENDERING = take(attempt(Status.IN_DOUBT)), take(attempt(Status.RENDERING))
VERIFIED, REFUSED = take(attempt(Status.VERIFIED)), take(attempt(Status.REFUSED))
SUBMITTING, PARKED = take(attempt(Status.SUBMITTING)), take(attempt(Status.PARKED))
ABANDONED = take(attempt(Status.ABANDONED, task_id="task_1"))
SECOND, SECOND_DONE = take(attempt(Status.PARKED), number=2), take(attempt(Status.VERIFIED), number=2)
LATER = replace(VERIFIED, attempts=(replace(VERIFIED.last, submitted_at="2026-11-22T07:00:00Z"),))
ANOTHERS = replace(VERIFIED, order=replace(ORDER, prompt="A pier"), fingerprint="e" * 64)
AGAIN = take(attempt(Status.REFUSED), attempt(Status.VERIFIED, 2))

KEPT = {
    "the night left alone what a person resolved": ([DOUBT], [DOUBT], [RENDERING], [RENDERING]),
    "one take each": ([DOUBT, SECOND], [DOUBT, SECOND_DONE], [RENDERING, SECOND], [RENDERING, SECOND_DONE]),
    "a new take beside a resolved one": ([DOUBT], [DOUBT, SECOND], [REFUSED], [REFUSED, SECOND]),
    "the night found that it died, a person found the task": ([SUBMITTING], [DOUBT], [RENDERING], [RENDERING]),
    "a person found no charge, and bought it": ([SUBMITTING], [DOUBT], [AGAIN], [AGAIN]),
    "a person wrote off what the night asked for again": ([PARKED], [RENDERING], [ABANDONED], [ABANDONED]),
    "the same file on both sides": ([RENDERING], [VERIFIED], [VERIFIED], [VERIFIED]),
    "half the way, and all of it": ([PARKED], [RENDERING], [VERIFIED], [VERIFIED]),
    "the same new file": (None, [VERIFIED], [VERIFIED], [VERIFIED]),
    "a measured file judged again": (
        [RENDERING],
        [take(attempt(Status.MISMATCHED))],
        [VERIFIED],
        [VERIFIED],
    ),
}


@pytest.mark.parametrize(("base", "ours", "theirs", "want"), KEPT.values(), ids=KEPT.keys())
def test_what_both_sides_recorded_is_kept(base: Any, ours: Any, theirs: Any, want: Any) -> None:
    common = shot(*base) if base else None
    assert merged(common, shot(*ours), shot(*theirs)) == shot(*want)
    assert merged(common, shot(*theirs), shot(*ours)) == shot(*want)


def test_what_one_side_was_told_of_a_call_is_kept_beside_what_became_of_it() -> None:
    told = take(attempt(Status.PARKED, charged_usd=Decimal("0.28"), content_url="/v1beta/files/a:download"))
    for ours, theirs in [(told, VERIFIED), (VERIFIED, told)]:
        found = merged(shot(RENDERING), shot(ours), shot(theirs)).takes[0]
        assert (found.status, found.last.charged_usd) == (Status.VERIFIED, Decimal("0.28"))
        assert found.last.content_url == "/v1beta/files/a:download"


APART = {
    "two dialects of one call": ([DOUBT], [RENDERING], [take(attempt(Status.RENDERING, dialect="interactions"))]),
    "two calls for one take": (None, [VERIFIED], [LATER]),
    "two tasks for one call": ([DOUBT], [RENDERING], [take(attempt(Status.RENDERING, task_id="task_9"))]),
    "refused by a person, accepted late": ([DOUBT], [RENDERING], [REFUSED]),
    "not charged and sent again, accepted late": ([DOUBT], [RENDERING], [AGAIN]),
    "delivered here, written off there": ([PARKED], [VERIFIED], [ABANDONED]),
    "ids exchanged here, another text there": ([VERIFIED], [VERIFIED, SECOND], [ANOTHERS]),
    "ids exchanged here, nothing but a look there": ([RENDERING], [VERIFIED], [ANOTHERS, SECOND]),
    "two files": ([RENDERING], [VERIFIED], [take(attempt(Status.VERIFIED), sha256="c" * 64)]),
    "two new takes": ([VERIFIED], [VERIFIED, SECOND], [VERIFIED, replace(SECOND, fingerprint="d" * 64)]),
    "two further attempts": (
        [take(attempt(Status.FAILED))],
        [take(attempt(Status.FAILED), attempt(Status.RENDERING, 2))],
        [take(attempt(Status.FAILED), attempt(Status.RENDERING, 2, task_id="task_9"))],
    ),
    "a take that is gone": ([DOUBT, SECOND], [DOUBT, SECOND_DONE], [RENDERING]),
}


@pytest.mark.parametrize(("base", "ours", "theirs"), APART.values(), ids=APART.keys())
def test_what_cannot_both_be_true_is_left_to_a_person(base: Any, ours: Any, theirs: Any) -> None:
    common = shot(*base) if base else None
    for one, two in [(ours, theirs), (theirs, ours)]:
        with pytest.raises(Apart):
            merged(common, shot(*one), shot(*two))


def drive(folder: Path, base: bytes, ours: bytes, theirs: bytes) -> tuple[int, bytes]:
    """As git calls it; the exit code and what is in the place of OURS."""
    for name, text in {"O": base, "A": ours, "B": theirs}.items():
        (folder / name).write_bytes(text)
    done = subprocess.run(
        [sys.executable, "-m", "veopipe.merging", "O", "A", "B"], cwd=folder, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    return done.returncode, (folder / "A").read_bytes()


@pytest.mark.parametrize("words", [(), ("O",), ("O", "A"), ("O", "A", "B", "C")])
def test_without_three_files_it_says_how_it_is_called(words: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "veopipe.merging", *words], cwd=tmp_path, capture_output=True, text=True
    )
    usage = "usage: python -m veopipe.merging BASE OURS THEIRS\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", usage)


def test_git_gets_the_merged_file_or_the_one_it_had(tmp_path: Path) -> None:
    base, ours, theirs, both = (
        record.dump(shot(*all_takes))
        for all_takes in (
            [DOUBT, SECOND],
            [DOUBT, SECOND_DONE],
            [RENDERING, SECOND],
            [RENDERING, SECOND_DONE],
        )
    )
    assert drive(tmp_path, base, ours, theirs) == (0, both)
    assert drive(tmp_path, b"", ours, ours) == (0, ours)
    bought, twice = record.dump(shot(VERIFIED)), record.dump(shot(LATER))
    assert drive(tmp_path, b"", bought, twice) == (1, bought)
    for damaged in (b"<<<<<<< HEAD\n", theirs[:-40], b"\xff"):
        assert drive(tmp_path, base, ours, damaged) == (1, ours)
