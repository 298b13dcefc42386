"""Rules by family: which ones a shot has, what an editor knows of them, and models with rules of their own."""

import dataclasses
import itertools
import json

import jsonschema
import pytest

from tests.harness.served import LAOZHANG, NARROWED, OMNI, SERVED
from veopipe.documents import schema
from veopipe.manifest import editors, families
from veopipe.manifest.families import ModelRules, ShotRules
from veopipe.manifest.shots import load_manifest
from veopipe.profiles.reading import built_in, built_in_names

VEO = "veo-3.1-fast-generate-preview"
OLDER = "gemini-omni-1.1-flash"
OWN = "my-model"
MODELS = {**SERVED, OWN: dataclasses.replace(SERVED[VEO], name=OWN)}


def written(defaults, *shots):
    """A list as plain values; a key whose value is `...` isn't written."""
    given = [{key: value for key, value in settings.items() if value is not ...} for settings in (defaults, *shots)]
    return {"version": 1, "defaults": given[0], "shots": {f"s{n}": shot for n, shot in enumerate(given[1:])}}


@pytest.fixture
def problems(tmp_path):
    """The problems of a list."""

    def found(document, models=MODELS):
        path = tmp_path / "shots.json"
        path.write_text(json.dumps(document), "utf-8")  # JSON is YAML
        return load_manifest(path, models=models, shown_as="shots.json").problems

    return found


def errors(found):
    return [(problem.rule, problem.shot, problem.shots) for problem in found if problem.severity == "error"]


# --- which rules ----------------------------------------------------------------------------------------


def test_each_shot_has_the_rules_of_its_model(problems):
    settings = {"prompt": "x", "seconds": 5, "resolution": "1080p"}
    document = written({**settings, "model": VEO}, {}, {"model": OMNI}, {"model": OLDER, "seconds": 12})
    assert errors(problems(document)) == [("seconds-values", "s0", 1), ("omni-seconds", "s2", 1)]


def test_a_model_that_nobody_knows_has_only_what_holds_for_every_model(problems):
    document = written({"prompt": "x", "model": "veo-9"}, {"seconds": 5, "size": "640x360"}, {"seconds": 61})
    assert errors(problems(document)) == [("unknown-model", "s0", 2), ("seconds-number", "s1", 1)]


def test_a_model_of_a_family_that_nobody_knows_has_only_what_holds_for_every_model(problems):
    settings = {"prompt": "x " * 2000, "model": "any-model", "seed": 1, "negative_prompt": "no people"}
    assert errors(problems(written(settings, {"seconds": 60}, {"size": "2160x3840", "seconds": 1}))) == []


def test_an_own_model_that_says_nothing_else_has_the_rules_of_the_api_document(problems):
    assert errors(problems(written({"prompt": "x", "model": OWN}, {"seconds": 5}))) == [("seconds-values", "s0", 1)]


@pytest.mark.parametrize("seconds", [12, 99])
def test_a_number_that_only_looks_like_a_right_one_is_no_guess(seconds, problems):
    (found,) = problems(written({"prompt": "x", "model": OMNI}, {"seconds": seconds}))
    assert found.message.endswith(f"; this is {seconds}")


def test_a_model_that_isnt_sold_is_told_with_what_may_be_meant(problems):
    (found,) = problems(written({"prompt": "x", "model": "gemini-omni-flash"}, {}))
    assert f"did you mean {OMNI}? Others: provider.models in the pipeline" in found.message


def test_a_value_that_no_model_can_have_is_told_in_the_words_of_the_models_rule(problems):
    found = problems(written({"prompt": "x", "seconds": "eight"}, {"model": VEO}, {"model": OMNI}))
    assert [(p.rule, p.message) for p in found] == [
        (
            "omni-seconds",
            'Gemini Omni makes 3 to 10 seconds: `seconds` is a whole number from 3 to 10; this is "eight"',
        ),
        ("seconds-values", '`seconds` is 4, 6 or 8; this is "eight"'),
    ]


def test_what_may_not_be_at_all_is_said_with_what_to_do_and_without_the_value(problems):
    (found,) = problems(written({"prompt": "x", "model": OMNI, "negative_prompt": "blurry"}, {}))
    assert found.message.startswith("Gemini Omni takes no `negative_prompt`: say in the prompt what shouldn't be seen")
    assert "blurry" not in found.message


@pytest.mark.parametrize("unused", [True, False])
@pytest.mark.parametrize("models", [[VEO], [VEO, OWN], [OMNI], [VEO, OMNI], [None, OMNI], [None]])
def test_a_default_is_wrong_for_the_models_that_use_it_or_for_all_where_none_does(problems, models, unused):
    """`None` stands for a shot with the default model."""
    own = {"seconds": 8} if unused else {}
    shots = [{**own, **({"model": model} if model else {})} for model in models]
    found = [rule for rule, _, _ in errors(problems(written({"prompt": "x", "model": VEO, "seconds": 5}, *shots)))]
    named = {VEO, *(model or VEO for model in models)}
    using = named if unused else {model or VEO for model in models}
    veo_refuses = (OMNI not in using) if unused else bool(using & {VEO, OWN})
    assert found == (["seconds-values"] if veo_refuses else [])


