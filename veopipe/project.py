"""A manifest with its pipeline, as one command sees them, and the ledger that it opens.

Loading reads and checks, and changes nothing. An error in the files is raised here, before anything is sent. What is
read then is a value and stays as it is; the ledger changes, so it is opened when it is needed: `Project.opened`.
"""

from __future__ import annotations

import fnmatch
import shlex
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veopipe.delivery.output import Output, output_of
from veopipe.delivery.shelf import Shelf
from veopipe.documents import standins
from veopipe.errors import EnvironmentFault, ExitCode, InvalidInput, Problem, UsageError
from veopipe.film import review
from veopipe.gateway.address import Address, parse_base_url
from veopipe.ledger import leftovers, moves, owner, rescue
from veopipe.ledger.ledgerfile import Ledger, Mark
from veopipe.ledger.paths import Places
from veopipe.ledger.store import Store, open_store
from veopipe.manifest import pictures
from veopipe.manifest.chains import Link
from veopipe.manifest.shots import Manifest, Picture, Shot, load_manifest
from veopipe.pipeline.pipeline import Pipeline
from veopipe.pipeline.reading import load_pipeline
from veopipe.plan.plan import LOST, Chaining, Draft, Plan, Wanted, World
from veopipe.plan.planner import make_plan
from veopipe.plan.renames import may_be_exchanged
from veopipe.profiles.profile import Model
from veopipe.takes.order import key_of
from veopipe.takes.take import Attempt, attempts_of
from veopipe.takes.verdict import Reviews
from veopipe.text import counted, printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.film.editing import Editing


_ASKING = frozenset({"plan", "run"})
"""Commands that ask, or price, another gateway than the pipeline's by `--base-url`."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says about a manifest.

    Attributes:
        manifest: its path as the user wrote it.
        pipeline: name or path of the pipeline, or None.
        only: globs of shot ids; any may match.
        tags: tags; any may match.
        max_cost: US dollars, or None.
        in_flight: instead of the pipeline's.
        base_url: instead of the pipeline's.
        retry_failed: order another attempt for what failed or was refused.
        executor: instead of the pipeline's.
        simulate: a rehearsal.
        refresh: order again what is stale.
    """

    manifest: Path
    pipeline: str | None = None
    only: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_cost: Decimal | None = None
    in_flight: int | None = None
    base_url: str | None = None
    executor: str | None = None
    retry_failed: bool = False
    simulate: bool = False
    refresh: bool = False

    @property
    def selects(self) -> bool:
        """Whether only a part of the manifest is meant."""
        return bool(self.only or self.tags)

    def takes_in(self, shot: str, tags: Sequence[str]) -> bool:
        """Whether a shot is meant."""
        named = not self.only or any(fnmatch.fnmatchcase(shot, glob) for glob in self.only)
        return named and (not self.tags or not set(self.tags).isdisjoint(tags))

    def command(self, what: str, *more: str, selecting: bool = False) -> str:
        """A whole command about the same list, as a person types it in this folder.

        Args:
            what: its verb, and options of its own: `run --retry-failed`.
            more: what else stands behind its list, such as a shot.
            selecting: with the options that choose shots and attempts: all that a plan of these choices allows.
        """
        return " ".join(self.typed(what, *more, selecting=selecting))

    def typed(self, what: str, *more: str, selecting: bool = False) -> tuple[str, ...]:
        """The words of that command, each as it is typed."""
        verb, *options = what.split()
        words = ["veopipe", verb, moves.typed(str(self.manifest))]
        if self.pipeline is not None:
            words += ["-p", self.pipeline]
        if self.base_url is not None and verb in _ASKING:
            words += ["--base-url", self.base_url]
        words += ["--simulate"] * self.simulate
        if selecting:
            words += [word for glob in self.only for word in ("--only", glob)]
            words += [word for tag in self.tags for word in ("--tag", tag)]
            words += ["--retry-failed"] * self.retry_failed + ["--refresh"] * self.refresh
        return tuple(printable(shlex.quote(word), None) for word in (*words, *more, *options))


