"""Cards that no ledger has to be shot for."""

from decimal import Decimal

import pytest

from veopipe.plan.plan import Action, Item
from veopipe.report.cards import Card
from veopipe.report.legend import HELD, PENDING
from veopipe.report.rows import Row
from veopipe.takes.status import Status
from veopipe.takes.take import Spending


def made(shot="SC01", status=Status.VERIFIED, reason="", *, wanted=True, **changes):
    """A card of that status; `held`: a pending shot that a plan holds."""
    action, status = (Action.HOLD, PENDING) if status == HELD else (Action.KEEP, str(status))
    item = Item(shot, action, reason, 1, "1:0", None, Decimal("0.3"))
    row = Row(shot, status, 1, wanted, None, None, None, None, None, None, reason, item)
    values = {
        "number": 1, "row": row, "prompt": "A sea", "settings": (), "summary": (), "pictures": (), "tags": (),
        "notes": "", "video": None, "earlier": None, "facts": (), "reason": reason, "note": "", "took_s": 83.0,
        "spending": Spending(Decimal("0.3"), Decimal(0)), "history": (),
    }  # fmt: skip
    return Card(**{**values, **changes})


@pytest.fixture
def card():
    """The maker of cards."""
    return made
