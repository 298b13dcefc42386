"""What is still to be created: what can go now, and what waits for a take of another shot.

A take that is a frame's source must be verified before its consumer may go. One that ends otherwise leaves its
consumers, and theirs, to the next run: a broken chain costs up to the break.

Source: docs/design.md, 12 (Chains).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from veopipe.plan.plan import Action, Item, Plan
from veopipe.takes.status import CARRIED_ON

_Take = tuple[str, int]


class Queue:
    """The creates of a run that aren't made yet.

    Args:
        items: in the order in which they go, as far as they wait for nothing.
        under_way: takes that this run makes or carries on.
    """

    def __init__(self, items: Iterable[Item], under_way: Iterable[_Take] = ()) -> None:
        self._ready = deque[Item]()
        self._open, self._bad = set(under_way), set[_Take]()
        self._waiting: dict[_Take, list[Item]] = {}
        for item in items:
            self.append(item)

    @classmethod
    def of(cls, plan: Plan) -> Queue:
        """The creates of a plan."""
        carried = (Action.CONTINUE, Action.RENAME)
        under_way = {
            (item.shot, item.number)
            for item in plan.items
            if item.buys or (item.action in carried and item.status in CARRIED_ON)
        }
        return cls(plan.creates, under_way)

    def __bool__(self) -> bool:
        return bool(self._ready)

    def pop(self) -> Item:
        """The next one that can go."""
        return self._ready.popleft()

    def put_back(self, item: Item) -> None:
        """It couldn't go yet, and is the next one again."""
        self._ready.appendleft(item)

    def append(self, item: Item) -> None:
        """One more, behind those that can go; or it waits for the first of its sources that is under way.

        With a source that ended otherwise it is left to the next run.
        """
        if any((source.shot, source.take) in self._bad for source in item.sources):
            self.ended(item.shot, item.number, usable=False)
            return
        self._open.add((item.shot, item.number))
        self._bad.discard((item.shot, item.number))
        source = next((s for s in item.sources if (s.shot, s.take) in self._open), None)
        if source is None:
            self._ready.append(item)
        else:
            self._waiting.setdefault((source.shot, source.take), []).append(item)

    def ended(self, shot: str, number: int, *, usable: bool) -> None:
        """A take isn't under way any more; those that waited for it go on, or are left to the next run.

        Args:
            shot: whose.
            number: the take's.
            usable: frames can be taken of it: it is verified.
        """
        ended = [(shot, number)]
        while ended:
            take = ended.pop()
            self._open.discard(take)
            if not usable:
                self._bad.add(take)
            for item in self._waiting.pop(take, ()):
                if usable:
                    self.append(item)
                else:
                    ended.append((item.shot, item.number))
