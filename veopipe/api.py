"""The Python API: open a shot list, plan it, run it, look at it. The commands are its first users.

Nothing here prints, asks or ends the process: what people should hear is given to a function of the caller's, a run
buys only what a permission or a cap allows, and what goes wrong is an error of `veopipe.errors`.

Source: docs/api.md.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from veopipe.delivery import shelf
from veopipe.errors import EnvironmentFault, ExitCode, LedgerLocked, Problem, UsageError
from veopipe.film import review
from veopipe.film.decisions import Decision, decide
from veopipe.gateway.address import REHEARSAL_KEY, Address
from veopipe.ledger import owner
from veopipe.ledger.store import NotRecorded
from veopipe.plan.permission import Permission
from veopipe.plan.plan import Choice, Plan
from veopipe.project import project
from veopipe.project.choices import Choices
from veopipe.project.open_ledger import OpenLedger, open_ledger, rename_remark
from veopipe.report import rows
from veopipe.report.legend import UNREADABLE
from veopipe.report.rows import Report
from veopipe.run import naming, resolve
from veopipe.run.consent import Terms, Voice
from veopipe.run.events import Note
from veopipe.takes.moment import Moment
from veopipe.takes.status import Status
from veopipe.takes.take import Take
from veopipe.takes.verdict import Review, Verdict
from veopipe.text import printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.film.editing import Editing
    from veopipe.film.frames import Frame
    from veopipe.run.looking import Finding as LookedUp
    from veopipe.run.verify import Finding


def _nothing(_said: object) -> None:
    """For a caller that doesn't want to hear it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What the takes on disk are.

    Attributes:
        findings: one for each delivered take.
        report: where everything stands afterwards; its exit code is that of the findings.
    """

    findings: tuple[Finding, ...]
    report: Report


@dataclass(frozen=True, slots=True)
class LookUp:
    """What the account's log says of takes in doubt.

    Attributes:
        findings: one for each of them.
        report: where everything stands afterwards; its exit code is that of the selected shots.
    """

    findings: tuple[LookedUp, ...]
    report: Report


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review changed.

    Attributes:
        changed: what is said now of the takes of which something else was said before.
        moved: shots whose finished name shows another take now.
        running: a run is on: at its end it moves the names.
    """

    changed: tuple[Review, ...]
    moved: tuple[str, ...] = ()
    running: bool = False


@dataclass(frozen=True, slots=True)
class Still:
    """A frame of a delivered take.

    Attributes:
        shot: whose take it is.
        take: the take.
        at: which picture it is.
        source: the file that it was taken from, relative to the list's folder.
        frame: the picture, and what was seen of the video.
    """

    shot: str
    take: Take
    at: Moment
    source: str
    frame: Frame


