"""Finished names follow what people chose: `<shot>.mp4` shows the chosen take.

Source: docs/design.md, 5 (Videos) and 12 (Review).
"""

from __future__ import annotations

from dataclasses import replace

from veopipe.delivery.shelf import Shelf
from veopipe.ledger.store import Store
from veopipe.plan.plan import Plan
from veopipe.project.open_ledger import OpenLedger
from veopipe.takes.take import Take


def follow(ledger: OpenLedger, plan: Plan) -> list[str]:
    """Let each finished name show the chosen take of its shot, where that is verified and on disk.

    Args:
        ledger: under its lock: names are a run's business while one is on.
        plan: of the ledger as it is now.

    Returns:
        The shots whose name shows another take now.

    Raises:
        OSError: a name can't be given; those before it are.
    """
    if not ledger.output.is_seen:
        return []  # a run will
    moved, shelf = [], ledger.shelf
    for shot, choice in plan.choices.items():
        state = ledger.store.shots.get(shot)
        if state is None or choice.number is None or not state.is_verified(choice.number):
            continue
        take = state.take(choice.number)
        if take.file is None or not shelf.is_whole(take.file) or shelf.is_shown(shot, take.file):
            continue
        if show(ledger.store, shelf, shot, take) is None:
            moved.append(shot)
    return moved


def show(store: Store, shelf: Shelf, shot: str, take: Take) -> str | None:
    """Let a shot's finished name show a verified take, and record what became known with that. Blocks.

    Returns:
        Why the name was left alone, or None.

    Raises:
        OSError: the name is what it was before.
        NotRecorded: what became known isn't on record; the name shows the take.
    """
    shown = shelf.publish(shot, take, store.every_take(shot))
    if shown.file != take.file:
        store.change(shot, take.number, lambda old: replace(old, file=shown.file))
    return shown.left
