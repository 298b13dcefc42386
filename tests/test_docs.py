"""The documents say what is so: generated parts are up to date, and what they name is there."""

import importlib.util
import re
import subprocess
from pathlib import Path

import click
import pytest

import veopipe
from veopipe.cli import main
from veopipe.errors import ExitCode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_blocks(text):
    return "\n".join(re.findall(r"^ *```bash\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE))


def calls(path):
    """Every `veopipe …` of a document, in code blocks and in code within text."""
    text = path.read_text("utf-8")
    lines = code_blocks(text).splitlines() + re.findall(r"`([^`\n]+)`", text)
    found = [re.search(r"(?:^|[ /])veopipe ([a-z-].*)", line.partition("#")[0]) for line in lines]
    return [match[1].split() for match in found if match]


def command(name):
    return main.veopipe.get_command(click.Context(main.veopipe), name)


@pytest.mark.parametrize("name", generator().PARTS)
def test_the_generated_parts_are_up_to_date(name):
    text = (ROOT / name).read_text("utf-8")
    assert generator().filled(text, generator().PARTS[name]) == text, "run: make docs"


def test_a_part_that_has_no_place_is_noticed():
    with pytest.raises(LookupError, match="exit-codes"):
        generator().filled(README.replace("<!-- generated: exit-codes -->", ""), generator().PARTS["README.md"])


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_stands_in_the_readme(name):
    assert f"| `{name}` | " in README


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_stands_in_the_readme(code):
    assert f"\n| {int(code)} | " in README


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_option_that_a_document_names_exists(path):
    for words in calls(path):
        assert words[0] in {*main.COMMANDS, "--version"}, words
        if words[0] in main.COMMANDS:
            known = {option for parameter in command(words[0]).params for option in parameter.opts}
            used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert used <= known, words


def test_calls_are_found():
    assert ["run", "shots.yaml", "--plan", "plan.json"] in calls(ROOT / "README.md")
    assert len(calls(ROOT / "README.md")) > 20


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_of_a_document_leads_somewhere(path):
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_every_target_that_is_named_is_made():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    made = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    pages = [
        makefile.partition(".PHONY:")[2].partition("\n")[0].replace(" ", " make "),
        *(path.read_text("utf-8") for path in DOCUMENTS),
    ]
    named = {name for page in pages for name in re.findall(r"\bmake ([a-z]+)(?=`|\s+#|\s+make |$)", page, re.MULTILINE)}
    assert named >= {"check", "docs", "editors", "nightly"}
    assert named - made == set()


@pytest.mark.parametrize("marker", ["try", "tests"])
def test_each_set_up_is_one_line_of_the_readme(marker):
    found = re.findall(rf"<!-- {marker} -->\n```bash\n(.*?)```", README, re.DOTALL)
    assert len(found) == 1
    assert found[0].count("\n") == 1
    assert found[0].startswith("python3 -m venv .venv && .venv/bin/pip install ")


def test_ci_runs_the_test_line_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    function = re.search(r"from_readme\(\) \{.*?\n\}", script, re.DOTALL)[0]
    done = subprocess.run(
        ["bash", "-euc", f"{function}\nfrom_readme tests"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout in README
    assert done.stdout.endswith(".venv/bin/pytest -q -n auto\n")
    assert "tests=$(from_readme tests)" in script


def test_decisions_are_numbered_complete_and_short():
    entries = (ROOT / "DECISIONS.md").read_text("utf-8").split("\n## ")[1:]
    assert [entry.partition(".")[0] for entry in entries] == [str(n) for n in range(1, len(entries) + 1)]
    for entry in entries:
        labels = re.findall(r"^- \*\*(\w+)\*\*: \S", entry, re.MULTILINE)
        assert labels == ["Question", "Options", "Choice", "Consequence", "Date"], entry
        assert len(entry.strip().splitlines()) <= 20, entry


def test_the_changelog_has_a_place_for_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## (Unreleased|\[?{re.escape(veopipe.__version__)}\]?)", changelog, re.MULTILINE)


def test_the_picture_loads_nothing_and_shows_every_shot():
    picture = (ROOT / "docs" / "run.svg").read_text("utf-8")
    assert set(re.findall(r"\w+://[^\"' )]*", picture)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in picture
    assert "@import" not in picture
    example = (ROOT / "examples" / "shots.yaml").read_text("utf-8")
    shots = re.findall(r"^  ([A-Za-z0-9][\w-]*):", example.partition("\nshots:")[2], re.MULTILINE)
    assert len(shots) == 6
    assert [shot for shot in shots if shot not in picture] == []
