"""`veopipe status`: where every shot stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from veopipe.api import Project
from veopipe.cli.options import about_manifest, example, simulate_option
from veopipe.cli.output import emit
from veopipe.cli.terminal.reports import show_report
from veopipe.cli.terminal.screen import say
from veopipe.project.choices import Choices
from veopipe.run.prospect import unfetched


@click.command(
    "status", epilog=example("veopipe status shots.yaml", "0 shown; 2 wrong usage or input; 6 a file can't be read")
)
@about_manifest
@simulate_option()
def command(manifest: Path, format_: str, **options: Any) -> int:
    """Show where every shot of MANIFEST stands. Reads only, also while a run is on."""
    film = Project.of(Choices(manifest, **options), say)
    ledger = film.look()
    late = unfetched(ledger)
    report = replace(film.report_of(ledger), warnings=(late.words(),) if late is not None else ())
    if format_ == "json":
        emit(report.as_json())
        return 0
    if report.running:
        say("a run is on")
    for warning in report.warnings:
        say(f"warning: {warning}")
    show_report(report, film.loaded.choices)
    return 0
