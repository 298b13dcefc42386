"""Applies the rules that are data: `schemas/*.schema.json`. Their own words become the messages.

A rule is an entry of a schema that carries `x-rule` (id), `x-message` (the sentence) and `x-source`; `x-severity`
where it isn't an error. A rule that isn't obeyed becomes a `Finding` in those words.

`verdicts` knows whether a value is right, and of one that isn't `keywords` knows what is wrong.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from veopipe.documents import packaged, verdicts
from veopipe.documents.problems import Finding, Rule
from veopipe.text import is_blank, printable

NAMES = (
    "manifest",
    "bible",
    "pipeline",
    "profile",
    "state",
    "plan",
    "report",
    "review",
    "decisions",
    "frame",
    "cut",
    "lock",
    "clips",
)

Schema = verdicts.Schema
Check = Callable[[object], list[Finding]]

UNKNOWN_KEY = Rule("unknown-key", "error", "there is no such key", "veopipe, Manifest")
KEY_SPELLING = Rule("key-spelling", "error", "keys are written in snake_case", "veopipe, Manifest")
FORBIDDEN_KEY = Rule(
    "forbidden-key", "error", "some parameters can't or needn't be written", "API document, Core Parameters"
)


def read_text(name: str) -> str:
    """The text of a schema file; `name` is one of `NAMES`."""
    return (packaged.folder("schemas") / f"{name}.schema.json").read_text("utf-8")


@cache
def load(name: str) -> Schema:
    """A schema as a mapping. Don't change it: it is shared."""
    loaded: Schema = json.loads(read_text(name))
    return loaded


def part(name: str, *steps: str) -> Schema:
    """A part of a schema: `part("manifest", "$defs", "settings")`."""
    found = load(name)
    for step in steps:
        found = found[step]
    return found


def entry_of(name: str, path: tuple[str | int, ...]) -> Schema:
    """The entry that says what a value may be.

    Args:
        name: the schema, one of `NAMES`.
        path: keys and indexes down to the value.
    """
    file, entry = name, load(name)
    for step in path:
        within = entry.get("properties", {}).get(step)
        entry = within or (entry["items"] if isinstance(step, int) else entry["additionalProperties"])
        if "$ref" in entry:
            file, steps = _target(file, entry["$ref"])
            entry = part(file, *steps)
    return entry


def rules(name: str) -> list[Rule]:
    """Every rule of a schema, in order, each id once. The README's table is made from them."""
    found: dict[str, Rule] = {}
    for entry in _walk(load(name)):
        found.setdefault(entry["x-rule"], rule_of(entry))
    return list(found.values())


def rule_of(entry: Schema) -> Rule:
    """The rule that an entry of a schema states; where it states none, the rule is called `schema`."""
    return Rule(
        entry.get("x-rule", "schema"),
        entry.get("x-severity", "error"),
        entry.get("x-message", ""),
        entry.get("x-source", ""),
    )


def check(name: str, value: object, *steps: str) -> list[Finding]:
    """Everything that is wrong with a value.

    Args:
        name: the schema, one of `NAMES`.
        value: plain values as from JSON or `nodes.plain`.
        steps: the part of the schema that applies; default: all of it.
    """
    if _verdict(name, steps)(value):
        return []
    return [_finding(error) for error in _validator(name, steps).iter_errors(value)]


def checker(entry: Schema) -> Check:
    """A function that says what is wrong with a value by one entry; the entry refers to no other."""
    is_right, validator = verdicts.made(entry, _refused), cache(partial(_validator_of, entry))
    findings = _comparison(entry)
    if findings is not None:  # advice meets many lists that are right; its words are known without jsonschema
        return lambda value: [] if is_right(value) else findings(value)
    return lambda value: [] if is_right(value) else [_finding(error) for error in validator().iter_errors(value)]


def _comparison(entry: Schema) -> Check | None:
    """What says what is wrong by a rule that only restricts values of some keys, each in one way; None: it is another.

    The rule must be broken by the value, which is a mapping.
    """
    then: Schema = entry.get("then", {})
    limits: Schema = then.get("properties", {})
    ways = [said.keys() - {"errorMessage"} for said in limits.values()]
    is_one = {"x-rule", "if", "then"} <= entry.keys() and set(verdicts.asserted(entry)) == {"if"}
    if not is_one or then.keys() != {"properties"} or any(way not in ({"enum"}, {"type"}) for way in ways):
        return None
    rule, reads = rule_of(entry), frozenset(keys_read(entry))
    rights = [(key, verdicts.made(said, _refused)) for key, said in limits.items()]

    def findings(value: Any) -> list[Finding]:
        wrong = (key for key, right in rights if key in value and not right(value[key]))
        return [rule.finding(rule.message, (key,), reads=reads) for key in wrong]

    return findings


@cache
def _verdict(name: str, steps: tuple[str, ...]) -> verdicts.Verdict:
    entry = part(name, *steps) if steps else _bare(name)
    return verdicts.made(entry, partial(_referred, name))


def _referred(name: str, reference: str) -> verdicts.Verdict:
    """The verdict of what an entry refers to; made when first asked for, as an entry may refer to itself."""
    where = _target(name, reference)
    return lambda value: _verdict(*where)(value)


def _refused(reference: str) -> verdicts.Verdict:
    raise ValueError(f"an entry that stands by itself can't refer to {reference}")


def _target(name: str, reference: str) -> tuple[str, tuple[str, ...]]:
    """The schema and the steps in it that a `$ref` in a schema names."""
    other, _, pointer = reference.partition("#/")
    return other.removesuffix(".schema.json") or name, tuple(pointer.split("/"))


