"""What can end a run, and the exit code that each ending has.

    VeopipeError                    ends the command; one sentence, and what to do next
    ├── UsageError             2    wrong words on the command line, nothing selected
    ├── InvalidInput           2    a manifest, pipeline or plan file with problems; nothing was sent
    ├── ConsentRequired        2    money would be spent and nobody said yes
    ├── LedgerRefused          2    this ledger or output folder belongs to another manifest
    ├── EnvironmentFault       6    key, wallet, gateway, disk: the surroundings, not the shot list
    └── LedgerLocked           7    another run holds the ledger

The outcome of one take is never an exception: it is a value (`takes.status.Status`). Names of classes say
what is wrong; `cli.main` is the only place that turns them into exit codes.

Source: docs/design.md, 7 (Exit codes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from enum import IntEnum
from typing import Literal

from veopipe.values import dataclass


class ExitCode(IntEnum):
    """The exit codes of every command (docs/design.md, 7)."""

    OK = 0
    SETTLED_BADLY = 1
    INVALID = 2
    IN_DOUBT = 3
    PENDING = 4
    BUDGET = 5
    ENVIRONMENT = 6
    LOCKED = 7
    CHANGES = 8
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


# When several apply, the first of these is the run's exit code (docs/design.md, 7).
GRAVEST_FIRST = (
    ExitCode.BUG,
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.ENVIRONMENT,
    ExitCode.IN_DOUBT,
    ExitCode.BUDGET,
    ExitCode.PENDING,
    ExitCode.SETTLED_BADLY,
    ExitCode.OK,
)

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file, and where.

    Attributes:
        file: the file's name as the user wrote it.
        line: line from 1.
        column: column from 1, in characters.
        severity: `error` stops the command, `warning` only under `--strict`, `info` never.
        rule: the rule's id, such as `seconds-values`.
        message: the sentence for people: what is wrong and what to do.
        shot: the first shot concerned, or None where no single shot is.
        shots: how many shots are concerned.
    """

    file: str
    line: int
    column: int
    severity: Severity
    rule: str
    message: str
    shot: str | None = None
    shots: int = 1

    def as_json(self) -> dict[str, str | int | None]:
        """The problem as JSON documents hold it (contract: docs/design.md, 7)."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.rule}]"


class VeopipeError(Exception):
    """The base of all errors that end a command with a sentence instead of a traceback.

    Args:
        message: what is wrong, for people.
        hint: what to do next, printed on a line of its own.
    """

    exit_code = ExitCode.INVALID

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(VeopipeError):
    """The command line doesn't make sense, or selects nothing."""


class InvalidInput(VeopipeError):
    """A file of the user's has problems that stop the command; they are listed in `problems`."""

    def __init__(self, message: str, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class ConsentRequired(VeopipeError):
    """The run would spend money, and neither a person nor an option nor a cap allowed it."""


class LedgerRefused(VeopipeError):
    """The ledger or the output folder belongs to something else."""


class EnvironmentFault(VeopipeError):
    """Key, wallet, gateway, disk or state file: something around the run is not usable."""

    exit_code = ExitCode.ENVIRONMENT


class LedgerLocked(VeopipeError):
    """Another run holds the lock of this ledger."""

    exit_code = ExitCode.LOCKED
