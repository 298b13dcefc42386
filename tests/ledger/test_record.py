"""State files: what is written is read back whole, and what isn't understood whole is trusted in nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.harness.builders import FILE, NOW, attempt, full_state, take
from veopipe.ledger import record
from veopipe.ledger.reading import Unreadable
from veopipe.takes.order import fingerprint_of
from veopipe.takes.status import Event, Status
from veopipe.takes.take import ShotState, advance


def document() -> dict[str, Any]:
    found = json.loads(record.dump(full_state()))
    assert isinstance(found, dict)
    return found


def test_what_is_written_is_read_back_equal() -> None:
    assert record.parse(record.dump(full_state())) == full_state()


@pytest.mark.parametrize("status", Status)
def test_a_take_of_every_status_is_read_back_equal(status: Status) -> None:
    state = ShotState("hero", (take(attempt(status), file=FILE),))

    assert record.parse(record.dump(state)) == state


def test_writing_what_was_read_changes_no_byte() -> None:
    text = record.dump(full_state())

    assert record.dump(record.parse(text)) == text


def test_the_file_is_ascii_lines_for_people_and_jq() -> None:
    text = record.dump(full_state())

    assert text.isascii()
    assert text.endswith(b"}\n")
    assert text.count(b"\n") > 30
    assert list(json.loads(text)) == ["format", "shot", "takes"]
    assert list(json.loads(text)["takes"][0])[:4] == ["take", "status", "fingerprint", "order"]


def test_money_is_a_decimal_string() -> None:
    assert document()["takes"][0]["attempts"][0]["price_usd"] == "0.30"


def test_fields_of_a_newer_veopipe_are_kept_at_every_level() -> None:
    found = document()
    first = found["takes"][0]
    places = [found, first, first["attempts"][0], first["attempts"][2]["sent"][0], first["file"], first["order"]]
    for place in places:
        place["from_the_future"] = {"deep": [1, "two", None]}

    again = json.loads(record.dump(record.parse(json.dumps(found).encode())))

    assert again == found


def test_what_a_newer_veopipe_says_of_a_picture_is_kept_where_its_fingerprint_is_of_it() -> None:
    found = document()
    second = found["takes"][1]
    for picture in second["order"]["pictures"]:
        picture["from_the_future"] = {"deep": [1, "two", None]}
    second["fingerprint"] = fingerprint_of(second["order"])

    text = record.dump(record.parse(json.dumps(found).encode()))

    assert json.loads(text) == found
    assert record.dump(record.parse(text)) == text


def test_a_change_keeps_the_fields_of_a_newer_veopipe() -> None:
    found = document()
    found["takes"][1]["attempts"][0]["from_the_future"] = 1
    state = record.parse(json.dumps(found).encode())

    state = state.with_take(advance(state.take(2), Event.ACCEPTED, NOW, task_id="task_2"))

    assert json.loads(record.dump(state))["takes"][1]["attempts"][0]["from_the_future"] == 1


def test_what_says_nothing_is_not_written() -> None:
    """State files of before are written back byte for byte."""
    text = record.dump(ShotState("hero", (take(attempt(Status.VERIFIED), file=FILE),)))

    assert (
        not {"dialect", "content_url", "charged_usd", "echo_bytes"} & json.loads(text)["takes"][0]["attempts"][0].keys()
    )
    assert record.parse(text).takes[0].last.dialect == "videos"


def test_takes_in_another_order_are_put_in_order() -> None:
    found = document()
    found["takes"].reverse()

    assert record.parse(json.dumps(found).encode()) == full_state()


# --- damage ----------------------------------------------------------------------------------------


def test_a_file_torn_anywhere_is_unreadable() -> None:
    text = record.dump(full_state()).rstrip()
    for length in range(len(text)):
        with pytest.raises(Unreadable):
            record.parse(text[:length])


def test_a_file_with_a_zeroed_tail_is_unreadable() -> None:
    text = record.dump(full_state())
    for length in range(0, len(text) - 2, 7):
        with pytest.raises(Unreadable):
            record.parse(text[:length] + bytes(len(text) - length))


def test_flipped_bytes_are_read_or_unreadable_and_never_anything_else() -> None:
    text, random = record.dump(full_state()), Random(20261122)
    for _ in range(2000):
        damaged = bytearray(text)
        damaged[random.randrange(len(text))] ^= 1 << random.randrange(8)
        try:
            state = record.parse(bytes(damaged))
        except Unreadable:
            continue
        record.dump(state)  # what was understood can be written again


WRONG: tuple[Any, ...] = (None, "x", "", 1, -1, 1.5, True, [], ["x"], {}, {"x": 1})


def places_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    return found + [place for key, child in inside for place in places_of(child, (*path, key))]


def test_any_value_of_a_wrong_kind_is_read_or_unreadable_and_never_anything_else() -> None:
    text, tried = json.dumps(document()), 0
    for path in places_of(json.loads(text)):
        for wrong in WRONG:
            found: Any = json.loads(text)
            place = found
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = wrong
            tried += 1
            try:
                record.dump(record.parse(json.dumps(found).encode()))
            except Unreadable:
                continue
    assert tried > 500


@pytest.mark.parametrize(
    "key",
    ["take", "status", "fingerprint", "order", "attempts", "number", "run", "gateway", "price_usd", "submitted_at"],
)
@pytest.mark.parametrize("wrong", [None, 1.5, True, ["x"]], ids=repr)
def test_a_needed_field_of_a_wrong_type_is_unreadable(key: str, wrong: Any) -> None:
    found = document()
    first = found["takes"][0]
    (first if key in first else first["attempts"][0])[key] = wrong

    with pytest.raises(Unreadable):
        record.parse(json.dumps(found).encode())


def set_in(*path: Any) -> Callable[[dict[str, Any]], None]:
    """A damage: the last of `path` is put where the others lead."""

    def damage(found: Any) -> None:
        for step in path[:-2]:
            found = found[step]
        found[path[-2]] = path[-1]

    return damage


def without(*path: Any) -> Callable[[dict[str, Any]], None]:
    def damage(found: Any) -> None:
        for step in path[:-1]:
            found = found[step]
        del found[path[-1]]

    return damage


def reprinted(damage: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """The damage, and the fingerprints that whoever wrote it would have made."""

    def damaged(found: Any) -> None:
        damage(found)
        for each in found["takes"]:
            each["fingerprint"] = fingerprint_of(each["order"])

    return damaged


FIRST = ("takes", 0)
LAST = (*FIRST, "attempts", 2)
FRAME = ("takes", 1, "order", "pictures", 1)
SENT = (*LAST, "sent", 0)
DAMAGES = {
    "a newer format": (set_in("format", 2), "its format is 2"),
    "format as text": (set_in("format", "1"), "'format' of the file has the wrong type"),
    "no takes": (without("takes"), "has no 'takes'"),
    "a take without attempts": (set_in(*FIRST, "attempts", []), "take 1 has no attempt"),
    "a take numbered 0": (set_in(*FIRST, "take", 0), "open attempt"),
    "two takes of one number": (set_in("takes", 1, "take", 1), "two takes have the same number"),
    "an unknown status": (set_in(*LAST, "status", "flying"), "unknown status 'flying'"),
    "a status that the last attempt hasn't": (set_in(*FIRST, "status", "parked"), "another status than its last"),
    "an open attempt before the last": (set_in(*FIRST, "attempts", 0, "status", "in_doubt"), "open attempt before"),
    "a submitting attempt before the last": (set_in(*FIRST, "attempts", 1, "status", "submitting"), "open attempt"),
    "paid but no task id": (without(*LAST, "task_id"), "is verified but has no task id"),
    "attempts of one number": (set_in(*FIRST, "attempts", 1, "number", 1), "aren't numbered in order"),
    "attempts in another order": (set_in(*FIRST, "attempts", 0, "number", 9), "aren't numbered in order"),
    "verified without a file": (set_in(*FIRST, "file", None), "is verified but names no file"),
    "a file name that leads away": (set_in(*FIRST, "file", "name", "../x.mp4"), "impossible name"),
    "a file name that is a folder": (set_in(*FIRST, "file", "name", ".."), "impossible name"),
    "an absolute output": (set_in(*FIRST, "file", "output", "/etc"), "impossible name"),
    "a name with a NUL": (set_in(*FIRST, "file", "name", "a\0b"), "impossible name"),
    "a short sha256": (set_in(*FIRST, "file", "sha256", "b" * 63), "impossible sha256"),
    "a sha256 with a newline": (set_in(*FIRST, "file", "sha256", "b" * 64 + "\n"), "impossible sha256"),
    "no seed in the order": (without(*FIRST, "order", "seed"), "order of take 1 can't be understood"),
    "a seed as text": (set_in(*FIRST, "order", "seed", "7"), "order of take 1 can't be understood"),
    "a picture without content": (set_in(*FIRST, "order", "pictures", [{"role": "x"}]), "can't be understood"),
    "no seconds in the order": (without(*FIRST, "order", "seconds"), "order of take 1 can't be understood"),
    "seconds as text": (set_in(*FIRST, "order", "seconds", "8"), "order of take 1 can't be understood"),
    "a size nobody sells": (set_in(*FIRST, "order", "resolution", "8k"), "size that this veopipe doesn't know"),
    "a ratio nobody sells": (set_in(*FIRST, "order", "aspect_ratio", "1:1"), "size that this veopipe doesn't know"),
    "a dialect that nobody speaks": (set_in(*LAST, "dialect", "esperanto"), "dialect that this veopipe doesn't know"),
    "an address with a host": (set_in(*LAST, "content_url", "https://evil.example/x"), "impossible address"),
    "an address without one": (set_in(*LAST, "content_url", "//evil.example/x"), "impossible address"),
    "an address that leads away": (set_in(*LAST, "content_url", "/v1/../x"), "impossible address"),
    "an address with a query": (set_in(*LAST, "content_url", "/v1/x?key=y"), "impossible address"),
    "a charge as a number": (set_in(*LAST, "charged_usd", 0.3), "has the wrong type"),
    "a charge below nothing": (set_in(*LAST, "charged_usd", "-1"), "is no amount of money"),
    "an echo below nothing": (set_in(*LAST, "echo_bytes", -1), "impossible size"),
    "an echo of gigabytes": (set_in(*LAST, "echo_bytes", 1 << 32), "impossible size"),
    "a latency that ends before it begins": (set_in(*LAST, "rendered_s", [2, 1]), "impossible time"),
    "a latency in three figures": (set_in(*LAST, "rendered_s", [1, 2, 3]), "impossible time"),
    "a latency in words": (set_in(*LAST, "rendered_s", [1, "2"]), "impossible time"),
    "a download that ends before it begins": (set_in(*LAST, "fetched_s", -0.1), "impossible time"),
    "a download of a lifetime": (set_in(*LAST, "fetched_s", 1e10), "impossible time"),
    "a picture with what isn't known": (set_in(*FRAME, "more", 1), "fingerprint of take 2 isn't that of its order"),
    **{
        f"a picture with {key} {value!r}": (reprinted(set_in(*FRAME, key, value)), "take 2 can't be understood")
        for key, value in (
            ("of", None),
            ("of", "c" * 63),
            ("of", "C" * 64),
            ("frame", None),
            ("frame", "banana"),
            ("frame", "7.250"),
            ("frame", "-1"),
            ("sha256", "a" * 64),
        )
    },
    "a file of no digest": (reprinted(set_in(*FRAME[:-1], 0, "sha256", "a" * 63)), "take 2 can't be understood"),
    "a file that is half a frame": (reprinted(set_in(*FRAME[:-1], 0, "frame", "last")), "take 2 can't be understood"),
    "a file with a frame of nothing": (reprinted(set_in(*FRAME[:-1], 0, "frame", None)), "isn't that of its order"),
    **{
        f"a sent frame with {key} {value!r}": (set_in(*SENT, key, value), "sent for take 1 is an impossible one")
        for key, value in (
            ("shot", ""),
            ("shot", "../SC01"),
            ("shot", "SC01\n"),
            ("take", -5),
            ("take", 0),
            ("take", 10**6),
            ("frame", "banana"),
            ("frame", " last"),
            ("source_sha256", "d" * 63),
            ("sha256", "x" * 64),
            ("bytes", -1),
            ("bytes", 0),
            ("bytes", 1 << 40),
        )
    },
    "a sent frame of no take": (without(*SENT, "take"), "sent for take 1 has no 'take'"),
    **{
        f"a price of {price!r}": (set_in(*LAST, "price_usd", price), "is no amount of money")
        for price in (
            "",
            "NaN",
            "-1",
            "Infinity",
            "1e999999999",
            "0x1",
            "1_000",
            " 1",
            "1\n",
            "٣",
            "$1",
            "0." + "1" * 99,
        )
    },
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_unreadable_with_a_reason(damage: Callable[[Any], None], words: str) -> None:
    found = document()
    damage(found)

    with pytest.raises(Unreadable) as caught:
        record.parse(json.dumps(found).encode())

    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"{}",
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"format": ' + b"9" * 5000 + b"}",
        b'{"format": 1, "shot": "x", "takes": [1]}',
        b'{"format": 1, "shot": "x", "takes": {}}',
        b'{"format": 1, "shot": "x", "takes": [], "more": NaN}',
        b'{"format": 1, "shot": "x", "takes": [], "more": -Infinity}',
        b'{"format": 1, "shot": "x", "takes": []} trailing',
    ],
    ids=lambda text: text[:40].decode("ascii", "replace"),
)
def test_what_is_no_state_file_is_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable):
        record.parse(text)
