"""What a power cut may leave of a folder: the log of a run's durable operations, replayed.

The model is that of LevelDB's fault injection and of SQLite's crash tests, on the weakest disk that POSIX
allows: of a file only what was there at its last fsync is sure; a new name, a rename, a link and a removal
are sure only after an fsync of their folder. What isn't sure may be there, or partly, or not.

* Names: of the unsure operations in one folder a beginning is kept, the rest is undone, newest first.
* Bytes after the last fsync: dropped, cut anywhere, or zeros of the full length.

Source: docs/hazards.md, a and d.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Point:
    """One operation of a run, written down just before it happened.

    Attributes:
        n: from 1.
        kind: see `tests.harness.points`.
        paths: relative to the folder; for rename and link the old name first.
        size: of an fsync: the file's size at that time.
        truncates: of an open: whether it empties the file.
        kept: of a rename or removal: another name for what was replaced.
        failed: it raised instead.
        thread: which one did it.
        under_way: of the last point: other threads whose own last point may not have happened yet.
    """

    n: int
    kind: str
    paths: tuple[str, ...]
    size: int = 0
    truncates: bool = False
    kept: str | None = None
    failed: bool = False
    thread: int = 0
    under_way: tuple[int, ...] = ()

    @property
    def subject(self) -> str:
        """What it is about; for names, the new one."""
        return self.paths[-1] if self.paths else ""

    @property
    def is_state(self) -> bool:
        """Whether it is about a state file or its folder."""
        return "/state" in self.subject


def read_log(path: Path) -> list[Point]:
    """The points of a run, in order."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        under_way = tuple(entry.get("under_way", ()))
        found.append(Point(**{**entry, "paths": tuple(entry["paths"]), "under_way": under_way}))
    return found


def happened(points: list[Point], folder: Path) -> list[Point]:
    """What had happened when a run was killed at its last point; `folder` is as it left it.

    Another thread may have been in the midst of its own last point: a name then tells whether it was done, and an
    fsync may as well not have ended, since nothing that came after it was reached.
    """
    last = {point.thread: point.n for point in points}
    doubted = {last[thread] for thread in points[-1].under_way if thread in last}
    return [point for point in points[:-1] if point.n not in doubted or _is_done(point, folder)]


def _is_done(point: Point, folder: Path) -> bool:
    if point.kind in {"rename", "remove"}:
        return not os.path.lexists(folder / point.paths[0])
    if point.kind in {"open", "link", "mkdir"}:
        return os.path.lexists(folder / point.subject)
    return point.kind not in {"fsync", "fsync-folder"}


@dataclass
class _Inode:
    """A file: how much of it is sure, and where its bytes can be had now."""

    sure: int
    source: Path | None = None


@dataclass
class _Change:
    """An operation on names that no fsync of its folder has confirmed."""

    folder: str
    name: str
    before: _Inode | None
    gone: str | None = None  # of a rename: the old name
    moved: _Inode | None = None


@dataclass
class Disk:
    """A folder as it was before a run, and all that the run did to it up to a point.

    Args:
        before: names of the files before the run, with their sizes.
        folders: and of the folders.
    """

    names: dict[str, _Inode]
    folders: set[str]
    unsure_folders: list[str] = field(default_factory=list)
    unsure: list[_Change] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> Disk:
        """The disk of a folder where everything is sure."""
        names, folders, inodes = {}, set(), {}
        for base, inner, files in os.walk(folder):
            here = os.path.relpath(base, folder)
            folders |= {os.path.normpath(os.path.join(here, name)) for name in inner}
            for name in files:
                status = os.stat(os.path.join(base, name), follow_symlinks=False)
                inode = inodes.setdefault(status.st_ino, _Inode(status.st_size))
                names[os.path.normpath(os.path.join(here, name))] = inode
        return cls(names, folders)

    def replay(self, points: list[Point], folder: Path) -> None:
        """Do what the points say; `folder` holds the result of it all."""
        for point in points:
            if not point.failed:
                getattr(self, f"_{point.kind.replace('-', '_')}", self._nothing)(point)
        for name, inode in self.names.items():
            inode.source = folder / name

    def _nothing(self, point: Point) -> None:
        pass

    def _change(self, name: str, inode: _Inode | None, gone: str | None = None) -> None:
        moved = self.names.pop(gone) if gone is not None else None
        self.unsure.append(_Change(os.path.dirname(name), name, self.names.get(name), gone, moved))
        if inode is None:
            self.names.pop(name, None)
        else:
            self.names[name] = inode

    def _open(self, point: Point) -> None:
        inode = self.names.get(point.subject)
        if inode is None:
            self._change(point.subject, _Inode(0))
        elif point.truncates:
            inode.sure = 0

    def _mkdir(self, point: Point) -> None:
        if point.subject not in self.folders:
            self.folders.add(point.subject)
            self.unsure_folders.append(point.subject)

    def _rename(self, point: Point) -> None:
        old, new = point.paths
        if old in self.names and self.names[old] is not self.names.get(new):
            self._keep(point)
            self._change(new, self.names[old], gone=old)

    def _link(self, point: Point) -> None:
        old, new = point.paths
        if old in self.names and new not in self.names:
            self._change(new, self.names[old])

    def _remove(self, point: Point) -> None:
        if point.subject in self.names:
            self._keep(point)
            self._change(point.subject, None)

    def _keep(self, point: Point) -> None:
        if point.kept is not None and point.subject in self.names:
            self.names[point.subject].source = Path(point.kept)

    def _fsync(self, point: Point) -> None:
        if point.subject in self.names:
            self.names[point.subject].sure = point.size

    def _fsync_folder(self, point: Point) -> None:
        self.unsure = [change for change in self.unsure if change.folder != point.subject]
        self.unsure_folders = [name for name in self.unsure_folders if os.path.dirname(name) != point.subject]

    # --- the cut -----------------------------------------------------------------------------------

    def undo(self, chance: random.Random | None) -> None:
        """Take back unsure names: all of them, or by chance a newest part in each folder."""
        by_folder = defaultdict(list)
        for change in self.unsure:
            by_folder[change.folder].append(change)
        kept = {}
        for folder, changes in by_folder.items():
            kept[folder] = set(map(id, changes[: chance.randint(0, len(changes)) if chance else 0]))
        for change in reversed(self.unsure):
            if id(change) not in kept[change.folder]:
                self._undo(change)
        for name in self.unsure_folders:
            if chance is None or chance.random() < 0.5:
                self.folders.discard(name)

    def _undo(self, change: _Change) -> None:
        inode = self.names.pop(change.name, None)
        if change.before is not None:
            self.names[change.name] = change.before
        if change.gone is not None and (inode or change.moved):
            self.names[change.gone] = change.moved or inode  # type: ignore[assignment]

    def write(self, target: Path, chance: random.Random | None, bytes_left: str = "chance") -> None:
        """Make `target` hold what is left.

        Args:
            target: is made.
            chance: decides about unsure bytes.
            bytes_left: `all`, `sure`, `zeros`, or by `chance`.
        """
        target.mkdir(parents=True)
        for name in sorted(self.folders):
            if (target / name).parent.is_dir():
                (target / name).mkdir()
        written: dict[int, Path] = {}
        for name, inode in sorted(self.names.items()):
            path = target / name
            if not path.parent.is_dir() or inode.source is None or not inode.source.exists():
                continue
            if id(inode) in written:
                os.link(written[id(inode)], path)
                continue
            written[id(inode)] = path
            how = bytes_left if bytes_left != "chance" or chance is None else chance.choice(_HOW)
            _write(path, inode, how, chance)


