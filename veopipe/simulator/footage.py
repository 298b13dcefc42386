"""Real MP4s, made cheaply: one template for each size and length, and for each task only a first picture.

A template is a whole clip (H.264, 24 fps, AAC stereo 48 kHz) whose slate has no text. Its later pictures change the
running strip and copy all else from the picture before. So a task's clip is the template with another first picture,
one that has the text: it is encoded with the same settings and put in place of the old one, and the tables of sizes
and positions are corrected.

* Each picture has four slices, and nothing is predicted across a slice: the running strip never reaches the text.
* The quantiser is constant, there is one reference, no weighting and no deblocking: a copied block stays what it was.
* A clip depends on the order and the task alone, so that a second download is the same, byte for byte.
"""

from __future__ import annotations

import io
import math
import struct
import threading
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice

import av
from av.codec.context import Flags

from veopipe.simulator.slate import FRAME_RATE, Layout, Planes, Slate, background, draw, running_strip

SAMPLE_RATE = 48_000
_AAC_FRAME = 1024
_X264 = {
    "preset": "ultrafast",
    "qp": "22",
    "x264-params": (
        "keyint=infinite:scenecut=0:bframes=0:ref=1:weightp=0:slices=4:aq-mode=0:mbtree=0:rc-lookahead=0"
        ":sync-lookahead=0:sliced-threads=0:no-psy=1:me=dia:merange=4:cabac=0:no-deblock=1"
    ),
}
_locks: defaultdict[Cut, threading.Lock] = defaultdict(threading.Lock)
_choosing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Cut:
    """The technical side of a clip: what a measuring tool would report.

    Attributes:
        width: pixels.
        height: pixels.
        seconds: exact length.
        audio: whether there is a sound track.
    """

    width: int
    height: int
    seconds: int
    audio: bool = True


@dataclass(frozen=True, slots=True)
class _Template:
    """An MP4 taken apart at the places that change when its first picture is replaced.

    Attributes:
        head: `ftyp`.
        moov: the index, with positions as if `mdat` followed it.
        first_size_at: where in `moov` the size of the first picture stands.
        offset_tables: where in `moov` each table of chunk positions starts, and its number of entries.
        before: media data in front of the first picture.
        first: the first picture's bytes.
        after: all media data after it.
        parameters: the encoder's SPS and PPS; every first picture must have been made with the same.
    """

    head: bytes
    moov: bytes
    first_size_at: int
    offset_tables: tuple[tuple[int, int], ...]
    before: bytes
    first: bytes
    after: bytes
    parameters: bytes


def clip(cut: Cut, slate: Slate) -> bytes:
    """A complete MP4, index first, that shows `slate` and has exactly the measures of `cut`."""
    template = _template(cut)
    encoder = _encoder(cut)
    picture = _encode(encoder, _frame(draw(slate, cut.width, cut.height), 0)) + _encode(encoder, None)
    if encoder.extradata != template.parameters:  # the later pictures couldn't be decoded behind such a first one
        raise RuntimeError("the encoder changed its parameters between template and shot")
    return _spliced(template, b"".join(_length_prefixed(picture)))


def prepare(cut: Cut) -> None:
    """Build the template for `cut` now, so that the first clip of that size is quick, too."""
    _template(cut)


def _template(cut: Cut) -> _Template:
    with _choosing:
        lock = _locks[cut]
    with lock:  # two threads must not build the same template; other sizes needn't wait
        return _built(cut)


