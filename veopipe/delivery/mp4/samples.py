"""Where an MP4's samples are, and how long they last: the tables of `moov` and of fragments, read and checked.

* All sizes and layouts: ISO/IEC 14496-12, sections 8.6 to 8.8.
* Every loop is bounded by the bytes at hand, by `MAX_BOXES` or by `MAX_SAMPLES`, and only known
  containers are entered, so depth is fixed.
* Lenient where muxers are sloppy: time tables may be one sample off, the last chunk may be short.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import field
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from veopipe.delivery.mp4.mp4 import MAX_BOXES, Box, Damaged, first
from veopipe.values import dataclass

MAX_SAMPLES = 1_000_000
"""Samples of one track. Eight seconds have about 200 frames; of uncompressed sound, 400,000."""

MAX_TRACKS = 16

_HOLE = 8  # if the next fragment begins later than so many times what one lasts, some are missing

# Tables with an entry count: bytes of one entry.
_ENTRY_BYTES = {b"stts": 8, b"ctts": 8, b"stss": 4, b"stsc": 12, b"stco": 4, b"co64": 8}
_UNKNOWN_LENGTHS = frozenset({0, 2**32 - 1, 2**64 - 1})  # zero and all ones: not known (8.2.2.3), or without an end


class Span(NamedTuple):
    """Samples that follow each other in the file: where the first begins, and their sizes in bytes."""

    offset: int
    sizes: array[int]


@dataclass(frozen=True, slots=True)
class Run:
    """Samples that follow each other in time: those of `moov`, or those of one fragment.

    Attributes:
        begin: tick at which it begins (`tfdt`); None: when the one before ends.
        ticks: what its samples last together.
        count: how many there are.
    """

    begin: int | None
    ticks: int
    count: int


@dataclass(slots=True)
class Track:
    """One track and where its samples are.

    Attributes:
        handler: `vide`, `soun` and others.
        codec: kind of the first sample entry, such as `avc1`.
        length_bytes: bytes of the length in front of each NAL unit; 0: the samples have none, or it isn't said.
        spans: all samples in the order of the tables.
        default_size: bytes of a sample where a fragment doesn't say (`trex`).
        default_ticks: its duration there.
        timescale: ticks of a second (`mdhd`).
        runs: all samples in the order of time.
        claimed_s: seconds that the header claims (`mdhd`), if it does.
        shown_s: seconds that an edit list shows of it (`elst`), if there is one.
    """

    handler: bytes = b""
    codec: bytes = b""
    length_bytes: int = 0
    spans: list[Span] = field(default_factory=list)
    default_size: int = 0
    default_ticks: int = 0
    timescale: int = 0
    runs: list[Run] = field(default_factory=list)
    claimed_s: float | None = None
    shown_s: float | None = None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return sum(run.count for run in self.runs)

    @property
    def seconds(self) -> float | None:
        """How long it plays by what its samples last; None if that isn't said."""
        ticks = self._ticks()
        if not ticks or not self.timescale:
            return None
        return min(ticks / self.timescale, self.shown_s or math.inf)

    def _ticks(self) -> float:
        """What all samples last.

        A program that writes a fragment per sample doesn't know yet how long it lasts, and claims a tick or none.
        Where most fragments claim too little, each lasts until the next begins; but not across a hole, where some
        are missing.
        """
        gaps = self._gaps()
        plausible = sum(run.ticks >= 0.9 * gap for gap, run in zip(gaps, self.runs, strict=False))
        if not gaps or 2 * plausible > len(gaps):
            return sum(run.ticks for run in self.runs)
        step = self._step(gaps)
        longest = [max(run.ticks, step * run.count) for run in self.runs]
        return longest[-1] + sum(
            gap if 0 <= gap <= _HOLE * most else most for gap, most in zip(gaps, longest, strict=False)
        )

    def _gaps(self) -> list[int]:
        """Ticks from the beginning of each run to that of the next; one fewer than there are runs."""
        begins, end = [], 0
        for run in self.runs:
            begins.append(end if run.begin is None else run.begin)
            end = begins[-1] + run.ticks
        return [after - before for before, after in pairwise(begins)]

    def _step(self, gaps: list[int]) -> float:
        """Ticks of one sample, if each run lasts until the next begins: the median, 0 if there is none."""
        steps = [gap / run.count for gap, run in zip(gaps, self.runs, strict=False) if gap > 0 and run.count]
        return median(steps or [0])


