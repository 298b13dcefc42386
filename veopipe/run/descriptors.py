"""How many files and sockets a run may have open at once: seen to before anything is sent.

A create, a poll and a download each have some, and so has each record that is written. macOS lets a process have 256 of
them at first, and as many as it asks for.

Source: docs/hazards.md, b (Submit).
"""

from __future__ import annotations

import resource
from contextlib import suppress

from veopipe.errors import EnvironmentFault

WANTED = 1024
"""What 64 polls, 64 downloads, 16 creates and the records of all of them need, twice over; Linux's usual limit."""
LEAST = 48
"""Below this not even one take is sure to be made and recorded."""


def make_sure() -> None:
    """Ask the system for as many as a run may need.

    Raises:
        EnvironmentFault: it allows too few for any run.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft < LEAST:
        raise EnvironmentFault(
            f"only {soft} files may be open at once, and a run needs {LEAST}: nothing was sent",
            hint=f"ulimit -n {WANTED}",
        )
