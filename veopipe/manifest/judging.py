"""What is wrong with one effective shot: its values by themselves, among each other, and its pictures.

A value that is wrong by itself isn't compared with others, so that one mistake makes one problem.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from veopipe.documents.nodes import Layer, Node, plain
from veopipe.documents.problems import Finding
from veopipe.manifest import rules, texts
from veopipe.manifest.families import ModelRules, ShotRules, default_values
from veopipe.manifest.layers import sized
from veopipe.profiles.profile import Model
from veopipe.takes.order import ROLES
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """An effective shot as it was judged.

    Attributes:
        findings: what is wrong with it, besides what was known before.
        nodes: the layer, with what a `size` stands for.
        values: of these nodes, without those that are wrong by themselves.
        rules: those of its model.
    """

    findings: list[Finding]
    nodes: Layer
    values: dict[str, Any]
    rules: ModelRules

    def says(self, path: tuple[str | int, ...]) -> bool:
        """Whether a finding is about the value at a path."""
        return any(finding.path == path for finding in self.findings)


class Judge:
    """Judges the shots of one list; verdicts on models, values, combinations and files are kept.

    Args:
        models: every model that can be ordered.
        folder: the list's, absolute.
    """

    def __init__(self, models: Mapping[str, Model], folder: Path) -> None:
        self.models = models
        self.rules = ShotRules(models)
        self.pictures = rules.Pictures(folder)
        self._model_findings: dict[str, Finding | None] = {}

    def rules_of(self, layer: Layer) -> ModelRules:
        """The rules of the model that a layer names."""
        return self.rules.of(plain(layer["model"]) if "model" in layer else None)

    def judge(self, layer: Layer, wrong: Collection[str | int] = ()) -> Judged:
        """Everything about a merged shot.

        Args:
            layer: has no nulls.
            wrong: keys that are wrong whatever the model is.
        """
        of_model = self.rules_of(layer)
        found = _of_values(of_model, layer)
        wrong = {*wrong, *_keys(found)}
        nodes = layer if "size" in wrong else sized(layer)
        if len(nodes) > len(layer):  # what the size stands for is a value, too
            found += _of_values(of_model, {key: node for key, node in nodes.items() if key not in layer})
        found += of_model.without(nodes.keys())
        wrong |= _keys(found)
        values = {key: plain(node) for key, node in nodes.items() if key not in wrong}
        found += _among(values, wrong, of_model)
        found += self._about(values, of_model, found)
        found += texts.literal(nodes)
        return Judged(found, nodes, values, of_model)

    def alone(self, layer: Layer, of_model: ModelRules) -> set[tuple[str, tuple[str | int, ...]]]:
        """Rule and path of each error that a model's rules find in a layer without the rest of a shot."""
        given = {key: node for key, node in layer.items() if plain(node) is not None}
        nodes = sized(given)
        found = _of_values(of_model, nodes)
        values = {key: plain(node) for key, node in nodes.items() if key not in _keys(found)}
        found += of_model.whole(values)
        return {(each.rule, each.path) for each in found if each.severity == "error" and each.path[0] in given}

    def _about(self, values: Mapping[str, Any], of_model: ModelRules, known: list[Finding]) -> list[Finding]:
        """What the code has to say: model, texts, pictures."""
        found = self._about_model(values, known) if "model" in values else []
        found += rules.texts(values, of_model)
        if not values.keys().isdisjoint(ROLES):
            found += self.pictures.judge(values, of_model)
        return found

    def _about_model(self, values: Mapping[str, Any], known: list[Finding]) -> list[Finding]:
        """What is to be said of the model, and of the resolution at it, unless that is said."""
        name = values["model"]
        if name not in self._model_findings:
            self._model_findings[name] = rules.model(name, self.models)
        found = [self._model_findings[name]]
        if (model := self.models.get(name)) is not None and _keys(known).isdisjoint(("resolution", "size")):
            found.append(rules.unpriced(model, values))
        return [each for each in found if each is not None]


def _among(values: Mapping[str, Any], wrong: Collection[str | int], of_model: ModelRules) -> list[Finding]:
    """What is wrong among the values, with what holds for keys that aren't written."""
    full = {**default_values(), **values}
    for key in wrong:
        full.pop(str(key), None)
    return [each for each in of_model.whole(full) if each.path[0] not in wrong]


def _of_values(of_model: ModelRules, layer: Mapping[str, Node]) -> list[Finding]:
    return [each for key in of_model.keys if key in layer for each in of_model.value(key, plain(layer[key]))]


def _keys(found: Collection[Finding]) -> set[str | int]:
    return {each.path[0] for each in found if each.severity == "error"}
