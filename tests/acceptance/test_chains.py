"""Shots that continue from others, in real processes: real frames of real videos, killed runs, edits in between."""

from __future__ import annotations

import hashlib
import io
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.harness import numbered
from tests.harness.fork import Mishap

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator


def chain(**last: Any) -> dict[str, Any]:
    return {
        "a": "a lighthouse",
        "b": {"prompt": "the stairs", "input_reference": {"shot": "a", "frame": "last"}},
        "c": {"prompt": "the sea", "input_reference": {"shot": "b", "frame": 2}, **last},
    }


def planned(film: Film, *words: str) -> dict[str, tuple[str, str]]:
    """Shot → what the next run would do with it, and why."""
    plan = film.command(
        "plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json", *words
    )
    assert plan.code == 0, plan
    return {entry["shot"]: (entry["action"], entry["reason"]) for entry in plan.document["shots"]}


def review(film: Film, *words: str) -> Result:
    done = film.command("review", "shots.yaml", "-p", "quick.yaml", *words)
    assert done.code == 0, done
    return done


def sent(film: Film, shot: str) -> list[dict[str, Any]]:
    (attempt,) = film.state(shot)["takes"][-1]["attempts"]
    found: list[dict[str, Any]] = attempt["sent"]
    return found


def test_a_chain_is_made_in_one_run_each_from_a_frame_of_the_one_before(film: Film, gateway: Simulator) -> None:
    film.list(dict(reversed(chain().items())))
    run = film.run()
    assert (run.code, set(run.statuses.values()), len(gateway.charged)) == (0, {"verified"}, 3)
    for shot, producer, frame in (("b", "a", "last"), ("c", "b", "2")):
        (frame_sent,) = sent(film, shot)
        source = film.state(producer)["takes"][0]
        assert (frame_sent["shot"], frame_sent["take"], frame_sent["frame"]) == (producer, 1, frame)
        assert frame_sent["source_sha256"] == source["file"]["sha256"]
        (picture,) = film.state(shot)["takes"][0]["order"]["pictures"]
        assert picture == {"role": "input_reference", "frame": frame, "of": source["fingerprint"]}
    kept = film.folder / "renders/shots/frames/a.001.last.png"
    assert kept.stat().st_size == sent(film, "b")[0]["bytes"]
    assert Image.open(io.BytesIO(kept.read_bytes())).size == (1280, 720)
    assert (film.run().code, len(gateway.charged)) == (0, 3)


@pytest.mark.slow
@pytest.mark.shows("film 44")
def test_frames_go_beside_files_as_first_last_and_reference(film: Film, gateway: Simulator) -> None:
    first = film.picture("first.png")
    film.list(
        {
            "a": "a lighthouse",
            "b": {
                "prompt": "between",
                "seconds": 8,
                "input_reference": first,
                "last_frame": {"shot": "a", "frame": "first"},
            },
            "c": {"prompt": "as it looks", "seconds": 8, "reference_images": [first, {"shot": "a", "frame": 1.5}]},
        }
    )
    run = film.run()
    assert (run.code, len(gateway.charged)) == (0, 3)
    roles = [picture["role"] for picture in film.state("c")["takes"][0]["order"]["pictures"]]
    assert roles == ["reference_images", "reference_images"]
    assert [list(picture) for picture in film.state("b")["takes"][0]["order"]["pictures"]] == [
        ["role", "sha256"],
        ["role", "frame", "of"],
    ]


@pytest.mark.shows("film 4", "film M8")
@pytest.mark.parametrize("step", ["rename", "gate", "answer"])
def test_killed_around_a_frame_it_pays_once_and_goes_on(film: Film, gateway: Simulator, step: str) -> None:
    """Between the delivery and the frame, the frame and the intent, the intent and the answer."""
    film.list(chain())
    assert film.run("--only", "a").code == 0
    only = {"rename": "a.001.last.png", "gate": "", "answer": ""}[step]
    killed = film.start(*film.arguments("--only", "b"), first=Mishap("kill", step, only)).result()
    assert killed.code == -signal.SIGKILL
    run = film.run()
    if step == "answer":
        assert (run.code, run.statuses["b"], run.statuses["c"]) == (3, "in_doubt", "pending")
        assert run.shots["c"]["reason"] == "b is in doubt"
        assert len(gateway.charged) <= 2
    else:
        assert (run.code, len(gateway.charged)) == (0, 3)


