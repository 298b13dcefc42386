"""The text of a state file: how the takes of one shot are written, and how they are read back.

* Reading is strict: a file that isn't understood whole is `Unreadable`, and its shot is held.
* Fields that this version doesn't know are kept and written back (a newer veopipe may have made them).

Source: docs/design.md, 5 (State files); `schemas/state.schema.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from veopipe.dialects import choice
from veopipe.ledger.reading import Fields, NotHere, Unreadable, strict_json
from veopipe.takes import money
from veopipe.takes.moment import Moment
from veopipe.takes.order import FINGERPRINTED, SIZES, Order, OrderedPicture, fingerprint_of
from veopipe.takes.origin import VIDEOS, is_safe_id
from veopipe.takes.status import CHARGED, SETTLED, Status
from veopipe.takes.take import Attempt, Delivered, Sent, ShotState, Take

FORMAT = 1
LARGEST = 4 << 20
"""Bytes. A take needs about 2 KB and a prompt; 4 MiB is a thousand takes of one shot."""
SHOT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a shot can be called (docs/design.md, 2)."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GATEWAY = re.compile(r"simulator|https?://[a-z0-9._-]+:[0-9]{1,5}|https?://\[[0-9a-f:.]+\]:[0-9]{1,5}")
_INSTANT = re.compile(r"(?:19[7-9]|[2-9][0-9]{2})[0-9](?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2}Z")
_BELOW = re.compile(r"/[A-Za-z0-9_.~:/-]{1,500}")
_MOST_SENT = 1 << 28  # bytes; more than a gateway takes (docs/api-facts.md, h)
_LONGEST_RENDER = 1e9  # seconds
_NO_NAME = re.compile("[\0\ud800-\udfff]")  # in no file's name: a NUL, half a character
_LONGEST_NAME, _LONGEST_OUTPUT, _LARGEST_NUMBER = 200, 1_000, 999_999
_STATUSES = {status.value: status for status in Status}
_STATE = Fields.of({"format": int, "shot": str, "takes": list})
_TAKE = Fields.of({"take": int, "status": str, "fingerprint": str, "order": dict, "attempts": list}, {"file": dict})
_TEXTS = ("model", "prompt", "resolution", "aspect_ratio")
_ORDER = Fields.of(
    {**dict.fromkeys(_TEXTS, str), "seconds": int, "pictures": list, "take": int},
    {"negative_prompt": str, "seed": int},
)
_PICTURE = Fields.of({"role": str}, dict.fromkeys(("sha256", "frame", "of"), str))
_ATTEMPT = Fields.of(
    {"number": int, **dict.fromkeys(("run", "status", "gateway", "price_usd", "submitted_at"), str)},
    {
        **dict.fromkeys(("task_id", "settled_at", "reason", "message", "scope", "request_id"), str),
        **dict.fromkeys(("dialect", "content_url", "charged_usd"), str),
        **dict.fromkeys(("created_at", "http_status", "echo_bytes"), int),
        **dict.fromkeys(("sent", "rendered_s"), list),
        "fetched_s": (int, float),
    },
)
_SENT = Fields.of(
    {
        **dict.fromkeys(("role", "shot", "frame", "source_sha256", "sha256", "made_by"), str),
        **dict.fromkeys(("take", "bytes"), int),
    }
)
_FILE = Fields.of(
    {"name": str, "output": str, "sha256": str, "bytes": int},
    {"width": int, "height": int, "duration_s": (int, float), "measured": dict, "stored": dict},
)
_DELIVERED = frozenset({Status.DOWNLOADED, Status.MISMATCHED, Status.VERIFIED})


def has_room(shot: ShotState | None, order: Order) -> bool:
    """Whether another attempt for `order` and all that may become of it fits into a state file that can be read."""
    now = len(dump(shot)) if shot is not None else 0
    return now + len(json.dumps(order.as_json())) <= LARGEST // 2


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
        "order": take.order.as_json(),
        "attempts": [_dump_fields(attempt) for attempt in take.attempts],
        "file": _dump_fields(take.file) if take.file else None,
        **take.unknown,
    }


def _dump_fields(value: Attempt | Delivered | Sent) -> dict[str, Any]:
    """The fields that have a value, in their order; one that is what it is anyway is left out."""
    known = [(item, getattr(value, item.name)) for item in fields(value) if item.name != "unknown"]
    told = {item.name: _plain(content) for item, content in known if content is not None and content != item.default}
    return {**told, **value.unknown}


def _plain(content: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(content, Decimal):
        return money.as_text(content)
    if isinstance(content, tuple):
        return [_dump_fields(entry) if isinstance(entry, Sent) else entry for entry in content]
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
    found = document.get("format") if isinstance(document, dict) else FORMAT
    if type(found) is int and found != FORMAT:  # first: the rest may be of other types there
        raise Unreadable(f"its format is {found!r}; this veopipe knows {FORMAT}")
    known, unknown = _STATE.read(document, "the file")
    takes = tuple(_parse_take(item) for item in known["takes"])
    if not takes:
        raise Unreadable("it has no take")
    if len({take.number for take in takes}) != len(takes):
        raise Unreadable("two takes have the same number")
    return ShotState(known["shot"], tuple(sorted(takes, key=lambda take: take.number)), unknown)


def _parse_take(document: Any) -> Take:
    known, unknown = _TAKE.read(document, _named(document))
    number, fingerprint, file = known["take"], known["fingerprint"], known.get("file")
    attempts = _parse_attempts(known["attempts"], known["status"], number)
    order = _parse_order(known["order"], number, fingerprint)
    if file is None and attempts[-1].status in _DELIVERED:
        raise Unreadable(f"take {number} is {attempts[-1].status} but names no file")
    delivered = _parse_delivered(file, number) if file is not None else None
    return Take(number, fingerprint, order, attempts, delivered, unknown)


def _named(document: Any) -> str:
    """A take as people know it, as far as its number can be read."""
    number = document.get("take") if isinstance(document, dict) else None
    return f"take {number}" if type(number) is int else "a take"


def _parse_attempts(documents: list[Any], status: str, take: int) -> tuple[Attempt, ...]:
    """The attempts of a take: the last one has the take's status, all others are settled."""
    attempts = tuple(_parse_attempt(item, take) for item in documents)
    if not attempts:
        raise Unreadable(f"take {take} has no attempt")
    if not 1 <= take <= _LARGEST_NUMBER or any(attempt.status not in SETTLED for attempt in attempts[:-1]):
        raise Unreadable(f"take {take} has an open attempt before its last")
    if status != attempts[-1].status:
        raise Unreadable(f"take {take} says another status than its last attempt")
    numbers = [attempt.number for attempt in attempts]
    if numbers != sorted(set(numbers)):
        raise Unreadable(f"the attempts of take {take} aren't numbered in order")
    return attempts


