"""A shot list becomes effective shots, or all its problems with their places."""

import json
import os
import re
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.harness.served import NARROWED, OMNI, SERVED
from veopipe.documents import schema
from veopipe.manifest.families import ShotRules
from veopipe.manifest.shots import Picture, Shot, load_manifest
from veopipe.pipeline.reading import load_pipeline
from veopipe.profiles.reading import built_in
from veopipe.takes.order import Order
from veopipe.text import is_blank

FAST, STANDARD = "veo-3.1-fast-generate-preview", "veo-3.1-generate-preview"
PICTURES = Path(__file__).parents[1] / "rules" / "pictures"


@pytest.fixture
def project(tmp_path):
    """Writes files, loads `shots.yaml` with or without a pipeline."""

    class Project:
        folder = tmp_path

        def load(self, text, overrides="", **more):
            (tmp_path / "shots.yaml").write_text(text, encoding="utf-8")
            pipeline = None
            if overrides:
                (tmp_path / "pipelines").mkdir(exist_ok=True)
                (tmp_path / "pipelines" / "mine.yaml").write_text(overrides)
                pipeline, problems = load_pipeline("mine", tmp_path)
                assert problems == ()
            more = {"models": SERVED, "shown_as": "shots.yaml"} | more
            return load_manifest(tmp_path / "shots.yaml", overrides=pipeline and pipeline.overrides, **more)

        def shots(self, text, overrides="", **more):
            loaded = self.load(text, overrides, **more)
            assert loaded.problems == (), [str(problem) for problem in loaded.problems]
            return loaded.manifest.shots

        def problems(self, text, overrides="", **more):
            loaded = self.load(text, overrides, **more)
            assert loaded.manifest is None
            return [(p.file, p.line, p.column, p.rule, p.shot, p.shots) for p in loaded.problems]

    return Project()


def listing(*shots, defaults=f"{{model: {FAST}, prompt: x}}"):
    return f"version: 1\ndefaults: {defaults}\nshots:\n" + "".join(f"  {shot}\n" for shot in shots)


# --- shots ----------------------------------------------------------------------------------------------


def test_a_shot_has_every_built_in_default(project):
    shot = project.shots(f"version: 1\nshots:\n  a:\n    model: {FAST}\n    prompt: x\n")["a"]
    assert (shot.seconds, shot.resolution, shot.aspect_ratio, shot.take) == (8, "720p", "16:9", 1)
    assert (shot.negative_prompt, shot.seed, shot.pictures, shot.tags, shot.notes) == (None, None, (), (), None)


def test_what_a_shot_writes_wins_over_its_defaults_and_null_unsets(project):
    shots = project.shots(
        listing(
            "a: {}",
            "b: {seconds: 4, negative_prompt: null, prompt: y}",
            "c: {seconds: null}",
            defaults=f"{{model: {FAST}, prompt: x, seconds: 6, negative_prompt: blurry}}",
        )
        .replace("seconds: 6", "seconds: '8'")
        .replace("seconds: 4", "seconds: 8")
    )
    assert [(s.seconds, s.negative_prompt, s.prompt) for s in shots.values()] == [
        (8, "blurry", "x"),
        (8, None, "y"),
        (8, "blurry", "x"),
    ]


def test_shots_keep_their_order_and_their_spelling(project):
    assert list(project.shots(listing("z: {}", "A_b-c: {}", "001: {}", "m:"))) == ["z", "A_b-c", "001", "m"]


def test_a_ratio_needs_no_quotes(project):
    assert project.shots(listing("a: {aspect_ratio: 9:16}"))["a"].aspect_ratio == "9:16"


def test_a_size_stands_for_resolution_and_aspect_ratio(project):
    shot = project.shots(listing("a: {size: 1080x1920}"))["a"]
    assert (shot.resolution, shot.aspect_ratio) == ("1080p", "9:16")


def test_the_budget_is_exact(project):
    assert project.load("budget_usd: 0.10\n" + listing("a: {}")).manifest.budget_usd == Decimal("0.10")


