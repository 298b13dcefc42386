"""A report as people read it: grouped by what they have to do, the money at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from veopipe.cli.terminal.screen import console as screen
from veopipe.cli.terminal.screen import show_hanging, show_indented, show_line
from veopipe.errors import ExitCode
from veopipe.plan.plan import LOST
from veopipe.project.choices import Choices
from veopipe.report.legend import LEGEND, Standing
from veopipe.report.rows import Report, Row
from veopipe.run.resolve import Entry
from veopipe.takes.money import dollars, dollars_to_come
from veopipe.takes.status import Status
from veopipe.text import SHOWN, printable

_MANY = 12
_LONGEST = 2 * SHOWN  # characters of a reason: the gateway's own words, and ours around them
_SIZE = len("3840x2160")
_WIDEST = 32  # characters that names are padded to, at most


def show_report(report: Report, choices: Choices, *, ran: bool = False) -> None:
    """Where every shot stands, grouped by how they stand and why, with what to type next, on stdout.

    Args:
        report: how it stands.
        choices: of the command that shows it.
        ran: the command was a run, so what that one cost is said, too.
    """
    console = screen(stderr=False)
    for standing in LEGEND.values():
        rows = [row for row in report.rows if row.standing is standing]
        if rows:
            heading = f"{len(rows):,} {standing.heading}{_next(standing, rows, choices)}"
            show_line(console, Text(heading, standing.colour))
        _show_rows(console, [row for row in rows if _is_named(row, len(report.rows))])
    for note in report.notes:
        console.print(Text(f"stopped: {printable(note, None)}", "bold yellow"))
    if report.exit_code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
        console.print("the same command goes on from here; what is paid isn't bought again")
    console.print(_money_line(report, ran=ran))


def show_waiting(entries: Iterable[Entry]) -> None:
    """What is in doubt or parked, with all that helps to look it up, on stdout."""
    console = screen(stderr=False)
    for entry in entries:
        standing, last = LEGEND[entry.status], entry.take.last
        text = Text(entry.shot, "bold").append(f" take {entry.take.number}: ", "not bold")
        text.append(standing.word, standing.colour)
        show_indented(console, text.append(f" since {last.since}, {dollars(last.price_usd)}", "not bold"), 0)
        for name, value in entry.facts():
            show_hanging(console, Text(f"  {name:<11}", "dim"), Text(printable(value, _LONGEST, own=name == "prompt")))


def _next(standing: Standing, rows: Iterable[Row], choices: Choices) -> str:
    """The command that helps, behind a heading; an empty text where there is none."""
    command = standing.advice.command if standing.advice is not None else ""
    if any(LOST in (row.reason or "") for row in rows):
        command = "resolve"
    return f": {choices.command(command)}" if command else ""


def _is_named(row: Row, shots: int) -> bool:
    """Whether a row is more than a number: of many shots those that are verified and here need no name."""
    return row.status != Status.VERIFIED or shots <= _MANY or bool(row.file is None and row.reason)


def _show_rows(console: Console, rows: list[Row]) -> None:
    by_reason: dict[str, list[Row]] = {}
    for row in rows:
        by_reason.setdefault(row.reason or "", []).append(row)
    width = min(_WIDEST, max((len(row.shot) for row in rows), default=0))
    for reason, group in by_reason.items():
        if len(group) > (3 if reason else _MANY):
            _show_group(console, reason, [row.shot for row in group])
            continue
        for row in group:
            _show_row(console, row, width)


def _show_group(console: Console, reason: str, shots: list[str]) -> None:
    """The reason, if there is one, once for all of its shots."""
    if reason:
        show_indented(console, Text(printable(reason, _LONGEST)), 2)
    more = f", … {len(shots) - _MANY:,} more" if len(shots) > _MANY else ""
    show_indented(console, Text(f"{', '.join(shots[:_MANY])}{more}", "dim"), 4)


def _show_row(console: Console, row: Row, width: int) -> None:
    """Name and facts on one line; on a terminal that is too narrow for both, the facts below."""
    name, facts = Text(row.shot, "bold"), Text("  ".join(_facts(row)))
    room = console.width - 4 - facts.cell_len if console.is_terminal else width
    if room < name.cell_len and console.is_terminal:
        show_indented(console, name, 2)
        show_indented(console, facts, 4)
    else:
        name.pad_right(min(width, room) - name.cell_len)
        console.print(Text.assemble("  ", name, "  ", facts))


def _facts(row: Row) -> Iterator[str]:
    if (measured := row.delivered) is not None and measured.width and measured.height:
        yield f"{measured.width}x{measured.height}".ljust(_SIZE)
    if measured is not None and measured.duration_s:
        yield f"{measured.duration_s:.2f} s"
    if row.file:
        yield printable(row.file, own=True)
    elif row.status == Status.VERIFIED:
        yield "its file isn't on this disk"
    if row.reason:
        yield printable(row.reason, _LONGEST)
    if not row.wanted:
        yield "(not wanted any more)"


def _money_line(report: Report, *, ran: bool) -> Text:
    money = report.money
    line = Text().append(f"charged {dollars(money.charged)}", "bold")
    if money.possibly_charged:
        line.append(f", possibly charged {dollars(money.possibly_charged)}", "bold magenta")
    if ran:
        line.append(f", this run {dollars(money.this_run)}")
    if money.planned:
        line.append(f", still wanted {dollars_to_come(money.planned)}")
    if report.simulated:
        line.append(" (a rehearsal: no money was spent)", "dim")
    return line
