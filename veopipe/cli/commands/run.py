"""`veopipe run`: create, download and verify what the list wants."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from veopipe.api import Project
from veopipe.cli import notify
from veopipe.cli.options import LocalPath, about_manifest, about_spending, example
from veopipe.cli.output import emit, emit_line
from veopipe.cli.terminal.problems import show_problems
from veopipe.cli.terminal.progress import Progress
from veopipe.cli.terminal.reports import show_report
from veopipe.cli.terminal.screen import is_unread, say
from veopipe.plan import permission as planfile
from veopipe.project.choices import Choices
from veopipe.report.rows import Report
from veopipe.run.consent import Terms, Voice

_CODES = """0 everything selected is verified; 1 some takes are refused, failed, mismatched or abandoned;
2 wrong usage or input, no consent: nothing was sent; 3 a take is in doubt; 4 some takes are pending;
5 the budget stopped it; 6 key, wallet, gateway, disk or state file; 7 another run is on; 130/143 interrupted"""


@click.command("run", epilog=example("veopipe run shots.yaml --max-cost 10", _CODES))
@about_manifest
@about_spending
@click.option("--yes", is_flag=True, help="Agree to the price without being asked.")
@click.option("--plan", "plan_file", type=LocalPath(path_type=Path), help="Make only the creates this plan lists.")
@click.option("--executor", metavar="NAME", help="Who fetches videos, instead of the pipeline's; local: this machine.")
@click.option("--new-ledger", is_flag=True, help="Start a new ledger on purpose.")
@click.option("--take-over", is_flag=True, help="Go on though the guard knows a newer copy of the ledger.")
@click.option("-q", "--quiet", is_flag=True, help="Show only what stops the run or needs a person.")
@click.option("-v", "--verbose", is_flag=True, help="Show every step and every wait.")
def command(
    manifest: Path,
    format_: str,
    *,
    yes: bool,
    plan_file: Path | None,
    new_ledger: bool,
    take_over: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Create, download and verify what MANIFEST wants.

    May be killed at any time and run again: what is paid for is never bought twice.
    """
    film = Project.of(Choices(manifest, **options), say)
    loaded = film.loaded
    show_problems(film.problems)
    terms = _with_plan(Terms(yes, None, new_ledger, take_over), plan_file, loaded.choices)
    with (
        notify.of_a_false_start(loaded),
        film.at_its_gateway() as there,
        Progress(quiet=quiet, verbose=verbose, widest=max(map(len, loaded.wanted))) as progress,
    ):
        voice = Voice(
            tell=progress.say,
            watch=progress,
            ask=_ask if sys.stdin.isatty() and sys.stderr.isatty() else None,
            last_words=_leave_as_json if format_ == "json" else lambda code: None,
        )
        report = there.carry_out(terms, voice, hears_signals=True)
    _show(report, loaded.choices, format_)
    try:
        notify.of_report(loaded, report)
    except KeyboardInterrupt:  # the run is over and its document written: only the notice is cut short
        say("interrupted: nobody was told how the run ended")
    return report.exit_code


def _with_plan(terms: Terms, plan_file: Path | None, choices: Choices) -> Terms:
    """The terms with what a plan file permits."""
    if plan_file is None:
        return terms
    permission = planfile.read_permission(plan_file, lambda name: choices.command("plan", "-o", name, selecting=True))
    return replace(terms, permission=permission, plan_file=str(plan_file))


def _show(report: Report, choices: Choices, format_: str) -> None:
    try:
        if format_ == "json":
            emit(report.as_json())
        else:
            show_report(report, choices, ran=True)
    except OSError as error:
        if not is_unread(error):
            raise  # a reader that is gone changes neither the exit code nor the notice


def _leave_as_json(code: int) -> None:
    emit_line({"exit_code": int(code), "error": "left at once; a create that was under way is in doubt"})


def _ask(question: str) -> bool:
    try:
        return click.confirm(question, default=False, err=True, prompt_suffix=" ")
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):  # Ctrl-D is an answer, Ctrl-C ends the command
            return False
        raise
    except OSError:  # the terminal is gone, and with it the person who could agree
        return False
