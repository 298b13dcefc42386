"""US dollars: `Decimal` everywhere, a decimal text in files and reports; and what a run may still spend."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from veopipe.values import dataclass

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_CENT = Decimal("0.01")


def parse(text: str) -> Decimal:
    """The amount that a file of ours holds.

    Raises:
        ValueError: it is no plain decimal number; the sentence is for people.
    """
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is no amount of money")
    return Decimal(text)


def as_text(amount: Decimal) -> str:
    """US dollars with at least two decimals and no exponent: `0.30`, `1.20`, `0.125`.

    This is the form of every money value in files and JSON reports.
    """
    return f"{amount:.{_places(amount)}f}"


def _places(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2


def dollars_exactly(amount: Decimal) -> str:
    """An amount with all its digits, for people: `$0.30`, `$0.0695`, `$1,200.00`."""
    return f"${amount:,.{_places(amount)}f}"


def dollars(amount: Decimal) -> str:
    """What was spent, for people: to the cent, `$3.71`, `$1,200.00`. Anything above 0 and below a cent is a cent."""
    return _to_the_cent(amount, ROUND_HALF_UP)


def dollars_to_come(amount: Decimal) -> str:
    """What something would cost, for people: rounded up to the cent, so that a cap of what is shown covers it."""
    return _to_the_cent(amount, ROUND_CEILING)


def dollars_left(amount: Decimal) -> str:
    """What may still be spent, for people: rounded down to the cent, so that as much as is shown is really left."""
    return f"${amount.quantize(_CENT, ROUND_FLOOR):,}"


def _to_the_cent(amount: Decimal, rounding: str) -> str:
    rounded = amount.quantize(_CENT, rounding)
    return f"${max(rounded, _CENT) if amount > 0 else rounded:,}"


@dataclass(slots=True)
class Budget:
    """What a run may still spend.

    Attributes:
        cap: US dollars, or None for no limit.
        spent: certainly or possibly spent or reserved, US dollars, runs that were killed included.
    """

    cap: Decimal | None
    spent: Decimal = Decimal(0)

    def reserve(self, price: Decimal) -> bool:
        """Set `price` aside, if it fits."""
        if self.cap is not None and self.spent + price > self.cap:
            return False
        self.spent += price
        return True

    def give_back(self, price: Decimal) -> None:
        """The call was refused or never sent, or it cost so much less than was set aside."""
        self.spent -= price
