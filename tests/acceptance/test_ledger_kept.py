"""A ledger is never destroyed by our own words, hidden by our own files, or believed when a part of it is missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.breadth import cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.film import Film, Result, Started
    from veopipe.simulator.server import Simulator

SHOTS = {"a": "the first of the list", "b": "the second of the list"}
PAID = {"a": "verified", "b": "verified"}


@pytest.fixture
def bought(film: Film, gateway: Simulator) -> Film:
    """A film whose two shots are bought and verified."""
    film.list(SHOTS)
    assert film.run().statuses == PAID
    assert len(gateway.charged) == 2
    return film


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def ledger_of(film: Film, name: str = "shots") -> dict[str, object]:
    found: dict[str, object] = json.loads((film.folder / ".veopipe" / name / "ledger.json").read_text("utf-8"))
    return found


def every_file(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.rglob("*.json")}


def moved(film: Film, old: str, new: str) -> None:
    """Move a ledger and its videos, as veopipe says."""
    for base in (".veopipe", "renders"):
        (film.folder / base / old).rename(film.folder / base / new)


def carried_out(film: Film, run: Result) -> None:
    """Do what the first command of a hint says."""
    found = re.search(r"(?m)(?:^|: )((?:mv|git|rm) .*)$", run.document["hint"])
    assert found is not None, run.document
    subprocess.run(["sh", "-c", found[1]], cwd=film.folder, check=True, capture_output=True)


# --- whose ledger it is ----------------------------------------------------------------------------


def test_a_renamed_list_keeps_its_ledger_when_a_new_list_gets_the_old_name(bought: Film, gateway: Simulator) -> None:
    (bought.folder / "shots.yaml").rename(bought.folder / "episode1.yaml")
    moved(bought, "shots", "episode1")
    bought.list({"c": "the first of the next episode"})
    first = bought.run(manifest="episode1.yaml")
    assert (first.code, first.statuses, len(gateway.ledger)) == (0, PAID, 2)
    assert ledger_of(bought, "episode1")["manifest"] == "episode1.yaml"
    assert bought.run().statuses == {"c": "verified"}
    assert bought.run(manifest="episode1.yaml", yes=False).code == 0
    assert len(gateway.ledger) == 3


def test_a_renamed_list_keeps_its_ledger_when_the_new_list_of_the_old_name_ran_first(
    bought: Film, gateway: Simulator
) -> None:
    (bought.folder / "shots.yaml").rename(bought.folder / "episode1.yaml")
    moved(bought, "shots", "episode1")
    bought.list({"c": "the first of the next episode"})
    assert bought.run().statuses == {"c": "verified"}
    first = bought.run(manifest="episode1.yaml", yes=False)
    assert (first.code, first.statuses, len(gateway.ledger)) == (0, PAID, 3)
    assert ledger_of(bought)["id"] != ledger_of(bought, "episode1")["id"]


def test_videos_left_at_the_old_name_are_led_to_their_ledger(bought: Film, gateway: Simulator) -> None:
    (bought.folder / "shots.yaml").rename(bought.folder / "episode1.yaml")
    (bought.folder / ".veopipe/shots").rename(bought.folder / ".veopipe/episode1")
    bought.list({"c": "the first of the next episode"})
    stopped = bought.run()
    assert (stopped.code, len(gateway.ledger)) == (2, 2)
    assert "mv renders/shots renders/episode1" in stopped.document["hint"]
    carried_out(bought, stopped)
    assert bought.run().statuses == {"c": "verified"}
    first = bought.run(manifest="episode1.yaml", yes=False)
    assert (first.code, first.shots["a"]["file"]) == (0, "renders/episode1/a.mp4")
    assert len(gateway.ledger) == 3


def test_a_copied_ledger_is_moved_away_and_never_removed(bought: Film, gateway: Simulator) -> None:
    shutil.copy(bought.folder / "shots.yaml", bought.folder / "other.yaml")
    shutil.copytree(bought.folder / ".veopipe/shots", bought.folder / ".veopipe/other")
    (bought.folder / ".veopipe/other-2").mkdir()
    stopped = bought.run(manifest="other.yaml")
    assert (stopped.code, len(gateway.ledger)) == (2, 2)
    assert "rm " not in stopped.document["hint"]
    before = every_file(bought.folder / ".veopipe")
    carried_out(bought, stopped)
    assert every_file(bought.folder / ".veopipe") == before
    assert (bought.folder / ".veopipe/other-3/state/a.json").is_file()
    assert bought.run(yes=False).statuses == PAID


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_one_list_under_two_names_is_no_copy(bought: Film, gateway: Simulator, link: str) -> None:
    """A disk that ignores case or accents finds one file under two names; a link is the same on any disk."""
    (bought.folder / "shots.yaml").rename(bought.folder / "Shots.yaml")
    moved(bought, "shots", "Shots")
    getattr(bought.folder / "shots.yaml", link)(bought.folder / "Shots.yaml")
    (bought.folder / ".veopipe/shots").symlink_to("Shots")
    run = bought.run(manifest="Shots.yaml", yes=False)
    assert (run.code, run.statuses, len(gateway.ledger)) == (0, PAID, 2)
    assert bought.run(manifest="shots.yaml", yes=False).statuses == PAID


def test_on_a_disk_that_ignores_case_two_lists_with_one_ledger_are_told_to_part(
    bought: Film, gateway: Simulator
) -> None:
    """`Shots.yml` beside `shots.yaml`: one folder `.veopipe/shots` on such a disk, which no hint may move."""
    bought.list({"c": "another list"}, name="Shots.yml")
    (bought.folder / ".veopipe/Shots").symlink_to("shots")
    stopped = bought.run(manifest="Shots.yml")
    assert (stopped.code, len(gateway.ledger)) == (2, 2)
    assert "mv Shots.yml Shots-2.yml" in stopped.document["hint"]
    carried_out(bought, stopped)
    assert bought.run(yes=False).statuses == PAID


def test_a_list_that_has_to_make_room_replaces_no_other_file(bought: Film) -> None:
    bought.list({"c": "another list"}, name="shots.yml")
    bought.list({"d": "a third list"}, name="shots-2.yml")
    stopped = bought.run(manifest="shots.yml")
    carried_out(bought, stopped)
    assert "a third list" in (bought.folder / "shots-2.yml").read_text()
    assert "another list" in (bought.folder / "shots-3.yml").read_text()


def test_a_list_whose_name_another_locale_wrote_is_there(bought: Film, gateway: Simulator) -> None:
    """Under Latin-1 the bytes of é read as Ã©: that isn't a list that is gone, and its ledger isn't to be moved."""
    (bought.folder / "shots.yaml").rename(bought.folder / "épisode.yaml")
    moved(bought, "shots", "épisode")
    path = bought.folder / ".veopipe/épisode/ledger.json"
    path.write_text(json.dumps({**ledger_of(bought, "épisode"), "manifest": "Ã©pisode.yaml"}))
    bought.list({"c": "another list"}, name="other.yaml")
    assert bought.run(manifest="other.yaml").statuses == {"c": "verified"}
    assert bought.run(manifest="épisode.yaml", yes=False).statuses == PAID
    assert len(gateway.ledger) == 3


def test_a_ledger_that_names_a_list_which_this_locale_cannot_write_is_taken_over(
    bought: Film, gateway: Simulator
) -> None:
    path = bought.folder / ".veopipe/shots/ledger.json"
    path.write_text(json.dumps({**ledger_of(bought), "manifest": "\u6620\u753b\udc80.yaml"}))
    run = bought.run(yes=False)
    assert (run.code, run.statuses, len(gateway.ledger)) == (0, PAID, 2)


def test_a_hint_is_meant_for_the_folder_in_which_it_is_typed(bought: Film, gateway: Simulator) -> None:
    """The folder above may have a list and a ledger of the same names."""
    scene = bought.folder / "scene one"
    shutil.copytree(bought.folder, scene, ignore=shutil.ignore_patterns("scene one"))
    (scene / "shots.yaml").rename(scene / "new.yaml")
    stopped = bought.run(manifest="scene one/new.yaml")
    assert (stopped.code, len(gateway.ledger)) == (2, 2)
    carried_out(bought, stopped)
    assert (bought.folder / ".veopipe/shots/state/a.json").is_file()
    assert bought.run(manifest="scene one/new.yaml", yes=False).statuses == PAID
    assert len(gateway.ledger) == 2


def test_a_list_that_begins_with_a_dash_is_no_option_of_mv(bought: Film) -> None:
    bought.list({"c": "another"}, name="-x.yaml")
    assert bought.command(*bought.arguments(manifest="./-x.yaml")).code == 0
    bought.list({"d": "a third"}, name="-x.yml")
    carried_out(bought, bought.command(*bought.arguments(manifest="./-x.yml")))
    assert (bought.folder / "-x-2.yml").is_file()


def test_a_ledger_that_was_moved_to_a_name_of_no_list_is_led_back(bought: Film, gateway: Simulator) -> None:
    moved(bought, "shots", "shots-2")
    stopped = bought.run()
    assert (stopped.code, len(gateway.ledger)) == (2, 2)
    assert "Was it moved?" in stopped.document["error"]
    carried_out(bought, stopped)
    assert bought.run(yes=False).statuses == PAID


def test_a_gitignore_of_a_person_is_left_alone(film: Film) -> None:
    film.list(SHOTS)
    film.pipeline(ledger="ledgers")
    (film.folder / "ledgers").mkdir()
    own = "runs/\nlock\n!lock/keep\n# mine\n"
    (film.folder / "ledgers/.gitignore").write_text(own)
    assert film.run().statuses == PAID
    assert (film.folder / "ledgers/.gitignore").read_text() == own


# --- what our own files hide -----------------------------------------------------------------------

FIRST = """\
# The ledger (state/ and ledger.json) belongs into git; these don't.
lock
runs/
rescue/
*.simulated/
.new-*
"""


def committed(film: Film) -> set[str]:
    """Put everything but the videos into a repository; the names that are in it."""
    (film.folder / ".git/info").mkdir(parents=True, exist_ok=True)
    git(film.folder, "init", "-q")
    (film.folder / ".git/info/exclude").write_text("renders/\n")
    git(film.folder, "add", ".")
    return set(git(film.folder, "ls-files").splitlines())


@cases("name", ["runs", "ledger.json", "rescue", "lock", "state", ".new-film"])
def test_a_list_may_be_called_as_a_folder_of_ours(film: Film, gateway: Simulator, name: str) -> None:
    film.list(SHOTS, name=f"{name}.yaml")
    assert film.run(manifest=f"{name}.yaml").statuses == PAID
    assert film.run("--simulate", manifest=f"{name}.yaml").statuses == PAID
    ours = {path for path in committed(film) if path.startswith(".veopipe/")}
    ledger = {f".veopipe/{name}/{file}" for file in ("ledger.json", "state/a.json", "state/b.json")}
    assert ours - {f".veopipe/{file}.schema.json" for file in ("manifest", "pipeline")} == {
        ".veopipe/.gitignore",
        *ledger,
    }


@pytest.mark.parametrize("own", ["", "*.mov\n!keep.mov\n"])
def test_the_gitignore_of_an_older_veopipe_is_mended(film: Film, gateway: Simulator, own: str) -> None:
    film.list(SHOTS, name="runs.yaml")
    (film.folder / ".veopipe").mkdir()
    (film.folder / ".veopipe/.gitignore").write_text(FIRST + own)
    assert film.run(manifest="runs.yaml").statuses == PAID
    assert {".veopipe/runs/ledger.json", ".veopipe/runs/state/a.json"} <= committed(film)
    assert (film.folder / ".veopipe/.gitignore").read_text().endswith(own)


@cases("ignored", ["state/", "state", "*.json", "ledger.json", "a.json", "**/state/*", ".veopipe/*", "lock\n*.json"])
def test_a_gitignore_of_the_project_does_not_hide_a_ledger(film: Film, gateway: Simulator, ignored: str) -> None:
    film.list(SHOTS)
    (film.folder / ".gitignore").write_text(f"{ignored}\n")
    assert film.run().statuses == PAID
    assert {f".veopipe/shots/{name}" for name in ("ledger.json", "state/a.json", "state/b.json")} <= committed(film)


@pytest.mark.parametrize("ignored", [".veopipe/", ".*"])
def test_a_gitignore_that_hides_the_whole_ledger_is_said_before_the_first_purchase(
    film: Film, gateway: Simulator, ignored: str
) -> None:
    film.list(SHOTS)
    git(film.folder, "init", "-q")
    (film.folder / ".gitignore").write_text(f"# ours\n{ignored}\n")
    run = film.run()
    assert "git ignores .veopipe/shots (.gitignore:2" in run.err
    assert run.statuses == PAID


# --- what is missing -------------------------------------------------------------------------------


@pytest.fixture
def nightly(film: Film, gateway: Simulator) -> Film:
    """A film that requires its ledger, bought and without its videos, as a checkout has it."""
    film.list(SHOTS)
    film.pipeline(provider__require_ledger=True)
    assert film.run("--new-ledger").statuses == PAID
    as_checked_out(film)
    return film


def as_checked_out(film: Film) -> None:
    """Remove what git leaves out: videos, and what this machine remembers."""
    shutil.rmtree(film.folder / "renders")
    shutil.rmtree(film.folder / ".veopipe/shots/runs")


def counts(film: Film) -> list[int]:
    """How often each order was made, by the ledger's own word."""
    attempts = ledger_of(film)["attempts"]
    assert isinstance(attempts, dict)
    return sorted(attempts.values())


