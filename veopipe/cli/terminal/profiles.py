"""Profiles as people read them: a heading for each, and a line for each of its models."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from veopipe.cli.terminal.screen import console as screen
from veopipe.manifest.offers import offer
from veopipe.profiles.profile import Model, Profile
from veopipe.text import printable

_HEAD = ("model", "price", "resolutions", "seconds", "")


def show_profiles(profiles: Sequence[Profile]) -> None:
    """What each profile sells, on stdout."""
    console = screen(stderr=False)
    for number, profile in enumerate(profiles):
        if number:
            console.print()
        checked = f", checked {profile.checked}" if profile.checked else ""
        said = f" dialect {profile.dialect}, key in {profile.api_key_env}{checked}"
        console.print(Text.assemble((profile.name, "bold"), (said, "")), soft_wrap=not console.is_terminal)
        if profile.description:
            console.print(Text(f"  {printable(profile.description, None)}", "dim"), soft_wrap=not console.is_terminal)
        _show_models(console, [_cells(model) for model in profile.models.values()])


def _cells(model: Model) -> tuple[str, ...]:
    offered = offer(model)
    retired = f"switched off on {model.retired.on}" if model.retired is not None else ""
    if model.retired is not None and model.retired.successor:
        retired += f", now {model.retired.successor}"
    return (
        printable(model.name),
        model.price.in_words(),
        ", ".join(offered.resolutions),
        offered.lengths(),
        printable(retired),
    )


def _show_models(console: Console, rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        console.print(Text("  no models: provider.models of the pipeline names them", "dim"), soft_wrap=True)
    elif console.is_terminal:
        table = Table(box=None, padding=(0, 1), header_style="dim")
        for name in _HEAD:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row, style="dim" if row[-1] else "")
        console.print(table)
    else:
        widths = [max(map(cell_len, column)) for column in zip(_HEAD, *rows, strict=True)]
        for row in (_HEAD, *rows):
            cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            console.file.write(f"  {'  '.join(cells)}".rstrip() + "\n")
