"""`veopipe profiles`, and what commands say of models that are over, in real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from veopipe.profiles.reading import built_in, built_in_names

if TYPE_CHECKING:
    from tests.harness.film import Film, Veopipe
    from veopipe.simulator.server import Simulator

OMNI = "gemini-omni-1.2-flash"
OLD = "veo-3.1-fast-generate-preview"


def own(folder: Path, text: str) -> None:
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "mine.yaml").write_text(text)


MINE = """\
version: 1
name: mine
dialect: videos
models:
  a: {family: veo-3.1, price: {per_call: 0.10}, retired: 2026-10-22, successor: b}
  b: {family: veo-3.1, price: {per_second: {720p: 0.05}}}
"""


def test_the_table_shows_prices_what_can_be_ordered_and_what_is_over(tmp_path: Path, veopipe: Veopipe) -> None:
    own(tmp_path, MINE)
    done = veopipe(tmp_path, "profiles")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines if line and line[0] != " "] == ["mine", *built_in_names()]
    row = next(line for line in lines if line.startswith(f"  {OMNI} "))
    assert "360p $0.10, 720p $0.30, 1080p $0.45 a call" in row
    assert "720p, 1080p" in row
    old = next(line for line in lines if line.startswith(f"  {OLD} "))
    assert f"switched off on 2026-10-22, now {OMNI}" in old
    assert all(built_in(name).api_key_env in done.out for name in built_in_names())


def test_the_document_has_every_figure(tmp_path: Path, veopipe: Veopipe) -> None:
    own(tmp_path, MINE)
    found = json.loads(veopipe(tmp_path, "profiles", "--format", "json").out)
    assert found["exit_code"] == 0
    mine, laozhang = found["profiles"][:2]
    assert [(model["name"], model["retired"], model["successor"]) for model in mine["models"]] == [
        ("a", "2026-10-22", "b"),
        ("b", None, None),
    ]
    assert mine["models"][1]["price"] == {"per_second": {"720p": "0.05"}}
    assert mine["models"][1]["resolutions"] == ["720p"]  # no other one has a price
    assert mine["models"][0]["seconds"] == [4, 6, 8]
    assert laozhang["token_setup"] == built_in().token_setup
    assert laozhang["checked"] == built_in().checked


def test_a_profile_of_yours_with_an_error_is_said_with_its_place(tmp_path: Path, veopipe: Veopipe) -> None:
    own(tmp_path, MINE.replace("dialect: videos", 'dialect: "\\e[31m"'))
    done = veopipe(tmp_path, "profiles")
    assert (done.code, done.out) == (2, "")
    assert "profiles/mine.yaml:3:10: error: `dialect` is videos or interactions" in done.err
    assert "\x1b" not in done.err


def test_its_schema_is_printed(tmp_path: Path, veopipe: Veopipe) -> None:
    assert json.loads(veopipe(tmp_path, "schema", "profile").out)["title"] == "veopipe profile"


# --- what is over ----------------------------------------------------------------------------------


@pytest.fixture
def old(film: Film) -> Film:
    film.list(
        {"a": {"prompt": "a cat", "model": OLD}, "b": {"prompt": "a dog", "model": OMNI}}, defaults={"seconds": 8}
    )
    return film


WARNING = f"warning: 1 create of {OLD}: it was announced as switched off on 2026-10-22; its successor is {OMNI}"


def test_plan_says_it_before_the_price(old: Film) -> None:
    said = old.command("plan", "shots.yaml", "-p", "quick.yaml").err
    assert said.splitlines()[-1] == WARNING
    assert "warning" not in old.command("plan", "shots.yaml", "-p", "quick.yaml", "--only", "b").err


def test_plan_says_that_the_pipeline_orders_it(old: Film) -> None:
    old.list({"a": {"prompt": "a cat", "model": OMNI}})
    said = old.command("plan", "shots.yaml", "-p", "draft").err
    assert said.splitlines()[-1] == WARNING.replace(f"{OLD}:", f"{OLD} (as this pipeline overrides it):")


def test_run_says_it_before_it_buys_and_a_rehearsal_keeps_still(old: Film, gateway: Simulator) -> None:
    assert WARNING in old.run("--only", "a").err.splitlines()
    assert "switched off" not in old.run("--only", "a").err  # nothing is bought any more
    assert "switched off" not in old.run("--simulate").err


def test_a_model_of_the_pipeline_is_served_and_nothing_is_said(old: Film) -> None:
    old.pipeline(provider__models={OLD: {"price_usd": 0.30}})
    assert "switched off" not in old.command("plan", "shots.yaml", "-p", "quick.yaml").err
    assert old.command("validate", "shots.yaml", "-p", "quick.yaml", "--format", "json").document["problems"] == []


def test_validate_and_doctor_name_the_successor(old: Film) -> None:
    problems = old.command("validate", "shots.yaml", "--format", "json").document["problems"]
    assert [(problem["rule"], OMNI in problem["message"]) for problem in problems] == [("retired-model", True)]
    checks = old.command("doctor", "--base-url", old.base_url, "--format", "json").document["checks"]
    over = [check for check in checks if check["name"] == "model"]
    assert {check["remedy"] for check in over} == {f"order {OMNI} instead"}
    (profile,) = (check for check in checks if check["name"] == "profile")
    assert profile["found"] == f"laozhang (videos), the key in VEOPIPE_API_KEY; it sells {OMNI}"
    (token,) = (check for check in checks if check["name"] == "token")
    assert built_in().token_setup in token["found"]


@pytest.mark.parametrize("fault", ["404_retired", "503_no_channel"])
def test_a_refusal_because_the_model_is_gone_names_the_successor(old: Film, gateway: Simulator, fault: str) -> None:
    gateway.order_fault(fault)
    row = old.run("--only", "a").shots["a"]
    assert row["status"] == "refused"
    assert row["reason"].endswith(f"({OLD} was announced as switched off on 2026-10-22; its successor is {OMNI})")
    assert gateway.charged == []


def test_a_resolution_without_a_price_is_an_error_and_never_a_guess(film: Film) -> None:
    mine = {"mine": {"family": "gemini-omni", "price": {"per_call": {"720p": 0.3}}}}
    film.list({"a": {"prompt": "a cat", "model": "mine", "resolution": "4k", "seconds": 8}})
    film.pipeline(provider__models=mine)
    problems = film.command("validate", "shots.yaml", "-p", "./quick.yaml", "--format", "json").document["problems"]
    assert [problem["rule"] for problem in problems if problem["severity"] == "error"] == ["price-for-resolution"]


def test_what_a_model_cant_make_at_a_gateway_is_said_in_the_words_of_its_profile(film: Film) -> None:
    film.list({"a": {"prompt": "a cat", "model": OMNI, "resolution": "4k", "seconds": 8}})
    problems = film.command("validate", "shots.yaml", "--format", "json").document["problems"]
    (found,) = [problem for problem in problems if problem["severity"] == "error"]
    assert found["rule"] == "laozhang-omni-resolution"
    assert found["message"].startswith("LaoZhang makes 360p, 720p and 1080p with gemini-omni-1.2-flash, no 4k")


def test_a_table_without_a_model_gets_the_cheapest_that_is_sold_today(tmp_path: Path, veopipe: Veopipe) -> None:
    (tmp_path / "shots.csv").write_text("id,prompt\na,a cat\n")
    done = veopipe(tmp_path, "import", "shots.csv", "-o", "shots.yaml")
    assert done.code == 0
    assert f"no model column: {OMNI} ($0.30 a call) for all" in done.err
    assert f"model: {OMNI}" in (tmp_path / "shots.yaml").read_text()


# --- what was bought before ------------------------------------------------------------------------


def test_a_list_that_moves_to_another_profile_buys_nothing_that_is_verified(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat", "b": "a dog"})
    film.pipeline()
    assert film.run().code == 0
    film.pipeline(provider__profile=film.keeps("9d"))
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "--detailed-exitcode")
    assert plan.code == 0  # 8 where there is something to do
    assert film.run().statuses == {"a": "verified", "b": "verified"}
    assert len(gateway.charged) == 2


def test_what_the_new_profile_doesnt_sell_is_unknown_whatever_is_verified(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat"})
    assert film.run().code == 0
    film.pipeline(provider__profile="google")
    done = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    assert done.code == 2
    errors = [problem for problem in done.document["problems"] if problem["severity"] == "error"]
    assert [problem["rule"] for problem in errors] == ["unknown-model"]


def test_a_plan_shows_the_price_of_each_resolution_and_the_run_keeps_to_it(film: Film, gateway: Simulator) -> None:
    shots = {"low": {"resolution": "720p"}, "high": {"resolution": "1080p"}}
    film.list({name: {"prompt": name, "model": OMNI, "seconds": 8, **keys} for name, keys in shots.items()})
    plan = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert plan["cost_usd"]["planned"] == "0.75"
    assert film.run("--max-cost", "0.74", yes=False).code == 5
    assert film.run("--max-cost", "0.75", yes=False).code == 0
    assert sorted(create["price_usd"] for create in gateway.charged) == ["0.30", "0.45"]


# --- for an editor -------------------------------------------------------------------------------------


def test_the_schema_of_lists_is_printed_for_one_profile(tmp_path: Path, veopipe: Veopipe) -> None:
    own(tmp_path, MINE)
    (general, exact, mine) = (
        json.loads(veopipe(tmp_path, "schema", "manifest", *more).out)
        for more in ([], ["--profile", "laozhang"], ["--profile", "mine"])
    )
    assert "laozhang-omni-resolution" not in json.dumps(general)
    assert "laozhang-omni-resolution" in json.dumps(exact)
    assert mine["$defs"]["settings"]["properties"]["model"]["examples"] == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["manifest", "--profile", "nobody"], "there is no profile nobody"),
        (["plan", "--profile", "laozhang"], "--profile belongs to the schema of manifest"),
        (["manifest", "--profile", "mine"], "profiles/mine.yaml:1"),
    ],
    ids=["unknown", "other schema", "with an error"],
)
def test_a_schema_for_a_profile_that_isnt_there_is_wrong_usage(
    tmp_path: Path, words: list[str], said: str, veopipe: Veopipe
) -> None:
    own(tmp_path, "version: 2\n")
    done = veopipe(tmp_path, "schema", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
