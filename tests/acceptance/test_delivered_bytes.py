"""A whole film is taken for one whatever its label says and whatever lies around it; nothing else is."""

from __future__ import annotations

import base64
import functools
import gzip
import json
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.labelled import Labelled, answer
from veopipe.simulator.footage import Cut, clip
from veopipe.simulator.slate import Slate

if TYPE_CHECKING:
    from tests.harness.film import Film, Result

pytestmark = pytest.mark.slow

HTML = b"<!doctype html><title>502 Bad Gateway</title>" + b" " * 2000
ID3 = b"TAG" + bytes(125)


@pytest.fixture(scope="module")
def video() -> bytes:
    """What the list orders: 4 s at 720p; its index comes first."""
    return clip(Cut(1280, 720, 4), Slate("a cat", ("a", "b", "c", "d", "e", "f")))


def moov_of(video: bytes) -> bytes:
    at = video.index(b"moov") - 4
    return video[at : at + int.from_bytes(video[at : at + 4], "big")]


def chunked(body: bytes, sign: bytes = b"", end: bytes = b"", eol: bytes = b"\r\n") -> bytes:
    pieces = [body[at : at + 5000] for at in range(0, len(body), 5000)] + [b""]
    return b"".join(b"%x%b%b%b%b" % (len(piece), sign, eol, piece, eol) for piece in pieces) + end


def parts(video: bytes) -> bytes:
    """As two parts of a multipart answer."""
    half, size = len(video) // 2, len(video)
    ranges = [(0, half), (half, size)]
    head = b"--b\r\nContent-Type: video/mp4\r\nContent-Range: bytes %d-%d/%d\r\n\r\n"
    return b"".join(head % (a, b - 1, size) + video[a:b] + b"\r\n" for a, b in ranges) + b"--b--\r\n"


SIGN = b";chunk-signature=" + b"0123456789abcdef" * 4


def labels(v: bytes) -> dict[str, bytes]:
    """The same whole film under every label that a gateway may stick on it."""
    whole = f"bytes 0-{len(v) - 1}/{len(v)}"
    kinds = ("text/plain", "application/json", "text/html; charset=utf-8", "application/xml", "video/quicktime")
    kinds += ("application/octet-stream", "multipart/form-data; boundary=x", "binary", "image/png", "")
    codings = ("aws-chunked", "identity", "none", "", "utf-8", "identity, identity", "gzip", "br", "binary")
    return {
        **{f"type {kind or None}": answer(v, kind=kind) for kind in kinds},
        "no type": answer(v, kind=None),
        **{f"coding {coding or None}": answer(v, f"Content-Encoding: {coding}") for coding in codings},
        **{f"status {code}": answer(v, status=f"{code} Fine") for code in (201, 202, 203, 206, 207, 226, 299)},
        "a part that is all": answer(v, f"Content-Range: {whole}", status="206 Partial Content"),
        "a part of nobody knows": answer(v, f"Content-Range: bytes 0-{len(v) - 1}/*", status="206 Partial Content"),
        "a part that claims more": answer(v, "Content-Range: bytes 0-9/99999999", status="206 Partial Content"),
        "a range of apples": answer(v, "Content-Range: apples", status="206 Partial Content"),
        "no length": answer(v, "Connection: close"),
        "a length besides chunks": answer(chunked(v), "Transfer-Encoding: chunked", "Content-Length: 7"),
        "a length that is too long": answer(v, f"Content-Length: {len(v) + 5}"),
        "chunks without an end": answer(chunked(v)[:-5], "Transfer-Encoding: chunked"),
        "a name of a text": answer(v, 'Content-Disposition: attachment; filename="error.json"'),
        "a wrong sum": answer(v, "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==", "ETag: x", "Last-Modified: never"),
        "everything at once": answer(v, "Content-Encoding: br", status="203 No", kind="application/problem+json"),
    }


