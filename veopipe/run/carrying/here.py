"""This process brings finished videos itself; and what is said of a video that anybody brought.

A video may be in its place before it is fetched: by a worker of an earlier run, or by a run that died before it
recorded that. Then it is taken as it lies there.

Source: docs/scale.md, a and c.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from veopipe.delivery.download import Fetched, Part, fetch
from veopipe.delivery.errand import Place, Task
from veopipe.delivery.landing import Folder
from veopipe.delivery.mp4.boxes import Video
from veopipe.delivery.shelf import Shelf
from veopipe.gateway.reads import Reads
from veopipe.ledger.prefixes import is_prefix
from veopipe.run.events import Happening, Journal
from veopipe.takes.take import Delivered, Take
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of fetching one video.

    Attributes:
        part: how the download ended.
        file: the record of it where it was put, with what was measured; None: it is a part on this disk, if anything.
    """

    part: Part
    file: Delivered | None = None

    def whole(self, part: Path) -> tuple[Path | Delivered, Video | None] | None:
        """What is to be judged, and needn't be looked for: the part, or the record of what is in its place."""
        if self.file is not None:
            return self.file, None
        return (part, self.part.video) if self.part.video is not None else None


@dataclass(frozen=True, slots=True)
class Here:
    """This process.

    Attributes:
        gateway: that has the tasks.
        shelf: where takes go.
        place: the same, as workers know it.
        journal: hears how far a download is.
    """

    gateway: Reads
    shelf: Shelf
    place: Place
    journal: Journal

    async def ready(self) -> None:
        """Nothing else is needed."""

    async def carry(self, shot: str, take: Take) -> Carried:
        """Download it into its part, unless it is in its place: by a worker of an earlier run, or off the record.

        Where the gateway has it no more, it is looked for once more: a worker may have been quicker.
        """
        if (left := await self._left_there(shot, take, anew=False)) is not None:
            return left
        carried = await self.bring(shot, take)
        if carried.part.fetched not in {Fetched.GONE, Fetched.NOT_READY}:
            return carried
        return await self._left_there(shot, take, anew=True) or carried

    async def bring(self, shot: str, take: Take) -> Carried:
        """Download it into its part."""
        target = self.shelf.part(shot, take.number)
        journal, began = self.journal, time.monotonic()
        part = await fetch(
            self.gateway,
            take.last,
            target,
            lambda size, length: journal.note(Happening.RECEIVED, shot, take.number, bytes=size, length=length),
        )
        return Carried(replace(part, seconds=time.monotonic() - began))

    async def _left_there(self, shot: str, take: Take, *, anew: bool) -> Carried | None:
        """What is in its place; `anew`: also if that wasn't seen when the run began. Raises `OSError`."""
        landing, name = Folder(self.place), name_of(shot, take)
        if not self.place.folder:
            expected = replace(take, file=self.shelf.expected(shot, take.number, "", 0))
            file = await asyncio.to_thread(partial(put_there, self.shelf, expected, anew=anew))
        elif landing.may_have(name):
            file = await asyncio.to_thread(landing.look, name, task_of(take))
        else:
            return None
        return Carried(Part(Fetched.COMPLETE, sha256=file.sha256, bytes=file.bytes), file) if file else None

    async def close(self) -> None:
        """Nothing is kept open."""


def put_there(shelf: Shelf, take: Take, *, anew: bool = True) -> Delivered | None:
    """The record of what lies in the place of a take, whoever put it there; None: nothing. Blocks; raises `OSError`."""
    if take.file is not None and not is_prefix(take.file.output):
        return take.file if shelf.is_whole(take.file) else None  # who put it there read it
    found = shelf.locate(take, parts=False, anew=anew)
    return found if isinstance(found, Delivered) else None


def name_of(shot: str, take: Take) -> str:
    """What the file of a take is called, without an ending."""
    return f"{shot}.{take.number:03d}"


def task_of(take: Take) -> Task:
    """The task of a take, as an errand knows it."""
    last = take.last
    return Task(last.task_id or "", last.gateway, last.dialect, last.content_url, last.echo_bytes)
