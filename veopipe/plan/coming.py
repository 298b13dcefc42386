"""What is still to come of a plan: takes that will be made, and paid ones without a file. Pure.

Source: docs/outlook.md, 1 and 2.
"""

from __future__ import annotations

from collections.abc import Mapping

from veopipe.plan.plan import Action, Plan
from veopipe.takes.kinds import Kind, kind_of
from veopipe.takes.status import CARRIED_ON, Status
from veopipe.takes.take import ShotState
from veopipe.values import dataclass

_ON_DISK = Status.DOWNLOADED
_CARRIED = frozenset({Action.CONTINUE, Action.RENAME})


@dataclass(frozen=True, slots=True)
class Coming:
    """One take that a run will bring.

    Attributes:
        take: its shot and number.
        kind: what it is like.
        is_new: a create is made for it.
        renders: it has still to be rendered, as far as is known.
        of: the takes that its frames are of, shot and number.
    """

    take: tuple[str, int]
    kind: Kind
    is_new: bool
    renders: bool
    of: tuple[tuple[str, int], ...] = ()


def coming(plan: Plan, states: Mapping[str, ShotState], gateway: str) -> list[Coming]:
    """All of them, what is paid first.

    Args:
        plan: what a run would do.
        states: of the shots on record.
        gateway: the name of the run's gateway.
    """
    carried = []
    for item in plan.items:
        if item.action in _CARRIED and item.status in CARRIED_ON - {_ON_DISK}:
            state = states.get(item.renamed_from or item.shot)
            if state is not None:
                take = state.take(item.number)
                kind = kind_of(take.last.gateway, take.order)
                renders = item.status is Status.RENDERING
                carried.append(Coming((item.shot, item.number), kind, is_new=False, renders=renders))
    new = [
        Coming(
            (item.shot, item.number),
            kind_of(gateway, item.order),
            is_new=True,
            renders=True,
            of=tuple((source.shot, source.take) for source in item.sources),
        )
        for item in plan.creates
        if item.order is not None
    ]
    return carried + new
