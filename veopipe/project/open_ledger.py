"""The ledger of a project: what was made of it, and what a run would do now.

It changes, so it is opened when it is needed. Whoever writes holds the lock: what was read before it may be stale.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from veopipe.delivery.output import Output, output_of
from veopipe.delivery.shelf import Shelf
from veopipe.film import review
from veopipe.ledger import leftovers, owner, rescue
from veopipe.ledger.ledgerfile import Ledger, Mark
from veopipe.ledger.store import Store, open_store
from veopipe.pipeline.pipeline import Pipeline
from veopipe.plan.plan import LOST, Chaining, Draft, Plan, Wanted, World
from veopipe.plan.planner import make_plan
from veopipe.plan.renames import may_be_exchanged
from veopipe.project.project import Project
from veopipe.takes.order import key_of
from veopipe.takes.take import Attempt, attempts_of
from veopipe.takes.verdict import Reviews
from veopipe.text import printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.film.editing import Editing


@dataclass(slots=True)
class OpenLedger:
    """The ledger of a project, as it was when it was opened, with all that was recorded since.

    Attributes:
        project: whose.
        head: what `ledger.json` says.
        store: its state files.
        output: where its takes go.
        reviews: what people said of its takes.
    """

    project: Project
    head: Ledger
    store: Store
    output: Output
    reviews: Reviews = field(default_factory=Reviews)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        """The lock is given up: threads that still run write no state file any more."""
        self.output.close()
        with self._writing:
            self.store.close()

    @property
    def shelf(self) -> Shelf:
        """Where its takes are put, and found again."""
        return self.output.shelf

    @property
    def where(self) -> str:
        """Its folder, as people know it."""
        return f"{self.project.places.ledger_base}/{self.project.places.name}"

    @property
    def is_empty(self) -> bool:
        """Whether no shot has a state file here."""
        return not (self.store.shots or self.store.unusable.shots)

    @property
    def remarks(self) -> list[str]:
        """What people should know of its files before they read anything else."""
        where, said = f"{self.where}/state", []
        if strange := self.store.unusable.strange:
            shown = ", ".join(printable(name, 60) for name in strange[:3]) + (", …" if len(strange) > 3 else "")
            are = "is no state file" if len(strange) == 1 else "are no state files"
            said = [f"{where}: {shown} {are}: another program left what lies there; nothing is read from it"]
        for name, shot in self.store.unusable.copies.items():
            said.append(
                f'{where}: {name} is no state file of its own: its "shot" says {shot}, so nothing is read from it; '
                f'if it is another record, let its "shot" be {name.removesuffix(".json")}'
            )
        return [*said, *_left_behind(self)]

    def look_again(self) -> None:
        """Read what people said of takes since it was opened.

        Raises:
            InvalidInput: a review file has an error.
            EnvironmentFault: their folder can't be read.
        """
        self.reviews = review.read(self.project.places)

    def look_at_output(self) -> None:
        """See what lies where its takes go; raises as `Output.look` does."""
        self.head = self.output.look(self.head)

    def take_in_rescued(self) -> list[str]:
        """Bring answers that were rescued into their state files; a sentence for each.

        Raises:
            NotRecorded: a state file still can't be written; the rescued answer stays where it is.
        """
        told = "an answer that couldn't be recorded in its place was taken in"
        return [f"{shot}: {told}" for shot in rescue.merge(self.store)]

    def write(
        self, *, open_runs: tuple[str, ...] | None = None, guard: Mark | None = None, starts: bool = False
    ) -> None:
        """Let `ledger.json` say how things stand now, unless it does.

        Args:
            open_runs: instead of the ledger's.
            guard: the same.
            starts: begin a ledger if there is none.

        Raises:
            EnvironmentFault: it can't be written.
        """
        with self._writing:  # not the store's: takes are recorded meanwhile
            if self.store.is_closed or (self.head.is_new and not starts):  # the lock is another process's by now
                return
            places = self.project.places
            given: dict[str, Any] = {"open_runs": open_runs, "guard": guard}
            attempts = None if places.simulated else self.store.count.made()
            changed = {name: value for name, value in given.items() if value is not None}
            wanted = replace(self.head, manifest=places.manifest.name, attempts=attempts, **changed)
            if wanted != self.head or not wanted.is_written:
                self.head = owner.write(places, wanted)

    def lost(self) -> dict[str, list[str]]:
        """The shots of whose wanted orders some were made and have no record here, with the keys of these orders."""
        found: dict[str, list[str]] = {}
        for item in self.plan(anywhere=True).items if self.store.count.lost else ():
            if item.reason.endswith(LOST):
                found.setdefault(item.shot, []).append(key_of(item.fingerprint))
        return found

    def give_up(self, orders: Iterable[str]) -> None:
        """Expect no record of what was made for orders, by their keys: they may be made again.

        Raises:
            EnvironmentFault: that can't be written.
        """
        for order in orders:
            self.store.count.give_up(order)
        self.write()

    def plan(self, *, anywhere: bool = False) -> Plan:
        """What a run would do now.

        Args:
            anywhere: for commands that only look: takes of every gateway count.
        """
        project, store = self.project, self.store
        world = World(
            states=store.shots,
            unreadable=store.unusable.unreadable,
            missing=store.unusable.missing,
            lost=store.count.lost,
            strays=self.output.strays(store.shots, project.wanted),
            gateway=None if anywhere else project.address.name,
            retry_all=project.choices.retry_failed,
            retry_failed=project.pipeline.limits.retry_failed,
            manifest_ids=project.manifest.shots.keys(),
            reviews=self.reviews,
        )
        chaining = Chaining(
            project.unselected,
            refresh=project.choices.refresh,
            only_picked=project.pipeline.chain == "picked",
            draft=_draft(project.pipeline),
            others=self._others(),
        )
        return make_plan(project.wanted, world, departed_too=not project.choices.selects, chaining=chaining)

    def _others(self) -> dict[str, Wanted]:
        """The shots that aren't selected, if selected ones may have exchanged ids with them."""
        project, states = self.project, self.store.shots
        if not project.choices.selects or not states:
            return {}
        keys = {
            shot: [order.key(order.fingerprint()) for order in one.orders()] for shot, one in project.wanted.items()
        }
        return project.others() if may_be_exchanged(keys, states) else {}

    def editing(self) -> Editing:
        """What the films of the list are cut from."""
        from veopipe.film.editing import Editing  # which measures files

        orders = {shot: wanted.order for shot, wanted in self.project.wanted.items()}
        plan = self.plan(anywhere=True)
        return Editing(self.project.shelf, self.head.id, plan, self.store.shots, self.reviews, orders)

    def attempts(self) -> Iterator[Attempt]:
        """All attempts of the selected shots; when nothing is selected, of shots that left the manifest, too."""
        chosen = self.project.wanted if self.project.choices.selects else self.store.shots
        return attempts_of(state for shot, state in self.store.shots.items() if shot in chosen)


