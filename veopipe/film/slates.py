"""What a rough cut writes into pictures: a slate for a clip that is missing, and a strip with its name and its frames.

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_NIGHT, _CHALK, _AMBER = (19, 22, 29), (236, 232, 220), (232, 163, 61)
_STRIP = (0, 0, 0, 150)
_LINE = 64  # characters of a line of a slate


@lru_cache(maxsize=8)
def _font(pixels: int) -> FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(pixels)


def slate(width: int, height: int, title: str, words: str) -> Image.Image:
    """A picture that stands for a clip.

    Args:
        width: pixels.
        height: pixels.
        title: the clip's name.
        words: why it is missing.
    """
    made = Image.new("RGB", (width, height), _NIGHT)
    pen, unit = ImageDraw.Draw(made), min(width, height) / 720
    left, top = round(width * 0.08), round(height * 0.3)
    pen.rectangle((0, 0, width, round(16 * unit)), fill=_AMBER)
    pen.text((left, top), title, fill=_CHALK, font=_font(max(10, round(64 * unit))))
    small, top = _font(max(8, round(30 * unit))), top + round(100 * unit)
    most = max(8, round((width - 2 * left) / (16 * unit)))
    for line in _lines(words, min(_LINE, most)):
        pen.text((left, top), line, fill=_CHALK, font=small)
        top += round(42 * unit)
    return made


def _lines(words: str, most: int) -> list[str]:
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:8]


def strip_height(height: int) -> int:
    """How high the strip of a film is, in pixels; even, as its colours need."""
    return max(16, height // 20 // 2 * 2)


def strip(width: int, height: int, left: str, right: str) -> Image.Image:
    """A strip with transparency that is laid over the bottom of a picture.

    Args:
        width: of the picture.
        height: of the strip (`strip_height`).
        left: what stands at its left, such as the name of the take.
        right: what stands at its right, such as numbers of frames.
    """
    made = _named_strip(width, height, left).copy()
    font = _font(round(height * 0.62))
    pen = ImageDraw.Draw(made)
    pen.text((width - height // 2, height // 2), right, fill=(*_CHALK, 255), font=font, anchor="rm")
    return made


@lru_cache(maxsize=2)
def _named_strip(width: int, height: int, left: str) -> Image.Image:
    made = Image.new("RGBA", (width, height), _STRIP)
    font = _font(round(height * 0.62))
    ImageDraw.Draw(made).text((height // 2, height // 2), left, fill=(*_AMBER, 255), font=font, anchor="lm")
    return made
