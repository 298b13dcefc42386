"""What a picture file is made of: whether it is whole, and what it tells besides the picture.

* A JPEG is segments, a PNG and a WebP are chunks. They are walked from one to the next; nothing is decoded, and
  the number and the size of what is read are bounded.
* Of Exif and XMP only three things are asked: is it stored turned, does it say where it was taken, is there
  anything else about people and cameras. Damaged metadata isn't an error: the picture is what counts.

Source: Exif (CIPA DC-008), Orientation and GPS attributes; PNG, eXIf; RFC 9649 (WebP), EXIF and XMP chunks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal

_MAX_PARTS = 50_000  # chunks of a PNG, segments of a JPEG's header; 20 MB in chunks of 1 KiB are 20,000
_MAX_METADATA = 1 << 16  # bytes that are read of one part: a JPEG's segment has no more

# Pillow reads each entry of an Exif block and of a multi-picture index whole, and their values may overlap: 65 kB
# became 2 GB and 80 s (12.3), 1 MB of Exif in several segments more than 3 GB. A camera's index has five entries.
_MAX_SWELL, _MAX_INDEX = 1 << 17, 64
_MPF = b"MPF\0"
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_PNG_TEXTS = (b"iTXt", b"tEXt", b"zTXt")
_PNG_XMP, _PNG_PROFILE = b"XML:com.adobe.xmp\0", b"Raw profile type "
_GPS, _LATITUDE, _ORIENTATION = 0x8825, 0x0002, 0x0112
# Sizes, resolution, color coding: they say nothing about people, places or cameras.
_TECHNICAL = frozenset({0x0100, 0x0101, 0x0102, 0x0103, 0x0106, _ORIENTATION, 0x0115, 0x011A, 0x011B, 0x0128, 0x0213})


@dataclass(slots=True)
class Parts:
    """What the walk through a picture file found.

    Attributes:
        is_whole: it ends where a file of its kind ends.
        orientation: 1 upright, 2 to 8 turned or mirrored (Exif).
        has_location: it says where it was taken.
        has_metadata: it holds other notes on its making, such as camera, date and author.
    """

    is_whole: bool = False
    orientation: int = 1
    has_location: bool = False
    has_metadata: bool = False

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
        self.has_metadata = self.has_metadata or bool(main.keys() - _TECHNICAL)

    def note_xmp(self, data: bytes) -> None:
        """Read an XMP packet."""
        self.has_metadata = True
        self.has_location = self.has_location or b"GPSLatitude" in data


_BYTE_ORDERS: Mapping[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}


def _directory(data: bytes, at: int, order: Literal["little", "big"]) -> dict[int, bytes]:
    """A directory of an Exif block: tag → the four bytes of its value or offset; what is cut off is left out."""
    entries = data[at + 2 : at + 2 + 12 * int.from_bytes(data[at : at + 2], order)] if at else b""
    entries = entries[: len(entries) // 12 * 12]
    return dict(struct.iter_unpack("<H6x4s" if order == "little" else ">H6x4s", entries))


def survey(file: BinaryIO, media_type: str, size: int) -> Parts:
    """Walk through a picture file; its position is anywhere afterwards.

    Args:
        file: the file, from its start.
        media_type: what its first bytes say it is.
        size: in bytes.
    """
    parts = Parts()
    parts.is_whole = _WALKS[media_type](file, size, parts)
    return parts


def _png(file: BinaryIO, _size: int, parts: Parts) -> bool:
    """Whether a PNG's chunks lead to its IEND; their checksums are left to Pillow."""
    position = 8
    for _ in range(_MAX_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            return False
        length, kind = int.from_bytes(chunk[:4], "big"), chunk[4:]
        if kind == b"IEND":
            return len(file.read(4)) == 4
        if kind == b"eXIf":
            parts.note_exif(file.read(min(length, _MAX_METADATA)))
        elif kind in _PNG_TEXTS:
            _note_text(file.read(min(length, _MAX_METADATA)), parts)
        position += 12 + length
    return False


def _note_text(text: bytes, parts: Parts) -> None:
    if text.startswith(_PNG_XMP):
        parts.note_xmp(text)
    elif text.startswith(_PNG_PROFILE) and not text.startswith(_PNG_PROFILE + b"icc"):  # as ImageMagick keeps it
        parts.has_metadata = True


def _jpeg(file: BinaryIO, size: int, parts: Parts) -> bool:
    """Whether a JPEG's picture data ends: an EOI marker behind the first scan.

    Behind, because a thumbnail in the header has an EOI of its own; not at the very end, because cameras
    append things. Inside a scan 0xFF is always followed by 0x00 or a restart marker.
    """
    position, swell = 2, 0
    for _ in range(_MAX_PARTS):
        file.seek(position)
        marker = file.read(4)
        if len(marker) < 4 or marker[0] != 0xFF:
            return False
        if marker[1] == 0xDA:
            return b"\xff\xd9" in file.read(size)
        fill = marker[1] == 0xFF
        length = max(2, int.from_bytes(marker[2:], "big"))
        if marker[1] in (0xE1, 0xE2):
            swell += _note_segment(file.read(length - 2), parts)
            if swell > _MAX_SWELL:
                return False
        position += 1 if fill else 2 + length
    return False


def _note_segment(segment: bytes, parts: Parts) -> int:
    """Read a segment, if it holds Exif or XMP; how many bytes of it Pillow would unfold."""
    if segment.startswith(_EXIF):
        parts.note_exif(segment)
        return len(segment)
    if segment.startswith(_XMP):
        parts.note_xmp(segment)
    if segment.startswith(_MPF):
        data = segment.removeprefix(_MPF)
        order = _BYTE_ORDERS.get(data[:4], "little")
        return (_MAX_SWELL + 1) * (len(_directory(data, int.from_bytes(data[4:8], order), order)) > _MAX_INDEX)
    return 0


def _webp(file: BinaryIO, size: int, parts: Parts) -> bool:
    """Whether a WebP is as long as it says; its chunks are walked for their metadata."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    position = 12
    for _ in range(_MAX_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8 or position >= end:
            break
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"EXIF":
            parts.note_exif(file.read(min(length, _MAX_METADATA)))
        elif chunk[:4] == b"XMP ":
            parts.note_xmp(file.read(min(length, _MAX_METADATA)))
        position += 8 + length + length % 2  # chunks start at even places
    return size >= end


_WALKS: Mapping[str, Callable[[BinaryIO, int, Parts], bool]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
}
