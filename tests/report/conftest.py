"""Cards that no ledger has to be shot for."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.harness.builders import ORDER
from veopipe.plan.plan import Action, Item
from veopipe.report.cards import Brief, Card
from veopipe.report.choosing import Choosing
from veopipe.report.legend import HELD, PENDING
from veopipe.report.rows import Row
from veopipe.takes.status import Status
from veopipe.takes.take import ShotState, Spending


def made(shot="SC01", status=Status.VERIFIED, reason="", *, wanted=True, **changes):
    """A card of that status; `held`: a pending shot that a plan holds."""
    action, status = (Action.HOLD, PENDING) if status == HELD else (Action.KEEP, str(status))
    item = Item(shot, action, reason, 1, "1:0", ORDER if wanted else None, Decimal("0.3"))
    row = Row(item, ShotState(shot), None, status, reason=reason)
    spent = Spending(Decimal("0.3"), Decimal(0))
    card = Card(row, Brief("A sea"), Choosing(), (), reason, note="", took_s=83.0, spending=spent, history=())
    return replace(card, **changes)


@pytest.fixture
def card():
    """The maker of cards."""
    return made