@lru_cache(maxsize=16)
def _built(cut: Cut) -> _Template:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FRAME_RATE)
        _set_up(video.codec_context, cut, threads=2)
        sound = None
        if cut.audio:
            sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
            sound.bit_rate = 96_000
        # Second by second, so that sound and picture lie side by side in the file.
        pictures, tones = _pictures(cut), _tones(cut)
        for _ in range(cut.seconds):
            for _ in range(FRAME_RATE):
                container.mux(video.encode(next(pictures)))
            if sound is not None:
                for frame in islice(tones, SAMPLE_RATE // _AAC_FRAME):
                    container.mux(sound.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            for frame in tones:
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
        parameters = bytes(video.codec_context.extradata or b"")
    return _taken_apart(target.getvalue(), parameters)


def _set_up(context: av.VideoCodecContext, cut: Cut, threads: int) -> None:
    context.width, context.height = cut.width, cut.height
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, FRAME_RATE)
    context.framerate = Fraction(FRAME_RATE, 1)
    context.flags |= Flags.global_header
    context.options = _X264 | {"x264-params": f"{_X264['x264-params']}:threads={threads}"}


def _encoder(cut: Cut) -> av.VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    _set_up(context, cut, threads=1)
    return context


def _encode(encoder: av.VideoCodecContext, frame: av.VideoFrame | None) -> bytes:
    return b"".join(bytes(packet) for packet in encoder.encode(frame))


def _frame(planes: Planes, number: int) -> av.VideoFrame:
    frame = av.VideoFrame(planes.light.width, planes.light.height, "yuv420p")
    for plane, image in zip(frame.planes, (planes.light, planes.blue, planes.red), strict=True):
        if plane.line_size == image.width:
            plane.update(image.tobytes())
        else:
            plane.update(_padded(image.tobytes(), image.width, plane.line_size))
    frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
    return frame


def _padded(rows: bytes, width: int, line: int) -> bytes:
    """Rows of `width` bytes as the encoder wants them, `line` bytes each."""
    gap = bytes(line - width)
    return b"".join(rows[at : at + width] + gap for at in range(0, len(rows), width))


def _pictures(cut: Cut) -> Iterator[av.VideoFrame]:
    """The pictures of a template: only the running strip differs from one to the next."""
    planes = background(cut.width, cut.height).copied()
    total, top = cut.seconds * FRAME_RATE, Layout(cut.width, cut.height).strip_top
    for number in range(total):
        if number:
            planes.light.paste(running_strip(cut.width, cut.height, number, total), (0, top))
        yield _frame(planes, number)


def _tones(cut: Cut) -> Iterator[av.AudioFrame]:
    """A soft chord, and a short beep at each full second."""
    total = cut.seconds * SAMPLE_RATE
    for start in range(0, total, _AAC_FRAME):
        size, place = min(_AAC_FRAME, total - start), start % SAMPLE_RATE
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=size)
        for plane, pitch in zip(frame.planes, (220, 277), strict=True):
            wave = _wave(pitch)[place : place + size]
            plane.update(wave.tobytes().ljust(plane.buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame


@lru_cache
def _wave(pitch: int) -> array[float]:
    """A second of a whole number of Hz, which joins on to itself, and its beginning once more."""
    second = array("f", (_level(at, pitch) for at in range(SAMPLE_RATE)))
    return second + second[:_AAC_FRAME]


def _level(at: int, pitch: int) -> float:
    turn = 2 * math.pi * at / SAMPLE_RATE
    beep = 0.2 * math.sin(880 * turn) if at < SAMPLE_RATE // 12 else 0.0
    return 0.06 * math.sin(pitch * turn) + beep


def _length_prefixed(stream: bytes) -> Iterator[bytes]:
    """Annex B (start codes) to what MP4 wants (lengths); the encoder's signature (SEI, 6) is left out."""
    for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]:
        if unit[0] & 0x1F != 6:
            yield struct.pack(">I", len(unit)) + unit


def _boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the content and end of each box in `data[start:end]`; a clip needs no box of 4 GB."""
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start + 8, start + size
        start += size


def _found(data: bytes | bytearray, start: int, end: int, *path: bytes) -> Iterator[tuple[int, int]]:
    """Content start and end of every box at `path` below `data[start:end]`."""
    for kind, content, stop in _boxes(data, start, end):
        if kind == path[0]:
            if len(path) == 1:
                yield content, stop
            else:
                yield from _found(data, content, stop, *path[1:])


def _taken_apart(data: bytes, parameters: bytes) -> _Template:
    """A clip as a template; its `moov` is moved in front of its `mdat`, and the positions with it."""
    top = {kind: (content, end) for kind, content, end in _boxes(data, 0, len(data))}
    moov_start, moov_end = top[b"moov"][0] - 8, top[b"moov"][1]
    media_start, media_end = top[b"mdat"]
    head = data[: top[b"ftyp"][1]]
    moov = bytearray(data[moov_start:moov_end])
    tables = tuple(
        (at + 8, struct.unpack_from(">I", moov, at + 4)[0])
        for at, _ in _found(moov, 8, len(moov), b"trak", b"mdia", b"minf", b"stbl", b"stco")
    )
    sizes_at, _ = next(_found(moov, 8, len(moov), b"trak", b"mdia", b"minf", b"stbl", b"stsz"))
    first_at = struct.unpack_from(">I", moov, tables[0][0])[0] - media_start
    first_size = struct.unpack_from(">I", moov, sizes_at + 12)[0]
    media = data[media_start:media_end]
    shift = len(head) + len(moov) + 8 - media_start
    _shift_chunks(moov, tables, shift, beyond=0)
    return _Template(
        head,
        bytes(moov),
        sizes_at + 12,
        tables,
        media[:first_at],
        media[first_at : first_at + first_size],
        media[first_at + first_size :],
        parameters,
    )


def _shift_chunks(moov: bytearray, tables: tuple[tuple[int, int], ...], by: int, beyond: int) -> None:
    """Correct the positions of the chunks that lie beyond a place in the file."""
    for at, count in tables:
        form = f">{count}I"
        places = struct.unpack_from(form, moov, at)
        struct.pack_into(form, moov, at, *(place + by if place > beyond else place for place in places))


def _spliced(template: _Template, first: bytes) -> bytes:
    """The clip of a template with another first picture."""
    moov = bytearray(template.moov)
    struct.pack_into(">I", moov, template.first_size_at, len(first))
    first_place = len(template.head) + len(moov) + 8 + len(template.before)
    _shift_chunks(moov, template.offset_tables, len(first) - len(template.first), beyond=first_place)
    media = len(template.before) + len(first) + len(template.after)
    return b"".join(
        (
            template.head,
            moov,
            struct.pack(">I4s", media + 8, b"mdat"),
            template.before,
            first,
            template.after,
        )
    )
