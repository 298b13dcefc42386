"""Clips whose pictures say their numbers, with all that makes a last frame hard to find, and stills for colours.

A number is nine large squares in the picture, black or white: it survives every encoder, and can be read in a PNG.
"""

from __future__ import annotations

import functools
import io
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import av
import av.filter
from PIL import Image, ImageChops, ImageDraw, ImageStat

COUNT = 192
WIDTH, HEIGHT = 320, 180
BITS = 9
X264 = {"preset": "veryfast", "crf": "20", "bf": "3", "g": "250"}


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """A coloured picture with its number in squares."""
    made = _ground(width, height).copy()
    pen, side = ImageDraw.Draw(made), width // (BITS + 1)
    for bit in range(BITS):
        left = side // 2 + bit * side
        pen.rectangle((left, side, left + side - 1, side * 2 - 1), fill=(255,) * 3 if number >> bit & 1 else (0,) * 3)
    return made


@functools.cache
def _ground(width: int, height: int) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def number_of(content: bytes) -> int:
    """The number that a picture's squares say."""
    with Image.open(io.BytesIO(content)) as shown:
        grey = shown.convert("L")
    return _number(grey.tobytes(), grey.width, grey.width)


def number_in(frame: av.VideoFrame) -> int:
    """The number that the squares of a decoded picture say, which has its brightness in a plane of its own."""
    plane = frame.planes[0]
    return _number(bytes(plane), plane.width, plane.line_size)


