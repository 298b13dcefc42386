"""What it accepts: one create request judged. No network, no clock.

The order in which things are judged is ours, and so is what is checked where nobody knows how strict Google is: a field
that isn't known is refused, so that a spelling that Google would pass over is seen here.

Source: docs/api-facts.md, h.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from veopipe.simulator.answers import Answer
from veopipe.simulator.dialects.interactions.answers import api_error, front_error
from veopipe.simulator.dialects.interactions.prices import MODELS, used_by
from veopipe.simulator.orders import Order

FIELDS = frozenset(
    {"model", "input", "background", "response_format", "generation_config", "store", "labels", "stream"}
)
FORMAT_FIELDS = frozenset({"type", "delivery", "aspect_ratio", "resolution", "duration"})
RATIOS, RESOLUTIONS, DELIVERIES = ("16:9", "9:16"), ("360p", "720p", "1080p", "4k"), ("uri", "inline")
SHORTEST, LONGEST = 3, 10
MOST_REFERENCES = 6
_TASKS = ("text_to_video", "image_to_video", "reference_to_video")
_TYPES = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/gif", "image/bmp", "image/tiff"}
_FIRST_BYTES: Mapping[str, Callable[[bytes], bool]] = {
    "image/jpeg": lambda data: data.startswith(b"\xff\xd8\xff"),
    "image/png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
    "image/webp": lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP",
}
_TAG = re.compile(r"<(FIRST_FRAME|LAST_FRAME|IMAGE_REF_([0-9]{1,3}))>")


class _Wrong(ValueError):
    """The request can't be served; the answer says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture of the input: what it is for, what the client calls it, its bytes."""

    role: str
    media_type: str
    data: bytes

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the book and the log of the wire keep of it."""
        return {
            "field": self.role,
            "filename": "",
            "content_type": self.media_type,
            "size": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """A create request that is understood.

    Attributes:
        order: what is delivered.
        uploads: its pictures.
        sent: the parts of the input, as sent.
        response_format: as sent.
        waits: the answer comes when the video is made.
        inline: the video comes inside the answer.
    """

    order: Order
    uploads: tuple[Upload, ...]
    sent: tuple[Mapping[str, Any], ...]
    response_format: Mapping[str, Any]
    waits: bool
    inline: bool


def judge(document: Any) -> Asked | Answer:
    """What a body asks for, or the refusal."""
    try:
        return _asked(document)
    except _Wrong as wrong:
        return wrong.answer


def prompt_of(document: Any) -> str:
    """The text of an input, whatever else is wrong with the request."""
    parts = _parts(document.get("input")) if isinstance(document, dict) else []
    return "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def _asked(document: Any) -> Asked:
    if not isinstance(document, dict):
        raise _invalid("the body must be a JSON object")
    _known(document, FIELDS, "")
    model, form = _model(document.get("model")), _format(document.get("response_format"))
    parts, prompt = _parts(document.get("input")), prompt_of(document).strip()
    if not prompt:
        raise _invalid("input must have a text")
    if any(part.get("type") not in {"image", "text"} for part in parts):
        raise _invalid("input: unknown type of content")
    pictures = [part for part in parts if part.get("type") == "image"]
    roles = _roles(prompt, len(pictures), _task(document.get("generation_config")))
    uploads = tuple(_upload(part, role) for part, role in zip(pictures, roles, strict=True))
    waits = not _flag(document, "background", otherwise=False)
    if not waits and not _flag(document, "store", otherwise=True):
        raise _invalid("background requires store to be true")
    order = _order(model, prompt, _mode(roles), form, len(uploads))
    return Asked(order, uploads, tuple(parts), form, waits, form.get("delivery", "inline") == "inline")


def _model(model: Any) -> str:
    if not isinstance(model, str) or not model:
        raise _invalid("model is required")
    if model not in MODELS:
        message = f"models/{model[:60]} is not found for API version v1beta, or is not supported for interactions."
        raise _Wrong(front_error(404, message, "NOT_FOUND"))
    return model


def _order(model: str, prompt: str, mode: str, form: Mapping[str, Any], pictures: int) -> Order:
    seconds, resolution = _seconds(form.get("duration", "8s")), form.get("resolution", "720p")
    return Order(
        model=model,
        prompt=prompt,
        mode=mode,
        seconds=seconds,
        resolution=resolution,
        ratio=form.get("aspect_ratio", "16:9"),
        seed=None,
        price=used_by(prompt, pictures, seconds, resolution).cost(model),
    )


def _invalid(message: str) -> _Wrong:
    return _Wrong(api_error(400, message))


def _known(value: Mapping[str, Any], names: frozenset[str], where: str) -> None:
    for name in value:
        if name not in names:
            place = f' at "{where}"' if where else ""
            raise _invalid(f'Invalid JSON payload received. Unknown name "{name[:60]}"{place}: Cannot find field.')


def _flag(document: Mapping[str, Any], name: str, *, otherwise: bool) -> bool:
    said = document.get(name, otherwise)
    if not isinstance(said, bool):
        raise _invalid(f"Invalid value at '{name}' (TYPE_BOOL)")
    return said


# --- the format of the video -----------------------------------------------------------------------


def _format(value: Any) -> Mapping[str, Any]:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or value.get("type") != "video":
        raise _invalid("response_format.type must be video for this model")
    _known(value, FORMAT_FIELDS, "response_format")
    choices = (("aspect_ratio", RATIOS), ("resolution", RESOLUTIONS), ("delivery", DELIVERIES))
    for name, allowed in choices:
        if name in value and value[name] not in allowed:
            raise _invalid(f"Invalid value at 'response_format.{name}': {value[name]!r:.60}")
    return value


def _seconds(said: Any) -> int:
    """The length: a Duration is a text with an `s`; a bare number is refused."""
    found = re.fullmatch(r"([0-9]{1,4})s", said) if isinstance(said, str) else None
    if found is None:
        kind = "type.googleapis.com/google.protobuf.Duration"
        raise _invalid(f"Invalid value at 'response_format.duration' ({kind}), {said!r:.60}")
    if not SHORTEST <= int(found[1]) <= LONGEST:
        raise _invalid(f"response_format.duration must be between {SHORTEST}s and {LONGEST}s")
    return int(found[1])


def _task(config: Any) -> str | None:
    if config is None:
        return None
    if not isinstance(config, dict):
        raise _invalid("Invalid value at 'generation_config'")
    _known(config, frozenset({"video_config"}), "generation_config")
    video = config.get("video_config")
    if not isinstance(video, dict):
        raise _invalid("Invalid value at 'generation_config.video_config'")
    _known(video, frozenset({"task"}), "generation_config.video_config")
    if video.get("task") not in _TASKS:
        raise _invalid(f"Invalid value at 'generation_config.video_config.task': {video.get('task')!r:.60}")
    return str(video["task"])


# --- the input -------------------------------------------------------------------------------------


def _parts(value: Any) -> list[Mapping[str, Any]]:
    """The parts of an input: a text, a list of parts, or a list of steps that have some."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    found: list[Mapping[str, Any]] = []
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, dict):
            found += _parts(entry.get("content")) if entry.get("type") == "user_input" else [entry]
    return found