def state_of(film: Film, shot: str) -> Path:
    return film.folder / f".veopipe/shots/state/{shot}.json"


def test_a_ledger_says_what_it_stands_for(nightly: Film) -> None:
    keys = {nightly.state(shot)["takes"][0]["fingerprint"][:16] for shot in SHOTS}
    assert ledger_of(nightly)["attempts"] == dict.fromkeys(sorted(keys), 1)


@pytest.mark.slow
@cases("lost", [["a"], ["b"], ["a", "b"]])
@pytest.mark.parametrize("required", [True, False])
def test_states_that_a_checkout_left_out_hold_what_they_would_buy(
    nightly: Film, gateway: Simulator, lost: list[str], required: bool
) -> None:
    nightly.pipeline(provider__require_ledger=required)
    kept = {shot: state_of(nightly, shot).read_bytes() for shot in lost}
    for shot in lost:
        state_of(nightly, shot).unlink()
    for _ in range(2):  # tonight and tomorrow night
        run = nightly.run()
        assert (run.code, len(gateway.ledger)) == (6, 2)
        assert all(run.shots[shot]["status"] == "pending" for shot in lost)
        assert all("--write-off" in run.shots[shot]["reason"] for shot in lost)
    assert counts(nightly) == [1, 1]
    plan = nightly.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert {row["action"] for row in plan["shots"] if row["shot"] in lost} == {"hold"}
    for shot, content in kept.items():
        state_of(nightly, shot).write_bytes(content)
    assert nightly.run(yes=False).statuses == PAID
    assert len(gateway.ledger) == 2


