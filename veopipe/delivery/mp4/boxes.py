"""Whether an MP4 is all there, from its boxes alone; no decoder and no library.

libmediainfo calls a half-downloaded file perfect (docs/hazards.md, f), so this is what decides that a
download is complete. A file passes when

* there are one `moov` and an `mdat`, and an `ftyp` or what older files begin with;
* each track's tables agree with themselves (`samples`), and all its samples lie inside an `mdat`;
* no sample that is looked at is zeros where a coded sample can't be: a disk or a proxy that lost data
  gives back zeros;
* the pictures that are looked at are such: each consists of NAL units whose lengths add up to its size. Behind
  bytes that were slipped in (framing, a piece sent twice) nothing does;
* a stream of fragments, which could always go on, doesn't end in the midst of another one.

What follows is forgiven: gateways and disks put a newline, zeros or a tag behind a whole video. But it may as
well be the end of the video, pushed out by bytes slipped in. So if it is neither text nor zeros nor a box, the
samples must show that they are where the tables say; where a codec can't show that, the file is refused.

Everything is bounded: bytes held, boxes, samples, samples looked at. To refuse a good file costs the user
more than to pass a bad one on to the measurement, which can be killed; so what is unusual isn't refused.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import field
from itertools import accumulate
from pathlib import Path

from veopipe.delivery.confinement import FIRST
from veopipe.delivery.mp4.mp4 import MAX_BOXES, Box, Damaged, Header, header_at
from veopipe.delivery.mp4.samples import Movie, Span, Track, add_fragment, index_end, movie_of
from veopipe.files import Irregular, open_regular
from veopipe.values import dataclass

MAX_TABLE_BYTES = 16 * 1024 * 1024
"""The largest `moov` or `moof` in bytes: it is held in memory. Eight seconds need less than 20 KB."""

_SAMPLES_LOOKED_AT = 400  # of each track, spread evenly, the first and the last among them
_UNITS = 64  # NAL units of a sample that are followed; a picture has a few, one for each slice
_ENDS = 16  # bytes looked at, at the beginning and the end of a sample

# Codecs whose samples begin with the length of a NAL unit and end with its stop bit: neither end is ever
# sixteen zeros (ITU-T H.264 and H.265, 7.3.1; 0x000000 doesn't occur inside).
_NAL_CODECS = frozenset({b"avc1", b"avc3", b"hvc1", b"hev1", b"dvh1", b"dvhe"})

_START_CODE = b"\0\0\0\1"  # some writers leave it where the length belongs (H.264, annex B), and players bear it

# What a stream of fragments consists of: one of these that is cut off is missed.
_STREAMED = (b"moof", b"mdat", b"sidx", b"styp", b"emsg", b"prft", b"mfra")
_TAIL = 16 << 10  # bytes behind a video that are looked at
_TAG = 1024  # at most so many bytes behind a stream without an index are a tag: lost fragments have thousands
_TEXT_OR_ZEROS = re.compile(rb"[\0\t\n\r\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class BoxFault:
    """Why a file isn't a whole MP4; `reason` follows "the file": "is cut off: …"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Video:
    """What the boxes of a whole video say of its pictures.

    Attributes:
        closed: a table lists all its samples, so nothing is missing, even if the transport was cut short. A stream
            of fragments could have gone on.
        seconds: of the first track of pictures, by the durations of its samples; None if they have none.
        count: how many pictures these are.
        witnesses: what else in the file says how long it is, the most trustworthy first: its sound, by its
            samples, then the headers.
    """

    closed: bool
    seconds: float | None = None
    count: int = 0
    witnesses: tuple[float, ...] = ()


@dataclass(slots=True)
class _Layout:
    """The top-level boxes of one file, up to the first place where there is no proper one.

    Attributes:
        boxes: in their order; behind them perhaps an `mdat` that claims more bytes than there are.
        end: where the proper ones end.
        rest: what is wrong with what follows, if anything does.
    """

    boxes: list[Header] = field(default_factory=list)
    end: int = 0
    rest: Damaged | None = None

    def of(self, kind: bytes) -> list[Header]:
        """The boxes of one kind."""
        return [box for box in self.boxes if box.kind == kind]

    def indexes(self) -> list[Header]:
        """The `sidx` boxes, which list all fragments if they stand in front of these; none if one stands behind."""
        indexes, fragments = self.of(b"sidx"), self.of(b"moof")
        return [] if indexes and fragments and indexes[-1].start > fragments[0].start else indexes


