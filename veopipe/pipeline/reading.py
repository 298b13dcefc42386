"""Finds, reads and checks a pipeline file.

* `-p NAME` is looked for in `pipelines/` beside the manifest, then among the built-in ones; `-p PATH` (with a
  slash, or ending in .yaml or .yml) is relative to the working directory.
* Every key is optional; the schema holds what a value may be, and what holds without it (`default`). What depends on
  the gateway comes from its profile, and what the pipeline says beside it overrides that.
* Every path in a file is relative to the manifest's folder.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from veopipe.clock import parse_duration
from veopipe.documents import checks, packaged, schema, standins, yaml
from veopipe.documents.nodes import MappingNode, Node, plain
from veopipe.documents.problems import Finding, Findings
from veopipe.errors import Problem, UsageError
from veopipe.files import is_no_path, meant_elsewhere
from veopipe.gateway.address import parse_base_url
from veopipe.ledger.prefixes import fault, is_prefix
from veopipe.pipeline.pipeline import (
    After,
    Download,
    Limits,
    Notify,
    Overrides,
    Pipeline,
    Poll,
    Provider,
    Verify,
)
from veopipe.profiles import reading as profiles
from veopipe.profiles.prices import Price
from veopipe.profiles.profile import Model, Profile, in_dialect
from veopipe.takes.origin import VIDEOS
from veopipe.text import printable
from veopipe.values import dataclass

DEFAULT, REHEARSAL = "default", "rehearsal"
_ENDINGS = (".yaml", ".yml")

_SECTIONS = (Provider, Limits, Poll, Download, Verify, Notify)
DURATIONS = tuple(
    (section.__name__.lower(), key.name)
    for section in _SECTIONS
    for key in fields(section)
    if str(key.type).startswith("Seconds")
)
"""The keys that hold a duration, as paths."""
_VARIABLES = (("provider", "api_key_env"), ("provider", "account_token_env"), ("notify", "webhook_env"))
_MODELS = ("provider", "models")


def load_pipeline(
    wanted: str | None, folder: Path, *, simulated: bool = False
) -> tuple[Pipeline | None, tuple[Problem, ...]]:
    """Find, read and check a pipeline.

    Args:
        wanted: name or path as on the command line; None: `default`, or `rehearsal` when simulated.
        folder: the manifest's.
        simulated: whether the run is a rehearsal.

    Returns:
        The pipeline, None if it has an error; and its problems by place.

    Raises:
        UsageError: there is no such pipeline.
    """
    found = _find(wanted, folder, simulated=simulated)
    read = _load(found)
    if read.root is None:
        return None, read.problems
    profile, profiles_own, unknown = _profile(read.root, folder)
    after, wrong = _after(read.root, folder)
    unknown += wrong
    if wanted is None and simulated:
        profile = _rehearsed(folder)
    problems = [*read.problems, *_problems(read.file, read.root, profile, unknown)]
    problems.sort(key=lambda p: (p.line, p.column, p.rule))
    if problems or profile is None:
        return None, (*problems, *profiles_own)
    return replace(_made(found, read.root, profile, read.spelt), after=after), ()


def built_in_pipelines() -> list[str]:
    """Names of the pipelines that travel with veopipe."""
    return sorted(path.stem for path in packaged.folder("pipelines").glob("*.yaml"))


# --- finding --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    source: Path
    shown_as: str


def _find(wanted: str | None, folder: Path, *, simulated: bool) -> _Found:
    if wanted is None and simulated:
        return _built_in(REHEARSAL)
    name = DEFAULT if wanted is None else wanted
    if "/" in name or name.endswith(_ENDINGS):
        path = Path(name)
        if not path.exists():
            raise _no_file(name, folder)
        return _Found(path.stem, path, name)
    for ending in _ENDINGS:
        beside = folder / "pipelines" / f"{name}{ending}"
        if beside.is_file():
            return _Found(name, beside, f"pipelines/{name}{ending}")
    if name not in built_in_pipelines():
        raise _unknown(name, folder)
    return _built_in(name)


def _no_file(name: str, folder: Path) -> UsageError:
    """Why there is no pipeline file of that name."""
    if is_no_path(name):
        shown = printable(name.partition(":")[0], 40)
        return UsageError(f"-p {shown}…: a pipeline must be a local file", hint=_existing(folder))
    if (away := standins.of(Path(name))) is not None:
        return UsageError(f"{printable(name)}: {away}")
    return UsageError(f"there is no pipeline file {printable(name)}", hint=_existing(folder))


def _unknown(name: str, folder: Path) -> UsageError:
    close = difflib.get_close_matches(name[:60], _names(folder), n=1)
    guess = f"; did you mean {close[0]}?" if close else ""
    return UsageError(f"there is no pipeline {printable(name)}{guess}", hint=_existing(folder))


def _built_in(name: str) -> _Found:
    return _Found(name, packaged.folder("pipelines") / f"{name}.yaml", f"{name}.yaml (built in)")


def _names(folder: Path) -> list[str]:
    own = folder / "pipelines"
    beside = [path.stem for path in own.iterdir() if path.suffix in _ENDINGS] if own.is_dir() else []
    return sorted({*beside, *built_in_pipelines()})


def _existing(folder: Path) -> str:
    return f"pipelines here: {', '.join(_names(folder))}; or name a file: -p ./my.yaml"


def _load(found: _Found) -> yaml.Document:
    return yaml.load(found.source, shown_as=found.shown_as)


# --- the pipeline before --------------------------------------------------------------------------------


def _after(root: Node, folder: Path) -> tuple[After | None, list[Finding]]:
    """The pipeline whose picks are waited for, and what is wrong with it. Of it only what is needed is read."""
    name = checks.text_at(root, ("after",))
    if not name:
        return None, []
    try:
        other = _load(_find(name, folder, simulated=False))
    except UsageError as error:
        return None, [checks.wrong("pipeline", ("after",), f"`after`: {error.message}")]
    if other.root is None:
        return None, [checks.wrong("pipeline", ("after",), f"`after`: {other.file} can't be read")]
    output, overrides = _written(other.root, ("output",)), checks.names_in(other.root, ("overrides",))
    if output == _written(root, ("output",)):
        said = (
            f"`after`: {printable(name, 60)} writes into {output}, too, so no pick could be told: change one `output`"
        )
        return None, [checks.wrong("pipeline", ("after",), said)]
    return After(name, str(output), frozenset(overrides)), []


# --- the profile ----------------------------------------------------------------------------------------


def _profile(root: Node, folder: Path) -> tuple[Profile | None, tuple[Problem, ...], list[Finding]]:
    """The profile that a pipeline names, its own problems, and what is wrong with the name."""
    path = ("provider", "profile")
    written = checks.node_at(root, path)
    if written is None:
        return profiles.built_in(), (), []
    name = checks.text_at(root, path)
    if not name or list(schema.check("pipeline", name, "properties", "provider", "properties", "profile")):
        return None, (), []  # said with the other findings
    try:
        profile, problems = profiles.load(name, folder, parse_base_url)
    except LookupError as error:
        return None, (), [checks.wrong("pipeline", path, f"`profile`: {error.args[0]}")]
    return profile, problems, []


def _rehearsed(folder: Path) -> Profile:
    """Whose gateway a rehearsal plays that names no pipeline: that of the usual one, if it can be used."""
    usual, _ = load_pipeline(None, folder)
    return usual.provider.profile if usual is not None and usual.provider.profile.base_url else profiles.built_in()


def _profile_findings(root: Node, profile: Profile) -> Iterator[Finding]:
    """Findings about what the pipeline says beside its profile."""
    endpoint = ("provider", "status_endpoint")
    if profile.dialect != VIDEOS and checks.node_at(root, endpoint) is not None:
        said = f"`status_endpoint` belongs to the dialect videos; the profile {profile.name} speaks {profile.dialect}"
        yield checks.wrong("pipeline", endpoint, said)
    user = ("provider", "account_user")
    if not profile.wants_account_user and checks.node_at(root, user) is not None:
        said = f"`account_user` is for gateways that run new-api; the profile {profile.name} has another account log"
        yield checks.wrong("pipeline", user, said)
    if profile.base_url is None and checks.node_at(root, ("provider", "base_url")) is None:
        said = f"`profile`: {profile.name} names no gateway: write its `base_url` here, too"
        yield checks.wrong("pipeline", ("provider", "profile"), said)
    yield from _like_findings(root, profile)


def _like_findings(root: Node, profile: Profile) -> Iterator[Finding]:
    """Findings about models that are like one that the profile hasn't."""
    for name in checks.names_in(root, _MODELS):
        path = (*_MODELS, name, "like")
        like = checks.text_at(root, path)
        if like and like not in profile.models:
            known = ", ".join(list(profile.models)[:10]) or "none"
            yield checks.wrong("pipeline", path, f"`like` is a model of the profile {profile.name}: {known}")


