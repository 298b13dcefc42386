"""The schemas themselves, and how their rules become findings in their own words."""

import itertools
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.harness.served import SERVED
from veopipe.documents import keywords, schema
from veopipe.manifest import families
from veopipe.manifest.families import ModelRules, ShotRules
from veopipe.manifest.layers import SIZES
from veopipe.profiles.reading import built_in, built_in_names

NAMES = ["manifest", "bible", "pipeline", "profile", "cut"]
API_DOCUMENT = "https://docs.laozhang.ai/en/api-capabilities/veo/official-forward"
ENTRIES = [entry for part in ("shot", "order") for entry in schema.part("manifest", "$defs", part)["allOf"]]
ENTRIES += [entry for family in families.families().values() for entry in (*family["allOf"], *family["x-advice"])]
CONDITIONAL = [entry for entry in ENTRIES if "if" in entry]
OF_VALUES = [entry for family in families.families().values() for entry in family["$defs"]["values"]["allOf"]]


def properties():
    """Every property of the two schemas: (dotted path, entry)."""

    def walk(node, path):
        if isinstance(node, dict):
            for key, entry in node.get("properties", {}).items() if "if" not in node else ():
                yield f"{path}.{key}", entry
            for key, value in node.items():
                if key not in ("allOf", "if", "then", "else", "default", "examples"):
                    yield from walk(value, f"{path}.{key}")

    return list(itertools.chain.from_iterable(walk(schema.load(name), name) for name in NAMES))


PROPERTIES = [pytest.param(entry, id=path) for path, entry in properties()]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_obeys_its_metaschema(name):
    assert schema.load(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema.load(name))


@pytest.mark.parametrize("entry", PROPERTIES)
def test_a_property_has_its_rule_and_what_an_editor_shows(entry):
    assert {"description", "markdownDescription", "examples"} <= entry.keys()
    if "$ref" not in entry:
        assert {"x-rule", "x-message", "x-source"} <= entry.keys()


@pytest.mark.parametrize("entry", PROPERTIES)
def test_a_property_says_where_it_comes_from_with_a_link_to_that_section(entry):
    text, _, source = entry["description"].partition("\n\nSource: ")
    document, _, section = entry.get("x-source", source.rstrip(".")).partition(", ")
    assert section
    if document == "API document":
        link = f"{API_DOCUMENT}#{section.casefold().replace(' ', '-')}"
        assert source == f"{document}, {section}, {link}"
        assert entry["markdownDescription"] == f"{text}\n\nSource: [{document}, {section}]({link})"
        assert f"\n{section}\n" in (Path(__file__).parents[2] / "docs" / "api-document.txt").read_text("utf-8")
    else:
        assert source == f"{document}, {section}."
        assert entry["markdownDescription"] == entry["description"]


@pytest.mark.parametrize("entry", PROPERTIES)
def test_an_example_obeys_its_property(entry):
    bare = {key: value for key, value in entry.items() if key not in ("$ref", "additionalProperties")}
    for example in [*entry.get("examples", ()), *([entry["default"]] if "default" in entry else [])]:
        assert list(keywords.Validator(bare).iter_errors(example)) == []


def test_what_an_editor_says_of_a_value_is_what_veopipe_says():
    """`errorMessage` is what yaml-language-server shows; beside `x-message` it repeats it."""

    def walk(node, message):
        if isinstance(node, dict):
            message = node.get("x-message", message)
            if "errorMessage" in node:
                yield node["errorMessage"], message
            if "x-message" in node and "pattern" in node:
                assert "errorMessage" in node, node
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from walk(value, message)

    said = [pair for name in NAMES for pair in walk(schema.load(name), None)]
    assert len(said) > 50
    assert [pair for pair in said if pair[0] != pair[1]] == []


def test_the_examples_together_are_a_manifest_a_pipeline_and_a_profile():
    for name in NAMES:
        together = {key: entry["examples"][0] for key, entry in schema.load(name)["properties"].items()}
        together.pop("api_version", None)  # of the other dialect
        assert schema.check(name, together) == []


