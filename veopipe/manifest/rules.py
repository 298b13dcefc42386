"""The rules that a JSON Schema can't say: models, pictures, the length of texts.

They have the same kind of ids and findings as the schema's. Errors are what the API document forbids or
what can't work; what only other sources suggest is a warning or a note (docs/api-facts.md, b).
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

from veopipe.dialects.catalogue import RETIRED_SPELLINGS, Model
from veopipe.documents import syntax
from veopipe.documents.schema import Finding, Rule
from veopipe.errors import Severity
from veopipe.manifest.layers import BUILT_IN
from veopipe.manifest.pictures import PictureFacts, PictureFault, inspect
from veopipe.takes.order import SIZES
from veopipe.text import DENSE, printable

_IMAGES = "API document, Multi-Reference Images"
_OWN = "veopipe, Manifest"
_EXIF = "Exif (CIPA DC-008)"
_NOTED = f"{_EXIF}, XMP, IPTC, C2PA; PNG (third edition), textual information"

RULES: Mapping[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule("unknown-key", "error", "there is no such key", _OWN),
        Rule("key-spelling", "error", "keys are written in snake_case", _OWN),
        Rule("forbidden-key", "error", "some parameters can't or needn't be written", "API document, Core Parameters"),
        Rule("shot-id-unique", "error", "ids differ in more than upper and lower case", _OWN),
        Rule("unknown-model", "error", "`model` is one that the gateway sells", "API document, Supported Models"),
        Rule("retired-model", "info", "the model is announced as switched off", "Google, as announced 2026-10-22"),
        Rule("prompt-length", "warning", "Google reads about 1,024 tokens of a prompt", "Google, Video"),
        Rule("text-cut-short", "warning", "YAML takes no part of a text for a comment (` #`) or a name (`&`)", _OWN),
        Rule("negative-prompt-wording", "info", "a negative prompt names things, without `no`", "Google, Video"),
        Rule("picture-missing", "error", "a picture is there", _IMAGES),
        Rule("picture-outside", "error", "a picture lies in the manifest's folder or its git work tree", _OWN),
        Rule("picture-not-regular", "error", "a picture is a regular file", _OWN),
        Rule("picture-empty", "error", "a picture isn't an empty file", _IMAGES),
        Rule("picture-too-large", "error", "a picture has at most 20 MB", "Google, Video"),
        Rule("picture-lfs-pointer", "error", "a picture isn't a Git LFS pointer", _OWN),
        Rule("picture-format", "error", "a picture is a JPEG, PNG or WebP by its content", _IMAGES),
        Rule("picture-damaged", "error", "a picture isn't damaged", _OWN),
        Rule("picture-flawed", "warning", "a picture has no flaw that only some programs overlook", _OWN),
        Rule(
            "picture-large",
            "warning",
            "a picture over 10 MB is refused by some gateways",
            "other gateways of the family",
        ),
        Rule("picture-webp", "info", "some gateways take JPEG and PNG only", "other gateways of the family"),
        Rule("picture-location", "warning", "a picture doesn't tell where it was taken", f"{_EXIF}, GPS attributes"),
        Rule("picture-metadata", "info", "a picture's notes on its making are uploaded with it", _NOTED),
        Rule("picture-turned", "warning", "a picture is stored upright", f"{_EXIF}, Orientation"),
        Rule("picture-small", "warning", "a picture is at least as large as the video", _IMAGES),
        Rule("picture-ratio", "warning", "a picture has the video's aspect ratio", _IMAGES),
        Rule("picture-ratio-4k", "error", "at 4k a picture is 16:9", "API document, 4K Landscape Image-to-Video"),
    )
}
"""Every rule of this module and of `manifest`, id → rule: what documentation is made of."""

ROLES = ("input_reference", "last_frame", "reference_images")

_LONG_SIDE = {resolution: max(size) for (resolution, _), size in SIZES.items()}  # pixels
_TOKENS = 1024  # Google, Video: the prompt's limit
_MIRRORED = 4  # Exif orientations above it are turned by a quarter: width and height change places
_NOTES = 8  # that a message names
_LARGE = 10_000_000  # bytes; the limit of other gateways
_NEGATION = re.compile(r"\s*(?:no|not|don't|do not|without|avoid|never)\s", re.IGNORECASE)


def finding(
    rule: str,
    message: str,
    path: tuple[str | int, ...],
    reads: frozenset[str] = frozenset(),
    *,
    severity: Severity | None = None,
) -> Finding:
    """A finding of one of this table's rules."""
    return Finding(rule, severity or RULES[rule].severity, message, path, "value", reads)


