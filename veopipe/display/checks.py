"""What `veopipe doctor` found, as people read it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from veopipe.checkup import Check
from veopipe.display.screen import console
from veopipe.wording import printable

_SIGNS = {"good": ("✓", "green"), "note": ("!", "yellow"), "bad": ("✗", "bold red")}


def show_checks(checks: Iterable[Check]) -> None:
    """One line for each check, the remedy below."""
    screen = console(stderr=False)
    for check in checks:
        sign, colour = _SIGNS[check.state]
        screen.print(Text.assemble((f"{sign} ", colour), (f"{check.name:<13}", "bold"), printable(check.found)))
        if check.remedy:
            screen.print(Text(f"    → {check.remedy}", "dim"))
