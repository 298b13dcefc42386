"""Whether a value is right by a JSON Schema: functions made once of the schema, which say yes or no.

Most values are right, and jsonschema takes thirty times as long to say so, and longer than the rest of a short command
only to be loaded. So it is asked (`keywords`) when something is wrong: what that is, it says best.

* Both have the same verdict on every value: tests/documents/test_verdicts.py.
* Only keywords that our schemas use are known here. Any other raises, or a rule would be passed over in silence.

Source: DECISIONS.md, 45.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from numbers import Number
from typing import Any

from veopipe.text import is_blank

Schema = Mapping[str, Any]
Verdict = Callable[[Any], bool]
"""Whether a value is right."""
Refer = Callable[[str], Verdict]
"""The verdict that a `$ref` stands for."""


def made(schema: Any, refer: Refer) -> Verdict:
    """The verdict of a schema.

    Args:
        schema: a mapping or a bool; never changed from now on.
        refer: called once for each `$ref`, at once.

    Raises:
        ValueError: it has a keyword that isn't known here.
    """
    if isinstance(schema, bool):
        return lambda _: schema
    rules = asserted(schema)
    if unknown := [key for key in rules if key not in _MAKERS]:
        raise ValueError(f"`{unknown[0]}` of a schema isn't known here: add it, and a case of it to the tests")
    return _all([_MAKERS[key](schema[key], schema, refer) for key in rules])


def asserted(schema: Schema) -> list[str]:
    """The keywords of a schema that can be broken."""
    return [key for key in schema if key not in _SAYS_NOTHING and not key.startswith("x-")]


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    if len(verdicts) == 1:
        return verdicts[0]

    def verdict(value: Any) -> bool:
        for each in verdicts:  # noqa: SIM110  twice as fast as a generator
            if not each(value):
                return False
        return True

    return verdict


# --- types: what is true is no number, and 1.0 is an integer ----------------------------------------------


def _is_number(value: object) -> bool:
    kind = type(value)  # the usual ones first: a look at an abstract class takes as long as the rest
    return kind is int or kind is float or (isinstance(value, Number) and not isinstance(value, bool))


def _is_integer(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


_TYPES: dict[str, Verdict] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
# Of each type what nearly every value is that has it; the rest are asked one by one.
_USUAL: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}


def _type(names: str | list[str], _schema: Schema, _refer: Refer) -> Verdict:
    wanted = [names] if isinstance(names, str) else names
    if unknown := set(wanted) - _TYPES.keys():
        raise ValueError(f"there is no type {min(unknown)}")
    usual = frozenset(kind for name in wanted for kind in _USUAL[name])
    rest = _any([_TYPES[name] for name in wanted])
    return lambda value: type(value) in usual or rest(value)


def _equal(one: Any, other: Any) -> bool:
    """Whether JSON has the two for the same: 1 is 1.0, and is not true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(said, other[key]) for key, said in one.items())
    return one is other or (isinstance(one, bool) is isinstance(other, bool) and bool(one == other))


def _enum(choices: Iterable[Any], _schema: Schema, _refer: Refer) -> Verdict:
    texts = frozenset(choice for choice in choices if isinstance(choice, str))
    others = [choice for choice in choices if not isinstance(choice, str)]
    return lambda value: value in texts if isinstance(value, str) else any(_equal(choice, value) for choice in others)


# --- numbers and texts ------------------------------------------------------------------------------------


def _bounded(wrong: Callable[[Any, Any], bool]) -> Maker:
    def make(bound: Any, _schema: Schema, _refer: Refer) -> Verdict:
        return lambda value: not _is_number(value) or not wrong(value, bound)

    return make


def _sized(kind: type[Any], wrong: Callable[[int, Any], bool]) -> Maker:
    def make(bound: Any, _schema: Schema, _refer: Refer) -> Verdict:
        return lambda value: not isinstance(value, kind) or not wrong(len(value), bound)

    return make


