"""`veopipe doctor`: is everything there that a run needs?

The only request to the gateway is a status question about a task that can't exist: it is free, and its
answer tells whether the key is good (API document, Poll Status; docs/api-facts.md, a: an unknown task
is answered 400, a bad key 401). The key itself is never shown.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from veopipe import __version__
from veopipe.cli.options import example, format_option, pipeline_option
from veopipe.cli.output import emit
from veopipe.cli.terminal.screen import show_fact
from veopipe.delivery import room
from veopipe.delivery.buckets.probing import prove
from veopipe.delivery.measure import Prober
from veopipe.dialects.base import PollAnswer, Progress
from veopipe.errors import EnvironmentFault, ExitCode, InvalidInput, UsageError
from veopipe.gateway import proxies, trust
from veopipe.gateway.address import Address, read_key
from veopipe.gateway.client import Gateway
from veopipe.ledger.prefixes import is_prefix
from veopipe.pipeline.pipeline import INSTEAD, Pipeline, Provider
from veopipe.pipeline.reading import load_pipeline
from veopipe.plan.volume import BYTES_A_SECOND
from veopipe.project.project import address_typed
from veopipe.run.guard import Guard
from veopipe.run.looking import NO_USER, TOKEN
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt
from veopipe.text import counted, printable, sized
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.run.carrying.muster import Mustered

NO_SUCH_TASK = "task_veopipe_doctor_asks_for_nothing"
CLOCK_TOLERANCE = 300.0
"""Seconds. A clock that is further off makes messages and the 48 h rule wrong, and TLS fail in the end."""
_SKEW = 300.0  # seconds; S3 refuses what is signed with a time 15 minutes off
LITTLE_ROOM = 2 << 30
"""Bytes; a night of 4K videos of some 100 MB needs more."""
_LONG = 8  # seconds; the longest video that most models make

_LIBRARIES = (
    "httpx",
    "httpcore",
    "sniffio",
    "h11",
    "jsonschema",
    "pyyaml",
    "pymediainfo",
    "pillow",
    "click",
    "rich",
    "filelock",
    "jinja2",
)
_SIGNS = {"good": ("✓", "green"), "note": ("!", "yellow"), "bad": ("✗", "bold red")}
_CODES = "0 everything that a run needs is there; 2 wrong usage; 6 something is missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: `good`, `note` (works, but a person should know) or `bad` (a run can't do without).
        found: what was found.
        remedy: what to do, or an empty text.
    """

    name: str
    state: str
    found: str
    remedy: str = ""


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
        loaded = replace(loaded, provider=replace(loaded.provider, base_url=address_typed(base_url)))
    checks = examine(loaded, os.environ, Path.cwd())
    code = ExitCode.ENVIRONMENT if any(check.state == "bad" for check in checks) else ExitCode.OK
    if format_ == "json":
        emit({"exit_code": int(code), "checks": [asdict(check) for check in checks]})
    else:
        _show(checks)
    return code


def _show(checks: list[Check]) -> None:
    """One line for each check, the remedy below."""
    for check in checks:
        sign, colour = _SIGNS[check.state]
        show_fact([(f"{sign} ", colour), (f"{check.name:<13} ", "bold")], (check.found, ""))
        if check.remedy:
            show_fact([("    → ", "dim")], (check.remedy, "dim"))


def examine(pipeline: Pipeline, environ: Mapping[str, str], folder: Path) -> list[Check]:
    """Look at everything.

    Args:
        pipeline: whose gateway and key variable are meant.
        environ: the environment.
        folder: where the videos would go.
    """
    checks = [
        _program(),
        *_profile(pipeline),
        *_libraries(),
        asyncio.run(_measuring()),
        _simulator(),
        _disk(folder),
        *_tried("proxy", _proxy(pipeline, environ)),
        _certificates(pipeline, environ),
        *_account(pipeline, environ),
        *_tried("store", _store(pipeline)),
        *_tried("guard", _guard(pipeline)),
        *_tried("executor", _executor(pipeline, folder)),
    ]
    try:
        key = read_key(pipeline.provider.api_key_env, environ)
    except EnvironmentFault as error:
        checks.append(Check("key", "bad", error.message, error.hint or ""))
        checks.append(_token(pipeline))
        return checks
    checks.append(Check("key", "good", f"{pipeline.provider.api_key_env} is set, {len(key)} characters"))
    checks += asyncio.run(_gateway(pipeline, key, environ))
    checks.append(_token(pipeline))
    return checks


