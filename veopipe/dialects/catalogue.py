"""Models and what a call costs, as data.

* Prices: the API document, sections "Supported Models" and "Pricing Advantage", as read on 2026-11-22.
* The document bills per call; seconds and resolution don't change the price.
* Both models were announced as switched off upstream on 2026-10-22, which is why names and prices are
  a table here and an entry in the pipeline (`provider.models`), never code.
* Google's list price is known for 8 s at 1080p and at 4K only (same section); it is never guessed for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Model:
    """One model that the gateway sells.

    Attributes:
        name: as sent in the `model` field.
        price_usd: US dollars for one create call.
        google_8s_usd: Google's list price for 8 seconds by resolution, where the document gives it.
        retired: the date (ISO) since which the model is announced as switched off upstream, or None.
    """

    name: str
    price_usd: Decimal
    google_8s_usd: Mapping[str, Decimal]
    retired: str | None = None


BUILT_IN: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            "veo-3.1-fast-generate-preview",
            Decimal("0.3"),
            {"1080p": Decimal("0.96"), "4k": Decimal("2.40")},
            retired="2026-10-22",
        ),
        Model(
            "veo-3.1-generate-preview",
            Decimal("1.2"),
            {"1080p": Decimal("3.20"), "4k": Decimal("4.80")},
            retired="2026-10-22",
        ),
    )
}

# Spellings of the older routes: "Do not use … old model names" (API document, Overview).
RETIRED_SPELLINGS: Mapping[str, str] = {
    "veo-3.1": "veo-3.1-generate-preview",
    "veo-3.1-fast": "veo-3.1-fast-generate-preview",
    "veo-3.1-fl": "veo-3.1-generate-preview",
}


def models_with(extra: Mapping[str, Decimal]) -> dict[str, Model]:
    """The built-in table with a pipeline's `provider.models` laid over it.

    Args:
        extra: model name → US dollars per call. A name of the table keeps Google's list prices;
            an entry means that the user knows the model is served, so it isn't `retired` any more.
    """
    table = dict(BUILT_IN)
    for name, price in extra.items():
        known = table.get(name)
        table[name] = Model(name, price, known.google_8s_usd if known else {})
    return table
