"""One stage of the real client against the fault server, and what became of it in one word.

Creates go through `Asker`: the thread, the gate, the record on disk. Polls and downloads go through the
gateway's own functions. Nothing is replaced inside the client; only its timeouts are short where a
behaviour would have to be waited for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tests.harness.canary import KEY
from tests.harness.film import AUTHORITY
from tests.harness.wire.server import FaultServer
from veopipe.delivery.download import Part, fetch
from veopipe.dialects.base import CreateAnswer, Outcome, Picture, PollAnswer
from veopipe.gateway.address import Address
from veopipe.gateway.client import Gateway
from veopipe.gateway.reads import Timeouts
from veopipe.ledger import record
from veopipe.ledger.paths import Places
from veopipe.ledger.store import Store
from veopipe.plan.plan import Action, Item
from veopipe.run.creating.create_call import Asker
from veopipe.run.creating.uploads import Uploads
from veopipe.run.events import Journal
from veopipe.takes.status import Status

PATIENT = Timeouts(connect=15, create_write=15, create_read=15, create_answer=15, read=15, poll=20, download=25)
HURRIED = Timeouts(connect=0.4, create_write=0.4, create_read=0.4, create_answer=0.5, read=0.4, poll=0.6, download=0.7)
WAIT = 0.8
"""Seconds after which a hurried create is recorded as in doubt, whatever its thread still waits for."""
_RECORDED = {
    Outcome.ACCEPTED: Status.RENDERING,
    Outcome.REFUSED: Status.REFUSED,
    Outcome.IN_DOUBT: Status.IN_DOUBT,
    Outcome.NOT_SENT: None,
}


@dataclass
class Ledger:
    """A ledger of its own for one trial."""

    store: Store

    @property
    def recorded(self) -> Status | None:
        """What is on disk of the one shot."""
        path = self.store.places.state / "shot.json"
        return record.parse(path.read_bytes()).take(1).status if path.exists() else None


def ledger_in(folder: Path) -> Ledger:
    """An empty one."""
    places = Places(folder / "shots.yaml", ".veopipe", "renders")
    places.state.mkdir(parents=True, exist_ok=True)
    return Ledger(Store(places))


def _client(server: FaultServer, timeouts: Timeouts) -> Gateway:
    """One that trusts a single authority: to read all of a machine's takes longer than most trials."""
    environ = {"SSL_CERT_FILE": AUTHORITY}
    return Gateway(Address(server.base_url), server.spoken.dialect, KEY, timeouts, environ)


def create(server: FaultServer, folder: Path, timeouts: Timeouts, upload: int = 200_000) -> tuple[CreateAnswer, Ledger]:
    """One create with a picture of `upload` bytes, recorded like a run's."""
    ledger = ledger_in(folder)
    gateway, order = _client(server, timeouts), server.spoken.order
    item = Item("shot", Action.CREATE, "new", 1, order.fingerprint(), order, Decimal("0.3"))
    picture = Picture("input_reference", "image/png", b"\x89PNG" + bytes(upload))

    async def ask() -> CreateAnswer:
        asker = Asker("run-1", ledger.store, gateway, Journal(lambda note: None))
        answer = await asker.ask(item, Uploads([picture]), lambda: None).wait(WAIT if timeouts is HURRIED else 30)
        await gateway.close()
        return answer

    answer = asyncio.run(ask())
    assert ledger.recorded == _RECORDED[answer.outcome], answer
    return answer, ledger


def poll(server: FaultServer, timeouts: Timeouts, times: int = 1) -> list[PollAnswer]:
    """Poll the task some times, on one client."""
    gateway, attempt = _client(server, timeouts), server.spoken.attempt

    async def ask() -> list[PollAnswer]:
        answers = [await gateway.poll(attempt) for _ in range(times)]
        await gateway.close()
        return answers

    return asyncio.run(ask())


def download(server: FaultServer, folder: Path, timeouts: Timeouts) -> Part:
    """Fetch the task's video; a part is left only when it is complete."""
    gateway, attempt = _client(server, timeouts), server.spoken.attempt
    path = folder / ".shot.001.part"

    async def ask() -> Part:
        part = await fetch(gateway, attempt, path, lambda size, length: None)
        await gateway.close()
        return part

    part = asyncio.run(ask())
    assert path.exists() == bool(part.sha256), part
    return part


def word_for(answer: CreateAnswer) -> str:
    """The class of a create, with its reason where that matters."""
    if answer.outcome is Outcome.IN_DOUBT:
        return f"in doubt: {answer.reason}"
    if answer.outcome is Outcome.REFUSED:
        return f"refused: {answer.scope}"
    return str(answer.outcome)