@pytest.mark.parametrize("entry", CONDITIONAL, ids=lambda entry: entry["x-rule"])
def test_a_conditional_rule_is_sound_on_a_raw_shot(entry):
    """`if` asks for keys that are given with a value; `then` restricts values, and null is one of them."""
    for key, said in entry["if"].get("properties", {}).items():
        assert key in entry["if"]["required"]
        assert None not in said.get("enum", [said.get("const", "")])
        assert said.get("type") != "null"
    if entry["x-rule"] == "last-frame-needs-first-frame":
        return  # of an effective shot only
    assert entry["then"].keys() == {"properties"}
    for said in entry["then"]["properties"].values():
        assert said.get("type") == "null" or None in said["enum"]
        assert said["errorMessage"] == entry["x-message"]


@pytest.mark.parametrize("entry", CONDITIONAL, ids=lambda entry: entry["x-rule"])
def test_a_rule_says_no_more_of_a_value_than_its_stand_in_shows(entry):
    for branch in ("if", "then"):
        for said in entry[branch].get("properties", {}).values():
            assert said.keys() <= {"enum", "const", "type", "errorMessage"}


@pytest.mark.parametrize("entry", OF_VALUES, ids=lambda entry: entry["x-rule"])
def test_a_rule_about_a_value_lets_it_be_unset_and_has_its_own_words(entry):
    assert entry.keys() == {"x-rule", "x-message", "x-source", "properties"}
    for said in entry["properties"].values():
        assert said["errorMessage"] == entry["x-message"]
        assert "null" in said.get("type", ()) or None in said["enum"]


def test_every_pattern_is_anchored_at_both_ends():
    patterns = [
        line.split('"')[3] for n in NAMES for line in schema.read_text(n).splitlines() if '"pattern": "' in line
    ]
    assert len(patterns) > 10
    assert [p for p in patterns if not (p.startswith("^") and p.endswith("$"))] == []


def test_tables_in_code_say_what_the_schema_says():
    settings = schema.part("manifest", "$defs", "settings", "properties")
    assert {**SIZES}.keys() | {None} == set(settings["size"]["enum"])
    agreeing = [entry["if"]["properties"]["size"] for entry in ENTRIES if entry["x-rule"] == "size-agrees"]
    assert {said["const"] for said in agreeing} == {**SIZES}.keys()
    assert {r for r, _ in SIZES.values()} | {None} == set(settings["resolution"]["enum"])
    assert {a for _, a in SIZES.values()} | {None} == set(settings["aspect_ratio"]["enum"])
    named = [name for profile in built_in_names() for name in built_in(profile).models]
    assert settings["model"]["examples"] == list(dict.fromkeys(named))


def test_an_editor_knows_the_built_in_models_of_each_family():
    models = [model for profile in built_in_names() for model in built_in(profile).models.values()]
    known = {name: family["$defs"]["models"]["enum"] for name, family in families.families().items()}
    assert known == {
        family: list(dict.fromkeys(model.name for model in models if model.family == family)) for family in known
    }
    assert {model.family for model in models} == known.keys()


def test_a_key_that_is_spelt_otherwise_leads_to_a_real_one():
    settings = schema.part("manifest", "$defs", "settings")
    assert set(settings["x-spellings"].values()) <= settings["properties"].keys()
    assert not settings["x-forbidden"].keys() & settings["properties"].keys()


@pytest.mark.parametrize(
    ("key", "rule", "words"),
    [
        ("resolutoin", "unknown-key", "did you mean `resolution`?"),
        ("aspectRatio", "key-spelling", "`aspect_ratio`"),
        ("Prompt", "key-spelling", "`prompt`"),
        ("negative-prompt", "key-spelling", "`negative_prompt`"),
        ("generateAudio", "forbidden-key", "describe it in the prompt"),
        ("zzz", "unknown-key", "the keys are model, prompt"),
        ("\x1b[31m", "unknown-key", "\\u001b"),
    ],
)
def test_an_unknown_key_gets_the_right_key_or_the_reason(key, rule, words):
    (finding,) = ShotRules(SERVED).value(key, "x")
    assert (finding.rule, finding.path, finding.of_key) == (rule, (key,), True)
    assert words in finding.message


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("resolution", "4K", "did you mean 4k?"),
        ("aspect_ratio", "16x9", "did you mean 16:9?"),
        ("notes", 5, "put it in quotes"),
        ("tags", "hero", "write a list"),
        ("prompt", "  ", "a blank text"),
        ("seed", -1, "this is -1"),
        ("size", "2160x4096", '"2160x4096"'),
        ("size", "1280X720", "did you mean 1280x720?"),
        ("prompt", {"a": "x" * 100_000}, "a mapping"),
        ("seconds", "x" * 100_000, "…"),
    ],
)
def test_a_wrong_value_is_shown_shortly_with_advice(key, value, words):
    (finding,) = ShotRules(SERVED).value(key, value)
    assert words in finding.message
    assert len(finding.message) < 300


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("manifest", "prompt", "write `prompt` under `defaults`"),
        ("manifest", "aspectRatio", "write `aspect_ratio` under `defaults`"),
        ("manifest", "generateAudio", "it can't be used: the API has no audio switch"),
        ("pipeline", "resolution", "write `resolution` under `overrides`"),
        ("pipeline", "inFlight", "write `in_flight` under `limits`"),
        ("manifest", "\u00a0 version", "an unusual space (U+00A0)"),
    ],
)
def test_a_key_at_the_wrong_place_leads_to_the_right_one(name, key, words):
    found = [f.message for f in schema.check(name, {"version": 1, key: 1}) if f.of_key and f.path == (key,)]
    assert [words in message for message in found] == [True]


