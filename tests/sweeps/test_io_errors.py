"""A disk that fails at every operation, once or for good: nothing is sent unrecorded, no paid answer is lost.

ENOSPC, EIO, EROFS and EACCES at each operation in turn (SQLite's loop), writes that the kernel cuts short, and
a file system that is really full. Per push each point meets one of the errors, each second one for good;
`VEOPIPE_LONG=1`: all of them.
"""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.disks import Point
from tests.harness.failing import failed_well, recovers, where
from tests.harness.figures import LONG, Figures
from tests.harness.points import ON_DISK
from tests.harness.sweeping import Make, gateway_of, google, picture, points_of, text
from tests.harness.trials import Count, Trial, Yard, complaints_of, figures_of, gateway, judge, look
from veopipe.ledger.rescue import RESERVE

if TYPE_CHECKING:
    from tests.harness.film import Film

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 1200)]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
PAGE = 4096
ROOM = 20
"""Bytes that the kernel takes before it refuses."""


def on_disk(points: list[Point]) -> list[Point]:
    return [point for point in points if point.kind in ON_DISK]


def sweep(yard: Yard, make: Make, trials: list[tuple[Point, str, int]]) -> list[Trial]:
    """Each trial: the point, how, and the error; then the same command with a good disk."""

    def one(trial: tuple[Point, str, int]) -> list[Trial]:
        point, how, number = trial
        with gateway_of(make) as simulator:
            film = make(yard, simulator)
            ended = yard.run(film, how, at=point.n, errno=number, room=ROOM)
            wrong = [*failed_well(film, ended, simulator, trial), *look(film)]
            wrong += recovers(yard, film, ended, simulator, trial)
        return [Trial(point, f"{how} {errno.errorcode[number]}", str(ended.code), wrong)]

    return yard.each(one, trials)


def chosen(points: list[Point], how: str, step: int) -> list[tuple[Point, str, int]]:
    """Every point that can fail with all errors or, per push, so many points apart, with one error in turn."""
    if LONG:
        return [(point, how, error) for point in on_disk(points) for error in ERRORS]
    return [(point, how, ERRORS[place % len(ERRORS)]) for place, point in enumerate(on_disk(points)[::step])]


@pytest.mark.parametrize(
    ("how", "make"), [("once", text), ("ever", text), ("once", google), *([("ever", google)] if LONG else [])]
)
@pytest.mark.shows("each operation fails, once and for ever; short writes; the rescue")
def test_at_whichever_operation_the_disk_fails_nothing_is_lost_and_nothing_is_paid_twice(
    yard: Yard, figures: Figures, how: str, make: Make
) -> None:
    step = 1 if LONG else 3 if make is google else 2 if how == "ever" else 1
    trials = sweep(yard, make, chosen(points_of(yard, make), how, step))
    figures(**figures_of(trials))
    assert not complaints_of(trials), complaints_of(trials)
    assert len(trials) > 60 // step
    assert {trial.status for trial in trials} == ({"0", "6"} if how == "once" else {"6"})


@pytest.mark.shows("each operation fails, once and for ever; short writes; the rescue")
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
    subprocess.run(["umount", "--recursive", str(folder)], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


@pytest.mark.shows("each operation fails, once and for ever; short writes; the rescue")
def test_on_a_disk_that_is_really_full_it_stops_in_time_and_goes_on_when_there_is_room(
    yard: Yard, small_disk: Path, figures: Figures
) -> None:
    """From no room at all to room for all records: each file of the ledger in turn meets the end of its disk.

    The videos have a disk of their own: without room for them nothing would be sent.
    """
    sent = []
    reserve = RESERVE // PAGE
    for pages in (*range(1, 9), *range(reserve - 2, reserve + 9)):
        resize(small_disk, "1m")
        with gateway() as simulator:
            film = yard.at(text(yard, simulator), small_disk / f"film-{pages}")
            yard_copy(text(yard, simulator), film)
            videos = film.folder / "renders"
            videos.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(videos)], check=True)
            used = int(subprocess.check_output(["du", "-k", "-s", "-x", str(small_disk)]).split()[0])
            resize(small_disk, f"{used + pages * PAGE // 1024}k")
            ended = yard.run(film)
            wrong = ended.blemishes()
            posted = Count.of(simulator).posted
            if simulator.charged and not where(film, ended, simulator.charged[0]["task_id"]):
                wrong.append("the task id of a paid create is nowhere")
            sent.append((ended.code, posted))
            resize(small_disk, "200m")
            again = yard.run(film)
            wrong += judge(film, again, Count.of(simulator), doubt_is_fair=False)
            subprocess.run(["umount", str(videos)], check=True)
            assert not wrong, (pages, wrong)
            subprocess.run(["rm", "-r", str(film.folder)], check=True)
    figures(points=len(sent), faults=len(sent), paid_twice=sum(posted > 1 for _, posted in sent), lost=0)
    assert {(6, 0), (6, 1), (0, 1)} == set(sent)  # before the gate, after it, and with room for all


def yard_copy(source: Film, target: Film) -> None:
    """The list and the pipeline only."""
    target.folder.mkdir()
    for path in source.folder.iterdir():
        (target.folder / path.name).write_bytes(path.read_bytes())


@pytest.mark.shows("each operation fails, once and for ever; short writes; the rescue")
def test_a_paid_answer_that_finds_no_room_takes_the_reserve_s_place(yard: Yard) -> None:
    with gateway() as simulator:
        film = text(yard, simulator)
        ended = yard.run(film, "once", at=["record", "open"], errno=errno.ENOSPC)
        rescue = film.folder / ".veopipe/shots/rescue"
        assert (ended.code, simulator.charged[0]["task_id"]) == (
            6,
            film.state("shot")["takes"][0]["attempts"][0]["task_id"],
        )
        assert not list(rescue.iterdir())
        assert yard.run(film).status() == "verified"
        film.list({"shot": "a cat", "other": "a dog"})
        assert yard.run(film).code == 0
        assert (rescue / "reserve").stat().st_size == RESERVE
        assert len(simulator.charged) == 2


def test_a_ledger_that_a_power_cut_left_as_zeros_is_said_to_be_no_json(yard: Yard) -> None:
    with gateway() as simulator:
        film = text(yard, simulator)
        assert yard.run(film).code == 0
        ledger = film.folder / ".veopipe/shots/ledger.json"
        ledger.write_bytes(bytes(ledger.stat().st_size))
        ended = yard.run(film)
        assert ended.code == 6
        assert "ledger.json can't be read: Expecting value: line 1" in ended.document["error"]
        assert len(simulator.charged) == 1
