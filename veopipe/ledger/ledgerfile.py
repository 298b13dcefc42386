"""What `ledger.json` says: whose ledger it is, which runs aren't over, and which orders were made how often.

The count misses what isn't here: a state file that a checkout, a merge or a copy left out, or an older one, would let
its order be made again. It belongs to the order and not to the shot, so it holds wherever the order is wanted now.

* Reading is strict. A file in which git left both sides of a conflict is read as what both say together.
* Two versions become one without a loss: of each number the larger, unless one side took it out on purpose.

Source: docs/design.md, 5 (The count) and 5 (Merging two versions); DECISIONS.md, 25.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

from veopipe.ledger.reading import strict_json
from veopipe.takes.order import KEY
from veopipe.values import dataclass

FORMAT = 1
LARGEST = 64 << 20
"""Bytes. A million orders need half of it."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(rf"[0-9a-f]{{{KEY}}}")
_LONGEST_NAME = 255  # bytes, on every usual file system
_NONCE = re.compile(r"[0-9a-f]{32}")
_KNOWN = ("format", "id", "manifest", "open_runs", "guard", "attempts")
_CONFLICT = re.compile(
    rb"^<{7}[^\n]*\n(.*?)(?:^\|{7}[^\n]*\n.*?)?^={7}[^\n]*\n(.*?)^>{7}[^\n]*\n", re.MULTILINE | re.DOTALL
)


class Newer(ValueError):
    """A newer veopipe wrote it: an older version of the file would forget what that one knew."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a copy of a ledger remembers of its guard (`run.guard`).

    Attributes:
        serial: how often the guard had been taken when this copy took it last; 0: it never did.
        nonce: what the guard has had since: of all copies, the newest knows it. None: this copy never took it.
        claimed: nonces that this copy was about to give it. Killed in between, it may have given one.
    """

    serial: int
    nonce: str | None
    claimed: tuple[str, ...] = ()

    @property
    def known(self) -> frozenset[str]:
        """The nonces by which this copy is the newest."""
        return frozenset([*self.claimed, *([self.nonce] if self.nonce else [])])


@dataclass(frozen=True, slots=True)
class Ledger:
    """What `ledger.json` says.

    Attributes:
        id: random, made once; output folders repeat it.
        manifest: the manifest's file name.
        open_runs: runs that spent and weren't ended by themselves or by Ctrl-C: the next run's caps
            count what they spent.
        attempts: key of an order (`order.key_of`) → how many attempts were made for it; None: an older veopipe wrote
            it and didn't count, or it is a rehearsal's.
        guard: what it remembers of its guard; None: no run of this copy had one.
        is_new: there is no ledger yet; nothing was ever bought.
        is_lost: there are state files, but no `ledger.json` that counts them.
        is_torn: git left both sides of a conflict in it.
        unknown: fields of a newer veopipe, kept.
    """

    id: str
    manifest: str
    open_runs: tuple[str, ...] = ()
    attempts: Mapping[str, int] | None = None
    guard: Mark | None = None
    is_new: bool = False
    is_lost: bool = False
    is_torn: bool = False
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_written(self) -> bool:
        """Whether the file says this, whole."""
        return not (self.is_new or self.is_lost or self.is_torn)


def parse(text: bytes) -> Ledger:
    """What the file's text says.

    Raises:
        Newer: it is of a newer format.
        ValueError: it can't be understood; the sentence says why.
    """
    if _CONFLICT.search(text):
        both = merged(None, parse(_CONFLICT.sub(rb"\1", text)), parse(_CONFLICT.sub(rb"\2", text)))
        return replace(both, is_torn=True)
    document = _known_format(strict_json(text))
    ledger, manifest = document.get("id", ""), document.get("manifest", "")
    runs, attempts = document.get("open_runs", []), document.get("attempts")
    if not isinstance(runs, list) or not _are_texts(ledger, manifest, *runs):
        raise ValueError("a field is missing or has the wrong type")
    if not _ID.fullmatch(ledger) or not _is_file_name(manifest):
        raise ValueError("its id or its manifest's name is impossible")
    if attempts is not None and not _is_count(attempts):
        raise ValueError("its attempts aren't a number for each order")
    unknown = {key: value for key, value in document.items() if key not in _KNOWN}
    return Ledger(ledger, manifest, tuple(runs), attempts, _mark(document.get("guard")), unknown=unknown)


