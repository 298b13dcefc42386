"""Answers that are cut, framed wrongly, redirected, packed, or hold what no gateway should say.

Fills the table of `behaviours`; take it from here.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from functools import cache

from tests.harness.wire.behaviours import BEHAVIOURS, Behaviour, answers, behaviour
from tests.harness.wire.wire import Good, Wire

__all__ = ["BEHAVIOURS"]

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"

# --- cut answers -----------------------------------------------------------------------------------

answers("cut_in_the_status_line", lambda good: b"HTTP/1.1 2")
answers("cut_in_the_head", lambda good: good.head()[:-10])
answers("cut_after_the_head", lambda good: good.head())
answers("cut_in_the_body", lambda good: good.head() + good.body[: len(good.body) // 2])
answers("cut_before_the_last_byte", lambda good: good.head() + good.body[:-1])
answers("cut_without_length", lambda good: good.head("200 OK", None) + good.body[: len(good.body) // 2])
answers("cut_with_a_clean_end", lambda good: good.with_body(good.body[: len(good.body) // 2]))


def _chunked(body: bytes, end: bytes = b"0\r\n\r\n", extension: bytes = b"") -> bytes:
    middle = len(body) // 2
    pieces = (body[:middle], body[middle:])
    return b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + end


def _chunks(good: Good, body: bytes) -> bytes:
    return good.head("200 OK", None, "Transfer-Encoding: chunked") + body


answers("chunked_as_it_should_be", lambda good: _chunks(good, _chunked(good.body)))
answers("chunked_with_extras", lambda good: _chunks(good, _chunked(good.body, b"0\r\nX-After: 1\r\n\r\n", b";a=b")))
answers("chunked_without_its_end", lambda good: _chunks(good, _chunked(good.body, b"")))
answers("chunked_cut_with_a_clean_end", lambda good: _chunks(good, _chunked(good.body[: len(good.body) // 2])))
answers("chunk_size_no_number", lambda good: _chunks(good, b"zz\r\n" + good.body))
answers("chunk_size_huge", lambda good: _chunks(good, b"F" * 40 + b"\r\n" + good.body))
answers("chunk_size_wrong", lambda good: _chunks(good, b"5\r\n" + good.body + b"\r\n0\r\n\r\n"))
answers("chunk_extension_huge", lambda good: _chunks(good, b"5;" + b"x" * 200_000 + b"\r\n"))

# --- heads -----------------------------------------------------------------------------------------


def _twice(good: Good) -> bytes:
    return good.head("200 OK", -1, f"Content-Length: {len(good.body) + 7}") + good.body


answers("lengths_in_conflict", _twice)
answers("length_twice_the_same", lambda good: good.head("200 OK", -1, f"Content-Length: {len(good.body)}") + good.body)
answers("length_negative", lambda good: good.head("200 OK", -5) + good.body)
answers("length_no_number", lambda good: good.head("200 OK", None, "Content-Length: many") + good.body)
answers("length_astronomic", lambda good: good.head("200 OK", 10**30) + good.body)
answers("length_of_a_terabyte", lambda good: good.head("200 OK", 10**12) + good.body)
answers("length_too_short", lambda good: good.head("200 OK", len(good.body) - 3) + good.body)
answers("length_zero", lambda good: good.head("200 OK", 0) + good.body)
answers(
    "length_and_chunked",
    lambda good: good.head("200 OK", 5, "Transfer-Encoding: chunked") + _chunked(good.body),
)
answers("unknown_transfer_encoding", lambda good: good.head("200 OK", None, "Transfer-Encoding: rot13") + good.body)
answers("header_of_200_kb", lambda good: good.head("200 OK", -1, "X-Filler: " + "x" * 200_000) + good.body)
answers("header_of_60_kb", lambda good: good.head("200 OK", -1, "X-Filler: " + "x" * 60_000) + good.body)
answers("headers_by_the_thousand", lambda good: good.head("200 OK", -1, *["X-A: b"] * 3000) + good.body)
answers("header_without_colon", lambda good: good.head("200 OK", -1, "this is no header") + good.body)
answers("header_folded", lambda good: good.head("200 OK", -1, "X-A: b", "  c") + good.body)
answers("header_with_a_nul", lambda good: good.head("200 OK", -1, "X-A: \0") + good.body)
answers("header_in_latin_1", lambda good: good.head("200 OK", -1, "X-A: \xe4", "X-Request-Id: \x85") + good.body)
answers("line_ends_without_cr", lambda good: good.head().replace(b"\r\n", b"\n") + good.body)
answers("interim_answers_first", lambda good: b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + good.whole)
answers("bytes_behind_the_answer", lambda good: good.whole + b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
answers("http_1_0", lambda good: good.head("200 OK", None).replace(b"HTTP/1.1", b"HTTP/1.0") + good.body)
answers("http_3_0", lambda good: good.whole.replace(b"HTTP/1.1", b"HTTP/3.0", 1))
answers("http_0_9", lambda good: b"here is what you asked for\n" + good.body)
answers("binary_noise", lambda good: random.Random(1).randbytes(5000))
answers("a_greeting_of_ssh", lambda good: b"SSH-2.0-OpenSSH_9.6\r\n")
answers("http_2_preface", lambda good: b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\x40\0\0\0\0\x02\0\0\0\0")

# --- statuses --------------------------------------------------------------------------------------


def _status(status: str) -> Callable[[Good], bytes]:
    return lambda good: good.with_body(good.body, status)


answers("status_999", _status("999 Strange"))
answers("status_600", _status("600 Unknown"))
answers("status_000", _status("000 None"))
answers("status_206", _status("206 Partial Content"))
answers("status_201", _status("201 Created"))
answers("status_204", lambda good: b"HTTP/1.1 204 No Content\r\n\r\n")
answers("status_304", lambda good: b"HTTP/1.1 304 Not Modified\r\n\r\n")
answers("status_101", lambda good: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + good.body)
answers("status_without_words", lambda good: good.whole.replace(b"200 OK", b"200", 1))
answers("status_no_number", lambda good: good.whole.replace(b"200 OK", b"2OO OK", 1))
answers("html_502", lambda good: good.with_body(_HTML, "502 Bad Gateway", kind="text/html"))
answers("html_524", lambda good: good.with_body(_HTML, "524 A Timeout Occurred", kind="text/html"))
answers("empty_503", lambda good: good.with_body(b"", "503 Service Unavailable"))
answers("busy_429", lambda good: good.with_body(b"", "429 Too Many Requests", "Retry-After: nan"))


def _early(status: str) -> Behaviour:
    def act(wire: Wire, good: Good) -> None:
        """Answers while the body is still on its way, then reads on, as nginx does with `lingering_close`."""
        request = wire.request_head()
        wire.send(good.with_body(b'{"error": {"message": "no"}}', status, "Connection: close"))
        wire.request_body(request)

    return act


BEHAVIOURS["early_401"] = _early("401 Unauthorized")
BEHAVIOURS["early_413"] = _early("413 Content Too Large")


@behaviour
def early_413_and_reset(wire: Wire, good: Good) -> None:
    wire.request_body(wire.request_head(), 1000)
    wire.send(good.with_body(_HTML, "413 Content Too Large", kind="text/html"))
    wire.pause(0.1)
    wire.reset()


# --- redirects -------------------------------------------------------------------------------------


def _redirect(status: str, where: Callable[[Wire], str]) -> Behaviour:
    def act(wire: Wire, good: Good) -> None:
        request = wire.request()
        if request.path.startswith("/signed"):
            wire.send(good.whole)
        else:
            wire.send(good.with_body(b"", status, f"Location: {where(wire)}"))

    return act


for _code in (301, 302, 303, 307, 308):
    BEHAVIOURS[f"redirect_{_code}_same_origin"] = _redirect(f"{_code} Moved", lambda wire: "/signed/video?sig=secret")
BEHAVIOURS["redirect_to_another_origin"] = _redirect(
    "302 Found", lambda wire: f"http://127.0.0.1:{wire.elsewhere}/signed/video?sig=secret"
)
BEHAVIOURS["redirect_without_scheme"] = _redirect(
    "302 Found", lambda wire: f"//127.0.0.1:{wire.elsewhere}/signed/video"
)
for _name, _where in {
    "loop": "/v1/videos",
    "nowhere": "",
    "javascript": "javascript:alert(1)",
    "file": "file:///etc/passwd",
    "data": "data:video/mp4;base64,AAAA",
    "ftp": "ftp://127.0.0.1/x",
    "odd_host": "http://a..b/x",
    "host_with_spaces": "http://exa mple/x",
    "bad_port": "http://127.0.0.1:99999/x",
    "bad_brackets": "http://[::1/x",
    "control_characters": "http://127.0.0.1/\x01\x7f",
    "long": "/" + "x" * 70_000,
}.items():
    BEHAVIOURS[f"redirect_{_name}"] = _redirect("302 Found", lambda wire, to=_where: to)
BEHAVIOURS["redirect_with_userinfo"] = _redirect(
    "302 Found", lambda wire: f"http://u:p@127.0.0.1:{wire.elsewhere}/signed"
)
BEHAVIOURS["redirect_with_backslash"] = _redirect(
    "302 Found", lambda wire: f"http://127.0.0.1:{wire.elsewhere}\\@127.0.0.1/signed"
)


@behaviour
def redirect_to_a_host_that_says_401(wire: Wire, good: Good) -> None:
    request = wire.request()
    if request.path.startswith("/signed"):
        wire.send(good.with_body(b"<Error>expired</Error>", "401 Unauthorized", kind="application/xml"))
    else:
        wire.send(good.with_body(b"", "302 Found", f"Location: http://127.0.0.1:{wire.elsewhere}/signed/video"))


@behaviour
def redirect_to_a_host_that_says_410(wire: Wire, good: Good) -> None:
    request = wire.request()
    if request.path.startswith("/signed"):
        wire.send(good.with_body(b"<Error>gone</Error>", "410 Gone", kind="application/xml"))
    else:
        wire.send(good.with_body(b"", "302 Found", f"Location: http://127.0.0.1:{wire.elsewhere}/signed/video"))


# --- encodings and types ---------------------------------------------------------------------------


def _gzip(data: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


@cache
def _bomb() -> bytes:
    return _gzip(bytes(50 << 20), 9)


answers("gzip_unasked", lambda good: good.with_body(_gzip(good.body), "200 OK", "Content-Encoding: gzip"))
answers("deflate_unasked", lambda good: good.with_body(zlib.compress(good.body), "200 OK", "Content-Encoding: deflate"))
answers("gzip_bomb", lambda good: good.with_body(_bomb(), "200 OK", "Content-Encoding: gzip"))
answers("gzip_bomb_in_a_bomb", lambda good: good.with_body(_gzip(_bomb()), "200 OK", "Content-Encoding: gzip, gzip"))
answers("gzip_six_times", lambda good: good.with_body(_gzip(good.body), "200 OK", "Content-Encoding: " + "gzip," * 6))
answers("gzip_cut", lambda good: good.with_body(_gzip(good.body)[:-20], "200 OK", "Content-Encoding: gzip"))
answers("gzip_that_is_none", lambda good: good.with_body(good.body, "200 OK", "Content-Encoding: gzip"))
answers("brotli_unasked", lambda good: good.with_body(b"\x0b\x02\x80" * 20, "200 OK", "Content-Encoding: br"))
answers("no_content_type", lambda good: good.with_body(good.body, kind=None))
answers("charset_base64", lambda good: good.with_body(good.body, kind=f"{good.content_type}; charset=base64"))
answers("charset_unknown", lambda good: good.with_body(good.body, kind=f'{good.content_type}; charset="\\"'))
answers("type_octet_stream", lambda good: good.with_body(good.body, kind="application/octet-stream"))
answers("type_text_plain", lambda good: good.with_body(good.body, kind="text/plain; charset=utf-7"))
answers("type_html", lambda good: good.with_body(good.body, kind="text/html"))
answers("html_page", lambda good: good.with_body(_HTML, kind="text/html; charset=utf-8"))
answers("html_page_as_the_real_type", lambda good: good.with_body(_HTML))
answers("empty", lambda good: good.with_body(b""))
answers("spaces", lambda good: good.with_body(b" " * 3000))

# --- JSON (as a video it is none) ------------------------------------------------------------------


def _json(make: Callable[[Good], str | bytes]) -> Callable[[Good], bytes]:
    def body(good: Good) -> bytes:
        text = make(good)
        return good.with_body(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)

    return body


answers("json_utf_16", _json(lambda good: good.telling('"a": 1').encode("utf-16")))
answers("json_utf_32", _json(lambda good: good.telling('"a": 1').encode("utf-32")))
answers("json_with_a_bom", _json(lambda good: "\ufeff" + good.telling('"a": 1')))
answers("json_not_utf_8", _json(lambda good: good.telling('"a": "#"').encode().replace(b"#", b"\xff\xfe\xc3")))
answers("json_deep", _json(lambda good: "[" * 100_000))
answers("json_deep_inside", _json(lambda good: good.telling(f'"a": {"[" * 50_000}{"]" * 50_000}')))
answers("json_nan", _json(lambda good: good.telling('"progress": NaN')))
answers("json_infinity", _json(lambda good: good.telling('"created_at": 1e999')))
answers("json_huge_number", _json(lambda good: good.telling(f'"created_at": {"9" * 5000}')))
answers("json_duplicate_keys", _json(lambda good: f'{{"id": "{good.task}_other", "status": "failed", {good.told}}}'))
answers("json_half_a_character", _json(lambda good: good.telling('"model": "\\ud800"')))
answers("json_list", _json(lambda good: f"[{{{good.told}}}]"))
answers("json_string", _json(lambda good: f'"{good.task}"'))
answers("json_null", _json(lambda good: "null"))
answers("json_larger_than_a_mebibyte", _json(lambda good: good.telling(f'"a": "{"x" * (1 << 20)}"')))
answers("json_with_trailing_commas", _json(lambda good: good.telling("")))
answers("json_twice", _json(lambda good: good.telling('"a": 1') * 2))
answers("id_that_climbs", _json(lambda good: '{"id": "../../admin", "status": "completed"}'))
answers("id_that_is_a_url", _json(lambda good: '{"id": "http://evil/x", "status": "completed"}'))
answers("id_with_a_query", _json(lambda good: '{"id": "a?b=1#c", "status": "completed"}'))
answers("id_with_escapes", _json(lambda good: '{"id": "a\\u001b[2Jb", "status": "completed"}'))
answers("id_of_a_kilobyte", _json(lambda good: f'{{"id": "{"a" * 1000}", "status": "completed"}}'))
answers("id_that_is_a_number", _json(lambda good: '{"id": 7, "status": "completed"}'))

# --- gateways that repeat the key ------------------------------------------------------------------


def _echo(make: Callable[[Good, str], bytes]) -> Behaviour:
    def act(wire: Wire, good: Good) -> None:
        request = wire.request()
        wire.send(make(good, request.key))

    return act


def _says(key: str) -> bytes:
    return f'{{"error": {{"code": "denied_{key}", "message": "Invalid token {key} (request id: {key})"}}}}'.encode()


BEHAVIOURS["echo_in_an_error"] = _echo(lambda good, key: good.with_body(_says(key), "500 Oops", f"X-Request-Id: {key}"))
BEHAVIOURS["echo_in_a_refusal"] = _echo(lambda good, key: good.with_body(_says(key), "400 Bad Request"))
BEHAVIOURS["echo_as_the_id"] = _echo(
    lambda good, key: good.with_body(f'{{"id": "{key}", "status": "failed", "error": "{key}"}}'.encode())
)
BEHAVIOURS["echo_cut_off"] = _echo(lambda good, key: good.with_body((b"." * 28 + key.encode()) * 9))
BEHAVIOURS["echo_in_a_redirect"] = _echo(
    lambda good, key: good.with_body(b"", "302 Found", f"Location: http://127.0.0.1:1/{key}?key={key}")
)
BEHAVIOURS["echo_in_the_protocol"] = _echo(lambda good, key: f"HTTP/1.1 200 OK\r\n{key}\r\n\r\n".encode())
