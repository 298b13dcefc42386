"""What a simulated video shows: a film slate with the shot's text, and a running strip below.

* The upper three quarters never change during a clip; the running strip lies in the lowest quarter. `footage` relies
  on that: it encodes the running strip once for each size and length, and the text once for each task.
* A picture is three grey Pillow images, one for each plane of yuv420p. Text is drawn into the light plane only: to
  convert colours is what would make a clip expensive.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import av.filter
from PIL import Image, ImageDraw, ImageFont, ImageOps

FRAME_RATE = 24

_NIGHT = (19, 22, 29)
_CHALK = (236, 232, 220)
_AMBER = (232, 163, 61)
_LIGHT = 226  # light plane (16…235) of the shot's text


@dataclass(frozen=True, slots=True)
class Slate:
    """What is written on one clip.

    Attributes:
        prompt: the shot's text; it is wrapped, and cut to what fits.
        facts: the values that stand below `LABELS`, in that order.
        pictures: small reference pictures (JPEG bytes), at most three.
    """

    prompt: str
    facts: tuple[str, ...]
    pictures: tuple[bytes, ...] = ()


LABELS = ("MODEL", "MODE", "LENGTH", "PICTURE", "SEED", "TASK")


@dataclass(frozen=True, slots=True)
class Planes:
    """One frame in yuv420p: light, and two colour planes of half the width and height."""

    light: Image.Image
    blue: Image.Image
    red: Image.Image

    def copied(self) -> Planes:
        """The same frame, free to be drawn on."""
        return Planes(self.light.copy(), self.blue.copy(), self.red.copy())


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are on a slate of one size, in pixels; `unit` is 1 px on a 720p picture."""

    width: int
    height: int

    @property
    def unit(self) -> float:
        """The scale: 1.0 where the shorter side has 720 pixels."""
        return min(self.width, self.height) / 720

    @property
    def portrait(self) -> bool:
        """Whether the picture is higher than wide."""
        return self.height > self.width

    @property
    def margin(self) -> int:
        """The free border on each side."""
        return round(48 * self.unit)

    @property
    def stripes(self) -> int:
        """Height of the clapper's striped bar at the top."""
        return round(46 * self.unit)

    @property
    def still_end(self) -> int:
        """First row below everything that is drawn per shot."""
        return int(self.height * 0.73)

    @property
    def strip_top(self) -> int:
        """First row of the running strip, even so that colour planes fit."""
        return int(self.height * 0.80) // 2 * 2

    @property
    def prompt_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the shot's text."""
        top = self.stripes + round(78 * self.unit)
        if self.portrait:
            return self.margin, top, self.width - self.margin, int(self.height * 0.42)
        return self.margin, top, int(self.width * 0.60), self.still_end

    @property
    def facts_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the column of facts and of the small pictures."""
        top = self.stripes + round(78 * self.unit)
        if self.portrait:
            return self.margin, int(self.height * 0.44), self.width - self.margin, self.still_end
        return int(self.width * 0.65), top, self.width - self.margin, self.still_end

    @property
    def fact_step(self) -> int:
        """Rows from one fact to the next."""
        return round(45 * self.unit)


# The font inside Pillow has little beyond ASCII; texts that need more are drawn with the first of these
# that the system has, else their characters show as boxes.
_WIDER_FONTS = ("NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf")


@lru_cache(maxsize=64)
def _font(size: int, *, plain: bool = True) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in () if plain else _WIDER_FONTS:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size=size)


def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return _font(size, plain=text.isascii())


_IN_ASCII = str.maketrans({"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "..."})


def _drawable(text: str) -> str:
    """`text` with typographic signs in ASCII, and without what no font can draw."""
    plainer = text.translate(_IN_ASCII)
    return "".join(character if character.isprintable() else " " for character in plainer)


@lru_cache(maxsize=20_000)
def _text_width(text: str, size: int) -> float:
    return _font_for(text, size).getlength(text)


def _planes_of(picture: Image.Image) -> Planes:
    """An RGB picture of even width and height as three planes."""
    frame = av.VideoFrame.from_image(picture).reformat(  # type: ignore[no-untyped-call]
        format="yuv420p"
    )
    return Planes(*(_as_image(plane) for plane in frame.planes))


def _as_image(plane: av.video.plane.VideoPlane) -> Image.Image:
    size = (plane.width, plane.height)
    return Image.frombuffer("L", size, bytes(plane), "raw", "L", plane.line_size, 1)


@lru_cache(maxsize=8)
def background(width: int, height: int) -> Planes:
    """Everything on a slate of this size that is the same for all shots, at the first frame."""
    layout = Layout(width, height)
    picture = Image.new("RGB", (width, height), _NIGHT)
    draw = ImageDraw.Draw(picture)
    _draw_clapper(draw, layout)
    _draw_labels(draw, layout)
    _draw_track(draw, layout)
    planes = _planes_of(picture)
    planes.light.paste(running_strip(width, height, 0, FRAME_RATE), (0, layout.strip_top))
    return planes


def _draw_clapper(draw: ImageDraw.ImageDraw, layout: Layout) -> None:
    bar, step = layout.stripes, round(64 * layout.unit)
    for left in range(-bar, layout.width + step, 2 * step):
        draw.polygon([(left, bar), (left + bar, 0), (left + bar + step, 0), (left + step, bar)], fill=_CHALK)
    draw.rectangle((0, bar, layout.width, bar + max(2, round(4 * layout.unit))), fill=_AMBER)


def _draw_labels(draw: ImageDraw.ImageDraw, layout: Layout) -> None:
    small = _font(round(17 * layout.unit))
    top = layout.stripes + round(34 * layout.unit)
    draw.text((layout.margin, top), "SIMULATED TAKE", font=small, fill=_AMBER)
    right = "veopipe simulator"
    edge = layout.width - layout.margin
    draw.text((edge, top), right, font=small, fill=(128, 132, 140), anchor="ra")
    left, first, _, _ = layout.facts_box
    tiny = _font(round(12 * layout.unit))
    for number, label in enumerate(LABELS):
        draw.text((left, first + number * layout.fact_step), label, font=tiny, fill=_AMBER)
    if not layout.portrait:
        line = left - round(30 * layout.unit)
        draw.line((line, first, line, layout.still_end), fill=(58, 62, 72), width=max(1, round(layout.unit)))


def _track(layout: Layout) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the growing bar."""
    left = layout.margin + round(290 * layout.unit)
    top = layout.strip_top + round(58 * layout.unit)
    return left, top, layout.width - layout.margin, top + round(14 * layout.unit)


