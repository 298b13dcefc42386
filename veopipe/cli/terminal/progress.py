"""A run as it goes: on a terminal a live view of what is under way, elsewhere one line for every change.

On a terminal, lines about what ended scroll above the live view.
"""

from __future__ import annotations

import contextlib
import threading
import time
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.text import Text

from veopipe.cli.terminal.screen import console, show_line
from veopipe.cli.terminal.view import View
from veopipe.clock import minutes
from veopipe.report.legend import LEGEND
from veopipe.run.events import Happening, Note
from veopipe.takes.money import dollars_to_come
from veopipe.takes.status import Status
from veopipe.text import printable

_UNSHOWN = frozenset({"polled", "received", "downloading", "started", "left", "bought elsewhere"})
_STEPS = frozenset({Status.SUBMITTING, Status.RENDERING, Status.RENDERED, Status.DOWNLOADED})
_COLOURS = {
    **{status: standing.colour for status, standing in LEGEND.items()},
    "stopped": "bold yellow",
    "waiting": "yellow",
}
_REFRESH = 8  # times a second: smooth for the eye, nothing for the processor
_PATIENCE = 1.0  # seconds
_LONGEST_ID = 64


class Progress:
    """Shows notes as they come; a context manager.

    Args:
        quiet: show only what stops the run or needs a person.
        verbose: show every step and wait, on a terminal too.
        widest: characters of the longest name that will come, so that all lines stand in columns.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, widest: int = 0) -> None:
        self._console = console(stderr=True)
        self._is_terminal = self._console.is_terminal
        self._quiet, self._verbose = quiet, verbose
        self._view: View | None = None
        self._began = time.monotonic()
        self._widest = max(12, min(widest, _LONGEST_ID))
        # One thread at a time: rich moves the cursor up by the height of a view that another one may just have changed.
        self._lock = threading.RLock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the live view and give the cursor back."""
        self._ended.set()
        held = self._lock.acquire(timeout=_PATIENCE)  # a terminal that takes nothing more must not keep the run
        try:
            view, self._view = self._view, None
            if view is not None:
                with contextlib.suppress(OSError, ValueError):
                    view.live.stop()
        finally:
            if held:
                self._lock.release()

    def say(self, text: str) -> None:
        """A note for people, above the live view."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            for line in text.split("\n"):
                show_line(self._console, Text(printable(line, None)))

    def __call__(self, note: Note) -> None:
        """Take a note into account, and show it if people want to see it."""
        if note.event == Happening.LEFT:
            self.stop()
        with self._lock:
            if note.event == Happening.STARTED:
                self._start(note)
            if self._view is not None:
                self._view.take_in(note)
            if self._is_shown(note):
                self._show(self._line(note))

    def _show(self, line: Text) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._is_terminal:
                self._console.print(line, no_wrap=True, overflow="ellipsis")
            elif self._console.color_system is None:  # a log: one whole line, which nobody has to lay out
                self._console.file.write(f"{line.plain}\n")
                self._console.file.flush()
            else:
                self._console.print(line, soft_wrap=True)

    def _start(self, note: Note) -> None:
        if self._is_terminal and not self._quiet:
            self._view = View(self._console, note)
            with contextlib.suppress(OSError, ValueError):
                self._view.live.start()
            threading.Thread(target=self._refresh, daemon=True).start()

    def _refresh(self) -> None:
        while not self._ended.wait(1 / _REFRESH):
            with self._lock, contextlib.suppress(OSError, ValueError):
                if self._view is not None:
                    self._view.draw()

    def _is_shown(self, note: Note) -> bool:
        if self._verbose:
            return note.event not in {Happening.STARTED, Happening.LEFT}
        if note.event in _UNSHOWN:
            return False
        if self._quiet:
            return note.event in {Happening.STOPPED, Happening.HELD, Status.IN_DOUBT}
        return self._view is None or note.event not in _STEPS | {Happening.WAITING}

    # --- one line --------------------------------------------------------------------------------

    def _line(self, note: Note) -> Text:
        line = Text().append(self._clock(note), "dim")
        line.append("  ")
        line.append(f"{self._name(note)} ", "bold")
        line.append(f"{note.event.replace('_', ' '):<11}", _COLOURS.get(note.event, ""))
        said = printable(note.message)
        if note.event == Status.SUBMITTING and not said:
            said = dollars_to_come(Decimal(note.facts.get("price_usd", "0")))
        elif note.event == Happening.POLLED and not said and note.facts.get("percent") is not None:
            said = f"{note.facts['percent']} %"
        line.append(f" {said}" if said else "", "dim")
        line.rstrip()
        return line

    def _name(self, note: Note) -> str:
        """The shot, padded to the widest so far, so that what follows stands in columns; "" for a note about none."""
        if note.shot is None:
            return ""
        most = max(12, self._console.width // 3) if self._is_terminal else _LONGEST_ID
        shot = printable(note.shot, most, own=True)
        if note.take is not None and note.take > 1:  # as its file is called: several takes of a shot may be under way
            shot = f"{shot}.{note.take:03d}"
        self._widest = max(self._widest, len(shot))
        return shot.ljust(min(self._widest, most))

    def _clock(self, note: Note) -> str:
        return minutes(time.monotonic() - self._began).rjust(5) if self._is_terminal else note.at
