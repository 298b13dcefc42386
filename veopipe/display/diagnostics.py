"""Problems of files: the place, the sentence, the source line with a caret below the value."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.text import Text

from veopipe.display.screen import console as screen
from veopipe.errors import Problem
from veopipe.wording import printable

MOST_FRAMES = 200
"""Problems that are shown with their source; thousands of them are read by a program, or one by one."""
_COLOURS = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_MARGIN = 20  # characters of the line that are shown before the caret when a line is longer than the screen


def show_problems(problems: Iterable[Problem], *, stderr: bool = True) -> None:
    """The problems of files, each with the line that it is about.

    Args:
        problems: in the order in which they are to be read.
        stderr: beside a command's result; else they are the result.
    """
    console, sources = screen(stderr=stderr), _Sources()
    for number, problem in enumerate(problems):
        with contextlib.suppress(OSError, ValueError):
            console.print(_headline(problem), soft_wrap=True)
            line = sources.line(problem) if number < MOST_FRAMES else None
            if line is not None:
                _show_source(console, problem, line)


def _headline(problem: Problem) -> Text:
    text = Text().append(f"{printable(problem.file)}:{problem.line}:{problem.column}: ", "bold")
    text.append(problem.severity, _COLOURS[problem.severity])
    text.append(f": {printable(problem.message, None)} ")
    text.append(f"[{problem.rule}]", "dim")
    return text


def _show_source(console: Console, problem: Problem, line: str) -> None:
    gutter = f"{problem.line:>5} | "
    room = max(40, (console.width if console.is_terminal else 120) - len(gutter))
    start = problem.column - 1 - _MARGIN if len(line) > room and problem.column > room - _MARGIN else 0
    before = printable(line[start : problem.column - 1], None)
    shown = before + printable(line[problem.column - 1 : start + room], None)
    console.print(Text.assemble((gutter, "dim"), shown), soft_wrap=True)
    console.print(Text.assemble((" " * 5 + " | ", "dim"), " " * len(before), ("^", _COLOURS[problem.severity])))


class _Sources:
    """The lines that problems are about; each file is read once and only as far as needed."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def line(self, problem: Problem) -> str | None:
        """The line, or None where the file can't be shown (a built-in pipeline, not text, gone)."""
        if problem.file not in self._lines:
            self._lines[problem.file] = self._read(Path(problem.file))
        lines = self._lines[problem.file]
        return lines[problem.line - 1] if 0 < problem.line <= len(lines) else None

    def _read(self, path: Path) -> list[str]:
        try:
            if not path.is_file():
                return []
            with path.open(encoding="utf-8-sig") as text:
                return [line.rstrip("\n") for line in islice(text, 1_000_000)]
        except (OSError, ValueError):
            return []
