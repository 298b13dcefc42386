"""YAML without surprises: values, places, caps, and a problem for everything that is wrong."""

import os
import random
import time

import pytest

from veopipe.documents import characters, yaml
from veopipe.documents.nodes import MappingNode, place, plain
from veopipe.documents.yaml import MAX_DEPTH, load, read


def value_of(text: str):
    found = read(text.encode(), "x.yaml")
    assert found.problems == ()
    return plain(found.root)


def problem_of(data: bytes):
    found = read(data, "x.yaml")
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("16:9", "16:9"),
        ("0123", "0123"),
        ("1_000", "1_000"),
        ("0x1f", "0x1f"),
        ("no", "no"),
        ("on", "on"),
        ("2026-05-20", "2026-05-20"),
        ("1e999", "1e999"),
        ("1e-4000", "1e-4000"),
        (".nan", ".nan"),
        ("9" * 5000, "9" * 5000),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("8", 8),
        ("-3", -3),
        ("+3", 3),
        ("10.50", 10.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("'8'", "8"),
        ('"true"', "true"),
        ('""', ""),
    ],
)
def test_only_constants_and_decimal_numbers_are_more_than_text(written, value):
    found = value_of(f"a: {written}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.shows("e 8")
def test_keys_are_text_as_written():
    assert list(value_of("{1: a, true: b, 1.0: c, null: d, 0x1: e}")) == ["1", "true", "1.0", "null", "0x1"]


def test_amounts_keep_the_digits_that_were_written():
    assert read(b"a: 10.00", "x").root.items["a"].text == "10.00"


def test_places_count_characters_from_one():
    root = read("a: ü\nb:\n  - ü: {c: x}\n".encode(), "x").root
    assert place(root, ("a",)) == (1, 4)
    assert place(root, ("b", 0, "ü", "c")) == (3, 12)
    assert place(root, ("b", 0, "ü", "c"), of_key=True) == (3, 9)
    assert place(root, ("b", 7, "x")) == (3, 3)


def test_anchors_aliases_and_merges_work_and_keep_their_places():
    root = read(b"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {y: 4, <<: *a}\nd: {<<: [{x: 5}, *a]}\n", "x").root
    assert plain(root) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"y": 4, "x": 1}, "d": {"x": 5, "y": 2}}
    assert place(root, ("b", "x")) == (1, 11)
    assert place(root, ("b", "y")) == (2, 16)


def test_a_quoted_merge_key_is_a_key():
    assert value_of("{'<<': 1}") == {"<<": 1}


@pytest.mark.parametrize(
    ("data", "rule", "line", "column"),
    [
        pytest.param(b"a: 1\nb: 2\na: 3\n", "yaml-duplicate-key", 3, 1, id="duplicate"),
        pytest.param(b"{<<: {}, <<: {}, a: 1, a: 2}", "yaml-duplicate-key", 1, 24, id="duplicate beside merges"),
        pytest.param(b"a: &a [*a]", "yaml-alias", 1, 8, id="recursive alias"),
        pytest.param(b"a: *b", "yaml-alias", 1, 4, id="unknown alias"),
        pytest.param(b"[" * 900, "yaml-limit", 1, MAX_DEPTH + 1, id="deep flow"),
        pytest.param(b"- " * 100_000, "yaml-limit", 1, 2 * MAX_DEPTH + 1, id="deep block"),
        pytest.param(b"a: {<<: [1]}", "yaml-merge", 1, 5, id="merge of a scalar"),
        pytest.param(b"a:\n  ? [x]\n  : 1", "yaml-key", 2, 5, id="list as key"),
        pytest.param(b"a: !!int ''", "yaml-tag", 1, 4, id="int tag"),
        pytest.param(b"a: !!python/object/apply:os.system [x]", "yaml-tag", 1, 4, id="python tag"),
        pytest.param(b"%TAG ! tag:x,2000:\n---\na: 1", "yaml-tag", 1, 1, id="tag directive"),
        pytest.param(b"a: 1\n---\nb: 2\n", "yaml-document", 2, 1, id="two documents"),
        pytest.param(b"", "yaml-document", 1, 1, id="empty"),
        pytest.param(b"a: 1\nb: \xff", "yaml-encoding", 2, 4, id="not UTF-8"),
        pytest.param(b"\xff\xfea\0", "yaml-encoding", 1, 1, id="UTF-16"),
        pytest.param(b"a: 1\nb: x\0y", "yaml-encoding", 2, 5, id="NUL"),
        pytest.param(b'a: "\\0"', "yaml-encoding", 1, 4, id="escaped NUL"),
        pytest.param(b'a: "\\U00110000"', "yaml-syntax", 1, 7, id="escape above Unicode"),
        pytest.param(b"a:\n\tb: 1", "yaml-syntax", 2, 1, id="tab"),
        pytest.param(b"a: b: c", "yaml-syntax", 1, 5, id="colon"),
        pytest.param(b"a: 1\nb: 'x\nc: 2\n", "yaml-syntax", 2, 4, id="open quote"),
    ],
)
@pytest.mark.shows("e 5")
def test_what_is_wrong_is_a_problem_with_its_place(data, rule, line, column):
    found = problem_of(data)
    assert (found.rule, found.line, found.column, found.severity) == (rule, line, column, "error")


