"""What a YAML file holds once it is read: values, lists and mappings that know their place.

Places count from 1, in characters. `yaml` makes nodes from a file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from veopipe.values import dataclass

Plain = bool | int | float | str | list[Any] | dict[str, Any] | None


# Not frozen: a manifest of 10,000 shots makes 90,000 of them, and frozen costs three times as much.
@dataclass(slots=True)
class ScalarNode:
    """One value, as read (`value`) and as written (`text`); `is_plain`: without quotes."""

    value: bool | int | float | str | None
    text: str
    line: int
    column: int
    is_plain: bool


@dataclass(slots=True)
class SequenceNode:
    """A list."""

    items: list[Node]
    line: int
    column: int


@dataclass(slots=True)
class MappingNode:
    """Keys with values, in order; `keys` has the place of each key."""

    items: dict[str, Node]
    keys: dict[str, tuple[int, int]]
    line: int
    column: int


Node = ScalarNode | SequenceNode | MappingNode
Layer = Mapping[str, Node]
"""Keys with values, wherever they were written: a shot, its defaults, the overrides of a pipeline."""


def plain(node: Node) -> Plain:
    """The node as plain Python values; the caps of reading bound its size."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.items.items()}


def place(root: Node, path: tuple[str | int, ...], *, of_key: bool = False) -> tuple[int, int]:
    """Line and column of the value at `path`, or of the last node on the way to it that exists.

    Args:
        root: where the path starts.
        path: keys and indexes.
        of_key: the place of the path's last key instead of its value.
    """
    node, found = root, (root.line, root.column)
    for depth, step in enumerate(path):
        if isinstance(node, MappingNode) and step in node.items:
            name = str(step)
            if of_key and depth == len(path) - 1:
                return node.keys[name]
            node = node.items[name]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return found
        found = (node.line, node.column)
    return found


_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# A number with more digits stays text: no value here needs them, and int() refuses 5,000 of them.
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
# So do more digits behind the point or in the exponent: an amount is shown as it was written, without exponent.
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{0,17})?|\.[0-9]{1,17})(?:[eE][-+]?[0-9]{1,2})?")
_NUMBER_START = frozenset("+-.0123456789")
_ODD_START = _NUMBER_START | {text[:1] for text in _CONSTANTS}


def resolved(text: str) -> bool | int | float | str | None:
    """A plain scalar's value (YAML 1.2 core, decimal only)."""
    if text[:1] not in _ODD_START:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
