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
from dataclasses import field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from veopipe.documents import schema, yaml
from veopipe.documents.nodes import Layer, MappingNode, Node, ScalarNode, SequenceNode, place, plain
from veopipe.documents.problems import Finding, Findings, Place
from veopipe.errors import Problem
from veopipe.manifest import chains, rules, texts
from veopipe.manifest.chains import Link, Linked, ValuePath
from veopipe.manifest.families import ModelRules, default_values
from veopipe.manifest.judging import Judge, Judged
from veopipe.manifest.layers import merged, overridden
from veopipe.manifest.pictures import PictureFacts
from veopipe.pipeline.pipeline import INSTEAD, Overrides
from veopipe.profiles.profile import Model
from veopipe.profiles.reading import built_in
from veopipe.takes.order import ROLES, Order, OrderedPicture
from veopipe.values import dataclass

Selects = Callable[[str, Sequence[str]], bool]
"""Whether a command is about a shot, by its id and tags."""

Scalar = str | int | float | bool | None
"""One value of a file that is neither a list nor a mapping."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a shot refers to.

    Attributes:
        role: what it is for, one of `takes.order.ROLES`.
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
        seconds: a whole number.
        take: the first wanted result of this order, from 1.
        takes: how many are wanted, from that one on.
        info: keys of the user's own, which are shown and no part of the order.
        uses: the names of the texts in its prompt and negative prompt.
    """

    model: str
    prompt: str
    seconds: int
    resolution: str
    aspect_ratio: str
    negative_prompt: str | None
    seed: int | None
    pictures: tuple[Picture | Link, ...]
    take: int
    takes: int
    tags: tuple[str, ...]
    notes: str | None
    info: Mapping[str, Scalar] = field(default_factory=dict)
    uses: frozenset[str] = frozenset()

    @property
    def files(self) -> tuple[Picture, ...]:
        """Its pictures that are files."""
        return tuple(picture for picture in self.pictures if isinstance(picture, Picture))

    @property
    def links(self) -> tuple[Link, ...]:
        """Its pictures that are frames of other shots."""
        return tuple(picture for picture in self.pictures if isinstance(picture, Link))

    def order(self, hashes: Mapping[Picture, str]) -> Order:
        """What is asked for, as its first wanted take: texts stripped at both ends, no blank negative prompt.

        Frames of other shots don't name the take yet that they are taken of.

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
            pictures=tuple(_ordered(picture, hashes) for picture in self.pictures),
            take=self.take,
        )


def _ordered(picture: Picture | Link, hashes: Mapping[Picture, str]) -> OrderedPicture:
    if isinstance(picture, Link):
        return OrderedPicture(picture.role, frame=picture.frame)
    return OrderedPicture(picture.role, hashes[picture])


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
    judge = Judge(built_in().models if models is None else models, folder)
    written = texts.write_out(read, read.root, overrides or Overrides(), folder)
    reader = _Reader(read, judge, written, selects)
    budget = reader.read(written.root)
    found = (*read.problems, *written.problems, *reader.problems())
    problems = sorted(found, key=lambda p: (p.file, p.line, p.column, p.rule))
    if any(problem.severity == "error" for problem in problems):
        return Loaded(None, tuple(problems))
    return Loaded(Manifest(folder, reader.shots, budget), tuple(problems))


class _Defaults:
    """The `defaults` of a list, and what its shots make of them.

    Attributes:
        layer: the nodes.
    """

    def __init__(self, layer: Layer, wrong: Sequence[tuple[Finding, Place]] = ()) -> None:
        self.layer = layer
        self._wrong = wrong  # for every model
        self._unused = set(layer)
        self._models: dict[ModelRules, None] = {}  # that the list names, in order

    def wrong_in(self, written: Layer) -> list[tuple[Finding, Place]]:
        """What of it is wrong for every model and concerns a shot that writes these keys itself."""
        return [(finding, where) for finding, where in self._wrong if finding.path[0] not in written]

    def used_by(self, written: Layer, of_model: ModelRules) -> None:
        """Note a shot: the keys that it writes itself, and its model's rules."""
        if self._unused:
            self._unused &= written.keys()
        self._models[of_model] = None

    def wrong_unused(self, file: str, judge: Judge) -> Iterator[tuple[Finding, Place]]:
        """What no shot uses is wrong if it is so for every model that the list names."""
        named = [*self._models, *([judge.rules_of(self.layer)] if "model" in self.layer else ())]
        for key in self._unused:
            node = self.layer[key]
            found = [of_model.value(key, plain(node)) for of_model in named]
            if found and all(found):
                yield from ((finding, Place(file, *place(node, finding.path[1:]))) for finding in found[0])
            else:
                yield from ((finding, where) for finding, where in self._wrong if finding.path[0] == key)


