"""Asks the account's log what became of takes in doubt, and records what is certain. Never posts anything.

What a log proves is `dialects.lookup`'s to say. Here are its pages, one after the other, and what is known of the takes
around the one in doubt.

Source: docs/design.md, 7 (resolve).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from veopipe import clock
from veopipe.dialects import lookup
from veopipe.dialects.heads import date_of
from veopipe.dialects.lookup import AccountLog, Doubt, Found, Known, Question, Record, Seen, Verdict
from veopipe.errors import EnvironmentFault, UsageError
from veopipe.gateway.address import read_key
from veopipe.gateway.client import Gateway
from veopipe.ledger.store import Store
from veopipe.plan.plan import NOT_CHARGED
from veopipe.project.open_ledger import OpenLedger
from veopipe.run.resolve import unresolved
from veopipe.takes.status import CHARGED, UNKNOWN_OUTCOME, Event, Status
from veopipe.takes.take import Attempt, Take
from veopipe.text import counted, hide
from veopipe.values import dataclass

TOKEN = "account token"
NO_USER = "This gateway shows its log to who knows the account's number: provider.account_user is not set."
MOST_PAGES = 100
"""Of one log: a thousand charges by one key within 17 minutes are no shot list."""
_TOGETHER = lookup.BEFORE + lookup.AFTER  # seconds between two intents below which their windows touch


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about a take in doubt."""

    shot: str
    take: Take
    verdict: Verdict


def look_up(ledger: OpenLedger, environ: Mapping[str, str], shots: Collection[str] | None = None) -> list[Finding]:
    """Ask the log about every take in doubt. Records nothing; blocks.

    Args:
        ledger: whose takes.
        environ: where the account's token is.
        shots: only theirs; None: all.

    Raises:
        EnvironmentFault: there is no token or no account's number, or the network settings are unusable.
        UsageError: this gateway's dialect has no such log.
    """
    provider = ledger.project.pipeline.provider
    log = provider.dialect.look_up
    if log is None:
        raise UsageError(
            f"the profile {provider.profile.name} has no account log to look at",
            hint=f"look it up in its console, then say what you found: {ledger.project.choices.command('resolve')}",
        )
    token = read_key(provider.account_token_env, environ, TOKEN)
    if provider.profile.wants_account_user and provider.account_user is None:
        raise EnvironmentFault(NO_USER, hint="write it into the pipeline; new-api calls it the user's ID")
    found = [entry for entry in unresolved(ledger.store, shots) if entry.status is Status.IN_DOUBT]
    if not found:
        return []
    key = environ.get(provider.api_key_env, "").strip()  # isn't sent, but masked where the log repeats it
    gateway = Gateway(ledger.project.address, provider.dialect, key, environ=environ)
    reader = _Reader(gateway, log, token, provider.token_name)

    async def every() -> list[Finding]:
        try:
            return [
                Finding(entry.shot, entry.take, await reader.verdict(ledger.store, entry.shot, entry.take))
                for entry in found
            ]
        finally:
            await gateway.close()

    return asyncio.run(every())


def record(store: Store, finding: Finding) -> Take:
    """Let a take stand where its finding says; what is unclear stays as it is.

    Raises:
        NotRecorded: nothing changed.
    """
    shot, number, verdict = finding.shot, finding.take.number, finding.verdict
    if finding.take.status is Status.SUBMITTING:  # the table goes through in_doubt
        said = "the process died while it was asking"
        store.record(shot, number, Event.UNKNOWN, reason="crash", message=said)
    if verdict.found is Found.TASK:
        facts = {"task_id": verdict.task_id, "message": verdict.message, "scope": None}
        return store.record(shot, number, Event.ACCEPTED, **facts)
    if verdict.found is Found.NOT_CHARGED:
        facts = {"reason": NOT_CHARGED, "message": verdict.message, "scope": NOT_CHARGED}
        return store.record(shot, number, Event.REFUSED, **facts)
    if verdict.found is Found.CHARGED:
        return store.change(shot, number, lambda take: _said(take, verdict.message))
    return store.shots[shot].take(number)


