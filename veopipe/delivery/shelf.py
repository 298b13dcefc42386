"""Takes and finished names: immutable takes, and one name per shot that shows the right one.

* `Shelf` is what the rest of veopipe asks for; `FolderShelf` has them in a folder beside the list. What lies where, and
  how a file is had that lies elsewhere, is known behind it only.
* A take is named once, made read-only and never overwritten; where something else has its name, it gets another one.
* `<shot>.mp4` holds a take of the shot, or it is the user's and stays as it is.

Source: docs/design.md, 1 and 5 (Videos).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from veopipe import files
from veopipe.delivery import beside
from veopipe.documents import standins
from veopipe.documents.standins import StandIn
from veopipe.errors import EnvironmentFault
from veopipe.ledger.paths import Places
from veopipe.takes.status import SETTLED, Status
from veopipe.takes.take import Delivered, ShotState, Take
from veopipe.values import dataclass


class Away(Exception):
    """The bytes of a take are kept elsewhere; the text says what lies in their place, and what brings them."""


class Absent(Exception):
    """The file of a take can't be had here.

    Attributes:
        where: it was looked for, as reports give it.
        why: what is there instead, for people: `missing`.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where} is {why}")
        self.where, self.why = where, why


class Elsewhere(Absent):
    """It lies in a store, and would have to be fetched."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of a finished name.

    Attributes:
        file: the record of the take that was to be shown, with what became known of it.
        left: why the name was left alone, for people; None: it shows the take.
    """

    file: Delivered | None
    left: str | None = None


class Shelf(Protocol):
    """Where the takes of one list are put, named and found again.

    A record says itself where its take lies (`Delivered.output`), which need not be where new ones go.
    """

    @property
    def places(self) -> Places:
        """The folders of the list."""

    def part(self, shot: str, number: int) -> Path:
        """Where the take is downloaded to, on this disk."""

    def expected(self, shot: str, number: int, sha256: str, size: int) -> Delivered:
        """The record of a take that was downloaded and will get this name."""

    def locate(self, take: Take, *, parts: bool = True, anew: bool = True) -> Path | Delivered | None:
        """A downloaded take that isn't judged yet: its file on this disk, or the record of it where it was put. Blocks.

        Args:
            take: with the record of what is expected there.
            parts: a part on this disk will do; else it must be in its place, whoever put it there.
            anew: a store is asked also where its name wasn't seen there when the run began.

        Returns:
            None if it is neither here nor there.

        Raises:
            Away: there is only a stand-in for it.
            OSError: it couldn't be looked for.
        """

    def put_away(self, source: Path, take: Take, file: Delivered) -> Delivered:
        """Give a measured part its place and its final name. Blocks.

        Args:
            source: the part, on this disk; gone afterwards.
            take: whose it is.
            file: its record, with what was measured.

        Returns:
            The record with the name it got. Another sha256: another delivery of this task has its place already, and
            this is its record.

        Raises:
            OSError: it couldn't be named; the part is still there.
        """

    def publish(self, shot: str, take: Take, others: Iterable[Take]) -> Shown:
        """Let the shot's finished name show this take. Blocks.

        Args:
            shot: the shot's id.
            take: a verified take whose file is there.
            others: all takes of the ledger, the shot's first, to tell an older result, or that of a shot which had
                this id before, from a file of the user's. Asked only if there is a file.

        Raises:
            OSError: the name is what it was before.
        """

    def restore(self, shot: str, take: Take) -> bool:
        """Whether a take's file is there, taken back from the finished name if only that is left. Blocks.

        Raises:
            OSError: it couldn't be taken back.
        """

    def instead(self, shot: str, take: Take) -> StandIn | None:
        """What lies in the place of a take's file and only stands for it. Large files aren't read for it."""

    def is_shown(self, shot: str, file: Delivered) -> bool:
        """Whether a take is in its place, whole, and the finished name shows it. Nothing is read for it."""

    def is_whole(self, file: Delivered) -> bool:
        """Whether a take is in its place with its size. Nothing is read for it."""

    def found(self, shot: str, take: Take) -> str | None:
        """Where people find the file of a settled take, as reports give it; None: nowhere. Nothing is read for it."""

    def address(self, file: Delivered) -> str:
        """The place of a take, as reports give it."""

    def bring(self, file: Delivered, shot: str | None = None, *, exactly: bool = True) -> Path:
        """The file of a delivered take, whole, on this disk. Blocks.

        Args:
            file: its record.
            shot: where the finished name of this shot may serve, too.
            exactly: read it; else its size is enough.

        Raises:
            Absent: it can't be had. `Elsewhere`: not without reading it.
        """