def test_a_producer_that_fails_leaves_the_rest_to_a_later_run(film: Film, gateway: Simulator) -> None:
    film.list(chain())
    gateway.order_fault("failed_with_error", match={"prompt": "a lighthouse"}, times=1)
    run = film.run()
    assert (run.code, len(gateway.charged)) == (1, 1)
    assert [row["reason"] for row in run.shots.values()][1:] == ["a is failed", "b waits itself"]
    again = film.run("--retry-failed")
    assert (again.code, len(gateway.charged)) == (0, 4)


def test_a_refresh_is_bought_with_consent_or_a_plan_only(film: Film, gateway: Simulator) -> None:
    film.list(chain())
    film.run()
    film.list({**chain(), "a": "a lighthouse at dawn"})
    assert (film.run().code, len(gateway.charged)) == (0, 4)
    assert planned(film)["b"][0] == "stale"
    status = film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json").shots["b"]
    assert (status["stale"], status["status"]) == (True, "verified")

    assert film.run("--refresh", yes=False).code == 2
    assert (film.run("--refresh", "--max-cost", "0.30", yes=False).code, len(gateway.charged)) == (5, 5)
    assert (film.run("--refresh").code, len(gateway.charged)) == (0, 6)
    film.list(chain())
    assert (film.run().code, len(gateway.charged)) == (0, 6)


