"""`veopipe init` in a real process: what is there already stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veopipe", "init", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_what_is_there_already_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    assert init(tmp_path).returncode == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert init(tmp_path).returncode == 2


def test_a_link_that_leads_nowhere_now_is_left_too(tmp_path: Path) -> None:
    """Its drive may come back."""
    (tmp_path / "shots.yaml").symlink_to("/nowhere/shots.yaml")
    assert init(tmp_path).returncode == 2
    assert (tmp_path / "shots.yaml").is_symlink()


def test_the_next_command_can_be_pasted(tmp_path: Path) -> None:
    assert "  cd 'my film'\n" in init(tmp_path, "my film").stdout