def _parse_order(document: Mapping[str, Any], take: int, fingerprint: str) -> Order:
    """The order, if it is understood whole and is the one that was paid.

    A fingerprint that a single flipped bit changed would let the next run buy the same order again, and one that is
    not of what is written back would make the next file unreadable.
    """
    if not document.keys() >= set(FINGERPRINTED):  # written back, it would be another order
        raise Unreadable(f"the order of take {take} can't be understood")
    try:
        known, unknown = _ORDER.read(document, f"the order of take {take}")
        pictures = tuple(_parse_picture(item, take) for item in known.pop("pictures"))
    except Unreadable:
        raise Unreadable(f"the order of take {take} can't be understood") from None
    order = Order(**{"negative_prompt": None, "seed": None, **known}, pictures=pictures, unknown=unknown)
    if (order.resolution, order.aspect_ratio) not in SIZES:
        raise Unreadable(f"take {take} is of a size that this veopipe doesn't know")
    # What is written back has the same fingerprint if it is the same; only else is a second one made.
    is_same = order.as_json() == document
    if fingerprint_of(document) != fingerprint or not (is_same or order.fingerprint() == fingerprint):
        raise Unreadable(f"the fingerprint of take {take} isn't that of its order")
    return order


def _parse_picture(document: Any, take: int) -> OrderedPicture:
    where = f"a picture of take {take}"
    known, unknown = _PICTURE.read(document, where)
    sha256, frame, of = known.get("sha256"), known.get("frame"), known.get("of")
    is_file = _is_digest(sha256) and (frame, of) == (None, None)
    is_frame = sha256 is None and _is_moment(frame) and _is_digest(of)
    if not (is_file or is_frame):
        raise Unreadable(f"{where} is neither a file nor a frame")
    return OrderedPicture(known["role"], sha256, frame, of, unknown)


def _is_digest(text: str | None) -> bool:
    return text is not None and _SHA256.fullmatch(text) is not None


def _is_moment(text: str | None) -> bool:
    """Whether it names a picture of a video, in the one form that it has on record."""
    try:
        return text is not None and Moment.of(text).name == text
    except ValueError:
        return False


