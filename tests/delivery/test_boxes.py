"""The box walk: every whole MP4 passes, nothing else does, and nothing takes long."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from random import Random

import pytest

from veopipe.delivery.mp4.boxes import BoxFault, Video, look, looks_like_mp4
from veopipe.delivery.mp4.mp4 import MAX_BOXES

MEDIA = Path(__file__).parents[1] / "media"
WHOLE = sorted((MEDIA / "whole").glob("*.mp4"))
DAMAGED = sorted((MEDIA / "damaged").glob("*.mp4"))
FTYP = b"\0\0\0\x18ftypisom\0\0\2\0isommp41"


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_a_whole_file_passes(path: Path) -> None:
    assert isinstance(look(path), Video)


@pytest.mark.parametrize("path", DAMAGED, ids=lambda path: path.stem)
def test_a_damaged_file_is_refused_with_a_reason(path: Path) -> None:
    found = look(path)

    assert isinstance(found, BoxFault)
    assert len(found.reason) > 5


@pytest.mark.parametrize(("kind", "at"), [(b"sbgp", 16), (b"sgpd", 20)], ids=["sbgp", "sgpd"])
def test_groups_that_claim_millions_of_entries_are_refused(kind: bytes, at: int, tmp_path: Path) -> None:
    """libmediainfo counts through all of them: each of these two keeps it busy for minutes."""
    content = bytearray((MEDIA / "whole/mdat-64-bit.mp4").read_bytes())
    content[content.index(kind) - 4 + at] = 0x32
    (tmp_path / "a.mp4").write_bytes(content)
    found = look(tmp_path / "a.mp4")

    assert isinstance(found, BoxFault)
    assert found.reason == f"has a table ({kind.decode()}) that claims more entries than it has room for"


def test_there_are_files_of_both_kinds() -> None:
    assert len(WHOLE) >= 10
    assert len(DAMAGED) >= 20


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_a_file_cut_anywhere_is_refused(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    boundaries = top_level_ends(content)
    random = Random(path.stem)
    cut = tmp_path / "cut.mp4"
    for length in {random.randrange(len(content)) for _ in range(60)} | {len(content) - 1}:
        if b"moof" in content and length in boundaries:
            continue  # a stream of fragments may end after any of them
        cut.write_bytes(content[:length])
        assert isinstance(look(cut), BoxFault), length


def top_level_ends(content: bytes) -> set[int]:
    ends, position = set(), 0
    while position < len(content):
        size = struct.unpack_from(">I", content, position)[0]
        if size == 1:
            size = struct.unpack_from(">Q", content, position + 8)[0]
        position += size or len(content)
        ends.add(position)
    return ends


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_a_file_with_a_tail_of_zeros_is_refused(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    random = Random(path.stem)
    for _ in range(30):
        kept = random.randrange(24, len(content) - 1024)
        (tmp_path / "zeros.mp4").write_bytes(content[:kept] + bytes(len(content) - kept))
        assert isinstance(look(tmp_path / "zeros.mp4"), BoxFault), kept


TAILS = {
    "newline": b"\n",
    "zeros": bytes(4096),
    "tag": b"TAG" + bytes(125),
    "page": b"</body></html>",
    "words": b'{"error": {"message": "stream closed"}}',
    "huge-box": b"\x7f\xff\xff\xfffree",
    "box-of-no-size": b"\0\0\0\x04free" + bytes(4),
    "random": Random(1).randbytes(500),
}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_what_follows_a_whole_film_is_forgiven(path: Path, tail: str, tmp_path: Path) -> None:
    """Zeros behind a stream of fragments that has no index could stand for more of them.

    Random bytes could be the end of the film, pushed out by others: the samples of AV1 and MPEG-4 don't tell.
    """
    content = path.read_bytes()
    for film in (content, content[: content.rindex(b"mfra") - 4] if b"mfra" in content else content):
        (tmp_path / "a.mp4").write_bytes(film + TAILS[tail])
        told = b"moof" not in film or b"mfra" in film or b"sidx" in film
        tells = path.stem not in {"av1-opus", "mpeg4"}
        forgiven = (told or tail != "zeros") and (tells or tail != "random")
        assert isinstance(look(tmp_path / "a.mp4"), Video) is forgiven


SLIPPED_IN = {
    "a newline and more": b"\r\n--b\r\nContent-Range: bytes 65536-/142868\r\n\r\n",
    "a size line": b"\r\n10000\r\n",
    "a wide size line": b"\n0000000000010000\n",
    "zeros": bytes(64),
}


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_a_film_that_something_was_slipped_into_is_refused(path: Path, tmp_path: Path) -> None:
    """Its samples still lie inside its media box, and only its last bytes are pushed out of that.

    Only in the last samples of all, behind which nothing is out of place, it may pass.
    """
    content, spliced = path.read_bytes(), tmp_path / "spliced.mp4"
    first, end = content.index(b"mdat") + 4, max(found.end() for found in re.finditer(b"mdat", content))
    random, last = Random(path.stem), (end if b"moof" in content else content.rfind(b"moov")) - 4
    last = first + 9 * ((last if last > first else len(content)) - first) // 10
    for _ in range(25):
        at = random.randrange(first, last)
        size = random.randrange(20, 2000)
        for inserted in (*SLIPPED_IN.values(), content[max(0, at - size) : at]):
            spliced.write_bytes(content[:at] + inserted + content[at:])
            assert isinstance(look(spliced), BoxFault), (at, inserted[:40])


@pytest.mark.parametrize("name", ["moov-first", "hevc", "mdat-to-end-of-file", "fragmented"])
def test_a_film_of_the_right_size_with_other_bytes_slipped_in_is_refused(name: str, tmp_path: Path) -> None:
    """A store that counts the film and sends the framing, too: what is pushed out never arrives."""
    content = (MEDIA / f"whole/{name}.mp4").read_bytes()
    first, random = content.index(b"mdat") + 4, Random(name)
    for _ in range(40):
        at = random.randrange(first, first + 3 * (len(content) - first) // 4)
        (tmp_path / "a.mp4").write_bytes((content[:at] + b"\r\n10000\r\n" + content[at:])[: len(content)])
        assert isinstance(look(tmp_path / "a.mp4"), BoxFault), at


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_an_index_or_a_film_behind_a_film_is_looked_at_no_more(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    if content.endswith(b"mdat") or b"\0\0\0\0mdat" in content:
        return  # its media reach to the end of the file, whatever follows
    (tmp_path / "twice.mp4").write_bytes(content * 2)

    assert isinstance(look(tmp_path / "twice.mp4"), Video)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_what_follows_a_part_of_a_film_makes_it_no_whole_one(path: Path, tail: str, tmp_path: Path) -> None:
    content = path.read_bytes()
    boundaries, random, longest = top_level_ends(content), Random(path.stem), len(TAILS[tail])
    for _ in range(20):
        kept = random.randrange(24, len(content) - longest)
        if b"moof" in content and kept in boundaries:
            continue  # a stream of fragments may end after any of them
        if any(0 < end - kept <= longest for end in boundaries):
            continue  # no box is cut off: what follows stands for its last bytes
        (tmp_path / "a.mp4").write_bytes(content[:kept] + TAILS[tail])
        assert isinstance(look(tmp_path / "a.mp4"), BoxFault), kept


@pytest.mark.parametrize("name", ["fragmented", "fragmented-old-style", "fragmented-with-index"])
def test_a_stream_that_is_cut_in_the_first_bytes_of_a_fragment_is_refused(name: str, tmp_path: Path) -> None:
    content = (MEDIA / f"whole/{name}.mp4").read_bytes()
    end = content.rindex(b"moof") - 4
    for more in range(1, 20):
        for zeros in (0, 1, 9, 5000):
            (tmp_path / "a.mp4").write_bytes(content[: end + more] + bytes(zeros))
            assert isinstance(look(tmp_path / "a.mp4"), BoxFault), (more, zeros)
    (tmp_path / "a.mp4").write_bytes(content[:end] + bytes(5000))
    assert isinstance(look(tmp_path / "a.mp4"), BoxFault)


def test_media_that_claim_more_than_there_is_may_hold_every_sample_all_the_same(tmp_path: Path) -> None:
    content = (MEDIA / "whole/moov-first.mp4").read_bytes()
    at = content.index(b"mdat") - 4
    size = struct.unpack_from(">I", content, at)[0]
    (tmp_path / "a.mp4").write_bytes(content[:at] + struct.pack(">I", size + 5000) + content[at + 4 :])
    assert isinstance(look(tmp_path / "a.mp4"), Video)
    (tmp_path / "a.mp4").write_bytes(content[:at] + struct.pack(">I", size + 5000) + content[at + 4 : -1])
    assert look(tmp_path / "a.mp4") == BoxFault("is cut off: its mdat box needs 5,001 more bytes")


def begun_with(*front: bytes) -> bytes:
    """A whole film that begins with these boxes instead of its own `ftyp`, and as long as that was."""
    content = (MEDIA / "whole/moov-last.mp4").read_bytes()
    end = struct.unpack_from(">I", content)[0]
    begin = b"".join(front)
    return begin + box(b"free", bytes(end - len(begin) - 8)) + content[end:]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(begun_with(box(b"wide")), id="wide-and-no-brand"),
        pytest.param(begun_with(box(b"free"), box(b"ftyp", b"qt  \0\0\0\0")), id="free-before-the-brand"),
        pytest.param(begun_with(box(b"styp", b"msdh\0\0\0\0")), id="a-segment"),
        *(
            pytest.param(begun_with(box(b"ftyp", brand, bytes(4))), id=brand.decode().strip())
            for brand in (b"isom", b"mp42", b"qt  ", b"M4V ", b"dash", b"iso6", b"XXXX")
        ),
    ],
)
def test_a_film_may_begin_as_older_and_newer_ones_do(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)

    assert isinstance(look(tmp_path / "a.mp4"), Video)
    assert looks_like_mp4(content[:12])


def test_a_film_says_how_long_it_is_and_who_else_says_so() -> None:
    found = look(MEDIA / "whole/moov-last.mp4")
    stream = look(MEDIA / "odd/frame-by-frame.mp4")

    assert found == Video(closed=True, seconds=2.0, count=48, witnesses=(2.0, 2.0, 2.0))
    assert isinstance(stream, Video)
    assert (stream.closed, stream.count) == (False, 96)
    assert stream.seconds == pytest.approx(4, abs=0.05)


def test_zeros_in_the_last_bytes_of_the_last_picture_are_found(tmp_path: Path) -> None:
    content = (MEDIA / "whole/portrait-silent-30fps.mp4").read_bytes()
    end = content.index(b"moov") - 4  # the media data comes before, and its last sample is a picture
    (tmp_path / "zeros.mp4").write_bytes(content[: end - 20] + bytes(20) + content[end:])

    found = look(tmp_path / "zeros.mp4")

    assert isinstance(found, BoxFault)
    assert found.reason.startswith("has zeros instead of media data")


def test_silence_in_uncompressed_sound_is_not_taken_for_lost_data(tmp_path: Path) -> None:
    content = (MEDIA / "whole/moov-first.mp4").read_bytes()
    at = content.index(b"mp4a")
    silent = bytearray(content[:at] + b"sowt" + content[at + 4 :])
    offsets = content.rindex(b"stco")
    first = struct.unpack_from(">I", content, offsets + 12)[0]
    silent[first : first + 60] = bytes(60)
    (tmp_path / "silent.mp4").write_bytes(silent)
    (tmp_path / "lost.mp4").write_bytes(content[:first] + bytes(60) + content[first + 60 :])

    assert isinstance(look(tmp_path / "silent.mp4"), Video)
    assert isinstance(look(tmp_path / "lost.mp4"), BoxFault)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(FTYP + box(b"free") * (MAX_BOXES + 1), "more than", id="boxes-at-the-top"),
        pytest.param(
            FTYP + box(b"mdat", b"x") + box(b"moov", box(b"free") * (MAX_BOXES + 1)), "more than", id="boxes-inside"
        ),
        pytest.param(FTYP + box(b"mdat", b"x") + box(b"moov"), "no samples", id="empty-moov"),
        pytest.param(FTYP + box(b"moov") * 2 + box(b"mdat", b"x"), "two moov", id="two-moovs"),
        pytest.param(FTYP + box(b"mdat", b"x") + box(b"moov", box(b"trak")), "without its tkhd", id="empty-trak"),
        pytest.param(
            FTYP + box(b"mdat", b"x") + box(b"moov", box(b"trak", box(b"tkhd"))), "too short|without", id="empty-tkhd"
        ),
        pytest.param(
            FTYP + box(b"mdat", b"x") + box(b"moov") + box(b"moof", box(b"traf")), "without a header", id="bare-traf"
        ),
        pytest.param(
            FTYP + box(b"mdat", b"x") + box(b"moov") + box(b"moof", box(b"traf", box(b"tfhd", bytes(8)))),
            "track that doesn't exist",
            id="fragment-of-no-track",
        ),
        pytest.param(FTYP + b"\0\0\0\x04free", "impossible size", id="box-smaller-than-its-header"),
        pytest.param(FTYP + struct.pack(">I4sQ", 1, b"free", 8), "impossible size", id="64-bit-size-too-small"),
        pytest.param(FTYP + b"\0\0\0\x01free\0\0", "ends inside", id="cut-64-bit-header"),
        pytest.param(FTYP + b"\0\0", "ends inside", id="two-bytes-left"),
        pytest.param(box(b"wide"), "no moov", id="nothing-but-wide"),
    ],
)
@pytest.mark.shows("e 25")
def test_a_malformed_file_gets_the_reason_that_fits(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)

    found = look(path)

    assert isinstance(found, BoxFault)
    assert any(part in found.reason for part in reason.split("|")), found


def test_a_file_of_gigabytes_is_answered_at_once_and_never_held(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.write(FTYP + box(b"mdat", b"x") + struct.pack(">I4sQ", 1, b"moov", 2**33))
        file.truncate(2**33 + 33)

    assert look(path) == BoxFault("has a moov box of 8,589,934,592 bytes")


def test_many_boxes_deep_inside_each_other_are_not_followed(tmp_path: Path) -> None:
    nested = b""
    for _ in range(3000):
        nested = box(b"meta", nested)
    content = (MEDIA / "whole/moov-last.mp4").read_bytes()
    (tmp_path / "deep.mp4").write_bytes(content + nested)

    assert isinstance(look(tmp_path / "deep.mp4"), Video)


def test_what_is_not_a_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")

    assert look(tmp_path / "pipe.mp4") == BoxFault("is not a regular file")
    assert look(tmp_path) == BoxFault("is not a regular file")


def test_a_file_that_is_gone_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "gone.mp4")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(FTYP[:12], True, id="ftyp"),
        pytest.param(b"<!doctype ht", False, id="html"),
        pytest.param(b'{"error":{"m', False, id="json"),
        pytest.param(b"#EXTM3U\nftyp", False, id="playlist"),
        pytest.param(b"\0\0\0\x08wide\0\0\0\1", True, id="wide"),
        pytest.param(b"\1\2\3\4mdat1234", True, id="media-first"),
        pytest.param(b"abc free of c", False, id="words"),
        pytest.param(b"\0\0\0\x04ftypisom", False, id="impossible-size"),
        pytest.param(b"\0\0\0", False, id="too-short"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_the_first_bytes_tell_a_video_from_an_error_page(head: bytes, expected: bool) -> None:
    assert looks_like_mp4(head) is expected


@pytest.mark.slow
def test_mutants_never_raise(tmp_path: Path) -> None:
    random = Random(11)
    originals = [path.read_bytes() for path in WHOLE if path.stat().st_size < 30_000]
    path = tmp_path / "mutant.mp4"
    refused = 0
    for _ in range(2000):
        content = bytearray(random.choice(originals))
        at = random.choice([content.find(kind) for kind in (b"moov", b"moof", b"mdat") if kind in content])
        for _ in range(random.randint(1, 4)):
            content[min(len(content) - 1, max(0, at + random.randint(-8, 2500)))] = random.choice((0, 1, 127, 255))
        path.write_bytes(content)
        refused += isinstance(look(path), BoxFault)
    assert refused > 200
