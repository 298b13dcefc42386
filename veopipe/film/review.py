"""Review files: what people said of takes, one small YAML file for each, named as the take's video is.

* A file for each take, so that two people who judge different takes never meet in a merge.
* What can't be read may be a pick: then nothing is decided, and nothing is bought.
* A file is replaced whole, and keys that this version doesn't know stay in it.

Source: docs/design.md, 12 (Review); `schemas/review.schema.json`; `schemas/decisions.schema.json`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.clock import now
from veopipe.documents import schema, yaml
from veopipe.documents.nodes import MappingNode, plain
from veopipe.documents.problems import Findings, Place, Rule
from veopipe.errors import EnvironmentFault, InvalidInput, Problem, UsageError
from veopipe.ledger.paths import Places
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import DIGITS, Review, Reviews, Verdict, name_of
from veopipe.text import counted, printable

_HASH = "sha256:"
_KNOWN = ("file", "verdict", "again", "by", "at", "note")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.[0-9]{3,6}(-[0-9]{1,3})?")
_MISNAMED = Rule(
    "review-name", "error", "a review file is named as its take's video is: SC01.002.yaml", "veopipe, Review"
)


# --- what lies there ------------------------------------------------------------------------------------


def read(places: Places) -> Reviews:
    """All review files of a list.

    Raises:
        InvalidInput: one can't be read or has an error; it may be a pick.
        EnvironmentFault: their folder can't be read.
    """
    folder = places.reviews
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith((".yaml", ".yml")))
    except FileNotFoundError:
        return Reviews(output=places.output_base)
    except OSError as error:
        raise EnvironmentFault(f"{folder} can't be read: {error.strerror}") from None
    found: dict[str, Review] = {}
    problems: list[Problem] = []
    for name in names:
        if name.startswith("."):  # of an editor, or of a system that keeps its own notes beside each file
            continue
        review, wrong = _read(folder / name, os.path.relpath(folder / name, places.manifest.parent))
        problems += wrong
        if review is not None:
            found[review.take] = review
    if problems:
        raise InvalidInput(f"{counted(len(problems), 'error')} in review files: nothing was sent", tuple(problems))
    return Reviews(found, places.output_base)


def _read(path: Path, shown: str) -> tuple[Review | None, list[Problem]]:
    document, findings = yaml.load(path, shown_as=shown), Findings()
    if document.root is None:
        return None, list(document.problems)
    if _NAME.fullmatch(path.stem) is None:
        findings.add(_MISNAMED.finding(_MISNAMED.message, ()), Place(shown, 1, 1))
    for finding in schema.check("review", plain(document.root)):
        findings.add(finding, finding.place(shown, document.root))
    problems = [*document.problems, *findings.problems(())]
    if problems or not isinstance(document.root, MappingNode):
        return None, problems
    return _made(path.stem, {key: plain(node) for key, node in document.root.items.items()}), []


def _made(name: str, said: Mapping[str, Any]) -> Review:
    verdict = said.get("verdict")
    return Review(
        take=name,
        digits=said["file"].removeprefix(_HASH),
        verdict=Verdict(verdict) if verdict is not None else None,
        again=bool(said.get("again")),
        note=said.get("note"),
        by=said.get("by"),
        at=said.get("at"),
        unknown={key: value for key, value in said.items() if key not in _KNOWN},
    )


# --- what is said ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of one take. What is None stays as it was.

    Attributes:
        take: the name of its file, without the ending.
        digits: how the sha256 of the file begins that was looked at.
        verdict: a verdict.
        clears: verdict and wish are taken back.
        again: whether one more result is wished.
        note: for others; an empty text takes it away.
        by: who says it.
    """

    take: str
    digits: str
    verdict: Verdict | None = None
    clears: bool = False
    again: bool | None = None
    note: str | None = None
    by: str | None = None


def decision_of(take: Take, **said: Any) -> Decision:
    """A decision on a take, with what is said of it (fields of `Decision`).

    Raises:
        UsageError: nothing was delivered for it.
    """
    name = name_of(take)
    if take.file is None or name is None:
        raise UsageError(f"take {take.number} is {take.status}: it has no file to judge")
    return Decision(name, take.file.sha256[:DIGITS], **said)


