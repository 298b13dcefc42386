"""What the gateway accepts: one create request judged by the rules of the API document. No network, no clock.

Sections: Core Parameters, Duration and Resolution, First/Last-Frame Generation, Multi-Reference Images, FAQ.
How a violation is answered: docs/api-facts.md, a and b. In order, the first that applies answers:

1. model chosen (400 none, 503 unknown), prompt there (400);
2. the gateway builds its request: each value's form, metadata's JSON types (400, 500);
3. the wallet (elsewhere: it needs the book);
4. the model's maker: combinations (400 `fail_to_fetch_task` with its JSON inside). That comes last here, after
   the wallet, but a refused request gives its money back, so the caller may ask in either order.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from veopipe.simulator.answers import GOOGLE_UNSUPPORTED, Answer, gateway_error, google_error, task_error

# API document, Supported Models.
PRICES: Mapping[str, Decimal] = {
    "veo-3.1-fast-generate-preview": Decimal("0.3"),
    "veo-3.1-generate-preview": Decimal("1.2"),
}

# The document's spellings of each file field.
LAST_FRAME = frozenset({"last_frame", "lastFrame"})
REFERENCES = frozenset({"referenceImages", "reference_image", "reference_images"})
FILE_FIELDS = frozenset({"input_reference"}) | LAST_FRAME | REFERENCES
REFERENCE_TYPE = ("referenceType", "reference_type")
TEXT_FIELDS = frozenset(
    {"model", "prompt", "seconds", "duration", "size", "resolution", "aspectRatio", "metadata"}
    | {"negativePrompt", "seed", *REFERENCE_TYPE}
)
FORBIDDEN = ("generateAudio", "video")

DIMENSIONS: Mapping[tuple[str, str], tuple[int, int]] = {
    ("720p", "16:9"): (1280, 720),
    ("720p", "9:16"): (720, 1280),
    ("1080p", "16:9"): (1920, 1080),
    ("1080p", "9:16"): (1080, 1920),
    ("4k", "16:9"): (3840, 2160),
}
SIZES = {f"{width}x{height}": key for key, (width, height) in DIMENSIONS.items()}
RESOLUTIONS = ("720p", "1080p", "4k")
RATIOS = ("16:9", "9:16")
LENGTHS = ("4", "6", "8")
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
LARGEST_IMAGE = 20 * 1024 * 1024
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file: its field, what the client said about it, and what its bytes say."""

    field: str
    filename: str
    content_type: str
    size: int
    sha256: str
    data: bytes

    @property
    def true_type(self) -> str | None:
        """The image type by the first bytes, or None where it is none of the three."""
        if self.data.startswith(b"\xff\xd8\xff"):
            return "image/jpeg"
        if self.data.startswith(b"\x89PNG\r\n\x1a\n"):
            return "image/png"
        if self.data[:4] == b"RIFF" and self.data[8:12] == b"WEBP":
            return "image/webp"
        return None


# Joiners, fillers and selectors that Unicode has among letters and marks.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


def _is_visible(character: str) -> bool:
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return unicodedata.category(character)[0] not in "CZ" and character not in _UNSEEN and not is_selector


