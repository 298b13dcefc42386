"""What comes after Tab: in the shells themselves where they are installed, and by click's protocol everywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LIST = """\
version: 1
defaults: {model: veo-3.1-fast-generate-preview}
shots:
  SC01-lighthouse: {prompt: a}
  SC02-harbor: {prompt: b}
  hero: {prompt: c}
"""
BUILT_IN = ["default", "draft", "final", "final-4k", "nightly", "rehearsal"]
CASES = [
    pytest.param("veopipe pl", ["plan"], id="commands"),
    pytest.param("veopipe run --new", ["--new-ledger"], id="options"),
    pytest.param("veopipe run shots.yaml --only SC", ["SC01-lighthouse", "SC02-harbor"], id="shots-of-the-list"),
    pytest.param("veopipe run my\\ film/shots.yaml --only SC02", ["SC02-harbor"], id="a-list-with-a-space"),
    pytest.param("veopipe run ~/shots.yaml --only SC02", ["SC02-harbor"], id="a-list-at-home"),
    pytest.param("veopipe run list.json --only h", ["hero"], id="a-list-in-json"),
    pytest.param("veopipe run --plan plan.json shots.yaml --only h", ["hero"], id="a-list-behind-a-plan"),
    pytest.param("veopipe resolve shots.yaml he", ["hero"], id="shot-to-resolve"),
    pytest.param("veopipe run shots.yaml -p ", [*BUILT_IN, "own"], id="pipelines"),
    pytest.param("veopipe doctor --pipeline n", ["nightly"], id="pipeline-without-a-list"),
    pytest.param("veopipe report shots.yaml --only SC02", ["SC02-harbor"], id="shots-to-report"),
    pytest.param("veopipe validate shots.yaml -p o", ["own"], id="pipeline-to-check-with"),
    pytest.param("veopipe report shots.yaml --format m", ["markdown"], id="formats"),
    pytest.param("veopipe completion f", ["fish"], id="shells"),
    pytest.param("veopipe init --profile ", ["google", "laozhang", "new-api"], id="profiles"),
    pytest.param("veopipe cut shots.yaml -c t", ["tall", "teaser"], id="cuts"),
    pytest.param("veopipe schema pr", ["profile"], id="schemas"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("film")
    (made / "shots.yaml").write_text(LIST)
    (made / "broken.yaml").write_text("shots: [")
    (made / "list.json").write_text('{"version": 1, "shots": {"hero": {"prompt": "c"}}}')
    (made / "plan.json").write_text('{"format": 1, "shots": [{"shot": "hat"}]}')
    (made / "my film").mkdir()
    (made / "my film" / "shots.yaml").write_text(LIST)
    (made / "cuts").mkdir()
    for cut in ("main", "tall", "teaser"):
        (made / "cuts" / f"{cut}.yaml").write_text("version: 1\n")
    (made / "pipelines").mkdir()
    (made / "pipelines" / "own.yaml").write_text("version: 1\n")
    return made


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """With a `veopipe` on the path, as an installation has it."""
    programs = tmp_path_factory.mktemp("bin")
    program = programs / "veopipe"
    (programs / "shots.yaml").write_text(LIST)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m veopipe "$@"\n')
    program.chmod(0o755)
    package = str(Path(__file__).parents[2])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COMP_", "_VEOPIPE"))}
    return {**kept, "PATH": f"{programs}:{kept['PATH']}", "PYTHONPATH": package, "HOME": str(programs)}


def run(command, folder, environment, **more):
    return subprocess.run(command, cwd=folder, env={**environment, **more}, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module", params=["bash", "zsh", "fish"])
def shell(request, folder, environment):
    """A shell, and its script as `veopipe completion` prints it."""
    done = run(["veopipe", "completion", request.param], folder, environment)
    assert (done.returncode, done.stderr) == (0, "")
    return request.param, done.stdout


def needs(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} isn't installed")


# What readline does after Tab: it sets the words and calls the function that `complete -F` named.
BASH = """
source "$1"
function_of() { local words=($(complete -p veopipe)); for ((n = 0; n < ${#words[@]}; n++)); do
    [[ ${words[n]} == -F ]] && echo "${words[n + 1]}"; done; }
read -a COMP_WORDS <<< "$2"
typed='\\ '  # which is how bash hands them over
COMP_WORDS=("${COMP_WORDS[@]// /$typed}")
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$2 COMP_POINT=${#2}
compopt() { :; }
"$(function_of)" veopipe
printf '%s\\n' "${COMPREPLY[@]}"
"""


def in_bash(script, line, folder, environment):
    done = run(["bash", "--norc", "-c", BASH, "bash", str(script), line], folder, environment)
    assert done.stderr == ""
    return [found for found in done.stdout.splitlines() if found]


def in_fish(script, line, folder, environment):
    done = run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], folder, environment)
    assert done.stderr == ""
    return [found.partition("\t")[0] for found in done.stdout.splitlines() if found.strip()]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "expected"), CASES)
@pytest.mark.parametrize(("name", "ask"), [("bash", in_bash), ("fish", in_fish)], ids=["bash", "fish"])
def test_a_shell_offers_what_fits(folder, environment, tmp_path, name, ask, line, expected):
    needs(name)
    script = tmp_path / "script"
    script.write_text(run(["veopipe", "completion", name], folder, environment).stdout)
    assert sorted(ask(script, line, folder, environment)) == sorted(expected)


# A zsh with a terminal of its own, driven by another: the line is typed, Tab is pressed, Enter runs it.
ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; autoload -U compinit && compinit -u -D; source '$1'; cd '$PWD
zpty -w z 'veopipe() { print -rn -- "=$*=" }; echo rea''dy'
zpty -r -m z out '*ready*'
zpty -n -w z $2$'\\t'
zpty -n -w z $'\\r'
zpty -r -m z out '*=*=*'
print -r -- $out
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("veopipe run shots.yaml -p nigh", "run shots.yaml -p nightly", id="pipeline"),
        pytest.param("veopipe resolve shots.yaml he", "resolve shots.yaml hero", id="shot"),
        pytest.param("veopipe run shots.yaml --only SC02", "run shots.yaml --only SC02-harbor", id="shot-of-an-option"),
    ],
)
def test_zsh_completes_a_line_that_is_typed(folder, environment, tmp_path, line, expected):
    needs("zsh")
    script = tmp_path / "script"
    script.write_text(run(["veopipe", "completion", "zsh"], folder, environment).stdout)
    done = run(["zsh", "-f", "-c", ZSH, "zsh", str(script), line], folder, environment)
    assert f"={expected}=" in done.stdout.replace(" =", "=")


def test_a_script_is_small_and_starts_nothing_by_itself(shell):
    name, script = shell
    assert len(script) < 2_000
    assert f"_VEOPIPE_COMPLETE={name}_complete" in script
    assert script.count("_VEOPIPE_COMPLETE") == 1


@pytest.mark.parametrize(
    "line",
    ["veopipe run gone.yaml --only ", "veopipe run broken.yaml --only S", "veopipe resolve / x"],
)
def test_where_nothing_fits_nothing_is_offered_and_nothing_is_said(folder, environment, line):
    words = line.split() + ([""] if line.endswith(" ") else [])
    position = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_VEOPIPE_COMPLETE": "bash_complete"}
    done = run(["veopipe"], folder, environment, **position)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_after_a_misspelt_command_nothing_is_said(folder, environment):
    position = {"COMP_WORDS": "veopipe rnu ", "COMP_CWORD": "2", "_VEOPIPE_COMPLETE": "bash_complete"}
    assert run(["veopipe"], folder, environment, **position).stderr == ""


def test_a_list_of_ten_thousand_shots_is_completed_quickly(folder, environment):
    shots = "".join(f"  s{n:05d}: {{prompt: x}}\n" for n in range(10_000))
    (folder / "many.yaml").write_text(f"version: 1\nshots:\n{shots}")
    position = {"COMP_WORDS": "veopipe run many.yaml --only s0999", "COMP_CWORD": "4"}
    done = run(["veopipe"], folder, environment, **position, _VEOPIPE_COMPLETE="bash_complete")
    assert done.stdout.split() == [f"plain,s0999{n}" for n in range(10)]
