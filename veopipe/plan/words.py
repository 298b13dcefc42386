"""A plan in sentences: what is bought again, what was bought elsewhere, what is over, and what picks protect. Pure.

Source: docs/design.md, 4 (Consent) and 12 (Review).
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from veopipe.plan.plan import Plan
from veopipe.takes.money import dollars, dollars_to_come
from veopipe.text import counted


def bought_words(plan: Plan) -> str | None:
    """What an edit buys again, for people, or None: `3 shots were already bought; this buys them again: $0.90 (…)`."""
    again = plan.again
    if not again:
        return None
    total = dollars_to_come(sum((item.price_usd for item in again), Decimal(0)))
    reasons = list(dict.fromkeys(item.reason for item in again))
    shown = "; ".join(reasons[:3]) + ("; …" if len(reasons) > 3 else "")
    shots = len({item.shot for item in again})
    were, them = ("was", "it") if shots == 1 else ("were", "them")
    return f"{counted(shots, 'shot')} {were} already bought; this buys {them} again: {total} ({shown})"


def causes_words(plan: Plan) -> list[str]:
    """A sentence for each of `Plan.causes`: ``prompt changed: 31 shots, $37.20, all of them use `look`; …``."""
    found = []
    for cause in plan.causes:
        texts = " and ".join(f"`{name}`" for name in sorted(cause.uses))
        use = f"all of them use {texts}" if cause.shots > 1 else f"it uses {texts}"
        are, stay = ("is", "stays") if cause.staying == 1 else ("are", "stay")
        more = f"; {cause.staying:,} more {are} picked and {stay}" if cause.staying else ""
        changed = " and ".join(cause.changes)
        found.append(
            f"{changed} changed: {counted(cause.shots, 'shot')}, {dollars_to_come(cause.cost_usd)}, {use}{more}"
        )
    return found


def elsewhere_words(plan: Plan) -> list[str]:
    """A sentence for each key of `Plan.elsewhere`: `3 shots were already bought at http://localhost:3000, …`."""
    found = []
    for (gateway, kept_there), items in plan.elsewhere.items():
        total = dollars_to_come(sum((item.price_usd for item in items), Decimal(0)))
        were, them, they_are = ("was", "it", "it is") if len(items) == 1 else ("were", "them", "they are")
        bought, billed = ("bought", "") if kept_there else ("ordered", "perhaps billed, ")
        kept = f"; with --base-url {gateway} {they_are} kept" if kept_there else ""
        found.append(
            f"{counted(len(items), 'shot')} {were} already {bought} at {gateway}, {billed}perhaps the same gateway "
            f"under another name: this buys {them} again for {total}{kept} "
            f"(if that was `veopipe simulate`, nothing was paid)"
        )
    return found


def retired_words(plan: Plan, imposed: str | None) -> list[str]:
    """What is bought of models that are announced as switched off: a sentence for each model, for people.

    Args:
        plan: what a run would do.
        imposed: the model that the pipeline orders every shot with, or None.
    """
    bought = Counter((item.order.model, item.retired) for item in plan.creates if item.order and item.retired)
    return [
        f"{counted(n, 'create')} of {model}{' (as this pipeline overrides it)' if model == imposed else ''}: "
        f"it was {retired.in_words()}"
        for (model, retired), n in bought.items()
    ]


def picks_words(plan: Plan) -> list[str]:
    """What picks keep from being bought, and which picks a rename may have left behind: a sentence for each."""
    return [sentence for sentence in (_locked_words(plan), _departed_words(plan)) if sentence]


def _locked_words(plan: Plan) -> str | None:
    locked = [item for item in plan.items if item.spared_usd]
    if not locked:
        return None
    spared = dollars(sum((item.spared_usd for item in locked), Decimal(0)))
    were, stay = ("was", "it stays") if len(locked) == 1 else ("were", "they stay")
    return f"{counted(len(locked), 'picked shot')} {were} edited since: {stay}, and {spared} isn't spent"


def _departed_words(plan: Plan) -> str | None:
    new = {item.shot for item in plan.creates if item.number == 1 and item.status is None}
    if not (new and plan.departed_picks):
        return None
    picks = ", ".join(plan.departed_picks[:6]) + (", …" if len(plan.departed_picks) > 6 else "")
    return (
        f"picked, and no shot's any more: {picks}; if one of {counted(len(new), 'new shot')} is it, undo its edit first"
    )
