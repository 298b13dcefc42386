"""Review files: which are read, which are refused, and what is left of a file after a decision."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness import builders
from veopipe.errors import EnvironmentFault, InvalidInput, Problem, UsageError
from veopipe.film import decisions as said_of
from veopipe.film import review
from veopipe.film.decisions import Decision
from veopipe.ledger.paths import Places
from veopipe.takes.status import Status
from veopipe.takes.take import Delivered, ShotState, Take
from veopipe.takes.verdict import Review, Reviews, Verdict

FILE = "file: sha256:000000000000\n"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Of a list in a folder of its own, beside things that are no business of the list's."""
    home = tmp_path / "film"
    (home / "review" / "shots").mkdir(parents=True)
    return Places(home / "shots.yaml", ".veopipe", "renders")


def put(places: Places, name: str, text: str = FILE) -> Path:
    path = places.reviews / name
    path.write_text(text, "utf-8")
    return path


def refused(places: Places) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        review.read(places)
    return caught.value.problems


# --- which files are read ----------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["SC01.001.yml", "SC01.001.YAML", "sc01.001.yaml", "Sc01.001.Yml"])
def test_two_files_for_one_take_are_an_error_that_names_both(places: Places, other: str) -> None:
    put(places, "SC01.001.yaml", FILE + "verdict: pick\n")
    put(places, other, FILE + "verdict: reject\n")
    (problem,) = refused(places)
    assert (problem.rule, "SC01.001.yaml" in problem.message, other in problem.message) == ("review-twice", True, True)


@pytest.mark.parametrize("ending", ["yml", "YAML", "Yml"])
def test_another_ending_is_an_error_and_never_passed_over(places: Places, ending: str) -> None:
    put(places, f"SC01.001.{ending}", FILE + "verdict: pick\n")
    (problem,) = refused(places)
    assert (problem.rule, problem.message.endswith(f"; this one ends in .{ending}")) == ("review-name", True)


@pytest.mark.parametrize("what", ["file", "folder", "list's folder"])
def test_a_link_that_leads_out_of_the_work_tree_isnt_read(places: Places, tmp_path: Path, what: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "SC01.001.yaml").write_text("TOKEN=hunter2\n", "utf-8")
    if what == "file":
        (places.reviews / "SC01.001.yaml").symlink_to(outside / "SC01.001.yaml")
    else:
        link = places.reviews if what == "folder" else places.reviews.parent
        places.reviews.rmdir()
        if link != places.reviews:
            link.rmdir()
            (outside / "shots").mkdir()
        link.symlink_to(outside)
    (problem,) = refused(places)
    assert problem.rule == "review-outside"
    assert "hunter2" not in problem.message
    # an excerpt would show a line of the file that a problem names
    assert (places.manifest.parent / problem.file).is_dir()


def test_a_link_within_the_work_tree_is_read(places: Places, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "ours.yaml").write_text(FILE + "verdict: pick\n", "utf-8")
    (places.reviews / "SC01.001.yaml").symlink_to(tmp_path / "ours.yaml")
    assert review.read(places).by_take["SC01.001"].verdict is Verdict.PICK


def test_a_rehearsals_ledger_may_lie_beside_the_lists_folder(places: Places) -> None:
    rehearsed = replace(places, ledger_base="../ledgers", simulated=True)
    rehearsed.reviews.mkdir(parents=True)
    put(rehearsed, "SC01.001.yaml")
    assert list(review.read(rehearsed).by_take) == ["SC01.001"]


# --- what stays in a file ----------------------------------------------------------------------------


def test_other_keys_stay_as_they_are_written(places: Places) -> None:
    kept = (
        "lens: 0x1F\n# of the camera's own notes\ntaken-on: 2026-01-02\nprice: 1.50\nempty: ~\n"
        "crew: [ana,  'ben']\ntext: >-\n  two\n  lines\n"
    )
    path = put(places, "SC01.001.yaml", FILE.rstrip() + "  # looked at\nverdict: alt\n" + kept + "note: the gull\n")
    (said,) = review.read(places).by_take.values()
    review.write(places, [replace(said, verdict=Verdict.PICK)])
    assert path.read_text("utf-8") == f"{FILE}verdict: pick\nnote: the gull\n{kept}"
    (again,) = review.read(places).by_take.values()
    assert again.unknown == said.unknown


@pytest.mark.parametrize(
    "text",
    [
        "{file: 'sha256:000000000000', lens: 35mm, price: 1.50}\n",
        "  file: sha256:000000000000\n  lens: 35mm\n  price: 1.50\n",
        "file: sha256:000000000000\nnote: &a the gull\nlens: 35mm\nprice: 1.50\nalso: *a\n",
    ],
)
def test_where_lines_cant_be_kept_their_values_are(places: Places, text: str) -> None:
    put(places, "SC01.001.yaml", text)
    (said,) = review.read(places).by_take.values()
    review.write(places, [replace(said, verdict=Verdict.PICK)])
    (again,) = review.read(places).by_take.values()
    assert (again.verdict, again.unknown) == (Verdict.PICK, said.unknown)
    assert again.unknown["lens"] == "35mm"


