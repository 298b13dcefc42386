"""Seams of chained takes: one picture isn't shown twice, in the film and in everything else that is made of a cut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from tests.film.test_films import clip as numbers_of
from tests.film.test_films import seen
from tests.harness.builders import FILE, ORDER, attempt
from veopipe.documents.problems import Place
from veopipe.film import assembly, cutting, lock, screening, timeline
from veopipe.film.cutfile import Clip, Cut, Mark
from veopipe.film.cutting import Film, Material
from veopipe.ledger.paths import Places
from veopipe.takes.order import OrderedPicture
from veopipe.takes.status import Status
from veopipe.takes.take import Take

FPS = Fraction(24)
NOWHERE = Place("", 1, 1)
STILL = "f" * 64


def take(number: int, *pictures: OrderedPicture) -> Take:
    """A verified one, ordered with these pictures."""
    order = replace(ORDER, prompt=f"text {number}", pictures=pictures)
    return Take(1, order.fingerprint(), order, (attempt(Status.VERIFIED),), replace(FILE, name=f"SC{number}.001.mp4"))


def begins(*, frame: str | None = None, of: Take | None = None, sha256: str | None = None) -> OrderedPicture:
    return picture("input_reference", frame, of, sha256)


def ends(*, frame: str | None = None, of: Take | None = None, sha256: str | None = None) -> OrderedPicture:
    return picture("last_frame", frame, of, sha256)


def picture(role: str, frame: str | None, of: Take | None, sha256: str | None) -> OrderedPicture:
    return OrderedPicture(role, sha256, frame, of.fingerprint if of is not None else None)


def mark(written: str) -> Mark:
    return Mark(Fraction(written.rstrip("f")), written.endswith("f"), written, NOWHERE)


def laid_out(folder: Path, *shown: tuple[Take, bytes], fps: Fraction | None = None, **marks: dict[str, Mark]) -> Film:
    """A film of these takes, with these videos, by what the decoder counts."""
    paths = []
    for number, (_, content) in enumerate(shown, 1):
        paths.append(folder / f"SC{number}.001.mp4")
        paths[-1].write_bytes(content)
    held = screening.counted(paths)
    clips, materials = [], []
    for number, ((made, _), path, footage) in enumerate(zip(shown, paths, held, strict=True), 1):
        assert not isinstance(footage, str), footage
        clips.append(Clip(NOWHERE, shot=f"SC{number}", **marks.get(f"SC{number}", {})))
        materials.append(Material(footage, made, path, f"{number}" * 64, is_picked=True, number=number))
    return cutting.lay_out(Cut("main", tuple(clips), fps), materials)


@pytest.fixture
def chained(tmp_path: Path) -> Film:
    """Three takes, each from the last frame of the one before: their pictures overlap by one at each seam."""
    pier = take(1)
    boat = take(2, begins(frame="last", of=pier))
    sea = take(3, begins(frame="last", of=boat))
    videos = [numbers_of(first, count, sound_s=count / 24) for first, count in ((0, 24), (23, 12), (34, 18))]
    return laid_out(tmp_path, *zip((pier, boat, sea), videos, strict=True))


def test_a_film_of_chained_takes_shows_no_picture_twice(chained: Film, tmp_path: Path) -> None:
    assembly.write(chained, tmp_path / "film.mp4", assembly.Look(), "veopipe cut")
    film = seen(tmp_path / "film.mp4")

    assert film.numbers == list(range(52))
    assert film.pictures_s == film.sound_s == Fraction(52, 24)


def pictures_of(path: Path, begin: float, frames: float) -> list[int]:
    """The numbers of some frames of a clip, as another program decodes them."""
    return seen(path).numbers[round(begin) : round(begin + frames)]


def of_otio(film: Film, folder: Path) -> Iterator[int]:
    timeline.write_otio(film, folder / "film.otio", "ledger")
    (pictures,) = otio.adapters.read_from_file(str(folder / "film.otio")).video_tracks()
    for shown in pictures:
        path = folder / shown.media_reference.target_url
        yield from pictures_of(path, shown.source_range.start_time.value, shown.source_range.duration.value)


def of_edl(film: Film, folder: Path) -> Iterator[int]:
    timeline.write_edl(film, folder / "film.edl", "ledger")
    code, end_of_the_last = r"(\d\d):(\d\d):(\d\d):(\d\d)", 0
    for line in (folder / "film.edl").read_text("utf-8").splitlines():
        if found := re.match(rf"\d+ +S(\d+)T001 .* {code} {code} {code} {code}", line):
            number, *parts = map(int, found.groups())
            begin, end, at, until = (
                ((parts[i] * 60 + parts[i + 1]) * 60 + parts[i + 2]) * 24 + parts[i + 3] for i in (0, 4, 8, 12)
            )
            assert (at, until - at) == (end_of_the_last, end - begin)
            end_of_the_last = until
            yield from pictures_of(folder / f"SC{number}.001.mp4", begin, end - begin)


def of_lock(film: Film, folder: Path) -> Iterator[int]:
    places = Places(folder / "shots.yaml", ".veopipe", "renders")
    lock.write(places, "main", lock.of(film, "ledger"))
    for shown in json.loads((folder / "cuts/main.lock.json").read_text("utf-8"))["clips"]:
        yield from pictures_of(folder / f"{shown['file']}.mp4", shown["in"], shown["out"] - shown["in"])


@pytest.mark.parametrize("made", [of_otio, of_edl, of_lock], ids=lambda made: made.__name__)
def test_what_is_handed_over_shows_the_pictures_of_the_film(
    made: Callable[[Film, Path], Iterator[int]], chained: Film, tmp_path: Path
) -> None:
    assert list(made(chained, tmp_path)) == list(range(52))


def test_at_another_rate_the_seam_is_still_one_picture(tmp_path: Path) -> None:
    """30 frames per second in a film of 24: no picture comes back behind the seam."""
    pier = take(1)
    boat = take(2, begins(frame="last", of=pier))
    fast = [numbers_of(first, 30, rate=Fraction(30), sound_s=1.0) for first in (0, 29)]
    film = laid_out(tmp_path, (pier, fast[0]), (boat, fast[1]), fps=FPS)
    assembly.write(film, tmp_path / "film.mp4", assembly.Look(), "veopipe cut")
    shown = seen(tmp_path / "film.mp4").numbers

    assert shown == sorted(set(shown))
    assert (film.clips[1].begin, shown[0]) == (1, 0)


def note(folder: Path, before: Take, after: Take, **marks: dict[str, Mark]) -> tuple[int, str]:
    """Where the second of two takes begins, and what is said of their seam."""
    film = laid_out(folder, (before, numbers_of(0, 12)), (after, numbers_of(11, 12)), **marks)
    return film.clips[1].begin, " ".join(film.clips[1].notes)


def test_a_picture_that_both_were_ordered_with_is_named_and_not_left_out_by_itself(tmp_path: Path) -> None:
    """Only what was made from the very take before it is known to begin with its last picture."""
    twice = "begins with the picture on which SC1 ends: it is shown twice, `in: 1f` shows it once"
    plain, third = take(2), take(3)

    assert note(tmp_path, take(1, ends(frame="first", of=plain)), plain) == (0, twice)
    still = take(1, ends(sha256=STILL)), take(2, begins(sha256=STILL))
    assert note(tmp_path, *still) == (0, twice)
    frame = take(1, ends(frame="7.25", of=third)), take(2, begins(frame="7.25", of=third))
    assert note(tmp_path, *frame) == (0, twice)

    assert note(tmp_path, *still, SC2={"begin": mark("1f")}) == (1, "")
    assert note(tmp_path, *still, SC2={"begin": mark("0f")}) == (0, "")
    assert note(tmp_path, *still, SC1={"end": mark("11f")}) == (0, "")
    assert note(tmp_path, take(1, ends(frame="last", of=plain)), plain) == (0, "")
    assert note(tmp_path, take(1, begins(sha256=STILL)), take(2, begins(sha256=STILL))) == (0, "")
    assert note(tmp_path, take(1, ends(frame="first", of=third)), plain) == (0, "")
