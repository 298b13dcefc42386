"""Takes of one kind, and what is on record of them: how long they rendered, were fetched, how large they are. Pure.

Polls are placed by it (`run.polling.waiting`), and a plan says by it how long a run takes and how much room it needs.

Source: docs/polls.md, 1; docs/outlook.md, 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from veopipe.takes.order import Order
from veopipe.takes.take import ShotState
from veopipe.values import dataclass

Kind = tuple[str, str, str, int]
"""What latencies and sizes depend on: gateway, model, resolution, seconds of video."""


def kind_of(gateway: str, order: Order) -> Kind:
    """The kind of what a gateway makes of an order."""
    return gateway, order.model, order.resolution, order.seconds


def rendered_by_kind(states: Iterable[ShotState]) -> dict[Kind, list[tuple[float, float]]]:
    """Kind → between which seconds each of its attempts was there (`Attempt.rendered_s`), the oldest first."""
    seen: dict[Kind, list[tuple[str, tuple[float, float]]]] = {}
    for state in states:
        for take in state.takes:
            for attempt in take.attempts:
                if attempt.rendered_s is not None:
                    kind = kind_of(attempt.gateway, take.order)
                    seen.setdefault(kind, []).append((attempt.submitted_at, attempt.rendered_s))
    return {kind: [bounds for _, bounds in sorted(each, key=lambda one: one[0])] for kind, each in seen.items()}


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of so many figures on record."""

    value: float = 0.0
    count: int = 0


_NONE = Mean()


@dataclass(frozen=True, slots=True)
class Experience:
    """What is on record of takes of one kind.

    Attributes:
        rendered: seconds from a create to the poll that found its video.
        fetched: seconds that a download took.
        size: bytes of a delivered file.
    """

    rendered: Mean = _NONE
    fetched: Mean = _NONE
    size: Mean = _NONE


def experience(states: Iterable[ShotState]) -> Mapping[Kind, Experience]:
    """What is on record of each kind."""
    states = list(states)
    rendered = {kind: [found for _, found in each] for kind, each in rendered_by_kind(states).items()}
    fetched: dict[Kind, list[float]] = {}
    sizes: dict[Kind, list[float]] = {}
    for state in states:
        for take in state.takes:
            kind = kind_of(take.last.gateway, take.order)
            if take.file is not None:
                sizes.setdefault(kind, []).append(take.file.bytes)
            if take.last.fetched_s is not None:
                fetched.setdefault(kind, []).append(take.last.fetched_s)
    kinds = rendered.keys() | fetched.keys() | sizes.keys()
    return {kind: Experience(*(_mean(each.get(kind, ())) for each in (rendered, fetched, sizes))) for kind in kinds}


def _mean(figures: Iterable[float]) -> Mean:
    figures = list(figures)
    return Mean(sum(figures) / len(figures), len(figures)) if figures else _NONE
