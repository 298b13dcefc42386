"""Finds, reads and checks a profile. What has an error is no profile.

* A name is looked for in `profiles/` beside the manifest, then among the built-in ones.
* A path (with a slash, or ending in .yaml or .yml) is relative to the manifest's folder. It stays within that folder
  or its git work tree, links followed: a pipeline of somebody else must not show any other file of this machine.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from veopipe.clock import parse_duration
from veopipe.documents import checks, neighbours, packaged, schema, yaml
from veopipe.documents.nodes import Node, plain
from veopipe.documents.problems import Finding, Findings
from veopipe.errors import Problem
from veopipe.profiles.prices import Price, Usage
from veopipe.profiles.profile import KEPT_FOR, Model, Profile, Retirement, in_dialect
from veopipe.text import printable

DEFAULT = "laozhang"
"""The profile of a pipeline that names none."""

_ENDINGS = (".yaml", ".yml")
_FOLDER = "profiles"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_POLL = (("poll", "interval"), ("poll", "timeout"))
_KEY = (("api_key_env",),)

ReadAddress = Callable[[str], str]
"""How the address of a gateway is normalised; it raises ValueError with a sentence for people."""


def load(wanted: str, folder: Path, read_address: ReadAddress) -> tuple[Profile | None, tuple[Problem, ...]]:
    """Find, read and check a profile.

    Args:
        wanted: name or path as a pipeline has it.
        folder: the manifest's.
        read_address: checks and normalises its `base_url`.

    Returns:
        The profile, None if it has an error; and its problems by place.

    Raises:
        LookupError: there is none, or it lies elsewhere; the sentence is for people.
    """
    if "/" in wanted or wanted.endswith(_ENDINGS):
        return read(neighbours.find(folder, wanted, "profile"), read_address, wanted)
    for ending in _ENDINGS if _NAME.fullmatch(wanted) else ():
        beside = f"{_FOLDER}/{wanted}{ending}"
        if (folder / beside).is_file():
            return read(neighbours.find(folder, beside, "profile"), read_address, beside)
    if wanted in built_in_names():
        return built_in(wanted), ()
    known = names(folder)
    close = difflib.get_close_matches(wanted[:60], known, n=1)
    guess = f"did you mean {close[0]}? Or name" if close else f"there are {', '.join(known)}; or name"
    raise LookupError(f"there is no profile {printable(wanted, 60)}: {guess} a file: ./my.yaml")


def read(path: Path, read_address: ReadAddress, shown_as: str) -> tuple[Profile | None, tuple[Problem, ...]]:
    """Read and check a profile.

    Args:
        path: its file.
        read_address: checks and normalises its `base_url`.
        shown_as: its name in problems.

    Returns:
        The profile, None if it has an error; and its problems by place.
    """
    document = yaml.load(path, shown_as=shown_as)
    problems = list(document.problems)
    if document.root is not None:
        problems += _problems(document.file, document.root, read_address)
    if problems or document.root is None:
        return None, tuple(sorted(problems, key=lambda problem: (problem.line, problem.column, problem.rule)))
    return _made(document.root, read_address), ()


@cache
def built_in(name: str = DEFAULT) -> Profile:
    """A profile that travels with veopipe.

    Raises:
        LookupError: there is none of that name.
    """
    if name not in built_in_names():
        raise LookupError(f"there is no built-in profile {name}")
    file = f"{name}.yaml"
    root = yaml.read((packaged.folder(_FOLDER) / file).read_bytes(), file).root
    if root is None:
        raise LookupError(f"{file} is damaged: install veopipe again")
    return _made(root, str)  # not checked here: the tests do, and each command would pay for it


@cache
def built_in_names() -> tuple[str, ...]:
    """Names of the profiles that travel with veopipe, the default first."""
    found = {path.stem for path in packaged.folder(_FOLDER).glob("*.yaml")}
    return (DEFAULT, *sorted(found - {DEFAULT}))


def names(folder: Path) -> list[str]:
    """Names of all profiles that a pipeline of a list in `folder` can name: its own, then the built-in ones."""
    own = folder / _FOLDER
    beside = sorted(path.stem for path in own.iterdir() if _is_profile(path)) if own.is_dir() else []
    return list(dict.fromkeys([*beside, *built_in_names()]))


def _is_profile(path: Path) -> bool:
    """Whether a pipeline can name what lies in the folder of the profiles."""
    return path.suffix in _ENDINGS and _NAME.fullmatch(path.stem) is not None and path.is_file()


# --- checking -------------------------------------------------------------------------------------------


def _problems(file: str, root: Node, read_address: ReadAddress) -> tuple[Problem, ...]:
    """Everything that is wrong with a profile, one problem per rule and place."""
    checks.hide_secrets(root, _KEY)
    models = list(checks.names_in(root, ("models",)))
    retentions = [("models", name, "retention") for name in models]
    found = Findings()
    for finding in [  # the first at a place counts
        *_address(root, read_address),
        *checks.variables("profile", root, _KEY),
        *(finding for name in models for finding in _amounts(root, name)),
        *schema.check("profile", plain(root)),
        *checks.durations("profile", root, [*_POLL, *retentions]),
        *_successors(root, models),
    ]:
        found.add(finding, finding.place(file, root))
    return found.problems(())


def _address(root: Node, read_address: ReadAddress) -> Iterator[Finding]:
    if written := checks.text_at(root, ("base_url",)):
        try:
            read_address(written)
        except ValueError as error:
            yield checks.wrong("profile", ("base_url",), f"`base_url`: {error}")


def _amounts(root: Node, model: str) -> Iterator[Finding]:
    for key in ("price", "list_price"):
        yield from price_findings("profile", root, ("models", model, key))
    for kind in ("video", "text", "input"):
        yield from checks.amounts("profile", root, ("models", model, "usage", "per_million", kind))


def price_findings(name: str, root: Node, path: tuple[str, ...]) -> Iterator[Finding]:
    """Findings about amounts of a price that a ledger couldn't hold.

    Args:
        name: the schema of the file.
        root: of the file.
        path: of the price.
    """
    for key in ("per_call", "per_second", "per_call_extra"):
        yield from checks.amounts(name, root, (*path, key))


def _successors(root: Node, models: Iterable[str]) -> Iterator[Finding]:
    for name in models:
        path = ("models", name, "successor")
        successor = checks.text_at(root, path)
        if successor and (successor == name or successor not in models):
            shown = printable(successor, 60)
            yield checks.wrong("profile", path, f"`successor` is another model of this profile; this is {shown}")


# --- making ---------------------------------------------------------------------------------------------


def _made(root: Node, read_address: ReadAddress) -> Profile:
    values: Any = checks.exact(root)
    floats: Any = plain(root)
    texts = {key: values[key] for key in _TEXTS if key in values}
    if "base_url" in texts:
        texts["base_url"] = read_address(texts["base_url"])
    rules = {name: entry.get("rules", ()) for name, entry in floats["models"].items()}
    return Profile(
        **texts,
        poll={key: parse_duration(value) for key, value in values.get("poll", {}).items()},
        models={
            name: in_dialect(_model(name, entry, rules[name]), values["dialect"])
            for name, entry in values["models"].items()
        },
    )


_TEXTS = (
    *("name", "dialect", "base_url", "api_key_env", "status_endpoint", "account_log", "api_version"),
    *("token_setup", "description", "source", "checked"),
)


def _model(name: str, entry: Mapping[str, Any], rules: Sequence[Any]) -> Model:
    usage = entry.get("usage")
    return Model(
        name,
        price(entry["price"]),
        entry["family"],
        Usage(**usage["per_million"]) if usage is not None else None,
        price(entry["list_price"]) if "list_price" in entry else None,
        parse_duration(entry["retention"]) if "retention" in entry else KEPT_FOR,
        Retirement(entry["retired"], entry.get("successor")) if "retired" in entry else None,
        tuple(entry.get("spellings", ())),
        tuple(rules),
        entry.get("pictures"),
    )


def price(entry: Mapping[str, Any]) -> Price:
    """A price as a file has it, checked before; its numbers are `Decimal`."""
    extra = entry.get("per_call_extra", Decimal(0))
    return Price(entry.get("per_call"), entry.get("per_second", {}), extra)