def test_a_lost_order_is_held_wherever_it_is_wanted_now_and_nothing_else_is(nightly: Film, gateway: Simulator) -> None:
    """Renumbered, exchanged or under a new id; a shot of another text is bought as ever."""
    state_of(nightly, "a").unlink()
    nightly.list({"a": "put in front", "b": SHOTS["a"], "c": SHOTS["b"]})
    run = nightly.run("--new-ledger")
    assert (run.code, run.statuses) == (6, {"a": "verified", "b": "pending", "c": "verified"})
    assert "it was ordered before" in run.shots["b"]["reason"]
    assert len(gateway.ledger) == 3
    assert nightly.run("--only", "b").code == 6
    assert len(gateway.ledger) == 3


def test_a_state_that_is_older_than_its_ledger_buys_nothing_again(nightly: Film, gateway: Simulator) -> None:
    older = state_of(nightly, "a").read_bytes()
    nightly.list({**SHOTS, "a": "the first, edited"})
    assert nightly.run().shots["a"]["take"] == 2
    as_checked_out(nightly)
    state_of(nightly, "a").write_bytes(older)
    run = nightly.run()
    assert (run.code, len(gateway.ledger)) == (6, 3)
    assert "it was ordered before" in run.shots["a"]["reason"]
    assert nightly.command("verify", "shots.yaml", "-p", "quick.yaml", "--format", "json").code == 6