# --- checking -------------------------------------------------------------------------------------------


def _problems(file: str, root: Node, profile: Profile | None, unknown: list[Finding]) -> tuple[Problem, ...]:
    """Everything that is wrong with a pipeline, one problem per rule and place."""
    checks.hide_secrets(root, _VARIABLES)
    found = Findings()
    precise = [*unknown, *_base_url_findings(root), *_command_findings(root), *_price_findings(root)]
    precise += [*_folder_findings(root), *checks.variables("pipeline", root, _VARIABLES)]
    precise += _profile_findings(root, profile) if profile is not None else ()
    every = [*precise, *_schema_findings(root), *checks.durations("pipeline", root, DURATIONS)]
    for finding in every:  # the first at a place counts
        found.add(finding, finding.place(file, root))
    return found.problems(())


def _schema_findings(root: Node) -> list[Finding]:
    value = plain(root)
    found = schema.check("pipeline", value)
    overrides = value.get("overrides") if isinstance(value, dict) else None
    if isinstance(overrides, dict) and not any(finding.path[:1] == ("overrides",) for finding in found):
        # The rules that compare keys hold among the overrides, too, except what only a whole shot has.
        given = {key: value for key, value in overrides.items() if value is not None}
        found += [replace(f, path=("overrides", *f.path)) for f in schema.check("manifest", given, "$defs", "shot")]
    return found