class _Chains:
    """The frames of other shots that the shots of a list have for pictures, and what is wrong with them."""

    def __init__(self, findings: Findings, file: str, overrides: Overrides) -> None:
        self._findings, self._file, self._overrides = findings, file, overrides
        self._linked: dict[str, Linked] = {}
        self._layers: dict[str, Layer] = {}

    def read(self, shot: str, layer: Layer, values: Mapping[str, Any]) -> Mapping[ValuePath, Link]:
        """The links of a shot; notes what is wrong with each by itself."""
        links, wrong = chains.linked(values, ROLES)
        if links or wrong:
            self._linked[shot], self._layers[shot] = Linked(links), layer
        for finding in wrong:
            self._note(finding, shot)
        return links

    def judge(self, ids: Sequence[str], shots: Mapping[str, Shot], chosen: Sequence[str]) -> None:
        """Note what is wrong between shots, once all are read.

        Args:
            ids: of all shots.
            shots: all of them, if nothing is wrong so far.
            chosen: those that the command is about. Only they, and what they wait for, must suit each other with
                the overrides.
        """
        for shot, finding in chains.judge(self._linked, ids):
            self._note(finding, shot)
        if self._findings.has_errors:
            return
        for shot in chains.upstream(self._linked, chosen) if self._overrides.nodes else self._linked:
            for path, link in self._linked[shot].links.items():
                for finding in chains.fitting(link, path, shots[shot], shots[link.shot]):
                    self._note(finding, shot)

    def _note(self, finding: Finding, shot: str) -> None:
        """Note it at the part of the picture that it is about, in the list or in the overrides."""
        role, nodes = str(finding.path[0]), self._overrides.nodes
        file, node = (self._overrides.file, nodes[role]) if role in nodes else (self._file, self._layers[shot][role])
        self._findings.add(finding, Place(file, *place(node, finding.path[1:])), shot)


