"""`veopipe schema`: print a JSON Schema, for editors and other programs."""

from __future__ import annotations

import json

import click

from veopipe.cli.commands.profiles import chosen
from veopipe.cli.completions import complete_profile
from veopipe.cli.options import example
from veopipe.documents import schema
from veopipe.errors import UsageError
from veopipe.manifest import editors


@click.command("schema", epilog=example("veopipe schema manifest > manifest.schema.json", "0 printed; 2 wrong usage"))
@click.argument("name", metavar="KIND", type=click.Choice(schema.NAMES))
@click.option(
    "--profile",
    metavar="NAME",
    shell_complete=complete_profile,
    help="Of manifest: the rules of this profile's models, their own ones, too.",
)
def command(name: str, profile: str | None) -> int:
    """Print the JSON Schema of a kind of file.

    KIND is manifest, bible, pipeline, profile, state, plan, report, review, decisions, frame, cut, lock or clips.

    The one of manifest says what holds at every gateway for the models of the built-in profiles.
    """
    if profile is None:
        click.echo(schema.read_text(name), nl=False)
        return 0
    if name != "manifest":
        raise UsageError(f"--profile belongs to the schema of manifest; the one of {name} is the same for all")
    click.echo(json.dumps(editors.exact(chosen(profile).models), indent=2, ensure_ascii=False))
    return 0