URLS = ["https://example.com/a.png", "HTTP://x/a.png", "data:image/png;base64,AAAA", "s3://b/a.png", " file:///a.png"]


@pytest.mark.parametrize("written", URLS)
@pytest.mark.parametrize("key", ["input_reference", "last_frame", "reference_images"])
def test_a_url_gets_the_documents_advice(key, written):
    (finding,) = ShotRules(SERVED).value(key, [written] if key == "reference_images" else written)
    assert finding.rule == "remote-picture"
    assert "save it beside the manifest and write its path; a remote URL isn't accepted" in finding.message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("prompt:x", "no space, or an unusual one"),
        ("prompt:\u00a0x", "no space, or an unusual one"),
        ([{}], "`name:` instead of `-`"),
    ],
)
def test_what_isnt_a_mapping_gets_the_likely_reason(value, words):
    (finding,) = schema.check("manifest", value, "$defs", "settings")
    assert words in finding.message


def test_every_pattern_is_one_for_every_program():
    """JavaScript without its `u` flag reads a character above U+FFFF as two, and refuses a range of them."""
    assert [one for n in NAMES for one in schema.read_text(n) if ord(one) > 0xFFFF] == []


def test_a_pattern_must_match_the_whole_text():
    names = schema.check("manifest", "a\n", "properties", "shots", "propertyNames")
    assert [finding.rule for finding in names] == ["shot-id"]


def test_a_key_is_never_shown():
    found = schema.check("pipeline", {"provider": {"api_key_env": "hunter2-hunter2"}})
    assert [f.rule for f in found] == ["api-key-env"]
    assert "hunter2" not in found[0].message


@pytest.mark.slow
@pytest.mark.parametrize("family", families.families())
def test_a_verdict_by_stand_in_is_the_verdict_of_the_schema(family):
    """All combinations of what rules read, with the cache and without it."""
    choices = {
        "model": ["veo-3.1-fast-generate-preview", "other"],
        "seconds": [None, 4, "8", 8.0],
        "resolution": [None, "1080p", "4k"],
        "aspect_ratio": [None, "16:9", "9:16"],
        "negative_prompt": [None, "blurry"],
        "input_reference": [None, "a.png"],
        "last_frame": [None, "b.png"],
        "reference_images": [None, ["a.png"], ["a.png", "b.png"]],
    }
    rules = ModelRules(families.families()[family])
    different = set()
    for values in itertools.product(*choices.values()):
        shot = {k: v for k, v in zip(choices, values, strict=True) if v is not None} | {"prompt": "x"}
        errors = [f for f in rules.whole(shot) if f.severity == "error"]
        assert sorted((f.rule, f.path) for f in errors) == sorted(
            (f.rule, f.path)
            for steps in (("order",), ("families", family))
            for f in schema.check("manifest", shot, "$defs", *steps)
            if f.rule != "schema"  # a rule about one value
        )
        different.add(tuple(f.rule for f in errors))
    assert len(different) >= (4 if family == "gemini-omni" else 20)


def test_advice_isnt_given_about_what_must_be_changed_anyway():
    shot = {"model": "m", "prompt": "x", "resolution": "4k", "seconds": 4}
    (found,) = ModelRules(families.families()["veo-3.1"]).whole(shot)
    assert found.rule == "high-resolution-needs-8s"


def test_a_schema_file_is_json_without_surprises():
    for name in NAMES:
        text = schema.read_text(name)
        assert json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n" == text
