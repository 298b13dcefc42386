"""The terminal: consoles, a note for people."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from veopipe.text import printable

_COMMAND = re.compile(r"(?::| {2}) *((?:veopipe|mv|mkdir|git) \S.*)$")
"""A command at the end of a line, behind a colon or in a column."""


class _Console(Console):
    """Raises an OSError for a closed pipe. rich itself would exit, and that would end a run in its middle."""

    def on_broken_pipe(self) -> None:
        """Pass the error on."""
        raise  # rich calls this while it handles the BrokenPipeError


def console(*, stderr: bool) -> Console:
    """A console that shows text as it is: no markup, no emoji, no guessed colours; honours NO_COLOR."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not stream.isatty())


def is_unread(error: OSError) -> bool:
    """Whether stdout took nothing because its reader is gone: a closed pipe, or a closed terminal.

    A closed terminal gives the error of a broken disk (EIO), but it is a character device.
    """
    if isinstance(error, BrokenPipeError):
        return True
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(1).st_mode)


def say(text: str) -> None:
    """A note for people, on stderr."""
    with contextlib.suppress(OSError, ValueError):
        for line in text.split("\n"):
            show_line(console(stderr=True), Text(printable(line, None)))


def show_line(screen: Console, line: Text) -> None:
    """Print a line. A command at its end stays in one piece, so that it can be copied: the terminal itself folds it."""
    found = _COMMAND.search(line.plain) if screen.is_terminal and line.cell_len > screen.width else None
    if found is None:
        screen.print(line)
        return
    head, command = line[: found.start(1)], line[found.start(1) :]
    head.rstrip()
    screen.print(head)
    screen.print(Text("  ").append_text(command), soft_wrap=True)


def show_fact(head: Iterable[tuple[str, str]], said: tuple[str, str]) -> None:
    """A part of a result, on stdout: a head, and behind it a sentence that may hold what others said.

    Args:
        head: texts with their styles.
        said: the sentence with its style.
    """
    text, style = said
    show_hanging(console(stderr=False), Text.assemble(*head), Text(printable(text, None), style))


def show_indented(screen: Console, text: Text, cells: int) -> None:
    """Print a text behind an indent that its further lines have, too; elsewhere than on a terminal: one line."""
    show_hanging(screen, Text(" " * cells), text)


def show_hanging(screen: Console, head: Text, text: Text) -> None:
    """Print a text behind a head; on a terminal its further lines stand below its first, elsewhere it is one line."""
    lines = text.wrap(screen, max(20, screen.width - head.cell_len)) if screen.is_terminal else [text]
    for number, line in enumerate(lines):
        line.rstrip()
        screen.print((Text(" " * head.cell_len) if number else head.copy()).append_text(line))
