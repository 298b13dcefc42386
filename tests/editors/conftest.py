"""The tools of other people that read our schemas and hooks, installed for real; off unless asked for.

`make editors` (or VEOPIPE_EDITOR_TESTS=1) fetches them from npm and PyPI into a temporary folder. Nothing of
them is kept. Where something is missing, the tests that need it are skipped and say what it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.harness.languageserver import LanguageServer
from tests.harness.served import models_for
from veopipe.documents import schema
from veopipe.gateway.address import parse_base_url
from veopipe.manifest.shots import load_manifest
from veopipe.pipeline.reading import load_pipeline
from veopipe.profiles.reading import read

ROOT = Path(__file__).parents[2]
RULES = ROOT / "tests" / "rules"
SWITCH = "VEOPIPE_EDITOR_TESTS"
FETCHING = 300.0
"""Seconds that an installation may take."""


def install(command: Sequence[str | Path], folder: Path, what: str) -> None:
    """Fetch something, or skip with the reason."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCHING)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        pytest.skip(f"{what} can't be installed: {' '.join(last)}")


@pytest.fixture(scope="session")
def wanted() -> None:
    """Skips unless these tests are asked for: they fetch programs."""
    if os.environ.get(SWITCH) != "1":
        pytest.skip(f"fetches programs from npm and PyPI: run `make editors`, or set {SWITCH}=1")


@pytest.fixture(scope="session")
def node_folder(wanted: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with yaml-language-server and Ajv in its node_modules."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm aren't installed")
    folder = tmp_path_factory.mktemp("node")
    flags = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"]
    install([npm, "install", *flags, "yaml-language-server", "ajv"], folder, "yaml-language-server and ajv")
    return folder


@pytest.fixture(scope="session")
def python_tools(wanted: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with check-jsonschema and pre-commit."""
    folder = tmp_path_factory.mktemp("python")
    install([sys.executable, "-m", "venv", folder / "venv"], folder, "a virtual environment")
    programs = folder / "venv" / "bin"
    install([programs / "pip", "install", "-q", "check-jsonschema", "pre-commit"], folder, "check-jsonschema")
    return programs


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `schemas/` and `rules/`, the rules' files as a work tree with its two large pictures."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    rules = folder / "rules"
    shutil.copytree(RULES, rules)
    (rules / ".git").mkdir()
    for name, size in (("11-mb.png", 11_000_000), ("21-mb.png", 21_000_000)):
        shutil.copy(rules / "pictures" / "landscape.png", rules / "pictures" / name)
        os.truncate(rules / "pictures" / name, size)
    return folder


@pytest.fixture(scope="session")
def refused(workspace: Path) -> dict[str, bool]:
    """`rule/name` of every file of the rules → whether veopipe finds an error in it."""
    pipeline_rules = {rule.id for rule in schema.rules("pipeline")}
    profile_rules = {rule.id for rule in schema.rules("profile")} - pipeline_rules

    def has_error(path: Path) -> bool:
        if path.parent.name in pipeline_rules:
            found = load_pipeline(str(path), path.parent)[1]
        elif path.parent.name in profile_rules:
            found = read(path, parse_base_url, path.name)[1]
        else:
            found = load_manifest(path, models=models_for(path.parent.name)).problems
        return any(problem.severity == "error" for problem in found)

    files = (path for path in sorted(workspace.glob("rules/*/*-*.yaml")) if path.is_file())
    return {f"{path.parent.name}/{path.stem}": has_error(path) for path in files}


@pytest.fixture(scope="session")
def schema_of() -> dict[str, str]:
    """Rule → the name of the schema that its files are judged by."""
    found = {f.name: "manifest" for f in RULES.iterdir() if f.is_dir()}
    for name in ("profile", "pipeline"):
        found |= {rule.id: name for rule in schema.rules(name)}
    return found


@pytest.fixture(scope="session")
def server(node_folder: Path, workspace: Path, schema_of: dict[str, str]) -> Iterator[LanguageServer]:
    """yaml-language-server, told which schema is for which folder."""
    files: dict[str, list[str]] = {
        (workspace / "schemas" / f"{name}.schema.json").as_uri(): [
            f"/rules/{rule}/*.yaml" for rule, theirs in schema_of.items() if theirs == name
        ]
        for name in ("manifest", "pipeline", "profile")
    }
    command = [str(node_folder / "node_modules" / ".bin" / "yaml-language-server"), "--stdio"]
    with LanguageServer(command, workspace, files) as running:
        yield running
