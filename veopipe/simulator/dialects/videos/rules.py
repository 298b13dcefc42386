"""What the gateway accepts: one create request judged by the rules for its model. No network, no clock.

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
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from veopipe.simulator.answers import Answer
from veopipe.simulator.dialects.videos.answers import GOOGLE_UNSUPPORTED, gateway_error, google_error, task_error
from veopipe.simulator.dialects.videos.form import Form
from veopipe.simulator.orders import DIMENSIONS, Order

# API document, Supported Models; LaoZhang's page on Omni, which is billed by the call and resolution.
_FAST, _STANDARD = Decimal("0.3"), Decimal("1.2")
PRICES: Mapping[str, Mapping[str, Decimal]] = {
    "veo-3.1-fast-generate-preview": {"720p": _FAST, "1080p": _FAST, "4k": _FAST},
    "veo-3.1-generate-preview": {"720p": _STANDARD, "1080p": _STANDARD, "4k": _STANDARD},
    "gemini-omni-1.2-flash": {"360p": Decimal("0.10"), "720p": Decimal("0.30"), "1080p": Decimal("0.45")},
}

# The document's spellings of each file field.
FIRST_FRAME = frozenset({"input_reference"})
LAST_FRAME = frozenset({"last_frame", "lastFrame"})
REFERENCES = frozenset({"referenceImages", "reference_image", "reference_images"})
FILE_FIELDS = FIRST_FRAME | LAST_FRAME | REFERENCES
REFERENCE_TYPE = ("referenceType", "reference_type")
TEXT_FIELDS = frozenset(
    {"model", "prompt", "seconds", "duration", "size", "resolution", "aspectRatio", "metadata"}
    | {"negativePrompt", "seed", *REFERENCE_TYPE}
)
LEAN_FIELDS = frozenset({"model", "prompt", "seconds", "size", "resolution"})
"""Those of Omni (docs/api-facts.md, i)."""
FORBIDDEN = ("generateAudio", "video")

RATIOS = ("16:9", "9:16")
LARGEST_IMAGE = 20 * 1024 * 1024
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class _Family:
    """What models of one kind take.

    Attributes:
        lengths: seconds, as texts.
        resolutions: those that are made, each in both ratios.
        unsold: resolution and ratio that aren't made all the same.
    """

    lengths: tuple[str, ...]
    resolutions: tuple[str, ...]
    unsold: tuple[str, str] | None = None

    @property
    def sizes(self) -> dict[str, tuple[str, str]]:
        """Pixels as a form has them → resolution and ratio, of all that is made."""
        made = ((key, size) for key, size in DIMENSIONS.items() if key[0] in self.resolutions and key != self.unsold)
        return {f"{width}x{height}": key for key, (width, height) in made}


# API document, Core Parameters (`size`): no 4k portrait. LaoZhang's page on Omni: no 4k.
_VEO = _Family(("4", "6", "8"), ("720p", "1080p", "4k"), unsold=("4k", "9:16"))
_OMNI = _Family(tuple(map(str, range(3, 11))), ("360p", "720p", "1080p"))
_FAMILIES = {name: _OMNI if name.startswith("gemini-omni") else _VEO for name in PRICES}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A form whose values are understood, and what they ask for together."""

    form: Form
    metadata: Mapping[str, Any]
    seconds: int
    resolution: str
    ratio: str

    @property
    def family(self) -> _Family:
        """What its model takes."""
        return _FAMILIES[self.form.text("model") or ""]

    @property
    def negative(self) -> object:
        """What must not be seen, wherever it is asked for."""
        return self.form.text("negativePrompt") or self.metadata.get("negativePrompt")


