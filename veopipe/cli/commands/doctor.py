"""`veopipe doctor`: is everything there that a run needs?"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import click

from veopipe.cli import checkup
from veopipe.cli.options import example, format_option, pipeline_option
from veopipe.cli.terminal.checks import show_checks
from veopipe.errors import ExitCode, InvalidInput, UsageError
from veopipe.pipeline import load_pipeline
from veopipe.settings import parse_base_url

_CODES = "0 everything that a run needs is there; 2 wrong usage; 6 something is missing"


@click.command("doctor", epilog=example("veopipe doctor", _CODES))
@pipeline_option("The pipeline whose gateway and key are meant.")
@click.option("--base-url", metavar="URL", help="Another gateway than the pipeline's.")
@format_option
def command(pipeline: str | None, base_url: str | None, format_: str) -> int:
    """Check key, gateway, network, clock, disk and libraries. Costs nothing, never shows the key."""
    loaded, problems = load_pipeline(pipeline, Path.cwd())
    if loaded is None:
        raise InvalidInput("the pipeline can't be used", problems)
    if base_url is not None:
        try:
            loaded = replace(loaded, provider=replace(loaded.provider, base_url=parse_base_url(base_url)))
        except ValueError as error:
            raise UsageError(f"--base-url: {error}") from None
    checks = checkup.examine(loaded, os.environ, Path.cwd())
    code = ExitCode.ENVIRONMENT if any(check.state == "bad" for check in checks) else ExitCode.OK
    if format_ == "json":
        document = {"exit_code": int(code), "checks": [check.as_json() for check in checks]}
        click.echo(json.dumps(document, indent=2))
    else:
        show_checks(checks)
    return code