@pytest.mark.shows("film 41")
def test_a_plan_of_before_another_pick_is_refused(film: Film, gateway: Simulator) -> None:
    shots = chain()
    film.list({"a": {"prompt": "a lighthouse", "takes": 2}})
    film.run()
    film.list({"a": {"prompt": "a lighthouse", "takes": 2}, "b": shots["b"]})
    review(film, "a", "--pick", "1")
    words = ["plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "-o", "plan.json"]
    assert film.command(*words).code == 0
    review(film, "a", "--pick", "2")
    run = film.run("--plan", "plan.json", yes=False)
    assert (run.code, len(gateway.charged)) == (2, 2)
    assert "b: not in the plan" in run.document["error"]


@pytest.mark.shows("film 42")
def test_a_budget_between_a_producer_and_its_consumer_leaves_the_rest_pending(film: Film, gateway: Simulator) -> None:
    film.list(chain())
    run = film.run("--max-cost", "0.60")
    assert (run.code, len(gateway.charged), run.statuses["c"]) == (5, 2, "pending")
    assert (film.run().code, len(gateway.charged)) == (0, 3)


@pytest.mark.slow
@pytest.mark.shows("film 37")
def test_a_rehearsal_has_its_own_chain_and_reviews(film: Film, gateway: Simulator) -> None:
    film.list(chain())
    rehearsed = film.command("run", "shots.yaml", "--simulate", "--format", "json")
    assert (rehearsed.code, set(rehearsed.statuses.values())) == (0, {"verified"})
    film.command("review", "shots.yaml", "--simulate", "a", "--pick", "1")
    assert (film.folder / ".veopipe/shots.simulated/review/a.001.yaml").is_file()
    assert {action for action, _ in planned(film).values()} == {"create"}


def test_what_is_gone_is_brought_back_for_its_consumer_or_holds_it(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a lighthouse"})
    film.run()
    film.list(chain())
    for path in (film.folder / "renders/shots").rglob("a*.mp4"):
        path.unlink()
    assert planned(film)["b"] == ("create", "new")  # without any video
    run = film.run()
    assert (run.code, len(gateway.charged)) == (0, 3)

    film.list({**chain(), "d": {"prompt": "the end", "input_reference": {"shot": "a", "frame": "first"}}})
    for path in (film.folder / "renders/shots").rglob("a*.mp4"):
        path.unlink()
    gateway.order_fault("expired_502", times=None)
    held = film.run("--only", "d")
    assert (held.code, len(gateway.charged), held.statuses["d"]) == (4, 3, "pending")
    assert "no frame can be taken of take 1 of a" in held.shots["d"]["reason"]


@pytest.mark.shows("film 39", "film 14")
def test_a_ring_and_a_producer_that_left_are_errors_with_their_places(film: Film, gateway: Simulator) -> None:
    film.list({"b": chain()["b"]})
    run = film.run()
    (problem,) = [problem for problem in run.document["problems"] if problem["severity"] == "error"]
    assert (run.code, problem["rule"]) == (2, "chain-unknown")
    ring = {
        name: {"prompt": name, "input_reference": {"shot": other, "frame": "last"}}
        for name, other in ("ab", "bc", "ca")
    }
    film.list(ring)
    (problem,) = [problem for problem in film.run().document["problems"] if problem["severity"] == "error"]
    assert (problem["rule"], problem["message"]) == ("chain-cycle", "these shots wait for each other: a → b → c → a")


def test_a_take_of_another_producer_is_said_to_be_nobodys_while_the_new_one_has_none(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "a lighthouse", "b": chain()["b"]})
    film.run()
    film.list(
        {"a": "a lighthouse", "x": "a pier", "b": {**chain()["b"], "input_reference": {"shot": "x", "frame": "last"}}}
    )
    reason = "kept, made from a take that no record of x has: x has no take yet"
    assert planned(film, "--only", "b")["b"] == ("stale", reason)
    assert (film.run().code, len(gateway.charged)) == (0, 4)  # another shot is another picture


@pytest.mark.shows("film 38")
def test_what_a_gateway_of_this_machine_made_begins_no_real_chain(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a lighthouse"})
    film.run()
    film.list(chain())
    plan = film.command("plan", "shots.yaml", "--format", "json").document
    assert [entry["action"] for entry in plan["shots"]] == ["create"] * 3


@pytest.mark.shows("film 36")
def test_whatever_took_a_frame_is_no_part_of_the_order(film: Film, gateway: Simulator) -> None:
    film.list(chain())
    film.run()
    path = film.folder / ".veopipe/shots/state/b.json"
    state = json.loads(path.read_text("utf-8"))
    state["takes"][0]["attempts"][0]["sent"][0] |= {"made_by": "PyAV 99", "sha256": "0" * 64, "bytes": 1}
    path.write_text(json.dumps(state), "utf-8")
    assert {action for action, _ in planned(film).values()} == {"keep"}


def test_the_next_shot_begins_as_the_last_one_ends(film: Film, gateway: Simulator) -> None:
    """The simulated gateway begins a clip with its first frame, so that a seam can be looked at."""
    film.list({name: shot for name, shot in chain().items() if name != "c"})
    film.run()
    pictures = []
    for shot, at in (("a", "last"), ("b", "first")):
        done = film.command("frame", "shots.yaml", "-p", "quick.yaml", shot, "--at", at, "-o", f"{shot}.png")
        assert done.code == 0, done
        pictures.append(Image.open(film.folder / f"{shot}.png").convert("RGB"))
    assert max(ImageStat.Stat(ImageChops.difference(*pictures)).mean) < 4


def as_delivered(film: Film, shot: str, video: bytes) -> None:
    """Let a shot's verified take be another video, with a record that knows it."""
    path = film.folder / ".veopipe/shots/state" / f"{shot}.json"
    state = json.loads(path.read_text("utf-8"))
    file = state["takes"][0]["file"]
    for name in (film.folder / "renders/shots/takes" / file["name"], film.finished(shot)):
        name.unlink()
        name.write_bytes(video)
    file |= {"sha256": hashlib.sha256(video).hexdigest(), "bytes": len(video)}
    path.write_text(json.dumps(state), "utf-8")


@pytest.mark.shows("film 32")
def test_a_video_that_ends_in_black_holds_its_consumer_before_money_goes_out(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a lighthouse"})
    film.run()
    pictures = [numbered.picture(number) for number in range(24)]
    as_delivered(film, "a", numbered.clip([*pictures, *[Image.new("RGB", pictures[0].size)] * 6]))
    film.list({name: shot for name, shot in chain().items() if name != "c"})
    held = film.run()
    assert (held.code, len(gateway.charged), held.statuses["b"]) == (4, 1, "pending")
    assert held.shots["b"]["reason"] == "take 1 of a ends in black: name another `frame` of it, in seconds"
    film.list({"a": "a lighthouse", "b": {"prompt": "the stairs", "input_reference": {"shot": "a", "frame": 1.1}}})
    assert (film.run().code, len(gateway.charged)) == (0, 2)  # who names a time has looked


@pytest.mark.shows("film 33")
def test_a_time_behind_the_end_is_an_error_of_the_list_or_holds(film: Film, gateway: Simulator) -> None:
    late = {"prompt": "the stairs", "input_reference": {"shot": "a", "frame": 4}}
    film.list({"a": "a lighthouse", "b": late})
    (problem,) = [problem for problem in film.run().document["problems"] if problem["severity"] == "error"]
    assert (problem["rule"], len(gateway.charged)) == ("chain-frame", 0)
    late["input_reference"] = {"shot": "a", "frame": 3.5}
    film.list({"a": "a lighthouse"})
    film.run()
    as_delivered(film, "a", numbered.clip([numbered.picture(number) for number in range(48)]))
    film.list({"a": "a lighthouse", "b": late})
    held = film.run()
    assert (held.code, len(gateway.charged)) == (4, 1)
    assert "it lasts 2 s: nothing is shown at 3.5 s" in held.shots["b"]["reason"]


# --- drafts and finals -----------------------------------------------------------------------------


def finals(film: Film, *words: str, code: int = 0) -> Result:
    done = film.command(
        "run", "shots.yaml", "-p", "finals.yaml", *words, "--yes", "--base-url", film.base_url, "--format", "json"
    )
    assert done.code == code, done
    return done


@pytest.mark.slow
@pytest.mark.shows("film 25", "film 26", "film 27")
def test_a_final_waits_for_the_pick_of_its_draft_and_for_its_text(film: Film, gateway: Simulator) -> None:
    film.list(chain())
    (film.folder / "pipelines").mkdir()
    film.pipeline("pipelines/drafts.yaml", output="renders/draft", overrides__resolution="720p")
    film.pipeline(
        "finals.yaml",
        after="drafts",
        chain="picked",
        output="renders/finals",
        overrides__resolution="1080p",
        overrides__seconds=8,
    )
    waits = finals(film)
    assert {row["reason"] for row in waits.shots.values()} == {"no take of it made with the pipeline drafts is picked"}
    drafts = ["run", "shots.yaml", "-p", "drafts", "--yes", "--base-url", film.base_url]
    assert (film.command(*drafts).code, len(gateway.charged)) == (0, 3)
    waiting = film.command("review", "shots.yaml", "-p", "finals.yaml")
    assert [line for line in waiting.out.splitlines() if "none picked" in line] == [
        f"{shot}: 1 take, none picked" for shot in "abc"
    ], "the command that a plan of the finals names"
    for shot in "abc":
        assert film.command("review", "shots.yaml", "-p", "drafts", shot, "--pick", "1").code == 0

    run = finals(film)  # a first; b is made from a picked final only
    assert (len(gateway.charged), run.statuses["a"], run.statuses["b"]) == (4, "verified", "pending")
    assert run.shots["b"]["reason"] == "no take of a is picked"
    assert film.command("review", "shots.yaml", "-p", "finals.yaml", "a", "--pick", "2").code == 0
    film.list({**chain(), "b": {"prompt": "the stairs at night", "input_reference": {"shot": "a", "frame": "last"}}})
    run = finals(film)
    assert run.shots["b"]["reason"] == "its text isn't that of the picked draft: prompt changed"
    film.list(chain())
    assert finals(film).statuses["b"] == "verified"
    (of,) = [picture["of"] for picture in film.state("b")["takes"][-1]["order"]["pictures"]]
    assert of == film.state("a")["takes"][-1]["fingerprint"]
    assert len(gateway.charged) == 5


def test_a_stale_take_whose_file_is_gone_is_brought_back_as_any_other(film: Film, gateway: Simulator) -> None:
    shots = {"SC01": "a pier", "SC02": {"prompt": "a boat", "input_reference": {"shot": "SC01", "frame": "last"}}}
    film.list(shots)
    assert film.run().code == 0
    film.list({**shots, "SC01": "a pier at dawn"})
    assert film.run().code == 0
    take = film.folder / "renders/shots/takes/SC02.001.mp4"
    held = take.read_bytes()
    for path in (take, film.finished("SC02")):
        path.unlink()

    assert film.run().code == 0
    assert take.read_bytes() == held
    assert len(gateway.charged) == 3
