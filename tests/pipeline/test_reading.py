"""A pipeline file becomes checked values, or its problems with their places."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from veopipe.documents import schema
from veopipe.documents.nodes import plain
from veopipe.errors import UsageError
from veopipe.manifest.shots import load_manifest
from veopipe.pipeline.pipeline import Download, Limits, Notify, Poll, Provider, Verify
from veopipe.pipeline.reading import DURATIONS, built_in_pipelines, load_pipeline
from veopipe.profiles.prices import Price
from veopipe.profiles.profile import Model
from veopipe.profiles.reading import built_in
from veopipe.text import printable


def load(folder, text, name="mine"):
    (folder / "pipelines").mkdir(exist_ok=True)
    (folder / "pipelines" / f"{name}.yaml").write_text(text)
    return load_pipeline(name, folder)


def test_without_a_name_default_is_taken_from_beside_the_manifest_first(tmp_path):
    assert load_pipeline(None, tmp_path)[0].output == "renders"
    load(tmp_path, "output: elsewhere\n", "default")
    pipeline, _ = load_pipeline(None, tmp_path)
    assert (pipeline.name, pipeline.output) == ("default", "elsewhere")


def test_a_rehearsal_takes_the_built_in_rehearsal(tmp_path):
    load(tmp_path, "output: elsewhere\n", "default")
    load(tmp_path, "output: elsewhere\n", "rehearsal")
    pipeline, _ = load_pipeline(None, tmp_path, simulated=True)
    assert (pipeline.name, pipeline.output) == ("rehearsal", "renders")


def test_a_path_is_relative_to_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "my.yaml").write_text("output: mine\n")
    monkeypatch.chdir(tmp_path)
    for written in ("my.yaml", "./my.yaml", str(tmp_path / "my.yaml")):
        assert load_pipeline(written, tmp_path / "somewhere")[0].output == "mine"


@pytest.mark.parametrize("wanted", ["final4k", "no-such", "./final-4k.yaml", "", "..", "a\0b", "x.yml"])
def test_a_pipeline_that_isnt_there_says_which_are(tmp_path, wanted):
    load(tmp_path, "version: 1\n", "mine")
    with pytest.raises(UsageError) as caught:
        load_pipeline(wanted, tmp_path)
    assert "default, draft, final, final-4k, mine, nightly, rehearsal" in caught.value.hint


def test_a_misspelt_name_gets_a_guess(tmp_path):
    with pytest.raises(UsageError, match="did you mean final-4k"):
        load_pipeline("final4k", tmp_path)


@pytest.mark.parametrize("name", built_in_pipelines())
def test_a_built_in_pipeline_is_right(tmp_path, name):
    pipeline, problems = load_pipeline(name, tmp_path)
    assert problems == ()
    assert pipeline.name == name


def test_the_built_in_default_writes_out_what_holds_without_it(tmp_path):
    written, _ = load_pipeline("default", tmp_path)
    empty, _ = load(tmp_path, "version: 1\n")
    assert written.overrides.nodes == empty.overrides.nodes == {}
    assert replace(written, name="mine", overrides=empty.overrides) == empty


def test_every_key_of_the_schema_has_a_place(tmp_path):
    pipeline, _ = load_pipeline("default", tmp_path)
    for name, entry in schema.load("pipeline")["properties"].items():
        keys = entry.get("properties", {}).keys()
        assert not keys or keys == {field.name for field in fields(getattr(pipeline, name))}


def test_the_finished_names_of_the_built_in_pipelines_dont_collide(tmp_path):
    outputs = [load_pipeline(name, tmp_path)[0].output for name in ("default", "draft", "final-4k")]
    assert outputs == ["renders", "renders/draft", "renders/final"]


def test_every_value_arrives(tmp_path):
    pipeline, problems = load(
        tmp_path,
        """
version: 1
provider:
  base_url: HTTPS://Gateway.Example:443/veo/
  api_key_env: MY_KEY
  status_endpoint: generations
  models: {my-model: {price_usd: 0.10}}
  require_ledger: true
  account_token_env: MY_ACCOUNT
  token_name: veopipe on the night machine
limits: {in_flight: 9, creates_in_flight: 2, creates_per_minute: 0.5, downloads: 3, max_cost_usd: 25.10,
         deadline: 6h, retry_failed: 1, stop_after_failures: 7}