def test_an_older_version_of_the_whole_ledger_buys_nothing_again_on_the_machine_that_bought(
    nightly: Film, gateway: Simulator
) -> None:
    """`git stash`, `git checkout .`, another branch: states and count go back together."""
    older = {path: path.read_bytes() for path in (nightly.folder / ".veopipe/shots").rglob("*.json")}
    nightly.list({**SHOTS, "a": "the first, edited"})
    assert nightly.run().code == 0
    shutil.rmtree(nightly.folder / "renders")
    for path, content in older.items():
        path.write_bytes(content)
    run = nightly.run()
    assert (run.code, len(gateway.ledger)) == (6, 3)
    nightly.list(SHOTS)
    assert nightly.run().statuses == PAID
    assert len(gateway.ledger) == 3


def test_what_is_gone_for_good_is_bought_again_when_a_person_says_so(nightly: Film, gateway: Simulator) -> None:
    state_of(nightly, "a").unlink()
    assert nightly.run().code == 6
    listed = nightly.command("resolve", "shots.yaml", "-p", "quick.yaml")
    assert "a: it was ordered before" in listed.err
    given_up = nightly.command("resolve", "shots.yaml", "a", "--write-off", "-p", "quick.yaml", "--format", "json")
    assert given_up.document == {"exit_code": 0, "shot": "a", "take": None, "status": "pending"}
    run = nightly.run()
    assert (run.code, run.statuses, len(gateway.ledger)) == (0, PAID, 3)
    assert nightly.command("resolve", "shots.yaml", "a", "--write-off", "-p", "quick.yaml").code == 2


