"""What is wrong with a value by a JSON Schema: jsonschema, with some keywords of ours.

This is the only module that imports jsonschema, and it is imported only once something is wrong (`verdicts`). Our
keywords are there so that an error is about one key and knows its rule. Rules that hold here:

* A pattern must match the whole text: `$` alone would let a line end through (docs/hazards.md, e 13).
* Nothing is ever fetched: references lead to our own files only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import referencing
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing.jsonschema import DRAFT202012

from veopipe.text import is_blank


def _if(validator: Any, if_schema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The `if` keyword: each value that breaks a rule is an error of the rule's own entry."""
    branch = "then" if validator.evolve(schema=if_schema).is_valid(instance) else "else"
    if branch not in schema:
        return
    for error in validator.descend(instance, schema[branch], schema_path=branch):
        if "x-rule" in schema:
            error = ValidationError(
                error.message, validator=error.validator, path=error.relative_path, instance=error.instance
            )
        yield error  # where the `if` only chooses among rules, it is an error of the chosen one


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "string"):
        return
    # A pattern for every program has no range of characters above U+FFFF; `x-not-blank` covers these, too.
    if not re.fullmatch(pattern, instance) or ("x-not-blank" in schema and is_blank(instance)):
        yield ValidationError("the text has another form")


def _additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    extra = [key for key in instance if key not in schema.get("properties", {})]
    for key in extra:
        if allowed is False:
            yield ValidationError(key, validator="additionalProperties", path=[key])
        else:
            yield from validator.descend(instance[key], allowed, path=key)


def _names(validator: Any, names: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for key in instance:
        for error in validator.descend(instance=key, schema=names):
            yield ValidationError(error.message, validator="propertyNames", path=[key], instance=key, schema=names)


def _required(validator: Any, keys: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for key in keys:
            if key not in instance:
                yield ValidationError(key, validator="required")  # the message is the key: see schema._finding


Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "if": _if,
        "pattern": _pattern,
        "additionalProperties": _additional,
        "propertyNames": _names,
        "required": _required,
    },
)
"""What finds the errors of a value: `Validator(schema).iter_errors(value)`."""


def registry(schemas: Mapping[str, Mapping[str, Any]]) -> Any:
    """Where a `Validator` looks for what a `$ref` names.

    Args:
        schemas: name → schema, none with `$schema`, which would make jsonschema change to its own keywords.
    """
    # Explicit, because the default registry fetches with urlopen (docs/hazards.md, e 12).
    resources = [(f"{name}.schema.json", DRAFT202012.create_resource(schema)) for name, schema in schemas.items()]
    return referencing.Registry().with_resources(resources)
