"""`veopipe simulate`: the embedded gateway as a server of its own, to try things without a key."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path

import click

from veopipe.cli.commands.profiles import chosen
from veopipe.cli.options import LocalPath, example
from veopipe.clock import parse_duration
from veopipe.profiles import reading
from veopipe.profiles.profile import Profile
from veopipe.simulator.server import Options, faults_of, serve

PORT = 8787
_EXAMPLE = f"""veopipe simulate --task-time 500ms --wallet 5.00
  VEOPIPE_API_KEY=sk-simulated veopipe run shots.yaml --base-url http://127.0.0.1:{PORT} --yes"""
_CODES = """0 stopped with Ctrl-C or SIGTERM, or with its terminal, or the faults were listed;
2 wrong usage, no such profile, or an error in it;
6 the port or the folder can't be used, or the extra `simulator` isn't installed"""
ACCOUNT_USER = 1
"""The number of the account, where the account's log wants it."""


def _seconds(context: click.Context, option: click.Parameter, written: str) -> float:
    try:
        return parse_duration(float(written) if written.replace(".", "", 1).isdecimal() else written)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from None


def _dollars(context: click.Context, option: click.Parameter, written: str | None) -> Decimal | None:
    try:
        amount = None if written is None else Decimal(written)
    except ArithmeticError:
        raise click.BadParameter(f"{written} isn't an amount such as 5.00", context, option) from None
    if amount is not None and not (amount.is_finite() and 0 <= amount < 10**9):
        raise click.BadParameter("an amount is 0 or more, and not infinite", context, option)
    return amount


@click.command("simulate", epilog=example(_EXAMPLE, _CODES))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="On 127.0.0.1; 0: a free one."
)
@click.option(
    "--task-time",
    metavar="DURATION",
    callback=_seconds,
    default="2s",
    show_default=True,
    help="From create to completion.",
)
@click.option(
    "--spread",
    type=click.FloatRange(0, 3),
    default=0.0,
    show_default=True,
    help="Of the logarithms of these times, which then have --task-time as median; 0.65 is like Veo.",
)
@click.option("--key", metavar="KEY", help="The only key accepted. Without it any key that isn't empty is.")
@click.option("--wallet", metavar="USD", callback=_dollars, help="Money at the start. Without it there is no limit.")
@click.option(
    "--folder",
    type=LocalPath(path_type=Path, file_okay=False),
    help="Keep tasks and charges here, so that a killed simulator goes on. Without it: in memory.",
)
@click.option(
    "--profile",
    metavar="NAME",
    default=reading.DEFAULT,
    show_default=True,
    help="Whose gateway it plays: a profile, as provider.profile of a pipeline names it.",
)
@click.option("--list-faults", is_flag=True, help="Show every fault that can be ordered, then leave.")
def command(
    *,
    port: int,
    task_time: float,
    spread: float,
    key: str | None,
    wallet: Decimal | None,
    folder: Path | None,
    profile: str,
    list_faults: bool,
) -> int:
    """Serve a simulated gateway on this machine until Ctrl-C.

    It answers as that gateway's documents say and delivers real MP4s, free of charge. A prompt can order a fault:
    "A lighthouse [simulate: wrong_resolution]". What it took and charged is shown under /_simulator/ledger,
    every request under /_simulator/wire.
    """
    played = chosen(profile)
    if list_faults:
        from veopipe.simulator.faults import listing

        click.echo(listing(faults_of(played.dialect)))
        return 0
    if key is not None and not key.strip():
        raise click.BadParameter("it must not be empty; leave it out to accept any key", param_hint="--key")
    user = ACCOUNT_USER if played.wants_account_user else None
    options = Options(task_time, key, folder, wallet, dialect=played.dialect, account_user=user, spread=spread)
    serve(options, port, partial(_announce, played))
    return 0


def _announce(profile: Profile, base_url: str) -> None:
    key = f"{profile.api_key_env}=sk-simulated"
    click.echo(base_url)
    click.echo(f"Try it from another terminal:  {key} veopipe run shots.yaml --base-url {base_url} --yes")
    if profile.name != reading.DEFAULT:
        user = f", account_user: {ACCOUNT_USER}" if profile.wants_account_user else ""
        click.echo(f"with `provider: {{profile: {profile.name}{user}}}` in the pipeline")
