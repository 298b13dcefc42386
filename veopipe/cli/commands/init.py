"""`veopipe init`: a small shot list that runs at once, with the schemas for an editor."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from veopipe import files
from veopipe.cli.options import LocalPath, example
from veopipe.cli.terminal.screen import say
from veopipe.documents import schema
from veopipe.errors import EnvironmentFault, UsageError
from veopipe.ledger import safekeeping

LIST = """\
# yaml-language-server: $schema=.veopipe/manifest.schema.json
# What to make. How to run it is a pipeline: veopipe run shots.yaml -p draft
version: 1
budget_usd: 2.00                 # a run never spends more

defaults:                        # for every shot below
  model: veo-3.1-fast-generate-preview
  aspect_ratio: 16:9
  negative_prompt: blurry, watermark, distorted

shots:                           # the id names the video: renders/shots/SC01-lighthouse.mp4
  SC01-lighthouse:
    prompt: A cinematic shot of a lighthouse at sunset, ocean waves hitting the rocks, slow camera push-in
    seed: 20260520
  SC02-harbor:
    prompt: A quiet fishing harbor at dawn, gulls circling, gentle handheld camera
    tags: [opening]
"""
_FOR_EDITORS = ("manifest", "pipeline")
_GITIGNORE = "# What veopipe makes and can make again; the ledger in .veopipe/ belongs into git.\nrenders/\n"


@click.command("init", epilog=example("veopipe init film", "0 made; 2 there is a list already; 6 it can't be written"))
@click.argument("folder", metavar="[DIR]", default=".", type=LocalPath(path_type=Path))
def command(folder: Path) -> int:
    """Make a small shot list in DIR (here), ready for veopipe run shots.yaml --simulate."""
    if os.path.lexists(folder / "shots.yaml"):
        raise UsageError(f"{folder / 'shots.yaml'} is there already; nothing was changed")
    wanted = {
        folder / ".veopipe" / ".gitignore": safekeeping.GITIGNORE,
        **{folder / ".veopipe" / f"{name}.schema.json": schema.read_text(name) for name in _FOR_EDITORS},
        folder / ".gitignore": _GITIGNORE,
        folder / "shots.yaml": LIST,
    }
    try:
        files.make_folder((folder / ".veopipe").absolute())
        for path, text in wanted.items():
            if os.path.lexists(path) and not path.name.endswith(".schema.json"):
                say(f"{path} is there already: left as it is")
                continue
            files.replace(path.absolute(), text.encode())
    except OSError as error:
        raise EnvironmentFault(f"{folder} can't be written: {error.strerror}") from None
    click.echo(f"{folder / 'shots.yaml'} is made. Next:")
    if folder != Path("."):
        click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  veopipe run shots.yaml --simulate    try it: no key, no money")
    click.echo("  veopipe plan shots.yaml              what the real run would cost")
    return 0