def test_pictures_have_their_role_path_and_true_type(project):
    for name in ("landscape.png", "landscape.jpg"):
        (project.folder / name).write_bytes((PICTURES / name).read_bytes())
    os.rename(project.folder / "landscape.jpg", project.folder / "liar.png")
    shot = project.shots(listing("a: {input_reference: landscape.png, last_frame: ./liar.png}"))["a"]
    found = [(p.role, p.written, p.path, p.media_type) for p in shot.pictures]
    assert found == [
        ("input_reference", "landscape.png", project.folder / "landscape.png", "image/png"),
        ("last_frame", "./liar.png", project.folder / "liar.png", "image/jpeg"),
    ]


@pytest.mark.parametrize(
    ("there", "written", "said"),
    [
        ("Boat.PNG", "refs/boat.png", "there is Boat.PNG: capitals count"),
        ("cafe\u0301.png", "refs/caf\u00e9.png", "with its accents encoded otherwise: rename it"),
        ("boat.png", "refs\\boat.png", "folders are separated by /"),
        ("boat.png", "refs/goat.png", "relative to the manifest's folder"),
        ("boat.png", "nowhere/boat.png", "relative to the manifest's folder"),
    ],
)
def test_a_picture_that_only_a_mac_finds_is_named(project, there, written, said):
    (project.folder / "refs").mkdir()
    (project.folder / "refs" / there).write_bytes((PICTURES / "landscape.png").read_bytes())
    (problem,) = project.load(listing(f"a: {{input_reference: '{written}'}}")).problems
    assert problem.rule == "picture-missing"
    assert problem.message.endswith(said)


def test_reference_images_keep_their_order(project):
    for name in ("b.png", "a.png"):
        (project.folder / name).write_bytes((PICTURES / "landscape.png").read_bytes())
    text = listing("s: {reference_images: [b.png, a.png]}", defaults=f"{{model: {STANDARD}, prompt: x}}")
    assert [p.written for p in project.shots(text)["s"].pictures] == ["b.png", "a.png"]


def test_merge_keys_and_anchors_work(project):
    shots = project.shots(listing("a: &a {seed: 5, prompt: y}", "b: {<<: *a, seed: 6}"))
    assert [(s.seed, s.prompt) for s in shots.values()] == [(5, "y"), (6, "y")]


# --- places ---------------------------------------------------------------------------------------------


def test_a_wrong_value_is_where_it_was_written(project):
    assert project.problems(listing("a:", "  seconds: 5")) == [("shots.yaml", 5, 14, "seconds-values", "a", 1)]


@pytest.mark.parametrize(("size", "rule"), [("2160x3840", "size-values"), ("abc", "size-values"), ("5", "size-values")])
def test_a_wrong_size_is_where_it_was_written_and_stands_for_nothing(project, size, rule):
    assert project.problems(listing("a:", f"  size: {size}")) == [("shots.yaml", 5, 11, rule, "a", 1)]


def test_what_a_size_stands_for_is_judged_at_the_size(project):
    text = listing("a:", "  size: 3840x2160", defaults=f"{{model: {OMNI}, prompt: x}}")
    assert project.problems(text, models=NARROWED) == [("shots.yaml", 5, 11, "laozhang-omni-resolution", "a", 1)]


def test_a_wrong_default_is_one_problem_with_the_shots_that_use_it(project):
    text = listing("a: {}", "b: {seconds: 8}", "c: {}", defaults=f"{{model: {FAST}, prompt: x, seconds: 5}}")
    assert project.problems(text) == [("shots.yaml", 2, 70, "seconds-values", "a", 2)]


def test_a_rule_over_two_keys_is_at_the_one_it_restricts(project):
    text = listing(
        "a: {resolution: 4k}", "b: {resolution: 1080p}", "c: {}", defaults=f"{{model: {FAST}, prompt: x, seconds: 4}}"
    )
    problems = [p for p in project.problems(text) if p[3] != "seconds-8-recommended"]
    assert problems == [("shots.yaml", 2, 70, "high-resolution-needs-8s", "a", 2)]


def test_what_is_missing_is_at_the_shot(project):
    text = f"version: 1\nshots:\n  a: {{model: {FAST}}}\n"
    assert project.problems(text) == [("shots.yaml", 3, 3, "prompt-required", "a", 1)]


def test_an_unknown_key_is_at_the_key(project):
    assert project.problems(listing("a: {seed: 1, secnods: 4}")) == [("shots.yaml", 4, 16, "unknown-key", "a", 1)]


