"""From the gateway's bytes to a complete file on disk: the part.

* A part counts as delivered only when it is whole by its own box structure, hashed and synced: gateways
  cut downloads in ways that HTTP calls complete (docs/api-facts.md, a).
* What came is decided by its bytes, never by its label: by the first ones, by the boxes, by measuring. Only
  where they are no video, status and type help to say what came instead.
* Always from the first byte; no range requests. Bytes go to disk as they come, so memory doesn't grow.
* Only the part is ever removed here, never a take.

Source: docs/design.md, 5 (Videos) and 10; docs/hazards.md, b (Download); DECISIONS.md, 17 and 27.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from veopipe import crashpoints, files
from veopipe.delivery import room
from veopipe.delivery.mp4 import boxes, wrapping
from veopipe.delivery.mp4.boxes import Video
from veopipe.dialects.base import Content
from veopipe.dialects.bodies import A_PAGE, parse_json, words_of, words_of_body
from veopipe.gateway.reads import ContentStream, Interrupted, Reads
from veopipe.takes.take import Attempt
from veopipe.text import counted, printable
from veopipe.values import dataclass

LARGEST_VIDEO = 2 << 30
"""Bytes; 8 s of 4K are some 100 MB (docs/hazards.md, b)."""
SMALLEST_VIDEO = 1 << 10
"""Bytes; less can't be a video (docs/hazards.md, b)."""
SLOWEST_WINDOW = 64 << 10
"""Bytes that must arrive in each minute (`Timeouts.read`); slower, the half hour that a download has brings less
than 2 MB (docs/hazards.md, b)."""
_PIECE = 1 << 18  # bytes that wait for their turn to be written: of 32 downloads, 8 MiB
_WORDS = 64 << 10  # bytes of a text that is no video
# No text for people: a thousand bytes without a blank, or lines of base64 one after the other (RFC 2045, 6.8).
_NO_WORDS = re.compile(rb"\S{1000}|(?:[A-Za-z0-9+/=_-]{40,}+\s{1,4}){10}")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DISK = _FULL | {errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}
_NO_ROOM = "no room for the video; free some and run again, it is kept"
_NO_WRITING = "the video can't be written; put that right and run again, it is kept"


class Fetched(StrEnum):
    """How a download ended."""

    COMPLETE = "complete"
    NOT_READY = "not ready"
    CORRUPT = "corrupt"
    GONE = "gone"
    KEY_REFUSED = "key refused"
    DISK = "disk"


_INSTEAD = {Content.GONE: Fetched.GONE, Content.KEY_REFUSED: Fetched.KEY_REFUSED}


@dataclass(frozen=True, slots=True)
class Part:
    """The result of one download.

    Attributes:
        fetched: how it ended.
        why: for people, where it isn't complete.
        sha256: hex digest of the part, when complete.
        bytes: its size, when complete.
        busy: the gateway says that it is asked too much (429).
        retry_after: seconds that it asks to wait then, if it says.
        answered: somebody was reached and said that there is no video. Else this machine, its network or its own
            judgement is the reason, and the video may be there all the same.
        video: what its boxes say, when complete.
        seconds: that it took.
    """

    fetched: Fetched
    why: str = ""
    sha256: str = ""
    bytes: int = 0
    busy: bool = False
    retry_after: float | None = None
    answered: bool = True
    video: Video | None = None
    seconds: float = 0.0


Received = Callable[[int, int | None], None]
"""Called with the bytes that are here, and with those that there will be, if the gateway says so."""


async def fetch(gateway: Reads, attempt: Attempt, part: Path, received: Received) -> Part:
    """Download the video of an attempt's task into `part`, whole or not at all. Blocks nothing.

    Args:
        gateway: that has the task.
        attempt: which was accepted there.
        part: replaced if it is there; its folder is made.
        received: called about four times a mebibyte.
    """
    try:
        async with asyncio.timeout(gateway.timeouts.download), gateway.content(attempt) as stream:
            arrival = _Arrival(stream)
            opening = await arrival.first(wrapping.OPENING)
            wrapped = wrapping.wrapping_of(opening) if stream.answer.kind is Content.VIDEO else None
            if wrapped is None:
                return _explained(stream, opening + await arrival.first(_WORDS - len(opening)), arrival.cut)
            return await _receive(arrival, opening, wrapped, part, received)
    except TimeoutError:
        return await _dropped(part, Fetched.CORRUPT, f"not complete after {gateway.timeouts.download:g} s")
    except Interrupted as error:
        return Part(Fetched.NOT_READY, str(error), answered=False)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        what = _NO_ROOM if error.errno in _FULL else _NO_WRITING
        return await _dropped(part, Fetched.DISK, f"{what}: {error.strerror} ({part.parent})")


