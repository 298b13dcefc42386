"""An errand: bring one finished video. What is asked, and what comes back, as values and as JSON. Pure.

An errand can be run anywhere, again and again, and by several at once. It knows a task and where its video goes: no
order, no ledger, no price, and of the key its variable's name only. Both texts name the version of who wrote them; a
worker of another one runs nothing.

Source: docs/scale.md, c.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from veopipe import __version__
from veopipe.delivery.download import Fetched, Part
from veopipe.takes.take import Delivered
from veopipe.text import printable
from veopipe.values import dataclass

FORMAT = 1
SIGHT = ".engine"
"""What proves by its content that a worker sees the same place as the run."""


class Foreign(ValueError):
    """A text that another version of veopipe wrote, or that is none; the text says which."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a task is asked for, and how.

    Attributes:
        base_url: of the gateway.
        simulated: it is a rehearsal's.
        dialect: how it speaks now.
        status_endpoint: as a pipeline says.
        api_version: the same; None: the usual one.
        key_env: name of the variable with the key, in the worker's environment; empty: a rehearsal needs none.
    """

    base_url: str
    simulated: bool
    dialect: str
    status_endpoint: str
    api_version: str | None
    key_env: str


@dataclass(frozen=True, slots=True)
class Task:
    """A gateway's job that is done.

    Attributes:
        id: of the task.
        gateway: where it is, as attempts record it.
        dialect: in which it was bought.
        content_url: where the video is, where an answer said so.
        echo_bytes: how much answers about it may repeat.
    """

    id: str
    gateway: str
    dialect: str
    content_url: str | None = None
    echo_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video goes.

    Attributes:
        output: as records have it: of a folder, or a prefix of a bucket.
        name: of the list there.
        folder: of the takes, absolute, for all that run errands the same; empty: it is a bucket.
        owner: what marks say whose they are; a worker knows nothing else of it.
        nonce: what lies there, so that a worker proves that it sees this place and no other of its name.
        sight: where that lies, of a file or an object there.
    """

    output: str
    name: str
    folder: str
    owner: str
    nonce: str
    sight: str = SIGHT


@dataclass(frozen=True, slots=True)
class Errand:
    """Bring the video of a task.

    Attributes:
        name: the take's, without an ending: `SC01.001`.
        task: whose video; None: only prove that an errand could be run.
        desk: where it is.
        place: where it goes.
    """

    name: str
    task: Task | None
    desk: Desk
    place: Place

    def as_json(self) -> str:
        """As it travels."""
        return _written(asdict(self))


def read_errand(text: str) -> Errand:
    """An errand as it arrived; raises `Foreign`."""
    said = _read(text)
    try:
        task = Task(**said["task"]) if said["task"] is not None else None
        return Errand(said["name"], task, Desk(**said["desk"]), Place(**said["place"]))
    except (KeyError, TypeError):
        raise Foreign("the errand has other fields than this version knows") from None


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a worker can't run an errand, for people; another one may."""

    why: str

    def as_json(self) -> str:
        """As it travels."""
        return _written({"unfit": self.why})


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of an errand.

    Attributes:
        part: how the download ended.
        file: the record of the take in its place; None: there is none.
        host: who ran the errand.
        seconds: how long that took.
    """

    part: Part
    file: Delivered | None = None
    host: str = ""
    seconds: float = field(default=0.0, compare=False)

    def as_json(self) -> str:
        """As it travels."""
        return _written(asdict(self))


def read_answer(text: object) -> Brought | Unfit:
    """The answer to an errand; raises `Foreign`."""
    if (why := _unfit(text)) is not None:
        return Unfit(why)
    said = _read(text)
    try:
        part = Part(**{**said["part"], "fetched": Fetched(said["part"]["fetched"]), "video": None})
        file = _record(said["file"]) if said["file"] is not None else None
        return Brought(part, file, str(said["host"]), float(said["seconds"]))
    except (KeyError, TypeError, ValueError):
        raise Foreign("its answer has other fields than this version knows") from None


def _unfit(text: object) -> str | None:
    """Why a worker can't, in whatever version it says so; None: it doesn't."""
    why = (_loaded(text) or {}).get("unfit")
    return printable(why) if isinstance(why, str) else None


def _record(said: Mapping[str, Any]) -> Delivered:
    return Delivered(**{name: fact for name, fact in said.items() if name != "unknown"})


def _written(said: Mapping[str, Any]) -> str:
    return json.dumps({"v": FORMAT, "veopipe": __version__, **said})


def _loaded(text: object) -> dict[str, Any] | None:
    """What a text holds; None: it is none of ours."""
    try:
        said = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _read(text: object) -> dict[str, Any]:
    """The content of a text of this version."""
    said = _loaded(text)
    if said is None:
        raise Foreign("it answers with something else than a text of veopipe's")
    if (said.get("v"), said.get("veopipe")) != (FORMAT, __version__):
        raise Foreign(
            f"veopipe {__version__} runs here, and {printable(str(said.get('veopipe')), 40)} asked or answered"
        )
    return said
