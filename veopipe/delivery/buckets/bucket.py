"""The takes of one list in a bucket, told apart by what their metadata says: whose task each of them is.

* A name never stands for two contents. What has a take's name already is looked at before anything is sent: if it is of
  the same task, it is the take, whoever put it there. That is right on stores, too, that don't keep conditions.
* Nothing here knows a ledger's records, an order or a price: with a task's id and a measured part, anybody may do it.

Source: docs/scale.md, a.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from veopipe import crashpoints
from veopipe.delivery.buckets.objects import NEW, Missing, Objects, Refused, Seen, Taken
from veopipe.delivery.marks import Mark
from veopipe.takes.take import Delivered
from veopipe.values import dataclass

_MOST_NAMES = 999
_RACES = 5  # for one name; each lost one is another's win


@dataclass(frozen=True, slots=True)
class Thing:
    """What lies under a name: an object, and its mark if it is a take."""

    seen: Seen
    mark: Mark | None


@dataclass(slots=True)
class Bucket:
    """What lies below `<output>/<list>/`.

    Attributes:
        output: the prefix as the pipeline has it.
        name: the list's.
        ledger: the id of the list's ledger.
        seen: what the list of it said, with what was put there since; None: it wasn't listed.
    """

    output: str
    name: str
    ledger: str = ""
    seen: dict[str, Seen] | None = None
    _objects: Objects | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.output}/{self.name}"

    @property
    def objects(self) -> Objects:
        """What it is spoken to with; raises `EnvironmentFault` where that can't be had."""
        found = self._objects
        if found is None:
            found = self._objects = Objects(self.url)
        return found

    def close(self) -> None:
        """Nobody waits for what is asked by now; as `Objects` says. What is asked later begins anew."""
        found, self._objects = self._objects, None
        if found is not None:
            found.close()

    def list(self) -> None:
        """See what lies there; raises `StoreFault`."""
        self.seen = self.objects.list()

    def owner(self) -> str | None:
        """What `.ledger` says: whose it is; None: nobody said. Raises `StoreFault`."""
        try:
            return self.objects.read(".ledger", 256)[0].decode("ascii", "replace").strip()
        except Missing:
            return None

    def claim(self) -> str | None:
        """Write whose it is, unless somebody did; whose it is now. Raises `StoreFault`."""
        if (found := self.owner()) is not None:
            return found
        with contextlib.suppress(Taken):  # another list was quicker, or the answer to this very call was lost
            self.objects.put(".ledger", f"{self.ledger}\n".encode(), NEW)
        return self.owner()

    def look(self, name: str) -> Thing | None:
        """What lies under a name now; None: nothing. Raises `StoreFault`."""
        found = self.objects.look(name)
        if found is None:
            if self.seen is not None:
                self.seen.pop(name, None)
            return None
        self._note(name, found[0])
        return Thing(found[0], Mark.read(found[1]))

    def is_ours(self, thing: Thing) -> bool:
        """Whether it is a take of this ledger, with the size that its mark says: metadata stay when content is cut."""
        mark = thing.mark
        return mark is not None and mark.ledger == self.ledger and mark.bytes == thing.seen.size

    def find(self, name: str, task_id: str) -> Delivered | None:
        """The record of the take of a task, under its name or one behind that (`-2`); None: it isn't there.

        Raises:
            StoreFault: nobody can say.
        """
        found = self._walk(name, task_id)
        return found if isinstance(found, Delivered) else None

    def put(self, source: Path, name: str, mark: Mark) -> Delivered:
        """Put a whole, measured file there, unless the take of its task is there already.

        Args:
            source: the file, on this disk.
            name: that it gets; `-2` and so on behind it where something else has that.
            mark: says what it is.

        Returns:
            The record of what lies there: of this file, or of what was put there before.

        Raises:
            StoreFault: it isn't there, or nobody can say.
        """
        for _ in range(_RACES):
            found = self._walk(name, mark.task_id)
            if isinstance(found, Delivered):
                return found
            crashpoints.reach("put", source)
            try:
                etag = self.objects.put(f"takes/{found}", source, NEW, mark.dump())
            except Taken:  # by whom, the next look says: perhaps by us, where the answer was lost
                continue
            crashpoints.reach("stored", source)
            self._note(f"takes/{found}", Seen(mark.bytes, etag, time.time()))
            return mark.record(self.output, found, etag)
        raise Refused("says that the name is taken, and that there is nothing", f"{self.url}/takes/{name}")

    def copy(self, name: str, to: str) -> Thing:
        """Let another name have what lies under a name, with its mark; what lies there now.

        Raises:
            StoreFault: it isn't there, or nobody can say.
        """
        crashpoints.reach("copy", to)
        self.objects.copy(name, to)
        thing = self.look(to)
        if thing is None:
            raise Missing("isn't there, although it was copied there", f"{self.url}/{to}")
        return thing

    def _walk(self, name: str, task_id: str) -> Delivered | str:
        """The record of the take of a task, or the first free name for it."""
        stem, ending = name.removesuffix(".mp4"), ".mp4"
        for copy in range(1, _MOST_NAMES + 1):
            free = f"{stem}-{copy}{ending}" if copy > 1 else name
            thing = self.look(f"takes/{free}")
            if thing is None:
                return free
            if thing.mark is not None and self.is_ours(thing) and thing.mark.task_id == task_id:
                return thing.mark.record(self.output, free, thing.seen.etag)
        raise Refused("a thousand other files have its name", f"{self.url}/takes/{name}")

    def _note(self, name: str, seen: Seen) -> None:
        if self.seen is not None:
            self.seen[name] = seen