def test_a_duplicate_is_at_the_second(project):
    assert project.problems(listing("a: {}", "a: {}")) == [("shots.yaml", 5, 3, "yaml-duplicate-key", None, 1)]
    assert project.problems(listing("a: {}", "A: {}")) == [("shots.yaml", 5, 3, "shot-id-unique", "A", 1)]


def test_a_picture_in_a_list_is_at_its_item(project):
    (project.folder / "a.png").write_bytes((PICTURES / "landscape.png").read_bytes())
    text = listing("s: {reference_images: [a.png, b.png]}", defaults=f"{{model: {STANDARD}, prompt: x}}")
    assert project.problems(text) == [("shots.yaml", 4, 33, "picture-missing", "s", 1)]


def test_all_problems_come_in_one_go(project):
    text = "version: 2\nbudget_usd: no\nshots:\n"
    text += "  a: {model: veo-3.1, prompt: x, secnods: 1}\n  b c: {prompt: 5, take: 0}\n"
    assert [(line, rule) for _, line, _, rule, _, _ in project.problems(text)] == [
        (1, "version-known"),
        (2, "budget-amount"),
        (4, "unknown-model"),
        (4, "unknown-key"),
        (5, "model-required"),
        (5, "shot-id"),
        (5, "prompt-text"),
        (5, "take-number"),
    ]


def test_one_mistake_makes_one_problem(project):
    text = listing("a: {resolution: 1080, seconds: 8, last_frame: [x]}")
    assert [p[3] for p in project.problems(text)] == ["resolution-values", "picture-path"]


def test_a_retired_model_is_one_note_at_its_place(project):
    loaded = project.load(listing("a: {}", "b: {}"), models=built_in().models)
    assert [(p.severity, p.rule, p.line, p.shots) for p in loaded.problems] == [("info", "retired-model", 2, 2)]
    assert loaded.manifest is not None


def test_an_old_model_name_gets_its_reason(project):
    loaded = project.load(listing("a: {model: veo-3.1-fast}"))
    assert "older routes" in loaded.problems[0].message
    assert FAST in loaded.problems[0].message


def test_a_warning_leaves_the_manifest_usable(project):
    loaded = project.load(listing(f"a: {{prompt: {'灯' * 1100}}}"))
    assert [(p.severity, p.rule) for p in loaded.problems] == [("warning", "prompt-length")]
    assert loaded.manifest is not None


def test_a_hostile_prompt_makes_a_short_message(project):
    loaded = project.load(listing(f"a: {{seconds: '{'x' * 1_000_000}', ? '{'k' * 500}' : 1}}"))
    assert [p.rule for p in loaded.problems] == ["seconds-values", "unknown-key"]
    assert max(len(p.message) for p in loaded.problems) < 400


# --- overrides ------------------------------------------------------------------------------------------


def test_overrides_replace_the_same_keys_in_every_shot(project):
    shots = project.shots(
        listing("a: {}", f"b: {{model: {STANDARD}, seed: 3}}"), f"overrides: {{model: {STANDARD}, seed: 7}}\n"
    )
    assert [(s.model, s.seed, s.resolution) for s in shots.values()] == [(STANDARD, 7, "720p")] * 2


def test_a_null_override_unsets(project):
    text = listing("a: {negative_prompt: blurry}")
    assert project.shots(text, "overrides: {negative_prompt: null}\n")["a"].negative_prompt is None


def test_an_override_of_the_resolution_keeps_the_aspect_ratio_of_a_written_size(project):
    shot = project.shots(listing("a: {size: 720x1280}"), "overrides: {resolution: 1080p}\n")["a"]
    assert (shot.resolution, shot.aspect_ratio) == ("1080p", "9:16")


def test_an_override_of_the_size_replaces_resolution_and_aspect_ratio(project):
    text = listing("a: {resolution: 720p, aspect_ratio: 9:16}")
    shot = project.shots(text, "overrides: {size: 1920x1080}\n")["a"]
    assert (shot.resolution, shot.aspect_ratio) == ("1080p", "16:9")