@dataclass(frozen=True, slots=True)
class Project:
    """One shot list with its pipeline and its ledger, which each question reads anew.

    Attributes:
        loaded: what was read.
        environ: where the key and the network settings are.
        tell: is given what people should hear, a sentence at a time.
    """

    loaded: project.Project
    environ: Mapping[str, str]
    tell: Callable[[str], None] = field(default=_nothing)

    @classmethod
    def of(
        cls, choices: Choices, tell: Callable[[str], None] = _nothing, environ: Mapping[str, str] | None = None
    ) -> Project:
        """Read and check everything; raises as `open` does. Without `environ` it is this process's own."""
        return cls(project.load(choices), os.environ if environ is None else environ, tell)

    @property
    def problems(self) -> Sequence[Problem]:
        """Warnings and notes about the list and its pipeline; errors were raised."""
        return self.loaded.problems

    def plan(self) -> Plan:
        """What a run would do now, and what that costs. Sends nothing."""
        return self.look().plan()

    def look(self) -> OpenLedger:
        """Its ledger as it is now, for whoever asks several things of one moment. Tells of it, changes nothing."""
        ledger = open_ledger(self.loaded)
        _remark(self, ledger)
        return ledger

    @property
    def is_running(self) -> bool:
        """Whether a run of this list is on, here or in another process."""
        return owner.is_locked(self.loaded.places)

    def report(self) -> Report:
        """Where everything stands, takes of every gateway included. Sends nothing."""
        return self.report_of(self.look())

    def report_of(self, ledger: OpenLedger, plan: Plan | None = None) -> Report:
        """What `report` says, by a ledger that was looked at.

        Args:
            ledger: as it was then.
            plan: its plan with takes of every gateway, if it was made already.
        """
        return rows.make(ledger, plan or ledger.plan(anywhere=True), running=self.is_running)

    def run(self, permission: Permission | None = None, on_event: Callable[[Note], None] | None = None) -> Report:
        """Create, download and verify what the list wants; blocks until that is done or stopped.

        Args:
            permission: the creates that may be made, such as `Permission.of(plan)`; None: what a cap covers.
            on_event: is called with everything that happens, from several threads, one at a time.

        Returns:
            Where everything stands, and in `exit_code` how the run ended.

        Raises:
            ConsentRequired: neither a permission nor a cap allows what would be bought; nothing was sent.
            LedgerLocked: another run is on.
            VeopipeError: something else stopped it before anything was sent.
        """
        voice = Voice(tell=self.tell, watch=on_event or _nothing)
        with self.at_its_gateway() as there:
            return there.carry_out(Terms(permission=permission), voice, hears_signals=False)

    def carry_out(self, terms: Terms, voice: Voice, *, hears_signals: bool) -> Report:
        """What `run` does, on terms of the caller's.

        Args:
            terms: what may be done without asking.
            voice: how people are told and asked.
            hears_signals: end gently by the process's signals; the second one ends the process.
        """
        from veopipe.run import run  # with an event loop and an HTTP client, which nobody needs who only looks

        with _changing(self, voice.tell) as ledger:
            ending = run.run(ledger, terms, voice, self.environ, hears_signals=hears_signals)
        return rows.make(ledger, ending.left, ending)

    @contextlib.contextmanager
    def at_its_gateway(self) -> Iterator[Project]:
        """The same where its gateway can be reached, while this is open: a rehearsal gets a simulator of its own."""
        if not self.loaded.choices.simulate:
            yield self
            return
        from veopipe.simulator import server  # an extra, and heavy

        with owner.locked(self.loaded.places, look=self.loaded.choices.command("status")):
            pass  # if another rehearsal is on, its simulator has the folder: that is said as for any run
        provider, folder = self.loaded.pipeline.provider, self.loaded.places.folder / "gateway"
        options = server.Options(folder=folder, dialect=provider.profile.dialect, account_user=provider.account_user)
        with server.start(options) as simulator:
            there = replace(self.loaded, address=Address(simulator.base_url, simulated=True))
            yield replace(self, loaded=there, environ={there.pipeline.provider.api_key_env: REHEARSAL_KEY})

    def verify(self, *, content: bool = False) -> Verification:
        """Measure the takes on disk again, compare them with their orders, and record what they are.

        Args:
            content: read takes that lie in a store, too; else its list and what was measured before say what they are.

        Raises:
            LedgerLocked: a run is on.
            EnvironmentFault: what was found can't be recorded.
        """
        import asyncio  # as in `carry_out`

        from veopipe.delivery.buckets.objects import StoreFault
        from veopipe.run import verify

        with _changing(self, self.tell) as ledger:
            _remark(self, ledger)
            try:
                findings = asyncio.run(verify.inspect(ledger, content=content))
            except OSError as error:
                what = "used" if isinstance(error, StoreFault) else "written"
                raise EnvironmentFault(f"{error.filename} can't be {what}: {error.strerror}") from None
        report = rows.make(ledger, ledger.plan(anywhere=True))
        gaps = ledger.store.unusable.missing or ledger.store.count.lost
        torn = bool(gaps) or any(row.status == UNREADABLE for row in report.rows)
        code = ExitCode.ENVIRONMENT if torn else verify.code_of(findings)
        return Verification(tuple(findings), replace(report, exit_code=code))

    def frame(self, shot: str, at: str = "last", take: int | None = None, *, largest_png: int | None = None) -> Still:
        """One picture of a delivered take. Sends nothing, changes nothing.

        Args:
            shot: whose take.
            at: which picture: `first`, `last`, or seconds from the first one, such as `7.25`.
            take: the number of a take, as its file's name has it; None: the chosen one.
            largest_png: bytes above which there is a JPEG, too; 0: always; None: what is too large to be sent.

        Raises:
            UsageError: there is no such shot, take or picture, or the picture can't be had exactly.
            EnvironmentFault: the take isn't on this disk, or PyAV isn't installed.
        """
        import asyncio  # as in `carry_out`

        from veopipe.film import frames

        moment = _moment(at)
        frames.require()
        chosen = _delivered(self.look(), shot, take)
        path = shelf.find(self.loaded.shelf, shot, chosen)
        largest = frames.LARGEST_PNG if largest_png is None else largest_png
        found = asyncio.run(frames.picture_of(path, moment, largest_png=largest))
        if isinstance(found, frames.NoFrame):
            raise UsageError(f"{shot} take {chosen.number} gives no such frame: {found.reason}")
        return Still(shot, chosen, moment, shelf.shown(self.loaded.places, path), found)

    def resolve(
        self,
        shot: str,
        *,
        task_id: str | None = None,
        not_charged: bool = False,
        write_off: bool = False,
        base_url: str | None = None,
    ) -> Take | None:
        """Record what a person found out about a take that is in doubt or parked. Say one of the three.

        Args:
            shot: whose take it is.
            task_id: the gateway has it under this id: it is carried on.
            not_charged: the gateway doesn't have it and didn't charge: it may be sent again.
            write_off: it is given up; the money counts as perhaps spent.
            base_url: the gateway that has the task, if it isn't the recorded one.

        Returns:
            The take as it stands now; None: the record of an order that isn't here was given up.

        Raises:
            UsageError: nothing waits there, or not one of the three is said.
            LedgerLocked: a run is on.
            EnvironmentFault: it can't be recorded, or the guard knows a newer copy of this ledger.
        """
        if sum((task_id is not None, not_charged, write_off)) != 1:
            raise UsageError("say one of task_id, not_charged, write_off")
        with _changing(self, self.tell) as ledger:
            _remark(self, ledger)
            _see_that_it_is_newest(ledger)
            store = ledger.store
            for sentence in ledger.take_in_rescued():  # what an answer has said needs no person
                self.tell(sentence)
            if task_id is not None:
                return resolve.found(store, shot, task_id, base_url)
            if not_charged:
                return resolve.not_charged(store, shot)
            if (lost := ledger.lost().get(shot)) and not resolve.is_waiting(store, shot):
                ledger.give_up(lost)
                return None
            return resolve.written_off(store, shot)

    def look_up(self, shot: str | None = None) -> LookUp:
        """Ask the account's log what became of takes in doubt, and record what is certain. Buys nothing.

        Args:
            shot: only its take; None: those of all selected shots.

        Raises:
            UsageError: nothing of the shot is in doubt, or this gateway has no such log.
            LedgerLocked: a run is on.
            EnvironmentFault: there is no account token, something can't be recorded, or the guard knows a newer copy.
        """
        from veopipe.run import looking  # as in `carry_out`

        with _changing(self, self.tell) as ledger:
            _remark(self, ledger)
            _see_that_it_is_newest(ledger)
            for sentence in ledger.take_in_rescued():
                self.tell(sentence)
            if shot is not None:
                resolve.in_doubt(ledger.store, shot)
            selected = set(self.loaded.wanted) if self.loaded.choices.selects else None
            findings = looking.look_up(ledger, _with_account(self), selected if shot is None else {shot})
            for finding in findings:
                looking.record(ledger.store, finding)
            report = rows.make(ledger, ledger.plan(anywhere=True))
        return LookUp(tuple(findings), replace(report, exit_code=rows.code_of(report.rows, ())))

    def review(self, decisions: Sequence[Decision]) -> Reviewed:
        """Write down what people say of takes, all of it or nothing. Buys nothing.

        Finished names follow at once, or at the end of the run that is on.

        Raises:
            UsageError: a decision is about a file that no take here has.
            InvalidInput: a review file has an error.
            EnvironmentFault: a review file can't be written, or all are and a finished name can't follow.
        """
        ledger = open_ledger(self.loaded)
        changed = decide(ledger.reviews, ledger.store.shots, decisions)
        review.write(self.loaded.places, changed)
        try:
            with _changing(self, self.tell) as held:
                if not held.output.is_seen:
                    self.tell("finished names in the store follow with the next run")
                return Reviewed(tuple(changed), tuple(naming.follow(held, held.plan(anywhere=True))))
        except LedgerLocked:
            return Reviewed(tuple(changed), running=True)
        except EnvironmentFault as fault:
            raise _not_followed(fault.message) from None
        except OSError as error:  # its paths are of links on their way
            raise _not_followed(f"{self.loaded.places.output} can't be written: {error.strerror}") from None