def looks_like_mp4(head: bytes) -> bool:
    """Whether a file that begins with `head` (12 bytes are enough) can be an MP4 at all.

    An error page, a playlist or JSON sent instead of a video is told apart here, at no cost.
    """
    kind, size = head[4:8], int.from_bytes(head[:4], "big")
    if kind == b"ftyp":
        return size >= 8
    return kind in FIRST and (size == 1 or 8 <= size < 9 << 24)  # of letters, it would be a text


def look(path: Path) -> Video | BoxFault:
    """Check that a file is a complete MP4, and read how long it says that it is.

    Takes about a millisecond for eight seconds of video of any size in bytes.

    Returns:
        What it says of itself when nothing is wrong, else the first thing that is.

    Raises:
        OSError: the file is gone or can't be read; that says nothing about its content.
    """
    try:
        with open_regular(path) as file:
            return _checked(file.fileno(), os.fstat(file.fileno()).st_size)
    except (Irregular, Damaged) as fault:
        return BoxFault(str(fault))


def _checked(descriptor: int, size: int) -> Video:
    if size == 0:
        raise Damaged("is empty")
    if not looks_like_mp4(os.pread(descriptor, 12, 0)):
        raise Damaged("is not an MP4: it doesn't begin with an ftyp box")
    layout = _layout(descriptor, size)
    try:
        movie = _accounted(descriptor, layout)
    except Damaged as damage:
        raise layout.rest or damage from None  # what a box lacks that is cut off is the better reason
    if layout.rest and not _is_forgiven(descriptor, layout, movie):
        raise layout.rest
    return _video(movie)


def _accounted(descriptor: int, layout: _Layout) -> Movie:
    """What the video says of its tracks; each of their samples is there."""
    moov, media = layout.of(b"moov"), layout.of(b"mdat")
    if not moov:
        raise Damaged("is cut off: it has no moov box, which says where the pictures are")
    if not any(box.end > box.body for box in media):
        raise Damaged("has no media data (no mdat box, or an empty one)")
    movie = movie_of(_held(descriptor, moov[0]))
    for fragment in layout.of(b"moof") if movie.goes_on else ():
        add_fragment(_held(descriptor, fragment), fragment.start, movie.tracks)
    if not any(track.spans for track in movie.tracks.values()):
        raise Damaged("has no samples in any track")
    for track in movie.tracks.values():
        _require_present(track, media)
        _refuse_damage(descriptor, track)
    return movie


def _video(movie: Movie) -> Video:
    pictures, sound = movie.first_of(b"vide"), movie.first_of(b"soun")
    witnesses = tuple(filter(None, (sound.seconds, pictures.claimed_s, *movie.claimed_s)))
    return Video(not movie.goes_on, pictures.seconds, pictures.count, witnesses)


def _layout(descriptor: int, size: int) -> _Layout:
    layout = _Layout()
    for _ in range(MAX_BOXES):
        if layout.end == size:
            return layout
        head = os.pread(descriptor, 16, layout.end)
        try:
            box = header_at(head, layout.end, size)
            if box.kind == b"moov" and layout.of(b"moov"):
                raise Damaged("has two moov boxes")
        except Damaged as damage:
            layout.rest = damage
            if head[4:8] == b"mdat":  # one that claims more than there is may hold every sample all the same
                body = layout.end + (16 if head[:4] == b"\0\0\0\1" else 8)
                layout.boxes.append(Header(b"mdat", layout.end, body, size))
            return layout
        layout.boxes.append(box)
        layout.end = box.end
    layout.rest = Damaged(f"has more than {MAX_BOXES:,} boxes")
    return layout


def _is_forgiven(descriptor: int, layout: _Layout, movie: Movie) -> bool:
    """Whether a video is all there, although something that is no box follows."""
    if movie.goes_on and not _has_ended(descriptor, layout):
        return False
    is_harmless = _is_harmless(os.pread(descriptor, _TAIL + 1, layout.end))
    return is_harmless or all(_is_in_place(descriptor, track) for track in movie.tracks.values())


def _has_ended(descriptor: int, layout: _Layout) -> bool:
    """Whether a stream of fragments doesn't end in the midst of another one, although no box follows."""
    if layout.of(b"mfra"):
        return True  # the box that ends a stream of fragments (8.8.9)
    rest = os.pread(descriptor, _TAG + 1, layout.end)
    if indexes := layout.indexes():
        ends = [index.end + index_end(_held(descriptor, index)) for index in indexes]
        return max(ends) <= layout.end and not (any(rest) and _is_missed(rest[:8]))
    return len(rest) <= _TAG and any(rest) and not _is_missed(rest[:8])  # zeros may stand for more fragments


