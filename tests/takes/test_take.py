"""Takes and attempts as values: what an event changes, and what is counted."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal

import pytest

from tests.harness.builders import FILE, NOW, attempt, full_state, take
from veopipe.takes import take as takes
from veopipe.takes.status import CHARGED, TABLE, Event, IllegalTransition, Status
from veopipe.takes.take import ShotState


def test_an_event_moves_the_last_attempt_only_and_says_when() -> None:
    before = take(attempt(Status.FAILED, 1), attempt(Status.RENDERING, 2))

    after = takes.advance(before, Event.COMPLETED, NOW)

    assert after.attempts[0] == before.attempts[0]
    assert (after.status, after.last.settled_at) == (Status.RENDERED, NOW)


def test_an_event_forgets_the_reason_of_the_status_before() -> None:
    parked = take(attempt(Status.PARKED, reason="poll_timeout", message="not ready"))

    resumed = takes.advance(parked, Event.RESUMED, NOW)

    assert (resumed.last.reason, resumed.last.message) == (None, None)


@pytest.mark.parametrize("status", Status)
def test_an_illegal_event_raises_and_changes_nothing(status: Status) -> None:
    before = take(attempt(status))
    copy = deepcopy(before.last)
    for event in set(Event) - set(TABLE[status]):
        with pytest.raises(IllegalTransition):
            takes.advance(before, event, NOW, task_id="task_other")

    assert before.last == copy


def test_a_lost_file_leaves_the_record() -> None:
    downloaded = take(attempt(Status.DOWNLOADED), file=FILE)

    assert takes.advance(downloaded, Event.PART_LOST, NOW, file=None).file is None
    assert takes.advance(downloaded, Event.MATCHES, NOW).file == FILE


def test_refusals_have_no_place_among_the_attempts_that_may_cost_money() -> None:
    assert take(attempt(Status.REFUSED, 1), attempt(Status.REFUSED, 2)).paid_ordinal() == 1
    assert take(attempt(Status.REFUSED, 1), attempt(Status.FAILED, 2)).paid_ordinal() == 2
    assert take(attempt(Status.FAILED, 1), attempt(Status.IN_DOUBT, 2)).paid_ordinal() == 3


def test_failures_are_those_that_the_gateway_reported() -> None:
    assert take(attempt(Status.FAILED, 1), attempt(Status.REFUSED, 2), attempt(Status.FAILED, 3)).failures() == 2


def test_a_new_take_gets_the_next_number() -> None:
    assert ShotState("hero").next_number() == 1
    assert full_state().next_number() == 3
    assert full_state().with_take(take(number=7)).next_number() == 8


def test_a_changed_take_stands_in_the_place_of_the_old_one() -> None:
    changed = full_state().with_take(take(attempt(Status.PARKED), number=1))

    assert [one.number for one in changed.takes] == [1, 2]
    assert changed.take(1).status is Status.PARKED


def test_a_take_that_is_not_there_is_asked_for_in_vain() -> None:
    with pytest.raises(KeyError):
        full_state().take(3)


@pytest.mark.parametrize("status", [Status.VERIFIED, Status.FAILED, Status.PARKED, Status.ABANDONED])
def test_a_cost_that_was_told_is_certain_and_replaces_the_price(status: Status) -> None:
    told = attempt(status, charged_usd=Decimal("0.284606028"))
    nothing = attempt(status, 2, charged_usd=Decimal(0))

    assert takes.spending([told, nothing]) == takes.Spending(Decimal("0.284606028"), Decimal(0))


@pytest.mark.parametrize("status", Status)
def test_every_attempt_but_a_refused_one_costs_something_certainly_or_perhaps(status: Status) -> None:
    state = ShotState("hero", (take(attempt(status), attempt(status, 2), file=FILE), take(attempt(status), number=2)))

    found = takes.spending(takes.attempts_of([state]))

    assert found.total == (0 if status is Status.REFUSED else Decimal("0.9"))
    assert found.certain == (Decimal("0.9") if status in CHARGED else 0)
