"""Where an MP4's samples are: the tables of `moov` and of fragments, read and checked.

* All sizes and layouts: ISO/IEC 14496-12, sections 8.6 to 8.8. Numbers are big-endian.
* Works on bytes in memory and knows no file; what contradicts itself raises `Damaged`.
* Every loop is bounded by the bytes at hand, by `MAX_BOXES` or by `MAX_SAMPLES`, and only known
  containers are entered, so depth is fixed.
* Lenient where muxers are sloppy: time tables may be one sample off, the last chunk may be short.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

MAX_BOXES = 10_000
"""Boxes in one container. An eight-second file with one fragment per sample has about 1,200."""

MAX_SAMPLES = 1_000_000
"""Samples of one track. Eight seconds have about 200 frames; of uncompressed sound, 400,000."""

MAX_TRACKS = 16

# Tables with an entry count: bytes of one entry.
_ENTRY_BYTES = {b"stts": 8, b"ctts": 8, b"stss": 4, b"stsc": 12, b"stco": 4, b"co64": 8}


# Groups of samples: nothing here needs them, but libmediainfo counts through whatever they claim to hold.
_GROUPS = frozenset({b"sbgp", b"sgpd"})


class Damaged(ValueError):
    """The file contradicts itself or ends early; the text says how, and follows "the file"."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its kind, where it starts, where its content starts and where it ends, in bytes."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(slots=True)
class Track:
    """One track and where its samples are.

    Attributes:
        handler: `vide`, `soun` and others.
        codec: kind of the first sample entry, such as `avc1`.
        spans: offset in the file, and the sizes of the samples that follow each other from there.
        default_size: bytes of a sample where a fragment doesn't say (`trex`).
    """

    handler: bytes = b""
    codec: bytes = b""
    spans: list[tuple[int, array[int]]] = field(default_factory=list)
    default_size: int = 0


def box_at(head: bytes, start: int, end: int) -> Box:
    """The box whose first 8 to 16 bytes are `head`; `end` is where its container ends.

    Raises:
        Damaged: it has no proper kind, or doesn't fit.
    """
    if len(head) < 8:
        raise Damaged(f"ends inside a box header at byte {start:,}")
    size, kind = struct.unpack_from(">I4s", head)
    if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind):
        raise Damaged(f"has something at byte {start:,} that isn't a box")
    body = start + 8
    if size == 1:
        if len(head) < 16:
            raise Damaged(f"ends inside a box header at byte {start:,}")
        size, body = struct.unpack_from(">Q", head, 8)[0], start + 16
    elif size == 0:
        size = end - start
    if start + size < body:
        raise Damaged(f"has a box of an impossible size at byte {start:,}")
    if start + size > end:
        name = kind.decode("latin-1")
        raise Damaged(f"is cut off: its {name} box needs {start + size - end:,} more bytes")
    return Box(kind, start, body, start + size)


def children(data: bytes, parent: Box) -> Iterator[Box]:
    """The boxes inside a container, in order."""
    position = parent.body
    for _ in range(MAX_BOXES):
        if parent.end - position < 8:  # some muxers end a container with four zero bytes
            return
        box = box_at(data[position : min(position + 16, parent.end)], position, parent.end)
        if box.kind in _GROUPS:
            _refuse_endless(data, box)
        yield box
        position = box.end
    raise Damaged(f"has more than {MAX_BOXES:,} boxes in one")


def _refuse_endless(data: bytes, box: Box) -> None:
    """Refuse groups that claim more entries than they have room for (sections 8.9.2 and 8.9.3)."""
    version = _unpacked(data, box, 0, ">B")[0]
    count_at = 8 if version == 0 else 12
    width = 8 if box.kind == b"sbgp" else 1
    if box.kind == b"sgpd" and version == 1:
        width = _unpacked(data, box, 8, ">I")[0] or 4  # without a common length each entry has its own in front
    if box.body + count_at + 4 + width * _unpacked(data, box, count_at, ">I")[0] > box.end:
        raise Damaged(f"has a table ({box.kind.decode()}) that claims more entries than it has room for")


