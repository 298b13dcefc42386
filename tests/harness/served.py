"""The models that the files of `tests/rules/` name, by folder.

They are those of the built-in profiles, as if all were still served, so that only `retired-model` speaks of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from veopipe.manifest.families import UNDECLARED
from veopipe.profiles.prices import Price
from veopipe.profiles.profile import Model
from veopipe.profiles.reading import built_in

OMNI = "gemini-omni-1.2-flash"
LAOZHANG = built_in("laozhang").models[OMNI].rules
"""A model's own rules."""

NARROWED: Mapping[str, Model] = {name: replace(model, retired=None) for name, model in built_in().models.items()}
"""Where Omni has these."""
SERVED: Mapping[str, Model] = {
    **NARROWED,
    **built_in("google").models,
    "any-model": Model("any-model", Price(Decimal(1)), family="unheard-of"),
}
"""Where it has none besides its family's; and a model of a family that nobody knows."""


def models_for(rule: str) -> Mapping[str, Model]:
    """The models that the files of a rule's folder are judged with."""
    if rule == "retired-model":
        return {**built_in().models, "my-model": Model("my-model", Price(Decimal(1)))}
    if rule == "price-for-resolution":
        return {**NARROWED, OMNI: replace(NARROWED[OMNI], rules=())}
    return NARROWED if rule in {UNDECLARED.id, *(entry["x-rule"] for entry in LAOZHANG)} else SERVED
