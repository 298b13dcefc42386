"""`veopipe init`: what is there already stays."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.harness.film import Veopipe
from veopipe.profiles.reading import built_in, built_in_names


def test_what_is_there_already_is_left_as_it_is(tmp_path: Path, veopipe: Veopipe) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    assert veopipe(tmp_path, "init").code == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert veopipe(tmp_path, "init").code == 2


def test_a_link_that_leads_nowhere_now_is_left_too(tmp_path: Path, veopipe: Veopipe) -> None:
    """Its drive may come back."""
    (tmp_path / "shots.yaml").symlink_to("/nowhere/shots.yaml")
    assert veopipe(tmp_path, "init").code == 2
    assert (tmp_path / "shots.yaml").is_symlink()


def test_the_next_command_can_be_pasted(tmp_path: Path, veopipe: Veopipe) -> None:
    assert "  cd 'my film'\n" in veopipe(tmp_path, "init", "my film").out


@pytest.mark.parametrize("profile", [name for name in built_in_names() if built_in(name).sold])
def test_the_list_that_it_makes_is_sold_today(tmp_path: Path, profile: str, veopipe: Veopipe) -> None:
    said = veopipe(tmp_path, "init", "--profile", profile).out
    assert built_in(profile).api_key_env in said
    assert built_in(profile).token_setup in said
    pipeline = tmp_path / "pipelines" / "default.yaml"
    assert pipeline.exists() is (profile != "laozhang")
    costs = []
    for name in ("default", "draft"):
        checked = veopipe(tmp_path, "validate", "shots.yaml", "-p", name, "--strict", "--format", "json")
        assert json.loads(checked.out) == {"exit_code": 0, "problems": []}
        plan = veopipe(tmp_path, "plan", "shots.yaml", "-p", name, "--format", "json")
        found = json.loads(plan.out)
        assert found["gateway"] == f"{built_in(profile).base_url}:443"
        assert "switched off" not in plan.err
        costs.append(Decimal(found["cost_usd"]["planned"]))
    assert costs[1] < costs[0] / 2


def test_beside_another_list_no_pipeline_changes_its_meaning(tmp_path: Path, veopipe: Veopipe) -> None:
    """`-p draft` is the built-in one there, and what it ordered is bought."""
    (tmp_path / ".veopipe" / "other").mkdir(parents=True)
    assert veopipe(tmp_path, "init").code == 0
    assert not (tmp_path / "pipelines").exists()


def test_a_pipeline_that_is_there_is_left_too(tmp_path: Path, veopipe: Veopipe) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "default.yaml").write_text("output: mine\n")
    assert veopipe(tmp_path, "init", "--profile", "google").code == 0
    assert (tmp_path / "pipelines" / "default.yaml").read_text() == "output: mine\n"


@pytest.mark.parametrize("name", ["no-such", "new-api", "\x1b[31m", "../laozhang"])
def test_a_profile_that_it_cant_begin_with_is_refused(tmp_path: Path, name: str, veopipe: Veopipe) -> None:
    done = veopipe(tmp_path, "init", "--profile", name)
    assert done.code == 2
    assert "laozhang" in done.err
    assert "\x1b" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_schemas_for_an_editor_are_those_of_the_files_that_people_write(tmp_path: Path, veopipe: Veopipe) -> None:
    veopipe(tmp_path, "init")
    made = sorted(path.name for path in (tmp_path / ".veopipe").glob("*.json"))
    assert made == ["bible.schema.json", "manifest.schema.json", "pipeline.schema.json", "profile.schema.json"]
