"""The takes of one shot, their attempts, and the file that was delivered, as values.

A change is a new value (`advance`, `with_take`). The status of a take is that of its last attempt, and `status.TABLE`
decides every change of it.

Source: docs/design.md, 2, 5 (State files) and 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from decimal import Decimal
from typing import Any

from veopipe.takes.order import Order, key_of
from veopipe.takes.origin import VIDEOS, is_local
from veopipe.takes.status import CHARGED, POSSIBLY_CHARGED, UNKNOWN_OUTCOME, Event, Status, after
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The file of a take.

    Attributes:
        output: the output folder of the pipeline that fetched it, relative to the manifest's folder.
        name: the file's name in `<output>/<manifest>/takes/`.
        sha256: hex digest of the whole file.
        bytes: its size.
        width: measured, in pixels.
        height: measured, in pixels.
        duration_s: measured, in seconds.
        measured: whatever else was measured (fps, codecs).
        stored: in a store, the `etag` of the take and that of the copy under the `finished` name; None: in a folder.
    """

    output: str
    name: str
    sha256: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    stored: Mapping[str, str] | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that went out with a create: evidence, and no part of the order.

    Attributes:
        role: what the picture was for.
        shot: whose video it was taken of, by its id at that time.
        take: the number of that video's take.
        frame: which picture of it.
        source_sha256: of the video.
        sha256: of the picture as it was sent.
        bytes: its size.
        made_by: versions of what took it.
    """

    role: str
    shot: str
    take: int
    frame: str
    source_sha256: str
    sha256: str
    bytes: int
    made_by: str
    unknown: Mapping[str, Any] = field(default_factory=dict)


UNKNOWN_TASK = "unknown_to_server"
"""The reason of an attempt that is parked because the gateway doesn't know its task."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One create call.

    Attributes:
        number: from 1 within the take.
        run: the run that made the call.
        status: where it stands (`status`).
        gateway: scheme, host and port of the gateway that was asked, or `simulator`.
        price_usd: what one call costs, US dollars.
        submitted_at: when the intent was written, UTC, ISO 8601.
        settled_at: when `status` was last recorded.
        task_id: the gateway's job, once accepted; in doubt: an id that the answer named beside an error.
        created_at: the gateway's own time of the task, Unix seconds.
        reason: why it stands where it stands, a short id such as `no_answer`.
        message: the same for people; the gateway's own words where it gave some.
        scope: of a refusal: `shot`, `account`, `gateway` or `throttle`.
        http_status: of the answer to the create.
        request_id: the gateway's name for the request, for its support.
        dialect: who made the call, by its name: it carries the take on.
        content_url: where the video is, below the gateway's base URL, where an answer said so.
        charged_usd: what it cost, where an answer said so, US dollars; nothing else knows better.
        echo_bytes: how much of what was uploaded the answers about its task may repeat.
        sent: the frames of other shots' videos that went out with it.
        rendered_s: seconds from its create between which it was there: at the last poll that said that it renders (0:
            none did), and at the first that said that it is completed.
        fetched_s: seconds that the download of its video took.
    """

    number: int
    run: str
    status: Status
    gateway: str
    price_usd: Decimal
    submitted_at: str
    settled_at: str | None = None
    task_id: str | None = None
    created_at: int | None = None
    reason: str | None = None
    message: str | None = None
    scope: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    dialect: str = VIDEOS
    content_url: str | None = None
    charged_usd: Decimal | None = None
    echo_bytes: int | None = None
    sent: tuple[Sent, ...] = ()
    rendered_s: tuple[float, float] | None = None
    fetched_s: float | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether a gateway on this machine has it: such a take satisfies no real run."""
        return is_local(self.gateway)

    @property
    def since(self) -> str:
        """Since when it stands where it stands, UTC, ISO 8601. In doubt: since its create, by which it is looked up."""
        if self.settled_at is None or self.status in UNKNOWN_OUTCOME:
            return self.submitted_at
        return self.settled_at

    @property
    def cost_usd(self) -> Decimal:
        """What it cost, US dollars, if it did: as an answer told, else the price of a call."""
        return self.price_usd if self.charged_usd is None else self.charged_usd

    @property
    def is_charged(self) -> bool:
        """Whether `cost_usd` is certainly spent: it was accepted, or an answer told the cost."""
        return self.charged_usd is not None or self.status in CHARGED


