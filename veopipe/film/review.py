"""Review files: what people said of takes, one small YAML file for each, named as the take's video is.

* A file for each take, so that two people who judge different takes never meet in a merge.
* What can't be read may be a pick: then nothing is decided, and nothing is bought.
* A file is replaced whole, and keys that this version doesn't know stay in it, as they are written.
* A list may come from a stranger's pull request: a review file lies in the list's git work tree, links followed.

Source: docs/design.md, 12 (Review); `schemas/review.schema.json`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.documents import schema, yaml
from veopipe.documents.nodes import MappingNode, plain
from veopipe.documents.problems import Findings, Place, Rule
from veopipe.errors import EnvironmentFault, InvalidInput, Problem, VeopipeError
from veopipe.film import shortform
from veopipe.ledger import leftovers, moves
from veopipe.ledger.paths import Places
from veopipe.takes.take import Take
from veopipe.takes.verdict import Review, Reviews, Verdict
from veopipe.text import counted, printable

HASH = "sha256:"
"""What stands in front of the digits of a file."""
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
    entries = [] if problems else _entries(folder)
    problems += _strange([each.name for each in entries if _leads_away(each, boundaries)], shown)
    problems += _twins([each.name for each in entries], shown)
    found: dict[str, Review] = {}
    for each in [] if problems else entries:
        review, wrong = _read(Path(each.path), os.path.join(shown, each.name))
        problems += wrong
        if review is not None:
            found[review.take] = review
    if problems:
        raise InvalidInput(f"{counted(len(problems), 'error')} in review files: nothing was sent", tuple(problems))
    return Reviews(found, places.output_base)


def left_behind(places: Places, reviews: Reviews, takes: Sequence[Take]) -> Iterator[str]:
    """For people: what was said of takes of this list under an earlier name of it, and counts for nothing.

    Args:
        places: of the list.
        reviews: what is said of its takes.
        takes: on record.
    """
    for name in leftovers.of_gone_lists(places, "review"):
        try:
            there = read(replace(places, manifest=places.manifest.with_name(f"{name}.yaml")))
        except VeopipeError:  # whose it is, nobody can say
            continue
        if count := sum(there.of(take) is not None and reviews.of(take) is None for take in takes):
            old, new = f"review/{name}", f"review/{places.name}"
            yield (
                f"what was said of {counted(count, 'take')} of this list lies in {printable(old)}, where it counts for "
                f"nothing: {moves.joins(places, old, new, '.yaml')}"
            )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The review files, and what was perhaps meant to be one."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvironmentFault(f"{folder} can't be read: {error.strerror}") from None
    # A dot: of an editor, or of a system that keeps its own notes beside each file.
    endings = (".yaml", ".yml")
    return [each for each in entries if not each.name.startswith(".") and each.name.casefold().endswith(endings)]


def _boundaries(places: Places) -> tuple[str, str]:
    """Where review files may lie: in the list's work tree, or, for a rehearsal's ledger elsewhere, in their folder."""
    home = os.path.realpath(places.manifest.parent)
    own = os.path.join(home, os.path.relpath(places.reviews, places.manifest.parent))
    return os.path.realpath(files.work_tree_of(places.manifest.parent)), os.path.normpath(own)


def _lies_within(path: Path, boundaries: Iterable[str]) -> bool:
    real = Path(os.path.realpath(path))  # links followed
    return any(real.is_relative_to(boundary) for boundary in boundaries)


def _leads_away(entry: os.DirEntry[str], boundaries: Iterable[str]) -> bool:
    return entry.is_symlink() and not _lies_within(Path(entry.path), boundaries)


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
    content = yaml.content_of(path, shown)
    if isinstance(content, Problem):
        return None, [content]
    is_named = path.suffix == ".yaml" and _NAME.fullmatch(path.stem) is not None
    short = shortform.read(path.stem, content) if is_named else None
    return (short, []) if short is not None else _read_all(path, shown, yaml.read(content, shown), is_named=is_named)


def _read_all(
    path: Path, shown: str, document: yaml.Document, *, is_named: bool
) -> tuple[Review | None, list[Problem]]:
    """A review file in whatever form people wrote it."""
    findings = Findings()
    if document.root is None:
        return None, list(document.problems)
    if not is_named:
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
        digits=said["file"].removeprefix(HASH),
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


# --- what is written ----------------------------------------------------------------------------------


def write(places: Places, reviews: Sequence[Review]) -> None:
    """Put reviews into their files; one that says nothing any more loses its file.

    Picks come first: a crash between them and the rest leaves two, which buy nothing, and never none.

    Raises:
        EnvironmentFault: one can't be written; those before it are.
    """
    for review in sorted(reviews, key=lambda review: review.verdict is not Verdict.PICK):
        path = places.reviews / f"{review.take}.yaml"
        with files.writing(path):
            if review.says_nothing:
                files.remove(path)
                continue
            files.make_folder(path.parent)
            files.replace(path, _text(review).encode())


def unreadable(review: Review) -> str | None:
    """Why a review couldn't be read back once it is written: it would stop every command from then on."""
    document = yaml.read(_text(review).encode(), review.take)
    if document.problems:
        return document.problems[0].message
    wrong = schema.check("review", plain(document.root)) if document.root is not None else ()
    return next((finding.message for finding in wrong), None)


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
    yield "file", f"{HASH}{review.digits}"
    told = {
        "verdict": review.verdict.value if review.verdict is not None else None,
        "again": review.again or None,
        "by": review.by,
        "at": review.at,
        "note": review.note,
    }
    yield from ((key, value) for key, value in told.items() if value is not None)
