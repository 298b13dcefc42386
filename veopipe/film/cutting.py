"""A cut laid out: which frames of which video are shown, from which frame of the film on. Pure.

* Frames are counted from 0 in each video, and `out` is the first one that isn't shown. What stands between two frames
  goes to the nearest one, with a note.
* All clips have one rate and one shape, or the editor says which rate holds.
* A clip without a video is as long as what was ordered: a slate stands for it.

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from veopipe.documents.problems import Finding, Findings
from veopipe.film import cutfile
from veopipe.film.cutfile import Clip, Cut, Mark
from veopipe.film.footage import FILM, USUAL, Footage
from veopipe.takes.moment import FIRST, LAST, Moment
from veopipe.takes.order import BEGINS, ENDS, OrderedPicture
from veopipe.takes.take import Take
from veopipe.text import counted
from veopipe.values import dataclass

_TALL, _WIDE = "portrait", "landscape"


@dataclass(frozen=True, slots=True)
class Material:
    """What there is for a clip.

    Attributes:
        footage: what its video holds, or would hold.
        take: the take that is shown; None: it is a file, or there is none.
        path: of the video; None: there is none.
        sha256: of the whole file, hex, as recorded or hashed.
        missing: why there is no video, for people; None: it is there.
        is_picked: its shot has a pick in this output folder.
        is_stale: it was made from another take than its producer's chosen one.
        number: of its shot in the list, from 1; 0: it is no shot.
        takes: all of its shot, the one that is shown and the others.
    """

    footage: Footage
    take: Take | None = None
    path: Path | None = None
    sha256: str | None = None
    missing: str | None = None
    is_picked: bool = False
    is_stale: bool = False
    number: int = 0
    takes: tuple[Take, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A clip of the film.

    Attributes:
        clip: as it is written.
        material: what it is made of; None: a gap.
        footage: its video as the film takes it: one that isn't even, at the film's rate.
        begin: the first frame that is shown, in frames of the video; of a gap 0.
        end: the first one that isn't; of a gap its length.
        at: where it begins in the film, in frames of the film.
        frames: how long it is shown, in frames of the film.
        notes: what an editor should know.
    """

    clip: Clip
    material: Material | None
    footage: Footage
    begin: int
    end: int
    at: int
    frames: int
    notes: tuple[str, ...] = ()

    @property
    def is_whole_to_its_end(self) -> bool:
        """Whether its video is shown up to its last frame."""
        return self.end == self.footage.count

    @property
    def take(self) -> Take | None:
        """What it shows, where that is a take."""
        return self.material.take if self.material is not None else None

    @property
    def path(self) -> Path | None:
        """Its file, where there is one."""
        return self.material.path if self.material is not None else None

    @property
    def missing(self) -> str | None:
        """Why a slate stands for it; None: none does."""
        return self.material.missing if self.material is not None else None

    @property
    def name(self) -> str:
        """What it is called where people see it: with its take's number."""
        return f"{self.clip.name} take {self.take.number}" if self.take is not None else self.clip.name

    @property
    def kind(self) -> str:
        """What it is: `shot`, `file` or `gap`."""
        return "gap" if self.clip.gap is not None else "file" if self.clip.file is not None else "shot"


@dataclass(frozen=True, slots=True)
class Film:
    """A cut with its videos.

    Attributes:
        name: the cut's.
        fps: frames per second, exact.
        width: of the largest video of the shape that most have.
        height: likewise.
        clips: in the order in which they are shown.
    """

    name: str
    fps: Fraction
    width: int
    height: int
    clips: tuple[Shown, ...]

    @property
    def frames(self) -> int:
        """How long it is, in frames."""
        return sum(shown.frames for shown in self.clips)

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return self.frames / self.fps


def lay_out(cut: Cut, materials: Sequence[Material | None]) -> Film:
    """The film that a cut makes of its material.

    Args:
        cut: as it is written.
        materials: for each clip; None: a gap.

    Raises:
        InvalidInput: a clip shows what isn't there, or clips don't go together.
    """
    findings = Findings()
    pairs = list(zip(cut.clips, materials, strict=True))
    there = [(clip, made) for clip, made in pairs if made is not None]
    for clip, finding in (*_odd_rates(cut, there), *_odd_shapes(there)):
        findings.add(finding, clip.place)
    fps = cut.fps or _rate([made for _, made in there])
    clips: list[Shown] = []
    for clip, material in pairs:
        clips.append(_next(clip, material, fps, clips))
        for mark, finding in _wrong(clips[-1]):
            findings.add(finding, (mark or clip).place)
    cutfile.refuse(findings.problems(()))
    return Film(cut.name, fps, *_largest([made.footage for _, made in there]), tuple(clips))


