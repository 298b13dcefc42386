"""Write the generated parts of README.md: the diagram and the tables that come from code and schemas.

    python docs/generate.py            writes them between their markers
    python docs/generate.py --check    exit 1 if they aren't what they should be

A part stands between `<!-- generated: name -->` and `<!-- end -->`; `PARTS` says what it holds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from veopipe import cli, document, pipeline, pricing, rules, schema, state
from veopipe.errors import ExitCode
from veopipe.schema import Rule

README = Path(__file__).parents[1] / "README.md"
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# Design, section 7.
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
    """The attempt table as a Mermaid diagram."""
    return f"```mermaid\n{state.diagram()}\n```"


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
    """Every rule for shot lists: of the schema, of the code, and for YAML as such."""
    yaml = [Rule(name, "error", text[0].lower() + text[1:], "veopipe, YAML") for name, text in document.RULES.items()]
    found = {rule.id: rule for rule in [*schema.rules("manifest"), *rules.RULES.values(), *yaml]}
    rows = ((f"`{rule.id}`", rule.severity, rule.message, rule.source) for rule in found.values())
    return table(("rule", "severity", "what it says", "source"), rows)


def pipelines() -> str:
    """The pipelines that travel with veopipe."""
    rows = []
    for path in sorted((README.parent / "pipelines").glob("*.yaml")):
        loaded, problems = pipeline.load_pipeline(path.stem, path.parent)
        if loaded is None:
            raise LookupError(f"{path}: {problems}")
        rows.append((f"`{path.stem}`", loaded.description, f"`{loaded.output}`"))
    return table(("pipeline", "what for", "videos go to"), rows)


def models() -> str:
    """The models of the built-in table."""
    rows = [
        (
            f"`{name}`",
            f"${pricing.as_text(model.price_usd)}",
            f"announced as switched off on {model.retired}" if model.retired else "",
        )
        for name, model in pricing.BUILT_IN.items()
    ]
    return table(("model", "per call", "upstream"), rows)


PARTS: Mapping[str, Callable[[], str]] = {
    "diagram": diagram,
    "commands": commands,
    "exit-codes": exit_codes,
    "rules": manifest_rules,
    "pipelines": pipelines,
    "models": models,
}


def filled(text: str) -> str:
    """`text` with every generated part as it should be.

    Raises:
        LookupError: a part has no place in the text, or a place names no part.
    """
    if (names := sorted(match["name"] for match in _PART.finditer(text))) != sorted(PARTS):
        raise LookupError(f"README.md has places for {names}, and the parts are {sorted(PARTS)}")
    return _PART.sub(lambda match: f"{match[1]}{PARTS[match['name']]()}\n{match[3]}", text)


def main(arguments: list[str]) -> int:
    """Write the parts, or check them."""
    before = README.read_text("utf-8")
    after = filled(before)
    if "--check" in arguments:
        if before != after:
            sys.stderr.write("README.md: a generated part is out of date; run: make docs\n")
        return int(before != after)
    README.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