def _roles(prompt: str, pictures: int, task: str | None) -> list[str]:
    """What each picture is for: by the tags of the text, in their order, or where there are none by the task."""
    roles = _tagged(prompt) or _untagged(pictures, task)
    if len(roles) != pictures:
        raise _invalid(f"the text names {len(roles)} images, the input has {pictures}")
    wanted = {"text": "text_to_video", "reference images": "reference_to_video"}.get(_mode(roles), "image_to_video")
    if task not in {None, wanted}:
        raise _invalid(f"video_config.task {task} doesn't fit the input")
    return roles


def _tagged(prompt: str) -> list[str]:
    tags = dict.fromkeys(match[1].lower() for match in _TAG.finditer(prompt))
    frames = [tag for tag in ("first_frame", "last_frame") if tag in tags]
    if frames == ["last_frame"]:
        raise _invalid("<LAST_FRAME> needs <FIRST_FRAME>")
    references = [f"image_ref_{number}" for number in range(len(tags) - len(frames))]
    if not tags.keys() <= {*frames, *references}:
        raise _invalid("<IMAGE_REF_N> counts from 0 and leaves no number out")
    if len(references) > MOST_REFERENCES:
        raise _invalid(f"at most {MOST_REFERENCES} reference images")
    return [*frames, *references]


def _untagged(pictures: int, task: str | None) -> list[str]:
    if task == "reference_to_video":
        return [f"image_ref_{number}" for number in range(pictures)]
    return ["first_frame", "last_frame"][:pictures]


def _mode(roles: Sequence[str]) -> str:
    if any(role.startswith("image_ref") for role in roles):
        return "reference images"
    if "last_frame" in roles:
        return "first and last frame"
    return "first frame" if roles else "text"


def _upload(part: Mapping[str, Any], role: str) -> Upload:
    _known(part, frozenset({"type", "data", "mime_type"}), "input")
    kind, data = part.get("mime_type"), part.get("data")
    if kind not in _TYPES:
        raise _invalid(f"Invalid value at 'input.mime_type': {kind!r:.60}")
    try:
        content = base64.b64decode(data if isinstance(data, str) else "-", validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("Invalid value at 'input.data' (TYPE_BYTES), Base64 decoding failed") from None
    begins = _FIRST_BYTES.get(str(kind))
    if begins is not None and not begins(content):
        raise _invalid("Unable to process input image. Please retry or report in the forum.")
    return Upload(role, str(kind), content)