def texts(shot: Mapping[str, Any]) -> list[Finding]:
    """What is to be said about an effective shot's prompt and negative prompt."""
    found = []
    prompt = shot.get("prompt", "")
    # No text has more tokens than characters.
    if len(prompt) > _TOKENS and (tokens := estimated_tokens(prompt)) > _TOKENS:
        message = f"this prompt has about {tokens:,} tokens; Google reads 1,024: the rest may be ignored"
        found.append(finding("prompt-length", message, ("prompt",)))
    if _NEGATION.match(shot.get("negative_prompt", "")):
        message = "name what shouldn't be seen, without `no`: blurry, watermark"
        found.append(finding("negative-prompt-wording", message, ("negative_prompt",)))
    return found


def cut_short(key: str, left: str, cut: str) -> Finding | None:
    """What is to be said about a text that YAML may have cut.

    Args:
        key: whose value the text is, or is one of.
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
    return finding("text-cut-short", message, (key,))


def _is_cut(key: str, left: str, comment: str) -> bool:
    if key == "tags":  # labels: short always, so only `#word` tells
        return syntax.is_word(comment)
    if syntax.is_word(comment):
        return True
    is_sent = key in ("prompt", "negative_prompt")
    return (is_sent and syntax.is_number(left, comment)) or (key == "prompt" and syntax.goes_on(left, comment))


TEXTS = frozenset({"prompt", "negative_prompt", "notes", "tags"})
"""The keys whose values are people's words."""


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has."""
    dense = len(DENSE.findall(text))  # one token is about one of these, and about four of the others
    return dense + (len(text) - dense) // 4


def model(name: str, models: Mapping[str, Model]) -> Finding | None:
    """What is to be said about a model's name.

    Args:
        name: as written.
        models: every model that the pipeline knows.
    """
    known = models.get(name)
    if known is None:
        return finding("unknown-model", _unknown(name, models), ("model",))
    if known.retired is None:
        return None
    message = (
        f"{name} was announced as switched off by Google on {known.retired}: the gateway may refuse it. "
        "If it is served, say so with an entry in the pipeline's provider.models"
    )
    return finding("retired-model", message, ("model",))


def _unknown(name: str, models: Mapping[str, Model]) -> str:
    shown = printable(name, 60)
    if name in RETIRED_SPELLINGS:
        return f"{shown} is a name of the older routes, which this API doesn't take: write {RETIRED_SPELLINGS[name]}"
    close = difflib.get_close_matches(name[:100].casefold(), models, n=1)
    guess = f"did you mean {close[0]}?" if close else f"known are {', '.join(list(models)[:10])}"
    return f"there is no model {shown}: {guess}; others: provider.models in the pipeline"


class Pictures:
    """The pictures of one manifest; each file is looked at once.

    Args:
        folder: the manifest's folder, absolute.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._boundary = Path(os.path.realpath(work_tree_of(folder)))  # once: it is asked for each picture
        self._seen: dict[str, PictureFacts | PictureFault] = {}
        self._names: dict[Path, dict[str, str]] = {}

    def facts(self, written: str) -> PictureFacts | PictureFault:
        """What the picture is, or why it can't be used."""
        if written not in self._seen:
            facts = inspect(written, self._folder, self._boundary)
            if isinstance(facts, PictureFault) and facts.rule == "picture-missing":
                facts = replace(facts, message=facts.message + self._guess(written))
            self._seen[written] = facts
        return self._seen[written]

    def _guess(self, written: str) -> str:
        """Why a picture isn't found that a person sees: a Mac finds names that other systems tell apart."""
        if "\\" in written:
            return "; folders are separated by /"
        folder, name = (self._folder / written).parent, Path(written).name
        if folder not in self._names:
            try:
                self._names[folder] = {_spelt_alike(other): other for other in os.listdir(folder)}
            except (OSError, ValueError):  # it isn't there, or no folder can have that name
                self._names[folder] = {}
        other = self._names[folder].get(_spelt_alike(name))
        if other is None:
            return ""
        if other.casefold() == name.casefold():
            return f"; there is {printable(other)}: capitals count"
        return f"; there is {printable(other)}, with its accents encoded otherwise: rename it"

    def judge(self, shot: Mapping[str, Any]) -> list[Finding]:
        """What is wrong with the pictures of an effective shot."""
        found = []
        for path, written in named(shot):
            facts = self.facts(written)
            if isinstance(facts, PictureFault):
                found.append(finding(facts.rule, facts.message, path))
            else:
                found += _judged(facts, path, shot)
        return found


