"""What travels with veopipe is right, and says where each figure is from."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from veopipe.dialects.videos.dialect import Videos
from veopipe.gateway.address import parse_base_url
from veopipe.pipeline.reading import load_pipeline
from veopipe.profiles.profile import Retirement
from veopipe.profiles.reading import built_in, built_in_names, read

ROOT = Path(__file__).parents[2]
HOME = ROOT / "veopipe" / "profiles"
DOCUMENT = (ROOT / "docs" / "api-document.txt").read_text("utf-8")
ROW = re.compile(r"^(veo-[a-z0-9.-]+?)\$([0-9.]+)/call\$([0-9]+\.[0-9]{2})[0-9.]+%\$([0-9]+\.[0-9]{2})[0-9.]+%$", re.M)
VEO = [model for model in built_in().models.values() if model.family == "veo-3.1"]


def test_there_are_three_and_the_default_comes_first() -> None:
    assert built_in_names() == ("laozhang", "google", "new-api")


@pytest.mark.parametrize("name", built_in_names())
def test_a_built_in_profile_is_read_unchecked_and_would_pass_every_check(name: str) -> None:
    profile, problems = read(HOME / f"{name}.yaml", parse_base_url, name)
    assert problems == ()
    assert profile == built_in(name)
    assert profile.name == name


@pytest.mark.parametrize("name", built_in_names())
def test_a_built_in_profile_says_what_people_need(name: str) -> None:
    profile = built_in(name)
    assert profile.source
    assert profile.checked >= "2026-11-26"
    assert profile.description
    assert profile.token_setup


@pytest.mark.parametrize("name", built_in_names())
def test_every_figure_of_a_built_in_profile_has_a_word_on_where_it_is_from(name: str) -> None:
    lines = (HOME / f"{name}.yaml").read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"    (price|list_price|usage|retention|retired):", line):
            model = max(at for at, above in enumerate(lines[: number + 1]) if re.match(r"  [a-z]", above))
            assert "#" in "".join(lines[model : number + 1]), line


def test_the_prices_of_veo_are_those_of_the_documents_table() -> None:
    rows = {name: tuple(map(Decimal, prices)) for name, *prices in ROW.findall(DOCUMENT)}
    assert len(rows) == 2
    listed = {model.name: model.list_price for model in VEO}
    assert rows == {
        model.name: (model.price.at("720p", 4), listed[model.name].at("1080p", 8), listed[model.name].at("4k", 8))
        for model in VEO
    }
    assert not any(price.knows("720p") for price in listed.values())


def test_the_older_spellings_are_those_the_document_forbids() -> None:
    sentence = next(line for line in DOCUMENT.splitlines() if "old model names" in line)
    spellings = [spelling for model in VEO for spelling in model.spellings]
    assert len(spellings) == 3
    assert [spelling for spelling in spellings if spelling not in sentence] == []
    assert not set(spellings) & built_in().models.keys()


def test_what_is_over_names_what_is_sold_instead() -> None:
    assert {model.retired for model in VEO} == {Retirement("2026-10-22", "gemini-omni-1.2-flash")}
    for name in built_in_names():
        profile = built_in(name)
        for model in profile.models.values():
            assert model.retired is None or profile.models[model.retired.successor] in profile.sold


def test_the_default_is_what_every_list_had_before_there_were_profiles(tmp_path: Path) -> None:
    pipeline, problems = load_pipeline(None, tmp_path)
    assert problems == ()
    provider = pipeline.provider
    assert (provider.base_url, provider.api_key_env) == ("https://api.laozhang.ai", "VEOPIPE_API_KEY")
    assert provider.dialect == Videos("videos", lean=frozenset({"gemini-omni-1.2-flash"}))
    assert (pipeline.poll.interval, pipeline.poll.timeout) == (15, 900)
    assert {provider.keeps(model.name) for model in VEO} == {48 * 3600}
    assert provider.keeps("a model of yesterday") == 48 * 3600


def test_googles_bound_is_never_below_what_its_tokens_cost() -> None:
    """Tokens a second by resolution: docs/providers.md, b."""
    tokens = {"360p": 1_931, "720p": 5_792, "1080p": 8_688, "4k": 17_376}
    recorded = {"text": 732 + 19, "sent": 10 * 1_089 + 400}
    for model in built_in("google").models.values():
        for resolution, each in tokens.items():
            for seconds in (3, 10):
                told = model.usage.cost(video=each * seconds, **recorded)
                assert told <= model.price.at(resolution, seconds) + Decimal("0.004")
                assert model.usage.cost(each * seconds, 751, 1_200) <= model.price.at(resolution, seconds)
