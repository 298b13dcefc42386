"""What a video uses and costs: tokens by its length and resolution, and US dollars for a million of them.

Source: docs/api-facts.md, h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MODELS: Mapping[str, Decimal] = {
    "gemini-omni-1.2-flash": Decimal(12),
    "gemini-omni-1.1-flash": Decimal("17.5"),
}
"""Model → US dollars for a million tokens of video."""
TEXT, INPUT = Decimal(9), Decimal("1.5")
"""US dollars for a million tokens of what else is made, and of what is sent."""

_A_SECOND: Mapping[str, int] = {"360p": 1_931, "720p": 5_792, "1080p": 8_688, "4k": 17_376}
_A_PICTURE = 1_089
_THOUGHTS, _REFUSING, _REFUSED_THOUGHTS = 732, 15, 76
_LETTERS = 4  # of a prompt to a token, more or less


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of one interaction."""

    video: int
    text: int
    thoughts: int
    input: int

    def cost(self, model: str) -> Decimal:
        """What they cost, US dollars, exactly."""
        millionths = self.video * MODELS[model] + (self.text + self.thoughts) * TEXT + self.input * INPUT
        return millionths / 1_000_000

    def as_json(self) -> dict[str, Any]:
        """The `usage` of an interaction that is over."""
        made = [("video", self.video), ("text", self.text)]
        return {
            "total_tokens": self.video + self.text + self.thoughts + self.input,
            "total_input_tokens": self.input,
            "total_output_tokens": self.video + self.text,
            "output_tokens_by_modality": [{"modality": name, "tokens": count} for name, count in made if count],
            "total_thought_tokens": self.thoughts,
        }


def used_by(prompt: str, pictures: int, seconds: int, resolution: str) -> Used:
    """What a video uses."""
    return Used(seconds * _A_SECOND[resolution], 0, _THOUGHTS, _sent(prompt, pictures))


def used_by_refusal(prompt: str, pictures: int) -> Used:
    """What is used where the model only says that it won't."""
    return Used(0, _REFUSING, _REFUSED_THOUGHTS, _sent(prompt, pictures))


def _sent(prompt: str, pictures: int) -> int:
    return max(1, len(prompt) // _LETTERS) + pictures * _A_PICTURE
