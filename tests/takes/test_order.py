"""Orders: on the wire as the API document's own examples, and fingerprints that no upgrade changes."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from veopipe.takes import order as orders
from veopipe.takes.order import SIZES, Order, OrderedPicture, form_fields, form_file

HERE = Path(__file__).parents[1]
DOCUMENT = HERE.parent / "docs" / "api-document.txt"
FILES = {"input_reference", "last_frame", "referenceImages"}
FAST = "veo-3.1-fast-generate-preview"
PLAIN = Order(FAST, "A lighthouse", 8, "720p", "16:9", None, None, (), 1)


def curl_examples() -> dict[str, list[tuple[str, str]]]:
    """The create requests of the document: the heading above each → its form fields, in order."""
    examples, heading, lines = {}, "", DOCUMENT.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("curl -X POST"):
            command = []
            for part in lines[number:]:
                command.append(part.removesuffix("\\"))
                if not part.endswith("\\"):
                    break
            words = shlex.split(" ".join(command))
            fields = [words[place + 1] for place, word in enumerate(words) if word == "-F"]
            examples[heading] = [(name, value) for name, _, value in (field.partition("=") for field in fields)]
        elif re.fullmatch(r"[A-Z4][A-Za-z0-9/ -]+", line):
            heading = line
    return examples


EXAMPLES = curl_examples()


def ordered(fields: list[tuple[str, str]]) -> Order:
    """The order that a request of the document asks for."""
    said = dict(fields)
    roles = {"input_reference": "input_reference", "last_frame": "last_frame", "referenceImages": "reference_images"}
    pictures = [(roles[name], value) for name, value in fields if name in FILES]
    return Order(
        model=said["model"],
        prompt=said["prompt"],
        seconds=int(said["seconds"]),
        resolution=said["resolution"],
        aspect_ratio=said["aspectRatio"],
        negative_prompt=said.get("negativePrompt"),
        seed=int(said["seed"]),
        pictures=tuple(OrderedPicture(role, hashlib.sha256(value.encode()).hexdigest()) for role, value in pictures),
        take=1,
    )


def test_the_document_has_an_example_for_every_mode() -> None:
    assert {ordered(fields).mode for fields in EXAMPLES.values()} == {"text", "image", "first_last", "references"}
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize("heading", EXAMPLES)
def test_the_fields_are_exactly_those_of_the_documents_example(heading: str) -> None:
    example = EXAMPLES[heading]

    sent = form_fields(ordered(example))

    assert sorted(sent) == sorted(field for field in example if field[0] not in FILES)


@pytest.mark.parametrize("heading", EXAMPLES)
def test_the_pictures_go_into_the_fields_of_the_documents_example(heading: str) -> None:
    example = [field for field in EXAMPLES[heading] if field[0] in FILES]
    numbers: dict[str, int] = {}
    sent = []
    for picture, (_, value) in zip(ordered(EXAMPLES[heading]).pictures, example, strict=True):
        numbers[picture.role] = numbers.get(picture.role, 0) + 1
        field, name = form_file(picture.role, numbers[picture.role], value.partition("type=")[2])
        assert Path(name).suffix == Path(value.partition(";")[0]).suffix
        sent.append(field)

    assert sent == [field for field, _ in example]


def test_the_names_of_pictures_in_the_request_are_ours_and_unlike() -> None:
    assert form_file("input_reference", 1, "image/png") == ("input_reference", "input_reference.png")
    assert form_file("last_frame", 1, "image/jpeg") == ("last_frame", "last_frame.jpg")
    assert form_file("reference_images", 3, "image/webp") == ("referenceImages", "reference_image_3.webp")


def with_pictures(order: Order, *roles: str) -> Order:
    return replace(order, pictures=tuple(OrderedPicture(role, "a" * 64) for role in roles))


def test_a_transition_goes_without_duration_and_metadata() -> None:
    sent = dict(form_fields(with_pictures(PLAIN, "input_reference", "last_frame")))

    assert not {"duration", "metadata"} & sent.keys()


@pytest.mark.parametrize(
    "roles",
    [(), ("input_reference",), ("input_reference", "last_frame"), ("reference_images",)],
    ids=lambda r: "+".join(r),
)
def test_4k_always_goes_with_metadata(roles: tuple[str, ...]) -> None:
    sent = dict(form_fields(with_pictures(replace(PLAIN, resolution="4k"), *roles)))

    assert json.loads(sent["metadata"]) == {"durationSeconds": 8, "resolution": "4k", "aspectRatio": "16:9"}
    assert sent["size"] == "3840x2160"


@pytest.mark.parametrize("seconds", [4, 6, 8])
def test_the_three_durations_are_the_same_and_metadata_has_a_number(seconds: int) -> None:
    sent = dict(form_fields(replace(PLAIN, seconds=seconds)))

    assert (sent["seconds"], sent["duration"]) == (str(seconds), str(seconds))
    assert json.loads(sent["metadata"])["durationSeconds"] == seconds


def test_only_references_say_their_type() -> None:
    assert ("referenceType", "asset") in form_fields(with_pictures(PLAIN, "reference_images"))
    assert "referenceType" not in dict(form_fields(PLAIN))
    assert "referenceType" not in dict(form_fields(with_pictures(PLAIN, "input_reference", "last_frame")))


def test_every_size_of_the_document_is_sent_as_it_is_written_there() -> None:
    for (resolution, ratio), (width, height) in SIZES.items():
        order, size = replace(PLAIN, resolution=resolution, aspect_ratio=ratio), f"{width}x{height}"
        assert dict(form_fields(order))["size"] == size
        assert size in DOCUMENT.read_text("utf-8")


def test_a_seed_of_zero_is_sent() -> None:
    assert ("seed", "0") in form_fields(replace(PLAIN, seed=0))
    assert "seed" not in dict(form_fields(PLAIN))


def test_no_forbidden_field_is_ever_sent() -> None:
    every = replace(PLAIN, negative_prompt="blurry", seed=1)
    for roles in ((), ("input_reference",), ("input_reference", "last_frame"), ("reference_images",)):
        for resolution in ("720p", "4k"):
            names = {name for name, _ in form_fields(with_pictures(replace(every, resolution=resolution), *roles))}
            assert not {"generateAudio", "video", "personGeneration", "reference_type", "lastFrame"} & names


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
