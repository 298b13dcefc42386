"""`veopipe plan`: what a run would do, why, and what it would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from veopipe.api import Project
from veopipe.cli.options import LocalPath, about_manifest, about_spending, example
from veopipe.cli.output import emit
from veopipe.cli.terminal.plans import show_plan
from veopipe.cli.terminal.problems import show_problems
from veopipe.cli.terminal.screen import say
from veopipe.clock import now
from veopipe.errors import ExitCode
from veopipe.plan import permission
from veopipe.plan.plan import Plan
from veopipe.plan.words import picks_words, retired_words
from veopipe.project.choices import Choices
from veopipe.project.open_ledger import OpenLedger, rename_remark
from veopipe.run.prospect import Prospect, prospect
from veopipe.takes.take import spending
from veopipe.text import counted

_CODES = (
    "0 the plan is made; 2 wrong usage or input; 6 a file can't be read; 8 with --detailed-exitcode: something to do"
)


@click.command("plan", epilog=example("veopipe plan shots.yaml -o plan.json", _CODES))
@about_manifest
@about_spending
@click.option("-o", "--output", type=LocalPath(path_type=Path), help="Write the plan for run --plan.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 8 when there is something to do.")
def command(manifest: Path, format_: str, *, output: Path | None, detailed_exitcode: bool, **options: Any) -> int:
    """Show what a run of MANIFEST would do and cost. No network, nothing is changed."""
    film = Project.of(Choices(manifest, **options), say)
    loaded, ledger = film.loaded, film.look()
    plan = ledger.plan()
    code = ExitCode.CHANGES if detailed_exitcode and permission.has_work(plan) else ExitCode.OK
    ahead = prospect(ledger, plan)
    document = _document(ledger, plan, ahead)
    if output:
        permission.write(output, document, ledger=loaded.places.folder)
    if format_ == "json":
        emit({"exit_code": int(code), **document})
        return code
    show_problems(film.problems)
    if not loaded.choices.simulate:
        _warn(ledger, plan, ahead)
    show_plan(plan, loaded.cap, ahead.time_words(), loaded.choices)
    if output:
        carry_out = loaded.choices.command("run", "--plan", str(output), selecting=True)
        say(f"written to {output}; carry it out with: {carry_out}")
    return code


def _warn(ledger: OpenLedger, plan: Plan, ahead: Prospect) -> None:
    """Say what should be known before the price."""
    if ledger.head.is_new and plan.creates and rename_remark(ledger) is None:  # which says it, and that a run stops
        say(f"no ledger here: {counted(plan.bought_shots, 'shot')} will be bought")
    retired = retired_words(plan, ledger.project.pipeline.overrides.model)
    for sentence in (*picks_words(plan), *retired, *ahead.warnings()):
        say(f"warning: {sentence}")


def _document(ledger: OpenLedger, plan: Plan, ahead: Prospect) -> dict[str, Any]:
    project = ledger.project
    head = {
        "manifest": str(project.choices.manifest),
        "made_at": now(),
        "pipeline": project.pipeline.name,
        "gateway": project.address.name,
        **({} if ledger.head.is_new else {"ledger": ledger.head.id}),
        **ahead.as_json(),
    }
    return permission.document(plan, head, charged=spending(ledger.attempts()).certain, cap=project.cap)
