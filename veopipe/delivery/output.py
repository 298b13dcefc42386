"""The output of one list as a whole: where its takes go, whose it is, and what lies there that no state file knows.

Source: docs/design.md, 5 (Videos) and 5 (Whose ledger it is).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from veopipe.delivery.shelf import FolderShelf, Shelf, strays
from veopipe.delivery.shelves import Shelves
from veopipe.ledger import owner
from veopipe.ledger.ledgerfile import Ledger
from veopipe.ledger.paths import Places
from veopipe.ledger.prefixes import is_prefix
from veopipe.takes.take import ShotState
from veopipe.values import dataclass

if TYPE_CHECKING:
    from concurrent.futures import Executor


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
        """Wait for no former bucket; as `Output` says."""
        self.shelf.close()


def output_of(places: Places, ledger: str = "", at_once: int = 4) -> Output:
    """The output of a list.

    Args:
        places: the list's.
        ledger: the id of its ledger, for whoever puts something there.
        at_once: takes that may be on their way there.
    """
    if is_prefix(places.output_base):
        from veopipe.delivery.bucketoutput import BucketOutput  # with what speaks to stores, which folders don't need

        return BucketOutput(places, ledger, at_once)
    folder = FolderShelf(places)
    return FolderOutput(places, Shelves(folder, folder, ledger))