FINAL = "version: 1\noverrides:\n  resolution: 4k\n"
MIXED = listing("SC1: {}", "SC2: {aspect_ratio: 9:16}", "hero: {}", "SC10: {}", "SC3: {size: 720x1280}", "SC11: {}")


def test_a_shot_that_only_the_overrides_make_wrong_is_the_pipelines_problem(project):
    assert project.problems(MIXED, FINAL) == [("pipelines/mine.yaml", 3, 15, "4k-is-landscape", "SC2", 2)]


def test_its_message_names_the_shots_and_the_options_that_leave_them_out(project):
    message = project.load(MIXED, FINAL).problems[0].message
    assert "2 shots: SC2, SC3" in message
    assert message.endswith("run the others: --only 'SC1*' --only hero")


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        ("overrides: {seconds: 5}\n", (1, 22, "seconds-values", "`seconds` is 4, 6 or 8; this is 5")),
        (
            "overrides:\n  resolution: 4k\n  seconds: 4\n",
            (
                *(3, 12, "high-resolution-needs-8s"),
                "1080p and 4k are made with 8 seconds only: set `seconds: 8`, or `resolution: 720p`",
            ),
        ),
    ],
    ids=["value", "combination"],
)
def test_overrides_that_are_wrong_for_every_shot_are_so_by_themselves(project, overrides, found):
    loaded = project.load(listing("a: {}", "b: {resolution: 1080p}", "c: {size: 720x1280}"), overrides)
    said = [p for p in loaded.problems if p.rule == found[2]]
    assert [(p.line, p.column, p.rule, p.message, p.file, p.shot, p.shots) for p in said] == [
        (*found, "pipelines/mine.yaml", None, 1)
    ]


def test_overrides_that_are_wrong_for_one_model_name_its_shots(project):
    text = listing("a: {}", f"b: {{model: {OMNI}}}", "c: {}")
    loaded = project.load(text, "overrides: {seconds: 5}\n")
    assert [(p.rule, p.shot, p.shots) for p in loaded.problems if p.severity == "error"] == [("seconds-values", "a", 2)]
    assert loaded.problems[0].message.endswith("2 shots: a, c); run the others: --only b")


def test_what_a_models_rules_refuse_is_the_pipelines_problem_where_it_changes_the_model(project):
    text = listing("a: {}", "b: {seconds: 5}", defaults=f"{{model: {OMNI}, prompt: x}}")
    assert project.problems(text, f"overrides: {{model: {FAST}}}\n") == [
        ("pipelines/mine.yaml", 1, 20, "seconds-values", "b", 1)
    ]


def test_two_kinds_of_wrong_shots_are_left_out_together(project):
    text = listing("a1: {aspect_ratio: 9:16}", "b1: {seconds: 4}", "c1: {}", "c2: {}")
    problems = [p for p in project.load(text, FINAL).problems if p.severity == "error"]
    assert {p.rule for p in problems} == {"4k-is-landscape", "high-resolution-needs-8s"}
    assert all(p.message.endswith("run the others: --only 'c*'") for p in problems)


@pytest.mark.parametrize("name", ["draft", "final-4k"])
def test_an_error_says_that_the_pipeline_orders_a_model_that_is_over(project, tmp_path, name):
    models = built_in().models
    (tmp_path / "shots.yaml").write_text(listing("a: {}", "b: {seconds: 5}", defaults=f"{{model: {OMNI}, prompt: x}}"))
    pipeline, _ = load_pipeline(name, tmp_path)
    loaded = load_manifest(tmp_path / "shots.yaml", overrides=pipeline.overrides, models=models, shown_as="shots.yaml")
    note, error = loaded.problems
    assert (note.rule, note.severity, error.rule, error.shot) == ("retired-model", "info", "seconds-values", "b")
    over = f"this pipeline orders every shot with {pipeline.overrides.model}, announced as switched off on 2026-10-22; "
    assert f"this is 5: {over}its successor is {OMNI}; write a model that is sold into a pipeline" in error.message
    assert "--only a" in error.message


def test_an_error_of_other_overrides_says_nothing_of_models(project):
    loaded = project.load(listing("a: {}"), f"overrides: {{model: {FAST}, seconds: 5}}\n")
    assert [problem.message for problem in loaded.problems] == ["`seconds` is 4, 6 or 8; this is 5"]


