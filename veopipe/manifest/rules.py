"""The rules that a JSON Schema can't express: models, pictures, the length of texts.

Their ids and findings are of the same kind as the schema's. An error is what the API document forbids or what can't
work; what only other sources suggest is a warning or a note (docs/api-facts.md, b).
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.documents import schema, syntax
from veopipe.documents.problems import Finding, Rule
from veopipe.manifest import chains, pictures
from veopipe.manifest.families import UNDECLARED, ModelRules, default_values
from veopipe.manifest.pictures import PictureFacts, PictureFault, inspect
from veopipe.manifest.texts import RULES as NAMED_TEXTS
from veopipe.profiles.profile import Model
from veopipe.takes.order import ROLES, SIZES
from veopipe.text import dense, printable

_OWN, _VIDEO = "veopipe, Manifest", "Google, Video"
_IMAGES = "API document, Multi-Reference Images"
_EXIF = "Exif (CIPA DC-008)"
_OTHERS = "other gateways of the family"


_LONG_SIDE = {resolution: max(size) for (resolution, _), size in SIZES.items()}  # pixels
_MIRRORED = 4  # Exif orientations above it are turned by a quarter: width and height change places
_NOTES = 8  # that a message names
_NEGATION = re.compile(r"\s*(?:no|not|don't|do not|without|avoid|never)\s", re.IGNORECASE)


SHOT_ID_UNIQUE = Rule("shot-id-unique", "error", "ids differ in more than upper and lower case", _OWN)

# --- texts ----------------------------------------------------------------------------------------------

_PROMPT_LENGTH = Rule("prompt-length", "warning", "Google reads about 1,024 tokens of a prompt", _VIDEO)
_NEGATIVE_WORDING = Rule("negative-prompt-wording", "info", "a negative prompt names things, without `no`", _VIDEO)
_CUT_SHORT = Rule(
    "text-cut-short", "warning", "YAML takes no part of a text for a comment (` #`) or a name (`&`)", _OWN
)


def texts(shot: Mapping[str, Any], of_model: ModelRules) -> list[Finding]:
    """Findings about an effective shot's prompt and negative prompt."""
    found = []
    prompt, most = shot.get("prompt", ""), of_model.figure(_PROMPT_LENGTH.id)
    # No text has more tokens than characters.
    if most is not None and len(prompt) > most and (tokens := estimated_tokens(prompt)) > most:
        message = f"this prompt has about {tokens:,} tokens; Google reads {most:,}: the rest may be ignored"
        found.append(_PROMPT_LENGTH.finding(message, ("prompt",)))
    if _NEGATION.match(shot.get("negative_prompt", "")):
        message = "name what shouldn't be seen, without `no`: blurry, watermark"
        found.append(_NEGATIVE_WORDING.finding(message, ("negative_prompt",)))
    return found


def cut_short(key: str, left: str, cut: str) -> Finding | None:
    """The finding about a text that YAML has probably cut, or None.

    Args:
        key: the key that holds the text, or a list with it.
        left: the text that YAML leaves.
        cut: the comment behind it with the blanks in front, or the anchor before it (`Document.cut`).
    """
    shown = printable(cut.strip(), 30)
    if cut.startswith("&"):
        if not syntax.is_sentence(cut[1:], left):
            return None
        message = f"`{shown}` is a name for YAML (an anchor), so the text begins behind it"
        message += "; if it belongs to the text, put all of it in quotes"
    elif _is_cut(key, left, cut):
        message = (
            f"`{shown}` is a comment for YAML, so the text ends before it; if it belongs to the text, put all of it"
        )
        message += " in quotes; if it is a remark, put it on a line of its own"
    else:
        return None
    return _CUT_SHORT.finding(message, (key,))


def _is_cut(key: str, left: str, comment: str) -> bool:
    if key == "tags":  # a tag is always short, so only `#word` shows anything
        return syntax.is_word(comment)
    if syntax.is_word(comment):
        return True
    is_sent = key in ("prompt", "negative_prompt")
    return (is_sent and syntax.is_number(left, comment)) or (key == "prompt" and syntax.goes_on(left, comment))


