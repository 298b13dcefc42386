"""Clones without the videos' bytes: they are called what they are, and nothing paid is lost or bought for them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow  # many situations of one kind; each promise has faster tests

TAKE, FINISHED = "renders/shots/takes/a.001.mp4", "renders/shots/a.mp4"
PULL = "git lfs pull"


def pointer(content: bytes) -> bytes:
    """What Git LFS keeps in git for a file."""
    sha256 = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n".encode()


def replaced(path: Path, content: bytes) -> bytes:
    """Let the file hold `content`; what it held."""
    held = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return held


def left(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder, by name."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file():
            found[str(path)] = path.read_bytes()
    return found


@pytest.fixture
def bought(film: Film, gateway: Simulator) -> Film:
    """A film whose one shot is bought and verified."""
    film.list({"a": "a lighthouse at dusk"})
    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.charged) == 1
    return film


@pytest.fixture
def clone(bought: Film) -> Film:
    """The same where Git LFS isn't installed: everything below renders is a pointer."""
    for path in [*bought.folder.glob("renders/**/*.mp4"), bought.folder / "renders/shots/.ledger"]:
        replaced(path, pointer(path.read_bytes()))
    return bought


def test_every_command_calls_git_lfs_pointers_what_they_are_and_changes_nothing(
    clone: Film, gateway: Simulator
) -> None:
    renders, state, asked = left(clone.folder / "renders"), clone.state("a"), len(gateway.wire)
    for command, code in (("status", 0), ("verify", 1), ("report", 0)):
        shown = clone.command(command, "shots.yaml", "-p", "quick.yaml", "--format", "json")
        assert (shown.code, shown.shots["a"]["status"], shown.shots["a"]["file"]) == (code, "verified", None)
        assert "Git LFS pointer" in shown.shots["a"]["reason"]
        assert PULL in shown.shots["a"]["reason"]
    for _ in range(2):
        run = clone.run("--retry-failed")
        assert (run.code, run.statuses, run.shots["a"]["file"]) == (0, {"a": "verified"}, None)
        assert PULL in run.err
    for format_ in ("html", "markdown", "junit"):
        shown = clone.command("report", "shots.yaml", "-p", "quick.yaml", "--format", format_)
        assert PULL in shown.out
        assert f'src="{FINISHED}' not in shown.out
    plan = clone.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", clone.base_url, "--format", "json")
    assert plan.document["shots"][0]["action"] == "keep"
    assert left(clone.folder / "renders") == renders
    assert clone.state("a") == state
    assert len(gateway.wire) == asked


def test_after_git_lfs_pull_everything_is_there(bought: Film, gateway: Simulator) -> None:
    takes = [bought.folder / TAKE, bought.folder / FINISHED]
    content = [replaced(path, pointer(path.read_bytes())) for path in takes]
    assert PULL in bought.run().err
    for path, held in zip(takes, content, strict=True):
        replaced(path, held)
    run = bought.run()
    assert (run.code, run.shots["a"]["file"]) == (0, FINISHED)
    assert bought.command("verify", "shots.yaml", "-p", "quick.yaml").code == 0
    assert len(gateway.ledger) == 1


def test_a_finished_name_that_alone_was_pulled_is_shown_and_the_pointer_stays(bought: Film) -> None:
    held = replaced(bought.folder / TAKE, pointer((bought.folder / TAKE).read_bytes()))
    replaced(bought.folder / FINISHED, held)
    run = bought.run()
    assert (run.code, run.shots["a"]["file"]) == (0, FINISHED)
    assert (bought.folder / TAKE).read_bytes() == pointer(held)
    assert (bought.folder / FINISHED).read_bytes() == held


def test_a_finished_name_that_stands_for_the_take_that_is_here_gets_it(bought: Film) -> None:
    held = replaced(bought.folder / FINISHED, pointer((bought.folder / TAKE).read_bytes()))
    assert bought.run().shots["a"]["file"] == FINISHED
    assert (bought.folder / FINISHED).read_bytes() == held


