"""`veopipe validate` in a real process: several files, formats, severities."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LIST = "version: 1\ndefaults: {model: veo-3.1-fast-generate-preview, prompt: x}\nshots:\n"


def validate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veopipe", "validate", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def problems(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    found = json.loads(validate(folder, *arguments, "--format", "json").stdout)["problems"]
    return [problem for problem in found if problem["severity"] != "info"]


def test_a_file_that_cant_be_read_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(LIST + "  a: {}\n")
    (tmp_path / "bad.yaml").write_text(LIST + "  a: {seconds: 5}\n")
    (tmp_path / "broken.yaml").write_text("version: 1\nshots: {a: '\n")
    found = problems(tmp_path, "none.yaml", "broken.yaml", ".", "bad.yaml", "good.yaml")
    assert [(p["file"], p["rule"]) for p in found] == [
        ("none.yaml", "file-unreadable"),
        ("broken.yaml", "yaml-syntax"),
        (".", "file-unreadable"),
        ("bad.yaml", "seconds-values"),
    ]


def test_a_problem_has_exactly_the_fields_of_the_contract(tmp_path: Path) -> None:
    (tmp_path / "shots.yaml").write_text(LIST + "  a: {seconds: 5}\n  b: {Seconds: 5}\n")
    assert problems(tmp_path, "shots.yaml") == [
        {
            "file": "shots.yaml",
            "line": line,
            "column": column,
            "severity": "error",
            "rule": rule,
            "message": message,
            "shot": shot,
            "shots": 1,
        }
        for line, column, rule, message, shot in (
            (4, 16, "seconds-values", "`seconds` is 4, 6 or 8; this is 5", "a"),
            (5, 7, "key-spelling", "`Seconds` is written `seconds` here", "b"),
        )
    ]


def test_strict_makes_a_warning_an_error_in_the_summary_too(tmp_path: Path) -> None:
    (tmp_path / "shots.yaml").write_text(LIST + f"  a: {{prompt: {'灯' * 1100}}}\n")
    lenient, strict = validate(tmp_path, "shots.yaml"), validate(tmp_path, "shots.yaml", "--strict")
    assert (lenient.returncode, lenient.stdout.splitlines()[-1]) == (0, "shots.yaml: 1 shot, 1 warning")
    assert (strict.returncode, strict.stdout.splitlines()[-1]) == (2, "shots.yaml: 1 shot, 1 error")


def test_a_hostile_name_or_key_starts_no_workflow_command(tmp_path: Path) -> None:
    (tmp_path / "a,b%:\n::error::x.yaml").write_text(LIST + '  a: {"k%\\n::error::y": 1}\n')
    lines = validate(tmp_path, "a,b%:\n::error::x.yaml", "--format", "github").stdout.splitlines()
    assert [line.split("::")[1].partition(" ")[0] for line in lines] == ["notice", "error"]
    assert all("file=a%2Cb%25%3A\\n%3A%3Aerror%3A%3Ax.yaml,line=" in line for line in lines)
    assert "`k%25\\n::error::y`" in lines[1]