@dataclass(slots=True)
class Movie:
    """What a `moov` says.

    Attributes:
        tracks: by their number, with the samples that its tables list.
        claimed_s: seconds that its headers claim for the whole (`mvhd`, `mehd`); None where one doesn't know.
        goes_on: its samples are in fragments that follow (`mvex`), or in no table of its own.
    """

    tracks: dict[int, Track] = field(default_factory=dict)
    claimed_s: list[float | None] = field(default_factory=list)
    goes_on: bool = False

    def add(self, number: int, track: Track) -> None:
        """Note one more track; raises `Damaged` if that can't be."""
        if number in self.tracks or len(self.tracks) == MAX_TRACKS:
            raise Damaged("has two tracks of one number, or too many")
        self.tracks[number] = track

    def first_of(self, handler: bytes) -> Track:
        """The first track of a kind, such as `vide`; one without samples if there is none."""
        return next((track for track in self.tracks.values() if track.handler == handler), Track())


def movie_of(moov: Box) -> Movie:
    """What a `moov` says."""
    movie, extends, timescale = Movie(), None, 0
    for box in moov.children():
        if box.kind == b"mvhd":
            timescale, length = _clock(box)
            movie.claimed_s.append(_seconds(length, timescale))
        elif box.kind == b"trak":
            movie.add(*_track(box, timescale))
        elif box.kind == b"mvex":
            extends = extends or box
    if extends is not None:
        _extend(movie, extends, timescale)
    movie.goes_on = extends is not None or not any(track.spans for track in movie.tracks.values())
    return movie


def _extend(movie: Movie, mvex: Box, timescale: int) -> None:
    """Note what all fragments have in common, and how long they are to last together, if that is said."""
    for box in mvex.children():
        if box.kind == b"mehd":
            movie.claimed_s.append(_seconds(_time(box, 4), timescale))
        elif box.kind == b"trex":
            number, _, ticks, size = box.numbers(4, ">IIII")
            if number in movie.tracks:
                movie.tracks[number].default_size, movie.tracks[number].default_ticks = size, ticks
    for track in movie.tracks.values():
        track.shown_s = None  # of a stream of fragments the edit list knows only the beginning


def _time(box: Box, offset: int) -> int:
    """A time or length in ticks: of 32 bits in version 0, else of 64."""
    return box.numbers(offset, ">I" if box.version == 0 else ">Q")[0]


def _clock(box: Box) -> tuple[int, int]:
    """Timescale and duration of an `mvhd` or `mdhd`; zeros where the box ends before them."""
    offset, layout = (12, ">II") if box.version == 0 else (20, ">IQ")
    try:
        timescale, length = box.numbers(offset, layout)
    except Damaged:
        return 0, 0
    return timescale, length


def _seconds(length: int, timescale: int) -> float | None:
    """A duration that is claimed in ticks; None if it isn't known."""
    return length / timescale if timescale and length not in _UNKNOWN_LENGTHS else None


# --- fragments ------------------------------------------------------------------------------------------


def index_end(sidx: Box) -> int:
    """Bytes from the end of an index to the end of the last fragment that it lists (8.16.3)."""
    first_at = 20 if sidx.version == 0 else 28
    before = sidx.numbers(first_at - 4, ">I")[0]
    count = sidx.numbers(first_at + 2, ">H")[0]
    sizes = (sidx.numbers(first_at + 4 + 12 * number, ">I")[0] for number in range(count))
    return before + sum(size & 0x7FFFFFFF for size in sizes)  # the first bit says what it is


def add_fragment(moof: Box, at: int, tracks: dict[int, Track]) -> None:
    """Add the samples of one movie fragment to their tracks.

    Args:
        moof: the fragment.
        at: where it starts in the file: offsets inside count from there.
        tracks: by number, changed in place.
    """
    following = at  # where data goes on that says no offset
    for traf in moof.children():
        if traf.kind == b"traf":
            following = _add_of_track(list(traf.children()), at, following, tracks)


