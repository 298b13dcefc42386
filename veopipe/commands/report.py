"""`veopipe report`: a report of the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from veopipe import files, ledger, project
from veopipe.errors import EnvironmentFault
from veopipe.options import choices, example, manifest_argument
from veopipe.report import Ground


@click.command(
    "report",
    epilog=example("veopipe report shots.yaml -o report.json", "0 written; 2 wrong usage or input; 6 environment"),
)
@manifest_argument
@click.option("-p", "--pipeline", metavar="NAME|PATH", help="How it was run: a pipeline's name or file.")
@click.option("--only", multiple=True, metavar="GLOB", help="Only shots whose id matches; repeatable.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only shots with this tag; repeatable.")
@click.option("--format", "format_", type=click.Choice(["json"]), default="json", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file instead of stdout.")
def command(manifest: Path, format_: str, *, output: Path | None, **options: Any) -> int:
    """Write a report of what MANIFEST's ledger holds. Reads only."""
    loaded = project.load(choices(manifest, options))
    running = ledger.is_locked(loaded.places)
    ground = Ground(loaded.store.shots, loaded.store.unreadable, loaded.shelf, running=running)
    report = loaded.report(loaded.plan(anywhere=True), ground)
    text = json.dumps(report.as_json(), indent=2)
    if output is None:
        click.echo(text)
        return 0
    try:
        files.replace(output.absolute(), (text + "\n").encode())
    except OSError as error:
        raise EnvironmentFault(f"{output} can't be written: {error.strerror}") from None
    return 0
