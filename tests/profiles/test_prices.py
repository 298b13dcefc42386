"""What a create costs: by the call, by resolution, by the second; and what told tokens cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from veopipe.profiles.prices import Price, Usage
from veopipe.takes.order import Order

BY_CALL = Price(Decimal("0.30"))
BY_RESOLUTION = Price({"720p": Decimal("0.30"), "1080p": Decimal("0.45")})
BY_SECOND = Price(per_second={"720p": Decimal("0.0695"), "4k": Decimal("0.2085")}, per_call_extra=Decimal("0.02"))


def order(resolution: str, seconds: int) -> Order:
    return Order("m", "a cat", seconds, resolution, "16:9", None, None, (), 1)


@pytest.mark.parametrize(
    ("price", "resolution", "seconds", "dollars"),
    [
        (BY_CALL, "4k", 8, "0.30"),
        (BY_RESOLUTION, "720p", 10, "0.30"),
        (BY_RESOLUTION, "1080p", 3, "0.45"),
        (BY_SECOND, "720p", 8, "0.5760"),
        (BY_SECOND, "4k", 3, "0.6455"),
    ],
)
def test_the_bound_of_an_order_is_exact(price: Price, resolution: str, seconds: int, dollars: str) -> None:
    assert price.of(order(resolution, seconds)) == Decimal(dollars)
    assert price.at(resolution, seconds) == Decimal(dollars)
    assert price.knows(resolution)


@pytest.mark.parametrize("price", [BY_RESOLUTION, BY_SECOND])
def test_what_has_no_price_is_never_guessed(price: Price) -> None:
    assert not price.knows("360p")
    with pytest.raises(LookupError):
        price.at("360p", 8)


@pytest.mark.parametrize(
    ("price", "words", "document"),
    [
        (BY_CALL, "$0.30 a call", {"per_call": "0.30"}),
        (BY_RESOLUTION, "720p $0.30, 1080p $0.45 a call", {"per_call": {"720p": "0.30", "1080p": "0.45"}}),
        (
            BY_SECOND,
            "720p $0.0695, 4k $0.2085 a second, and $0.02 a call",
            {"per_second": {"720p": "0.0695", "4k": "0.2085"}, "per_call_extra": "0.02"},
        ),
    ],
)
def test_a_price_is_said_and_written(price: Price, words: str, document: object) -> None:
    assert price.in_words() == words
    assert price.as_json() == document


def test_told_tokens_become_money_rounded_up_to_what_a_state_file_holds() -> None:
    usage = Usage(Decimal("17.50"), Decimal("9.00"), Decimal("1.50"))
    assert usage.cost(17_376, 732, 19) == Decimal("0.310696500")
    assert usage.cost(0, 91, 19) == Decimal("0.000847500")
    assert Usage(Decimal("0.0000001"), Decimal(0), Decimal(0)).cost(1, 0, 0) == Decimal("1e-9")
    assert usage.cost(0, 0, 0) == 0
