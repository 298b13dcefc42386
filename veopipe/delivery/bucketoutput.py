"""An output that is a prefix of a bucket: listed once, when a run looks, and claimed before the first create.

Source: docs/scale.md, a; docs/design.md, 5 (Whose ledger it is).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from veopipe.delivery.buckets.bucket import Bucket
from veopipe.delivery.buckets.objects import StoreFault
from veopipe.delivery.buckets.shelf import BucketShelf, make_scratch
from veopipe.delivery.shelf import FolderShelf, names_in, strange
from veopipe.delivery.shelves import Shelves
from veopipe.errors import EnvironmentFault, LedgerRefused
from veopipe.ledger.ledgerfile import Ledger
from veopipe.ledger.paths import Places
from veopipe.takes.take import ShotState
from veopipe.text import printable

_RIGHTS = "docs/scale.md says which rights are needed, and what the environment is to have"


class BucketOutput:
    """A prefix of a bucket. It is listed once, when a run looks.

    Args:
        places: the list's; its output is such a prefix.
        ledger: the id of its ledger.
        at_once: takes that may be on their way there. They have threads of their own: a video takes its time, and at
            the end nobody waits for these.
    """

    def __init__(self, places: Places, ledger: str, at_once: int) -> None:
        self.places = places
        self._bucket = Bucket(places.output_base, places.name, ledger)
        self.shelf = Shelves(BucketShelf(places, self._bucket), FolderShelf(places), ledger)
        self.threads = ThreadPoolExecutor(at_once, "store")
        self._owner: str | None = None

    @property
    def is_seen(self) -> bool:
        """Whether it was listed."""
        return self._bucket.seen is not None

    def look(self, ledger: Ledger) -> Ledger:
        """List it, and see whose it is; as `Output` says."""
        with _usable(self._bucket.url):
            self._bucket.list()
            if ".ledger" in (self._bucket.seen or {}):
                self._owner = self._bucket.owner()
        if ledger.is_lost and self._owner:
            ledger = replace(ledger, id=self._owner)
        self._bucket.ledger = self.shelf.ledger = ledger.id
        self._check(ledger)
        return ledger

    def _check(self, ledger: Ledger) -> None:
        if self._owner not in {None, ledger.id}:
            where = self._bucket.url
            raise LedgerRefused(
                f"{where} belongs to another ledger (its .ledger says {printable(self._owner or '')[:12]}…)",
                hint="bring its ledger back if this is a new checkout, or write another `output` into the pipeline",
            )

    def claim(self, ledger: Ledger) -> None:
        """Make the scratch folder, and `.ledger` in the bucket; as `Output` says."""
        try:
            make_scratch(self.places)
        except OSError as error:
            raise EnvironmentFault(f"{self.places.scratch} can't be used: {error.strerror}") from None
        if self._owner is None:
            with _usable(self._bucket.url):
                self._owner = self._bucket.claim()
        self._check(ledger)

    def strays(self, states: Mapping[str, ShotState], ids: Iterable[str]) -> dict[str, str]:
        """What the list of it has, and the parts on this disk; as `Output` says."""
        known, wanted = set(self._bucket.seen or {}), set(ids)
        takes = [name.removeprefix("takes/") for name in sorted(known) if name.startswith("takes/")]
        parts = [name for name in names_in(self.places.scratch) if name.endswith(".part")]
        scratch = f"{self.places.ledger_base}/{self.places.name}/scratch"
        return {
            **{shot: f"{scratch}/{name}" for shot, name in strange(parts, states, wanted).items()},
            **{shot: f"{self._bucket.url}/takes/{name}" for shot, name in strange(takes, states, wanted).items()},
        }

    def close(self) -> None:
        """Begin nothing more, and wait for nothing; as `Output` says."""
        self._bucket.close()
        self.shelf.close()
        self.threads.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _usable(where: str) -> Iterator[None]:
    """What a store says against it ends the command."""
    try:
        yield
    except StoreFault as fault:
        unset = where.startswith("s3:") and not os.environ.get("AWS_ACCESS_KEY_ID", "").strip()
        hint = f"AWS_ACCESS_KEY_ID isn't set; {_RIGHTS}" if unset else _RIGHTS
        raise EnvironmentFault(f"{where} can't be used: {fault.strerror}", hint=hint) from None
