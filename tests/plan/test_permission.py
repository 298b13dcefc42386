"""Plan files: what is written is read as a permission for just these creates, and nothing else is overwritten."""

from decimal import Decimal

import pytest

from veopipe.errors import UsageError
from veopipe.plan import permission
from veopipe.plan.plan import Action, Item, Plan

ITEM = Item("hero", Action.CREATE, "new", 1, "1:abc", None, Decimal("0.30"))
PLAN = Plan((ITEM, Item("kept", Action.KEEP, "verified", 1, "1:def", None, Decimal("0.30"))), retry_failed=2)
HEAD = {"manifest": "shots.yaml", "made_at": "2026-11-22T06:00:00Z"}


def document(plan=PLAN, cap=None):
    return permission.document(plan, HEAD, charged=Decimal("1.2"), cap=cap)


def test_the_head_stands_above_the_sums_and_the_shots():
    made = document(cap=Decimal(5))

    assert list(made) == ["format", "manifest", "made_at", "cost_usd", "shots"]
    assert made["cost_usd"] == {"planned": "0.30", "worst_case": "0.90", "charged_before": "1.20", "cap": "5.00"}


PERMITTED = permission.Permission({("hero", "1:abc"): (3, Decimal("0.30"))})


def test_a_plan_is_the_same_permission_written_and_as_it_is(tmp_path):
    assert permission.Permission.of(PLAN) == PERMITTED


def test_a_plan_allows_its_creates_with_their_further_attempts(tmp_path):
    permission.write(tmp_path / "plan.json", document(), ledger=tmp_path / ".veopipe")

    assert permission.read_permission(tmp_path / "plan.json", str) == PERMITTED


def test_only_an_older_plan_is_overwritten_and_none_lies_in_the_ledger(tmp_path):
    plan, other, ledger = tmp_path / "plan.json", tmp_path / "notes.json", tmp_path / ".veopipe"
    other.write_text("mine")
    permission.write(plan, document(), ledger=ledger)
    permission.write(plan, document(Plan(())), ledger=ledger)

    assert permission.read_permission(plan, str) == permission.Permission()
    for path in (other, ledger / "plan.json"):
        with pytest.raises(UsageError, match="left alone"):
            permission.write(path, document(), ledger=ledger)
    assert other.read_text() == "mine"
