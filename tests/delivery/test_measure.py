"""Measuring real files with the real library in real child processes, and judging them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import psutil
import pytest
from pymediainfo import MediaInfo

from veopipe.delivery import probe
from veopipe.delivery.measure import Measured, Prober, Unmeasurable, Verdict, judge, reconciled
from veopipe.delivery.mp4.boxes import Video
from veopipe.takes.order import Order

ROOT = Path(__file__).parents[2]
MEDIA = Path(__file__).parents[1] / "media"
WHOLE = sorted((MEDIA / "whole").glob("*.mp4"))
DAMAGED = sorted((MEDIA / "damaged").glob("*.mp4"))
GOOD = MEDIA / "whole/moov-last.mp4"
HANGS = MEDIA / "damaged/stts-entries.mp4"
"""libmediainfo 24.12 never returns from this file."""


def measure(path: Path, *, walked: bool = False, limit_s: float = 20.0) -> Measured | Unmeasurable:
    async def once() -> Measured | Unmeasurable:
        async with Prober(limit_s) as prober:
            return await prober.measure(path, walked=walked)

    return asyncio.run(once())


def measuring() -> list[psutil.Process]:
    """The children of this test process that measure."""
    return [one for one in psutil.Process().children() if "veopipe.delivery.probe" in one.cmdline()]


def child() -> psutil.Process:
    """The only one."""
    (found,) = measuring()
    return found


def test_the_facts_of_a_file_are_those_it_was_made_with() -> None:
    assert measure(GOOD) == Measured(320, 180, 2.0, 24.0, "AVC", "AAC", "MPEG-4")


@pytest.mark.parametrize("path", [*WHOLE, *sorted((MEDIA / "odd").glob("*.mp4"))], ids=lambda path: path.stem)
def test_a_quick_look_finds_what_a_long_one_finds(path: Path) -> None:
    with path.open("rb") as quick, path.open("rb") as long:
        found = [MediaInfo.parse(quick, parse_speed=probe.SPEED), MediaInfo.parse(long)]
    assert probe._facts(found[0]) == probe._facts(found[1])


def test_every_whole_file_is_measured() -> None:
    async def all_of_them() -> dict[str, Measured | Unmeasurable]:
        async with Prober() as prober:
            found = await asyncio.gather(*(prober.measure(path) for path in WHOLE))
        return {path.stem: facts for path, facts in zip(WHOLE, found, strict=True)}

    found = asyncio.run(all_of_them())

    for name, facts in found.items():
        assert isinstance(facts, Measured), name
        assert facts.duration_s == pytest.approx(2.0, abs=0.01), name
    portrait, full = found["portrait-silent-30fps"], found["height-1080-coded-1088"]
    assert portrait == Measured(180, 320, 2.0, 30.0, "AVC", None, "MPEG-4")
    assert isinstance(full, Measured)
    assert (full.width, full.height) == (1920, 1080)


@pytest.mark.parametrize("name", ["moov-last", "frame-by-frame"])
def test_a_film_is_as_long_as_its_pictures_last(name: str) -> None:
    """Of the second libmediainfo adds up what its fragments claim of themselves: 0.105 s."""
    measured = measure(next(MEDIA.glob(f"*/{name}.mp4")))

    assert isinstance(measured, Measured)
    assert measured.duration_s == pytest.approx(2 if name == "moov-last" else 4, abs=0.05)
    assert measured.fps == pytest.approx(24, abs=0.2)


UNKNOWN = 2**32 - 1


def lying(name: str, *lies: tuple[bytes, int, int]) -> bytes:
    """A file of `whole/` with other numbers at these places of boxes: kind, bytes behind it, number."""
    content = bytearray((MEDIA / f"whole/{name}.mp4").read_bytes())
    for kind, behind, number in lies:
        at = content.index(kind) + 4 + behind
        content[at : at + 4] = number.to_bytes(4, "big")
    return bytes(content)


MVHD, TKHD, MDHD, ELST = (b"mvhd", 16), (b"tkhd", 20), (b"mdhd", 16), (b"elst", 8)
TIMES = (b"stts", 12)
"""Where durations stand; the first track of pictures plays 2 s: 2000 of 1/1000 s, 24576 of 1/12288 s."""


@pytest.mark.parametrize(
    "content",
    [
        *(
            pytest.param(lying("moov-last", (*place, number)), id=f"{place[0].decode()}-{name}")
            for place in (MVHD, TKHD, MDHD)
            for name, number in (("unknown", UNKNOWN), ("zero", 0), ("too-long", 99_000), ("too-short", 90))
        ),
        pytest.param(lying("moov-last", (*MVHD, 0), (*TKHD, 0), (*MDHD, 0), (*ELST, 0)), id="nothing-said"),
        pytest.param(lying("moov-last", (*MVHD, 9000), (*TKHD, 9000), (*MDHD, 110_592)), id="all-headers-too-long"),
        pytest.param(lying("portrait-silent-30fps", (*TKHD, UNKNOWN)), id="silent-and-unknown"),
        pytest.param(lying("portrait-silent-30fps", (*TKHD, 9000)), id="silent-and-too-long"),
        *(
            pytest.param(lying(name, (*place, number)), id=f"{name}-{place[0].decode()}-{number}")
            for name in ("fragmented", "fragmented-old-style", "fragmented-with-index")
            for place in (MVHD, TKHD, MDHD)
            for number in (UNKNOWN, 700)
        ),
    ],
)
def test_a_header_that_says_otherwise_changes_no_duration(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    found = measure(tmp_path / "a.mp4")

    assert isinstance(found, Measured), found
    assert found.duration_s == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lying("moov-last", (*TIMES, 1)), id="each-frame-a-tick"),
        pytest.param(lying("moov-last", (*ELST, 900)), id="a-cut-that-nobody-else-knows"),
        pytest.param(lying("portrait-silent-30fps", (*MDHD, 138_240), (*TKHD, 9000)), id="silent-and-two-that-agree"),
    ],
)
def test_where_the_witnesses_contradict_each_other_nobody_is_believed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    found = measure(tmp_path / "a.mp4")

    assert isinstance(found, Unmeasurable), found
    assert found.reason.startswith("it contradicts itself: libmediainfo measures ")


SIX = Video(closed=True, seconds=6.0, count=144)
LIBRARY = Measured(1280, 720, 8.0, 18.0, "AVC", "AAC", "MPEG-4")


@pytest.mark.parametrize(
    ("video", "duration_s"),
    [
        pytest.param(Video(closed=True, seconds=8.021, count=192), 8.021, id="about-the-same"),
        pytest.param(SIX, 6.0, id="no-other-witness"),
        pytest.param(replace(SIX, witnesses=(6.02, 8.0, 8.0)), 6.0, id="the-sound-before-the-headers"),
        pytest.param(replace(SIX, witnesses=(8.02, 6.0, 6.0)), None, id="the-sound-beside-the-library"),
        pytest.param(replace(SIX, witnesses=(3.0, 6.0)), 6.0, id="the-first-that-sides-with-one"),
        pytest.param(replace(SIX, witnesses=(3.0, 8.0)), None, id="the-first-that-sides-with-the-other"),
        pytest.param(Video(closed=False), 8.0, id="samples-without-durations"),
    ],
)
def test_the_samples_are_believed_before_the_library(video: Video, duration_s: float | None) -> None:
    found = reconciled(LIBRARY, video)

    if duration_s is None:
        assert isinstance(found, Unmeasurable)
    else:
        assert isinstance(found, Measured)
        assert found.duration_s == duration_s


def test_no_damaged_file_is_measured_and_one_child_is_enough_for_all() -> None:
    async def all_of_them() -> list[Measured | Unmeasurable]:
        async with Prober() as prober:
            await prober.measure(GOOD)
            before = child().pid
            found = [await prober.measure(path) for path in DAMAGED]
            assert child().pid == before
        return found

    for path, found in zip(DAMAGED, asyncio.run(all_of_them()), strict=True):
        assert isinstance(found, Unmeasurable), path.name
        assert found.reason.startswith("the file "), path.name


def test_a_file_on_which_the_library_hangs_is_stopped_and_the_next_is_measured() -> None:
    async def both() -> None:
        async with Prober(limit_s=1.0) as prober:
            first, second = await asyncio.gather(prober.measure(HANGS, walked=True), prober.measure(GOOD))
        assert first == Unmeasurable("libmediainfo didn't finish within 1 s and was stopped")
        assert isinstance(second, Measured)

    asyncio.run(both())


def test_a_child_whose_question_was_cancelled_is_never_asked_again() -> None:
    async def cancel_then_ask() -> None:
        async with Prober() as prober:
            await prober.measure(GOOD)
            hung = child()
            asking = asyncio.create_task(prober.measure(HANGS, walked=True))
            await asyncio.sleep(0.2)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert isinstance(await prober.measure(GOOD), Measured)
            assert hung.pid != child().pid
            await asyncio.to_thread(hung.wait, 5)

    asyncio.run(cancel_then_ask())


def test_a_child_that_died_between_two_files_is_replaced() -> None:
    async def kill_between() -> None:
        async with Prober() as prober:
            await prober.measure(GOOD)
            os.kill(child().pid, signal.SIGKILL)
            assert isinstance(await prober.measure(GOOD), Measured)

    asyncio.run(kill_between())


def test_closing_ends_the_child_and_the_prober_can_be_used_again() -> None:
    async def close_twice() -> None:
        prober = Prober()
        await prober.measure(GOOD)
        first = child()
        await prober.close()
        assert not first.is_running()
        assert isinstance(await prober.measure(GOOD), Measured)
        await prober.close()
        await prober.close()
        assert not measuring()

    asyncio.run(close_twice())


def test_the_event_loop_goes_on_while_the_library_hangs() -> None:
    async def count_turns() -> int:
        async with Prober(limit_s=0.5) as prober:
            asking = asyncio.create_task(prober.measure(HANGS, walked=True))
            turns = 0
            while not asking.done():
                await asyncio.sleep(0.01)
                turns += 1
        return turns

    assert asyncio.run(count_turns()) >= 20


def test_the_child_knows_no_key_and_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEOPIPE_API_KEY", "sk-canary-0123456789")
    monkeypatch.setenv("OTHER_SECRET", "canary")

    async def look() -> None:
        async with Prober() as prober:
            await prober.measure(GOOD)
            process = child()
            assert "canary" not in repr(process.environ())
            assert process.cwd() == "/"
            assert os.getsid(process.pid) == process.pid
            if hasattr(process, "rlimit"):
                assert process.rlimit(psutil.RLIMIT_AS)[0] == 1536 * 1024 * 1024
                assert process.rlimit(psutil.RLIMIT_FSIZE)[0] == 0

    asyncio.run(look())


ORPHAN = """
import asyncio, signal, sys
from pathlib import Path
from veopipe.delivery.measure import Prober

