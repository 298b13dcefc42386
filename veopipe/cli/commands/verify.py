"""`veopipe verify`: measure the takes on disk again, judge and record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from veopipe import project
from veopipe.cli.options import about_manifest, choices, example, simulate_option
from veopipe.cli.output import emit
from veopipe.cli.terminal.reports import show_report
from veopipe.cli.terminal.screen import say
from veopipe.errors import EnvironmentFault, ExitCode
from veopipe.ledger import owner
from veopipe.ledger.store import NotRecorded
from veopipe.report import rows
from veopipe.report.legend import UNREADABLE
from veopipe.run import verify

_CODES = """0 every take on disk is as delivered and as ordered; 1 one differs or is missing;
2 wrong usage or input; 6 environment; 7 a run is on"""


@click.command("verify", epilog=example("veopipe verify shots.yaml", _CODES))
@about_manifest
@simulate_option()
def command(manifest: Path, format_: str, **options: Any) -> int:
    """Measure the takes of MANIFEST on disk again and compare them with their orders."""
    loaded = project.load(choices(manifest, options))
    with owner.locked(loaded.places, say):
        loaded.read_again()
        for remark in loaded.remarks:
            say(remark)
        try:
            findings = asyncio.run(verify.inspect(loaded))
        except NotRecorded as error:
            raise EnvironmentFault(str(error)) from None
        except OSError as error:
            raise EnvironmentFault(f"{error.filename} can't be written: {error.strerror}") from None
    report = rows.make(loaded, loaded.plan(anywhere=True))
    torn = any(row.status == UNREADABLE for row in report.rows) or bool(loaded.store.missing or loaded.store.lost)
    report = replace(report, exit_code=ExitCode.ENVIRONMENT if torn else verify.code_of(findings))
    if format_ == "json":
        noted = replace(report, notes=tuple(str(finding) for finding in findings if not finding.fine))
        emit({**noted.as_json(), "checked": [finding.as_json() for finding in findings]})
        return report.exit_code
    for finding in findings:
        say(str(finding))
    show_report(report)
    return report.exit_code
