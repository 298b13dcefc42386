"""`veopipe run` in real processes against a real gateway: what it makes, what it says, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

Until = Callable[[Callable[[], object]], None]
STANDARD = "veo-3.1-generate-preview"


def forms(gateway: Simulator) -> list[dict[str, str]]:
    """The text fields of all creates, in order of arrival."""
    return [dict(entry["form"]) for entry in gateway.wire if entry["form"] is not None]


def batch(number: int, words: str = "shot number") -> dict[str, str]:
    return {f"S{at:02d}": f"{words} {at:02d}" for at in range(number)}


# --- what it makes ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_delivers_measured_videos_in_all_five_modes(film: Film, gateway: Simulator) -> None:
    eight: dict[str, Any] = {"seconds": 8}
    first, last = film.picture("first.png"), film.picture("last.jpg", kind="JPEG", shade=90)
    hero = film.picture("hero.webp", (3840, 2160), "WEBP")
    film.list(
        {
            "text": {"prompt": "a text", "aspect_ratio": "9:16", "seed": 7, "negative_prompt": "blurry"},
            "image": {"prompt": "an image", "input_reference": first},
            "frames": {"prompt": "two frames", "input_reference": first, "last_frame": last, **eight},
            "references": {"prompt": "references", "reference_images": [first, last], **eight},
            "hero": {"prompt": "4K", "input_reference": hero, "resolution": "4k", "model": STANDARD, **eight},
        }
    )
    run = film.run()
    assert (run.code, set(run.statuses.values())) == (0, {"verified"})
    sizes = {shot: (row["width"], row["height"], round(row["duration_s"])) for shot, row in run.shots.items()}
    assert sizes == {
        "text": (720, 1280, 4),
        "image": (1280, 720, 4),
        "frames": (1280, 720, 8),
        "references": (1280, 720, 8),
        "hero": (3840, 2160, 8),
    }
    assert run.document["cost_usd"] == {
        "charged": "2.40",
        "possibly_charged": "0.00",
        "this_run": "2.40",
        "planned": "0.00",
    }
    assert sum(Decimal(create["price_usd"]) for create in gateway.charged) == Decimal("2.40")
    by_prompt = {create["prompt"]: create for create in gateway.charged}
    assert not any(create["ignored"] or create["dropped"] for create in gateway.charged)
    assert [sent["field"] for sent in by_prompt["references"]["files"]] == ["referenceImages", "referenceImages"]
    assert [sent["field"] for sent in by_prompt["two frames"]["files"]] == ["input_reference", "last_frame"]
    assert {sent["content_type"] for sent in by_prompt["two frames"]["files"]} == {"image/png", "image/jpeg"}
    again = film.run(yes=False)
    assert (again.code, again.document["cost_usd"]["this_run"], len(gateway.ledger)) == (0, "0.00", 5)


def test_only_a_run_says_what_a_run_cost(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a pier"})
    run = film.command("run", "shots.yaml", "-p", "quick.yaml", "--yes", "--base-url", film.base_url)
    looks = [film.command(verb, "shots.yaml", "-p", "quick.yaml") for verb in ("status", "report", "verify")]
    assert (run.code, run.out.splitlines()[-1]) == (0, "charged $0.30, this run $0.30")
    assert [look.out.splitlines()[-1] for look in looks] == ["charged $0.30"] * 3


def test_what_it_wrote_holds_no_key(film: Film) -> None:
    film.list({"a": "a secret"})
    assert film.run().code == 0
    key = film.environment["VEOPIPE_API_KEY"].encode()
    texts = [path.read_bytes() for path in film.folder.rglob("*") if path.is_file()]
    assert len(texts) > 6
    assert all(key not in text for text in texts)


def test_only_and_tag_select_and_the_rest_waits(film: Film, gateway: Simulator) -> None:
    film.list({"a-1": {"prompt": "one", "tags": ["x"]}, "a-2": {"prompt": "two"}, "b": {"prompt": "b", "tags": ["x"]}})
    assert film.run("--only", "a-*", "--tag", "x").statuses == {"a-1": "verified"}
    assert film.run("--only", "a-1", "--only", "a-2").statuses == {"a-1": "verified", "a-2": "verified"}
    assert film.run("--tag", "x").statuses == {"a-1": "verified", "b": "verified"}
    assert [form["prompt"] for form in forms(gateway)] == ["one", "two", "b"]


def test_the_compatibility_path_is_polled_when_the_pipeline_says_so(film: Film, gateway: Simulator) -> None:
    film.list({"a": "the other path"})
    film.pipeline(provider__status_endpoint="generations")
    assert film.run().code == 0
    polls = [entry["path"] for entry in gateway.wire if entry["method"] == "GET" and "content" not in entry["path"]]
    assert polls
    assert all(path.startswith("/v1/video/generations/task_") for path in polls)


# --- consent ---------------------------------------------------------------------------------------


def test_with_nobody_to_ask_it_sends_nothing(film: Film, gateway: Simulator) -> None:
    film.list({"a": "not agreed"})
    run = film.run(yes=False)
    assert run.code == 2
    assert "0.30" in run.document["error"]
    assert gateway.wire == []


@pytest.mark.parametrize(("answer", "code", "paid"), [("y", 0, 1), ("n", 2, 0), ("", 2, 0)])
def test_on_a_terminal_it_asks_once_with_the_sum(
    film: Film, gateway: Simulator, answer: str, code: int, paid: int
) -> None:
    film.list({"a": "asked"})
    ended, shown, out = on_a_terminal(film, answer)
    assert shown.count("[y/N]") == 1
    assert "Buy 1 video for $0.30?" in shown
    assert (ended, json.loads(out)["exit_code"], len(gateway.ledger)) == (code, code, paid)
    if paid:
        assert "[y/N]" not in on_a_terminal(film, "", question="")[1]


def test_on_a_terminal_it_says_what_was_bought_before(film: Film, gateway: Simulator) -> None:
    film.list(batch(2))
    assert film.run().code == 0
    film.list(batch(2), defaults={"aspect_ratio": "9:16"})
    ended, shown, _ = on_a_terminal(film, "n")
    assert "2 shots were already bought; this buys them again: $0.60 (aspect ratio changed)" in shown
    assert (ended, len(gateway.ledger)) == (2, 2)


def test_a_cap_that_covers_the_plan_is_a_yes_and_a_lower_one_is_asked_about(film: Film, gateway: Simulator) -> None:
    film.list(batch(2), budget_usd=0.5)
    ended, shown, _ = on_a_terminal(film, "n")
    assert "no more than $0.50" in shown
    assert (ended, gateway.wire) == (2, [])
    film.list(batch(2), budget_usd=0.6)
    assert on_a_terminal(film, "", question="")[0] == 0
    assert len(gateway.ledger) == 2


def on_a_terminal(film: Film, answer: str, question: str = "[y/N]") -> tuple[int, str, str]:
    """Run with stdin and stderr on a terminal and answer its question; exit code, what it showed, stdout."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "veopipe", *film.arguments(yes=False)],
        cwd=film.folder,
        env=film.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = ""
    while question not in shown:
        shown += os.read(ours, 4096).decode()
    os.write(ours, f"{answer}\n".encode())
    out = process.communicate(timeout=60)[0]
    with contextlib.suppress(OSError):  # EIO: everything was read
        while piece := os.read(ours, 4096):
            shown += piece.decode()
    os.close(ours)
    return process.returncode, shown, out


