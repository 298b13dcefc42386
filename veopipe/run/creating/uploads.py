"""The pictures of a create, made ready just before it: files read once more, frames taken of other shots' videos.

All of it happens before the intent is written: what can't be had holds the shot, and nothing is sent.

Source: docs/design.md, 10 and 12 (Chains).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import field
from pathlib import Path

from veopipe import files
from veopipe.dialects.base import Picture
from veopipe.errors import ExitCode
from veopipe.film.frames import Frames, NoFrame
from veopipe.ledger import record
from veopipe.manifest import pictures, shots
from veopipe.plan.plan import Item, Source
from veopipe.project.open_ledger import OpenLedger
from veopipe.takes.moment import Moment
from veopipe.takes.order import Order
from veopipe.takes.status import Status
from veopipe.takes.take import Sent, Take
from veopipe.takes.verdict import Verdict
from veopipe.values import dataclass


class Held(Exception):
    """A take can't be created as it was planned; the text says why. Nothing was sent.

    Attributes:
        code: that the run ends with for it.
    """

    def __init__(self, why: str, code: ExitCode = ExitCode.ENVIRONMENT) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Uploads:
    """What goes out with an order.

    Attributes:
        pictures: in the order's order.
        sent: what is recorded of those that are frames.
    """

    pictures: list[Picture] = field(default_factory=list)
    sent: tuple[Sent, ...] = ()


@dataclass(slots=True)
class Preparation:
    """Makes the pictures of creates ready.

    Attributes:
        ledger: of the run.
        frames: of its takes.
        bring_back: sees that a verified take is on disk.
    """

    ledger: OpenLedger
    frames: Frames
    bring_back: Callable[[str, Take], Awaitable[None]]

    async def uploads(self, item: Item) -> Uploads:
        """The pictures of an item.

        Raises:
            Held: they can't be had, or what would be bought couldn't be recorded.
        """
        order = item.order
        if order is None:
            return Uploads()
        await asyncio.to_thread(_check, self.ledger, item.shot, order)
        made, sent = [], []
        known, sources = iter(self.ledger.project.pictures.get(item.shot, ())), iter(item.sources)
        boundary = files.work_tree_of(self.ledger.project.manifest.folder)
        for ordered in order.pictures:
            if ordered.frame is None:
                made.append(await asyncio.to_thread(_file, *next(known), boundary))
            else:
                source = next(sources, None)
                if source is None or source.fingerprint != ordered.of:
                    raise Held("its frames are of other takes now; run again", ExitCode.PENDING)
                picture, evidence = await self._frame(source)
                made.append(picture)
                sent.append(evidence)
        return Uploads(made, tuple(sent))

    def _usable(self, source: Source) -> Take:
        """The take that a frame is of, if frames may be taken of it; raises `Held`."""
        state = self.ledger.store.shots.get(source.shot)
        take = next((t for t in state.takes if t.number == source.take), None) if state is not None else None
        if take is None or take.fingerprint != source.fingerprint:
            raise Held(f"take {source.take} of {source.shot} isn't the one of the plan; run again", ExitCode.PENDING)
        picked = self.ledger.reviews.verdict(take) is Verdict.PICK
        if take.status is not Status.VERIFIED and not (picked and take.status is Status.MISMATCHED):
            raise Held(f"take {take.number} of {source.shot} is {take.status.word}", ExitCode.PENDING)
        return take

    async def _frame(self, source: Source) -> tuple[Picture, Sent]:
        """A frame, and what is recorded of it."""
        take = self._usable(source)
        if take.file is not None and not self.ledger.shelf.is_whole(take.file):
            await self.bring_back(source.shot, take)
            take = self._usable(source)  # it may have another name, or other bytes
        if take.file is None:
            raise Held(f"take {take.number} of {source.shot} has no file", ExitCode.PENDING)
        frame = await self.frames.frame_of(take.file, Moment(source.frame))
        where = f"take {take.number} of {source.shot}"
        if isinstance(frame, NoFrame):
            raise Held(f"no frame can be taken of {where}: {frame.reason}", ExitCode.PENDING)
        if frame.is_blank and Moment(source.frame).seconds is None:
            edge = "ends" if source.frame == "last" else "begins"
            raise Held(f"{where} {edge} in black: name another `frame` of it, in seconds", ExitCode.PENDING)
        media_type, content = frame.sent
        evidence = Sent(
            role=source.role,
            shot=source.shot,
            take=take.number,
            frame=source.frame,
            source_sha256=take.file.sha256,
            sha256=files.sha256_of_bytes(content),
            bytes=len(content),
            made_by=frame.made_by,
        )
        return Picture(source.role, media_type, content), evidence


def _file(picture: shots.Picture, planned: str, boundary: Path) -> Picture:
    """A picture's file, read once more: what is sent is what the plan hashed; raises `Held`."""
    try:
        content = pictures.read(picture.path, boundary)
    except (OSError, ValueError) as error:
        raise Held(f"{picture.written} can't be read any more: {error}") from None
    if files.sha256_of_bytes(content) != planned:
        raise Held(f"{picture.written} was changed since the plan; run again")
    return Picture(picture.role, picture.media_type, content)


def _check(ledger: OpenLedger, shot: str, order: Order) -> None:
    """See that an order can be recorded, and be said in the gateway's dialect; raises `Held`."""
    if not record.has_room(ledger.store.shots.get(shot), order):
        raise Held("its prompt is too long, or it was tried too often, for one state file: nothing is sent for it")
    try:
        ledger.project.pipeline.provider.dialect.create(order, ())
    except ValueError as error:
        raise Held(f"{error}: nothing is sent for it") from None