def _pattern(pattern: str, schema: Schema, _refer: Refer) -> Verdict:
    form = cache(partial(re.compile, pattern))  # when a text meets it: one list meets few of all patterns

    def verdict(value: Any) -> bool:
        return not isinstance(value, str) or form().fullmatch(value) is not None

    if "x-not-blank" not in schema:
        return verdict
    return lambda value: verdict(value) and not (isinstance(value, str) and is_blank(value))


# --- lists and mappings -----------------------------------------------------------------------------------


def _items(schema: Any, _schema: Schema, refer: Refer) -> Verdict:
    right = made(schema, refer)
    return lambda value: not isinstance(value, list) or all(map(right, value))


def _properties(schemas: Schema, _schema: Schema, refer: Refer) -> Verdict:
    verdicts = [(key, made(schema, refer)) for key, schema in schemas.items()]

    def verdict(value: Any) -> bool:
        return not isinstance(value, dict) or all(right(value[key]) for key, right in verdicts if key in value)

    return verdict


def _additional(schema: Any, around: Schema, refer: Refer) -> Verdict:
    right, known = made(schema, refer), frozenset(around.get("properties", ()))

    def verdict(value: Any) -> bool:
        return not isinstance(value, dict) or all(right(said) for key, said in value.items() if key not in known)

    return verdict


def _names(schema: Any, _schema: Schema, refer: Refer) -> Verdict:
    right = made(schema, refer)
    return lambda value: not isinstance(value, dict) or all(map(right, value))


def _required(keys: Iterable[str], _schema: Schema, _refer: Refer) -> Verdict:
    return lambda value: not isinstance(value, dict) or all(key in value for key in keys)


# --- schemas of schemas -----------------------------------------------------------------------------------


def _any(verdicts: Sequence[Verdict]) -> Verdict:
    return lambda value: any(right(value) for right in verdicts)


def _if(condition: Any, schema: Schema, refer: Refer) -> Verdict:
    holds = made(condition, refer)
    then, otherwise = made(schema.get("then", True), refer), made(schema.get("else", True), refer)
    return lambda value: then(value) if holds(value) else otherwise(value)


def _not(schema: Any, _schema: Schema, refer: Refer) -> Verdict:
    right = made(schema, refer)
    return lambda value: not right(value)


def _one_of(schemas: Iterable[Any], _schema: Schema, refer: Refer) -> Verdict:
    verdicts = [made(schema, refer) for schema in schemas]
    return lambda value: sum(right(value) for right in verdicts) == 1


Maker = Callable[[Any, Schema, Refer], Verdict]

_MAKERS: dict[str, Maker] = {
    "$ref": lambda reference, _schema, refer: refer(reference),
    "additionalProperties": _additional,
    "allOf": lambda schemas, _schema, refer: _all([made(each, refer) for each in schemas]),
    "anyOf": lambda schemas, _schema, refer: _any([made(each, refer) for each in schemas]),
    "const": lambda value, schema, refer: _enum([value], schema, refer),
    "enum": _enum,
    "exclusiveMinimum": _bounded(operator.le),
    "if": _if,
    "items": _items,
    "maxItems": _sized(list, operator.gt),
    "maxLength": _sized(str, operator.gt),
    "maxProperties": _sized(dict, operator.gt),
    "maximum": _bounded(operator.gt),
    "minItems": _sized(list, operator.lt),
    "minLength": _sized(str, operator.lt),
    "minProperties": _sized(dict, operator.lt),
    "minimum": _bounded(operator.lt),
    "not": _not,
    "oneOf": _one_of,
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _names,
    "required": _required,
    "type": _type,
}

# They describe; `then` and `else` belong to `if`, and `$defs` counts where it is referred to. Without `$schema`: at
# jsonschema it would change to other keywords, so it stands at the root only, where nothing is made of it.
_SAYS_NOTHING = frozenset(
    ("$comment", "$defs", "default", "description", "else", "errorMessage", "examples", "markdownDescription")
) | {"then", "title"}
