"""The live view of a run: a line for each take under way, as many as fit; below them a bar, counts and money.

A line has the shot's name, the status of its take, the time that it took so far, and what is known of this step:
bytes while it is downloaded, or the time that rendering probably still takes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from rich.console import Console, RenderableType
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from veopipe.clock import minutes
from veopipe.report.legend import LEGEND
from veopipe.run.events import Happening, Note
from veopipe.takes.money import dollars, dollars_left
from veopipe.takes.status import CHARGED, IN_FLIGHT, POSSIBLY_CHARGED, SETTLED, Status
from veopipe.text import printable

_STATUSES = frozenset(Status)
_ENDED = SETTLED | {Status.PARKED, Status.IN_DOUBT}
_NARROW = 60  # cells; below, what can be missed is left out
_LEAST_NAME = 8  # cells


class View(Progress):
    """The takes under way, each a task of rich's, and the sums of the run.

    Args:
        console: where it is shown.
        started: the run's first note, with the number of takes and the money.
    """

    def __init__(self, console: Console, started: Note) -> None:
        facts = started.facts
        self._screen = console  # rich draws once before it has a console of its own
        self._total = int(facts.get("takes", 0))
        cap = facts.get("cap_usd")
        self._cap = Decimal(cap) if cap else None
        self._spent_before = Decimal(facts.get("spent_usd", "0"))
        self._charged = self._possibly = Decimal(0)
        self._waits = ""
        self._under_way: dict[tuple[str, int], Task] = {}
        self._ended: dict[tuple[str, int], Status] = {}  # without those that are tried again
        self._rendering: list[float] = []  # seconds that it took, for each take
        super().__init__(
            SpinnerColumn(style=None),
            _Texts(lambda task: Text(task.description, "bold"), Column(min_width=_LEAST_NAME)),
            _Texts(_status, Column(no_wrap=True)),
            _Texts(_took, Column(no_wrap=True, justify="right")),
            _Texts(lambda task: Text(self._known(task))),
            console=console,
            auto_refresh=False,
            transient=True,
        )

    def refresh(self) -> None:
        """Draw nothing: rich asks for it with each new task, of which there may be hundreds a second."""

    def draw(self) -> None:
        """Draw the takes and the sums as they are now."""
        self.live.refresh()

    # --- what happens ------------------------------------------------------------------------------

    def take_in(self, note: Note) -> None:
        """Take into account what happened."""
        if note.shot is None or note.take is None:
            return
        key = (note.shot, note.take)
        if note.event == Status.SUBMITTING:
            self._begin(key, Status.SUBMITTING, Decimal(str(note.facts.get("price_usd", "0"))))
            self._waits = ""
        elif note.event in _STATUSES:
            self._move(key, Status(note.event))
        elif note.event in {Happening.WAITING, Happening.DOWNLOADING}:
            self._waits = printable(note.message) or self._waits
        elif (task := self._under_way.get(key)) is not None:
            task.fields.update(_told(note))

    def _begin(self, key: tuple[str, int], status: Status, price: Decimal = Decimal(0)) -> Task:
        self._end(key)
        self._ended.pop(key, None)
        shot, number = key
        self.add_task(
            shot if number == 1 else f"{shot}.{number:03d}",
            total=None,
            status=status,
            price=price,
            percent=None,
            said="",
        )
        self._under_way[key] = self.tasks[-1]
        return self.tasks[-1]

    def _end(self, key: tuple[str, int]) -> None:
        if (task := self._under_way.pop(key, None)) is not None:
            self.remove_task(task.id)

    def _move(self, key: tuple[str, int], status: Status) -> None:
        task = self._under_way.get(key)
        if task is None:
            task = self._begin(key, status)
        elif status is Status.RENDERED:
            self._rendering.append(task.elapsed or 0)
        self._book(task.fields["price"], task.fields["status"], status)
        task.fields.update(status=status, percent=None, said="")
        if status in _ENDED:
            self._end(key)
            self._ended[key] = status

    def _book(self, price: Decimal, before: Status, status: Status) -> None:
        self._charged += price * ((status in CHARGED) - (before in CHARGED))
        if status in POSSIBLY_CHARGED - {Status.SUBMITTING}:
            self._possibly += price

    # --- what is shown -----------------------------------------------------------------------------

    def get_renderables(self) -> Iterable[RenderableType]:
        """The takes that began first, how many there are besides, and the foot."""
        tasks = self.tasks
        foot = list(self._foot(tasks))
        room = max(3, self._screen.height - len(foot) - 2)  # the line of what isn't shown, and the prompt
        yield self.make_tasks_table(tasks[:room])
        if len(tasks) > room:
            yield Text(f"  … and {len(tasks) - room:,} more under way", "dim")
        yield from foot

    def _known(self, task: Task) -> str:
        """What is known of the step."""
        said: str = task.fields["said"]
        if said or task.fields["status"] is not Status.RENDERING:
            return said
        return self._left(task.elapsed or 0, task.fields["percent"])

    def _left(self, took: float, percent: int | None) -> str:
        """What rendering probably still takes, by what the others of this run took."""
        said = f"{percent} %" if percent else ""
        if not self._rendering:
            return said
        left = math.ceil(sum(self._rendering) / len(self._rendering) - took)
        if self._screen.width < _NARROW:
            return f"~{minutes(left)} left" if left > 0 else said
        words = f"about {minutes(left)} left" if left > 0 else "longer than usual"
        return f"{said}  {words}".strip()

    def _foot(self, tasks: list[Task]) -> Iterator[RenderableType]:
        width, done = self._screen.width, len(self._ended)
        counts = [Text(f"{done:,} of {max(self._total, done + len(tasks)):,}", "bold")]
        for status, number in Counter(self._ended.values()).items():
            counts.append(Text(f"{number:,} {LEGEND[status].word}", LEGEND[status].colour))
        flying = sum(task.fields["status"] in IN_FLIGHT for task in tasks)
        counts.append(Text(f"{flying:,} in flight", "cyan"))
        bar = Table.grid()
        bar.add_row(ProgressBar(total=max(self._total, 1), completed=done, width=min(60, width)))
        yield bar
        money = list(self._money())
        one_line = sum(part.cell_len + 2 for part in counts + money) - 2 <= width
        for parts in [counts + money] if one_line else [counts, money]:
            yield from _lines(parts, width)
        if self._waits:
            yield Text(self._waits, "dim", no_wrap=True, overflow="ellipsis")

    def _money(self) -> Iterator[Text]:
        """Charged, possibly charged, what the cap leaves."""
        yield Text(f"charged {dollars(self._charged)}")
        if self._possibly:
            yield Text(f"possibly {dollars(self._possibly)}", "magenta")
        if self._cap is not None:
            left = self._cap - self._spent_before - self._charged - self._possibly
            yield Text(f"left of the cap {dollars_left(max(left, Decimal(0)))}", "dim")


class _Texts(ProgressColumn):
    """A column of texts that are cut where the terminal is too narrow for them."""

    def __init__(self, text: Callable[[Task], Text], column: Column | None = None) -> None:
        super().__init__(column)
        self._text = text

    def render(self, task: Task) -> Text:
        """The text for one take."""
        text = self._text(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def _status(task: Task) -> Text:
    status = task.fields["status"]
    return Text(status, LEGEND[status].colour)


def _took(task: Task) -> Text:
    return Text(minutes(task.elapsed or 0).rjust(5), "dim")


def _lines(parts: Iterable[Text], width: int) -> Iterator[Text]:
    """The parts side by side, on as many lines as they need; none is broken."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for part in parts:
        if line and line.cell_len + 2 + part.cell_len > width:
            yield line
            line = Text(no_wrap=True, overflow="ellipsis")
        line.append("  " if line else "").append_text(part)
    yield line


def _told(note: Note) -> dict[str, str | int | None]:
    """What a poll or a download lets be known of a step."""
    if note.event == Happening.POLLED:
        return {"percent": note.facts.get("percent"), "said": printable(note.message)}
    if note.event == Happening.RECEIVED:
        return {"said": _received(int(note.facts["bytes"]), note.facts.get("length"))}
    return {}


def _received(count: int, length: int | None) -> str:
    return f"{count / 1e6:.1f} MB" + (f" of {length / 1e6:.1f} MB" if length else "")
