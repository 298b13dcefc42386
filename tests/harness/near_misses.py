"""Values for a JSON Schema that are right or nearly so: made of the schema itself, and changed in a few places.

Only chance that knows the schema comes near what a rule forbids: a text that is one too long, 1.0 or true where 1 is
wanted, a key too many or one too few.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from veopipe.documents import schema

TESTS = Path(__file__).parents[1]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.0, 0.0, -0.0, 0.5, 8, 8.0, "8", 2**63, 10**400, 1e308, float("nan"), float("inf")),
    *(
        Decimal("1"),
        Decimal("1.5"),
        "",
        " ",
        "\n",
        "a",
        "A",
        "null",
        "true",
        "\u200b",
        "\xa0",
        "\u3164",
        "\u00e9",
        "\U0001f30a",
    ),
    *(
        "\U000e0001",
        "\ud800",
        "a\n",
        "x" * 64,
        "x" * 65,
        [],
        {},
        [[]],
        [None],
        {"a": None},
        {"": 1},
        [1, True, 1.0],
    ),
)
"""What is on the border between two types, or of no use anywhere."""

KEPT = {"state": "ledger/released/*/.veopipe/*/state/*.json", "plan": "ledger/released/*/plan.json"}


def scalars_in(value: Any) -> Iterator[Any]:
    """Every value inside that is neither a list nor a mapping, and every key."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from scalars_in(inner)
    if not isinstance(value, dict | list):
        yield value


@cache
def documents(name: str) -> tuple[Any, ...]:
    """Real documents of a kind that are kept for other tests."""
    paths = TESTS.glob(KEPT[name]) if name in KEPT else ()
    return tuple(json.loads(path.read_text("utf-8")) for path in sorted(paths))


@cache
def texts() -> tuple[str, ...]:
    """Texts that stand in the schemas or in real documents."""
    inside = [schema.load(name) for name in schema.NAMES] + [*documents("state"), *documents("plan")]
    found = {text for each in inside for text in scalars_in(each) if isinstance(text, str) and len(text) < 100}
    return (*sorted(found), "a.png", "5m", "0.25", "https://a.example/v1", "1f" * 32)


@cache
def fitting(pattern: str) -> tuple[str, ...]:
    """Those of the texts that match a pattern."""
    return tuple(text for text in texts() if re.fullmatch(pattern, text))


