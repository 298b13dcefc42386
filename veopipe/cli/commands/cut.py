"""`veopipe cut`: the clips of a film, and the film that is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from veopipe.api import Project, editing
from veopipe.cli.completions import complete_cut
from veopipe.cli.options import LocalPath, example, format_option, pipeline_option, simulate_option
from veopipe.cli.output import emit
from veopipe.cli.terminal.clips import show_clips
from veopipe.cli.terminal.screen import say
from veopipe.delivery import shelf
from veopipe.errors import ExitCode, UsageError
from veopipe.film import export, lock
from veopipe.film.cutfile import MAIN
from veopipe.film.cutting import Film, Shown
from veopipe.film.editing import Counting, Editing
from veopipe.project.choices import Choices
from veopipe.text import counted, printable

_CODES = (
    "0 listed, written or as locked; 1 not all clips have a pick, or the film isn't as it was locked; "
    "2 wrong usage or input; 6 environment, an extra missing"
)


_MOST_STEPS = 12  # that are told


@click.command("cut", epilog=example("veopipe cut shots.yaml -o film.mp4 --burn", _CODES))
@click.argument("manifest", type=LocalPath(path_type=Path))
@click.option("-c", "--cut", "name", metavar="NAME", help="cuts/NAME.yaml; default: main.", shell_complete=complete_cut)
@pipeline_option("How it was run: a pipeline's name or file.")
@simulate_option()
@click.option("-o", "--output", type=LocalPath(path_type=Path), help="A film.mp4 to look at, or .otio, .otioz, .edl.")
@click.option("--burn", is_flag=True, help="Names and numbers of frames in the picture; .mp4 only.")
@click.option("--full", is_flag=True, help="As large as the videos, not 720p; .mp4 only.")
@click.option("--lock", "locks", is_flag=True, help="Write down what is shown, down to the files: cuts/NAME.lock.json.")
@click.option("--locked", is_flag=True, help="Fail unless everything is as it was locked.")
@format_option
def command(
    manifest: Path, name: str | None, format_: str, *, output: Path | None, locks: bool, locked: bool, **options: Any
) -> int:
    """Show the clips of MANIFEST's film, lock it, compare it with its lock, or make it.

    cuts/NAME.yaml says which clips are shown; without it all shots are, whole. Nothing is sent.
    """
    drawn = {option: options.pop(option) for option in ("burn", "full")}
    project = Project.of(Choices(manifest, **options), say)
    room = editing(project)
    _check(output, room, is_drawn=any(drawn.values()), both=(locks, locked))
    about_lock = locks or locked
    film = room.film(name, exactly=about_lock, count=_counting() if output is not None else None)
    differences = _differences(room, film, locks=locks) if about_lock else []
    at = lock.shown_as(room.shelf.places, film.name) if about_lock else None
    made = None if differences else output
    if made is not None:
        _make(film, made, room.ledger, **drawn)
    code = ExitCode.SETTLED_BADLY if differences else ExitCode.OK
    if format_ == "json":
        _emit(code, film, room, {"file": _text(made), "lock": at, "differences": differences})
        return code
    _tell(film, output, made)
    _tell_lock(differences, at, film, project.loaded.choices, is_new=locks)
    return code


def _differences(room: Editing, film: Film, *, locks: bool) -> list[str]:
    """What speaks against a lock, or isn't as it was locked."""
    return room.write_lock(film) if locks else room.differences(film)


def _text(path: Path | None) -> str | None:
    return str(path) if path is not None else None


def _check(output: Path | None, room: Editing, *, is_drawn: bool, both: tuple[bool, bool]) -> None:
    if all(both):
        raise UsageError("--lock writes what --locked compares: say one of them")
    if output is None and is_drawn:
        raise UsageError("--burn and --full are of a film: say -o film.mp4")
    if output is not None:
        export.require(output, room.shelf.places, is_drawn=is_drawn)


def _counting() -> Counting:
    from veopipe.film import screening  # with an event loop

    return screening.counted


def _make(film: Film, output: Path, ledger: str, *, burn: bool, full: bool) -> None:
    say(f"making {output}: {counted(film.frames, 'frame')}, {float(film.seconds):.2f} s")
    export.write(film, output, ledger, burn=burn, full=full)


def _tell(film: Film, output: Path | None, made: Path | None) -> None:
    if output is None:
        show_clips(film)
    if made is None:
        return
    for number, shown in enumerate(film.clips, 1):
        for note in shown.notes:
            say(f"{number} {shown.clip.name}: {note}")
    say(f"written to {made}")


def _tell_lock(differences: Sequence[str], at: str | None, film: Film, choices: Choices, *, is_new: bool) -> None:
    for words in differences:
        say(words)
    if differences:
        say("not locked: nothing was written" if is_new else f"the film isn't as it was locked in {at}")
        (_tell_next_steps if is_new else _tell_how_to_lock)(film, choices)
    elif at is not None:
        say(f"locked: {at}" if is_new else f"as it was locked in {at}")


def _tell_how_to_lock(film: Film, choices: Choices) -> None:
    named = [] if film.name == MAIN else ["-c", film.name]  # without a file it is every shot
    say(f"lock it as it is now: {choices.command('cut --lock', *named)}")


def _tell_next_steps(film: Film, choices: Choices) -> None:
    """Say what a person types so that a film can be locked; each shot once, and not too many."""
    steps: dict[str, str] = {}
    for shown in film.clips:
        if shown.clip.shot is not None and (step := _step(shown, shown.clip.shot, choices)) is not None:
            steps[shown.clip.shot] = step
    for shot, step in list(steps.items())[:_MOST_STEPS]:
        say(f"{shot}: {step}")
    if len(steps) > _MOST_STEPS:
        say(f"… {len(steps) - _MOST_STEPS:,} more")


def _step(shown: Shown, shot: str, choices: Choices) -> str | None:
    """What a person types for a clip of a shot; None: nothing speaks against locking it."""
    take, material = shown.take, shown.material
    if take is None or material is None or material.missing is not None:
        return f"see what it has: {choices.command('status', '--only', shot)}"
    review = choices.command("review", shot)
    if material.is_stale:
        clear = f"{review} --clear {take.number} && " if material.is_picked else ""
        return f"order it anew: {clear}{choices.command('run --refresh', '--only', shot)}"
    return None if material.is_picked else f"choose it: {review} --pick {take.number}"


def _emit(code: ExitCode, film: Film, room: Editing, done: dict[str, Any]) -> None:
    document = {
        "exit_code": int(code),
        "cut": film.name,
        "fps": str(film.fps),
        "width": film.width,
        "height": film.height,
        "frames": film.frames,
        "seconds": float(film.seconds),
        "clips": [_clip(shown, room) for shown in film.clips],
    }
    emit({**document, **done})


def _clip(shown: Shown, room: Editing) -> dict[str, Any]:
    material, path, take = shown.material, shown.path, shown.take
    return {
        "kind": shown.kind,
        "shot": shown.clip.shot,
        "take": take.number if take is not None else None,
        "file": shelf.shown(room.shelf.places, path) if path is not None else None,
        "sha256": material.sha256 if material is not None else None,
        "missing": printable(shown.missing, None) if shown.missing is not None else None,
        "picked": material is not None and material.is_picked,
        "in": shown.begin,
        "out": shown.end,
        "of": shown.footage.count,
        "fps": str(shown.footage.fps),
        "at": shown.at,
        "frames": shown.frames,
        "notes": [printable(note, None) for note in shown.notes],
    }
