"""Takes and finished names on disk: immutable takes, and one name per shot that points at the right one.

* A take is named once, read-only, and never overwritten: a name that is taken by something else is left
  to it.
* `<shot>.mp4` holds a verified take of that shot or isn't ours: a file that holds none of them is the
  user's and stays.

Source: design, sections 1 and 5.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from veopipe import files
from veopipe.errors import EnvironmentFault
from veopipe.places import Places
from veopipe.takes import Delivered, Take


@dataclass(frozen=True, slots=True)
class Shelf:
    """The output folders of one manifest."""

    places: Places

    def part(self, shot: str, number: int) -> Path:
        """Where the take is downloaded to."""
        return self.places.takes_of(self.places.output_base) / f".{shot}.{number:03d}.part"

    def expected(self, shot: str, number: int, sha256: str, size: int) -> Delivered:
        """The record of a take that was downloaded and will get this name."""
        return Delivered(self.places.output_base, f"{shot}.{number:03d}.mp4", sha256, size)

    def path(self, file: Delivered) -> Path:
        """Where a delivered take lies."""
        return self.places.takes_of(file.output) / file.name

    def shown(self, path: Path) -> str:
        """A path as reports give it: relative to the manifest's folder."""
        return os.path.relpath(path, self.places.manifest.parent)

    def finished(self, shot: str) -> Path:
        """The name under which a shot's verified take is found."""
        return self.places.output / f"{shot}.mp4"

    def locate(self, take: Take) -> Path | None:
        """The downloaded file of a take that isn't judged yet: its part, or its final name after a crash.

        None if neither has the recorded content.
        """
        if take.file is None:
            return None
        final = self.path(take.file)  # named by the shot's id at that time; it may have another one now
        for path in (final, final.with_name(f".{final.stem}.part")):
            if holds(path, take.file):
                return path
        return None

    def put_away(self, source: Path, file: Delivered) -> Delivered:
        """Give a measured part its final name, read-only; the record says which name it got.

        Raises:
            OSError: it couldn't be named; the part is still there.
        """
        target = self.path(file)
        if files.is_same_file(source, target):
            return file
        free = target
        for copy in range(2, 1000):
            if not os.path.lexists(free):
                break
            free = target.with_name(f"{target.stem}-{copy}{target.suffix}")
        else:
            raise FileExistsError(errno.EEXIST, "a thousand other files have its name", str(target))
        os.chmod(source, 0o444)
        files.rename(source, free)
        return replace(file, name=free.name)

    def publish(self, shot: str, take: Take, others: Iterable[Take]) -> str | None:
        """Let `<shot>.mp4` name this take.

        Args:
            shot: the shot's id.
            take: a verified take whose file is there.
            others: all takes of the ledger, the shot's first, to tell an older result, or that of a shot which had
                this id before, from a file of the user's. Asked only if there is a file.

        Returns:
            Why the name was left alone, or None.

        Raises:
            OSError: the name is what it was before.
        """
        if take.file is None:
            return None
        source, target = self.path(take.file), self.finished(shot)
        if files.is_same_file(source, target):
            return None
        if os.path.lexists(target) and not self._is_ours(target, others):
            return f"{self.shown(target)} holds none of the takes of {shot}: left alone"
        files.make_folder(target.parent)
        files.publish(source, target)
        return None

    def _is_ours(self, target: Path, takes: Iterable[Take]) -> bool:
        size = os.lstat(target).st_size
        delivered = [take.file for take in takes if take.file is not None and take.file.bytes == size]
        if any(files.is_same_file(self.path(file), target) for file in delivered):
            return True
        return not target.is_symlink() and any(holds(target, file) for file in delivered)

    def restore(self, shot: str, take: Take) -> bool:
        """Whether a take's file is there, taken back from the finished name if only that is left.

        Raises:
            OSError: it couldn't be linked.
        """
        if take.file is None:
            return False
        path = self.path(take.file)
        if path.is_file() and path.stat().st_size == take.file.bytes:
            return True
        finished = self.finished(shot)
        if finished.is_symlink() or not holds(finished, take.file):
            return False
        files.make_folder(path.parent)
        files.publish(finished, path)
        return True


def holds(path: Path, file: Delivered) -> bool:
    """Whether `path` is a regular file with exactly the recorded content."""
    try:
        return path.is_file() and path.stat().st_size == file.bytes and files.sha256_of(path) == file.sha256
    except OSError:
        return False


def strays(places: Places, known: Iterable[tuple[str, int]], ids: Iterable[str]) -> dict[str, str]:
    """Shots with takes (or parts) in the output folder that no state file knows, with one name each.

    Args:
        places: where to look.
        known: shot and number of every take that a state file knows, and of every name it recorded.
        ids: the shots of the manifest.

    Raises:
        EnvironmentFault: the folder can't be read, so nobody knows what it holds.
    """
    folder = places.takes_of(places.output_base)
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise EnvironmentFault(f"{folder} can't be read: {error.strerror}") from None
    wanted, accounted = set(ids), set(known)
    found: dict[str, str] = {}
    for name in names:
        shot, _, rest = name.removeprefix(".").partition(".")
        number, _, kind = rest.partition(".")
        number = number.partition("-")[0]
        named = kind in {"mp4", "part"} and shot in wanted and number.isascii() and number.isdigit()
        if named and (shot, int(number)) not in accounted:
            found.setdefault(shot, f"{places.output_base}/{places.name}/takes/{name}")
    return found
