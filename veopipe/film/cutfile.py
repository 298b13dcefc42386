"""Cut files: which clips a film shows, in which order, from where to where. `cuts/NAME.yaml`, written by an editor.

Here is what stands in the file; what it comes to with the takes that are there is said by `cutting`.

Source: docs/design.md, 12 (Cuts); `schemas/cut.schema.json`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

from veopipe.documents import neighbours, schema, yaml
from veopipe.documents.nodes import MappingNode, Node, ScalarNode, SequenceNode, plain
from veopipe.documents.problems import Findings, Place, Rule
from veopipe.errors import InvalidInput, Problem, UsageError
from veopipe.ledger.paths import Places
from veopipe.text import counted, printable
from veopipe.values import dataclass

MAIN = "main"
"""The cut that is meant where none is named."""

UNKNOWN_SHOT = Rule("cut-shot-unknown", "error", "`shot` names a shot of the list", "veopipe, Cuts")
RANGE = Rule("cut-range", "error", "`in` is before `out`, and both lie in the video", "veopipe, Cuts")
RATES = Rule(
    "cut-rates", "error", "all clips have the same frames per second, or `fps` says which count", "veopipe, Cuts"
)
SHAPES = Rule("cut-shapes", "error", "portrait and landscape aren't in one cut", "veopipe, Cuts")
NO_FILE = Rule("cut-file-missing", "error", "`file` is a video that can be read", "veopipe, Cuts")
NAMED = Rule("cut-name", "warning", "a cut is a file `cuts/NAME.yaml`: `main.yaml`", "veopipe, Cuts")
OUTSIDE = Rule("cut-outside", "error", "cuts lie in the list's folder or its git work tree", "veopipe, Cuts")
RULES = (UNKNOWN_SHOT, RANGE, RATES, SHAPES, NO_FILE, NAMED, OUTSIDE)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NTSC = {"23.976": 24, "23.98": 24, "29.97": 30, "59.94": 60, "119.88": 120}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a clip, or a length.

    Attributes:
        amount: frames, or seconds.
        in_frames: frames are meant.
        written: as it stands in the file.
        place: where.
    """

    amount: Fraction
    in_frames: bool
    written: str
    place: Place

    def frames(self, rate: Fraction) -> tuple[int, bool]:
        """The frame that is meant, and whether it had to be rounded to get there.

        Args:
            rate: frames per second of what is marked.
        """
        exact = self.amount if self.in_frames else self.amount * rate
        nearest = int(exact + Fraction(1, 2))
        return nearest, nearest != exact


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip as it is written: a shot, a file, or a gap.

    Attributes:
        place: where it stands; of a cut without a file, nowhere.
        shot: the id of a shot.
        take: the number of its take, instead of the chosen one.
        file: a video that isn't from the ledger, relative to the list's folder.
        gap: the length of a gap.
        begin: the first frame that is shown.
        end: the first frame that isn't shown any more.
    """

    place: Place
    shot: str | None = None
    take: int | None = None
    file: str | None = None
    gap: Mark | None = None
    begin: Mark | None = None
    end: Mark | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.shot or self.file or "gap"

    @property
    def is_trimmed(self) -> bool:
        """Whether it says where it begins or ends."""
        return self.begin is not None or self.end is not None


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut as it is written.

    Attributes:
        name: of its file, without the ending.
        clips: in the order in which they are shown.
        fps: frames per second of the film, exact; None: those of its clips.
    """

    name: str
    clips: tuple[Clip, ...]
    fps: Fraction | None = None


def read(places: Places, name: str | None, shots: Collection[str]) -> Cut:
    """A cut of a list; without a file it is every shot, whole, in the list's order.

    Args:
        places: the list's.
        name: the cut's; None: `main`, which needs no file.
        shots: the ids of the list, in its order.

    Raises:
        UsageError: there is no cut of that name.
        InvalidInput: its file has errors.
    """
    path = places.cut_of(MAIN if name is None else name)
    if name is not None and not can_be_named(name):
        raise UsageError(f"{printable(name, 80)} is no name of a cut", hint="-c main means cuts/main.yaml")
    if not os.path.lexists(path):
        if name in {None, MAIN}:
            return Cut(MAIN, tuple(Clip(Place(places.manifest.name, 1, 1), shot) for shot in shots))
        raise UsageError(f"there is no cuts/{path.name}", hint=_others(places))
    shown = os.path.relpath(path, places.manifest.parent)
    root, problems = checked(path, shown, shots)
    refuse(problems)
    return _made(path.stem, root, shown)