def _add_of_track(traf: list[Box], at: int, following: int, tracks: dict[int, Track]) -> int:
    """Add the samples that a fragment has of one track; returns where data goes on that says no offset."""
    header = first(traf, b"tfhd")
    if header is None:
        raise Damaged("has a fragment without a header")
    flags, number = header.numbers(0, ">II")
    if number not in tracks:
        raise Damaged("has a fragment of a track that doesn't exist")
    track = tracks[number]
    base, ticks, size = _fragment_defaults(header, flags, track)
    if base is None:
        base = at if flags & 0x020000 else following  # default-base-is-moof
    following = base
    lasts = count = 0
    for trun in traf:
        if trun.kind == b"trun":
            listed = _listed(trun, size, ticks)
            count, lasts = count + listed.count, lasts + listed.ticks
            start = following if listed.offset is None else base + listed.offset
            track.spans.append(Span(start, listed.sizes))
            following = start + sum(listed.sizes)
    begin = first(traf, b"tfdt")
    track.runs.append(Run(None if begin is None else _time(begin, 4), lasts, count))
    return following


def _fragment_defaults(tfhd: Box, flags: int, track: Track) -> tuple[int | None, int, int]:
    """Base offset, if the header has one, and duration and size of a sample that doesn't say its own."""
    position, base, ticks, size = 8, None, track.default_ticks, track.default_size
    if flags & 0x01:
        base, position = tfhd.numbers(position, ">Q")[0], position + 8
    position += 4 * bool(flags & 0x02)
    if flags & 0x08:
        ticks, position = tfhd.numbers(position, ">I")[0], position + 4
    if flags & 0x10:
        size = tfhd.numbers(position, ">I")[0]
    return base, ticks, size


@dataclass(frozen=True, slots=True)
class _Listed:
    """The samples of one `trun`.

    Attributes:
        offset: bytes from the base to the first, if it says so.
        sizes: of each; one size of all together, where they are equal.
        count: how many there are.
        ticks: what they last together.
    """

    offset: int | None
    sizes: array[int]
    count: int
    ticks: int


