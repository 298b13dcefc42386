"""How an order is spelt in the form of a create request. Pure.

The models of the API document take each value in several fields. Others that are sold on the same routes take a lean
form: five texts, and what nobody has seen of them isn't sent.

Source: API document, Text-to-Video, Image-to-Video, First/Last-Frame Generation, Multi-Reference Images and
Duration and Resolution; docs/api-facts.md, i; docs/design.md, 3 (On the wire).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from veopipe.dialects.base import Part, Picture
from veopipe.takes.order import Order

_FILES = {"input_reference": "input_reference", "last_frame": "last_frame", "reference_images": "referenceImages"}
"""The role of a picture → the field that it goes into."""
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


def parts_of(
    order: Order, pictures: Sequence[Picture], *, lean: bool = False, fields: Mapping[str, str] | None = None
) -> tuple[Part, ...]:
    """The whole form: texts, then files.

    Args:
        order: what is asked for.
        pictures: those of the order, in its sequence.
        lean: the model takes no more texts than five.
        fields: role of a picture → field, where they aren't those of the document.

    Raises:
        ValueError: a lean form has no field for something that is ordered.
    """
    known = {**({} if lean else _FILES), **(fields or {})}
    texts = lean_texts_of(order) if lean else texts_of(order)
    return (*(Part(name, value) for name, value in texts), *files_of(pictures, known))


def lean_texts_of(order: Order) -> list[tuple[str, str]]:
    """The text fields of a lean form; raises `ValueError` if the order has something that none of them can say."""
    if order.negative_prompt is not None or order.seed is not None:
        raise ValueError(f"{order.model} takes neither a negative prompt nor a seed")
    width, height = order.size
    shape = [("size", f"{width}x{height}"), ("resolution", order.resolution)]
    return [("model", order.model), ("prompt", order.prompt), ("seconds", str(order.seconds)), *shape]


def texts_of(order: Order) -> list[tuple[str, str]]:
    """The text fields, per mode exactly those of the document's example for it.

    First/last frame goes without `duration` and `metadata`, except at 4K, which always needs metadata.
    All are texts; only `durationSeconds` inside `metadata` is a JSON number.
    """
    seconds = str(order.seconds)
    width, height = order.size
    frames = order.mode == "first_last"
    fields = [("model", order.model), ("prompt", order.prompt), ("seconds", seconds)]
    if not frames:
        fields.append(("duration", seconds))
    fields += [
        ("size", f"{width}x{height}"),
        ("resolution", order.resolution),
        ("aspectRatio", order.aspect_ratio),
    ]
    if not frames or order.resolution == "4k":
        fields.append(("metadata", _metadata(order)))
    if order.mode == "references":
        fields.append(("referenceType", "asset"))
    if order.negative_prompt is not None:
        fields.append(("negativePrompt", order.negative_prompt))
    if order.seed is not None:
        fields.append(("seed", str(order.seed)))
    return fields


def _metadata(order: Order) -> str:
    facts = {
        "durationSeconds": order.seconds,
        "resolution": order.resolution,
        "aspectRatio": order.aspect_ratio,
    }
    return json.dumps(facts, separators=(",", ":"))


def files_of(pictures: Sequence[Picture], fields: Mapping[str, str] = _FILES) -> list[Part]:
    """The files. Their names are ours, never the user's; references are numbered from 1.

    Raises:
        ValueError: there is no field for the role of one.
    """
    seen: Counter[str] = Counter()
    files = []
    for picture in pictures:
        if picture.role not in fields:
            raise ValueError(f"it isn't known in which field a picture is sent as {picture.role}")
        seen[picture.role] += 1
        name = picture.role if picture.role != "reference_images" else f"reference_image_{seen[picture.role]}"
        file_name = f"{name}.{_ENDINGS[picture.media_type]}"
        files.append(Part(fields[picture.role], picture.content, file_name, picture.media_type))
    return files
