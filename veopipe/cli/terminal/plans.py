"""The plan as people read it: what is in doubt first, then what is bought again, then shot by shot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from veopipe.cli.terminal.screen import console as screen
from veopipe.cli.terminal.screen import show_indented, show_line
from veopipe.plan.plan import LOST, Action, Item, Plan
from veopipe.plan.words import bought_words, causes_words, elsewhere_words
from veopipe.project.choices import Choices
from veopipe.takes.money import dollars_exactly, dollars_to_come
from veopipe.takes.status import UNKNOWN_OUTCOME
from veopipe.text import counted, printable

_ACTION_COLOURS = {
    Action.CREATE: "green",
    Action.RETRY: "green",
    Action.CONTINUE: "cyan",
    Action.KEEP: "dim",
    Action.RENAME: "cyan",
    Action.STALE: "yellow",
    Action.WAIT: "yellow",
    Action.HOLD: "bold magenta",
}
_COUNTED = {Action.STALE: "stale"}  # the others are verbs: 2 to create
_HEAD = ("shot", "mode", "model", "resolution", "action", "why", "cost")
_MOST_ROWS = 500
"""Rows that are laid out: with 10,000 it takes rich five seconds."""
_NAMED = 12
_LEAST_SHOT, _LEAST_WHY = 16, 30  # cells; where they aren't left, a shot takes several lines


def show_plan(plan: Plan, cap: Decimal | None, time: str | None, choices: Choices) -> None:
    """What a run would do, on stdout: what is in doubt first, then what is bought again, then shot by shot.

    Args:
        plan: what it would do.
        cap: US dollars, or None.
        time: how long it takes, for people; None: nothing to say.
        choices: of the command that shows it.
    """
    console = screen(stderr=False)
    for item in plan.items:
        if item.status in UNKNOWN_OUTCOME:
            console.print(Text.assemble((f"{item.shot}: ", "bold"), (printable(item.reason), "bold magenta")))
    _show_again(console, plan)
    rows = _rows(plan.items)
    if not console.is_terminal or len(rows) > _MOST_ROWS:
        _write_lines(console, rows)
    elif sum(_least_widths(rows)) + 2 * len(_HEAD) <= console.width:
        console.print(_table(plan.items, rows))
    else:
        _show_blocks(console, plan.items, rows)
    times = [Text(f"Time: {time}")] if time is not None else []
    for line in (*_totals(plan, cap), *times, *_next_steps(plan, choices)):
        show_line(console, line)


def _next_steps(plan: Plan, choices: Choices) -> Iterable[Text]:
    """What a person types for what a run can't do."""
    if any(item.status in UNKNOWN_OUTCOME or LOST in item.reason for item in plan.items):
        yield Text(f"Say what became of what is in doubt or lost: {choices.command('resolve')}")
    if any(item.action is Action.WAIT for item in plan.items):
        is_there = any(item.action is Action.KEEP for item in plan.items)
        yield Text(f"{'Choose' if is_there else 'Then choose'} among takes: {choices.command('review')}")


def _show_again(console: Console, plan: Plan) -> None:
    """What is bought again although it was bought before, with the names of the first shots."""
    elsewhere = zip(elsewhere_words(plan), plan.elsewhere.values(), strict=True)
    for words, again in [(bought_words(plan), plan.again), *elsewhere]:
        if words:
            console.print(Text(words, "bold yellow"))
            shots = list(dict.fromkeys(item.shot for item in again))
            more = f", … {len(shots) - _NAMED:,} more" if len(shots) > _NAMED else ""
            show_indented(console, Text(", ".join(shots[:_NAMED]) + more, "yellow"), 2)
    for sentence in causes_words(plan):
        console.print(Text(printable(sentence, None), "yellow"))


def _rows(items: Sequence[Item]) -> list[tuple[str, ...]]:
    counts = Counter(item.shot for item in items)
    return [_cells(item, is_one=counts[item.shot] == 1) for item in items]


