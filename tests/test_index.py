"""What the tests must show, and how many of them show it: each is marked with `@pytest.mark.shows("…")`.

A requirement whose test was lost, or an attack of docs/hazards.md, e, that has none, fails here.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.harness.bugs import BUGS
from tests.harness.farbugs import FAR
from tests.harness.fuzzing import MEASURED, NIGHTLY, PUSH, WALKED
from tests.harness.order import LONG, shared
from tests.harness.points import ON_FILES, STEPS
from tests.harness.wire.answers import BEHAVIOURS

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "veopipe"
PAGE = (TESTS.parent / "docs" / "hazards.md").read_text("utf-8")
ATTACKS = re.findall(r"^\| ([0-9]+b?) \|", PAGE.partition("\n## (e)")[2].partition("\n## (f)")[0], re.MULTILINE)
FILM = re.findall(r"^\| (M?[0-9]+) \|", (TESTS.parent / "docs" / "film.md").read_text("utf-8"), re.MULTILINE)
REQUIREMENTS = {
    "stopped at each durable operation, SIGKILL and power loss": 5,
    "compound crashes, also during recovery": 5,
    "stopped with several creates under way, and between the files of several shots": 4,
    "soak": 1,
    "stopped in the other commands": 3,
    "a carrier that dies at each step": 8,
    "each operation fails, once and for ever; short writes; the rescue": 5,
    "45 behaviours of the wire at three stages, each with its class": 6,
    "a stateful property test": 1,
    "hostile input, at least 10,000": 4,
    "the key is searched for in everything": 2,
    "lock held, holder killed, child left behind": 4,
    "two lists that share an output": 2,
    "resolve while a run is on": 1,
    "a clone, a cleaned checkout, renamed lists and shots": 6,
    "the harness has teeth": 4,
    "the budget: concurrency, a crash loop, resumption": 4,
    "wallet empty, key exhausted or refused in the middle": 3,
    "429 and Retry-After: creates and polls slow down together, and recover": 4,
    "disk space before a download; a full disk": 2,
    "disk space before a create; a full disk": 2,
    "48 hours": 3,
    "a profile file that tries paths, huge numbers or terminal escapes": 4,
    "300 s: a late answer still counts": 2,
    "600 s: a task that the gateway doesn't know": 2,
    "monotonic deadlines; clock changes alter messages only": 2,
}
"""Requirement → how many tests show it."""
MORE = {"18": 2, "19": 2, "25": 2, "27": 2, "37": 3}
"""Attacks that more than one test shows."""


@cache
def shown() -> Counter[str]:
    """What the tests are marked with, and how many of them."""
    found = Counter[str]()
    for path in TESTS.rglob("test_*.py"):
        source = path.read_text("utf-8")
        for function in ast.walk(ast.parse(source)) if "mark.shows" in source else ():
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
                marks = [mark for mark in function.decorator_list if isinstance(mark, ast.Call)]
                shows = (mark for mark in marks if ast.unparse(mark.func) == "pytest.mark.shows")
                found.update(ast.literal_eval(argument) for mark in shows for argument in mark.args)
    return found


def test_each_requirement_and_each_attack_has_its_tests() -> None:
    others = {name: count for name, count in shown().items() if not name.startswith("film ")}
    assert others == {**REQUIREMENTS, **{f"e {number}": MORE.get(number, 1) for number in ATTACKS}}
    assert len(ATTACKS) >= 52


def test_each_rule_and_case_of_film_craft_has_its_test() -> None:
    assert {name for name in shown() if name.startswith("film ")} == {
        f"film {number}" for number in (*FILM, "model", "sweep")
    }
    assert len(FILM) >= 30


@pytest.mark.shows("hostile input, at least 10,000")
def test_a_run_tries_more_than_ten_thousand_inputs() -> None:
    """What is counted input by input stands at the end of a run; here: that it can't become fewer unseen."""
    fuzzers = sum(path.read_text("utf-8").count("\n@given(") for path in (TESTS / "hostile").glob("test_*.py"))
    assert fuzzers * PUSH + WALKED + MEASURED >= 10_000
    assert fuzzers * NIGHTLY >= 100_000


def test_there_are_as_many_behaviours_and_seeded_bugs_as_promised() -> None:
    assert len(BEHAVIOURS) >= 45
    assert len(BUGS) >= 33
    assert len(FAR) >= 14


def test_the_crash_harness_names_files_and_steps_that_veopipe_has() -> None:
    """A file that was moved, or a step that was renamed, would be disturbed no more, and no sweep would say so."""
    sources = [path.read_text("utf-8") for path in PACKAGE.rglob("*.py")]
    reached = {step for source in sources for step in re.findall(r"\breach\(\"([a-z-]+)\"", source)}

    assert [name for name in ON_FILES if not (PACKAGE / name).is_file()] == []
    assert STEPS - reached == set()


def test_the_long_tests_that_workers_begin_with_are_there_and_none_gets_lost() -> None:
    strays = [
        f"{file}::{name}"
        for file, names in LONG.items()
        for name in names
        if f"\ndef {name}(" not in (TESTS / file).read_text("utf-8")
    ]
    assert strays == []
    several = [f"tests/{file}::{name}[{case}]" for file, names in LONG.items() for name in names for case in "abc"]
    ids = [f"tests/test_x.py::test_{number}" for number in range(40)] + several
    for workers in (1, 2, 3, 7):
        order = shared([(name, name) for name in ids], workers)
        assert sorted(order) == sorted(ids)
        assert order[0] == next(name for name in several if "every_point_a_new_shot" in name)
