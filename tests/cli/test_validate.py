"""`veopipe validate`: several files, formats, severities."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.film import Veopipe

LIST = "version: 1\ndefaults: {model: veo-3.1-fast-generate-preview, prompt: x}\nshots:\n"
Problems = Callable[..., list[dict[str, Any]]]
Said = Callable[..., list[tuple[str, int, int, str]]]


@pytest.fixture
def problems(veopipe: Veopipe) -> Problems:
    """What is wrong with the files of a folder."""

    def found(folder: Path, *arguments: str) -> list[dict[str, Any]]:
        said = veopipe(folder, "validate", *arguments, "--format", "json").document["problems"]
        return [problem for problem in said if problem["severity"] != "info"]

    return found


@pytest.fixture
def said(problems: Problems) -> Said:
    """Where something is wrong, and by which rule."""
    return lambda folder, *arguments: [
        (p["file"], p["line"], p["column"], p["rule"]) for p in problems(folder, *arguments)
    ]


def test_a_file_that_cant_be_read_hides_no_other(tmp_path: Path, problems: Problems) -> None:
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


def test_a_problem_has_exactly_the_fields_of_the_contract(tmp_path: Path, problems: Problems) -> None:
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


def test_strict_makes_a_warning_an_error_in_the_summary_too(tmp_path: Path, veopipe: Veopipe) -> None:
    (tmp_path / "shots.yaml").write_text(LIST + f"  a: {{prompt: {'灯' * 1100}}}\n")
    lenient, strict = (
        veopipe(tmp_path, "validate", "shots.yaml"),
        veopipe(tmp_path, "validate", "shots.yaml", "--strict"),
    )
    assert (lenient.code, lenient.out.splitlines()[-1]) == (0, "shots.yaml: 1 shot, 1 warning")
    assert (strict.code, strict.out.splitlines()[-1]) == (2, "shots.yaml: 1 shot, 1 error")


def test_a_hostile_name_or_key_starts_no_workflow_command(
    tmp_path: Path, problems: Problems, said: Said, veopipe: Veopipe
) -> None:
    (tmp_path / "a,b%:\n::error::x.yaml").write_text(LIST + '  a: {"k%\\n::error::y": 1}\n')
    lines = veopipe(tmp_path, "validate", "a,b%:\n::error::x.yaml", "--format", "github").out.splitlines()
    assert [line.split("::")[1].partition(" ")[0] for line in lines] == ["notice", "error"]
    assert all("file=a%2Cb%25%3A\\n%3A%3Aerror%3A%3Ax.yaml,line=" in line for line in lines)
    assert "`k%25\\n::error::y`" in lines[1]


def cut(folder: Path, name: str, *clips: str) -> None:
    (folder / "cuts").mkdir(exist_ok=True)
    lines = "".join(f"  - {{{clip}}}\n" for clip in clips)
    (folder / f"cuts/{name}").write_text(f"version: 1\nclips:\n{lines}", "utf-8")


def test_the_cuts_beside_a_list_are_checked_with_it(tmp_path: Path, said: Said, veopipe: Veopipe) -> None:
    (tmp_path / "shots.yaml").write_text(LIST + "  SC01-pier: {}\n  SC02-boat: {}\n")
    cut(tmp_path, "main.yaml", "shot: SC01-pier, in: 12f", "shot: SC02-baot", "sho: SC01-pier", "file: post/gone.mp4")
    cut(tmp_path, "tall.yml", "shot: SC01-pier")
    cut(tmp_path, "fine.yaml", "shot: SC02-boat, take: 7", "gap: 1s")
    (tmp_path / "cuts/main.lock.json").write_text("{")

    assert said(tmp_path, "shots.yaml") == [
        ("cuts/main.yaml", 4, 12, "cut-shot-unknown"),
        ("cuts/main.yaml", 5, 5, "cut-clip"),
        ("cuts/main.yaml", 5, 6, "unknown-key"),
        ("cuts/tall.yml", 1, 1, "cut-name"),
    ]
    done = veopipe(tmp_path, "validate", "shots.yaml")
    assert (done.code, done.out.splitlines()[-1]) == (2, "shots.yaml: 2 shots, 3 errors, 1 warning")
    assert "there is no shot SC02-baot: did you mean SC02-boat?" in done.out


def test_where_a_list_cant_be_read_its_cuts_still_are_but_for_its_shots(tmp_path: Path, said: Said) -> None:
    (tmp_path / "shots.yaml").write_text(LIST + "  a: {seconds: 5}\n")
    cut(tmp_path, "main.yaml", "shot: b, out: half")

    assert said(tmp_path, "shots.yaml") == [
        ("shots.yaml", 4, 16, "seconds-values"),
        ("cuts/main.yaml", 3, 20, "cut-out"),
    ]


def test_a_cut_of_another_list_of_the_folder_is_no_error_of_this_one(tmp_path: Path, said: Said) -> None:
    (tmp_path / "one.yaml").write_text(LIST + "  a: {}\n")
    (tmp_path / "two.yaml").write_text(LIST + "  b: {}\n")
    cut(tmp_path, "two.yaml", "shot: b", "shot: c")
    cut(tmp_path, "typo.yaml", "shot: q")

    assert said(tmp_path, "one.yaml") == [("cuts/typo.yaml", 3, 12, "cut-shot-unknown")]
    assert said(tmp_path, "two.yaml") == [
        ("cuts/two.yaml", 4, 12, "cut-shot-unknown"),
        ("cuts/typo.yaml", 3, 12, "cut-shot-unknown"),
    ]


def test_a_cut_that_leads_out_of_the_work_tree_is_named_and_not_shown(
    tmp_path: Path, said: Said, veopipe: Veopipe
) -> None:
    folder, outside = tmp_path / "film", tmp_path / "secret.yaml"
    (folder / "cuts").mkdir(parents=True)
    (folder / "shots.yaml").write_text(LIST + "  a: {}\n")
    outside.write_text("token: dont-tell\n")
    (folder / "cuts/main.yaml").symlink_to(outside)

    assert said(folder, "shots.yaml") == [("cuts", 1, 1, "cut-outside")]
    assert "dont-tell" not in veopipe(folder, "validate", "shots.yaml").out


def test_checking_cuts_loads_no_decoder(tmp_path: Path) -> None:
    (tmp_path / "shots.yaml").write_text(LIST + "  a: {}\n")
    cut(tmp_path, "main.yaml", "shot: a")
    look = "import sys; sys.argv = ['veopipe', 'validate', 'shots.yaml']\nfrom veopipe.__main__ import main\n"
    look += "try: main()\nexcept SystemExit: pass\nprint({'av', 'opentimelineio', 'PIL', 'httpx'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "set()", done.stderr
