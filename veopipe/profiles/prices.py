"""What a create costs, as data: by the call, by the call and resolution, by the second of video. Pure.

Before a create its price is the upper bound: what is set aside for it. What it cost in the end only the gateway can
say; `Usage` makes money of the tokens that some tell.

Source: docs/design.md, 11 (Prices).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import ROUND_UP, Decimal

from veopipe.takes.money import as_text, dollars_exactly
from veopipe.takes.order import Order
from veopipe.values import dataclass

_SMALLEST = Decimal("1e-9")  # as exact as a state file is


@dataclass(frozen=True, slots=True)
class Price:
    """The most that one create costs, US dollars. Exactly one of `per_call` and `per_second` is given.

    Attributes:
        per_call: of a create: one amount, or resolution → amount.
        per_second: of a second of video: resolution → amount.
        per_call_extra: on top of the seconds: what text, pictures and thoughts may cost.
    """

    per_call: Decimal | Mapping[str, Decimal] | None = None
    per_second: Mapping[str, Decimal] = field(default_factory=dict)
    per_call_extra: Decimal = Decimal(0)

    def of(self, order: Order) -> Decimal:
        """The upper bound of an order, US dollars.

        Raises:
            LookupError: there is no price for its resolution.
        """
        return self.at(order.resolution, order.seconds)

    def at(self, resolution: str, seconds: int) -> Decimal:
        """The upper bound of a video of that resolution and length, US dollars.

        Raises:
            LookupError: there is no price for the resolution.
        """
        if isinstance(self.per_call, Decimal):
            return self.per_call
        if self.per_call is not None:
            return self.per_call[resolution]
        return self.per_second[resolution] * seconds + self.per_call_extra

    @property
    def resolutions(self) -> tuple[str, ...] | None:
        """Those that it is given for; None: it is the same for all."""
        if isinstance(self.per_call, Decimal):
            return None
        return tuple(self.per_call or self.per_second)

    def knows(self, resolution: str) -> bool:
        """Whether it is given for a resolution."""
        return self.resolutions is None or resolution in self.resolutions

    def in_words(self) -> str:
        """For people: `$0.30 a call`, `360p $0.10, 720p $0.30 a call`, `720p $0.0695 a second, and $0.02 a call`."""
        if isinstance(self.per_call, Decimal):
            return f"{dollars_exactly(self.per_call)} a call"
        each = ", ".join(f"{at} {dollars_exactly(amount)}" for at, amount in (self.per_call or self.per_second).items())
        if self.per_call is not None:
            return f"{each} a call"
        extra = f", and {dollars_exactly(self.per_call_extra)} a call" if self.per_call_extra else ""
        return f"{each} a second{extra}"

    def as_json(self) -> dict[str, object]:
        """The form of a profile, amounts as decimal texts."""
        if isinstance(self.per_call, Decimal):
            return {"per_call": as_text(self.per_call)}
        if self.per_call is not None:
            return {"per_call": _texts(self.per_call)}
        extra = {"per_call_extra": as_text(self.per_call_extra)} if self.per_call_extra else {}
        return {"per_second": _texts(self.per_second), **extra}


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {key: as_text(amount) for key, amount in amounts.items()}


@dataclass(frozen=True, slots=True)
class Usage:
    """What the tokens cost that an answer tells, US dollars for a million.

    Attributes:
        video: of video.
        text: of output that isn't video, thoughts included.
        input: of what is sent.
    """

    video: Decimal
    text: Decimal
    input: Decimal

    def cost(self, video: int, text: int, sent: int) -> Decimal:
        """US dollars of the tokens of one call, rounded up to what a state file can hold.

        Args:
            video: tokens of video.
            text: tokens of other output.
            sent: tokens of input.
        """
        millionths = video * self.video + text * self.text + sent * self.input
        return (millionths / 1_000_000).quantize(_SMALLEST, ROUND_UP)