def wrapped(v: bytes) -> dict[str, bytes]:
    """The same film in what gateways and stores wrap around it."""
    part = b"--x\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-9/10\r\n\r\n" + v + b"\r\n--x--\r\n"
    deflated = zlib.compressobj(wbits=-15)
    return {
        "gzip": answer(gzip.compress(v), "Content-Encoding: gzip"),
        "gzip unsaid": answer(gzip.compress(v)),
        "zlib": answer(zlib.compress(v), "Content-Encoding: deflate"),
        "deflate": answer(deflated.compress(v) + deflated.flush(), "Content-Encoding: deflate"),
        "aws-chunked": answer(chunked(v, SIGN), "Content-Encoding: aws-chunked"),
        "aws-chunked with sums": answer(chunked(v, b"", b"x-amz-checksum-crc32:AAAA==\r\n\r\n")),
        "byte order mark": answer(b"\xef\xbb\xbf" + v),
        "newlines": answer(b"\r\n\r\n" + v, kind="text/html"),
        "a warning of PHP": answer(b"\nWarning: Undefined variable $x in /srv/a.php on line 3\n" + v),
        "aws-chunked with line feeds": answer(chunked(v, SIGN, eol=b"\n")),
        "aws-chunked behind a mark": answer(b"\xef\xbb\xbf" + chunked(v, SIGN)),
        "aws-chunked gzip": answer(chunked(gzip.compress(v), SIGN), "Content-Encoding: gzip, aws-chunked"),
        "gzip in two members": answer(gzip.compress(v[:9000]) + gzip.compress(v[9000:]), "Content-Encoding: gzip"),
        "multipart": answer(part, kind="multipart/byteranges; boundary=x", status="206 Partial Content"),
    }


def followed(v: bytes) -> dict[str, bytes]:
    """The same film with something behind it."""
    tails = {
        "a newline": b"\n",
        "zeros": bytes(4096),
        "one zero": b"\0",
        "three zeros": bytes(3),
        "a tag": ID3,
        "a page's end": b"</body></html>",
        "words": b'{"error": {"message": "stream closed"}}',
        "half a header": b"\0\0\x10\0fr",
        "a box of 2 GB": b"\x7f\xff\xff\xfffree",
        "a box of 2 GB media": b"\x7f\xff\xff\xffmdat",
        "a box of no size": b"\0\0\0\x04free",
        "a box without an end": b"\0\0\0\0free" + bytes(50),
        "an unknown box": b"\0\0\0\x10uuid" + bytes(8),
        "its index again": moov_of(v),
        "another film": v,
        "an empty fragment": b"\0\0\0\x08moof",
    }
    return {name: answer(v + tail) for name, tail in tails.items()}


SETS: dict[str, Callable[[bytes], dict[str, bytes]]] = {"labels": labels, "wrapped": wrapped, "followed": followed}


def run_all(film: Film, gateway: Labelled, *words: str) -> tuple[Result, dict[str, str]]:
    """One shot for each answer; what became of each."""
    film.base_url = gateway.base_url
    film.pipeline(limits__in_flight=16, limits__creates_in_flight=4, download__not_ready_for="300ms")
    names = {f"S{number:02}": name for number, name in enumerate(gateway.answers)}
    film.list(dict(names))
    run = film.run(*words)
    return run, {names[shot]: f"{row['status']}: {row['reason'] or ''}" for shot, row in run.shots.items()}


@pytest.mark.parametrize("name", SETS)
def test_a_whole_film_is_verified_in_the_first_run_whatever_is_said_of_it_or_lies_around_it(
    name: str, film: Film, video: bytes
) -> None:
    with Labelled(SETS[name](video)) as gateway:
        run, became = run_all(film, gateway)
        assert {name: said for name, said in became.items() if not said.startswith("verified")} == {}
        assert run.code == 0
        assert sorted(gateway.prompts) == sorted(gateway.answers)
        assert set(gateway.fetched.values()) == {1}, "fetched twice without need"
        assert film.run().code == 0
        assert set(gateway.fetched.values()) == {1}
    if name != "followed":
        assert {path.read_bytes() for path in (film.folder / "renders/shots").glob("*.mp4")} <= {
            video,
            video + b"\r\n--x--\r\n",
        }


