"""How to run a shot list: a pipeline file, read and checked.

* `-p NAME` is looked for in `pipelines/` beside the manifest, then among the built-in ones; `-p PATH` (with a
  slash, or ending in .yaml or .yml) is relative to the working directory.
* Every key is optional; the schema holds what a value may be, and what holds without it (`default`).
* Every path in a file is relative to the manifest's folder.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from veopipe import standins
from veopipe.clock import parse_duration
from veopipe.dialects.base import Dialect
from veopipe.dialects.videos.dialect import Videos
from veopipe.documents import schema, yaml
from veopipe.documents.nodes import Layer, MappingNode, Node, ScalarNode, plain
from veopipe.documents.problems import Finding, Findings
from veopipe.errors import Problem, UsageError
from veopipe.files import is_no_path, meant_elsewhere
from veopipe.gateway.address import parse_base_url
from veopipe.text import hide, printable

DEFAULT, REHEARSAL = "default", "rehearsal"
_ENDINGS = (".yaml", ".yml")

MOST_DECIMALS = 9
"""Of a price: with more, `takes` would refuse the state file that holds it."""

_WORD = r"(?:[A-Z_]{1,40}(?:[0-9]{1,2}(?:_[A-Z_]{0,40})?)?|[A-Z]?[a-z_]{1,20})"
# A variable's name as a shell or an editor spells it: `$NAME`, `${NAME}`, `MY-NAME`. A key is random, so it mixes
# digits and both cases.
_MISTYPED = re.compile(rf"(?!sk-)\$?\{{?{_WORD}(?:[-. ]{_WORD}){{0,7}}[-. ]?\}}?")

Seconds = float
Url = str
"""Annotations that say how `_READ` reads a key: a duration as people write it, the address of a gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who makes the videos.

    Attributes:
        base_url: the gateway's address, normalised.
        api_key_env: name of the environment variable with the key.
        status_endpoint: `videos` or `generations`.
        models: name → price of one call in US dollars; adds to or overrides the built-in table.
        require_ledger: where there is no ledger yet, nothing is bought.
    """

    base_url: Url
    api_key_env: str
    status_endpoint: str
    models: Mapping[str, Decimal] = field(default_factory=dict)
    require_ledger: bool

    @property
    def dialect(self) -> Dialect:
        """How its gateway speaks. The only place that chooses one."""
        return Videos(self.status_endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at a time, and how much at most.

    Attributes:
        in_flight: takes that render or are being fetched.
        creates_in_flight: create calls at the same time.
        creates_per_minute: may be a fraction.
        downloads: at the same time.
        max_cost_usd: the most that one run may cost, or None.
        deadline: nothing is created after it, or None.
        retry_failed: further attempts for a take that the gateway reported failed.
        stop_after_failures: so many bad results in a row end creating.
    """

    in_flight: int
    creates_in_flight: int
    creates_per_minute: float
    downloads: int
    max_cost_usd: Decimal | None = None
    deadline: Seconds | None = None
    retry_failed: int
    stop_after_failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How often a task is asked for, and how long one run asks."""

    interval: Seconds
    timeout: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How long a video that the gateway hasn't got yet is waited for, and how often it is tried."""

    not_ready_interval: Seconds
    not_ready_for: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """By how much the measured duration may differ."""

    duration_tolerance: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Who is told when a run has ended.

    Attributes:
        on: of `finished`, `failed` and `in_doubt`, what is told.
        command: a program and its arguments; empty: none.
        webhook_env: name of the environment variable with the webhook's address, or None.
        timeout: how long each of the two may take.
        simulated: whether rehearsals are told, too.
    """

    on: frozenset[str]
    command: tuple[str, ...] = ()
    webhook_env: str | None = None
    timeout: Seconds
    simulated: bool


_SECTIONS = (Provider, Limits, Poll, Download, Verify, Notify)
DURATIONS = tuple(
    f"{section.__name__.lower()}.{key.name}"
    for section in _SECTIONS
    for key in fields(section)
    if str(key.type).startswith("Seconds")
)
"""The keys that hold a duration."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings that replace those of every shot, and where they stand; null unsets.

    Attributes:
        file: the pipeline's name in problems.
        nodes: key → node.
    """

    file: str = ""
    nodes: Layer = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline without errors: each section of the file, with the schema's default for what isn't written.

    Attributes:
        output: folder of the videos as written, relative to the manifest's folder.
        ledger: folder of the ledgers, the same.
    """

    name: str
    provider: Provider
    limits: Limits
    poll: Poll
    download: Download
    verify: Verify
    notify: Notify
    overrides: Overrides
    output: str
    ledger: str


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
    if isinstance(found.source, Path):
        read = yaml.load(found.source, shown_as=found.shown_as)
    else:
        read = yaml.read(found.source.read_bytes(), found.shown_as)
    problems = list(read.problems)
    if read.root is not None:
        problems += _problems(read.file, read.root)
    problems.sort(key=lambda p: (p.line, p.column, p.rule))
    if problems or read.root is None:
        return None, tuple(problems)
    return _made(found, read.root), ()


