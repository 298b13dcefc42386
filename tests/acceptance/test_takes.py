"""Several takes of a shot, and the people who choose among them: what is bought, what is locked, what has the name."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

TWO = {"SC01": {"prompt": "a lighthouse", "takes": 2}}


def review(film: Film, *words: str, code: int = 0) -> Result:
    done = film.command("review", "shots.yaml", "-p", "quick.yaml", *words)
    assert done.code == code, done
    return done


def reviews(film: Film) -> dict[str, str]:
    """Name of each review file → its text."""
    return {path.stem: path.read_text("utf-8") for path in (film.folder / "review" / "shots").glob("*.yaml")}


def digits(film: Film, shot: str, number: int) -> str:
    (take,) = [take for take in film.state(shot)["takes"] if take["take"] == number]
    return str(take["file"]["sha256"])[:12]


def shown(film: Film, shot: str = "SC01") -> int | None:
    """The number of the take that a finished name shows."""
    name = film.finished(shot)
    takes = sorted((film.folder / "renders" / "shots" / "takes").glob("*.mp4"))
    return next((int(take.name.split(".")[1]) for take in takes if name.exists() and take.samefile(name)), None)


def bought(film: Film) -> int:
    """How many creates the next run makes."""
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json")
    assert plan.code == 0, plan
    return sum(entry["action"] in {"create", "retry"} for entry in plan.document["shots"])


def test_a_shot_that_is_called_by_its_first_signs_is_guessed(film: Film) -> None:
    film.list({"SC01-lighthouse": "a lighthouse"})

    judged = review(film, "SC01", "--pick", "1", code=2)
    selected = film.command("status", "shots.yaml", "-p", "quick.yaml", "--only", "SC01")

    assert judged.err == "Error: there is no shot SC01\n→ did you mean SC01-lighthouse?\n"
    assert selected.err == "Error: --only SC01 selects none of 1 shot\n→ did you mean SC01-lighthouse?\n"


# --- several takes ---------------------------------------------------------------------------------


@pytest.mark.shows("film M7")
def test_so_many_takes_are_bought_as_are_wanted_once_and_nobody_has_chosen(film: Film, gateway: Simulator) -> None:
    film.list({"SC01": {"prompt": "a lighthouse", "takes": 3}, "SC02": "the stairs"})
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert [(entry["shot"], entry["take"], entry["reason"]) for entry in plan["shots"]] == [
        *(("SC01", 1, "new"), ("SC01", 2, "take 2 of 3"), ("SC01", 3, "take 3 of 3"), ("SC02", 1, "new"))
    ]
    assert plan["cost_usd"]["planned"] == "1.20"

    run = film.run()
    assert (run.code, len(gateway.charged)) == (0, 4)
    assert [take["status"] for take in run.shots["SC01"]["takes"]] == ["verified"] * 3
    assert (shown(film), shown(film, "SC02")) == (None, 1)
    assert (film.run().code, len(gateway.charged)) == (0, 4)


def test_more_takes_of_a_text_are_bought_on_top_and_fewer_buy_and_lose_nothing(film: Film, gateway: Simulator) -> None:
    film.list({"SC01": "a lighthouse"})
    film.run()
    film.list({"SC01": {"prompt": "a lighthouse", "takes": 3}})
    assert (film.run().code, len(gateway.charged)) == (0, 3)
    film.list({"SC01": "a lighthouse"})
    assert (film.run().code, len(gateway.charged), shown(film)) == (0, 3, 1)


def test_a_take_that_isnt_verified_counts_whichever_row_is_shown(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    gateway.order_fault("failed_with_error", times=1)
    run = film.run()
    assert run.code == 1
    assert sorted(take["status"] for take in run.shots["SC01"]["takes"]) == ["failed", "verified"]
    assert "is failed" in run.shots["SC01"]["reason"]


def test_a_take_in_doubt_lets_its_shot_wait_and_the_others_go_on(film: Film, gateway: Simulator) -> None:
    film.list({**TWO, "SC02": "the stairs"})
    gateway.order_fault("lost_response", match={"prompt": "a lighthouse"}, times=1)
    run = film.run("--only", "SC01")
    assert (run.code, run.shots["SC01"]["status"]) == (3, "in_doubt")
    charged = len(gateway.charged)
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json")
    actions = {(entry["shot"], entry["take"]): entry["action"] for entry in plan.document["shots"]}
    assert set(actions.values()) <= {"hold", "wait", "keep", "create"}
    assert [shot for (shot, _), action in actions.items() if action == "create"] == ["SC02"]
    assert film.run().code == 3
    assert len(gateway.charged) == charged + 1


# --- the choice ------------------------------------------------------------------------------------


@pytest.mark.shows("film 6", "film M10")
def test_the_finished_name_follows_the_pick_and_back_for_nothing(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    said = review(film, "SC01", "--pick", "2", "--note", "the gull at 5 s", "--by", "ana", "--format", "json").document
    assert said["changed"] == {"SC01.002": {"verdict": "pick", "again": False}}
    assert (said["moved"], shown(film)) == (["SC01"], 2)
    text = reviews(film)["SC01.002"]
    assert text.startswith(f"file: sha256:{digits(film, 'SC01', 2)}\nverdict: pick\nby: ana\nat: ")
    assert text.endswith("note: the gull at 5 s\n")

    review(film, "SC01", "--pick", "1")
    assert (shown(film), "verdict: alt" in reviews(film)["SC01.002"]) == (1, True)
    review(film, "SC01", "--pick", "2")
    assert shown(film) == 2
    assert (film.run().code, len(gateway.charged), shown(film)) == (0, 2, 2)


@pytest.mark.shows("film 18", "film M3")
@pytest.mark.parametrize("edit", [{"prompt": "a lighthouse at dawn"}, {"model": "veo-3.1-generate-preview"}])
def test_a_pick_locks_its_text_until_it_is_cleared(film: Film, gateway: Simulator, edit: dict[str, Any]) -> None:
    film.list(TWO)
    film.run()
    review(film, "SC01", "--pick", "2")
    film.list({"SC01": {**TWO["SC01"], **edit}})
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    assert "1 picked shot was edited since: it stays, and $" in plan.err
    run = film.run()
    assert (run.code, len(gateway.charged), run.shots["SC01"]["take"]) == (0, 2, 2)
    assert "which orders nothing" in plan.out

    review(film, "SC01", "--clear", "2")
    assert reviews(film) == {}
    assert bought(film) == 2
    film.list(TWO)
    assert bought(film) == 0


@pytest.mark.shows("film 19", "film M4")
def test_one_more_of_a_picked_text_is_bought_and_the_pick_stays(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    review(film, "SC01", "--pick", "1")
    film.list({"SC01": {"prompt": "a lighthouse", "takes": 3}})
    assert (film.run().code, len(gateway.charged), shown(film)) == (0, 3, 1)
    review(film, "SC01", "--reject", "2", "--again")
    assert len(gateway.charged) == 3  # a wish is no order

    asked = film.run(yes=False)
    assert (asked.code, len(gateway.charged)) == (2, 3)
    assert (film.run("--max-cost", "0.30", yes=False).code, len(gateway.charged), shown(film)) == (0, 4, 1)
    assert (film.run().code, len(gateway.charged)) == (0, 4)


@pytest.mark.shows("film M7")
def test_one_more_is_one_more_however_many_takes_are_named(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    said = review(film, "SC01", "--reject", "1", "--reject", "2", "--again")
    assert said.out.splitlines() == ["SC01.001: reject", "SC01.002: reject, once more"]
    assert bought(film) == 1
    assert review(film, "SC01", "--reject", "1", "--reject", "2", "--again").out == "nothing changed\n"
    assert bought(film) == 1


def test_what_waits_for_a_verdict_names_the_command_that_says_it(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    waiting = review(film)
    assert "SC01: 2 takes, none picked" in waiting.out
    assert "veopipe review shots.yaml -p quick.yaml SC01 --pick N" in waiting.err


def test_a_plan_says_whether_there_is_anything_to_choose_yet(film: Film, gateway: Simulator) -> None:
    film.list({**TWO, "SC02": {"prompt": "a boat", "input_reference": {"shot": "SC01", "frame": "last"}}})
    plan = ("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    before = film.command(*plan)
    film.run()
    after = film.command(*plan)

    choose = "hoose among takes: veopipe review shots.yaml -p quick.yaml"
    assert before.out.splitlines()[-1] == f"Then c{choose}"
    assert after.out.splitlines()[-1] == f"C{choose}"


def test_an_edited_text_begins_with_the_lists_number_anew(film: Film, gateway: Simulator) -> None:
    film.list({"SC01": "a lighthouse"})
    film.run()
    review(film, "SC01", "--reject", "1", "--again")
    assert bought(film) == 1
    film.list({"SC01": "a pier"})
    assert bought(film) == 1
    film.run()
    film.list({"SC01": "a lighthouse"})
    assert bought(film) == 1  # the wish is about that text


@pytest.mark.shows("film 20")
def test_two_picks_choose_nothing_and_nothing_is_bought_until_one_is_left(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    review(film, "SC01", "--pick", "1")
    picked = reviews(film)["SC01.001"]
    other = film.folder / "review" / "shots" / "SC01.002.yaml"
    other.write_text(f"file: sha256:{digits(film, 'SC01', 2)}\nverdict: pick\n", "utf-8")
    film.list({"SC01": {"prompt": "a lighthouse", "takes": 3}})

    run = film.run()
    assert (run.code, len(gateway.charged), shown(film)) == (0, 2, 1)
    listed = review(film)
    assert "SC01: 2 picks: leave one" in listed.out
    other.unlink()
    assert reviews(film)["SC01.001"] == picked
    assert (film.run().code, len(gateway.charged)) == (0, 3)


@pytest.mark.shows("film 21")
def test_a_verdict_about_another_file_counts_for_nothing_and_is_named(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    folder = film.folder / "review" / "shots"
    folder.mkdir(parents=True)
    (folder / "SC01.001.yaml").write_text("file: sha256:000000000000\nverdict: pick\nlens: 35mm\n", "utf-8")
    (folder / "gone.007.yaml").write_text("file: sha256:000000000000\nverdict: reject\n", "utf-8")
    listed = review(film, "--format", "json").document
    assert (listed["unmatched"], list(listed["shots"])) == (["SC01.001", "gone.007"], ["SC01"])
    assert (film.run().code, shown(film)) == (0, None)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("verdict: pick\n", ":1:1", "which file was looked at"),
        ("file: sha256:1234\nverdict: pick\n", ":1:7", "12 to 64 hex digits"),
        ("file: sha256:000000000000\nverdict: picked\n", ":2:10", "pick, alt or reject"),
        ("file: sha256:000000000000\n<<<<<<< ours\nverdict: pick\n", ":3:1", ""),
        ("file: [sha256", ":2:1", ""),
    ],
)
def test_what_cant_be_read_may_be_a_pick_so_nothing_is_sent(
    film: Film, gateway: Simulator, text: str, place: str, words: str
) -> None:
    film.list(TWO)
    path = film.folder / "review" / "shots" / "SC01.001.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    run = film.run()
    assert (run.code, len(gateway.charged)) == (2, 0)
    (problem,) = run.document["problems"]
    at = f"review/shots/SC01.001.yaml:{problem['line']}:{problem['column']}"
    assert at.startswith(f"review/shots/SC01.001.yaml{place}")
    assert words in problem["message"]


def test_what_veopipe_doesnt_know_of_a_review_stays_in_it(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    review(film, "SC01", "--alt", "1")
    path = film.folder / "review" / "shots" / "SC01.001.yaml"
    path.write_text(path.read_text("utf-8") + "lens: 35mm\n", "utf-8")
    review(film, "SC01", "--pick", "1")
    assert path.read_text("utf-8").endswith("lens: 35mm\n")
    review(film, "SC01", "--clear", "1")
    assert path.exists()


def test_what_couldnt_be_read_back_isnt_written(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    assert "at most 10,000 characters" in review(film, "SC01", "--pick", "1", "--note", "x" * 10_001, code=2).err
    assert "half a character" in review(film, "SC01", "--pick", "1", "--by", "caf\udce9", code=2).err
    assert reviews(film) == {}
    odd = replace(film, environment={**film.environment, "GIT_AUTHOR_NAME": "caf\udce9 " + "x" * 300})
    review(odd, "SC01", "--pick", "1")  # nobody typed that name here
    assert f"by: caf\ufffd {'x' * 195}\n" in reviews(film)["SC01.001"]
    assert film.run().code == 0


def test_a_review_file_that_leads_away_shows_nothing_of_what_is_there(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    folder = film.folder / "review" / "shots"
    folder.mkdir(parents=True)
    (folder / "SC01.001.yaml").symlink_to("/proc/self/environ")
    done = film.command("run", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--yes")
    assert (done.code, len(gateway.charged)) == (2, 0)
    assert "SC01.001.yaml leads out of the list's folder" in done.err
    assert "PATH=" not in done.out + done.err


def test_a_note_or_a_wish_needs_no_verdict(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    assert "--take says nothing by itself" in review(film, "SC01", "--take", "1", code=2).err
    review(film, "SC01", "--take", "1", "--note", "the gull")
    review(film, "SC01", "--take", "2", "--again")
    assert "verdict" not in "".join(reviews(film).values())
    assert ("note: the gull" in reviews(film)["SC01.001"], bought(film)) == (True, 1)
    review(film, "SC01", "--pick", "1")
    assert "note: the gull" in reviews(film)["SC01.001"]


# --- what a page saved -----------------------------------------------------------------------------


def decisions(film: Film, *said: dict[str, Any], ledger: str | None = None) -> str:
    head = json.loads((film.folder / ".veopipe" / "shots" / "ledger.json").read_text("utf-8"))
    document = {"version": 1, "ledger": ledger or head["id"], "decisions": list(said)}
    (film.folder / "decisions.json").write_text(json.dumps(document), "utf-8")
    return "decisions.json"


@pytest.mark.shows("film 24")
def test_what_a_page_saved_is_taken_in_whole_or_not_at_all(film: Film, gateway: Simulator) -> None:
    film.list({**TWO, "SC02": "the stairs"})
    film.run()
    first = {"take": "SC01.001", "file": f"sha256:{digits(film, 'SC01', 1)}", "verdict": "reject", "again": True}
    second = {"take": "SC01.002", "file": f"sha256:{digits(film, 'SC01', 2)}", "verdict": "pick", "by": "ana"}
    older = {"take": "SC02.001", "file": "sha256:000000000000", "verdict": "pick"}

    refused = review(film, decisions(film, first, second, older), code=2)
    assert ("SC02.001: no take of this ledger has the file" in refused.err, reviews(film)) == (True, {})
    assert "another ledger" in review(film, decisions(film, first, ledger="somebody-elses"), code=2).err
    assert review(film, decisions(film, {"take": "SC01.001"}), code=2)
    assert reviews(film) == {}

    review(film, decisions(film, first, second))
    assert (sorted(reviews(film)), shown(film), bought(film)) == (["SC01.001", "SC01.002"], 2, 1)
    assert "nothing changed" in review(film, decisions(film, first, second)).out
    review(film, decisions(film, {**first, "verdict": None, "again": False}))
    assert (sorted(reviews(film)), bought(film)) == (["SC01.002"], 0)


def test_a_page_says_one_thing_of_each_take(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    first, second = ({"take": f"SC01.00{n}", "file": f"sha256:{digits(film, 'SC01', n)}"} for n in (1, 2))
    twice = decisions(film, {**first, "verdict": "pick"}, {**first, "again": True})
    assert "SC01.001 is decided twice" in review(film, twice, code=2).err
    picks = decisions(film, {**first, "verdict": "pick"}, {**second, "verdict": "pick"})
    assert "are both picked for SC01" in review(film, picks, code=2).err
    assert reviews(film) == {}

    review(film, decisions(film, {**first, "verdict": "reject"}))
    review(film, decisions(film, {**first, "verdict": None, "again": True}))
    assert ("again: true" in reviews(film)["SC01.001"], "verdict" in reviews(film)["SC01.001"]) == (True, False)


# --- who comes and goes ----------------------------------------------------------------------------


@pytest.mark.shows("film 23")
def test_verdicts_follow_the_takes_of_a_renamed_shot(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    review(film, "SC01", "--pick", "2")
    film.list({"opening": TWO["SC01"]})
    run = film.run()
    assert (run.code, len(gateway.charged), run.shots["opening"]["take"]) == (0, 2, 2)
    assert film.finished("opening").samefile(film.folder / "renders/shots/takes/SC01.002.mp4")

    film.list({"opening": TWO["SC01"], "SC01": {"prompt": "a pier", "takes": 2}})
    film.run()
    assert sorted(path.name for path in (film.folder / "renders/shots/takes").glob("*.mp4")) == [
        f"SC01.00{number}.mp4" for number in range(1, 5)
    ]  # no two files have one name, so no verdict can be about the wrong one


def test_an_edited_and_renamed_pick_is_named_before_the_price(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    review(film, "SC01", "--pick", "2")
    film.list({"opening": {"prompt": "a lighthouse at dawn"}})
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    assert "picked, and no shot's any more: SC01.002" in plan.err


def test_a_drafts_pick_is_no_finals(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.pipeline("draft.yaml", output="renders/draft")
    words = ["run", "shots.yaml", "-p", "draft.yaml", "--base-url", film.base_url, "--yes", "--format", "json"]
    assert film.command(*words).code == 0
    done = film.command("review", "shots.yaml", "-p", "draft.yaml", "SC01", "--pick", "1")
    assert (done.code, (film.folder / "renders/draft/shots/SC01.mp4").exists()) == (0, True)
    film.list({"SC01": {"prompt": "a lighthouse at dawn", "takes": 1}})
    assert bought(film) == 1  # here nothing was picked
    film.command(*words)
    assert len(gateway.charged) == 2  # there it is locked


def test_a_choice_during_a_run_has_its_name_when_the_run_ends(film: Film, gateway: Simulator) -> None:
    film.list(TWO)
    film.run()
    film.list({**TWO, "SC02": "the stairs"})
    gateway.order_fault("stuck_in_progress", match={"prompt": "the stairs"}, times=1)
    started = film.start(*film.arguments("--verbose"))
    started.until_it_says("rendering")
    said = review(film, "SC01", "--pick", "2", "--format", "json").document
    assert (said["running"], shown(film)) == (True, None)
    started.signal(2)
    assert started.result().code == 130
    assert shown(film) == 2


@pytest.mark.slow
def test_two_peoples_branches_merge_unless_they_judged_one_take(film: Film, gateway: Simulator) -> None:
    def git(*words: str) -> subprocess.CompletedProcess[str]:
        name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        return subprocess.run(["git", *name, *words], cwd=film.folder, capture_output=True, text=True, check=False)

    film.list({f"SC{shot:02d}": {"prompt": f"shot {shot}", "takes": 2} for shot in range(4)})
    film.run()
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "before")
    git("checkout", "-qb", "ana")
    for shot in range(4):
        review(film, f"SC{shot:02d}", "--pick", "1", "--by", "ana")
    git("add", "review")
    git("commit", "-qm", "ana")
    git("checkout", "-q", "main")
    for shot in range(4):
        review(film, f"SC{shot:02d}", "--pick", "2", "--by", "ben")
    git("add", "review")
    git("commit", "-qm", "ben")

    assert git("merge", "-q", "ana").returncode == 0
    run = film.run()
    assert (run.code, len(gateway.charged)) == (0, 8)
    assert review(film).out.count("2 picks: leave one") == 4
    assert set(run.statuses.values()) == {"verified"}


def test_a_shot_that_gives_its_takes_away_has_none_to_judge_or_to_show(film: Film, gateway: Simulator) -> None:
    """The list was numbered anew, and another text has the old id; the next run moves the record."""
    film.list({"SC01": "a pier"})
    assert film.run().code == 0
    film.list({"SC01": "a boat", "SC02": "a pier"})

    judged = film.command("review", "shots.yaml", "SC01", "--pick", "1", "-p", "quick.yaml")
    shown = film.command("frame", "shots.yaml", "SC01", "--take", "1", "-o", "out.png", "-p", "quick.yaml")
    assert (judged.code, "no take of it was ordered yet" in judged.err) == (2, True)
    assert (shown.code, (film.folder / "out.png").exists()) == (2, False)

    assert film.command("review", "shots.yaml", "SC02", "--pick", "1", "-p", "quick.yaml").code == 0
    assert film.command("frame", "shots.yaml", "SC02", "-o", "out.png", "-p", "quick.yaml").code == 0
