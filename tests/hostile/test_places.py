"""Links, pipes and files of others where veopipe writes: what lies there stays as it is, and no command hangs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator


@pytest.fixture
def bought(film: Film) -> Film:
    """A folder with a verified take."""
    film.list({"shot": "a cat"})
    assert film.run().code == 0
    return film


# --- outputs -----------------------------------------------------------------------------------------

MADE = {
    "plan": ("plan", "shots.yaml", "-o", "loop.json"),
    "report": ("report", "shots.yaml", "-o", "loop.html"),
    "frame": ("frame", "shots.yaml", "shot", "-o", "loop.png"),
    "cut": ("cut", "shots.yaml", "-o", "loop.edl"),
}


@pytest.mark.parametrize("command", MADE)
def test_an_output_that_is_a_link_to_itself_or_below_one_is_no_bug(bought: Film, command: str) -> None:
    words = (*MADE[command], "-p", "quick.yaml")
    link = bought.folder / words[3]
    link.symlink_to(link.name)
    assert bought.command(*words).code in {0, 2, 6}
    (bought.folder / "ring").symlink_to("ring")
    below = [f"ring/{word}" if word.startswith("loop.") else word for word in words]
    assert bought.command(*below).code in {2, 6}


SOMEBODYS = {
    "notes.md": "## Scenes: 12 verified\n\nby hand\n",
    "decisions.json": '{"ledger": "a", "decisions": []}\n',
    "cuts/main.lock.json": '{\n "version": 1\n}\n',
    "page.html": "<!doctype html><title>mine</title>\n",
    "pom.xml": "<project/>\n",
}


@pytest.mark.parametrize("name", SOMEBODYS)
def test_a_report_replaces_an_older_report_and_nothing_else(bought: Film, name: str) -> None:
    path = bought.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(SOMEBODYS[name], "utf-8")
    told = bought.command("report", "shots.yaml", "-o", name)
    assert (told.code, path.read_text("utf-8")) == (2, SOMEBODYS[name])
    assert f"{name} isn't a report: left alone" in told.err
    path.write_text("")
    for _ in range(2):  # over what is empty, and over an older one
        assert bought.command("report", "shots.yaml", "-o", name).code == 0
    assert path.read_text("utf-8")


def test_a_list_is_imported_over_no_link(film: Film) -> None:
    (film.folder / "x.csv").write_text("id,prompt\na,b\n")
    (film.folder / "shots.yaml").symlink_to("elsewhere.yaml")
    assert film.command("import", "x.csv", "-o", "shots.yaml").code == 2
    assert (film.folder / "shots.yaml").is_symlink()


@pytest.mark.parametrize("kind", ["a pipe", "a link out", "a name that no pipeline can write"])
def test_what_lies_among_the_profiles_and_is_none_is_no_bug(film: Film, tmp_path: Path, kind: str) -> None:
    folder = film.folder / "profiles"
    folder.mkdir()
    if kind == "a pipe":
        os.mkfifo(folder / "mine.yaml")
    elif kind == "a link out":
        (tmp_path / "theirs.yaml").write_text("version: 1\n")
        (folder / "mine.yaml").symlink_to(tmp_path / "theirs.yaml")
    else:
        (folder / "not mine.yaml").write_text("version: 1\n")
    assert film.command("profiles").code == (2 if kind == "a link out" else 0)


# --- the ledger --------------------------------------------------------------------------------------


def test_what_this_machine_remembers_is_written_through_no_link_and_into_no_pipe(
    film: Film, gateway: Simulator, tmp_path: Path
) -> None:
    runs = film.folder / ".veopipe/shots/runs"
    for number, kind in enumerate(("a link", "a pipe")):
        film.list({f"shot{at}": f"a cat {at}" for at in range(number + 1)})
        runs.mkdir(parents=True, exist_ok=True)
        (runs / "ledger.json").unlink(missing_ok=True)
        theirs = tmp_path / "theirs.json"
        theirs.write_text("precious")
        if kind == "a link":
            (runs / "ledger.json").symlink_to(theirs)
        else:
            os.mkfifo(runs / "ledger.json")
        assert film.run().code == 0, kind
        assert theirs.read_text() == "precious"
    assert len(gateway.charged) == 2


def test_the_memory_of_one_ledger_never_lands_in_another_one(film: Film, gateway: Simulator) -> None:
    film.list({"other": "of another list"}, "other.yaml")
    assert film.run(manifest="other.yaml").code == 0
    theirs = film.folder / ".veopipe/other/ledger.json"
    before = json.loads(theirs.read_text("utf-8"))["id"]
    film.list({"shot": "a cat"})
    (film.folder / ".veopipe/shots").mkdir()
    (film.folder / ".veopipe/shots/runs").symlink_to("../other")
    assert film.run().code == 0
    assert json.loads(theirs.read_text("utf-8"))["id"] == before


def test_only_logs_of_runs_are_thinned_out(bought: Film) -> None:
    runs = bought.folder / ".veopipe/shots/runs"
    names = [f"{at:03}.jsonl" for at in range(150)]
    for name in names:
        (runs / name).write_text("somebody's")
    old = [f"2020{at:04}T000000Z.jsonl" for at in range(120)]
    for name in old:
        (runs / name).write_text("")
    bought.list({"shot": "a cat", "more": "a dog"})
    assert bought.run().code == 0
    left = {path.name for path in runs.iterdir()}
    assert left.issuperset(names)
    assert len(left - set(names) - {"ledger.json"}) == 100
