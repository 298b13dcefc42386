"""Plan files: what `plan -o` writes and `run --plan` takes as a permission.

Source: docs/design.md, 7 (--plan); `schemas/plan.schema.json`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import field
from decimal import Decimal
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.errors import UsageError
from veopipe.ledger import moves
from veopipe.ledger.reading import strict_json
from veopipe.plan.plan import Action, Cause, Item, Plan
from veopipe.takes import money
from veopipe.takes.origin import SIMULATOR
from veopipe.text import printable
from veopipe.values import dataclass

FORMAT = 1
LARGEST = 256 << 20
"""Bytes; 100,000 shots with prompts of a kilobyte make about 150 MB."""

_MOST_ATTEMPTS = 10_000


def has_work(plan: Plan) -> bool:
    """Whether a run would do anything but keep what is there."""
    return any(item.action not in {Action.KEEP, Action.STALE, Action.WAIT, Action.HOLD} for item in plan.items)


def document(plan: Plan, head: Mapping[str, Any], *, charged: Decimal, cap: Decimal | None) -> dict[str, Any]:
    """The plan as JSON.

    Args:
        plan: what a run would do.
        head: what stands above it: whose plan it is, when it was made, and what its run will need.
        charged: US dollars, of what was accepted before.
        cap: US dollars, or None.
    """
    known = [item.google_usd for item in plan.creates if item.google_usd is not None]
    costs: dict[str, Any] = {
        "planned": money.as_text(plan.cost_usd),
        "worst_case": money.as_text(plan.worst_usd),
        "charged_before": money.as_text(charged),
        "cap": money.as_text(cap) if cap is not None else None,
    }
    if known:
        costs["google_list_price"] = {"usd": money.as_text(sum(known, Decimal(0))), "of_creates": len(known)}
    entries = [_entry(item, plan.retry_failed) for item in plan.items]
    causes = [_cause(cause) for cause in plan.causes]
    again = {"again": causes} if causes else {}
    return {"format": FORMAT, **head, "cost_usd": costs, **again, "shots": entries}


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "changes": list(cause.changes),
        "shots": list(dict.fromkeys(item.shot for item in cause.items)),
        "cost_usd": money.as_text(cause.cost_usd),
        "uses": sorted(cause.uses),
        "picked_and_stay": cause.staying,
    }


def write(output: Path, document: Mapping[str, Any], *, ledger: Path) -> None:
    """Write a plan; an older one is replaced whole, so that half a permission never lies there.

    Args:
        output: where.
        document: the plan.
        ledger: the folder in which no plan may lie.

    Raises:
        UsageError: something else lies there.
        EnvironmentFault: it can't be written.
    """
    path, shown = output.absolute(), printable(str(output))
    if files.lies_in(path, ledger) or (os.path.lexists(path) and not _is_plan(path)):
        raise UsageError(f"{shown} isn't a plan: left alone", hint="choose another name for -o")
    with files.writing(shown):
        files.replace(path, (json.dumps(document, indent=2) + "\n").encode())


def _is_plan(path: Path) -> bool:
    """Whether a file holds a plan, of this format or another, or nothing."""
    try:
        held = files.read_bounded(path, LARGEST)
        plan = strict_json(held) if held else None
    except (OSError, ValueError):
        return False
    return not held or (isinstance(plan, dict) and {"format", "made_at", "shots"} <= plan.keys())


def _entry(item: Item, retry_failed: int) -> dict[str, Any]:
    order = item.order
    entry: dict[str, Any] = {
        "shot": item.shot,
        "take": item.number,
        "action": item.action.value,
        "reason": item.reason,
        "wanted": item.wanted,
        "fingerprint": item.fingerprint,
        "price_usd": money.as_text(item.price_usd),
        "cost_usd": money.as_text(item.cost_usd),
        "bought_before": item.bought_before,
    }
    if item.bought_at:
        entry["bought_at"] = item.bought_at
    if item.renamed_from:
        entry["renamed_from"] = item.renamed_from
    if item.uses:
        entry["uses"] = sorted(item.uses)
    entry |= {name: True for name, holds in (("picked", item.picked), ("stale", item.is_stale)) if holds}
    if item.buys:
        entry |= {"attempt": item.attempt, "further_attempts": retry_failed}
    if order:
        entry |= {"mode": order.mode, **order.as_json(), "take": item.number}
    return entry


@dataclass(frozen=True, slots=True)
class Permission:
    """The creates that may be made.

    Attributes:
        creates: (shot, fingerprint) → highest attempt number, and the highest price, US dollars.
        is_rehearsed: they were agreed on for a rehearsal, which costs nothing.
        ledger: the id of the ledger by which they were agreed on; None: by none yet, or by any.
    """

    creates: Mapping[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)
    is_rehearsed: bool = False
    ledger: str | None = None

    @classmethod
    def of(cls, plan: Plan) -> Permission:
        """Whatever a plan would create, with the further attempts that its pipeline allows."""
        return cls(
            {(item.shot, item.fingerprint): (item.attempt + plan.retry_failed, item.price_usd) for item in plan.creates}
        )

    def is_about_another(self, ledger: str) -> str | None:
        """What it was agreed on for, if that is no run by this ledger."""
        if self.is_rehearsed:
            return "a rehearsal"
        return "another ledger, which knows of other takes" if self.ledger not in (None, ledger) else None

    def lacks(self, item: Item) -> str | None:
        """Why a create isn't allowed, for people; None: it is."""
        last, price = self.creates.get((item.shot, item.fingerprint), (0, Decimal(0)))
        if item.attempt > last:
            return f"{item.shot}: not in the plan ({item.reason})"
        if item.price_usd > price:
            now, then = money.dollars_exactly(item.price_usd), money.dollars_exactly(price)
            return f"{item.shot}: costs {now}, the plan says {then}"
        return None


