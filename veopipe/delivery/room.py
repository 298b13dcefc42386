"""How much room a disk has for videos.

Quotas aren't seen here: where one is used up, the write says so.

Source: docs/hazards.md, b (Download); docs/outlook.md, 2.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOM_TO_LEAVE = 64 << 20
"""Bytes that videos leave free on the disk, for the ledger (docs/hazards.md, b)."""


def free(folder: Path) -> int | None:
    """Free bytes where a folder is or will be; None: nobody can say."""
    for place in (folder, *folder.parents):
        try:
            disk = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return disk.f_bavail * disk.f_frsize
    return None


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def lack(folder: Path, wanted: int) -> str | None:
    """Why there is no room for so many bytes, for people; None: there is, or nobody can say."""
    here = free(folder)
    if here is None or here >= wanted + ROOM_TO_LEAVE:
        return None
    return f"{here >> 20:,} MiB free in {folder}, {(wanted + ROOM_TO_LEAVE) >> 20:,} MiB needed"