def _base_url_findings(root: Node) -> list[Finding]:
    path = ("provider", "base_url")
    if not (written := checks.text_at(root, path)):
        return []
    try:
        parse_base_url(written)
    except ValueError as error:
        return [checks.wrong("pipeline", path, f"`base_url`: {error}")]
    return []


def _folder_findings(root: Node) -> list[Finding]:
    """Findings about folders that are meant elsewhere; they say more than a pattern can."""
    found = []
    for key in ("output", "ledger"):
        written = checks.text_at(root, (key,))
        if key == "output" and is_prefix(written):
            found += [checks.wrong("pipeline", (key,), f"`{key}` {why}")] if (why := fault(written)) else []
        elif (why := meant_elsewhere(written)) is not None:
            yet = "; of stores s3://, gs:// and az:// are known" if key == "output" and "an address" in why else ""
            found.append(checks.wrong("pipeline", (key,), f"`{key}` {why}{yet}"))
    return found + _guard_findings(root)


def _guard_findings(root: Node) -> list[Finding]:
    written = checks.text_at(root, ("guard",))
    why = fault(written) if is_prefix(written) else None
    return [checks.wrong("pipeline", ("guard",), f"`guard` {why}")] if why else []


def _command_findings(root: Node) -> list[Finding]:
    path = ("notify", "command")
    try:
        shlex.split(checks.text_at(root, path))
    except ValueError:
        return [checks.wrong("pipeline", path, "`command` has a quotation mark that isn't closed")]
    return []


