"""Durations as people write them, and how long ago something was."""

import math
import time

import pytest

from veopipe.clock import between, in_words, minutes, now, parse_duration, roughly, since


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("15s", 15),
        ("5m", 300),
        ("6h", 21600),
        ("7d", 604_800),
        ("0.1h", 360),
        (" 1.5s ", 1.5),
        (15, 15),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_a_number_of_seconds(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "15",
        "s",
        "0s",
        "-1s",
        "1w",
        "1 h",
        "1h30m",
        "١s",
        "1e3s",
        "9" * 30 + "s",
        0,
        -1,
        True,
        math.inf,
        math.nan,
        1e300,
    ],
)
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(written)


def test_the_youngest_of_some_instants_counts():
    assert since(None, now()) < 10
    assert since(0, "2026-01-01T00:00:00Z", now()) < 10
    assert since(time.time() - 100, "2026-01-01T00:00:00Z") == pytest.approx(100, abs=10)


def test_a_time_that_cant_be_understood_makes_nothing_old():
    assert since(None, "2026-13-99T00:00:00Z") == pytest.approx(0, abs=1)
    assert since(1_000, "yesterday") > 1_000_000


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, ""), (-3, "0:00"), (7.9, "0:07"), (750, "12:30"), (3723, "1:02:03")]
)
def test_people_read_minutes_and_seconds(seconds, said):
    assert minutes(seconds) == said


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        ("2026-11-22T06:00:05Z", 5),
        ("2026-11-22T05:59:59Z", None),
        ("2026-11-22T06:00:05", None),
        ("later", None),
        (None, None),
    ],
)
def test_between_two_times_lie_seconds_unless_one_is_damaged(end, seconds):
    assert between("2026-11-22T06:00:00Z", end) == seconds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(48 * 3600, "48 h"), (7 * 86_400, "7 days"), (3600, "1 h"), (90, "90 s"), (0.25, "0.25 s"), (90_000, "25 h")],
)
def test_people_read_a_duration_in_its_largest_unit(seconds, said):
    assert in_words(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (63, "63 s"),
        (100, "2 min"),
        (5_000, "83 min"),
        (9_000, "2.5 h"),
        (151_200, "42 h"),
        (390_000, "4.5 days"),
        (1_000_000, "12 days"),
    ],
)
def test_a_duration_that_nobody_knows_exactly_has_two_digits(seconds, words):
    assert roughly(seconds) == words