def tracks_of(data: bytes, moov: Box) -> dict[int, Track]:
    """The tracks of a `moov` by their number, with the samples that its tables list."""
    tracks: dict[int, Track] = {}
    defaults: dict[int, int] = {}
    for box in children(data, moov):
        if box.kind == b"trak":
            number, track = _track(data, box)
            if number in tracks or len(tracks) == MAX_TRACKS:
                raise Damaged("has two tracks of one number, or too many")
            tracks[number] = track
        elif box.kind == b"mvex":
            for trex in children(data, box):
                if trex.kind == b"trex":
                    number, _, _, size = _unpacked(data, trex, 4, ">IIII")
                    defaults[number] = size
    for number, size in defaults.items():
        if number in tracks:
            tracks[number].default_size = size
    return tracks


def add_fragment(data: bytes, moof: Box, at: int, tracks: dict[int, Track]) -> None:
    """Add the samples of one movie fragment to their tracks.

    Args:
        data: the bytes of the `moof`, from its first.
        moof: the same box, with positions in `data`.
        at: where it starts in the file: offsets inside count from there.
        tracks: by number, changed in place.
    """
    following = at  # where data goes on that says no offset
    for traf in children(data, moof):
        if traf.kind != b"traf":
            continue
        parts = list(children(data, traf))
        header = next((box for box in parts if box.kind == b"tfhd"), None)
        if header is None:
            raise Damaged("has a fragment without a header")
        flags, number = _unpacked(data, header, 0, ">II")
        if number not in tracks:
            raise Damaged("has a fragment of a track that doesn't exist")
        track = tracks[number]
        base, size = _fragment_defaults(data, header, flags, track.default_size)
        if base is None:
            base = at if flags & 0x020000 else following  # default-base-is-moof
        following = base
        for trun in parts:
            if trun.kind == b"trun":
                offset, sizes = _run(data, trun, size)
                start = following if offset is None else base + offset
                track.spans.append((start, sizes))
                following = start + sum(sizes)


def _fragment_defaults(data: bytes, tfhd: Box, flags: int, size: int) -> tuple[int | None, int]:
    """Base offset, if the header has one, and the size of a sample that doesn't say its own."""
    position, base = 8, None
    if flags & 0x01:
        base, position = _unpacked(data, tfhd, position, ">Q")[0], position + 8
    position += 4 * bool(flags & 0x02) + 4 * bool(flags & 0x08)
    if flags & 0x10:
        size = _unpacked(data, tfhd, position, ">I")[0]
    return base, size


def _run(data: bytes, trun: Box, default_size: int) -> tuple[int | None, array[int]]:
    """Offset from the base, if the run has one, and the sizes of its samples (of all, where they are equal)."""
    flags, count = _unpacked(data, trun, 0, ">II")
    position, offset = 8, None
    if flags & 0x01:
        offset, position = _unpacked(data, trun, position, ">i")[0], position + 4
    position += 4 * bool(flags & 0x04)
    fields = [bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800)]
    width = sum(fields)
    if count > MAX_SAMPLES or trun.body + position + 4 * width * count > trun.end:
        raise Damaged("has a fragment that lists more samples than it has room for")
    if not fields[1]:
        return offset, array("Q", [default_size * count])  # one block: a count costs the file no bytes
    entries = _numbers(data, trun.body + position, "I", width * count)
    return offset, entries[int(fields[0]) :: width]


def _track(data: bytes, trak: Box) -> tuple[int, Track]:
    boxes = {box.kind: box for box in children(data, trak)}
    header = _required(boxes, b"tkhd")
    version = _unpacked(data, header, 0, ">B")[0]
    number = _unpacked(data, header, 20 if version == 1 else 12, ">I")[0]
    media = {box.kind: box for box in children(data, _required(boxes, b"mdia"))}
    handler = bytes(_unpacked(data, _required(media, b"hdlr"), 8, ">4s")[0])
    information = {box.kind: box for box in children(data, _required(media, b"minf"))}
    table = {box.kind: box for box in children(data, _required(information, b"stbl"))}
    description = _required(table, b"stsd")
    listed = _unpacked(data, description, 4, ">I")[0] if description.end > description.body else 0
    codec = bytes(_unpacked(data, description, 12, ">4s")[0]) if listed else b""
    return number, Track(handler, codec, _spans(data, table))


