"""What an editor is told of the rules by family: which shots have them, by the models that it knows by name.

An editor sees one file, and no pipeline. So the schema that travels with veopipe names the models of the built-in
profiles and says no more than what holds for each of them at every gateway. `exact` is the schema for one profile, with
the models' own rules, too.

Source: docs/design.md, 3 (Families).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from veopipe.documents import schema
from veopipe.manifest.families import Ruled, families, own_rules

_FOR_EDITORS = "$comment"


def conditions(name: str, place: str) -> list[dict[str, Any]]:
    """The entries at the end of the root's `allOf` that give some models their rules.

    Args:
        name: of the models together, for people who read the schema.
        place: where the rules stand, with `$defs/models` and `$defs/values` below.
    """
    known = {"$ref": f"{place}/$defs/models"}
    own: dict[str, Any] = {"properties": {"model": known}, "required": ["model"]}
    with_model = {"if": {"type": "object", **own}, "then": {"$ref": place}}
    without = {"if": {"type": "object", "required": ["model"]}, "else": {"$ref": place}}
    each_known = {
        "defaults": {"type": "object", "properties": {"model": known}},
        "shots": {"type": "object", "additionalProperties": {"properties": {"model": known}}},
    }
    each_has_one = [
        {"properties": {"defaults": {"required": ["model"]}}},
        {"properties": {"shots": {"additionalProperties": {"type": "object", "required": ["model"]}}}},
    ]
    return [
        {
            _FOR_EDITORS: f"A shot with a model of {name}.",
            "properties": {"shots": {"additionalProperties": with_model}},
        },
        {
            _FOR_EDITORS: f"A shot without a model, where the default is one of {name}.",
            "if": {"properties": {"defaults": {"type": "object", **own}}, "required": ["defaults"]},
            "then": {"properties": {"shots": {"additionalProperties": without}}},
        },
        {
            _FOR_EDITORS: f"The defaults, where every shot has a model of {name}.",
            "if": {"properties": each_known, "anyOf": each_has_one, "required": ["defaults", "shots"]},
            "then": {"properties": {"defaults": {"$ref": f"{place}/$defs/values"}}},
        },
    ]


def exact(models: Mapping[str, Ruled]) -> dict[str, Any]:
    """The manifest's schema for the models of one profile: with their own rules, and without other models."""
    found = copy.deepcopy(dict(schema.load("manifest")))
    found["allOf"] = [entry for entry in found["allOf"] if _FOR_EDITORS not in entry]
    found["$defs"]["models"] = {}
    for name, model in models.items():
        key = str(len(found["$defs"]["models"]))  # a name may hold what a reference can't
        if model.family in families():
            found["$defs"]["models"][key] = _of_model(name, model, f"#/$defs/models/{key}")
            found["allOf"] += conditions(name, f"#/$defs/models/{key}")
    for name, family in families().items():
        found["$defs"]["families"][name] = {key: value for key, value in family.items() if not key.startswith("x-")}
    if models:
        found["$defs"]["settings"]["properties"]["model"]["examples"] = list(models)
    return found


def _of_model(name: str, model: Ruled, place: str) -> dict[str, Any]:
    """The rules of one model; of its own ones those that aren't only advice."""
    family = f"#/$defs/families/{model.family}"
    own = [_with_words(entry) for entry in own_rules(model) if entry.get("x-severity", "error") == "error"]
    values = [entry for entry in own if "if" not in entry]
    return {
        "$defs": {
            "models": {"enum": [name]},
            "values": {"allOf": [{"$ref": f"{family}/$defs/values"}, *values]},
        },
        "allOf": [{"$ref": f"{place}/$defs/values"}, {"$ref": family}, *(entry for entry in own if "if" in entry)],
    }


def _with_words(entry: schema.Schema) -> dict[str, Any]:
    """A rule as an editor reads it: one that always holds without `then`, and its sentence beside each value."""
    said: Mapping[str, Any] = entry.get("then", entry).get("properties", {})
    properties = {key: {**each, "errorMessage": entry["x-message"]} for key, each in said.items()}
    words: Sequence[str] = ("x-rule", "x-message", "x-source")
    rule = {key: entry[key] for key in words if key in entry}
    if "if" not in entry:
        return {**rule, "properties": properties}
    return {**rule, "if": entry["if"], "then": {**entry["then"], "properties": properties}}
