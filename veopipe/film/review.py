"""Review files: what people said of takes, one small YAML file for each, named as the take's video is.

* A file for each take, so that two people who judge different takes never meet in a merge.
* What can't be read may be a pick: then nothing is decided, and nothing is bought.
* A file is replaced whole, and keys that this version doesn't know stay in it, as they are written.
* A list may come from a stranger's pull request: a review file lies in the list's git work tree, links followed.

Source: docs/design.md, 12 (Review); `schemas/review.schema.json`; `schemas/decisions.schema.json`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.clock import now
from veopipe.documents import checked, schema, yaml
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
_TWICE = Rule("review-twice", "error", "a take has one review file", "veopipe, Review")
_OUTSIDE = Rule(
    "review-outside", "error", "review files lie in the list's folder or its git work tree", "veopipe, Review"
)


# --- what lies there ------------------------------------------------------------------------------------


def read(places: Places) -> Reviews:
    """All review files of a list.

    Raises:
        InvalidInput: one can't be read or has an error; it may be a pick.
        EnvironmentFault: their folder can't be read.
    """
    folder, shown = places.reviews, os.path.relpath(places.reviews, places.manifest.parent)
    boundaries = _boundaries(places)
    problems: list[Problem] = _strange([] if _lies_within(folder, boundaries) else [""], shown)
    names = [] if problems else _names(folder)
    problems += _strange([name for name in names if _leads_away(folder / name, boundaries)], shown)
    problems += _twins(names, shown)
    found: dict[str, Review] = {}
    for name in [] if problems else names:
        review, wrong = _read(folder / name, os.path.join(shown, name))
        problems += wrong
        if review is not None:
            found[review.take] = review
    if problems:
        raise InvalidInput(f"{counted(len(problems), 'error')} in review files: nothing was sent", tuple(problems))
    return Reviews(found, places.output_base)


def _names(folder: Path) -> list[str]:
    """The names of review files, and of what was perhaps meant to be one."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvironmentFault(f"{folder} can't be read: {error.strerror}") from None
    # A dot: of an editor, or of a system that keeps its own notes beside each file.
    return [name for name in names if not name.startswith(".") and name.casefold().endswith((".yaml", ".yml"))]


def _boundaries(places: Places) -> tuple[str, str]:
    """Where review files may lie: in the list's work tree, or, for a rehearsal's ledger elsewhere, in their folder."""
    home = os.path.realpath(places.manifest.parent)
    own = os.path.join(home, os.path.relpath(places.reviews, places.manifest.parent))
    return os.path.realpath(files.work_tree_of(places.manifest.parent)), os.path.normpath(own)


def _lies_within(path: Path, boundaries: Iterable[str]) -> bool:
    real = Path(os.path.realpath(path))  # links followed
    return any(real.is_relative_to(boundary) for boundary in boundaries)


def _leads_away(path: Path, boundaries: Iterable[str]) -> bool:
    return path.is_symlink() and not _lies_within(path, boundaries)


def _strange(names: Sequence[str], shown: str) -> list[Problem]:
    """Links that lead away. Their place is their folder, so that no line of what they lead to is shown."""
    return [
        _of_folder(
            _OUTSIDE,
            f"{printable(os.path.join(shown, name), 120)} leads out of the list's folder and its git "
            "work tree: copy the file there",
            shown,
        )
        for name in names
    ]


def _twins(names: Sequence[str], shown: str) -> list[Problem]:
    """Files for one take: names and endings are one where only the case differs, as some disks see them."""
    by_take: dict[str, list[str]] = {}
    for name in names:
        by_take.setdefault(os.path.splitext(name)[0].casefold(), []).append(printable(name, 80))
    return [
        _of_folder(_TWICE, f"{' and '.join(same)} are about one take: leave one, called .yaml", shown)
        for same in by_take.values()
        if len(same) > 1
    ]


def _of_folder(rule: Rule, message: str, shown: str) -> Problem:
    return Problem(shown, 1, 1, rule.severity, rule.id, message)


def _read(path: Path, shown: str) -> tuple[Review | None, list[Problem]]:
    document, findings = yaml.load(path, shown_as=shown), Findings()
    if document.root is None:
        return None, list(document.problems)
    if _NAME.fullmatch(path.stem) is None or path.suffix != ".yaml":
        ending = "" if path.suffix == ".yaml" else f"; this one ends in {path.suffix}"
        findings.add(_MISNAMED.finding(_MISNAMED.message + ending, ()), Place(shown, 1, 1))
    for finding in schema.check("review", plain(document.root)):
        findings.add(finding, finding.place(shown, document.root))
    problems = [*document.problems, *findings.problems(())]
    if problems or not isinstance(document.root, MappingNode):
        return None, problems
    review = _made(path.stem, {key: plain(node) for key, node in document.root.items.items()})
    return replace(review, kept=_kept(path, document.root)) if review.unknown else review, []


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