# --- decisions ---------------------------------------------------------------------------------------


def state(*numbers: int) -> ShotState:
    """A shot with delivered takes."""
    return ShotState("SC01", tuple(take(number) for number in numbers))


def take(number: int) -> Take:
    """One whose file's hash is its number."""
    name = f"SC01.{number:03d}.mp4"
    return builders.take(
        builders.attempt(Status.VERIFIED), number=number, file=Delivered("renders", name, hash_of(number), 1)
    )


def hash_of(number: int) -> str:
    """Hex, 64 digits."""
    return f"{number:032x}" * 2


def said(number: int, **what: Any) -> Decision:
    """A decision on a take."""
    return said_of.decision_of(take(number), **what)


def standing(number: int, verdict: Verdict | None = None, **more: Any) -> Review:
    """What was said of a take before."""
    return Review(f"SC01.{number:03d}", hash_of(number)[:12], verdict, **more)


def decide(*decisions: Decision, before: Sequence[Review] = ()) -> list[Review]:
    """What changes."""
    reviews = Reviews({each.take: each for each in before}, "renders")
    return said_of.decide(reviews, {"SC01": state(1, 2, 3)}, decisions)


def test_what_is_taken_back_beside_a_wish_keeps_the_wish(tmp_path: Path) -> None:
    path = tmp_path / "decisions.json"
    before = [standing(1, Verdict.PICK, again=True)]
    for again, wishes in ((True, True), (False, False), (None, False)):
        entry = {"take": "SC01.001", "file": f"sha256:{hash_of(1)}", "verdict": None}
        entry |= {} if again is None else {"again": again}
        path.write_text(json.dumps({"version": 1, "ledger": "x", "decisions": [entry]}), "utf-8")
        (after,) = decide(*said_of.parse_decisions(path, "x"), before=before)
        assert (after.verdict, after.again) == (None, wishes)


def test_one_take_is_decided_once() -> None:
    with pytest.raises(UsageError, match=r"SC01\.001 is decided twice"):
        decide(said(1, verdict=Verdict.PICK), said(2, again=True), said(1, note="the gull"))


def test_one_shot_has_one_pick() -> None:
    with pytest.raises(UsageError, match=r"SC01\.001 and SC01\.003 are both picked for SC01"):
        decide(said(1, verdict=Verdict.PICK), said(2, verdict=Verdict.ALT), said(3, verdict=Verdict.PICK))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"note": "x" * 10_001}, "at most 10,000 characters"),
        ({"note": "x", "by": "x" * 201}, "at most 200 characters"),
        ({"note": "caf\udce9"}, "half a character"),
        ({"note": "x", "by": "caf\udce9"}, "half a character"),
        ({"note": "a\0b"}, "NUL"),
    ],
)
def test_what_couldnt_be_read_back_is_refused(what: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=f"SC01.002: .*{words}.*nothing was changed"):
        decide(said(1, verdict=Verdict.PICK), said(2, **what))


@pytest.mark.parametrize("note", ["x" * 10_000, "a\x85b\u2028c\tz", "\x1b[31m", "no: 'x' # y", "1.50", "😀 " * 900])
def test_what_is_written_reads_back(places: Places, note: str) -> None:
    review.write(places, decide(said(1, note=note, by="x" * 200)))
    assert review.read(places).by_take["SC01.001"].note == note.strip()


def test_a_file_that_is_spelt_otherwise_isnt_written_beside() -> None:
    with pytest.raises(UsageError, match=r"sc01\.001\.yaml isn't called as its take is: rename it SC01\.001\.yaml"):
        decide(said(1, verdict=Verdict.PICK), before=[Review("sc01.001", hash_of(1)[:12], Verdict.REJECT)])


@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 1)])
def test_a_pick_is_written_before_the_earlier_one_becomes_alt(places: Places, old: int, new: int) -> None:
    changed = decide(said(new, verdict=Verdict.PICK), before=[standing(old, Verdict.PICK)])
    assert {each.take: each.verdict for each in changed} == {f"SC01.00{old}": "alt", f"SC01.00{new}": "pick"}
    (places.reviews / f"SC01.00{old}.yaml").mkdir()  # the earlier one can't be written
    with pytest.raises(EnvironmentFault):
        review.write(places, changed)
    assert "verdict: pick" in (places.reviews / f"SC01.00{new}.yaml").read_text("utf-8")
