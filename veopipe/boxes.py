"""Whether an MP4 is all there, from its boxes alone; no decoder and no library.

libmediainfo calls a half-downloaded file perfect (reliability.md, 0.7), so this is what decides that a
download is complete. A file passes when

* its top-level boxes fill it exactly, and there are `ftyp` (first), one `moov` and an `mdat`;
* each track's tables agree with themselves (`samples`), and all its samples lie inside an `mdat`;
* no sample that is looked at is zeros where a coded sample can't be: a disk or a proxy that lost data
  gives back zeros.

Everything is bounded: bytes held, boxes, samples, samples looked at. To refuse a good file costs the user
more than to pass a bad one on to the measurement, which can be killed; so what is unusual isn't refused.
"""

from __future__ import annotations

import os
import stat
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from veopipe.samples import MAX_BOXES, Box, Damaged, Track, add_fragment, box_at, tracks_of

MAX_TABLE_BYTES = 16 * 1024 * 1024
"""The largest `moov` or `moof` in bytes: it is held in memory. Eight seconds need less than 20 KB."""

_SAMPLES_LOOKED_AT = 400  # of each track, spread evenly, the first and the last among them
_ENDS = 16  # bytes looked at, at the beginning and the end of a sample

# Codecs whose samples begin with the length of a NAL unit and end with its stop bit: neither end is ever
# sixteen zeros (ITU-T H.264 and H.265, 7.3.1; 0x000000 doesn't occur inside).
_NAL_CODECS = frozenset({b"avc1", b"avc3", b"hvc1", b"hev1", b"dvh1", b"dvhe"})


@dataclass(frozen=True, slots=True)
class BoxFault:
    """Why a file isn't a whole MP4; `reason` follows "the file": "is cut off: …"."""

    reason: str


@dataclass(slots=True)
class _Layout:
    """The top-level boxes of one file."""

    moov: Box | None = None
    media: list[Box] = field(default_factory=list)
    fragments: list[Box] = field(default_factory=list)


def looks_like_mp4(head: bytes) -> bool:
    """Whether a file that begins with `head` (12 bytes are enough) can be an MP4 at all.

    An error page, a playlist or JSON sent instead of a video is told apart here, at no cost.
    """
    return len(head) >= 8 and head[4:8] == b"ftyp" and int.from_bytes(head[:4], "big") >= 8


def walk(path: Path) -> BoxFault | None:
    """Check that the file is a complete MP4.

    Takes about a millisecond for eight seconds of video, whatever their size in bytes.

    Returns:
        None when nothing is wrong, else the first thing that is.

    Raises:
        OSError: the file is gone or can't be read; that says nothing about its content.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return BoxFault("is not a regular file")
        _check(descriptor, facts.st_size)
    except Damaged as damage:
        return BoxFault(str(damage))
    finally:
        os.close(descriptor)
    return None


def _check(descriptor: int, size: int) -> None:
    if size == 0:
        raise Damaged("is empty")
    if not looks_like_mp4(os.pread(descriptor, 12, 0)):
        raise Damaged("is not an MP4: it doesn't begin with an ftyp box")
    layout = _layout(descriptor, size)
    if layout.moov is None:
        raise Damaged("is cut off: it has no moov box, which says where the pictures are")
    if not any(box.end > box.body for box in layout.media):
        raise Damaged("has no media data (no mdat box, or an empty one)")
    data, moov = _held(descriptor, layout.moov)
    tracks = tracks_of(data, moov)
    for fragment in layout.fragments:
        data, moof = _held(descriptor, fragment)
        add_fragment(data, moof, fragment.start, tracks)
    if not any(track.spans for track in tracks.values()):
        raise Damaged("has no samples in any track")
    for track in tracks.values():
        _require_present(track, layout.media)
        _refuse_zeros(descriptor, track)


def _layout(descriptor: int, size: int) -> _Layout:
    layout = _Layout()
    position = 0
    for _ in range(MAX_BOXES):
        if position == size:
            return layout
        box = box_at(os.pread(descriptor, 16, position), position, size)
        if box.kind == b"moov":
            if layout.moov is not None:
                raise Damaged("has two moov boxes")
            layout.moov = box
        elif box.kind == b"mdat":
            layout.media.append(box)
        elif box.kind == b"moof":
            layout.fragments.append(box)
        position = box.end
    raise Damaged(f"has more than {MAX_BOXES:,} boxes")


def _held(descriptor: int, box: Box) -> tuple[bytes, Box]:
    """A box's bytes, and the same box with positions that count from its first byte."""
    length = box.end - box.start
    if length > MAX_TABLE_BYTES:
        raise Damaged(f"has a {box.kind.decode('latin-1')} box of {length:,} bytes")
    data = os.pread(descriptor, length, box.start)
    if len(data) < length:
        raise Damaged("became shorter while it was read")
    return data, Box(box.kind, 0, box.body - box.start, length)


def _require_present(track: Track, media: list[Box]) -> None:
    """Every chunk and every run lies inside one `mdat`. `media` is in the order of the file."""
    starts = [box.start for box in media]
    for offset, sizes in track.spans:
        length = sum(sizes)
        index = bisect_right(starts, offset) - 1
        inside = index >= 0 and media[index].body <= offset and offset + length <= media[index].end
        if length and not inside:
            raise Damaged(f"lacks media data: {length:,} bytes at {offset:,} are not in an mdat box")


def _refuse_zeros(descriptor: int, track: Track) -> None:
    video = track.handler == b"vide"
    if not video and track.codec != b"mp4a":
        return  # silence in uncompressed sound is zeros
    for offset, size in _spread(track.spans):
        ends = min(size, _ENDS)
        beginning = os.pread(descriptor, ends, offset)
        end = os.pread(descriptor, ends, offset + size - ends) if track.codec in _NAL_CODECS else beginning
        if not any(beginning) or not any(end):
            raise Damaged(f"has zeros instead of media data at byte {offset:,}")


def _spread(spans: list[tuple[int, array[int]]]) -> Iterator[tuple[int, int]]:
    """Offset and size of up to `_SAMPLES_LOOKED_AT` samples, the first and the last among them."""
    total = sum(len(sizes) for _, sizes in spans)
    stride = max(1, -(-total // _SAMPLES_LOOKED_AT))
    number = 0
    for start, sizes in spans:
        for size, before in zip(sizes, accumulate(sizes, initial=0), strict=False):
            if size and (number % stride == 0 or number == total - 1):
                yield start + before, size
            number += 1
