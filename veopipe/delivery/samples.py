"""Where an MP4's samples are: the tables of `moov` and of fragments, read and checked.

* All sizes and layouts: ISO/IEC 14496-12, sections 8.6 to 8.8. Numbers are big-endian.
* Works on bytes in memory and knows no file; what contradicts itself raises `Damaged`.
* Every loop is bounded by the bytes at hand, by `MAX_BOXES` or by `MAX_SAMPLES`, and only known
  containers are entered, so depth is fixed.
* Lenient where muxers are sloppy: time tables may be one sample off, the last chunk may be short.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

MAX_BOXES = 10_000
"""Boxes in one container. An eight-second file with one fragment per sample has about 1,200."""

MAX_SAMPLES = 1_000_000
"""Samples of one track. Eight seconds have about 200 frames; of uncompressed sound, 400,000."""

MAX_TRACKS = 16

_HOLE = 8  # times what a fragment lasts: so long until the next one begins, some are missing

# Tables with an entry count: bytes of one entry.
_ENTRY_BYTES = {b"stts": 8, b"ctts": 8, b"stss": 4, b"stsc": 12, b"stco": 4, b"co64": 8}


# Groups of samples: nothing here needs them, but libmediainfo counts through all that they claim to hold.
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
        length_bytes: of a NAL unit's length, which stands in front of each; 0: the samples have none, or it isn't said.
        spans: offset in the file, and the sizes of the samples that follow each other from there.
        default_size: bytes of a sample where a fragment doesn't say (`trex`).
        default_ticks: its duration there.
        timescale: ticks of a second (`mdhd`).
        runs: of the samples in `moov`, then of each fragment: when it begins (`tfdt`; None: when the one before
            ends), what its samples last together, and how many there are.
        claimed_s: seconds that the header claims (`mdhd`), if it does.
        shown_s: seconds that an edit list shows of it (`elst`), if there is one.
    """

    handler: bytes = b""
    codec: bytes = b""
    length_bytes: int = 0
    spans: list[tuple[int, array[int]]] = field(default_factory=list)
    default_size: int = 0
    default_ticks: int = 0
    timescale: int = 0
    runs: list[tuple[int | None, int, int]] = field(default_factory=list)
    claimed_s: float | None = None
    shown_s: float | None = None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return sum(count for _, _, count in self.runs)

    @property
    def seconds(self) -> float | None:
        """How long it plays by what its samples last; None if that isn't said."""
        ticks = self._ticks()
        if not ticks or not self.timescale:
            return None
        return min(ticks / self.timescale, self.shown_s or math.inf)

    def _ticks(self) -> float:
        """What all samples last.

        Who writes a fragment per sample doesn't know yet what it lasts, and claims a tick or none. Where most
        claim too little, a fragment lasts until the next begins; but not across a hole, where some are missing.
        """
        begins = list(self._begins())
        gaps = [after - before for before, after in pairwise(begins)]
        pairs = list(zip(gaps, self.runs, strict=False))
        if 2 * sum(ticks >= 0.9 * gap for gap, (_, ticks, _) in pairs) > len(pairs) or len(self.runs) < 2:
            return sum(ticks for _, ticks, _ in self.runs)
        step = median([gap / count for gap, (_, _, count) in pairs if gap > 0 and count] or [0])
        longest = [max(ticks, step * count) for _, ticks, count in self.runs]
        return longest[-1] + sum(
            gap if 0 <= gap <= _HOLE * most else most for gap, most in zip(gaps, longest, strict=False)
        )

    def _begins(self) -> Iterator[int]:
        end = 0
        for begin, ticks, _ in self.runs:
            end = end if begin is None else begin
            yield end
            end += ticks


@dataclass(slots=True)
class Movie:
    """What a `moov` says.

    Attributes:
        tracks: by their number, with the samples that its tables list.
        claimed_s: seconds that its headers claim for the whole (`mvhd`, `mehd`), as far as they do.
        goes_on: its samples are in fragments that follow (`mvex`), or in no table of its own.
    """

    tracks: dict[int, Track]
    claimed_s: list[float]
    goes_on: bool


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


