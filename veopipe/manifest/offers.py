"""What a model can be ordered with: found by asking the rules, so that no table can say something else.

Each value is tried with every other one. A value is offered if some whole shot with it has no error.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from veopipe.documents import schema
from veopipe.manifest.families import ShotRules
from veopipe.profiles.profile import Model
from veopipe.takes.order import ROLES
from veopipe.values import dataclass

_LONGEST = 60  # seconds that are tried
_MOST_PICTURES = 12


@dataclass(frozen=True, slots=True)
class Offer:
    """What a model can be ordered with.

    Attributes:
        resolutions: in the schema's order.
        aspect_ratios: likewise.
        seconds: ascending.
        pictures: the kinds of request besides text: `first frame`, `first and last frame`, `1 to 3 references`.
    """

    resolutions: tuple[str, ...]
    aspect_ratios: tuple[str, ...]
    seconds: tuple[int, ...]
    pictures: tuple[str, ...]

    def lengths(self) -> str:
        """The seconds for people: `4, 6, 8`, or `3 to 10` where none is left out."""
        if len(self.seconds) > 2 and self.seconds == tuple(range(self.seconds[0], self.seconds[-1] + 1)):
            return f"{self.seconds[0]} to {self.seconds[-1]}"
        return ", ".join(map(str, self.seconds))


def offer(model: Model) -> Offer:
    """What a model can be ordered with."""
    asked = _Asked(model, ShotRules({model.name: model}))
    shots = [
        {"resolution": resolution, "aspect_ratio": ratio, "seconds": seconds}
        for resolution, ratio in itertools.product(_values("resolution"), _values("aspect_ratio"))
        if model.price.knows(resolution)
        for seconds in range(1, _LONGEST + 1)
    ]
    sold = [shot for shot in shots if asked.takes(shot)]
    return Offer(
        _found(_values("resolution"), (shot["resolution"] for shot in sold)),
        _found(_values("aspect_ratio"), (shot["aspect_ratio"] for shot in sold)),
        _found(range(1, _LONGEST + 1), (shot["seconds"] for shot in sold)),
        tuple(_pictures(asked, sold)),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The rules, asked about one model."""

    model: Model
    rules: ShotRules

    def takes(self, values: dict[str, Any]) -> bool:
        """Whether a shot of this model with these values has no error."""
        shot = {"model": self.model.name, "prompt": "a shot", **values}
        of_model = self.rules.of(self.model.name)
        found = [
            finding
            for key, value in shot.items()
            for finding in (*self.rules.value(key, value), *of_model.value(key, value))
        ]
        return not any(finding.severity == "error" for finding in [*found, *of_model.whole(shot)])


def _pictures(asked: _Asked, shots: list[dict[str, Any]]) -> Iterator[str]:
    first, last, many = ROLES
    kinds: dict[str, dict[str, Any]] = {
        "first frame": {first: "a.png"},
        "first and last frame": {first: "a.png", last: "b.png"},
    }
    for words, pictures in kinds.items():
        if any(asked.takes({**shot, **pictures}) for shot in shots):
            yield words
    counts = range(1, _MOST_PICTURES + 1)
    numbers = [n for n in counts if any(asked.takes({**shot, many: ["a.png"] * n}) for shot in shots)]
    if numbers:
        yield f"{numbers[0]} to {numbers[-1]} references"


def _values(key: str) -> list[Any]:
    return [value for value in schema.part("manifest", "$defs", "settings", "properties", key)["enum"] if value]


def _found(values: Iterable[Any], those: Iterable[Any]) -> tuple[Any, ...]:
    there = set(those)
    return tuple(value for value in values if value in there)
