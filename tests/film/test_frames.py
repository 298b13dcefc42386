"""Frames of real clips: the right picture, its own colours, and words where there is none."""

from __future__ import annotations

import asyncio
import io
import stat
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import psutil
import pytest
from PIL import Image

from tests.harness import numbered
from tests.harness.breadth import cases
from veopipe import files
from veopipe.delivery.child import Child
from veopipe.delivery.shelf import FolderShelf, strays
from veopipe.film import screening
from veopipe.film.frames import LARGEST_PNG, Frame, Frames, NoFrame, picture_of
from veopipe.ledger.paths import Places
from veopipe.takes.moment import FIRST, LAST, Moment
from veopipe.takes.take import Delivered

MEDIA = Path(__file__).parents[1] / "media"
EXAMPLES = Path(__file__).parents[2] / "examples" / "refs"

Show = Callable[[bytes], Path]


@pytest.fixture
def show(tmp_path: Path) -> Show:
    """Write a clip, and say where."""

    def write(content: bytes) -> Path:
        path = tmp_path / "clip.mp4"
        path.write_bytes(content)
        return path

    return write


def taken(path: Path, at: Moment = LAST, **more: float) -> Frame:
    """The frame that there must be."""
    found = asyncio.run(picture_of(path, at, **more))  # type: ignore[arg-type]
    assert isinstance(found, Frame), found
    return found


def refused(path: Path, at: Moment = LAST) -> str:
    """Why there is none."""
    found = asyncio.run(picture_of(path, at))
    assert isinstance(found, NoFrame), found
    return found.reason


def still(name: str = "coast-dusk.png", size: tuple[int, int] = (640, 360)) -> Image.Image:
    with Image.open(EXAMPLES / name) as picture:
        return picture.convert("RGB").resize(size)


def png(picture: Image.Image) -> bytes:
    made = io.BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()


# --- which picture ---------------------------------------------------------------------------------

# Clip → numbers of the first picture, of the last one, of the one on screen after 3.02 s, and of all that are shown.
RIGHT = {
    "B-frames, sound as long": (0, 191, 72, 192),
    "sound 0.3 s longer": (0, 191, 72, 192),
    "sound shorter": (0, 191, 72, 192),
    "no sound": (0, 191, 72, 192),
    "uneven times": (0, 191, 48, 192),
    "last but one picture 2.5 s long": (0, 191, 72, 192),
    "last picture 2.5 s long": (0, 191, 72, 192),
    "24000/1001": (0, 191, 72, 192),
    "edit list ends early": (0, 179, 72, 180),
    "edit list begins late": (12, 191, 84, 180),
}


@cases("name", list(numbered.CLIPS), quick=4)
def test_the_first_the_last_and_a_timed_picture_are_the_right_ones(name: str, show: Show) -> None:
    path = show(numbered.film(name))

    async def three() -> list[Frame | NoFrame]:
        return [await picture_of(path, at) for at in (FIRST, LAST, Moment.of("3.02"))]

    found = [one for one in asyncio.run(three()) if isinstance(one, Frame)]
    assert tuple(numbered.number_of(one.png) for one in found) == RIGHT[name][:3]
    assert {one.video.count for one in found} == {RIGHT[name][3]}
    assert found[1].number == RIGHT[name][3] - 1


def test_what_is_counted_of_a_video_is_exact(show: Show) -> None:
    ntsc = taken(show(numbered.film("24000/1001"))).video
    uneven = taken(show(numbered.film("uneven times"))).video
    cut = taken(show(numbered.film("edit list ends early"))).video

    assert (ntsc.count, ntsc.fps, ntsc.lasts_s, ntsc.is_even) == (192, Fraction(24000, 1001), Fraction("8.008"), True)
    assert not uneven.is_even
    assert (cut.count, cut.fps, cut.lasts_s) == (180, Fraction(24), Fraction("7.5"))


