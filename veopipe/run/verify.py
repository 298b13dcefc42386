"""Takes on disk, looked at again: is the file there, is it the one that was delivered, is it as ordered?

A mismatched take that fits under today's tolerance becomes verified; `verified` is final and is only
reported when its file isn't what it was. A take in a store is judged by the list of it and by what was measured
before, unless its content is asked for: reading it costs.

Source: docs/design.md, 7 (verify); docs/scale.md, a.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from veopipe import files
from veopipe.clock import now
from veopipe.delivery.measure import Measured, Prober, Unmeasurable, judge, recalled
from veopipe.delivery.shelf import Absent, Shelf
from veopipe.errors import ExitCode
from veopipe.ledger.prefixes import is_prefix
from veopipe.ledger.store import Store
from veopipe.plan.plan import Plan
from veopipe.project.open_ledger import OpenLedger
from veopipe.run import naming
from veopipe.takes import take as takes
from veopipe.takes.status import Event, Status
from veopipe.takes.take import Delivered, Take
from veopipe.text import printable
from veopipe.values import dataclass

MISSING = "missing"
"""What is said of a take that isn't where it was put, nor anywhere else here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one take.

    Attributes:
        shot: whose.
        take: its number.
        file: relative to the manifest's folder.
        fine: it is there, unchanged, and as ordered.
        said: the same for people.
    """

    shot: str
    take: int
    file: str
    fine: bool
    said: str

    def as_json(self) -> dict[str, Any]:
        """The finding by field names."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.file}: {printable(self.said)}"


async def inspect(ledger: OpenLedger, *, content: bool = False) -> list[Finding]:
    """Measure every delivered take of the selected shots, and record what was measured.

    Args:
        ledger: under its lock.
        content: read what lies in a store, too.

    Raises:
        EnvironmentFault: a store can't be asked.
        NotRecorded: a state file can't be written.
        OSError: a finished name can't be given.
    """
    findings = []
    ledger.look_at_output()
    plan = ledger.plan(anywhere=True)
    async with Prober() as prober:
        for shot in ledger.project.wanted:
            state = ledger.store.shots.get(shot)
            for take in state.takes if state else ():
                if take.file is not None and take.status in {Status.VERIFIED, Status.MISMATCHED}:
                    by_record = is_prefix(take.file.output) and not content
                    look = _on_record if by_record else partial(_measured, prober)
                    findings.append(await _inspect(ledger, shot, take, plan, look))
    return findings


_Looking = Callable[[Shelf, Take, Delivered], Awaitable[tuple[Measured, Delivered] | str]]
"""What a take's file measures, with its record; or what is wrong with it, for people."""


async def _measured(prober: Prober, shelf: Shelf, _take: Take, file: Delivered) -> tuple[Measured, Delivered] | str:
    """By reading it; what was fetched for that isn't kept."""
    fetched = shelf.places.scratch / file.name if is_prefix(file.output) else None
    try:
        if fetched is not None:  # it may be of an earlier time
            files.remove_quietly(fetched)
        measured = await prober.measure(await asyncio.to_thread(shelf.bring, file))
    except Absent as absent:
        return absent.why
    finally:
        if fetched is not None:
            files.remove_quietly(fetched)
    if isinstance(measured, Unmeasurable):
        return f"can't be measured: {measured.reason}"
    return measured, measured.of(file, measured_at=now())


async def _on_record(shelf: Shelf, take: Take, file: Delivered) -> tuple[Measured, Delivered] | str:
    """By the list of its store, and by what was measured before it was put there."""
    if file.output != shelf.places.output_base or not shelf.is_whole(file):
        there = await asyncio.to_thread(partial(shelf.locate, take, parts=False))
        if not isinstance(there, Delivered):
            return MISSING
        if (there.sha256, there.name) != (file.sha256, file.name):
            return f"not what was delivered: {there.name} has its task"
    known = recalled(file)
    return (known, file) if known is not None else "never measured: say --content"


async def _inspect(ledger: OpenLedger, shot: str, take: Take, plan: Plan, look: _Looking) -> Finding:
    if take.file is None:
        raise ValueError("only delivered takes are inspected")
    store, shelf = ledger.store, ledger.shelf
    shown = shelf.address(take.file)
    found = await look(shelf, take, take.file)
    if isinstance(found, str):
        return Finding(shot, take.number, shown, fine=False, said=found)
    measured, file = found
    verdict = judge(measured, take.order, ledger.project.pipeline.verify.duration_tolerance)
    changed = _record(store, shot, take.number, file, matches=verdict.matches)
    if changed.status is not take.status and plan.may_show(store.shots[shot], take.number):
        naming.show(store, shelf, shot, changed)
    facts = f"{measured.width}x{measured.height}, {measured.duration_s:.2f} s"
    said = f"{facts}; {verdict.text}" if verdict.text else facts
    return Finding(shot, take.number, shown, fine=verdict.matches, said=said)


def _record(store: Store, shot: str, number: int, file: Delivered, *, matches: bool) -> Take:
    def step(old: Take) -> Take:
        if matches and old.status is Status.MISMATCHED:
            return takes.advance(old, Event.MATCHES, now(), file=file)
        return replace(old, file=file)

    old = store.shots[shot].take(number)
    return old if step(old) == old else store.change(shot, number, step)


def code_of(findings: Iterable[Finding]) -> ExitCode:
    """1 if anything isn't fine."""
    return ExitCode.OK if all(finding.fine for finding in findings) else ExitCode.SETTLED_BADLY