def movie_of(data: bytes, moov: Box) -> Movie:
    """What a `moov` says."""
    movie = Movie({}, [], goes_on=False)
    timescale = 0
    for box in children(data, moov):
        if box.kind == b"mvhd":
            timescale, length = _clock(data, box, 12 if _version(data, box) == 0 else 20)
            movie.claimed_s += _seconds(length, timescale)
        elif box.kind == b"trak":
            number, track = _track(data, box, timescale)
            if number in movie.tracks or len(movie.tracks) == MAX_TRACKS:
                raise Damaged("has two tracks of one number, or too many")
            movie.tracks[number] = track
    extends = next((box for box in children(data, moov) if box.kind == b"mvex"), None)
    if extends is not None:
        movie.claimed_s += _extend(data, extends, timescale, movie.tracks)
    movie.goes_on = extends is not None or not any(track.spans for track in movie.tracks.values())
    return movie


def _extend(data: bytes, mvex: Box, timescale: int, tracks: dict[int, Track]) -> list[float]:
    """Note the defaults of fragments; returns the seconds that all of them are to have, if that is said."""
    claimed: list[float] = []
    for box in children(data, mvex):
        if box.kind == b"mehd":
            length = _unpacked(data, box, 4, ">I" if _version(data, box) == 0 else ">Q")[0]
            claimed += _seconds(length, timescale)
        elif box.kind == b"trex":
            number, _, ticks, size = _unpacked(data, box, 4, ">IIII")
            if number in tracks:
                tracks[number].default_size, tracks[number].default_ticks = size, ticks
    for track in tracks.values():
        track.shown_s = None  # of a stream of fragments the edit list knows only the beginning
    return claimed


def index_end(data: bytes, sidx: Box) -> int:
    """Bytes from the end of an index to the end of the last fragment that it lists (8.16.3)."""
    first_at = 20 if _version(data, sidx) == 0 else 28
    first = _unpacked(data, sidx, first_at - 4, ">I")[0]
    count = _unpacked(data, sidx, first_at + 2, ">H")[0]
    sizes = (_unpacked(data, sidx, first_at + 4 + 12 * number, ">I")[0] for number in range(count))
    return first + sum(size & 0x7FFFFFFF for size in sizes)  # the first bit says what it is


def _version(data: bytes, box: Box) -> int:
    return _unpacked(data, box, 0, ">B")[0]


def _clock(data: bytes, box: Box, offset: int) -> tuple[int, int]:
    """Timescale and duration of an `mvhd` or `mdhd`; zeros where the box ends before them."""
    wide = offset == 20
    if box.body + offset + (12 if wide else 8) > box.end:
        return 0, 0
    timescale, length = _unpacked(data, box, offset, ">IQ" if wide else ">II")
    return timescale, length


def _seconds(length: int, timescale: int) -> list[float]:
    """A claimed duration, if it is one: zero and all ones mean that it isn't known (8.2.2.3)."""
    known = timescale and length not in {0, 2**32 - 1, 2**64 - 1}
    return [length / timescale] if known else []


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
        base, ticks, size = _fragment_defaults(data, header, flags, track)
        if base is None:
            base = at if flags & 0x020000 else following  # default-base-is-moof
        following = base
        lasts = samples = 0
        for trun in parts:
            if trun.kind == b"trun":
                offset, sizes = _run(data, trun, size)
                count, longer = _lasting(data, trun, ticks)
                samples, lasts = samples + count, lasts + longer
                start = following if offset is None else base + offset
                track.spans.append((start, sizes))
                following = start + sum(sizes)
        track.runs.append((_begin(data, parts), lasts, samples))


def _begin(data: bytes, traf: list[Box]) -> int | None:
    """When a fragment of a track begins, in ticks, if it says so (8.8.12)."""
    box = next((box for box in traf if box.kind == b"tfdt"), None)
    return _unpacked(data, box, 4, ">I" if _version(data, box) == 0 else ">Q")[0] if box is not None else None


