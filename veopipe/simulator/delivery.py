"""From a task to the bytes of its video. Made when asked for, off the event loop, and the same every time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from veopipe.simulator.album import Album
from veopipe.simulator.book import Task
from veopipe.simulator.faults import FaultOrder
from veopipe.simulator.footage import Cut, clip, prepare
from veopipe.simulator.orders import DIMENSIONS
from veopipe.simulator.slate import Slate

_KEPT_BYTES = 32 * 1024 * 1024
# What a gateway delivers instead: 4k comes as 1080p, the others one step lower or higher.
_INSTEAD = {"4k": "1080p", "1080p": "720p", "720p": "1080p", "360p": "720p"}


class Delivery:
    """The place where videos are made; keeps the last ones for those who come twice.

    Args:
        album: the pictures that videos begin with and end on.
    """

    def __init__(self, album: Album) -> None:
        self._album = album
        self._makers = ThreadPoolExecutor(2, thread_name_prefix="simulator-clip")
        self._kept: OrderedDict[tuple[str, Cut], bytes] = OrderedDict()

    def announce(self, task: Task) -> None:
        """Get ready for a task's size while the task is running."""
        self._makers.submit(prepare, cut_of(task, None))

    async def video(self, task: Task, fault: FaultOrder | None) -> bytes:
        """The task's MP4, changed as `fault` (stage `file`) says."""
        cut = cut_of(task, fault)
        key = (task.task_id, cut)
        if key not in self._kept:
            made = await asyncio.get_running_loop().run_in_executor(self._makers, self._made, task, cut)
            self._keep(key, made)
            return made
        self._kept.move_to_end(key)
        return self._kept[key]

    def close(self) -> None:
        """Stop making videos."""
        self._makers.shutdown(wait=False, cancel_futures=True)

    def _made(self, task: Task, cut: Cut) -> bytes:
        begins, ends = self._album.picture(task.begins), self._album.picture(task.ends)
        return clip(cut, _slate(task), begins, ends)

    def _keep(self, key: tuple[str, Cut], made: bytes) -> None:
        self._kept[key] = made
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _KEPT_BYTES:
            self._kept.popitem(last=False)


def cut_of(task: Task, fault: FaultOrder | None) -> Cut:
    """The measures of the delivered file."""
    name = fault.fault.name if fault else ""
    resolution, ratio, seconds = task.resolution, task.ratio, task.seconds
    if fault and name == "wrong_resolution":
        asked = str(fault.parameters["resolution"])
        resolution = asked if (asked, ratio) in DIMENSIONS else _INSTEAD[resolution]
    if fault and name == "wrong_duration":
        seconds = max(1, min(60, round(float(fault.parameters["seconds"]))))
        seconds = 6 if seconds == task.seconds else seconds
    width, height = DIMENSIONS[resolution, ratio]
    if name == "wrong_aspect":
        width, height = height, width
    return Cut(
        width,
        height,
        seconds,
        audio=name != "no_audio",
        has_begin=task.begins is not None,
        has_end=task.ends is not None,
    )


def _slate(task: Task) -> Slate:
    width, height = DIMENSIONS[task.resolution, task.ratio]
    facts = (
        task.model,
        task.mode,
        f"{task.seconds} s at 24 fps",
        f"{width}x{height} ({task.resolution}, {task.ratio})",
        task.seed or "none",
        task.task_id,
    )
    return Slate(task.prompt, facts, task.pictures)