poll: {interval: 250ms, timeout: 90, adaptive: false}
download: {not_ready_interval: 1.5s, not_ready_for: 2m}
verify: {duration_tolerance: 0.5}
notify: {on: [failed], command: ./tell.sh film, webhook_env: HOOK, timeout: 3s, simulated: true}
overrides: {resolution: 720p}
output: out
ledger: .l
""",
    )
    assert problems == ()
    assert pipeline.provider == Provider(
        base_url="https://gateway.example/veo",
        api_key_env="MY_KEY",
        status_endpoint="generations",
        profile=built_in(),
        models={**built_in().models, "my-model": Model("my-model", Price(Decimal("0.10")))},
        require_ledger=True,
        account_token_env="MY_ACCOUNT",
        token_name="veopipe on the night machine",
    )
    assert pipeline.limits == Limits(
        in_flight=9,
        creates_in_flight=2,
        creates_per_minute=0.5,
        downloads=3,
        max_cost_usd=Decimal("25.10"),
        deadline=21600,
        retry_failed=1,
        stop_after_failures=7,
    )
    assert pipeline.poll == Poll(interval=0.25, timeout=90, adaptive=False)
    assert pipeline.download == Download(not_ready_interval=1.5, not_ready_for=120)
    assert pipeline.verify == Verify(duration_tolerance=0.5)
    assert pipeline.notify == Notify(
        on=frozenset({"failed"}), command=("./tell.sh", "film"), webhook_env="HOOK", timeout=3, simulated=True
    )
    assert [(key, plain(node)) for key, node in pipeline.overrides.nodes.items()] == [("resolution", "720p")]
    assert (pipeline.output, pipeline.ledger) == ("out", ".l")


def test_an_empty_section_is_as_good_as_none(tmp_path):
    pipeline, problems = load(tmp_path, "limits:\n  # in_flight: 8\noverrides:\nprovider:\n")
    assert problems == ()
    assert pipeline.limits.in_flight == 4


def test_all_problems_come_in_one_go_with_their_places(tmp_path):
    pipeline, problems = load(
        tmp_path,
        "limits:\n  in_flihgt: 4\n  downloads: 0\nprovider: {base_url: 'http://a'}\noverrides: {seconds: 61}\n",
    )
    assert pipeline is None
    assert [(p.file, p.line, p.column, p.rule) for p in problems] == [
        ("pipelines/mine.yaml", 2, 3, "unknown-key"),
        ("pipelines/mine.yaml", 3, 14, "downloads"),
        ("pipelines/mine.yaml", 4, 22, "base-url"),
        ("pipelines/mine.yaml", 5, 22, "seconds-number"),
    ]


def test_overrides_that_contradict_each_other_are_the_pipelines_problem(tmp_path):
    _, problems = load(tmp_path, "overrides:\n  resolution: 4k\n  size: 1280x720\n")
    assert [(p.line, p.column, p.rule) for p in problems] == [(2, 15, "size-agrees")]


def test_broken_yaml_is_a_problem_of_the_pipeline(tmp_path):
    assert [p.rule for p in load(tmp_path, "a: b: c\n")[1]] == ["yaml-syntax"]


MISTYPED = {
    "$VEOPIPE_API_KEY": "write it without `$`",
    "${VEOPIPE_API_KEY}": "write it without `$`",
    "$my_key": "write it without `$`",
    "VEOPIPE-API-KEY": "only letters, digits and `_`",
    "VEO_3-KEY": "only letters, digits and `_`",
    "My Key": "only letters, digits and `_`",
    "shots.": "only letters, digits and `_`",
}


@pytest.mark.parametrize(("written", "advice"), MISTYPED.items())
@pytest.mark.parametrize(
    ("section", "key", "rule"),
    [("provider", "api_key_env", "api-key-env"), ("notify", "webhook_env", "notify-webhook-env")],
)
def test_a_mistyped_name_of_a_variable_is_shown_to_who_must_correct_it(tmp_path, section, key, rule, written, advice):
    _, problems = load(tmp_path, f'{section}: {{{key}: "{written}"}}\n')
    assert [p.rule for p in problems] == [rule]
    assert advice in problems[0].message
    assert printable(f"see {written}yaml") == f"see {written}yaml"


def test_a_key_in_the_file_is_never_repeated(tmp_path):
    _, problems = load(tmp_path, "provider: {api_key_env: hunter2-hunter2, base_url: 'https://me:hunter2@x'}\n")
    assert {p.rule for p in problems} == {"api-key-env", "base-url"}
    assert not any("hunter2" in p.message for p in problems)


@pytest.mark.parametrize("name", built_in_pipelines())
def test_a_plain_list_suits_every_built_in_pipeline(tmp_path, name):
    (tmp_path / "shots.yaml").write_text("version: 1\nshots: {a: {model: veo-3.1-generate-preview, prompt: x}}\n")
    pipeline, _ = load_pipeline(name, tmp_path)
    assert load_manifest(tmp_path / "shots.yaml", overrides=pipeline.overrides).manifest is not None


@pytest.mark.parametrize("path", DURATIONS, ids=".".join)
def test_a_duration_that_has_the_form_but_not_the_length_is_a_problem(tmp_path, path):
    section, key = path
    (tmp_path / "mine.yaml").write_text(f"{section}: {{{key}: 8761h}}\n")
    loaded, problems = load_pipeline(str(tmp_path / "mine.yaml"), tmp_path)
    assert loaded is None
    assert [(p.line, p.column, "365 days" in p.message) for p in problems] == [(1, len(section) + len(key) + 6, True)]


def test_every_duration_of_a_pipeline_is_judged():
    def durations(node, path=()):
        for key, entry in node.get("properties", {}).items():
            if "duration such as" in entry.get("x-message", ""):
                yield (*path, key)
            yield from durations(entry, (*path, key))

    assert sorted(durations(schema.load("pipeline"))) == sorted(DURATIONS)


@pytest.mark.parametrize("written", ["4", "4.0", "4.", "+4"])
def test_a_whole_number_is_one_however_it_is_written(tmp_path, written):
    pipeline, problems = load(tmp_path, f"limits: {{in_flight: {written}, creates_per_minute: {written}}}\n")
    assert problems == ()
    assert [repr(n) for n in (pipeline.limits.in_flight, pipeline.limits.creates_per_minute)] == ["4", "4.0"]


def test_an_amount_is_exactly_as_it_was_written(tmp_path):
    pipeline, _ = load(tmp_path, "limits: {max_cost_usd: 12.10}\nprovider: {models: {m: {price_usd: 0.123456789}}}\n")
    price = pipeline.provider.models["m"].price.per_call
    assert (str(pipeline.limits.max_cost_usd), str(price)) == ("12.10", "0.123456789")