def _draw_track(draw: ImageDraw.ImageDraw, layout: Layout) -> None:
    """The colours of the running strip: its light is drawn again for every frame."""
    draw.rectangle(_track(layout), fill=_AMBER)


def running_strip(width: int, height: int, frame: int, frames: int) -> Image.Image:
    """The light plane of the running strip at `frame` of `frames`: dial, timecode and a growing bar."""
    layout = Layout(width, height)
    unit, top = layout.unit, layout.strip_top
    strip = Image.new("L", (width, height - top), 35)
    draw = ImageDraw.Draw(strip)
    radius, middle = round(44 * unit), round(64 * unit)
    centre = layout.margin + radius
    dial = (centre - radius, middle - radius, centre + radius, middle + radius)
    draw.ellipse(dial, fill=60)
    draw.pieslice(dial, -90, -90 + 15 * (frame % FRAME_RATE + 1), fill=120)
    draw.ellipse(dial, outline=190, width=max(2, round(3 * unit)))
    second = frame // FRAME_RATE
    draw.text((centre, middle), str(second + 1), font=_font(round(44 * unit)), fill=_LIGHT, anchor="mm")
    timecode = f"00:00:{second:02d}:{frame % FRAME_RATE:02d}"
    draw.text(
        (layout.margin + round(112 * unit), middle), timecode, font=_font(round(30 * unit)), fill=_LIGHT, anchor="lm"
    )
    left, track_top, right, bottom = _track(layout)
    draw.rectangle((left, track_top - top, right, bottom - top), fill=70)
    draw.rectangle((left, track_top - top, left + (right - left) * (frame + 1) // frames, bottom - top), fill=170)
    return strip


def draw(slate: Slate, width: int, height: int) -> Planes:
    """The first frame of a clip: background, the shot's text, its facts and its small pictures."""
    layout = Layout(width, height)
    planes = background(width, height).copied()
    pen = ImageDraw.Draw(planes.light)
    _write_prompt(pen, slate.prompt, layout)
    left, top, right, _ = layout.facts_box
    size, drop = round(19 * layout.unit), round(15 * layout.unit)
    for number, value in enumerate(slate.facts):
        cut = _cut_to_width(_drawable(value), right - left, size)
        pen.text((left, top + number * layout.fact_step + drop), cut, font=_font_for(cut, size), fill=_LIGHT)
    _paste_pictures(planes, slate.pictures, layout)
    return planes


def _write_prompt(pen: ImageDraw.ImageDraw, prompt: str, layout: Layout) -> None:
    left, top, right, bottom = layout.prompt_box
    text = " ".join(_drawable(prompt[:2000]).split())
    for points in (44, 38, 32, 27, 23, 20, 17):
        size = round(points * layout.unit)
        step = round(size * 1.32)
        room = (bottom - top) // step
        lines = _wrapped(text, right - left, size, room + 1)
        if len(lines) <= room:
            break
    else:
        lines = [*lines[: room - 1], _cut_to_width(lines[room - 1] + " ...", right - left, size)]
    for number, line in enumerate(lines):
        pen.text((left, top + number * step), line, font=_font_for(line, size), fill=_LIGHT)


def _wrapped(text: str, width: int, size: int, most: int) -> list[str]:
    """`text` in lines no wider than `width`, at most `most` of them; long words are broken."""
    lines: list[str] = []
    line, used, space = "", 0.0, _text_width(" ", size)
    for word in _short_words(text, width, size):
        length = _text_width(word, size)
        if line and used + space + length > width:
            lines.append(line)
            if len(lines) >= most:
                return lines
            line, used = word, length
        else:
            line, used = (f"{line} {word}", used + space + length) if line else (word, length)
    return [*lines, line] if line else lines


def _short_words(text: str, width: int, size: int) -> Sequence[str]:
    """The words of `text`, long ones in pieces that fit."""
    longest = max(4, int(width / (size * 1.1)))  # characters that fit even when they are wide, as in CJK
    words = []
    for word in text.split():
        fits = len(word) <= longest or _text_width(word, size) <= width
        words += [word] if fits else [word[at : at + longest] for at in range(0, len(word), longest)]
    return words


def _cut_to_width(text: str, width: int, size: int) -> str:
    if _text_width(text, size) <= width:
        return text
    while text and _text_width(text + "...", size) > width:
        text = text[: -max(1, len(text) // 12)]
    return text + "..."


def _paste_pictures(planes: Planes, pictures: Sequence[bytes], layout: Layout) -> None:
    left, top, right, _ = layout.facts_box
    gap = round(10 * layout.unit)
    width = ((right - left - 2 * gap) // 3) // 2 * 2
    height = round(width * 9 / 16) // 2 * 2
    row = (top + len(LABELS) * layout.fact_step + gap) // 2 * 2
    height = min(height, (layout.still_end - row) // 2 * 2)
    for number, data in enumerate(pictures[:3]):
        with Image.open(io.BytesIO(data)) as small:
            part = _planes_of(_boxed(small.convert("RGB"), width, height))
        x = (left + number * (width + gap)) // 2 * 2
        planes.light.paste(part.light, (x, row))
        planes.blue.paste(part.blue, (x // 2, row // 2))
        planes.red.paste(part.red, (x // 2, row // 2))


def _boxed(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The whole picture in the middle of a box of that size."""
    scale = min(width / picture.width, height / picture.height)
    small = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    box = Image.new("RGB", (width, height), (40, 44, 54))
    box.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
    return box


def fitted_picture(data: bytes, width: int, height: int) -> bytes | None:
    """An uploaded picture as large as a video, its edges cut off where its ratio is another one; a JPEG.

    None where it can't be decoded.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            out = io.BytesIO()
            ImageOps.fit(picture.convert("RGB"), (width, height)).save(out, "JPEG", quality=95, subsampling=0)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return out.getvalue()


def whole_picture(data: bytes, width: int, height: int) -> Planes:
    """A picture of the album as a frame, in the colours that players take a video to have (BT.709)."""
    with Image.open(io.BytesIO(data)) as kept:
        shown = av.VideoFrame.from_image(kept.convert("RGB").resize((width, height)))  # type: ignore[no-untyped-call]
    graph = av.filter.Graph()
    exact = "out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int"
    source = graph.add_buffer(width=width, height=height, format=shown.format, time_base=Fraction(1, FRAME_RATE))
    graph.link_nodes(source, graph.add("scale", exact), graph.add("format", "yuv420p"), graph.add("buffersink"))
    graph.configure()
    shown.pts = 0
    graph.push(shown)
    made: Any = graph.pull()
    return Planes(*(_as_image(plane) for plane in made.planes))


def small_picture(data: bytes) -> bytes | None:
    """A small JPEG of an uploaded picture for the slate, or None where it can't be decoded."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.draft("RGB", (384, 384))
            picture.thumbnail((384, 384), Image.Resampling.BILINEAR)
            out = io.BytesIO()
            picture.convert("RGB").save(out, "JPEG", quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return out.getvalue()
