"""How an order is spelt in the JSON body of a create request. Pure.

Pictures go first, inline, each with its media type; the text is last. What a picture is for is said by tags in front of
the text. They are no part of the order: its fingerprint is over the user's words.

Source: docs/api-facts.md, h.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from veopipe.dialects.base import Picture
from veopipe.takes.order import Order

_TASKS = {"image": "image_to_video", "first_last": "image_to_video", "references": "reference_to_video"}
"""Mode of an order → what the API calls it. A text alone is what it makes of itself."""
_FRAMES = {"input_reference": "<FIRST_FRAME>", "last_frame": "<LAST_FRAME>"}


def body_of(order: Order, pictures: Sequence[Picture]) -> tuple[bytes, int]:
    """The whole body as ASCII JSON, and how many bytes of it are pictures, which polls may repeat.

    Raises:
        ValueError: the order has a negative prompt or a seed, which this API has no words for.
    """
    if order.negative_prompt is not None or order.seed is not None:
        raise ValueError("the Interactions API takes no negative prompt and no seed")
    packed = [base64.b64encode(picture.content).decode("ascii") for picture in pictures]
    document: dict[str, Any] = {
        "model": order.model,
        "input": _input(order, pictures, packed),
        "background": True,  # else the connection stays open until the video is made
        "response_format": {
            "type": "video",
            "delivery": "uri",  # else the video comes inside a poll, and not at all above 4 MB
            "aspect_ratio": order.aspect_ratio,
            "resolution": order.resolution,
            "duration": f"{order.seconds}s",  # a bare number is refused
        },
    }
    if order.mode in _TASKS:
        document["generation_config"] = {"video_config": {"task": _TASKS[order.mode]}}
    return json.dumps(document, separators=(",", ":")).encode("ascii"), sum(map(len, packed))


def _input(order: Order, pictures: Sequence[Picture], packed: Sequence[str]) -> str | list[Mapping[str, str]]:
    if not pictures:
        return order.prompt
    images = [
        {"type": "image", "data": data, "mime_type": picture.media_type}
        for picture, data in zip(pictures, packed, strict=True)
    ]
    return [*images, {"type": "text", "text": tagged(order.prompt, pictures)}]


def tagged(prompt: str, pictures: Sequence[Picture]) -> str:
    """The prompt with a tag for each picture in front, but those that its author wrote."""
    references = [picture for picture in pictures if picture.role not in _FRAMES]
    tags = [_FRAMES[picture.role] for picture in pictures if picture.role in _FRAMES]
    tags += [f"<IMAGE_REF_{number}>" for number, _ in enumerate(references)]
    return " ".join([*(tag for tag in tags if tag not in prompt), prompt])