def _spelt_alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def named(shot: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """The pictures of an effective shot, in the order of the request: path of the value, picture as written."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for role in ROLES:
        value = shot.get(role)
        if isinstance(value, str):
            found.append(((role,), value))
        elif value:
            found += [((role, index), item) for index, item in enumerate(value)]
    return found


def work_tree_of(folder: Path) -> Path:
    """The git work tree that holds a folder, or the folder itself."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _judged(facts: PictureFacts, path: tuple[str | int, ...], shot: Mapping[str, Any]) -> list[Finding]:
    found = [finding(rule, message, path) for rule, message in _about(facts)]
    resolution = shot.get("resolution", BUILT_IN["resolution"])
    aspect = shot.get("aspect_ratio", BUILT_IN["aspect_ratio"])
    long = _LONG_SIDE[resolution]
    width, height = (long, long * 9 // 16) if aspect == "16:9" else (long * 9 // 16, long)
    have = f"{facts.width}x{facts.height}" + (" as stored" if facts.orientation > _MIRRORED else "")
    reads = frozenset({str(path[0]), "resolution", "aspect_ratio"})
    if abs((facts.width * height) / (facts.height * width) - 1) > 0.01:
        rule = "picture-ratio-4k" if resolution == "4k" else "picture-ratio"
        message = f"this picture has {have}, which isn't {aspect}: crop it, best to {width}x{height}"
        found.append(finding(rule, message, path, reads))
    elif facts.width < width or facts.height < height:
        message = f"this picture has {have}; best is the video's size, {width}x{height}"
        found.append(finding("picture-small", message, path, reads))
    return found


def _about(facts: PictureFacts) -> Iterator[tuple[str, str]]:
    """What is to be said about a picture by itself, whatever the shot: rule and message."""
    if facts.flaw is not None:
        yield "picture-flawed", f"this picture {facts.flaw}: look at it, and save it again in an image editor"
    if facts.bytes > _LARGE:
        yield "picture-large", f"this picture has {facts.bytes / 1e6:.1f} MB; some gateways refuse more than 10 MB"
    if facts.media_type == "image/webp":
        yield "picture-webp", "this is a WebP; some gateways take JPEG and PNG only"
    if facts.orientation != 1:
        yield (
            "picture-turned",
            f"this picture is stored turned or mirrored, with a note to turn it back (Exif orientation "
            f"{facts.orientation}) that not every program heeds: open it in an image editor and save it upright",
        )
    if facts.has_location:
        yield (
            "picture-location",
            "this picture tells where it was taken (GPS), and it is uploaded as it is: export it without location"
            + (f"; it holds other notes, too ({_named(facts.notes)})" if facts.notes else ""),
        )
    elif facts.has_metadata:
        yield (
            "picture-metadata",
            f"this picture holds notes on its making ({_named(facts.notes)}), and it is uploaded as it is: export it "
            "without metadata if they are private",
        )


def _named(notes: Sequence[str]) -> str:
    """Names of notes, some of them by strangers."""
    named = ", ".join(printable(note, 40) for note in notes[:_NOTES])
    return named + (f" and {len(notes) - _NOTES:,} more" if len(notes) > _NOTES else "")