def _tried(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """Checks of one kind, the last of which is what they can't do without."""
    try:
        yield from checks
    except (EnvironmentFault, UsageError) as error:
        yield Check(name, "bad", error.message, error.hint or "")


def _program() -> Check:
    return Check("veopipe", "good", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")


def _libraries() -> Iterator[Check]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Check("library", "bad", f"{name} isn't installed", f"pip install {name}")
    yield Check("libraries", "good", ", ".join(found))


async def _measuring() -> Check:
    async with Prober() as prober:
        trouble = await prober.trouble()
    if trouble:
        return Check("libmediainfo", "bad", trouble, "pip install --force-reinstall pymediainfo")
    return Check("libmediainfo", "good", "measures files in a process of its own")


def _simulator() -> Check:
    missing = [name for name in ("aiohttp", "av") if util.find_spec(name) is None]
    if missing:
        return Check("simulator", "note", f"{', '.join(missing)} missing", "for rehearsals: pip install aiohttp av")
    return Check("simulator", "good", "installed")


def _disk(folder: Path) -> Check:
    free, where = room.free(folder), printable(str(folder))
    if free is None:
        return Check("disk", "note", f"nobody can say how much is free in {where}", "see that there is room for videos")
    fits = max(free - room.ROOM_TO_LEAVE, 0)
    videos = " or ".join(f"{fits // (_LONG * BYTES_A_SECOND[size]):,} in {size}" for size in ("1080p", "4k"))
    found = f"{sized(free)} free in {where}: about {videos} of {_LONG} s each"
    return Check("disk", "good", found) if free >= LITTLE_ROOM else Check("disk", "note", found, "make room for videos")


def _store(pipeline: Pipeline) -> Iterator[Check]:
    """Whether videos can be put into the store, where that is the output."""
    if not is_prefix(pipeline.output):
        return
    where = printable(pipeline.output)
    proof = prove(pipeline.output)
    if proof.refused is not None:
        remedy = "docs/scale.md says which rights are needed, and what the environment is to have"
        yield Check("store", "bad", f"{where} can't be used: {proof.refused}", remedy)
        return
    yield Check("store", "good", f"{where} can be listed, read and written")
    if proof.keeps_creates and proof.keeps_updates:
        yield Check("conditions", "good", "it gives no name twice, and replaces nothing that was changed meanwhile")
    else:
        found = "it says yes where a condition forbids it; veopipe looks before it puts, so one run at a time is safe"
        yield Check("conditions", "note", found, "let nothing else write there")
    remedy = "set this machine's clock: stores refuse what is signed with another time" if proof.off > _SKEW else ""
    yield Check("store's clock", "note" if remedy else "good", f"{proof.off:.0f} s from this machine's", remedy)


def _guard(pipeline: Pipeline) -> Iterator[Check]:
    """What the guard says, where there is one."""
    if pipeline.guard is None:
        return
    found = Guard(pipeline.guard).look()
    where = printable(pipeline.guard)
    if found is None:
        yield Check("guard", "note", f"{where} isn't there yet", "the first run that spends makes it")
        return
    said = f"{where} was taken {counted(found.serial, 'time')}, last by {found.who}"
    yield Check("guard", "good", said)


def _executor(pipeline: Pipeline, folder: Path) -> Iterator[Check]:
    """Who fetches videos, where that is an engine, and each of its workers."""
    if pipeline.executor == "local":
        return
    from veopipe.run.carrying.engine import Named  # with all that a run needs
    from veopipe.run.carrying.muster import muster

    named = Named.of(pipeline.executor)
    workers = muster(pipeline, folder)
    fit = sum(worker.lacks is None for worker in workers)
    found = f"{named.name}: {fit} of {counted(len(workers), 'worker')} can run errands"
    yield Check("executor", "good" if fit else "bad", found, "" if fit else "start workers: docs/scale.md, d")
    yield from (Check("executor", "note", sentence.removeprefix("warning: ")) for sentence in named.warnings())
    unfit = "note" if fit else "bad"
    yield from (_worker(worker, pipeline, unfit) for worker in workers)


def _worker(worker: Mustered, pipeline: Pipeline, unfit: str) -> Check:
    if worker.lacks is not None:
        return Check("worker", unfit, f"{worker.name}: {worker.lacks}")
    return Check("worker", "good", f"{worker.name}: version, key, libmediainfo, room, sees {pipeline.output}")


def _proxy(pipeline: Pipeline, environ: Mapping[str, str]) -> Iterator[Check]:
    proxy = proxies.read(environ).carrier(pipeline.provider.base_url)
    if proxy is None:
        yield Check("proxy", "good", "none for this gateway")
        return
    host = urlsplit(proxy.url).hostname or ""
    yield Check("proxy", "note", f"requests go through {host}", f"unset {proxy.variable} if that isn't wanted")


def _certificates(pipeline: Pipeline, environ: Mapping[str, str]) -> Check:
    try:
        believed = trust.read(environ)
    except EnvironmentFault as error:
        state = "bad" if pipeline.provider.base_url.startswith("https:") else "note"  # a run without TLS needs none
        return Check("certificates", state, error.message, error.hint or "")
    found = f"known are {believed.sources}"
    if not believed.unread:
        return Check("certificates", "good", found)
    return Check("certificates", "note", f"{found}; {believed.unread}", "put that right, or unset it")


async def _gateway(pipeline: Pipeline, key: str, environ: Mapping[str, str]) -> list[Check]:
    address = Address(pipeline.provider.base_url)
    dialect = pipeline.provider.dialect
    nothing = Attempt(
        1, "doctor", Status.RENDERING, address.name, Decimal(0), "", task_id=NO_SUCH_TASK, dialect=dialect.name
    )
    try:
        gateway = Gateway(address, dialect, key, environ=environ)
    except EnvironmentFault as error:
        return [Check("network", "bad", error.message, error.hint or "")]
    try:
        answer = await gateway.poll(nothing)
        theirs = await gateway.clock()
    finally:
        await gateway.close()
    checks = [_answer(address, pipeline, answer)]
    if theirs is not None:
        off = abs(time.time() - theirs)
        remedy = "set this machine's clock" if off > CLOCK_TOLERANCE else ""
        checks.append(Check("clock", "note" if remedy else "good", f"{off:.0f} s from the gateway's", remedy))
    return checks


def _answer(address: Address, pipeline: Pipeline, answer: PollAnswer) -> Check:
    where = printable(address.name)
    if answer.progress is Progress.KEY_REFUSED:
        remedy = f"make a new token in the console and put it into {pipeline.provider.api_key_env}"
        return Check("gateway", "bad", f"{where} refuses the key: {answer.message}", remedy)
    silent = answer.progress is Progress.NO_SUCH_TASK and answer.message.startswith("HTTP ")
    if answer.is_about_route or silent:
        found = f"{where} answers, but has no such API: {answer.message}"
        return Check("gateway", "bad", found, f"check {pipeline.provider.dialect.settings}")
    if answer.progress is Progress.TROUBLE:
        return Check("gateway", "bad", f"{where}: {answer.message}", "check base_url, the network and the proxy")
    return Check("gateway", "good", f"{where} answers and takes the key")


def _token(pipeline: Pipeline) -> Check:
    setup = pipeline.provider.profile.token_setup or "whether it may make videos"
    return Check("token", "note", f"can't be seen from here: {setup}", "console of the gateway → its API keys (tokens)")


def _account(pipeline: Pipeline, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether the account's log can be looked at, where the gateway has one."""
    provider = pipeline.provider
    if provider.dialect.look_up is not None:
        found, remedy = _account_log(provider, environ)
        yield Check("account log", "note" if remedy else "good", found, remedy)


def _account_log(provider: Provider, environ: Mapping[str, str]) -> tuple[str, str]:
    """What there is to look at it with, and what isn't."""
    variable = provider.account_token_env
    if not environ.get(variable, "").strip():
        remedy = "no run needs it; with the account's access token in it, resolve --look-up and a run's start look up"
        return f"{variable} is not set", f"{remedy} what became of takes in doubt"
    try:
        read_key(variable, environ, TOKEN)
    except EnvironmentFault as error:
        return error.message, error.hint or ""
    if provider.profile.wants_account_user and provider.account_user is None:
        return NO_USER, "write it into the pipeline; new-api calls it the user's ID"
    if provider.token_name is None:
        remedy = "say what this key is called there, if it serves one ledger: without it nothing is found not charged"
        return f"{variable} is set, provider.token_name is not", remedy
    return f"{variable} is set; charges by the key {printable(provider.token_name, 60)} are looked at", ""


def _profile(pipeline: Pipeline) -> Iterator[Check]:
    """What is known of the gateway before it is asked, and what of it is over."""
    provider = pipeline.provider
    profile, models = provider.profile, provider.models.values()
    sold = ", ".join(printable(model.name, 60) for model in models if model.retired is None)
    where = f"the key in {provider.api_key_env}"
    if sold:
        yield Check("profile", "good", f"{profile.name} ({profile.dialect}), {where}; it sells {sold}")
    else:
        remedy = "write the models that your gateway sells under provider.models, each with its price"
        yield Check("profile", "bad", f"{profile.name} ({profile.dialect}), {where}; no model can be ordered", remedy)
    for model in models:
        if model.retired is not None:
            remedy = f"order {model.retired.successor} instead" if model.retired.successor else ""
            yield Check("model", "note", f"{printable(model.name, 60)} was {model.retired.in_words()}", remedy)
    if (over := pipeline.overrides.retired(provider.models)) is not None:
        yield Check("overrides", "note", over, INSTEAD)
