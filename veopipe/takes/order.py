"""What a take asks for, and the fingerprint that tells one order from another.

* Two orders are the same order exactly when their fingerprints are equal. Comments, key order, quoting,
  defaults, the shot's id, file names and the spelling on the wire aren't part of it.
* The version in front (`1:`) is never dropped once released: `tests/fingerprints/` holds what each
  released version computes, so that an upgrade buys nothing.
* Texts come stripped at both ends, for the fingerprint and for the wire (`Shot.order`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from veopipe.values import dataclass

FINGERPRINT_VERSION = "1"

SIZES: Mapping[tuple[str, str], tuple[int, int]] = {
    ("720p", "16:9"): (1280, 720),
    ("720p", "9:16"): (720, 1280),
    ("1080p", "16:9"): (1920, 1080),
    ("1080p", "9:16"): (1080, 1920),
    ("4k", "16:9"): (3840, 2160),
    ("4k", "9:16"): (2160, 3840),
    ("360p", "16:9"): (640, 360),
    ("360p", "9:16"): (360, 640),
}
"""Resolution and aspect ratio → width and height in pixels, for all that can be ordered. Which of them a model makes is
said by its family. Pairs are only ever added: without its pair, a state file on record couldn't be read.

Source: API document, Core Parameters (`size`); docs/api-facts.md, b.
"""

BEGINS, ENDS, REFERENCES = ROLES = "input_reference", "last_frame", "reference_images"
"""What the pictures of an order are for: to begin with, to end with, to refer to. In this order they are sent."""
FINGERPRINTED = (
    *("model", "prompt", "seconds", "resolution", "aspect_ratio", "negative_prompt", "seed", "pictures", "take"),
)
"""The fields that version 1 of the fingerprint is made of: another one here would buy every list again."""
KEY = 16
"""Hex digits of a fingerprint that stand for an order: 64 bits, so that of a million orders no two are alike."""

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
WORDS = {"aspect_ratio": "aspect ratio", "negative_prompt": "negative prompt"}
"""What people call a field that isn't one word; the others have their names."""


@dataclass(frozen=True, slots=True)
class OrderedPicture:
    """A picture as part of an order: what it is for and what it holds, not where it lies.

    Attributes:
        role: what it is for.
        sha256: of a file, hex; None: it is a frame of another shot's video.
        frame: which picture of that video (`moment.Moment`).
        of: the fingerprint of the order that the video was made by, not the video's own hash: so an order can be
            known before its pictures exist, and no better way to take a frame buys it again. None: not known yet.
        unknown: fields of a newer veopipe on record, kept; the fingerprint is of them, too, as it was there.
    """

    role: str
    sha256: str | None = None
    frame: str | None = None
    of: str | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def as_json(self) -> dict[str, Any]:
        """The picture as state and plan files hold it."""
        if self.frame is None:
            return {"role": self.role, "sha256": self.sha256, **self.unknown}
        return {"role": self.role, "frame": self.frame, "of": self.of, **self.unknown}


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that decides what the gateway is asked to make, defaults filled in.

    Attributes:
        seconds: a whole number.
        take: the n-th wanted result of the same order, from 1.
        unknown: fields of a newer veopipe on record, kept; no part of the fingerprint.
    """

    model: str
    prompt: str
    seconds: int
    resolution: str
    aspect_ratio: str
    negative_prompt: str | None
    seed: int | None
    pictures: tuple[OrderedPicture, ...]
    take: int
    unknown: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def mode(self) -> str:
        """`text`, `image`, `first_last` or `references` (the document's four kinds of request)."""
        roles = {picture.role for picture in self.pictures}
        if REFERENCES in roles:
            return "references"
        if ENDS in roles:
            return "first_last"
        return "image" if roles else "text"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the video that must arrive."""
        return SIZES[self.resolution, self.aspect_ratio]

    def blind(self) -> Order:
        """The same without what its frames are taken of; itself if it has none."""
        if all(picture.of is None for picture in self.pictures):
            return self
        return replace(self, pictures=tuple(replace(picture, of=None) for picture in self.pictures))

    def key(self, fingerprint: str) -> str:
        """The fingerprint without what its frames are taken of; `fingerprint` is the order's own."""
        blind = self.blind()
        return fingerprint if blind is self else blind.fingerprint()

    def has_text_of(self, other: Order) -> bool:
        """Whether both ask for the same, whichever of its results, and of whatever its frames are taken."""
        return all(word == "take" for word in changes(self.blind(), other.blind()))

    def as_json(self) -> dict[str, Any]:
        """The order as state and plan files hold it; the fingerprint is made from the same."""
        return {
            "model": self.model,
            "prompt": self.prompt,
            "seconds": self.seconds,
            "resolution": self.resolution,
            "aspect_ratio": self.aspect_ratio,
            "negative_prompt": self.negative_prompt,
            "seed": self.seed,
            "pictures": [picture.as_json() for picture in self.pictures],
            "take": self.take,
            **self.unknown,
        }

    def fingerprint(self) -> str:
        """Hex sha256 of `1:` and the order as canonical JSON (sorted keys, no spaces, UTF-8)."""
        return fingerprint_of(self.as_json())


def fingerprint_of(order: Mapping[str, Any]) -> str:
    """The fingerprint of an order as state and plan files hold it; see `Order.fingerprint`.

    Fields that this version doesn't know are no part of it: a newer veopipe may have added them.
    """
    known = {key: order[key] for key in FINGERPRINTED if key in order}
    text = f"{FINGERPRINT_VERSION}:{_CANONICAL.encode(known)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def key_of(fingerprint: str) -> str:
    """What an order is called where its attempts are counted: `attempts` of `ledger.json`."""
    return fingerprint[:KEY]


def changes(old: Order, new: Order) -> list[str]:
    """What differs between two orders, in people's words: `["prompt", "seed"]`."""
    return [WORDS.get(name, name) for name in FINGERPRINTED if getattr(old, name) != getattr(new, name)]