def checked(path: Path, shown: str, shots: Collection[str] | None) -> tuple[Node | None, tuple[Problem, ...]]:
    """What stands in a cut's file, and what is wrong with it, as far as that is known without its videos.

    Args:
        path: of the file.
        shown: its name in problems.
        shots: the ids of the list; None: they aren't known.
    """
    if (why := _leads_away(path)) is not None:
        # In its folder, so that no line of what it leads to is shown.
        return None, (Problem(os.path.dirname(shown), 1, 1, OUTSIDE.severity, OUTSIDE.id, why),)
    document, findings = yaml.load(path, shown_as=shown), Findings()
    if document.root is not None:
        for finding in schema.check("cut", plain(document.root)):
            findings.add(finding, finding.place(shown, document.root))
        for node in shots_in(document.root):
            if shots is not None and node.text not in shots:
                said = UNKNOWN_SHOT.finding(f"there is no shot {_guessed(node.text, shots)}", ())
                findings.add(said, Place(shown, node.line, node.column))
    return document.root, (*document.problems, *findings.problems(()))


def _leads_away(path: Path) -> str | None:
    try:
        neighbours.find(path.absolute().parent.parent, os.path.join(path.parent.name, path.name), "cut")
    except LookupError as error:
        return str(error.args[0])
    return None


def refuse(problems: Collection[Problem]) -> None:
    """Nothing is made of a cut with problems.

    Raises:
        InvalidInput: there are some.
    """
    if problems:
        raise InvalidInput(f"{counted(len(problems), 'error')} in the cut: nothing was made", tuple(problems))


def _others(places: Places) -> str | None:
    folder = places.cut_of(MAIN).parent
    names = sorted(path.stem for path in folder.glob("*.yaml")) if folder.is_dir() else []
    return f"cuts/ has {', '.join(map(printable, names))}" if names else None


def can_be_named(name: str) -> bool:
    """Whether a cut can be called that."""
    return _NAME.fullmatch(name) is not None


def shots_in(root: Node | None) -> Iterator[ScalarNode]:
    """Where the clips of a cut name their shots."""
    for clip in _items(root):
        shot = clip.items.get("shot")
        if isinstance(shot, ScalarNode) and isinstance(shot.value, str):
            yield shot


def _guessed(shot: str, shots: Collection[str]) -> str:
    close = difflib.get_close_matches(shot[:80], shots, 1)
    longer = [each for each in shots if shot and each.startswith(shot)]
    found = next(iter([*longer, *close]), None)
    return printable(shot, 80) + (f": did you mean {found}?" if found else "")


def _items(root: Node | None) -> Iterator[MappingNode]:
    clips = root.items.get("clips") if isinstance(root, MappingNode) else None
    for clip in clips.items if isinstance(clips, SequenceNode) else ():
        if isinstance(clip, MappingNode):
            yield clip


def _made(name: str, root: Node | None, file: str) -> Cut:
    fps = root.items.get("fps") if isinstance(root, MappingNode) else None
    clips = tuple(_clip(clip.items, Place(file, clip.line, clip.column), file) for clip in _items(root))
    return Cut(name, clips, rate(fps.text) if isinstance(fps, ScalarNode) and fps.value is not None else None)


def rate(written: str) -> Fraction:
    """Frames per second as people write them, exact: 23.976 is 24000/1001."""
    known = _NTSC.get(written)
    return Fraction(known * 1000, 1001) if known is not None else Fraction(written)


def _clip(said: Mapping[str, Node], place: Place, file: str) -> Clip:
    take = plain(said["take"]) if "take" in said else None
    return Clip(
        place,
        shot=_text(said.get("shot")),
        take=take if isinstance(take, int) else None,
        file=_text(said.get("file")),
        gap=_mark(said.get("gap"), file),
        begin=_mark(said.get("in"), file),
        end=_mark(said.get("out"), file),
    )


def _text(node: Node | None) -> str | None:
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


def _mark(node: Node | None, file: str) -> Mark | None:
    if not isinstance(node, ScalarNode) or node.value is None:
        return None
    amount, in_frames = node.text.rstrip("fs"), node.text.endswith("f")
    return Mark(Fraction(amount), in_frames, node.text, Place(file, node.line, node.column))
