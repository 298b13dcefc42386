"""How things look on a terminal: the plan, the run as it goes, the summary. The only module that knows rich.

Results go to stdout, everything that comes and goes to stderr. Nothing here decides anything, and a
terminal that can't be written to never stops a run.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from veopipe.errors import Problem
from veopipe.journal import Note
from veopipe.plan import Action, Item, Plan, bought_words
from veopipe.pricing import as_text
from veopipe.report import PENDING, Report, Row
from veopipe.state import UNKNOWN_OUTCOME, Status
from veopipe.wording import counted, printable

_COLOURS = {
    Status.IN_DOUBT: "bold magenta",
    Status.SUBMITTING: "cyan",
    Status.RENDERING: "cyan",
    Status.RENDERED: "cyan",
    Status.DOWNLOADED: "cyan",
    Status.PARKED: "yellow",
    Status.REFUSED: "red",
    Status.FAILED: "red",
    Status.ABANDONED: "red",
    Status.MISMATCHED: "red",
    Status.VERIFIED: "green",
    PENDING: "yellow",
    "unreadable": "bold red",
    "stopped": "bold yellow",
    "held": "yellow",
    "waiting": "yellow",
}
_ACTION_COLOURS = {
    Action.CREATE: "green",
    Action.RETRY: "green",
    Action.CONTINUE: "cyan",
    Action.KEEP: "dim",
    Action.RENAME: "cyan",
    Action.HOLD: "bold magenta",
}
_MOST_ROWS = 500
_UNSHOWN = frozenset({"polled", "received", "downloading", "started"})


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def say(text: str) -> None:
    """A note for people, on stderr."""
    with contextlib.suppress(OSError, ValueError):
        for line in text.split("\n"):
            _console(stderr=True).print(Text(printable(line, None)))


class Progress:
    """One line on stderr for every change of a shot."""

    def __init__(self) -> None:
        self._console = _console(stderr=True)
        self._began = time.monotonic()

    def __call__(self, note: Note) -> None:
        """Show a note, if it is one that people want to see."""
        if note.event in _UNSHOWN:
            return
        line = Text(self._clock(note), "dim")
        line.append("  ")
        line.append(f"{printable(note.shot or '', 40):<20} ", "bold")
        line.append(f"{note.event:<11}", _COLOURS.get(note.event, ""))
        said = printable(note.message)
        if note.event == Status.SUBMITTING and not said:
            said = f"${note.facts.get('price_usd', '')}"
        line.append(f" {said}" if said else "", "dim")
        with contextlib.suppress(OSError, ValueError):
            self._console.print(line, no_wrap=True, overflow="ellipsis", crop=self._console.is_terminal)

    def _clock(self, note: Note) -> str:
        if not self._console.is_terminal:
            return note.at
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:3d}:{seconds:02d}"


def show_problems(problems: Iterable[Problem], *, stderr: bool = True) -> None:
    """The problems of files, one line each."""
    console = _console(stderr=stderr)
    colours = {"error": "bold red", "warning": "yellow", "info": "cyan"}
    for problem in problems:
        line = Text(f"{problem.file}:{problem.line}:{problem.column}: ", "bold")
        line.append(problem.severity, colours[problem.severity])
        line.append(f": {printable(problem.message, None)} ")
        line.append(f"[{problem.rule}]", "dim")
        with contextlib.suppress(OSError):
            console.print(line, soft_wrap=True)


# --- the plan --------------------------------------------------------------------------------------


def show_plan(plan: Plan, cap: Decimal | None) -> None:
    """What a run would do, on stdout: what is in doubt first, then what is bought again, then the table."""
    console = _console(stderr=False)
    doubts = [item for item in plan.items if item.status in UNKNOWN_OUTCOME]
    for item in doubts:
        console.print(Text.assemble((f"{item.shot}: ", "bold"), (printable(item.reason), "bold magenta")))
    again = bought_words(plan)
    if again:
        console.print(Text(again, "bold yellow"))
    if len(plan.items) <= _MOST_ROWS:
        console.print(_plan_table(plan.items))
    else:
        _plan_lines(console, plan.items)
    for line in _totals(plan, cap):
        console.print(line)


def _plan_table(items: Sequence[Item]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    table.add_column("shot", no_wrap=True, overflow="ellipsis")
    for name in ("action", "mode", "model", "resolution"):
        table.add_column(name, no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for item in items:
        order = item.order
        table.add_row(
            Text(item.shot, "bold"),
            Text(item.action, _ACTION_COLOURS[item.action]),
            order.mode if order else "",
            _short(order.model) if order else "",
            f"{order.resolution} {order.aspect_ratio} {order.seconds} s" if order else "",
            f"${as_text(item.cost_usd)}" if item.buys else "",
            Text(printable(item.reason) + ("" if item.wanted else " (not wanted any more)")),
        )
    return table


def _plan_lines(console: Console, items: Sequence[Item]) -> None:
    """The same as plain lines: laying out a table of 10,000 rows takes rich five seconds."""
    for item in items:
        cost = f"${as_text(item.cost_usd)}" if item.buys else ""
        why = printable(item.reason) + ("" if item.wanted else " (not wanted any more)")
        console.file.write(f"{item.shot:<24} {item.action:<9} {cost:>7}  {why}\n")


def _short(model: str) -> str:
    return printable(
        model.removeprefix("veo-3.1-").removesuffix("-generate-preview").replace("generate-preview", "standard")
    )


def _totals(plan: Plan, cap: Decimal | None) -> Iterable[Text]:
    counts = {action: sum(item.action is action for item in plan.items) for action in Action}
    yield Text("")
    yield Text(", ".join(f"{number:,} to {action}" for action, number in counts.items() if number) or "nothing to do")
    creates = plan.creates
    if not creates:
        yield Text("Cost: nothing", "bold green")
        return
    worst = f" (at worst ${as_text(plan.worst_usd)}, with every retry)" if plan.worst_usd != plan.cost_usd else ""
    yield Text(f"Cost: ${as_text(plan.cost_usd)} for {counted(len(creates), 'create')}{worst}", "bold")
    if cap is not None:
        short = plan.cost_usd - cap
        yield Text(f"Cap: ${as_text(cap)}" + (f", ${as_text(short)} too little" if short > 0 else ""))
    known = [item for item in creates if item.google_usd is not None]
    if known:
        google = sum((item.google_usd for item in known if item.google_usd is not None), Decimal(0))
        ours = sum((item.price_usd for item in known), Decimal(0))
        of = (
            ""
            if len(known) == len(creates)
            else f" ({counted(len(known), 'of them has', 'of them have')} a list price)"
        )
        yield Text(f"Google's list price for the same: ${as_text(google)}, here ${as_text(ours)}{of}", "dim")


# --- the summary -----------------------------------------------------------------------------------

_HEADINGS = (
    (Status.IN_DOUBT, "in doubt: perhaps paid; look them up, then veopipe resolve"),
    (Status.SUBMITTING, "being sent"),
    ("unreadable", "unreadable state files: held"),
    (Status.MISMATCHED, "mismatched: delivered, but not what was ordered; kept"),
    (Status.FAILED, "failed"),
    (Status.REFUSED, "refused: nothing was charged"),
    (Status.ABANDONED, "abandoned"),
    (Status.PARKED, "parked: paid, to be picked up by the next run"),
    (Status.RENDERING, "rendering"),
    (Status.RENDERED, "rendered, to be downloaded"),
    (Status.DOWNLOADED, "downloaded, to be measured"),
    (PENDING, "pending"),
    (Status.VERIFIED, "verified"),
)
_MANY = 12


def show_report(report: Report) -> None:
    """Where every shot stands, grouped by status and reason, on stdout."""
    console = _console(stderr=False)
    for status, heading in _HEADINGS:
        rows = [row for row in report.rows if row.status == status]
        if rows:
            console.print(Text(f"{len(rows):,} {heading}", _COLOURS.get(status, "bold")))
            if status != Status.VERIFIED or len(report.rows) <= _MANY:
                _show_rows(console, rows)
    for note in report.notes:
        console.print(Text(f"stopped: {printable(note, None)}", "bold yellow"))
    console.print(_money_line(report))


def _show_rows(console: Console, rows: list[Row]) -> None:
    by_reason: dict[str, list[Row]] = {}
    for row in rows:
        by_reason.setdefault(row.reason or "", []).append(row)
    for reason, group in by_reason.items():
        if len(group) > 3 and reason:
            console.print(Text(f"  {printable(reason)}"))
            names = ", ".join(row.shot for row in group[:_MANY])
            more = f", … {len(group) - _MANY:,} more" if len(group) > _MANY else ""
            console.print(Text(f"    {names}{more}", "dim"))
            continue
        for row in group:
            console.print(_row_line(row))


def _row_line(row: Row) -> Text:
    line = Text("  ")
    line.append(f"{row.shot:<20}", "bold")
    facts = []
    if row.width and row.height:
        facts.append(f"{row.width}x{row.height}")
    if row.duration_s:
        facts.append(f"{row.duration_s:.2f} s")
    if row.file:
        facts.append(printable(row.file))
    elif row.status == Status.VERIFIED:
        facts.append("its file isn't on this disk")
    if row.reason:
        facts.append(printable(row.reason))
    if not row.wanted:
        facts.append("(not wanted any more)")
    line.append("  " + "  ".join(facts))
    return line


def _money_line(report: Report) -> Text:
    money = report.money
    line = Text(f"charged ${as_text(money.charged)}", "bold")
    if money.possibly_charged:
        line.append(f", possibly charged ${as_text(money.possibly_charged)}", "bold magenta")
    line.append(f", this run ${as_text(money.this_run)}")
    if money.planned:
        line.append(f", still wanted ${as_text(money.planned)}")
    return line