def test_nesting_without_end_is_refused_at_once():
    start = time.monotonic()
    assert problem_of(b"[" * 100_000).rule == "yaml-limit"
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("parser", [yaml._parser_class(), yaml._PureParser], ids=["C", "pure"])
@pytest.mark.parametrize("character", "\x85\u2028\u2029", ids=["NEL", "LS", "PS"])
def test_what_ends_a_line_in_yaml_1_1_only_is_text(parser, character):
    """Pasted text has such characters; editors number lines without them."""
    text = f"# a{character}b\na: x{character}y\nb: 'x{character}y'\nc: |\n  x{character}y\nd{character}: 1\n"
    composer = yaml._Composer("x")
    composer.run(text, parser)
    same = f"x{character}y"
    assert plain(composer.root) == {"a": same, "b": same, "c": same + "\n", "d" + character: 1}
    assert place(composer.root, ("d" + character,)) == (6, 5)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_are_counted_alike_whatever_ends_them(ending):
    text = f"a: 1{ending}b:{ending}  c: 2{ending}"
    assert place(read(text.encode(), "x").root, ("b", "c")) == (3, 6)
    found = problem_of(f"{text}d: \x07".encode())
    assert (found.line, found.column) == (4, 4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a:\n\tb: 1", "a tab can't indent"),
        (b"a: @b", "put it in quotes"),
        (b"a: 'x", "never closed"),
        (b"a: [1\nb: 2", "isn't closed"),
        (b"a: [wide] a cat", "all of the text in quotes"),
        (b"a: 'Hello' she says", "all of the text in quotes"),
        (b"a: 'it's'", "all of the text in quotes"),
        (b"a:\n  b: 1\n c: 2", "the indent doesn't fit"),
        (b"a: - b", "`- ` needs quotes"),
        (b"a: *b* c", "needs quotes"),
        (b"a: *b c", "needs quotes"),
        (b'a: "C:\\dir"', "a backslash"),
    ],
)
def test_a_syntax_error_says_what_to_do(data, words):
    assert words in problem_of(data).message


@pytest.mark.shows("e 7")
def test_all_duplicates_are_reported_in_one_go():
    assert [p.line for p in read(b"a: 1\na: 2\nb: 1\nb: 2\n", "x").problems] == [2, 4]


def test_a_byte_order_mark_is_fine():
    assert plain(read("\ufeffa: 1".encode(), "x").root) == {"a": 1}


def bomb(levels: int, merge: bool) -> bytes:
    first = b"a: &a {k: 1}\n" if merge else b"a: &a [x]\n"
    lines = [first]
    for code in range(98, 98 + levels):
        inner = b",".join([b"*%c" % (code - 1)] * 9)
        lines.append(
            b"%c: &%c {<<: [%s]}\n" % (code, code, inner) if merge else b"%c: &%c [%s]\n" % (code, code, inner)
        )
    return b"".join(lines)


@pytest.mark.parametrize("merge", [False, True], ids=["aliases", "merges"])
@pytest.mark.shows("e 3")
@pytest.mark.shows("e 4")
def test_a_bomb_is_refused_at_once(merge):
    start = time.monotonic()
    assert problem_of(bomb(16, merge)).rule == "yaml-limit"
    assert time.monotonic() - start < 2


