"""A shelf in a bucket: takes are put there whole, and only looked at afterwards.

* `bucket` says what lies where; here is what the rest of veopipe asks of any shelf.
* Before a run looked, records are believed: what only looks (`status`, `report`) never needs a network.
* The part, and what is brought from the bucket, lie in `scratch/` beside the state files.

Source: docs/scale.md, a; docs/design.md, 5 (Videos).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from veopipe import files
from veopipe.delivery.buckets.bucket import Bucket, Thing
from veopipe.delivery.buckets.objects import StoreFault
from veopipe.delivery.marks import Mark
from veopipe.delivery.shelf import Absent, Elsewhere, Shown, holds, lack
from veopipe.documents.standins import StandIn
from veopipe.ledger.paths import Places
from veopipe.takes.status import SETTLED
from veopipe.takes.take import Delivered, Take
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class BucketShelf:
    """The takes of a list in a bucket: those whose records say so."""

    places: Places
    bucket: Bucket

    def part(self, shot: str, number: int) -> Path:
        """In the scratch folder."""
        return self.places.scratch / f".{shot}.{number:03d}.part"

    def expected(self, shot: str, number: int, sha256: str, size: int) -> Delivered:
        """The record of a take that was downloaded and will get this name."""
        return Delivered(self.bucket.output, f"{shot}.{number:03d}.mp4", sha256, size)

    def locate(self, take: Take, *, parts: bool = True, anew: bool = True) -> Path | Delivered | None:
        """Its part, or what the bucket has of its task; as `Shelf` says."""
        if take.file is None:
            return None
        part = self.places.scratch / f".{Path(take.file.name).stem}.part"
        if parts and lack(part, take.file) is None:
            return part
        if not (anew or f"takes/{take.file.name}" in (self.bucket.seen or {})):
            return None
        return self.bucket.find(take.file.name, take.last.task_id or "")

    def put_away(self, source: Path, take: Take, file: Delivered) -> Delivered:
        """Send a measured part; as `Shelf` says."""
        mark = Mark.of(self.bucket.ledger, take.last.task_id or "", file)
        put = self.bucket.put(source, file.name, mark)
        files.remove_quietly(source)
        is_this = put.sha256 == file.sha256
        return replace(file, output=put.output, name=put.name, stored=put.stored) if is_this else put

    def publish(self, shot: str, take: Take, _others: Iterable[Take]) -> Shown:
        """Copy the take to its finished name, in the store, unless that is so; as `Shelf` says."""
        file = take.file
        if file is None:
            return Shown(None)
        finished = f"{shot}.mp4"
        there = self.bucket.look(finished)
        if there is not None and not self.bucket.is_ours(there):
            words = f"{self.bucket.url}/{finished} holds none of the takes of {shot}: left alone"
            return Shown(file, f"{words}; move it away, and a run puts the take there")
        if there is None or not _is(there, file):
            there = self.bucket.copy(f"takes/{file.name}", finished)
        known = dict(file.stored or {}, finished=there.seen.etag) if _is(there, file) else dict(file.stored or {})
        return Shown(replace(file, stored=self._with_etag(known, file)))

    def _with_etag(self, stored: dict[str, str], file: Delivered) -> dict[str, str]:
        """What is on record of a take's objects, with another etag only if it is known to be of this file."""
        listed = (self.bucket.seen or {}).get(f"takes/{file.name}")
        if listed is None or listed.etag == stored.get("etag"):
            return stored
        there = self.bucket.look(f"takes/{file.name}")
        return {**stored, "etag": there.seen.etag} if there is not None and _is(there, file) else stored

    def restore(self, shot: str, take: Take) -> bool:
        """Whether it is there, copied back from the finished name if only that is left; as `Shelf` says."""
        file = take.file
        if file is None:
            return False
        own, finished = f"takes/{file.name}", f"{shot}.mp4"
        there = self.bucket.look(own)
        if there is None and _is(self.bucket.look(finished), file):
            there = self.bucket.copy(finished, own)
        return _is(there, file)

    def instead(self, _shot: str, _take: Take) -> StandIn | None:
        """Nothing: a store has no stand-ins."""
        return None

    def is_shown(self, shot: str, file: Delivered) -> bool:
        """Whether the list of the bucket has both as they are on record; as `Shelf` says."""
        if self.bucket.seen is None:
            return True
        copy = self.bucket.seen.get(f"{shot}.mp4")
        return self.is_whole(file) and copy is not None and copy.etag == (file.stored or {}).get("finished")

    def is_whole(self, file: Delivered) -> bool:
        """Whether the list of the bucket has it as it is on record; as `Shelf` says."""
        if self.bucket.seen is None:
            return True
        there = self.bucket.seen.get(f"takes/{file.name}")
        etag = (file.stored or {}).get("etag")
        return there is not None and there.size == file.bytes and etag in {None, there.etag}

    def found(self, _shot: str, take: Take) -> str | None:
        """The take's own address, since the finished name may show another one by now; as `Shelf` says."""
        if take.file is None or take.status not in SETTLED:
            return None
        return self.address(take.file) if self.is_whole(take.file) else None

    def address(self, file: Delivered) -> str:
        """Its URL."""
        return f"{self.bucket.url}/takes/{file.name}"

    def bring(self, file: Delivered, _shot: str | None = None, *, exactly: bool = True) -> Path:
        """Fetch it into the scratch folder, unless it was; as `Shelf` says. Only `exactly` is anything fetched."""
        target = self.places.scratch / file.name
        if holds(target, file) if exactly else target.is_file() and target.stat().st_size == file.bytes:
            return target
        if not exactly:
            raise Elsewhere(self.address(file), "in a store, not on this disk")
        make_scratch(self.places)
        coming = target.with_name(f"{files.TEMPORARY_PREFIX}{os.urandom(6).hex()}")
        try:
            self.bucket.objects.fetch(f"takes/{file.name}", coming)
            if (fault := lack(coming, file)) is not None:
                raise Absent(self.address(file), str(fault))
            files.rename(coming, target)
        except StoreFault as fault:
            raise Absent(self.address(file), f"not to be had: {fault.strerror}") from None
        except OSError as error:
            raise Absent(self.address(file), f"not to be had: {error.strerror}") from None
        finally:
            files.remove_quietly(coming)
        return target


def _is(thing: Thing | None, file: Delivered) -> bool:
    """Whether what lies under a name is this file."""
    if thing is None or thing.mark is None:
        return False
    return thing.mark.sha256 == file.sha256 and thing.seen.size == file.bytes


def make_scratch(places: Places) -> None:
    """Make the scratch folder, which git leaves out whole; raises `OSError`."""
    ignore = places.scratch / ".gitignore"
    if not ignore.exists():
        files.make_folder(places.scratch, 0o700)
        files.replace(ignore, b"*\n")
