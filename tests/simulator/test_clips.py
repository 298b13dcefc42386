"""The delivered MP4s, measured by two independent tools, and what a person sees on them."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator

import av
import pymediainfo
import pytest
from PIL import Image, ImageChops

from tests.harness.breadth import cases
from veopipe.simulator.footage import Cut, clip
from veopipe.simulator.slate import Layout, Slate, small_picture

FACTS = ("veo-3.1-fast-generate-preview", "text", "8 s at 24 fps", "1280x720 (720p, 16:9)", "7", "task_abc")
SLATE = Slate("A cinematic shot of a lighthouse at sunset, ocean waves hitting the rocks", FACTS)
CUTS = [
    Cut(720, 1280, 4),
    Cut(1280, 720, 6),
    Cut(1280, 720, 8),
    Cut(1920, 1080, 8),
    Cut(1080, 1920, 8),
    Cut(3840, 2160, 8),
]


def _name(cut: Cut) -> str:
    return f"{cut.width}x{cut.height}-{cut.seconds}s"


def _light(data: bytes) -> Iterator[Image.Image]:
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            size = (frame.width, frame.height)
            yield Image.frombuffer("L", size, bytes(plane), "raw", "L", plane.line_size, 1).copy()


@cases("cut", CUTS, ids=_name)
def test_a_clip_has_exactly_the_ordered_measures(cut: Cut) -> None:
    data = clip(cut, SLATE)
    general, video, audio = pymediainfo.MediaInfo.parse(io.BytesIO(data)).tracks
    assert (general.format, general.duration, general.is_streamable) in [
        ("MPEG-4", cut.seconds * 1000, s) for s in ("Yes", None)
    ]
    assert (video.format, video.width, video.height, video.frame_rate) == ("AVC", cut.width, cut.height, "24.000")
    assert (video.duration, video.frame_count) == (cut.seconds * 1000, str(cut.seconds * 24))
    assert (audio.format, audio.channel_s, audio.sampling_rate) == ("AAC", 2, 48000)
    assert audio.duration == cut.seconds * 1000
    assert len(data) < (6_000_000 if cut.width == 3840 else 1_000_000)
    assert data.index(b"moov") < data.index(b"mdat")


@cases("cut", [Cut(720, 1280, 4), Cut(1280, 720, 8), Cut(1920, 1080, 8)], quick=1, ids=_name)
def test_the_text_stays_as_it_is_to_the_last_frame(cut: Cut) -> None:
    layout = Layout(cut.width, cut.height)
    still = (0, 0, cut.width, layout.still_end)
    frames = _light(clip(cut, SLATE))
    first = next(frames).crop(still)
    count = 1
    for frame in frames:
        worst = ImageChops.difference(first, frame.crop(still)).getextrema()[1]
        assert worst <= 4, f"frame {count}"
        count += 1
    assert count == cut.seconds * 24


def test_every_frame_shows_something_new_in_the_running_strip() -> None:
    layout = Layout(1280, 720)
    strip = (0, layout.strip_top, 1280, 720)
    shown = [frame.crop(strip).tobytes() for frame in _light(clip(Cut(1280, 720, 4), SLATE))]
    assert all(before != after for before, after in itertools.pairwise(shown))


def test_two_shots_show_different_text_and_one_shot_always_the_same_bytes() -> None:
    other = Slate("Another shot altogether", FACTS)
    cut = Cut(1280, 720, 4)
    box = Layout(1280, 720).prompt_box
    one, two = (next(_light(clip(cut, slate))).crop(box) for slate in (SLATE, other))
    assert ImageChops.difference(one, two).getextrema()[1] > 100
    assert clip(cut, SLATE) == clip(cut, SLATE)


def test_the_sound_can_be_heard() -> None:
    with av.open(io.BytesIO(clip(Cut(1280, 720, 4), SLATE))) as container:
        loudest = [max(memoryview(frame.planes[0]).cast("B").cast("f")) for frame in container.decode(audio=0)]
    assert max(loudest) > 0.15
    assert sum(level > 0.03 for level in loudest) > 0.9 * len(loudest)


def test_a_clip_can_be_without_sound() -> None:
    tracks = pymediainfo.MediaInfo.parse(io.BytesIO(clip(Cut(1280, 720, 4, audio=False), SLATE))).tracks
    assert [track.track_type for track in tracks] == ["General", "Video"]


def test_reference_pictures_are_shown_small_and_in_colour(picture: Callable[..., bytes]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (1280, 720), (200, 30, 30)).save(out, "WEBP")
    small = small_picture(out.getvalue())
    assert small is not None
    data = clip(Cut(1280, 720, 4), Slate("Red", FACTS, (small,)))
    with av.open(io.BytesIO(data)) as container:
        last = list(container.decode(video=0))[-1].to_image()
    red = sum(1 for r, g, b in last.get_flattened_data() if r > 150 and g < 80 and b < 80)
    assert red > 5000


@pytest.mark.parametrize("prompt", ["", "word " * 3000, "x" * 5000, "灯台の夕日、" * 200, "\n\t\0 odd"])
def test_any_text_fits_on_the_slate(prompt: str) -> None:
    data = clip(Cut(720, 1280, 4), Slate(prompt, (prompt[:300],) * 6))
    assert sum(1 for _ in _light(data)) == 96


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_a_picture_that_cannot_be_read_is_not_shown(data: bytes) -> None:
    assert small_picture(data) is None
