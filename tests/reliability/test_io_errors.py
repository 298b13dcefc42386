"""A disk that fails at every operation, once or for good: nothing is sent unrecorded, no paid answer is lost.

ENOSPC, EIO, EROFS and EACCES at each operation in turn (SQLite's loop), writes that the kernel cuts short, and
a file system that is really full. Per push each point meets some of the errors; `VEOPIPE_LONG=1`: all.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from crashchild import ON_DISK
from crashdisk import Point
from crashsweep import picture, points_of, text
from crashtrial import LONG, Count, Ended, Nursery, Trial, Yard, complaints_of, figures_of, gateway, judge, look
from figures import Figures

from veopipe.ledger.store import RESERVE

if TYPE_CHECKING:
    from tests.conftest import Film
    from veopipe.simulator.server import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 1200)]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
PAGE = 4096
ROOM = 20
"""Bytes that the kernel takes before it refuses."""


@pytest.fixture
def yard(film: Film, tmp_path: Path) -> Iterator[Yard]:
    made = Yard(film, tmp_path / "yard")
    yield made
    made.close()


def on_disk(points: list[Point]) -> list[Point]:
    return [point for point in points if point.kind in ON_DISK]


def sweep(yard: Yard, make: object, trials: list[tuple[Point, str, int]]) -> list[Trial]:
    """Each trial: the point, how, and the error; then the same command with a good disk."""

    def one(nursery: Nursery, trial: tuple[Point, str, int]) -> list[Trial]:
        point, how, number = trial
        with gateway() as simulator:
            film = make(yard, simulator)  # type: ignore[operator]
            ended = nursery.run(film, how, at=point.n, errno=number, room=ROOM)
            wrong = [*failed_well(film, ended, simulator, trial), *look(film)]
            wrong += recovers(nursery, film, ended, simulator, point)
        return [Trial(point, f"{how} {errno.errorcode[number]}", str(ended.code), wrong)]

    return yard.each(one, trials)


def failed_well(film: Film, ended: Ended, simulator: Simulator, trial: tuple[Point, str, int]) -> list[str]:
    """What is wrong with a run whose disk failed."""
    point, how, number = trial
    wrong, count = ended.blemishes(), Count.of(simulator)
    body = next((seen.n for seen in ended.points if seen.kind == "body"), None)
    if ended.code not in {0, 6} or (ended.code == 0 and how == "ever"):
        wrong.append(f"exit {ended.code}: {ended.out} {ended.err}")
    if ended.code and (body is None or point.n < body) and count.posted:
        wrong.append("something was sent, though the intent wasn't on disk")
    if ended.code == 0 and (ended.status() != "verified" or not harmless(point, number)):
        wrong.append(f"ended well, though {point} failed")
    said = (errno.EFBIG if how == "short" else number), ended.out + ended.err
    if ended.code == 6 and os.strerror(said[0]) not in said[1]:
        wrong.append(f"it doesn't say what was wrong: {said[1]}")
    if count.paid and not where(film, ended, simulator.charged[0]["task_id"]):
        wrong.append("the task id of a paid create is nowhere")
    return wrong


def harmless(point: Point, number: int) -> bool:
    """What a run may do without: the lock's text for people, the event log, modes, the removal of temporary names.

    Links, too, where they aren't permitted: that is how a disk says that it has none.
    """
    courtesy = point.kind == "chmod" or (point.kind == "link" and number == errno.EACCES)
    once_more = point.kind == "mkdir" and point.subject == ".veopipe/shots"  # the lock's library makes sure
    return courtesy or point.kind == "remove" or "/lock" in point.subject or "/runs" in point.subject or once_more


def where(film: Film, ended: Ended, task: str) -> str:
    """Where the task id of a paid create stands: on disk, on stderr, or nowhere."""
    kept = film.folder.glob(".veopipe/shots/state/*.json"), film.folder.glob(".veopipe/shots/rescue/*.json")
    beside = film.folder.glob("renders/shots/.rescue-*.json")
    if any(task in path.read_text("utf-8") for found in (*kept, beside) for path in found):
        return "disk"
    rescued = [line for line in ended.err.splitlines() if line.startswith("VEOPIPE-RESCUE ")]
    return "stderr" if any(task in line for line in rescued) else ""


def recovers(nursery: Nursery, film: Film, ended: Ended, simulator: Simulator, point: Point) -> list[str]:
    """What is wrong with the same command on a good disk, and with a line from stderr put where it says."""
    only_said = bool(simulator.charged) and where(film, ended, simulator.charged[0]["task_id"]) == "stderr"
    body = next((seen.n for seen in ended.points if seen.kind == "body"), None)
    # The folder's fsync failed after the rename: the intent may be on disk, and nobody can take it back.
    intent_stays = body is None and point.is_state and point.kind == "fsync-folder"
    again = nursery.run(film)
    wrong = judge(film, again, Count.of(simulator), doubt_is_fair=only_said or intent_stays)
    if only_said:
        line = next(line for line in ended.err.splitlines() if line.startswith("VEOPIPE-RESCUE "))
        rescue = film.folder / ".veopipe/shots/rescue"
        rescue.mkdir(exist_ok=True)
        (rescue / "from-stderr.json").write_text(line.removeprefix("VEOPIPE-RESCUE "), "utf-8")
        last = nursery.run(film)
        wrong += judge(film, last, Count.of(simulator), doubt_is_fair=False)
    return wrong


def chosen(points: list[Point], how: str) -> list[tuple[Point, str, int]]:
    """Every point that can fail, with all errors or, per push, with one of them in turn."""
    turn = 0 if how == "once" else 2
    return [
        (point, how, error)
        for place, point in enumerate(on_disk(points))
        for error in (ERRORS if LONG else (ERRORS[(place + turn) % len(ERRORS)],))
    ]


@pytest.mark.parametrize("how", ["once", "ever"])
def test_at_whichever_operation_the_disk_fails_nothing_is_lost_and_nothing_is_paid_twice(
    yard: Yard, figures: Figures, how: str
) -> None:
    trials = sweep(yard, text, chosen(points_of(yard, text), how))
    figures(**figures_of(trials))
    assert not complaints_of(trials), complaints_of(trials)
    assert len(trials) > 60
    assert {trial.status for trial in trials} == ({"0", "6"} if how == "once" else {"6"})


def test_writes_that_the_kernel_cuts_short_are_not_taken_for_whole(yard: Yard, figures: Figures) -> None:
    writes = [point for point in points_of(yard, picture) if point.kind == "write"]
    trials = sweep(yard, picture, [(point, "short", errno.EFBIG) for point in writes])
    figures(**figures_of(trials))
    assert not complaints_of(trials), complaints_of(trials)
    assert len(trials) >= 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory, that a test can make smaller and larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def test_on_a_disk_that_is_really_full_it_stops_in_time_and_goes_on_when_there_is_room(
    yard: Yard, small_disk: Path, figures: Figures
) -> None:
    """From no room at all to room for everything but the video: each file in turn meets the end of the disk."""
    sent = []
    reserve = RESERVE // PAGE
    for pages in (*range(1, 9), *range(reserve + 5, reserve + 16)):
        resize(small_disk, "1m")
        with gateway() as simulator, yard.nursery() as nursery:
            film = yard.at(text(yard, simulator), small_disk / f"film-{pages}")
            yard_copy(text(yard, simulator), film)
            used = int(subprocess.check_output(["du", "-k", "-s", str(small_disk)]).split()[0])
            resize(small_disk, f"{used + pages * PAGE // 1024}k")
            ended = nursery.run(film)
            wrong = ended.blemishes()
            posted = Count.of(simulator).posted
            if simulator.charged and not where(film, ended, simulator.charged[0]["task_id"]):
                wrong.append("the task id of a paid create is nowhere")
            assert ended.code == 6, (pages, ended)
            sent.append(posted)
            resize(small_disk, "200m")
            again = nursery.run(film)
            wrong += judge(film, again, Count.of(simulator), doubt_is_fair=False)
            assert not wrong, (pages, wrong)
            subprocess.run(["rm", "-r", str(film.folder)], check=True)
    figures(points=len(sent), faults=len(sent), paid_twice=sum(posted > 1 for posted in sent), lost=0)
    assert {0, 1} == set(sent)  # some stopped before the gate, some after


def yard_copy(source: Film, target: Film) -> None:
    """The list and the pipeline only."""
    target.folder.mkdir()
    for path in source.folder.iterdir():
        (target.folder / path.name).write_bytes(path.read_bytes())


def test_a_paid_answer_that_finds_no_room_takes_the_reserve_s_place(yard: Yard) -> None:
    with gateway() as simulator, yard.nursery() as nursery:
        film = text(yard, simulator)
        ended = nursery.run(film, "once", at=["record", "open"], errno=errno.ENOSPC)
        rescue = film.folder / ".veopipe/shots/rescue"
        assert (ended.code, simulator.charged[0]["task_id"]) == (
            6,
            film.state("shot")["takes"][0]["attempts"][0]["task_id"],
        )
        assert not list(rescue.iterdir())
        assert nursery.run(film).status() == "verified"
        film.list({"shot": "a cat", "other": "a dog"})
        assert nursery.run(film).code == 0
        assert (rescue / "reserve").stat().st_size == RESERVE
        assert len(simulator.charged) == 2


def test_a_ledger_that_a_power_cut_left_as_zeros_is_said_to_be_no_json(yard: Yard) -> None:
    with gateway() as simulator, yard.nursery() as nursery:
        film = text(yard, simulator)
        assert nursery.run(film).code == 0
        ledger = film.folder / ".veopipe/shots/ledger.json"
        ledger.write_bytes(bytes(ledger.stat().st_size))
        ended = nursery.run(film)
        assert ended.code == 6
        assert "ledger.json can't be read: Expecting value: line 1" in ended.document["error"]
        assert len(simulator.charged) == 1