@contextlib.contextmanager
def _changing(film: Project, tell: Callable[[str], None]) -> Iterator[OpenLedger]:
    """Hold the lock, with the records as they are now; what can't be recorded is an `EnvironmentFault`."""
    status, places = film.loaded.choices.command("status"), film.loaded.places
    with owner.locked(places, tell, status) as hold, contextlib.closing(open_ledger(film.loaded)) as ledger:
        ledger.store.hold = hold
        try:
            yield ledger
        except NotRecorded as error:
            raise EnvironmentFault(str(error)) from None


def _not_followed(why: str) -> EnvironmentFault:
    """That finished names are what they were, though a review is written."""
    return EnvironmentFault(
        f"what was said is written, and finished names can't follow: {why}", hint="they follow with the next run"
    )


def _remark(film: Project, ledger: OpenLedger) -> None:
    """Tell what people should know of a ledger's files before they read anything else."""
    renamed = rename_remark(ledger)
    for remark in [*ledger.remarks, *([renamed] if renamed is not None else [])]:
        film.tell(remark)


def _see_that_it_is_newest(ledger: OpenLedger) -> None:
    """What a person says of a take belongs into the newest copy of the ledger: a guard knows which that is."""
    if ledger.project.pipeline.guard is not None:
        from veopipe.run.guard import Guard  # which speaks to a store

        if (guard := Guard.of(ledger)) is not None:
            guard.check(ledger.head)