def test_a_chain_of_aliases_cannot_nest_deeper_than_the_cap():
    links = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 30))
    assert problem_of(f"a0: &a0 [x]\n{links}".encode()).rule == "yaml-limit"


def test_many_shots_may_share_an_anchor():
    shots = "".join(f"  s{n}: {{<<: *base, prompt: p{n}}}\n" for n in range(20_000))
    root = read(f"base: &base {{a: 1, b: 2, c: 3, d: 4, e: 5}}\nshots:\n{shots}".encode(), "x").root
    assert isinstance(root, MappingNode)
    assert len(root.items["shots"].items) == 20_000


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "folder"])
def test_what_is_no_regular_file_is_a_problem_and_never_waited_for(tmp_path, make):
    make(tmp_path / "shots.yaml")
    found = load(tmp_path / "shots.yaml", shown_as="shots.yaml")
    assert [(p.file, p.rule) for p in found.problems] == [("shots.yaml", "file-unreadable")]


def test_a_missing_file_is_a_problem(tmp_path):
    assert "No such file" in load(tmp_path / "shots.yaml").problems[0].message


def mutants(seed: int, number: int):
    source = random.Random(seed)
    base = bytearray(
        b"version: 1\ndefaults: &d {a: 16:9, 'b': \"x\\u00e4\"}\n"
        b"shots:\n  s1:\n    <<: *d\n    c: [1, 2]\n    e: |\n      text\n"
    )
    for _ in range(number):
        mutant = bytearray(base)
        for _ in range(source.randint(1, 4)):
            at = source.randrange(len(mutant))
            mutant[at : at + source.randint(0, 3)] = source.choice(
                [
                    b"*",
                    b"&a ",
                    b"!",
                    b"\t",
                    b"[",
                    b"{",
                    b"'",
                    b'"',
                    b"\\",
                    b": ",
                    b"- ",
                    b"\xc3",
                    b"\0",
                    b"%",
                    b"---\n",
                    b"? ",
                    b"<<",
                ]
            )
        yield bytes(mutant)


@pytest.mark.parametrize("parser", [yaml._parser_class(), yaml._PureParser], ids=["C", "pure"])
def test_no_damaged_file_makes_anything_but_problems(parser):
    places, composed = [], 0
    for mutant in mutants(1, 1500):
        composer = yaml._Composer("x.yaml")
        try:
            composer.run(characters.decoded(mutant), parser)
        except (characters.Undecodable, yaml._Stop) as stop:
            places.append((stop.line, stop.column))
        else:
            composed += 1
            plain(composer.root)
    assert composed > 100
    assert len(places) > 100
    assert min(places) >= (1, 1)


def test_both_parsers_read_the_same():
    text = "a: 16:9\nb: &b [1, 'x', \"y\\n\", {c: ~}]\nd: {<<: {e: 1}, f: *b}\ng: |\n  block\n"
    found = []
    for parser in (yaml._parser_class(), yaml._PureParser):
        composer = yaml._Composer("x")
        composer.run(text, parser)
        found.append(composer.root)
    assert found[0] == found[1]


def test_ten_thousand_shots_are_composed_in_a_moment():
    shot = "".join(f"    key{n}: value {n}\n" for n in range(8))
    data = ("shots:\n" + "".join(f"  s{n}:\n{shot}" for n in range(10_000))).encode()
    start = time.process_time()
    assert read(data, "x").problems == ()
    assert time.process_time() - start < 3  # 0.5 s on an idle machine


def test_exactly_what_yaml_calls_printable_may_stand_in_a_file():
    """YAML 1.2, 5.1; besides, the noncharacters are ours (`characters`)."""
    wide = [range(0xA0, 0xD800), range(0xE000, 0xFDD0), range(0xFDF0, 0xFFFE)]
    allowed = [range(9, 11), range(13, 14), range(0x20, 0x7F), range(0x85, 0x86), *wide, range(0x10000, 0x110000)]
    text = "".join("".join(map(chr, some)) for some in allowed)
    refused = [chr(one) for one in range(0x10000) if not any(one in some for some in allowed)]

    assert characters.decoded(text.encode()) == text
    assert len(refused) == 95 + 0x800
    for one in refused:
        with pytest.raises(characters.Undecodable):
            characters.decoded(one.encode("utf-8", "surrogatepass"))
