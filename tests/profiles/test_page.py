"""`docs/providers.md`: its ten lines are a profile, and the commands take it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from veopipe.documents import schema
from veopipe.profiles.reading import built_in, built_in_names

if TYPE_CHECKING:
    from tests.harness.film import Film

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text("utf-8")
TEN_LINES = re.findall(r"<!-- profile -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_ten_lines_of_the_page_are_a_profile_that_commands_take(film: Film) -> None:
    (text,) = TEN_LINES
    assert text.count("\n") == 10
    (film.folder / "profiles").mkdir()
    (film.folder / "profiles" / "mine.yaml").write_text(text)
    film.pipeline(provider__profile="mine")
    film.list(
        {"a": {"prompt": "a cat", "resolution": "1080p", "seconds": 8}}, defaults={"model": "gemini-omni-1.2-flash"}
    )
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert plan["gateway"] == "https://gateway.example:443"
    assert plan["cost_usd"]["planned"] == "0.42"
    shown = film.command("profiles", "--format", "json").document
    assert [profile["name"] for profile in shown["profiles"]] == ["mine", *built_in_names()]
    assert shown["profiles"][0]["models"][0]["retention_s"] == 7 * 86_400


def test_the_page_tells_of_every_profile_every_model_and_every_key() -> None:
    for name in built_in_names():
        assert f"| `{name}` | " in PAGE
        assert all(f"`{model}`" in PAGE for model in built_in(name).models)
    table = PAGE.partition("| key | what it says |")[2]
    keys = set(re.findall(r"`([a-z_]+)`", table))
    model = schema.part("profile", "$defs", "model", "properties")
    assert {*schema.load("profile")["properties"], *model} - {"version", "name"} <= keys
