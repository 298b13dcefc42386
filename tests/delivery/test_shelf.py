"""Takes and finished names on a real disk: nothing paid is overwritten, and nothing of the user's."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from veopipe.delivery import shelf as delivery
from veopipe.delivery.shelf import FolderShelf
from veopipe.files import sha256_of_bytes
from veopipe.ledger.paths import Places
from veopipe.takes.order import Order
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take

ORDER = Order("veo", "A pier", 8, "720p", "16:9", None, None, (), 1)
ATTEMPT = Attempt(1, "r1", Status.VERIFIED, "https://x:443", Decimal("0.3"), "2026-11-22T06:00:00Z", task_id="task_1")


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    shelf = FolderShelf(Places(tmp_path / "shots.yaml", ".veopipe", "renders"))
    shelf.places.takes_of("renders").mkdir(parents=True)
    return shelf


def take(file: Delivered | None, number: int = 1) -> Take:
    return Take(number, "f" * 64, ORDER, (ATTEMPT,), file)


def downloaded(shelf: FolderShelf, content: bytes = b"video", number: int = 1) -> Take:
    """A take whose part is complete."""
    shelf.part("hero", number).write_bytes(content)
    return take(shelf.expected("hero", number, sha256_of_bytes(content), len(content)), number)


def delivered(shelf: FolderShelf, content: bytes = b"video", number: int = 1) -> Take:
    """A take that was measured and has its final name."""
    made = downloaded(shelf, content, number)
    assert made.file is not None
    return replace(made, file=shelf.put_away(shelf.part("hero", number), made, made.file))


def names(shelf: FolderShelf) -> list[str]:
    return sorted(path.name for path in shelf.places.takes_of("renders").iterdir())


def test_names_are_those_of_the_design(shelf: FolderShelf) -> None:
    root = shelf.places.manifest.parent
    file = shelf.expected("hero", 7, "b" * 64, 1)

    assert shelf.part("hero", 7) == root / "renders/shots/takes/.hero.007.part"
    assert shelf.path(file) == root / "renders/shots/takes/hero.007.mp4"
    assert shelf.shown(shelf.finished("hero")) == "renders/shots/hero.mp4"
    assert shelf.path(replace(file, output="renders/draft")) == root / "renders/draft/shots/takes/hero.007.mp4"


# --- takes -----------------------------------------------------------------------------------------


def test_a_take_gets_its_name_once_and_read_only(shelf: FolderShelf) -> None:
    made = delivered(shelf)

    assert names(shelf) == ["hero.001.mp4"]
    assert shelf.path(made.file).stat().st_mode & 0o777 == 0o444
    assert shelf.put_away(shelf.path(made.file), made, made.file) == made.file


def test_a_name_that_is_taken_is_left_to_what_has_it(shelf: FolderShelf) -> None:
    target = shelf.places.takes_of("renders") / "hero.001.mp4"
    target.write_bytes(b"older")

    first, second = delivered(shelf, b"new"), delivered(shelf, b"newer")

    assert target.read_bytes() == b"older"
    assert (first.file.name, second.file.name) == ("hero.001-2.mp4", "hero.001-3.mp4")
    assert shelf.path(second.file).read_bytes() == b"newer"


def test_a_planted_link_at_a_takes_name_is_not_written_through(shelf: FolderShelf, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (shelf.places.takes_of("renders") / "hero.001.mp4").symlink_to(tmp_path / "victim")
    (shelf.places.takes_of("renders") / "hero.001-2.mp4").symlink_to(tmp_path / "nowhere")

    assert delivered(shelf).file.name == "hero.001-3.mp4"
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_thousand_taken_names_overwrite_nothing(shelf: FolderShelf) -> None:
    folder = shelf.places.takes_of("renders")
    for name in ["hero.001.mp4", *(f"hero.001-{copy}.mp4" for copy in range(2, 1000))]:
        (folder / name).write_bytes(b"older")

    with pytest.raises(FileExistsError):
        delivered(shelf, b"new")

    assert shelf.part("hero", 1).read_bytes() == b"new"
    assert {(folder / name).read_bytes() for name in names(shelf) if name.endswith("mp4")} == {b"older"}


def test_a_part_is_found_before_and_after_it_got_its_name(shelf: FolderShelf) -> None:
    made = downloaded(shelf)

    assert shelf.locate(made) == shelf.part("hero", 1)
    shelf.put_away(shelf.part("hero", 1), made, made.file)
    assert shelf.locate(made) == shelf.path(made.file)


def test_a_part_of_another_pipelines_output_is_found(shelf: FolderShelf) -> None:
    made = downloaded(shelf)
    other = FolderShelf(replace(shelf.places, output_base="renders/final"))

    assert other.locate(made) == shelf.part("hero", 1)


@pytest.mark.parametrize("content", [b"", b"vide", b"vidEo", b"video more", None], ids=repr)
def test_a_part_that_is_gone_or_changed_is_not_taken(shelf: FolderShelf, content: bytes | None) -> None:
    made = downloaded(shelf)
    shelf.part("hero", 1).unlink()
    if content is not None:
        shelf.part("hero", 1).write_bytes(content)

    assert shelf.locate(made) is None
    assert shelf.locate(take(None)) is None


# --- finished names --------------------------------------------------------------------------------


def test_a_finished_name_is_a_link_to_its_take(shelf: FolderShelf) -> None:
    made = delivered(shelf)

    assert shelf.publish("hero", made, [made]).left is None
    assert shelf.publish("hero", made, [made]).left is None

    assert shelf.finished("hero").samefile(shelf.path(made.file))


def test_a_newer_take_takes_the_name_and_the_older_one_stays(shelf: FolderShelf) -> None:
    first, second = delivered(shelf, b"first"), delivered(shelf, b"second", 2)
    shelf.publish("hero", first, [first, second])

    assert shelf.publish("hero", second, [first, second]).left is None

    assert shelf.finished("hero").read_bytes() == b"second"
    assert shelf.path(first.file).read_bytes() == b"first"


def test_a_copy_of_an_older_take_is_ours(shelf: FolderShelf) -> None:
    first, second = delivered(shelf, b"first"), delivered(shelf, b"second", 2)
    shelf.finished("hero").write_bytes(b"first")

    assert shelf.publish("hero", second, [first, second]).left is None
    assert shelf.finished("hero").read_bytes() == b"second"


@pytest.mark.parametrize("kind", ["file", "folder", "link to another file", "dangling link", "link to a take"])
def test_what_holds_none_of_the_takes_is_the_users(shelf: FolderShelf, tmp_path: Path, kind: str) -> None:
    made, target = delivered(shelf), shelf.finished("hero")
    (tmp_path / "mine").write_text("mine")
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
    else:
        places = {"link to another file": tmp_path / "mine", "link to a take": shelf.path(made.file)}
        target.symlink_to(places.get(kind, tmp_path / "nowhere"))
    before = os.lstat(target)

    said = shelf.publish("hero", made, [made]).left

    assert said == (
        "renders/shots/hero.mp4 holds none of the takes of hero: "
        "left alone; move it away, and a run puts the take there"
    )
    assert os.path.samestat(os.lstat(target), before)
    assert (tmp_path / "mine").read_text() == "mine"


def test_another_pipelines_finished_name_is_its_own(shelf: FolderShelf) -> None:
    made = delivered(shelf)
    other = FolderShelf(replace(shelf.places, output_base="renders/final"))

    assert other.publish("hero", made, [made]).left is None
    assert other.finished("hero").samefile(shelf.path(made.file))
    assert not shelf.finished("hero").exists()


def test_a_take_without_a_file_is_published_nowhere(shelf: FolderShelf) -> None:
    assert shelf.publish("hero", take(None), []).left is None
    assert not shelf.finished("hero").exists()


# --- what is gone ----------------------------------------------------------------------------------


def test_a_take_that_is_only_left_under_its_finished_name_is_linked_back(shelf: FolderShelf) -> None:
    made = delivered(shelf)
    shelf.publish("hero", made, [made])
    shelf.path(made.file).unlink()

    assert shelf.restore("hero", made)
    assert shelf.path(made.file).read_bytes() == b"video"


def test_a_take_that_is_there_needs_nothing(shelf: FolderShelf) -> None:
    assert shelf.restore("hero", delivered(shelf))


def test_a_cut_take_is_not_there(shelf: FolderShelf) -> None:
    made = delivered(shelf)
    shelf.path(made.file).unlink()
    shelf.path(made.file).write_bytes(b"vid")

    assert not shelf.restore("hero", made)


@pytest.mark.parametrize("kind", ["gone", "another file", "link"])
def test_a_take_comes_back_only_from_its_own_content(shelf: FolderShelf, tmp_path: Path, kind: str) -> None:
    made, finished = delivered(shelf), shelf.finished("hero")
    shelf.path(made.file).rename(tmp_path / "away.mp4")
    if kind == "another file":
        finished.write_bytes(b"vidEo")
    elif kind == "link":
        finished.symlink_to(tmp_path / "away.mp4")

    assert not shelf.restore("hero", made)
    assert not shelf.path(made.file).exists()


# --- strays ----------------------------------------------------------------------------------------

KNOWN = {"hero": ShotState("hero", (take(None),))}


@pytest.mark.parametrize("name", ["hero.002.mp4", ".hero.002.part", "hero.002-2.mp4", "hero.2.mp4"])
def test_a_take_that_nobody_knows_is_found(shelf: FolderShelf, name: str) -> None:
    (shelf.places.takes_of("renders") / name).write_bytes(b"x")

    assert delivery.strays(shelf.places, KNOWN, ["hero"]) == {"hero": f"renders/shots/takes/{name}"}


@pytest.mark.parametrize(
    "name",
    [
        "hero.001.mp4",
        ".hero.001.part",
        "hero.001-2.mp4",
        "other.001.mp4",
        "hero.mp4",
        "hero.txt",
        "hero.002.txt",
        "hero.two.mp4",
        "hero.².mp4",
        "hero.002.mp4.bak",
        ".new-0123456789ab",
        "hero2.002.mp4",
    ],
)
def test_what_is_known_or_nobodys_take_holds_nothing(shelf: FolderShelf, name: str) -> None:
    (shelf.places.takes_of("renders") / name).write_bytes(b"x")

    assert delivery.strays(shelf.places, KNOWN, ["hero"]) == {}


def test_a_take_that_kept_its_name_when_its_shot_got_another_id_is_known(shelf: FolderShelf) -> None:
    made = delivered(shelf)

    assert delivery.strays(shelf.places, {"heroine": ShotState("heroine", (made,))}, ["hero"]) == {}
    assert delivery.strays(shelf.places, {"heroine": ShotState("heroine", (take(None),))}, ["hero"]) != {}


def test_no_folder_holds_no_strays(tmp_path: Path) -> None:
    assert delivery.strays(Places(tmp_path / "shots.yaml", ".veopipe", "renders"), {}, ["hero"]) == {}
