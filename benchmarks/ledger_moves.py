"""What cosmetic changes buy: nothing. Six shots with pictures are bought once, then moved about in every way.

Each case starts from a fresh `git clone` of the list with its committed ledger; the gateway is `veopipe simulate` in
a process of its own, whose ledger counts what was really paid. The clone has no videos: they are fetched again.
The renamed manifest is first run as it is, which must be refused (exit 2) with the command that moves the ledger;
that command is then run as printed. Every case must end with exit code 0.

Limit (issue 2): 0 creates in every case.

    python -m benchmarks.ledger_moves
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from benchmarks.filling import write_list
from benchmarks.measuring import VEOPIPE, Table, Weighed, scratch, server, weigh

SHOTS = 6


def _nothing(folder: Path) -> str:
    return "shots.yaml"


def _rename_manifest(folder: Path) -> str:
    (folder / "shots.yaml").rename(folder / "film.yaml")
    return "film.yaml"


def _rename_shots(folder: Path) -> str:
    return _rewrite(folder, lambda text: text.replace("SC0", "scene-"))


def _respell(folder: Path) -> str:
    def respelt(text: str) -> str:
        lines = []
        for line in text.splitlines():
            key, _, value = line.partition(": ")
            quoted = {"prompt", "resolution", "seconds", "input_reference"}
            lines.append(f'{key}:   "{value}"   # respelt' if key.strip() in quoted else line)
        return "# a comment\n" + "\n".join(lines) + "\n"

    return _rewrite(folder, respelt)


def _reorder(folder: Path) -> str:
    def reordered(text: str) -> str:
        head, *shots = text.split("  SC0")
        return head + "".join(f"  SC0{shot}" for shot in reversed(shots))

    return _rewrite(folder, reordered)


def _move_pictures(folder: Path) -> str:
    (folder / "refs").rename(folder / "stills")
    return _rewrite(folder, lambda text: text.replace("refs/", "stills/"))


def _fill_defaults_in(folder: Path) -> str:
    return _rewrite(folder, lambda text: text.replace("    seconds: 8\n", "    take: 1\n    negative_prompt: null\n"))


CASES: dict[str, Callable[[Path], str]] = {
    "fresh clone": _nothing,
    "manifest renamed": _rename_manifest,
    "shots renamed": _rename_shots,
    "quotes respelt": _respell,
    "shots reordered": _reorder,
    "pictures moved": _move_pictures,
    "defaults written out": _fill_defaults_in,
}


def _rewrite(folder: Path, change: Callable[[str], str]) -> str:
    path = folder / "shots.yaml"
    old = path.read_text("utf-8")
    new = change(old)
    if new == old:
        raise SystemExit("the case changes nothing")
    path.write_text(new, "utf-8")
    return "shots.yaml"


def _run(folder: Path, manifest: str, base_url: str) -> Weighed:
    pipeline = {"version": 1, "limits": {"creates_per_minute": 60_000, "in_flight": 50}, "poll": {"interval": "200ms"}}
    (folder / "quick.yaml").write_text(json.dumps(pipeline))
    words = ["run", manifest, "-p", "quick.yaml", "--base-url", base_url, "--yes", "--format", "json"]
    return weigh([*VEOPIPE, *words], folder)


def _paid(base_url: str) -> int:
    with urllib.request.urlopen(f"{base_url}/_simulator/ledger") as answer:
        return len(json.load(answer)["creates"])


def _git(*words: str, folder: Path) -> None:
    who = {
        f"GIT_{role}_{what}": "benchmark@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env={**os.environ, **who})


def _follow_advice(refused: Weighed, folder: Path) -> None:
    """Run the command that a refused run prints."""
    document = json.loads(refused.out)
    advice = document["hint"].split("\n")[0].partition("move its ledger: ")[2]
    if refused.code != 2 or not advice.startswith("mv "):
        raise SystemExit(f"the renamed manifest wasn't refused with a command: {document}")
    subprocess.run(advice, shell=True, cwd=folder, check=True)


def main() -> None:
    table = Table(("case", "creates", "exit code", "videos"))
    with scratch() as folder, server([*VEOPIPE, "simulate", "--port", "0", "--task-time", "100ms"], folder) as base_url:
        first = folder / "first"
        first.mkdir()
        write_list(first, SHOTS, "pictures")
        bought = _run(first, "shots.yaml", base_url)
        table.add("first run", _paid(base_url), bought.code, len(list((first / "renders/shots").glob("*.mp4"))))
        (first / ".gitignore").write_text("renders/\n")
        _git("init", folder=first)
        _git("add", "-A", folder=first)
        _git("commit", "-m", "bought", folder=first)
        for number, (name, change) in enumerate(CASES.items()):
            clone = folder / f"clone-{number}"
            _git("clone", str(first), str(clone), folder=folder)
            before, manifest = _paid(base_url), change(clone)
            found = _run(clone, manifest, base_url)
            if change is _rename_manifest:
                _follow_advice(found, clone)
                found = _run(clone, manifest, base_url)
            creates = _paid(base_url) - before
            videos = len(list((clone / "renders" / Path(manifest).stem).glob("*.mp4")))
            table.add(name, creates, found.code, videos)
            table.require(f"{name}: creates", creates, 0)
            table.require(f"{name}: exit code", found.code, 0)
            table.require(f"{name}: videos missing", SHOTS - videos, 0)
    table.close()


if __name__ == "__main__":
    main()