_HOW = ("all", "sure", "zeros", "cut")


def _write(path: Path, inode: _Inode, how: str, chance: random.Random | None) -> None:
    if inode.source is None:
        return
    content, mode = inode.source.read_bytes(), inode.source.stat().st_mode
    rest = len(content) - inode.sure
    if rest > 0 and how != "all":
        left = chance.randint(0, rest) if how == "cut" and chance else 0
        zeros = bytes(rest) if how == "zeros" else b""
        content = content[: inode.sure + left] + zeros
    path.write_bytes(content)
    path.chmod(mode & 0o777)


def copy(folder: Path, target: Path) -> None:
    """The folder as it is, links between its files kept."""
    disk = Disk.of(folder)
    disk.replay([], folder)
    disk.write(target, None, "all")


KILL, LOST, NAMES, ZEROS = "kill", "everything unsure lost", "names lost", "bytes zeroed"
WORST = (KILL, LOST, NAMES, ZEROS)


def seeded(number: int) -> tuple[str, ...]:
    """So many power cuts by chance."""
    return tuple(f"seed {seed}" for seed in range(number))


def cuts(
    before: Disk, points: list[Point], folder: Path, target: Path, kinds: tuple[str, ...]
) -> Iterator[tuple[str, Path]]:
    """The folder as SIGKILL leaves it and as power cuts may leave it, each state once.

    Args:
        before: the disk before the run; it isn't changed.
        points: what the run did; the last one, at which it was killed, didn't happen.
        folder: as the kill left it.
        target: where the states are made; the caller may remove each.
        kinds: of `WORST` and `seeded`.
    """
    seen: set[str] = set()
    for number, kind in enumerate(kinds):
        disk = _again(before)
        disk.replay(happened(points, folder), folder)
        chance = random.Random(f"{points[-1].n} {kind}") if kind.startswith("seed") else None
        if kind in {LOST, NAMES} or chance is not None:
            disk.undo(chance)
        left = {LOST: "sure", ZEROS: "zeros"}.get(kind, "chance" if chance else "all")
        made = target / f"{points[-1].n}-{number}"
        disk.write(made, chance, left)
        print_ = fingerprint(made)
        if print_ in seen:
            shutil.rmtree(made)
        else:
            seen.add(print_)
            yield kind, made


def _again(disk: Disk) -> Disk:
    inodes = {id(inode): _Inode(inode.sure) for inode in disk.names.values()}
    return Disk({name: inodes[id(inode)] for name, inode in disk.names.items()}, set(disk.folders))


def fingerprint(folder: Path) -> str:
    """One hash over all names and contents."""
    found = hashlib.sha256()
    for base, inner, files in sorted(os.walk(folder)):
        found.update(f"{os.path.relpath(base, folder)} {sorted(inner)}\n".encode())
        for name in sorted(files):
            found.update(f"{name} ".encode() + hashlib.sha256(Path(base, name).read_bytes()).digest())
    return found.hexdigest()
