"""`veopipe profiles`: the gateways that a pipeline can name, what they sell, and for how much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from veopipe.cli.options import example, format_option
from veopipe.cli.output import emit
from veopipe.cli.terminal.profiles import show_profiles
from veopipe.errors import InvalidInput, Problem, UsageError
from veopipe.gateway.address import parse_base_url
from veopipe.manifest.offers import offer
from veopipe.profiles import reading
from veopipe.profiles.profile import Model, Profile


@click.command("profiles", epilog=example("veopipe profiles", "0 shown; 2 a profile of yours has an error"))
@format_option
def command(format_: str) -> int:
    """Show the gateways that a pipeline can name: models, prices, what can be ordered, what is over.

    The built-in ones, and those in profiles/ of this folder. Nothing is sent.
    """
    found = _all(Path.cwd())
    if format_ == "json":
        emit({"exit_code": 0, "profiles": [_document(profile) for profile in found]})
    else:
        show_profiles(found)
    return 0


def _all(folder: Path) -> list[Profile]:
    found, problems = [], list[Problem]()
    for name in reading.names(folder):
        profile, theirs = _loaded(name, folder)
        found += [profile] if profile is not None else []
        problems += theirs
    if problems:
        raise InvalidInput("a profile can't be used", tuple(problems))
    return found


def _loaded(wanted: str, folder: Path) -> tuple[Profile | None, tuple[Problem, ...]]:
    """A profile of a folder, or a built-in one, and its problems; raises `UsageError` if there is none."""
    try:
        return reading.load(wanted, folder, parse_base_url)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


def _document(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "description": profile.description,
        "dialect": profile.dialect,
        "base_url": profile.base_url,
        "api_key_env": profile.api_key_env,
        "token_setup": profile.token_setup,
        "source": profile.source,
        "checked": profile.checked,
        "models": [_of_model(model) for model in profile.models.values()],
    }


def _of_model(model: Model) -> dict[str, Any]:
    offered, retired = offer(model), model.retired
    return {
        "name": model.name,
        "family": model.family,
        "price": model.price.as_json(),
        "list_price": model.list_price.as_json() if model.list_price is not None else None,
        "resolutions": list(offered.resolutions),
        "aspect_ratios": list(offered.aspect_ratios),
        "seconds": list(offered.seconds),
        "pictures": list(offered.pictures),
        "retention_s": model.retention,
        "retired": retired.on if retired is not None else None,
        "successor": retired.successor if retired is not None else None,
    }


def chosen(wanted: str) -> Profile:
    """A profile of this folder, or a built-in one.

    Raises:
        UsageError: there is none.
        InvalidInput: it has an error.
    """
    profile, problems = _loaded(wanted, Path.cwd())
    if profile is None:
        raise InvalidInput("the profile can't be used", problems)
    return profile
