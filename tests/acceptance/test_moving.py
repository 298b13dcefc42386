"""A list that moves to another profile, both gateways real servers: what is verified isn't bought again.

Nothing of a take that is under way crosses over: it waits for the gateway that has it, and nobody buys it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.harness.film import Film
from tests.harness.fork import Mishap
from veopipe.simulator.server import Options, Simulator, start

OMNI = "gemini-omni-1.2-flash"
PROVIDER = {"provider__profile": "google", "provider__api_key_env": "VEOPIPE_API_KEY"}


@pytest.fixture
def google() -> Iterator[Simulator]:
    """Speaks Google's Interactions API; the usual `gateway` is LaoZhang's."""
    with start(Options(task_time=0, dialect="interactions")) as running:
        yield running


@dataclass(frozen=True)
class Move:
    """The list in its folder, and the two gateways."""

    film: Film
    laozhang: Simulator
    google: Simulator

    def back(self) -> None:
        """Use the profile that it began with."""
        self.film.pipeline()
        self.film.base_url = self.laozhang.base_url

    @property
    def bought(self) -> tuple[list[str], list[str]]:
        """The prompts of every create that was accepted at LaoZhang's, and at Google's."""
        both = (self.laozhang.ledger, self.google.ledger)
        first, second = ([create["prompt"] for create in creates] for creates in both)
        return first, second


@pytest.fixture
def move(film: Film, gateway: Simulator, google: Simulator) -> Move:
    """Two shots verified at LaoZhang's, two killed there: one rendering, one while it was asked for. Then moved."""
    shots = {"a": "a cat", "b": {"prompt": "a dog", "resolution": "360p"}, "c": "a hen", "d": "an owl"}
    film.list(shots, defaults={"model": OMNI})
    assert film.run("--only", "a", "--only", "b").statuses == {"a": "verified", "b": "verified"}
    for shot, step in (("c", "poll"), ("d", "answer")):
        assert film.start(*film.arguments("--only", shot), first=Mishap("kill", step)).result().code == -9
    film.list({**shots, "e": "a fox"}, defaults={"model": OMNI})
    film.pipeline(**PROVIDER)
    film.base_url = google.base_url
    return Move(film, gateway, google)


def test_what_is_verified_is_kept_and_only_the_new_shot_is_planned(move: Move) -> None:
    where = ("shots.yaml", "-p", "quick.yaml", "--base-url", move.google.base_url, "--format", "json")
    plan = move.film.command("plan", *where).document

    actions = {entry["shot"]: entry["action"] for entry in plan["shots"]}
    assert actions == {"a": "keep", "b": "keep", "c": "hold", "d": "hold", "e": "create"}
    assert plan["cost_usd"]["planned"] == "0.298"
    reasons = {entry["shot"]: entry["reason"] for entry in plan["shots"]}
    assert reasons["c"].startswith(f"rendering at {move.laozhang.base_url}; carry it on with the pipeline of that ")


def test_a_run_buys_the_new_shot_there_and_nothing_twice_however_often_it_is_killed(move: Move) -> None:
    film = move.film
    for step in ("connect", "poll", "download", "measure"):
        assert film.start(*film.arguments(), first=Mishap("kill", step)).result().code == -9
    run = film.run()

    statuses = {"a": "verified", "b": "verified", "c": "rendering", "d": "in_doubt", "e": "verified"}
    assert (run.code, run.statuses) == (3, statuses)
    assert move.laozhang.base_url in run.shots["c"]["reason"]
    assert move.bought == (["a cat", "a dog", "a hen", "an owl"], ["a fox"])
    assert not any("a hen" in str(entry) for entry in move.google.wire)

    move.back()
    assert film.run().statuses == {**statuses, "c": "verified"}
    assert move.bought == (["a cat", "a dog", "a hen", "an owl"], ["a fox"])
    dialects = [film.state(shot)["takes"][0]["attempts"][0].get("dialect") for shot in "ace"]
    assert dialects == [None, None, "interactions"]


def test_the_dialect_that_bought_a_take_carries_it_on_whatever_the_pipeline_speaks(move: Move) -> None:
    film = move.film
    film.base_url = move.laozhang.base_url
    run = film.run("--only", "c")
    assert (run.code, run.statuses) == (0, {"c": "verified"})
    assert move.bought == (["a cat", "a dog", "a hen", "an owl"], [])
