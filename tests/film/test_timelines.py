"""Timelines for editing programs, read back by OpenTimelineIO: which frames of which file, and where it lies."""

from __future__ import annotations

import json
import os
import zipfile
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import opentimelineio as otio
import pytest

from tests.harness import numbered
from tests.harness.film import Film, Result
from veopipe import files


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the film is kept once it was bought, for the other tests of this file."""
    return tmp_path_factory.mktemp("keep") / "film"


@pytest.fixture
def bought(film: Film, keep: Path) -> Film:
    """A shot that is verified, one that isn't, and two files: one without sound, one of 30 frames per second."""
    with film.kept(keep) as is_new:
        if is_new:
            film.list({"SC01-pier": "a pier", "SC02-boat": "a boat [simulate: failed_with_error times=all]"})
            assert film.run().code == 1
            for folder in ("cuts", "post card"):
                (film.folder / folder).mkdir()
            pictures = [numbered.picture(number) for number in range(48)]
            (film.folder / "post card/title.mp4").write_bytes(numbered.clip(pictures))
            (film.folder / "fast.mp4").write_bytes(numbered.clip(pictures, rate=Fraction(30), sound_s=1.6))
    return film


def cut(film: Film, out: str, *clips: str, fps: str = "24") -> Result:
    lines = "".join(f"  - {{{clip}}}\n" for clip in clips)
    (film.folder / "cuts/main.yaml").write_text(f"version: 1\nfps: {fps}\nclips:\n{lines}", "utf-8")
    done = film.command("cut", "shots.yaml", "-p", "quick.yaml", "-o", out)
    assert done.code == 0, done
    return done


def numbers(found: otio.opentime.TimeRange) -> tuple[float, float, float]:
    """Begin, length and rate."""
    return found.start_time.value, found.duration.value, found.duration.rate


CLIPS = (
    "shot: SC01-pier, in: 12f, out: 3s",
    "gap: 1s",
    "file: post card/title.mp4, in: 4f",
    "shot: SC02-boat",
    "file: fast.mp4, out: 45f",
)


def test_a_timeline_says_which_frames_of_which_file(bought: Film) -> None:
    (bought.folder / "edit").mkdir()
    cut(bought, "edit/film.otio", *CLIPS)
    read = otio.adapters.read_from_file(str(bought.folder / "edit/film.otio"))
    (pictures,), (sound,) = read.video_tracks(), read.audio_tracks()
    pier, gap, title, missing, fast = pictures

    assert [numbers(clip.source_range) for clip in pictures] == [
        (12, 60, 24),
        (0, 24, 24),
        (4, 44, 24),
        (0, 96, 24),
        (0, 45, 30),
    ]
    assert isinstance(gap, otio.schema.Gap)
    assert [clip.name for clip in (pier, title, missing, fast)] == [
        "SC01-pier.001.mp4",
        "title.mp4",
        "SC02-boat",
        "fast.mp4",
    ]
    assert numbers(pier.media_reference.available_range) == (0, 96, 24)
    urls = [clip.media_reference.target_url for clip in (pier, title, fast)]
    assert urls == ["../renders/shots/takes/SC01-pier.001.mp4", "../post%20card/title.mp4", "../fast.mp4"]
    assert all((bought.folder / "edit" / unquote(url)).is_file() for url in urls)
    assert missing.media_reference.is_missing_reference
    take = bought.folder / "renders/shots/takes/SC01-pier.001.mp4"
    facts = dict(pier.metadata["veopipe"])
    assert facts == {
        "shot": "SC01-pier",
        "take": 1,
        "sha256": files.sha256_of(take),
        "prompt": "a pier",
        "model": facts["model"],
    }
    assert read.duration().to_seconds() == pytest.approx(60 / 24 + 1 + 44 / 24 + 4 + 45 / 30)
    kinds = [type(each).__name__ for each in sound]
    assert kinds == ["Clip", "Gap", "Gap", "Gap", "Clip"], "silence keeps what is behind it in its place"
    assert [sound.range_of_child(each) for each in (sound[0], sound[4])] == [
        pictures.range_of_child(each) for each in (pier, fast)
    ]


