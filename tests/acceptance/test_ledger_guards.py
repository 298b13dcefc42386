"""What was bought is never bought again: copies, names, spellings, and whose folder is whose."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.fork import Mishap

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
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


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def committed(film: Film) -> None:
    """Commit the film as the README says: everything but the videos."""
    (film.folder / ".gitignore").write_text("renders/\n")
    git(film.folder, "init", "-q")
    git(film.folder, "add", ".")
    git(film.folder, "commit", "-q", "-m", "the film")


def printed_command(result: Result) -> str:
    """The command that an error told a person to run."""
    found = re.search(r"(?m)(?:^|: )((?:mv|rm) .*)$", result.document["hint"])
    assert found is not None, result.out
    return found[1]


def carried_out(film: Film, command: str) -> None:
    subprocess.run(["sh", "-c", command], cwd=film.folder, check=True, capture_output=True)


# --- copies and clones -----------------------------------------------------------------------------


@pytest.mark.shows("a clone, a cleaned checkout, renamed lists and shots")
def test_a_fresh_clone_buys_nothing_and_gets_the_videos_again(
    bought: Film, gateway: Simulator, make_film: Callable[[str], Film]
) -> None:
    committed(bought)
    clone = make_film("clone")
    (clone.folder / "quick.yaml").unlink()
    git(bought.folder, "clone", "-q", str(bought.folder), str(clone.folder))
    assert not (clone.folder / "renders").exists()
    assert not (clone.folder / ".veopipe/shots/lock").exists()
    run = clone.run(yes=False)
    assert run.statuses == PAID
    assert clone.finished("a").read_bytes() == bought.finished("a").read_bytes()
    assert len(gateway.ledger) == 2


def test_a_fresh_clone_without_a_key_or_a_gateway_buys_nothing_and_says_that_the_file_is_missing(
    bought: Film, gateway: Simulator, make_film: Callable[[str], Film]
) -> None:
    committed(bought)
    clone = make_film("clone")
    (clone.folder / "quick.yaml").unlink()
    git(bought.folder, "clone", "-q", str(bought.folder), str(clone.folder))
    del clone.environment["VEOPIPE_API_KEY"]
    run = clone.run()
    assert (run.code, run.statuses) == (0, PAID)
    assert run.shots["a"]["file"] is None
    assert len(gateway.ledger) == 2


@pytest.mark.shows("a clone, a cleaned checkout, renamed lists and shots")
def test_a_copied_ledger_is_refused_and_the_printed_command_helps(bought: Film, gateway: Simulator) -> None:
    bought.list(SHOTS, "other.yaml")
    shutil.copytree(bought.folder / ".veopipe/shots", bought.folder / ".veopipe/other")
    run = bought.run(manifest="other.yaml")
    assert run.code == 2
    assert "shots.yaml" in run.document["error"]
    carried_out(bought, printed_command(run))
    assert not (bought.folder / ".veopipe/other").exists()
    assert len(gateway.ledger) == 2


def test_an_output_folder_of_another_ledger_is_refused(bought: Film, gateway: Simulator) -> None:
    shutil.move(bought.folder / ".veopipe", bought.folder / "elsewhere")
    bought.list({"c": "something else"})
    for words in ((), ("--new-ledger",)):
        run = bought.run(*words)
        assert run.code == 2
        assert "another ledger" in run.document["error"]
    shutil.move(bought.folder / "elsewhere", bought.folder / ".veopipe")
    (bought.folder / "renders/shots/.ledger").write_text("0" * 32 + "\n")
    assert bought.run().code == 2
    assert len(gateway.ledger) == 2


# --- names and spellings ---------------------------------------------------------------------------


@pytest.mark.shows("a clone, a cleaned checkout, renamed lists and shots")
def test_a_renamed_list_stops_and_after_the_printed_command_nothing_is_bought(bought: Film, gateway: Simulator) -> None:
    (bought.folder / "shots.yaml").rename(bought.folder / "my film.yaml")
    run = bought.run(manifest="my film.yaml")
    assert run.code == 2
    carried_out(bought, printed_command(run))
    again = bought.run(manifest="my film.yaml", yes=False)
    assert (again.code, again.statuses) == (0, PAID)
    assert bought.finished("a", "my film").exists()
    assert len(gateway.ledger) == 2


def test_the_printed_command_brings_verdicts_and_the_videos_of_other_pipelines_along(
    bought: Film, gateway: Simulator
) -> None:
    """Else a pick would protect its shot no longer, and videos that are there would be missed."""
    bought.pipeline("draft.yaml", output="renders/draft", overrides={"seconds": 6})
    assert bought.run("-p", "draft.yaml").statuses == PAID
    said = bought.command("review", "shots.yaml", "a", "--pick", "2", "-p", "draft.yaml")
    assert (said.code, len(gateway.charged)) == (0, 4)
    (bought.folder / "shots.yaml").rename(bought.folder / "film.yaml")
    (bought.folder / "review/film").mkdir()  # of a list that was called so before
    (bought.folder / "review/film/a.001.yaml").write_text("file: sha256:0123456789ab\nverdict: pick\n")

    carried_out(bought, printed_command(bought.run(manifest="film.yaml")))

    assert [path.name for path in (bought.folder / "review/film").iterdir()] == ["a.002.yaml"]
    bought.list({"a": "another text", "b": SHOTS["b"]}, "film.yaml")
    run = bought.run("-p", "draft.yaml", manifest="film.yaml")
    assert (run.code, run.statuses, run.shots["a"]["take"]) == (0, PAID, 2)
    assert bought.command("verify", "film.yaml", "-p", "quick.yaml").code == 0
    assert len(gateway.ledger) == 4


def test_the_printed_command_works_after_any_command_had_a_look_first(bought: Film, gateway: Simulator) -> None:
    (bought.folder / "shots.yaml").rename(bought.folder / "film.yaml")
    bought.command("status", "film.yaml", "-p", "quick.yaml")
    bought.command("verify", "film.yaml", "-p", "quick.yaml")
    assert bought.run(manifest="film.yaml").code == 2
    run = bought.run(manifest="film.yaml")
    assert run.code == 2
    carried_out(bought, printed_command(run))
    again = bought.run(manifest="film.yaml", yes=False)
    assert (again.code, again.statuses) == (0, PAID)
    assert len(gateway.ledger) == 2


def test_a_list_of_its_own_starts_with_new_ledger(bought: Film, gateway: Simulator) -> None:
    (bought.folder / "shots.yaml").unlink()
    bought.list({"c": "another film"}, "film.yaml")
    assert bought.run(manifest="film.yaml").code == 2
    assert len(gateway.ledger) == 2
    run = bought.run("--new-ledger", manifest="film.yaml")
    assert run.statuses == {"c": "verified"}
    assert "no ledger here: 1 shot will be bought" in run.err


def test_a_list_of_the_same_stem_is_refused_and_the_printed_command_helps(bought: Film, gateway: Simulator) -> None:
    bought.list(SHOTS, "shots.yml")
    run = bought.run(manifest="shots.yml")
    assert run.code == 2
    carried_out(bought, printed_command(run))
    assert bought.run().statuses == PAID
    assert len(gateway.ledger) == 2


def test_a_list_named_like_a_rehearsal_is_refused(film: Film, gateway: Simulator) -> None:
    film.list(SHOTS, "shots.simulated.yaml")
    assert film.run(manifest="shots.simulated.yaml").code == 2
    assert gateway.ledger == []


@pytest.mark.shows("a clone, a cleaned checkout, renamed lists and shots")
def test_renamed_shots_take_their_takes_over(bought: Film, gateway: Simulator) -> None:
    bought.list({"z": SHOTS["a"], "b": SHOTS["b"]})
    here = ("--base-url", bought.base_url)
    planned = bought.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json", *here).document
    assert [entry["action"] for entry in planned["shots"]] == ["rename", "keep"]
    run = bought.run(yes=False)
    assert (run.code, run.statuses) == (0, {"z": "verified", "b": "verified"})
    assert run.shots["z"]["file"] == "renders/shots/z.mp4"
    assert not (bought.folder / ".veopipe/shots/state/a.json").exists()
    bought.list(SHOTS)
    assert bought.run().statuses == PAID
    assert len(gateway.ledger) == 2


def test_two_shots_that_swap_their_names_and_texts_buy_nothing_that_they_have(bought: Film, gateway: Simulator) -> None:
    bought.list({"x": SHOTS["b"], "y": SHOTS["a"]})
    assert bought.run(yes=False).statuses == {"x": "verified", "y": "verified"}
    assert len(gateway.ledger) == 2


def test_shots_that_exchange_their_ids_buy_nothing_and_their_names_follow(bought: Film, gateway: Simulator) -> None:
    takes = bought.folder / "renders/shots/takes"
    first, second = takes / "a.001.mp4", takes / "b.001.mp4"
    bought.list({"a": SHOTS["b"], "b": SHOTS["a"]})
    looked = bought.command("status", "shots.yaml", "--format", "json").document["shots"]
    assert [looked[shot]["status"] for shot in "ab"] == ["verified", "verified"]
    run = bought.run(yes=False)
    assert (run.code, run.statuses) == (0, PAID)
    assert bought.finished("a").samefile(second)
    assert bought.finished("b").samefile(first)
    assert bought.run(yes=False).statuses == PAID
    assert len(gateway.ledger) == 2


def test_a_shot_put_in_front_of_a_numbered_list_is_all_that_is_bought(bought: Film, gateway: Simulator) -> None:
    bought.list({"a": "put in front", "b": SHOTS["a"], "c": SHOTS["b"]})
    looked = bought.command("status", "shots.yaml", "--format", "json").document["shots"]
    assert {shot: row["status"] for shot, row in looked.items()} == {"a": "pending", "b": "verified", "c": "verified"}
    run = bought.run()
    assert (run.code, run.statuses) == (0, {"a": "verified", "b": "verified", "c": "verified"})
    assert [create["prompt"] for create in gateway.ledger] == [*SHOTS.values(), "put in front"]
    for shot, prompt in {"a": "put in front", "b": SHOTS["a"], "c": SHOTS["b"]}.items():
        take = next(take for take in bought.state(shot)["takes"] if take["order"]["prompt"] == prompt)
        assert bought.finished(shot).samefile(bought.folder / "renders/shots/takes" / take["file"]["name"])


def test_half_a_download_of_a_shot_that_changed_ids_holds_nobody(
    film: Film, gateway: Simulator, until: Callable[[Callable[[], object]], None]
) -> None:
    film.list({"a": "first", "b": "second"})
    gateway.order_fault("stall", times=2)
    run = film.start(*film.arguments())
    until(lambda: len(list(film.folder.glob("renders/shots/takes/.*.part"))) == 2)
    run.signal(signal.SIGKILL)
    run.result()
    film.list({"a": "put in front", "b": "first", "c": "second"})
    assert set(film.run().statuses.values()) == {"verified"}
    assert len(gateway.ledger) == 3


def test_a_renamed_shot_keeps_the_file_that_was_downloaded_and_not_judged_yet(film: Film, gateway: Simulator) -> None:
    film.list({"old": "downloaded once"})
    film.start(*film.arguments(), first=Mishap("kill", "measure")).result()
    film.list({"new": "downloaded once"})
    assert film.run(yes=False).statuses == {"new": "verified"}
    assert sum("content" in entry["path"] for entry in gateway.wire) == 1


def test_an_older_take_that_comes_late_leaves_the_finished_name_to_the_wanted_one(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "first text"})
    film.pipeline(poll__timeout="200ms")
    gateway.order_fault("unknown_first", times=30)
    assert film.run().statuses == {"a": "parked"}
    gateway.clear_faults()
    film.pipeline()
    gateway.order_fault("lag_404", seconds=2, match={"prompt": "first"})
    film.list({"a": "second text"})
    run = film.run()
    assert (run.code, run.shots["a"]["take"], run.shots["a"]["file"]) == (0, 2, "renders/shots/a.mp4")
    takes = film.folder / "renders/shots/takes"
    assert {path.name for path in takes.glob("*.mp4")} == {"a.001.mp4", "a.002.mp4"}
    assert film.finished("a").samefile(takes / "a.002.mp4")


def test_a_paid_take_of_an_older_text_that_is_still_open_is_said_and_keeps_the_code_at_4(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "first text"})
    film.pipeline(poll__timeout="200ms")
    gateway.order_fault("stuck_in_progress")
    assert film.run().code == 4
    film.list({"a": "second text"})
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "verified"})
    assert "take 1 is still parked" in run.shots["a"]["reason"]
    gateway.clear_faults()
    assert film.run().code == 0


def test_a_wider_tolerance_gives_an_older_take_its_due_but_not_the_finished_name(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "first text"})
    gateway.order_fault("wrong_duration", seconds=5)
    assert film.run().statuses == {"a": "mismatched"}
    film.list({"a": "second text"})
    assert film.run().code == 0
    film.pipeline(verify__duration_tolerance="2s")
    assert film.command("verify", "shots.yaml", "-p", "quick.yaml", "--format", "json").code == 0
    assert [take["status"] for take in film.state("a")["takes"]] == ["verified"] * 2
    assert film.finished("a").samefile(film.folder / "renders/shots/takes/a.002.mp4")


SPELLINGS = {
    "quoted": 'version: 1\ndefaults: {"model": \'veo-3.1-fast-generate-preview\', seconds: "4"}\n'
    "shots:\n  a: {prompt: 'the first of the list'}\n  b: {prompt: \"the second of the list\"}\n",
    "ordered otherwise, with comments": "# a comment\nshots:\n  b:\n    seconds: 4   # short\n"
    "    prompt: the second of the list\n    model: veo-3.1-fast-generate-preview\n"
    "  a:\n    notes: changed\n    tags: [x]\n    prompt: >-\n      the first\n      of the list\n"
    "    seconds: 4\n    model: veo-3.1-fast-generate-preview\nversion: 1\n",
    "defaults written out": "version: 1\ndefaults: &d {model: veo-3.1-fast-generate-preview, seconds: 4, "
    "resolution: 720p, aspect_ratio: 16:9, take: 1, seed: null}\nshots:\n  a: {prompt: '  the first of the list  '}\n"
    "  b: {prompt: the second of the list, size: 1280x720, negative_prompt: null}\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_buys_nothing(bought: Film, gateway: Simulator, spelling: str) -> None:
    (bought.folder / "shots.yaml").write_text(spelling, "utf-8")
    run = bought.run(yes=False)
    assert (run.code, run.statuses) == (0, PAID)
    assert len(gateway.ledger) == 2


def test_moved_pictures_buy_nothing_and_changed_ones_are_a_new_take(film: Film, gateway: Simulator) -> None:
    shot = {"prompt": "from a picture", "input_reference": film.picture("one.png")}
    film.list({"a": shot})
    assert film.run().statuses == {"a": "verified"}
    (film.folder / "refs").mkdir()
    (film.folder / "one.png").rename(film.folder / "refs/first.png")
    film.list({"a": {**shot, "input_reference": "refs/first.png"}})
    assert film.run(yes=False).statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1
    film.picture("refs/first.png", shade=200)
    assert film.run().shots["a"]["take"] == 2
    assert len(gateway.ledger) == 2


def test_an_edited_shot_is_a_new_take_and_going_back_finds_the_earlier_one(bought: Film, gateway: Simulator) -> None:
    first = bought.finished("a").read_bytes()
    bought.list({**SHOTS, "a": "the first, edited"})
    assert bought.run().shots["a"]["take"] == 2
    second = bought.finished("a").read_bytes()
    assert second != first
    bought.list(SHOTS)
    back = bought.run(yes=False)
    assert (back.code, back.shots["a"]["take"]) == (0, 1)
    assert bought.finished("a").read_bytes() == first
    bought.list({**SHOTS, "a": {"prompt": SHOTS["a"], "take": 2}})
    assert bought.run().shots["a"]["take"] == 3
    assert len(gateway.ledger) == 4
    assert len(list((bought.folder / "renders/shots/takes").glob("a.*.mp4"))) == 3


# --- what is missing -------------------------------------------------------------------------------


@pytest.mark.shows("a clone, a cleaned checkout, renamed lists and shots")
def test_takes_that_no_state_file_knows_hold_their_shot(bought: Film, gateway: Simulator) -> None:
    (bought.folder / ".veopipe/shots/state/a.json").unlink()
    run = bought.run()
    assert (run.code, run.statuses) == (6, {"a": "pending", "b": "verified"})
    assert "a.001.mp4" in run.shots["a"]["reason"]
    shutil.rmtree(bought.folder / ".veopipe")
    run = bought.run("--new-ledger")
    assert run.code in {2, 6}
    assert len(gateway.ledger) == 2


@pytest.mark.parametrize("folder", [".veopipe/shots/state", "renders/shots/takes"])
def test_a_folder_that_cannot_be_read_stops_the_run_before_anything_is_bought(
    bought: Film, gateway: Simulator, folder: str
) -> None:
    place = bought.folder / folder
    shutil.rmtree(place)
    place.symlink_to(place.name)  # as good as one that belongs to somebody else
    bought.list({**SHOTS, "c": "a third one"})
    for words in (bought.arguments(), ["status", "shots.yaml", "-p", "quick.yaml", "--format", "json"]):
        ended = bought.command(*words)
        assert (ended.document["exit_code"], folder in ended.document["error"]) == (6, True)
    assert len(gateway.ledger) == 2


def test_a_folder_that_takes_no_video_stops_the_run_before_anything_is_bought(bought: Film, gateway: Simulator) -> None:
    bought.list({**SHOTS, "c": "a third one"})
    takes = bought.folder / "renders/shots/takes"
    takes.chmod(0o555)
    program: tuple[str, ...] = (sys.executable, "-m", "veopipe")
    if os.access(takes, os.W_OK):  # root, whom no permission stops
        if shutil.which("setpriv") is None:
            pytest.skip("only root here, and no setpriv to be less")
        program = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", *program)
    ended = bought.start(*bought.arguments(), program=program).result()
    takes.chmod(0o755)
    assert (ended.document["exit_code"], "takes/ in it can't be written" in ended.document["error"]) == (6, True)
    assert len(gateway.ledger) == 2


def of_an_older_veopipe(film: Film) -> None:
    """Take out of `ledger.json` what the first versions didn't write, and what they didn't remember."""
    (film.folder / ".veopipe/shots/runs/ledger.json").unlink()
    path = film.folder / ".veopipe/shots/ledger.json"
    path.write_text(
        json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "attempts"})
    )


def test_an_older_ledger_without_a_single_state_file_is_said_to_be_empty(bought: Film, gateway: Simulator) -> None:
    of_an_older_veopipe(bought)
    shutil.rmtree(bought.folder / ".veopipe/shots/state")
    shutil.rmtree(bought.folder / "renders")
    run = bought.run(yes=False)
    assert (run.code, len(gateway.ledger)) == (2, 2)
    assert "the ledger here knows of no shot: .veopipe/shots has no state files: 2 shots will be bought" in run.err
    bought.pipeline(provider__require_ledger=True)
    run = bought.run()
    assert (run.code, len(gateway.ledger)) == (6, 2)
    assert ".veopipe/shots has no state files, and this pipeline requires a ledger" in run.document["error"]
    assert "--new-ledger" in run.document["hint"]


def test_an_unreadable_state_file_holds_its_shot_and_the_others_run(bought: Film, gateway: Simulator) -> None:
    (bought.folder / ".veopipe/shots/state/a.json").write_text("{half")
    bought.list({**SHOTS, "c": "a third one"})
    run = bought.run()
    assert (run.code, run.statuses) == (6, {"a": "unreadable", "b": "verified", "c": "verified"})
    assert (bought.folder / ".veopipe/shots/state/a.json").read_text() == "{half"
    for words in (("verify",), ("resolve", "a", "--write-off")):
        ended = bought.command(words[0], "shots.yaml", *words[1:], "-p", "quick.yaml", "--format", "json")
        assert ended.document["exit_code"] == 6
    assert "a: its state file can't be understood" in bought.command("resolve", "shots.yaml").err
    assert len(gateway.ledger) == 3


def test_what_no_state_file_could_hold_is_not_bought_and_the_others_run(film: Film, gateway: Simulator) -> None:
    film.list({"a": "\u754c" * 400_000, "b": "short"})
    run = film.run()
    assert (run.code, run.statuses) == (6, {"a": "pending", "b": "verified"})
    assert "too long" in run.shots["a"]["reason"]
    assert len(gateway.ledger) == 1


def test_a_finished_name_that_is_gone_is_linked_again_without_network(bought: Film, gateway: Simulator) -> None:
    bought.finished("a").unlink()
    asked = len(gateway.wire)
    assert bought.run(yes=False).shots["a"]["file"] == "renders/shots/a.mp4"
    assert bought.finished("a").samefile(bought.folder / "renders/shots/takes/a.001.mp4")
    assert len(gateway.wire) == asked


def test_a_take_that_is_gone_is_taken_from_the_finished_name_and_then_from_the_gateway(
    bought: Film, gateway: Simulator
) -> None:
    take, content = bought.folder / "renders/shots/takes/a.001.mp4", bought.finished("a").read_bytes()
    take.unlink()
    assert bought.run(yes=False).code == 0
    assert take.samefile(bought.finished("a"))
    shutil.rmtree(bought.folder / "renders")
    assert bought.run(yes=False).shots["a"]["file"] == "renders/shots/a.mp4"
    assert take.read_bytes() == content
    assert len(gateway.ledger) == 2


def test_a_file_of_the_users_at_the_finished_name_is_left_alone(film: Film, gateway: Simulator) -> None:
    film.list(SHOTS)
    film.finished("a").parent.mkdir(parents=True)
    film.finished("a").write_bytes(b"my own cut")
    run = film.run()
    assert (run.code, run.statuses) == (0, PAID)
    assert film.finished("a").read_bytes() == b"my own cut"
    assert run.shots["a"]["file"] == "renders/shots/takes/a.001.mp4"
    assert "left alone" in run.err
    assert film.run().code == 0
    assert len(gateway.ledger) == 2


# --- who may start one -----------------------------------------------------------------------------


def test_a_pipeline_that_requires_a_ledger_buys_nothing_without_one(film: Film, gateway: Simulator) -> None:
    film.list(SHOTS)
    film.pipeline(provider__require_ledger=True)
    run = film.run()
    assert run.code == 6
    assert "--new-ledger" in run.document["hint"]
    assert gateway.wire == []
    assert film.run("--new-ledger").statuses == PAID
    film.list({**SHOTS, "c": "a third one"})
    assert film.run().code == 0
    assert len(gateway.ledger) == 3


@pytest.mark.shows("lock held, holder killed, child left behind")
def test_of_two_runs_at_once_one_is_told_to_wait(film: Film, gateway: Simulator) -> None:
    film.list(SHOTS)
    gateway.order_fault("slow_create", seconds=60)
    first = film.start(*film.arguments())
    first.until_it_says("submitting")
    second = film.run()
    assert second.code == 7
    assert f"pid {first.process.pid}" in second.document["error"]
    assert film.command("verify", "shots.yaml").code == 7
    assert film.command("status", "shots.yaml").code == 0
    first.signal(signal.SIGKILL)
    first.result()


# --- rehearsals and other gateways -----------------------------------------------------------------


def test_a_take_of_a_gateway_on_this_machine_satisfies_no_real_run(bought: Film) -> None:
    words = ("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json", "--base-url")
    here = bought.command(*words, bought.base_url).document
    other_port = bought.command(*words, "http://localhost:1").document
    real = bought.command(*words, "https://gateway.example").document
    assert [entry["action"] for entry in here["shots"]] == ["keep", "keep"]
    assert [entry["action"] for entry in other_port["shots"]] == ["keep", "keep"]
    assert [entry["action"] for entry in real["shots"]] == ["create", "create"]
    assert [entry["take"] for entry in real["shots"]] == [2, 2]
    assert bought.base_url.partition("//")[2] in real["shots"][0]["reason"]


def test_a_rehearsal_keeps_everything_apart_and_needs_no_key(film: Film, gateway: Simulator) -> None:
    film.list(SHOTS)
    del film.environment["VEOPIPE_API_KEY"]
    run = film.run("--simulate", yes=False)
    assert (run.code, run.statuses) == (0, PAID)
    assert run.shots["a"]["file"] == "renders/shots.simulated/a.mp4"
    assert not (film.folder / ".veopipe/shots").exists()
    assert film.state("a", "shots.simulated")["takes"][0]["attempts"][0]["gateway"] == "simulator"
    assert gateway.wire == []
    planned = film.command("plan", "shots.yaml", "--format", "json").document
    assert [entry["action"] for entry in planned["shots"]] == ["create", "create"]


@pytest.mark.slow
def test_of_two_rehearsals_at_once_one_is_told_to_wait(film: Film, until: Callable[..., None]) -> None:
    film.list({"a": "rehearsed [simulate: slow_create seconds=5]"})
    first = film.start(*film.arguments("--simulate"))
    until((film.folder / ".veopipe/shots.simulated/state/a.json").exists)
    assert film.run("--simulate").document["exit_code"] == 7
    assert first.result().code == 0


@pytest.mark.slow
def test_a_killed_rehearsal_goes_on_where_it_stood(film: Film) -> None:
    film.list(SHOTS)
    run = film.start(*film.arguments("--simulate"))
    run.until_it_says("rendering")
    run.signal(signal.SIGKILL)
    run.result()
    assert film.run("--simulate").code in {0, 3}
    lines = (film.folder / ".veopipe/shots.simulated/gateway/gateway.jsonl").read_text("utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines if '"accepted"' in line]
    assert sorted(prompts) == sorted(set(prompts))


def test_a_task_of_another_gateway_stays_there_and_the_report_names_it(film: Film, gateway: Simulator) -> None:
    film.list({"a": "elsewhere"})
    gateway.order_fault("stuck_in_progress")
    run = film.start(*film.arguments())
    run.until_it_says("rendering")
    run.signal(signal.SIGKILL)
    run.result()
    other = film.run("--base-url", "http://127.0.0.1:1")
    assert (other.code, other.statuses) == (4, {"a": "rendering"})
    assert f"--base-url {gateway.base_url}" in other.shots["a"]["reason"]
    gateway.clear_faults()
    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


# --- a list that was renamed --------------------------------------------------------------------------

LOOKING = {
    "plan": 0,
    "status": 0,
    "report": 0,
    "verify": 0,
    "review": 0,
    "cut": 0,
    "resolve": 0,
    "frame": 2,
}


@pytest.mark.parametrize("verb", LOOKING)
def test_every_command_that_looks_at_a_renamed_list_names_its_ledger(bought: Film, verb: str) -> None:
    (bought.folder / "shots.yaml").rename(bought.folder / "film.yaml")
    told = bought.run(manifest="film.yaml")
    more = ("a", "-o", "a.png") if verb == "frame" else ()

    looked = bought.command(verb, "film.yaml", "-p", "quick.yaml", *more)

    assert looked.code == LOOKING[verb]
    assert looked.err.count(told.document["error"]) == 1
    assert "no ledger here" not in looked.err, "that is said already, and a run buys nothing"
    assert looked.err.count(f"move its ledger: {printed_command(told)}\n") == 1
    carried_out(bought, printed_command(told))
    assert bought.run(manifest="film.yaml", yes=False).statuses == PAID
    assert "Was it renamed" not in bought.command(verb, "film.yaml", "-p", "quick.yaml", *more).err


def test_a_new_list_a_rehearsal_and_a_list_beside_another_are_no_renamed_ones(bought: Film) -> None:
    bought.list(SHOTS, "other.yaml")
    assert "renamed" not in bought.command("plan", "other.yaml", "-p", "quick.yaml").err
    (bought.folder / "shots.yaml").unlink()
    assert "renamed" in bought.command("status", "other.yaml", "-p", "quick.yaml").err
    assert "renamed" not in bought.command("status", "other.yaml", "-p", "quick.yaml", "--simulate").err
    assert bought.run("--new-ledger", manifest="other.yaml").code == 0
    assert "renamed" not in bought.command("status", "other.yaml", "-p", "quick.yaml").err


def moved_by_hand(film: Film, *folders: str) -> None:
    """Rename the list, and what of it a person thought of."""
    (film.folder / "shots.yaml").rename(film.folder / "film.yaml")
    for folder in folders:
        (film.folder / folder / "shots").rename(film.folder / folder / "film")


def joining_command(said: str) -> str:
    found = re.search(r"(?m): (mkdir -p .* && mv -n .*)$", said)
    assert found is not None, said
    return found[1]


def test_verdicts_that_were_forgotten_are_named_and_their_command_replaces_none(bought: Film) -> None:
    for shot in SHOTS:
        assert bought.command("review", "shots.yaml", shot, "-p", "quick.yaml", "--pick", "1").code == 0
    moved_by_hand(bought, ".veopipe", "renders")
    review = bought.folder / "review"
    words = "what was said of 2 takes of this list lies in review/shots, where it counts for nothing"
    for verb in ("plan", "status", "report", "verify", "review", "cut"):
        assert words in bought.command(verb, "film.yaml", "-p", "quick.yaml").err

    assert bought.command("review", "film.yaml", "a", "-p", "quick.yaml", "--reject", "1").code == 0
    said = bought.run(manifest="film.yaml").err
    assert words.replace("2 takes", "1 take") in said
    carried_out(bought, joining_command(said))

    assert "verdict: reject" in (review / "film/a.001.yaml").read_text()
    assert "verdict: pick" in (review / "film/b.001.yaml").read_text()
    assert [path.name for path in (review / "shots").iterdir()] == ["a.001.yaml"]
    assert "counts for nothing" not in bought.command("status", "film.yaml", "-p", "quick.yaml").err


def test_verdicts_of_another_list_or_of_other_takes_are_left_out_of_it(bought: Film) -> None:
    assert bought.command("review", "shots.yaml", "a", "-p", "quick.yaml", "--pick", "1").code == 0
    moved_by_hand(bought, ".veopipe", "renders")
    said = bought.folder / "review/shots/a.001.yaml"
    text = said.read_text()
    said.write_text(re.sub("sha256:[0-9a-f]{12}", "sha256:0123456789ab", text))
    assert "counts for nothing" not in bought.command("status", "film.yaml", "-p", "quick.yaml").err
    said.write_text("{")
    assert "counts for nothing" not in bought.command("status", "film.yaml", "-p", "quick.yaml").err
    said.write_text(text)
    assert "counts for nothing" in bought.command("status", "film.yaml", "-p", "quick.yaml").err
    bought.list(SHOTS, "shots.yml")  # whoever has that name has these verdicts
    assert "counts for nothing" not in bought.command("status", "film.yaml", "-p", "quick.yaml").err


def test_videos_that_were_forgotten_are_named_and_their_command_brings_them(bought: Film, gateway: Simulator) -> None:
    """Those of another pipeline too; the run that fetches them again replaces nothing of what is brought."""
    bought.pipeline("draft.yaml", output="renders/draft", overrides={"seconds": 6})
    assert bought.run("-p", "draft.yaml").statuses == PAID
    moved_by_hand(bought, ".veopipe", "review" if (bought.folder / "review").exists() else "renders/draft")
    shutil.copytree(bought.folder / "renders/shots", bought.folder / "renders/backup")
    (bought.folder / "renders/backup/.ledger").unlink()
    said = bought.command("status", "film.yaml", "-p", "quick.yaml").err
    words = "2 takes of this list lie in renders/shots/takes, and not in renders/film/takes: "
    assert (words in said, "backup" in said, "draft" in said) == (True, False, False)

    carried_out(bought, joining_command(said))

    assert "takes of this list" not in bought.command("status", "film.yaml", "-p", "quick.yaml").err
    run = bought.run(manifest="film.yaml", yes=False)
    assert (run.code, run.statuses) == (0, PAID)
    assert bought.command("verify", "film.yaml", "-p", "quick.yaml").code == 0
    assert len(gateway.ledger) == 4


def test_of_a_folder_with_takes_that_nobody_knows_only_the_known_ones_are_named(bought: Film) -> None:
    moved_by_hand(bought, ".veopipe")
    old = bought.folder / "renders/shots/takes"
    (old / "b.002.mp4").write_bytes(b"of a branch that isn't here")
    command = joining_command(bought.command("status", "film.yaml", "-p", "quick.yaml").err)
    assert command.startswith("mkdir -p renders/film/takes && mv -n renders/shots/takes/a.001.mp4 ")
    carried_out(bought, command)
    assert [path.name for path in old.iterdir()] == ["b.002.mp4"]
    assert bought.run(manifest="film.yaml", yes=False).statuses == PAID


def test_a_renamed_list_whose_videos_were_moved_first_is_told_the_command_for_the_rest(bought: Film) -> None:
    moved_by_hand(bought, "renders")
    told = bought.run(manifest="film.yaml")
    assert (told.code, "Was it renamed" in told.document["error"]) == (2, True)
    first = told.document["hint"].partition("\n")[0].removeprefix("move its ledger: ")
    assert first == "mv .veopipe/shots .veopipe/film"
    carried_out(bought, first)
    assert bought.run(manifest="film.yaml", yes=False).statuses == PAID
