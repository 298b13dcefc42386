"""A profile is found, read and checked; what strangers write into one does no harm."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from veopipe.gateway.address import parse_base_url
from veopipe.profiles.profile import Profile, Retirement
from veopipe.profiles.reading import built_in, load, names
from veopipe.text import printable

MINE = """\
version: 1
name: mine
dialect: videos
base_url: https://Gateway.Example:443/
api_key_env: MY_KEY
poll: {interval: 2s}
models:
  new:
    family: gemini-omni
    price: {per_second: {720p: 0.07}, per_call_extra: 0.02}
    usage: {per_million: {video: 12.00, text: 9, input: 1.5}}
    list_price: {per_call: 1}
    retention: 7d
    pictures: {input_reference: image}
    rules:
      - x-rule: new-is-short
        x-message: new makes at most six seconds
        x-source: its page
        then: {properties: {seconds: {enum: [4, 6, null]}}}
  old: {family: veo-3.1, price: {per_call: 0.10}, retired: 2026-10-22, successor: new, spellings: [older]}
"""


def written(folder: Path, text: str, name: str = "profiles/mine.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def read(folder: Path, wanted: str = "mine") -> Profile:
    profile, problems = load(wanted, folder, parse_base_url)
    assert problems == ()
    assert profile is not None
    return profile


def test_every_key_arrives(tmp_path: Path) -> None:
    written(tmp_path, MINE)
    profile = read(tmp_path)
    assert (profile.name, profile.dialect, profile.base_url) == ("mine", "videos", "https://gateway.example")
    assert (profile.api_key_env, dict(profile.poll)) == ("MY_KEY", {"interval": 2})
    assert [model.name for model in profile.sold] == ["new"]
    new, old = profile.models["new"], profile.models["old"]
    assert new.price.at("720p", 8) == Decimal("0.58")
    assert new.usage is not None
    assert new.usage.cost(1_000_000, 0, 0) == 12
    assert new.list_price is not None
    assert (new.retention, new.pictures) == (7 * 86_400, {"input_reference": "image"})
    assert new.rules[0]["then"] == {"properties": {"seconds": {"enum": [4, 6, None]}}}
    assert (old.retired, old.spellings) == (Retirement("2026-10-22", "new"), ("older",))


def test_a_name_is_looked_for_beside_the_list_first(tmp_path: Path) -> None:
    assert read(tmp_path, "laozhang") == built_in()
    written(tmp_path, MINE, "profiles/laozhang.yml")
    assert read(tmp_path, "laozhang").name == "mine"  # another name inside is no error
    assert names(tmp_path) == ["laozhang", "google", "new-api"]


def test_a_path_is_relative_to_the_lists_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, MINE, "film/gateways/mine.yaml")
    monkeypatch.chdir(tmp_path)
    assert read(tmp_path / "film", "gateways/mine.yaml").name == "mine"
    assert read(tmp_path / "film", "./gateways/mine.yaml").name == "mine"


def test_a_profile_of_the_same_work_tree_may_lie_above_the_list(tmp_path: Path) -> None:
    written(tmp_path, MINE, "mine.yaml")
    (tmp_path / "film").mkdir()
    with pytest.raises(LookupError, match="outside the manifest's folder"):
        load("../mine.yaml", tmp_path / "film", parse_base_url)
    (tmp_path / ".git").mkdir()
    assert read(tmp_path / "film", "../mine.yaml").name == "mine"


@pytest.mark.parametrize("wanted", ["../../etc/passwd.yaml", "/etc/passwd.yaml", "profiles/link.yaml", "link"])
@pytest.mark.shows("a profile file that tries paths, huge numbers or terminal escapes")
def test_a_profile_never_shows_another_file_of_the_machine(tmp_path: Path, wanted: str) -> None:
    folder = tmp_path / "film"
    secret = written(tmp_path, "root: x", "secret.yaml")
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "link.yaml").symlink_to(secret)
    with pytest.raises(LookupError, match="outside the manifest's folder"):
        load(wanted, folder, parse_base_url)


@pytest.mark.parametrize(
    "wanted", ["laozang", "\x1b[31m", "x" * 5000, "x" * 5000 + ".yaml", "none.yaml", "a\0b.yaml", "", "."]
)
def test_what_isnt_there_is_said_with_what_is(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(LookupError) as caught:
        load(wanted, tmp_path, parse_base_url)
    said = caught.value.args[0]
    assert said == printable(said, None)
    assert len(said) < 300


def test_a_misspelt_name_gets_a_guess(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="did you mean laozhang"):
        load("laozang", tmp_path, parse_base_url)


def test_a_git_lfs_pointer_in_its_place_is_called_one(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n"
    written(tmp_path, pointer)
    profile, problems = load("mine", tmp_path, parse_base_url)
    assert profile is None
    assert problems


HOSTILE = {
    "an escape in a model's name": '  "\\e[2J": {family: veo-3.1, price: {per_call: 1}}',
    "an escape in a text": '  a: {family: veo-3.1, price: {per_call: 1}}\ntoken_setup: "\\e]0;owned\\a"',
    "a number of 400 digits": f"  a: {{family: veo-3.1, price: {{per_call: {'9' * 400}}}}}",
    "a number with a huge exponent": "  a: {family: veo-3.1, price: {per_call: 1e99}}",
    "a number with a tiny exponent": "  a: {family: veo-3.1, price: {per_call: 1e-99}}",
    "too many decimals": "  a: {family: veo-3.1, price: {per_call: 0.1234567891}}",
    "infinity": "  a: {family: veo-3.1, price: {per_call: .inf}}",
    "a negative price": "  a: {family: veo-3.1, price: {per_call: -1}}",
    "a pattern that takes for ever": (
        "  a: {family: veo-3.1, price: {per_call: 1}, rules: [{x-rule: a, x-message: a, x-source: a, "
        'then: {properties: {prompt: {pattern: "^(a+)+$"}}}}]}'
    ),
    "a reference that would be fetched": (
        "  a: {family: veo-3.1, price: {per_call: 1}, rules: [{$ref: 'http://127.0.0.1:1/a', x-rule: a, x-message: a, "
        "x-source: a, then: {}}]}"
    ),
    "a field name with a line end": (
        '  a: {family: veo-3.1, price: {per_call: 1}, pictures: {input_reference: "a\\r\\nX: y"}}'
    ),
    "a path as a name": "  a: {family: veo-3.1, price: {per_call: 1}, successor: ../../etc}",
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.shows("a profile file that tries paths, huge numbers or terminal escapes")
def test_what_strangers_write_into_a_profile_is_a_problem_with_its_place(tmp_path: Path, lines: str) -> None:
    written(tmp_path, f"version: 1\nname: mine\ndialect: videos\nmodels:\n{lines}\n")
    profile, problems = load("mine", tmp_path, parse_base_url)
    assert profile is None
    assert len(problems) >= 1
    for problem in problems:
        assert problem.file == "profiles/mine.yaml"
        assert problem.line >= 5
        assert problem.column >= 1
        assert problem.message == printable(problem.message, None)
        assert len(problem.message) < 500


KEY = "AIzaSyNobodysKey7h3nQ2mXvB4rT9pLwE0dGcUk"


def test_a_key_in_the_place_of_its_variable_is_shown_nowhere(tmp_path: Path) -> None:
    written(tmp_path, f"version: 1\nname: mine\ndialect: videos\nmodels: {{}}\napi_key_env: {KEY}\n")
    profile, problems = load("mine", tmp_path, parse_base_url)
    assert profile is None
    assert [problem.rule for problem in problems] == ["profile-key-env"]
    assert KEY not in str(problems)
    assert KEY not in printable((tmp_path / "profiles" / "mine.yaml").read_text("utf-8"), None)
