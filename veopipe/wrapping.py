"""A film out of what gateways wrap around it. Pure: bytes in, bytes out.

* Nobody asked for it, and it happens: a body that is packed (gzip, deflate) whatever its label says, one that
  still has the framing of an upload to S3 (`aws-chunked`) or of HTTP in it, and one with a byte order mark, a
  newline, a warning of PHP or the head of a multipart answer in front.
* The bytes say what they are; no label is asked. What comes out is judged like any other film (`boxes`).
* Bounded: a piece that comes out has at most a mebibyte, and what unpacks to far more than a film ever does is
  given up.

Source: API document, Download Video (the body is the video's bytes); RFC 1950 to 1952; RFC 9112, 7.1;
Amazon S3, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from veopipe.boxes import looks_like_mp4

OPENING = 4 << 10
"""Bytes of a body that are looked at: what stands in front of a film is shorter."""

_PIECE = 1 << 20
_FOLD, _SLACK = 16, 16 << 20  # a film is packed already; its tables and a border of zeros shrink
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]{0,1000})?\r\n")
_LONGEST_LINE = 1200


class Unwrappable(Exception):
    """What was wrapped breaks off in a way that can't be the sender's; the text follows "it"."""


class Wrapping(Protocol):
    """Takes a body piece by piece and gives the film back."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What `piece` adds to the film; raises `Unwrappable`."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing is missing, as far as the wrapping knows."""
        ...


def wrapping_of(opening: bytes) -> Wrapping | None:
    """What is wrapped around a film, judged by the first bytes of a body; None: it holds no film.

    Args:
        opening: `OPENING` bytes, or all there are.
    """
    if looks_like_mp4(opening):
        return _InFront(0)
    for wrapping, again in ((_Framed(), _Framed()), (_Packed(47), _Packed(47)), (_Packed(-15), _Packed(-15))):
        try:
            if looks_like_mp4(b"".join(wrapping.feed(opening))):
                return again
        except Unwrappable:
            continue
    at = opening.find(b"ftyp") - 4
    return _InFront(at) if at > 0 and looks_like_mp4(opening[at:]) and opening[at : at + 2] == b"\0\0" else None


@dataclass(slots=True)
class _InFront:
    """So many bytes stand in front."""

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

    def __post_init__(self) -> None:
        self._inflater = zlib.decompressobj(self.wbits)

    @property
    def is_over(self) -> bool:
        return self._inflater.eof

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self.taken += len(piece)
        while piece and not self._inflater.eof:
            try:
                found = self._inflater.decompress(piece, _PIECE)
            except zlib.error:
                raise Unwrappable("can't be unpacked") from None
            self.given += len(found)
            if self.given > _FOLD * self.taken + _SLACK:
                raise Unwrappable("unpacks to far more than a video does")
            yield found
            piece = self._inflater.unconsumed_tail


@dataclass(slots=True)
class _Framed:
    """In pieces with their sizes in front, as `Transfer-Encoding: chunked` and `aws-chunked` write them."""

    is_over: bool = False
    _waiting: bytes = b""
    _left: int = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._waiting += piece
        while self._waiting and not self.is_over:
            if not self._left and not self._begin():
                return
            found = self._waiting[: self._left]
            self._left, self._waiting = self._left - len(found), self._waiting[len(found) :]
            yield found

    def _begin(self) -> bool:
        """Read the line in front of the next piece; False: it isn't all here yet."""
        line = self._waiting.removeprefix(b"\r\n")
        size = _SIZE_LINE.match(line)
        if size is None:
            if len(line) > _LONGEST_LINE or b"\n" in line:
                raise Unwrappable("has a piece without its size in front")
            return False
        self._left, self._waiting = int(size[1], 16), line[size.end() :]
        self.is_over = self._left == 0
        return not self.is_over