def judge(form: Form) -> Order | Answer:
    """The order that `form` makes, or the refusal that the real gateway would answer."""
    if (refusal := _unusable(form)) is not None:
        return refusal
    metadata = _metadata(form)
    if isinstance(metadata, Answer):
        return metadata
    asked = _asked(form, metadata)
    if isinstance(asked, Answer):
        return asked
    for rule in _RULES[asked.family]:
        if (refusal := rule(asked)) is not None:
            return refusal
    model = form.text("model") or ""
    return Order(
        model=model,
        prompt=form.text("prompt") or "",
        mode=_mode(form),
        seconds=asked.seconds,
        resolution=_delivered(asked),
        ratio=asked.ratio,
        seed=form.text("seed"),
        price=PRICES[model][asked.resolution],
        ignored=tuple(name for name, _ in form.fields if name not in TEXT_FIELDS),
    )


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
    return _wrong_files(form) or _wrong_values(form, _FAMILIES[model])


def _wrong_files(form: Form) -> Answer | None:
    for name, _ in form.fields:
        if name in FILE_FIELDS:
            return _invalid(f"{name} must be an uploaded file, not text or a URL")
    for upload in form.uploads:
        if upload.field not in FILE_FIELDS and upload.field not in FORBIDDEN:
            return _invalid(f"unexpected file field: {upload.field}")
    for names, shown in ((FIRST_FRAME, "input_reference"), (LAST_FRAME, "last_frame")):
        if len(form.of(names)) > 1:
            return _invalid(f"{shown} must be provided once")
    return None


def _wrong_values(form: Form, family: _Family) -> Answer | None:
    lengths, resolutions = _listed(family.lengths), _listed(family.resolutions)
    choices: tuple[tuple[str, Collection[str], str], ...] = (
        ("seconds", family.lengths, f"seconds must be one of {lengths}"),
        ("duration", family.lengths, f"duration must be one of {lengths}"),
        ("resolution", family.resolutions, f"resolution must be one of {resolutions}"),
        ("aspectRatio", RATIOS, "aspectRatio must be one of 16:9 or 9:16"),
        ("size", family.sizes, f"size must be one of {', '.join(family.sizes)}"),
    )
    for name, allowed, message in choices:
        value = form.text(name)
        if value is not None and value not in allowed:
            return _invalid(message)
    seed = form.text("seed")
    if seed is not None and not re.fullmatch(r"-?[0-9]{1,30}", seed):
        return task_error(500, "build_request_failed", f'strconv.ParseInt: parsing "{seed[:40]}": invalid syntax')
    return None


def _listed(values: Sequence[str]) -> str:
    return f"{', '.join(values[:-1])}, or {values[-1]}"


def _metadata(form: Form) -> Mapping[str, Any] | Answer:
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


def _asked(form: Form, metadata: Mapping[str, Any]) -> _Asked | Answer:
    """Length, resolution and ratio; where several fields say one thing they must say the same."""
    family = _FAMILIES[form.text("model") or ""]
    by_size = family.sizes.get(form.text("size") or "", (None, None))
    resolution = _agreed(form.text("resolution"), metadata.get("resolution"), by_size[0])
    ratio = _agreed(form.text("aspectRatio"), metadata.get("aspectRatio"), by_size[1])
    length, sharpness, shape = _length(form, metadata), resolution or "720p", ratio or "16:9"
    if length not in family.lengths or (sharpness, shape) not in family.sizes.values():
        return google_error(400, GOOGLE_UNSUPPORTED)
    return _Asked(form, metadata, int(length), sharpness, shape)


def _length(form: Form, metadata: Mapping[str, Any]) -> str:
    """A duration without seconds is ignored on this route, and 4 s are made (docs/api-facts.md, b 5)."""
    seconds = _agreed(form.text("seconds"), metadata.get("durationSeconds"))
    if seconds is not None and form.text("duration") is not None:
        seconds = _agreed(seconds, form.text("duration"))
    return seconds or "4"


_CONTRADICTION = "contradiction"


def _agreed(*values: object) -> str | None:
    given = {str(value) for value in values if value is not None}
    if len(given) > 1:
        return _CONTRADICTION
    return next(iter(given), None)


def _forbidden_fields(asked: _Asked) -> Answer | None:
    names = {*asked.form.names, *asked.metadata}
    for name in FORBIDDEN:
        if name in names:
            advice = "Please remove it or refer to the Gemini API documentation for supported usage."
            return google_error(400, f"`{name}` isn't supported by this model. {advice}")
    return None