# --- what an editor knows -------------------------------------------------------------------------------

SETTINGS = [
    {"seconds": 5},
    {"seconds": 8},
    {"seconds": None},
    {},
    {"resolution": "4k", "aspect_ratio": "9:16"},
    {"seconds": 2},
    {"negative_prompt": "blurry", "seed": 7},
    {"seconds": 4, "resolution": "1080p"},
]


def some(*choices):
    """Every eleventh combination: so each value meets each other one, many times."""
    return itertools.islice(itertools.product(*choices), 0, None, 11)


@pytest.mark.slow
@pytest.mark.parametrize("default", [..., VEO, OMNI, OWN])
def test_an_editor_never_sees_an_error_where_veopipe_sees_none(problems, default):
    """Lists of two shots: each with a model of its own or without, and settings in the defaults and on the shots."""
    agreed = 0
    for defaults, first, second, one, two in some(
        SETTINGS, SETTINGS, SETTINGS[:2], [..., VEO, OMNI], [..., VEO, OWN, None]
    ):
        document = written(
            {"model": default, "prompt": "x", **defaults}, {"model": one, **first}, {"model": two, **second}
        )
        if schema.check("manifest", document):
            assert errors(problems(document)) != [], document
            agreed += 1
    assert agreed > 40


@pytest.mark.parametrize("model", [VEO, OMNI])
@pytest.mark.parametrize("settings", SETTINGS)
def test_an_editor_sees_each_error_that_a_shot_shows_by_itself(problems, model, settings):
    for document in (
        written({}, {"model": model, "prompt": "x", **settings}),
        written({"model": model}, {"prompt": "x", **settings}),
    ):
        assert bool(schema.check("manifest", document)) == bool(errors(problems(document))), document


# --- a model's own rules --------------------------------------------------------------------------------


def rule(name, **keys):
    return {"x-rule": name, "x-message": f"the message of {name}", "x-source": "a page", **keys}


BETWEEN = rule(
    "short-at-720p",
    **{"if": {"properties": {"resolution": {"const": "720p"}}, "required": ["resolution"]}},
    then={"properties": {"seconds": {"enum": [5, None]}}},
)


def of_own(*own, family="gemini-omni"):
    return ModelRules(families.families()[family], own)


def test_own_rules_narrow_those_of_the_family(problems):
    settings = {"prompt": "x", "model": OMNI}
    document = written(settings, {"resolution": "4k"}, {"size": "3840x2160"}, {"seconds": 2}, {"resolution": "360p"})
    assert errors(problems(document, NARROWED)) == [
        ("laozhang-omni-resolution", "s0", 1),
        ("laozhang-omni-resolution", "s1", 1),
        ("omni-seconds", "s2", 1),
    ]
    assert errors(problems(document)) == [("omni-seconds", "s2", 1)]


def test_a_picture_without_a_form_field_is_refused_with_what_to_do_and_one_with_it_isnt(problems):
    document = written({"prompt": "x", "model": OMNI}, {"reference_images": ["a.png"]})
    (found,) = [problem for problem in problems(document, NARROWED) if problem.rule == "picture-undeclared"]
    assert f"`reference_images` for {OMNI}" in found.message
    assert "a profile of your own, `pictures: {reference_images: FIELD}`" in found.message
    declared = dataclasses.replace(NARROWED[OMNI], pictures={"reference_images": "images"})
    assert {rule for rule, _, _ in errors(problems(document, {OMNI: declared}))} == {"picture-missing"}
    assert {rule for rule, _, _ in errors(problems(document))} == {"picture-missing"}  # in the other dialect


def test_the_most_particular_rule_speaks(problems):
    found = problems(written({"prompt": "x", "model": OMNI}, {"resolution": "480p"}), NARROWED)
    assert [problem.rule for problem in found] == ["laozhang-omni-resolution"]


def test_a_warning_of_its_own_hides_no_error_of_the_family():
    own = rule("short", **{"x-severity": "warning"}, then={"properties": {"seconds": {"maximum": 5}}})
    assert [f.rule for f in of_own(own).value("seconds", 11)] == ["omni-seconds"]
    assert [(f.rule, f.severity) for f in of_own(own).value("seconds", 6)] == [("short", "warning")]


@pytest.mark.parametrize("seconds", [6, "6"])
def test_a_bound_holds_for_a_length_however_it_is_written(seconds):
    alone = rule("short", then={"properties": {"seconds": {"maximum": 5}}})
    beside = rule(
        "short",
        **{"if": {"properties": {"resolution": {"const": "1080p"}}, "required": ["resolution"]}},
        then={"properties": {"seconds": {"maximum": 5}}},
    )
    assert [f.rule for f in of_own(alone).value("seconds", seconds)] == ["short"]
    shot = {"model": OMNI, "prompt": "x", "resolution": "1080p", "seconds": seconds}
    assert [f.rule for f in of_own(beside).whole(shot)] == ["short"]
    assert of_own(beside).whole(shot | {"seconds": 5}) == ()
    assert of_own(beside).whole(shot | {"resolution": "720p"}) == ()