def _number(grey: bytes, width: int, line: int) -> int:
    side = width // (BITS + 1)
    return sum((grey[side * 3 // 2 * line + side + bit * side] > 127) << bit for bit in range(BITS))


def clip(
    pictures: Sequence[Image.Image],
    *,
    rate: Fraction = Fraction(24),
    times: Sequence[int] | None = None,
    stays_s: float | None = None,
    sound_s: float | None = None,
    sound_rate: int = 48000,
    layout: str = "mono",
    codec: str = "libx264",
    pixels: str = "yuv420p",
    matrix: str = "bt709",
    levels: str = "tv",
    options: dict[str, str] | None = None,
    tags: Callable[[av.VideoCodecContext], None] | None = None,
) -> bytes:
    """An MP4 of these pictures.

    Args:
        pictures: in the order in which they are shown.
        rate: pictures per second.
        times: when each comes on, in pictures at that rate.
        stays_s: seconds that the last one stays, where it isn't as long as the others; for encoders without B-frames.
        sound_s: seconds of sound; None: there is none.
        sound_rate: its samples per second.
        layout: its channels.
        codec: of the pictures.
        pixels: their format.
        matrix: their colours, as ffmpeg's filter calls it.
        levels: `tv` or `pc`.
        options: of the encoder.
        tags: what else is set on the encoder.
    """
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as out:
        video = out.add_stream(codec, rate=rate)
        context = video.codec_context
        context.width, context.height, context.pix_fmt = pictures[0].width, pictures[0].height, pixels
        context.time_base = 1 / rate
        context.options = X264 if options is None else options
        if tags is not None:
            tags(context)
        sound = out.add_stream("aac", rate=sound_rate, layout=layout) if sound_s else None
        graph = _graph(context.width, context.height, pixels, matrix, levels)
        for at, shown in zip(range(len(pictures)) if times is None else times, pictures, strict=True):
            frame = _encodable(shown, graph)
            frame.pts, frame.time_base = at, 1 / rate
            out.mux(video.encode(frame))
        for packet in video.encode(None):
            if stays_s is not None:
                packet.duration = round(stays_s / packet.time_base)  # the muxer asks the last one
            out.mux(packet)
        for samples in tone(sound_s or 0, sound_rate, layout):
            out.mux(sound.encode(samples))
        if sound is not None:
            out.mux(sound.encode(None))
    return made.getvalue()


def _graph(width: int, height: int, pixels: str, matrix: str, levels: str) -> av.filter.Graph:
    """What makes pictures as an encoder wants them, rounded exactly."""
    graph = av.filter.Graph()
    begin = graph.add_buffer(width=width, height=height, format="rgb24", time_base=Fraction(1, 24))
    exact = f"out_color_matrix={matrix}:out_range={levels}:flags=bicubic+accurate_rnd+full_chroma_int"
    graph.link_nodes(begin, graph.add("scale", exact), graph.add("format", pixels), graph.add("buffersink"))
    graph.configure()
    return graph


def _encodable(shown: Image.Image, graph: av.filter.Graph) -> av.VideoFrame:
    source = av.VideoFrame.from_image(shown)
    source.pts = 0
    graph.push(source)
    made = graph.pull()
    made.pict_type = 0
    return made


def error(one: bytes, other: bytes) -> float:
    """By how much two pictures differ, of 255, in the mean over colours and pixels."""
    with Image.open(io.BytesIO(one)) as first, Image.open(io.BytesIO(other)) as second:
        return sum(ImageStat.Stat(ImageChops.difference(first.convert("RGB"), second.convert("RGB"))).mean) / 3


@functools.cache
def _wave(rate: int, begin: int) -> bytes:
    return struct.pack("<1024f", *(0.05 * math.sin(2 * math.pi * 440 * (begin + n) / rate) for n in range(1024)))


def tone(seconds: float, rate: int = 48000, layout: str = "mono") -> Iterator[av.AudioFrame]:
    """A quiet 440 Hz."""
    period = rate // math.gcd(rate, 440)  # samples after which it begins anew
    for start in range(0, round(seconds * rate), 1024):
        frame = av.AudioFrame(format="fltp", layout=layout, samples=1024)
        for plane in frame.planes:
            plane.update(_wave(rate, start % period))
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield frame


def cut(content: bytes, *, begins_s: float = 0.0, lasts_s: float) -> bytes:
    """The clip with an edit list that shows only a part of it; PyAV's muxer writes lists of one entry."""
    clock = _clock(content, b"mdhd")
    whole = _clock(content, b"mvhd")
    at = content.index(b"elst") + 12
    _, begin = struct.unpack_from(">Ii", content, at)
    entry = struct.pack(">Ii", round(lasts_s * whole), begin + round(begins_s * clock))
    return content[:at] + entry + content[at + 8 :]


def _clock(content: bytes, kind: bytes) -> int:
    return int.from_bytes(content[(at := content.index(kind) + 16) : at + 4], "big")


def turned(content: bytes) -> bytes:
    """The clip as a phone that was held upright stores it."""
    at = content.index(b"tkhd") + 44
    return content[:at] + struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, HEIGHT << 16, 0, 1 << 30) + content[at + 36 :]


def numbered(**more: object) -> bytes:
    """The clip of all numbers."""
    return clip([picture(number) for number in range(COUNT)], **more)  # type: ignore[arg-type]


def uneven() -> list[int]:
    """Times of pictures of which each fourth stays three times as long."""
    return [number + 2 * (number // 4) for number in range(COUNT)]


@functools.cache
def film(name: str) -> bytes:
    """A clip of the table in docs/media-facts.md, a."""
    if name == "edit list ends early":
        return cut(numbered(), lasts_s=7.5)
    if name == "edit list begins late":
        return cut(numbered(), begins_s=0.5, lasts_s=7.5)
    return numbered(**CLIPS[name])


CLIPS: dict[str, dict[str, object]] = {
    "B-frames, sound as long": {"sound_s": 8.0},
    "sound 0.3 s longer": {"sound_s": 8.3},
    "sound shorter": {"sound_s": 7.0},
    "no sound": {},
    "uneven times": {"times": uneven()},
    "last but one picture 2.5 s long": {"times": [*range(COUNT - 1), COUNT + 58]},
    "last picture 2.5 s long": {"stays_s": 2.5, "options": {**X264, "bf": "0"}},
    "24000/1001": {"rate": Fraction(24000, 1001), "sound_s": 8.0},
    "edit list ends early": {},
    "edit list begins late": {},
}
