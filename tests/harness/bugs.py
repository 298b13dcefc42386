"""Protocol bugs, each one change of veopipe's source text, and the trial that must notice it.

A text that isn't found exactly once is an error: the table can't rot. A trial returns complaints; on the real
package it has none.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from tests.harness.changes import Change
from tests.harness.disks import KILL, LOST, ZEROS
from tests.harness.failing import failed_well, recovers
from tests.harness.looks import LONG_AGO, in_doubt
from tests.harness.sweeping import Make, World, gateway_of, go_on, google, stop, text
from tests.harness.trials import Count, Ended, Yard, judge, look

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

TrialOf = Callable[[Yard, Make], list[str]]
BOTH = (text, google)


@dataclass(frozen=True)
class Bug(Change):
    """A bug of what buys.

    Attributes:
        trial: what must notice it.
        says: words of the complaint that it must raise; a bug that only breaks the program proves nothing.
        makes: the shots with which it must be noticed, each in its dialect.
    """

    trial: TrialOf
    says: str = "paid 2 times"
    makes: tuple[Make, ...] = (text,)


# --- trials -----------------------------------------------------------------------------------------


@functools.cache
def cut_at(*kinds: str, disks: tuple[str, ...] = (KILL, LOST, ZEROS)) -> TrialOf:
    """A stop at a point, and the runs that go on from what it leaves."""

    def trial(yard: Yard, make: Make) -> list[str]:
        with gateway_of(make) as simulator:
            stopped = stop(yard, make(yard, simulator), simulator, list(kinds))
            trials = go_on(yard, simulator, stopped, disks, World())
        assert trials, stopped.ended
        return [complaint for trial in trials for complaint in trial.complaints]

    return trial


@functools.cache
def failing_at(*kinds: str, how: str = "once") -> TrialOf:
    """A disk that is full at a point, or from there on, and the run that goes on when it isn't."""

    def trial(yard: Yard, make: Make) -> list[str]:
        with gateway_of(make) as simulator:
            film = make(yard, simulator)
            ended = yard.run(film, how, at=list(kinds), errno=errno.ENOSPC)
            point = next(point for point in ended.points if point.failed)
            failed = (point, how, errno.ENOSPC)
            return failed_well(film, ended, simulator, failed) + recovers(yard, film, ended, simulator, failed)

    return trial


def with_fault(name: str, expected: str, posts: int = 1, *, at_google: str = "") -> TrialOf:
    """One shot meets a fault of the gateway, which Google's may call otherwise."""

    def trial(yard: Yard, make: Make) -> list[str]:
        with gateway_of(make) as simulator:
            film = make(yard, simulator)
            film.list({"shot": "a cat"}, budget_usd=0.30)
            simulator.order_fault(at_google if at_google and make is google else name)
            ended = yard.run(film)
            found = ended.status(), Count.of(simulator).posted
        return [] if found == (expected, posts) else [f"{name}: {found} {ended.out[-300:]} {ended.err[-300:]}"]

    return trial


def pair(film: Film, **top: object) -> None:
    """Two shots in the list."""
    film.list({"a": "the first", "b": "the second"}, **top)


def two_connections(yard: Yard, make: Make) -> list[str]:
    """Two creates, two connections."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        pair(film)
        assert yard.run(film).code == 0
        used = [entry["connection"] for entry in simulator.wire if entry["method"] == "POST"]
    return [] if len(set(used)) == len(used) == 2 else [f"the creates used the connections {used}"]


def doubt_counts(yard: Yard, make: Make) -> list[str]:
    """A take in doubt leaves nothing of a budget for one."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        pair(film, budget_usd=0.30)
        simulator.order_fault("lost_response")
        ended = yard.run(film)
        return _spent_at_most(1, simulator, ended)


def killed_spending_counts(yard: Yard, make: Make) -> list[str]:
    """So does a take of a run that was killed while it asked."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        pair(film, budget_usd=0.30)
        stop(yard, film, simulator, ["answer"])
        ended = yard.run(film)
        return _spent_at_most(1, simulator, ended)


def _spent_at_most(creates: int, simulator: Simulator, ended: Ended) -> list[str]:
    paid = len(simulator.charged)
    return [] if paid <= creates else [f"paid {paid} times: {ended.out}"]


def nothing_new_while_in_doubt(yard: Yard, make: Make) -> list[str]:
    """A shot with a take in doubt gets no new take, whatever its text says."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        simulator.order_fault("lost_response")
        yard.run(film)
        film.list({"shot": "another text"})
        ended = yard.run(film)
        return _spent_at_most(1, simulator, ended)


