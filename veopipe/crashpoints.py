"""The named points of a run at which it may die, so that a test can let it die there.

Every durable operation (`files`) and every stage of a create (`gateway`) calls `reach` just before it
happens. Nothing listens in normal use. A crash test starts veopipe with a listener that kills the process
at the n-th point, or raises the `OSError` that a full disk would; what stands on disk afterwards is then
exactly what a crash or a failure at that point leaves.
"""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[str, str], None]

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Call `listener(step, subject)` before every step from now on, in the thread that takes the step."""
    _listeners.append(listener)


def reach(step: str, subject: object = "") -> None:
    """Say that `step` is about to happen to `subject` (a path, a shot id).

    Raises:
        OSError: whatever a listener raises in place of the operation.
    """
    for listener in _listeners:
        listener(step, str(subject))
