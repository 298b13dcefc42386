"""Films made by the real command from clips with numbered pictures: each seam, each length, each clip's sound."""

from __future__ import annotations

import asyncio
import io
import itertools
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import psutil
import pytest

from tests.harness import numbered
from tests.harness.breadth import cases
from tests.harness.film import Film, Result
from veopipe.film import screening
from veopipe.film.assembly import ramped
from veopipe.film.footage import Footage
from veopipe.film.screening import Unplayable, counted, screened

MEDIA = Path(__file__).parents[1] / "media"


def clip(first: int, count: int, width: int = numbered.WIDTH, height: int = numbered.HEIGHT, **more: object) -> bytes:
    """A clip of some numbers."""
    pictures = [numbered.picture(number, width, height) for number in range(first, first + count)]
    return numbered.clip(pictures, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Seen:
    """What a film shows.

    Attributes:
        numbers: of its pictures.
        pictures_s: how long its pictures last by its header.
        sound_s: likewise its sound.
        loudness: of each tenth of a second, root of the mean square; 1 is full.
        size: of its pictures.
        rate: pictures per second.
    """

    numbers: list[int]
    pictures_s: Fraction
    sound_s: Fraction
    loudness: list[float]
    size: tuple[int, int]
    rate: Fraction

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Its numbers as first and last of each unbroken run; black pictures say 0."""
        found: list[tuple[int, int]] = []
        for number in self.numbers:
            if found and number == found[-1][1] + 1:
                found[-1] = (found[-1][0], number)
            elif not found or (number, number) != found[-1]:
                found.append((number, number))
        return found


def seen(path: Path) -> Seen:
    """What a player gets of a film."""
    with av.open(str(path)) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        lasts = [Fraction(stream.duration * stream.time_base) for stream in (video, audio)]
        assert (video.start_time, audio.start_time) == (0, 0)
        numbers = [numbered.number_in(frame) for frame in film.decode(video)]
        size, rate = (video.width, video.height), Fraction(video.average_rate)
    with av.open(str(path)) as film:
        loudness = list(_loudness(film))
    return Seen(numbers, *lasts, loudness, size, rate)


def _loudness(film: av.container.InputContainer) -> Iterator[float]:
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=48000)
    content = b""
    for frame in film.decode(audio=0):
        content += b"".join(bytes(made.planes[0])[: made.samples * 4] for made in resampler.resample(frame))
    for begin in range(0, len(content) - 19200 + 1, 19200):
        samples = struct.unpack("<9600h", content[begin : begin + 19200])
        yield math.sqrt(sum(sample * sample for sample in samples) / 9600) / 32768


@pytest.fixture
def table(film: Film) -> Film:
    """A list that nothing was made of, and a folder for clips that aren't from its ledger."""
    film.list({"SC01-pier": "a pier"})
    (film.folder / "cuts").mkdir()
    return film


def cut(film: Film, clips: str, videos: Mapping[str, bytes], *words: str, fps: str = "") -> Result:
    """Make a film of a cut."""
    for name, content in videos.items():
        (film.folder / f"{name}.mp4").write_bytes(content)
    head = f"version: 1\n{f'fps: {fps}' if fps else ''}\nclips:\n"
    (film.folder / "cuts/main.yaml").write_text(head + "".join(f"  - {{{each}}}\n" for each in clips.split("; ")))
    return film.command("cut", "shots.yaml", "-p", "quick.yaml", "-o", "film.mp4", *words)


# --- pictures and sound ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shows("film 29")
def test_seams_are_exact_and_one_silent_clip_costs_no_other_its_sound(table: Film) -> None:
    """The first clip decides nothing: it is the silent one. Its neighbours are mono, at 44.1 kHz, and too short."""
    videos = {
        "silent": clip(100, 24),
        "mono": clip(0, 48, sound_s=2.0),
        "slow": clip(200, 48, sound_s=2.0, sound_rate=44100, layout="stereo"),
        "short": clip(300, 48, sound_s=1.0, layout="stereo"),
        "long": clip(400, 48, sound_s=3.0, layout="stereo"),
    }
    clips = "file: silent.mp4, out: 23f; file: mono.mp4, in: 12f; file: slow.mp4, in: 1f, out: 1.5s; gap: 12f"
    done = cut(table, f"{clips}; file: short.mp4; file: long.mp4, out: 47f", videos)
    film = seen(table.folder / "film.mp4")

    assert done.code == 0, done
    assert film.runs == [(100, 122), (12, 47), (201, 235), (0, 0), (300, 347), (400, 446)]
    assert len(film.numbers) == 23 + 36 + 35 + 12 + 48 + 47
    assert film.pictures_s == film.sound_s == Fraction(201, 24)
    assert film.rate == 24
    tenths = [Fraction(number, 10) for number in range(len(film.loudness))]
    begins = {
        "silent": (0, 23),
        "mono": (23, 59),
        "slow": (59, 94),
        "gap": (94, 106),
        "short": (106, 130),
        "ended": (130, 154),
        "long": (154, 201),
    }
    for name, (first, last) in begins.items():
        inside = [
            loud
            for at, loud in zip(tenths, film.loudness, strict=True)
            if Fraction(first, 24) + Fraction(3, 50) <= at and at + Fraction(16, 100) <= Fraction(last, 24)
        ]
        assert inside, name
        if name in {"silent", "gap", "ended"}:
            assert max(inside) < 0.001, name
        else:
            assert min(inside) > 0.02, name


@cases("rate", ["24000/1001", "30000/1001", "25"], quick=0)
def test_sound_and_picture_are_equally_long_to_the_sample_at_every_rate(rate: str, table: Film) -> None:
    videos = {name: clip(first, 31, rate=Fraction(rate), sound_s=1.4) for name, first in (("a", 0), ("b", 100))}
    done = cut(table, "file: a.mp4, in: 1f, out: 30f; file: b.mp4; file: a.mp4, in: 7f", videos)
    film = seen(table.folder / "film.mp4")

    assert done.code == 0, done
    assert film.runs == [(1, 29), (100, 130), (7, 30)]
    assert film.rate == Fraction(rate)
    assert film.pictures_s == 84 / Fraction(rate)
    assert film.sound_s == Fraction(round(film.pictures_s * 48000), 48000)


@pytest.mark.slow
@pytest.mark.shows("film 30")
def test_another_rate_is_refused_until_the_cut_says_which_counts(table: Film) -> None:
    videos = {"slow": clip(0, 24), "fast": clip(100, 30, rate=Fraction(30), sound_s=1.0)}

    refused = cut(table, "file: slow.mp4; file: fast.mp4", videos)
    assert refused.code == 2
    assert "cuts/main.yaml:5:5: error: slow.mp4 has 24, fast.mp4 30 frames per second: say which" in refused.err
    assert not (table.folder / "film.mp4").exists()

    done = cut(table, "file: slow.mp4; file: fast.mp4, in: 5f", videos, fps="24")
    film = seen(table.folder / "film.mp4")
    assert done.code == 0, done
    assert film.numbers == [*range(24), *(105 + number * 30 // 24 for number in range(20))]
    assert film.pictures_s == film.sound_s == Fraction(44, 24)


@pytest.mark.slow
def test_pictures_at_uneven_times_are_refused_until_the_cut_says_a_rate(table: Film) -> None:
    """Each fourth one stays three times as long; at the film's rate it is shown so long."""
    uneven = numbered.clip([numbered.picture(number) for number in range(16)], times=numbered.uneven()[:16])

    refused = cut(table, "file: uneven.mp4", {"uneven": uneven})
    assert (refused.code, refused.out) == (2, "")
    assert "uneven.mp4 doesn't show its frames evenly" in refused.err

    done = cut(table, "file: uneven.mp4, in: 2f", {"uneven": uneven}, fps="24")
    assert done.code == 0, done
    times = numbered.uneven()[:16]
    assert seen(table.folder / "film.mp4").numbers == [
        max(number for number, at in enumerate(times) if at <= frame) for frame in range(2, times[-1] + 1)
    ]


@cases("name", list(numbered.CLIPS), quick=3)
def test_what_is_counted_is_what_a_player_shows(name: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(numbered.film(name))
    (footage,) = counted([path])

    assert isinstance(footage, Footage)
    assert footage.count == (180 if name.startswith("edit list") else 192)
    assert footage.is_even == (name not in {"uneven times", *(each for each in numbered.CLIPS if "2.5 s" in each)})
    assert footage.has_sound == ("sound_s" in numbered.CLIPS[name])


# --- how it looks ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_rough_cut_has_720_lines_and_a_full_one_those_of_its_largest_video(table: Film) -> None:
    videos = {"small": clip(0, 6), "large": clip(100, 6, 1920, 1080)}
    clips = "file: small.mp4; file: large.mp4"

    for words, size in (((), (1280, 720)), (("--full",), (1920, 1080))):
        assert cut(table, clips, videos, *words).code == 0
        film = seen(table.folder / "film.mp4")
        assert film.size == size
        assert film.runs == [(0, 5), (100, 105)]


def test_a_video_of_another_shape_gets_bars_and_keeps_its_own(table: Film) -> None:
    assert (
        cut(
            table, "file: wide.mp4; file: wide.mp4; file: old.mp4", {"wide": clip(1, 2), "old": clip(1, 2, 320, 240)}
        ).code
        == 0
    )

    with av.open(str(table.folder / "film.mp4")) as film:
        last = list(film.decode(video=0))[-1].to_image()
    assert last.size == (1280, 720)
    assert all(max(last.getpixel((x, 700))) < 24 for x in (5, 150, 1130, 1275))
    assert min(last.getpixel((640, 700))) > 180, "the picture between its bars"


@pytest.mark.parametrize("portrait", [False, True], ids=["landscape", "portrait"])
def test_names_and_numbers_are_burnt_into_the_lowest_lines_only(portrait: bool, table: Film) -> None:
    size = (180, 320) if portrait else (320, 180)
    videos = {"a": clip(7, 4, *size)}
    made = []
    for words in ((), ("--burn",)):
        assert cut(table, "file: a.mp4; gap: 2f", videos, *words).code == 0
        with av.open(str(table.folder / "film.mp4")) as film:
            made.append([frame.to_image() for frame in film.decode(video=0)])
    for plain, burnt in zip(*made, strict=True):
        high = plain.height * 19 // 20 - 4
        above = [each.crop((0, 0, each.width, high)) for each in (plain, burnt)]
        below = [each.crop((0, high + 8, each.width, each.height)) for each in (plain, burnt)]
        assert numbered.error(*(as_png(each) for each in above)) < 1.5
        assert numbered.error(*(as_png(each) for each in below)) > 5
    strips = [each.crop((each.width // 2, each.height * 19 // 20, each.width, each.height)) for each in made[1]]
    assert all(numbered.error(as_png(one), as_png(other)) > 0.1 for one, other in itertools.pairwise(strips))


def as_png(picture: object) -> bytes:
    made = io.BytesIO()
    picture.save(made, "PNG", compress_level=1)  # type: ignore[attr-defined]
    return made.getvalue()


@pytest.mark.slow
def test_a_missing_clip_is_a_slate_as_long_as_what_was_ordered(table: Film) -> None:
    done = cut(table, "shot: SC01-pier; file: a.mp4; shot: SC01-pier, out: 6f", {"a": clip(5, 3, sound_s=0.2)})
    film = seen(table.folder / "film.mp4")

    assert done.code == 0
    assert "1 SC01-pier: a slate stands for it: take 1 isn't there yet" in done.err
    assert film.numbers[96:99] == [5, 6, 7]
    assert len(film.numbers) == 96 + 3 + 6
    with av.open(str(table.folder / "film.mp4")) as made:
        slate = next(made.decode(video=0)).to_image()
    assert len(slate.crop((80, 200, 700, 340)).getcolors(1 << 20) or []) > 20, "there are words on it"


def test_the_colours_of_a_clip_are_kept(table: Film) -> None:
    """Tagged BT.601, untagged, and in full range: all of them look alike in the film."""

    def tags(context: av.VideoCodecContext) -> None:
        context.colorspace = 6

    still = [numbered.picture(341)] * 4
    fine = {"options": {"preset": "veryfast", "crf": "8"}}
    videos = {
        "a": numbered.clip(still, **fine),
        "b": numbered.clip(still, matrix="bt601", tags=tags, **fine),
        "c": numbered.clip(still, pixels="yuvj420p", levels="pc", **fine),
    }
    assert cut(table, "file: a.mp4; file: b.mp4; file: c.mp4", videos, "--full").code == 0

    from veopipe.film.frames import Frame, picture_of
    from veopipe.takes.moment import Moment

    for at in ("0.1", "0.25", "0.45"):
        frame = asyncio.run(picture_of(table.folder / "film.mp4", Moment.of(at)))
        assert isinstance(frame, Frame)
        assert numbered.error(as_png(still[0]), frame.png) < 2


# --- its sound, before it is encoded ---------------------------------------------------------------


def lossless(samples: list[int], first_picture: int = 0) -> bytes:
    """A clip of a second whose sound loses nothing; its pictures come on after some twenty-fourths of a second."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=24)
        video.codec_context.width, video.codec_context.height, video.codec_context.pix_fmt = 320, 180, "yuv420p"
        video.codec_context.options = {"bf": "0"}
        sound = out.add_stream("alac", rate=48000, layout="stereo")
        for number in range(24):
            frame = av.VideoFrame.from_image(numbered.picture(number)).reformat(format="yuv420p")
            frame.pts, frame.time_base = first_picture + number, Fraction(1, 24)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for start in range(0, len(samples), 4096):
            part = samples[start : start + 4096]
            frame = av.AudioFrame(format="s16p", layout="stereo", samples=len(part))
            for plane in frame.planes:
                plane.update(struct.pack(f"<{len(part)}h", *part).ljust(plane.buffer_size, b"\0"))
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return made.getvalue()


def heard(path: Path, begin_s: Fraction, samples: int) -> list[int]:
    """The left channel, as it goes into a film."""

    async def listen() -> bytes:
        async with screened(path) as screen:
            return await screen.sound(begin_s, samples)

    return list(struct.unpack(f"<{samples * 2}h", asyncio.run(listen())))[::2]


@pytest.mark.parametrize(("begin", "first_picture"), [(0, 0), (5, 0), (0, 3), (23, 0)])
def test_sound_is_cut_to_the_sample(begin: int, first_picture: int, tmp_path: Path) -> None:
    """Its time counts from the first picture; behind its end there is silence."""
    samples = [number % 30011 - 15000 for number in range(48000)]
    path = tmp_path / "clip.mp4"
    path.write_bytes(lossless(samples, first_picture))

    start = (begin + first_picture) * 2000
    expected = [*samples[start:], *[0] * 48000][:4801]
    assert heard(path, Fraction(begin, 24), 4801) == expected


def test_joints_are_soft_for_five_milliseconds_and_no_more() -> None:
    loud = struct.pack("<2000h", *[10000] * 2000)
    left = struct.unpack("<2000h", ramped(loud))[::2]

    assert left[0] == left[-1] == 0
    assert list(left[:240]) == [10000 * number // 240 for number in range(240)] == list(reversed(left[-240:]))
    assert set(left[240:-240]) == {10000}
    assert ramped(b"") == b""
    assert len(ramped(loud[:12])) == 12


# --- foreign videos --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((MEDIA / "damaged").glob("*.mp4"))[:8], ids=lambda path: path.stem)
def test_a_damaged_video_is_said_to_be_one(path: Path) -> None:
    (found,) = counted([path])

    assert isinstance(found, str), found
    assert found.startswith("it ")


def test_what_would_need_another_conversion_makes_no_film(table: Film) -> None:
    deep = numbered.clip([numbered.picture(number) for number in range(3)], pixels="yuv420p10le")
    done = cut(table, "file: deep.mp4", {"deep": deep})

    assert done.code == 2
    assert "cuts/main.yaml:4:5: error: deep.mp4: it has 10 bits per colour; " in done.err
    assert not (table.folder / "film.mp4").exists()
    assert not list(table.folder.glob(".veopipe-*"))


@pytest.mark.usefixtures("started")
def test_the_player_knows_no_key_has_its_limits_and_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEOPIPE_API_KEY", "sk-canary-0123456789")
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip(0, 12))

    def playing() -> list[psutil.Process]:
        return [one for one in psutil.Process().children() if "veopipe.film.player" in one.cmdline()]

    async def look() -> None:
        async with screened(path) as screen:
            (process,) = playing()
            assert "canary" not in repr(process.environ())
            assert process.rlimit(psutil.RLIMIT_FSIZE)[0] == 0
            async for some in screen.pictures((320, 180), 12, begin="0", step="1", fps=None):
                assert {len(each) for each in some} == {320 * 180 * 3 // 2}
        assert not playing()

    asyncio.run(look())


@pytest.mark.usefixtures("started")
def test_a_player_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(numbered.film("no sound"))
    monkeypatch.setattr(screening, "LIMIT_S", 0.02)

    async def look() -> None:
        async with screened(path) as screen:
            await screen.ask("count")

    with pytest.raises(Unplayable, match="didn't finish within"):
        asyncio.run(look())
