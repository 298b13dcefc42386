"""Which rules hold for a shot: those for every model, those of its model's family, and the model's own.

* What holds for every model is `$defs/settings`, `$defs/shot` and `$defs/order` of `schemas/manifest.schema.json`.
* A family is a set of rules that models have in common: `$defs/families`. Which one a model has comes from outside.
  A model that nobody knows, or of a family that nobody knows, has only the rules for every model.
* A model's own rules narrow those of its family. They have the same form; one without `if` always holds.
* Cost is linear: a verdict is cached by the values that the rules read of a shot, not by the shot.

Source: docs/design.md, 3 (Families).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field, replace
from functools import cache
from typing import Any, Protocol

from veopipe.documents import schema
from veopipe.documents.problems import Finding, Rule
from veopipe.documents.schema import Schema
from veopipe.takes.order import ROLES
from veopipe.values import dataclass

_MOST_CACHED = 5_000  # what repeats is met early, and a long list has a seed for each shot
_SHORT = 40  # characters
_BOUNDS = ("minimum", "maximum")

UNDECLARED = Rule("picture-undeclared", "error", "the form field of a picture is known", "veopipe, Providers")


class Ruled(Protocol):
    """What is asked of a model here: whose rules it has, and which ones of its own."""

    @property
    def name(self) -> str:
        """As it is asked for."""

    @property
    def family(self) -> str:
        """The name of a family."""

    @property
    def rules(self) -> Sequence[Schema]:
        """Entries as those of a family, each with `x-rule`, `x-message` and `x-source`."""

    @property
    def pictures(self) -> Mapping[str, str] | None:
        """The kinds of pictures that can be sent, each with its form field; None: all that the dialect knows."""


def own_rules(model: Ruled) -> tuple[Schema, ...]:
    """The rules that a model has besides its family's: no picture that can't be sent, and its own ones."""
    unknown = [role for role in ROLES if model.pictures is not None and role not in model.pictures]
    return (*(_undeclared(model.name, role) for role in unknown), *model.rules)


def _undeclared(name: str, role: str) -> Schema:
    message = (
        f"it isn't known in which form field this gateway takes `{role}` for {name}, so it can't be sent: leave it "
    )
    message += f"out, or name the field in a profile of your own, `pictures: {{{role}: FIELD}}`"
    rule = {"x-rule": UNDECLARED.id, "x-message": message, "x-source": UNDECLARED.source}
    return {**rule, "then": {"properties": {role: {"type": "null"}}}}


@cache
def families() -> Mapping[str, Schema]:
    """Every family, by name."""
    found = schema.part("manifest", "$defs", "families")
    return {name: family for name, family in found.items() if isinstance(family, dict)}


@cache
def default_values() -> Mapping[str, Any]:
    """The schema's defaults: key → the value of a shot that has none, nor gets one from the list's `defaults`."""
    settings = schema.part("manifest", "$defs", "settings", "properties")
    return {key: entry["default"] for key, entry in settings.items() if "default" in entry}


@dataclass(slots=True)
class _Values:
    """Verdicts on values of keys; those on short ones are kept.

    Attributes:
        judge: makes one.
    """

    judge: Callable[[str, Any], tuple[Finding, ...]]
    _kept: dict[tuple[object, ...], tuple[Finding, ...]] = field(default_factory=dict)

    def of(self, key: str, value: Any) -> tuple[Finding, ...]:
        """What is wrong with the value of a key."""
        known = _kept_as(key, value)
        if known is not None and (kept := self._kept.get(known)) is not None:
            return kept
        found = self.judge(key, value)
        if known is not None and len(self._kept) < _MOST_CACHED:
            self._kept[known] = found
        return found


class ShotRules:
    """Applies the manifest's rules to shots, fast: 10,000 shots are judged in a second.

    * `value` judges one key's value by what holds for every model; verdicts on short values are cached.
    * `of` gives the further rules of a model.

    Args:
        models: every model that can be ordered, by name.
    """

    def __init__(self, models: Mapping[str, Ruled]) -> None:
        self._models = models
        self._of: dict[str, ModelRules] = {}

    def value(self, key: str, value: Any) -> tuple[Finding, ...]:
        """What is wrong with a key, or with its value whatever the model is."""
        return _settings().of(key, value)

    def of(self, model: object) -> ModelRules:
        """The rules of a model by its name as written; of a name that is none, the rules for every model."""
        known = self._models.get(model) if isinstance(model, str) else None
        if known is None or not (own := own_rules(known)):
            return _rules_of_family(known.family if known is not None and known.family in families() else None)
        name = str(model)
        if name not in self._of:
            self._of[name] = ModelRules(families().get(known.family, {}), own)
        return self._of[name]


class ModelRules:
    """The rules of one model, or of all that have the same ones.

    * `value` judges one key's value by the rules that the model has besides those for every model.
    * `whole` judges an effective shot by the rules that compare keys. The verdict depends only on the values that the
      rules name, so the shot is reduced to these, and the verdict is cached by the reduced shot.

    Args:
        family: an entry of `families`, or an empty one.
        own: the model's own rules.
    """

    def __init__(self, family: Schema, own: Sequence[Schema] = ()) -> None:
        self._checks = _checks_of_values([*filter(_always_holds, own), *_values_of(family)])
        between = [*_between_for_all(), *family.get("allOf", ())]
        between += [{"if": {}, **entry} for entry in own if not _always_holds(entry) or _demands(entry)]
        between += family.get("x-advice", ())
        self._between = [schema.checker(entry) for entry in between]
        self._read = _values_read(between)
        self._code = family.get("x-code", {})
        self._values = _Values(self._judged)
        self._verdicts: dict[tuple[object, ...], tuple[Finding, ...]] = {}
        unset = {key: self._about_unset(key, value) for key, value in default_values().items()}
        self._unset = {key: found for key, found in unset.items() if found}

    @property
    def keys(self) -> Iterable[str]:
        """The keys that `value` says anything about."""
        return self._checks.keys()

    def figure(self, rule: str) -> int | None:
        """The figure of a rule that stands in code, such as the tokens of a prompt; None: it doesn't hold here."""
        found: int | None = self._code.get(rule, {}).get("figure")
        return found

    def figures(self, rule: str) -> Sequence[str]:
        """The same, of a rule about some of several things, such as pictures by what they are for."""
        found: Sequence[str] = self._code.get(rule, {}).get("figure", ())
        return found

    def value(self, key: str, value: Any) -> tuple[Finding, ...]:
        """What is wrong with a value for this model; of several rules the most particular one speaks."""
        return self._values.of(key, value) if key in self._checks else ()

    def without(self, given: Set[str]) -> list[Finding]:
        """What is wrong for this model with the built-in defaults of all other keys."""
        return [each for key in self._unset.keys() - given for each in self._unset[key]] if self._unset else []

    def _judged(self, key: str, value: Any) -> tuple[Finding, ...]:
        found: dict[tuple[str | int, ...], Finding] = {}
        for check in self._checks[key]:
            for finding in _found_in(check, _as_number(key, value), value):
                path = (key, *finding.path)
                if path not in found or found[path].severity != "error":
                    found[path] = replace(finding, path=path)
        return tuple(found.values())

    def _about_unset(self, key: str, value: Any) -> tuple[Finding, ...]:
        found = self.value(key, value)
        return tuple(replace(each, message=f"{each.message}, because no `{key}` is written") for each in found)

    def whole(self, shot: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What is wrong with an effective shot; `shot` has no nulls, and only values that are right alone."""
        stand_in = {k: read.stand_in(_as_number(k, shot[k])) for k, read in self._read.items() if k in shot}
        # Here a list counts by its length alone, a text or a number by its value.
        known = tuple((k, type(v), len(v) if isinstance(v, list) else v) for k, v in stand_in.items())
        found = self._verdicts.get(known)
        if found is None:
            found = self._verdict(stand_in)
            if len(self._verdicts) < _MOST_CACHED:
                self._verdicts[known] = found
        return found

    def _verdict(self, shot: Mapping[str, object]) -> tuple[Finding, ...]:
        every = [finding for check in self._between for finding in check(shot)]
        wrong = {finding.path for finding in every if finding.severity == "error"}
        # A value that must be changed anyway needs no advice.
        return tuple(finding for finding in every if finding.severity == "error" or finding.path not in wrong)


@cache
def _settings() -> _Values:
    """Verdicts on values whatever the model is: the same for every list that a process reads."""
    settings = schema.part("manifest", "$defs", "settings")
    checks = {key: schema.checker(entry) for key, entry in settings["properties"].items()}

    def judge(key: str, value: Any) -> tuple[Finding, ...]:
        if key not in checks:
            return (schema.unknown_key(settings, key, (key,)),)
        return tuple(replace(finding, path=(key, *finding.path)) for finding in checks[key](value))

    return _Values(judge)


@cache
def _rules_of_family(family: str | None) -> ModelRules:
    """The rules of a family, or those for every model; the same for every list that a process reads."""
    return ModelRules({} if family is None else families()[family])


def rules_of(family: str) -> list[Rule]:
    """Every rule of a family that the schema states, in order, each id once."""
    entry = families()[family]
    every = [*_values_of(entry), *entry["allOf"], *entry["x-advice"]]
    return list({rule.id: rule for rule in map(schema.rule_of, every)}.values())


def rules_for_all() -> list[Rule]:
    """Every rule of the schema that holds whatever the model is, in order, each id once."""
    of_families = {rule.id for family in families() for rule in rules_of(family)}
    return [rule for rule in schema.rules("manifest") if rule.id not in of_families]


def _between_for_all() -> list[Schema]:
    """The rules between keys that hold whatever the model is."""
    return [entry for part in ("shot", "order") for entry in schema.part("manifest", "$defs", part)["allOf"]]


def _checks_of_values(entries: Iterable[Schema]) -> dict[str, list[schema.Check]]:
    """Key → the checks of its value by rules that always hold, in their order."""
    found: dict[str, list[schema.Check]] = {}
    for entry in entries:
        for key, said in _restricts(entry).items():
            found.setdefault(key, []).append(schema.checker({**_rule_keys(entry), **said}))
    return found


def _values_of(family: Schema) -> Sequence[Schema]:
    found: Sequence[Schema] = family.get("$defs", {}).get("values", {}).get("allOf", ())
    return found


def _always_holds(entry: Schema) -> bool:
    return "if" not in entry


def _demands(entry: Schema) -> bool:
    """Whether a rule wants keys to be there."""
    return "required" in entry.get("then", {})


def _restricts(entry: Schema) -> Mapping[str, Schema]:
    """Key → what its value may be, of a rule that always holds."""
    found: Mapping[str, Schema] = entry.get("then", entry).get("properties", {})
    return found


def _rule_keys(entry: Schema) -> Schema:
    return {key: value for key, value in entry.items() if key.startswith("x-")}


def _found_in(check: schema.Check, value: Any, written: Any) -> list[Finding]:
    """Findings about a value, in words about what was written."""
    found = check(value)
    return (check(written) or found) if found and written is not value else found


def _as_number(key: str, value: Any) -> Any:
    """A length that is written as a text, as a number: a rule may have bounds for it."""
    return int(value) if key == "seconds" and isinstance(value, str) and value.isdecimal() else value


def _kept_as(key: str, value: Any) -> tuple[object, ...] | None:
    """What the verdict on a value is kept under; None: it isn't, as the value is long, or a list or mapping."""
    kind = type(value)
    if kind is str:  # a text is equal to texts only, where 1, 1.0 and true are equal to one another
        return (key, value) if len(value) <= _SHORT else None
    return None if kind is list or kind is dict else (key, kind, value)


@dataclass(frozen=True, slots=True)
class _Read:
    """What rules see of a key's value: of a value that none names, only its type.

    Attributes:
        named: the values that rules name.
        is_bounded: a rule has bounds for it, so that each number counts.
    """

    named: frozenset[object]
    is_bounded: bool

    def stand_in(self, value: Any) -> object:
        """The value if a rule names it, or else one value for all others of its type: few verdicts cover all shots."""
        if isinstance(value, list):
            return ["?"] * len(value)
        if isinstance(value, dict):  # a frame of another shot is a picture as any
            return "?"
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value in self.named or (self.is_bounded and not isinstance(value, str)):
            return value
        return "?" if isinstance(value, str) else -1


def _values_read(entries: Iterable[Schema]) -> dict[str, _Read]:
    """Key → what these rules see of it."""
    named: dict[str, set[object]] = {}
    bounded = set()
    for entry in entries:
        for key in schema.keys_read(entry):
            named.setdefault(key, set())
        for key, said in _said(entry):
            named[key].update(said.get("enum", ()), [said["const"]] if "const" in said else ())
            if not said.keys().isdisjoint(_BOUNDS):
                bounded.add(key)
    return {key: _Read(frozenset(values), key in bounded) for key, values in named.items()}


def _said(entry: Schema) -> Iterator[tuple[str, Schema]]:
    for branch in ("if", "then"):
        yield from entry.get(branch, {}).get("properties", {}).items()