def _price_findings(root: Node) -> Iterator[Finding]:
    """Findings about prices with too many decimals: a state file with such a price couldn't be read again."""
    for name in checks.names_in(root, _MODELS):
        yield from checks.amounts("pipeline", root, (*_MODELS, name, "price_usd"))
        yield from profiles.price_findings("pipeline", root, (*_MODELS, name, "price"))


# --- making ---------------------------------------------------------------------------------------------


def _made(found: _Found, root: Node, profile: Profile, spelt: Mapping[tuple[int, int], str]) -> Pipeline:
    overrides = checks.node_at(root, ("overrides",))
    written = overrides.items if isinstance(overrides, MappingNode) else {}
    return Pipeline(
        name=found.name,
        **{section.__name__.lower(): _section(section, root, profile) for section in _SECTIONS},
        overrides=Overrides(found.shown_as, written, spelt) if written else Overrides(),
        after=None,
        **{key: _written(root, (key,)) for key in ("chain", "executor", "output", "ledger", "guard")},
    )


def _section(kind: type[Any], root: Node, profile: Profile) -> Any:
    """A section of the file; a key that neither it, the profile nor the schema gives keeps the class's default."""
    name, given = kind.__name__.lower(), {}
    if kind is Provider:
        given = {"profile": profile, "models": _models(root, profile)}
    for key in fields(kind):
        if key.name not in given and (value := _value(root, (name, key.name), profile)) is not None:
            given[key.name] = _read(str(key.type), value)
    return kind(**given)


def _read(annotation: str, value: Any) -> Any:
    read = _READ.get(annotation.removesuffix(" | None"))
    return value if read is None else read(value)


def _value(root: Node, path: tuple[str, ...], profile: Profile) -> Any:
    """What holds for a key: what is written, what the profile says, or the schema's default; None: none of them."""
    if checks.node_at(root, path) is None:
        section, key = path
        said = profile.poll.get(key) if section == "poll" else None
        if section == "provider" and key in ("base_url", "api_key_env", "status_endpoint"):
            said = getattr(profile, key)
        if said is not None:
            return said
    return _written(root, path)


def _written(root: Node, path: tuple[str, ...]) -> Any:
    """A key's value, or the schema's default where it isn't written; None if there is neither."""
    node = checks.node_at(root, path)
    return schema.entry_of("pipeline", path).get("default") if node is None else checks.exact(node)


def _models(root: Node, profile: Profile) -> dict[str, Model]:
    """The profile's models with the pipeline's laid over them.

    Who writes an entry knows that the model is served: it isn't retired any more. It keeps what the profile knows of
    the model of that name; of the one that it is like it has what belongs to the model, not what belongs to its price.
    """
    table = dict(profile.models)
    for name, node in checks.names_in(root, _MODELS).items():
        entry = checks.exact(node)
        price = Price(entry["price_usd"]) if "price_usd" in entry else profiles.price(entry["price"])
        same = profile.models.get(name, Model(name, price))
        like = profile.models[entry["like"]] if "like" in entry else same
        if "like" not in entry and entry.get("family", same.family) != same.family:
            like = in_dialect(Model(name, price, entry["family"], retention=same.retention), profile.dialect)
        table[name] = replace(
            same,
            price=price,
            family=like.family,
            retention=like.retention,
            retired=None,
            rules=like.rules,
            pictures=like.pictures,
        )
    return table


def _words(command: str | list[str]) -> tuple[str, ...]:
    return tuple(shlex.split(command) if isinstance(command, str) else command)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "int": int,
    "float": float,
    "Seconds": parse_duration,
    "Url": parse_base_url,
    "frozenset[str]": frozenset,
    "tuple[str, ...]": _words,
}
"""How a value is read, by the annotation of its key; other values stay as written."""
