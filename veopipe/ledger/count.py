"""How often each order was made: what the ledger has counted, and how much of it is on record here.

Source: docs/design.md, 5 (The count); DECISIONS.md, 25.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field

from veopipe.takes.take import ShotState
from veopipe.values import dataclass


@dataclass(slots=True)
class Count:
    """The attempts that were made for each order, by the order's key (`order.key_of`). Any thread may call it.

    Attributes:
        lost: orders of which fewer attempts are on record than were counted: a state file isn't here, or is older.
    """

    lost: frozenset[str] = frozenset()
    _made: dict[str, int] = field(default_factory=dict)
    _on_record: Counter[str] = field(default_factory=Counter)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, counted: Mapping[str, int], states: Iterable[ShotState]) -> Count:
        """What was counted before, and what these states have on record."""
        count = cls(_made=dict(counted))
        for state in states:
            count.add(state)
        count.lost = frozenset(order for order, number in counted.items() if count._on_record[order] < number)
        return count

    def made(self) -> dict[str, int]:
        """How many attempts were made for each order, those included whose state file isn't here."""
        with self._changing:
            return dict(self._made)

    def add(self, state: ShotState) -> None:
        """A state is on record now."""
        tally = state.attempts()
        with self._changing:
            self._on_record.update(tally)
            for order in tally:
                self._made[order] = max(self._made.get(order, 0), self._on_record[order])

    def remove(self, state: ShotState) -> None:
        """A state isn't on record any more; its attempts were made all the same."""
        with self._changing:
            self._on_record.subtract(state.attempts())

    def give_up(self, order: str) -> None:
        """Expect no more attempts for an order than are on record: a person says that the others are gone for good."""
        with self._changing:
            self._made.pop(order, None)
            if self._on_record[order]:
                self._made[order] = self._on_record[order]
            self.lost -= {order}