@dataclass(slots=True)
class _Arrival:
    """The body of an answer while it arrives.

    Attributes:
        stream: the answer.
        size: bytes that came.
        cut: why there is no more, if the transport says that there should be.
    """

    stream: ContentStream
    size: int = 0
    cut: str = ""
    _chunks: AsyncIterator[bytes] = field(init=False)
    _pace: _Pace = field(init=False)

    def __post_init__(self) -> None:
        self._chunks, self._pace = self.stream.chunks(), _Pace(self.stream.patience)

    async def next(self) -> bytes | None:
        """The next bytes, or None: there are no more, and `cut` says whether there should be."""
        try:
            chunk = await anext(self._chunks, None)
            self._pace.count(len(chunk or b""))
        except Interrupted as error:
            self.cut, chunk = str(error), None
        if chunk is None:
            length = self.stream.length
            if not self.cut and length is not None and self.size < length:
                self.cut = f"{self.size:,} of {length:,} bytes"
            return None
        self.size += len(chunk)
        return chunk

    async def first(self, wanted: int) -> bytes:
        """At least so many bytes, or all there are."""
        found = bytearray()
        while len(found) < wanted and not self.cut and (chunk := await self.next()) is not None:
            found += chunk
        return bytes(found)


def _explained(stream: ContentStream, body: bytes, cut: str) -> Part:
    """What came instead of a video, by the first bytes of an answer's body."""
    answer, body = stream.answer, stream.unpacked(body)
    if answer.kind is Content.VIDEO:
        fetched, why = _no_video(body, answer.why, cut)
    else:
        fetched, why = _INSTEAD.get(answer.kind, Fetched.NOT_READY), answer.why
    words = words_of_body(body)
    if words and not words.startswith(A_PAGE) and fetched is not Fetched.CORRUPT:
        why = f"{why}: {words}"
    return Part(fetched, why, busy=answer.busy, retry_after=answer.retry_after)


def _no_video(body: bytes, said: str, cut: str) -> tuple[Fetched, str]:
    """What a body is that is no video, though status and type don't exclude one; and why it isn't one.

    Words mean that there is none yet, or never. Bytes that are no words may be a video that nobody here can read:
    they are never taken for "no video", after which a take is given up in the end.

    Args:
        body: the first bytes.
        said: what the answer's head says against a video, if it does.
        cut: why the body ended early, if it did.
    """
    error = words_of(parse_json(body))  # under a video's label only an error counts as words
    if (error or (said and not cut)) and _is_text(body):
        return Fetched.NOT_READY, said or "words instead of a video"
    if cut or not body:
        return Fetched.CORRUPT, cut or "no bytes at all"
    return Fetched.CORRUPT, f"{said or 'not a video'}: it begins with {printable(body[:40].decode('latin-1'))}"


def _is_text(body: bytes) -> bool:
    """Whether a body is for people: blanks between its words, no controls but those of a text. An empty one is.

    A thousand bytes without a blank anywhere, or lines of base64, may be a video that nobody here can read.
    """
    return not _NO_TEXT.search(body[: 4 << 10]) and not _NO_WORDS.search(body)


async def _receive(
    arrival: _Arrival, opening: bytes, wrapped: wrapping.Wrapping, part: Path, received: Received
) -> Part:
    """Write a video into the part, and see whether it is whole."""
    length = arrival.stream.length
    if length is not None and length > LARGEST_VIDEO:  # a lie must not stop all downloads
        return Part(Fetched.CORRUPT, f"it claims {length:,} bytes")
    sink = _Sink(part)
    try:
        if (lack := await asyncio.to_thread(sink.open, length or 0)) is not None:
            return Part(Fetched.DISK, f"{_NO_ROOM}: {lack}")
        last = await _write(arrival, opening, wrapped, sink, received)
        cut = arrival.cut or ("" if wrapped.is_over else "it ends in the midst of what it is packed in")
        found = await asyncio.to_thread(sink.finish, last, cut)
    except (wrapping.Unwrappable, Interrupted) as error:
        return await _dropped(part, Fetched.CORRUPT, str(error))
    except asyncio.CancelledError:  # the run is ended, perhaps because the disk is full
        sink.close()
        files.remove_quietly(part)
        raise
    finally:
        sink.close()
    if isinstance(found, str):
        return await _dropped(part, Fetched.CORRUPT, found)
    return Part(Fetched.COMPLETE, sha256=sink.digest.hexdigest(), bytes=sink.size, video=found)


