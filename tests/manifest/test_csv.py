"""Shot lists from spreadsheets, as the programs that people use write them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from veopipe.documents import schema, yaml
from veopipe.documents.nodes import plain
from veopipe.errors import UsageError
from veopipe.manifest.csv import read_shots
from veopipe.manifest.shots import load_manifest

KNOWN = schema.part("manifest", "$defs", "settings", "properties")


def shots(
    tmp_path: Path, text: str, ignored: Collection[str] = (), encoding: str = "utf-8"
) -> dict[str, dict[str, Any]]:
    path = tmp_path / "shots.csv"
    path.write_bytes(text.encode(encoding))
    return read_shots(path, KNOWN, ignored)


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


# --- what spreadsheets put around a table ---------------------------------------------------------------

TWO = {"a": {"prompt": "one, two; three", "seconds": 8}, "b": {"prompt": "y"}}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
@pytest.mark.parametrize("form", ["sep={}", '"sep={}"', "SEP={}", "sep={}{}{}", "\nsep={}", " \n\nsep={}\n"], ids=repr)
def test_excels_line_for_the_separator_is_heeded(form: str, separator: str, ending: str, tmp_path: Path) -> None:
    head = form.replace("{}", separator)
    rows = 'id|prompt|seconds\na|"one, two; three"|8\nb|y|'.replace("|", separator)
    text = f"{head}\n{rows}\n".replace("\n", ending)
    if separator != "|" or "{}{}" not in form:
        assert shots(tmp_path, "\ufeff" + text) == TWO


def test_a_separator_line_with_a_written_tab_is_understood(tmp_path: Path) -> None:
    assert shots(tmp_path, "sep=\\t\nid\tprompt\na\tx, y\n") == {"a": {"prompt": "x, y"}}


@pytest.mark.parametrize("first", ["\n", "\n\n \n", ";;;\n", "\t\n", '"";""\n'], ids=repr)
def test_lines_above_the_table_dont_count(first: str, tmp_path: Path) -> None:
    rows = 'id;prompt;seconds\na;"one, two; three";8\n\nb;y;\n\n'
    assert shots(tmp_path, first + rows) == TWO


def test_places_count_the_lines_above_the_table(tmp_path: Path) -> None:
    assert refusal(tmp_path, "sep=;\nid;prompt\n;x\n") == "shots.csv:3: the row has no id"
    assert refusal(tmp_path, "\nsep=;\n\nid;promt\n").startswith("shots.csv:4: there is no key `promt`")


def test_excels_unicode_text_is_read(tmp_path: Path) -> None:
    text = 'id\tprompt\tseconds\r\na\t"one, two; three"\t8\r\nb\ty\t\r\n'
    assert shots(tmp_path, text, encoding="utf-16") == TWO


def test_another_encoding_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="CSV UTF-8"):
        shots(tmp_path, "id,prompt\na,Müller\n", encoding="cp1252")


def test_separators_in_quotes_dont_decide(tmp_path: Path) -> None:
    assert shots(tmp_path, '"id";"prompt";"tags"\n"a";"x, y, z";"k,l,m"\n') == {
        "a": {"prompt": "x, y, z", "tags": ["k,l,m"]}
    }
    assert refusal(tmp_path, 'id;"a,b,c,d"\na;x\n').startswith("shots.csv:1: there is no key `a,b,c,d`")


def test_a_blank_before_a_quote_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert shots(tmp_path, 'id, prompt, tags\na, "x, y", k\n') == {"a": {"prompt": "x, y", "tags": ["k"]}}


def test_a_quote_behind_a_blank_may_be_around_a_part_of_the_text(tmp_path: Path) -> None:
    text = 'id, prompt,seconds\nSC01, "Hello" she says to the sea,8\n'
    assert shots(tmp_path, text) == {"SC01": {"prompt": '"Hello" she says to the sea', "seconds": 8}}


@pytest.mark.parametrize(
    "rows", ['a,"x" y,\n', 'a, "Hello" she says,\nb, "x, y",\n', 'a,"x\n', 'a, "x" y,\nb,"x" y,\n']
)
def test_quotes_that_cant_be_told_apart_say_how_they_are_written(rows: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r":[23]: this is no CSV: ") as caught:
        shots(tmp_path, f"id,prompt,notes\n{rows}")
    assert 'id,"""Hello"" she says"' in str(caught.value.hint)


