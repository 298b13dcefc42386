"""Nothing is bought that couldn't be stored: disks that are full, fill up, or may not be written any more."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_room_and_time import batch, downloads
from tests.harness.fork import Mishap
from veopipe.simulator.server import Options, Simulator, start

if TYPE_CHECKING:
    from tests.harness.film import Film, Result

ROOM = 32
"""MiB that the disk has for videos, beside the 64 MiB that stay for the ledger."""


def mounted(place: Path, *options: str) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", ",".join(options), "veopipe-test", str(place)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(film: Film) -> Iterator[Path]:
    """A file system of its own under `renders`."""
    place = film.folder / "renders"
    place.mkdir()
    if os.geteuid() != 0 or not mounted(place, f"size={64 + ROOM}m"):
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Leave so many bytes free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        usage = os.statvfs(disk)
        file.truncate(0)
        for _ in range((usage.f_bavail * usage.f_frsize - left) // 4096):
            file.write(bytes(4096))
    return filler


def ends_well(film: Film, gateway: Simulator, number: int) -> None:
    """The same command goes on, and each shot was bought once."""
    assert set(film.run("--base-url", gateway.base_url).statuses.values()) == {"verified"}
    assert len(gateway.charged) == number


@pytest.mark.shows("disk space before a create; a full disk")
def test_on_a_full_disk_nothing_is_bought(film: Film, gateway: Simulator, disk: Path) -> None:
    film.list(batch(6))
    film.pipeline(limits__in_flight=3)
    filler = fill(disk, left=(20 << 20) + (256 << 10))
    run = film.run()
    assert (run.code, set(run.statuses.values())) == (6, {"pending"})
    said = f"no room for more videos: 20 MiB free in {disk}/shots/takes, 66 MiB needed"
    assert run.document["notes"] == [f"{said}; free some and run again, what is paid is kept"]
    assert gateway.ledger == []
    filler.unlink()
    ends_well(film, gateway, 6)


def test_what_is_assumed_of_sizes_ends_no_run(film: Film, gateway: Simulator, disk: Path) -> None:
    """24 videos are taken for 3 MB each, and 10 of them would fit: the first ones are waited for, and are small."""
    film.list(batch(24))
    film.pipeline()
    run = film.run()
    assert "warning: renders has 101 MB free" in run.err
    assert (run.code, set(run.statuses.values())) == (0, {"verified"})
    assert len(gateway.charged) == 24


def test_videos_that_are_known_to_be_large_are_bought_as_far_as_they_fit(
    film: Film, gateway: Simulator, disk: Path
) -> None:
    film.list(batch(24))
    film.pipeline(limits__in_flight=4)
    assert film.run("--only", "S00").code == 0
    size = film.state("S00")["takes"][0]["file"]["bytes"]
    filler = fill(disk, left=(64 << 20) + 5 * size + size // 2)
    run = film.run()
    assert run.code == 6
    assert Counter(run.statuses.values())["verified"] == len(gateway.charged)
    assert 4 <= len(gateway.charged) <= 6  # folders and records of parts have some room, too
    assert set(run.statuses.values()) == {"verified", "pending"}
    filler.unlink()
    ends_well(film, gateway, 24)


def interrupted_by(film: Film, gateway: Simulator, number: int, happens: str) -> Result:
    """A run in which something happens to the disk once the first video is there."""
    film.list(batch(number))
    film.pipeline(limits__in_flight=2, limits__downloads=1)
    run = film.start(*film.arguments("--base-url", gateway.base_url, "--verbose"))
    run.until_it_says("verified")
    if happens == "full":
        fill(film.folder / "renders")
    else:
        words = ["mount", "-o", "remount,ro", str(film.folder / "renders")]
        while subprocess.run(words, capture_output=True, check=False).returncode != 0:
            assert run.process.poll() is None
    return run.result()


@pytest.mark.parametrize("happens", ["full", "read-only"])
@pytest.mark.shows("disk space before a create; a full disk")
def test_a_disk_that_takes_no_more_while_a_run_is_on_ends_creating_and_what_renders_is_waited_for(
    film: Film, disk: Path, happens: str
) -> None:
    with start(Options(task_time=0.3)) as gateway:
        run = interrupted_by(film, gateway, 30, happens)
        bought = len(gateway.charged)
        assert run.code == 6
        assert bought < 30
        statuses = Counter(run.statuses.values())
        assert statuses.keys() <= {"verified", "downloaded", "rendered", "pending"}
        assert statuses["pending"] == 30 - bought
        assert statuses["rendered"] <= 2
        asked = len(downloads(gateway))
        again = film.run("--base-url", gateway.base_url)  # nothing has changed
        assert (again.code, len(gateway.charged)) == (6, bought)
        assert len(downloads(gateway)) <= asked + 1
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        (disk / "filler").unlink(missing_ok=True)
        ends_well(film, gateway, 30)


@pytest.mark.parametrize("in_flight", [1, 4])
def test_after_a_download_that_finds_no_room_no_create_goes_and_no_download_begins(film: Film, in_flight: int) -> None:
    """Anywhere, without a disk of its own: every write to a part fails."""
    with start(Options(task_time=0.2)) as gateway:
        film.list(batch(30))
        film.pipeline(limits__in_flight=in_flight, limits__downloads=1)
        words = film.arguments("--base-url", gateway.base_url)
        run = film.start(*words, first=Mishap("full", 1, only=".part")).result()
        assert run.code == 6
        bought = len(gateway.charged)  # on a slow machine the first one is there before all places are taken
        assert 1 <= bought <= in_flight
        assert Counter(run.statuses.values()) == {"rendered": bought, "pending": 30 - bought}
        assert len(downloads(gateway)) == 1
        ends_well(film, gateway, 30)