class _Reader:
    """Reads the nodes of one manifest; leaves shots and findings."""

    def __init__(
        self,
        read: yaml.Document,
        judge: Judge,
        written: texts.WrittenList,
        selects: Selects | None,
    ) -> None:
        self.shots: dict[str, Shot] = {}
        self._chosen: list[str] = []
        self._findings = Findings()
        for finding, where, shot in written.wrong:
            self._findings.add(finding, where, shot)
        self._file, self._cut = read.file, read.cut
        self._overrides = written.overrides
        self._over = written.overrides.retired(judge.models)
        self._selects = selects
        self._judge = judge
        self._defaults = _Defaults({})
        self._chains = _Chains(self._findings, read.file, self._overrides)
        self._alone: dict[ModelRules, set[tuple[str, tuple[str | int, ...]]]] = {}

    def problems(self) -> tuple[Problem, ...]:
        return self._findings.problems(self._chosen)

    def read(self, root: Node) -> Decimal | None:
        """Everything; returns the budget."""
        self._check_frame(root)
        if not isinstance(root, MappingNode):
            return None
        defaults, shots = root.items.get("defaults"), root.items.get("shots")
        if isinstance(defaults, MappingNode):
            self._defaults = _Defaults(defaults.items, self._check_keys(defaults, None))
        if isinstance(shots, MappingNode):
            self._check_ids(shots)
            ids = list(shots.items)
            for shot in ids:  # a shot's nodes go as it is read, so that a long list isn't there twice
                self._read_shot(shot, Place(self._file, *shots.keys[shot]), shots.items.pop(shot))
            self._chains.judge(ids, self.shots, self._chosen)
        for finding, where in self._defaults.wrong_unused(self._file, self._judge):
            self._findings.add(finding, where)
        budget = root.items.get("budget_usd")
        is_amount = isinstance(budget, ScalarNode) and type(budget.value) in {int, float}
        return Decimal(budget.text) if isinstance(budget, ScalarNode) and is_amount else None

    def _check_frame(self, root: Node) -> None:
        """Check the manifest's own keys; of `defaults` and `shots` only the type, the rest comes later."""
        frame = plain(root) if not isinstance(root, MappingNode) else {k: _kind(k, v) for k, v in root.items.items()}
        for finding in schema.check("manifest", frame):
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
        """Check each key of `defaults` or of a raw shot by itself; returns what is wrong for every model, and where."""
        wrong = []
        for key, node in layer.items.items():
            found = self._judge.rules.value(key, plain(node))
            wrong += [(finding, finding.place(self._file, layer)) for finding in found]
            if self._cut and key in rules.TEXTS:
                self._check_cut(key, node, shot)
        return wrong

    def _check_cut(self, key: str, node: Node, shot: str | None) -> None:
        """Note a text, or one of a list, that YAML has probably cut."""
        for text in node.items if isinstance(node, SequenceNode) else [node]:
            cut = self._cut.get((text.line, text.column))
            if cut is not None and isinstance(text, ScalarNode) and (found := rules.cut_short(key, text.text, cut)):
                self._findings.add(found, Place(self._file, text.line, text.column), shot)

    def _read_shot(self, shot: str, where: Place, node: Node) -> None:
        wrong: list[tuple[Finding, Place]] = []
        if isinstance(node, MappingNode):
            wrong = self._check_keys(node, shot)
            written: Layer = node.items
        else:
            for finding in schema.check("manifest", plain(node), "$defs", "settings"):
                self._findings.add(finding, Place(self._file, node.line, node.column), shot)
            if plain(node) is not None:
                return
            written = {}
        wrong += self._defaults.wrong_in(written)
        layer = merged(self._defaults.layer, written)
        judged = self._judge.judge(layer, {finding.path[0] for finding, _ in wrong})
        for finding in judged.findings:
            self._findings.add(finding, self._place_of(finding, judged.nodes, where), shot)
        for finding, there in wrong:
            if not judged.says(finding.path):  # that is more exact than what holds for every model
                self._findings.add(finding, there, shot)
        self._defaults.used_by(written, judged.rules)
        final = self._finish(shot, layer, judged, {finding.path[0] for finding, _ in wrong})
        links = self._chains.read(shot, layer, final.values)
        if not self._findings.has_errors:
            self.shots[shot] = self._made(final, links)

    def _finish(self, shot: str, layer: Layer, own: Judged, wrong: Collection[str | int]) -> Judged:
        """The shot with the overrides; a rule that only these break is the pipeline's problem."""
        nodes, judged = self._overrides.nodes, own
        if nodes:
            right = {key: node for key, node in layer.items() if key != "size" or key in own.values}
            judged = self._judge.judge(overridden(right, nodes), set(wrong) - nodes.keys())
        if self._selects is not None and not self._selects(shot, judged.values.get("tags", ())):
            # The command isn't about this shot: it needn't suit the overrides, but it keeps what every shot has.
            needed = {key: own.values[key] for key in ("model", "prompt") if key in own.values}
            return replace(judged, values=needed | judged.values)
        self._chosen.append(shot)
        if nodes:
            self._blame_overrides(shot, judged, own)
        return judged

    def _blame_overrides(self, shot: str, judged: Judged, own: Judged) -> None:
        """Note what is wrong with the overrides and isn't without them."""
        said = {(finding.rule, finding.path) for finding in own.findings}
        for finding in judged.findings:
            if (finding.rule, finding.path) not in said:
                alone = (finding.rule, finding.path) in self._wrong_alone(judged.rules)
                place = self._override_place(finding)
                if finding.severity == "error" and self._over is not None:
                    finding = replace(finding, message=f"{finding.message}: {self._over}; {INSTEAD}")
                self._findings.add(finding, place, shot, with_overrides=True, of_overrides=alone)

    def _wrong_alone(self, of_model: ModelRules) -> Collection[tuple[str, tuple[str | int, ...]]]:
        """What of the overrides is wrong for these rules whatever a shot has, by rule and path."""
        if of_model not in self._alone:
            self._alone[of_model] = self._judge.alone(self._overrides.nodes, of_model)
        return self._alone[of_model]

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

    def _made(self, judged: Judged, links: Mapping[ValuePath, Link]) -> Shot:
        full = {**default_values(), **judged.values}
        seed = full.get("seed")
        return Shot(
            model=full["model"],
            prompt=full["prompt"],
            seconds=int(full["seconds"]),
            resolution=full["resolution"],
            aspect_ratio=full["aspect_ratio"],
            negative_prompt=full.get("negative_prompt"),
            seed=None if seed is None else int(seed),
            pictures=self._pictures_of(full, links),
            take=int(full.get("take", 1)),
            takes=int(full.get("takes", 1)),
            tags=tuple(full.get("tags", ())),
            notes=full.get("notes"),
            info=full.get("info", _NO_INFO),
            uses=texts.uses(judged.nodes),
        )

    def _pictures_of(self, values: Mapping[str, Any], links: Mapping[ValuePath, Link]) -> tuple[Picture | Link, ...]:
        found: dict[ValuePath, Picture | Link] = dict(links)
        for path, written in rules.named(values):
            facts = self._judge.pictures.facts(written)
            if isinstance(facts, PictureFacts):
                found[path] = Picture(str(path[0]), written, facts.path, facts.media_type)
        in_order = sorted(found, key=lambda path: (ROLES.index(str(path[0])), *path[1:])) if links else found
        return tuple(found[path] for path in in_order)


_NO_INFO: Mapping[str, Any] = {}
# Shots as the first check sees them: each effective one is asked for its model and its prompt later.
_SHOTS = {"a": {"model": "a", "prompt": "a"}}


def _kind(key: str, node: Node) -> object:
    """A value as the first check sees it: a scalar as it is, a mapping or list without its content."""
    if isinstance(node, MappingNode):
        return _SHOTS if key == "shots" and node.items else {}
    return [None] * len(node.items) if isinstance(node, SequenceNode) else node.value
