"""The short way to read a review file: it never means something else than YAML, and is the way for our own files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.harness.figures import LONG
from veopipe.documents import yaml
from veopipe.film import review, shortform
from veopipe.ledger.paths import Places
from veopipe.takes.verdict import Review, Verdict

NAME = "SC01.001"
WORDS = (
    *(
        "the gull",
        "at 5 s",
        "späť",
        "漢字",
        "ª",
        "٣",
        "'",
        '"',
        ": ",
        ":",
        " #",
        "#",
        "- ",
        "-",
        "?",
        "!",
        "!!str",
        "&a",
        "*a",
    ),
    *(
        "null",
        "Null",
        "true",
        "yes",
        "1.5",
        "0x1F",
        "~",
        "|",
        ">",
        "%",
        "@",
        "`",
        "{",
        "}",
        "[",
        "]",
        ",",
        "...",
        "---",
    ),
    *(
        "\t",
        " ",
        "  ",
        "\\",
        "\x85",
        "\u2028",
        "\ufeff",
        "\xa0",
        "\u0301",
        "\U0001f600",
        "=",
        "<<",
        "2026-11-26",
        "a" * 120,
    ),
)
TIMES = ("2026-11-26T09:12:00Z", "'2026-11-26T09:12:00Z'", '"2026-11-26T09:12:00Z"', "٢٠٢٦-11-26T09:12:00Z", "null")


def by_yaml(content: str) -> Review | None:
    """What the long way makes of it; None: it is refused."""
    document = yaml.read(content.encode("utf-8", "surrogatepass"), NAME)
    return review._read_all(Path(f"{NAME}.yaml"), NAME, document, is_named=True)[0]


def text(chance: random.Random) -> str:
    if chance.random() < 0.4:
        return chance.choice(["ana", "the gull at 5 s", "'it''s dark'", "'no: too dark'", "späť (2)"])
    words = "".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 5)))
    return chance.choice([words, words, f"'{words}'", f'"{words}"'])


def content(chance: random.Random) -> str:
    """A review file, mostly in the usual form."""
    lines = [
        f"file: sha256:{chance.choice(['0' * 12, 'ab' * 32, '1e1111111111', '0' * 11])}",
        f"verdict: {chance.choice(['pick', 'alt', 'reject', 'Pick', 'null'])}",
        f"again: {chance.choice(['true', 'true', 'True', 'false', 'yes'])}",
        f"by: {text(chance)}",
        f"at: {chance.choice(TIMES)}",
        f"note: {text(chance)}",
    ]
    kept = [line for number, line in enumerate(lines) if number == 0 or chance.random() < 0.5]
    if chance.random() < 0.1:
        chance.shuffle(kept)
    end = chance.choice(["\n"] * 8 + ["", "\r\n", "\n\n", " \n", "\nmood: calm\n"])
    return "\n".join(kept) + end


@pytest.mark.parametrize("seed", range(60 if LONG else 6))
def test_it_reads_what_yaml_reads_or_nothing(seed: int) -> None:
    chance, short = random.Random(seed), 0
    for _ in range(1500):
        written = content(chance)
        found = shortform.read(NAME, written.encode("utf-8", "surrogatepass"))
        if found is not None:
            short += 1
            assert found == by_yaml(written), written
    assert short > 100, "the form is so rare that this proves nothing"


@pytest.mark.parametrize(
    "said",
    [
        Review(NAME, "0" * 12, Verdict.PICK, by="ana", at="2026-11-26T09:12:00Z", note="the gull at 5 s"),
        Review(NAME, "0" * 12, Verdict.REJECT, again=True, by="Ana Novák", at="2026-11-26T09:12:00Z"),
        Review(NAME, "0" * 12, note="no: too dark"),
    ],
)
def test_what_veopipe_writes_is_read_the_short_way(said: Review, tmp_path: Path) -> None:
    places = Places(tmp_path / "shots.yaml", ".veopipe", "renders")
    review.write(places, [said])
    written = (places.reviews / f"{NAME}.yaml").read_bytes()

    assert shortform.read(NAME, written) == said
    assert review.read(places).by_take == {NAME: said}
