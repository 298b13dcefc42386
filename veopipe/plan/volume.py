"""How many bytes a plan will bring: by takes of the same kind on record, else by resolution and length. Pure.

Source: docs/outlook.md, 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from veopipe.takes.kinds import Experience, Kind
from veopipe.values import dataclass

BYTES_A_SECOND: Mapping[str, int] = {"360p": 300_000, "720p": 750_000, "1080p": 2_500_000, "4k": 12_500_000}
"""Of a video, where none of its kind is on record; rather too much than too little (docs/outlook.md, 2)."""

_NOTHING = Experience()


@dataclass(frozen=True, slots=True)
class Volume:
    """What is to come.

    Attributes:
        bytes: of all of it.
        takes: how many videos that is.
        assumed: of how many no video of the same kind is on record.
    """

    bytes: int
    takes: int
    assumed: int


def size_of(kind: Kind, known: Mapping[Kind, Experience]) -> int:
    """Bytes that a video of a kind will have, about."""
    _, _, resolution, seconds = kind
    mean = known.get(kind, _NOTHING).size
    return round(mean.value) if mean.count else BYTES_A_SECOND.get(resolution, max(BYTES_A_SECOND.values())) * seconds


def volume(kinds: Iterable[Kind], known: Mapping[Kind, Experience]) -> Volume:
    """What videos of these kinds have together."""
    kinds = list(kinds)
    assumed = sum(not known.get(kind, _NOTHING).size.count for kind in kinds)
    return Volume(sum(size_of(kind, known) for kind in kinds), len(kinds), assumed)