def test_a_pointer_to_another_file_is_another_file(bought: Film) -> None:
    other = pointer(b"another film")
    replaced(bought.folder / TAKE, other)
    replaced(bought.folder / FINISHED, other)
    verify = bought.command("verify", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    assert (verify.code, verify.document["checked"][0]["fine"]) == (1, False)
    assert "another file" in verify.document["checked"][0]["said"]
    run = bought.run()
    assert run.code == 0
    assert (bought.folder / TAKE).read_bytes() == other  # fetched again beside it
    assert (bought.folder / FINISHED).read_bytes() == other
    assert run.shots["a"]["file"] == "renders/shots/takes/a.001-2.mp4"


@pytest.mark.parametrize("status", ["downloaded", "parked"])
def test_a_take_that_waits_to_be_measured_waits_for_its_bytes(status: str, bought: Film, gateway: Simulator) -> None:
    path = bought.folder / ".veopipe/shots/state/a.json"
    path.write_text(path.read_text("utf-8").replace('"verified"', f'"{status}"'), "utf-8")
    (bought.folder / FINISHED).unlink()
    held = replaced(bought.folder / TAKE, pointer((bought.folder / TAKE).read_bytes()))
    polled = len(gateway.wire)
    run = bought.run()
    assert run.code == 4
    assert PULL in run.shots["a"]["reason"]
    assert len(gateway.wire) == polled
    assert bought.state("a")["takes"][0]["file"]["sha256"] == hashlib.sha256(held).hexdigest()
    replaced(bought.folder / TAKE, held)
    run = bought.run()
    assert (run.code, run.shots["a"]["file"]) == (0, FINISHED)
    assert len(gateway.ledger) == 1


# --- other stand-ins -------------------------------------------------------------------------------


def annexed(path: Path, held: bytes) -> None:
    key = f"SHA256E-s{len(held)}--{hashlib.sha256(held).hexdigest()}.mp4"
    path.symlink_to(f"../.git/annex/objects/Xx/0y/{key}/{key}")


def dvc(path: Path, _held: bytes) -> None:
    path.with_name(f"{path.name}.dvc").write_text(f"outs:\n- md5: 00\n  path: {path.name}\n")


def icloud(path: Path, _held: bytes) -> None:
    path.with_name(f".{path.name}.icloud").write_bytes(b"bplist00")


def lost_disk(path: Path, _held: bytes) -> None:
    path.symlink_to("/Volumes/Film is not mounted/a.mp4")


STAND_INS = {"git annex get": annexed, "dvc pull": dvc, "iCloud": icloud, "bring that back": lost_disk}


@pytest.mark.parametrize("words", STAND_INS)
def test_whatever_stands_in_for_a_video_is_left_alone_and_named(words: str, bought: Film, gateway: Simulator) -> None:
    held = (bought.folder / TAKE).read_bytes()
    for name in (FINISHED, TAKE):
        (bought.folder / name).unlink()
        STAND_INS[words](bought.folder / name, held)
    there, state, asked = left(bought.folder / "renders"), bought.state("a"), len(gateway.wire)
    for command in ("run", "verify", "status"):
        options = ("--yes", "--base-url", bought.base_url) if command == "run" else ()
        shown = bought.command(command, "shots.yaml", "-p", "quick.yaml", "--format", "json", *options)
        assert shown.code == (1 if command == "verify" else 0)
        assert words in shown.shots["a"]["reason"]
    assert left(bought.folder / "renders") == there
    assert bought.state("a") == state
    assert len(gateway.wire) == asked


def test_links_of_git_annex_whose_files_are_here_are_the_videos(bought: Film, gateway: Simulator) -> None:
    objects = bought.folder / ".git/annex/objects"
    objects.mkdir(parents=True)
    shutil.move(bought.folder / TAKE, objects / "KEY")
    (bought.folder / FINISHED).unlink()
    (bought.folder / TAKE).symlink_to("../../../.git/annex/objects/KEY")
    assert bought.command("verify", "shots.yaml", "-p", "quick.yaml").code == 0
    assert bought.run().shots["a"]["file"] == FINISHED
    assert (bought.folder / FINISHED).read_bytes() == (objects / "KEY").read_bytes()
    (bought.folder / FINISHED).unlink()
    (bought.folder / FINISHED).symlink_to("../../.git/annex/objects/KEY")
    run = bought.run()
    assert (run.shots["a"]["file"], run.err) == (FINISHED, "")
    assert (bought.folder / TAKE).is_symlink()
    assert (bought.folder / FINISHED).is_symlink()
    assert len(gateway.ledger) == 1


def test_a_placeholder_of_the_right_size_never_replaces_the_video_under_its_finished_name(bought: Film) -> None:
    held = (bought.folder / TAKE).read_bytes()
    replaced(bought.folder / FINISHED, held)
    replaced(bought.folder / TAKE, b"")
    with (bought.folder / TAKE).open("r+b") as file:
        file.truncate(len(held))  # as OneDrive and Dropbox leave what is online only
    verify = bought.command("verify", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    assert verify.code == 1
    assert "placeholder" in verify.document["checked"][0]["said"]
    assert bought.run().code == 0
    assert (bought.folder / FINISHED).read_bytes() == held


@pytest.mark.parametrize(("make", "said"), [(Path.touch, "empty"), (Path.mkdir, "a folder")])
def test_something_else_in_the_place_of_a_take_is_named_and_stays(
    make: Callable[[Path], None], said: str, bought: Film, gateway: Simulator
) -> None:
    (bought.folder / TAKE).unlink()
    (bought.folder / FINISHED).unlink()
    make(bought.folder / TAKE)
    verify = bought.command("verify", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    assert (verify.code, said in verify.document["checked"][0]["said"]) == (1, True)
    run = bought.run()  # nobody else keeps it: the gateway still has it
    assert (run.code, run.shots["a"]["file"]) == (0, FINISHED)
    assert (bought.folder / TAKE).exists()
    assert len(gateway.ledger) == 1


@pytest.mark.parametrize("name", [".a.001.mp4.icloud", "a.001.mp4.dvc"])
def test_a_stand_in_of_a_take_that_no_state_file_knows_holds_its_shot(
    name: str, film: Film, gateway: Simulator
) -> None:
    film.list({"a": "a lighthouse at dusk"})
    (film.folder / "renders/shots/takes").mkdir(parents=True)
    (film.folder / "renders/shots/takes" / name).write_bytes(b"bplist00")
    run = film.run()
    assert run.code == 6
    assert name in run.shots["a"]["reason"]
    assert len(gateway.ledger) == 0


# --- what veopipe reads ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["state/a.json", "ledger.json"])
def test_a_ledger_of_pointers_holds_everything(name: str, bought: Film, gateway: Simulator) -> None:
    path = bought.folder / ".veopipe/shots" / name
    held = replaced(path, pointer(path.read_bytes()))
    bought.list({"a": "a lighthouse at dawn"})
    run = bought.run()
    assert run.code == 6
    assert PULL in run.out
    assert "git checkout" not in run.out
    replaced(path, held)
    bought.list({"a": "a lighthouse at dusk"})
    assert bought.run().statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


def test_an_owner_of_the_output_folder_that_is_a_pointer_to_another_id_is_asked_for(
    bought: Film, gateway: Simulator
) -> None:
    replaced(bought.folder / "renders/shots/.ledger", pointer(b"0" * 32 + b"\n"))
    run = bought.run()
    assert run.code == 6
    assert PULL in run.document["error"]
    assert len(gateway.ledger) == 1


@pytest.mark.parametrize("name", ["shots.yaml", "quick.yaml"])
def test_a_list_or_a_pipeline_that_is_a_pointer_is_an_error_with_the_command(name: str, bought: Film) -> None:
    replaced(bought.folder / name, pointer((bought.folder / name).read_bytes()))
    run = bought.run()
    assert run.code == 2
    assert PULL in json.dumps(run.document["problems"])
    assert run.document["problems"][0]["rule"] == "file-unreadable"


def test_a_list_or_a_table_that_is_kept_elsewhere_is_not_said_to_be_missing(film: Film) -> None:
    film.list({"a": "a lighthouse at dusk"})
    (film.folder / ".quick.yaml.icloud").touch()
    (film.folder / "quick.yaml").unlink()
    (film.folder / "table.csv").write_bytes(pointer(b"id,prompt"))
    (film.folder / "other.csv.dvc").touch()
    assert "iCloud" in film.command("status", "shots.yaml", "-p", "./quick.yaml").err
    (film.folder / "shots.yaml").rename(film.folder / "shots.yaml.dvc")
    assert "dvc pull" in film.command("status", "shots.yaml").err
    assert "dvc pull" in film.command("validate", "shots.yaml").out
    for name, words in (("table.csv", PULL), ("other.csv", "dvc pull")):
        made = film.command("import", name, "-o", "made.yaml")
        assert (made.code, words in made.err) == (2, True)
    assert not (film.folder / "made.yaml").exists()
