"""Foreign texts on a terminal: no escapes, no keys, no endless lines."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from veopipe.text import SHOWN, counted, listed, printable, sized, without_keys

HARMFUL = {
    "window title": "\x1b]0;owned\x07",
    "clear screen": "\x1b[2J",
    "C1 CSI": "\x9b31m",
    "carriage return": "ok\rFAILED",
    "newline": "a\nb",
    "NUL": "a\0b",
    "backspace": "ab\x08c",
    "DEL": "a\x7f",
    "next line": "a\x85b",
    "line separator": "a\u2028b\u2029c",
    "right to left": "a\u202eb\u2066c\u200f",
    "Arabic letter mark": "a\u061cb",
    "zero width": "a\u200bb\u2060c\ufeff",
    "half a character": "a\ud800b\udfff",
}


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL)
def test_what_redraws_or_reorders_a_terminal_is_written_as_an_escape(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert "\\" in shown
    shown.encode("utf-8")


def test_every_control_of_both_sets_is_escaped() -> None:
    for number in [*range(0x20), *range(0x7F, 0xA0)]:
        assert printable(chr(number)).isascii()
        assert printable(chr(number)).isprintable()


@pytest.mark.parametrize(
    "text", ["A lighthouse — at sunset", "灯台", "späť", "🌅", "50 % \"quoted\" 'it' \\ {x} [bold]", "a.b-c_d"]
)
def test_harmless_texts_are_shown_as_they_are(text: str) -> None:
    assert printable(text) == text


def test_well_known_controls_are_written_as_people_write_them() -> None:
    assert printable("a\tb\r\nc\x1b") == "a\\tb\\r\\nc\\u001b"


@pytest.mark.parametrize("length", [SHOWN - 1, SHOWN, SHOWN + 1, 1_000_000])
def test_long_texts_are_cut(length: int) -> None:
    shown = printable("x" * length)

    assert len(shown) == min(length, SHOWN)
    assert shown.endswith("…") is (length > SHOWN)


def test_a_limit_can_be_given_or_lifted() -> None:
    assert printable("abcdef", 4) == "abc…"
    assert printable("x" * 1000, None) == "x" * 1000


# --- keys ------------------------------------------------------------------------------------------

KEY = "sk-Abc123Def456Ghi789"


@pytest.mark.parametrize(
    "text", ["{}", "Bearer {}", "[{}]", "key={}&x", '"{}"', "TokenStatusExhausted[{}]", "{}\n", "é{}", "_{}", "x:{}"]
)
def test_a_key_is_masked_wherever_a_gateway_echoes_it(text: str) -> None:
    shown = printable(text.format(KEY))

    assert KEY not in shown
    assert "sk-…" in shown


@pytest.mark.parametrize("key", ["AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q", "AQ.Ab8RN6Kx0aB1cD2eF3gH4iJ5kL6mN7oP8qR9"])
def test_a_key_of_googles_is_masked_too(key: str) -> None:
    assert printable(f"API key {key} not valid") == "API key sk-… not valid"
    assert printable(f"FAQ.{'a' * 30} xAIza{'b' * 30}") == f"FAQ.{'a' * 30} xAIza{'b' * 30}"


def test_a_partly_masked_key_is_masked_whole() -> None:
    assert without_keys("sk-Abc***********789 is exhausted") == "sk-… is exhausted"


@pytest.mark.parametrize(
    "text", ["desk-lamp-01", "risk-assessment", "task-123456", "mask-wearing people", "sk-8", "sk-"]
)
def test_words_that_only_contain_the_letters_are_no_keys(text: str) -> None:
    """Shot ids are shown in commands that a person copies."""
    assert printable(text) == text


def test_a_key_is_masked_before_the_text_is_cut() -> None:
    for room in range(len(KEY) + 3):
        assert "Abc" not in printable("x" * (SHOWN - room) + " " + KEY)


HIDING = """
import sys
from veopipe.text import hide, printable
hide(sys.argv[1])
print(printable(sys.argv[2]))
"""


def said(secret: str, text: str) -> str:
    """What a process that hides `secret` shows of `text` (a process of its own: hiding is for good)."""
    done = subprocess.run(
        [sys.executable, "-c", HIDING, secret, text], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.rstrip("\n")


def test_the_key_in_use_is_masked_by_value_whatever_it_looks_like() -> None:
    assert said("canary+42/=", "got canary+42/= twice: canary+42/=") == "got sk-… twice: sk-…"


def test_a_tests_short_key_maims_no_text() -> None:
    assert said("key", "the key of the gateway") == "the key of the gateway"


# --- counting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "words"), [(0, "0 shots"), (1, "1 shot"), (2, "2 shots"), (10_000, "10,000 shots")])
def test_things_are_counted_in_words(number: int, words: str) -> None:
    assert counted(number, "shot") == words


def test_a_plural_of_its_own() -> None:
    assert counted(2, "retry", "retries") == "2 retries"
    assert counted(1, "retry", "retries") == "1 retry"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://me:pw@host/x", "at https://sk-…@host/x"),
        ("at http://me:p/w#1@host", "at http://sk-…@host"),
        ("at socks5://token@host", "at socks5://sk-…@host"),
        ("at https://host:80/x", "at https://host:80/x"),
        ("at https://host/@me", "at https://host/@me"),
        ("at https://cdn.example:8443/videos/a@b.mp4", "at https://cdn.example:8443/videos/a@b.mp4"),
        ("at https://[fd00::1]:8443/a@b.mp4", "at https://[fd00::1]:8443/a@b.mp4"),
        ("at https://[fd00::1]/a@b.mp4", "at https://[fd00::1]/a@b.mp4"),
        ("at https://me:8443x/y@host", "at https://sk-…@host"),
        ("at https://me:8443@host/x", "at https://sk-…@host/x"),
        ("me@host, https://host", "me@host, https://host"),
    ],
)
def test_the_login_of_an_address_is_masked(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0.0 kB"),
        (640_000, "640 kB"),
        (3_300_000, "3.3 MB"),
        (75e9, "75 GB"),
        (1.3e12, "1.3 TB"),
        (5e15, "5,000 TB"),
    ],
)
def test_bytes_are_said_as_on_disks(size: float, words: str) -> None:
    assert sized(size) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write https://host/v1?key=abcd1234", "write https://host/v1?key=sk-…"),
        ('"s3://bucket/x?sig=Ab%2F=&se=2027", more', '"s3://bucket/x?sig=sk-…&se=2027", more'),
        ("at https://h/a?X-Amz-Signature=0f1e2d&X-Amz-Date=1", "at https://h/a?X-Amz-Signature=sk-…&X-Amz-Date=1"),
        ("at https://h/a?b=1&access_token=abcd#end", "at https://h/a?b=1&access_token=sk-…#end"),
        ("key=abcd1234 and a?monk=abcd", "key=abcd1234 and a?monk=abcd"),
        ("at https://h/a?key=", "at https://h/a?key="),
    ],
)
def test_what_an_address_says_to_be_a_secret_is_masked(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_of_half_addresses_takes_no_time() -> None:
    began = time.process_time()
    printable("?" + "a-" * 100_000 + "&x=" * 100_000)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["one"], "one"), (["one", "two"], "one and two"), (["one", "two", "three"], "one, two and three")],
)
def test_words_are_listed_as_people_say_them(words: list[str], sentence: str) -> None:
    assert listed(words) == sentence