def _kept(path: Path, root: MappingNode) -> str:
    """The lines of the keys that aren't known, as they are written; they may be wrong if the file is no plain mapping.

    Other programs read `1.50`, `0x1F` or a date there otherwise than we do.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError):  # gone since; their values are kept all the same
        return ""
    starts = sorted((line, key) for key, (line, _) in root.keys.items())
    ends = [line for line, _ in starts[1:]] + [len(lines) + 1]
    return "".join(
        f"{line}\n"
        for (start, key), end in zip(starts, ends, strict=True)
        if key not in _KNOWN
        for line in lines[start - 1 : end - 1]
    )


# --- what is said ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of one take. What is None stays as it was.

    Attributes:
        take: the name of its file, without the ending.
        digits: how the sha256 of the file begins that was looked at.
        verdict: a verdict.
        clears: the verdict is taken back, and the wish, too, if `again` is None.
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
    said = checked.load("decisions", path, "in it: nothing was taken in")
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
        UsageError: a decision is about a file that no take of this ledger has, two are about one take or pick for one
            shot, or what is said couldn't be read back.
    """
    known = {name_of(take): (state, take) for state in states.values() for take in state.takes}
    _refuse([said.take for said in decisions if not _is_about(said, known.get(said.take))])
    _refuse_twice(decisions, known)
    after = dict(reviews.by_take)
    for said in decisions:
        state, take = known[said.take]
        after[said.take] = _after(Reviews(after).of(take) or Review(said.take, said.digits), said)
        if said.verdict is Verdict.PICK:
            after |= _unpicked(after, state, take)
    changed = [review for name, review in after.items() if reviews.by_take.get(name) != review]
    _refuse_unreadable(changed, reviews)
    return changed


def _refuse_twice(decisions: Sequence[Decision], known: Mapping[str | None, tuple[ShotState, Take]]) -> None:
    """Of two words about one take, and of two picks that choose for one shot, nobody knows which one is meant."""
    takes: set[str] = set()
    picks: dict[tuple[str, str], str] = {}
    for said in decisions:
        name = printable(said.take, 60)
        if said.take in takes:
            raise UsageError(f"{name} is decided twice: say one thing of each take; nothing was changed")
        takes.add(said.take)
        state, take = known[said.take]
        if said.verdict is Verdict.PICK and take.file is not None:
            other = picks.setdefault((state.shot, take.file.output), name)
            if other != name:
                raise UsageError(f"{other} and {name} are both picked for {state.shot}: leave one; nothing was changed")


def _refuse_unreadable(changed: Iterable[Review], before: Reviews) -> None:
    """Refuse what couldn't be read back once it is written: it would stop every command from then on."""
    for review in changed:
        _check(review, before)


def _check(review: Review, before: Reviews) -> None:
    document, same = yaml.read(_text(review).encode(), review.take), review.take.casefold()
    found = [problem.message for problem in document.problems]
    if document.root is not None:
        found += [finding.message for finding in schema.check("review", plain(document.root))]
    if found:
        raise UsageError(f"{review.take}: {found[0]}; nothing was changed")
    if other := next((name for name in before.by_take if name != review.take and name.casefold() == same), None):
        raise UsageError(f"{other}.yaml isn't called as its take is: rename it {review.take}.yaml, or remove it")


def _refuse(strange: Sequence[str]) -> None:
    if strange:
        names = ", ".join(printable(name, 60) for name in strange[:6]) + (", …" if len(strange) > 6 else "")
        raise UsageError(f"{names}: no take of this ledger has the file that was looked at; nothing was changed")


def _is_about(said: Decision, known: tuple[ShotState, Take] | None) -> bool:
    return known is not None and Review(said.take, said.digits).is_about(known[1])


def _after(before: Review, said: Decision) -> Review:
    """A review after a decision; as it was if nothing is new."""
    verdict = None if said.clears else said.verdict or before.verdict
    again = said.again if said.again is not None else before.again and not said.clears
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

    Picks come first: a crash between them and the rest leaves two, which buy nothing, and never none.

    Raises:
        EnvironmentFault: one can't be written; those before it are.
    """
    for review in sorted(reviews, key=lambda review: review.verdict is not Verdict.PICK):
        path = places.reviews / f"{review.take}.yaml"
        try:
            if review.says_nothing:
                path.unlink(missing_ok=True)
                continue
            files.make_folder(path.parent)
            files.replace(path, _text(review).encode())
        except OSError as error:
            raise EnvironmentFault(f"{path} can't be written: {error.strerror}") from None


def _text(review: Review) -> str:
    """A review file: what else stood in it stays as it was written, or as its values where that can't be had."""
    lines = dict(_lines(review))
    whole = {**lines, **review.unknown}
    if review.kept:
        text = yaml.dump(lines) + review.kept
        document = yaml.read(text.encode(), review.take)
        if document.root is not None and not document.problems and plain(document.root) == whole:
            return text
    return yaml.dump(whole)


def _lines(review: Review) -> Iterator[tuple[str, Any]]:
    """Key and value of each line that we know of a review file."""
    yield "file", f"{_HASH}{review.digits}"
    told = {
        "verdict": review.verdict.value if review.verdict is not None else None,
        "again": review.again or None,
        "by": review.by,
        "at": review.at,
        "note": review.note,
    }
    yield from ((key, value) for key, value in told.items() if value is not None)
