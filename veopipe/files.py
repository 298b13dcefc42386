"""Durable files: after each of these functions returns, a power cut loses nothing that it did.

* A file is replaced whole or not at all: new file in the same folder, fsync, rename, fsync of the folder.
* An fsync that fails means "not written". It is never tried again on the same file: the kernel may have dropped the
  pages and says yes the second time (PostgreSQL's lesson).
* macOS: `fsync` doesn't reach the platter, `F_FULLFSYNC` does (where the file system knows it).
* Temporary names are created exclusively and without following links, so nothing planted is overwritten.
* Content, its fsync and the rename are promises: a disk that refuses them ends the run. Links, read-only bits and
  the fsync of a folder are courtesies: many disks (exFAT, NTFS, SMB, FUSE) don't have them, and the run goes on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import filecmp
import hashlib
import os
import re
import shlex
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from veopipe import crashpoints
from veopipe.errors import EnvironmentFault
from veopipe.text import printable

# Errors by which a file system says "I don't have this", not "it failed". Seen: vfat, exFAT and bindfs EPERM, CIFS and
# 9p EOPNOTSUPP, FUSE ENOSYS, Android's shared storage EACCES, macOS ENOTSUP and ENOTTY.
_LACKING = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY}
)
# As PostgreSQL (fsync_fname): a folder that can't be opened can't be synced, and some refuse the descriptor.
_NO_FOLDER_SYNC = _LACKING | {errno.EBADF, errno.EISDIR}
# No hard links at all, or not between these two places.
_NO_LINKS = _LACKING | {errno.EXDEV, errno.EMLINK}

_MORE = 64 << 10  # bytes that are asked for at a time of what a file holds beyond its size

# What a written path may be that means a place elsewhere.
_DRIVE = re.compile(r"[A-Za-z]:(?:\S|$)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.@_-]*:(?=\S|$)")  # s3:, and name@host: as scp and rclone write it
_VARIABLE = re.compile(r"(?:^|[^A-Za-z0-9])\$[A-Za-z_{(]|(?:^|/)%[A-Za-z_][A-Za-z0-9_]*%")
_NO_PATH = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:[/\\]|\\\\|~[\w.-]*/|~$|\$\{?\w+\}?/|%\w+%[/\\])")

TEMPORARY_PREFIX = ".new-"
"""What temporary names begin with. A crash may leave such a file behind; it may be deleted."""


def sync(descriptor: int, subject: object = "") -> None:
    """Force what was written to `descriptor` onto the disk.

    Raises:
        OSError: the data must be taken as not written.
    """
    crashpoints.reach("fsync", subject)
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:  # macOS
        try:
            fcntl.fcntl(descriptor, full)
        except OSError as error:
            if error.errno not in _LACKING:
                raise
        else:
            return
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Force the names in `folder` onto the disk, where it can do that.

    Raises:
        OSError: the last rename, link or removal must be taken as not done.
    """
    with syncing(folder):
        pass