def test_shots_that_arent_selected_neednt_suit_the_overrides(project):
    loaded = project.load(MIXED, FINAL, selects=lambda shot, tags: shot not in ("SC2", "SC3"))
    assert loaded.problems == ()
    assert loaded.manifest.shots["hero"].resolution == "4k"


def test_a_manifest_must_be_right_by_itself_too(project):
    text = listing("a: {resolution: 1080p, seconds: 4}")
    assert project.problems(text, "overrides: {seconds: 8}\n") == [
        ("shots.yaml", 4, 35, "high-resolution-needs-8s", "a", 1)
    ]


def test_what_is_wrong_without_the_overrides_isnt_said_again_with_them(project):
    text = listing("a: {resolution: 1080p, seconds: 4, prompt: 5}")
    assert [(p[0], p[3]) for p in project.problems(text, FINAL)] == [
        ("shots.yaml", "high-resolution-needs-8s"),
        ("shots.yaml", "prompt-text"),
    ]


def test_an_unknown_model_of_the_overrides_is_at_the_override(project):
    assert project.problems(listing("a: {}", "b: {}"), "overrides:\n  model: veo-9\n") == [
        ("pipelines/mine.yaml", 2, 10, "unknown-model", "a", 2)
    ]


def test_a_picture_that_doesnt_suit_the_overrides_is_the_pipelines_problem(project):
    (project.folder / "square.png").write_bytes((PICTURES / "square.png").read_bytes())
    loaded = project.load(listing("a: {input_reference: square.png}"), FINAL)
    assert [(p.file, p.rule) for p in loaded.problems] == [
        ("pipelines/mine.yaml", "picture-ratio-4k"),
        ("shots.yaml", "picture-ratio"),
    ]


def test_an_override_that_takes_the_size_away_leaves_what_is_written_beside_it(project):
    text = listing("a: {size: 1920x1080}", "b: {resolution: 1080p, aspect_ratio: 9:16}")
    shots = project.shots(text, "overrides: {size: null}\n").values()
    assert [(s.resolution, s.aspect_ratio) for s in shots] == [("720p", "16:9"), ("1080p", "9:16")]


def test_the_tags_of_the_overrides_are_those_that_a_command_selects_by(project):
    """Else a shot that the overrides make wrong would be ordered."""
    text = listing("a: {aspect_ratio: 9:16}", "b: {tags: [all]}")
    loaded = project.load(text, "overrides: {tags: [all], resolution: 4k}\n", selects=lambda shot, tags: "all" in tags)
    assert [(p.rule, p.shot) for p in loaded.problems] == [("4k-is-landscape", "a")]
    loaded = project.load(text, "overrides: {tags: null, resolution: 4k}\n", selects=lambda shot, tags: "all" in tags)
    assert loaded.problems == ()


@pytest.mark.parametrize("key", ["model", "prompt"])
def test_a_shot_that_isnt_selected_may_lose_what_it_must_have(project, key):
    text = listing("a: {}", "b: {}")
    loaded = project.load(text, f"overrides: {{{key}: null}}\n", selects=lambda shot, tags: shot == "b")
    assert [(p.rule, p.shot) for p in loaded.problems] == [(f"{key}-required", "b")]


def test_a_manifest_in_a_linked_folder_is_where_the_link_leads(project):
    """As for `run`, which would otherwise accept pictures that `validate` refuses."""
    film = project.folder / "film"
    film.mkdir()
    (film / ".git").mkdir()
    for name in ("list", "shared"):
        (film / name).mkdir()
    (film / "shared" / "a.png").write_bytes((PICTURES / "landscape.png").read_bytes())
    (film / "list" / "shots.yaml").write_text(listing("a: {input_reference: ../shared/a.png}"))
    (project.folder / "link").symlink_to(film / "list")
    loaded = load_manifest(project.folder / "link" / "shots.yaml", models=SERVED)
    assert loaded.problems == ()
    assert loaded.manifest.folder == film / "list"


# --- scale ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_thousand_shots_are_judged_in_moments(project):
    lines = [
        f"s{n}: {{prompt: shot number {n}, seed: {n}, seconds: 8, resolution: 1080p, take: 1}}" for n in range(10_000)
    ]
    start = time.process_time()
    assert len(project.shots(listing(*lines), FINAL)) == 10_000
    assert time.process_time() - start < 6  # 1.1 s on an idle machine


