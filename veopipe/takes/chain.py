"""Shots that wait for others: in which order they can be made.

Source: docs/design.md, 12 (Chains).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_order(producers: Mapping[str, Sequence[str]]) -> list[str]:
    """Shots so that each comes after its producers, else in the order given. Iterative and linear.

    Args:
        producers: shot → the shots that it takes frames of; there is no ring. Those that are no keys are left out.
    """
    found: dict[str, None] = {}
    for start in producers:
        stack = [start]
        while stack:
            here = stack[-1]
            waits = [] if here in found else [each for each in producers[here] if each in producers]
            waits = [each for each in waits if each not in found and each != here]
            if waits:
                stack += reversed(waits)
            else:
                found[stack.pop()] = None
    return list(found)
