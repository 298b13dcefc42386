"""Editing: what a cut comes to with the takes that are there, and what is made of it.

* A clip shows the chosen take of its shot in this output folder, or the one that the cut names. Without a usable one
  its place stays, with the reason.
* A file that isn't from the ledger lies in the list's folder or its git work tree, as every file that a list names.
* Where a film is made, locked or compared, its files are hashed; a listing looks at their size.

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from veopipe import files
from veopipe.delivery.shelf import Absent, Elsewhere, Shelf
from veopipe.documents import neighbours
from veopipe.documents.problems import Finding, Findings
from veopipe.errors import UsageError
from veopipe.film import cutfile, cutting, footage, lock
from veopipe.film.cutfile import Clip, Cut
from veopipe.film.cutting import Film, Material
from veopipe.film.footage import FILM, USUAL, Footage
from veopipe.plan.plan import Plan
from veopipe.takes.order import Order
from veopipe.takes.status import Status
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import Reviews, Verdict
from veopipe.values import dataclass

Counting = Callable[[Sequence[Path]], list[Footage | str]]


@dataclass(frozen=True, slots=True)
class Editing:
    """The takes of a list as an editor sees them, at one moment.

    Attributes:
        shelf: where they lie.
        ledger: the id of the list's ledger.
        plan: what is chosen.
        states: all takes.
        reviews: what people said of them.
        orders: of every shot of the list, in its order.
    """

    shelf: Shelf
    ledger: str
    plan: Plan
    states: Mapping[str, ShotState]
    reviews: Reviews
    orders: Mapping[str, Order] = field(repr=False)

    def film(self, name: str | None = None, *, exactly: bool = False, count: Counting | None = None) -> Film:
        """A cut laid out.

        Args:
            name: the cut's; None: `main`, or every shot, whole, in the list's order.
            exactly: hash the files.
            count: says what videos hold, instead of what is on record; then they are hashed, too.

        Raises:
            UsageError: there is no such cut, or a video can't be counted.
            InvalidInput: the cut has errors, or shows what isn't there.
        """
        cut = cutfile.read(self.shelf.places, name, self.orders)
        materials = self._materials(cut, exactly=exactly or count is not None)
        if count is not None:
            materials = _counted(cut, materials, count)
        film = cutting.lay_out(cut, materials)
        locked = lock.read(self.shelf.places, film.name)
        return _noted(film, lock.changed_under_trims(film, locked)) if locked is not None else film

    def write_lock(self, film: Film) -> list[str]:
        """Lock a film that was looked at exactly; nothing is written if something isn't decided.

        Returns:
            Why it can't be locked; nothing: it is.

        Raises:
            EnvironmentFault: the file can't be written.
        """
        lacks = lock.unready(film)
        if not lacks:
            lock.write(self.shelf.places, film.name, lock.of(film, self.ledger))
        return lacks

    def differences(self, film: Film) -> list[str]:
        """What of a film that was looked at exactly isn't as it was locked, or isn't decided any more.

        Raises:
            UsageError: it was never locked.
            InvalidInput: the lock can't be read.
        """
        locked = lock.read(self.shelf.places, film.name)
        if locked is None:
            shown = lock.shown_as(self.shelf.places, film.name)
            raise UsageError(f"the cut {film.name} was never locked: there is no {shown}", hint="--lock locks it")
        return [*lock.unready(film), *lock.differences(film, self.ledger, locked)]

    # --- what there is --------------------------------------------------------------------------

    def _materials(self, cut: Cut, *, exactly: bool) -> list[Material | None]:
        findings = Findings()
        stale = {item.shot for item in self.plan.items if item.is_stale}
        numbers = {shot: number for number, shot in enumerate(self.orders, 1)}
        found: list[Material | None] = []
        for clip in cut.clips:
            made = None
            if clip.shot is not None:
                made = self._of_shot(clip, clip.shot, exactly=exactly)
                made = replace(made, is_stale=clip.shot in stale, number=numbers[clip.shot])
            elif clip.file is not None:
                try:
                    made = self._of_file(clip.file, exactly=exactly)
                except LookupError as error:
                    findings.add(_no_file(clip.file, str(error.args[0])), clip.place)
            found.append(made)
        cutfile.refuse(findings.problems(()))
        return self._with_files_measured(cut, found)

    def _of_shot(self, clip: Clip, shot: str, *, exactly: bool) -> Material:
        order = self.orders[shot]
        state = self.states.get(self.plan.moves.get(shot, shot))
        takes = tuple(state.takes) if state is not None else ()
        is_picked = len(self.reviews.picks(takes)) == 1
        take = _take(takes, clip.take) if clip.take is not None else self._chosen(shot, takes)
        if isinstance(take, str):
            planned = footage.ordered(order.seconds, order.size)
            return Material(planned, missing=take, is_picked=is_picked)
        held = (footage.on_record(take.file) if take.file else None) or footage.ordered(order.seconds, order.size)
        missing, path = self._there(shot, take, exactly=exactly)
        sha256 = take.file.sha256 if take.file is not None else None
        return Material(held, take, path, sha256, missing, is_picked, takes=takes)

    def _chosen(self, shot: str, takes: Sequence[Take]) -> Take | str:
        """The chosen take of a shot, or why there is none."""
        choice = self.plan.choices.get(shot)
        if choice is None or choice.number is None:
            return _undecided(self.reviews, takes)
        take = next((take for take in takes if take.number == choice.number), None)
        if take is None or take.file is None:
            return (
                f"take {choice.number} isn't there yet" if take is None else f"take {take.number} is {take.status.word}"
            )
        if take.status is not Status.VERIFIED and self.reviews.verdict(take) is not Verdict.PICK:
            return f"take {take.number} is {take.status.word}: pick it, or ask for another"
        return take

    def _there(self, shot: str, take: Take, *, exactly: bool) -> tuple[str | None, Path | None]:
        """Why a take's file can't be shown, or where it lies."""
        if take.file is None:
            return f"take {take.number} has no file", None
        try:
            return None, self.shelf.bring(take.file, shot, exactly=exactly)
        except Elsewhere:
            return None, None
        except Absent as absent:
            return str(absent), None

    def _of_file(self, written: str, *, exactly: bool) -> Material:
        path = neighbours.find(self.shelf.places.manifest.parent, written, "video")
        try:
            sha256 = files.sha256_of(path) if exactly else None
        except OSError as error:
            raise LookupError(f"{written} can't be read: {error.strerror}") from None
        return Material(Footage(0, FILM, *USUAL), path=path, sha256=sha256)

    def _with_files_measured(self, cut: Cut, found: Sequence[Material | None]) -> list[Material | None]:
        """The same with what was measured of the files that have no record."""
        paths = {made.path: None for made in found if made is not None and made.take is None and made.path is not None}
        held = dict(zip(paths, footage.measured(list(paths)), strict=True))
        return _replaced(cut, found, held)


def _no_file(written: str, why: str) -> Finding:
    return cutfile.NO_FILE.finding(why if written in why else f"{written}: {why}", ())


def _take(takes: Sequence[Take], number: int) -> Take | str:
    take = next((take for take in takes if take.number == number), None)
    there = ", ".join(str(each.number) for each in takes if each.file is not None)
    if take is None:
        return f"there is no take {number}" + (f", only {there}" if there else "")
    return take if take.file is not None else f"take {number} is {take.status.word}: it has no file"


def _undecided(reviews: Reviews, takes: Sequence[Take]) -> str:
    numbers = " and ".join(str(take.number) for take in reviews.undecided(takes))
    if len(reviews.picks(takes)) > 1:
        return f"two picks, takes {numbers}: leave one"
    return f"nobody has chosen among takes {numbers}" if numbers else "no take of it is chosen"


def _replaced(cut: Cut, found: Sequence[Material | None], held: Mapping[Path, Footage | str]) -> list[Material | None]:
    """Material with what its videos hold."""
    findings, made = Findings(), list(found)
    for number, (clip, each) in enumerate(zip(cut.clips, found, strict=True)):
        said = held.get(each.path) if each is not None and each.path is not None else None
        if isinstance(said, str):
            findings.add(_no_file(clip.name, said), clip.place)
        elif said is not None and each is not None:
            made[number] = replace(each, footage=said)
    cutfile.refuse(findings.problems(()))
    return made


def _counted(cut: Cut, found: Sequence[Material | None], count: Counting) -> list[Material | None]:
    """The same with what the decoder counted of each video."""
    paths = list({made.path: None for made in found if made is not None and made.path is not None})
    return _replaced(cut, found, dict(zip(paths, count(paths), strict=True)))


def _noted(film: Film, notes: Mapping[int, str]) -> Film:
    clips = (
        replace(shown, notes=(*shown.notes, notes[number])) if number in notes else shown
        for number, shown in enumerate(film.clips)
    )
    return replace(film, clips=tuple(clips))
