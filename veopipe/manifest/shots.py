"""Reads and checks a shot list: YAML becomes effective shots, or all the problems that it has.

Rules that hold here (docs/design.md, 3):

* A manifest must be right by itself, and with the pipeline's overrides.
* All problems come in one go, one per rule and place; a place is where the value was written.
* A value that is wrong by itself isn't compared with other keys, so that one mistake makes one problem.
* Cost is linear: values are checked per shot, verdicts of rules are cached by what they read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from veopipe.documents import schema, yaml
from veopipe.documents.nodes import Layer, MappingNode, Node, ScalarNode, SequenceNode, place, plain
from veopipe.documents.problems import Finding, Findings, Place
from veopipe.documents.schema import ShotRules
from veopipe.errors import Problem
from veopipe.manifest import rules
from veopipe.manifest.layers import merged, overridden, sized
from veopipe.manifest.pictures import PictureFacts
from veopipe.pipeline import Overrides
from veopipe.profiles.profile import Model
from veopipe.profiles.reading import built_in
from veopipe.takes.order import Order, OrderedPicture

Selects = Callable[[str, Sequence[str]], bool]
"""Whether a command is about a shot, by its id and tags."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a shot refers to.

    Attributes:
        role: what it is for, one of `rules.ROLES`.
        written: its path as in the manifest.
        path: absolute.
        media_type: by content, such as `image/png`.
    """

    role: str
    written: str
    path: Path
    media_type: str


@dataclass(frozen=True, slots=True)
class Shot:
    """One wanted video, effective: defaults, then the shot, then overrides; built-in defaults filled in.

    Attributes:
        seconds: 4, 6 or 8.
        take: the n-th wanted result of this order, from 1.
    """

    model: str
    prompt: str
    seconds: int
    resolution: str
    aspect_ratio: str
    negative_prompt: str | None
    seed: int | None
    pictures: tuple[Picture, ...]
    take: int
    tags: tuple[str, ...]
    notes: str | None

    def order(self, hashes: Mapping[Picture, str]) -> Order:
        """What is asked for: texts stripped at both ends, a blank negative prompt left out.

        Args:
            hashes: the sha256 of each of the shot's pictures.
        """
        return Order(
            model=self.model.strip(),
            prompt=self.prompt.strip(),
            seconds=self.seconds,
            resolution=self.resolution,
            aspect_ratio=self.aspect_ratio,
            negative_prompt=(self.negative_prompt or "").strip() or None,
            seed=self.seed,
            pictures=tuple(OrderedPicture(picture.role, hashes[picture]) for picture in self.pictures),
            take=self.take,
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """A shot list without errors.

    Attributes:
        folder: what paths in it are relative to, absolute.
        shots: id → shot, in order.
        budget_usd: the most that it may cost, US dollars, or None.
    """

    folder: Path
    shots: Mapping[str, Shot]
    budget_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A manifest, or None if it has an error; and all its problems, sorted by place."""

    manifest: Manifest | None
    problems: tuple[Problem, ...]


def load_manifest(
    path: Path,
    *,
    overrides: Overrides | None = None,
    models: Mapping[str, Model] | None = None,
    shown_as: str | None = None,
    selects: Selects | None = None,
) -> Loaded:
    """Read and check a shot list.

    Args:
        path: the file.
        overrides: the pipeline's; they have been checked by themselves.
        models: every model that can be ordered; default: those of the default profile.
        shown_as: the file's name in problems; default: `path` as given.
        selects: which shots the command is about; the others needn't be right with the overrides.
    """
    read = yaml.load(path, shown_as=shown_as)
    if read.root is None:
        return Loaded(None, read.problems)
    folder = path.absolute().parent.resolve()  # as `project` does: of a linked folder, the folder that it leads to
    known = built_in().models if models is None else models
    reader = _Reader(read, folder, overrides or Overrides(), known, selects)
    budget = reader.read(read.root)
    problems = sorted((*read.problems, *reader.problems()), key=lambda p: (p.file, p.line, p.column, p.rule))
    if any(problem.severity == "error" for problem in problems):
        return Loaded(None, tuple(problems))
    return Loaded(Manifest(folder, reader.shots, budget), tuple(problems))