@pytest.mark.slow
def test_what_is_no_whole_film_is_not_taken_for_one_whatever_its_label_says(film: Film, video: bytes) -> None:
    half, junk = video[: len(video) // 2], b"\n" + ID3
    zeros = half + bytes(len(video) - len(half))
    waiting = b'{"error": {"message": "task is not completed yet, status: IN_PROGRESS"}}'
    bodies = {
        "half": answer(half),
        "half as a part": answer(half, f"Content-Range: bytes 0-9/{len(video)}", status="206 Partial Content"),
        "half with a tail": answer(half + junk),
        "half and more of something": answer(half + half[:5000]),
        "zeros": answer(zeros),
        "zeros with a tail": answer(zeros + junk),
        "half packed": answer(gzip.compress(video)[: len(half)], "Content-Encoding: gzip"),
        "a bomb": answer(gzip.compress(video[:2000] + bytes(300 << 20))),
        "two parts": answer(parts(video), kind="multipart/byteranges; boundary=b", status="206 Partial Content"),
        "frames behind a warning": answer(b"Warning: 3\n" + chunked(video)),
        "frames by another rule": answer(b"Warning: 3\n" + chunked(video, eol=b" \n")),
        "a piece twice": answer(video[:60_000] + video[30_000:]),
        "a piece twice, cut to size": answer((video[:60_000] + video[30_000:])[: len(video)]),
        "ten bytes more": answer(video[:60_000] + b"\r\n10000\r\n " + video[60_000:]),
        "ten others": answer(video[:60_000] + b"x" * 20 + video[60_010:]),
        "half in frames": answer(chunked(video, SIGN)[: len(half)]),
        "packed in what nobody reads": answer(b"\x0b\x02\x80" * 2000, "Content-Encoding: br"),
        "words as a video": answer(waiting),
        "words as text": answer(waiting, kind="text/plain"),
        "words as octets, accepted": answer(waiting, status="202 Accepted", kind="application/octet-stream"),
        "packed words": answer(gzip.compress(waiting), "Content-Encoding: gzip", kind="application/json"),
        "a page": answer(HTML, kind="text/html"),
        "a page as a video": answer(HTML),
        "a text in base64": answer(base64.b64encode(video), kind="text/plain"),
        "nothing": answer(b""),
        "no content": answer(b"", status="204 No Content"),
        "another film's end": answer(moov_of(video) + b"\0\0\0\x08mdat"),
    }
    with Labelled(bodies) as gateway:
        run, became = run_all(film, gateway)
    assert run.code == 4
    assert {name: said for name, said in became.items() if not said.startswith("parked")} == {}
    for name, said in became.items():
        if "words" in name:
            assert "task is not completed yet" in said, (name, said)
    assert "text/html" in became["a page"]
    assert "doctype html" in became["a page as a video"]
    assert "br" in became["packed in what nobody reads"]
    assert list((film.folder / "renders/shots").glob("*.mp4")) == []
    assert list((film.folder / "renders/shots/takes").iterdir()) == []


def test_bytes_that_nobody_can_read_are_never_taken_for_no_video_however_old_the_take_is(
    film: Film, video: bytes
) -> None:
    """A take is abandoned 48 h after its order when its gateway says in words that there is no video."""
    document = {"created": 1, "data": [{"b64_json": base64.b64encode(video).decode()}]}
    bodies = {
        "packed": answer(b"\x0b\x02\x80\x01" * 2000, "Content-Encoding: br"),
        "another kind of film": answer(b"\x1a\x45\xdf\xa3" * 900, kind="text/plain"),
        "cut before its first byte": answer(b"", f"Content-Length: {len(video)}", kind="text/plain"),
        "cut document": answer(b'{"data": [', "Content-Length: 5000", kind="application/json"),
        "base64 in JSON": answer(json.dumps(document).encode(), kind="application/json"),
        "base64 in lines": answer(base64.encodebytes(video), kind="text/plain"),
        "base64 behind words": answer(b"here is it:\r\n" + base64.b64encode(video), kind="text/html"),
        "words": answer(b'{"message": "expired"}', kind="application/json"),
        "words in no frame": answer(b'{"error": {"message": "expired"}}', "Content-Length: 90", kind="text/plain"),
        "a page": answer(HTML, kind="text/html"),
    }
    with Labelled(bodies) as gateway:
        run_all(film, gateway)
        for number in range(len(bodies)):
            path = film.folder / f".veopipe/shots/state/S{number:02}.json"
            state = json.loads(path.read_bytes())
            then = datetime.now(UTC) - timedelta(hours=49)
            for attempt in state["takes"][0]["attempts"]:
                attempt.update(submitted_at=then.strftime("%Y-%m-%dT%H:%M:%SZ"), created_at=int(then.timestamp()))
            path.write_text(json.dumps(state))
        assert list(film.run().statuses.values()) == ["parked"] * 7 + ["abandoned"] * 3
        assert len(gateway.prompts) == len(bodies)


def test_a_take_that_was_parked_for_its_label_is_fetched_by_the_next_run(film: Film, video: bytes) -> None:
    with Labelled({"a cat": answer(HTML, kind="text/plain")}) as gateway:
        assert run_all(film, gateway)[0].statuses == {"S00": "parked"}
        gateway.answers["a cat"] = answer(video, kind="text/plain")
        assert film.run(yes=False).statuses == {"S00": "verified"}
        assert len(gateway.prompts) == 1


# --- how long it is --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame_by_frame() -> Callable[[int], bytes]:
    """4 s at 720p (or so many), a fragment for each frame and each piece of sound."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "media"))
    import make

    sys.path.pop(0)
    return functools.cache(lambda seconds: make.frame_by_frame(seconds, 1280, 720))


def test_a_film_with_a_fragment_for_each_frame_is_measured_by_when_they_begin(
    film: Film, frame_by_frame: Callable[[int], bytes]
) -> None:
    bodies = {"as ordered": answer(frame_by_frame(4)), "too short": answer(frame_by_frame(2))}
    with Labelled(bodies) as gateway:
        run, became = run_all(film, gateway)
    assert became["as ordered"].startswith("verified")
    assert became["too short"].startswith("mismatched")
    assert run.shots["S00"]["duration_s"] == pytest.approx(4, abs=0.05)
    assert run.shots["S01"]["duration_s"] == pytest.approx(2, abs=0.05)


def test_verify_heals_a_take_that_an_older_veopipe_measured_wrongly(
    film: Film, frame_by_frame: Callable[[int], bytes]
) -> None:
    with Labelled({"a": answer(frame_by_frame(4)), "b": answer(frame_by_frame(2))}) as gateway:
        run_all(film, gateway)
        for shot in ("S00", "S01"):  # as it was recorded then
            path = film.folder / f".veopipe/shots/state/{shot}.json"
            state = json.loads(path.read_bytes())
            take = state["takes"][0]
            take["file"]["duration_s"] = 0.105
            take["status"] = "mismatched"
            said = {"reason": "mismatched", "message": "ordered 4 s, measured 0.105 s"}
            take["attempts"][-1].update(status="mismatched", **said)
            path.write_text(json.dumps(state))
        film.finished("S00").unlink()
        before = film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json")
        assert before.statuses == {"S00": "mismatched", "S01": "mismatched"}
        verified = film.command("verify", "shots.yaml", "-p", "quick.yaml", "--format", "json")
        assert (verified.code, verified.statuses) == (1, {"S00": "verified", "S01": "mismatched"})
        assert film.finished("S00").exists()
        assert (len(gateway.prompts), sum(gateway.fetched.values())) == (2, 2)
