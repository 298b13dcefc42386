"""The plan as people read it: what is in doubt first, then what is bought again, then shot by shot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from veopipe.display.screen import console as screen
from veopipe.plan import Action, Item, Plan, bought_words
from veopipe.pricing import as_text
from veopipe.state import UNKNOWN_OUTCOME
from veopipe.wording import counted, printable

_ACTION_COLOURS = {
    Action.CREATE: "green",
    Action.RETRY: "green",
    Action.CONTINUE: "cyan",
    Action.KEEP: "dim",
    Action.RENAME: "cyan",
    Action.HOLD: "bold magenta",
}
_MOST_ROWS = 500


def show_plan(plan: Plan, cap: Decimal | None) -> None:
    """What a run would do, on stdout: what is in doubt first, then what is bought again, then the table."""
    console = screen(stderr=False)
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
