"""Two versions of a state file, or of `ledger.json`, made one: `python -m veopipe.merging BASE OURS THEIRS`.

A night recorded takes on one machine while a person resolved some on another. A merge by lines can mix the halves of
two records; this goes by takes:

* What one side left alone is as the other side has it.
* What both changed is the same create call seen at two times: the later one holds (`status.TABLE` says which can
  follow which).
* Whatever else: two calls where one was wanted, a take that is gone, another file, the takes of another shot (ids that
  were exchanged on one side). Both may be paid: only a person can say, and nothing is written.

Git calls it as a merge driver: the merged file takes the place of OURS and the exit code is 0, or it is 1.

Source: gitattributes(5), "Defining a custom merge driver"; docs/design.md, 5 (Merging two versions).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from veopipe import files
from veopipe.ledger import ledgerfile, record
from veopipe.takes.status import TABLE, Status
from veopipe.takes.take import Attempt, ShotState, Take


class Apart(ValueError):
    """The two can't both be true of one take."""


def merged(base: ShotState | None, ours: ShotState, theirs: ShotState) -> ShotState:
    """The state that holds what both sides recorded since `base`; None: both began the file.

    Raises:
        Apart: only a person can say.
    """
    before = _by_number(base) if base is not None else {}
    mine, others = _by_number(ours), _by_number(theirs)
    if mine != others and (_is_anothers(before, mine) or _is_anothers(before, others)):
        raise Apart("on one side it is the file of another shot")  # whose takes would be mixed with those of this one
    numbers = sorted({*before, *mine, *others})
    kept = tuple(_one(before.get(number), mine.get(number), others.get(number)) for number in numbers)
    return replace(ours, takes=kept, unknown={**theirs.unknown, **ours.unknown})


def _by_number(shot: ShotState) -> dict[int, Take]:
    return {take.number: take for take in shot.takes}


def _is_anothers(before: Mapping[int, Take], now: Mapping[int, Take]) -> bool:
    """Whether the file of a shot holds another one's takes by now: an id that was exchanged, or given anew."""
    both = before.keys() & now.keys()
    return any(before[number].fingerprint != now[number].fingerprint for number in both)


def _one(before: Take | None, mine: Take | None, other: Take | None) -> Take:
    if mine is None or other is None:
        only = mine or other
        if only is None or before is not None:
            raise Apart("a take is gone")
        return only
    if mine in (before, other):
        return other
    if other == before:
        return mine
    return _later(mine, other)


def _later(one: Take, two: Take) -> Take:
    if _can_become(one, two):
        return _with_told(two, one)
    if _can_become(two, one):
        return _with_told(one, two)
    raise Apart(f"it is {one.status} here and {two.status} there")


def _with_told(later: Take, earlier: Take) -> Take:
    """The later one, with what only the earlier one was told of the call that both know: its cost, and an address."""
    at = len(earlier.attempts) - 1
    known, told = later.attempts[at], earlier.last
    full = replace(
        known,
        content_url=known.content_url or told.content_url,
        charged_usd=known.charged_usd if known.charged_usd is not None else told.charged_usd,
    )
    return replace(later, attempts=(*later.attempts[:at], full, *later.attempts[at + 1 :]))


def _can_become(first: Take, then: Take) -> bool:
    """Whether `then` is what may have become of `first`, further attempts included."""
    last = len(first.attempts) - 1
    if last >= len(then.attempts) or (first.fingerprint, first.attempts[:-1]) != (
        then.fingerprint,
        then.attempts[:last],
    ):
        return False
    is_same_file = first.file is None or (then.file is not None and first.file.sha256 == then.file.sha256)
    return is_same_file and _is_one_call(first.last, then.attempts[last])


def _is_one_call(first: Attempt, then: Attempt) -> bool:
    same = _names(first) == _names(then)
    return same and first.task_id in (None, then.task_id) and then.status in _reachable(first.status)


def _names(attempt: Attempt) -> tuple[object, ...]:
    """What tells a call from every other one, and never changes."""
    return attempt.number, attempt.run, attempt.submitted_at, attempt.dialect


def _reachable(status: Status) -> set[Status]:
    """What an attempt of that status can be at some time, itself included."""
    found, waiting = {status}, [status]
    while waiting:
        for then in TABLE[waiting.pop()].values():
            if then not in found:
                found.add(then)
                waiting.append(then)
    return found


def main() -> int:
    """Merge the three files that git names; the exit code it asks for, or 2 if it doesn't name three."""
    if len(sys.argv) != 4:
        sys.stderr.write("usage: python -m veopipe.merging BASE OURS THEIRS\n")
        return 2
    base, ours, theirs = map(Path, sys.argv[1:])
    try:
        texts = [files.read_bounded(path, ledgerfile.LARGEST) for path in (base, ours, theirs)]
        merge = _merge_ledgers if b'"takes"' not in texts[1] else _merge_states
        ours.write_bytes(merge(*texts))
    except (OSError, ValueError):  # unreadable, or apart: git says which file it is
        return 1
    return 0


def _merge_states(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    return record.dump(merged(record.parse(base) if base else None, record.parse(ours), record.parse(theirs)))


def _merge_ledgers(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    before = ledgerfile.parse(base) if base else None
    return ledgerfile.dump(ledgerfile.merged(before, ledgerfile.parse(ours), ledgerfile.parse(theirs)))


if __name__ == "__main__":
    sys.exit(main())
