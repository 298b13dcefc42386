"""A ledger's folder, held: a kernel lock of the folder itself, beside that of the file `lock` in it.

* People remove a lock file that looks stale, and `git clean -X` removes every file that is ignored. The next process
  would lock a new one, and two runs would buy the same. The folder goes only with all that it holds.
* Who holds a folder sees whether its path still leads there: a ledger that was moved away, or put in its place, is
  nobody's to write by that path.

Source: docs/design.md, 5 (Whose ledger it is); docs/hazards.md, a.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from veopipe.values import dataclass

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
"""How file systems without locks answer (flock(2), and NFS without its lock service)."""
# And those that lock files only: NFS and CIFS want a descriptor for writing, which no folder has.
_NO_FOLDER_LOCKS = NO_LOCKS | {errno.EBADF, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTTY}
_PAUSE = 0.02  # seconds between two tries


class Busy(Exception):
    """Another process holds the folder."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A folder that is held until its descriptor is closed.

    Attributes:
        folder: its path.
        descriptor: of the folder itself.
    """

    folder: Path
    descriptor: int

    def lasts(self) -> bool:
        """Whether the path still leads to the folder that is held."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(self.folder))
        except OSError:
            return False


@contextmanager
def held(folder: Path, wait: float) -> Iterator[Hold | None]:
    """Hold a folder; None where its disk locks files only.

    Args:
        folder: which is there.
        wait: seconds that another command may have it for a look.

    Raises:
        Busy: another process holds it for longer.
        OSError: it can't be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Hold(folder, descriptor) if _is_taken(descriptor, fcntl.LOCK_EX, wait) else None
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether another process holds a folder, for commands that only look."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        _is_taken(descriptor, fcntl.LOCK_SH, 0)
    except Busy:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _is_taken(descriptor: int, how: int, wait: float) -> bool:
    """Take the lock of a folder; whether its disk has such locks."""
    end = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise Busy from None
            time.sleep(_PAUSE)
        except OSError as error:
            if error.errno not in _NO_FOLDER_LOCKS:
                raise
            return False
        else:
            return True
