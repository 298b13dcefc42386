"""The short way and jsonschema have the same verdict: on every kept file, on the border of every keyword, by chance."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.harness.figures import LONG
from tests.harness.fuzzing import corpus
from tests.harness.near_misses import ODD, Chance, documents
from veopipe.documents import keywords, schema, verdicts, yaml
from veopipe.documents.nodes import plain
from veopipe.manifest import families

TESTS = Path(__file__).parents[1]
VALUES_TRIED, SHOTS_TRIED = (100_000, 100_000) if LONG else (5_000, 1_000)
"""Generated values of all schemas together, and generated shots, each judged rule by rule."""
Verdict = Callable[[Any], bool]


def refused(reference: str) -> Verdict:
    raise AssertionError(reference)


def by_both(entry: Any, value: Any) -> tuple[bool, bool]:
    """What the two say of a value of an entry that refers to no other."""
    return verdicts.made(entry, refused)(value), keywords.Validator(entry).is_valid(value)


def by_both_of(name: str, value: Any, *steps: str) -> tuple[bool, bool]:
    """The verdicts of the two on a value of a schema."""
    errors = schema._validator(name, steps).iter_errors(value)
    return schema._verdict(name, steps)(value), next(errors, None) is None


# --- files that are kept ----------------------------------------------------------------------------------


@cache
def kept() -> tuple[tuple[str, Any], ...]:
    """Every document of the rules and of the fuzzers' corpus, and some real ones, each with its name."""
    return tuple(_read())


def _read() -> Iterator[tuple[str, Any]]:
    for path in [*sorted(TESTS.glob("rules/*/*.yaml")), *corpus("yaml"), *corpus("state"), *corpus("plan")]:
        root = yaml.read(path.read_bytes(), path.name).root if path.is_file() else None
        if root is not None:
            yield f"{path.parent.name}/{path.name}", plain(root)
    for name in schema.NAMES:
        yield from ((f"{name} {number}", each) for number, each in enumerate(documents(name)))


@pytest.mark.parametrize("name", schema.NAMES)
def test_both_have_the_same_verdict_on_every_kept_file(name: str) -> None:
    """Each by each schema: those of other files are wrong in ways that nobody thought of."""
    found = {file: by_both_of(name, value) for file, value in kept()}

    assert len(found) > 700
    assert [file for file, (short, full) in found.items() if short != full] == []


# --- what the two could see differently --------------------------------------------------------------------