def _rate(there: Sequence[Material]) -> Fraction:
    """Frames per second of the first video."""
    return next((made.footage.fps for made in there if made.missing is None), FILM)


def _next(clip: Clip, material: Material | None, fps: Fraction, before: Sequence[Shown]) -> Shown:
    """The next clip of a film."""
    at = before[-1].at + before[-1].frames if before else 0
    return _gap(clip, fps, at) if material is None else _shown(clip, material, fps, at, before)


def _largest(there: Sequence[Footage]) -> tuple[int, int]:
    """Width and height of the largest of the shape that most have; of a film of gaps those of its slates."""
    if not there:
        return USUAL
    shapes = Counter(Fraction(each.width, each.height) for each in there)
    shape = shapes.most_common(1)[0][0]
    return max((each.width, each.height) for each in there if Fraction(each.width, each.height) == shape)


# --- what doesn't go together ----------------------------------------------------------------------


def _odd_rates(cut: Cut, there: Sequence[tuple[Clip, Material]]) -> Iterator[tuple[Clip, Finding]]:
    """The first clip of another rate than the first one's, and each that has none."""
    if cut.fps is not None:
        return
    first: tuple[Clip, Fraction] | None = None
    advice = "say which counts with `fps:` in the cut"
    for clip, made in there:
        if made.missing is not None:
            continue
        if not made.footage.is_even:
            yield clip, cutfile.RATES.finding(f"{clip.name} doesn't show its frames evenly: {advice}", ())
            return
        first = first or (clip, made.footage.fps)
        if made.footage.fps != first[1]:
            rates = f"{first[0].name} has {rate_in_words(first[1])}, {clip.name} {rate_in_words(made.footage.fps)}"
            yield clip, cutfile.RATES.finding(f"{rates} frames per second: {advice}", ())
            return


def _odd_shapes(there: Sequence[tuple[Clip, Material]]) -> Iterator[tuple[Clip, Finding]]:
    """The first clip that is upright where the first one lies, or the other way round."""
    for clip, made in there:
        first, shape = there[0][0], there[0][1].footage.is_portrait
        if made.footage.is_portrait != shape:
            names = (_TALL, _WIDE) if shape else (_WIDE, _TALL)
            message = f"{first.name} is {names[0]}, {clip.name} {names[1]}: make two cuts, such as cuts/tall.yaml"
            yield clip, cutfile.SHAPES.finding(message, ())
            return


def rate_in_words(fps: Fraction) -> str:
    """Frames per second as people know them: 24, 23.976."""
    return f"{float(fps):.6g}" if fps.denominator == 1 else f"{float(fps):.3f}".rstrip("0")


# --- a clip ----------------------------------------------------------------------------------------


def _gap(clip: Clip, fps: Fraction, at: int) -> Shown:
    length, is_rounded = clip.gap.frames(fps) if clip.gap is not None else (0, False)
    notes = (f"{clip.gap.written} is {counted(length, 'frame')}",) if clip.gap is not None and is_rounded else ()
    return Shown(clip, None, Footage(length, fps, 0, 0, has_sound=False), 0, length, at, length, notes)


def _shown(clip: Clip, material: Material, fps: Fraction, at: int, before: Sequence[Shown]) -> Shown:
    footage, notes = at_rate(material.footage, fps), []
    if material.missing is not None:
        footage = replace(footage, count=round(footage.seconds * fps), fps=fps)
    shown = Shown(clip, material, footage, 0, footage.count, at, footage.count)
    begin, end = 0, footage.count
    if clip.begin is not None:
        begin, is_rounded = clip.begin.frames(footage.fps)
        notes += [f"in {clip.begin.written} is frame {begin}"] if is_rounded else []
    if clip.end is not None:
        end, is_rounded = clip.end.frames(footage.fps)
        notes += [f"out {clip.end.written} is frame {end}"] if is_rounded else []
    if before:
        begin, words = _after(shown, before[-1], begin)
        notes += words
    if material.missing is not None:
        notes.append(f"a slate stands for it: {material.missing}")
    frames = max(0, int((end - begin) / footage.fps * fps + Fraction(1, 2)))
    return replace(shown, begin=begin, end=end, frames=frames, notes=tuple(notes))