def parse_decisions(path: Path, ledger: str) -> list[Decision]:
    """The decisions that a report's page saved.

    Args:
        path: its file.
        ledger: the id of this list's ledger.

    Raises:
        InvalidInput: it has errors.
        UsageError: it is about another ledger.
    """
    document, findings = yaml.load(path), Findings()  # JSON is YAML, and errors have their places
    said: Any = None
    if document.root is not None:
        said = plain(document.root)
        for finding in schema.check("decisions", said):
            findings.add(finding, finding.place(document.file, document.root))
    problems = (*document.problems, *findings.problems(()))
    if problems:
        raise InvalidInput(f"{counted(len(problems), 'error')}: nothing was taken in", problems)
    if said["ledger"] != ledger:
        raise UsageError(f"{path} is about the takes of another ledger ({printable(said['ledger'], 40)}): left alone")
    return [_decision(entry) for entry in said["decisions"]]


def _decision(entry: Mapping[str, Any]) -> Decision:
    verdict = entry.get("verdict")
    return Decision(
        take=entry["take"],
        digits=entry["file"].removeprefix(_HASH),
        verdict=Verdict(verdict) if verdict is not None else None,
        clears="verdict" in entry and verdict is None,
        again=entry.get("again"),
        note=entry.get("note"),
        by=entry.get("by"),
    )


def decide(reviews: Reviews, states: Mapping[str, ShotState], decisions: Sequence[Decision]) -> list[Review]:
    """The reviews that change by what is said, all of it or nothing.

    A pick takes the place of an earlier one of the same shot and output folder, which becomes `alt`.

    Raises:
        UsageError: a decision is about a file that no take of this ledger has.
    """
    known = {name_of(take): (state, take) for state in states.values() for take in state.takes}
    _refuse([said.take for said in decisions if not _is_about(said, known.get(said.take))])
    after = dict(reviews.by_take)
    for said in decisions:
        state, take = known[said.take]
        after[said.take] = _after(Reviews(after).of(take) or Review(said.take, said.digits), said)
        if said.verdict is Verdict.PICK:
            after |= _unpicked(after, state, take)
    return [review for name, review in after.items() if reviews.by_take.get(name) != review]


def _refuse(strange: Sequence[str]) -> None:
    if strange:
        names = ", ".join(printable(name, 60) for name in strange[:6]) + (", …" if len(strange) > 6 else "")
        raise UsageError(f"{names}: no take of this ledger has the file that was looked at; nothing was changed")


def _is_about(said: Decision, known: tuple[ShotState, Take] | None) -> bool:
    return known is not None and Review(said.take, said.digits).is_about(known[1])


def _after(before: Review, said: Decision) -> Review:
    """A review after a decision; as it was if nothing is new."""
    verdict = None if said.clears else said.verdict or before.verdict
    again = False if said.clears else before.again if said.again is None else said.again
    note = before.note if said.note is None else said.note.strip() or None
    after = replace(before, verdict=verdict, again=again, note=note)
    return replace(after, by=said.by or before.by, at=now()) if after != before else before


def _unpicked(said: Mapping[str, Review], state: ShotState, pick: Take) -> dict[str, Review]:
    """The earlier picks in the output folder of a pick, as `alt`."""
    reviews = Reviews(said, pick.file.output if pick.file is not None else "")
    earlier = (reviews.of(take) for take in reviews.picks(state.takes) if take.number != pick.number)
    return {review.take: replace(review, verdict=Verdict.ALT, at=now()) for review in earlier if review is not None}


def write(places: Places, reviews: Sequence[Review]) -> None:
    """Put reviews into their files; one that says nothing any more loses its file.

    Raises:
        EnvironmentFault: one can't be written; those before it are.
    """
    for review in reviews:
        path = places.reviews / f"{review.take}.yaml"
        try:
            if review.says_nothing:
                path.unlink(missing_ok=True)
                continue
            files.make_folder(path.parent)
            files.replace(path, yaml.dump(dict(_lines(review))).encode())
        except OSError as error:
            raise EnvironmentFault(f"{path} can't be written: {error.strerror}") from None


def _lines(review: Review) -> Iterator[tuple[str, Any]]:
    """Key and value of each line of a review file."""
    yield "file", f"{_HASH}{review.digits}"
    told = {
        "verdict": review.verdict.value if review.verdict is not None else None,
        "again": review.again or None,
        "by": review.by,
        "at": review.at,
        "note": review.note,
    }
    yield from ((key, value) for key, value in told.items() if value is not None)
    yield from review.unknown.items()
