"""Every rule has files that obey it and files that don't: tests/rules/<rule-id>/{valid,invalid}-*.yaml."""

import os
import shutil
from pathlib import Path

import pytest

from tests.harness.served import LAOZHANG, SERVED, models_for
from veopipe.documents import schema, yaml
from veopipe.documents.nodes import plain
from veopipe.gateway.address import parse_base_url
from veopipe.manifest import families, rules
from veopipe.manifest.shots import load_manifest
from veopipe.pipeline.reading import load_pipeline
from veopipe.profiles.reading import read

HERE = Path(__file__).parents[1] / "rules"
FOLDERS = sorted(folder for folder in HERE.iterdir() if folder.name != "pictures")
PIPELINE_RULES = {rule.id for rule in schema.rules("pipeline")}
PROFILE_RULES = {rule.id for rule in schema.rules("profile")} - PIPELINE_RULES
SCHEMAS = ("manifest", "bible", "profile", "pipeline")
SCHEMA_RULES = {rule.id for name in SCHEMAS for rule in schema.rules(name)}
OWN_RULES = {entry["x-rule"] for entry in LAOZHANG}


def schema_of(path: Path) -> str:
    """The schema that a rule's file is judged by."""
    rule = path.parent.name
    return "pipeline" if rule in PIPELINE_RULES else "profile" if rule in PROFILE_RULES else "manifest"


def files(kind: str) -> list[object]:
    found = [path for folder in FOLDERS for path in sorted(folder.glob(f"{kind}-*.yaml"))]
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in found]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The folder of rules as a git work tree, with the two pictures that are too large to be kept in git."""
    copy = tmp_path_factory.mktemp("world") / "rules"
    shutil.copytree(HERE, copy)
    (copy / ".git").mkdir()
    for name, size in (("11-mb.png", 11_000_000), ("21-mb.png", 21_000_000)):
        shutil.copy(copy / "pictures" / "landscape.png", copy / "pictures" / name)
        os.truncate(copy / "pictures" / name, size)
    return copy


def problems_of(world: Path, path: Path):
    copy = world / path.relative_to(HERE)
    rule = path.parent.name
    if rule in PIPELINE_RULES:
        return load_pipeline(str(copy), copy.parent)[1]
    if rule in PROFILE_RULES:
        return read(copy, parse_base_url, path.name)[1]
    return load_manifest(copy, models=models_for(rule)).problems


@pytest.mark.parametrize("path", files("invalid"))
def test_an_invalid_file_breaks_its_rule_and_no_other(world, path):
    assert {problem.rule for problem in problems_of(world, path)} == {path.parent.name}


@pytest.mark.parametrize("path", files("valid"))
def test_a_valid_file_has_no_error_and_obeys_its_rule(world, path):
    found = problems_of(world, path)
    assert [p for p in found if p.severity == "error" or p.rule == path.parent.name] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_rule_has_valid_and_invalid_files(folder):
    assert list(folder.glob("valid-*.yaml"))
    assert list(folder.glob("invalid-*.yaml"))


def test_every_rule_has_a_folder_and_every_folder_a_rule():
    known = SCHEMA_RULES | rules.RULES.keys() | yaml.RULES.keys() | OWN_RULES
    assert {folder.name for folder in FOLDERS} == known


def test_a_problem_is_as_grave_as_its_rule_says(world):
    said = {rule.id: rule.severity for name in SCHEMAS for rule in schema.rules(name)}
    said |= {rule.id: rule.severity for rule in [*rules.RULES.values(), *yaml.RULES.values()]}
    said |= dict.fromkeys(OWN_RULES, "error")
    for folder in FOLDERS:
        for path in folder.glob("invalid-*.yaml"):
            assert {p.severity for p in problems_of(world, path)} == {said[folder.name]}, path


@pytest.mark.slow
def test_an_editor_reports_nothing_that_veopipe_accepts(world):
    """The whole schema on the raw document, as an editor applies it."""
    accepted = [
        path
        for folder in FOLDERS
        for path in folder.glob("*-*.yaml")
        if not any(problem.severity == "error" for problem in problems_of(world, path))
    ]
    assert len(accepted) > 150
    for path in accepted:
        read = yaml.load(world / path.relative_to(HERE))
        name = schema_of(path)
        assert schema.check(name, plain(read.root)) == [], path


@pytest.mark.parametrize(
    "rule",
    [
        *("high-resolution-needs-8s", "references-without-frames", "seed-range", "unknown-key"),
        "omni-references-without-frames",
    ],
)
def test_an_editor_reports_what_one_shot_shows(rule):
    found = [
        finding.rule
        for path in (HERE / rule).glob("invalid-*.yaml")
        for finding in schema.check("manifest", plain(yaml.load(path).root))
    ]
    assert rule in found


@pytest.mark.parametrize("rule", ["seconds-values", "resolution-values", "omni-seconds", "omni-without-seed"])
def test_an_editor_reports_every_value_that_no_shot_can_have(rule):
    for path in (HERE / rule).glob("invalid-*.yaml"):
        if path.stem != "invalid-default-for-one":  # compares a shot with the default of another model
            assert schema.check("manifest", plain(yaml.load(path).root)) != [], path


# --- families -------------------------------------------------------------------------------------------


def families_in(path: Path) -> set[str]:
    """The families of the models that a file names."""
    read = yaml.load(path).root
    root = plain(read) if read is not None else None
    shots = root.get("shots") if isinstance(root, dict) else None
    settings = [root.get("defaults"), *shots.values()] if isinstance(shots, dict) else []
    names = {each["model"] for each in settings if isinstance(each, dict) and isinstance(each.get("model"), str)}
    return {SERVED[name].family for name in names if name in SERVED}


def rules_in_code(family: str) -> set[str]:
    return {rule for name, entry in families.families().items() if name == family for rule in entry["x-code"]}


@pytest.mark.parametrize("family", families.families())
def test_every_rule_of_a_family_has_files_with_its_models_that_obey_it_and_that_dont(family):
    for rule in {rule.id for rule in families.rules_of(family)} | rules_in_code(family):
        for kind in ("valid", "invalid"):
            assert any(family in families_in(path) for path in (HERE / rule).glob(f"{kind}-*.yaml")), (rule, kind)


@pytest.mark.parametrize("family", families.families())
def test_no_rule_of_another_family_is_said_about_a_model(world, family):
    others = {
        rule
        for other in families.families()
        if other != family
        for rule in {rule.id for rule in families.rules_of(other)} | rules_in_code(other) - rules_in_code(family)
    }
    files = [
        path
        for folder in FOLDERS
        if folder.name not in PIPELINE_RULES
        for path in folder.glob("*-*.yaml")
        if families_in(path) == {family}
    ]
    assert len(files) > 30
    assert [path for path in files if {problem.rule for problem in problems_of(world, path)} & others] == []


def test_a_rule_in_code_that_a_family_has_is_one_of_the_rules_in_code():
    assert {rule for family in families.families() for rule in rules_in_code(family)} <= rules.RULES.keys()
