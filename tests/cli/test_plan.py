"""`veopipe plan` in a real process: what it prints leads on."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

LIST = """\
version: 1
defaults: {model: veo-3.1-fast-generate-preview, prompt: x}
shots: {one: {}, two: {tags: [hero]}}
"""


def veopipe(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veopipe", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_that_carries_a_plan_out_has_what_the_plan_was_made_with(tmp_path: Path) -> None:
    """With another pipeline its orders are other ones, which the plan doesn't allow."""
    (tmp_path / "shots.yaml").write_text(LIST)
    (tmp_path / "final.yaml").write_text("overrides: {resolution: 4k}\n")
    given = ["-p", "./final.yaml", "--base-url", "http://127.0.0.1:9", "--only", "t*", "--tag", "hero"]
    said = veopipe(tmp_path, "plan", "shots.yaml", *given, "-o", "the plan.json").stderr.splitlines()[-1]
    words = shlex.split(said.partition("carry it out with: ")[2])
    assert words == ["veopipe", "run", "shots.yaml", *given, "--plan", "the plan.json"]
    rehearsal = veopipe(tmp_path, "plan", "shots.yaml", "--simulate", "--retry-failed", "-o", "plan.json").stderr
    assert rehearsal.endswith("veopipe run shots.yaml --simulate --retry-failed --plan plan.json\n")
