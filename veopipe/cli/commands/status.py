"""`veopipe status`: where every shot stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from veopipe import project
from veopipe.cli.options import about_manifest, choices, example, simulate_option
from veopipe.cli.output import emit
from veopipe.cli.terminal.reports import show_report
from veopipe.cli.terminal.screen import say
from veopipe.ledger import owner
from veopipe.report import rows


@click.command(
    "status", epilog=example("veopipe status shots.yaml", "0 shown; 2 wrong usage or input; 6 a file can't be read")
)
@about_manifest
@simulate_option()
def command(manifest: Path, format_: str, **options: Any) -> int:
    """Show where every shot of MANIFEST stands. Reads only, also while a run is on."""
    loaded = project.load(choices(manifest, options))
    running = owner.is_locked(loaded.places)
    report = rows.make(loaded, loaded.plan(anywhere=True), running=running)
    for remark in loaded.remarks:
        say(remark)
    if format_ == "json":
        emit(report.as_json())
        return 0
    if running:
        say("a run is on")
    show_report(report)
    return 0
