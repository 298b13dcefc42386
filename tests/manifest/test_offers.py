"""What a model can be ordered with is what the rules say, and is said shortly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from veopipe.manifest.offers import Offer, offer
from veopipe.profiles.prices import Price
from veopipe.profiles.profile import Model
from veopipe.profiles.reading import built_in


@pytest.mark.parametrize(
    ("seconds", "said"),
    [((4, 6, 8), "4, 6, 8"), (tuple(range(3, 11)), "3 to 10"), ((8,), "8"), ((5, 6), "5, 6"), ((), "")],
)
def test_lengths_are_a_range_where_none_is_left_out(seconds: tuple[int, ...], said: str) -> None:
    assert Offer((), (), seconds, ()).lengths() == said


def test_veo_is_offered_as_the_document_says() -> None:
    found = offer(built_in().models["veo-3.1-fast-generate-preview"])
    assert found.resolutions == ("720p", "1080p", "4k")
    assert found.aspect_ratios == ("16:9", "9:16")
    assert found.seconds == (4, 6, 8)
    assert found.pictures == ("first frame", "first and last frame", "1 to 3 references")


def test_what_has_no_price_isnt_offered() -> None:
    assert offer(Model("m", Price({"4k": Decimal(1)}))).resolutions == ("4k",)
    assert offer(Model("m", Price({"4k": Decimal(1)}))).aspect_ratios == ("16:9",)
    assert offer(Model("m", Price({"4k": Decimal(1)}))).seconds == (8,)
