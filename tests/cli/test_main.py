"""The boundary: what ends a command well, and what doesn't."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from veopipe.cli.main import COMMANDS
from veopipe.documents.schema import NAMES

# One command more, which ends its process as a library might.
ENDING = """
import sys, types
import click
from veopipe.cli import main

main.COMMANDS["leave"] = "Leave."
command = click.Command("leave", callback=lambda format: sys.exit(0), params=[click.Option(["--format"])])
sys.modules["veopipe.cli.commands.leave"] = types.SimpleNamespace(command=command)
sys.exit(main.main(["leave", "--format", "json"]))
"""


@pytest.mark.parametrize("words", [["schema", "manifest"], ["--help"], ["plan", "--help"]], ids=" ".join)
def test_a_result_that_nobody_reads_is_no_error(words: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        command = [sys.executable, "-m", "veopipe", *words]
        done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(theirs)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_and_the_exit_codes(name: str) -> None:
    command = import_module(f"veopipe.cli.commands.{name if name != 'import' else 'import_'}").command
    shown = command.get_help(click.Context(command, info_name=name))
    assert shown.index("Options:") < shown.index("Example:") < shown.index("Exit codes:")


def test_help_names_every_kind_of_schema_in_one_piece() -> None:
    command = import_module("veopipe.cli.commands.schema").command
    shown = command.get_help(click.Context(command, info_name="schema"))
    assert [kind for kind in NAMES if not re.search(rf"\b{kind}\b", shown)] == []


def test_a_library_that_ends_the_process_is_a_bug_and_no_success(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDING]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 70
    assert json.loads(done.stdout)["exit_code"] == 70
    assert [path.name.startswith("veopipe-bug-") for path in tmp_path.iterdir()] == [True]
