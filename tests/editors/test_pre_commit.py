"""The hook of .pre-commit-hooks.yaml, with the real pre-commit on a repository of a user."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from veopipe.cli.commands import init

ROOT = Path(__file__).parents[2]
NEEDED = [".pre-commit-hooks.yaml", "pyproject.toml", "README.md", "LICENSE", "veopipe", "schemas", "pipelines"]
LIST = init.LIST.format(model="veo-3.1-fast-generate-preview")
WRONG = LIST.replace("    tags: [opening]\n", "    resolution: 1080p\n    seconds: 4\n")


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def setting(python_tools, tmp_path_factory):
    """Environment of a person of their own: a name for git, and an own cache for pre-commit."""
    home = tmp_path_factory.mktemp("home")
    names = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
    return {**kept, **names, "HOME": str(home), "PRE_COMMIT_HOME": str(home / "cache")}


@pytest.fixture(scope="module")
def hook_repository(setting, tmp_path_factory):
    """This checkout as it is now, as a repository that pre-commit can clone."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    for words in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "now"),
    ):
        git(folder, *words)
    return folder


@pytest.fixture(scope="module")
def film(hook_repository, tmp_path_factory):
    """A user's repository with a `.pre-commit-config.yaml` as the README shows it."""
    folder = tmp_path_factory.mktemp("film")
    revision = git(hook_repository, "rev-parse", "HEAD").strip()
    (folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {hook_repository}\n    rev: {revision}\n    hooks:\n      - id: veopipe-validate\n"
    )
    git(folder, "init", "-q")
    git(folder, "config", "user.name", "a")
    git(folder, "config", "user.email", "a@b.c")
    return folder


def run(python_tools, setting, film):
    git(film, "add", ".")
    return subprocess.run(
        [str(python_tools / "pre-commit"), "run", "--all-files", "--color=never"],
        cwd=film,
        env=setting,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_good_list_passes_and_other_yaml_is_left_alone(python_tools, setting, film):
    (film / "shots.yaml").write_text(LIST)
    (film / "other.yaml").write_text("shots: nonsense\n")
    done = run(python_tools, setting, film)
    if "pip" in done.stdout and done.returncode == 3:
        pytest.skip("pre-commit can't install the hook here")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "veopipe validate" in done.stdout
    assert "Passed" in done.stdout


def test_a_wrong_list_fails_with_the_place_and_the_rule(python_tools, setting, film):
    (film / "shots.yaml").write_text(LIST)
    (film / "scenes").mkdir()
    (film / "scenes" / "shots-night.yml").write_text(WRONG)
    done = run(python_tools, setting, film)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "scenes/shots-night.yml:" in done.stdout
    line = WRONG.splitlines().index("    seconds: 4") + 1
    assert f":{line}:14: error: 1080p and 4k are made with 8 seconds only" in done.stdout
    assert "[high-resolution-needs-8s]" in done.stdout


def test_a_commit_of_a_wrong_list_is_stopped(python_tools, setting, film):
    (film / "shots.yaml").write_text(WRONG)
    install = [str(python_tools / "pre-commit"), "install"]
    subprocess.run(install, cwd=film, env=setting, capture_output=True, check=True)
    git(film, "add", ".")
    done = subprocess.run(["git", "commit", "-m", "x"], cwd=film, env=setting, capture_output=True, text=True)
    assert done.returncode == 1
    assert "[high-resolution-needs-8s]" in done.stderr + done.stdout
