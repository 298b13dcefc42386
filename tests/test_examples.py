"""Every example is right, and a rehearsal of it delivers everything that it wants."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LISTS = sorted(EXAMPLES.glob("*.yaml"))


def veopipe(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "VEOPIPE_API_KEY"}
    command = [sys.executable, "-m", "veopipe", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("renders", ".veopipe"))


def test_there_are_examples():
    assert [path.name for path in LISTS] == ["omni.yaml", "shots.yaml"]


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_an_example_has_no_error_and_no_warning(copy, path):
    done = veopipe(copy, "validate", path.name, "--strict", "--format", "json")
    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 0, problems
    assert {problem["rule"] for problem in problems} <= {"retired-model"}


@pytest.mark.slow  # one of its shots is in 4K
@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_a_rehearsal_of_an_example_verifies_every_shot_and_buys_nothing_twice(copy, path):
    first = veopipe(copy, "run", path.name, "--simulate", "--format", "json")
    report = json.loads(first.stdout)
    assert first.returncode == 0, first.stderr
    assert {shot: row["status"] for shot, row in report["shots"].items()} == dict.fromkeys(report["shots"], "verified")
    assert all((copy / row["file"]).is_file() for row in report["shots"].values())
    again = json.loads(veopipe(copy, "run", path.name, "--simulate", "--format", "json").stdout)
    assert again["cost_usd"] == report["cost_usd"] | {"this_run": "0.00"}


def test_the_list_of_today_orders_only_what_is_sold_today(copy):
    done = veopipe(copy, "validate", "omni.yaml", "--format", "json")
    assert json.loads(done.stdout) == {"exit_code": 0, "problems": []}
    assert "warning" not in veopipe(copy, "plan", "omni.yaml").stderr


def test_the_shot_list_has_every_kind_of_request_and_its_budget_covers_it(copy):
    done = veopipe(copy, "plan", "shots.yaml", "--format", "json")
    plan = json.loads(done.stdout)
    assert {entry["mode"] for entry in plan["shots"]} == {"text", "image", "first_last", "references"}
    assert ("image", "4k") in {(entry["mode"], entry["resolution"]) for entry in plan["shots"]}
    assert float(plan["cost_usd"]["planned"]) <= float(plan["cost_usd"]["cap"])


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_an_example_names_the_schema_that_lies_beside_it(path):
    first_line = path.read_text("utf-8").splitlines()[0]
    assert first_line.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first_line.partition("$schema=")[2]).resolve() == (
        EXAMPLES.parent / "schemas" / "manifest.schema.json"
    ).resolve()


def test_the_pictures_are_small():
    assert sum(path.stat().st_size for path in (EXAMPLES / "refs").iterdir()) < 1_500_000


# --- the film --------------------------------------------------------------------------------------


def test_the_film_has_no_error_and_no_warning(copy):
    for pipeline in ("default", "draft", "final"):
        done = veopipe(copy / "film", "validate", "shots.yaml", "-p", pipeline, "--strict", "--format", "json")
        assert (done.returncode, json.loads(done.stdout)["problems"]) == (0, [])


@pytest.mark.slow
def test_the_film_goes_as_its_readme_says(copy):
    film = copy / "film"
    lines = [line.partition("  #")[0] for line in (film / "README.md").read_text("utf-8").splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("veopipe ")]
    assert len(commands) >= 8
    for command in commands:
        done = veopipe(film, *command)
        assert done.returncode == 0, (command, done.stderr)
    status = json.loads(veopipe(film, "status", "shots.yaml", "--simulate", "--format", "json").stdout)
    assert {row["status"] for row in status["shots"].values()} == {"verified"}
    assert [shot for shot, row in status["shots"].items() if "stale" in row] == ["SC03-stairs"]
    again = json.loads(veopipe(film, "run", "shots.yaml", "--simulate", "--format", "json").stdout)
    assert (again["cost_usd"]["this_run"], again["exit_code"]) == ("0.00", 0)