class _Sink:
    """The part while it is written, from threads, one piece at a time.

    A cancelled download leaves its thread at work. Closing waits for it: a descriptor that was closed under
    a write could by then be another file's, and a part that is opened afterwards would stay.
    """

    def __init__(self, part: Path) -> None:
        self.size, self.digest = 0, hashlib.sha256()
        self._part, self._is_closed = part, False
        self._descriptor: int | None = None
        self._turn = threading.Lock()

    def open(self, wanted: int) -> str | None:
        """Begin the part, new and empty, unless it was closed; what the disk lacks for so many bytes, or None."""
        with self._turn:
            if self._is_closed:
                return None
            files.make_folder(self._part.parent)
            if (lack := room.lack(self._part.parent, wanted)) is not None:
                return lack
            files.remove_quietly(self._part)
            self._descriptor = files.create_exclusively(self._part)
        return None

    def write(self, pieces: Sequence[bytes]) -> None:
        """Hash and write. Pieces aren't joined for it: that would take as long as a third of the hash, and room."""
        with self._turn:
            self._write(pieces)

    def _write(self, pieces: Sequence[bytes]) -> None:
        if self._descriptor is None:
            return
        for piece in pieces:
            self.digest.update(piece)
            files.write_all(self._descriptor, piece, self._part)
            self.size += len(piece)

    def finish(self, last: Sequence[bytes], cut: str) -> Video | str:
        """Write the last pieces, force all onto the disk, and look at what is there.

        Args:
            last: may be none.
            cut: why there is no more, where there should be.

        Returns:
            What the video says of itself, or why it isn't whole.
        """
        with self._turn:
            self._write(last)
            if self._descriptor is not None:
                files.sync(self._descriptor, self._part)
            self._close()
        files.sync_folder(self._part.parent)  # without the turn: who closes meanwhile needn't wait for this
        return _looked_at(self._part, self.size, cut)

    def close(self) -> None:
        """Close the file; what a thread still wants to write is dropped."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        self._is_closed = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@dataclass(slots=True)
class _Pace:
    """Gives up a download that is too slow: others would wait half an hour for its place."""

    window: float
    _size: int = 0
    _since: float = field(default_factory=time.monotonic)

    def count(self, size: int) -> None:
        """Count bytes that came; raises `Interrupted` if too few came in the last window."""
        self._size += size
        waited = time.monotonic() - self._since
        if waited >= self.window:
            if self._size < SLOWEST_WINDOW:
                raise Interrupted(f"too slow: {counted(self._size, 'byte')} in {waited:.0f} s")
            self._size, self._since = 0, time.monotonic()


async def _write(
    arrival: _Arrival, opening: bytes, wrapped: wrapping.Wrapping, sink: _Sink, received: Received
) -> list[bytes]:
    """Write the video as it comes, but for its last pieces, which are returned."""
    waiting: list[bytes] = []
    size, chunk = 0, opening or None
    while chunk is not None:
        for piece in wrapped.feed(chunk):
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE:
                await asyncio.to_thread(sink.write, waiting)
                waiting, size = [], 0
                received(sink.size, arrival.stream.length)
            if sink.size > LARGEST_VIDEO:
                raise Interrupted(f"more than {LARGEST_VIDEO:,} bytes")
        chunk = None if arrival.cut else await arrival.next()
    return waiting


def _looked_at(part: Path, size: int, cut: str) -> Video | str:
    """What arrived, or why it isn't whole. Its boxes decide, not the transport, unless more could have followed."""
    if size < SMALLEST_VIDEO:
        return cut or f"only {counted(size, 'byte')}"
    crashpoints.reach("walk", part)
    found = boxes.look(part)
    if isinstance(found, boxes.BoxFault):
        return cut or found.reason
    return cut if cut and not found.closed else found


async def _dropped(part: Path, fetched: Fetched, why: str) -> Part:
    await asyncio.to_thread(files.remove_quietly, part)
    return Part(fetched, why)
