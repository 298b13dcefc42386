"""Shot lists from spreadsheets, as the programs that people use write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from veopipe import schema
from veopipe.errors import UsageError
from veopipe.table import read_shots

KNOWN = schema.part("manifest", "$defs", "settings", "properties")


def shots(tmp_path: Path, text: str) -> dict[str, dict[str, Any]]:
    path = tmp_path / "shots.csv"
    path.write_bytes(text.encode())
    return read_shots(path, KNOWN)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        shots(tmp_path, text)
    return caught.value.message.removeprefix(f"{tmp_path}/")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_every_spreadsheets_csv_is_read_alike(separator: str, ending: str, tmp_path: Path) -> None:
    lines = ["id|prompt|seconds|tags", 'a|"one, ""two""; three\tfour|x"|8|x', "b|y|6|"]
    text = ending.join(line.replace("|", separator) for line in lines)
    assert shots(tmp_path, "\ufeff" + text) == {
        "a": {"prompt": f'one, "two"; three\tfour{separator}x', "seconds": 8, "tags": ["x"]},
        "b": {"prompt": "y", "seconds": 6},
    }


def test_a_text_of_several_lines_has_plain_line_ends(tmp_path: Path) -> None:
    assert shots(tmp_path, 'id,prompt\r\na,"x\r\ny"\r\n')["a"]["prompt"] == "x\ny"


def test_empty_rows_and_columns_of_a_spreadsheet_dont_count(tmp_path: Path) -> None:
    assert shots(tmp_path, ",,,\n\nid,prompt,,\n,,,\na,x,,\n") == {"a": {"prompt": "x"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ID,prompt\na,x\n", "shots.csv:1: no column is called id; ID is written id"),
        ("prompt\nx\n", "shots.csv:1: no column is called id; the first row names the columns"),
        ("", "shots.csv:1: no column is called id; the first row names the columns"),
        ("id,aspectRatio\na,16:9\n", "shots.csv:1: `aspectRatio` is written `aspect_ratio` here"),
        ("id,promt\na,x\n", "shots.csv:1: there is no key `promt`; did you mean `prompt`?"),
        ("id,prompt,prompt\na,x,y\n", "shots.csv:1: a column is there twice"),
        ("id,prompt\na,x,y\n", "shots.csv:2: the row has 3 cells, the first row has 2"),
        ("id,prompt\n,x\n", "shots.csv:2: the row has no id"),
        ("id,prompt\na,x\na,y\n", "shots.csv:3: the id 'a' is there twice"),
        ("id,prompt\n", "shots.csv has no row below its header"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(text: str, said: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == said