async def main(path):
    prober = Prober(limit_s=0.5)
    await prober.measure(Path(sys.argv[1]))
    if path:
        asyncio.create_task(prober.measure(Path(path), walked=True))
        await asyncio.sleep(0.2)
    print("asking", flush=True)
    signal.pause()  # blocks the loop: this process can't stop the child any more

asyncio.run(main(sys.argv[2]))
"""


@pytest.mark.parametrize("path", ["", str(HANGS)], ids=["idle", "hanging"])
def test_a_child_ends_by_itself_when_veopipe_is_killed(path: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(GOOD), path],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        assert parent.stdout.readline() == b"asking\n"
        (orphan,) = psutil.Process(parent.pid).children()
        parent.kill()
        parent.wait()

    orphan.wait(timeout=6)
    assert not orphan.is_running()


@pytest.mark.parametrize("name", ["ä ö 漢字.mp4", "a?x=1#b*.mp4", "http:--x\n.mp4", os.fsdecode(b"\xff\xfe.mp4")])
def test_a_name_of_any_kind_is_only_a_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(GOOD.read_bytes())

    assert isinstance(measure(path), Measured)


def test_a_path_relative_to_the_working_directory_is_found() -> None:
    assert isinstance(measure(Path(os.path.relpath(GOOD))), Measured)


def test_a_file_that_is_gone_or_a_pipe_is_unmeasurable_but_not_damaged_content(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")

    gone = measure(tmp_path / "gone.mp4")
    pipe = measure(tmp_path / "pipe.mp4", walked=True)

    assert gone == Unmeasurable("the file can't be read: No such file or directory")
    assert pipe == Unmeasurable("the file can't be read: not a regular file")
    assert isinstance(measure(Path("a\0b")), Unmeasurable)


@pytest.mark.shows("e 26")
def test_a_playlist_called_mp4_opens_nothing_that_it_names(tmp_path: Path) -> None:
    named = tmp_path / "named"
    os.mkfifo(named)  # whoever opened it would wait for ever
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:8,\n{named}\n#EXT-X-ENDLIST\n")

    found = measure(tmp_path / "list.mp4", walked=True, limit_s=3)

    assert found == Unmeasurable("libmediainfo can't read the file: no ftyp box")


def test_the_child_answers_one_line_for_each_line_and_ends_with_its_input() -> None:
    questions = [{"path": str(GOOD), "limit_s": 5}, {"path": "/nowhere", "limit_s": 5}]
    process = subprocess.run(
        [sys.executable, "-m", "veopipe.delivery.probe"],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
        check=True,
    )

    hello, facts, missing = (json.loads(line) for line in process.stdout.splitlines())
    assert hello == {"ready": True}
    assert facts["width"] == 320
    assert missing == {"error": "the file can't be read: No such file or directory"}


def test_the_child_ends_itself_when_the_library_hangs_and_nobody_stops_it() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "veopipe.delivery.probe"],
        input=json.dumps({"path": str(HANGS), "limit_s": 0.3}) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
        check=False,
    )

    assert process.returncode == -signal.SIGALRM


@pytest.mark.slow
def test_mutants_cost_neither_a_hang_nor_a_child_nor_a_false_yes(tmp_path: Path) -> None:
    random = Random(5)
    originals = [path.read_bytes() for path in WHOLE if path.stat().st_size < 30_000 and "fragm" not in path.stem]

    def mutant(turn: int) -> tuple[str, bytes]:
        content = bytearray(random.choice(originals))
        if turn % 4 == 0:
            return "cut", bytes(content[: random.randrange(len(content))])
        if turn % 4 == 1:
            kept = random.randrange(24, len(content) - 1024)
            return "zeros", bytes(content[:kept]) + bytes(len(content) - kept)
        start = content.index(b"moov")
        for _ in range(random.randint(1, 3)):
            content[min(len(content) - 1, start + random.randint(-8, 2300))] = random.randrange(256)
        return "flipped", bytes(content)

    async def all_of_them() -> list[tuple[str, Measured | Unmeasurable]]:
        found = []
        async with Prober(limit_s=10) as prober:
            for turn in range(1000):
                kind, content = mutant(turn)
                path = tmp_path / "mutant.mp4"
                path.write_bytes(content)
                found.append((kind, await prober.measure(path)))
        return found

    found = asyncio.run(all_of_them())

    assert not [kind for kind, facts in found if kind != "flipped" and isinstance(facts, Measured)]
    reasons = " ".join(facts.reason for _, facts in found if isinstance(facts, Unmeasurable))
    assert "didn't finish" not in reasons
    assert "crashed" not in reasons
    assert sum(isinstance(facts, Measured) for _, facts in found) > 100


UHD = Measured(3840, 2160, 8.0, 24.0, "AVC", "AAC", "MPEG-4")
ORDERED = Order("veo", "A pier", 8, "4k", "16:9", None, None, (), 1)


def changed(**facts: object) -> Measured:
    return replace(UHD, **facts)


@pytest.mark.parametrize(
    ("measured", "differences", "notes"),
    [
        pytest.param(UHD, (), (), id="as-ordered"),
        pytest.param(
            changed(width=1920, height=1080),
            ("ordered 3840x2160, measured 1920x1080",),
            (),
            id="4k-delivered-as-1080p",
        ),
        pytest.param(changed(width=2160, height=3840), ("ordered 3840x2160, measured 2160x3840",), (), id="portrait"),
        pytest.param(changed(height=2176), ("ordered 3840x2160, measured 3840x2176",), (), id="coded-height"),
        pytest.param(changed(duration_s=8.25), (), (), id="longer-within-tolerance"),
        pytest.param(changed(duration_s=7.75), (), (), id="shorter-within-tolerance"),
        pytest.param(changed(duration_s=8.251), ("ordered 8 s, measured 8.251 s",), (), id="too-long"),
        pytest.param(changed(duration_s=4.0), ("ordered 8 s, measured 4 s",), (), id="too-short"),
        pytest.param(changed(fps=30.0), (), ("30 frames per second instead of 24",), id="30-fps"),
        pytest.param(changed(fps=23.976), (), (), id="film-rate"),
        pytest.param(changed(fps=None), (), (), id="rate-unknown"),
        pytest.param(changed(audio_codec=None), (), ("no audio track",), id="silent"),
    ],
)
def test_resolution_and_duration_decide_and_the_rest_is_noted(
    measured: Measured, differences: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    assert judge(measured, ORDERED, 0.25) == Verdict(differences, notes)


def test_all_differences_are_named() -> None:
    verdict = judge(changed(width=1280, height=720, duration_s=4.0), ORDERED, 0.25)

    assert not verdict.matches
    assert verdict.differences == ("ordered 3840x2160, measured 1280x720", "ordered 8 s, measured 4 s")