@dataclass(frozen=True, slots=True)
class Take:
    """One wanted result of a shot: one order, at most one delivered file.

    Attributes:
        number: from 1, in the order in which they were ordered; part of the file's name.
        fingerprint: of the order.
        order: what was asked for.
        attempts: at least one; only the last may be unsettled.
        file: what was delivered, once it is on disk.
    """

    number: int
    fingerprint: str
    order: Order
    attempts: tuple[Attempt, ...]
    file: Delivered | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> Attempt:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def status(self) -> Status:
        """Where the take stands: its newest attempt's status."""
        return self.last.status

    def paid_ordinal(self) -> int:
        """The number that the next create has among those that may cost money (refusals don't)."""
        return 1 + sum(attempt.status is not Status.REFUSED for attempt in self.attempts)

    def failures(self) -> int:
        """How many of its attempts the gateway reported failed."""
        return sum(attempt.status is Status.FAILED for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class ShotState:
    """All takes of one shot: the content of its state file."""

    shot: str
    takes: tuple[Take, ...] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict)

    def take(self, number: int) -> Take:
        """The take with that number.

        Raises:
            KeyError: there is none.
        """
        for take in self.takes:
            if take.number == number:
                return take
        raise KeyError(number)

    def attempts(self) -> Counter[str]:
        """Key of an order (`order.key_of`) → how many attempts were made for it here; never less than before."""
        tally: Counter[str] = Counter()
        for take in self.takes:
            tally[key_of(take.fingerprint)] += len(take.attempts)
        return tally

    def keys(self) -> set[str]:
        """By what its orders are known, whatever their frames are of (`Order.key`)."""
        return {take.order.key(take.fingerprint) for take in self.takes}

    def calls(self) -> Iterator[tuple[str, int, str, str]]:
        """What tells each of its attempts from every other: order, number, run and time."""
        for take in self.takes:
            for attempt in take.attempts:
                yield take.fingerprint, attempt.number, attempt.run, attempt.submitted_at

    def is_verified(self, number: int) -> bool:
        """Whether the take with that number is there and verified."""
        return any(take.number == number and take.status is Status.VERIFIED for take in self.takes)

    def next_number(self) -> int:
        """The number that a new take gets."""
        return 1 + max((take.number for take in self.takes), default=0)

    def with_take(self, changed: Take) -> ShotState:
        """The same shot with `changed` in the place of the take of that number, or behind the others."""
        others = [take for take in self.takes if take.number != changed.number]
        ordered = sorted([*others, changed], key=lambda take: take.number)
        return replace(self, takes=tuple(ordered))


def advance(take: Take, event: Event, at: str, **facts: Any) -> Take:
    """`take` after `event` happened to its newest attempt.

    Args:
        take: the take as it was.
        event: what happened.
        at: now, UTC, ISO 8601.
        facts: fields of `Attempt` that the event brings, such as `task_id`; `file` goes to the take.

    Raises:
        IllegalTransition: the table doesn't list it.
    """
    status = after(take.status, event)
    delivered = facts.pop("file", take.file)
    told = {"reason": None, "message": None, **facts}
    attempt = replace(take.last, status=status, settled_at=at, **told)
    return replace(take, attempts=(*take.attempts[:-1], attempt), file=delivered)


@dataclass(frozen=True, slots=True)
class Spending:
    """What some attempts cost, US dollars.

    Attributes:
        certain: of accepted ones, and of those whose cost was told.
        possible: of all others in doubt, reported failed, or given up.
    """

    certain: Decimal
    possible: Decimal

    @property
    def total(self) -> Decimal:
        """Both: what counts against a cap."""
        return self.certain + self.possible


def spending(attempts: Iterable[Attempt]) -> Spending:
    """What these attempts cost: the one place where money is summed up."""
    certain = possible = Decimal(0)
    for attempt in attempts:
        if attempt.is_charged:
            certain += attempt.cost_usd
        elif attempt.status in POSSIBLY_CHARGED:
            possible += attempt.cost_usd
    return Spending(certain, possible)


def attempts_of(shots: Iterable[ShotState]) -> Iterator[Attempt]:
    """All attempts of all takes of these shots."""
    return (attempt for shot in shots for take in shot.takes for attempt in take.attempts)
