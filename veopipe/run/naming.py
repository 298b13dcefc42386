"""Finished names follow what people chose: `<shot>.mp4` shows the chosen take.

Source: docs/design.md, 5 (Videos) and 12 (Review).
"""

from __future__ import annotations

from veopipe.plan.plan import Plan
from veopipe.project import OpenLedger


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
    moved, shelf = [], ledger.project.shelf
    for shot, choice in plan.choices.items():
        state = ledger.store.shots.get(shot)
        if state is None or choice.number is None or not state.is_verified(choice.number):
            continue
        take = state.take(choice.number)
        if take.file is None or not shelf.is_whole(take.file) or shelf.is_shown(shot, take.file):
            continue
        if shelf.publish(shot, take, ledger.store.every_take(shot)) is None:
            moved.append(shot)
    return moved
