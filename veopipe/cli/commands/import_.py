"""`veopipe import`: a shot list from a CSV file."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from veopipe import files
from veopipe.cli.options import LocalPath, example
from veopipe.cli.terminal.problems import show_problems
from veopipe.cli.terminal.screen import say
from veopipe.documents import schema, yaml
from veopipe.errors import ExitCode, UsageError
from veopipe.manifest import csv, families
from veopipe.manifest.shots import load_manifest
from veopipe.profiles.profile import Model, Profile
from veopipe.profiles.reading import built_in as built_in_profile
from veopipe.takes.money import dollars_exactly
from veopipe.text import counted


@click.command(
    "import",
    epilog=example(
        "veopipe import shots.csv -o shots.yaml",
        "0 made; 2 not made, or made with errors to repair; 6 it can't be written",
    ),
)
@click.argument("source", metavar="FILE.csv", type=LocalPath(path_type=Path))
@click.option("-o", "--output", required=True, type=LocalPath(path_type=Path), help="The new shot list.")
@click.option("--ignore", "ignored", multiple=True, metavar="COLUMN", help="A column to leave out; repeatable.")
@click.option("--info", "own", multiple=True, metavar="COLUMN", help="A column of your own, for info; repeatable.")
def command(source: Path, output: Path, ignored: tuple[str, ...], own: tuple[str, ...]) -> int:
    """Make a shot list from a CSV file with the columns id, prompt and other keys of a shot."""
    if os.path.lexists(output):
        raise UsageError(f"{output} is there already; nothing was changed")
    known = schema.part("manifest", "$defs", "settings", "properties")
    shots = csv.read_shots(source, known, _names(ignored), _names(own))
    head: dict[str, Any] = {"version": 1}
    if not any("model" in shot for shot in shots.values()):
        cheapest = _cheapest(built_in_profile())
        head["defaults"] = {"model": cheapest.name}
        say(f"{source} has no model column: {cheapest.name} ({dollars_exactly(_usual_price(cheapest))} a call) for all")
    text = yaml.dump({**head, "shots": shots})
    with files.writing(output):
        files.replace(output.absolute(), text.encode())
    loaded = load_manifest(output.absolute(), shown_as=str(output))
    show_problems(loaded.problems)
    click.echo(f"{output}: {counted(len(shots), 'shot')}")
    return ExitCode.OK if loaded.manifest else ExitCode.INVALID


def _names(written: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in written))


def _cheapest(profile: Profile) -> Model:
    """Of the models that are sold today the one whose usual video costs least."""
    return min(profile.sold, key=_usual_price)


def _usual_price(model: Model) -> Decimal:
    """US dollars of a video with the schema's defaults."""
    usual = families.default_values()
    return model.price.at(usual["resolution"], int(usual["seconds"]))
