"""Which picture of a video is meant, as people write it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from veopipe.takes.moment import FIRST, LAST, Moment


@pytest.mark.parametrize(
    ("written", "name", "in_a_file_name"),
    [
        ("first", "first", "first"),
        ("last", "last", "last"),
        ("7.25", "7.25", "at-7.25"),
        ("2", "2", "at-2"),
        ("2.0", "2", "at-2"),
        (" 2.00 ", "2", "at-2"),
        ("0", "0", "at-0"),
        ("10", "10", "at-10"),
        ("100", "100", "at-100"),
        ("07.250", "7.25", "at-7.25"),
    ],
)
def test_one_moment_has_one_name(written: str, name: str, in_a_file_name: str) -> None:
    assert (Moment.of(written).name, Moment.of(written).in_a_file_name) == (name, in_a_file_name)


def test_seconds_are_exact() -> None:
    assert Moment.of("7.1").seconds == Fraction(71, 10)
    assert (FIRST.seconds, LAST.seconds) == (None, None)


@pytest.mark.parametrize("written", ["-1", "lst", "", "7,25", "1e2", "1s", "12345", "1.1234567", "nan", "½", "٣"])
def test_what_names_no_picture_is_refused_with_what_would(written: str) -> None:
    with pytest.raises(ValueError, match="write first, last, or seconds"):
        Moment.of(written)