@pytest.mark.parametrize("written", ["8", "8.0", "8,0", "8.00"])
def test_a_whole_number_is_one_however_a_program_writes_it(written: str, tmp_path: Path) -> None:
    assert shots(tmp_path, f"id;seconds\na;{written}\n") == {"a": {"seconds": 8}}


@pytest.mark.parametrize(
    "written", ["8.5", "0,30", "2.03E+07", "8.0.0", "٨", "42,000", "12.000", "1,000", "2.000", "1,000,000"]
)
def test_another_number_stays_as_written_for_the_lists_own_rules(written: str, tmp_path: Path) -> None:
    for key in ("seconds", "seed"):
        assert shots(tmp_path, f"id;{key}\na;{written}\n") == {"a": {key: written}}


# --- columns that aren't keys ---------------------------------------------------------------------------

SHEET = "Nr,id,prompt,Director,Camera,aspectRatio,promt\n1,a,x,Ann,B,16:9,z\n"


def test_all_columns_that_arent_keys_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        shots(tmp_path, SHEET)
    said, hint = caught.value.message.replace(f"{tmp_path}/", "").split("\n"), caught.value.hint
    assert said[0].startswith("shots.csv:1: there are no keys `Nr`, `Director`, `Camera`; the keys are model, prompt")
    assert said[1:] == [
        "shots.csv:1: `aspectRatio` is written `aspect_ratio` here",
        "shots.csv:1: there is no key `promt`; did you mean `prompt`?",
    ]
    assert hint is not None
    assert hint.endswith("--ignore Nr --ignore Director --ignore Camera --ignore aspectRatio --ignore promt")


def test_a_column_of_the_user_s_own_goes_into_info_as_text(tmp_path: Path) -> None:
    (tmp_path / "shots.csv").write_text("id,prompt,Scene,seed\na,x, 007 ,1\nb,y,,2\n")

    assert read_shots(tmp_path / "shots.csv", KNOWN, own=["Scene", "seed"]) == {
        "a": {"prompt": "x", "info": {"Scene": "007", "seed": "1"}},
        "b": {"prompt": "y", "info": {"seed": "2"}},
    }
    for name, said in (("Take", "no column is called `Take`"), ("id", "the column id names the shots")):
        with pytest.raises(UsageError, match=said):
            read_shots(tmp_path / "shots.csv", KNOWN, own=[name])


@pytest.mark.parametrize("count", [7, 300])
def test_many_columns_that_arent_keys_make_a_message_that_ends(count: int, tmp_path: Path) -> None:
    names = [f"Kolumne {number}" for number in range(count)]
    with pytest.raises(UsageError) as caught:
        shots(tmp_path, f"id,prompt,{','.join(names)}\n")
    assert all(f"`{name}`" in caught.value.message for name in names[:100])
    assert "--ignore 'Kolumne 6'" in str(caught.value.hint)
    assert len(caught.value.message) < 5_000


def test_ignored_columns_are_left_out(tmp_path: Path) -> None:
    ignored = ["Nr", "Director", "Camera", "aspectRatio", "promt"]
    assert shots(tmp_path, SHEET, ignored) == {"a": {"prompt": "x"}}
    assert shots(tmp_path, "id,prompt,notes\na,x,y\n", ["notes"]) == {"a": {"prompt": "x"}}
    assert shots(tmp_path, "id,prompt,k,k\na,x,y,z\n", ["k"]) == {"a": {"prompt": "x"}}
    assert shots(tmp_path, "id,prompt, k \na,x,y\n", ["k"]) == {"a": {"prompt": "x"}}


