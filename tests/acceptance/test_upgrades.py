"""An upgrade buys nothing: ledgers that older releases really left, under today's code.

`tests/ledger/released/` has one folder for each release, made by its own code (`make.py` there). The gateway is
today's simulator with the book of the release's; just its port is another one.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.film import Film
from tests.harness.fork import Mishap
from veopipe.simulator.server import Options, Simulator, start

RELEASED = Path(__file__).parents[1] / "ledger" / "released"
RELEASES = sorted(path.name for path in RELEASED.iterdir() if (path / "gateway").is_dir())

KEPT = {"text", "picture", "edited", "renamed", "mismatched", "refused", "failed", "given-up"}
ACTIONS = dict.fromkeys(KEPT, "keep") | dict.fromkeys(("parked", "rendering"), "continue")
ACTIONS |= dict.fromkeys(("doubt", "asking"), "hold") | {"new": "create"}
AFTERWARDS = dict.fromkeys(("text", "parked", "rendering", "new"), "verified")
AFTERWARDS |= dict.fromkeys(("doubt", "asking"), "in_doubt") | {"refused": "refused", "failed": "failed"}
AFTERWARDS |= {"mismatched": "mismatched", "given-up": "abandoned"}


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Path:
    """What a clone has of a folder in which that release worked."""
    return RELEASED / str(request.param)


@pytest.fixture
def gateway(release: Path, tmp_path: Path) -> Iterator[Simulator]:
    """Knows what it sold to the release."""
    shutil.copytree(release / "gateway", tmp_path / "gateway")
    with start(Options(task_time=0, folder=tmp_path / "gateway")) as running:
        yield running


@pytest.fixture
def film(make_film: Callable[[str], Film], release: Path) -> Film:
    """The folder of the release, with its pipeline, and its gateway at today's port."""
    made = make_film("film")
    shutil.copytree(release, made.folder, dirs_exist_ok=True)
    for path in (*states(made), made.folder / "plan.json"):
        path.write_text(re.sub(r"http://127\.0\.0\.1:\d+", made.base_url, path.read_text("utf-8")), "utf-8")
    return made


def states(film: Film) -> list[Path]:
    return sorted((film.folder / ".veopipe" / "shots" / "state").glob("[!.]*.json"))


def planned(film: Film, *words: str) -> list[dict[str, Any]]:
    where = ("shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json")
    plan = film.command("plan", *where, *words).document
    return [entry for entry in plan["shots"] if isinstance(entry, dict)]


def test_nothing_that_an_older_release_ordered_is_ordered_again(film: Film) -> None:
    before = {path: path.read_bytes() for path in states(film)}
    old = json.loads((film.folder / "plan.json").read_text("utf-8"))["shots"]
    now = planned(film)

    assert {entry["shot"]: entry["action"] for entry in now} == ACTIONS
    for name in ("shot", "action", "fingerprint", "take", "price_usd", "cost_usd"):
        assert [entry[name] for entry in now] == [entry[name] for entry in old], name
    assert film.command("status", "shots.yaml", "--format", "json").document["cost_usd"]["this_run"] == "0.00"
    assert {path: path.read_bytes() for path in states(film)} == before


def test_what_is_settled_leaves_nothing_to_do(film: Film) -> None:
    only = [word for shot in sorted(KEPT) for word in ("--only", shot)]

    plan = ("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    assert film.command(*plan, "--detailed-exitcode", *only).code == 0


def test_a_plan_of_an_older_release_is_carried_out_killed_or_not_and_allows_no_more(
    film: Film, gateway: Simulator, posts: Callable[[], int]
) -> None:
    before, charged = states(film), len(gateway.charged)
    run = film.arguments("--plan", "plan.json", yes=False)
    for step in ("poll", "download", "measure"):
        assert film.start(*run, "--only", "rendering", first=Mishap("kill", step)).result().code == -9
    run += [word for shot in AFTERWARDS for word in ("--only", shot)]  # films of the others aren't kept that long
    for mishap in (Mishap("kill", "connect"), Mishap("kill", "download", only="new")):
        assert film.start(*run, first=mishap).result().code == -9
    ended = film.command(*run)

    assert (ended.code, ended.statuses) == (3, AFTERWARDS)
    assert (posts(), len(gateway.charged)) == (1, charged + 1)
    assert gateway.charged[-1]["prompt"] == "the morning after"
    assert film.finished("text").read_bytes() == (film.folder / "renders/shots/takes/text.001.mp4").read_bytes()
    carried_on = film.state("rendering")["takes"][0]["attempts"]
    assert [(attempt["status"], "dialect" in attempt) for attempt in carried_on] == [("verified", False)]
    assert {path.name for path in states(film)} - {path.name for path in before} == {"new.json"}
    film.list({"new": "something else"}, budget_usd=50)
    refused = film.command(*film.arguments("--plan", "plan.json", yes=False))
    assert (refused.code, posts()) == (2, 1)


def test_a_film_of_an_older_release_is_measured_as_it_was(film: Film) -> None:
    assert film.command("verify", "shots.yaml", "--only", "text").code == 0