@pytest.mark.slow
def test_ten_thousand_mistakes_are_told_in_moments(project):
    lines = [f"s{n}: {{prompt{n}: x, seconds: {n + 9}, aspect_ratio: 9:16}}" for n in range(10_000)]
    start = time.process_time()
    assert len(project.problems(listing(*lines))) == 20_000
    assert time.process_time() - start < 20


# --- texts that YAML cuts, and texts that nobody sees ---------------------------------------------------


def warned(project, *lines):
    text = f"version: 1\ndefaults: {{model: {FAST}}}\nshots:\n  a:\n" + "".join(f"    {line}\n" for line in lines)
    loaded = project.load(text)
    assert all(problem.rule == "text-cut-short" for problem in loaded.problems), loaded.problems
    return [problem.line for problem in loaded.problems]


@pytest.mark.parametrize(
    "line",
    [
        "prompt: Scene # 3: a house by the sea",
        "prompt: Scene\t# 3: a house by the sea",
        "prompt: Scene  # 3: a house by the sea",
        "prompt: Take #3 of the house",
        "prompt: A man in the jersey # 10 runs across the field",
        "prompt: Scene # the old house by the sea at night",
        "prompt: Scene #\u00a03: the house",
        "prompt: 场景 # 3：海边的灯塔",
        "prompt: A man in the jersey # 10",
        "prompt: The house # 3.",
        "prompt: &Beyond the sea",
    ],
)
def test_a_prompt_that_yaml_cuts_is_warned_of(project, line):
    assert warned(project, line) == [5]


@pytest.mark.parametrize(
    "line",
    [
        "negative_prompt: blurry # 2 heads",
        "negative_prompt: blurry # 2",
        "tags: [hero, take #2",
        "negative_prompt: &No people",
    ],
)
def test_other_texts_that_yaml_cuts_are_warned_of(project, line):
    assert warned(project, "prompt: x", line, "  ]" if "[" in line else "") == [6]


@pytest.mark.parametrize(
    "line",
    [
        "prompt: A long sentence of the film with all it needs.   # approved by Ann",
        "prompt: A long sentence of the film with all it needs. # 3 takes, please",
        "prompt: A long sentence of the film, all that it needs and more # 3 takes, please",
        "prompt: A lighthouse # approved by Ann",
        "prompt: A lighthouse    # the one in the north, which we saw last year",
        "prompt: A lighthouse at dusk # the one in the north, which we saw last year",
        "prompt: Run! # 3 takes",
        "prompt: 'Scene # 3: a house'",
        '"prompt": "Scene # 3: a house" # 3',
        "prompt: >-  # 3\n      Scene # 3: a house",
        "prompt: x#3 y",
        "prompt: x ## 3",
        "prompt: Slow push-in on the lighthouse   # 2026-11-20 approved by Ann",
        "prompt: A lighthouse # 2026-11-20 approved by Ann and by Bob",
        "prompt: A red barn in the snow  # 2nd choice",
        "prompt: A red barn # 2nd choice of all that we had",
        "prompt: A red barn in the snow # 3rd of May",
        "prompt: A red barn in the snow # 16:9, 24 fps look",
        "prompt: A red barn in the snow # 24 fps look",
        "prompt: A red barn in the snow # 50mm",
        "prompt: A red barn in the snow # 50 mm",
        "prompt: A red barn in the snow  # 3",
        "prompt: A red barn in the snow # 3 takes wanted",
        "prompt: A red barn in the snow # 20 November",
        "prompt: A red barn in the snow # 1/3",
        "prompt: A red barn in the snow # 1.5 s are enough",
        "prompt: A red barn in the snow # 20% brighter",
        "prompt: &look A red barn in the snow",
        "prompt: &Look A red barn in the snow",
        "prompt: &look_2 a red barn in the snow",
        "prompt: x #",
    ],
)
def test_a_comment_that_is_one_is_left_alone(project, line):
    assert warned(project, line) == []