def _after(shown: Shown, before: Shown, begin: int) -> tuple[int, list[str]]:
    """Where a clip begins behind the one before it, and what an editor should know of their seam."""
    name = before.clip.name
    if not _was_made_from(shown, before):
        if (other := _other_producer(shown, before)) is not None:
            return begin, [f"continues from take {other} of {name}, which isn't shown: the picture jumps"]
        is_asked = shown.clip.begin is None and before.is_whole_to_its_end and _share_a_picture(shown, before)
        words = f"begins with the picture on which {name} ends: it is shown twice, `in: 1f` shows it once"
        return begin, [words] if is_asked else []
    if not before.is_whole_to_its_end:
        return begin, [f"continues from the last frame of {name}, which isn't shown: the picture jumps"]
    if shown.clip.begin is None:
        return 1, [f"starts at frame 1: frame 0 is the last one of {name} again"]
    return begin, []


def at_rate(footage: Footage, fps: Fraction) -> Footage:
    """A video as a film of that rate takes it: frames of one that isn't even are those of the film."""
    if footage.is_even:
        return footage
    return replace(footage, count=max(1, round(footage.seconds * fps)), fps=fps)


def _was_made_from(shown: Shown, before: Shown) -> bool:
    """Whether a clip's take begins with the last frame of the take that is shown before it."""
    taken, producer = shown.take, before.take
    if taken is None or producer is None:
        return False
    return _frame(producer, LAST) in _ordered(taken, BEGINS)


def _other_producer(shown: Shown, before: Shown) -> int | None:
    """The number of another take of the shot before, if a clip's take begins with the last frame of that one."""
    if shown.take is None or before.take is None or before.material is None:
        return None
    begins = _ordered(shown.take, BEGINS)
    others = (take.number for take in before.material.takes if take is not before.take and _frame(take, LAST) in begins)
    return next(others, None)


def _share_a_picture(shown: Shown, before: Shown) -> bool:
    """Whether a clip was ordered to begin with the picture that the one before it was ordered to end on.

    That is the first frame of the clip, or a third picture: a still, or a frame of another shot. The model decides
    how much the two look alike, so nothing is left out by itself.
    """
    taken, producer = shown.take, before.take
    if taken is None or producer is None:
        return False
    begins = [_frame(taken, FIRST), *_ordered(taken, BEGINS)]
    return any(picture in begins for picture in _ordered(producer, ENDS))


def _frame(take: Take, moment: Moment) -> OrderedPicture:
    """A frame of a take as an order names it, whatever it is for."""
    return OrderedPicture("", frame=moment.name, of=take.fingerprint)


def _ordered(take: Take, role: str) -> list[OrderedPicture]:
    """The pictures that a take was ordered with for something, without what they are for."""
    return [replace(picture, role="", unknown={}) for picture in take.order.pictures if picture.role == role]


def _wrong(shown: Shown) -> Iterator[tuple[Mark | None, Finding]]:
    """What is wrong with where a clip begins and ends."""
    clip, name = shown.clip, shown.clip.name
    has = f"{counted(shown.footage.count, 'frame')} ({float(shown.footage.seconds):g} s)"
    if shown.material is None:
        if shown.frames < 1:
            yield clip.gap, cutfile.RANGE.finding("a gap has at least one frame", ())
    elif shown.begin >= shown.end:
        behind = f"frame {shown.end - 1}" if clip.end is not None else f"the end: {name} has {has}"
        yield clip.begin or clip.end, cutfile.RANGE.finding(f"nothing is shown: `in` lies behind {behind}", ())
    elif shown.end > shown.footage.count and shown.material.missing is None:
        yield clip.end, cutfile.RANGE.finding(f"`out` lies behind the end: {name} has {has}", ())
    elif shown.frames < 1:
        yield clip.end or clip.begin, cutfile.RANGE.finding("nothing of it is left at the film's rate", ())


def timecode(frame: int, fps: Fraction) -> str:
    """Where a frame is in a film, as editors write it: `00:01:07:12`, frames counted without drops."""
    base = max(1, round(fps))
    seconds, left = divmod(frame, base)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{left:02}"