def read_permission(path: Path, make: Callable[[str], str]) -> Permission:
    """What a plan file allows.

    Args:
        path: of the file.
        make: gives the command that writes a plan into a file of that name.

    Raises:
        UsageError: it is no plan file.
    """
    try:
        plan = strict_json(files.read_bounded(path, LARGEST))
        if plan["format"] != FORMAT:
            raise ValueError(f"its format is {plan['format']!r}, this veopipe knows {FORMAT}")
        gateway, ledger = (_known(plan.get(key)) for key in ("gateway", "ledger"))
        allowed = dict(_allowed(entry) for entry in plan["shots"] if entry["action"] in {Action.CREATE, Action.RETRY})
    except OSError as error:
        hint = None if os.path.lexists(path) else f"make one: {make(str(path))}"
        raise UsageError(f"the plan {path} can't be read: {error.strerror}", hint=hint) from None
    except (ValueError, KeyError, TypeError) as error:
        name = path if _is_plan(path) else moves.free(path)  # what isn't a plan is left alone
        hint = f"make one: {make(str(name))}"
        raise UsageError(f"{path} is no plan: {printable(str(error))}", hint=hint) from None
    return Permission(allowed, gateway == SIMULATOR, ledger)


def _known(value: Any) -> str | None:
    """What a plan says of where it holds; older ones say less."""
    if not isinstance(value, str | None):
        raise ValueError("its gateway or its ledger is no text")
    return value


def _allowed(entry: Mapping[str, Any]) -> tuple[tuple[str, str], tuple[int, Decimal]]:
    """What one entry allows. A permission isn't guessed at: other types than `_entry` writes are refused."""
    shot, fingerprint, price = entry["shot"], entry["fingerprint"], entry["price_usd"]
    attempts = entry["attempt"], entry["further_attempts"]
    if not all(isinstance(text, str) for text in (shot, fingerprint, price)):
        raise ValueError("a shot, a fingerprint or a price is no text")
    if not all(type(number) is int and 0 <= number <= _MOST_ATTEMPTS for number in attempts):
        raise ValueError("a number of attempts is none")
    return (shot, fingerprint), (sum(attempts), money.parse(price))
