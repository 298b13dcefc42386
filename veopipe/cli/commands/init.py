"""`veopipe init`: a small shot list that runs at once, a pipeline for its drafts, and the schemas for an editor."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from veopipe import files
from veopipe.cli.completions import complete_profile
from veopipe.cli.options import LocalPath, example
from veopipe.cli.terminal.screen import say
from veopipe.documents import schema
from veopipe.errors import UsageError
from veopipe.ledger import moves, safekeeping
from veopipe.manifest.offers import offer
from veopipe.profiles import reading
from veopipe.profiles.profile import Profile
from veopipe.text import printable

LIST = """\
# yaml-language-server: $schema=.veopipe/manifest.schema.json
# What to make. How to run it is a pipeline: one in pipelines/ (-p draft), or a built-in one (-p nightly)
version: 1
budget_usd: 2.00                 # a run never spends more

defaults:                        # for every shot below
  model: {model}
  resolution: 720p
  aspect_ratio: 16:9

shots:                           # the id names the video: renders/shots/SC01-lighthouse.mp4
  SC01-lighthouse:
    prompt: A cinematic shot of a lighthouse at sunset, ocean waves hitting the rocks, slow camera push-in
  SC02-harbor:
    prompt: A quiet fishing harbor at dawn, gulls circling, gentle handheld camera
    tags: [opening]
"""
_HEAD = "# yaml-language-server: $schema=../.veopipe/pipeline.schema.json\n"
_PROVIDER = "\nprovider:\n  profile: {profile}\n"
DEFAULT = f"""\
{_HEAD}# How to run the lists of this folder, unless -p says otherwise. veopipe profiles shows what there is.
version: 1
description: The videos come from {{profile}}
{_PROVIDER}"""
DRAFT = f"""\
{_HEAD}# veopipe run shots.yaml -p draft: every shot small and cheap, into a folder of its own.
version: 1
description: Drafts of the whole list at {{resolution}}
{{provider}}
overrides:
  resolution: {{resolution}}

output: renders/draft
"""
_FOR_EDITORS = ("manifest", "bible", "pipeline", "profile")
_GITIGNORE = "# What veopipe makes and can make again; the ledger in .veopipe/ belongs into git.\nrenders/\n"


@click.command("init", epilog=example("veopipe init film", "0 made; 2 there is a list already; 6 it can't be written"))
@click.argument("folder", metavar="[DIR]", default=".", type=LocalPath(path_type=Path))
@click.option(
    "--profile",
    metavar="NAME",
    default=reading.DEFAULT,
    show_default=True,
    help="The gateway that the videos are bought from: veopipe profiles shows them.",
    shell_complete=complete_profile,
)
def command(folder: Path, profile: str) -> int:
    """Make a small shot list in DIR (here), ready for veopipe run shots.yaml --simulate."""
    if os.path.lexists(folder / "shots.yaml"):
        raise UsageError(f"{folder / 'shots.yaml'} is there already; nothing was changed")
    chosen = _profile(profile)
    wanted = {
        folder / ".veopipe" / ".gitignore": safekeeping.GITIGNORE,
        **{folder / ".veopipe" / f"{name}.schema.json": schema.read_text(name) for name in _FOR_EDITORS},
        folder / ".gitignore": _GITIGNORE,
        folder / "shots.yaml": LIST.format(model=chosen.sold[0].name),
    }
    provider = "" if chosen.name == reading.DEFAULT else _PROVIDER.format(profile=chosen.name)
    if provider:
        wanted[folder / "pipelines" / "default.yaml"] = DEFAULT.format(profile=chosen.name)
    if not os.path.lexists(folder / ".veopipe"):  # else another list may have drafts of the built-in pipeline's model
        smallest = offer(chosen.sold[0]).resolutions[0]
        wanted[folder / "pipelines" / "draft.yaml"] = DRAFT.format(provider=provider, resolution=smallest)
    _write(folder, wanted)
    _say_what_next(folder, chosen)
    return 0


def _profile(name: str) -> Profile:
    """The built-in profile of that name that sells something.

    Raises:
        UsageError: there is none.
    """
    sellers = [known for known in reading.built_in_names() if reading.built_in(known).sold]
    if name not in sellers:
        sells = f"sells no model by itself; begin with {reading.DEFAULT}, and write yours into a pipeline"
        what = sells if name in reading.built_in_names() else f"isn't built in: there are {', '.join(sellers)}"
        raise UsageError(f"the profile {printable(name, 60)} {what}")
    return reading.built_in(name)


def _write(folder: Path, wanted: Mapping[Path, str]) -> None:
    """Write what isn't there yet; the schemas always."""
    with files.writing(folder):
        for made in {path.parent for path in wanted}:
            files.make_folder(made.absolute())
        for path, text in wanted.items():
            if os.path.lexists(path) and not path.name.endswith(".schema.json"):
                say(f"{path} is there already: left as it is")
                continue
            files.replace(path.absolute(), text.encode())


def _say_what_next(folder: Path, profile: Profile) -> None:
    click.echo(f"{folder / 'shots.yaml'} is made. Next:")
    if folder != Path("."):
        click.echo(f"  cd {shlex.quote(moves.typed(str(folder)))}")
    click.echo("  veopipe run shots.yaml --simulate    try it: no key, no money")
    click.echo("  veopipe plan shots.yaml              what the real run would cost")
    click.echo(f"The real run needs a key in {profile.api_key_env}: {profile.token_setup}.")