def test_a_run_that_is_killed_has_counted_what_it_bought(
    film: Film, gateway: Simulator, until: Callable[[Callable[[], object]], None]
) -> None:
    film.list(SHOTS)
    film.pipeline(provider__require_ledger=True, poll__timeout="5m")
    gateway.order_fault("stuck_in_progress", times=2)
    run: Started = film.start(*film.arguments("--new-ledger"))
    until(lambda: len(gateway.ledger) == 2 and counts(film) == [1, 1])
    assert run.process.poll() is None, "counted at the end only"
    run.process.kill()
    run.result()
    gateway.clear_faults()
    shutil.rmtree(film.folder / ".veopipe/shots/state")
    as_checked_out(film)
    assert (film.run().code, len(gateway.ledger)) == (6, 2)


def test_the_ledger_of_an_older_veopipe_is_counted_by_a_run_with_nothing_to_do(
    bought: Film, gateway: Simulator
) -> None:
    path = bought.folder / ".veopipe/shots/ledger.json"
    path.write_text(json.dumps({key: value for key, value in ledger_of(bought).items() if key != "attempts"}))
    (bought.folder / ".veopipe/shots/runs/ledger.json").unlink()
    assert bought.run(yes=False).code == 0
    assert counts(bought) == [1, 1]
    before = path.stat().st_mtime_ns
    assert bought.run(yes=False).code == 0
    assert path.stat().st_mtime_ns == before