def _required(boxes: dict[bytes, Box], kind: bytes) -> Box:
    if kind not in boxes:
        raise Damaged(f"has a track without its {kind.decode()} box")
    return boxes[kind]


def _spans(data: bytes, table: dict[bytes, Box]) -> list[tuple[int, array[int]]]:
    """Chunk by chunk: offset in the file and the sizes of its samples."""
    for kind, width in _ENTRY_BYTES.items():
        if kind in table:
            box = table[kind]
            if box.body + 8 + width * _unpacked(data, box, 4, ">I")[0] > box.end:
                raise Damaged(f"has a table ({kind.decode()}) that claims more entries than it has room for")
    sizes = _sizes(data, table)
    if not sizes:
        return []
    for kind in (b"stts", b"ctts"):
        if kind in table:
            timed = sum(_entries(data, table[kind], "I", 2)[0::2])
            if timed > len(sizes) + 1 or (kind == b"stts" and timed < len(sizes) - 1):
                raise Damaged(f"times {timed:,} samples and has {len(sizes):,} ({kind.decode()})")
    wide = b"co64" in table
    offsets = _entries(data, _required(table, b"co64" if wide else b"stco"), "Q" if wide else "I", 1)
    return _chunks(sizes, offsets, _entries(data, _required(table, b"stsc"), "I", 3))


def _chunks(sizes: array[int], offsets: array[int], runs: array[int]) -> list[tuple[int, array[int]]]:
    """Deal the samples out to the chunks, as `stsc` says (first chunk, samples per chunk, …)."""
    firsts, counts = runs[0::3], runs[1::3]
    ordered = all(before < after for before, after in pairwise(firsts))
    if not firsts or firsts[0] != 1 or not ordered or firsts[-1] > len(offsets) or 0 in counts:
        raise Damaged("has a table of chunks that contradicts itself (stsc)")
    per_chunk = dict(zip(firsts, counts, strict=True))
    spans: list[tuple[int, array[int]]] = []
    used = samples = 0
    for number, offset in enumerate(offsets, 1):
        samples = per_chunk.get(number, samples)
        if used >= len(sizes):
            raise Damaged("has more chunks than samples")
        spans.append((offset, sizes[used : used + samples]))
        used += samples
    if used < len(sizes):
        raise Damaged("has samples that no chunk holds")
    return spans


def _sizes(data: bytes, table: dict[bytes, Box]) -> array[int]:
    """The size of each sample, from `stsz` or its compact form `stz2`."""
    compact = b"stsz" not in table
    box = _required(table, b"stz2" if compact else b"stsz")
    common, count = _unpacked(data, box, 4, ">II")
    room = box.end - box.body - 12
    bits = common & 0xFF if compact else (0 if common else 32)
    if count > MAX_SAMPLES or (compact and bits not in {4, 8, 16}) or (count * bits + 7) // 8 > room:
        raise Damaged(f"lists {count:,} samples and has no room for their sizes")
    if not compact:
        return _numbers(data, box.body + 12, "I", count) if not common else array("I", [common]) * count
    if bits == 4:
        packed = data[box.body + 12 : box.body + 12 + (count + 1) // 2]
        return array("I", [half for byte in packed for half in (byte >> 4, byte & 15)][:count])
    return array("I", _numbers(data, box.body + 12, "H" if bits == 16 else "B", count))


def _entries(data: bytes, box: Box, kind: str, width: int) -> array[int]:
    """All numbers of a table; that they fit was checked."""
    return _numbers(data, box.body + 8, kind, width * _unpacked(data, box, 4, ">I")[0])


def _numbers(data: bytes, start: int, kind: str, count: int) -> array[int]:
    numbers = array(kind)
    numbers.frombytes(data[start : start + count * numbers.itemsize])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _unpacked(data: bytes, box: Box, offset: int, layout: str) -> tuple[int, ...]:
    """Numbers from `offset` bytes into a box's content, or `Damaged` if it ends before."""
    if box.body + offset + struct.calcsize(layout) > box.end:
        raise Damaged(f"has a {box.kind.decode('latin-1')} box that is too short")
    return struct.unpack_from(layout, data, box.body + offset)