def _parse_attempt(document: Any, take: int) -> Attempt:
    known, unknown = _ATTEMPT.read(document, f"an attempt of take {take}")
    status = known["status"]
    if status not in _STATUSES:
        raise Unreadable(f"an attempt of take {take} has the unknown status {status!r}")
    known["status"], task_id = _STATUSES[status], known.get("task_id")
    if task_id is None and known["status"] in CHARGED:
        raise Unreadable(f"an attempt of take {take} is {status} but has no task id")
    if task_id is not None and not is_safe_id(task_id):
        raise Unreadable(f"an attempt of take {take} has an impossible task id")
    if _GATEWAY.fullmatch(known["gateway"]) is None:
        raise Unreadable(f"an attempt of take {take} names no gateway")
    if _INSTANT.fullmatch(known["submitted_at"]) is None:
        raise Unreadable(f"an attempt of take {take} has no time")
    _check_told(known, take)
    made = {key: make(known[key], take) for key, make in _MADE.items() if key in known}
    return Attempt(**{**known, **made}, unknown=unknown)


def _check_told(known: dict[str, Any], take: int) -> None:
    """What isn't there in every attempt: who made the call, what its answers told."""
    if not 0 <= known.get("created_at", 0) < 1 << 40:
        raise Unreadable(f"an attempt of take {take} has an impossible time")
    known["dialect"] = known.get("dialect") or VIDEOS
    if known["dialect"] not in choice.NAMES:
        raise Unreadable(f"an attempt of take {take} speaks a dialect that this veopipe doesn't know")
    if "content_url" in known and not _is_below(known["content_url"]):
        raise Unreadable(f"an attempt of take {take} names an impossible address")
    if not 0 <= known.get("echo_bytes", 0) <= _MOST_SENT:
        raise Unreadable(f"an attempt of take {take} names an impossible size")


def _is_below(url: str) -> bool:
    """Whether an address of a video is a path below a gateway's own."""
    return _BELOW.fullmatch(url) is not None and ".." not in url and "//" not in url


def _parse_rendered(bounds: list[Any], take: int) -> tuple[float, float]:
    """Between which seconds a task was done."""
    are_two = len(bounds) == 2 and all(type(bound) in (int, float) for bound in bounds)
    if not are_two or not 0 <= bounds[0] <= bounds[1] <= _LONGEST_RENDER:
        raise Unreadable(f"an attempt of take {take} was done in an impossible time")
    return bounds[0], bounds[1]


def _parse_fetched(seconds: float, take: int) -> float:
    """How long a download took."""
    if not 0 <= seconds <= _LONGEST_RENDER:
        raise Unreadable(f"an attempt of take {take} was fetched in an impossible time")
    return seconds


def _parse_sent(frames: list[Any], take: int) -> tuple[Sent, ...]:
    """The frames that went out with a call."""
    found = []
    for document in frames:
        known, unknown = _SENT.read(document, f"a frame that was sent for take {take}")
        sent = Sent(**known, unknown=unknown)
        if not _is_possible(sent):
            raise Unreadable(f"a frame that was sent for take {take} is an impossible one")
        found.append(sent)
    return tuple(found)


def _is_possible(sent: Sent) -> bool:
    is_from = SHOT_ID.fullmatch(sent.shot) is not None and 1 <= sent.take <= _LARGEST_NUMBER and _is_moment(sent.frame)
    return is_from and 1 <= sent.bytes <= _MOST_SENT and _is_digest(sent.source_sha256) and _is_digest(sent.sha256)


def _parse_delivered(document: Any, take: int) -> Delivered:
    known, unknown = _FILE.read(document, f"the file of take {take}")
    name, output = known["name"], known["output"]
    odd = "/" in name or name in {"", ".", ".."} or output.startswith("/") or len(name) > _LONGEST_NAME
    if odd or _NO_NAME.search(name + output) or len(output) > _LONGEST_OUTPUT:
        raise Unreadable(f"the file of take {take} has an impossible name")
    if not _is_digest(known["sha256"]):
        raise Unreadable(f"the file of take {take} has an impossible sha256")
    if "duration_s" in known:
        known["duration_s"] = _seconds(known["duration_s"], take)
    if not _are_texts(known.get("stored", {})):
        raise Unreadable(f"the file of take {take} has an impossible place in a store")
    return Delivered(**known, unknown=unknown)


def _are_texts(stored: Mapping[str, Any]) -> bool:
    return all(isinstance(text, str) for text in stored.values())


def _seconds(number: float, take: int) -> float:
    try:
        return float(number)
    except OverflowError:
        raise Unreadable(f"the file of take {take} lasts impossibly long") from None


def _price(text: str, _take: int) -> Decimal:
    try:
        return money.parse(text)
    except ValueError as error:
        raise Unreadable(str(error)) from None


_MADE: Mapping[str, Callable[[Any, int], Any]] = {
    "price_usd": _price,
    "charged_usd": _price,
    "sent": _parse_sent,
    "rendered_s": _parse_rendered,
    "fetched_s": _parse_fetched,
}
"""What of an attempt isn't the value as JSON has it → what makes it."""
