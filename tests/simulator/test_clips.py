"""The delivered MP4s, measured by two independent tools, and what a person sees on them."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator

import av
import pymediainfo
import pytest
from PIL import Image, ImageChops, ImageStat

from tests.harness.breadth import cases
from veopipe.simulator.footage import Cut, clip
from veopipe.simulator.slate import Layout, Slate, fitted_picture, small_picture

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


# --- seams -----------------------------------------------------------------------------------------


def _shade(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((1280, 720)).convert("RGB").save(out, "PNG")
    with Image.open(out) as gradient:
        tinted = ImageChops.multiply(gradient.convert("RGB"), Image.new("RGB", gradient.size, colour))
    out = io.BytesIO()
    tinted.save(out, "PNG")
    return out.getvalue()


BEGIN, END = _shade((230, 90, 40)), _shade((40, 90, 230))


def _shown(data: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(data)) as container:
        exact = {"src_colorspace": "ITU709", "dst_color_range": "JPEG"}
        return [frame.reformat(format="rgb24", **exact).to_image() for frame in container.decode(video=0)]


def _differs(one: Image.Image, other: bytes) -> float:
    with Image.open(io.BytesIO(other)) as picture:
        fitted = picture.convert("RGB").resize(one.size)
    return max(ImageStat.Stat(ImageChops.difference(one, fitted)).mean)


@cases(
    ("cut", "held"),
    [
        (Cut(1280, 720, 4, has_begin=True, has_end=True), 12),
        (Cut(640, 360, 1, has_begin=True, has_end=True), 6),
        (Cut(1280, 720, 4, has_begin=True), 12),
        (Cut(720, 1280, 4, has_end=True, audio=False), 12),
    ],
    quick=2,
)
def test_a_clip_begins_with_its_first_picture_and_ends_on_its_last_one(cut: Cut, held: int) -> None:
    begin, end = (fitted_picture(content, cut.width, cut.height) for content in (BEGIN, END))
    assert begin is not None
    assert end is not None
    shown = _shown(clip(cut, SLATE, begin, end))

    assert len(shown) == cut.seconds * 24
    assert [_differs(picture, begin) < 6 for picture in shown].count(True) == (held if cut.has_begin else 0)
    assert [_differs(picture, end) < 6 for picture in shown].count(True) == (held if cut.has_end else 0)
    assert _differs(shown[0], begin if cut.has_begin else clip_slate(cut)) < 6
    assert _differs(shown[-1], end if cut.has_end else clip_slate(cut)) < 12


def clip_slate(cut: Cut) -> bytes:
    """The first picture of the clip without any seam."""
    out = io.BytesIO()
    _shown(clip(Cut(cut.width, cut.height, cut.seconds, audio=cut.audio), SLATE))[0].save(out, "PNG")
    return out.getvalue()


def test_between_two_pictures_the_slate_runs_as_ever() -> None:
    cut = Cut(640, 360, 2)
    plain = [frame.tobytes() for frame in _light(clip(cut, SLATE))]
    begin = fitted_picture(BEGIN, 640, 360)
    seamed = list(_light(clip(Cut(640, 360, 2, has_begin=True), SLATE, begin)))

    for number, picture in enumerate(seamed[12:], start=12):
        old = Image.frombytes("L", picture.size, plain[number])
        assert ImageStat.Stat(ImageChops.difference(picture, old)).mean[0] < 1.5, number


def test_a_picture_of_another_ratio_fills_the_video() -> None:
    fitted = fitted_picture(BEGIN, 720, 1280)
    assert fitted is not None
    with Image.open(io.BytesIO(fitted)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (720, 1280))


def test_a_picture_that_cannot_be_read_begins_no_clip() -> None:
    assert fitted_picture(b"\xff\xd8\xff", 1280, 720) is None
    cut = Cut(640, 360, 1, has_begin=True)
    assert sum(1 for _ in _light(clip(cut, SLATE, None))) == 24