VALUES = [*ODD, 2, 3, 4, 2.5, "ab", "abc", [1], [1, 2], [1, 2, 3], ["a"], {"a": 1}, {"a": 1.0}, {"a": True}, {"b": 1}]
VALUES += [{"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, {"a": "x", "c": None}, [[1, True]], [[1.0, True]], [[1, 1]]]
VALUES += [["a", "a\n"], {"a\n": 1}, {"A": 1}, [{}], [[], {}], "ab\n", "\nab", Decimal("1.0"), -(2**70)]
ENTRIES: list[Any] = [
    *({"type": kind} for kind in ("null", "boolean", "integer", "number", "string", "array", "object")),
    *({"type": kinds} for kinds in ([], ["integer", "null"], ["number", "boolean"], ["string", "object"])),
    *({"const": value} for value in VALUES if not isinstance(value, str)),
    *(
        {"enum": choices}
        for choices in ([], [1, "a"], [True, "true"], [None, 0], [1.0], [[1, True]], [{"a": 1}], ["a", ["a"]])
    ),
    *({keyword: 1} for keyword in ("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems")),
    *({keyword: bound} for keyword in ("minimum", "maximum", "exclusiveMinimum") for bound in (1.0, 2.5, 2**63, -0.0)),
    *({keyword: 2} for keyword in ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")),
    *({"pattern": pattern} for pattern in ("^ab$", "a", "^[a-z]*$", "^(?:a|ab)$", "^$", "^.*$", r"^\S+$", r"^\d$")),
    *({"pattern": r"^[\s\S]*$", "x-not-blank": said} for said in (True, False)),
    *({"items": inner} for inner in (True, False, {}, {"type": "integer"}, {"minItems": 1}, {"items": {"const": 1}})),
    *({"properties": {"a": inner}} for inner in (True, False, {"type": "number"}, {"const": 1})),
    *({"additionalProperties": inner} for inner in (True, False, {}, {"type": "integer"})),
    *({"properties": {"a": True}, "additionalProperties": inner} for inner in (True, False, {"const": 2})),
    {"properties": {"a": False}, "additionalProperties": False},
    *({"propertyNames": inner} for inner in (True, False, {"pattern": "^[a-z]$"}, {"maxLength": 1}, {"enum": ["a"]})),
    *({"required": keys} for keys in ([], ["a"], ["a", "b"])),
    *({keyword: [{"type": "integer"}, {"minimum": 1}]} for keyword in ("allOf", "anyOf", "oneOf")),
    *({keyword: [{"type": "string"}, {"type": "null"}, False]} for keyword in ("allOf", "anyOf", "oneOf")),
    *({keyword: []} for keyword in ("allOf", "anyOf", "oneOf")),
    *({"not": inner} for inner in (True, False, {}, {"type": "object"}, {"required": ["a"]})),
    {"if": {"type": "integer"}, "then": {"minimum": 2}},
    {"if": {"type": "integer"}, "else": {"type": "string"}},
    {"if": {"type": "integer"}, "then": {"minimum": 2}, "else": {"type": "string"}},
    {"if": {"type": "integer"}},
    {"if": True, "then": False},
    {"if": False, "then": False, "else": {"type": "string"}},
    {"then": False, "else": False},
    {"if": {"required": ["a"]}, "then": {"properties": {"a": {"const": 1}}}, "x-rule": "r", "x-severity": "warning"},
    {
        "type": "string",
        "default": 1,
        "examples": [2],
        "title": "t",
        "description": "d",
        "$comment": "c",
        "$defs": {"a": False},
    },
    True,
    False,
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: json.dumps(entry, default=repr)[:60])
def test_both_have_the_same_verdict_on_the_border_of_a_keyword(entry: Any) -> None:
    found = [(value, *by_both(entry, value)) for value in VALUES]

    assert [value for value, short, full in found if short is not full] == []


def test_every_keyword_is_tried() -> None:
    assert {key for entry in ENTRIES if isinstance(entry, dict) for key in entry} >= {*verdicts._MAKERS} - {"$ref"}


# --- by chance ---------------------------------------------------------------------------------------------

SHARES = {"manifest": 0.4}
REST = (1 - sum(SHARES.values())) / (len(schema.NAMES) - len(SHARES))


@pytest.mark.parametrize("name", schema.NAMES)
def test_both_have_the_same_verdict_on_values_by_chance(name: str, figures: Callable[..., None]) -> None:
    chance = Chance(name, random.randrange(2**32) if LONG else 1)
    right = [value for _, value in kept() if schema._verdict(name, ())(value)]
    counted: Counter[bool] = Counter()
    for _ in range(int(VALUES_TRIED * SHARES.get(name, REST))):
        value = chance.document(right)
        short, full = by_both_of(name, value)
        assert short == full, value
        counted[full] += 1
        if full and len(right) < 1_000:
            right.append(value)

    assert min(counted[True], counted[False]) > sum(counted.values()) / 20, counted  # neither is an exception
    figures(inputs=sum(counted.values()))


SHOT = schema.part("manifest", "$defs", "shot")
RULES = [entry for part in ("shot", "order") for entry in schema.part("manifest", "$defs", part)["allOf"]]
RULES += [entry for family in families.families().values() for entry in (*family["allOf"], *family["x-advice"])]
RULES += [entry for family in families.families().values() for entry in family["$defs"]["values"]["allOf"]]


def test_both_have_the_same_verdict_on_shots_by_chance_and_on_advice(figures: Callable[..., None]) -> None:
    """Rule by rule: an advice that isn't followed is a finding, too."""
    by_rule = [(verdicts.made(entry, refused), keywords.Validator(entry)) for entry in RULES if "$ref" not in entry]
    chance, right = Chance("manifest", random.randrange(2**32) if LONG else 2), [{"model": "m", "prompt": "p"}]
    broken: set[int] = set()
    for _ in range(SHOTS_TRIED):
        shot = chance.changed(right[-1]) if chance.tosses() else chance.value(SHOT)
        found = [(short(shot), full.is_valid(shot)) for short, full in by_rule]
        assert [RULES[number] for number, (short, full) in enumerate(found) if short is not full] == [], shot
        broken.update(number for number, (_, full) in enumerate(found) if not full)
        if isinstance(shot, dict) and shot:
            right.append(shot)

    assert len(broken) > 0.9 * len(by_rule)
    figures(inputs=SHOTS_TRIED)


def test_what_is_said_of_a_broken_comparison_is_what_jsonschema_finds(figures: Callable[..., None]) -> None:
    """These findings are made without it: advice meets lists that are right."""
    rules = [(entry, schema._comparison(entry)) for entry in RULES]
    short = [(schema._validator_of(entry), found) for entry, found in rules if found is not None]
    chance, right, said = Chance("manifest", random.randrange(2**32) if LONG else 3), [{"model": "m"}], Counter[str]()
    for _ in range(SHOTS_TRIED):
        shot = chance.changed(right[-1]) if chance.tosses() else chance.value(SHOT)
        if isinstance(shot, dict) and shot:
            right.append(shot)
        for full, findings in short:
            if expected := [schema._finding(error) for error in full.iter_errors(shot)]:
                assert findings(shot) == expected, shot
                said.update(each.rule for each in expected)

    assert len(short) > 0.5 * len(RULES)
    assert len(said) > 0.8 * len({schema.rule_of(entry).id for entry, found in rules if found is not None})
    figures(inputs=SHOTS_TRIED)


# --- what isn't known, and what isn't loaded -----------------------------------------------------------------


@pytest.mark.parametrize(
    "keyword", ["uniqueItems", "multipleOf", "contains", "$schema", "$id", "minContains", "format"]
)
@pytest.mark.parametrize(
    "around", [lambda said: said, lambda said: {"items": said}, lambda said: {"if": said, "then": {}}]
)
def test_a_keyword_that_isnt_known_raises(keyword: str, around: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=f"`{keyword}`".replace("$", r"\$")):
        verdicts.made(around({"type": "string", keyword: 1}), refused)


@pytest.mark.parametrize("kinds", ["text", ["string", "text"]])
def test_a_type_that_isnt_known_raises(kinds: Any) -> None:
    with pytest.raises(ValueError, match="no type text"):
        verdicts.made({"type": kinds}, refused)


def test_an_entry_by_itself_refers_to_no_other() -> None:
    with pytest.raises(ValueError, match="by itself"):
        schema.checker({"$ref": "#/$defs/settings"})


@pytest.mark.parametrize("name", schema.NAMES)
def test_every_keyword_of_a_schema_is_known_and_every_reference_leads_somewhere(name: str) -> None:
    seen: set[str] = set()

    def known(file: str, reference: str) -> Verdict:
        other, _, pointer = reference.partition("#/")
        where = f"{other.removesuffix('.schema.json') or file} {pointer}"
        if where not in seen:
            seen.add(where)
            verdicts.made(
                schema.part(where.split()[0], *pointer.split("/")), lambda inner: known(where.split()[0], inner)
            )
        return lambda _: True

    for part in schema._bare(name).get("$defs", {}).keys() - {"families"}:  # by name, and each is referred to
        known(name, f"#/$defs/{part}")
    verdicts.made(schema._bare(name), lambda reference: known(name, reference))


LOADED = """
import sys
from veopipe.cli.main import main
code = main(sys.argv[1:])
print(code, *(name for name in ("jsonschema", "referencing", "rpds", "attr") if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("prompt", "ends"),
    [("A lighthouse at sunset", "0"), ("A lighthouse, seconds: 4", "0"), ("' '", "2 jsonschema referencing rpds attr")],
    ids=["right", "advised", "wrong"],
)
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_jsonschema_is_loaded_only_when_something_is_wrong(
    tmp_path: Path, command: str, prompt: str, ends: str
) -> None:
    written = f"version: 1\nshots:\n  a: {{model: veo-3.1-generate-preview, prompt: {prompt}}}\n"
    (tmp_path / "shots.yaml").write_text(written, "utf-8")
    (tmp_path / "pipeline.yaml").write_text("version: 1\nprovider: {profile: laozhang}\n", "utf-8")
    words = [sys.executable, "-c", LOADED, command, "shots.yaml", "--pipeline", "pipeline.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines()[-1] == ends, done.stdout + done.stderr