def _with_account(film: Project) -> Mapping[str, str]:
    """The environment; a rehearsal's simulator shows its log to any token, so no real one goes there."""
    if not film.loaded.choices.simulate:
        return film.environ
    return {**film.environ, film.loaded.pipeline.provider.account_token_env: REHEARSAL_KEY}


def _moment(at: str) -> Moment:
    try:
        return Moment.of(at)
    except ValueError as error:
        raise UsageError(f"{printable(at, 40)} names no picture of a video", hint=str(error)) from None


def editing(film: Project) -> Editing:
    """The takes of a list as an editor sees them now: its cuts, laid out and locked. Sends nothing.

    Raises:
        LedgerRefused: the ledger, or the output folder, belongs to something else.
        EnvironmentFault: it can't be read.
        InvalidInput: a review file can't.
    """
    return film.look().editing()


def _delivered(ledger: OpenLedger, shot: str, number: int | None) -> Take:
    """A delivered take of a shot: the one with that number, else the chosen one."""
    plan, ids = ledger.plan(anywhere=True), list(ledger.project.wanted)
    state = ledger.store.shots.get(plan.record_of(shot) or "")  # the next run moves a state to its new id
    if state is None and shot not in ids:
        raise project.no_shot(shot, ids)
    takes = state.takes if state is not None else ()
    delivered = {take.number: take for take in takes if take.file is not None}
    chosen = delivered.get(_chosen(ledger, plan.choices.get(shot), takes) if number is None else number)
    if chosen is None:
        raise _nothing_of(shot, number, delivered, ledger.project.choices.command("run", "--only", shot))
    return chosen


def _nothing_of(shot: str, number: int | None, delivered: Iterable[int], run: str) -> UsageError:
    """That a shot has no such take, and which ones it has; `run` orders one."""
    what = "chosen take that is verified" if number is None else f"take {number} with a file"
    there = ", ".join(map(str, delivered))
    return UsageError(f"{shot} has no {what}", hint=f"say which with --take: {there}" if there else f"make one: {run}")


def _chosen(ledger: OpenLedger, choice: Choice | None, takes: Sequence[Take]) -> int:
    """The number of the chosen take, if it is verified, or was picked as it is; else 0, which no take has."""
    for take in takes:
        is_usable = take.status is Status.VERIFIED or ledger.reviews.verdict(take) is Verdict.PICK
        if choice is not None and take.number == choice.number and is_usable:
            return take.number
    return 0


def open(
    manifest: str | os.PathLike[str],
    pipeline: str | os.PathLike[str] | None = None,
    *,
    only: Sequence[str] = (),
    tags: Sequence[str] = (),
    simulate: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Project:
    """Read and check a shot list with its pipeline. Sends nothing.

    Args:
        manifest: the list's path.
        pipeline: a pipeline's name or path; None: `default`.
        only: globs of shot ids; empty: all.
        tags: of these labels only; empty: all.
        simulate: rehearse: with a gateway of its own, for nothing, in folders of its own.
        environ: where the key is; None: the process's environment.

    Raises:
        UsageError: no such list or pipeline, or nothing is selected.
        InvalidInput: the list or the pipeline has errors; `problems` says which.
        LedgerRefused: the ledger or the output folder belongs to something else.
        EnvironmentFault: a file can't be read.
    """
    choices = Choices(
        Path(manifest),
        pipeline=os.fspath(pipeline) if pipeline is not None else None,
        only=tuple(only),
        tags=tuple(tags),
        simulate=simulate,
    )
    return Project.of(choices, environ=environ)
