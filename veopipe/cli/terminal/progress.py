"""A run as it goes: on a terminal a live view of what is under way, elsewhere one line for every change.

The live view: finished shots scroll above it; one line for each shot under way (as many as fit), with the
time it took so far, the time that it probably still takes, and bytes while it is downloaded; at the foot
a bar with counts and money.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from veopipe.cli.terminal.screen import COLOURS, console
from veopipe.money import as_text
from veopipe.run.events import Note
from veopipe.takes.status import CHARGED, IN_FLIGHT, POSSIBLY_CHARGED, SETTLED, Status
from veopipe.text import printable

_UNSHOWN = frozenset({"polled", "received", "downloading", "started", "left", "bought elsewhere"})
_STEPS = frozenset({Status.SUBMITTING, Status.RENDERING, Status.RENDERED, Status.DOWNLOADED})
_STATUSES = frozenset(Status)
_REFRESH = 8  # times a second: smooth for the eye, nothing for the processor
_PATIENCE = 1.0  # seconds
_NARROW = 60  # cells; below, what can be missed is left out
_LEAST_NAME = 8
_LONGEST_ID = 64
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@dataclass(slots=True)
class _Flight:
    """A take under way, as the screen knows it."""

    shot: str
    status: str
    since: float
    price: Decimal = Decimal(0)
    percent: int | None = None
    received: int = 0
    length: int | None = None
    said: str = ""


@dataclass(slots=True)
class _Sums:
    """Counts and money of this run."""

    total: int = 0
    ended: dict[tuple[str, int], str] = field(default_factory=dict)  # take → status; gone when it is tried again
    charged: Decimal = Decimal(0)
    possibly: Decimal = Decimal(0)
    spent_before: Decimal = Decimal(0)
    cap: Decimal | None = None
    waits: str = ""

    def money(self) -> Iterator[Text]:
        """Charged, possibly charged, what the cap leaves."""
        yield Text(f"charged ${as_text(self.charged)}")
        if self.possibly:
            yield Text(f"possibly ${as_text(self.possibly)}", "magenta")
        if self.cap is not None:
            left = self.cap - self.spent_before - self.charged - self.possibly
            yield Text(f"left of the cap ${as_text(max(left, Decimal(0)))}", "dim")


class Progress:
    """Shows notes as they come; a context manager.

    Args:
        quiet: show only what stops the run or needs a person.
        verbose: show every step and wait, on a terminal too.
        widest: characters of the longest name that will come, so that all lines stand in columns.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, widest: int = 0) -> None:
        self._console = console(stderr=True)
        self._quiet, self._verbose = quiet, verbose
        self._live: Live | None = None
        self._began = time.monotonic()
        self._flights: dict[tuple[str, int], _Flight] = {}
        self._sums = _Sums()
        self._rendering: list[float] = []
        self._widest = max(12, min(widest, _LONGEST_ID))
        # One at a time: rich's own refresher counts the lines of a view that another thread has just changed.
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
        held = self._lock.acquire(timeout=_PATIENCE)  # a terminal that takes nothing more holds nobody up
        try:
            live, self._live = self._live, None
            if live is not None:
                with contextlib.suppress(OSError, ValueError):
                    live.stop()
        finally:
            if held:
                self._lock.release()

    def say(self, text: str) -> None:
        """A note for people, above the live view."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            for line in text.split("\n"):
                self._console.print(Text(printable(line, None)))

    def __call__(self, note: Note) -> None:
        """Take a note into account, and show it if people want to see it."""
        if note.event == "left":
            self.stop()
        with self._lock:
            if note.event == "started":
                self._start(note)
            self._count(note)
            if self._is_shown(note):
                self._show(self._line(note))

    def _show(self, line: Text) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._console.is_terminal:
                self._console.print(line, no_wrap=True, overflow="ellipsis")
            else:
                self._console.print(line, soft_wrap=True)  # a log: one whole line

    def _start(self, note: Note) -> None:
        facts = note.facts
        self._sums.total = int(facts.get("takes", 0))
        self._sums.spent_before = Decimal(facts.get("spent_usd", "0"))
        self._sums.cap = Decimal(facts["cap_usd"]) if facts.get("cap_usd") else None
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, get_renderable=self._view, auto_refresh=False, transient=True)
            with contextlib.suppress(OSError, ValueError):
                self._live.start()
            threading.Thread(target=self._refresh, daemon=True).start()

    def _refresh(self) -> None:
        while not self._ended.wait(1 / _REFRESH):
            with self._lock, contextlib.suppress(OSError, ValueError):
                if self._live is not None:
                    self._live.refresh()

    def _is_shown(self, note: Note) -> bool:
        if self._verbose:
            return note.event not in {"started", "left"}
        if note.event in _UNSHOWN:
            return False
        if self._quiet:
            return note.event in {"stopped", "held", Status.IN_DOUBT}
        return self._live is None or note.event not in _STEPS | {"waiting"}

    def _count(self, note: Note) -> None:
        if note.shot is None or note.take is None:
            return
        key = (note.shot, note.take)
        flight = self._flights.get(key)
        if note.event == Status.SUBMITTING:
            price = Decimal(str(note.facts.get("price_usd", "0")))
            self._flights[key] = _Flight(note.shot, note.event, time.monotonic(), price)
            self._sums.ended.pop(key, None)
            self._sums.waits = ""
        elif note.event in _STATUSES:
            self._move(key, flight, Status(note.event))
        elif flight is not None and note.event == "polled":
            flight.percent, flight.said = note.facts.get("percent"), printable(note.message)
        elif flight is not None and note.event == "received":
            flight.received, flight.length = int(note.facts["bytes"]), note.facts.get("length")
        elif note.event in {"waiting", "downloading"} and note.message:
            self._sums.waits = printable(note.message)

    def _move(self, key: tuple[str, int], flight: _Flight | None, status: Status) -> None:
        known = flight or _Flight(key[0], status, time.monotonic())
        before, known.status = known.status, status.value
        self._book(known, before, status)
        if status is Status.RENDERED and flight is not None:
            self._rendering.append(time.monotonic() - flight.since)
        if status in SETTLED or status in {Status.PARKED, Status.IN_DOUBT}:
            self._flights.pop(key, None)
            self._sums.ended[key] = status.value
        else:
            self._flights[key] = known

    def _book(self, flight: _Flight, before: str, status: Status) -> None:
        was, is_now = Status(before) in CHARGED, status in CHARGED
        if is_now and not was:
            self._sums.charged += flight.price
        elif was and not is_now:
            self._sums.charged -= flight.price
        if status in POSSIBLY_CHARGED - {Status.SUBMITTING}:
            self._sums.possibly += flight.price

    # --- one line --------------------------------------------------------------------------------

    def _line(self, note: Note) -> Text:
        line = Text().append(self._clock(note), "dim")
        line.append("  ")
        line.append(f"{self._name(note)} ", "bold")
        line.append(f"{note.event.replace('_', ' '):<11}", COLOURS.get(note.event, ""))
        said = printable(note.message)
        if note.event == Status.SUBMITTING and not said:
            said = f"${note.facts.get('price_usd', '')}"
        elif note.event == "polled" and not said and note.facts.get("percent") is not None:
            said = f"{note.facts['percent']} %"
        line.append(f" {said}" if said else "", "dim")
        line.rstrip()
        return line

    def _name(self, note: Note) -> str:
        """The shot, padded to the widest so far, so that what follows stands in columns; "" for a note about none."""
        if note.shot is None:
            return ""
        most = max(12, self._console.width // 3) if self._console.is_terminal else _LONGEST_ID
        shot = printable(note.shot, most, own=True)
        self._widest = max(self._widest, len(shot))
        return shot.ljust(min(self._widest, most))

    def _clock(self, note: Note) -> str:
        return _minutes(time.monotonic() - self._began) if self._console.is_terminal else note.at

    # --- the live view ---------------------------------------------------------------------------

    def _view(self) -> RenderableType:
        flights = sorted(self._flights.values(), key=lambda flight: flight.since)
        foot = list(self._foot(len(flights)))
        room = max(3, self._console.height - len(foot) - 2)  # the line of what isn't shown, and the prompt
        hidden = len(flights) - room
        more = [Text(f"  … and {hidden:,} more under way", "dim")] if hidden > 0 else []
        return Group(*self._rows(flights[:room]), *more, *foot)

    def _rows(self, flights: Iterable[_Flight]) -> Iterator[Text]:
        """A line for each in columns; the name gives way where the terminal is narrow."""
        now = time.monotonic()
        cells = [
            (flight.shot, flight.status, _minutes(now - flight.since), self._tail(flight, now)) for flight in flights
        ]
        others = [max(map(len, column)) for column in zip(*cells, strict=True)][1:]
        most = max(12, self._console.width // 3)
        room = min(most, max(_LEAST_NAME, self._console.width - 2 - sum(others) - len(others)))
        width = min(room, max((len(shot) for shot, *_ in cells), default=0))
        frame = _FRAMES[int(now * _REFRESH) % len(_FRAMES)]
        for shot, status, took, tail in cells:
            name = shot if len(shot) <= width else shot[: width - 1] + "…"
            line = Text(no_wrap=True, overflow="ellipsis").append(f"{frame} ").append(name.ljust(width), "bold")
            line.append(f" {status:<{others[0]}}", COLOURS.get(status, "")).append(f" {took:>{others[1]}}", "dim")
            yield line.append(f" {tail}")

    def _tail(self, flight: _Flight, now: float) -> str:
        """What is known of the step: bytes, or the time that it probably still takes."""
        if flight.received and flight.status == Status.RENDERED:
            return _size(flight.received) + (f" of {_size(flight.length)}" if flight.length else "")
        if flight.status == Status.RENDERING:
            return flight.said or self._left(now - flight.since, flight.percent)
        return ""

    def _left(self, took: float, percent: int | None) -> str:
        """What rendering probably still takes, by what the others of this run took."""
        said = f"{percent} %" if percent else ""
        if not self._rendering:
            return said
        left = math.ceil(sum(self._rendering) / len(self._rendering) - took)
        if self._console.width < _NARROW:
            return f"~{_minutes(left).strip()} left" if left > 0 else said
        words = f"about {_minutes(left).strip()} left" if left > 0 else "longer than usual"
        return f"{said}  {words}".strip()

    def _foot(self, under_way: int) -> Iterator[RenderableType]:
        sums, width = self._sums, self._console.width
        ended = Counter(sums.ended.values())
        done = ended.total()
        counts = [Text(f"{done:,} of {max(sums.total, done + under_way):,}", "bold")]
        counts += [Text(f"{n:,} {status.replace('_', ' ')}", COLOURS.get(status, "")) for status, n in ended.items()]
        flying = sum(flight.status in IN_FLIGHT for flight in list(self._flights.values()))
        counts.append(Text(f"{flying:,} in flight", "cyan"))
        bar = Table.grid()
        bar.add_row(ProgressBar(total=max(sums.total, 1), completed=done, width=min(60, width)))
        yield bar
        money = list(sums.money())
        one_line = sum(part.cell_len + 2 for part in counts + money) - 2 <= width
        for parts in [counts + money] if one_line else [counts, money]:
            yield from _lines(parts, width)
        if sums.waits:
            yield Text(sums.waits, "dim", no_wrap=True, overflow="ellipsis")


def _lines(parts: Iterable[Text], width: int) -> Iterator[Text]:
    """The parts side by side, on as many lines as they need; none is broken."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for part in parts:
        if line and line.cell_len + 2 + part.cell_len > width:
            yield line
            line = Text(no_wrap=True, overflow="ellipsis")
        line.append("  " if line else "").append_text(part)
    yield line


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:2d}:{rest:02d}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
