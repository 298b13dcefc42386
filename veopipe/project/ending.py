"""How a run of a project ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from veopipe.errors import ExitCode
from veopipe.plan.plan import Plan
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run of a project ended.

    Attributes:
        run: the run's id, which its attempts carry.
        left: what is still to be done.
        codes: exit codes that its reasons to stop ask for.
        notes: why it stopped, for people, the first reason first; none: it came to its end.
        held: shots that it held for a person, with the reason.
        warnings: what it said before it bought anything.
    """

    run: str
    left: Plan
    codes: frozenset[ExitCode] = frozenset()
    notes: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def stopped(self) -> str | None:
        """Why no further create was made, if one was still wanted."""
        return self.notes[0] if self.notes else None
