"""The guard of a ledger: one small object in a store that says which copy of the ledger is the newest.

A ledger lies in git, so there may be two copies of it, and old ones: a second checkout, or that of a job which died
before its push. Such a copy doesn't know what was bought since, and would buy it again.

* Each run that may spend takes the guard, by a swap that the store allows to one only: a new nonce for the last one.
* `ledger.json` holds the new nonce before the guard does, and the last one beside it: killed in between, the same copy
  goes on. A copy that doesn't know the guard's nonce is refused, and so is one whose guard vanished. Who takes over
  learns no other copy's nonce by trying to.
* Nothing has to be unlocked by hand: a guard isn't held, it says who came last.

Source: docs/scale.md, g; docs/design.md, 5 (The guard).
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from functools import partial
from typing import Any

from veopipe import clock, crashpoints
from veopipe.delivery.buckets.objects import NEW, Missing, Objects, Passing, StoreFault, Taken, patiently
from veopipe.delivery.buckets.probing import STALE, is_refused
from veopipe.errors import EnvironmentFault, LedgerRefused, UsageError, VeopipeError
from veopipe.ledger import owner
from veopipe.ledger.ledgerfile import Ledger, Mark, is_nonce
from veopipe.plan.plan import Plan
from veopipe.project.open_ledger import OpenLedger
from veopipe.run.consent import Terms, Voice
from veopipe.takes.money import dollars_to_come
from veopipe.text import counted, printable
from veopipe.values import dataclass

LARGEST = 4096
"""Bytes of a guard that are read; it has some 250."""
_LATE = 4  # swaps that late requests of this copy may have spoiled
_KEYS = ("ledger", "serial", "nonce", "manifest", "host", "since")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a guard says.

    Attributes:
        ledger: whose it is.
        serial: how often it was taken.
        nonce: of the copy that took it last.
        manifest: the file name of the list, then.
        host: where that was.
        since: when that was, as ISO 8601.
        text: the bytes that say so.
        etag: of these bytes.
    """

    ledger: str
    serial: int
    nonce: str
    manifest: str
    host: str
    since: str
    text: bytes
    etag: str

    @property
    def who(self) -> str:
        """Which copy took it last, for people."""
        return f"{self.host} on {self.since}"


class Guard:
    """The guard at an address, for one ledger."""

    def __init__(self, url: str, take_over: str = "") -> None:
        """For a ledger of which `take_over` is the command that goes on in spite of a newer copy."""
        folder, _, self._name = url.rpartition("/")
        self.url = url
        self._take_over = take_over
        self._store = Objects(folder)

    @classmethod
    def of(cls, ledger: OpenLedger) -> Guard | None:
        """The one that the pipeline names; None: it names none, or this is a rehearsal.

        Raises:
            EnvironmentFault: the extra isn't installed, or the environment names no usable store.
        """
        project = ledger.project
        if project.pipeline.guard is None or project.places.simulated:
            return None
        return cls(project.pipeline.guard, project.choices.command("run --take-over", selecting=True))

    @property
    def _pull(self) -> str:
        return f"bring the newest ledger here: git pull; if it is lost for good: {self._take_over}"

    def look(self) -> Standing | None:
        """What it says; None: it isn't there.

        Raises:
            EnvironmentFault: nobody can say, or it is no guard.
        """
        try:
            text, seen = self._store.read(self._name, LARGEST)
        except Missing:
            return None
        except StoreFault as fault:
            raise _unusable(fault) from None
        try:
            return _read(text, seen.etag)
        except ValueError:
            raise EnvironmentFault(
                f"{self.url} is no guard of a ledger", hint="name an object that nothing else uses"
            ) from None

    def check(self, head: Ledger) -> Standing | None:
        """What it says, if this copy of the ledger is the newest.

        Raises:
            LedgerRefused: it guards another ledger.
            EnvironmentFault: this copy isn't the newest, or nobody can say.
        """
        found = self.look()
        if (objection := self.objection(head, found)) is not None:
            raise objection
        return found

    def objection(self, head: Ledger, found: Standing | None) -> VeopipeError | None:
        """Why a copy of a ledger isn't the newest by what was found; None: it is."""
        mark = head.guard
        if found is None:
            if mark is None or mark.nonce is None:
                return None
            said = f"{self.url}, which guards this ledger, isn't there any more"
            return EnvironmentFault(
                said, hint=f"bring it back, or see that no other copy spends, then: {self._take_over}"
            )
        if found.ledger != head.id:
            return self._of_another(head, found)
        if mark is not None and found.nonce in mark.known:
            return None
        here = f"the one here knows of {mark.serial:,}" if mark is not None else "the one here knows of none"
        return EnvironmentFault(
            f"this copy of the ledger isn't the newest: {found.who} went on with another one "
            f"({self.url} was taken {counted(found.serial, 'time')}; {here})",
            hint=self._pull,
        )

    def _of_another(self, head: Ledger, found: Standing) -> VeopipeError:
        if (head.is_new or head.is_lost) and found.manifest == head.manifest:
            return EnvironmentFault(
                f"there is no ledger here, and {self.url} guards one: {found.who} went on with it",
                hint=f"{self._pull}\nif this is another list of that name, give it a guard of its own",
            )
        return LedgerRefused(
            f"{self.url} guards another ledger, that of {found.manifest} ({found.ledger[:12]}…, {found.who})",
            hint="give each list a guard of its own: another name in the bucket",
        )

    def take(self, ledger: OpenLedger, found: Standing | None) -> None:
        """Be the newest copy, on record first.

        Args:
            ledger: whose copy that is.
            found: what the guard said when it was looked at.

        Raises:
            UsageError: the store ignores conditions, so it can't guard.
            EnvironmentFault: another copy was quicker, or the store refuses.
        """
        mark, nonce = ledger.head.guard or Mark(0, None), os.urandom(16).hex()
        claimed = replace(mark, claimed=(*mark.claimed, nonce))
        ledger.write(guard=claimed, starts=True)
        taken = Mark(max(mark.serial, found.serial if found is not None else 0) + 1, nonce)
        text = _text(ledger.head, taken)
        try:
            if found is not None:
                self._prove(found.text)
            self._swap(text, found, claimed)
            if found is None:
                self._prove(text)
        except StoreFault as fault:
            raise _unusable(fault) from None
        ledger.write(guard=taken)

    def _swap(self, text: bytes, found: Standing | None, claimed: Mark) -> None:
        """Put it where `found` still stands, or what a late request of this copy put there."""
        now = found
        for _ in range(_LATE):
            before, now = now, patiently(partial(self._swapped, text, now, claimed.claimed[-1]))
            if now is None:
                return
            if now.nonce not in claimed.known or now == before:
                break
        who = f"{now.who} took {self.url}" if now is not None and now.nonce else f"{self.url} is gone"
        raise EnvironmentFault(f"another copy of this ledger was quicker: {who}", hint=self._pull)

    def _swapped(self, text: bytes, found: Standing | None, nonce: str) -> Standing | None:
        """Put it once; what stands there instead, None: it does. After a lost answer the nonce says whose it is."""
        crashpoints.reach("guard", self.url)
        try:
            self._store.put(self._name, text, NEW if found is None else found.etag)
        except (Taken, Passing) as fault:
            now = self.look()
            if now is not None and now.nonce == nonce:
                return None
            if isinstance(fault, Passing):
                raise
            return now or _GONE
        return None

    def _prove(self, text: bytes) -> None:
        """See that the store refuses what a condition forbids; `text` is what the guard has now."""
        if not all(patiently(partial(is_refused, self._store, self._name, text, when)) for when in (NEW, STALE)):
            raise UsageError(
                f"{self.url} can't guard: its store ignores conditions, so two copies could both take it",
                hint="docs/scale.md says which stores keep them; or leave `guard` out",
            )