def _said(take: Take, message: str) -> Take:
    """The take with what was found, behind why it is in doubt; once, however often it is looked up."""
    before = take.last.message or ""
    if message in before:
        return take
    last = replace(take.last, message=f"{before}; {message}" if before else message)
    return replace(take, attempts=(*take.attempts[:-1], last))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the log of one account.

    Attributes:
        gateway: that keeps it.
        log: how it is read.
        token: the account's.
        key_name: whose charges count; None: everybody's.
    """

    gateway: Gateway
    log: AccountLog
    token: str
    key_name: str | None

    async def verdict(self, store: Store, shot: str, take: Take) -> Verdict:
        """What became of a take."""
        here, last = self.gateway.address.name, take.last
        if last.gateway != here or last.dialect != self.gateway.dialect.name:
            return lookup.unclear(f"it was asked for at {last.gateway}, and this is the log of {here}")
        doubt = _doubt(store, shot, take)
        if doubt is None:
            return lookup.unclear("its record has no time that can be understood")
        if (gap := _gap(store)) is not None:
            return lookup.unclear(f"{gap}, so a charge in the log may be for that")
        seen = Seen() if doubt.rivals else await self._read(doubt.question(self.key_name))
        return lookup.judge(doubt, seen)

    async def _read(self, question: Question) -> Seen:
        """All pages, or why they can't be had."""
        records: list[Record] = []
        hide(self.token)
        who = self.log.token_header(self.token)
        for number in range(MOST_PAGES):
            evidence = await self.gateway.ask(self.log.page(question, number), who)
            page = self.log.judge_page(evidence, question)
            records += page.records
            if page.trouble or page.is_last:
                return Seen(records, date_of(evidence.headers), time.time(), self.key_name, page.trouble)
        return Seen(records, trouble=f"the log has more than {MOST_PAGES} pages for that time")


def _gap(store: Store) -> str | None:
    """What the ledger bought, or may have, and doesn't know of: a log tells no such charge from the one looked for."""
    for shot, why in store.unusable.shots.items():
        return f"the state file of {shot} {why}"
    count = len(store.count.lost)
    return f"{counted(count, 'order')} that was made before isn't on record" if count else None


def _doubt(store: Store, shot: str, take: Take) -> Doubt | None:
    """What is known around a take; None: when it was ordered isn't."""
    last = take.last
    if (at := clock.unix(last.submitted_at)) is None:
        return None
    rivals, known, taken = 0, [], set()
    for model, attempt in _others(store, shot, take):
        if attempt.task_id is not None:
            taken.add(attempt.task_id)
        if attempt.gateway != last.gateway or attempt.status is Status.REFUSED:
            continue
        when = clock.unix(attempt.submitted_at) or at
        if attempt.status in UNKNOWN_OUTCOME:
            rivals += model == take.order.model and abs(when - at) <= _TOGETHER
        else:
            known += _known(model, attempt, when)
    return Doubt(take.order.model, at, last.task_id, rivals, known, taken)


def _known(model: str, attempt: Attempt, when: float) -> list[Known]:
    """A call with an answer: at the time of its intent, or at that and the gateway's own where they can't both be true.

    What failed may have been paid back, and with that its charge may be gone.
    """
    said = when if attempt.created_at is None else attempt.created_at
    agree = -lookup.BEFORE <= said - when <= lookup.CHARGED_WITHIN
    certain = agree and attempt.status in CHARGED
    return [Known(model, at, attempt.task_id, certain) for at in ([when] if agree else [when, float(said)])]


def _others(store: Store, shot: str, take: Take) -> Iterator[tuple[str, Attempt]]:
    """Every other attempt of the ledger, with its model."""
    for other, state in store.shots.items():
        for each in state.takes:
            own = other == shot and each.number == take.number
            for attempt in each.attempts[:-1] if own else each.attempts:
                yield each.order.model, attempt
