"""`veopipe resolve`: a person says what became of a take that is in doubt or parked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

from veopipe.api import Project
from veopipe.cli.completions import complete_shot
from veopipe.cli.options import about_manifest, example, simulate_option
from veopipe.cli.output import emit, emit_line
from veopipe.cli.terminal.reports import show_waiting
from veopipe.cli.terminal.screen import say
from veopipe.dialects.lookup import Found
from veopipe.errors import UsageError
from veopipe.plan.plan import LOST
from veopipe.project.choices import Choices
from veopipe.project.open_ledger import OpenLedger
from veopipe.run import resolve
from veopipe.takes.status import Status

_CODES = """0 listed or recorded; 2 wrong usage, nothing to resolve; 6 environment, no account token; 7 a run is on;
with --look-up what stands afterwards: 3 a take is in doubt, and so on as for run"""


@click.command("resolve", epilog=example("veopipe resolve shots.yaml hero --task-id task_abc", _CODES))
@about_manifest
@simulate_option()
@click.argument("shot", required=False, shell_complete=complete_shot)
@click.option("--task-id", metavar="ID", help="The gateway has it under this task id: carry it on.")
@click.option(
    "--not-charged", is_flag=True, help="The gateway doesn't have it and didn't charge: it may be sent again."
)
@click.option("--write-off", is_flag=True, help="Give it up; the money counts as perhaps spent.")
@click.option("--look-up", is_flag=True, help="Ask the account's log what became of it; nothing is bought.")
@click.option("--base-url", metavar="URL", help="The gateway that has the task, if it isn't the recorded one.")
def command(
    manifest: Path,
    shot: str | None,
    format_: str,
    *,
    task_id: str | None,
    not_charged: bool,
    write_off: bool,
    look_up: bool,
    **options: Any,
) -> int:
    """List what is in doubt or parked in MANIFEST, or say what became of SHOT.

    Look the time and the request id up in the gateway's console first.
    """
    said = sum((task_id is not None, not_charged, write_off))
    if look_up:
        return _look_up(Project.of(Choices(manifest, **options), say), shot, format_, said=said)
    base_url = options.pop("base_url", None)
    film = Project.of(Choices(manifest, **options), say)
    if shot is None and not said:
        return _list(film.look(), format_, running=film.is_running)
    if shot is None or said != 1:
        raise UsageError("say one SHOT and one of --task-id, --not-charged, --write-off")
    taken = film.resolve(shot, task_id=task_id, not_charged=not_charged, write_off=write_off, base_url=base_url)
    if format_ == "json":
        where = {"take": taken.number, "status": taken.status.value} if taken else {"take": None, "status": "pending"}
        emit_line({"exit_code": 0, "shot": shot, **where})
    elif taken is None:
        say(f"{shot}: the record that isn't here is given up; the next run may buy its order again")
    else:
        follows = _what_follows(taken.status, film.loaded.choices.command("run"))
        say(f"{shot} take {taken.number}: {taken.status}; {follows}")
    return 0


def _what_follows(status: Status, run: str) -> str:
    if status is Status.ABANDONED:
        return "it is given up: raise its take in the list to order another"
    return f"the next run {'may order it again' if status is Status.REFUSED else 'goes on from there'}: {run}"


def _look_up(film: Project, shot: str | None, format_: str, *, said: int) -> int:
    if said:
        raise UsageError("--look-up finds out by itself: leave --task-id, --not-charged, --write-off out")
    with film.at_its_gateway() as there:
        looked = there.look_up(shot)
    code = int(looked.report.exit_code)
    if format_ == "json":
        shots = {
            finding.shot: {"found": finding.verdict.found.value, "message": finding.verdict.message}
            for finding in looked.findings
        }
        emit({"exit_code": code, "shots": shots})
        return code
    for finding in looked.findings:
        click.echo(f"{finding.shot} take {finding.take.number}: {finding.verdict.message}")
    if not looked.findings:
        click.echo("nothing is in doubt")
    if any(finding.verdict.found in {Found.UNCLEAR, Found.CHARGED} for finding in looked.findings):
        say(f"Who knows more says it: {film.loaded.choices.command('resolve')}")
    return code


def _list(ledger: OpenLedger, format_: str, *, running: bool) -> int:
    project, store = ledger.project, ledger.store
    only = set(project.wanted) if project.choices.selects else None
    entries = resolve.unresolved(store, only, running=running)
    for shot in ledger.lost():
        say(f"{shot}: {LOST}: {project.choices.command('resolve', shot, '--write-off')}")
    for torn, why in store.unusable.shots.items():
        say(f"{torn}: its state file {why}; whether anything waits there isn't known")
    if format_ == "json":
        emit({"exit_code": 0, "takes": [entry.as_json() for entry in entries]})
    elif entries:
        show_waiting(entries)
        shots = {entry.shot for entry in entries}
        shot = shots.pop() if len(shots) == 1 else "SHOT"
        _say_what_to_do(entries, project.choices, shot)
    else:
        click.echo("nothing is in doubt or parked")
    return 0


def _say_what_to_do(entries: Sequence[resolve.Entry], choices: Choices, shot: str) -> None:
    command = choices.command("resolve", shot)
    in_doubt = {entry.shot for entry in entries if entry.status is Status.IN_DOUBT}
    parked = [entry for entry in entries if entry.status is Status.PARKED]
    if in_doubt:
        say("Look up in the gateway's console what is in doubt, then say what you found:")
        say(f"  its task            {command} --task-id task_...")
        say(f"  no task, no charge  {command} --not-charged")
        say(f"  a charge, no task   {command} --write-off")
    if parked:
        say("What is parked is paid: the next run asks for it again, which costs nothing:")
        say(f"  ask again           {choices.command('run')}")
        _say_what_else(parked, in_doubt, command)


def _say_what_else(parked: Sequence[resolve.Entry], in_doubt: Collection[str], command: str) -> None:
    """What a person can do with what is parked; of one shot, what is in doubt goes first."""
    first = [entry for entry in parked if entry.shot not in in_doubt]
    if any(resolve.may_be_mistyped(entry.take) for entry in first):
        say(f"  another task's id   {command} --task-id task_...")
    label = "give it up" if len(first) == len(parked) else "then give it up"
    say(f"  {label:<20}{command} --write-off")