def _is_missed(head: bytes) -> bool:
    """Whether this is the beginning of a box that a stream of fragments needs, cut off or lost to zeros.

    Such boxes are smaller than 16 MiB, or it is next to impossible that the cut lies in their first bytes.
    """
    kind = head[4:8].rstrip(b"\0")
    return kind in _STREAMED or (head[:1] == b"\0" and any(streamed.startswith(kind) for streamed in _STREAMED))


def _held(descriptor: int, head: Header) -> Box:
    """A box in memory."""
    length = head.end - head.start
    if length > MAX_TABLE_BYTES:
        raise Damaged(f"has a {head.kind.decode('latin-1')} box of {length:,} bytes")
    data = os.pread(descriptor, length, head.start)
    if len(data) < length:
        raise Damaged("became shorter while it was read")
    body = head.body - head.start
    return Box(head.kind, memoryview(data)[body:], body)


def _require_present(track: Track, media: list[Header]) -> None:
    """Refuse a track with samples outside the `mdat` boxes; `media` is in the order of the file."""
    starts = [box.start for box in media]
    for offset, sizes in track.spans:
        length = sum(sizes)
        index = bisect_right(starts, offset) - 1
        inside = index >= 0 and media[index].body <= offset and offset + length <= media[index].end
        if length and not inside:
            raise Damaged(f"lacks media data: {length:,} bytes at {offset:,} are not in an mdat box")


def _refuse_damage(descriptor: int, track: Track) -> None:
    """Refuse a track with zeros or with slipped-in bytes where samples should be."""
    if track.handler != b"vide" and track.codec != b"mp4a":
        return  # silence in uncompressed sound is zeros
    for offset, size in _spread(track.spans):
        ends = min(size, _ENDS)
        beginning = os.pread(descriptor, ends, offset)
        end = os.pread(descriptor, ends, offset + size - ends) if track.codec in _NAL_CODECS else beginning
        if not any(beginning) or not any(end):
            raise Damaged(f"has zeros instead of media data at byte {offset:,}")
        if track.codec in _NAL_CODECS and track.length_bytes and not _adds_up(descriptor, offset, size, track):
            raise Damaged(f"has something slipped in between its pictures: none begins at byte {offset:,}")


def _adds_up(descriptor: int, offset: int, size: int, track: Track) -> bool:
    """Whether the NAL units of a sample lie inside it."""
    at, end = offset, offset + size
    for _ in range(_UNITS):
        if at + track.length_bytes > end:
            return True  # padded, perhaps
        at += track.length_bytes + int.from_bytes(os.pread(descriptor, track.length_bytes, at), "big")
        if at > end:
            return os.pread(descriptor, 4, offset) == _START_CODE
    return True


def _is_harmless(rest: bytes) -> bool:
    """Whether what follows a video isn't its pushed-out end: it is a text, zeros, or another box.

    Args:
        rest: what follows, at most `_TAIL` bytes and one more.
    """
    is_box = rest[4:8] in FIRST or rest[4:8] in _STREAMED
    return is_box or (len(rest) <= _TAIL and _TEXT_OR_ZEROS.fullmatch(rest) is not None)


def _is_in_place(descriptor: int, track: Track) -> bool:
    """Whether the samples of a track show that they are where its table says."""
    if track.handler == b"vide":
        return track.codec in _NAL_CODECS and track.length_bytes > 0  # they were followed already
    if track.handler != b"soun":
        return True
    return track.codec == b"mp4a" and all(
        _has_end_mark(os.pread(descriptor, min(size, _ENDS), offset + size - min(size, _ENDS)))
        for offset, size in _spread(track.spans)
    )


def _has_end_mark(end: bytes) -> bool:
    """Whether AAC ends so: three ones, and zeros up to a whole byte (`ID_END`; ISO/IEC 14496-3, 4.4.2.1)."""
    number = int.from_bytes(end, "big")
    return number > 0 and number // (number & -number) & 7 == 7


def _spread(spans: list[Span]) -> Iterator[tuple[int, int]]:
    """Offset and size of up to `_SAMPLES_LOOKED_AT` samples, the first and the last among them."""
    total = sum(len(sizes) for _, sizes in spans)
    stride = max(1, -(-total // _SAMPLES_LOOKED_AT))
    number = 0
    for start, sizes in spans:
        for size, before in zip(sizes, accumulate(sizes, initial=0), strict=False):
            if size and (number % stride == 0 or number == total - 1):
                yield start + before, size
            number += 1
