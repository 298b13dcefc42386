"""A film comes out of whatever is wrapped around it, in pieces of any size, and nothing else does."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from veopipe.delivery.mp4.wrapping import OPENING, Unwrappable, wrapping_of

FILM = (Path(__file__).parents[1] / "media/whole/moov-first.mp4").read_bytes()
SIGN = b";chunk-signature=" + b"0" * 64


def framed(body: bytes, sign: bytes = b"", size: int = 1000, line: bytes = b"%X%b\r\n%b\r\n") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)] + [b""]
    return b"".join(line % (len(piece), sign, piece) for piece in pieces)


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def unwrapped(body: bytes, step: int = 1 << 20) -> tuple[bytes, bool]:
    wrapping = wrapping_of(body[:OPENING])
    assert wrapping is not None
    pieces = [piece for at in range(0, len(body), step) for piece in wrapping.feed(body[at : at + step])]
    return b"".join(pieces), wrapping.is_over


WRAPPED = {
    "nothing": FILM,
    "gzip": gzip.compress(FILM),
    "gzip with a tail": gzip.compress(FILM) + b"tail",
    "zlib": zlib.compress(FILM),
    "deflate": deflated(FILM),
    "frames": framed(FILM),
    "signed frames": framed(FILM, SIGN),
    "one frame": framed(FILM, SIGN, 1 << 20),
    "tiny frames": framed(FILM, SIGN, 17),
    "frames with sums behind": framed(FILM).removesuffix(b"\r\n") + b"x-amz-checksum-crc32:AAAA==\r\n\r\n",
    "frames with line feeds": framed(FILM, SIGN, line=b"%X%b\n%b\n"),
    "frames with wide sizes": framed(FILM, line=b"%016x%b\r\n%b\r\n"),
    "frames behind a mark": b"\xef\xbb\xbf" + framed(FILM),
    "frames behind newlines": b"\n\r\n\n" + framed(FILM),
    "gzip in two members": gzip.compress(FILM[:9000]) + gzip.compress(FILM[9000:]),
    "gzip in five members": b"".join(gzip.compress(FILM[at : at + 5000]) for at in range(0, len(FILM), 5000)),
    "gzip in frames": framed(gzip.compress(FILM)),
    "frames in gzip": gzip.compress(framed(FILM, SIGN)),
    "gzip in gzip": gzip.compress(gzip.compress(FILM)),
    "deflate in gzip in frames": framed(gzip.compress(deflated(FILM))),
    "gzip behind a mark": b"\xef\xbb\xbf" + gzip.compress(FILM),
    "frames in frames": framed(framed(FILM), SIGN, 700),
    "a warning in gzip": gzip.compress(b"Warning: 3\n" + FILM),
    "one part of all": b"--b\r\nContent-Range: bytes 0-%d/%d\r\n\r\n" % (len(FILM) - 1, len(FILM)) + FILM,
    "byte order mark": b"\xef\xbb\xbf" + FILM,
    "newline": b"\r\n" + FILM,
    "warning": b"<b>Warning</b>: Undefined variable in a.php on line 3<br>\n" * 20 + FILM,
}


@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("body", WRAPPED.values(), ids=WRAPPED)
def test_the_film_comes_out(body: bytes, step: int) -> None:
    assert unwrapped(body, step) == (FILM, True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<!doctype html>" + b" " * 500, id="page"),
        pytest.param(b'{"error": {"message": "no"}}', id="words"),
        pytest.param(b"abc free of charge", id="a-word-that-is-a-box"),
        pytest.param(gzip.compress(b'{"error": "no"}'), id="packed-words"),
        pytest.param(framed(b"<html>"), id="framed-page"),
        pytest.param(b"ftyp", id="only-a-word"),
        pytest.param(b" " * OPENING + FILM, id="too-far-behind"),
        pytest.param(bytes(4096), id="zeros"),
        pytest.param(b"Warning: 3\n" + framed(FILM), id="frames-behind-words"),
        pytest.param(b"--b\nContent-Range: bytes 0-8191/21765\n\n" + FILM[:8192] + b"\n--b\n", id="one-part-of-many"),
        pytest.param(gzip.compress(gzip.compress(gzip.compress(gzip.compress(FILM)))), id="packed-four-times"),
        pytest.param(b"\x1f\x8b\x08", id="three-bytes-of-gzip"),
    ],
)
def test_what_is_no_film_has_no_wrapping(body: bytes) -> None:
    assert wrapping_of(body[:OPENING]) is None


@pytest.mark.parametrize("make", [gzip.compress, zlib.compress, deflated, framed])
def test_what_breaks_off_is_not_over(make: Callable[[bytes], bytes]) -> None:
    film, is_over = unwrapped(make(FILM)[:-100])

    assert not is_over
    assert FILM.startswith(film[:1000])


@pytest.mark.parametrize("body", [gzip.compress(FILM), framed(FILM)], ids=["gzip", "frames"])
def test_what_is_spoilt_on_the_way_says_so(body: bytes) -> None:
    spoilt = body[:6000] + bytes(3000) + body[9000:]

    with pytest.raises(Unwrappable, match=r"unpacked|size in front"):
        unwrapped(spoilt)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """200 MB of nothing behind the begin of a film, packed."""
    return gzip.compress(FILM[:2000] + bytes(200 << 20))


@pytest.mark.parametrize("wrap", [bytes, gzip.compress, framed], ids=["gzip", "gzip-twice", "frames"])
def test_a_bomb_is_given_up_and_never_held(bomb: bytes, wrap: Callable[[bytes], bytes]) -> None:
    bomb = wrap(bomb)
    wrapping = wrapping_of(bomb[:OPENING])
    assert wrapping is not None
    tracemalloc.start()
    with pytest.raises(Unwrappable, match="far more than a video does"):
        for _ in wrapping.feed(bomb):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
