"""The workers of an engine, looked over one by one: for people who want to know before a run does.

Each proves what it proves before an errand. Nothing is fetched, and nothing is bought.

Source: docs/scale.md, c and d.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as TooLate
from contextlib import contextmanager
from pathlib import Path

from veopipe import files
from veopipe.delivery.errand import SIGHT, Errand, Foreign, Place, Unfit, read_answer
from veopipe.delivery.landing import open_sight
from veopipe.errors import EnvironmentFault
from veopipe.gateway.address import Address
from veopipe.ledger.prefixes import is_prefix
from veopipe.pipeline.pipeline import Pipeline
from veopipe.run.carrying import engine
from veopipe.run.carrying.carrying import desk_of
from veopipe.text import printable
from veopipe.values import dataclass

ANSWER_WAIT = 60.0
"""Seconds for one answer where an engine can't say which workers it has."""


@dataclass(frozen=True, slots=True)
class Mustered:
    """A worker that was looked over.

    Attributes:
        name: how its engine calls it.
        lacks: what it can't run errands for, for people; None: it can.
    """

    name: str
    lacks: str | None


def muster(pipeline: Pipeline, folder: Path) -> list[Mustered]:
    """Look over the workers of a pipeline's executor; of engines that don't know theirs, one that answers.

    Args:
        pipeline: whose executor, gateway and output are meant.
        folder: where a list with this output would lie. Workers are to see the output, or where it would be made.

    Raises:
        UsageError: there can be no such executor.
        EnvironmentFault: it isn't to be had, or the output can't be written.
    """
    address = Address(pipeline.provider.base_url)
    opened = engine.Engine(engine.check(pipeline.executor, address))
    opened.open()
    try:
        with _sight(_place(pipeline, folder)) as seen:
            errand = Errand("proof", None, desk_of(pipeline.provider, address), seen).as_json()
            answers = _answers(opened, errand)
    except TooLate:
        raise EnvironmentFault(f"no worker answers in {ANSWER_WAIT:.0f} s") from None
    except OSError as error:
        raise EnvironmentFault(f"{error.filename} can't be written: {error.strerror}") from None
    finally:
        opened.close()
    return [Mustered(printable(name), _lacks(answer)) for name, answer in answers.items()]


def _place(pipeline: Pipeline, folder: Path) -> Place:
    """What workers are to see, with a name for their proof that nothing of a user's or of a list's has."""
    if is_prefix(pipeline.output):  # below what may be a list's folder, but no list has anything there
        return Place(pipeline.output, f"{SIGHT}/doctor", "", "doctor", "")
    output = folder / pipeline.output
    seen = (output if output.is_dir() else folder).absolute()
    return Place(pipeline.output, "doctor", str(seen), "doctor", "", f"{SIGHT}-{secrets.token_hex(8)}")


@contextmanager
def _sight(place: Place) -> Iterator[Place]:
    """The place with its proof, which goes again from a folder; from a bucket nothing is ever deleted."""
    seen = open_sight(place, anew=True)
    try:
        yield seen
    finally:
        if place.folder:
            files.remove_quietly(Path(place.folder, place.sight))


def _answers(opened: engine.Engine, errand: str) -> Mapping[str, object]:
    """What workers answer, by their names; raises `TooLate` and `EnvironmentFault`."""
    try:
        answers = opened.everywhere(errand)
        return answers if answers is not None else {opened.named.name: opened.give(errand, "proof").result(ANSWER_WAIT)}
    except (EnvironmentFault, TooLate):
        raise
    except Exception as error:  # noqa: BLE001  an engine's own, or a worker's
        said = printable(f"{type(error).__name__}: {error}")
        raise EnvironmentFault(f"no errand comes back from the executor {opened.named.name}: {said}") from None


def _lacks(answer: object) -> str | None:
    try:
        found = read_answer(answer)
    except Foreign as why:
        return f"it isn't the same as here: {why}"
    return found.why if isinstance(found, Unfit) else None