def one_task_each(yard: Yard, make: Make) -> list[str]:
    """A task id that another take has proves nothing."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        pair(film)
        simulator.order_fault("duplicate_id", after=1)
        ended = yard.run(film)
    return [] if ended.status("b") == "in_doubt" else [f"two takes have one task: {ended.out}"]


def undisturbed(yard: Yard, make: Make) -> list[str]:
    """One shot, and nothing goes wrong."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        found = judge(film, yard.run(film), Count.of(simulator), doubt_is_fair=False)
        shutil.rmtree(film.folder)  # what was leaked on purpose isn't to be found again by `canary`
        return found


def damaged_part(yard: Yard, make: Make) -> list[str]:
    """A part whose second half turned to zeros after it was recorded is fetched again."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        stop(yard, film, simulator, ["measure"])
        part = film.folder / "renders/shots/takes/.shot.001.part"
        content = part.read_bytes()
        part.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
        return judge(film, yard.run(film), Count.of(simulator), doubt_is_fair=False) + look(film)


def taken_name(yard: Yard, make: Make) -> list[str]:
    """A take's name that something else has is left to it."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        stop(yard, film, simulator, ["measure"])
        other = film.folder / "renders/shots/takes/shot.001.mp4"
        other.write_bytes(b"of somebody else")
        yard.run(film)
        return [] if other.read_bytes() == b"of somebody else" else ["a file was overwritten"]


def one_at_a_time(yard: Yard, make: Make) -> list[str]:
    """While a lock is held, another run sends nothing."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        folder = film.folder / ".veopipe/shots"
        folder.mkdir(parents=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ended = yard.run(film)
        return [] if (ended.code, Count.of(simulator).posted) == (7, 0) else [f"exit {ended.code}, {ended.out}"]


def asked_again(fault: str, **limits: object) -> TrialOf:
    """One shot meets a fault of the gateway after it was paid; two runs that may try again what failed."""

    def trial(yard: Yard, make: Make) -> list[str]:
        with gateway_of(make) as simulator:
            film = make(yard, simulator)
            film.pipeline(**limits)
            simulator.order_fault(fault)
            yard.run(film)
            return _spent_at_most(1, simulator, yard.run(film, "", "--retry-failed"))

    return trial


def moved_elsewhere(yard: Yard, make: Make) -> list[str]:
    """What was bought in one dialect is carried on in it, though the pipeline speaks another one now."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        film.list({"shot": "a cat"})
        stop(yard, film, simulator, ["poll"])
        film.dialect = "videos"
        film.pipeline(poll__timeout="1s")
        return judge(film, yard.run(film), Count.of(simulator), doubt_is_fair=False)


def large_echo(yard: Yard, make: Make) -> list[str]:
    """Polls that repeat a picture of more than a mebibyte are read."""
    with gateway_of(make) as simulator:
        film = make(yard, simulator)
        film.pipeline(poll__timeout="2s")
        noise = Image.frombytes("RGB", (960, 540), os.urandom(960 * 540 * 3))
        noise.save(film.folder / "first.png", "PNG", compress_level=0)
        return judge(film, yard.run(film), Count.of(simulator), doubt_is_fair=False)


def late_charge(yard: Yard, make: Make) -> list[str]:
    """A charge that isn't in the account's log yet may still appear."""
    with gateway_of(make) as simulator:
        film = in_doubt(yard, simulator, charged=True)
        simulator.order_fault("log_late", times=None, seconds=3600)
        yard.run(film)
        return _spent_at_most(1, simulator, yard.run(film))


def looked_up_first(yard: Yard, make: Make) -> list[str]:
    """A run that finds that something wasn't charged doesn't send it."""
    with gateway_of(make) as simulator:
        film = in_doubt(yard, simulator, charged=False, minutes=LONG_AGO)
        ended, posted = yard.run(film), Count.of(simulator).posted
    return [] if posted == 1 else [f"posted {posted} times by the run that looked: {ended.out}"]


# --- bugs -------------------------------------------------------------------------------------------

