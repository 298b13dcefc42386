"""How a shot becomes effective: defaults, then the shot, then the pipeline's overrides.

* A layer holds nodes, so that every value keeps the place where it was written.
* `null` unsets: then the built-in default applies.
* `size` stands for a resolution and an aspect ratio; an override of one of them keeps the other.
* `take` and `takes` say which results are wanted in two ways: of a nearer layer either takes the place of both.
"""

from __future__ import annotations

from veopipe.documents.nodes import Layer, Node, ScalarNode
from veopipe.takes import order

SIZES = {f"{width}x{height}": settings for settings, (width, height) in order.SIZES.items()}
"""What a `size` stands for: resolution and aspect ratio."""

_RIVALS = (("take", "takes"), ("takes", "take"))


def merged(defaults: Layer, shot: Layer) -> dict[str, Node]:
    """A shot with its defaults: the shot's own value wins, and null removes the key."""
    both = {**_left(defaults, shot), **shot}
    return {key: node for key, node in both.items() if not _is_null(node)}


def _left(farther: Layer, nearer: Layer) -> Layer:
    """A layer without what a nearer one says in another way."""
    said = [other for key, other in _RIVALS if key in nearer and not _is_null(nearer[key])]
    return {key: node for key, node in farther.items() if key not in said} if said else farther


def overridden(shot: Layer, overrides: Layer) -> dict[str, Node]:
    """A merged shot whose values a pipeline's overrides replace; a size of the overrides stands as written.

    A size of the shot is spelt out first, so that an override of one of its two halves keeps the other.
    """
    size = overrides.get("size")
    shot = _left(shot, overrides)
    result = sized(shot) if size is None else dict(shot)
    result.pop("size", None)
    if size is not None and not _is_null(size):
        result.pop("resolution", None)
        result.pop("aspect_ratio", None)
    result.update(overrides)
    return {key: node for key, node in result.items() if not _is_null(node)}


def sized(shot: Layer) -> dict[str, Node]:
    """A merged shot whose `size` fills in a resolution and an aspect ratio that aren't written beside it."""
    result = dict(shot)
    size = result.get("size")
    if isinstance(size, ScalarNode) and isinstance(size.value, str) and size.value in SIZES:
        for key, value in zip(("resolution", "aspect_ratio"), SIZES[size.value], strict=True):
            result.setdefault(key, ScalarNode(value, value, size.line, size.column, size.is_plain))
    return result


def _is_null(node: Node) -> bool:
    return type(node) is ScalarNode and node.value is None
