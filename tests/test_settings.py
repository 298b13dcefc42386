"""Durations, the gateway's address, and the key, read strictly."""

import math

import pytest

from veopipe import settings
from veopipe.documents import schema
from veopipe.errors import EnvironmentFault
from veopipe.settings import parse_base_url, parse_duration, read_key


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("15s", 15), ("5m", 300), ("6h", 21600), ("0.1h", 360), (" 1.5s ", 1.5), (15, 15), (0.25, 0.25)],
)
def test_a_duration_is_a_number_of_seconds(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "15",
        "s",
        "0s",
        "-1s",
        "1d",
        "1 h",
        "1h30m",
        "١s",
        "1e3s",
        "9" * 30 + "s",
        0,
        -1,
        True,
        math.inf,
        math.nan,
        1e300,
    ],
)
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("https://api.laozhang.ai/", "https://api.laozhang.ai"),
        ("HTTPS://API.LaoZhang.AI:443", "https://api.laozhang.ai"),
        ("https://gateway.example:8443/veo/", "https://gateway.example:8443/veo"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.2:80/", "http://127.0.0.2"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("http://[0:0:0:0:0:0:0:1]:9000", "http://[::1]:9000"),
        ("https://[2001:DB8::0:1]", "https://[2001:db8::1]"),
    ],
)
def test_an_address_is_normalised(written, address):
    assert parse_base_url(written) == address
    assert parse_base_url(address) == address


@pytest.mark.parametrize(
    "written",
    [
        "",
        "gateway.example",
        "ftp://gateway.example",
        "http://gateway.example",
        "http://127.0.0.1.example",
        "http://[::1%25lo]:9000",
        "https://[fe80::1%25eth0]",
        "https://me:secret@gateway.example",
        "https://gateway.example?key=secret",
        "https://gateway.example/#secret",
        "https://gateway.example/v1",
        "https://gateway.example/../x",
        "https://gate way.example",
        "https://gateway.example\n",
        "https://gatewäy.example",
        "https://gateway.example:99999",
        "https://[::1",
        "https://",
        "https://a\\b",
    ],
)
def test_what_is_no_address_of_a_gateway_is_refused_without_repeating_it(written):
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_base_url(written)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("https://gateway.example/v1/", "https://gateway.example"),
        ("https://gateway.example/V1/Videos/", "https://gateway.example"),
        ("https://gateway.example//v1//videos", "https://gateway.example"),
        ("https://gateway.example/v1/v1/videos", "https://gateway.example"),
        ("https://gateway.example:8443/api/v1/chat/completions", "https://gateway.example:8443/api"),
        ("https://gateway.example/v1/video/generations/task_1", "https://gateway.example"),
        ("https://gateway.example/v1/videos?key=secret#secret", "https://gateway.example"),
        ("https://gateway.example/v1/videos/secret", "https://gateway.example"),
        ("https://gateway.example/v1/videos/task_1/content", "https://gateway.example"),
        ("https://gateway.example/v1/models", "https://gateway.example"),
        ("https://gateway.example/v1/images/generations", "https://gateway.example"),
        ("https://gateway.example/veo/?key=secret", "https://gateway.example/veo"),
        ("https://[2001:DB8::0:1]/v1", "https://[2001:db8::1]"),
    ],
)
def test_an_address_that_holds_the_apis_own_path_is_met_with_the_right_one(written, right):
    with pytest.raises(ValueError, match="; write ") as caught:
        parse_base_url(written)
    assert str(caught.value).endswith(f"; write {right}")
    assert "secret" not in str(caught.value)
    assert parse_base_url(right) == right


@pytest.mark.parametrize(
    "path",
    [
        "v1/account/openai",
        "v1/generations/prod",
        "api/v1/models/veo",
        "v1/files/veo",
        "proxy/v1/messages/relay",
        "v1/chat/veo",
        "v1/videos/eu/veo",
    ],
)
def test_a_gateway_that_stands_below_a_v1_of_its_own_is_left_alone(path):
    assert parse_base_url(f"https://gateway.example/{path}/") == f"https://gateway.example/{path}"


def test_a_key_is_stripped():
    assert read_key("MY_KEY", {"MY_KEY": "  sk-0123456789\r\n"}) == "sk-0123456789"


@pytest.mark.parametrize(
    "value", [None, "", "  \n", "hunter2 hunter2", "hunter2\nhunter2", "hunter2–hunter2", "hunter2" * 100]
)
def test_a_missing_or_odd_key_is_an_environment_fault_that_never_shows_it(value):
    with pytest.raises(EnvironmentFault, match="MY_KEY") as caught:
        read_key("MY_KEY", {} if value is None else {"MY_KEY": value})
    assert "hunter2" not in str(caught.value) + str(caught.value.hint) + repr(caught.value)
    assert caught.value.exit_code == 6


MEANT_ELSEWHERE = [
    *("s3://bucket/film", "S3://bucket", "gs://b", "az://c/d", "s3:/bucket", "s3:bucket", "s3:", "dask+tls://h:8786"),
    *("file:///tmp/film", "https://h/film", "user@host:film", "my_remote:film", " s3://bucket", "data:,x"),
    *("C:\\films", "C:/films", "C:", "c:films", "\\\\server\\share", "renders\\draft"),
    *("~", "~/films", "~ann/films", " ~/films"),
    *("$HOME/films", "${HOME}/films", "renders/$USER", "renders-$DATE", "$(date)", "%USERPROFILE%/films", "a/%TEMP%"),
]
FOLDERS = [
    *(".", "..", "../renders", "renders", "renders/draft", "My Films/draft 2", "renders.v2/..draft", "größe-映画"),
    *("renders/12:30", "Film: Part 1", "12:30", "A$AP/$5", "100% done", "-renders", "renders [draft]", "a*", "x~"),
    *("./s3://bucket", "./C:\\films", "./~", "./$HOME", "renders/~", ".veopipe", "renders ", "@home"),
]


@pytest.mark.parametrize("written", MEANT_ELSEWHERE)
def test_a_text_that_means_a_place_elsewhere_is_no_path(written: str) -> None:
    said = settings.meant_elsewhere(written)
    assert said is not None
    assert "./ in front" in said


@pytest.mark.parametrize("written", FOLDERS)
def test_a_path_is_a_path_however_odd(written: str) -> None:
    assert settings.meant_elsewhere(written) is None


def test_what_is_said_of_an_address_repeats_no_password() -> None:
    assert "secret" not in str(settings.meant_elsewhere("s3://key:secret@bucket"))
    assert "secret" not in str(settings.meant_elsewhere("secret@host:films"))


@pytest.mark.parametrize("key", ["output", "ledger"])
def test_editors_refuse_the_same_folders(key: str) -> None:
    for written in [*MEANT_ELSEWHERE, "/films", " /films", "", " ", "a\x07b", "a\nb", "./a\0"]:
        assert schema.check("pipeline", {key: written}) != [], written
    for written in FOLDERS:
        assert schema.check("pipeline", {key: written}) == [], written


@pytest.mark.parametrize("word", ["s3://b/x", "https://h/x", "file:/x", "C:\\x", "C:/x", "\\\\s\\x", "~/x", "$HOME/x"])
def test_a_word_of_the_command_line_that_is_no_path_is_known(word: str) -> None:
    assert settings.is_no_path(word)


@pytest.mark.parametrize("word", ["plan:1.json", "/tmp/x", "../x", "~x", "a\\b.yaml", "$5.yaml", "s3:x", "./s3://x"])
def test_a_word_of_the_command_line_that_may_be_a_file_is_one(word: str) -> None:
    assert not settings.is_no_path(word)
