"""Write the generated parts of README.md and CONTRIBUTING.md: what comes from code, schemas and tests.

    python docs/generate.py            writes them between their markers
    python docs/generate.py --check    exit 1 if they aren't what they should be

A part stands between `<!-- generated: name -->` and `<!-- end -->`; `PARTS` says which file has it and what it holds.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import click

from veopipe import clock
from veopipe.cli import main as cli
from veopipe.documents import schema
from veopipe.documents import yaml as document
from veopipe.documents.nodes import MappingNode, plain
from veopipe.documents.problems import Rule
from veopipe.errors import ExitCode
from veopipe.manifest import families, rules
from veopipe.manifest.offers import offer
from veopipe.pipeline import reading as pipeline
from veopipe.profiles import reading as profiles
from veopipe.profiles.profile import Model
from veopipe.takes import status

ROOT = Path(__file__).parents[1]
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# docs/design.md, 7 (Exit codes); whatever has a code has its meaning here.
MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.OK: "everything selected is verified (validate: no error; plan: made; listings: shown)",
    ExitCode.SETTLED_BADLY: "the run ended; some takes are refused, failed, mismatched or abandoned "
    "(verify: a file differs or is missing)",
    ExitCode.INVALID: "wrong usage, invalid list or pipeline, no consent, nothing selected; nothing was sent",
    ExitCode.IN_DOUBT: "at least one take is in doubt",
    ExitCode.PENDING: "some takes are still pending (deadline, parked, another gateway)",
    ExitCode.BUDGET: "the budget stopped it",
    ExitCode.ENVIRONMENT: "environment: key refused or missing, wallet empty, gateway unreachable, disk full, "
    "a state file unreadable (the other shots run)",
    ExitCode.LOCKED: "another run holds the lock",
    ExitCode.CHANGES: "`plan --detailed-exitcode`: there is something to do",
    ExitCode.BUG: "a bug: the traceback is in a private log file, its path is printed",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C); state is saved",
    ExitCode.TERMINATED: "terminated (SIGTERM), or the terminal was closed; state is saved",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def diagram() -> str:
    """The attempt table as a Mermaid state diagram, one line per pair."""
    lines = ["stateDiagram-v2", "    [*] --> submitting: intent on disk"]
    for state, row in status.TABLE.items():
        if state in status.SETTLED and not row:
            lines.append(f"    {state.value} --> [*]")
        lines += [f"    {state.value} --> {then.value}: {event.value}" for event, then in row.items()]
    lines.append(f"    {status.Status.MISMATCHED.value} --> [*]")
    return "\n".join(["```mermaid", *lines, "```"])


def commands() -> str:
    """Every command with what it does and an example, as its own help gives it."""
    rows = []
    for name, about in cli.COMMANDS.items():
        command = cli.veopipe.get_command(click.Context(cli.veopipe), name)
        if command is None:
            raise LookupError(name)
        rows.append((f"`{name}`", about, f"`{_example(command, name)}`"))
    return table(("command", "what it does", "example"), rows)


def _example(command: click.Command, name: str) -> str:
    lines = command.get_help(click.Context(command, info_name=name)).splitlines()
    return lines[next(number for number, line in enumerate(lines) if line.strip() == "Example:") + 1].strip()


def exit_codes() -> str:
    """Every exit code."""
    return table(("code", "meaning"), ((str(int(code)), MEANINGS[code]) for code in ExitCode))


def manifest_rules() -> str:
    """Every rule for shot lists: of the schema, of the code, and for YAML as such; then those of each family."""
    of_families = {name for entry in families.families().values() for name in entry["x-code"]}
    in_code = [rule for rule in rules.RULES.values() if rule.id not in of_families]
    parts = [
        "For every model:",
        _rules([*families.rules_for_all(), *schema.rules("bible"), *in_code, *document.RULES.values()]),
    ]
    for family, entry in families.families().items():
        figures = (
            replace(rules.RULES[name], source=said.get("x-source", rules.RULES[name].source))
            for name, said in entry["x-code"].items()
        )
        parts += [f"For models of the family `{family}`:", _rules([*families.rules_of(family), *figures])]
    return "\n\n".join(parts)


def _rules(found: Iterable[Rule]) -> str:
    rows = ((f"`{rule.id}`", rule.severity, rule.message, rule.source) for rule in found)
    return table(("rule", "severity", "what it says", "source"), rows)


def pipelines() -> str:
    """The pipelines that travel with veopipe."""
    rows = []
    for path in sorted((ROOT / "pipelines").glob("*.yaml")):
        loaded, problems = pipeline.load_pipeline(path.stem, path.parent)
        said = document.load(path).root
        if loaded is None or not isinstance(said, MappingNode):
            raise LookupError(f"{path}: {problems}")
        rows.append((f"`{path.stem}`", str(plain(said.items["description"])), f"`{loaded.output}`"))
    return table(("pipeline", "what for", "videos go to"), rows)


def models() -> str:
    """The models of the built-in profiles, those that are sold today first."""
    known = [(name, model) for name in profiles.built_in_names() for model in profiles.built_in(name).models.values()]
    rows = (
        (f"`{name}`", f"`{model.name}`", model.price.in_words(), _retirement(model))
        for name, model in sorted(known, key=lambda pair: pair[1].retired is not None)
    )
    return table(("profile", "model", "price at most", "upstream"), rows)


def offers() -> str:
    """What each model of the built-in profiles can be ordered with, by asking the rules."""
    rows = []
    for profile in map(profiles.built_in, profiles.built_in_names()):
        for model in profile.models.values():
            offered = offer(model)
            listed = model.list_price.in_words() if model.list_price is not None else ""
            rows.append(
                (
                    f"`{profile.name}`",
                    f"`{model.name}`",
                    model.price.in_words(),
                    listed,
                    ", ".join(offered.resolutions),
                    offered.lengths(),
                    ", ".join(offered.aspect_ratios),
                    ", ".join(offered.pictures) or "none",
                    clock.in_words(model.retention),
                    _retirement(model),
                )
            )
    head = ("profile", "model", "price at most", "its maker's price", "resolutions", "seconds", "ratios", "pictures")
    return table((*head, "videos are kept", "upstream"), rows)


def known_profiles() -> str:
    """The built-in profiles."""
    rows = (
        (
            f"`{profile.name}`",
            profile.description,
            profile.dialect,
            f"`{profile.base_url}`" if profile.base_url else "yours",
            f"`{profile.api_key_env}`",
            profile.token_setup,
            profile.checked,
        )
        for profile in map(profiles.built_in, profiles.built_in_names())
    )
    return table(("profile", "what it is", "dialect", "address", "key in", "the key", "checked"), rows)


def keys() -> str:
    """What a key of each built-in profile is like."""
    known = (profiles.built_in(name) for name in profiles.built_in_names())
    rows = ((f"`{p.name}`", p.description, f"`{p.api_key_env}`", p.token_setup) for p in known)
    return table(("profile", "what it is", "variable", "the key"), rows)


def _retirement(model: Model) -> str:
    return model.retired.in_words() if model.retired is not None else ""


def architecture() -> str:
    """What each part of the package is, and each folder in one, in the words of its first line, from the top down."""
    guard = _guard()
    rooms = [*guard.DOORS, *(name for row in guard.LADDER for name in row if name != "ground"), *guard.GROUND]
    names = [part for room in rooms for part in (room, *_folders_of(room))]
    return table(("part", "what it is"), ((f"`{name}`", _first_line(name)) for name in [*names, "simulator"]))


def _folders_of(room: str) -> list[str]:
    return sorted(f"{room}.{path.parent.name}" for path in (ROOT / "veopipe" / room).glob("*/__init__.py"))


def ladder() -> str:
    """The rows that the guard knows, and the libraries that each row owns."""
    guard = _guard()
    rows = []
    for number, row in zip(range(len(guard.LADDER), 0, -1), guard.LADDER, strict=True):
        names = guard.GROUND if row == ["ground"] else row
        owned = sorted(
            {library for library, owners in guard.OWNERS.items() for owner in owners if _part(owner) in names}
        )
        rows.append((str(number), " · ".join(f"`{name}`" for name in names), ", ".join(owned)))
    return table(("row", "parts", "libraries"), rows)


def _part(owner: str) -> str:
    return owner.partition(".")[0]


def _guard() -> ModuleType:
    """`tests/test_architecture.py`, which says what is so and holds the code to it."""
    spec = importlib.util.spec_from_file_location("test_architecture", ROOT / "tests" / "test_architecture.py")
    if spec is None or spec.loader is None:
        raise LookupError("tests/test_architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _first_line(name: str) -> str:
    place = ROOT.joinpath("veopipe", *name.split("."))
    package, module = place / "__init__.py", place.with_suffix(".py")
    path = package if package.is_file() else module
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {
        "diagram": diagram,
        "commands": commands,
        "exit-codes": exit_codes,
        "rules": manifest_rules,
        "pipelines": pipelines,
        "models": models,
        "keys": keys,
    },
    "docs/providers.md": {"profiles": known_profiles, "offers": offers},
    "CONTRIBUTING.md": {"architecture": architecture, "ladder": ladder},
}


def filled(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """`text` with every generated part as it should be.

    Raises:
        LookupError: a part has no place in the text, or a place names no part.
    """
    if (names := sorted(match["name"] for match in _PART.finditer(text))) != sorted(parts):
        raise LookupError(f"there are places for {names}, and the parts are {sorted(parts)}")
    return _PART.sub(lambda match: f"{match[1]}{parts[match['name']]()}\n{match[3]}", text)


def main(arguments: list[str]) -> int:
    """Write the parts, or check them."""
    stale = []
    for name, parts in PARTS.items():
        before = (ROOT / name).read_text("utf-8")
        after = filled(before, parts)
        if before != after:
            stale.append(name)
            if "--check" not in arguments:
                (ROOT / name).write_text(after, "utf-8")
    if "--check" not in arguments:
        return 0
    for name in stale:
        sys.stderr.write(f"{name}: a generated part is out of date; run: make docs\n")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
