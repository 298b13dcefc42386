"""Takes on disk, looked at again: is the file there, is it the one that was delivered, is it as ordered?

A mismatched take that fits under today's tolerance becomes verified; `verified` is final and is only
reported when its file isn't what it was.

Source: docs/design.md, 7 (verify).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from veopipe.clock import now
from veopipe.delivery.measure import Prober, Unmeasurable, judge
from veopipe.delivery.shelf import Absent
from veopipe.errors import ExitCode
from veopipe.ledger.store import Store
from veopipe.plan.plan import Plan
from veopipe.project import OpenLedger
from veopipe.run import naming
from veopipe.takes import take as takes
from veopipe.takes.status import Event, Status
from veopipe.takes.take import Delivered, Take
from veopipe.text import printable
from veopipe.values import dataclass


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


async def inspect(ledger: OpenLedger) -> list[Finding]:
    """Measure every delivered take of the selected shots, and record what was measured.

    Raises:
        NotRecorded: a state file can't be written.
        OSError: a finished name can't be given.
    """
    findings = []
    plan = ledger.plan(anywhere=True)
    async with Prober() as prober:
        for shot in ledger.project.wanted:
            state = ledger.store.shots.get(shot)
            for take in state.takes if state else ():
                if take.file is not None and take.status in {Status.VERIFIED, Status.MISMATCHED}:
                    findings.append(await _inspect(ledger, prober, shot, take, plan))
    return findings


async def _inspect(ledger: OpenLedger, prober: Prober, shot: str, take: Take, plan: Plan) -> Finding:
    if take.file is None:
        raise ValueError("only delivered takes are inspected")
    store, shelf = ledger.store, ledger.shelf
    shown = shelf.address(take.file)
    try:
        path = shelf.bring(take.file)
    except Absent as absent:
        return Finding(shot, take.number, shown, fine=False, said=absent.why)
    measured = await prober.measure(path)
    if isinstance(measured, Unmeasurable):
        return Finding(shot, take.number, shown, fine=False, said=f"can't be measured: {measured.reason}")
    verdict = judge(measured, take.order, ledger.project.pipeline.verify.duration_tolerance)
    changed = _record(store, shot, take.number, measured.of(take.file, measured_at=now()), matches=verdict.matches)
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

    return store.change(shot, number, step)


def code_of(findings: Iterable[Finding]) -> ExitCode:
    """1 if anything isn't fine."""
    return ExitCode.OK if all(finding.fine for finding in findings) else ExitCode.SETTLED_BADLY