def _cells(item: Item, *, is_one: bool) -> tuple[str, ...]:
    order, reason = item.order, printable(item.reason)
    if item.status is not None and (item.number > 1 or not is_one):  # as `review --pick` calls it
        reason = f"take {item.number}: {reason}"
    return (
        item.shot,
        order.mode if order else "",
        _short(order.model) if order else "",
        f"{order.resolution} {order.aspect_ratio} {order.seconds} s" if order else "",
        item.action,
        reason + ("" if item.wanted else " (not wanted any more)"),
        dollars_to_come(item.cost_usd) if item.buys else "",
    )


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(_HEAD, *rows, strict=True)]


def _least_widths(rows: Sequence[tuple[str, ...]]) -> Iterable[int]:
    """What the columns need at least: names and reasons can be folded, the others can't."""
    least = {"shot": _LEAST_SHOT, "why": _LEAST_WHY}
    return (min(width, least.get(name, width)) for name, width in zip(_HEAD, _widths(rows), strict=True))


def _table(items: Sequence[Item], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for name in _HEAD:
        folds = name in ("shot", "why")
        table.add_column(name, no_wrap=not folds, overflow="fold", justify="right" if name == "cost" else "left")
    for item, (shot, *what, action, why, cost) in zip(items, rows, strict=True):
        table.add_row(Text(shot, "bold"), *what, Text(action, _ACTION_COLOURS[item.action]), why, cost)
    return table


def _show_blocks(console: Console, items: Sequence[Item], rows: Sequence[tuple[str, ...]]) -> None:
    """For narrow terminals: name, action and cost on one line, the rest below."""
    for item, (shot, *what, action, why, cost) in zip(items, rows, strict=True):
        ending = Text(f"{action:<8}", _ACTION_COLOURS[item.action]).append(f"{cost:>7}", "not bold")
        name = Text(shot, "bold")
        if name.cell_len + 1 + ending.cell_len > console.width:
            show_indented(console, name, 0)
            name = Text()
        name.pad_right(console.width - name.cell_len - ending.cell_len)
        console.print(name.append_text(ending))
        show_indented(console, Text("  ".join(part for part in (*what, why) if part), "dim"), 4)


def _write_lines(console: Console, rows: Sequence[tuple[str, ...]]) -> None:
    """One plain line for each, whatever its length, for files and pipes; the cost before what may be long."""
    widths = _widths(rows)
    for shot, *what, action, why, cost in [_HEAD, *rows]:
        cells = [shot, *what, action, cost]
        left = [f"{cell:<{width}}" for cell, width in zip(cells, [*widths[:5], widths[6]], strict=True)]
        console.file.write("  ".join([*left, why]).rstrip() + "\n")


def _short(model: str) -> str:
    return printable(
        model.removeprefix("veo-3.1-").removesuffix("-generate-preview").replace("generate-preview", "standard")
    )


def _totals(plan: Plan, cap: Decimal | None) -> Iterable[Text]:
    counts = Counter(item.action for item in plan.items)
    yield Text("")
    yield Text(
        ", ".join(f"{counts[action]:,} {_COUNTED.get(action, f'to {action}')}" for action in Action if counts[action])
        or "nothing to do"
    )
    creates = plan.creates
    if not creates:
        yield Text("Cost: nothing", "bold green")
        return
    cost, worst = dollars_to_come(plan.cost_usd), dollars_to_come(plan.worst_usd)
    at_worst = f" (at worst {worst}, with every retry)" if plan.worst_usd != plan.cost_usd else ""
    yield Text(f"Cost: {cost} for {counted(len(creates), 'create')}{at_worst}", "bold")
    if cap is not None:
        short = plan.cost_usd - cap
        yield Text(f"Cap: {dollars_exactly(cap)}" + (f", {dollars_to_come(short)} too little" if short > 0 else ""))
    yield from _compared(creates)


def _compared(creates: Sequence[Item]) -> Iterable[Text]:
    """What Google asks for the same, as far as it is known."""
    prices = [(item.google_usd, item.price_usd) for item in creates if item.google_usd is not None]
    if not prices:
        return
    google, ours = (sum(column, Decimal(0)) for column in zip(*prices, strict=True))
    has = counted(len(prices), "of them has", "of them have")
    of = "" if len(prices) == len(creates) else f" ({has} a list price)"
    yield Text(f"Google's list price for the same: {dollars_to_come(google)}, here {dollars_to_come(ours)}{of}", "dim")
