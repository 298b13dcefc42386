"""The workers of an engine, looked over one by one: for people who want to know before a run does.

Each proves what it proves before an errand. Nothing is fetched, and nothing is bought.

Source: docs/scale.md, c and d.
"""

from __future__ import annotations

from concurrent.futures import TimeoutError as TooLate
from pathlib import Path

from veopipe import files
from veopipe.delivery.errand import Errand, Foreign, Place, Unfit, read_answer
from veopipe.delivery.landing import SIGHT, open_sight
from veopipe.errors import EnvironmentFault
from veopipe.gateway.address import Address
from veopipe.ledger.prefixes import is_prefix
from veopipe.pipeline.pipeline import Pipeline
from veopipe.run import engine
from veopipe.run.carrying import desk_of
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
    is_stored = is_prefix(pipeline.output)
    output = folder / pipeline.output
    folder = output if output.is_dir() else folder
    place = Place(pipeline.output, "doctor", "" if is_stored else str(folder.absolute()), "doctor", "")
    opened.open()
    try:
        seen = open_sight(place)
        errand = Errand("proof", None, desk_of(pipeline.provider, address), seen).as_json()
        answers = opened.everywhere(errand)
        if answers is None:
            answers = {pipeline.executor: opened.give(errand, "proof").result(ANSWER_WAIT)}
    except TooLate:
        raise EnvironmentFault(f"no worker answers in {ANSWER_WAIT:.0f} s") from None
    except OSError as error:
        raise EnvironmentFault(f"{error.filename} can't be written: {error.strerror}") from None
    finally:
        opened.close()
        if not is_stored:
            files.remove_quietly(folder / SIGHT)
    return [Mustered(printable(name), _lacks(answer)) for name, answer in answers.items()]


def _lacks(answer: object) -> str | None:
    try:
        found = read_answer(answer)
    except Foreign as why:
        return f"it isn't the same as here: {why}"
    return found.why if isinstance(found, Unfit) else None
