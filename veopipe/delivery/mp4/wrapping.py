"""Takes a video out of what gateways wrap around it. Pure: bytes in, bytes out.

* Nobody asks for a wrapping, and there are some: a body is packed (gzip, deflate), with a label that says so or
  without; it still has the framing of an upload to S3 (`aws-chunked`) or of HTTP in it; or a byte order mark, a
  newline, a warning of PHP or the head of a multipart answer stands in front. Up to three are inside each other.
* The bytes say what they are; no label is asked. What comes out is judged like any other video (`boxes`).
* Bounded: a piece that comes out has at most a mebibyte, and what unpacks to far more than a video ever does is
  given up.

Source: API document, Download Video (the body is the video's bytes); RFC 1950 to 1952; RFC 9112, 7.1;
Amazon S3, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import field
from functools import partial
from itertools import chain
from typing import Protocol

from veopipe.delivery.mp4.boxes import looks_like_mp4
from veopipe.values import dataclass

OPENING = 4 << 10
"""Bytes of a body that are looked at: what stands in front of a video is shorter."""

_PIECE = 1 << 20
# What unpacks to more than so many times its size, and so many bytes, is no video: that is packed already, and only its
# tables and a border of zeros shrink.
_FOLD, _SLACK = 16, 16 << 20
_LAYERS = 3
_BLANKS = re.compile(rb"(?:\xef\xbb\xbf|\s)+")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[^\r\n]{0,1000})?\r?\n")
# One of these in front of a video says that only a piece of it follows; a range does unless it is the whole.
_FRAMING = re.compile(rb"(?:\A|\n)[0-9A-Fa-f]{2,16}(?:;[^\r\n]*)?\r?\n\Z")
_RANGE = re.compile(rb"content-range:\s*bytes\s+\d+-(\d{1,15})/(\d{1,15})", re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 1200


class Unwrappable(Exception):
    """The body of an answer can't be unwrapped; the text says why."""


class Wrapping(Protocol):
    """Takes a body piece by piece and gives the video back."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What `piece` adds to the video; raises `Unwrappable`."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing is missing, as far as the wrapping knows."""
        ...


def wrapping_of(opening: bytes) -> Wrapping | None:
    """What is wrapped around a video, judged by the first bytes of a body; None: it holds no video.

    Args:
        opening: `OPENING` bytes, or all there are.
    """
    layers = _layers(opening, _LAYERS)
    return None if layers is None else _Layers(layers)


def _layers(opening: bytes, most: int) -> list[Wrapping] | None:
    """What is wrapped around a video, the outermost first; None: there is no video inside."""
    if looks_like_mp4(opening):
        return []
    if most == 0:
        return None
    makers: list[Callable[[], Wrapping]] = [_Framed, partial(_Packed, 47), partial(_Packed, -15)]
    if blanks := _BLANKS.match(opening):
        makers.append(partial(_InFront, blanks.end()))
    for make in makers:
        inside = _layers(_opening_of(make(), opening), most - 1)
        if inside is not None:
            return [make(), *inside]
    at = opening.find(b"ftyp") - 4
    is_video = at > 0 and looks_like_mp4(opening[at:]) and opening[at : at + 2] == b"\0\0"
    return [_InFront(at)] if is_video and not _is_one_of_many(opening[:at]) else None


def _opening_of(layer: Wrapping, opening: bytes) -> bytes:
    """The first bytes of what a layer holds; none if it isn't such a layer."""
    found = b""
    try:
        for piece in layer.feed(opening):
            found += piece
            if len(found) >= OPENING:
                break
    except Unwrappable:
        return b""
    return found[:OPENING]


def _is_one_of_many(front: bytes) -> bool:
    """Whether what stands in front of a video says that only a piece of it follows."""
    part = _RANGE.search(front)
    return bool(_FRAMING.search(front)) or (part is not None and int(part[1]) + 1 < int(part[2]))


@dataclass(slots=True)
class _Layers:
    """Several wrappings inside each other, the outermost first."""

    layers: list[Wrapping]

    @property
    def is_over(self) -> bool:
        return all(layer.is_over for layer in self.layers)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        found = iter([piece])
        for layer in self.layers:
            found = chain.from_iterable(map(layer.feed, found))
        return found


@dataclass(slots=True)
class _InFront:
    """`left` bytes stand in front."""

    left: int
    is_over: bool = True

    def feed(self, piece: bytes) -> Iterator[bytes]:
        kept = piece[self.left :]
        self.left -= len(piece) - len(kept)
        yield kept


@dataclass(slots=True)
class _Packed:
    """Packed by zlib; `wbits` as there: 47 finds gzip and zlib by their first bytes, -15 has none."""

    wbits: int
    taken: int = 0
    given: int = 0
    _inflater: zlib._Decompress = field(init=False)
    _behind: bytes = b""

    def __post_init__(self) -> None:
        self._inflater = zlib.decompressobj(self.wbits)

    @property
    def is_over(self) -> bool:
        return self._inflater.eof

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self.taken += len(piece)
        while piece := self._next_member(piece):
            try:
                found = self._inflater.decompress(piece, _PIECE)
            except zlib.error:
                raise Unwrappable("it can't be unpacked") from None
            self.given += len(found)
            if self.given > _FOLD * self.taken + _SLACK:
                raise Unwrappable("it unpacks to far more than a video does")
            yield found
            piece = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail

    def _next_member(self, piece: bytes) -> bytes:
        """What is to be unpacked: gzip may follow gzip (RFC 1952, 2.2); nothing of what else follows."""
        if not self._inflater.eof or not piece:
            return piece
        self._behind += piece
        if len(self._behind) < len(_GZIP):
            return b""
        if self.wbits < 0 or not self._behind.startswith(_GZIP):
            self._behind = bytes(len(_GZIP))  # nothing more is unpacked
            return b""
        piece, self._behind, self._inflater = self._behind, b"", zlib.decompressobj(self.wbits)
        return piece


@dataclass(slots=True)
class _Framed:
    """In pieces with their sizes in front, as `Transfer-Encoding: chunked` and `aws-chunked` write them."""

    is_over: bool = False
    _waiting: bytes = b""
    _left: int = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        if self.is_over:
            return  # checksums may follow
        self._waiting += piece
        while self._waiting and not self.is_over:
            if not self._left and not self._begin():
                return
            found = self._waiting[: self._left]
            self._left, self._waiting = self._left - len(found), self._waiting[len(found) :]
            yield found

    def _begin(self) -> bool:
        """Read the line in front of the next piece; False: it isn't all here yet."""
        line = self._waiting.removeprefix(b"\r").removeprefix(b"\n")
        size = _SIZE_LINE.match(line)
        if size is None:
            if len(line) > _LONGEST_LINE or b"\n" in line:
                raise Unwrappable("it has a piece without its size in front")
            return False
        self._left, self._waiting = int(size[1], 16), line[size.end() :]
        self.is_over = self._left == 0
        return not self.is_over
