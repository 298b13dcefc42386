"""What is on record of takes of one kind."""

from __future__ import annotations

from dataclasses import replace

from tests.harness.builders import FILE, attempt, take
from veopipe.takes.kinds import Experience, Mean, experience, kind_of, rendered_by_kind
from veopipe.takes.status import Status
from veopipe.takes.take import ShotState


def shot(name: str, seen: float, fetched: float | None = None, at: str = "2026-11-22T06:00:00Z") -> ShotState:
    last = replace(attempt(Status.VERIFIED), rendered_s=(seen - 1, seen), fetched_s=fetched, submitted_at=at)
    return ShotState(name, (take(last, file=replace(FILE, bytes=1_000 * int(seen))),))


def test_a_kind_has_the_mean_of_what_is_on_record() -> None:
    states = [shot("a", 40, 2.0), shot("b", 60, 4.0), shot("c", 80)]
    only = take(attempt(Status.VERIFIED))

    assert experience(states) == {
        kind_of(only.last.gateway, only.order): Experience(Mean(60.0, 3), Mean(3.0, 2), Mean(60_000.0, 3))
    }


def test_polls_learn_from_the_oldest_first() -> None:
    states = [shot("a", 40, at="2026-11-23T06:00:00Z"), shot("b", 60, at="2026-11-22T06:00:00Z")]

    assert list(rendered_by_kind(states).values()) == [[(59, 60), (39, 40)]]


def test_nothing_on_record_is_no_experience() -> None:
    assert experience([ShotState("a", (take(attempt(Status.RENDERING)),))]) == {}