@contextlib.contextmanager
def syncing(folder: Path) -> Iterator[None]:
    """Force the names in `folder` onto the disk after something was done to them, where it can do that.

    The folder is opened before: where too many files are open already, nothing is done that couldn't be synced.

    Raises:
        OSError: nothing was done; or, after it, what was done must be taken as not done.
    """
    descriptor = None
    with _courtesy():
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield
        crashpoints.reach("fsync-folder", folder)
        with _courtesy():
            if descriptor is not None:
                os.fsync(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def _courtesy() -> Iterator[None]:
    """What a disk may say that syncs no folders is no fault."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def make_folder(folder: Path, mode: int = 0o755, *, above: bool = True) -> None:
    """Make `folder`, durably; fine if it is there already.

    Args:
        folder: its path.
        mode: who may look into it.
        above: make the folders above it, too.

    Raises:
        OSError: it can't be made, or something else has that name.
    """
    if folder.is_dir():
        return
    if above and folder.parent != folder:
        make_folder(folder.parent)
    crashpoints.reach("mkdir", folder)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)


def create_exclusively(path: Path, mode: int = 0o600) -> int:
    """Open a new file for writing; the descriptor is the caller's to close.

    Raises:
        FileExistsError: the name is taken, by a link too.
        OSError: it can't be made.
    """
    crashpoints.reach("open", path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def write_all(descriptor: int, data: bytes | memoryview, subject: object = "") -> None:
    """Write all of `data`, also when the system takes it in pieces.

    Raises:
        OSError: not all of it could be written.
    """
    crashpoints.reach("write", subject)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Make `path` hold exactly `data`, at once and durably. A link at `path` itself is replaced.

    Args:
        path: its folder must exist.
        data: the whole content.
        mode: the permissions of the new file.

    Raises:
        OSError: the file holds what it held before, or (when only the folder couldn't be synced) may
            hold either after a power cut.
    """
    temporary = path.parent / f"{TEMPORARY_PREFIX}{os.urandom(6).hex()}"
    descriptor = create_exclusively(temporary, mode)
    try:
        try:
            write_all(descriptor, data, temporary)
            sync(descriptor, temporary)
        finally:
            os.close(descriptor)
        rename(temporary, path)
    except OSError:
        remove_quietly(temporary)
        raise


def scribble(path: Path, data: bytes) -> None:
    """Let `path` hold `data`, in its place and not synced: for what may be lost. Never through a link or into a pipe.

    Raises:
        OSError: it can't be written, or isn't a file of its own.
    """
    crashpoints.reach("open", path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        os.ftruncate(descriptor, 0)
        write_all(descriptor, data, path)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(shown: object) -> Iterator[None]:
    """What the system says against a file that people want ends the command.

    Args:
        shown: the file, as it is told.

    Raises:
        EnvironmentFault: it can't be written.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not Path(str(shown)).absolute().parent.is_dir():
            raise without_folder(Path(str(shown))) from None
        raise EnvironmentFault(f"{shown} can't be written: {error.strerror}") from None


def without_folder(path: Path) -> EnvironmentFault:
    """That a file can't be written where there is no folder, and how to make it."""
    make = f"make it: mkdir -p {shlex.quote(printable(str(path.parent), None))}"
    return EnvironmentFault(f"{printable(str(path))} can't be written: there is no such folder", hint=make)


def claim(path: Path, data: bytes) -> bool:
    """Make a new file that holds exactly `data`, at once and durably; whether the name was still free.

    Of several processes that claim one name at the same moment one gets it. Where links aren't possible, two may
    believe so, and the content is that of the last.

    Raises:
        OSError: it can't be made.
    """
    temporary = path.parent / f"{TEMPORARY_PREFIX}{os.urandom(6).hex()}"
    replace(temporary, data)
    try:
        crashpoints.reach("link", path)
        os.link(temporary, path)
        sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        rename(temporary, path)
    finally:
        remove_quietly(temporary)
    return True


def rename(source: Path, target: Path) -> None:
    """Give `source` the name `target` (same file system), replacing what is there, durably.

    Raises:
        OSError: nothing was renamed, or the folder couldn't be synced.
    """
    is_moved = source.parent != target.parent
    with syncing(source.parent) if is_moved else contextlib.nullcontext(), syncing(target.parent):
        crashpoints.reach("rename", target)
        os.replace(source, target)


def name_if_free(source: Path, target: Path) -> bool:
    """Let `source` have the name `target` instead of its own (same folder), durably; whether that was free.

    Of several processes that want one name at the same moment one gets it. Where links aren't possible, the last may
    replace what another one named in between.

    Raises:
        OSError: it still has its own name.
    """
    try:
        crashpoints.reach("link", target)
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if not is_same_file(source, target):  # over NFS the first answer may be lost, and the second says this
            return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            return False
        rename(source, target)
        return True
    remove_quietly(source)
    sync_folder(target.parent)
    return True


def remove(path: Path) -> None:
    """Remove `path` durably; fine if it isn't there.

    Raises:
        OSError: it can't be removed, or may be back after a power cut.
    """
    if os.path.lexists(path):
        with syncing(path.parent):
            path.unlink(missing_ok=True)


def remove_quietly(path: Path) -> None:
    """Remove `path` if that can be done; a leftover does no harm."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def publish(source: Path, target: Path) -> None:
    """Let `target` name the file `source` names, replacing an older name at once and durably.

    A hard link costs no space and can't differ. `os.replace` between two links of one file does nothing
    and leaves the temporary name, which is why that case is asked for before and the name removed after.
    Where links aren't possible: a synced copy, unless there is one already.

    Raises:
        OSError: `target` is what it was before.
    """
    if is_same_file(source, target):
        return
    temporary = target.parent / f"{TEMPORARY_PREFIX}{os.urandom(6).hex()}"
    try:
        try:
            crashpoints.reach("link", target)
            os.link(source, temporary, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if _is_copy(source, target):
                return
            _copy(source, temporary)
        rename(temporary, target)
    finally:
        remove_quietly(temporary)


def _is_copy(source: Path, target: Path) -> bool:
    return target.is_file() and not target.is_symlink() and filecmp.cmp(source, target, shallow=False)


def _copy(source: Path, target: Path) -> None:
    import shutil  # with its compressors; a copy is rare

    descriptor = create_exclusively(target, 0o644)
    with open(descriptor, "wb") as out, source.open("rb") as content:
        shutil.copyfileobj(content, out, 1 << 20)
        out.flush()
        sync(out.fileno(), target)
    with contextlib.suppress(OSError):
        status = source.stat()
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))  # by which `shows` knows it again
    protect(target)


def protect(path: Path) -> None:
    """Make `path` read-only, so that it isn't changed by mistake; where the disk can't do that, nothing happens."""
    with contextlib.suppress(OSError):
        os.chmod(path, 0o444)


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both names exist and are one file, links at either name not followed."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def shows(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether a name looks as `publish` leaves it: the same file, or a copy with its size and time.

    Args:
        one: what stands at the name; links are followed, since a take may be one (git-annex).
        other: the take.
    """
    regular = stat.S_ISREG(one.st_mode) and stat.S_ISREG(other.st_mode)
    is_copy = regular and (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    return is_copy or os.path.samestat(one, other)


def sha256_of_bytes(content: bytes) -> str:
    """The hex sha256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str:
    """The hex sha256 of a file's content, read in pieces.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class Irregular(ValueError):
    """A folder, a pipe, a socket or a device where a file was expected; `mode` says which (`os.stat`)."""

    def __init__(self, mode: int) -> None:
        super().__init__("is not a regular file")
        self.mode = mode


def open_regular(path: Path, flags: int = 0) -> BufferedReader:
    """A regular file, open for reading. Opening a pipe would wait for a writer; this doesn't.

    Args:
        path: of the file.
        flags: more of `os.open`, such as `O_NOFOLLOW`.

    Raises:
        Irregular: it is something else.
        OSError: it can't be opened.
    """
    return open(_regular(path, flags)[0], "rb")


def _regular(path: Path | str, flags: int = 0) -> tuple[int, int]:
    """The descriptor of a regular file, open for reading, and its size."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Irregular(status.st_mode)
    return descriptor, status.st_size


def read_bounded(path: Path | str, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
        ValueError: it is no regular file, or longer.
        OSError: it can't be read.
    """
    descriptor, size = _regular(path)  # no file object: a ledger has a file for each shot
    try:
        data = more = os.read(descriptor, min(size, limit) + 1)
        while more and len(data) <= limit:  # until nothing comes: a read may bring less, and a file may grow
            more = os.read(descriptor, min(limit + 1 - len(data), _MORE))
            data += more
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise ValueError(f"is larger than {limit:,} bytes")
    return data


def read_until(file: BufferedReader, most: int) -> bytes:
    """At most so many bytes of an open file. Python makes room at once for what is asked for, so its size is first."""
    size = os.fstat(file.fileno()).st_size
    data = file.read(min(size + 1, most))
    has_more = size < len(data) < most  # it grew, or it is a file that doesn't know its size
    return data + file.read(most - len(data)) if has_more else data


# --- paths as people write them


def meant_elsewhere(written: str) -> str | None:
    """What a text is that means a place to other programs, and here would silently become a folder's name.

    Args:
        written: a path as a person wrote it. One that begins with `./` is always a path.

    Returns:
        What is wrong and what to do, for people, or None: it is a path.
    """
    text = written.lstrip()
    if text.startswith("./"):
        return None
    if _DRIVE.match(text) or "\\" in text:
        what = "is a path of Windows"
    elif (scheme := _SCHEME.match(text)) is not None:
        what = f"is an address (`{scheme[0].rpartition('@')[2]}`)"  # what stands before it may be a password
    elif text.startswith("~"):
        what = "begins with `~`, which isn't expanded here"
    elif _VARIABLE.search(text) is not None:
        what = "names a variable, which isn't expanded here"
    else:
        return None
    return f"{what}: write the path of a file or folder here (./ in front if that is really its name)"


def is_no_path(word: str) -> bool:
    """Whether a word of the command line is an address, or a path that only a shell or Windows understands.

    Narrower than `meant_elsewhere`: `plan:1.json` is a file's name there.
    """
    return _NO_PATH.match(word) is not None


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder, links followed; one that leads in a circle leads nowhere."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))  # `Path.resolve` raises RuntimeError


def work_tree_of(folder: Path) -> Path:
    """The git work tree that holds a folder, or the folder itself."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