TEXTS = frozenset({"prompt", "negative_prompt", "notes", "tags"})
"""The keys that hold what people have written in their own words."""


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has."""
    whole = dense(text)  # a token is about one of these characters, or about four of the others
    return whole + (len(text) - whole) // 4


# --- models ---------------------------------------------------------------------------------------------

_UNKNOWN_MODEL = Rule(
    "unknown-model", "error", "`model` is one that the gateway sells", "API document, Supported Models"
)
_RETIRED_MODEL = Rule(
    "retired-model", "info", "the model is announced as switched off", "Google, as announced 2026-10-22"
)
_UNPRICED = Rule("price-for-resolution", "error", "a resolution has a price at its model", "veopipe, Providers")


def model(name: str, models: Mapping[str, Model]) -> Finding | None:
    """The finding about a model's name, or None.

    Args:
        name: as written.
        models: every model that the pipeline knows.
    """
    known = models.get(name)
    if known is None:
        return _UNKNOWN_MODEL.finding(_unknown(name, models), ("model",))
    if known.retired is None:
        return None
    message = (
        f"{name} was {known.retired.in_words()}. The gateway may refuse it; "
        "if it is served, say so with an entry in the pipeline's provider.models"
    )
    return _RETIRED_MODEL.finding(message, ("model",))


def unpriced(model: Model, shot: Mapping[str, Any]) -> Finding | None:
    """The finding about an effective shot whose resolution has no price at its model, or None.

    Args:
        model: the shot's.
        shot: its values.
    """
    resolution = shot.get("resolution", default_values()["resolution"])
    if model.price.knows(resolution):
        return None
    message = f"{model.name} has no price for {resolution}, so it can't be ordered there: it has one for "
    message += ", ".join(model.price.resolutions or ())
    return _UNPRICED.finding(message, ("resolution",), reads=frozenset({"model", "resolution"}))


def _unknown(name: str, models: Mapping[str, Model]) -> str:
    shown = printable(name, 60)
    older = {spelling: model.name for model in models.values() for spelling in model.spellings}
    if name in older:
        return f"{shown} is a name of the older routes, which this API doesn't take: write {older[name]}"
    close = difflib.get_close_matches(name[:100].casefold(), models, n=1)
    guess = f"did you mean {close[0]}? Others:" if close else f"known are {', '.join(list(models)[:10])}; others:"
    return f"there is no model {shown}: {guess} provider.models in the pipeline"


# --- pictures -------------------------------------------------------------------------------------------

_FLAWED = Rule("picture-flawed", "warning", "a picture has no flaw that only some programs overlook", _OWN)
_LARGE = Rule("picture-large", "warning", "a picture over 10 MB is refused by some gateways", _OTHERS)
_WEBP = Rule("picture-webp", "info", "some gateways take JPEG and PNG only", _OTHERS)
_LOCATION = Rule("picture-location", "warning", "a picture doesn't tell where it was taken", f"{_EXIF}, GPS attributes")
_METADATA = Rule(
    "picture-metadata",
    "info",
    "a picture's notes on its making are uploaded with it",
    f"{_EXIF}, XMP, IPTC, C2PA; PNG (third edition), textual information",
)
_TURNED = Rule("picture-turned", "warning", "a picture is stored upright", f"{_EXIF}, Orientation")
_SMALL = Rule("picture-small", "warning", "a picture is at least as large as the video", _IMAGES)
_RATIO = Rule("picture-ratio", "warning", "a picture has the video's aspect ratio", _IMAGES)
_RATIO_4K = Rule("picture-ratio-4k", "error", "at 4k a picture is 16:9", "API document, 4K Landscape Image-to-Video")


class Pictures:
    """The pictures of one manifest; each file is looked at once.

    Args:
        folder: the manifest's folder, absolute.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._boundary = Path(os.path.realpath(files.work_tree_of(folder)))  # once: it is asked for each picture
        self._seen: dict[str, PictureFacts | PictureFault] = {}
        self._names: dict[Path, dict[str, str]] = {}

    def facts(self, written: str) -> PictureFacts | PictureFault:
        """What the picture is, or why it can't be used."""
        if written not in self._seen:
            facts = inspect(written, self._folder, self._boundary)
            if isinstance(facts, PictureFault) and facts.rule is pictures.MISSING:
                facts = replace(facts, message=facts.message + self._guess(written))
            self._seen[written] = facts
        return self._seen[written]

    def _guess(self, written: str) -> str:
        """What to add if a person sees a file that isn't found: a Mac finds names that other systems tell apart."""
        if "\\" in written:
            return "; folders are separated by /"
        folder, name = (self._folder / written).parent, Path(written).name
        if folder not in self._names:
            try:
                self._names[folder] = {_spelt_alike(other): other for other in os.listdir(folder)}
            except (OSError, ValueError):  # there is no such folder, or no folder can have that name
                self._names[folder] = {}
        other = self._names[folder].get(_spelt_alike(name))
        if other is None:
            return ""
        if other.casefold() == name.casefold():
            return f"; there is {printable(other)}: capitals count"
        return f"; there is {printable(other)}, with its accents encoded otherwise: rename it"

    def judge(self, shot: Mapping[str, Any], of_model: ModelRules) -> list[Finding]:
        """What is wrong with the pictures of an effective shot."""
        found = []
        for path, written in named(shot):
            facts = self.facts(written)
            if isinstance(facts, PictureFault):
                found.append(facts.rule.finding(facts.message, path))
            else:
                found += _judged(facts, path, shot, of_model)
        return found