@dataclass(frozen=True, slots=True)
class Form:
    """One create request's parts in the order sent."""

    fields: tuple[tuple[str, str], ...]
    uploads: tuple[Upload, ...] = ()

    def text(self, name: str) -> str | None:
        """The first value of a field, stripped, or None where it is absent or nothing in it can be seen."""
        value = next((value for key, value in self.fields if key == name), "").strip()
        return value if any(_is_visible(character) for character in value) else None

    def of(self, names: frozenset[str]) -> list[Upload]:
        """The uploads of any of these fields."""
        return [upload for upload in self.uploads if upload.field in names]

    def without(self, texts: frozenset[str], files: frozenset[str] = frozenset()) -> Form:
        """The same request as a gateway sees it that drops these fields silently."""
        return Form(
            tuple(pair for pair in self.fields if pair[0] not in texts),
            tuple(upload for upload in self.uploads if upload.field not in files),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted request: what is delivered.

    Attributes:
        model: as requested.
        prompt: as sent.
        mode: `text`, `first frame`, `first and last frame` or `reference images`.
        seconds: 4, 6 or 8.
        resolution: what is delivered, which for 4k without metadata is 1080p.
        ratio: `16:9` or `9:16`.
        seed: as sent, or None.
        price: US dollars.
        ignored: names of text fields that mean nothing to the gateway.
    """

    model: str
    prompt: str
    mode: str
    seconds: int
    resolution: str
    ratio: str
    seed: str | None
    price: Decimal
    ignored: tuple[str, ...] = ()


def judge(form: Form) -> Order | Answer:
    """The order that `form` makes, or the refusal that the real gateway would answer."""
    refusal = _unusable(form)
    if refusal is not None:
        return refusal
    metadata = _metadata(form)
    if isinstance(metadata, Answer):
        return metadata
    wanted = _wanted(form, metadata)
    if isinstance(wanted, Answer):
        return wanted
    for rule in _MAKERS_RULES:
        refusal = rule(form, metadata, wanted)
        if refusal is not None:
            return refusal
    model = form.text("model") or ""
    return Order(
        model=model,
        prompt=form.text("prompt") or "",
        mode=_mode(form),
        seconds=wanted.seconds,
        resolution=_delivered(wanted, metadata),
        ratio=wanted.ratio,
        seed=form.text("seed"),
        price=PRICES[model],
        ignored=tuple(name for name, _ in form.fields if name not in TEXT_FIELDS),
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    seconds: int
    resolution: str
    ratio: str


_Metadata = Mapping[str, Any]


def _invalid(message: str) -> Answer:
    return task_error(400, "invalid_request", message)


def _unusable(form: Form) -> Answer | None:
    """Steps 1 and 2: what the gateway says before it looks at metadata."""
    model = form.text("model")
    if model is None:
        return gateway_error(400, "Model name not specified, model name cannot be empty")
    if model not in PRICES:
        message = f"No available channel for model {model} under group default (distributor)"
        return gateway_error(503, message, code="model_not_found")
    if form.text("prompt") is None:
        return _invalid("prompt is required")
    repeated = [name for name, count in Counter(name for name, _ in form.fields).items() if count > 1]
    if repeated:
        return _invalid(f"{repeated[0]} must be provided once")
    return _wrong_files(form) or _wrong_values(form)


def _wrong_files(form: Form) -> Answer | None:
    for name, _ in form.fields:
        if name in FILE_FIELDS:
            return _invalid(f"{name} must be an uploaded file, not text or a URL")
    for upload in form.uploads:
        if upload.field not in FILE_FIELDS and upload.field not in FORBIDDEN:
            return _invalid(f"unexpected file field: {upload.field}")
    for names, shown in ((frozenset({"input_reference"}), "input_reference"), (LAST_FRAME, "last_frame")):
        if len(form.of(names)) > 1:
            return _invalid(f"{shown} must be provided once")
    return None


def _wrong_values(form: Form) -> Answer | None:
    choices: tuple[tuple[str, Sequence[str], str], ...] = (
        ("seconds", LENGTHS, "seconds must be one of 4, 6, or 8"),
        ("duration", LENGTHS, "duration must be one of 4, 6, or 8"),
        ("resolution", RESOLUTIONS, "resolution must be one of 720p, 1080p, or 4k"),
        ("aspectRatio", RATIOS, "aspectRatio must be one of 16:9 or 9:16"),
        ("size", tuple(SIZES), f"size must be one of {', '.join(SIZES)}"),
    )
    for name, allowed, message in choices:
        value = form.text(name)
        if value is not None and value not in allowed:
            return _invalid(message)
    seed = form.text("seed")
    if seed is not None and not re.fullmatch(r"-?[0-9]{1,30}", seed):
        return task_error(500, "build_request_failed", f'strconv.ParseInt: parsing "{seed[:40]}": invalid syntax')
    return None


def _metadata(form: Form) -> _Metadata | Answer:
    text = form.text("metadata")
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _invalid("metadata must be a JSON object string")
    if not isinstance(value, dict):
        return _invalid("metadata must be a JSON object string")
    for name, kind in (("durationSeconds", int), ("seed", int)):
        if name in value and (type(value[name]) is not kind):
            return _wrong_type(name, value[name], "int")
    for name in ("resolution", "aspectRatio", "negativePrompt"):
        if name in value and not isinstance(value[name], str):
            return _wrong_type(name, value[name], "string")
    return value


def _wrong_type(name: str, value: Any, wanted: str) -> Answer:
    kinds = {str: "string", bool: "bool", list: "array", dict: "object", type(None): "null"}
    got = kinds.get(type(value), f"number {value}")
    message = f"json: cannot unmarshal {got} into Go struct field VeoParameters.{name} of type {wanted}"
    return task_error(500, "build_request_failed", f"unmarshal metadata failed: {message}")


def _wanted(form: Form, metadata: _Metadata) -> _Wanted | Answer:
    """Length, resolution and ratio; where several fields say one thing they must say the same."""
    # A duration without seconds is ignored on this route, and 4 s are made (docs/api-facts.md, b 5).
    seconds = _agreed(form.text("seconds"), metadata.get("durationSeconds"))
    if seconds is not None and form.text("duration") is not None:
        seconds = _agreed(seconds, form.text("duration"))
    by_size = SIZES.get(form.text("size") or "", (None, None))
    resolution = _agreed(form.text("resolution"), metadata.get("resolution"), by_size[0])
    ratio = _agreed(form.text("aspectRatio"), metadata.get("aspectRatio"), by_size[1])
    if _CONTRADICTION in (seconds, resolution, ratio):
        return google_error(400, GOOGLE_UNSUPPORTED)
    length, sharpness, shape = seconds or "4", resolution or "720p", ratio or "16:9"
    if length not in LENGTHS or (sharpness, shape) not in DIMENSIONS:
        return google_error(400, GOOGLE_UNSUPPORTED)
    return _Wanted(int(length), sharpness, shape)


_CONTRADICTION = "contradiction"


def _agreed(*values: object) -> str | None:
    given = {str(value) for value in values if value is not None}
    if len(given) > 1:
        return _CONTRADICTION
    return next(iter(given), None)


def _forbidden_fields(form: Form, metadata: _Metadata, wanted: _Wanted) -> Answer | None:
    del wanted
    names = {name for name, _ in form.fields} | {upload.field for upload in form.uploads} | set(metadata)
    for name in FORBIDDEN:
        if name in names:
            advice = "Please remove it or refer to the Gemini API documentation for supported usage."
            return google_error(400, f"`{name}` isn't supported by this model. {advice}")
    return None


def _eight_seconds(form: Form, metadata: _Metadata, wanted: _Wanted) -> Answer | None:
    del metadata
    needed = wanted.resolution != "720p" or bool(form.of(LAST_FRAME | REFERENCES))
    return google_error(400, GOOGLE_UNSUPPORTED) if needed and wanted.seconds != 8 else None


def _modes(form: Form, metadata: _Metadata, wanted: _Wanted) -> Answer | None:
    """First and last frame, and reference images: what goes with what."""
    del wanted
    first, last = form.of(frozenset({"input_reference"})), form.of(LAST_FRAME)
    references = form.of(REFERENCES)
    negative = form.text("negativePrompt") or metadata.get("negativePrompt")
    wrong = (
        (bool(last) and not first)
        or len(references) > 3
        or (bool(references) and bool(first or last))
        or (bool(references or last) and bool(negative))
    )
    return google_error(400, GOOGLE_UNSUPPORTED) if wrong else None


def _reference_type(form: Form, metadata: _Metadata, wanted: _Wanted) -> Answer | None:
    del metadata, wanted
    given = [value for name in REFERENCE_TYPE if (value := form.text(name)) is not None]
    wrong = any(value != "asset" for value in given) or (bool(given) and not form.of(REFERENCES))
    return google_error(400, GOOGLE_UNSUPPORTED) if wrong else None


def _seed(form: Form, metadata: _Metadata, wanted: _Wanted) -> Answer | None:
    del wanted
    for value in (form.text("seed"), metadata.get("seed")):
        if value is not None and not 0 <= int(value) <= LARGEST_SEED:
            return google_error(400, f"Invalid value at 'parameters.seed' (TYPE_UINT32), {value}")
    return None


def _images(form: Form, metadata: _Metadata, wanted: _Wanted) -> Answer | None:
    del metadata, wanted
    for upload in form.uploads:
        if upload.size > LARGEST_IMAGE:
            return google_error(400, f"The image in {upload.field} is larger than 20 MB.")
        if upload.true_type is None:
            return google_error(400, "Unable to process input image. Please use a JPEG, PNG or WebP image.")
        said = upload.content_type.partition(";")[0].strip().lower()
        if said not in ("", "application/octet-stream", upload.true_type):
            message = f"Unable to process input image: its type is {upload.true_type}, mimeType says {said}."
            return google_error(400, message)
    return None


_MAKERS_RULES: tuple[Callable[[Form, _Metadata, _Wanted], Answer | None], ...] = (
    _forbidden_fields,
    _eight_seconds,
    _modes,
    _reference_type,
    _seed,
    _images,
)


def _mode(form: Form) -> str:
    if form.of(REFERENCES):
        return "reference images"
    if form.of(LAST_FRAME):
        return "first and last frame"
    return "first frame" if form.of(frozenset({"input_reference"})) else "text"


def _delivered(wanted: _Wanted, metadata: _Metadata) -> str:
    """Duration and Resolution: without `metadata.resolution="4k"` the file may be rendered as 1080p."""
    if wanted.resolution == "4k" and metadata.get("resolution") != "4k":
        return "1080p"
    return wanted.resolution
