"""A run, as a list of named steps: lock, look, plan, agree, make ready, create and settle, finish.

* Everything before `_go` can stop the run and has sent nothing.
* Everything after it is on disk the moment it happened; a run that dies anywhere is simply run again.
* Resuming isn't a case of its own: a take enters the loop of its status, wherever it stands.

Source: docs/design.md, 6 (The loop) and 7 (Signals); docs/hazards.md, c 4.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from veopipe import clock, files
from veopipe.delivery.measure import Prober
from veopipe.dialects.base import Picture
from veopipe.errors import EnvironmentFault, ExitCode
from veopipe.gateway.address import read_key
from veopipe.gateway.client import Gateway
from veopipe.ledger import owner, record
from veopipe.ledger.store import NotRecorded
from veopipe.manifest import pictures, rules
from veopipe.money import as_text
from veopipe.plan.plan import Action, Item, Plan, elsewhere_words
from veopipe.project import Ending, Project
from veopipe.run import signals
from veopipe.run.brakes import Halt
from veopipe.run.consent import Terms, agree
from veopipe.run.create_call import Asker
from veopipe.run.creating import Budget, Creator, Held
from veopipe.run.events import Journal
from veopipe.run.pace import Tempo
from veopipe.run.settling import Settler
from veopipe.takes import take as takes
from veopipe.takes.status import CARRIED_ON, IN_FLIGHT, Event, Status
from veopipe.text import counted

ECHO = 0.05
"""Seconds in which two signals are one: `timeout`, among others, signals a process and then its whole group."""
_ENDED_BY = {ExitCode.INTERRUPTED: "interrupted", ExitCode.TERMINATED: "terminated"}
COUNT_PAUSE = 1.0
"""Seconds between two counts of a run's attempts in `ledger.json`: with thousands of shots it is a long file."""
COUNT_SHARE = 0.05
"""Of a run's time that counting may take, at most."""
THREADS = 128
"""Twice the polls at once (`gateway.POLLS_AT_ONCE`), each of which may be looking a name up. Made when needed."""


def run(project: Project, terms: Terms) -> Ending:
    """Carry out the plan of `project`; how that ended.

    Raises:
        VeopipeError: something stopped it before anything was sent.
    """
    with owner.locked(project.places, terms.tell), contextlib.closing(project):
        current = Run(project, terms)
        current.look()
        plan = project.plan()
        agree(plan, project, terms)
        current.plan = plan
        if not current.has_work(plan):
            return current.finish(plan)
        current.connect()
        current.make_ready(plan)
        answers = {number: signal.getsignal(number) for number in signals.heard()}
        try:
            asyncio.run(current.go())
        finally:
            for number, answer in answers.items():  # the loop leaves the system's own way behind
                signal.signal(number, answer)
            if current.signalled is not None:
                signals.hush(signals.ENDING - signals.WISHES)
            current.journal.close()
        return current.finish()


