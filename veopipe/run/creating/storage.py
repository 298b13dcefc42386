"""Whether the video of a create could be stored: looked at before it is paid for.

What is under way has its room: a create goes only where its video fits beside all of that. Sizes are those on record;
where none of the kind is, the first ones are waited for, since what is assumed must not end a night.

Source: docs/outlook.md, 3; docs/hazards.md, b (Download).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from veopipe.delivery import room
from veopipe.ledger.prefixes import is_prefix
from veopipe.plan.coming import coming
from veopipe.plan.plan import Item, Plan
from veopipe.plan.volume import size_of
from veopipe.project.open_ledger import OpenLedger
from veopipe.run.brakes import Brakes
from veopipe.run.creating.admission import Admission, Key
from veopipe.takes.kinds import Experience, Kind, experience, kind_of
from veopipe.takes.status import IN_FLIGHT, Status
from veopipe.values import dataclass

_UNSTORED = IN_FLIGHT - {Status.DOWNLOADED}


class NoRoom(Exception):
    """A video couldn't be stored; the text says why. Nothing was sent for it."""


@dataclass(slots=True)
class Storage:
    """The room that a run has for its videos.

    Attributes:
        ledger: of the run.
        admission: knows what is under way.
        brakes: end the waiting.
        known: what is on record.
        largest: bytes of the largest video that the run brings, about.
        passing: how many videos lie on this disk at once at most; None: all of them stay here.
    """

    ledger: OpenLedger
    admission: Admission
    brakes: Brakes
    known: Mapping[Kind, Experience]
    largest: int
    passing: int | None = None

    @classmethod
    def of(cls, ledger: OpenLedger, plan: Plan, admission: Admission, brakes: Brakes) -> Storage:
        """That of a run that begins."""
        states, gateway = ledger.store.shots, ledger.project.address.name
        known = experience(states.values())
        sizes = (size_of(one.kind, known) for one in coming(plan, states, gateway))
        goes_on = is_prefix(ledger.project.places.output_base)  # to a store: each leaves before the next one needs room
        passing = admission.limits.downloads if goes_on else None
        return cls(ledger, admission, brakes, known, max(sizes, default=0), passing)

    async def make_sure(self, item: Item) -> None:
        """See that the video of an item could be stored; may wait until sizes are known. Raises `NoRoom`."""
        order = item.order
        if order is None:
            return
        kind = kind_of(self.ledger.project.address.name, order)
        while (lack := await asyncio.to_thread(self._lack, item, kind)) is not None and not self.brakes.are_on:
            if self._is_known(kind) or not self.admission.flight:
                raise NoRoom(f"no room for more videos: {lack}; free some and run again, what is paid is kept")
            await self.admission.until_changed(None)

    def _is_known(self, kind: Kind) -> bool:
        return kind in self.known and self.known[kind].size.count > 0

    def _lack(self, item: Item, kind: Kind) -> str | None:
        """What lacks for the video of an item, which is of that kind, beside what is under way; None: nothing."""
        admission, folder = self.admission, self.ledger.shelf.part(item.shot, item.number).parent
        asking = max(admission.asking, 1)
        at_once = min(asking + len(admission.flight.under_way), self.passing or sys.maxsize)
        if room.lack(folder, self.largest * at_once) is None:
            return None  # which is mostly so, and needs no look at each
        if not self._is_known(kind):
            self.known = experience(list(self.ledger.store.shots.values()))
        if self.passing is not None:
            return room.lack(folder, size_of(kind, self.known) * at_once)
        under_way = sum(map(self._to_come, list(admission.flight.under_way)))
        return room.lack(folder, size_of(kind, self.known) * asking + under_way)

    def _to_come(self, key: Key) -> int:
        """Bytes that are still to come of a take under way."""
        shot, number = key
        take = self.ledger.store.shots[shot].take(number)
        if take.status not in _UNSTORED:
            return 0
        here = room.size_of(self.ledger.shelf.part(shot, number))
        return max(size_of(kind_of(take.last.gateway, take.order), self.known) - here, 0)
