"""The pictures that clips begin with and end on, kept for when the clip is made; equal ones once.

With a folder they outlive the process, as the book does, so that a second download is the same.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from veopipe.errors import EnvironmentFault
from veopipe.simulator.slate import fitted_picture


class Album:
    """All such pictures of one gateway, by name."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, bytes] = {}

    def keep(self, upload: bytes | None, size: tuple[int, int]) -> str | None:
        """The name of an uploaded picture, kept as a video of that size shows it; None where there is none to show.

        Raises:
            EnvironmentFault: it can't be kept.
        """
        shown = fitted_picture(upload, *size) if upload is not None else None
        if shown is None:
            return None
        name = hashlib.sha256(shown).hexdigest()[:32]
        if self._folder is None:
            self._held[name] = shown
            return name
        path = self._folder / f"{name}.jpg"
        try:
            if not path.exists():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                part = path.with_suffix(".part")
                part.write_bytes(shown)
                os.replace(part, path)
        except OSError as error:
            raise EnvironmentFault(f"the simulator can't use {self._folder}: {error.strerror}") from None
        return name

    def picture(self, name: str | None) -> bytes | None:
        """A picture that was kept, as a JPEG; None where there is none any more."""
        if name is None or self._folder is None:
            return self._held.get(name or "")
        try:
            return (self._folder / f"{name}.jpg").read_bytes()
        except OSError:
            return None