def _listed(trun: Box, default_size: int, default_ticks: int) -> _Listed:
    flags, count = trun.numbers(0, ">II")
    position, offset = 8, None
    if flags & 0x01:
        offset, position = trun.numbers(position, ">i")[0], position + 4
    position += 4 * bool(flags & 0x04)
    has_ticks, has_sizes, *others = (bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    width = has_ticks + has_sizes + sum(others)
    if count > MAX_SAMPLES or position + 4 * width * count > len(trun.content):
        raise Damaged("has a fragment that lists more samples than it has room for")
    fields = trun.row(position, "I", width * count)
    # Equal sizes are one block: a count costs the file no bytes, so it may cost us none.
    sizes = fields[has_ticks::width] if has_sizes else array("Q", [default_size * count])
    return _Listed(offset, sizes, count, sum(fields[::width]) if has_ticks else default_ticks * count)


# --- the tables of a track ------------------------------------------------------------------------------


def _track(trak: Box, movie_timescale: int) -> tuple[int, Track]:
    """A track and its number."""
    parts = trak.parts()
    header = _required(parts, b"tkhd")
    number = header.numbers(20 if header.version == 1 else 12, ">I")[0]
    media = _required(parts, b"mdia").parts()
    handler = bytes(_required(media, b"hdlr").numbers(8, ">4s")[0])
    table = _required(_required(media, b"minf").parts(), b"stbl").parts()
    track = Track(handler, *_codec(_required(table, b"stsd")), _spans(table))
    if b"mdhd" in media:
        track.timescale, length = _clock(media[b"mdhd"])
        track.claimed_s = _seconds(length, track.timescale)
    if track.spans and b"stts" in table:
        times = table[b"stts"].entries(2)
        ticks = sum(count * ticks for count, ticks in zip(times[0::2], times[1::2], strict=True))
        track.runs.append(Run(0, ticks, sum(times[0::2])))
    if b"edts" in parts:
        track.shown_s = _shown(parts[b"edts"], movie_timescale)
    return number, track


def _required(boxes: dict[bytes, Box], kind: bytes) -> Box:
    if kind not in boxes:
        raise Damaged(f"has a track without its {kind.decode()} box")
    return boxes[kind]


def _codec(stsd: Box) -> tuple[bytes, int]:
    """The kind of the first sample entry, and the bytes of a NAL unit's length if it is the only one."""
    count = stsd.numbers(4, ">I")[0] if stsd.content else 0
    if not count:
        return b"", 0
    return bytes(stsd.numbers(12, ">4s")[0]), _length_bytes(stsd) if count == 1 else 0


def _length_bytes(stsd: Box) -> int:
    """Bytes of a NAL unit's length (`avcC`, `hvcC`: ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1), or 0."""
    entry = bytes(stsd.content[8:])
    for kind, at in ((b"avcC", 4), (b"hvcC", 21)):
        where = entry.find(kind) + len(kind) + at
        if kind in entry and where < len(entry):
            return (entry[where] & 3) + 1
    return 0


def _shown(edts: Box, timescale: int) -> float | None:
    """Seconds that the edit list shows of the media; None if it sets no end (8.6.6)."""
    elst = first(edts.children(), b"elst")
    if elst is None or not timescale:
        return None
    layout, width = (">Ii", 12) if elst.version == 0 else (">Qq", 20)
    room = (len(elst.content) - 8) // width
    total = 0
    for number in range(min(elst.numbers(4, ">I")[0], room, MAX_BOXES)):
        length, begins = elst.numbers(8 + width * number, layout)
        if begins < 0:
            continue  # -1: nothing is shown
        if length in _UNKNOWN_LENGTHS:
            return None
        total += length
    return total / timescale if total else None


def _spans(table: dict[bytes, Box]) -> list[Span]:
    """The samples, chunk by chunk."""
    for kind, entry_bytes in _ENTRY_BYTES.items():
        if kind in table:
            table[kind].require_room(entry_bytes)
    sizes = _sizes(table)
    if not sizes:
        return []
    _refuse_mistimed(table, len(sizes))
    wide = b"co64" in table
    offsets = _required(table, b"co64" if wide else b"stco").entries(1, "Q" if wide else "I")
    return _chunks(sizes, offsets, _required(table, b"stsc").entries(3))


def _refuse_mistimed(table: dict[bytes, Box], samples: int) -> None:
    """Refuse time tables that speak of more samples than there are, or of fewer."""
    for kind in (b"stts", b"ctts"):
        if kind in table:
            timed = sum(table[kind].entries(2)[0::2])
            if timed > samples + 1 or (kind == b"stts" and timed < samples - 1):
                raise Damaged(f"times {timed:,} samples and has {samples:,} ({kind.decode()})")


def _chunks(sizes: array[int], offsets: array[int], runs: array[int]) -> list[Span]:
    """Deal the samples out to the chunks, as `stsc` says (first chunk, samples per chunk, …)."""
    firsts, counts = runs[0::3], runs[1::3]
    ordered = all(before < after for before, after in pairwise(firsts))
    if not firsts or firsts[0] != 1 or not ordered or firsts[-1] > len(offsets) or 0 in counts:
        raise Damaged("has a table of chunks that contradicts itself (stsc)")
    per_chunk = dict(zip(firsts, counts, strict=True))
    spans: list[Span] = []
    used = samples = 0
    for number, offset in enumerate(offsets, 1):
        samples = per_chunk.get(number, samples)
        if used >= len(sizes):
            raise Damaged("has more chunks than samples")
        spans.append(Span(offset, sizes[used : used + samples]))
        used += samples
    if used < len(sizes):
        raise Damaged("has samples that no chunk holds")
    return spans


def _sizes(table: dict[bytes, Box]) -> array[int]:
    """The size of each sample, from `stsz` or its compact form `stz2` (8.7.3)."""
    if b"stsz" not in table:
        return _compact_sizes(_required(table, b"stz2"))
    box = table[b"stsz"]
    common, count = box.numbers(4, ">II")
    _require_sizes(box, count, 0 if common else 32)
    return array("I", [common]) * count if common else box.row(12, "I", count)


def _compact_sizes(stz2: Box) -> array[int]:
    bits, count = stz2.numbers(7, ">BI")
    _require_sizes(stz2, count, bits if bits in {4, 8, 16} else None)
    if bits == 4:
        packed = stz2.content[12 : 12 + (count + 1) // 2]
        return array("I", [half for byte in packed for half in (byte >> 4, byte & 15)][:count])
    return array("I", stz2.row(12, "H" if bits == 16 else "B", count))


def _require_sizes(box: Box, count: int, bits: int | None) -> None:
    """Refuse more samples than there may be, or than have room for their sizes of so many bits (None: impossible)."""
    if count > MAX_SAMPLES or bits is None or (count * bits + 7) // 8 > len(box.content) - 12:
        raise Damaged(f"lists {count:,} samples and has no room for their sizes")