def test_a_count_that_is_gone_while_states_are_there_is_said_and_where_a_ledger_is_required_nothing_is_bought(
    nightly: Film, gateway: Simulator
) -> None:
    (nightly.folder / ".veopipe/shots/ledger.json").unlink()
    state_of(nightly, "a").unlink()
    run = nightly.run()
    assert (run.code, len(gateway.ledger)) == (6, 2)
    assert "ledger.json, which counts what was made, isn't here" in run.document["error"]
    assert "git checkout -- .veopipe/shots/ledger.json" in run.document["hint"]
    nightly.pipeline()
    assert "which counts what was made, isn't here: 1 shot will be bought" in nightly.run().err


def test_a_run_that_holds_everything_begins_no_ledger(nightly: Film, gateway: Simulator) -> None:
    """It would be one that counts nothing, and pass for the ledger that a pipeline requires."""
    assert nightly.run().code == 0  # the videos are fetched again
    (nightly.folder / "renders/shots/.ledger").unlink()
    shutil.rmtree(nightly.folder / ".veopipe")
    assert nightly.run().code == 6
    assert not (nightly.folder / ".veopipe/shots").exists()
    shutil.rmtree(nightly.folder / "renders")
    assert (nightly.run().code, len(gateway.ledger)) == (6, 2)


@pytest.mark.slow
def test_a_rehearsal_misses_nothing(film: Film) -> None:
    film.list(SHOTS)
    assert film.run("--simulate").statuses == PAID
    shutil.rmtree(film.folder / ".veopipe/shots.simulated/state")
    shutil.rmtree(film.folder / "renders")
    assert film.run("--simulate").statuses == PAID


def test_shots_that_change_ids_change_no_count(nightly: Film, gateway: Simulator) -> None:
    nightly.list({"first": "put in front", "a": SHOTS["b"], "c": SHOTS["a"]})
    assert set(nightly.run().statuses.values()) == {"verified"}
    assert counts(nightly) == [1, 1, 1]
    assert len(gateway.ledger) == 3


def test_a_ledger_in_which_git_left_both_sides_of_a_conflict_says_both(nightly: Film, gateway: Simulator) -> None:
    path = nightly.folder / ".veopipe/shots/ledger.json"
    git(nightly.folder, "init", "-q", "-b", "main")
    git(nightly.folder, "add", ".")
    git(nightly.folder, "commit", "-qm", "both were bought")
    for branch, shot in (("night", "c"), ("day", "d")):
        git(nightly.folder, "checkout", "-q", "-B", branch, "main")
        nightly.list({**SHOTS, shot: f"bought by {branch}"})
        assert nightly.run().code == 0
        git(nightly.folder, "add", ".veopipe")
        git(nightly.folder, "commit", "-qm", branch)
        git(nightly.folder, "checkout", "-q", "-f", ".")
    merge = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "merge", "-q", "night"]
    assert subprocess.run(merge, cwd=nightly.folder, capture_output=True).returncode == 1
    assert "<<<<<<<" in path.read_text()
    as_checked_out(nightly)
    nightly.list({**SHOTS, "c": "bought by night", "d": "bought by day"})
    assert (nightly.run().code, len(gateway.ledger)) == (0, 4)
    assert counts(nightly) == [1, 1, 1, 1]


# --- what isn't a state ----------------------------------------------------------------------------


