"""Real MP4s, made cheaply: one template for each size and length, and for each task only a picture or three.

A template is a whole clip (H.264, 24 fps, AAC stereo 48 kHz) whose slate has no text. Its later pictures change the
running strip and copy all else from the picture before. So a task's clip is the template with another first picture,
one that has the text: it is encoded with the same settings and put in place of the old one, and the tables of sizes
and positions are corrected.

A clip that begins with a picture of its order shows that for half a second, then the slate; one that ends on a
picture ends like that. In their templates such a place is a key picture, and those behind it change nothing.

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice, pairwise

import av
from av.codec.context import Flags
from av.video.frame import PictureType

from veopipe.simulator.slate import FRAME_RATE, Layout, Planes, Slate, background, draw, running_strip, whole_picture

SAMPLE_RATE = 48_000
_AAC_FRAME = 1024
_HELD = FRAME_RATE // 2  # pictures that the first and the last picture of an order are shown for; of short clips less
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
        has_begin: whether it begins with a picture of its order, instead of the slate.
        has_end: whether it ends on one.
    """

    width: int
    height: int
    seconds: int
    audio: bool = True
    has_begin: bool = False
    has_end: bool = False

    @property
    def pictures(self) -> int:
        """How many it has."""
        return self.seconds * FRAME_RATE

    @property
    def slate_from(self) -> int:
        """The number of the first picture that shows the slate."""
        return min(_HELD, self.pictures // 4) if self.has_begin else 0

    @property
    def slate_to(self) -> int:
        """The number of the first picture after the slate."""
        return self.pictures - (min(_HELD, self.pictures // 4) if self.has_end else 0)

    @property
    def keys(self) -> tuple[int, ...]:
        """The numbers of the key pictures: what a task changes."""
        return tuple(sorted({0, self.slate_from, self.slate_to} - {self.pictures}))


@dataclass(frozen=True, slots=True)
class _Template:
    """An MP4 taken apart at the places that change when its key pictures are replaced.

    Attributes:
        head: `ftyp`.
        moov: the index, with positions as if `mdat` followed it.
        sizes_at: where in `moov` the size of each key picture stands.
        offset_tables: where in `moov` each table of chunk positions starts, and its number of entries.
        keys: the bytes of each key picture.
        between: the media data in front of the first key picture, between two of them, and after the last one.
        parameters: the encoder's SPS and PPS; every new picture must have been made with the same.
    """

    head: bytes
    moov: bytes
    sizes_at: tuple[int, ...]
    offset_tables: tuple[tuple[int, int], ...]
    keys: tuple[bytes, ...]
    between: tuple[bytes, ...]
    parameters: bytes


def clip(cut: Cut, slate: Slate, begins: bytes | None = None, ends: bytes | None = None) -> bytes:
    """A complete MP4, index first, that shows `slate` and has exactly the measures of `cut`.

    Args:
        cut: its measures.
        slate: what is written on it.
        begins: the picture that it begins with, where the cut has one.
        ends: the picture that it ends on, likewise.
    """
    template = _template(cut)
    shown = {number: _key_picture(cut, slate, number) for number in cut.keys}
    if cut.has_begin and begins is not None:
        shown[0] = whole_picture(begins, cut.width, cut.height)
    if cut.has_end and ends is not None:
        shown[cut.slate_to] = whole_picture(ends, cut.width, cut.height)
    return _spliced(template, [_key(cut, template, planes) for planes in shown.values()])


def _key_picture(cut: Cut, slate: Slate, number: int) -> Planes:
    """The slate as it is at a picture."""
    planes, top = draw(slate, cut.width, cut.height), Layout(cut.width, cut.height).strip_top
    if number:
        planes.light.paste(running_strip(cut.width, cut.height, number, cut.pictures), (0, top))
    return planes


def _key(cut: Cut, template: _Template, planes: Planes) -> bytes:
    """A key picture as the file holds it."""
    encoder = _encoder(cut)
    picture = _encode(encoder, _frame(planes, 0)) + _encode(encoder, None)
    if encoder.extradata != template.parameters:  # the later pictures couldn't be decoded behind such a one
        raise RuntimeError("the encoder changed its parameters between template and shot")
    return b"".join(_length_prefixed(picture))


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
        sound = _with_sound(container) if cut.audio else None
        # Second by second, so that sound and picture lie side by side in the file.
        pictures, tones = _pictures(cut), iter(_sound(cut.seconds))
        for _ in range(cut.seconds):
            for _ in range(FRAME_RATE):
                container.mux(video.encode(next(pictures)))
            if sound is not None:
                container.mux([tone.packet(sound) for tone in islice(tones, SAMPLE_RATE // _AAC_FRAME)])
        container.mux(video.encode(None))
        if sound is not None:
            container.mux([tone.packet(sound) for tone in tones])
        parameters = bytes(video.codec_context.extradata or b"")
    return _taken_apart(target.getvalue(), parameters, cut.keys)


def _with_sound(container: av.container.OutputContainer) -> av.AudioStream:
    sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
    sound.bit_rate = 96_000
    return sound


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
        plane.update(_padded(image.tobytes(), image.width, plane.line_size))
    frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
    return frame


def _padded(rows: bytes, width: int, line: int) -> bytes:
    """Rows of `width` bytes as the encoder wants them, `line` bytes each."""
    if width == line:
        return rows
    gap = bytes(line - width)
    return b"".join(rows[at : at + width] + gap for at in range(0, len(rows), width))


def _pictures(cut: Cut) -> Iterator[av.VideoFrame]:
    """The pictures of a template: while the slate is shown only the running strip differs from one to the next.

    All of them are one frame that is drawn on: the encoder has copied a picture before it wants the next.
    """
    frame = _frame(background(cut.width, cut.height), 0)
    light = frame.planes[0]
    strip = memoryview(light).cast("B")[Layout(cut.width, cut.height).strip_top * light.line_size :]
    for number in range(cut.pictures):
        if number and (cut.slate_from <= number < cut.slate_to or number in cut.keys):
            rows = running_strip(cut.width, cut.height, number, cut.pictures).tobytes()
            strip[:] = _padded(rows, cut.width, light.line_size)
        frame.pts = number
        frame.pict_type = PictureType.I if number in cut.keys else PictureType.NONE
        yield frame


@dataclass(frozen=True, slots=True)
class _Tone:
    """A packet of sound that was encoded.

    Attributes:
        content: its bytes.
        at: when it begins, in samples.
        samples: how many it has.
    """

    content: bytes
    at: int
    samples: int

    def packet(self, stream: av.AudioStream) -> av.Packet[av.stream.Stream]:
        """The same for a track."""
        packet = av.Packet(self.content)
        packet.stream, packet.time_base = stream, Fraction(1, SAMPLE_RATE)
        packet.pts = packet.dts = self.at
        packet.duration, packet.is_keyframe = self.samples, True
        return packet


@lru_cache(maxsize=16)
def _sound(seconds: int) -> tuple[_Tone, ...]:
    """The sound of every clip of this length, whatever its pictures are: encoding it takes as long as they do."""
    with av.open(io.BytesIO(), "w", format="mp4") as container:
        sound = _with_sound(container)
        packets = [packet for frame in (*_tones(seconds), None) for packet in sound.encode(frame)]
        return tuple(_Tone(bytes(packet), packet.pts or 0, packet.duration or 0) for packet in packets)


def _tones(seconds: int) -> Iterator[av.AudioFrame]:
    """A soft chord, and a short beep at each full second."""
    total = seconds * SAMPLE_RATE
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


def _taken_apart(data: bytes, parameters: bytes, keys: tuple[int, ...]) -> _Template:
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
    stbl = next(_found(moov, 8, len(moov), b"trak", b"mdia", b"minf", b"stbl"))
    samples = [(place - media_start, size) for place, size in _samples(moov, *stbl)]
    sizes_at = next(_found(moov, *stbl, b"stsz"))[0] + 12
    media = data[media_start:media_end]
    cuts = [at for key in keys for at in (samples[key][0], sum(samples[key]))]
    pieces = [media[start:end] for start, end in pairwise([0, *cuts, len(media)])]
    _shift_chunks(moov, tables, [(0, len(head) + len(moov) + 8 - media_start)])
    return _Template(
        head,
        bytes(moov),
        tuple(sizes_at + 4 * key for key in keys),
        tables,
        tuple(pieces[1::2]),
        tuple(pieces[::2]),
        parameters,
    )


def _samples(moov: bytearray, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Position in the file and size of each picture, by a track's tables."""
    tables = {kind: content for kind, content, _ in _boxes(moov, start, end)}
    chunks = _numbers(moov, tables[b"stco"] + 4)
    sizes = iter(struct.unpack_from(f">{(count := _number(moov, tables[b'stsz'] + 8))}I", moov, tables[b"stsz"] + 12))
    runs = [
        struct.unpack_from(">3I", moov, tables[b"stsc"] + 8 + 12 * n) for n in range(_number(moov, tables[b"stsc"] + 4))
    ]
    left = count
    for (first, each, _), (next_first, *_) in pairwise([*runs, (len(chunks) + 1, 0, 0)]):
        for place in chunks[first - 1 : next_first - 1]:
            for size in islice(sizes, min(each, left)):
                yield place, size
                place += size
            left -= each


def _number(data: bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _numbers(data: bytearray, at: int) -> tuple[int, ...]:
    """A table of numbers behind their count."""
    return struct.unpack_from(f">{_number(data, at)}I", data, at + 4)


def _shift_chunks(moov: bytearray, tables: tuple[tuple[int, int], ...], steps: Sequence[tuple[int, int]]) -> None:
    """Correct the positions of the chunks: each step moves those beyond a place in the file by so many bytes."""
    for at, count in tables:
        form = f">{count}I"
        places = struct.unpack_from(form, moov, at)
        moved = (place + sum(by for beyond, by in steps if place > beyond) for place in places)
        struct.pack_into(form, moov, at, *moved)


def _spliced(template: _Template, pictures: Sequence[bytes]) -> bytes:
    """The clip of a template with other key pictures."""
    moov, media, steps = bytearray(template.moov), [template.between[0]], []
    place = len(template.head) + len(moov) + 8 + len(template.between[0])
    changed = zip(template.sizes_at, template.keys, pictures, template.between[1:], strict=True)
    for size_at, old, new, behind in changed:
        struct.pack_into(">I", moov, size_at, len(new))
        steps.append((place, len(new) - len(old)))
        media += [new, behind]
        place += len(old) + len(behind)
    _shift_chunks(moov, template.offset_tables, steps)
    content = b"".join(media)
    return b"".join((template.head, moov, struct.pack(">I4s", len(content) + 8, b"mdat"), content))