@dataclass(frozen=True, slots=True)
class FolderShelf:
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
        return shown(self.places, path)

    def finished(self, shot: str) -> Path:
        """The name under which a shot's verified take is found."""
        return self.places.output / f"{shot}.mp4"

    def is_shown(self, shot: str, file: Delivered) -> bool:
        """Whether a take is whole on disk and the finished name shows it (two looks at the folder, no reading)."""
        try:
            take = os.stat(_spelt(self.places, file))
            return take.st_size == file.bytes and files.shows(os.stat(f"{self.places.output}/{shot}.mp4"), take)
        except OSError:
            return False

    def is_whole(self, file: Delivered) -> bool:
        """Whether a take is on disk with its size (one look, no reading)."""
        try:
            return os.stat(_spelt(self.places, file)).st_size == file.bytes
        except OSError:
            return False

    def locate(self, take: Take, *, parts: bool = True, anew: bool = True) -> Path | None:
        """The downloaded file of a take that isn't judged yet: its part, or its final name after a crash.

        None if neither has the recorded content.

        Raises:
            Away: there is only a stand-in for it.
        """
        if take.file is None:
            return None
        away = []
        for path in _names(self, take.file) if parts else (self.path(take.file),):
            found = lack(path, take.file)
            if found is None:
                return path
            away += [found] if isinstance(found, StandIn) else []
        if away:
            raise Away(str(away[0]))
        return None

    def instead(self, shot: str, take: Take) -> StandIn | None:
        """What lies in the place of a take's file and only stands for it. Large files aren't read for it."""
        if take.file is None:
            return None
        names = [*_names(self, take.file), *([self.finished(shot)] if take.status is Status.VERIFIED else [])]
        for path in names:
            found = standins.of(path)
            if found is not None and found.may_be(take.file.sha256):
                return found
        return None

    def put_away(self, source: Path, take: Take, file: Delivered) -> Delivered:
        """Give a measured part its final name, read-only where that can be had; as `Shelf` says."""
        target = self.path(file)
        if files.is_same_file(source, target):
            return file
        free = target
        for copy in range(2, 1000):
            if not os.path.lexists(free):
                break
            if (known := beside.record(free, take.last.task_id, file.output)) is not None:
                files.remove_quietly(source)
                return known
            free = target.with_name(f"{target.stem}-{copy}{target.suffix}")
        else:
            raise FileExistsError(errno.EEXIST, "a thousand other files have its name", str(target))
        files.protect(source)
        if not beside.is_there(free):
            files.rename(source, free)
        elif not files.name_if_free(source, free):  # a worker that was given it by an earlier run is as far
            return self.put_away(source, take, file)
        return replace(file, name=free.name)

    def publish(self, shot: str, take: Take, others: Iterable[Take]) -> Shown:
        """Let `<shot>.mp4` be this take's file; as `Shelf` says."""
        if take.file is None:
            return Shown(None)
        source, target = self.path(take.file), self.finished(shot)
        if files.is_same_file(source, target) or _lead_to_one(source, target):
            return Shown(take.file)
        if os.path.lexists(target) and (reason := _objection(self, shot, take.file, others)) is not None:
            return Shown(take.file, reason)
        files.make_folder(target.parent)
        files.publish(source.resolve(), target)  # of a link the file: from here a relative link leads elsewhere
        return Shown(take.file)

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
        if standins.of(path) is not None or finished.is_symlink() or not holds(finished, take.file):
            return False
        files.make_folder(path.parent)
        files.publish(finished, path)
        return True

    def found(self, shot: str, take: Take) -> str | None:
        """Its finished name where that shows it, else its own; as `Shelf` says."""
        file = take.file
        if file is None or take.status not in SETTLED:
            return None
        if self.is_shown(shot, file):
            return shown_finished(self.places, shot)
        finished, path = self.finished(shot), self.path(file)
        if not _has_size(path, file.bytes):  # of two names in Git LFS one may have been pulled
            only = take.status is Status.VERIFIED and _has_size(finished, file.bytes)
            return self.shown(finished) if only else None
        try:
            same = finished.samefile(path)
        except OSError:
            same = False
        return self.shown(finished if same else path)

    def address(self, file: Delivered) -> str:
        """The path of a take; as `Shelf` says."""
        return self.shown(self.path(file))

    def bring(self, file: Delivered, shot: str | None = None, *, exactly: bool = True) -> Path:
        """The file under its own name, or under the finished one; as `Shelf` says."""
        own = self.path(file)
        for path in (own, *([self.finished(shot)] if shot is not None else [])):
            if holds(path, file) if exactly else _has_size(path, file.bytes):
                return path
        raise Absent(self.shown(own), str(lack(own, file)))


def _names(shelf: FolderShelf, file: Delivered) -> tuple[Path, Path]:
    """The final name and the part, by the shot's id at that time; it may have another one now."""
    final = shelf.path(file)
    return final, final.with_name(f".{final.stem}.part")


def _objection(shelf: FolderShelf, shot: str, file: Delivered, others: Iterable[Take]) -> str | None:
    """Why what has a shot's finished name keeps it; None: the name may go to `file`."""
    source, target = shelf.path(file), shelf.finished(shot)
    found = standins.of(target)
    if not _is_ours(shelf, target, found, others):
        if found and found.sha256:
            return f"{shelf.shown(target)}: {found}: left alone"
        words = f"holds none of the takes of {shot}: left alone; move it away, and a run puts the take there"
        return f"{shelf.shown(target)} {words}"
    fault = lack(source, file)
    if fault is None:
        return None  # the take is whole: what is there isn't all that is left of it
    return f"{shelf.shown(target)} is left alone, since {shelf.shown(source)} is {fault}"


