"""Problems of files: the place, the sentence, the source line with a caret below the value.

File by file, in the order in which the files are first named. On a terminal the sentence wraps between words;
elsewhere a headline stays one line, `file:line:column: severity: message [rule]`, for grep and for editors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from veopipe.cli.terminal.screen import console as screen
from veopipe.errors import Problem
from veopipe.text import printable

MOST_FRAMES = 200
"""Problems that are shown with their source; thousands of them are read by a program, or one by one."""
_COLOURS = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_LEAST_ROOM = 20  # cells for the source, however narrow the terminal is
_LONGEST_KEY = 400  # characters
_ROOM_ELSEWHERE = 120  # cells, where there is no terminal


def show_problems(problems: Iterable[Problem], *, stderr: bool = True) -> None:
    """The problems of files, each with the line that it is about.

    Args:
        problems: in the order in which they are to be read.
        stderr: beside a command's result, without those that are no matter for worry; else they are the result.
    """
    console, sources = screen(stderr=stderr), _Sources()
    told = (problem for problem in problems if problem.severity != "info" or not stderr)
    for number, problem in enumerate(_by_file(told)):
        with contextlib.suppress(OSError, ValueError):
            if number and console.is_terminal:
                console.print()
            console.print(_headline(problem), soft_wrap=not console.is_terminal)
            line = sources.line(problem) if number < MOST_FRAMES else None
            if line is not None:
                _show_source(console, problem, line)


def for_github(problem: Problem) -> str:
    """A workflow command of GitHub's, which Actions shows beside the line."""
    kind = {"error": "error", "warning": "warning", "info": "notice"}[problem.severity]

    def safe(text: str) -> str:
        text = printable(text, None)
        for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
            text = text.replace(character, code)
        return text

    place = f"file={safe(problem.file)},line={problem.line},col={problem.column},title={safe(problem.rule)}"
    message = problem.message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} {place}::{message}"


def _by_file(problems: Iterable[Problem]) -> list[Problem]:
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.file, []).append(problem)
    return [problem for group in groups.values() for problem in group]


def _headline(problem: Problem) -> Text:
    text = Text().append(f"{printable(problem.file, None)}:{problem.line}:{problem.column}: ", "bold")
    text.append(problem.severity, _COLOURS[problem.severity])
    text.append(f": {printable(problem.message, None)} ")
    text.append(f"[{problem.rule}]", "dim")
    return text


def _show_source(console: Console, problem: Problem, line: str) -> None:
    gutter = f"{problem.line:>5} | "
    width = console.width if console.is_terminal else _ROOM_ELSEWHERE
    before, after = _window(line, problem.column - 1, max(_LEAST_ROOM, width - len(gutter)))
    below = " " * (len(gutter) - 2) + "| "
    caret = Text.assemble((below, "dim"), " " * cell_len(before), ("^", _COLOURS[problem.severity]))
    for row in (Text.assemble((gutter, "dim"), before, after), caret):
        console.print(row, soft_wrap=True)


def _window(line: str, at: int, room: int) -> tuple[str, str]:
    """The parts of a line before and from a place that fit into `room` cells; what is cut off leaves a `…`.

    A third of the room is for what stands before the place, unless the line fits or the place is near its start.
    """
    seen = room + _LONGEST_KEY  # so that a key is known as one, and masked, before it is cut
    before, after = printable(line[max(0, at - seen) : at], None), printable(line[at : at + seen], None)
    is_whole = at <= room and len(line) - at <= room
    if is_whole and cell_len(before) + cell_len(after) <= room:
        return before, after
    if at > room or cell_len(before) > room // 3:
        before = "…" + _last_cells(before, room // 3 - 1)
    left = room - cell_len(before)
    if len(line) - at > room or cell_len(after) > left:
        after = _first_cells(after, left - 1) + "…"
    return before, after


def _first_cells(text: str, cells: int) -> str:
    """As much of the start of a text as fits: a wide character that is only half inside is left out."""
    while cell_len(text) > cells:
        text = text[: max(cells, 0)] if len(text) > cells else text[:-1]
    return text


def _last_cells(text: str, cells: int) -> str:
    return _first_cells(text[::-1], cells)[::-1]


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
