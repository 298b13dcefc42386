"""A run, as a list of named steps: lock, look, plan, agree, make ready, create and settle, finish.

* Everything before `go` can stop the run and has sent nothing.
* Everything after it is on disk the moment it happened; a run that dies anywhere is simply run again.
* Resuming isn't a case of its own: a take enters the loop of its status, wherever it stands.

Source: docs/design.md, 6 (The loop) and 7 (Signals); docs/hazards.md, c 4.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from functools import partial
from typing import Any

from veopipe import clock, files
from veopipe.delivery.measure import Prober
from veopipe.dialects.lookup import Found
from veopipe.errors import EnvironmentFault, ExitCode, VeopipeError
from veopipe.film import frames
from veopipe.film.frames import Frames
from veopipe.gateway.address import read_key
from veopipe.gateway.client import Gateway
from veopipe.ledger import rescue
from veopipe.plan.permission import Permission, has_work
from veopipe.plan.plan import Action, Item, Plan
from veopipe.plan.words import elsewhere_words
from veopipe.project.ending import Ending
from veopipe.project.open_ledger import OpenLedger
from veopipe.project.project import Project
from veopipe.run import descriptors, guard, looking, naming
from veopipe.run.brakes import Brakes
from veopipe.run.carrying import engine
from veopipe.run.carrying.carrying import Downloads
from veopipe.run.carrying.engine import Named
from veopipe.run.consent import Terms, Voice, agree
from veopipe.run.creating.admission import Admission
from veopipe.run.creating.create_call import Asker
from veopipe.run.creating.creating import Creator
from veopipe.run.creating.queue import Queue
from veopipe.run.creating.storage import Storage
from veopipe.run.creating.uploads import Preparation, Uploads
from veopipe.run.events import Happening, Journal
from veopipe.run.leaving import Leaving
from veopipe.run.pace import Tempo
from veopipe.run.prospect import prospect
from veopipe.run.settling import Settler
from veopipe.run.steps import Steps
from veopipe.run.tally import Tally
from veopipe.takes.money import Budget, as_text, dollars, dollars_to_come
from veopipe.takes.status import CARRIED_ON, IN_FLIGHT, Event, Status
from veopipe.takes.take import attempts_of, spending
from veopipe.text import counted
from veopipe.values import dataclass

THREADS = 128
"""Twice the polls at once (`gateway.reads.POLLS_AT_ONCE`), each of which may look a name up. Made when needed."""


def run(
    ledger: OpenLedger, terms: Terms, voice: Voice, environ: Mapping[str, str], *, hears_signals: bool = True
) -> Ending:
    """Carry out the plan of a project; how that ended.

    Args:
        ledger: the project's, opened under the lock.
        terms: what may be done without asking.
        voice: how people are told and asked.
        environ: where the key is.
        hears_signals: end gently by the process's signals; in its main thread only.

    Raises:
        NotRecorded: something can't be recorded, before anything was sent.
        VeopipeError: something else stopped it before anything was sent.
    """
    engine.check(ledger.project.pipeline.executor, ledger.project.address)
    descriptors.make_sure()
    current = Run.of(ledger, voice)
    current.look()
    ledger.look_at_output()
    denied = current.look_up(environ)
    plan = ledger.plan()
    for finding in denied:  # after the plan: what wasn't charged is sent by the next run
        looking.record(ledger.store, finding)
    claim = guard.look(ledger, plan, terms, voice)
    for sentence in prospect(ledger, plan).sentences():
        voice.tell(sentence)
    permission = agree(plan, ledger, terms, voice)
    if not changes_anything(ledger, plan):
        return current.finish(plan, left=None if denied else plan)
    if any(item.sources for item in plan.creates):
        frames.require()
    gateway = connect(ledger.project, plan, environ)
    if claim is not None:
        claim.take(ledger)
    budget = current.make_ready(plan)
    if not gc.isenabled():  # the command line reads without it (`__main__`)
        gc.freeze()  # list, plan and ledger stay as long as the run: no need to go through them again and again
        gc.enable()
    try:
        with current.leaving.hearing() if hears_signals else contextlib.nullcontext():
            asyncio.run(current.go(plan, gateway, budget, permission))
    finally:
        current.journal.close()
    return current.finish(plan)


def changes_anything(ledger: OpenLedger, plan: Plan) -> bool:
    """Whether anything is to be done besides reporting: by the plan, by the ledger, or for a name that isn't there."""
    if has_work(plan) or plan.renames or ledger.head.open_runs:
        return True
    return any(not _is_there(ledger, plan, item) for item in plan.items)


