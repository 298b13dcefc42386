"""`veopipe verify`: measure the takes on disk again, judge and record."""

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

_CODES = """0 every take on disk is as delivered and as ordered; 1 one differs or is missing;
2 wrong usage or input; 6 environment; 7 a run is on"""


@click.command("verify", epilog=example("veopipe verify shots.yaml", _CODES))
@about_manifest
@simulate_option()
@click.option("--content", is_flag=True, help="Read takes that lie in a store, too; its owner may charge for that.")
def command(manifest: Path, format_: str, *, content: bool, **options: Any) -> int:
    """Measure the takes of MANIFEST on disk again and compare them with their orders.

    Takes in a store are compared with its list, and judged by what was measured before they were put there.
    """
    from veopipe.run.verify import MISSING  # with all that measures

    film = Project.of(Choices(manifest, **options), say)
    found = film.verify(content=content)
    report = found.report
    if format_ == "json":
        noted = replace(report, notes=tuple(str(finding) for finding in found.findings if not finding.fine))
        emit({**noted.as_json(), "checked": [finding.as_json() for finding in found.findings]})
        return report.exit_code
    for finding in found.findings:
        say(str(finding))
    if any(finding.said == MISSING for finding in found.findings):
        again = film.loaded.choices.command("run")
        say(f"a run looks for what is missing, here and at the gateway, and buys none of it again: {again}")
    show_report(report, film.loaded.choices)
    return report.exit_code
