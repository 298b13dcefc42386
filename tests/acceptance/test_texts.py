"""Texts that are said once: what is sent and paid is what is written out, and to move words buys nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

LOOK = {"look": "cold greens"}


def plan(film: Film) -> Result:
    """Ends with 0 where nothing is to do."""
    return film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--detailed-exitcode")


def test_what_is_sent_is_written_out_and_moving_words_into_texts_or_out_buys_nothing(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "A lamp, ${look}", "b": "A sign: $${look}"}, texts=LOOK)
    assert film.run().code == 0
    assert sorted(create["prompt"] for create in gateway.ledger) == ["A lamp, cold greens", "A sign: ${look}"]
    assert film.state("a")["takes"][0]["order"]["prompt"] == "A lamp, cold greens"

    (film.folder / "bible.yaml").write_text(json.dumps({"texts": {"all": "A lamp, cold greens"}}))
    for again in ({"a": "A lamp, cold greens", "b": "A sign: ${look}"}, {"a": "${all}", "b": "A sign: $${look}"}):
        film.list(again, **({"bible": "bible.yaml"} if "${all}" in again.values() else {}))
        assert plan(film).code == 0
        assert film.run().code == 0
    assert len(gateway.ledger) == 2


@pytest.mark.shows("film 40")
def test_an_edit_of_a_bible_is_told_by_its_cause_in_each_list_and_picks_stay(film: Film, gateway: Simulator) -> None:
    bible = film.folder / "bible.yaml"
    bible.write_text("texts: {look: cold greens, keeper: an old keeper}\n")
    shots = {"a": "A lamp. ${look}", "b": "${keeper}. ${look}", "c": "Stairs. ${look}", "d": "A pier"}
    for name in ("one.yaml", "two.yaml"):
        film.list(shots, name, bible="bible.yaml")
        assert film.run(manifest=name).code == 0
    assert film.command("review", "one.yaml", "c", "-p", "quick.yaml", "--pick", "1").code == 0

    bible.write_text("texts: {look: warm reds, keeper: an old keeper}\n")
    said = {"one.yaml": (2, "0.60", "; 1 more is picked and stays"), "two.yaml": (3, "0.90", "")}
    for name, (count, cost, more) in said.items():
        options = (name, "-p", "quick.yaml", "--base-url", film.base_url)
        sentence = f"prompt changed: {count} shots, ${cost}, all of them use `look`{more}"
        assert f"\n{sentence}\n" in film.command("plan", *options).out
        (cause,) = film.command("plan", *options, "--format", "json").document["again"]
        assert (cause["uses"], len(cause["shots"]), cause["picked_and_stay"]) == (["look"], count, bool(more))
        asked = film.run(manifest=name, yes=False)
        assert (asked.code, sentence in asked.err + asked.out) == (2, True)
    assert len(gateway.ledger) == 8


def test_a_wrong_reference_sends_nothing_and_a_bible_s_problem_is_shown_in_the_bible(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "A lamp, ${lok}"}, texts=LOOK)
    ended = film.run()
    errors = [problem["rule"] for problem in ended.document["problems"] if problem["severity"] == "error"]
    assert (ended.code, errors) == (2, ["text-unknown"])

    (film.folder / "bible.yaml").write_text("texts:\n  look: cold greens\nshots: {}\n")
    film.list({"a": "A lamp, ${look}"}, bible="bible.yaml")
    shown = film.command("validate", "shots.yaml", "-p", "quick.yaml")
    assert shown.code == 2
    assert "bible.yaml:3:1: error: a bible holds `texts`, name → text, and nothing else" in shown.out
    assert "    3 | shots: {}\n      | ^\n" in shown.out
    assert gateway.wire == []


def test_a_shot_s_info_is_shown_on_its_page_and_is_no_part_of_its_order(film: Film, gateway: Simulator) -> None:
    film.list({"a": {"prompt": "A lamp", "info": {"act": 1, "<b>": "\u202e${look}", "night": True, "place": None}}})
    assert film.run().shots["a"]["info"] == {"act": 1, "<b>": "\u202e${look}", "night": True, "place": None}
    assert "info" not in film.state("a")["takes"][0]["order"]
    film.list({"a": {"prompt": "A lamp", "info": {"act": 2}}})
    assert plan(film).code == 0

    film.list({"a": {"prompt": "A lamp", "info": {"act": 2, "<b>": "\u202e${look}", "night": True, "place": None}}})
    assert film.command("report", "shots.yaml", "-p", "quick.yaml", "-o", "r.html").code == 0
    page = (film.folder / "r.html").read_text("utf-8")
    for name, value in (("act", "2"), ("&lt;b&gt;", "\\u202e${look}"), ("night", "true"), ("place", "")):
        assert f"<div><dt>{name}</dt><dd>{value}</dd></div>" in page
    assert len(gateway.ledger) == 1


def test_the_schema_of_a_bible_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "veopipe", "schema", "bible"], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout)["title"] == "veopipe bible"
