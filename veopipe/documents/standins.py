"""What lies in the place of a file whose bytes are kept elsewhere: a Git LFS pointer, a git-annex link, a placeholder.

A clone without Git LFS has texts of 130 bytes where the videos should be. They aren't damaged videos and they
aren't other files: the bytes can be brought, free of charge, by whoever keeps them. So they are called what they
are, with the command, and nothing is fetched, named or recorded in their stead.

Source: git-lfs, specification, "The Pointer"; git-annex, "pointer file" and "key format"; DVC, `.dvc` files;
Apple, `.NAME.icloud`; Nextcloud, ownCloud and odrive, `NAME.nextcloud`, `.owncloud`, `.cloud` (placeholders).
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from veopipe.values import dataclass

LARGEST = 1024
"""Bytes: a Git LFS pointer must be shorter (git-lfs, specification), and a git-annex pointer holds one name."""

_LFS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_LFS_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})\r?$", re.MULTILINE)
_ANNEX = b"/annex/objects/"
_ANNEX_SHA256 = re.compile(r"SHA256E?-[^/]*--([0-9a-f]{64})(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class StandIn:
    """Something in the place of a file.

    Attributes:
        what: its name, `a Git LFS pointer`.
        remedy: what brings the file, in the imperative.
        sha256: of the bytes that it stands for, where it tells.
    """

    what: str
    remedy: str
    sha256: str | None = None

    def __str__(self) -> str:
        return f"{self.what} in place of the file; {self.remedy}"

    def may_be(self, sha256: str) -> bool:
        """Whether it stands for these bytes, as far as it tells: another sha256 is another file."""
        return self.sha256 in {None, sha256}


# What a placeholder is called beside the name of the file that it stands for.
_NAMED = {
    ".{}.icloud": StandIn("an iCloud placeholder", "download it in the Finder, or run `brctl download` on it"),
    "{}.dvc": StandIn("a DVC file", "run `dvc pull`"),
    **dict.fromkeys(
        ("{}.nextcloud", "{}.owncloud", "{}.cloud"),
        StandIn("a placeholder of a sync client", "let the client make the file available offline"),
    ),
}


def of_name(name: str) -> tuple[str, StandIn] | None:
    """The name of the file that a placeholder of this name stands for; None: it is no placeholder's name."""
    for form, found in _NAMED.items():
        before, after = form.split("{}")
        if name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after):
            return name.removeprefix(before).removesuffix(after), found
    return None


def of_bytes(head: bytes) -> StandIn | None:
    """What a file is that begins with `head`, if it only points at one. All of it, or `LARGEST` bytes at least."""
    if head.startswith(_LFS):
        oid = _LFS_OID.search(head[:LARGEST])
        return StandIn("a Git LFS pointer", "run `git lfs pull`", oid[1].decode() if oid else None)
    if head.startswith(_ANNEX):
        return _annexed(head[:LARGEST].partition(b"\n")[0].decode("utf-8", "replace"), "pointer")
    return None


def of(path: Path) -> StandIn | None:
    """What stands in for the file at `path`; None: a file, something else, or nothing at all.

    Reads no more than `LARGEST` bytes, and never more of a file that is longer than that.
    """
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode) or not 0 < facts.st_size < LARGEST:
            return None
        with path.open("rb") as file:
            return of_bytes(file.read(LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        return _of_missing(path)
    except ValueError:  # a name that no file can have
        return None
    except OSError as error:
        return of_error(error) if error.errno != errno.ELOOP else _of_missing(path)


def of_error(error: OSError) -> StandIn:
    """A file that is there and can't be read now: a sync service or a disk may bring it another time."""
    said = os.strerror(error.errno) if error.errno else str(error)
    return StandIn(f"a file that can't be read now ({said})", "let its disk or sync service bring it, then try again")


def without_blocks(path: Path) -> StandIn | None:
    """What a file is that should hold other bytes, and takes no room on the disk at all."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(facts.st_mode) or facts.st_size == 0 or facts.st_blocks > 0:
        return None
    return StandIn("a placeholder without bytes on this disk", "let the sync service bring it, or copy it again")


def _of_missing(path: Path) -> StandIn | None:
    """What is there in the place of a missing file, or of the first folder above it that is missing."""
    if _ANNEX.decode() in str(path):  # links were followed already
        return _annexed(path.name, "link")
    for place in (path, *path.parents):
        if place.is_symlink():
            return _of_link(place, os.readlink(place))
        if place.exists():
            return None
        for form, found in _NAMED.items():
            if place.with_name(form.format(place.name)).exists():
                return found
    return None


def _of_link(place: Path, target: str) -> StandIn | None:
    if _ANNEX.decode() in target:
        return _annexed(target, "link")
    if place.exists():  # what it leads to is there, and hasn't got the file
        return None
    return StandIn(f"a link to {target}, which isn't there", "bring that back, or remove the link")


def _annexed(key: str, kind: str) -> StandIn:
    sha256 = _ANNEX_SHA256.search(key)
    return StandIn(f"a git-annex {kind}", "run `git annex get` on it", sha256[1] if sha256 else None)
