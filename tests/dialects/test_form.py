"""Orders on the wire: field by field as the API document's own examples."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from veopipe.dialects.base import Part, Picture
from veopipe.dialects.videos.dialect import Videos
from veopipe.dialects.videos.form import files_of, texts_of
from veopipe.takes.order import SIZES, Order, OrderedPicture

DOCUMENT = Path(__file__).parents[2] / "docs" / "api-document.txt"
FILES = {"input_reference", "last_frame", "referenceImages"}
PLAIN = Order("veo-3.1-fast-generate-preview", "A lighthouse", 8, "720p", "16:9", None, None, (), 1)


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

    sent = texts_of(ordered(example))

    assert sorted(sent) == sorted(field for field in example if field[0] not in FILES)


@pytest.mark.parametrize("heading", EXAMPLES)
def test_the_pictures_go_into_the_fields_of_the_documents_example(heading: str) -> None:
    example = [field for field in EXAMPLES[heading] if field[0] in FILES]
    pictures = [
        Picture(picture.role, value.partition("type=")[2], b"")
        for picture, (_, value) in zip(ordered(EXAMPLES[heading]).pictures, example, strict=True)
    ]

    sent = files_of(pictures)

    assert [part.name for part in sent] == [field for field, _ in example]
    assert [Path(part.file_name or "").suffix for part in sent] == [
        Path(value.partition(";")[0]).suffix for _, value in example
    ]


def test_the_names_of_pictures_in_the_request_are_ours_and_unlike() -> None:
    roles = ("input_reference", "last_frame", "reference_images", "reference_images")
    types = ("image/png", "image/jpeg", "image/webp", "image/png")

    assert files_of([Picture(role, kind, b"x") for role, kind in zip(roles, types, strict=True)]) == [
        Part("input_reference", b"x", "input_reference.png", "image/png"),
        Part("last_frame", b"x", "last_frame.jpg", "image/jpeg"),
        Part("referenceImages", b"x", "reference_image_1.webp", "image/webp"),
        Part("referenceImages", b"x", "reference_image_2.png", "image/png"),
    ]


def test_the_texts_of_a_form_come_before_its_files() -> None:
    request = Videos().create(with_pictures(PLAIN, "input_reference"), [Picture("input_reference", "image/png", b"x")])

    assert (request.method, request.path) == ("POST", "/v1/videos")
    assert [part.file_name for part in request.parts if part.file_name] == [request.parts[-1].file_name]


def with_pictures(order: Order, *roles: str) -> Order:
    return replace(order, pictures=tuple(OrderedPicture(role, "a" * 64) for role in roles))


def test_a_transition_goes_without_duration_and_metadata() -> None:
    sent = dict(texts_of(with_pictures(PLAIN, "input_reference", "last_frame")))

    assert not {"duration", "metadata"} & sent.keys()


@pytest.mark.parametrize(
    "roles",
    [(), ("input_reference",), ("input_reference", "last_frame"), ("reference_images",)],
    ids=lambda r: "+".join(r),
)
def test_4k_always_goes_with_metadata(roles: tuple[str, ...]) -> None:
    sent = dict(texts_of(with_pictures(replace(PLAIN, resolution="4k"), *roles)))

    assert json.loads(sent["metadata"]) == {"durationSeconds": 8, "resolution": "4k", "aspectRatio": "16:9"}
    assert sent["size"] == "3840x2160"


@pytest.mark.parametrize("seconds", [4, 6, 8])
def test_the_three_durations_are_the_same_and_metadata_has_a_number(seconds: int) -> None:
    sent = dict(texts_of(replace(PLAIN, seconds=seconds)))

    assert (sent["seconds"], sent["duration"]) == (str(seconds), str(seconds))
    assert json.loads(sent["metadata"])["durationSeconds"] == seconds


def test_only_references_say_their_type() -> None:
    assert ("referenceType", "asset") in texts_of(with_pictures(PLAIN, "reference_images"))
    assert "referenceType" not in dict(texts_of(PLAIN))
    assert "referenceType" not in dict(texts_of(with_pictures(PLAIN, "input_reference", "last_frame")))


def test_every_size_is_sent_as_the_document_writes_those_that_it_has() -> None:
    for (resolution, ratio), (width, height) in SIZES.items():
        order, size = replace(PLAIN, resolution=resolution, aspect_ratio=ratio), f"{width}x{height}"
        assert dict(texts_of(order))["size"] == size
        is_of_document = resolution != "360p" and (resolution, ratio) != ("4k", "9:16")
        assert (size in DOCUMENT.read_text("utf-8")) is is_of_document


def test_a_seed_of_zero_is_sent() -> None:
    assert ("seed", "0") in texts_of(replace(PLAIN, seed=0))
    assert "seed" not in dict(texts_of(PLAIN))


def test_no_forbidden_field_is_ever_sent() -> None:
    every = replace(PLAIN, negative_prompt="blurry", seed=1)
    for roles in ((), ("input_reference",), ("input_reference", "last_frame"), ("reference_images",)):
        for resolution in ("720p", "4k"):
            names = {name for name, _ in texts_of(with_pictures(replace(every, resolution=resolution), *roles))}
            assert not {"generateAudio", "video", "personGeneration", "reference_type", "lastFrame"} & names


# --- the lean form ---------------------------------------------------------------------------------

OMNI = replace(PLAIN, model="gemini-omni-1.2-flash", seconds=5, aspect_ratio="9:16")
LEAN = Videos(lean=frozenset({OMNI.model}), pictures={OMNI.model: {"input_reference": "first"}})


def test_a_lean_form_has_five_texts() -> None:
    sent = [(part.name, part.content) for part in LEAN.create(OMNI, []).parts]

    said = {"model": OMNI.model, "prompt": "A lighthouse", "seconds": "5", "size": "720x1280", "resolution": "720p"}
    assert sent == list(said.items())
    assert "metadata" in {part.name for part in LEAN.create(PLAIN, []).parts}


def test_a_lean_forms_pictures_go_where_the_profile_says_and_nowhere_else() -> None:
    [*_, sent] = LEAN.create(OMNI, [Picture("input_reference", "image/png", b"x")]).parts

    assert (sent.name, sent.file_name) == ("first", "input_reference.png")
    with pytest.raises(ValueError, match="it isn't known in which field"):
        LEAN.create(OMNI, [Picture("last_frame", "image/png", b"x")])
    assert (
        Videos(pictures={PLAIN.model: {"last_frame": "end"}})
        .create(PLAIN, [Picture("input_reference", "image/png", b"x"), Picture("last_frame", "image/png", b"x")])
        .parts[-1]
        .name
        == "end"
    )


@pytest.mark.parametrize("more", [{"negative_prompt": "blurry"}, {"seed": 0}])
def test_what_a_lean_form_cannot_say_is_never_left_out(more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="neither a negative prompt nor a seed"):
        LEAN.create(replace(OMNI, **more), [])  # type: ignore[arg-type]
