"""`veopipe frame`: one picture of a delivered take, for another shot to begin or to end with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from veopipe import files
from veopipe.api import Project, Still
from veopipe.cli.completions import complete_shot
from veopipe.cli.options import LocalPath, example, format_option, pipeline_option, simulate_option
from veopipe.cli.output import emit
from veopipe.cli.terminal.screen import say
from veopipe.errors import UsageError
from veopipe.film import outputs
from veopipe.project.choices import Choices
from veopipe.text import printable

_PNG, _JPEG = "image/png", "image/jpeg"
_ENDINGS = {".png": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG}
_BEGINNINGS = (b"\x89PNG\r\n", b"\xff\xd8\xff")  # of a PNG, and of a JPEG
_CODES = "0 written, or there already; 2 wrong usage or input, no such take or picture; 6 environment, PyAV missing"


@click.command("frame", epilog=example("veopipe frame shots.yaml SC01 -o refs/sc02-first.png", _CODES))
@click.argument("manifest", type=LocalPath(path_type=Path))
@click.argument("shot", shell_complete=complete_shot)
@click.option("--at", default="last", show_default=True, metavar="last|first|SECONDS", help="Which picture.")
@click.option("--take", type=click.IntRange(1), help="The number in the take's file name, instead of the verified one.")
@click.option("-o", "--output", type=LocalPath(path_type=Path), required=True, help="The picture: .png, .jpg or .jpeg.")
@click.option("--force", is_flag=True, help="Replace another picture of that name.")
@pipeline_option("How it was run: a pipeline's name or file.")
@simulate_option()
@format_option
def command(
    manifest: Path, shot: str, format_: str, *, at: str, take: int | None, output: Path, force: bool, **options: Any
) -> int:
    """Write one picture of SHOT's video in MANIFEST, exact to the frame and in its own colours.

    SECONDS count from the first picture shown; the picture on screen at that time is meant. Nothing is sent.
    """
    media_type = _media_type(output)
    film = Project.of(Choices(manifest, **options), say)
    outputs.refuse(output, film.loaded.places)
    still = film.frame(shot, at, take, largest_png=0 if media_type == _JPEG else None)
    content = (still.frame.jpeg or still.frame.png) if media_type == _JPEG else still.frame.png
    is_new = _write(output, content, force=force)
    if format_ == "json":
        emit({"exit_code": 0, **_document(still, output, content)})
        return 0
    _tell(still, output, is_new=is_new)
    return 0


def _media_type(output: Path) -> str:
    media_type = _ENDINGS.get(output.suffix.lower())
    if media_type is None:
        hint = f"endings are {' '.join(_ENDINGS)}"
        raise UsageError(f"the ending of {printable(str(output))} names no kind of picture", hint=hint)
    return media_type


def _write(output: Path, content: bytes, *, force: bool) -> bool:
    """Write the picture; whether it wasn't there already.

    Another picture of that name is somebody's, and stays unless it is to be replaced: a picture doesn't say who made
    it, and what is ordered with it is another order afterwards.
    """
    path, shown = output.absolute(), printable(str(output))
    with files.writing(shown):
        if files.claim(path, content):
            return True
        there = path.read_bytes() if path.is_file() else b""
        if there == content:
            return False
        is_picture = there.startswith(_BEGINNINGS)
        if force and is_picture:
            files.replace(path, content)
            return True
    if not is_picture:
        raise UsageError(f"{shown} is no picture: left alone", hint="choose another name for -o")
    hint = "choose another name for -o, or --force: what is made with that picture is ordered anew then"
    raise UsageError(f"{shown} is another picture: left alone", hint=hint)


def _document(still: Still, output: Path, content: bytes) -> dict[str, Any]:
    frame, file = still.frame, still.take.file
    return {
        "file": str(output),
        "sha256": files.sha256_of_bytes(content),
        "bytes": len(content),
        "width": frame.width,
        "height": frame.height,
        "blank": frame.is_blank,
        "shot": still.shot,
        "take": still.take.number,
        "at": still.at.name,
        "frame": frame.number,
        "seconds": float(frame.at_s),
        "source": {
            "file": still.source,
            "sha256": file.sha256 if file is not None else None,
            "frames": frame.video.count,
            "fps": str(frame.video.fps) if frame.video.fps is not None else None,
            "seconds": float(frame.video.lasts_s),
            "even": frame.video.is_even,
        },
        "made_by": frame.made_by,
    }


def _tell(still: Still, output: Path, *, is_new: bool) -> None:
    frame = still.frame
    where = f"frame {frame.number} of {frame.video.count}, at {float(frame.at_s):.6g} s of {still.source}"
    say(f"{'written to' if is_new else 'unchanged:'} {output}: {where}")
    if frame.is_blank:
        say("note: it is black; --at names an earlier one, such as first or 7.25")
    if frame.sent[0] != _PNG and output.suffix.lower() == ".png":
        say(f"note: it has {len(frame.png) / 1e6:.1f} MB, which some gateways refuse; as .jpg it is smaller")
