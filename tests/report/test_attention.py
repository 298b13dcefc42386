"""What needs a person is grouped by cause; causes that differ in ids only are one."""

from decimal import Decimal

import pytest

from veopipe.report.attention import for_people
from veopipe.report.cards import Card
from veopipe.report.rows import PENDING
from veopipe.takes.status import Status
from veopipe.takes.take import Spending


def card(shot, status, reason="", *, wanted=True):
    return Card(
        number=1, shot=shot, status=str(status), wanted=wanted, take=1, prompt="", settings=(), summary=(),
        pictures=(), tags=(), notes="", video=None, earlier=None, facts=(), reason=reason, note="", took_s=None,
        spending=Spending(Decimal(0), Decimal(0)), price=Decimal(0), at="", history=(),
    )  # fmt: skip


def grouped(*cards):
    return [(group.status, [cause.shots for cause in group.causes]) for group in for_people(cards)]


def test_the_gravest_comes_first_whatever_the_order_of_the_list():
    statuses = [Status.PARKED, Status.REFUSED, Status.VERIFIED, Status.IN_DOUBT, PENDING, Status.MISMATCHED]
    found = grouped(*[card(f"S{number}", status) for number, status in enumerate(statuses)])
    assert [status for status, _ in found] == [Status.IN_DOUBT, Status.MISMATCHED, Status.REFUSED, Status.PARKED]


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
def test_causes_that_differ_in_ids_only_are_one(one, other, same):
    [(_, causes)] = grouped(card("A", Status.REFUSED, one), card("B", Status.REFUSED, other))
    assert causes == ([("A", "B")] if same else [("A",), ("B",)])


def test_the_cause_of_most_shots_comes_first():
    cards = [card("A", Status.FAILED, "x"), card("B", Status.FAILED, "y"), card("C", Status.FAILED, "y")]
    assert grouped(*cards) == [(Status.FAILED, [("B", "C"), ("A",)])]


def test_what_nobody_wants_any_more_needs_nobody_unless_money_is_open():
    cards = [card("A", Status.REFUSED, wanted=False), card("B", Status.IN_DOUBT, wanted=False)]
    assert grouped(*cards) == [(Status.IN_DOUBT, [("B",)])]
