"""What a process does to itself that looks at foreign files: little memory, little time, nothing to write.

It is started by `child` and asked one question after the other. It imports nothing of veopipe but this: so it starts
fast and has little to lose.

* Each question sets an alarm that kills this process, also in the midst of C code and also when the process that
  asked is gone. Memory and processor time are limited, files can't be written.
* A library is given an open file, never a name: a playlist called `.mp4` makes it open the files and hosts that are
  named inside, and names can look like URLs.

Source: docs/hazards.md, e 25 and e 26.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

_OPEN_FILES = 64
FIRST = frozenset({b"ftyp", b"styp", b"pdin", b"free", b"skip", b"wide", b"uuid", b"moov", b"mdat", b"pnot"})
"""How an MP4 can begin, and a playlist can't: with its brand; QuickTime of before 2001 has none, and some writers put
these in front."""


def confine(memory_bytes: int) -> None:
    """Take away what this process doesn't need.

    Args:
        memory_bytes: of address space.
    """
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})


def questions(threads: int = 1) -> Iterator[dict[str, Any]]:
    """What is asked, until nobody asks any more; while one is answered, the alarm is set.

    Args:
        threads: how many of them may use a processor at the same time.
    """
    for line in sys.stdin.buffer:
        question = json.loads(line)
        _start_clock(question["limit_s"], threads)
        yield question
        signal.setitimer(signal.ITIMER_REAL, 0)


def say(answer: dict[str, Any], *content: bytes) -> None:
    """Answer with one JSON line, and behind it the bytes of which it tells the sizes."""
    line = answer | ({"sizes": [len(part) for part in content]} if content else {})
    for part in (json.dumps(line, allow_nan=False).encode() + b"\n", *content):
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def opened(path: str) -> BinaryIO:
    """A file that begins as an MP4 does, open for reading.

    Raises:
        OSError: it can't be opened, or is no regular file.
        ValueError: it is no MP4.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a regular file")
        if file.read(8)[4:] not in FIRST:
            raise ValueError("no ftyp box")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _limit(kind: int, soft: int) -> None:
    """Lower a limit; a system that doesn't know it, or already has a lower one, stays as it is."""
    hard = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    except (OSError, ValueError):
        return


def _start_clock(limit_s: float, threads: int) -> None:
    """From now on this process has so many seconds; the default action of both signals is to end it."""
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + limit_s * threads) + 2)
