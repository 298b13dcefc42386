"""A create request's form: texts and files in the order sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    def facts(self) -> Mapping[str, Any]:
        """What the book and the log of the wire keep of it."""
        return {
            "field": self.field,
            "filename": self.filename,
            "content_type": self.content_type,
            "size": self.size,
            "sha256": self.sha256,
        }

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

    @property
    def names(self) -> list[str]:
        """The names of its parts: of the texts first."""
        return [name for name, _ in self.fields] + [upload.field for upload in self.uploads]

    def of(self, names: frozenset[str]) -> list[Upload]:
        """The uploads of any of these fields."""
        return [upload for upload in self.uploads if upload.field in names]

    def without(self, texts: frozenset[str], files: frozenset[str] = frozenset()) -> Form:
        """The same request as a gateway sees it that drops these fields silently."""
        return Form(
            tuple(pair for pair in self.fields if pair[0] not in texts),
            tuple(upload for upload in self.uploads if upload.field not in files),
        )