@dataclass(slots=True)
class Run:
    """One run of one manifest."""

    project: Project
    terms: Terms
    id: str = field(default_factory=lambda: clock.now().replace("-", "").replace(":", ""))
    plan: Plan = field(default_factory=lambda: Plan(()))
    halt: Halt = field(default_factory=Halt)
    journal: Journal = field(init=False)
    budget: Budget = field(init=False)
    tempo: Tempo = field(init=False)
    gateway: Gateway | None = None
    creator: Creator | None = None
    bugs: list[BaseException] = field(default_factory=list)
    signalled: ExitCode | None = None
    wished: bool = False
    may_leave: bool = False
    count_from: float = -math.inf

    def __post_init__(self) -> None:
        self.journal = Journal(self.terms.watcher)
        self.budget = Budget(self.project.cap)
        self.tempo = Tempo(self.project.pipeline.poll.interval)
        while (self.project.places.runs / f"{self.id}.jsonl").exists():  # two runs within a second
            self.id += "b"

    # --- before anything is sent -------------------------------------------------------------------

    def look(self) -> None:
        """See the state under the lock: what was rescued, and what died while asking."""
        project = self.project  # what it loaded before the lock may be stale
        project.read_again()
        for remark in project.remarks:
            self.terms.tell(remark)
        try:
            for shot in project.store.merge_rescued():
                self.terms.tell(f"{shot}: an answer that couldn't be recorded in its place was taken in")
            self._doubt_what_died()
        except NotRecorded as error:
            raise EnvironmentFault(str(error)) from None

    def _doubt_what_died(self) -> None:
        store = self.project.store
        for shot, state in list(store.shots.items()):
            for take in state.takes:
                if take.status is Status.SUBMITTING:
                    message = "the process died while it was asking; whether it was charged isn't known"
                    store.record(shot, take.number, Event.UNKNOWN, reason="crash", message=message)

    def has_work(self, plan: Plan) -> bool:
        """Whether anything is to be done besides reporting."""
        if any(item.buys or item.renamed_from or item.action is Action.CONTINUE for item in plan.items):
            return True
        return bool(self.project.ledger.open_runs) or any(not self._is_shown(item) for item in plan.items)

    def _is_shown(self, item: Item) -> bool:
        """Whether a verified take is on disk under both names (two looks at the folder, no reading)."""
        if item.status is not Status.VERIFIED or not item.wanted:
            return True
        file = self.project.store.shots[item.shot].take(item.number).file
        return file is not None and self.project.shelf.is_shown(item.shot, file)

    def connect(self) -> None:
        """Make the gateway's clients, if anything needs it. Sends nothing.

        Raises:
            EnvironmentFault: it is needed, and the key is missing or the network settings are unusable.
        """
        pipeline = self.project.pipeline
        needed = any(item.buys or item.status in CARRIED_ON - {Status.DOWNLOADED} for item in self.plan.items)
        environ = self.terms.environ
        if not needed and not environ.get(pipeline.provider.api_key_env, "").strip():
            return
        key = read_key(pipeline.provider.api_key_env, environ)
        address = self.terms.address or self.project.address
        self.gateway = Gateway(address, pipeline.provider.dialect, key, environ=environ)

    def make_ready(self, plan: Plan) -> None:
        """Write down that a run is on, take over renamed shots, wake what was parked.

        Raises:
            EnvironmentFault: the ledger or the output folder can't be written.
        """
        project = self.project
        before = project.ledger.open_runs
        made = takes.attempts_of(project.store.shots.values())
        self.budget.spent = takes.spending(attempt for attempt in made if attempt.run in before).total
        if before and self.budget.spent:
            self.terms.tell(f"the run before was killed; the ${as_text(self.budget.spent)} it spent count in this run")
        open_runs = (*before, self.id) if plan.worst_usd else before
        project.write_ledger(open_runs=open_runs, starts=True)
        files.make_folder(project.places.state)
        owner.claim_output(project.places, project.ledger)
        self.journal = Journal.open(project.places.runs / f"{self.id}.jsonl", self.terms.watcher)
        self.journal.note(
            "started",
            message=f"{counted(len(plan.creates), 'create')}, ${as_text(plan.cost_usd)}",
            takes=sum(item.buys or item.action is Action.CONTINUE for item in plan.items),
            spent_usd=as_text(self.budget.spent),
            cap_usd=as_text(self.budget.cap) if self.budget.cap is not None else None,
        )
        for sentence in elsewhere_words(plan):
            self.journal.note("bought elsewhere", message=sentence)
        try:
            if plan.worst_usd:
                project.store.keep_reserve()
            self._take_over(plan)
            for item in plan.items:
                if item.status is Status.PARKED and item.action in {Action.CONTINUE, Action.RENAME}:
                    project.store.record(item.shot, item.number, Event.RESUMED)
        except NotRecorded as error:
            raise EnvironmentFault(str(error)) from None

    def _count_attempts(self) -> None:
        """Let `ledger.json` know of an attempt while the run goes on; in the threads that create."""
        began = time.monotonic()
        if began < self.count_from:
            return
        self.count_from = math.inf  # by another thread at the same time: what it leaves out comes with the next
        try:
            self.project.write_ledger()
        except EnvironmentFault as error:
            self.halt.stop_creating(error.message, ExitCode.ENVIRONMENT)
        took = time.monotonic() - began
        self.count_from = began + max(COUNT_PAUSE, took / COUNT_SHARE)

    def _take_over(self, plan: Plan) -> None:
        """Let shots that got other ids have their states; raises `NotRecorded`."""
        store, shelf = self.project.store, self.project.shelf
        for shot in plan.moves.values():
            for take in store.shots[shot].takes:
                if take.file is None:  # half a download belongs to nobody under this id from now on
                    files.remove_quietly(shelf.part(shot, take.number))
        store.move(plan.moves)
        for item in plan.renames:
            self.journal.note("renamed", item.shot, item.number, f"was {item.renamed_from}")

    # --- the run itself ----------------------------------------------------------------------------

    async def go(self) -> None:
        """Create what may be created, settle what is open, until nothing is left or the run is ended."""
        # asyncio looks names up in the same threads as it writes files: a resolver that hangs must not stop those.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        gateway, prober, project = self.gateway, Prober(), self.project
        settler = Settler(
            store=project.store,
            gateway=gateway,
            prober=prober,
            pipeline=project.pipeline,
            shelf=project.shelf,
            journal=self.journal,
            halt=self.halt,
            tempo=self.tempo,
            wanted=self.plan.wanted_takes,
        )
        self._listen()
        try:
            await self._work(settler, gateway)
        finally:
            await prober.close()
            if gateway is not None:
                await gateway.close()

    async def _work(self, settler: Settler, gateway: Gateway | None) -> None:
        settling: set[asyncio.Task[None]] = set()
        by_take = {(item.shot, item.number): item for item in self.plan.items}

        def follow(work: Coroutine[Any, Any, None]) -> None:
            task = asyncio.create_task(work)
            settling.add(task)
            task.add_done_callback(settling.discard)
            task.add_done_callback(self._look_for_bugs)

        def begin(shot: str, number: int) -> None:
            follow(self._settle(settler, by_take.get((shot, number)), shot, number))

        if gateway is not None:
            asker = Asker(self.id, self.project.store, gateway, self.journal, self._count_attempts)
            self.creator = Creator(
                asker=asker,
                pipeline=self.project.pipeline,
                budget=self.budget,
                read_uploads=self._read_uploads,
                accepted=begin,
                journal=self.journal,
                halt=self.halt,
                tempo=self.tempo,
                permitted=self.terms.permission,
            )
            self.creator.queue.extend(self.plan.creates)
            settler.heard = self.creator.heard
        self._resume(begin)
        follow(self._show_kept(settler))
        if self.creator is not None:
            await self.creator.create_all()
        await self._until_settled(settling)

    def _resume(self, begin: Callable[[str, int], None]) -> None:
        """Carry on what is open; what the gateway will forget first comes first."""
        carried = []
        for item in self.plan.items:
            state = self.project.store.shots.get(item.shot)
            if item.action in {Action.CONTINUE, Action.RENAME} and state is not None:
                take = state.take(item.number)
                if take.status in IN_FLIGHT:
                    carried.append((take.last.submitted_at, item.shot, item.number, item.status is Status.PARKED))
        for _, shot, number, was_parked in sorted(carried):
            if self.creator is not None:
                self.creator.in_flight.add((shot, number))
                if was_parked:
                    self.creator.parked.add((shot, number))
            begin(shot, number)

    async def _settle(self, settler: Settler, item: Item | None, shot: str, number: int) -> None:
        try:
            await settler.settle(shot, number)
        finally:
            if self.creator is not None:
                self.creator.landed(item, shot, self.project.store.shots[shot].take(number))

    async def _show_kept(self, settler: Settler) -> None:
        """See that what was verified before is found under its name."""
        for item in self.plan.items:
            if self.halt.is_leaving:
                return
            kept = item.action in {Action.KEEP, Action.RENAME} and item.status is Status.VERIFIED
            if kept and not self._is_shown(item):
                await settler.bring_back(item.shot, self.project.store.shots[item.shot].take(item.number))

    async def _until_settled(self, settling: set[asyncio.Task[None]]) -> None:
        leaving = asyncio.create_task(self.halt.leaving.wait())
        while settling and not leaving.done():
            # One future for all: waiting for the first of many looks at every one of them each time.
            together: asyncio.Future[Any] = asyncio.gather(*settling, return_exceptions=True)
            await asyncio.wait([together, leaving], return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        for task in settling:  # everything they did is on disk; what they wait for can be had again
            task.cancel()
        await asyncio.gather(*settling, return_exceptions=True)
        if self.bugs:
            raise self.bugs[0]

    def _look_for_bugs(self, task: asyncio.Task[None]) -> None:
        """Nothing is bought any more once something happened that nobody expected."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.bugs.append(error)
            self.halt.leave("a bug of veopipe", ExitCode.BUG)

    def _read_uploads(self, item: Item) -> list[Picture]:
        """The pictures of an item, read once more: what is sent is what the plan hashed.

        Raises:
            Held: they aren't, or what would be bought couldn't be recorded.
        """
        if item.order is not None and not record.has_room(self.project.store.shots.get(item.shot), item.order):
            raise Held("its prompt is too long, or it was tried too often, for one state file: nothing is sent for it")
        uploads: list[Picture] = []
        boundary = rules.work_tree_of(self.project.manifest.folder)
        for picture, planned in self.project.pictures.get(item.shot, ()):
            try:
                content = pictures.read(picture.path, boundary)
            except (OSError, ValueError) as error:
                raise Held(f"{picture.written} can't be read any more: {error}") from None
            if files.sha256_of_bytes(content) != planned:
                raise Held(f"{picture.written} was changed since the plan; run again")
            uploads.append(Picture(picture.role, picture.media_type, content))
        return uploads

    # --- signals -----------------------------------------------------------------------------------

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in signals.heard():
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        """First: finish the create in flight, start nothing new. A second wish: leave now; all that counts is on disk.

        A terminal that goes, however often it says so, is no second wish.
        """
        code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
        is_first, is_wish = self.signalled is None, number in signals.WISHES
        if is_first:
            self.signalled = code
            self.halt.leave(_ENDED_BY[code], code)
        if is_wish and self.may_leave:
            self._leave_now(code)
        elif is_first or (is_wish and not self.wished):
            self._say_what_is_left(offers=is_wish)
        self.wished = self.wished or is_wish

    def _say_what_is_left(self, *, offers: bool) -> None:
        why = _ENDED_BY[self.signalled or ExitCode.INTERRUPTED]
        if self.creator is None or not self.creator.is_asking:
            self.may_leave = offers
            self.terms.tell(f"{why}: leaving")
        elif offers:  # said only once a second signal counts as one
            asyncio.get_running_loop().call_later(ECHO, self._offer_to_leave, why)
        else:
            self.terms.tell(f"{why}: waiting for the answer to the create in flight")

    def _offer_to_leave(self, why: str) -> None:
        self.may_leave = True
        self.terms.tell(f"{why}: waiting for the answer to the create in flight; again to leave now")

    def _leave_now(self, code: ExitCode) -> None:
        try:
            self.journal.note("left")
            self.terms.tell("left at once; a create that was under way is in doubt")
            if code is ExitCode.INTERRUPTED:
                with contextlib.suppress(EnvironmentFault):  # then the next run counts this one's spending
                    self._close_ledger()
            self.terms.last_words(code)
        finally:
            os._exit(code)

    # --- the end -----------------------------------------------------------------------------------

    def _close_ledger(self) -> None:
        """This run is over: its spending counts in no other."""
        self.project.write_ledger(open_runs=())

    def finish(self, plan: Plan | None = None) -> Ending:
        """Close the ledger and say how the run ended.

        Args:
            plan: what is still to be done; None: make it from what the run left.
        """
        is_over = ExitCode.TERMINATED not in self.halt.codes
        try:
            self.project.write_ledger(open_runs=() if is_over else None)
        except EnvironmentFault as error:  # then the next run counts this one's spending: safe, and said
            self.halt.stop_creating(error.message, ExitCode.ENVIRONMENT)
        return Ending(
            run=self.id,
            left=plan or self.project.plan(),
            codes=frozenset(self.halt.codes),
            notes=tuple(self.halt.notes),
            held=dict(self.creator.held) if self.creator is not None else {},
            warnings=tuple(elsewhere_words(self.plan)),
        )
