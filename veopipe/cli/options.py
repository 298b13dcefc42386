"""Options that several commands share, and how their values are read (click)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from veopipe.cli.completions import complete_pipeline, complete_shot
from veopipe.files import is_no_path, meant_elsewhere
from veopipe.text import printable

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class Money(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """US dollars as a person writes them: `25`, `0.30`."""

    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The amount; anything but a plain, finite number of at least 0 is refused."""
        written = str(value).removeprefix("$")
        if _AMOUNT.fullmatch(written) is None:  # no exponent: 1e999999999 would be written out with all its zeros
            self.fail(f"{printable(written, 40)!r} is no amount of money; write it like 25 or 0.30", param, ctx)
        return Decimal(written)


class LocalPath(click.Path):
    """A path on this machine: `s3://film` would silently become a folder called `s3:`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. A word that is no path is refused, unless a file has that name."""
        if isinstance(value, str) and is_no_path(value) and not os.path.lexists(value):
            shown = printable(value.partition(":")[0], 40)  # behind it there may be a password
            why = meant_elsewhere(value) or "is none"
            self.fail(f"{shown}… must be a local file or folder: this {why}", param, ctx)
        return super().convert(value, param, ctx)


format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What stdout is.",
)


def pipeline_option(words: str) -> Decorator:
    """`-p`, with the names that there are after Tab."""
    return click.option("-p", "--pipeline", metavar="NAME|PATH", help=words, shell_complete=complete_pipeline)


def simulate_option(words: str = "Of the rehearsal, not of the real runs.") -> Decorator:
    """`--simulate`: whose ledger a command reads, or how it runs."""
    return click.option("--simulate", is_flag=True, help=words)


def about_shots(pipeline: str) -> Decorator:
    """Manifest, pipeline and selection: what all commands about a list share.

    Args:
        pipeline: what `-p` is for.
    """
    return _all(
        click.argument("manifest", type=LocalPath(path_type=Path)),
        pipeline_option(pipeline),
        click.option(
            "--only",
            multiple=True,
            metavar="GLOB",
            help="Only shots whose id matches; repeatable.",
            shell_complete=complete_shot,
        ),
        click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only shots with this tag; repeatable."),
    )


def about_manifest(command: Command) -> Command:
    """These and the format: what plan, run, status, verify and resolve share."""
    return about_shots("How to run: a pipeline's name or file.")(format_option(command))


def about_spending(command: Command) -> Command:
    """Limits, another gateway, retries, rehearsal: what plan and run share besides."""
    return _all(
        click.option("--max-cost", type=Money(), help="Spend no more than this in one run."),
        click.option("--in-flight", type=click.IntRange(1, 10_000), help="Takes under way at once."),
        click.option("--base-url", metavar="URL", help="Another gateway than the pipeline's."),
        click.option("--retry-failed", is_flag=True, help="Order another attempt for what failed or was refused."),
        click.option(
            "--refresh", is_flag=True, help="Order again what is stale: made from another take than is chosen."
        ),
        simulate_option("Rehearse with the built-in simulator: no key, no money."),
    )(command)


def _all(*options: Decorator) -> Decorator:
    """Several options as one, in the order of the command's help."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def example(text: str, codes: str) -> str:
    """The end of a command's help: an example, and its exit codes."""
    return f"\b\nExample:\n  {text}\n\n\b\nExit codes:\n" + "\n".join(f"  {line.strip()}" for line in codes.split(";"))
