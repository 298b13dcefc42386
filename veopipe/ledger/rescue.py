"""Answers that were paid for and can't be recorded in their place: none is lost silently.

Such an answer is tried there again with the room of the reserve, then goes to a rescue file, and if that fails too, to
one line on stderr. The next start merges rescue files. An answer that comes in after the lock was given up is rescued,
too.

Source: docs/design.md, 5; docs/hazards.md, c 6.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.clock import now
from veopipe.ledger.paths import Places
from veopipe.ledger.prefixes import is_prefix
from veopipe.ledger.record import FORMAT, LARGEST, dump, parse
from veopipe.ledger.store import NotRecorded, Store
from veopipe.takes.status import UNKNOWN_OUTCOME, Event, IllegalTransition
from veopipe.takes.take import ShotState, Take, advance

FILES_WAIT = 20.0
"""Seconds in which an answer waits for a file that may be opened, if too many are open."""
_FILES_PAUSE = 0.05  # seconds
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
RESERVE = 256 << 10
"""Bytes: the state files of some dozen answers that arrive at the same time."""

_ABOUT = frozenset({"format", "at", "shot", "take", "attempt", "event"})
"""What a rescue file says besides the facts of its event."""


def keep_reserve(places: Places) -> None:
    """See that the reserve is on disk: room for an answer that was paid for, should the disk be full by then.

    Raises:
        NotRecorded: there isn't even room for it.
    """
    path = places.reserve
    try:
        if not path.exists():
            files.make_folder(path.parent, 0o700)
            files.replace(path, os.urandom(RESERVE), 0o600)  # bytes that no disk can compress
    except OSError as error:
        raise NotRecorded(f"{path} can't be written: {error.strerror}") from error


def record_paid(store: Store, shot: str, number: int, event: Event, **facts: Any) -> Take:
    """Record the answer to a create like `Store.record`; if it can't be written, it is rescued.

    Raises:
        NotRecorded: after the record was rescued: in its place by the reserve, to another file, or to stderr.
    """
    try:
        return _recorded_in_time(store, shot, number, event, facts)
    except NotRecorded:
        if not _recorded_in_reserve(store, shot, number, event, facts):
            with store.turn(shot):
                attempt = store.shots[shot].take(number).last.number
            _rescue(store.places, {"shot": shot, "take": number, "attempt": attempt, "event": event.name, **facts})
        raise


def _recorded_in_time(store: Store, shot: str, number: int, event: Event, facts: Mapping[str, Any]) -> Take:
    """Record it, once files may be opened again: what else is open now is closed before long."""
    end = time.monotonic() + FILES_WAIT
    while True:
        try:
            return store.record(shot, number, event, **facts)
        except NotRecorded as error:
            why = error.__cause__
            if not isinstance(why, OSError) or why.errno not in _TOO_MANY or time.monotonic() > end:
                raise
        time.sleep(_FILES_PAUSE)


def _recorded_in_reserve(store: Store, shot: str, number: int, event: Event, facts: Mapping[str, Any]) -> bool:
    """Give the reserve up and record once more; whether it is in its place now. The disk is full all the same."""
    if store.is_closed or not store.places.reserve.exists():
        return False
    files.remove_quietly(store.places.reserve)
    try:
        store.record(shot, number, event, **facts)
    except NotRecorded:
        return False
    return True


def _rescue(places: Places, record: Mapping[str, Any]) -> None:
    line = json.dumps({"format": FORMAT, "at": now(), **record})
    name = f"{record['shot']}.{os.urandom(4).hex()}.json"
    for path in (places.rescue / name, _second_place(places) / f".rescue-{name}"):
        with suppress(OSError):
            files.make_folder(path.parent, 0o700)
            _refuse_if_planted(places, path.parent)
            files.replace(path, line.encode())
            return
    # As Terraform does: a person can paste it into rescue/ or use `resolve --task-id`.
    with suppress(OSError, ValueError):  # stderr may be closed
        os.write(sys.stderr.fileno() if sys.stderr else 2, f"VEOPIPE-RESCUE {line}\n".encode())


def merge(store: Store) -> list[str]:
    """Bring rescued records into their state files; the shots that got one.

    Raises:
        NotRecorded: a state file still can't be written; the rescue file stays.
    """
    merged = []
    for path in _rescue_files(store.places):
        try:
            record = json.loads(files.read_bounded(path, LARGEST))
            done = _merged(store, record)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if done:
            merged.append(record["shot"])
        files.remove_quietly(path)  # one that stays is merged again, which changes nothing
    return merged


def _rescue_files(places: Places) -> list[Path]:
    inside = sorted(places.rescue.glob("*.json")) if places.rescue.is_dir() else []
    second = _second_place(places)
    try:
        _refuse_if_planted(places, second)
    except OSError:
        return inside
    return inside + (sorted(second.glob(".rescue-*.json")) if second.is_dir() else [])


def _second_place(places: Places) -> Path:
    """Where an answer goes that finds no room with the ledger: the output folder, or where a system keeps such things.

    The latter is everybody's, so it has a folder of its own, named by the list's.
    """
    if not is_prefix(places.output_base):
        return places.output
    import tempfile

    whose = files.sha256_of_bytes(os.fsencode(places.folder))[:16]
    return Path(tempfile.gettempdir()) / f"veopipe-{os.geteuid()}-{whose}"


def _refuse_if_planted(places: Places, folder: Path) -> None:
    """See that nobody else wrote what a folder holds that lies where everybody may make one; raises `OSError`."""
    if is_prefix(places.output_base) and folder != places.rescue:
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(errno.EACCES, "somebody else may have written there", str(folder))


def _merged(store: Store, record: Mapping[str, Any]) -> bool:
    """Record what a rescue file says, if it is about an attempt whose outcome nobody knows yet; whether it was."""
    shot, number = record["shot"], record["take"]
    take = store.shots[shot].take(number)
    if take.last.number != record["attempt"] or take.status not in UNKNOWN_OUTCOME:
        return False
    event, facts = Event[record["event"]], {key: value for key, value in record.items() if key not in _ABOUT}
    try:
        taken = advance(take, event, now(), **facts)
        parse(dump(ShotState(shot, (taken,))))  # Unreadable, a ValueError: a damaged record
        store.record(shot, number, event, **facts)
    except IllegalTransition:  # it was merged before, and the process died before the file was removed
        return False
    return True