class Chance:
    """Values for the entries of one schema file, by chance.

    Args:
        name: one of `schema.NAMES`.
        seed: equal seeds give equal values.
    """

    def __init__(self, name: str, seed: object) -> None:
        self._name = name
        self._dice = random.Random(f"{name} {seed}")

    def document(self, right: list[Any]) -> Any:
        """A new value for the whole schema, or one of the right ones with one to three changes."""
        if not right or self._dice.random() < 0.3:
            return self.value(schema.load(self._name))
        return self.changed(self._dice.choice(right))

    def _odd(self) -> Any:
        return copy.deepcopy(self._dice.choice(ODD))

    def value(self, entry: Any, name: str | None = None) -> Any:
        """A value that mostly suits an entry."""
        name, dice = name or self._name, self._dice
        if isinstance(entry, bool) or dice.random() < 0.02:
            return self._odd()
        if "$ref" in entry:
            file, _, pointer = entry["$ref"].partition("#/")
            name = file.removesuffix(".schema.json") or name
            return self.value({**schema.part(name, *pointer.split("/")), **without(entry, "$ref")}, name)
        for choices in ("oneOf", "anyOf"):
            if choices in entry:
                return self.value({**without(entry, choices), **dice.choice(entry[choices])}, name)
        if "const" in entry or "enum" in entry:
            return dice.choice(entry.get("enum", [entry.get("const")]))
        kinds = entry.get("type", "object" if "properties" in entry else "string")
        return self._of_type(dice.choice([kinds] if isinstance(kinds, str) else kinds), entry, name)

    def _of_type(self, kind: str, entry: Any, name: str) -> Any:
        dice = self._dice
        if kind == "object":
            return self._object(entry, name)
        if kind == "array":
            least, most = entry.get("minItems", 0), entry.get("maxItems", 3)
            count = dice.randint(least, max(least, min(most, 4)))
            return [self.value(entry.get("items", True), name) for _ in range(count)]
        if kind in ("number", "integer"):
            return self._number(entry)
        if kind == "string":
            return self._text(entry)
        return None if kind == "null" else dice.random() < 0.5

    def _number(self, entry: Any) -> Any:
        least = entry.get("minimum", entry.get("exclusiveMinimum", 0))
        bounds = [least, least + 1, entry.get("maximum", 9)]
        return self._dice.choice([*bounds, float(bounds[0]), (bounds[0] + bounds[2]) / 2, *entry.get("examples", ())])

    def _text(self, entry: Any) -> str:
        if "maxLength" in entry and self._dice.random() < 0.1:
            return "x" * (entry["maxLength"] + self._dice.randint(0, 1))
        of_its_own = [text for text in entry.get("examples", ()) if isinstance(text, str)]
        return self._dice.choice(of_its_own or fitting(entry.get("pattern", "[^\n]+")) or texts())

    def _object(self, entry: Any, name: str) -> dict[str, Any]:
        dice, properties = self._dice, entry.get("properties", {})
        most = dice.random()
        found = {
            key: self.value(each, name)
            for key, each in properties.items()
            if key in entry.get("required", ()) or dice.random() < most
        }
        if isinstance(more := entry.get("additionalProperties"), dict):
            names = self._keys(entry.get("propertyNames", {}))
            found |= {dice.choice(names): self.value(more, name) for _ in range(dice.randint(0, 2))}
        return found

    def _keys(self, entry: Any) -> list[str]:
        return [key for key in entry.get("enum", fitting(entry.get("pattern", "[a-z]+"))) if isinstance(key, str)]

    def tosses(self) -> bool:
        """Heads or tails."""
        return self._dice.random() < 0.5

    # --- changes ---

    def changed(self, value: Any) -> Any:
        """A copy of a value with one to three changes."""
        value = copy.deepcopy(value)
        for _ in range(self._dice.randint(1, 3)):
            value = self._change(value)
        return value

    def _change(self, root: Any) -> Any:
        dice = self._dice
        inner = [each for each in containers(root) if each]
        if not inner or dice.random() < 0.02:
            return self._odd()
        there = dice.choice(inner)
        key = dice.choice(list(there)) if isinstance(there, dict) else dice.randrange(len(there))
        self._do(there, key)
        return root

    def _do(self, there: Any, key: Any) -> None:
        dice = self._dice
        what = dice.randrange(6)
        if what == 0:
            del there[key]
        elif what == 1 and isinstance(there, dict):
            there[dice.choice(texts())] = there[key]
        elif what == 1:
            there.append(copy.deepcopy(there[key]))
        elif what == 2:
            there[key] = dice.choice(texts())
        elif what == 3:
            there[key] = self._odd()
        else:
            there[key] = self._near(there[key])

    def _near(self, value: Any) -> Any:
        """A value that is nearly the same."""
        dice = self._dice
        if isinstance(value, bool) or value is None:
            return dice.choice([value, not value, int(bool(value)), str(value).lower()])
        if isinstance(value, int | float):
            return dice.choice(
                [value + 1, value - 1, -value, value * 2, float(value) if abs(value) < 1e300 else value, str(value)]
            )
        if isinstance(value, str):
            return dice.choice(
                [f"{value}\n", f" {value}", value[:-1], value.swapcase(), value * 2, f"{value}\u0661", [value]]
            )
        return [value]


def without(entry: Any, key: str) -> Any:
    """An entry without one of its keywords."""
    return {name: said for name, said in entry.items() if name != key}


def containers(value: Any) -> Iterator[Any]:
    """Each list and mapping in a value, itself included."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)
