"""How much room a disk has."""

from __future__ import annotations

import shutil
from pathlib import Path

from veopipe.delivery import room


def test_a_folder_that_is_still_to_be_made_has_the_room_of_the_one_above(tmp_path: Path) -> None:
    here = shutil.disk_usage(tmp_path).free
    there = room.free(tmp_path / "renders" / "shots")

    assert there is not None
    assert abs(there - here) < 1 << 30  # others write meanwhile


def test_what_no_disk_has_lacks_room_and_says_how_much(tmp_path: Path) -> None:
    assert room.lack(tmp_path, 0) is None
    said = room.lack(tmp_path, 1 << 60)

    assert said is not None
    assert said.endswith(f" MiB free in {tmp_path}, 1,099,511,627,840 MiB needed")


def test_a_file_in_the_place_of_a_folder_has_the_room_of_its_disk_or_none_is_known(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    assert room.lack(tmp_path / "file" / "below", 0) is None