@pytest.mark.parametrize(
    ("ignored", "said", "hint"),
    [
        (["Nope"], "no column is called `Nope`, so it can't be ignored", "columns are: `Nr`, `id`, `prompt`"),
        (["nr", "camera"], "no column is called `nr`, `camera`", "`Nr`"),
        (["id"], "the column id names the shots", ""),
    ],
)
def test_a_column_that_cant_be_ignored_is_said(ignored: list[str], said: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        shots(tmp_path, SHEET, ignored)
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_cell_below_no_name_isnt_lost_in_silence(tmp_path: Path) -> None:
    text = ",id,,prompt\n0,a,,x\n1,b,,y\n"
    assert refusal(tmp_path, text) == "shots.csv:2: column 1 has no name, but a cell here"
    assert shots(tmp_path, text, [""]) == {"a": {"prompt": "x"}, "b": {"prompt": "y"}}
    assert shots(tmp_path, "id,,prompt\na,,x\n") == {"a": {"prompt": "x"}}


def test_columns_that_are_there_twice_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        shots(tmp_path, "id,prompt,seed,prompt,seed\n")
    assert caught.value.hint == "it is `prompt`, `seed`"


# --- the command ----------------------------------------------------------------------------------------

TEXTS = [
    *("Scene # 3: x", "Take #3", "x: y", "- a", "=1+1", "@x", "%x", "`x`", "&x y", "*x", "!x", "? x", "| x", "> x"),
    *(
        "~",
        "null",
        "yes",
        "true",
        "1984",
        "1e3",
        "0x1f",
        "16:9",
        "[x",
        "{x",
        "'",
        'say "x"',
        "a\nb",
        "a\n\n # b",
        "x ",
        "#",
    ),
    *("😀 👩\u200d🚀", "\u2028x", "x\\ud83d\\ude00", "<<", "---", "... x", "a\tb", "x #", "\u00a0x"),
]


def run_import(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veopipe", "import", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_no_text_of_a_table_is_cut_or_changed_by_the_way_into_yaml(tmp_path: Path) -> None:
    rows = "".join('s{},"{}"\r\n'.format(number, text.replace('"', '""')) for number, text in enumerate(TEXTS))
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbfsep=,\r\nid,prompt\r\n" + rows.encode())
    done = run_import(tmp_path, "x.csv", "-o", "x.yaml")
    assert (done.returncode, done.stderr.count("[text-cut-short]")) == (0, 0), done.stderr
    root: Any = plain(yaml.load(tmp_path / "x.yaml").root)  # type: ignore[arg-type]
    assert [shot["prompt"] for shot in root["shots"].values()] == [text.strip() for text in TEXTS]


def test_columns_that_are_kept_as_info_come_back_from_the_list_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,prompt,scene\na,x,1.50\nb,y,true\n", "utf-8")
    failed = run_import(tmp_path, "x.csv", "-o", "x.yaml")
    assert (failed.returncode, "--info NAME" in failed.stderr) == (2, True)
    assert run_import(tmp_path, "x.csv", "-o", "x.yaml", "--info", "scene").returncode == 0
    loaded = load_manifest(tmp_path / "x.yaml").manifest
    assert loaded is not None
    assert [dict(shot.info) for shot in loaded.shots.values()] == [{"scene": "1.50"}, {"scene": "true"}]


@pytest.mark.slow
def test_a_production_sheet_is_imported_with_its_own_columns_ignored(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("sep=;\nNr;id;prompt;Camera unit\n1;a;Scene # 3: x;B\n", "utf-8")
    failed = run_import(tmp_path, "x.csv", "-o", "x.yaml")
    assert failed.returncode == 2
    assert "`Nr`, `Camera unit`" in failed.stderr
    assert "--ignore Nr --ignore 'Camera unit'" in failed.stderr
    assert os.listdir(tmp_path) == ["x.csv"]
    done = run_import(tmp_path, "x.csv", "-o", "x.yaml", "--ignore", "Nr", "--ignore", "Camera unit")
    assert done.returncode == 0, done.stderr
    found = subprocess.run(
        [sys.executable, "-m", "veopipe", "validate", "x.yaml", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert {p["severity"] for p in json.loads(found.stdout)["problems"]} <= {"info"}
