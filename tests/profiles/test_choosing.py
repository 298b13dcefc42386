"""A pipeline chooses a profile, and what it says beside it wins."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from veopipe.errors import Problem
from veopipe.pipeline.pipeline import Pipeline
from veopipe.pipeline.reading import load_pipeline
from veopipe.profiles.reading import built_in

OMNI = "gemini-omni-1.2-flash"
MINE = """\
version: 1
name: mine
dialect: videos
base_url: https://gateway.example
api_key_env: MY_KEY
status_endpoint: generations
poll: {interval: 2s}
models: {m: {family: gemini-omni, price: {per_call: 1}, retention: 7d}}
"""


def chosen(folder: Path, text: str) -> tuple[Pipeline | None, tuple[Problem, ...]]:
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "mine.yaml").write_text(MINE)
    (folder / "p.yaml").write_text(text)
    return load_pipeline(str(folder / "p.yaml"), folder)


def right(folder: Path, text: str) -> Pipeline:
    pipeline, problems = chosen(folder, text)
    assert problems == ()
    assert pipeline is not None
    return pipeline


def test_what_depends_on_the_gateway_is_the_profiles(tmp_path: Path) -> None:
    pipeline = right(tmp_path, "provider: {profile: mine}\n")
    provider = pipeline.provider
    assert (provider.base_url, provider.api_key_env) == ("https://gateway.example", "MY_KEY")
    assert (provider.status_endpoint, provider.profile.name) == ("generations", "mine")
    assert list(provider.models) == ["m"]
    assert (pipeline.poll.interval, pipeline.poll.timeout) == (2, 900)  # the second one is the schema's
    assert provider.keeps("m") == 7 * 86_400


def test_what_the_pipeline_says_beside_it_wins(tmp_path: Path) -> None:
    text = "provider: {profile: mine, base_url: 'http://127.0.0.1:9', api_key_env: X, status_endpoint: videos}\n"
    pipeline = right(tmp_path, text + "poll: {interval: 3s}\n")
    provider = pipeline.provider
    assert (provider.base_url, provider.api_key_env) == ("http://127.0.0.1:9", "X")
    assert (provider.status_endpoint, pipeline.poll.interval) == ("videos", 3)


def test_a_model_of_the_pipeline_has_the_rules_of_what_it_is_like(tmp_path: Path) -> None:
    text = f"""\
provider:
  models:
    a: {{price_usd: 0.20, like: {OMNI}}}
    b: {{price: {{per_second: {{720p: 0.05}}}}, family: gemini-omni}}
    c: {{price_usd: 0.20}}
    {OMNI}: {{price_usd: 0.25}}
    veo-3.1-fast-generate-preview: {{price_usd: 0.25}}
"""
    models = right(tmp_path, text).provider.models
    assert [models[name].family for name in "abc"] == ["gemini-omni", "gemini-omni", "veo-3.1"]
    assert [models[name].retention for name in "abc"] == [7 * 86_400, 48 * 3600, 48 * 3600]
    assert models["b"].price.at("720p", 8) == Decimal("0.40")
    fast, known = models["veo-3.1-fast-generate-preview"], built_in().models["veo-3.1-fast-generate-preview"]
    assert (fast.price.per_call, fast.retired, fast.list_price) == (Decimal("0.25"), None, known.list_price)
    assert (models[OMNI].family, models[OMNI].price.per_call) == ("gemini-omni", Decimal("0.25"))
    assert built_in().models[OMNI].price.at("720p", 8) == Decimal("0.30")  # which is shared, and as it was


@pytest.mark.parametrize(
    ("text", "rule", "line", "words"),
    [
        ("provider:\n  profile: laozang\n", "profile-known", 2, "did you mean laozhang?"),
        ("provider:\n  profile: ../../secret.yaml\n", "profile-known", 2, "outside the manifest's folder"),
        ("provider:\n  profile: new-api\n", "profile-known", 2, "base_url"),
        ("provider:\n  profile: google\n  status_endpoint: videos\n", "status-endpoint", 3, "speaks interactions"),
        ("provider:\n  account_user: 7\n", "account-user", 2, "the profile laozhang has another account log"),
        ("provider:\n  models:\n    a: {price_usd: 1, like: veo-4}\n", "model-like", 3, OMNI),
        ("provider:\n  models:\n    a: {price: {per_call: 0.1234567891}}\n", "price-per-call", 3, "9 decimals"),
    ],
)
def test_what_goes_wrong_has_its_place(tmp_path: Path, text: str, rule: str, line: int, words: str) -> None:
    pipeline, problems = chosen(tmp_path, text)
    assert pipeline is None
    assert [(problem.rule, problem.line) for problem in problems] == [(rule, line)]
    assert words in problems[0].message


def test_the_problems_of_a_profile_come_with_those_of_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(MINE.replace("dialect: videos", "dialect: smoke"))
    pipeline, problems = chosen(tmp_path, "provider: {profile: ./bad.yaml}\nlimits: {in_flight: 0}\n")
    assert pipeline is None
    assert [(problem.rule, problem.line) for problem in problems] == [("in-flight", 2), ("profile-dialect", 3)]
    assert problems[1].file == "./bad.yaml"


OF_YESTERDAY = """\
provider:
  base_url: https://api.laozhang.ai
  api_key_env: VEOPIPE_API_KEY
  status_endpoint: videos
  models: {}
  require_ledger: false
poll: {interval: 15s, timeout: 15m}
"""


def test_a_pipeline_that_was_copied_before_there_were_profiles_means_what_it_meant(tmp_path: Path) -> None:
    """`pipelines/default.yaml` wrote these keys out, and people were told to copy it."""
    copied, empty = right(tmp_path, OF_YESTERDAY), right(tmp_path, "version: 1\n")
    assert copied == empty
    assert copied.provider.profile == built_in()