@dataclass(frozen=True, slots=True)
class Project:
    """One manifest, ready to be planned.

    Attributes:
        choices: the command line.
        manifest: checked, with the pipeline's overrides applied.
        pipeline: with the command line's options applied.
        places: its folders.
        wanted: the selected shots.
        unselected: others, of which these take frames, directly or not.
        address: the gateway of this command.
        problems: warnings and notes about the files.
        pictures: shot → its pictures with the hash of each.
    """

    choices: Choices
    manifest: Manifest
    pipeline: Pipeline
    places: Places
    wanted: Mapping[str, Wanted]
    address: Address
    problems: tuple[Problem, ...]
    unselected: Mapping[str, Wanted] = field(default_factory=dict)
    pictures: Mapping[str, tuple[tuple[Picture, str], ...]] = field(default_factory=dict)

    @property
    def shelf(self) -> Shelf:
        """Where its takes lie, for commands that only look."""
        return output_of(self.places).shelf

    @property
    def cap(self) -> Decimal | None:
        """The lowest of the three caps, US dollars; money is the one thing where an option doesn't win."""
        caps = (self.manifest.budget_usd, self.pipeline.limits.max_cost_usd, self.choices.max_cost)
        return min((cap for cap in caps if cap is not None), default=None)

    def others(self) -> dict[str, Wanted]:
        """The shots that aren't selected; raises `EnvironmentFault` where a picture can't be read."""
        left = [shot for shot in self.manifest.shots if shot not in self.wanted]
        hashes, models = _hash_pictures(self.manifest, left), self.pipeline.provider.models
        return {shot: _wanted(shot, self.manifest.shots[shot], hashes, models) for shot in left}

    def opened(self) -> OpenLedger:
        """Its ledger as it is now. Whoever writes holds the lock: what was read before it may be stale.

        Raises:
            LedgerRefused: it, or the output folder, belongs to something else.
            EnvironmentFault: it can't be read.
            InvalidInput: a review file can't.
        """
        head = owner.look_up(self.places)
        store = open_store(self.places, None if self.places.simulated else head.attempts)
        output = output_of(self.places, head.id, self.pipeline.limits.downloads)
        return OpenLedger(self, head, store, output, review.read(self.places))


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


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run of a project ended.

    Attributes:
        run: the run's id, which its attempts carry.
        left: what is still to be done.
        codes: exit codes that its reasons to stop ask for.
        notes: why it stopped, for people, the first reason first; none: it came to its end.
        held: shots that it held for a person, with the reason.
        warnings: what it said before it bought anything.
    """

    run: str
    left: Plan
    codes: frozenset[ExitCode] = frozenset()
    notes: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def stopped(self) -> str | None:
        """Why no further create was made, if one was still wanted."""
        return self.notes[0] if self.notes else None


def load(choices: Choices) -> Project:
    """Read and check everything that a command about a manifest needs.

    Raises:
        UsageError: no such manifest or pipeline, or nothing is selected.
        InvalidInput: the manifest or the pipeline has errors.
        LedgerRefused: the ledger or the output folder belongs to something else.
        EnvironmentFault: a file can't be read.
    """
    path = _manifest_path(choices.manifest)
    pipeline, problems = load_pipeline(choices.pipeline, path.parent, simulated=choices.simulate)
    if pipeline is None:
        raise InvalidInput(_summary(problems), problems)
    pipeline = _with_choices(pipeline, choices)
    models = pipeline.provider.models
    loaded = load_manifest(
        path, overrides=pipeline.overrides, models=models, shown_as=str(choices.manifest), selects=choices.takes_in
    )
    problems = (*problems, *loaded.problems)
    if loaded.manifest is None:
        raise InvalidInput(_summary(problems), problems)
    places = Places(path, pipeline.ledger, pipeline.output, choices.simulate)
    owner.look_up(places)
    chosen = _select(loaded.manifest, choices)
    upstream = _upstream(loaded.manifest, chosen)
    hashes = _hash_pictures(loaded.manifest, [*chosen, *upstream])
    wanted, unselected = (
        {shot: _wanted(shot, loaded.manifest.shots[shot], hashes, models) for shot in shots}
        for shots in (chosen, upstream)
    )
    return Project(
        choices=choices,
        manifest=loaded.manifest,
        pipeline=pipeline,
        places=places,
        wanted=wanted,
        unselected=unselected,
        address=Address("http://127.0.0.1", simulated=True)
        if choices.simulate
        else Address(pipeline.provider.base_url),
        problems=problems,
        pictures={
            shot: tuple((picture, hashes[picture]) for picture in loaded.manifest.shots[shot].files) for shot in chosen
        },
    )


def _manifest_path(written: Path) -> Path:
    path = written.absolute()
    if path.is_dir():
        raise UsageError(f"{written} is a folder; name the shot list in it, such as {written / 'shots.yaml'}")
    if not path.exists():
        if (away := standins.of(path)) is not None:
            raise UsageError(f"{written}: {away}")
        folder = [] if written.parent == Path() else [moves.typed(str(written.parent))]
        command = printable(shlex.join(["veopipe", "init", *folder]), None)
        raise UsageError(f"there is no {written}", hint=f"make a small list to start from: {command}")
    return path.parent.resolve() / path.name


def _with_choices(pipeline: Pipeline, choices: Choices) -> Pipeline:
    if choices.in_flight is not None:
        pipeline = replace(pipeline, limits=replace(pipeline.limits, in_flight=choices.in_flight))
    if choices.executor is not None:
        pipeline = replace(pipeline, executor=choices.executor)
    if choices.base_url is not None:
        if choices.simulate:
            raise UsageError("--simulate brings its own gateway; leave --base-url out")
        pipeline = replace(pipeline, provider=replace(pipeline.provider, base_url=address_typed(choices.base_url)))
    return pipeline


def address_typed(base_url: str) -> str:
    """What `--base-url` names.

    Raises:
        UsageError: it is no address.
    """
    try:
        return parse_base_url(base_url)
    except ValueError as error:
        raise UsageError(f"--base-url: {error}") from None


def _select(manifest: Manifest, choices: Choices) -> list[str]:
    chosen = [shot for shot, settings in manifest.shots.items() if choices.takes_in(shot, settings.tags)]
    if not chosen:
        said = [f"--only {glob}" for glob in choices.only] + [f"--tag {tag}" for tag in choices.tags]
        shots = counted(len(manifest.shots), "shot")
        raise UsageError(f"{printable(' '.join(said)) or 'the list'} selects none of {shots}")
    return chosen


def _draft(pipeline: Pipeline) -> Draft | None:
    """The pipeline whose picks are waited for; a `size` that one of the two overrides is an aspect ratio, too."""
    if pipeline.after is None:
        return None
    overridden = {*pipeline.after.overrides, *pipeline.overrides.nodes}
    if "size" in overridden:
        overridden.add("aspect_ratio")
    return Draft(pipeline.after.name, pipeline.after.output, frozenset(overridden))


def _wanted(shot: str, settings: Shot, hashes: Mapping[Picture, str], models: Mapping[str, Model]) -> Wanted:
    links = tuple(picture.shot if isinstance(picture, Link) else None for picture in settings.pictures)
    return Wanted(shot, settings.order(hashes), models[settings.model], settings.takes, uses=settings.uses, links=links)


def _upstream(manifest: Manifest, chosen: list[str]) -> list[str]:
    """The shots that aren't selected and of which selected ones take frames, directly or not."""
    selected, found, look_at = set(chosen), dict[str, None](), list(chosen)
    while look_at:
        for link in manifest.shots[look_at.pop()].links:
            if link.shot not in selected and link.shot not in found:
                found[link.shot] = None
                look_at.append(link.shot)
    return list(found)


def _hash_pictures(manifest: Manifest, chosen: list[str]) -> dict[Picture, str]:
    by_path: dict[Path, str] = {}
    hashes = {}
    for shot in chosen:
        for picture in manifest.shots[shot].files:
            try:
                if picture.path not in by_path:
                    by_path[picture.path] = pictures.hash_file(picture.path)
            except (OSError, ValueError) as error:
                raise EnvironmentFault(f"{printable(picture.written)} can't be read: {error}") from None
            hashes[picture] = by_path[picture.path]
    return hashes


def _summary(problems: tuple[Problem, ...]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    return f"{counted(errors, 'error')}: nothing was sent"