def built_in_pipelines() -> list[str]:
    """Names of the pipelines that travel with veopipe."""
    return sorted(item.name.removesuffix(".yaml") for item in _packaged().iterdir() if item.name.endswith(".yaml"))


# --- finding --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    source: Path | Traversable
    shown_as: str


def _packaged() -> Traversable:
    packaged = files("veopipe") / "pipelines"  # an installed wheel
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "pipelines"  # a checkout


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
    return _Found(name, _packaged() / f"{name}.yaml", f"{name}.yaml (built in)")


def _names(folder: Path) -> list[str]:
    own = folder / "pipelines"
    beside = [path.stem for path in own.iterdir() if path.suffix in _ENDINGS] if own.is_dir() else []
    return sorted({*beside, *built_in_pipelines()})


def _existing(folder: Path) -> str:
    return f"pipelines here: {', '.join(_names(folder))}; or name a file: -p ./my.yaml"


# --- checking -------------------------------------------------------------------------------------------


def _problems(file: str, root: Node) -> tuple[Problem, ...]:
    """Everything that is wrong with a pipeline, one problem per rule and place."""
    _hide_secrets(root)
    found = Findings()
    precise = [*_base_url_findings(root), *_command_findings(root), *_price_findings(root), *_folder_findings(root)]
    precise += _variable_findings(root)
    for finding in [*precise, *_schema_findings(root), *_duration_findings(root)]:  # the first at a place counts
        found.add(finding, finding.place(file, root))
    return found.problems(())


def _wrong(path: tuple[str, ...], message: str) -> Finding:
    """A finding of the rule that the schema has for a key, in words that say more than its own."""
    entry = schema.load("pipeline")
    for key in path:
        entry = entry.get("properties", {}).get(key) or entry["additionalProperties"]
    return schema.rule_of(entry).finding(message, path)


def _misnamed(root: Node) -> Iterator[tuple[str, str]]:
    """Texts in the place of a variable's name that are no such name, by key."""
    for dotted in ("provider.api_key_env", "notify.webhook_env"):
        node = _get(root, dotted)
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and not node.value.isidentifier():
            yield dotted, node.value


def _hide_secrets(root: Node) -> None:
    """Hide a text that is the key or the webhook itself instead of a variable's name, wherever lines are shown."""
    for _, written in _misnamed(root):
        if not _MISTYPED.fullmatch(written):
            hide(written)


def _variable_findings(root: Node) -> list[Finding]:
    """Findings about names of variables that are spelt as a shell or an editor spells them."""
    found = []
    for dotted, written in _misnamed(root):
        if _MISTYPED.fullmatch(written):
            section, key = dotted.split(".")
            advice = "write it without `$`" if written.startswith("$") else "it holds only letters, digits and `_`"
            found.append(_wrong((section, key), f"`{key}` is the name of an environment variable: {advice}"))
    return found


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
    written = _get(root, "provider.base_url")
    if not isinstance(written, ScalarNode) or not isinstance(written.value, str):
        return []
    try:
        parse_base_url(written.value)
    except ValueError as error:
        return [_wrong(("provider", "base_url"), f"`base_url`: {error}")]
    return []


