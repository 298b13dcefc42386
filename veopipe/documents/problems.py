"""Rules, and what breaks them: a finding in a value becomes a problem in a file.

There is one problem per rule and place, with the shots that it concerns.

A shot that is wrong only with a pipeline's overrides is told so in the pipeline's file, together with the
`--only` options that leave such shots out.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

from veopipe.documents.nodes import Node, place
from veopipe.errors import Problem, Severity
from veopipe.text import counted, printable
from veopipe.values import dataclass

_NAMED = 10
"""How many shots, and how many `--only` options, a message names."""


class Place(NamedTuple):
    """A place in a file, from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that isn't obeyed, and where in the checked value.

    Attributes:
        path: keys and indexes down to the value, or to the key that is wrong or missing.
        of_key: the last key of `path` is wrong, not its value.
        reads: the keys that the rule compares; empty for a rule about one value.
    """

    rule: str
    severity: Severity
    message: str
    path: tuple[str | int, ...]
    of_key: bool = False
    reads: frozenset[str] = frozenset()

    def place(self, file: str, root: Node) -> Place:
        """The place that a person must edit; `root` is the node where `path` starts."""
        return Place(file, *place(root, self.path, of_key=self.of_key))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as documented: its id, how grave it is, its sentence, and where it comes from."""

    id: str
    severity: Severity
    message: str
    source: str

    def finding(
        self, message: str, path: tuple[str | int, ...], *, of_key: bool = False, reads: frozenset[str] = frozenset()
    ) -> Finding:
        """What is to be said where the rule isn't obeyed; see `Finding`."""
        return Finding(self.id, self.severity, message, path, of_key, reads)


@dataclass(slots=True)
class _Group:
    finding: Finding
    with_overrides: bool
    of_overrides: bool
    shots: dict[str, None] = field(default_factory=dict)  # in order, each once


class Findings:
    """Everything that was found in one manifest."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Place, str], _Group] = {}
        self.has_errors = False

    def add(
        self,
        finding: Finding,
        place: Place,
        shot: str | None = None,
        *,
        with_overrides: bool = False,
        of_overrides: bool = False,
    ) -> None:
        """Note a finding; the first of a rule at a place supplies the words.

        Args:
            finding: what is wrong.
            place: where.
            shot: the shot that it concerns, or None.
            with_overrides: the shot is right by itself; only the pipeline's overrides make it wrong.
            of_overrides: and these would make every shot with the same rules wrong.
        """
        group = self._groups.setdefault((place, finding.rule), _Group(finding, with_overrides, of_overrides))
        if shot is not None:
            group.shots[shot] = None
        self.has_errors = self.has_errors or finding.severity == "error"

    def problems(self, chosen: Sequence[str]) -> tuple[Problem, ...]:
        """All problems, sorted by place.

        Args:
            chosen: ids of the shots that the command is about.
        """
        wrong = {
            shot
            for group in self._groups.values()
            if group.with_overrides and group.finding.severity == "error"
            for shot in group.shots
        }
        options = only_options([shot for shot in chosen if shot not in wrong], wrong)
        found = [_problem(place, _by_itself(group, len(chosen)), options) for (place, _), group in self._groups.items()]
        return tuple(sorted(found, key=lambda p: (p.file, p.line, p.column, p.rule)))


def _by_itself(group: _Group, chosen: int) -> _Group:
    """A group, about the overrides alone where they are wrong for every shot: then no shot need be named."""
    is_that = group.of_overrides and len(group.shots) == chosen
    return _Group(group.finding, with_overrides=False, of_overrides=True) if is_that else group


def _problem(place: Place, group: _Group, options: str | None) -> Problem:
    finding = group.finding
    message = finding.message
    if group.with_overrides:
        names = [printable(shot, 64) for shot in list(group.shots)[:_NAMED]]
        more = f" and {len(group.shots) - _NAMED:,} more" if len(group.shots) > _NAMED else ""
        message += f" (with this pipeline's overrides, {counted(len(group.shots), 'shot')}: {', '.join(names)}{more})"
        if finding.severity == "error" and options:
            message += f"; run the others: {options}"
    first = next(iter(group.shots), None)
    return Problem(*place, finding.severity, finding.rule, message, first, max(1, len(group.shots)))


def only_options(wanted: Sequence[str], unwanted: set[str]) -> str | None:
    """`--only` options that select all wanted ids and no unwanted one; None if there are none, or too many."""
    if not wanted or not unwanted:
        return None
    globs = _globs("", list(wanted), sorted(unwanted))
    if len(globs) > _NAMED:
        return None
    return " ".join(f"--only {shlex.quote(glob)}" for glob in globs)


def _globs(prefix: str, wanted: list[str], unwanted: list[str]) -> list[str]:
    """The fewest globs `prefix*` that separate the two. Ids have at most 64 characters, so this ends."""
    if len(wanted) == 1:
        return wanted
    if not unwanted:
        return [prefix + "*"]
    exact = [prefix] if prefix in wanted else []
    starts = dict.fromkeys(shot[: len(prefix) + 1] for shot in wanted if shot != prefix)
    return exact + [glob for start in starts for glob in _globs(start, _begun(start, wanted), _begun(start, unwanted))]


def _begun(start: str, shots: list[str]) -> list[str]:
    return [shot for shot in shots if shot.startswith(start)]