def open_ledger(project: Project) -> OpenLedger:
    """The ledger of a project as it is now.

    Raises:
        LedgerRefused: it, or the output folder, belongs to something else.
        EnvironmentFault: it can't be read.
        InvalidInput: a review file can't.
    """
    places = project.places
    head = owner.look_up(places)
    store = open_store(places, None if places.simulated else head.attempts)
    output = output_of(places, head.id, project.pipeline.limits.downloads)
    return OpenLedger(project, head, store, output, review.read(places))


def _draft(pipeline: Pipeline) -> Draft | None:
    """The pipeline whose picks are waited for; a `size` that one of the two overrides is an aspect ratio, too."""
    if pipeline.after is None:
        return None
    overridden = {*pipeline.after.overrides, *pipeline.overrides.nodes}
    if "size" in overridden:
        overridden.add("aspect_ratio")
    return Draft(pipeline.after.name, pipeline.after.output, frozenset(overridden))


def _left_behind(ledger: OpenLedger) -> Iterator[str]:
    """What lies under an earlier name of a list whose ledger was moved by hand."""
    places, states = ledger.project.places, ledger.store.shots
    if states and not places.simulated:
        takes = [take for state in states.values() for take in state.takes]
        yield from leftovers.videos(places, ledger.head.id, takes)
        yield from review.left_behind(places, ledger.reviews, takes)


def rename_remark(ledger: OpenLedger) -> str | None:
    """What a run would be told if the list was renamed and its ledger wasn't; a rehearsal just begins anew."""
    places = ledger.project.places
    return owner.renamed(places) if ledger.head.is_new and not places.simulated else None