def _folder_findings(root: Node) -> list[Finding]:
    """Findings about folders that are meant elsewhere; they say more than a pattern can."""
    found = []
    for key in ("output", "ledger"):
        written = _get(root, key)
        text = written.value if isinstance(written, ScalarNode) and isinstance(written.value, str) else ""
        if (why := meant_elsewhere(text)) is not None:
            yet = "; output to object storage doesn't exist yet" if key == "output" and "an address" in why else ""
            found.append(_wrong((key,), f"`{key}` {why}{yet}"))
    return found


def _duration_findings(root: Node) -> list[Finding]:
    """Findings about durations that are too short or too long; a pattern can't find these."""
    found = []
    for dotted in DURATIONS:
        written = _get(root, dotted)
        if not isinstance(written, ScalarNode) or written.value is None:
            continue
        try:
            parse_duration(written.value)
        except ValueError as error:
            section, key = dotted.split(".")
            found.append(_wrong((section, key), f"`{key}`: {error}"))
    return found


def _command_findings(root: Node) -> list[Finding]:
    written = _get(root, "notify.command")
    if isinstance(written, ScalarNode) and isinstance(written.value, str):
        try:
            shlex.split(written.value)
        except ValueError:
            return [_wrong(("notify", "command"), "`command` has a quotation mark that isn't closed")]
    return []


def _price_findings(root: Node) -> list[Finding]:
    """Findings about prices with too many decimals: a state file with such a price couldn't be read again."""
    models = _get(root, "provider.models")
    found = []
    for name, entry in models.items.items() if isinstance(models, MappingNode) else ():
        price = _get(entry, "price_usd")
        if not isinstance(price, ScalarNode) or type(price.value) is not float:
            continue
        exponent = Decimal(price.text).normalize().as_tuple().exponent
        if isinstance(exponent, int) and exponent < -MOST_DECIMALS:
            path = ("provider", "models", name, "price_usd")
            found.append(_wrong(path, f"`price_usd` has at most {MOST_DECIMALS} decimals"))
    return found


def _get(root: Node, dotted: str) -> Node | None:
    node: Node | None = root
    for step in dotted.split("."):
        node = node.items.get(step) if isinstance(node, MappingNode) else None
    return node


# --- making ---------------------------------------------------------------------------------------------


def _made(found: _Found, root: Node) -> Pipeline:
    overrides = _get(root, "overrides")
    return Pipeline(
        name=found.name,
        **{section.__name__.lower(): _section(section, root) for section in _SECTIONS},
        overrides=Overrides(found.shown_as, overrides.items) if isinstance(overrides, MappingNode) else Overrides(),
        output=_written(root, "output"),
        ledger=_written(root, "ledger"),
    )


def _section(kind: type[Any], root: Node) -> Any:
    """A section of the file; a key that is neither written nor has a default in the schema keeps the class's."""
    written = {key: _written(root, f"{kind.__name__.lower()}.{key.name}") for key in fields(kind)}
    return kind(**{key.name: _read(str(key.type), value) for key, value in written.items() if value is not None})


def _read(annotation: str, value: Any) -> Any:
    read = _READ.get(annotation.removesuffix(" | None"))
    return value if read is None else read(value)


def _written(root: Node, dotted: str) -> Any:
    """A key's value, or the schema's default where it isn't written; None if there is neither."""
    node = _get(root, dotted)
    if node is not None:
        return _exact(node)
    return schema.part("pipeline", "properties", *dotted.replace(".", ".properties.").split(".")).get("default")


def _exact(node: Node) -> Any:
    """As `plain`, with numbers exactly as written: 0.10 never becomes a binary fraction."""
    if isinstance(node, MappingNode):
        return {key: _exact(value) for key, value in node.items.items()}
    if isinstance(node, ScalarNode) and type(node.value) in (int, float):
        return Decimal(node.text)
    return plain(node)


def _words(command: str | list[str]) -> tuple[str, ...]:
    return tuple(shlex.split(command) if isinstance(command, str) else command)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "int": int,
    "float": float,
    "Seconds": parse_duration,
    "Url": parse_base_url,
    "Mapping[str, Decimal]": lambda models: {name: entry["price_usd"] for name, entry in models.items()},
    "frozenset[str]": frozenset,
    "tuple[str, ...]": _words,
}
"""How a value is read, by the annotation of its key; other values stay as written."""
