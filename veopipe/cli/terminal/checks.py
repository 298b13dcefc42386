"""What `veopipe doctor` found, as people read it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from veopipe.cli.checkup import Check
from veopipe.cli.terminal.screen import console, show_hanging
from veopipe.text import printable

_SIGNS = {"good": ("✓", "green"), "note": ("!", "yellow"), "bad": ("✗", "bold red")}


def show_checks(checks: Iterable[Check]) -> None:
    """One line for each check, the remedy below."""
    screen = console(stderr=False)
    for check in checks:
        sign, colour = _SIGNS[check.state]
        head = Text.assemble((f"{sign} ", colour), (f"{check.name:<13} ", "bold"))
        show_hanging(screen, head, Text(printable(check.found, None)))
        if check.remedy:
            show_hanging(screen, Text("    → ", "dim"), Text(printable(check.remedy, None), "dim"))