def _is_there(ledger: OpenLedger, plan: Plan, item: Item) -> bool:
    """Whether a verified take is on disk, the chosen one under both names (two looks at the folder, no reading)."""
    if item.status is not Status.VERIFIED or not item.wanted:
        return True
    state, shelf = ledger.store.shots[item.shot], ledger.shelf
    file = state.take(item.number).file
    if file is None or not plan.may_show(state, item.number):
        return file is not None and shelf.is_whole(file)
    return shelf.is_shown(item.shot, file)


def needs_gateway(plan: Plan) -> bool:
    """Whether anything is to be bought, asked for or fetched, as far as a plan knows."""
    return any(item.buys or item.status in CARRIED_ON - {Status.DOWNLOADED} for item in plan.items)


def connect(project: Project, plan: Plan, environ: Mapping[str, str]) -> Gateway | None:
    """The gateway's clients, if anything needs it. Sends nothing.

    Raises:
        EnvironmentFault: it is needed, and the key is missing or the network settings are unusable.
    """
    provider = project.pipeline.provider
    if not needs_gateway(plan) and not environ.get(provider.api_key_env, "").strip():
        return None
    key = read_key(provider.api_key_env, environ)
    return Gateway(project.address, provider.dialect, key, environ=environ)


@dataclass(slots=True)
class Run:
    """One run of one manifest.

    Attributes:
        ledger: of what is run.
        voice: how people are told.
        id: the run's, recorded with each attempt.
        journal: what happens.
        brakes: what ends it early.
        admission: when the next create may go.
        leaving: hears signals.
        creator: spends, while a gateway is there to spend at.
    """

    ledger: OpenLedger
    voice: Voice
    id: str
    journal: Journal
    brakes: Brakes
    admission: Admission
    leaving: Leaving
    creator: Creator | None = None
    _bugs: list[BaseException] = field(default_factory=list)

    @classmethod
    def of(cls, ledger: OpenLedger, voice: Voice) -> Run:
        """A run with an id that no other has."""
        project = ledger.project
        name = clock.now().replace("-", "").replace(":", "")
        others = {attempt.run for attempt in attempts_of(ledger.store.shots.values())}
        # Two runs within a second, or a clock that was put back: what the other one spent isn't this one's.
        while name in others or (project.places.runs / f"{name}.jsonl").exists():
            name += "b"
        journal = Journal(voice.watch)
        brakes = Brakes(journal, project.pipeline.limits.stop_after_failures)
        admission = Admission(project.pipeline.limits, Tempo(project.pipeline.poll.interval), brakes.leaving)
        close = partial(ledger.write, open_runs=())  # this run is over: its spending counts in no other
        return cls(ledger, voice, name, journal, brakes, admission, Leaving(brakes, voice, admission, close))

    # --- before anything is sent -------------------------------------------------------------------

    def look(self) -> None:
        """See what was rescued, and what died while asking; raises `NotRecorded`."""
        store = self.ledger.store
        for remark in self.ledger.remarks:
            self.voice.tell(remark)
        for sentence in self.ledger.take_in_rescued():
            self.voice.tell(sentence)
        for shot, state in list(store.shots.items()):
            for take in state.takes:
                if take.status is Status.SUBMITTING:
                    message = "the process died while it was asking; whether it was charged isn't known"
                    store.record(shot, take.number, Event.UNKNOWN, reason="crash", message=message)

    def look_up(self, environ: Mapping[str, str]) -> list[looking.Finding]:
        """Ask the account's log about what is in doubt, if its token is there; raises `NotRecorded`.

        Returns:
            What wasn't charged, not yet recorded.
        """
        ledger, provider = self.ledger, self.ledger.project.pipeline.provider
        if provider.dialect.look_up is None or not environ.get(provider.account_token_env, "").strip():
            return []
        shots = set(ledger.project.wanted) if ledger.project.choices.selects else None
        try:
            findings = looking.look_up(ledger, environ, shots)
        except EnvironmentFault as fault:  # a run needs no look
            self.voice.tell(f"what is in doubt wasn't looked up: {fault.message}")
            return []
        for finding in findings:
            self.voice.tell(f"{finding.shot}: {finding.verdict.message}")
            if finding.verdict.found is not Found.NOT_CHARGED:
                looking.record(ledger.store, finding)
        return [finding for finding in findings if finding.verdict.found is Found.NOT_CHARGED]

    def make_ready(self, plan: Plan) -> Budget:
        """Write down that a run is on, take over renamed shots, wake what was parked.

        Returns:
            What may be spent: what runs that were killed spent counts.

        Raises:
            EnvironmentFault: the ledger or the output folder can't be written.
            NotRecorded: a state file can't.
        """
        ledger, project = self.ledger, self.ledger.project
        before = ledger.head.open_runs
        made = attempts_of(ledger.store.shots.values())
        budget = Budget(project.cap, spending(attempt for attempt in made if attempt.run in before).total)
        if before and budget.spent:
            self.voice.tell(f"the run before was killed; the {dollars(budget.spent)} it spent count in this run")
        open_runs = (*before, self.id) if plan.worst_usd else before
        ledger.write(open_runs=open_runs, starts=True)
        files.make_folder(project.places.state)
        ledger.output.claim(ledger.head)
        self.journal.open(project.places.runs / f"{self.id}.jsonl")
        self._note_start(plan, budget)
        if plan.worst_usd:
            rescue.keep_reserve(ledger.project.places)
        self._take_over(plan)
        for item in plan.items:
            if item.status is Status.PARKED and item.action in {Action.CONTINUE, Action.RENAME}:
                ledger.store.record(item.shot, item.number, Event.RESUMED)
        return budget

    def _note_start(self, plan: Plan, budget: Budget) -> None:
        self.journal.note(
            Happening.STARTED,
            message=f"{counted(len(plan.creates), 'create')}, {dollars_to_come(plan.cost_usd)}",
            takes=sum(item.buys or item.action is Action.CONTINUE for item in plan.items),
            spent_usd=as_text(budget.spent),
            cap_usd=as_text(budget.cap) if budget.cap is not None else None,
        )
        for sentence in elsewhere_words(plan):
            self.journal.note(Happening.BOUGHT_ELSEWHERE, message=sentence)
        for sentence in Named.of(self.ledger.project.pipeline.executor).warnings():
            self.voice.tell(sentence)

    def _take_over(self, plan: Plan) -> None:
        """Let shots that got other ids have their states; raises `NotRecorded`."""
        store, shelf = self.ledger.store, self.ledger.shelf
        for shot in plan.moves.values():
            for take in store.shots[shot].takes:
                if take.file is None:  # half a download has no place under the new id
                    files.remove_quietly(shelf.part(shot, take.number))
        store.move(plan.moves)
        for item in plan.renames:
            self.journal.note(Happening.RENAMED, item.shot, item.number, f"was {item.renamed_from}")
        for shot in plan.moves.keys() - {item.shot for item in plan.renames}:  # not selected, and in a row with one
            self.journal.note(Happening.RENAMED, shot, message=f"was {plan.moves[shot]}")

    # --- the run itself ----------------------------------------------------------------------------

    async def go(self, plan: Plan, gateway: Gateway | None, budget: Budget, permission: Permission | None) -> None:
        """Create what may be created, settle what is open, until nothing is left or the run is ended."""
        # asyncio looks names up in the same threads as it writes files: a resolver that hangs must not stop those.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        prober, tally = Prober(), Tally(self.ledger, self.brakes)
        self.leaving.listen()
        self.admission.start()
        counting = asyncio.create_task(tally.keep_up())
        counting.add_done_callback(self._look_for_bugs)
        downloads = Downloads.of(self.ledger, gateway, self.brakes) if gateway is not None else None
        steps = Steps.of(self.ledger, downloads, prober, self.brakes, self.admission)
        settler = Settler(self.ledger.store, self.ledger.output, steps, plan.may_show)
        if gateway is not None:
            asker = Asker(self.id, self.ledger.store, gateway, self.journal, tally.count)
            self.creator = self._creator(plan, asker, budget, permission, settler)
        try:
            if downloads is not None:
                await downloads.ready(now=needs_gateway(plan))
            await self._work(plan, settler)
            if downloads is not None and not self.brakes.is_leaving:
                await downloads.tidied()  # no later run may have anything to do here
        finally:
            counting.cancel()
            await prober.close()
            if downloads is not None:
                await downloads.close()
            self.ledger.output.close()  # last: who waits for a store is cancelled next, and hears no fault of it

    def _creator(
        self, plan: Plan, asker: Asker, budget: Budget, permission: Permission | None, settler: Settler
    ) -> Creator:
        preparation = Preparation(self.ledger, Frames(self.ledger.shelf), settler.bring_back)
        storage = Storage.of(self.ledger, plan, self.admission, self.brakes)

        async def prepare(item: Item) -> Uploads:
            await storage.make_sure(item)
            return await preparation.uploads(item)

        return Creator(
            asker=asker,
            admission=self.admission,
            brakes=self.brakes,
            budget=budget,
            prepare=prepare,
            permission=permission,
            queue=Queue.of(plan),
        )

    async def _work(self, plan: Plan, settler: Settler) -> None:
        settling: set[asyncio.Task[None]] = set()
        by_take = {(item.shot, item.number): item for item in plan.items}

        def follow(work: Coroutine[Any, Any, None]) -> None:
            task = asyncio.create_task(work)
            settling.add(task)
            task.add_done_callback(settling.discard)
            task.add_done_callback(self._look_for_bugs)

        def begin(shot: str, number: int) -> None:
            if not settling:
                follow(settler.steps.prober.make_ready())  # while videos render, not when the first one waits for it
            follow(self._settle(settler, by_take.get((shot, number)), shot, number))

        self._resume(plan, begin)
        follow(self._show_kept(plan, settler))
        if self.creator is not None:
            await self.creator.create_all(begin)
        await self._until_settled(settling)

    def _resume(self, plan: Plan, begin: Callable[[str, int], None]) -> None:
        """Carry on what is open; what the gateway will forget first comes first."""
        carried = []
        for item in plan.items:
            state = self.ledger.store.shots.get(item.shot)
            if item.action in {Action.CONTINUE, Action.RENAME} and state is not None:
                take = state.take(item.number)
                if take.status in IN_FLIGHT:
                    carried.append((take.last.submitted_at, item.shot, item.number, item.status is Status.PARKED))
        for _, shot, number, was_parked in sorted(carried):
            if self.creator is not None:
                self.admission.flight.begin((shot, number), was_parked=was_parked)
            begin(shot, number)

    async def _settle(self, settler: Settler, item: Item | None, shot: str, number: int) -> None:
        try:
            await settler.settle(shot, number)
        finally:
            if self.creator is not None:
                self.creator.landed(item, shot, self.ledger.store.shots[shot].take(number))

    async def _show_kept(self, plan: Plan, settler: Settler) -> None:
        """See that what was verified before is found under its name."""
        for item in plan.items:
            if self.brakes.is_leaving:
                return
            kept = item.action in {Action.KEEP, Action.STALE, Action.RENAME} and item.status is Status.VERIFIED
            if kept and not _is_there(self.ledger, plan, item):
                await settler.bring_back(item.shot, self.ledger.store.shots[item.shot].take(item.number))

    async def _until_settled(self, settling: set[asyncio.Task[None]]) -> None:
        leaving = asyncio.create_task(self.brakes.leaving.wait())
        while settling and not leaving.done():
            # One future for all: waiting for the first of many looks at every one of them each time.
            together: asyncio.Future[Any] = asyncio.gather(*settling, return_exceptions=True)
            await asyncio.wait([together, leaving], return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        for task in settling:  # everything they did is on disk; what they wait for can be had again
            task.cancel()
        await asyncio.gather(*settling, return_exceptions=True)
        if self._bugs:
            raise self._bugs[0]

    def _look_for_bugs(self, task: asyncio.Task[None]) -> None:
        """Nothing is bought any more once something unexpected happened."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._bugs.append(error)
            self.brakes.leave("a bug of veopipe", ExitCode.BUG)

    # --- the end -----------------------------------------------------------------------------------

    def finish(self, plan: Plan, *, left: Plan | None = None) -> Ending:
        """Close the ledger and say how the run ended.

        Args:
            plan: what was to be done.
            left: what is still to be done; None: make it from what the run left.
        """
        is_over = ExitCode.TERMINATED not in self.brakes.codes
        left = left or _what_is_left(self.ledger, self.voice)
        try:
            self.ledger.write(open_runs=() if is_over else None)
        except EnvironmentFault as error:  # then the next run counts this one's spending: safe, and said
            self.brakes.stop_quietly(error.message, ExitCode.ENVIRONMENT)
        return Ending(
            run=self.id,
            left=left,
            codes=frozenset(self.brakes.codes),
            notes=tuple(self.brakes.notes),
            held=dict(self.creator.held) if self.creator is not None else {},
            warnings=tuple(elsewhere_words(plan)),
        )


def _what_is_left(ledger: OpenLedger, voice: Voice) -> Plan:
    """What is still to be done, by what people say now; finished names follow what they chose meanwhile."""
    had = bool(ledger.reviews.by_take)
    try:
        ledger.look_again()
    except VeopipeError as error:  # the reviews of the start hold
        voice.tell(f"what was said of takes meanwhile can't be read: {error}")
    left = ledger.plan()
    try:
        if had or ledger.reviews.by_take:
            naming.follow(ledger, left)
    except OSError as error:
        voice.tell(f"finished names don't follow what was chosen: {error.strerror} ({error.filename})")
    return left
