"""`veopipe resolve`: a person says what became of a take that is in doubt or parked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from veopipe import project
from veopipe.cli.completions import complete_shot
from veopipe.cli.options import about_manifest, choices, example, simulate_option
from veopipe.cli.output import emit, emit_line
from veopipe.cli.terminal.reports import show_waiting
from veopipe.cli.terminal.screen import say
from veopipe.errors import EnvironmentFault, UsageError
from veopipe.ledger import owner
from veopipe.ledger.store import NotRecorded
from veopipe.plan.plan import LOST
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
    loaded = project.load(choices(manifest, {**options, "base_url": None}))
    said = sum((task_id is not None, not_charged, write_off))
    if shot is None and not said:
        return _list(loaded, format_)
    if shot is None or said != 1:
        raise UsageError("say one SHOT and one of --task-id, --not-charged, --write-off")
    with owner.locked(loaded.places, say):
        loaded.read_again()
        try:
            for known in loaded.store.merge_rescued():  # what an answer has said needs no person
                say(f"{known}: an answer that couldn't be recorded in its place was taken in")
            if task_id is not None:
                taken = resolve.found(
                    loaded.store, shot, task_id, loaded.pipeline.provider.dialect, options.get("base_url")
                )
            elif not_charged:
                taken = resolve.not_charged(loaded.store, shot)
            elif loaded.is_lost(shot) and not resolve.is_waiting(loaded.store, shot):
                return _give_up(loaded, shot, format_)
            else:
                taken = resolve.written_off(loaded.store, shot)
        except NotRecorded as error:
            raise EnvironmentFault(str(error)) from None
    if format_ == "json":
        emit_line({"exit_code": 0, "shot": shot, "take": taken.number, "status": taken.status.value})
    else:
        say(f"{shot} take {taken.number}: {taken.status}; veopipe run goes on from there")
    return 0


def _give_up(loaded: project.Project, shot: str, format_: str) -> int:
    """Give up an order that was counted and whose record is lost."""
    loaded.give_up(shot)
    if format_ == "json":
        emit_line({"exit_code": 0, "shot": shot, "take": None, "status": "pending"})
    else:
        say(f"{shot}: the record that isn't here is given up; the next run may buy its order again")
    return 0


def _list(loaded: project.Project, format_: str) -> int:
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
