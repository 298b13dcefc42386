"""Damaged videos by the thousand: the walk and the measuring child end, in time, and believe no half of a file.

Per push always the same ones; `VEOPIPE_LONG=1` tries many more, other ones each time.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.harness.figures import LONG, LONGEST_INPUT, Figures
from tests.harness.fuzzing import DECODED, MEASURED, MEDIA, TESTS, UNSAFE, WALKED
from veopipe.delivery.child import Child, asked_of
from veopipe.delivery.measure import Measured, Prober, Unmeasurable
from veopipe.delivery.mp4 import boxes
from veopipe.film.frames import LARGEST_PNG

# Fragments may end after any of them, so a cut there can be a whole file.
ORIGINALS = [path.read_bytes() for path in sorted(MEDIA.iterdir()) if path.stat().st_size < 30_000]
DAMAGED = TESTS / "media/damaged"
ONE_PIECE = [content for content in ORIGINALS if b"moof" not in content]
INDEX = (b"moov", b"moof", b"stbl", b"stsz", b"stco", b"stts", b"stsc", b"tkhd", b"mdhd", b"ftyp", b"mdat")


def mutant(dice: random.Random) -> tuple[str, bytes]:
    """A damaged file, and how it was damaged."""
    how = dice.choice(["cut", "zeros", "bytes", "bytes", "size", "size", "spliced"])
    content = bytearray(dice.choice(ONE_PIECE if how in {"cut", "zeros"} else ORIGINALS))
    if how == "cut":
        return how, bytes(content[: dice.randrange(len(content))])
    if how == "zeros":
        kept = dice.randrange(24, len(content) - 1024)
        return how, bytes(content[:kept]) + bytes(len(content) - kept)
    place = content.find(dice.choice(INDEX))
    at = max(4, place) + dice.randint(-4, 60)
    if how == "bytes":
        for _ in range(dice.randint(1, 4)):
            content[min(len(content) - 1, at + dice.randint(0, 2000))] = dice.randrange(256)
    elif how == "size":  # of a box, or a count in it
        size = dice.choice([0, 1, 7, 8, 2**31 - 1, 2**31, 2**32 - 1, len(content), dice.randrange(2**32)])
        at = min(at, len(content) - 4)
        content[at : at + 4] = size.to_bytes(4, "big")
    else:
        other = dice.choice(ORIGINALS)
        begin = dice.randrange(len(other))
        content[at:at] = other[begin : begin + dice.randint(1, 400)]
    return how, bytes(content)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.shows("hostile input, at least 10,000")
def test_every_damaged_video_is_walked_in_a_moment_and_no_part_of_one_passes(tmp_path: Path, figures: Figures) -> None:
    dice, passed, path = random.Random(None if LONG else 6), 0, tmp_path / "v.mp4"
    seed = dice.getrandbits(64)
    dice.seed(seed)
    for number in range(WALKED):
        how, content = mutant(dice)
        path.write_bytes(content)
        began = time.process_time()
        found = boxes.look(path)
        assert time.process_time() - began < LONGEST_INPUT, (seed, number, how)
        is_whole = isinstance(found, boxes.Video)
        assert isinstance(found, boxes.Video) or found.reason
        assert not is_whole or how not in {"cut", "zeros"}, (seed, number, how)
        passed += is_whole
    figures(inputs=WALKED)
    assert 0 < passed < WALKED * 0.9, "the damage is too mild or too wild to show anything"


@pytest.mark.timeout(1800)
@pytest.mark.shows("hostile input, at least 10,000")
@pytest.mark.shows("e 27")
def test_every_damaged_video_is_measured_or_refused_and_the_child_never_hangs(tmp_path: Path, figures: Figures) -> None:
    dice, path = random.Random(None if LONG else 7), tmp_path / "v.mp4"
    seed = dice.getrandbits(64)
    dice.seed(seed)

    async def measure_all() -> list[tuple[str, Measured | Unmeasurable]]:
        found = []
        async with Prober() as prober:
            for _ in range(MEASURED):
                how, content = mutant(dice)
                path.write_bytes(content)
                found.append((how, await prober.measure(path)))
        return found

    found = asyncio.run(measure_all())
    figures(inputs=MEASURED)
    assert not [how for how, facts in found if how in {"cut", "zeros"} and isinstance(facts, Measured)], seed
    reasons = {facts.reason for _, facts in found if isinstance(facts, Unmeasurable)}
    assert not [reason for reason in reasons if "didn't finish" in reason or "crashed" in reason], (seed, reasons)
    assert any(isinstance(facts, Measured) for _, facts in found)


@pytest.mark.timeout(1800)
@pytest.mark.shows("hostile input, at least 10,000")
@pytest.mark.shows("e 25")
def test_every_damaged_video_is_decoded_or_refused_and_the_child_never_hangs(tmp_path: Path, figures: Figures) -> None:
    """The walk of the boxes, which refuses most of them, is left out: the decoder gets them all."""
    dice, path = random.Random(None if LONG else 8), tmp_path / "v.mp4"
    seed = dice.getrandbits(64)
    dice.seed(seed)

    async def decode_all() -> list[str]:
        contents = [mutant(dice)[1] for _ in range(DECODED)] + [one.read_bytes() for one in sorted(DAMAGED.iterdir())]
        child = await Child.start("veopipe.film.decoder", "the decoding process")
        answers = []
        for number, content in enumerate(contents):
            path.write_bytes(content)
            answers.append(await child.ask(asked_of(path, at="last", largest_png=LARGEST_PNG), 20.0))
            assert answers[-1] is not None, f"the decoder crashed: {seed}, {number}"
        await child.end()
        return [answer.error or "a frame" for answer in answers if answer is not None]

    said = asyncio.run(decode_all())
    figures(inputs=len(said))
    assert not [words for words in said if UNSAFE.search(words)], seed
    assert {"a frame", "it can't be decoded: Invalid data found when processing input"} <= set(said)


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


@pytest.mark.shows("e 27")
def test_a_title_of_megabytes_full_of_controls_is_only_a_title(tmp_path: Path, figures: Figures) -> None:
    content = (MEDIA / "moov-last.mp4").read_bytes()
    at = content.index(b"moov") - 4
    size = int.from_bytes(content[at : at + 4], "big")
    text = b"\x1b]0;owned\x07\r\xe2\x80\xae\x00" * (5_000_000 // 16)
    title = box(b"\xa9nam", box(b"data", (1).to_bytes(4, "big") + bytes(4) + text))
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    more = box(b"udta", box(b"meta", bytes(4) + handler + box(b"ilst", title)))
    path = tmp_path / "title.mp4"
    path.write_bytes(content[:at] + box(b"moov", content[at + 8 : at + size] + more) + content[at + size :])

    async def measure() -> list[Measured | Unmeasurable]:
        async with Prober() as prober:
            return [await prober.measure(one) for one in (path, MEDIA / "moov-last.mp4")]

    spoilt, good = asyncio.run(measure())
    figures(inputs=1)
    assert isinstance(good, Measured)
    assert spoilt == good or isinstance(spoilt, Unmeasurable)
    assert not UNSAFE.search(repr(spoilt))


def test_no_whole_video_is_refused(figures: Figures) -> None:
    whole = [path for path in sorted(MEDIA.iterdir()) if path.suffix == ".mp4"]
    assert [path.name for path in whole if isinstance(boxes.look(path), boxes.BoxFault)] == []
    assert len(whole) >= 12
    figures(inputs=len(whole))
