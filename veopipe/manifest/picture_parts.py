"""The parts of a picture file: whether it is whole, and what it says besides the picture.

* A JPEG consists of segments, a PNG and a WebP of chunks. The walk goes from one to the next and decodes nothing;
  the number and the size of what it reads are bounded.
* Exif and XMP answer three questions: is the picture stored turned, where was it taken, is there more about people
  and cameras. Of other notes only the names are kept. Damaged metadata isn't an error. The pieces that make the
  picture are listed, so that other programs need not read the rest.

Source: Exif (CIPA DC-008), Orientation and GPS attributes; PNG (third edition), chunks; RFC 9649 (WebP), EXIF and
XMP chunks; ITU-T T.81 (JPEG), annex B; C2PA specification, embedding manifests.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from typing import BinaryIO, Literal

from veopipe.values import dataclass

_MAX_PARTS = 50_000  # chunks of a PNG, segments of a JPEG's header; 20 MB in chunks of 1 KiB are 20,000
_MAX_METADATA = 1 << 20  # bytes: read of one part, or unfolded from it
_PROFILE_HEAD = 4096  # bytes of a colour profile that are unfolded to see whether it is one
_MAX_UNFOLDED = 8  # texts that are unfolded to look for a position; a picture has one such text

# Programs read each entry of an Exif block whole, and the values of entries may overlap: 1 MB became more than 3 GB.
# A right block has at most 20 MB of values. The index of a phone's pictures has five entries; one of 64 kB became 2 GB
# in Pillow 12.3.
_MAX_SWELL, _MAX_INDEX = 1 << 28, 64
_MPF = b"MPF\0"
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP, _IPTC_BLOCK = b"Photoshop 3.0\0", b"8BIM\x04\x04"
_ENCODERS = (b"CREATOR: gd-jpeg", b"Lavc", b"LEAD Technologies", b"Intel(R) JPEG", b"File written by Adobe")
_PNG_TEXTS = frozenset({b"iTXt", b"tEXt", b"zTXt"})
_PNG_XMP, _PNG_PROFILE = "XML:com.adobe.xmp", "Raw profile type "
_PROFILES: Mapping[str, str] = {"exif": "Exif", "app1": "Exif", "iptc": "IPTC", "8bim": "IPTC", "xmp": "XMP"}
# What programs say of themselves and of the file: nothing about people and pictures.
_TECHNICAL_TEXTS = frozenset({"", "Software", "date:create", "date:modify", "date:timestamp"})
# Chunks that a program may leave out (PNG, section 11.3 and its extensions): a wrong checksum harms no picture.
_PNG_ANCILLARY = _PNG_TEXTS | frozenset(
    b"tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT eXIf tIME caBX oFFs pCAL sCAL".split()
)
_PNG_LENGTHS: Mapping[bytes, int] = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}  # bytes (section 11.3)
_MAX_NOTES = 1000  # names that are kept
_GPS, _LATITUDE, _ORIENTATION = 0x8825, 0x0002, 0x0112
# Sizes, resolution, color coding: they say nothing about people, places or cameras.
_TECHNICAL = frozenset({0x0100, 0x0101, 0x0102, 0x0103, 0x0106, _ORIENTATION, 0x0115, 0x011A, 0x011B, 0x0128, 0x0213})
_VALUE_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)  # bytes, by the type of an Exif value

_CREDENTIALS = "content credentials"
NO_END = "ends without its end marker: its last part may be missing, and some programs refuse it"
"""The flaw of a JPEG that was cut at its very end."""


@dataclass(slots=True)
class Parts:
    """What the walk through a picture file found.

    Attributes:
        is_whole: it ends where a file of its kind ends.
        is_open: it is a JPEG that perhaps lacks only its end marker; decoding tells.
        flaw: what some programs overlook and others refuse.
        orientation: 1 upright, 2 to 8 turned or mirrored (Exif).
        has_location: it says where it was taken.
        notes: names of the other notes that it holds, such as on camera, date and author, in order.
        pieces: position and length of what makes the picture; none where that is the whole file.
    """

    is_whole: bool = False
    is_open: bool = False
    flaw: str | None = None
    orientation: int = 1
    has_location: bool = False
    notes: dict[str, None] = field(default_factory=dict)
    pieces: list[tuple[int, int]] = field(default_factory=list)
    unfolded: int = 0

    def note(self, name: str) -> None:
        """Keep the name of a note."""
        if len(self.notes) < _MAX_NOTES:
            self.notes[name] = None

    def note_exif(self, data: bytes) -> None:
        """Read an Exif block, with or without its prefix."""
        data = data.removeprefix(_EXIF)
        order = _BYTE_ORDERS.get(data[:4])
        if order is None:
            return
        main = _directory(data, int.from_bytes(data[4:8], order), order)
        self.orientation = int.from_bytes(main.get(_ORIENTATION, b"")[:2], order)
        if not 1 <= self.orientation <= 8:
            self.orientation = 1
        gps = _directory(data, int.from_bytes(main.pop(_GPS, b""), order), order)
        self.has_location = self.has_location or _LATITUDE in gps
        if main.keys() - _TECHNICAL:
            self.note("Exif")

    def note_xmp(self, data: bytes) -> None:
        """Read an XMP packet."""
        self.note("XMP")
        self.has_location = self.has_location or b"GPSLatitude" in data

    def unfold(self, data: bytes) -> bytes:
        """The beginning of a compressed text; nothing if it is damaged, or if enough of them were unfolded."""
        self.unfolded += 1
        if self.unfolded <= _MAX_UNFOLDED:
            return _unfolded(data, _MAX_METADATA)
        return b""


def _unfolded(data: bytes, limit: int) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(data, limit)
    return b""


_BYTE_ORDERS: Mapping[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}


def _entries(data: bytes, at: int, order: Literal["little", "big"]) -> Iterator[tuple[int, int, int, bytes]]:
    """The whole entries of an Exif directory: tag, type, number of values, and the four bytes of value or offset."""
    entries = data[at + 2 : at + 2 + 12 * int.from_bytes(data[at : at + 2], order)] if at else b""
    return struct.iter_unpack("<HHI4s" if order == "little" else ">HHI4s", entries[: len(entries) // 12 * 12])


def _directory(data: bytes, at: int, order: Literal["little", "big"]) -> dict[int, bytes]:
    """The same as a mapping: tag → the four bytes of value or offset."""
    return {tag: value for tag, _, _, value in _entries(data, at, order)}


def survey(file: BinaryIO, media_type: str, size: int) -> Parts:
    """Walk through a picture file; the walk moves its position.

    Args:
        file: the file, from its start.
        media_type: what its first bytes say it is.
        size: in bytes.
    """
    parts = Parts()
    parts.is_whole = _WALKS[media_type](file, size, parts)
    return parts


# --- PNG ------------------------------------------------------------------------------------------------


def _png(file: BinaryIO, _size: int, parts: Parts) -> bool:
    """Whether a PNG's chunks lead to its IEND; Pillow checks the checksums of those that make the picture."""
    parts.pieces.append((0, 8))
    position = 8
    for _ in range(_MAX_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            return False
        length, kind = int.from_bytes(chunk[:4], "big"), chunk[4:]
        if kind[0] & 0x20:  # a small letter: not needed to show the picture (PNG, section 5.4)
            body = file.read(length + 4)
            is_right = zlib.crc32(kind + body[:-4]) == int.from_bytes(body[-4:], "big")
            if not is_right and kind not in _PNG_ANCILLARY:  # it may be a damaged piece of the picture
                return False
            if not is_right or not _is_sound(kind, body[:-4]):
                parts.flaw = f"has a damaged {kind.decode()} part beside the picture: some programs refuse it"
            _note_chunk(kind, body[:-4], parts)
        else:
            parts.pieces.append((position, 12 + length))
        if kind == b"IEND":
            return len(file.read(4)) == 4
        position += 12 + length
    return False


def _is_sound(kind: bytes, body: bytes) -> bool:
    """Whether a chunk is right enough for programs not to fail on it."""
    if kind == b"iCCP":
        method, profile = body.partition(b"\0")[2][:1], body.partition(b"\0")[2][1:]
        return method == b"\0" and bool(_unfolded(profile, _PROFILE_HEAD))
    return len(body) >= _PNG_LENGTHS.get(kind, 0)


def _note_chunk(kind: bytes, body: bytes, parts: Parts) -> None:
    if kind == b"eXIf":
        parts.note_exif(body)
    elif kind == b"caBX":
        parts.note(_CREDENTIALS)
    elif kind in _PNG_TEXTS:
        _note_text(kind, body, parts)


def _note_text(kind: bytes, body: bytes, parts: Parts) -> None:
    name, _, rest = body.partition(b"\0")
    keyword = _keyword(name[:316])[:79]  # PNG, section 11.3.3: at most 79 characters
    if keyword == _PNG_XMP:
        parts.note_xmp(_text(kind, rest, parts))
    elif keyword.startswith(_PNG_PROFILE):
        _note_profile(keyword.removeprefix(_PNG_PROFILE), _text(kind, rest, parts), parts)
    elif keyword not in _TECHNICAL_TEXTS:
        parts.note(keyword)


def _keyword(name: bytes) -> str:
    """Latin-1 by the document, UTF-8 by many programs."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _text(kind: bytes, rest: bytes, parts: Parts) -> bytes:
    """The text behind the keyword of a text chunk."""
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return parts.unfold(rest[1:])
    text = rest[2:].split(b"\0", 2)[-1]  # behind language and translated keyword
    return parts.unfold(text) if rest[:1] == b"\1" else text


def _note_profile(name: str, text: bytes, parts: Parts) -> None:
    """A block of metadata as ImageMagick keeps it: its name, its length, and its bytes as hexadecimal digits."""
    if name in ("icc", "icm"):  # a colour profile
        return
    parts.note(_PROFILES.get(name.lower(), name))
    digits = b"".join(text[:_MAX_METADATA].split(None, 2)[2:]).translate(None, b" \t\r\n\v\f")
    with suppress(ValueError):
        block = bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
        parts.note_exif(block)
        parts.has_location = parts.has_location or b"GPSLatitude" in block


# --- JPEG -----------------------------------------------------------------------------------------------

_STARTS_A_FRAME = frozenset({0xC0, 0xC1, 0xC2})
_STANDS_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_SCAN, _COMMENT = 0xDA, 0xFE
_NOTES = frozenset({*range(0xE0, 0xF0), _COMMENT})  # segments of applications, and comments
_NEXT_MARKER = re.compile(rb"\xff[^\0\x01\xd0-\xd7\xff]")
_EVERY_COEFFICIENT = (1 << 64) - 1
_MAX_SCANS = 100  # of a JPEG that has to be decoded; programs write about ten, and each costs a pass over the picture


def _jpeg(file: BinaryIO, size: int, parts: Parts) -> bool:
    """Whether a JPEG's picture data ends: there is an EOI marker behind the start of the first scan.

    A thumbnail in the header has an EOI of its own, so what stands before the scan doesn't count. Cameras append
    things, so the marker needn't be the last. Inside a scan 0xFF is always followed by 0x00 or a restart marker.
    """
    parts.pieces.append((0, 2))
    exif, frame = bytearray(), b""
    for kind, position, length in _segments(file):
        if kind == _SCAN:
            is_ended = _is_ended(file.read(size), length.to_bytes(2, "big"), frame, parts)
            parts.pieces.append((position, size - position if parts.is_open else 2 + length))
            return is_ended and not _swells(bytes(exif), parts)
        if kind not in _NOTES:
            parts.pieces.append((position, 2 + length))
        elif not _note_segment(kind, file.read(length - 2), exif, parts):
            return False
        if kind in _STARTS_A_FRAME:
            frame = bytes((kind,)) + file.read(length - 2)
    return False


def _segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Kind, place and length of each segment of a header; the file stands behind the length, which counts itself."""
    position = 2
    for _ in range(_MAX_PARTS):
        file.seek(position)
        marker = file.read(4)
        if len(marker) < 4 or marker[0] != 0xFF:
            return
        kind, length = marker[1], max(2, int.from_bytes(marker[2:], "big"))
        if kind == 0xFF:  # it fills up
            position += 1
        elif kind in _STANDS_ALONE:
            position += 2
        else:
            yield kind, position, length
            position += 2 + length


def _is_ended(content: bytes, length: bytes, frame: bytes, parts: Parts) -> bool:
    """Whether the picture data comes to its end; `content` is what follows the length of the first scan's header."""
    if b"\xff\xd9" in content:
        return True
    parts.is_open = bool(frame)
    if frame[:1] == b"\xc2":
        is_short = content.count(b"\xff\xda") < _MAX_SCANS
        parts.is_open = is_short and _has_every_scan(b"\xff\xda" + length + content, frame)
    return False


def _has_every_scan(content: bytes, frame: bytes) -> bool:
    """Whether all scans of a progressive JPEG have begun; decoding tells whether the last one is whole.

    Source: ITU-T T.81, B.2.3 (scan header), G.1.1.1 (spectral selection, successive approximation).
    """
    missing = dict.fromkeys(frame[7::3], _EVERY_COEFFICIENT)  # component → coefficients that aren't exact yet
    position = 0
    for _ in range(_MAX_PARTS):
        header = content[position + 4 : position + 2 + int.from_bytes(content[position + 2 : position + 4], "big")]
        if content[position + 1 : position + 2] == b"\xda" and len(header) >= 6:
            first, last, approximation = header[-3:]
            if approximation & 15 == 0 and first <= last < 64:
                for component in header[1:-3:2]:
                    missing[component] = missing.get(component, 0) & ~((1 << last + 1) - (1 << first))
        found = _NEXT_MARKER.search(content, position + 4 + len(header))
        if found is None:
            break
        position = found.start()
    return not any(missing.values())


def _note_segment(kind: int, segment: bytes, exif: bytearray, parts: Parts) -> bool:
    """Read a segment of an application, or a comment; False if it would unfold into too much."""
    if kind == _COMMENT:
        _note_comment(segment, parts)
    elif segment.startswith(_EXIF):
        exif += segment.removeprefix(_EXIF)  # a block that is too long for one segment goes on in the next
    elif segment.startswith((_XMP, _XMP_MORE)):
        parts.note_xmp(segment)
    elif segment.startswith(_PHOTOSHOP) and _IPTC_BLOCK in segment:
        parts.note("IPTC")
    elif kind == 0xEB and segment.startswith(b"JP"):
        parts.note(_CREDENTIALS)
    elif segment.startswith(_MPF):
        data = segment.removeprefix(_MPF)
        order = _BYTE_ORDERS.get(data[:4], "little")
        return len(_directory(data, int.from_bytes(data[4:8], order), order)) <= _MAX_INDEX
    return True


def _note_comment(text: bytes, parts: Parts) -> None:
    if text.strip(b"\0 ") and not text.startswith(_ENCODERS):
        parts.note("a comment")


def _swells(exif: bytes, parts: Parts) -> bool:
    """Read an Exif block; whether its entries claim more bytes than a program can hold."""
    parts.note_exif(exif)
    order = _BYTE_ORDERS.get(exif[:4], "little")
    claimed = (
        min(len(exif), number * _VALUE_SIZES[kind] if kind < len(_VALUE_SIZES) else 0)
        for _, kind, number, _ in _entries(exif, int.from_bytes(exif[4:8], order), order)
    )
    return sum(claimed) > _MAX_SWELL


# --- WebP -----------------------------------------------------------------------------------------------


def _webp(file: BinaryIO, size: int, parts: Parts) -> bool:
    """Whether a WebP is as long as its header says; the walk through its chunks finds the metadata."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    notes, position = {b"EXIF": parts.note_exif, b"XMP ": parts.note_xmp}, 12
    for _ in range(_MAX_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8 or position >= end:
            break
        length = int.from_bytes(chunk[4:], "little")
        if (note := notes.get(chunk[:4])) is not None:
            note(file.read(min(length, _MAX_METADATA)))
        elif chunk[:4] == b"C2PA":
            parts.note(_CREDENTIALS)
        position += 8 + length + length % 2  # chunks start at even places
    return size >= end


_WALKS: Mapping[str, Callable[[BinaryIO, int, Parts], bool]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
}