def _eight_seconds(asked: _Asked) -> Answer | None:
    needed = asked.resolution != "720p" or bool(asked.form.of(LAST_FRAME | REFERENCES))
    return google_error(400, GOOGLE_UNSUPPORTED) if needed and asked.seconds != 8 else None


def _last_frame(asked: _Asked) -> Answer | None:
    """A last frame goes with a first one, and with no negative prompt."""
    wrong = asked.form.of(LAST_FRAME) and (not asked.form.of(FIRST_FRAME) or asked.negative)
    return google_error(400, GOOGLE_UNSUPPORTED) if wrong else None


def _references(asked: _Asked) -> Answer | None:
    """One to three reference images go with no frame, and with no negative prompt."""
    references = asked.form.of(REFERENCES)
    wrong = references and (len(references) > 3 or asked.form.of(FIRST_FRAME | LAST_FRAME) or asked.negative)
    return google_error(400, GOOGLE_UNSUPPORTED) if wrong else None


def _reference_type(asked: _Asked) -> Answer | None:
    given = [value for name in REFERENCE_TYPE if (value := asked.form.text(name)) is not None]
    wrong = any(value != "asset" for value in given) or (bool(given) and not asked.form.of(REFERENCES))
    return google_error(400, GOOGLE_UNSUPPORTED) if wrong else None


def _seed(asked: _Asked) -> Answer | None:
    for value in (asked.form.text("seed"), asked.metadata.get("seed")):
        if value is not None and not 0 <= int(value) <= LARGEST_SEED:
            return google_error(400, f"Invalid value at 'parameters.seed' (TYPE_UINT32), {value}")
    return None


def _images(asked: _Asked) -> Answer | None:
    for upload in asked.form.uploads:
        if upload.size > LARGEST_IMAGE:
            return google_error(400, f"The image in {upload.field} is larger than 20 MB.")
        if upload.true_type is None:
            return google_error(400, "Unable to process input image. Please use a JPEG, PNG or WebP image.")
        said = upload.content_type.partition(";")[0].strip().lower()
        if said not in ("", "application/octet-stream", upload.true_type):
            message = f"Unable to process input image: its type is {upload.true_type}, mimeType says {said}."
            return google_error(400, message)
    return None


def _unsold(asked: _Asked) -> Answer | None:
    """Not every model is made in every resolution."""
    is_sold = asked.resolution in PRICES[asked.form.text("model") or ""]
    return None if is_sold else google_error(400, GOOGLE_UNSUPPORTED)


def _lean(asked: _Asked) -> Answer | None:
    """Omni takes the texts that its page names; how strict the real gateway is about others isn't known."""
    others = {name for name, _ in asked.form.fields} - LEAN_FIELDS
    return google_error(400, GOOGLE_UNSUPPORTED) if others else None


def _six_references(asked: _Asked) -> Answer | None:
    """One to six reference images go with no frame."""
    references = asked.form.of(REFERENCES)
    wrong = references and (len(references) > 6 or asked.form.of(FIRST_FRAME | LAST_FRAME))
    return google_error(400, GOOGLE_UNSUPPORTED) if wrong else None


_RULES_OF_VEO = (
    _forbidden_fields,
    _unsold,
    _eight_seconds,
    _last_frame,
    _references,
    _reference_type,
    _seed,
    _images,
)
_RULES_OF_OMNI = (_forbidden_fields, _unsold, _lean, _last_frame, _six_references, _images)
_RULES: Mapping[_Family, Sequence[Callable[[_Asked], Answer | None]]] = {_VEO: _RULES_OF_VEO, _OMNI: _RULES_OF_OMNI}


def _mode(form: Form) -> str:
    if form.of(REFERENCES):
        return "reference images"
    if form.of(LAST_FRAME):
        return "first and last frame"
    return "first frame" if form.of(FIRST_FRAME) else "text"


def _delivered(asked: _Asked) -> str:
    """Duration and Resolution: without `metadata.resolution="4k"` the file may be rendered as 1080p."""
    if asked.resolution == "4k" and asked.metadata.get("resolution") != "4k":
        return "1080p"
    return asked.resolution
