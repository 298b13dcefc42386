"""What says whose task a video is and what was measured of it, wherever the video lies: a take's mark.

Source: docs/scale.md, a.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from veopipe.takes.take import Delivered
from veopipe.values import dataclass

KEY = "veopipe"
"""The one key of the metadata that is ours."""
VERSION = 1
VIDEO = "video/mp4"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_FACT = 80  # characters; stores take 2 KB of metadata in all


@dataclass(frozen=True, slots=True)
class Mark:
    """What a take's metadata says of it.

    Attributes:
        ledger: the id of the ledger that ordered it.
        task_id: the gateway's task that it is the result of.
        sha256: hex digest of the whole file.
        bytes: its size.
        measured: width, height, duration and whatever else was measured, as in a state file.
    """

    ledger: str
    task_id: str
    sha256: str
    bytes: int
    measured: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, ledger: str, task_id: str, file: Delivered) -> Mark:
        """The mark of a measured file."""
        known = {"width": file.width, "height": file.height, "duration_s": file.duration_s, **file.measured}
        facts = {name: fact for name, fact in known.items() if fact is not None and len(str(fact)) <= _LONGEST_FACT}
        return cls(ledger, task_id, file.sha256, file.bytes, facts)

    def dump(self) -> dict[str, str]:
        """The object's metadata."""
        said = {
            "v": VERSION,
            "ledger": self.ledger,
            "task_id": self.task_id,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "measured": dict(self.measured),
        }
        return {"Content-Type": VIDEO, KEY: json.dumps(said, separators=(",", ":"))}

    @classmethod
    def read(cls, about: Mapping[str, str]) -> Mark | None:
        """The mark in an object's metadata; None: it has none that can be understood."""
        try:
            said = json.loads(about[KEY])
            mark = cls(said["ledger"], said["task_id"], said["sha256"], said["bytes"], said["measured"])
            return mark if said["v"] == VERSION and mark._is_possible() else None
        except (KeyError, TypeError, ValueError, RecursionError):
            return None

    def _is_possible(self) -> bool:
        """Whether a state file could hold it: anybody who may write there may write anything."""
        kinds: dict[str, type | tuple[type, ...]] = {"width": int, "height": int, "duration_s": (int, float)}
        return (
            isinstance(self.ledger, str)
            and isinstance(self.task_id, str)
            and _SHA256.fullmatch(self.sha256) is not None
            and type(self.bytes) is int
            and isinstance(self.measured, dict)
            and all(isinstance(self.measured.get(key), kind) for key, kind in kinds.items())
        )

    def record(self, output: str, name: str, etag: str) -> Delivered:
        """The record of a take with this mark.

        Args:
            output: where it lies.
            name: of the take.
            etag: of its object.
        """
        facts = dict(self.measured)
        size = {key: facts.pop(key, None) for key in ("width", "height", "duration_s")}
        return Delivered(output, name, self.sha256, self.bytes, **size, measured=facts, stored={"etag": etag})
