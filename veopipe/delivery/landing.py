"""Where a worker puts a video that it brought, while others do the same: a folder of takes, or a bucket.

* A take is looked for before it is fetched, by a mark that names its task: that makes an errand repeatable. In a bucket
  the mark is its metadata; in a folder it lies beside it as `.SC01.001.json`, written before the take got its name.
* In a folder a part has a name of its own, `.SC01.001.HOST-PID-xxxxxxxx.part`: none of two workers touches the other's.
* A take gets its name only if that is free. What has the name without a mark of this task isn't its.
* None of these names counts as a take that no state file knows (`shelf.strays`).

Source: docs/scale.md, c.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from veopipe import files
from veopipe.delivery import beside, room
from veopipe.delivery.errand import Place, Task
from veopipe.delivery.marks import Mark
from veopipe.takes.take import Delivered
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.delivery.buckets.bucket import Bucket

_DAY = 86_400.0
_PAUSES = (1.0, 2.0)  # seconds before a video is sent once more
_SCRATCH = "veopipe-errands-"
_PART = re.compile(r"\.(?P<shot>[A-Za-z0-9][\w-]*)\.(?P<number>\d{3,})\.[A-Za-z0-9-]+-\d+-[0-9a-f]{8}\.part", re.ASCII)
_HERE = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40] or "host"


class Landing(Protocol):
    """A place as one worker process sees it. All of it blocks."""

    def trouble(self) -> str | None:
        """Why nothing can be put there from here, for people; None: it can. Raises `OSError`."""

    def look(self, name: str, task: Task) -> Delivered | None:
        """The record of a task's take, if it is there, whole; raises `OSError`."""

    def part(self, name: str) -> Path:
        """What a take is downloaded to, on this disk."""

    def keep(self, part: Path, name: str, task: Task, file: Delivered) -> Delivered:
        """Give a measured part its name there, or the next one that is free.

        Returns:
            The record of the take as it lies there: of this part, or of another delivery of the task that was first.

        Raises:
            OSError: it isn't there.
        """

    def leave(self, part: Path, name: str) -> None:
        """Let a part that can't be measured lie where the run looks for it, if it can; raises `OSError`."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that all workers and the run share.

    Attributes:
        place: which.
        mark: whose parts are whose: host, process, and chance, since containers share both.
    """

    place: Place
    mark: str = ""

    def trouble(self) -> str | None:
        """Why nothing can be put there from here; as `Landing` says."""
        folder = self.place.folder
        try:
            seen = files.read_bounded(Path(folder, self.place.sight), 1 << 10).decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            return f"it doesn't see the output {folder}: {getattr(error, 'strerror', None) or 'another file is there'}"
        if seen.strip() != self.place.nonce:
            return f"it sees another folder {folder} than veopipe run does"
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"it may not write into {folder}"
        return room.lack(Path(folder), 0)

    def may_have(self, name: str) -> bool:
        """Whether a worker was about to name a take (one look at the folder)."""
        return beside.is_there(self._file(name))

    def part(self, name: str) -> Path:
        """In the folder itself, so that naming it moves no bytes."""
        return Path(self.place.folder, f".{name}.{self.mark}.part")

    def look(self, name: str, task: Task) -> Delivered | None:
        """The take of a task: it is read; as `Landing` says."""
        for stem in _stems(name):
            if not os.path.lexists(self._file(stem)):
                return None
            if (file := self._known(stem, task)) is not None:
                return file
        return None

    def keep(self, part: Path, name: str, task: Task, file: Delivered) -> Delivered:
        """Name it; as `Landing` says."""
        files.protect(part)
        for stem in _stems(name):
            if (found := self._named(part, stem, task, replace(file, name=f"{stem}.mp4"))) is not None:
                files.remove_quietly(part)
                return found
        raise FileExistsError(errno.EEXIST, "a thousand other files have its name", str(self._file(name)))

    def leave(self, part: Path, name: str) -> None:
        """As a run on one machine leaves it."""
        files.rename(part, Path(self.place.folder, f".{name}.part"))

    def _named(self, part: Path, stem: str, task: Task, file: Delivered) -> Delivered | None:
        """The task's take under this name; None: the name is something else's."""
        take = self._file(stem)
        if os.path.lexists(take):
            return self._known(stem, task)
        mark, mine = beside.place_of(take), beside.written(Mark.of(self.place.owner, task.id, file))
        before = None if files.claim(mark, mine) else beside.content(take)
        if before is not None:  # who wrote it died before it gave the name, or is about to
            files.replace(mark, mine)
        if files.name_if_free(part, take):
            if beside.content(take) != mine:
                files.replace(mark, mine)
            return file
        if before is not None and beside.content(take) == mine:
            files.replace(mark, before)
        return self._known(stem, task)

    def _known(self, stem: str, task: Task) -> Delivered | None:
        """The record of what lies there under a name, if its mark is of this task and holds for it."""
        return beside.record(self._file(stem), task.id, self.place.output)

    def _file(self, stem: str) -> Path:
        return Path(self.place.folder, f"{stem}.mp4")


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket; parts lie in a folder of this worker's own.

    Attributes:
        place: which.
        bucket: the same, to be spoken to.
        scratch: where parts lie.
    """

    place: Place
    bucket: Bucket
    scratch: Path

    def trouble(self) -> str | None:
        """Why nothing can be put there from here; as `Landing` says."""
        from veopipe.delivery.buckets.objects import Missing  # what speaks to stores, only where there is one

        try:
            seen = self.bucket.objects.read(self.place.sight, 256)[0].decode("ascii", "replace")
        except Missing:
            seen = ""
        if seen.strip() != self.place.nonce:
            return f"it sees another bucket {self.bucket.url} than veopipe run does"
        return room.lack(self.scratch, 0)

    def part(self, name: str) -> Path:
        """In the scratch folder."""
        return self.scratch / f"{name}.part"

    def look(self, name: str, task: Task) -> Delivered | None:
        """The take whose metadata names the task; as `Landing` says."""
        return self.bucket.find(f"{name}.mp4", task.id)

    def keep(self, part: Path, name: str, task: Task, file: Delivered) -> Delivered:
        """Send it; as `Landing` says."""
        from veopipe.delivery.buckets.objects import patiently

        put = partial(self.bucket.put, part, f"{name}.mp4", Mark.of(self.place.owner, task.id, file))
        kept = patiently(put, _PAUSES)
        files.remove_quietly(part)
        return kept

    def leave(self, part: Path, _name: str) -> None:
        """It is thrown away: nobody else can reach it, and it can be fetched again."""
        files.remove_quietly(part)


def landing_of(place: Place) -> Landing:
    """A place as this process sees it."""
    if place.folder:
        return Folder(place, f"{_HERE}-{os.getpid()}-{secrets.token_hex(4)}")
    from veopipe.delivery.buckets.bucket import Bucket

    return Store(place, Bucket(place.output, place.name, place.owner), _scratch())


def open_sight(place: Place, *, anew: bool = False) -> Place:
    """The place with a nonce that lies there; blocks.

    Args:
        place: still without one.
        anew: in a folder, what has the name already keeps it.

    Raises:
        OSError: it can't be written.
        EnvironmentFault: the bucket can't be spoken to.
    """
    nonce = secrets.token_hex(16)
    if place.folder:
        files.make_folder(Path(place.folder))
        path, content = Path(place.folder, place.sight), f"{nonce}\n".encode()
        if not anew:
            files.replace(path, content)
        elif not files.claim(path, content):
            raise FileExistsError(errno.EEXIST, "something has its name", str(path))
    else:
        from veopipe.delivery.buckets.bucket import Bucket

        Bucket(place.output, place.name).objects.put(place.sight, f"{nonce}\n".encode())
    return replace(place, nonce=nonce)


def clear_parts(folder: Path, is_settled: Callable[[str, int], bool]) -> None:
    """Remove parts of workers that are gone: of takes that need none any more, and those that are older than a day.

    Args:
        folder: of the takes.
        is_settled: whether the take of a shot and a number is.
    """
    try:
        found = [(entry, match) for entry in os.scandir(folder) if (match := _PART.fullmatch(entry.name))]
    except OSError:
        return
    for entry, match in found:
        if is_settled(match["shot"], int(match["number"])) or _is_old(entry):
            files.remove_quietly(folder / entry.name)


def _scratch() -> Path:
    """A new folder of this process's own; those of processes that ended long ago are removed."""
    for entry in os.scandir(tempfile.gettempdir()):
        if entry.name.startswith(_SCRATCH) and entry.is_dir(follow_symlinks=False) and _is_old(entry):
            shutil.rmtree(entry.path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_SCRATCH))


def _is_old(entry: os.DirEntry[str]) -> bool:
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY
    except OSError:
        return False


def _stems(name: str) -> Iterator[str]:
    """The names that a take may get, without ending: as `FolderShelf.put_away` gives them."""
    yield name
    yield from (f"{name}-{copy}" for copy in range(2, 1000))
