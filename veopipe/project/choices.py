"""What the command line says about a shot list, and the commands that say it again."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from veopipe.ledger import moves
from veopipe.text import printable
from veopipe.values import dataclass

_ASKING = frozenset({"plan", "run"})
"""Commands that ask, or price, another gateway than the pipeline's by `--base-url`."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says about a manifest.

    Attributes:
        manifest: its path as the user wrote it.
        pipeline: name or path of the pipeline, or None.
        only: globs of shot ids; any may match.
        tags: tags; any may match.
        max_cost: US dollars, or None.
        in_flight: instead of the pipeline's.
        base_url: instead of the pipeline's.
        retry_failed: order another attempt for what failed or was refused.
        executor: instead of the pipeline's.
        simulate: a rehearsal.
        refresh: order again what is stale.
    """

    manifest: Path
    pipeline: str | None = None
    only: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_cost: Decimal | None = None
    in_flight: int | None = None
    base_url: str | None = None
    executor: str | None = None
    retry_failed: bool = False
    simulate: bool = False
    refresh: bool = False

    @property
    def selects(self) -> bool:
        """Whether only a part of the manifest is meant."""
        return bool(self.only or self.tags)

    def takes_in(self, shot: str, tags: Sequence[str]) -> bool:
        """Whether a shot is meant."""
        named = not self.only or any(fnmatch.fnmatchcase(shot, glob) for glob in self.only)
        return named and (not self.tags or not set(self.tags).isdisjoint(tags))

    def command(self, what: str, *more: str, selecting: bool = False) -> str:
        """A whole command about the same list, as a person types it in this folder.

        Args:
            what: its verb, and options of its own: `run --retry-failed`.
            more: what else stands behind its list, such as a shot.
            selecting: with the options that choose shots and attempts: all that a plan of these choices allows.
        """
        return " ".join(self.typed(what, *more, selecting=selecting))

    def typed(self, what: str, *more: str, selecting: bool = False) -> tuple[str, ...]:
        """The words of that command, each as it is typed."""
        verb, *options = what.split()
        words = ["veopipe", verb, moves.typed(str(self.manifest))]
        if self.pipeline is not None:
            words += ["-p", self.pipeline]
        if self.base_url is not None and verb in _ASKING:
            words += ["--base-url", self.base_url]
        words += ["--simulate"] * self.simulate
        if selecting:
            words += [word for glob in self.only for word in ("--only", glob)]
            words += [word for tag in self.tags for word in ("--tag", tag)]
            words += ["--retry-failed"] * self.retry_failed + ["--refresh"] * self.refresh
        return tuple(printable(shlex.quote(word), None) for word in (*words, *more, *options))
