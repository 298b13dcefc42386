"""Orders: fingerprints that no upgrade changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from veopipe.takes import order as orders
from veopipe.takes.order import Order, OrderedPicture

HERE = Path(__file__).parents[1]
DOCUMENT = HERE.parent / "docs" / "api-document.txt"
FILES = {"input_reference", "last_frame", "referenceImages"}
FAST = "veo-3.1-fast-generate-preview"
PLAIN = Order(FAST, "A lighthouse", 8, "720p", "16:9", None, None, (), 1)


def with_pictures(order: Order, *roles: str) -> Order:
    return replace(order, pictures=tuple(OrderedPicture(role, "a" * 64) for role in roles))


# --- fingerprints ----------------------------------------------------------------------------------


LEDGERS = sorted((HERE / "fingerprints").glob("*.json"))


def order_from(document: dict[str, Any]) -> Order:
    pictures = tuple(OrderedPicture(**picture) for picture in document["pictures"])
    return Order(**{**document, "pictures": pictures})


def recorded() -> list[Any]:
    return [
        pytest.param(entry, id=f"{path.stem}-{entry['note']}")
        for path in LEDGERS
        for entry in json.loads(path.read_text("utf-8"))
    ]


@pytest.mark.parametrize("entry", recorded())
def test_a_fingerprint_is_what_it_was_when_it_was_released(entry: dict[str, Any]) -> None:
    """A red test here means that an upgrade buys everything again: give the fingerprint a new version instead."""
    assert order_from(entry["order"]).fingerprint() == entry["fingerprint"]


@pytest.mark.parametrize("entry", recorded())
def test_the_recorded_orders_are_what_state_files_hold(entry: dict[str, Any]) -> None:
    assert order_from(entry["order"]).as_json() == entry["order"]


def test_no_two_recorded_orders_have_one_fingerprint() -> None:
    entries = [entry.values[0] for entry in recorded()]

    assert len(entries) >= 10
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


DIFFERENT = {
    "model": replace(PLAIN, model="veo-3.1-generate-preview"),
    "prompt": replace(PLAIN, prompt="A lighthouse."),
    "seconds": replace(PLAIN, seconds=4),
    "resolution": replace(PLAIN, resolution="1080p"),
    "aspect ratio": replace(PLAIN, aspect_ratio="9:16"),
    "negative prompt": replace(PLAIN, negative_prompt="blurry"),
    "seed": replace(PLAIN, seed=0),
    "pictures": with_pictures(PLAIN, "input_reference"),
    "take": replace(PLAIN, take=2),
}


@pytest.mark.parametrize("word", DIFFERENT)
def test_what_is_asked_for_changes_the_fingerprint_and_is_named(word: str) -> None:
    other = DIFFERENT[word]

    assert other.fingerprint() != PLAIN.fingerprint()
    assert orders.changes(PLAIN, other) == [word]


def test_the_same_picture_in_another_role_is_another_order() -> None:
    roles = ("input_reference", "last_frame", "reference_images")

    assert len({with_pictures(PLAIN, role).fingerprint() for role in roles}) == 3


def test_pictures_in_another_order_are_another_order() -> None:
    one, two = OrderedPicture("reference_images", "a" * 64), OrderedPicture("reference_images", "b" * 64)

    assert replace(PLAIN, pictures=(one, two)).fingerprint() != replace(PLAIN, pictures=(two, one)).fingerprint()
