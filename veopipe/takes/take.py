"""What a state file holds: the takes of one shot, their attempts, the file that was delivered.

* Values only; a change is a new value (`advance`, `with_attempt`). The status of a take is that of its
  last attempt, and `state.TABLE` decides every change of it.
* Fields that this version doesn't know are kept and written back (a newer veopipe may have made them).
* Reading is strict: a file that isn't understood whole is `Unreadable`, and its shot is held.

Source: docs/design.md, 5 (State files); `schemas/state.schema.json`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from veopipe.dialects.bodies import is_task_id
from veopipe.dialects.catalogue import as_text
from veopipe.ledger.ledgerfile import key_of
from veopipe.ledger.reading import NOTHING, NotHere, Reader, strict_json
from veopipe.ledger.reading import Unreadable as Unreadable
from veopipe.takes import status as state
from veopipe.takes.order import SIZES, fingerprint_of
from veopipe.takes.status import Event, Status

FORMAT = 1
LARGEST_STATE_FILE = 4 << 20
"""Bytes. A take needs about 2 KB and a prompt; 4 MiB is a thousand takes of one shot."""

_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GATEWAY = re.compile(r"simulator|https?://[a-z0-9._-]+:[0-9]{1,5}|https?://\[[0-9a-f:.]+\]:[0-9]{1,5}")
_INSTANT = re.compile(r"(?:19[7-9]|[2-9][0-9]{2})[0-9](?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2}Z")
_NO_NAME = re.compile("[\0\ud800-\udfff]")  # in no file's name: a NUL, half a character
_LONGEST_NAME, _LONGEST_OUTPUT, _LARGEST_NUMBER = 200, 1_000, 999_999
_DELIVERED = frozenset({Status.DOWNLOADED, Status.MISMATCHED, Status.VERIFIED})


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
    """

    output: str
    name: str
    sha256: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One create call.

    Attributes:
        number: from 1 within the take.
        run: the run that made the call.
        status: where it stands (`state`).
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
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Take:
    """One wanted result of a shot: one order, at most one delivered file.

    Attributes:
        number: from 1, in the order in which they were ordered; part of the file's name.
        fingerprint: of the order.
        order: as `order.Order.as_json` gives it.
        attempts: at least one; only the last may be unsettled.
        file: what was delivered, once it is on disk.
    """

    number: int
    fingerprint: str
    order: Mapping[str, Any]
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
        """Key of an order (`ledgerfile.key_of`) → how many attempts were made for it here; never less than before."""
        tally: Counter[str] = Counter()
        for take in self.takes:
            tally[key_of(take.fingerprint)] += len(take.attempts)
        return tally

    def calls(self) -> Iterator[tuple[str, int, str, str]]:
        """What tells each of its attempts from every other: order, number, run and time."""
        for take in self.takes:
            for attempt in take.attempts:
                yield take.fingerprint, attempt.number, attempt.run, attempt.submitted_at

    def is_outdone(self, number: int, wanted: int | None) -> bool:
        """Whether the take that is wanted now is verified, and is another one: the finished name is that one's."""
        return any(take.number == wanted != number and take.status is Status.VERIFIED for take in self.takes)

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
    status = state.after(take.status, event)
    delivered = facts.pop("file", take.file)
    told = {"reason": None, "message": None, **facts}
    attempt = replace(take.last, status=status, settled_at=at, **told)
    return replace(take, attempts=(*take.attempts[:-1], attempt), file=delivered)


def has_room(shot: ShotState | None, order: Mapping[str, Any]) -> bool:
    """Whether another attempt for `order` and all that may become of it fits into a state file that can be read."""
    now = len(dump(shot)) if shot is not None else 0
    return now + len(json.dumps(order)) <= LARGEST_STATE_FILE // 2


