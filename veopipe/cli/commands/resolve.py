"""`veopipe resolve`: a person says what became of a take that is in doubt or parked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from veopipe.api import Project
from veopipe.cli.completions import complete_shot
from veopipe.cli.options import about_manifest, choices, example, simulate_option
from veopipe.cli.output import emit, emit_line
from veopipe.cli.terminal.reports import show_waiting
from veopipe.cli.terminal.screen import say
from veopipe.errors import UsageError
from veopipe.ledger import owner
from veopipe.plan.plan import LOST
from veopipe.project import Project as Loaded
from veopipe.run import resolve
from veopipe.takes.status import Status

_CODES = "0 listed or recorded; 2 wrong usage, nothing to resolve; 6 environment; 7 a run is on"


@click.command("resolve", epilog=example("veopipe resolve shots.yaml hero --task-id task_abc", _CODES))
@about_manifest
@simulate_option()
@click.argument("shot", required=False, shell_complete=complete_shot)
@click.option("--task-id", metavar="ID", help="The gateway has it under this task id: carry it on.")
@click.option(
    "--not-charged", is_flag=True, help="The gateway doesn't have it and didn't charge: it may be sent again."
)
@click.option("--write-off", is_flag=True, help="Give it up; the money counts as perhaps spent.")
@click.option("--base-url", metavar="URL", help="The gateway that has the task, if it isn't the recorded one.")
def command(
    manifest: Path,
    shot: str | None,
    format_: str,
    *,
    task_id: str | None,
    not_charged: bool,
    write_off: bool,
    **options: Any,
) -> int:
    """List what is in doubt or parked in MANIFEST, or say what became of SHOT.

    Look the time and the request id up in the gateway's console first.
    """
    base_url = options.pop("base_url", None)
    film = Project.of(choices(manifest, {**options, "base_url": None}), os.environ, say)
    said = sum((task_id is not None, not_charged, write_off))
    if shot is None and not said:
        return _list(film.loaded, format_)
    if shot is None or said != 1:
        raise UsageError("say one SHOT and one of --task-id, --not-charged, --write-off")
    taken = film.resolve(shot, task_id=task_id, not_charged=not_charged, write_off=write_off, base_url=base_url)
    if format_ == "json":
        where = {"take": taken.number, "status": taken.status.value} if taken else {"take": None, "status": "pending"}
        emit_line({"exit_code": 0, "shot": shot, **where})
    elif taken is None:
        say(f"{shot}: the record that isn't here is given up; the next run may buy its order again")
    else:
        say(f"{shot} take {taken.number}: {taken.status}; veopipe run goes on from there")
    return 0


def _list(loaded: Loaded, format_: str) -> int:
    running = owner.is_locked(loaded.places)
    only = set(loaded.wanted) if loaded.choices.selects else None
    entries = resolve.unresolved(loaded.store, only, running=running)
    for shot in filter(loaded.is_lost, loaded.wanted):
        say(f"{shot}: {LOST}")
    for torn, why in loaded.store.unusable.items():
        say(f"{torn}: its state file {why}; whether anything waits there isn't known")
    if format_ == "json":
        emit({"exit_code": 0, "takes": [entry.as_json() for entry in entries]})
        return 0
    if not entries:
        click.echo("nothing is in doubt or parked")
        return 0
    show_waiting(entries)
    parked = [entry for entry in entries if entry.status == Status.PARKED]
    if len(parked) < len(entries):
        command = f"veopipe resolve {loaded.choices.words()} SHOT"
        say("Look up in the gateway's console what is in doubt, then say what you found:")
        say(f"  its task            {command} --task-id task_...")
        say(f"  no task, no charge  {command} --not-charged")
        say(f"  a charge, no task   {command} --write-off")
    if parked:
        say("What is parked is paid: the next run asks for it again, which costs nothing. --write-off gives it up.")
    return 0
