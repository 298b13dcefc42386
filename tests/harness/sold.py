"""What the tests buy in each dialect: 4 s at 720p."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Sold:
    """What is bought in one dialect.

    Attributes:
        model: of the list.
        price: US dollars that are set aside for a create. What it costs in the end is in the simulator's book.
        provider: the pipeline's; empty: what holds without it.
    """

    model: str
    price: Decimal
    provider: Mapping[str, str] = field(default_factory=dict)


SOLD = {
    "videos": Sold("veo-3.1-fast-generate-preview", Decimal("0.30")),
    "interactions": Sold(
        "gemini-omni-1.2-flash", Decimal("0.298"), {"profile": "google", "api_key_env": "VEOPIPE_API_KEY"}
    ),
}
"""Dialect → what is bought in it."""