@dataclass(frozen=True, slots=True)
class Spending:
    """What some attempts cost, US dollars.

    Attributes:
        certain: of accepted ones.
        possible: of those in doubt, reported failed, or given up.
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
        if attempt.status in state.CHARGED:
            certain += attempt.price_usd
        elif attempt.status in state.POSSIBLY_CHARGED:
            possible += attempt.price_usd
    return Spending(certain, possible)


def attempts_of(shots: Iterable[ShotState]) -> Iterator[Attempt]:
    """All attempts of all takes of these shots."""
    return (attempt for shot in shots for take in shot.takes for attempt in take.attempts)


# --- the file's text -------------------------------------------------------------------------------


def dump(shot: ShotState) -> bytes:
    """The text of the state file: UTF-8 JSON, stable key order, one trailing newline, ASCII only.

    ASCII, so that a half surrogate in a gateway's text can't fail here, after the money is spent.
    """
    document = {"format": FORMAT, "shot": shot.shot, "takes": [_dump_take(t) for t in shot.takes], **shot.unknown}
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode("ascii")


def _dump_take(take: Take) -> dict[str, Any]:
    return {
        "take": take.number,
        "status": take.status.value,
        "fingerprint": take.fingerprint,
        "order": dict(take.order),
        "attempts": [_dump_flat(attempt) for attempt in take.attempts],
        "file": _dump_flat(take.file) if take.file else None,
        **take.unknown,
    }


def _dump_flat(value: Attempt | Delivered) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for item in fields(value):
        content = getattr(value, item.name)
        if item.name == "unknown" or content is None:
            continue
        document[item.name] = as_text(content) if isinstance(content, Decimal) else _plain(content)
    return {**document, **value.unknown}


def _plain(content: Any) -> Any:
    return dict(content) if isinstance(content, Mapping) else content


def parse(text: bytes) -> ShotState:
    """The state that a file's text holds.

    Raises:
        Unreadable: it is damaged, of a newer format, or breaks a rule; nothing of it can be trusted.
    """
    try:
        document = strict_json(text)
    except NotHere as error:
        raise Unreadable(str(error)) from None
    except ValueError as error:
        raise Unreadable(f"it isn't JSON ({error})") from None
    read = Reader(document, "the file")
    if read.take_out("format", int) != FORMAT:
        raise Unreadable(f"its format is {document.get('format')!r}; this veopipe knows {FORMAT}")
    shot = read.take_out("shot", str)
    takes = tuple(_parse_take(item) for item in read.take_out("takes", list))
    if not takes:
        raise Unreadable("it has no take")
    if len({take.number for take in takes}) != len(takes):
        raise Unreadable("two takes have the same number")
    return ShotState(shot, tuple(sorted(takes, key=lambda take: take.number)), read.rest())


def _parse_take(document: Any) -> Take:
    read = Reader(document, "a take")
    number = read.take_out("take", int)
    read.where = f"take {number}"
    attempts = tuple(_parse_attempt(item, number) for item in read.take_out("attempts", list))
    if not attempts:
        raise Unreadable(f"take {number} has no attempt")
    if not 1 <= number <= _LARGEST_NUMBER or any(attempt.status not in state.SETTLED for attempt in attempts[:-1]):
        raise Unreadable(f"take {number} has an open attempt before its last")
    if read.take_out("status", str) != attempts[-1].status:
        raise Unreadable(f"take {number} says another status than its last attempt")
    if [attempt.number for attempt in attempts] != sorted({attempt.number for attempt in attempts}):
        raise Unreadable(f"the attempts of take {number} aren't numbered in order")
    fingerprint = read.take_out("fingerprint", str)
    order = read.take_out("order", dict)
    _check_order(order, number, fingerprint)
    file = read.maybe("file", dict)
    if file is None and attempts[-1].status in _DELIVERED:
        raise Unreadable(f"take {number} is {attempts[-1].status} but names no file")
    delivered = _parse_delivered(file, number) if file is not None else None
    return Take(number, fingerprint, MappingProxyType(order), attempts, delivered, read.rest())


def _check_order(order: Mapping[str, Any], take: int, fingerprint: str) -> None:
    """See that what an order is measured against is there, and that it is the order that was paid.

    A fingerprint that a single flipped bit changed would let the next run buy the same order again.
    """
    texts = [order.get(key) for key in ("model", "prompt", "resolution", "aspect_ratio")]
    if type(order.get("seconds")) is not int or not all(isinstance(text, str) for text in texts):
        raise Unreadable(f"the order of take {take} can't be understood")
    if (texts[2], texts[3]) not in SIZES:
        raise Unreadable(f"take {take} is of a size that this veopipe doesn't know")
    if fingerprint_of(order) != fingerprint:
        raise Unreadable(f"the fingerprint of take {take} isn't that of its order")


def _parse_attempt(document: Any, take: int) -> Attempt:
    read = Reader(document, f"an attempt of take {take}")
    status = read.take_out("status", str)
    if status not in set(Status):
        raise Unreadable(f"an attempt of take {take} has the unknown status {status!r}")
    task_id = read.maybe("task_id", str)
    if task_id is None and Status(status) in state.CHARGED:
        raise Unreadable(f"an attempt of take {take} is {status} but has no task id")
    if task_id is not None and not is_task_id(task_id):
        raise Unreadable(f"an attempt of take {take} has an impossible task id")
    gateway = read.take_out("gateway", str)
    if _GATEWAY.fullmatch(gateway) is None:
        raise Unreadable(f"an attempt of take {take} names no gateway")
    submitted_at = read.take_out("submitted_at", str)
    if _INSTANT.fullmatch(submitted_at) is None:
        raise Unreadable(f"an attempt of take {take} has no time")
    created_at = read.maybe("created_at", int)
    if created_at is not None and not 0 <= created_at < 1 << 40:
        raise Unreadable(f"an attempt of take {take} has an impossible time")
    return Attempt(
        number=read.take_out("number", int),
        run=read.take_out("run", str),
        status=Status(status),
        gateway=gateway,
        price_usd=money(read.take_out("price_usd", str)),
        submitted_at=submitted_at,
        settled_at=read.maybe("settled_at", str),
        task_id=task_id,
        created_at=created_at,
        reason=read.maybe("reason", str),
        message=read.maybe("message", str),
        scope=read.maybe("scope", str),
        http_status=read.maybe("http_status", int),
        request_id=read.maybe("request_id", str),
        unknown=read.rest(),
    )


def _parse_delivered(document: Any, take: int) -> Delivered:
    read = Reader(document, f"the file of take {take}")
    name = read.take_out("name", str)
    output = read.take_out("output", str)
    odd = "/" in name or name in {"", ".", ".."} or output.startswith("/") or len(name) > _LONGEST_NAME
    if odd or _NO_NAME.search(name + output) or len(output) > _LONGEST_OUTPUT:
        raise Unreadable(f"the file of take {take} has an impossible name")
    sha256 = read.take_out("sha256", str)
    if _SHA256.fullmatch(sha256) is None:
        raise Unreadable(f"the file of take {take} has an impossible sha256")
    duration = read.maybe("duration_s", (int, float))
    return Delivered(
        output=output,
        name=name,
        sha256=sha256,
        bytes=read.take_out("bytes", int),
        width=read.maybe("width", int),
        height=read.maybe("height", int),
        duration_s=float(duration) if duration is not None else None,
        measured=read.maybe("measured", dict) or NOTHING,
        unknown=read.rest(),
    )


def money(text: str) -> Decimal:
    """The amount that a file of ours holds, US dollars.

    Raises:
        Unreadable: it is no plain decimal number.
    """
    if _MONEY.fullmatch(text) is None:
        raise Unreadable(f"{text[:40]!r} is no amount of money")
    return Decimal(text)