@pytest.mark.parametrize(
    "line",
    [
        "notes: a lighthouse # the one in the north",
        "notes: keep   # 3 takes wanted",
        "notes: take # 2 is better",
        "notes: v2 # 3",
        "negative_prompt: blurry # 1 of the usual ones",
        "negative_prompt: &neg blurry",
        "negative_prompt: &no people",
        "negative_prompt: blurry # the usual things of this film",
        "tags: [hero] # 3 of them",
        "seed: 1  # note",
        "seed: 1 # 3 was better",
        "resolution: 720p             # 720p | 1080p | 4k",
        "aspect_ratio: 16:9 #wide",
        "notes: &n x",
    ],
)
def test_a_comment_beside_another_key_is_left_alone(project, line):
    assert warned(project, "prompt: x", line, "tags: [*n]" if "&n " in line else "") == []


INVISIBLE = "\u00a0\u00ad\u034f\u061c\u115f\u180e\u200b\u200d\u200f\u2028"
INVISIBLE += "\u202e\u2060\u2066\u2800\u3000\u3164\ufe0f\ufeff\uffa0\U000e0020\U000e0100"


@pytest.mark.parametrize("text", [*INVISIBLE, INVISIBLE, "\t\r\n\x1b\x85"], ids=ascii)
@pytest.mark.parametrize("key", ["prompt", "negative_prompt"])
def test_a_text_of_invisible_characters_is_blank(project, key, text):
    written = json.dumps(text)
    found = project.problems(listing(f"a: {{{key}: {written}}}"))
    assert [rule for _, _, _, rule, _, _ in found] == [f"{key.replace('_', '-')}-text"]
    assert "a blank text" in project.load(listing(f"a: {{{key}: {written}}}")).problems[0].message
    assert project.shots(listing(f"a: {{{key}: {json.dumps(text + 'x' + text)}}}"))["a"]


@pytest.mark.slow
def test_the_schema_and_the_code_see_the_same_characters():
    """The schema's pattern below U+10000, which every program can read; its `x-not-blank` above."""
    form = re.compile(schema.part("manifest", "$defs", "settings", "properties", "prompt")["pattern"])
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert [hex(ord(one)) for one in every[:0xF800] if (form.fullmatch(one) is None) != is_blank(one)] == []
    seen = ShotRules(SERVED)
    above = [one for one in every[0xF800:] if is_blank(one)] + every[-9:] + list("😀𠀀")
    for key in ("prompt", "negative_prompt"):
        assert [hex(ord(one)) for one in above if bool(seen.value(key, one)) != is_blank(one)] == []


def test_what_cuts_a_text_is_told_with_both_remedies(project):
    """Quotes around all of a line would make a remark a part of the prompt, and a new take of it."""
    loaded = project.load(
        listing("a: {negative_prompt: x}").replace("{negative_prompt: x}", "\n    prompt: Scene # 3: x")
    )
    (message,) = [problem.message for problem in loaded.problems]
    assert (
        "if it belongs to the text, put all of it in quotes; if it is a remark, put it on a line of its own" in message
    )


# --- what a shot asks for -----------------------------------------------------------------------------------


def shot(**changed):
    settings = {
        "model": FAST,
        "prompt": "A lighthouse",
        "seconds": 8,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "negative_prompt": None,
        "seed": None,
        "pictures": (),
        "take": 1,
        "takes": 1,
        "tags": (),
        "notes": None,
    }
    return Shot(**settings | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"tags": ("hero",), "notes": "for the opening"},
        {"prompt": "  A lighthouse\n"},
        {"model": f" {FAST}"},
        {"negative_prompt": ""},
        {"negative_prompt": " \n"},
    ],
    ids="+".join,
)
def test_a_cosmetic_edit_changes_nothing_of_the_order(changed):
    assert shot(**changed).order({}) == Order(FAST, "A lighthouse", 8, "720p", "16:9", None, None, (), 1)


def test_a_renamed_picture_with_the_same_content_changes_nothing_of_the_order(tmp_path):
    one = Picture("input_reference", "refs/a.png", tmp_path / "refs" / "a.png", "image/png")
    two = Picture("input_reference", "b.png", tmp_path / "b.png", "image/png")

    assert shot(pictures=(one,)).order({one: "a" * 64}) == shot(pictures=(two,)).order({two: "a" * 64})