# --- models that come and go -------------------------------------------------------------------------

OMNI = "gemini-omni-1.2-flash"


def test_omni_is_asked_for_with_the_five_fields_of_its_page(film: Film, gateway: Simulator) -> None:
    film.list({"a": {"prompt": "a cat", "resolution": "360p", "aspect_ratio": "9:16"}}, defaults={"model": OMNI})
    row = film.run().shots["a"]

    assert (row["status"], row["width"], row["height"]) == ("verified", 360, 640)
    assert gateway.charged[0]["price_usd"] == "0.10"
    said = {"model": OMNI, "prompt": "a cat", "seconds": "4", "size": "360x640", "resolution": "360p"}
    assert gateway.charged[0]["fields"] == said


@pytest.mark.parametrize("name", ["404_replaced", "503_retired"])
def test_a_model_that_a_gateway_sells_no_more_is_refused_and_leaves_no_doubt(
    film: Film, gateway: Simulator, name: str
) -> None:
    film.list({"a": "a cat", "b": "a dog", "c": "a bird"})
    gateway.order_fault(name, times=None)
    run = film.run()

    assert (run.code, set(run.statuses.values())) == (1, {"refused"})
    assert gateway.charged == []
    if name == "404_replaced":
        assert f"Please use {OMNI} instead" in run.shots["a"]["reason"]