@pytest.mark.parametrize(("at", "number"), [("0", 0), ("0.0416", 0), ("0.041667", 1), ("1", 24), ("7.999", 191)])
def test_the_picture_on_screen_at_that_time_is_meant(at: str, number: int, show: Show) -> None:
    assert numbered.number_of(taken(show(numbered.film("no sound")), Moment.of(at)).png) == number


@pytest.mark.parametrize("at", ["8", "8.5", "60"])
def test_beyond_the_end_nothing_is_shown(at: str, show: Show) -> None:
    assert refused(show(numbered.film("no sound")), Moment.of(at)) == f"it lasts 8 s: nothing is shown at {at} s"


@pytest.mark.parametrize("path", sorted((MEDIA / "whole").glob("*.mp4")), ids=lambda path: path.stem)
def test_every_whole_file_gives_its_frames(path: Path) -> None:
    """As decoded by PyAV here, from the file as a player opens it."""
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    last = taken(path)

    assert (last.number, last.video.count) == (len(decoded) - 1, len(decoded))
    assert (last.width, last.height) == (decoded[-1].width, decoded[-1].height)


# --- its colours -----------------------------------------------------------------------------------


def test_five_links_of_a_chain_on_one_still_keep_its_colours(show: Show) -> None:
    original = png(still())
    shown = original
    for _ in range(5):
        with Image.open(io.BytesIO(shown)) as link:
            clip = numbered.clip([link.copy()] * 12, options={"preset": "veryfast", "crf": "16"})
        shown = taken(show(clip)).png

    assert numbered.error(original, shown) < 1


def tagged(space: int, levels: int) -> Callable[[av.VideoCodecContext], None]:
    def tag(context: av.VideoCodecContext) -> None:
        context.colorspace, context.color_range = space, levels

    return tag


COLOURS = {
    "nothing said": {},
    "BT.709": {"tags": tagged(1, 1)},
    "BT.601": {"tags": tagged(6, 1), "matrix": "bt601"},
    "SMPTE 240M": {"tags": tagged(7, 1), "matrix": "smpte240m"},
    "full range": {"tags": tagged(1, 2), "levels": "pc"},
    "full range by format": {"pixels": "yuvj420p", "levels": "pc"},
    "4:4:4": {"pixels": "yuv444p"},
}


@cases("name", list(COLOURS), quick=4)
def test_the_colours_are_those_that_the_file_names(name: str, show: Show) -> None:
    original = still()
    clip = numbered.clip([original] * 4, options={"preset": "veryfast", "crf": "8"}, **COLOURS[name])

    assert numbered.error(png(original), taken(show(clip)).png) < 1


def test_the_same_video_gives_the_same_bytes(show: Show) -> None:
    path = show(numbered.clip([still("boat.jpg")] * 8))
    one, other = taken(path), taken(path, largest_png=0)

    assert one.png == other.png
    assert (one.sent, one.jpeg) == (("image/png", one.png), None)
    assert other.jpeg is not None


