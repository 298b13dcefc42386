"""Whether a store will do: that it can be written, that it keeps conditions, and how far its clock is off.

One small object is put for that, `.doctor`, and stays: nothing is ever deleted. Another one of that name is left alone.

Source: docs/scale.md, b.
"""

from __future__ import annotations

import time

from veopipe.delivery.buckets.objects import NEW, Objects, Refused, Seen, StoreFault, Taken
from veopipe.values import dataclass

NAME = ".doctor"
_CONTENT = b"veopipe doctor put this here, to see that it can. It may be removed.\n"  # as ever: it is known by that
_STRANGE = f"{NAME} there was put by something else, so nothing was tried; give it another name"
STALE = '"00000000000000000000000000000000"'
"""A condition that never holds: no content has this etag."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found out about a store.

    Attributes:
        refused: why it can't be used, for people; None: it can.
        keeps_creates: a name that is taken isn't given twice.
        keeps_updates: what was changed meanwhile isn't replaced.
        off: seconds by which its clock differs from this machine's.
    """

    refused: str | None = None
    keeps_creates: bool = False
    keeps_updates: bool = False
    off: float = 0.0


def prove(url: str) -> Proof:
    """Put an object at a prefix, and try to put it where a condition forbids it.

    Args:
        url: `s3://bucket/film`.

    Raises:
        EnvironmentFault: the extra isn't installed, or the environment names no usable store.
    """
    there = Objects(url)
    try:
        there.list()
        before = _before(there)
        there.put(NAME, _CONTENT, NEW if before is None else before.etag)
        after = there.look(NAME)
        off = abs(time.time() - after[0].at) if after is not None else 0.0
        return Proof(
            keeps_creates=is_refused(there, NAME, _CONTENT, NEW),
            keeps_updates=is_refused(there, NAME, _CONTENT, STALE),
            off=off,
        )
    except StoreFault as fault:
        return Proof(fault.strerror or "it refuses")


def _before(there: Objects) -> Seen | None:
    """The object that an earlier proof left; None: there is none. Raises `StoreFault`: so is another of its name."""
    found = there.look(NAME)
    if found is None:
        return None
    if found[0].size != len(_CONTENT) or there.read(NAME, len(_CONTENT))[0] != _CONTENT:
        raise Refused(_STRANGE, f"{there.url}/{NAME}")
    return found[0]


def is_refused(there: Objects, name: str, content: bytes, condition: str) -> bool:
    """Whether a store refuses what a condition forbids; if it doesn't, the object has this content now.

    Raises:
        StoreFault: nobody can say.
    """
    try:
        there.put(name, content, condition)
    except Taken:
        return True
    return False
