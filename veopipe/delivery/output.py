"""The output of one list as a whole: where its takes go, whose it is, and what lies there that no state file knows.

Source: docs/design.md, 5 (Videos) and 5 (Whose ledger it is).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from veopipe.delivery.bucket import Bucket
from veopipe.delivery.bucketshelf import BucketShelf, make_scratch
from veopipe.delivery.objects import StoreFault
from veopipe.delivery.shelf import FolderShelf, Shelf, names_in, strange, strays
from veopipe.delivery.shelves import Shelves
from veopipe.errors import EnvironmentFault, LedgerRefused
from veopipe.ledger import owner
from veopipe.ledger.ledgerfile import Ledger
from veopipe.ledger.paths import Places
from veopipe.ledger.prefixes import is_prefix
from veopipe.takes.take import ShotState
from veopipe.text import printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from concurrent.futures import Executor

_RIGHTS = "docs/scale.md says which rights are needed, and what the environment is to have"


class Output(Protocol):
    """Where the takes of one list go."""

    @property
    def shelf(self) -> Shelf:
        """Its takes, one at a time."""

    @property
    def threads(self) -> Executor | None:
        """What takes are put away in; None: any thread will do, since it takes no time."""

    @property
    def is_seen(self) -> bool:
        """Whether it is known what lies there, so that finished names can be given."""

    def look(self, ledger: Ledger) -> Ledger:
        """See what lies there, before a run plans. Changes nothing there.

        Returns:
            The ledger, with the id that the output remembers where the ledger's own is lost.

        Raises:
            EnvironmentFault: it can't be looked at.
            LedgerRefused: it belongs to another ledger.
        """

    def claim(self, ledger: Ledger) -> None:
        """Make it ready to be put into, and write whose it is, before the first create.

        Raises:
            EnvironmentFault: it can't be made or used.
            LedgerRefused: it belongs to another ledger.
        """

    def strays(self, states: Mapping[str, ShotState], ids: Iterable[str]) -> dict[str, str]:
        """Shots with takes (or parts) there that no state file knows, with one name each, as far as it is known.

        Args:
            states: what the state files know.
            ids: the shots of the list.

        Raises:
            EnvironmentFault: it can't be looked at, so what it holds isn't known.
        """

    def close(self) -> None:
        """Nothing more is put there by this process; what is under way isn't waited for."""


@dataclass(frozen=True, slots=True)
class FolderOutput:
    """A folder beside the list. It is looked at each time anew, and its owner when the ledger is opened."""

    places: Places
    shelf: Shelves
    threads: None = None
    is_seen: bool = True

    def look(self, ledger: Ledger) -> Ledger:
        """The ledger as it is: opening it looked here."""
        return ledger

    def claim(self, ledger: Ledger) -> None:
        """Make the folder, and its `.ledger`; as `Output` says."""
        owner.claim_output(self.places, ledger)

    def strays(self, states: Mapping[str, ShotState], ids: Iterable[str]) -> dict[str, str]:
        """What lies in the folder now; as `Output` says."""
        return strays(self.places, states, ids)

    def close(self) -> None:
        """Nothing is under way here."""


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
        self.shelf = Shelves(BucketShelf(places, self._bucket), FolderShelf(places))
        from concurrent.futures import ThreadPoolExecutor  # with logging, which plans and reports don't need

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
        self._bucket.ledger = ledger.id
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
        """Begin nothing more; as `Output` says."""
        self.threads.shutdown(wait=False, cancel_futures=True)


def output_of(places: Places, ledger: str = "", at_once: int = 4) -> Output:
    """The output of a list.

    Args:
        places: the list's.
        ledger: the id of its ledger, for whoever puts something there.
        at_once: takes that may be on their way there.
    """
    if is_prefix(places.output_base):
        return BucketOutput(places, ledger, at_once)
    folder = FolderShelf(places)
    return FolderOutput(places, Shelves(folder, folder))


@contextlib.contextmanager
def _usable(where: str) -> Iterator[None]:
    """What a store says against it ends the command."""
    try:
        yield
    except StoreFault as fault:
        unset = where.startswith("s3:") and not os.environ.get("AWS_ACCESS_KEY_ID", "").strip()
        hint = f"AWS_ACCESS_KEY_ID isn't set; {_RIGHTS}" if unset else _RIGHTS
        raise EnvironmentFault(f"{where} can't be used: {fault.strerror}", hint=hint) from None