def test_beside_its_videos_a_timeline_has_plain_names(bought: Film) -> None:
    cut(bought, "renders/shots/film.otio", "shot: SC01-pier")
    read = otio.adapters.read_from_file(str(bought.folder / "renders/shots/film.otio"))

    (clip,) = read.video_tracks()[0]
    assert clip.media_reference.target_url == "takes/SC01-pier.001.mp4"


def test_a_bundle_brings_its_videos_along(bought: Film, tmp_path: Path) -> None:
    cut(bought, "film.otioz", *CLIPS)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    read = otio.adapters.read_from_file(str(bought.folder / "film.otioz"), extract_to_directory=str(folder))

    pier, _, title, missing, fast = read.video_tracks()[0]
    for clip, source in (
        (pier, "renders/shots/takes/SC01-pier.001.mp4"),
        (title, "post card/title.mp4"),
        (fast, "fast.mp4"),
    ):
        path = folder / unquote(clip.media_reference.target_url)
        assert files.sha256_of(path) == files.sha256_of(bought.folder / source)
    assert missing.media_reference.is_missing_reference
    with zipfile.ZipFile(bought.folder / "film.otioz") as bundle:
        assert json.loads(bundle.read("content.otio"))["OTIO_SCHEMA"] == "Timeline.1"
    assert sorted(os.listdir(bought.folder)).count("film.otioz") == 1


def test_two_videos_of_one_name_make_no_bundle(bought: Film) -> None:
    (bought.folder / "title.mp4").write_bytes((bought.folder / "post card/title.mp4").read_bytes())
    (bought.folder / "cuts/main.yaml").write_text(
        "version: 1\nclips:\n  - {file: title.mp4}\n  - {file: post card/title.mp4}\n", "utf-8"
    )
    done = bought.command("cut", "shots.yaml", "-p", "quick.yaml", "-o", "film.otioz")

    assert (done.code, "no .otioz can be made of it" in done.err) == (2, True)
    assert not list(bought.folder.glob("*.otioz"))


def test_an_edl_has_its_reels_and_its_times(bought: Film) -> None:
    cut(bought, "film.edl", *CLIPS)
    text = (bought.folder / "film.edl").read_text("utf-8")
    events = [line.split() for line in text.splitlines() if line[:3].isdigit()]

    assert [event[1:] for event in events] == [
        ["S001T001", "V", "C", "00:00:00:12", "00:00:03:00", "00:00:00:00", "00:00:02:12"],
        ["F001", "V", "C", "00:00:00:04", "00:00:02:00", "00:00:03:12", "00:00:05:08"],
        ["S002T000", "V", "C", "00:00:00:00", "00:00:04:00", "00:00:05:08", "00:00:09:08"],
        ["F002", "V", "C", "00:00:00:00", "00:00:01:12", "00:00:09:08", "00:00:10:20"],
    ]
    read = otio.adapters.read_from_string(text, "cmx_3600", rate=24)
    clips = [each for each in read.video_tracks()[0] if isinstance(each, otio.schema.Clip)]
    assert [clip.name for clip in clips][:2] == ["SC01-pier.001.mp4", "title.mp4"]
    assert read.duration().to_frames() == 260


@pytest.mark.parametrize("fps", ["23.976", "25", "29.97", "60"])
def test_an_edl_keeps_the_rate_of_its_film(fps: str, bought: Film) -> None:
    rate = {"23.976": Fraction(24000, 1001), "29.97": Fraction(30000, 1001)}.get(fps, Fraction(fps))
    pictures = [numbered.picture(number) for number in range(30)]
    (bought.folder / "a.mp4").write_bytes(numbered.clip(pictures, rate=rate))
    cut(bought, "film.edl", "file: a.mp4, in: 1f, out: 20f", fps=fps)
    read = otio.adapters.read_from_string((bought.folder / "film.edl").read_text("utf-8"), "cmx_3600", rate=float(rate))

    (clip,) = read.video_tracks()[0]
    assert (clip.source_range.start_time.to_frames(), clip.source_range.duration.to_frames()) == (1, 19)


def test_a_rate_that_no_edl_has_is_refused(bought: Film) -> None:
    (bought.folder / "cuts/main.yaml").write_text("version: 1\nfps: 17\nclips:\n  - {shot: SC01-pier}\n", "utf-8")
    done = bought.command("cut", "shots.yaml", "-p", "quick.yaml", "-o", "film.edl")

    assert (done.code, done.err.splitlines()[-1]) == (2, "→ write an .otio")