class _Reader:
    """Reads the nodes of one manifest; leaves shots and findings."""

    def __init__(
        self,
        read: yaml.Document,
        folder: Path,
        overrides: Overrides,
        models: Mapping[str, Model],
        selects: Selects | None,
    ) -> None:
        self.shots: dict[str, Shot] = {}
        self._chosen: list[str] = []
        self._findings = Findings()
        self._file, self._cut = read.file, read.cut
        self._overrides = overrides
        self._selects = selects
        self._models = models
        self._model_findings: dict[str, Finding | None] = {}
        self._wrong_defaults: list[tuple[Finding, Place]] = []
        self._rules = ShotRules()
        self._pictures = rules.Pictures(folder)

    def problems(self) -> tuple[Problem, ...]:
        return self._findings.problems(self._chosen)

    def read(self, root: Node) -> Decimal | None:
        """Everything; returns the budget."""
        self._check_frame(root)
        if not isinstance(root, MappingNode):
            return None
        defaults, shots = root.items.get("defaults"), root.items.get("shots")
        layer: Layer = defaults.items if isinstance(defaults, MappingNode) else {}
        if isinstance(defaults, MappingNode):
            self._wrong_defaults = self._check_keys(defaults, None)
        if isinstance(shots, MappingNode):
            self._check_ids(shots)
            for shot, node in shots.items.items():
                self._read_shot(shot, Place(self._file, *shots.keys[shot]), node, layer)
        budget = root.items.get("budget_usd")
        is_amount = isinstance(budget, ScalarNode) and type(budget.value) in {int, float}
        return Decimal(budget.text) if isinstance(budget, ScalarNode) and is_amount else None

    def _check_frame(self, root: Node) -> None:
        """Check the manifest's own keys; of `defaults` and `shots` only the type, the rest comes later."""
        frame = plain(root) if not isinstance(root, MappingNode) else {k: _kind(k, v) for k, v in root.items.items()}
        for finding in schema.check("manifest", frame):
            if finding.rule in ("model-required", "prompt-required"):
                continue  # each effective shot is asked for them
            self._findings.add(finding, finding.place(self._file, root))

    def _check_ids(self, shots: MappingNode) -> None:
        entry = schema.part("manifest", "properties", "shots", "propertyNames")
        form = re.compile(entry["pattern"])
        seen: dict[str, str] = {}
        for shot, where in shots.keys.items():
            if not form.fullmatch(shot):
                for found in schema.check("manifest", shot, "properties", "shots", "propertyNames"):
                    self._findings.add(found, Place(self._file, *where), shot)
            first = seen.setdefault(shot.casefold(), shot)
            if first != shot:
                message = f"the ids {first} and {shot} differ in upper and lower case only: their files would collide"
                self._findings.add(rules.SHOT_ID_UNIQUE.finding(message, (shot,)), Place(self._file, *where), shot)

    def _check_keys(self, layer: MappingNode, shot: str | None) -> list[tuple[Finding, Place]]:
        """Check each key of `defaults` or of a raw shot by itself; returns what is wrong, and where."""
        wrong = []
        for key, node in layer.items.items():
            for finding in self._rules.value(key, plain(node)):
                where = finding.place(self._file, layer)
                self._findings.add(finding, where, shot)
                wrong.append((finding, where))
            if self._cut and key in rules.TEXTS:
                self._check_cut(key, node, shot)
        return wrong

    def _check_cut(self, key: str, node: Node, shot: str | None) -> None:
        """Note a text, or one of a list, that YAML has probably cut."""
        for text in node.items if isinstance(node, SequenceNode) else [node]:
            cut = self._cut.get((text.line, text.column))
            if cut is not None and isinstance(text, ScalarNode) and (found := rules.cut_short(key, text.text, cut)):
                self._findings.add(found, Place(self._file, text.line, text.column), shot)

    def _read_shot(self, shot: str, where: Place, node: Node, defaults: Layer) -> None:
        wrong: set[str | int] = set()
        if isinstance(node, MappingNode):
            wrong = {finding.path[0] for finding, _ in self._check_keys(node, shot)}
            written: Layer = node.items
        else:
            for finding in schema.check("manifest", plain(node), "$defs", "settings"):
                self._findings.add(finding, Place(self._file, node.line, node.column), shot)
            if plain(node) is not None:
                return
            written = {}
        for finding, place_of_default in self._wrong_defaults:
            if finding.path[0] not in written:
                self._findings.add(finding, place_of_default, shot)
                wrong.add(finding.path[0])
        layer = merged(defaults, written)
        own = sized(layer)
        findings, values = self._judge(own, wrong)
        for finding in findings:
            self._findings.add(finding, self._place_of(finding, own, where), shot)
        values = self._finish(shot, layer, findings, values, wrong)
        if not self._findings.has_errors:
            self.shots[shot] = self._made(values)

    def _finish(
        self, shot: str, layer: Layer, known: list[Finding], own: dict[str, Any], wrong: Collection[str | int]
    ) -> dict[str, Any]:
        """The shot's values with the overrides; a rule that only these break is the pipeline's problem."""
        nodes, findings, values = self._overrides.nodes, known, own
        if nodes:
            findings, values = self._judge(overridden(layer, nodes), set(wrong) - nodes.keys())
        if self._selects is not None and not self._selects(shot, values.get("tags", ())):
            # The command isn't about this shot: it needn't suit the overrides, but it keeps what every shot has.
            return {key: own[key] for key in ("model", "prompt") if key in own} | values
        self._chosen.append(shot)
        said = {(finding.rule, finding.path) for finding in known}
        for finding in findings:
            if (finding.rule, finding.path) not in said:
                self._findings.add(finding, self._override_place(finding), shot, with_overrides=True)
        return values

    def _judge(self, shot: Layer, wrong: Collection[str | int]) -> tuple[list[Finding], dict[str, Any]]:
        """Findings about an effective shot, and its values; keys that are wrong by themselves are left out."""
        values: dict[str, Any] = {key: plain(node) for key, node in shot.items() if key not in wrong}
        found = [f for f in self._rules.whole(values) if f.path[0] not in wrong]
        if "model" in values:
            found += self._about_model(values, found)
        found += rules.texts(values)
        if not values.keys().isdisjoint(rules.ROLES):
            found += self._pictures.judge(values)
        return found, values

    def _about_model(self, shot: Mapping[str, Any], known: list[Finding]) -> Iterator[Finding]:
        """What is to be said of the model, and of an effective shot's resolution at it, unless that is said."""
        name = shot["model"]
        if name not in self._model_findings:
            self._model_findings[name] = rules.model(name, self._models)
        if (about := self._model_findings[name]) is not None:
            yield about
        is_said = any(finding.path[0] in ("resolution", "size") for finding in known if finding.severity == "error")
        model = self._models.get(name)
        if model is not None and not is_said and (unpriced := rules.unpriced(model, shot)) is not None:
            yield unpriced

    def _place_of(self, finding: Finding, shot: Layer, fallback: Place) -> Place:
        """The place of the value that a finding is about; if it is missing, the place of the shot's id."""
        node = shot.get(str(finding.path[0]))
        if node is None:
            return fallback
        return Place(self._file, *place(node, finding.path[1:]))

    def _override_place(self, finding: Finding) -> Place:
        """The override that makes a shot wrong: of the restricted key, or else of a key that the rule reads."""
        nodes = self._overrides.nodes
        reads = [str(finding.path[0]), *sorted(finding.reads)]
        if {"resolution", "aspect_ratio"} & set(reads):
            reads.append("size")
        key = next((key for key in reads if key in nodes), next(iter(nodes)))
        return Place(self._overrides.file, nodes[key].line, nodes[key].column)

    def _made(self, values: Mapping[str, Any]) -> Shot:
        full = {**rules.built_in(), **values}
        seed = full.get("seed")
        return Shot(
            model=full["model"],
            prompt=full["prompt"],
            seconds=int(full["seconds"]),
            resolution=full["resolution"],
            aspect_ratio=full["aspect_ratio"],
            negative_prompt=full.get("negative_prompt"),
            seed=None if seed is None else int(seed),
            pictures=self._pictures_of(full),
            take=int(full["take"]),
            tags=tuple(full.get("tags", ())),
            notes=full.get("notes"),
        )

    def _pictures_of(self, values: Mapping[str, Any]) -> tuple[Picture, ...]:
        found = []
        for path, written in rules.named(values):
            facts = self._pictures.facts(written)
            if isinstance(facts, PictureFacts):
                found.append(Picture(str(path[0]), written, facts.path, facts.media_type))
        return tuple(found)


def _kind(key: str, node: Node) -> object:
    """A value as the first check sees it: a scalar as it is, a mapping or list without its content."""
    if isinstance(node, MappingNode):
        return {"a": {}} if key == "shots" and node.items else {}
    return [None] * len(node.items) if isinstance(node, SequenceNode) else node.value