def _fragment_defaults(data: bytes, tfhd: Box, flags: int, track: Track) -> tuple[int | None, int, int]:
    """Base offset, if the header has one, and duration and size of a sample that doesn't say its own."""
    position, base, ticks, size = 8, None, track.default_ticks, track.default_size
    if flags & 0x01:
        base, position = _unpacked(data, tfhd, position, ">Q")[0], position + 8
    position += 4 * bool(flags & 0x02)
    if flags & 0x08:
        ticks, position = _unpacked(data, tfhd, position, ">I")[0], position + 4
    if flags & 0x10:
        size = _unpacked(data, tfhd, position, ">I")[0]
    return base, ticks, size


def _lasting(data: bytes, trun: Box, default_ticks: int) -> tuple[int, int]:
    """How many samples a run has, and what they last together; that they have room was checked (`_run`)."""
    flags, count = _unpacked(data, trun, 0, ">II")
    if not flags & 0x100:
        return count, default_ticks * count
    start = trun.body + 8 + 4 * bool(flags & 0x01) + 4 * bool(flags & 0x04)
    width = sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    return count, sum(_numbers(data, start, "I", width * count)[::width])


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


def _track(data: bytes, trak: Box, movie_timescale: int) -> tuple[int, Track]:
    boxes = {box.kind: box for box in children(data, trak)}
    header = _required(boxes, b"tkhd")
    number = _unpacked(data, header, 20 if _version(data, header) == 1 else 12, ">I")[0]
    media = {box.kind: box for box in children(data, _required(boxes, b"mdia"))}
    handler = bytes(_unpacked(data, _required(media, b"hdlr"), 8, ">4s")[0])
    information = {box.kind: box for box in children(data, _required(media, b"minf"))}
    table = {box.kind: box for box in children(data, _required(information, b"stbl"))}
    description = _required(table, b"stsd")
    listed = _unpacked(data, description, 4, ">I")[0] if description.end > description.body else 0
    codec = bytes(_unpacked(data, description, 12, ">4s")[0]) if listed else b""
    track = Track(handler, codec, _length_bytes(data, description) if listed == 1 else 0, _spans(data, table))
    if b"mdhd" in media:
        at = 12 if _version(data, media[b"mdhd"]) == 0 else 20
        track.timescale, length = _clock(data, media[b"mdhd"], at)
        track.claimed_s = next(iter(_seconds(length, track.timescale)), None)
    if track.spans and b"stts" in table:
        entries = _entries(data, table[b"stts"], "I", 2)
        ticks = sum(count * ticks for count, ticks in zip(entries[0::2], entries[1::2], strict=True))
        track.runs.append((0, ticks, sum(entries[0::2])))
    if b"edts" in boxes:
        track.shown_s = _shown(data, boxes[b"edts"], movie_timescale)
    return number, track


def _length_bytes(data: bytes, stsd: Box) -> int:
    """Bytes of a NAL unit's length (`avcC`, `hvcC`: ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1), or 0."""
    entry = data[stsd.body + 8 : stsd.end]
    for kind, at in ((b"avcC", 4), (b"hvcC", 21)):
        where = entry.find(kind) + len(kind) + at
        if kind in entry and where < len(entry):
            return (entry[where] & 3) + 1
    return 0


def _shown(data: bytes, edts: Box, timescale: int) -> float | None:
    """Seconds that the edit list shows of the media; None if it sets no end (8.6.6)."""
    elst = next((box for box in children(data, edts) if box.kind == b"elst"), None)
    if elst is None or not timescale:
        return None
    layout, width = (">Ii", 12) if _version(data, elst) == 0 else (">Qq", 20)
    total = 0
    room = (elst.end - elst.body - 8) // width
    for number in range(min(_unpacked(data, elst, 4, ">I")[0], room, MAX_BOXES)):
        length, begins = _unpacked(data, elst, 8 + width * number, layout)
        if begins >= 0 and length in {0, 2**32 - 1, 2**64 - 1}:
            return None
        total += length if begins >= 0 else 0  # -1: nothing is shown
    return total / timescale if total else None


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
