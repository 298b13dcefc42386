"""What a schema can't say of a value that stands in several kinds of files: durations, amounts, names of variables.

Each finding is of the rule that the schema has for the value, in words that say more than its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from veopipe.clock import parse_duration
from veopipe.documents import schema
from veopipe.documents.nodes import MappingNode, Node, ScalarNode, plain
from veopipe.documents.problems import Finding
from veopipe.text import hide

MOST_DECIMALS = 9
"""Of a price: with more, the ledger would refuse the state file that holds it."""

Path = tuple[str, ...]

_WORD = r"(?:[A-Z_]{1,40}(?:[0-9]{1,2}(?:_[A-Z_]{0,40})?)?|[A-Z]?[a-z_]{1,20})"
# A variable's name as a shell or an editor spells it: `$NAME`, `${NAME}`, `MY-NAME`. A key is random, so it mixes
# digits and both cases.
_MISTYPED = re.compile(rf"(?!sk-)\$?\{{?{_WORD}(?:[-. ]{_WORD}){{0,7}}[-. ]?\}}?")
_GOOGLES = "AIza"  # how Google's keys begin; half of them have only letters, digits and `_`, as a name has


def node_at(root: Node, path: Iterable[str]) -> Node | None:
    """The node at the end of a path of keys, or None."""
    node: Node | None = root
    for step in path:
        node = node.items.get(step) if isinstance(node, MappingNode) else None
    return node


def text_at(root: Node, path: Iterable[str]) -> str:
    """The text at the end of a path of keys; empty where no text stands."""
    node = node_at(root, path)
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else ""


def names_in(root: Node, path: Iterable[str]) -> Mapping[str, Node]:
    """The keys of the mapping at the end of a path, with their nodes; none where no mapping stands."""
    node = node_at(root, path)
    return node.items if isinstance(node, MappingNode) else {}


def exact(node: Node) -> Any:
    """As `plain`, with numbers exactly as written: 0.10 never becomes a binary fraction."""
    if isinstance(node, MappingNode):
        return {key: exact(value) for key, value in node.items.items()}
    if isinstance(node, ScalarNode) and type(node.value) in (int, float):
        return Decimal(node.text)
    return plain(node)


def wrong(name: str, path: Path, message: str) -> Finding:
    """A finding of the rule that a schema has for a key.

    Args:
        name: the schema, one of `schema.NAMES`.
        path: of the key.
        message: what is to be said.
    """
    return schema.rule_of(schema.entry_of(name, path)).finding(message, path)


def durations(name: str, root: Node, paths: Iterable[Path]) -> Iterator[Finding]:
    """Findings about durations that are too short or too long; a pattern can't find these."""
    for path in paths:
        written = node_at(root, path)
        if not isinstance(written, ScalarNode) or written.value is None:
            continue
        try:
            parse_duration(written.value)
        except ValueError as error:
            yield wrong(name, path, f"`{path[-1]}`: {error}")


def amounts(name: str, root: Node, path: Path) -> Iterator[Finding]:
    """Findings about amounts with too many decimals, at the path or below it."""
    node = node_at(root, path)
    for key, _ in node.items.items() if isinstance(node, MappingNode) else ():
        yield from amounts(name, root, (*path, key))
    if not isinstance(node, ScalarNode) or type(node.value) is not float:
        return
    exponent = Decimal(node.text).normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MOST_DECIMALS:
        yield wrong(name, path, f"`{path[-1]}` has at most {MOST_DECIMALS} decimals")


# --- names of environment variables ---------------------------------------------------------------------


def hide_secrets(root: Node, paths: Iterable[Path]) -> None:
    """Hide a text that is the secret itself instead of a variable's name, wherever lines are shown."""
    for _, written in _misnamed(root, paths):
        if not _MISTYPED.fullmatch(written):
            hide(written)


def variables(name: str, root: Node, paths: Iterable[Path]) -> Iterator[Finding]:
    """Findings about names of variables that are spelt as a shell or an editor spells them."""
    for path, written in _misnamed(root, paths):
        if _MISTYPED.fullmatch(written):
            advice = "write it without `$`" if written.startswith("$") else "it holds only letters, digits and `_`"
            yield wrong(name, path, f"`{path[-1]}` is the name of an environment variable: {advice}")


def _misnamed(root: Node, paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Texts in the place of a variable's name that are no such name, with their paths."""
    for path in paths:
        node = node_at(root, path)
        written = node.value if isinstance(node, ScalarNode) else None
        if isinstance(written, str) and (not written.isidentifier() or written.startswith(_GOOGLES)):
            yield path, written
