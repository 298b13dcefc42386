"""What the light commands take: `--version`, `--help`, and a plan of a small list; and which libraries they load.

Wall time is the best of twenty. What was loaded is asked of the same command line in a process that looks at
`sys.modules` at its end.

Limits: `veopipe --version` loads none of httpx, jsonschema, pymediainfo, rich (issue 2), and takes at most three times
as long as an empty Python program; `validate` 12 times, `plan` 14 times (issue 11).

    python -m benchmarks.startup
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks.filling import write_list
from benchmarks.measuring import VEOPIPE, Table, best_of, scratch, weigh

HEAVY = ("httpx", "jsonschema", "pymediainfo", "rich", "yaml", "PIL", "aiohttp", "av", "filelock", "asyncio")
FORBIDDEN = {"httpx", "jsonschema", "pymediainfo", "rich"}
LIMITS = {"--version": 3.0, "validate, 5 shots": 12.0, "plan, 5 shots": 14.0}
COMMANDS = {
    "python -c pass": None,
    "--version": ("--version",),
    "--help": ("--help",),
    "validate --help": ("validate", "--help"),
    "validate, 5 shots": ("validate", "shots.yaml"),
    "plan, 5 shots": ("plan", "shots.yaml"),
}
_LOOK = f"""
import sys
from veopipe.cli.main import main
main(sys.argv[1:])
print("LOADED", *(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""


def loaded_by(words: tuple[str, ...], folder: Path) -> list[str]:
    """Which of `HEAVY` a command line loads."""
    last = weigh([sys.executable, "-c", _LOOK, *words], folder).err.splitlines()[-1].split()
    if last[:1] != ["LOADED"]:
        raise SystemExit(f"veopipe {words[0]} ended early: {last}")
    return last[1:]


def main() -> None:
    table = Table(("command", "ms", "times the empty program", "MB", "loads"))
    empty = 0.0
    with scratch() as folder:
        write_list(folder, 5)
        for name, words in COMMANDS.items():
            program = [sys.executable, "-c", "pass"] if words is None else [*VEOPIPE, *words]
            best = best_of(20, partial(weigh, program, folder))
            loaded = loaded_by(words, folder) if words else []
            empty = empty or best.wall_s
            ratio = best.wall_s / empty
            table.add(name, round(best.wall_s * 1000), ratio, round(best.peak_mb), ", ".join(loaded) or "none")
            if name in LIMITS:
                table.require(f"{name}, times the empty program", ratio, LIMITS[name])
            if name == "--version":
                table.require("forbidden libraries loaded by --version", len(FORBIDDEN.intersection(loaded)), 0)
    table.close()


if __name__ == "__main__":
    main()