def _is_ours(shelf: FolderShelf, target: Path, found: StandIn | None, takes: Iterable[Take]) -> bool:
    """Whether what has a finished name is one of the takes, or stands for one."""
    size = os.lstat(target).st_size
    if found is not None:
        return any(file.sha256 == found.sha256 for file in _files(takes))
    alike = [file for file in _files(takes) if file.bytes == size]
    if any(files.is_same_file(shelf.path(file), target) for file in alike):
        return True
    return not target.is_symlink() and any(holds(target, file) for file in alike)


def find(shelf: Shelf, shot: str, take: Take) -> Path:
    """The file of a delivered take, whole: under its own name, or under the finished one.

    Raises:
        EnvironmentFault: it can't be had.
    """
    if take.file is None:
        raise EnvironmentFault(f"{shot} take {take.number} has no file")
    try:
        return shelf.bring(take.file, shot)
    except Absent as absent:
        raise EnvironmentFault(f"{shot} take {take.number} isn't on this disk: {absent}") from None


def holds(path: Path, file: Delivered) -> bool:
    """Whether `path` is a regular file with exactly the recorded content."""
    return lack(path, file) is None


def lack(path: Path, file: Delivered) -> StandIn | str | None:
    """Why `path` isn't the delivered file: a stand-in for it, or something else in words. None: it is."""
    found = standins.of(path)
    if found is not None:
        return found if found.may_be(file.sha256) else f"{found.what} to another file than was delivered"
    try:
        if not path.is_file():
            return "a folder" if path.is_dir() else "missing"
        size = path.stat().st_size
        if size == file.bytes and files.sha256_of(path) == file.sha256:
            return None
    except OSError as error:
        return standins.of_error(error)
    if size == 0:
        return "empty: a copy that failed, perhaps"
    return standins.without_blocks(path) or "not the file that was delivered any more"


def shown(places: Places, path: Path) -> str:
    """A path as reports give it: relative to the manifest's folder."""
    return os.path.relpath(path, places.manifest.parent)


def shown_finished(places: Places, shot: str) -> str:
    """The name under which a shot's verified take is found, as reports give it."""
    return f"{_relative(places.output, places.manifest.parent)}/{shot}.mp4"


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _spelt(places: Places, file: Delivered) -> str:
    """`FolderShelf.path` as a text: long lists ask for each, and paths take ten times as long to make."""
    return f"{places.takes_of(file.output)}/{file.name}"


@lru_cache(64)
def _relative(path: Path, start: Path) -> str:
    return os.path.relpath(path, start)


def _files(takes: Iterable[Take]) -> Iterator[Delivered]:
    """The delivered files of takes, as recorded."""
    return (take.file for take in takes if take.file is not None)


def _lead_to_one(source: Path, target: Path) -> bool:
    """Whether both names are links to one file, as git-annex makes them."""
    return target.is_symlink() and source.is_symlink() and target.exists() and target.samefile(source)


# --- takes that no state file knows ----------------------------------------------------------------


def strays(places: Places, states: Mapping[str, ShotState], ids: Iterable[str]) -> dict[str, str]:
    """Shots with takes (or parts) in the output folder that no state file knows, with one name each.

    Args:
        places: where to look.
        states: what the state files know: takes, and names of files, which stay when a shot gets another id.
        ids: the shots of the manifest.

    Raises:
        EnvironmentFault: the folder can't be read, so what it holds isn't known.
    """
    where = f"{places.output_base}/{places.name}/takes"
    found = strange(names_in(places.takes_of(places.output_base)), states, ids)
    return {shot: f"{where}/{name}" for shot, name in found.items()}


def strange(names: Iterable[str], states: Mapping[str, ShotState], ids: Iterable[str]) -> dict[str, str]:
    """Shots of which there are takes or parts that no state file knows, with the first name of each.

    Args:
        names: of what lies there.
        states: what the state files know.
        ids: the shots of the manifest.
    """
    takes = [(shot, take) for shot, state in states.items() for take in state.takes]
    known = {(shot, take.number) for shot, take in takes}
    known |= {_named(file.name)[:2] for file in _files(take for _, take in takes)}
    wanted = set(ids)
    found: dict[str, str] = {}
    for name in names:
        shot, number, kind = _named(name)
        if kind in {"mp4", "part"} and shot in wanted and (shot, number) not in known:
            found.setdefault(shot, name)
    return found


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted; none where it isn't there.

    Raises:
        EnvironmentFault: it can't be read, so what it holds isn't known.
    """
    try:
        return sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise EnvironmentFault(f"{folder} can't be read: {error.strerror}") from None


def _named(name: str) -> tuple[str, int, str]:
    """The shot, the number and the ending in the name of a take, of a part, or of what stands for one; else no shot."""
    shot, _, rest = name.removeprefix(".").partition(".")
    number, _, kind = rest.partition(".")
    number = number.partition("-")[0]  # a name that was taken got `-2` behind it
    if not (number.isascii() and number.isdigit()):
        return "", 0, ""
    return shot, int(number), kind.removesuffix(".icloud").removesuffix(".dvc")