def _spelt_alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def named(shot: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """The files of an effective shot's pictures, in the order of the request: where the value stands, and its text."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for role in ROLES:
        value = shot.get(role)
        if isinstance(value, str):
            found.append(((role,), value))
        elif isinstance(value, list):
            found += [((role, index), item) for index, item in enumerate(value) if isinstance(item, str)]
    return found


def _judged(
    facts: PictureFacts, path: tuple[str | int, ...], shot: Mapping[str, Any], of_model: ModelRules
) -> list[Finding]:
    found = [rule.finding(message, path) for rule, message in (*_for_gateways(facts, of_model), *_about(facts))]
    return found + _fitting(facts, path, {**default_values(), **shot}, of_model)


def _fitting(
    facts: PictureFacts, path: tuple[str | int, ...], shot: Mapping[str, Any], of_model: ModelRules
) -> list[Finding]:
    """At most one finding: whether a picture has the ratio and the size of its video."""
    resolution, aspect = shot["resolution"], shot["aspect_ratio"]
    long = _LONG_SIDE[resolution]
    width, height = (long, long * 9 // 16) if aspect == "16:9" else (long * 9 // 16, long)
    have = f"{facts.width}x{facts.height}" + (" as stored" if facts.orientation > _MIRRORED else "")
    reads = frozenset({str(path[0]), "resolution", "aspect_ratio"})
    if abs((facts.width * height) / (facts.height * width) - 1) > 0.01:
        rule = _RATIO_4K if resolution in of_model.figures(_RATIO_4K.id) else _RATIO
        message = f"this picture has {have}, which isn't {aspect}: crop it, best to {width}x{height}"
    elif facts.width < width or facts.height < height:
        rule, message = _SMALL, f"this picture has {have}; best is the video's size, {width}x{height}"
    else:
        return []
    # The figures of the one are resolutions, of the others what the picture is for.
    if rule is _RATIO_4K or path[0] in of_model.figures(rule.id):
        return [rule.finding(message, path, reads=reads)]
    return []


def _for_gateways(facts: PictureFacts, of_model: ModelRules) -> Iterator[tuple[Rule, str]]:
    """What gateways of a family are known to mind: rule and message."""
    most = of_model.figure(_LARGE.id)
    if most is not None and facts.bytes > most:
        told = f"{most / 1e6:.0f} MB"
        yield _LARGE, f"this picture has {facts.bytes / 1e6:.1f} MB; some gateways refuse more than {told}"
    if facts.media_type in of_model.figures(_WEBP.id):
        yield _WEBP, "this is a WebP; some gateways take JPEG and PNG only"


def _about(facts: PictureFacts) -> Iterator[tuple[Rule, str]]:
    """What is to be said about a picture by itself, for any shot: rule and message."""
    if facts.flaw is not None:
        yield _FLAWED, f"this picture {facts.flaw}: look at it, and save it again in an image editor"
    if facts.orientation != 1:
        yield (
            _TURNED,
            f"this picture is stored turned or mirrored, with a note to turn it back (Exif orientation "
            f"{facts.orientation}) that not every program heeds: open it in an image editor and save it upright",
        )
    if facts.has_location:
        yield (
            _LOCATION,
            "this picture tells where it was taken (GPS), and it is uploaded as it is: export it without location"
            + (f"; it holds other notes, too ({_named(facts.notes)})" if facts.notes else ""),
        )
    elif facts.notes:
        yield (
            _METADATA,
            f"this picture holds notes on its making ({_named(facts.notes)}), and it is uploaded as it is: export it "
            "without metadata if they are private",
        )


def _named(notes: Sequence[str]) -> str:
    """The names of notes; strangers wrote some of them."""
    named = ", ".join(printable(note, 40) for note in notes[:_NOTES])
    return named + (f" and {len(notes) - _NOTES:,} more" if len(notes) > _NOTES else "")


RULES: Mapping[str, Rule] = {
    rule.id: rule
    for rule in (
        *(schema.UNKNOWN_KEY, schema.KEY_SPELLING, schema.FORBIDDEN_KEY, SHOT_ID_UNIQUE),
        *(_UNKNOWN_MODEL, _RETIRED_MODEL, _UNPRICED, _PROMPT_LENGTH, _CUT_SHORT, _NEGATIVE_WORDING),
        UNDECLARED,
        *NAMED_TEXTS,
        *chains.RULES,
        *pictures.RULES,
        *(_FLAWED, _LARGE, _WEBP, _LOCATION, _METADATA, _TURNED, _SMALL, _RATIO, _RATIO_4K),
    )
}
"""Every rule for shot lists that stands in code, id → rule: what documentation is made of."""