@dataclass(frozen=True, slots=True)
class Claim:
    """A guard that was looked at and may be taken: by the newest copy, or in spite of another one."""

    guard: Guard
    found: Standing | None

    def take(self, ledger: OpenLedger) -> None:
        """Be the newest copy, before the first create; raises as `Guard.take` does."""
        self.guard.take(ledger, self.found)


def look(ledger: OpenLedger, plan: Plan, terms: Terms, voice: Voice) -> Claim | None:
    """The guard that a run has to take before it spends; None: it has none, or spends nothing.

    Raises:
        LedgerRefused: it guards another ledger, or the list was renamed and its ledger wasn't.
        EnvironmentFault: this copy of the ledger isn't the newest and nobody takes over, or nobody can say.
    """
    guard = Guard.of(ledger) if plan.creates or plan.worst_usd else None
    if guard is None:
        return None
    found = guard.look()
    objection = guard.objection(ledger.head, found)
    if objection is not None:
        if ledger.head.is_new and not terms.new_ledger:
            owner.refuse_if_renamed(ledger.project.places)  # another guard would be no remedy
        if not terms.take_over or isinstance(objection, LedgerRefused):
            raise objection
        voice.tell(_risk(plan, found))
    return Claim(guard, found)


def _risk(plan: Plan, found: Standing | None) -> str:
    """What taking over may cost."""
    who = f"the copy that {found.who} went on with" if found is not None else "another copy of this ledger"
    videos, price = counted(len(plan.creates), "video"), dollars_to_come(plan.cost_usd)
    return f"warning: {who} may have bought any of these {videos} ({price}): what it bought is paid twice"


def _unusable(fault: StoreFault) -> EnvironmentFault:
    return EnvironmentFault(f"the guard {fault}", hint="without it nobody can say whether this ledger is the newest")


_GONE = Standing("", 0, "", "", "", "", b"", "")


def _text(head: Ledger, mark: Mark) -> bytes:
    said = {"v": 1, "ledger": head.id, "manifest": head.manifest, "serial": mark.serial, "nonce": mark.nonce}
    return json.dumps({**said, "host": socket.gethostname()[:100], "since": clock.now()}).encode("ascii")


def _read(text: bytes, etag: str) -> Standing:
    """What a guard's bytes say; raises `ValueError`."""
    found: Any = json.loads(text)
    if not isinstance(found, dict) or found.get("v") != 1:
        raise ValueError("no guard of this version")
    ledger, serial, nonce, *about = (found.get(key) for key in _KEYS)
    if not isinstance(ledger, str) or type(serial) is not int or not is_nonce(nonce):
        raise ValueError("a field is missing or has the wrong type")
    manifest, host, since = (printable(value, 100) if isinstance(value, str) else "somebody" for value in about)
    return Standing(printable(ledger, 64), serial, str(nonce), manifest, host, since, text, etag)