def test_a_length_of_its_own_may_be_written_as_a_text():
    own = of_own(rule("five", then={"properties": {"seconds": {"enum": [5, None]}}}))
    assert own.value("seconds", "5") == ()
    assert [f.message for f in own.value("seconds", "6")] == ['the message of five; this is "6"']


def test_a_built_in_default_that_a_model_cant_have_is_said_at_the_shot(problems):
    own = (rule("five", then={"properties": {"seconds": {"enum": [5, None]}}}),)
    models = {OMNI: dataclasses.replace(SERVED[OMNI], rules=own)}
    (found,) = problems(written({"prompt": "x", "model": OMNI}, {}, {"seconds": 5}), models)
    assert (found.rule, found.shot, found.shots) == ("five", "s0", 1)
    assert found.message == "the message of five; this is 8, because no `seconds` is written"


def test_a_rule_between_keys_counts_what_isnt_written(problems):
    models = {OMNI: dataclasses.replace(SERVED[OMNI], rules=(BETWEEN,))}
    document = written({"prompt": "x", "model": OMNI}, {}, {"seconds": 5}, {"resolution": "1080p"})
    assert errors(problems(document, models)) == [("short-at-720p", "s0", 1)]


def test_models_without_rules_of_their_own_share_verdicts():
    every, narrowed = ShotRules(SERVED), ShotRules(NARROWED)
    assert every.of(OMNI) is every.of(OLDER) is not every.of(VEO)
    assert narrowed.of(OMNI) is narrowed.of(OMNI) is not narrowed.of(OLDER)


def test_the_rules_of_a_profile_have_the_form_of_those_of_a_family():
    for entry in LAOZHANG:
        assert {"x-rule", "x-message", "x-source"} <= entry.keys()


def test_every_rule_is_of_all_models_or_of_families():
    of_all = {each.id for each in families.rules_for_all()}
    by_family = {name: {each.id for each in families.rules_of(name)} for name in families.families()}
    assert of_all | set().union(*by_family.values()) == {each.id for each in schema.rules("manifest")}
    assert {"seconds-number", "size-agrees", "last-frame-needs-first-frame", "model-required"} <= of_all
    assert by_family["veo-3.1"] & by_family["gemini-omni"] == set()
    assert {name for name in by_family["gemini-omni"] if not name.startswith("omni-")} == set()


# --- editors --------------------------------------------------------------------------------------------


def test_the_schema_has_what_an_editor_needs_for_each_family():
    entries = [entry for entry in schema.load("manifest")["allOf"] if "$comment" in entry]
    wanted = [editors.conditions(name, f"#/$defs/families/{name}") for name in families.families()]
    assert entries == list(itertools.chain.from_iterable(wanted))


def exactly(models, document):
    """Whether a list is right by the exact schema of some models, as other programs see it."""
    return jsonschema.Draft202012Validator(editors.exact(models)).is_valid(document)


def test_the_exact_schema_knows_the_models_own_rules(problems):
    for settings in ({"resolution": "4k"}, {"size": "3840x2160"}, {"input_reference": "a.png"}, {"resolution": "360p"}):
        document = written({"prompt": "x"}, {"model": OMNI, **settings})
        is_right = errors(problems(document, NARROWED)) == [] or "size" in settings  # what it stands for is veopipe's
        assert exactly(NARROWED, document) is is_right
        assert schema.check("manifest", document) == []


@pytest.mark.parametrize("name", built_in_names())
def test_the_exact_schema_of_a_built_in_profile_is_a_right_schema(name):
    models = built_in(name).models
    jsonschema.Draft202012Validator.check_schema(editors.exact(models))
    for model in models:
        assert exactly(models, written({"prompt": "x", "model": model}, {}))
        assert not exactly(models, written({"prompt": "x", "model": model}, {"seconds": 11}))
        assert not exactly(models, written({"prompt": "x", "model": model, "seconds": 11}, {"seconds": 8}))


def test_the_exact_schema_of_a_profile_has_no_error_where_veopipe_has_none(problems):
    models = {**NARROWED, "odd/~name": dataclasses.replace(SERVED[OMNI], name="odd/~name", rules=(BETWEEN,))}
    validator = jsonschema.Draft202012Validator(editors.exact(models))
    for defaults, first, one, two in some(
        SETTINGS, SETTINGS, [..., VEO, OMNI, "odd/~name"], [VEO, OMNI, "odd/~name", "nobody"]
    ):
        document = written({"prompt": "x", "model": two, **defaults}, {"model": one, **first}, {})
        assert validator.is_valid(document) or errors(problems(document, models)) != [], document


def test_advice_of_a_model_is_no_error_of_the_exact_schema():
    own = rule("short", **{"x-severity": "warning"}, then={"properties": {"seconds": {"maximum": 5}}})
    models = {OMNI: dataclasses.replace(SERVED[OMNI], rules=(own,))}
    assert exactly(models, written({"prompt": "x", "model": OMNI}, {"seconds": 9}))
