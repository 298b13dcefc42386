"""What needs a person is grouped by cause; causes that differ in ids only are one."""

import pytest

from veopipe.report.cards import for_people
from veopipe.report.legend import HELD, PENDING, UNREADABLE
from veopipe.takes.status import Status


def grouped(*cards):
    return [(group.standing.status, [cause.shots for cause in group.causes]) for group in for_people(cards)]


def test_the_gravest_comes_first_whatever_the_order_of_the_list(card):
    found = grouped(*[card(f"S{number}", status) for number, status in enumerate([*Status, PENDING, UNREADABLE, HELD])])
    graver = [Status.IN_DOUBT, UNREADABLE, HELD, Status.MISMATCHED, Status.FAILED]
    assert [status for status, _ in found] == [*graver, Status.REFUSED, Status.PARKED, Status.ABANDONED]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("quota (request id: 20261122150648abc)", "quota (request id: 20261122150699xyz)", True),
        ("busy at 1795360008", "busy at 1795360999", True),
        ("ordered 8 s, measured 4 s", "ordered 8 s, measured 6 s", False),
        ("ordered 1920x1080, measured 1280x720", "ordered 3840x2160, measured 1280x720", False),
        ("UNSUPPORTED_MODEL_NAME", "UNSUPPORTED_RESOLUTION", False),
    ],
)
def test_causes_that_differ_in_ids_only_are_one(card, one, other, same):
    [(_, causes)] = grouped(card("A", Status.REFUSED, one), card("B", Status.REFUSED, other))
    assert causes == ([("A", "B")] if same else [("A",), ("B",)])


def test_the_cause_of_most_shots_comes_first(card):
    cards = [card("A", Status.FAILED, "x"), card("B", Status.FAILED, "y"), card("C", Status.FAILED, "y")]
    assert grouped(*cards) == [(Status.FAILED, [("B", "C"), ("A",)])]


def test_what_nobody_wants_any_more_needs_nobody_unless_money_is_open(card):
    cards = [card("A", Status.REFUSED, wanted=False), card("B", Status.IN_DOUBT, wanted=False)]
    assert grouped(*cards) == [(Status.IN_DOUBT, [("B",)])]
