"""What the tests buy in each dialect, and at which built-in profile: 4 s at 720p."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tests.harness.film import FAST, PRICE


@dataclass(frozen=True)
class Sold:
    """What is bought in one dialect.

    Attributes:
        profile: a gateway of that dialect.
        model: of the list.
        price: US dollars that are set aside for a create. What it costs in the end is in the simulator's book.
    """

    profile: str
    model: str
    price: Decimal

    @property
    def provider(self) -> dict[str, str]:
        """The pipeline's `provider`."""
        return {"profile": self.profile, "api_key_env": "VEOPIPE_API_KEY"}

    @property
    def settings(self) -> dict[str, str]:
        """The same for `Film.pipeline`."""
        return {f"provider__{key}": value for key, value in self.provider.items()}

    @property
    def defaults(self) -> dict[str, dict[str, str]]:
        """The list's `defaults`, for `Film.list`."""
        return {"defaults": {"model": self.model}}


SOLD = {
    "videos": Sold("laozhang", FAST, Decimal(PRICE)),
    "interactions": Sold("google", "gemini-omni-1.2-flash", Decimal("0.298")),
}
"""Dialect → what is bought in it."""
