"""The time of day, how long ago something was, and durations as people write them.

Waits and deadlines never use the time of day: it can jump.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime
from functools import lru_cache

LONGEST_DURATION = 365 * 24 * 3600.0
"""Seconds. Longer waits are typing errors, and some clocks overflow far above this."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")


def now() -> str:
    """The time as state files and logs write it: UTC, ISO 8601, seconds."""
    return _written(int(time.time()))


@lru_cache(1)  # many things happen within a second
def _written(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def since(*instants: float | str | None) -> float:
    """Seconds since the latest of some instants, by this machine's clock: for messages and the 48 h rule only.

    Args:
        instants: Unix seconds, or texts as `now` writes them. One that is None or can't be understood doesn't count;
            if none counts it is now, so that a damaged time makes nothing old.
    """
    known = [seconds for instant in instants if (seconds := unix(instant)) is not None]
    here = time.time()
    return here - max(known, default=here)


def between(start: str, end: str | None) -> float | None:
    """Seconds between two times as state files write them; None when one isn't understood or it is negative."""
    try:
        passed = (datetime.fromisoformat(end or "") - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):  # TypeError: one of them names no time zone
        return None
    return passed if passed >= 0 else None


def minutes(seconds: float | None) -> str:
    """How long something took, as people read it: `0:07`, `12:30`, `1:02:03`; an empty text for None."""
    if seconds is None:
        return ""
    whole, rest = divmod(int(max(seconds, 0)), 60)
    hours, whole = divmod(whole, 60)
    return f"{hours}:{whole:02d}:{rest:02d}" if hours else f"{whole}:{rest:02d}"


def in_words(seconds: float) -> str:
    """A duration as people say it: `48 h`, `7 days`, `90 s`."""
    if seconds >= 3 * 86_400 and not seconds % 86_400:
        return f"{seconds / 86_400:.0f} days"
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 and not seconds % 3600 else f"{seconds:g} s"


def roughly(seconds: float) -> str:
    """A duration that nobody knows exactly: `40 s`, `12 min`, `2.5 h`, `42 h`, `4.5 days`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    if hours < 72:
        return f"{hours:.0f} h" if hours >= 10 else f"{hours:.1f} h"
    return f"{hours / 24:.0f} days" if hours >= 240 else f"{hours / 24:.1f} days"


def unix(instant: float | str | None) -> float | None:
    """Unix seconds of a time as state files write it, or of such seconds; None where nothing can be understood."""
    try:
        return datetime.fromisoformat(instant).timestamp() if isinstance(instant, str) else instant
    except ValueError:
        return None


def parse_duration(written: str | int | float) -> float:
    """Seconds of a duration as people write it: `250ms`, `15s`, `5m`, `6h`, `7d`, or a number of seconds.

    Raises:
        ValueError: not of that form, not above zero, or longer than a year; the text is for people.
    """
    form = "a duration is written like 250ms, 15s, 5m, 6h or as a number of seconds"
    if isinstance(written, bool):
        raise ValueError(form)
    if isinstance(written, str):
        match = _DURATION.fullmatch(written.strip())
        if match is None:
            raise ValueError(form)
        # A decimal point can't move: 0.1 h is 360 s, not 360.00000000000006 s.
        seconds = round(float(match[1]) * _UNITS[match[2]], 6)
    else:
        seconds = float(written)
    if not math.isfinite(seconds) or not 0 < seconds <= LONGEST_DURATION:
        raise ValueError("a duration is longer than zero and at most 365 days")
    return seconds