def test_a_picture_has_no_metadata(show: Show) -> None:
    content = taken(show(numbered.clip([still()] * 4))).png

    kinds = []
    at = 8
    while at < len(content):
        kinds.append(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.slow
@pytest.mark.shows("film 34")
def test_a_picture_that_is_too_large_to_be_sent_is_sent_as_a_jpeg(show: Show) -> None:
    noise = Image.effect_noise((3840, 2160), 60).convert("RGB")
    frame = taken(show(numbered.clip([noise] * 3, options={"preset": "ultrafast", "crf": "12"})))

    kind, content = frame.sent
    assert len(frame.png) > LARGEST_PNG > len(content)
    assert kind == "image/jpeg"
    with Image.open(io.BytesIO(content)) as sent:
        assert (sent.format, sent.size, sent.info.get("exif")) == ("JPEG", (3840, 2160), None)
        assert [layer[1:3] for layer in sent.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("grey", "is_blank"), [(0, True), (8, True), (14, False), (255, False)], ids=["black", "dark", "grey", "white"]
)
def test_a_black_picture_is_blank(grey: int, is_blank: bool, show: Show) -> None:
    plain = Image.new("RGB", (320, 180), (grey, grey, grey))

    assert taken(show(numbered.clip([plain] * 4))).is_blank is is_blank


def test_stars_in_the_night_are_no_blank_picture(show: Show) -> None:
    night = Image.new("RGB", (320, 180))
    for at in range(0, 320, 8):
        night.paste((255, 255, 255), (at, at % 170, at + 2, at % 170 + 2))

    assert not taken(show(numbered.clip([night] * 4))).is_blank


# --- what gives no frame ---------------------------------------------------------------------------


def high(context: av.VideoCodecContext) -> None:
    context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9


def hybrid(context: av.VideoCodecContext) -> None:
    context.color_trc = 18


def anamorphic(context: av.VideoCodecContext) -> None:
    context.sample_aspect_ratio = Fraction(4, 3)


ODD = {
    "it is HDR (PQ); ": {"tags": high},
    "it is HDR (HLG); ": {"tags": hybrid},
    "its colours are those of BT.2020; ": {"tags": tagged(9, 1)},
    "it has 10 bits per colour; ": {"pixels": "yuv420p10le"},
    "its pixels aren't square (4:3); ": {"tags": anamorphic},
}


@pytest.mark.parametrize("words", ODD)
@pytest.mark.shows("film 35")
def test_what_would_need_another_conversion_is_refused_in_words(words: str, show: Show) -> None:
    assert refused(show(numbered.clip([still()] * 4, **ODD[words]))).startswith(words)


def test_a_video_that_is_stored_turned_is_refused(show: Show) -> None:
    assert refused(show(numbered.turned(numbered.clip([still()] * 4)))).startswith("it is stored turned or mirrored; ")


def test_sound_alone_gives_no_frame() -> None:
    assert refused(MEDIA / "odd/sound-only.mp4") == "it has no pictures"


@pytest.mark.parametrize("path", sorted((MEDIA / "damaged").glob("*.mp4")), ids=lambda path: path.stem)
def test_a_damaged_file_gives_no_frame(path: Path) -> None:
    assert refused(path).startswith("it ")


def test_a_file_that_is_gone_gives_no_frame(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.mp4") == "it can't be read: No such file or directory"


def test_pictures_that_are_damaged_inside_give_no_frame(show: Show) -> None:
    """Its boxes are right, so only the decoder can see it."""
    content = bytearray(numbered.clip([still()] * 12))
    first = content.index(b"mdat") + 4
    notes = int.from_bytes(content[first : first + 4], "big")
    inside = first + 4 + notes + 2000
    content[inside : inside + 200] = b"\xff" * 200

    assert refused(show(bytes(content))) == "its pictures are damaged"


# --- the process -----------------------------------------------------------------------------------


def decoding() -> list[psutil.Process]:
    """The children of this test process that decode."""
    return [one for one in psutil.Process().children() if "veopipe.film.decoder" in one.cmdline()]


@pytest.mark.usefixtures("started")
def test_a_decoder_that_takes_too_long_is_stopped(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "LIMIT_S", 0.02)

    why = refused(show(numbered.film("no sound")))
    assert why == "the decoder didn't finish within 0.02 s and was stopped"
    assert not decoding()


@pytest.mark.usefixtures("started")
def test_no_decoder_is_left_when_nobody_waits_for_it_any_more(show: Show) -> None:
    path = show(numbered.film("no sound"))

    async def give_up(after_s: float) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(picture_of(path, LAST), after_s)
        assert not decoding()

    for after_s in (0.001, 0.02, 0.05):  # before it starts, while it loads; Python alone needs 20 ms
        asyncio.run(give_up(after_s))


@pytest.mark.usefixtures("started")
def test_the_decoder_knows_no_key_and_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEOPIPE_API_KEY", "sk-canary-0123456789")

    async def look() -> None:
        child = await Child.start("veopipe.film.decoder", "the decoding process")
        (process,) = decoding()
        assert "canary" not in repr(process.environ())
        assert process.cwd() == "/"
        if hasattr(process, "rlimit"):
            assert process.rlimit(psutil.RLIMIT_AS)[0] == 2 * 1024**3
            assert process.rlimit(psutil.RLIMIT_FSIZE)[0] == 0
        await child.end()
        assert not decoding()

    asyncio.run(look())


# --- frames beside the takes -----------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    """The folders of a list."""
    places = Places(tmp_path / "shots.yaml", ".veopipe", "renders")
    places.takes_of("renders").mkdir(parents=True)
    return FolderShelf(places)


@pytest.fixture
def delivered(shelf: FolderShelf) -> Delivered:
    """A take of two pictures a second."""
    content = numbered.clip([numbered.picture(number) for number in range(8)], rate=Fraction(2))
    file = Delivered("renders", "SC01.002.mp4", files.sha256_of_bytes(content), len(content))
    shelf.path(file).write_bytes(content)
    return file


def test_a_frame_is_kept_beside_the_take_it_is_of(shelf: FolderShelf, delivered: Delivered, tmp_path: Path) -> None:
    async def take_all() -> list[Frame | NoFrame]:
        frames = Frames(shelf)
        return [await frames.frame_of(delivered, at) for at in (LAST, FIRST, Moment.of("1.250"))]

    found = asyncio.run(take_all())
    kept = tmp_path / "renders/shots/frames"

    assert sorted(path.name for path in kept.iterdir()) == [
        "SC01.002.at-1.25.png",
        "SC01.002.first.png",
        "SC01.002.last.png",
    ]
    for frame, name in zip(found, ("last", "first", "at-1.25"), strict=True):
        assert isinstance(frame, Frame)
        path = kept / f"SC01.002.{name}.png"
        assert path.read_bytes() == frame.png
        assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_a_frame_is_taken_once_and_again_only_if_its_file_is_another_one(
    shelf: FolderShelf, delivered: Delivered
) -> None:
    async def look() -> None:
        frames = Frames(shelf)
        path = frames.path(delivered, LAST)
        one, other = await asyncio.gather(frames.frame_of(delivered, LAST), frames.frame_of(delivered, LAST))
        assert isinstance(one, Frame)
        assert one == other
        made = path.stat()
        assert await frames.frame_of(delivered, LAST) == one
        assert path.stat().st_ino == made.st_ino, "it was taken again"

        files.replace(path, png(still()))
        assert await frames.frame_of(delivered, LAST) == one, "a file that isn't the recorded one was believed"
        assert path.read_bytes() == one.png
        path.unlink()
        assert await frames.frame_of(delivered, LAST) == one

        files.replace(path, png(still()))
        assert await Frames(shelf).frame_of(delivered, LAST) == one, "nobody recorded that file"

    asyncio.run(look())


def test_a_file_that_isn_t_the_take_any_more_gives_no_frame(shelf: FolderShelf, delivered: Delivered) -> None:
    other = replace(delivered, sha256="0" * 64)
    gone = replace(delivered, name="SC01.003.mp4")

    async def both() -> list[Frame | NoFrame]:
        return [await Frames(shelf).frame_of(file, LAST) for file in (other, gone)]

    assert asyncio.run(both()) == [
        NoFrame("renders/shots/takes/SC01.002.mp4 is not the file that was delivered any more"),
        NoFrame("renders/shots/takes/SC01.003.mp4 is missing"),
    ]


def test_frames_are_no_takes_that_no_state_file_knows(shelf: FolderShelf, delivered: Delivered) -> None:
    asyncio.run(Frames(shelf).frame_of(delivered, LAST))
    shelf.path(delivered).with_name("SC01.002.last.png").write_bytes(b"moved here by hand")
    shelf.path(delivered).unlink()

    assert strays(shelf.places, {}, ["SC01"]) == {}
