"""Shots that exchange their ids while only some of them are selected: what is bought already is bought no more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

BEFORE = {"SC01": "a pier", "SC02": "a boat", "SC03": "the sea", "SC04": "a storm"}
AFTER = {
    "two shots exchange their ids": {"SC01": "a pier", "SC02": "the sea", "SC03": "a boat", "SC04": "a storm"},
    "a shot is put in": {
        "SC01": "a pier",
        "SC02": "new: a gull",
        "SC03": "a boat",
        "SC04": "the sea",
        "SC05": "a storm",
    },
    "a shot is taken out": {"SC01": "a pier", "SC02": "the sea", "SC03": "a storm"},
    "all move on": {"SC02": "a pier", "SC03": "a boat", "SC04": "the sea", "SC01": "a storm"},
}


def often(gateway: Simulator) -> Counter[str]:
    return Counter(create["prompt"] for create in gateway.charged)


@pytest.mark.parametrize("how", AFTER)
@pytest.mark.parametrize("only", ["SC02", "SC03", "SC0[1-3]"])
def test_a_run_of_some_of_them_buys_nothing_again(film: Film, gateway: Simulator, how: str, only: str) -> None:
    film.list(BEFORE)
    assert film.run().code == 0
    film.list(AFTER[how])
    assert film.run("--only", only).code == 0
    last = film.run()
    assert (last.code, set(last.statuses.values())) == (0, {"verified"})
    assert often(gateway) == Counter({**dict.fromkeys(BEFORE.values(), 1), **dict.fromkeys(AFTER[how].values(), 1)})
    for shot, prompt in AFTER[how].items():
        assert film.state(shot)["takes"][-1]["order"]["prompt"] == prompt


def test_what_two_shots_want_in_the_same_words_is_bought_for_each(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat"})
    assert film.run().code == 0
    film.list({"a": "a cat", "b": "a cat"})
    assert film.run("--only", "b").code == 0
    assert often(gateway) == {"a cat": 2}


def test_a_chain_that_moves_on_is_known_by_a_run_of_its_end(film: Film, gateway: Simulator) -> None:
    chained = {"prompt": "from a", "input_reference": {"shot": "a", "frame": "last"}}
    film.list({"a": "a cat", "b": chained, "c": "a dog"})
    assert film.run().code == 0
    film.list({"c": "a cat", "a": {**chained, "input_reference": {"shot": "c", "frame": "last"}}, "b": "a dog"})
    assert film.run("--only", "b").code == 0
    assert film.run().code == 0
    assert set(often(gateway).values()) == {1}
