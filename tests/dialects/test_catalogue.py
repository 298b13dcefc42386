"""Prices are the document's, and money is exact."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from veopipe.dialects.catalogue import BUILT_IN, RETIRED_SPELLINGS, models_with
from veopipe.money import as_text

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api-document.txt").read_text("utf-8")
ROW = re.compile(r"^(veo-[a-z0-9.-]+?)\$([0-9.]+)/call\$([0-9]+\.[0-9]{2})[0-9.]+%\$([0-9]+\.[0-9]{2})[0-9.]+%$", re.M)


def test_the_built_in_prices_are_those_of_the_documents_table() -> None:
    rows = {name: tuple(map(Decimal, prices)) for name, *prices in ROW.findall(DOCUMENT)}

    assert len(rows) == 2
    assert rows == {
        model.name: (model.price_usd, model.google_8s_usd["1080p"], model.google_8s_usd["4k"])
        for model in BUILT_IN.values()
    }


def test_the_retired_spellings_are_those_the_document_forbids() -> None:
    sentence = next(line for line in DOCUMENT.splitlines() if "old model names" in line)

    for old, new in RETIRED_SPELLINGS.items():
        assert old in sentence
        assert new in BUILT_IN
    assert not RETIRED_SPELLINGS.keys() & BUILT_IN.keys()


def test_a_pipelines_price_overrides_and_brings_a_model_back() -> None:
    name = "veo-3.1-fast-generate-preview"
    table = models_with({name: Decimal("0.25"), "veo-4": Decimal("2")})

    assert (table[name].price_usd, table[name].retired) == (Decimal("0.25"), None)
    assert table[name].google_8s_usd == BUILT_IN[name].google_8s_usd
    assert (table["veo-4"].price_usd, dict(table["veo-4"].google_8s_usd)) == (2, {})
    assert BUILT_IN[name].price_usd == Decimal("0.3")
    assert "veo-4" not in BUILT_IN


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
