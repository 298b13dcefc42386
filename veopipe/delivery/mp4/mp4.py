"""What an MP4 consists of: boxes inside boxes, with big-endian numbers in them (ISO/IEC 14496-12, 4.2).

* Works on bytes in memory and knows no file; what contradicts itself raises `Damaged`.
* A container has at most `MAX_BOXES` boxes, and nothing here enters one that the caller doesn't name.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator

from veopipe.values import dataclass

MAX_BOXES = 10_000
"""Boxes in one container. An eight-second file with one fragment per sample has about 1,200."""

# Groups of samples: nothing here needs them, but libmediainfo counts through all that they claim to hold.
_GROUPS = frozenset({b"sbgp", b"sgpd"})


class Damaged(ValueError):
    """The file contradicts itself or ends early; the text says how, and follows "the file"."""


@dataclass(frozen=True, slots=True)
class Header:
    """The head of one box: its kind, and where the box starts, where its content starts and where it ends, in bytes."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Box:
    """A box in memory.

    Attributes:
        kind: such as `moov`.
        content: what follows its header.
        at: where the content starts, in bytes from the start of the outermost box in memory.
    """

    kind: bytes
    content: memoryview
    at: int

    @property
    def name(self) -> str:
        """Its kind for people."""
        return self.kind.decode("latin-1")

    @property
    def version(self) -> int:
        """The first byte of most boxes that hold numbers; from 1 on times and lengths have 64 bits."""
        return self.numbers(0, ">B")[0]

    def children(self) -> Iterator[Box]:
        """The boxes inside, in order.

        Raises:
            Damaged: one of them isn't a proper box.
        """
        position, length = 0, len(self.content)
        for _ in range(MAX_BOXES):
            if length - position < 8:  # some muxers end a container with four zero bytes
                return
            head = header_at(self.content[position : position + 16], self.at + position, self.at + length)
            box = Box(head.kind, self.content[head.body - self.at : head.end - self.at], head.body)
            if box.kind in _GROUPS:
                _refuse_endless(box)
            yield box
            position = head.end - self.at
        raise Damaged(f"has more than {MAX_BOXES:,} boxes in one")

    def parts(self) -> dict[bytes, Box]:
        """The boxes inside by their kind, the last of each."""
        return {box.kind: box for box in self.children()}

    def numbers(self, offset: int, layout: str) -> tuple[int, ...]:
        """Numbers from `offset` bytes into the content.

        Raises:
            Damaged: the box ends before.
        """
        if offset + struct.calcsize(layout) > len(self.content):
            raise Damaged(f"has a {self.name} box that is too short")
        return struct.unpack_from(layout, self.content, offset)

    def row(self, offset: int, kind: str, count: int) -> array[int]:
        """Many numbers of one kind (a type code of `array`); the caller has checked that they fit."""
        numbers = array(kind)
        numbers.frombytes(self.content[offset : offset + count * numbers.itemsize])
        if sys.byteorder == "little":
            numbers.byteswap()
        return numbers

    def entries(self, width: int, kind: str = "I") -> array[int]:
        """All numbers of a table, `width` for each entry; `require_room` has passed it."""
        return self.row(8, kind, width * self.numbers(4, ">I")[0])

    def require_room(self, entry_bytes: int, count_at: int = 4) -> None:
        """Refuse a table that counts more entries, of `entry_bytes` each, than it has room for.

        Args:
            entry_bytes: bytes of one entry.
            count_at: where the count stands; the entries follow it.
        """
        if count_at + 4 + entry_bytes * self.numbers(count_at, ">I")[0] > len(self.content):
            raise Damaged(f"has a table ({self.name}) that claims more entries than it has room for")


def first(boxes: Iterable[Box], kind: bytes) -> Box | None:
    """The first box of a kind, if there is one."""
    return next((box for box in boxes if box.kind == kind), None)


def header_at(head: bytes | memoryview, start: int, end: int) -> Header:
    """The header of the box whose first 8 to 16 bytes are `head`; `end` is where its container ends.

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
    return Header(kind, start, body, start + size)


def _refuse_endless(group: Box) -> None:
    """Refuse groups that claim more entries than they have room for (sections 8.9.2 and 8.9.3)."""
    version = group.version
    entry_bytes = 8 if group.kind == b"sbgp" else 1
    if group.kind == b"sgpd" and version == 1:
        entry_bytes = group.numbers(8, ">I")[0] or 4  # without a common length each entry has its own in front
    group.require_room(entry_bytes, count_at=8 if version == 0 else 12)
