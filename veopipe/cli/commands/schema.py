"""`veopipe schema`: print a JSON Schema, for editors and other programs."""

from __future__ import annotations

import click

from veopipe.cli.options import example
from veopipe.documents import schema


@click.command("schema", epilog=example("veopipe schema manifest > manifest.schema.json", "0 printed; 2 wrong usage"))
@click.argument("name", type=click.Choice(schema.NAMES))
def command(name: str) -> int:
    """Print the JSON Schema of a kind of file."""
    click.echo(schema.read_text(name), nl=False)
    return 0
