"""Money is exact, and written plainly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from veopipe.takes.money import as_text, dollars, dollars_exactly, dollars_left, dollars_to_come


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("0.3", "0.30"),
        ("1.2", "1.20"),
        ("0.125", "0.125"),
        ("0.1250", "0.125"),
        ("100", "100.00"),
        ("1E+3", "1000.00"),
        ("30000.00", "30000.00"),
        ("0.000001", "0.000001"),
        ("-0.3", "-0.30"),
    ],
)
def test_money_is_written_plainly_and_exactly(amount: str, text: str) -> None:
    assert as_text(Decimal(amount)) == text
    assert Decimal(text) == Decimal(amount)


def test_a_hundred_thousand_shots_cost_what_they_cost() -> None:
    assert as_text(sum((Decimal("0.3") for _ in range(100_000)), Decimal(0))) == "30000.00"


@pytest.mark.parametrize(
    ("amount", "spent", "to_come", "left"),
    [
        ("0", "$0.00", "$0.00", "$0.00"),
        ("0.3", "$0.30", "$0.30", "$0.30"),
        ("3.7103985", "$3.71", "$3.72", "$3.71"),
        ("0.576", "$0.58", "$0.58", "$0.57"),
        ("0.125", "$0.13", "$0.13", "$0.12"),
        ("0.0001", "$0.01", "$0.01", "$0.00"),
        ("12345.67", "$12,345.67", "$12,345.67", "$12,345.67"),
        ("1000", "$1,000.00", "$1,000.00", "$1,000.00"),
        ("999999.999", "$1,000,000.00", "$1,000,000.00", "$999,999.99"),
    ],
)
def test_people_read_money_to_the_cent(amount: str, spent: str, to_come: str, left: str) -> None:
    found = Decimal(amount)
    assert (dollars(found), dollars_to_come(found), dollars_left(found)) == (spent, to_come, left)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "$0.00"), ("0.3", "$0.30"), ("0.0695", "$0.0695"), ("1E+3", "$1,000.00"), ("1234567.125", "$1,234,567.125")],
)
def test_people_read_an_exact_amount_with_all_its_digits(amount: str, text: str) -> None:
    assert dollars_exactly(Decimal(amount)) == text
