"""The shelves of one list beside each other: new takes go to one, older ones stay where their records say.

A list may have begun with a folder and go on with a bucket, or the other way round. Nothing moves by that, and nothing
is bought; finished names are given where the pipeline's output is, to the takes that lie there.

Source: docs/scale.md, a.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from veopipe.delivery.shelf import FolderShelf, Shelf, Shown
from veopipe.documents.standins import StandIn
from veopipe.ledger.paths import Places
from veopipe.ledger.prefixes import is_prefix
from veopipe.takes.take import Delivered, Take
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.delivery.buckets.shelf import BucketShelf


@dataclass(slots=True)
class Shelves:
    """A `Shelf` that asks the one on which a take lies.

    Attributes:
        here: where new takes go.
        folder: for takes that lie in a folder.
        ledger: the id of the list's ledger, by which a bucket's takes are known.
    """

    here: FolderShelf | BucketShelf
    folder: FolderShelf
    ledger: str = ""
    _others: dict[str, BucketShelf] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        """The folders of the list."""
        return self.here.places

    def close(self) -> None:
        """Nobody waits for former buckets any more."""
        for shelf in tuple(self._others.values()):
            shelf.bucket.close()

    def _of(self, file: Delivered) -> Shelf:
        """Where a take lies."""
        if not is_prefix(file.output):
            return self.folder
        if file.output == self.places.output_base:
            return self.here
        if file.output not in self._others:
            from veopipe.delivery.buckets.bucket import Bucket  # these two, where a take lies in a store
            from veopipe.delivery.buckets.shelf import BucketShelf

            bucket = Bucket(file.output, self.places.name, self.ledger)
            self._others[file.output] = BucketShelf(self.places, bucket)
        return self._others[file.output]

    def part(self, shot: str, number: int) -> Path:
        """Where new takes go."""
        return self.here.part(shot, number)

    def expected(self, shot: str, number: int, sha256: str, size: int) -> Delivered:
        """The record of a take that goes where new ones go."""
        return self.here.expected(shot, number, sha256, size)

    def locate(self, take: Take, *, parts: bool = True, anew: bool = True) -> Path | Delivered | None:
        """Where the record expected it."""
        return self._of(take.file).locate(take, parts=parts, anew=anew) if take.file is not None else None

    def put_away(self, source: Path, take: Take, file: Delivered) -> Delivered:
        """Where the record expected it."""
        return self._of(file).put_away(source, take, file)

    def publish(self, shot: str, take: Take, others: Iterable[Take]) -> Shown:
        """Here; nothing is done for a take that lies elsewhere."""
        if take.file is not None and _is_elsewhere(self.places, take.file):
            return Shown(take.file)
        return self.here.publish(shot, take, others)

    def restore(self, shot: str, take: Take) -> bool:
        """Where it lies."""
        return take.file is not None and self._of(take.file).restore(shot, take)

    def instead(self, shot: str, take: Take) -> StandIn | None:
        """Where it lies."""
        return self._of(take.file).instead(shot, take) if take.file is not None else None

    def is_shown(self, shot: str, file: Delivered) -> bool:
        """Here; a take that lies elsewhere is shown nowhere, so it need only be there."""
        return self.is_whole(file) if _is_elsewhere(self.places, file) else self.here.is_shown(shot, file)

    def is_whole(self, file: Delivered) -> bool:
        """Where it lies."""
        return self._of(file).is_whole(file)

    def found(self, shot: str, take: Take) -> str | None:
        """Where it lies."""
        return self._of(take.file).found(shot, take) if take.file is not None else None

    def address(self, file: Delivered) -> str:
        """Where it lies."""
        return self._of(file).address(file)

    def bring(self, file: Delivered, shot: str | None = None, *, exactly: bool = True) -> Path:
        """From where it lies."""
        return self._of(file).bring(file, shot, exactly=exactly)


def _is_elsewhere(places: Places, file: Delivered) -> bool:
    """Whether names that are given in the list's output can't show a take: it lies in a store, or they do."""
    stored, here = is_prefix(file.output), is_prefix(places.output_base)
    return stored != here or (stored and file.output != places.output_base)
