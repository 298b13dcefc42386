"""The Python API: what docs/api.md shows really runs, and a run buys only what somebody allowed."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import veopipe
from veopipe.errors import ConsentRequired, InvalidInput

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LIST = """version: 1
defaults: {model: veo-3.1-fast-generate-preview}
shots:
  SC01-pier: {prompt: A pier at dawn}
  SC02-boat: {prompt: A boat on a lake}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shots.yaml").write_text(LIST)
    return tmp_path


def test_the_examples_of_the_page_run_one_after_the_other(folder: Path) -> None:
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/api.md", "exec"), names)

    assert len(EXAMPLES) >= 6
    assert len(list(folder.glob("renders/shots.simulated/*.mp4"))) == 2
    assert names["film"].report().exit_code == 0


def test_a_run_without_a_permission_or_a_cap_buys_nothing(folder: Path) -> None:
    film = veopipe.open("shots.yaml", environ={"VEOPIPE_API_KEY": "sk-0123456789"})

    with pytest.raises(ConsentRequired):
        film.run()

    assert not (folder / ".veopipe" / "shots" / "state").exists()


def test_a_permission_holds_for_the_plan_that_it_was_made_of(folder: Path) -> None:
    permission = veopipe.Permission.of(veopipe.open("shots.yaml", only=["SC01*"], simulate=True).plan())

    with pytest.raises(ConsentRequired, match="SC02-boat: not in the plan"):
        veopipe.open("shots.yaml", simulate=True).run(permission)

    assert veopipe.open("shots.yaml", only=["SC01*"], simulate=True).run(permission).exit_code == 0


def test_a_program_with_a_loop_of_its_own_runs_it_in_a_thread(folder: Path) -> None:
    film = veopipe.open("shots.yaml", only=["SC01*"], simulate=True)
    permission = veopipe.Permission.of(film.plan())
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    report = asyncio.run(asyncio.to_thread(film.run, permission))

    assert report.exit_code == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_errors_of_a_list_are_raised_with_their_places(folder: Path) -> None:
    (folder / "shots.yaml").write_text(LIST.replace("prompt: A pier", "promt: A pier"))

    with pytest.raises(InvalidInput) as caught:
        veopipe.open("shots.yaml")

    assert {(problem.line, problem.rule) for problem in caught.value.problems} >= {(4, "unknown-key")}


def test_every_name_that_is_offered_is_there_and_nothing_is_loaded_before() -> None:
    code = "import sys, veopipe; print([n for n in sys.modules if n.startswith('veopipe.')]); print(veopipe.open)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.startswith("[]")
    assert [name for name in veopipe.__all__ if not hasattr(veopipe, name)] == []
    with pytest.raises(AttributeError):
        veopipe.nothing  # noqa: B018
    assert (Path(veopipe.__file__).parent / "py.typed").is_file()


@pytest.mark.slow  # mypy reads all of veopipe
def test_the_page_is_as_typed(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("\n".join(EXAMPLES).replace("heard = []", "heard: list[veopipe.Note] = []"))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(tmp_path / "page.py")],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=150,
    )

    assert done.returncode == 0, done.stdout
