"""Addresses in place of files and folders: an error that says so, and no folder called `s3:`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

ADDRESS, OTHER = "s3://bucket/film", "sftp://host/film"


@pytest.mark.parametrize("key", ["output", "ledger"])
@pytest.mark.parametrize("written", [OTHER, "C:\\films", "$HOME/films"])
def test_a_folder_that_is_meant_elsewhere_stops_every_command_with_its_place(
    key: str, written: str, film: Film, gateway: Simulator
) -> None:
    film.list({"a": "a lighthouse"})
    film.pipeline(**{key: written})
    before = sorted(film.folder.rglob("*"))
    for command in ("run", "plan", "status", "validate"):
        shown = film.command(command, "shots.yaml", "-p", "quick.yaml", "--format", "json")
        assert shown.code == 2
        (problem,) = shown.document["problems"]
        assert problem["rule"] == f"{key}-folder"
        assert (problem["line"], problem["column"]) > (1, 1)
        if (key, written) == ("output", OTHER):
            assert "of stores s3://, gs:// and az:// are known" in problem["message"]
    assert sorted(film.folder.rglob("*")) == before
    assert gateway.wire == []


def test_a_folder_that_is_really_called_so_goes_on_with_a_dot_in_front(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a lighthouse"})
    film.pipeline(output="./s3://bucket")
    run = film.run()
    assert (run.code, run.shots["a"]["file"]) == (0, "s3:/bucket/shots/a.mp4")
    assert len(gateway.ledger) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("run", "https://example.com/shots.yaml"),
        ("status", "file:///tmp/shots.yaml"),
        ("validate", "https://example.com/shots.yaml"),
        ("plan", "shots.yaml", "-o", "s3://bucket/plan.json"),
        ("plan", "shots.yaml", "--output=~/plan.json"),
        ("run", "shots.yaml", "--plan", "https://example.com/plan.json"),
        ("run", "shots.yaml", "-p", "https://example.com/night.yaml"),
        ("report", "shots.yaml", "-o", "C:\\report.html"),
        ("import", "https://example.com/shots.csv", "-o", "made.yaml"),
        ("import", "table.csv", "-o", "gs://bucket/made.yaml"),
        ("init", ADDRESS),
        ("init", "$HOME/film"),
        ("simulate", "--folder", ADDRESS),
    ],
)
def test_a_command_that_is_given_an_address_says_that_it_wants_a_local_file(words: tuple[str, ...], film: Film) -> None:
    film.list({"a": "a lighthouse"})
    (film.folder / "table.csv").write_text("id,prompt\nb,a harbour\n")
    before = sorted(film.folder.rglob("*"))
    ended = film.command(*words)
    assert ended.code == 2
    assert "must be a local file" in ended.err
    assert sorted(film.folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("C:\\film\\x.csv", "is a path of Windows"),
        ("~/x.csv", "begins with `~`"),
        ("s3://bucket/x.csv", "is an address"),
        ("$HOME/x.csv", "names a variable"),
    ],
)
def test_what_is_no_path_is_called_what_it_is(written: str, why: str, film: Film) -> None:
    ended = film.command("import", written, "-o", "made.yaml")
    assert ended.code == 2
    assert f"this {why}" in " ".join(ended.err.split())


def test_a_file_that_has_such_a_name_is_read_all_the_same(film: Film) -> None:
    (film.folder / "s3:").mkdir()
    film.list({"a": "a lighthouse"}, name="s3:/shots.yaml")
    assert film.command("validate", "s3:/shots.yaml").code == 0


@pytest.mark.parametrize("written", ["s3://bucket/x.png", "file:///x.png", "C:\\x.png", "$HOME/x.png", "~/x.png"])
def test_a_picture_that_is_meant_elsewhere_is_an_error_that_says_so(written: str, film: Film) -> None:
    film.list({"a": {"prompt": "a lighthouse", "input_reference": written, "seconds": 8}})
    shown = film.command("validate", "shots.yaml", "--format", "json")
    assert shown.code == 2
    said = " ".join(problem["message"] for problem in shown.document["problems"] if problem["severity"] == "error")
    assert any(words in said for words in ("remote URL", "path of Windows", "variable", "relative path")), said