@cache
def _validator(name: str, steps: tuple[str, ...]) -> Any:
    pointer = "".join(f"/{step}" for step in steps)
    return _validator_of({"$ref": f"{name}.schema.json#{pointer}"})


def _validator_of(entry: Schema) -> Any:
    from veopipe.documents import keywords  # loads jsonschema, which takes as long as a whole command

    return keywords.Validator(entry, registry=_registry())


@cache
def _registry() -> Any:
    from veopipe.documents import keywords

    return keywords.registry({name: _bare(name) for name in NAMES})


def _bare(name: str) -> Schema:
    return {key: value for key, value in load(name).items() if key != "$schema"}


def _walk(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("x-rule"), str):  # else it is a property of that name
            yield node
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item)


# --- findings -------------------------------------------------------------------------------------------


def _finding(error: Any) -> Finding:
    path = tuple(error.absolute_path)
    entry: Any = error.schema
    if error.validator == "additionalProperties":
        return unknown_key(entry, str(path[-1]), path)
    rule, reads = rule_of(entry), frozenset(keys_read(entry))
    if error.validator == "required":
        return rule.finding(rule.message or f"`{error.message}` is missing", (*path, error.message), reads=reads)
    of_key = error.validator == "propertyNames"
    if "if" in entry:
        return rule.finding(rule.message, path, of_key=of_key, reads=reads)
    message = rule.message or printable(error.message)
    if not entry.get("x-hide-value") and entry.get("type") != "null":  # what may not be at all needn't be shown
        message += f"; this is {_shown(error.instance)}{_advice(error, entry)}"
    return rule.finding(message, path, of_key=of_key)


def unknown_key(entry: Schema, key: str, path: tuple[str | int, ...]) -> Finding:
    """The finding about a key that a mapping doesn't have: with the right key, the reason, or a guess."""
    shown = printable(key, 60)
    if key in entry.get("x-forbidden", {}):
        return FORBIDDEN_KEY.finding(f"`{shown}` can't be used: {entry['x-forbidden'][key]}", path, of_key=True)
    right = _right_key(entry, key)
    if right:
        return KEY_SPELLING.finding(f"`{shown}` is written `{right}` here", path, of_key=True)
    return UNKNOWN_KEY.finding(f"there is no key `{shown}`; {_guess(entry, key)}", path, of_key=True)


def _right_key(entry: Schema, key: str) -> str | None:
    """The mapping's own key for one that is spelt otherwise, or None."""
    known = entry.get("properties", {})
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).replace("-", "_").casefold()
    found: str | None = entry.get("x-spellings", {}).get(key) or next((k for k in (key, snake) if k in known), None)
    return found


def _guess(entry: Schema, key: str) -> str:
    known = entry["properties"]
    odd = _ODD_SPACE.search(key)
    if odd:
        return f"it holds an unusual space (U+{ord(odd[0]):04X}): type the line again"
    for name in known:
        section = _resolved(known[name])
        if reason := section.get("x-forbidden", {}).get(key):
            return f"it can't be used: {reason}"
        if right := _right_key(section, key):
            return f"write `{right}` under `{name}`"
    close = difflib.get_close_matches(key[:60].casefold(), known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"the keys are {', '.join(known)}"


def _resolved(entry: Schema) -> Schema:
    """An entry, or the one that it refers to; without a file in front that is one of the manifest's schema."""
    if "$ref" not in entry:
        return entry
    name, steps = _target("manifest", entry["$ref"])
    return part(name, *steps)


def keys_read(entry: Schema) -> set[str]:
    """The keys of a shot that a rule compares."""
    found = set(entry.get("required", ()))
    for branch in ("if", "then"):
        found.update(entry.get(branch, {}).get("properties", ()))
        found.update(entry.get(branch, {}).get("required", ()))
    return found if "x-rule" in entry else set()


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "a blank text" if is_blank(value) else f'"{printable(value, 60)}"'
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else f"{value}"


# Characters that look like a space, such as the no-break space; they come with pasted text.
_ODD_SPACE = re.compile("[\xa0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]")
_KEY_WITHOUT_SPACE = re.compile(r"[A-Za-z_]{1,40}:\S|[A-Za-z_]{1,40}:\s")


# Type that is wanted, types that were written → what to do.
_TYPE_ADVICE = (
    ("string", (bool, int, float), ": put it in quotes to make it text"),
    ("string", (list, dict), ": a text that begins with [ or {, or holds `: `, needs quotes"),
    ("array", (str,), ": write a list, such as [a, b]"),
    ("object", (list,), ": write `name:` instead of `-`"),
)


def _advice(error: Any, entry: Schema) -> str:
    """What to do about a value, if that can be guessed."""
    value = error.instance
    if "enum" in entry:
        return _closest(value, entry["enum"])
    wanted = entry.get("type", ()) if error.validator == "type" else ()
    wanted = [wanted] if isinstance(wanted, str) else wanted
    for kind, written, advice in _TYPE_ADVICE:
        if kind in wanted and isinstance(value, written):
            return advice
    if "object" in wanted and isinstance(value, str) and _KEY_WITHOUT_SPACE.match(value):
        return ": there is no space, or an unusual one, after its colon"
    return ""


def _closest(value: object, choices: list[object]) -> str:
    """The one of the choices that was most likely meant; a number that looks like another one isn't."""
    if isinstance(value, int) and isinstance(choices[0], int):
        return ""
    written = str(value)[:60].casefold()
    named = [str(choice) for choice in choices if choice is not None]
    close = difflib.get_close_matches(written, named, n=1, cutoff=0.5 if len(written) < 6 else 0.75)
    return f": did you mean {close[0]}?" if close else ""