def _mark(value: Any) -> Mark | None:
    """What it says of its guard."""
    if value is None:
        return None
    said = value if isinstance(value, dict) else {}
    serial, nonce, claimed = said.get("serial"), said.get("nonce"), said.get("claimed")
    if type(serial) is not int or serial < 0 or not isinstance(claimed, list):
        raise ValueError("what it says of its guard can't be understood")
    if not all(is_nonce(each) for each in (claimed if nonce is None else [nonce, *claimed])):
        raise ValueError("what it says of its guard has no nonce")
    return Mark(serial, nonce, tuple(claimed))


def _merged_mark(ours: Mark | None, theirs: Mark | None) -> Mark | None:
    """What two copies know together: who took the guard later, and what either was about to give it."""
    if ours is None or theirs is None:
        return ours or theirs
    last, other = (ours, theirs) if ours.serial >= theirs.serial else (theirs, ours)
    also = sorted(other.known) if other.serial == last.serial else other.claimed
    claimed = dict.fromkeys(nonce for nonce in (*last.claimed, *also) if nonce != last.nonce)
    return Mark(last.serial, last.nonce, tuple(claimed))


def is_nonce(value: object) -> bool:
    """Whether this is a nonce of a guard: 32 hexadecimal digits."""
    return isinstance(value, str) and _NONCE.fullmatch(value) is not None


def _known_format(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ValueError("it isn't a JSON object")
    found = document.get("format")
    if found != FORMAT:
        kind = Newer if isinstance(found, int) else ValueError
        raise kind(f"its format is {found!r}; this veopipe knows {FORMAT}")
    return document


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) and value for value in values)


def _is_count(attempts: object) -> bool:
    return isinstance(attempts, dict) and all(
        _KEY.fullmatch(key) and type(number) is int and number > 0 for key, number in attempts.items()
    )


def _is_file_name(text: str) -> bool:
    """Whether a file in the manifest's folder can have this name."""
    try:  # UTF-8, as the folder may have been made under another locale than today's
        size = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # half a character
        return False
    return Path(text).name == text and 0 < size <= _LONGEST_NAME and "\0" not in text


def dump(ledger: Ledger) -> bytes:
    """The text of the file: one line for each order, sorted, so that two versions merge well."""
    head = {"format": FORMAT, "id": ledger.id, "manifest": ledger.manifest, "open_runs": list(ledger.open_runs)}
    if ledger.guard is not None:
        head["guard"] = asdict(ledger.guard)
    text = json.dumps({**head, **ledger.unknown}, indent=2).removesuffix("\n}")
    if ledger.attempts is not None:  # a long list: ten times as quick as the encoder that indents
        lines = ",\n".join(f'    "{key}": {number}' for key, number in sorted(ledger.attempts.items()))
        text += f',\n  "attempts": {{\n{lines}\n  }}' if lines else ',\n  "attempts": {}'
    return f"{text}\n}}\n".encode("ascii")


def merged(base: Ledger | None, ours: Ledger, theirs: Ledger) -> Ledger:
    """What two versions of a ledger say together; `base`: what both began with, if that is known.

    Raises:
        ValueError: they are two ledgers.
    """
    if ours.id != theirs.id:
        raise ValueError("its two versions are two ledgers")
    base = base or Ledger(ours.id, manifest="")
    ended = {*base.open_runs} - ({*ours.open_runs} & {*theirs.open_runs})
    return Ledger(
        ours.id,
        theirs.manifest if ours.manifest == base.manifest else ours.manifest,
        tuple(run for run in dict.fromkeys((*ours.open_runs, *theirs.open_runs)) if run not in ended),
        _merged_count(base.attempts or {}, ours.attempts, theirs.attempts),
        _merged_mark(ours.guard, theirs.guard),
        unknown={**theirs.unknown, **ours.unknown},
    )


def _merged_count(
    before: Mapping[str, int], ours: Mapping[str, int] | None, theirs: Mapping[str, int] | None
) -> dict[str, int] | None:
    """Of each number the larger; without those that one side took out while the other one left them alone."""
    both, mine, others = larger(ours, theirs), ours or {}, theirs or {}
    if both is None:
        return None
    return {key: both[key] for key in both if {mine.get(key), others.get(key)} != {None, before.get(key)}}


def larger(one: Mapping[str, int] | None, other: Mapping[str, int] | None) -> dict[str, int] | None:
    """Of each number the larger; None if neither side counted."""
    if one is None and other is None:
        return None
    one, other = one or {}, other or {}
    return {key: max(one.get(key, 0), other.get(key, 0)) for key in {**one, **other}}
