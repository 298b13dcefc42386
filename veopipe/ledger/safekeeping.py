"""What keeps a ledger safe where it lies: git takes it in, and not everybody on the machine can change it.

Source: docs/design.md, 5 (Whose ledger it is); docs/hazards.md, e 22; DECISIONS.md, 30.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from veopipe import files
from veopipe.errors import EnvironmentFault
from veopipe.ledger.paths import Places
from veopipe.text import printable

GITIGNORE = """\
# The ledger belongs into git, even if an ignore file above this one says otherwise: it holds what was paid.
!/.gitignore
!/*/
!/*/ledger.json
!/*/state/
!/*/state/*.json
# These don't belong there.
/*.simulated/
/*/lock
/*/runs/
/*/rescue/
/*/.new-*
/*/state/.new-*
"""
_UNANCHORED = frozenset({b"lock", b"runs/", b"rescue/", b"*.simulated/", b".new-*"})
"""Lines of the first versions: they hide the ledgers of lists called `runs.yaml`, `rescue.yaml` and `lock.yaml`."""
_FIRST_HEADING = b"# The ledger (state/ and ledger.json) belongs into git; these don't."
GIT_WAIT = 5.0
"""Seconds for git to say what it ignores: a thousand times what it needs, and on a network's disk it may need more."""
_ROOT = 0


# --- git -------------------------------------------------------------------------------------------


def keep_gitignore(path: Path) -> None:
    """Make the ledgers' `.gitignore`, or mend one of the first versions; other lines in it stay as they are."""
    try:
        lines = files.read_bounded(path, 1 << 20).splitlines()
    except FileNotFoundError:
        files.replace(path, GITIGNORE.encode())
        return
    except ValueError:
        return  # no file of ours
    if _FIRST_HEADING in lines:
        own = [line for line in lines if line not in _UNANCHORED and line != _FIRST_HEADING]
        files.replace(path, GITIGNORE.encode() + b"".join(line + b"\n" for line in own))


def hidden_by(places: Places) -> str | None:
    """The place of the ignore rule by which git leaves the whole ledger out (`.gitignore:2`), if there is one.

    Our own `.gitignore` wins over rules about files in the ledger, but isn't read where a folder above is ignored.
    """
    folder = places.manifest.parent
    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return None
    import subprocess  # which few commands need

    path = f"{places.ledger_base}/{places.name}/ledger.json"
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CONFIG_HOME") if name in os.environ}
    try:
        asked = subprocess.run(
            ["git", "check-ignore", "--no-index", "--verbose", "--", path],
            cwd=folder,
            env=environ,
            capture_output=True,
            timeout=GIT_WAIT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    source, _, pattern = asked.stdout.decode("utf-8", "replace").partition("\t")[0].rpartition(":")
    return printable(source) if asked.returncode == 0 and not pattern.startswith("!") else None


# --- other users -----------------------------------------------------------------------------------


def close_if_ours(folder: Path) -> None:
    """Let not everybody write `folder`, if it is this user's."""
    status = folder.stat()
    if _is_open_to_all(status) and not _is_foreign(status):
        _closed(folder)


def close_to_others(places: Places, tell: Callable[[str], None]) -> None:
    """See that not everybody can change what says what was paid (docs/hazards.md, e 22).

    What is ours is closed, which a clone made with a umask of 000 needs. Where that has no effect (WSL's /mnt/c, exFAT,
    SMB) the disk keeps no permissions, and there is nothing to be done but to say so. Somebody else's is refused.
    Writable by the group is fine: with a umask of 002 a clone's folders are.

    Raises:
        EnvironmentFault: somebody else may have written what it says.
    """
    found = _pieces(places)
    open_ = [path for path, status in found.items() if _is_open_to_all(status)]
    foreign = [path for path, status in found.items() if open_ and _is_foreign(status)]
    if foreign and _keeps_permissions(places.folder):
        raise _not_ours(places.folder, open_[0], foreign[0], found[foreign[0]].st_uid)
    shown = f"the ledger {places.ledger_base}/{places.name}"
    if not all(map(_closed, open_)):
        tell(f"{shown} lies on a disk that keeps no permissions: whoever can use the disk can change it")
    elif open_:
        tell(f"{shown} could be changed by everybody on this machine; now only by its owner and group")


def _pieces(places: Places) -> dict[Path, os.stat_result]:
    """The folders and files that say what was paid, as far as they are there and can be read."""
    found = {}
    for folder in (places.folder, places.state, places.rescue):
        with suppress(OSError):
            found[folder] = folder.stat()
            for entry in os.scandir(folder):
                with suppress(FileNotFoundError):  # a run that is on puts new files in their places
                    if not entry.is_symlink():
                        found[Path(entry.path)] = entry.stat(follow_symlinks=False)
    return found


def _is_open_to_all(status: os.stat_result) -> bool:
    """Whether every user can write there. The sticky bit keeps users from replacing what others made."""
    is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return bool(status.st_mode & stat.S_IWOTH) and not is_sticky


def _is_foreign(status: os.stat_result) -> bool:
    """Whether another user may have written it, as its owner or because root left it open to all."""
    return status.st_uid != os.geteuid() and (status.st_uid != _ROOT or _is_open_to_all(status))


def _keeps_permissions(folder: Path) -> bool:
    """Whether a file made for its owner only is for its owner only. Else no mode and no owner there means anything."""
    path = folder / f"{files.TEMPORARY_PREFIX}{os.urandom(6).hex()}"
    try:
        descriptor = files.create_exclusively(path, 0o600)
    except OSError:
        return True
    try:
        return not _is_open_to_all(os.fstat(descriptor))
    finally:
        os.close(descriptor)
        files.remove_quietly(path)


def _closed(path: Path) -> bool:
    """Let not everybody write `path`; whether that is so now. Some disks refuse it, some agree and do nothing."""
    with suppress(OSError):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~stat.S_IWOTH)
    return not (path.exists() and _is_open_to_all(path.stat()))


def _not_ours(folder: Path, open_: Path, foreign: Path, uid: int) -> EnvironmentFault:
    try:
        owner = pwd.getpwuid(uid).pw_name
    except KeyError:
        owner = f"user {uid}"
    which = "it" if foreign == open_ else str(foreign)
    who = "" if os.geteuid() == _ROOT else f", as {owner} or root"
    return EnvironmentFault(
        f"everybody on this machine can write into {open_}, and {which} belongs to {owner}, "
        "so it proves nothing about what was paid",
        hint=f"look at what it holds, then{who}: {shlex.join(['chmod', '-R', 'o-w', str(folder)])}",
    )