_SAVED = "        self.store.save(state.with_take(take))\n"
_BODY = '        crashpoints.reach("body")\n        yield from _joined(self.body)\n'
BUGS: dict[str, Bug] = {
    "the intent isn't synced": Bug(
        "run/creating/create_call.py",
        _SAVED,
        "        state = state.with_take(take)\n"
        "        from veopipe.ledger.record import dump\n"
        "        self.store.places.state_of(item.shot).write_bytes(dump(state))\n"
        "        self.store.shots[item.shot] = state\n",
        cut_at("answer"),
        makes=BOTH,
    ),
    "there is no intent": Bug(
        "run/creating/create_call.py",
        _SAVED,
        "        self.store.shots[item.shot] = state.with_take(take)\n",
        cut_at("answer"),
        makes=BOTH,
    ),
    "what died while asking is asked again": Bug(
        "run/run.py",
        'Event.UNKNOWN, reason="crash"',
        'Event.REFUSED, scope="throttle", reason="crash"',
        cut_at("answer"),
        makes=BOTH,
    ),
    "the intent is written after the body": Bug(
        "gateway/client.py",
        "        self.intent()\n        self.passed = True\n" + _BODY,
        "        self.passed = True\n" + _BODY + "        self.intent()\n",
        failing_at("gate", "open"),
        "the task id of a paid create is nowhere",
        makes=BOTH,
    ),
    "an intent that can't be written is passed over": Bug(
        "gateway/client.py",
        "            raise _IntentFailed(error) from error\n",
        "            return\n",
        failing_at("gate", "open"),
        "something was sent",
        makes=BOTH,
    ),
    "a 502 is asked again": Bug(
        "dialects/videos/creates.py",
        "    if evidence.status == 429 and",
        "    if evidence.status in {429, 502} and",
        with_fault("html_502", "in_doubt"),
        "('verified', 2)",
    ),
    "a redirect is followed on a create": Bug(
        "gateway/client.py",
        "self._creates.send(sent, stream=True)",
        "self._creates.send(sent, stream=True, follow_redirects=True)",
        with_fault("redirect_307", "in_doubt"),
        "('verified', 2)",
        makes=BOTH,
    ),
    "creates share a connection": Bug(
        "gateway/client.py",
        "max_keepalive_connections=0",
        "max_keepalive_connections=4",
        two_connections,
        "[1, 1]",
        makes=BOTH,
    ),
    "the budget forgets a take in doubt": Bug(
        "run/creating/creating.py",
        "            self.brakes.doubted(answer)\n",
        "            self.brakes.doubted(answer)\n            self.budget.give_back(item.price_usd)\n",
        doubt_counts,
        makes=BOTH,
    ),
    "the budget forgets a killed run": Bug(
        "run/run.py",
        "open_runs = (*before, self.id) if plan.worst_usd else before",
        "open_runs = before",
        killed_spending_counts,
        makes=BOTH,
    ),
    "a killed run's take in doubt costs nothing": Bug(
        "takes/take.py",
        "elif attempt.status in POSSIBLY_CHARGED:",
        "elif attempt.status in POSSIBLY_CHARGED - {Status.SUBMITTING, Status.IN_DOUBT}:",
        killed_spending_counts,
        makes=BOTH,
    ),
    "files are renamed before they are synced": Bug(
        "files.py", "            sync(descriptor, temporary)\n", "", cut_at("poll", disks=(ZEROS,)), "can't be read"
    ),
    "folders aren't synced": Bug(
        "files.py",
        "contextlib.nullcontext(), syncing(target.parent):\n",
        "contextlib.nullcontext():\n",
        cut_at("answer"),
    ),
    "a state file is written in its place": Bug(
        "ledger/store.py",
        "files.replace(self.places.state_of(shot.shot), dump(shot))",
        "self.places.state_of(shot.shot).write_bytes(dump(shot))",
        cut_at("record", "open", "poll", disks=(LOST, ZEROS)),
        "shot.json can't be read",  # and bought again no more: the ledger has counted the order
    ),
    "failed is believed at once": Bug(
        "run/steps.py",
        "watch.failed >= CONFIRMATIONS",
        "watch.failed >= 1",
        with_fault("flap_failed", "verified"),
        "('failed', 1)",
        makes=BOTH,
    ),
    "the part isn't synced before it is recorded": Bug(
        "delivery/download.py",
        "                files.sync(self._descriptor, self._part)\n",
        "                pass\n",
        cut_at("measure", disks=(LOST,)),
        "no file on disk has these bytes",
    ),
    "the part's hash isn't looked at": Bug(
        "delivery/shelf.py", " and files.sha256_of(path) == file.sha256", "", damaged_part, "never measured"
    ),
    "a task that another take has is accepted": Bug(
        "run/creating/create_call.py",
        "if task_id is not None and not self._is_news((self.gateway.address.name, task_id)):",
        "if task_id in ():",
        one_task_each,
        "two takes have one task",
        makes=BOTH,
    ),
    "a refusal for now costs": Bug(
        "run/creating/creating.py",
        "        self.budget.give_back(item.price_usd)\n        if answer.scope",
        "        if answer.scope",
        with_fault("429_busy", "verified", posts=2, at_google="429_quota"),
        "('pending', 1)",
        makes=BOTH,
    ),
    "an edited shot is bought while it is in doubt": Bug(
        "plan/results.py",
        "return self._in_doubt(unclear) if unclear else",
        "return self._in_doubt(unclear) if unclear and self.take() is not None else",
        nothing_new_while_in_doubt,
        makes=BOTH,
    ),
    "the finished name is given before it is measured": Bug(
        "run/steps.py",
        '        crashpoints.reach("measure", path)\n',
        "        early = replace(take, file=replace(take.file, name=path.name))\n"
        "        await asyncio.to_thread(self.shelf.publish, path.name.split('.')[1], early, ())\n"
        '        crashpoints.reach("measure", path)\n',
        cut_at("measure", disks=(KILL,)),
        "before its take is verified",
    ),
    "a paid answer that can't be recorded isn't rescued": Bug(
        "ledger/rescue.py",
        '            _rescue(store.places, {"shot": shot,',
        '            (store.places, {"shot": shot,',
        failing_at("record", "open", how="ever"),
        "is nowhere",
        makes=BOTH,
    ),
    "a take is overwritten": Bug(
        "delivery/shelf.py",
        "            if not os.path.lexists(free):\n",
        "            if free == target:\n",
        taken_name,
        "a file was overwritten",
    ),
    "the key stands in the event log": Bug(
        "run/creating/create_call.py",
        '        crashpoints.reach("record", item.shot)\n',
        '        crashpoints.reach("record", item.shot)\n'
        "        import base64\n"
        "        seen = base64.b64encode(b'Bearer ' + self.gateway._key.encode()).decode()\n"
        '        self.journal.note("asked", item.shot, item.number, seen)\n',
        undisturbed,
        "the key stands in",
    ),
    "the end of the key is printed": Bug(
        "run/creating/create_call.py",
        '        crashpoints.reach("record", item.shot)\n',
        '        crashpoints.reach("record", item.shot)\n'
        "        import sys\n"
        "        sys.stderr.write(f'asked with …{self.gateway._key[-8:]}')\n",
        undisturbed,
        "the key was printed",
    ),
    "nobody holds the lock": Bug(
        "ledger/owner.py",
        "    until_done.enter_context(lock)\n"
        "    hold = until_done.enter_context(holding.held(places.folder, LOCK_WAIT))\n",
        "    hold = None\n",
        one_at_a_time,
        "exit 0",
    ),
    "a 500 of Google's is asked again": Bug(
        "dialects/interactions/creates.py",
        "    if evidence.status == 429:\n",
        "    if evidence.status in {429, 500}:\n",
        with_fault("500_internal", "in_doubt"),
        "('verified', 2)",
        makes=(google,),
    ),
    "a 500 of Google's is a refusal": Bug(
        "dialects/interactions/creates.py",
        "    if evidence.status in _REFUSED or",
        "    if evidence.status in _REFUSED | {500} or",
        asked_again("500_internal"),
        makes=(google,),
    ),
    "a video that is paid and named nowhere has failed": Bug(
        "dialects/interactions/polls.py",
        "    if told.tokens is not None and not told.tokens.video and not problem:\n",
        "    if told.tokens is not None and not problem:\n",
        asked_again("no_address", limits__retry_failed=1),
        makes=(google,),
    ),
    "a take is carried on in whatever dialect is spoken now": Bug(
        "gateway/reads.py",
        "        return self.dialect if attempt.dialect == self.dialect.name else choice.dialect(attempt.dialect)\n",
        "        return self.dialect\n",
        moved_elsewhere,
        "'parked'",
        makes=(google,),
    ),
    "nobody records how much polls may repeat": Bug(
        "run/creating/create_call.py",
        "            echo_bytes=echo_bytes,\n",
        "",
        large_echo,
        "'parked'",
        makes=(google,),
    ),
    "what the log doesn't show yet wasn't charged": Bug(
        "dialects/lookup.py", "    if rest > 0:\n", "    if rest > AFTER + SETTLED_AFTER:\n", late_charge
    ),
    "what wasn't charged is sent by the run that looked": Bug(
        "run/run.py",
        "    plan = ledger.plan()\n    for finding in denied:",
        "    for finding in denied:\n        looking.record(ledger.store, finding)\n"
        "    plan = ledger.plan()\n    for finding in ():",
        looked_up_first,
        "posted 2 times by the run that looked",
    ),
}