@cases("name", ["._a.json", "a (conflicted copy 2026-11-26).json", "a 2.json", "a (1).json", "a.sync-conflict-1.json"])
@pytest.mark.parametrize("content", ["a copy", "bytes of another program"])
def test_a_file_whose_name_no_shot_can_have_is_no_state_and_is_named(
    bought: Film, gateway: Simulator, name: str, content: str
) -> None:
    state = bought.folder / ".veopipe/shots/state"
    (state / name).write_bytes((state / "a.json").read_bytes() if content == "a copy" else b"\0\5\x16\7")
    bought.list({**SHOTS, "c": "a third one"})
    run = bought.run()
    assert (run.code, run.statuses, len(gateway.ledger)) == (0, {**PAID, "c": "verified"}, 3)
    assert f"{name} is no state file" in run.err
    assert run.document["cost_usd"]["charged"] == "0.90"
    for words in (["plan"], ["status"], ["verify"]):
        assert f"{name} is no state file" in bought.command(*words, "shots.yaml", "-p", "quick.yaml").err
    assert (state / name).exists()


def test_a_copy_under_a_name_that_a_shot_could_have_is_no_state(bought: Film, gateway: Simulator) -> None:
    state = bought.folder / ".veopipe/shots/state"
    shutil.copy(state / "a.json", state / "a-LAPTOP.json")
    run = bought.run(yes=False)
    assert (run.code, run.document["cost_usd"]["charged"]) == (0, "0.60")
    assert "a-LAPTOP.json is no state file" in run.err


def test_a_copy_that_knows_more_than_the_state_holds_the_shot(bought: Film, gateway: Simulator) -> None:
    state = bought.folder / ".veopipe/shots/state"
    older = (state / "a.json").read_bytes()
    bought.list({**SHOTS, "a": "the first, edited"})
    assert bought.run().code == 0
    (state / "a.json").rename(state / "a-LAPTOP.json")
    (state / "a.json").write_bytes(older)
    run = bought.run()
    assert (run.code, len(gateway.ledger)) == (6, 3)
    assert "a-LAPTOP.json" in run.shots["a"]["reason"]
    kept = json.loads((state / "a-LAPTOP.json").read_text("utf-8"))
    (state / "a-LAPTOP.json").write_text(json.dumps({**kept, "shot": "a-LAPTOP"}), "utf-8")
    bought.list(SHOTS)
    assert bought.run().statuses == PAID
    assert len(gateway.ledger) == 3


@pytest.mark.slow
@cases("placeholder", [".{}.icloud", "{}.nextcloud", "{}.owncloud", "{}.cloud"])
@pytest.mark.parametrize("counted", [True, False])
def test_a_placeholder_of_a_state_holds_its_shot_by_name(
    bought: Film, gateway: Simulator, placeholder: str, counted: bool
) -> None:
    if not counted:
        path = bought.folder / ".veopipe/shots/ledger.json"
        path.write_text(json.dumps({key: value for key, value in ledger_of(bought).items() if key != "attempts"}))
    state = bought.folder / ".veopipe/shots/state"
    (state / "a.json").rename(state / placeholder.format("a.json"))
    shutil.rmtree(bought.folder / "renders")
    bought.list({**SHOTS, "c": "a third one"})
    run = bought.run()
    assert (run.code, len(gateway.ledger)) == (6, 3)
    assert run.statuses == {"a": "pending", "b": "verified", "c": "verified"}
    assert "its state file isn't here: a" in run.shots["a"]["reason"]


def test_a_ledger_json_that_a_sync_client_keeps_elsewhere_is_not_a_new_ledger(bought: Film, gateway: Simulator) -> None:
    folder = bought.folder / ".veopipe/shots"
    (folder / "ledger.json").rename(folder / ".ledger.json.icloud")
    for shot in SHOTS:
        (folder / f"state/{shot}.json").rename(folder / f"state/.{shot}.json.icloud")
    shutil.rmtree(bought.folder / "renders")
    run = bought.run()
    assert (run.code, len(gateway.ledger)) == (6, 2)
    assert "ledger.json isn't here: an iCloud placeholder in place of the file" in run.document["error"]
