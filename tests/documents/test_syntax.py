"""What YAML means where people mean otherwise: JSON's emoji, and texts that a `#` or an `&` cuts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from veopipe.documents import yaml
from veopipe.documents.nodes import place, plain
from veopipe.documents.yaml import read

PARSERS = [yaml._parser_class(), yaml._PureParser]
LIST = {
    "version": 1,
    "shots": {"a": {"prompt": "A cat 😀 and 👩‍🚀\U0010ffff in Œ", "notes": 'say "\\" \U0001f600'}, "b": {}},
}


def value(text: str, parser: Any = PARSERS[0]) -> Any:
    composer = yaml._Composer("x.json")
    composer.run(text, parser)
    assert composer.root is not None
    assert composer.problems == []
    return plain(composer.root)


# --- JSON -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parser", PARSERS, ids=["C", "pure"])
@pytest.mark.parametrize("indent", [None, 2], ids=["one line", "indented"])
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escapes", "UTF-8"])
def test_what_json_dumps_writes_is_read_back(ascii_only: bool, indent: int | None, parser: Any) -> None:
    text = json.dumps(LIST, ensure_ascii=ascii_only, indent=indent)
    for written in (
        text,
        text.replace("\\ud83d\\ude00", "\\uD83D\\uDE00"),
        text.replace("\\ude00", "\\uDe00"),
        "\r\n".join(text.split("\n")),
    ):
        assert value(written, parser) == LIST


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(LIST, separators=(",", ":")),
        json.dumps(LIST, indent="\t"),
        "\ufeff" + json.dumps(LIST) + "\n",
        json.dumps(LIST).replace("/", "\\/"),
    ],
    ids=["compact", "tabs", "byte order mark", "escaped slashes"],
)
def test_json_of_other_writers_is_read(written: str) -> None:
    assert value(written.removeprefix("\ufeff")) == LIST
    assert read(written.encode(), "x.json").problems == ()


def test_places_behind_pairs_of_escapes_are_those_of_the_file() -> None:
    text = json.dumps(LIST)
    root = read(text.encode(), "x.json").root
    assert root is not None
    assert place(root, ("shots", "b")) == (1, text.index("{}") + 1)
    damaged = text.replace("{}", "{]")
    (problem,) = read(damaged.encode(), "x.json").problems
    assert problem.column == damaged.index("{]") + 2


@pytest.mark.parametrize("parser", PARSERS, ids=["C", "pure"])
@pytest.mark.parametrize(
    "text",
    [r"\ud83d\ude00", r"\uD83D\uDE00 x", r"\ud83D\ude00 \uD83d\uDe00", r"\U0001f600", r"C:\udd83d\\ud83d\ude00"],
)
def test_a_backslash_that_is_just_one_stays_as_written(text: str, parser: Any) -> None:
    """In single quotes, block scalars and texts without quotes: no text that was ordered before changes."""
    written = f"a: {text}\nb: '{text}'\nc: |-\n  {text}\nd: >-\n  {text}\n{text}: 1\n"
    assert value(written, parser) == {**dict.fromkeys("abcd", text), text: 1}


@pytest.mark.parametrize("parser", PARSERS, ids=["C", "pure"])
def test_a_doubled_backslash_makes_no_emoji(parser: Any) -> None:
    assert value(r'{"a": "\\ud83d\\ude00 \\\ud83d\ude00"}', parser) == {"a": "\\ud83d\\ude00 \\😀"}


@pytest.mark.parametrize(
    "escape", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83dx\ude00", r"\u0000", r"\u12", r"\xg1"]
)
def test_half_a_character_is_an_error_with_its_place(escape: str) -> None:
    (problem,) = read(b'{\n "a": "x' + escape.encode() + b'"}', "x.json").problems
    assert problem.rule in {"yaml-syntax", "yaml-encoding"}
    assert problem.line == 2
    assert 7 <= problem.column <= 7 + len(escape) + 3
    assert re.search("half a character|hexadecimal digits", problem.message)


# --- texts that YAML cuts -------------------------------------------------------------------------------


def cut(text: str) -> list[str]:
    return [word.strip() for word in read(text.encode(), "x").cut.values()]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_comment_behind_a_text_without_quotes_is_kept_with_its_place(ending: str) -> None:
    text = ending.join(("# head", "a: 'x' # no", "b: Scene # 3: x", "c: [k #1", "  ]", "d: {e: 'y #2', f: z #3", "}"))
    found = read(text.encode(), "x")
    assert {where: word.strip() for where, word in found.cut.items()} == {
        (3, 4): "# 3: x",
        (4, 5): "#1",
        (6, 19): "#3",
    }


def test_an_anchor_counts_only_where_no_alias_names_it() -> None:
    assert cut("a: &Beyond the sea\nb: x\n") == ["&Beyond"]
    assert cut("a: &b the sea\nb: *b\n") == []
    assert cut("a: &b 'the sea'\nb: &c [x]\nd: &e\n") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: The house # 3\n  by the sea", "does ` #` above belong to a text"),
        ("a: >bold", "`>` or `|` needs quotes"),
        ("a: |x|", "`>` or `|` needs quotes"),
        ("a: ? who", "`? ` needs quotes"),
    ],
)
def test_a_text_that_yaml_takes_for_something_else_says_what_to_do(text: str, words: str) -> None:
    (problem,) = read(text.encode(), "x").problems
    assert words in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "a: #c\n   b: 1\n  c: 2\n",
        "a: 'x' # c\n  b",
        "a: [x] # c\n   b: 1\n",
        "a: x\n# the # 3\nb\nc: 1\n",
        "seconds: 8 # s\n  by",
        "seconds: 8 # s\nprompt x\n",
        "list: true # s\n  by",
        "x: a # b\n  seconds: 8\n",
        "a: x # b\n 'seconds': 8\n",
    ],
)
def test_a_comment_that_cut_no_text_isnt_blamed(text: str) -> None:
    (problem,) = read(text.encode(), "x").problems
    assert "` #`" not in problem.message
