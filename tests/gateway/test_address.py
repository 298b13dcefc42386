"""The name of a gateway: one name for one place, and this machine is known as such."""

from __future__ import annotations

import pytest

from veopipe.errors import EnvironmentFault
from veopipe.gateway.address import Address, parse_base_url, read_key
from veopipe.takes.origin import is_local


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("https://api.laozhang.ai", "https://api.laozhang.ai:443"),
        ("https://api.laozhang.ai/", "https://api.laozhang.ai:443"),
        ("https://API.LaoZhang.ai:443", "https://api.laozhang.ai:443"),
        ("https://api.laozhang.ai:8443/proxy", "https://api.laozhang.ai:8443"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_spellings_of_one_gateway_have_one_name(written: str, name: str) -> None:
    assert Address(parse_base_url(written)).name == name


def test_a_rehearsals_gateway_has_one_name_whatever_its_port() -> None:
    names = {Address(f"http://127.0.0.1:{port}", simulated=True).name for port in (1, 2, 65535)}

    assert names == {"simulator"}


@pytest.mark.parametrize(
    "name", ["simulator", "http://127.0.0.1:80", "http://127.9.9.9:80", "http://localhost:1", "http://[::1]:8080"]
)
def test_gateways_on_this_machine(name: str) -> None:
    assert is_local(name)


@pytest.mark.parametrize(
    "name",
    [
        "https://api.laozhang.ai:443",
        "https://localhost.example:443",
        "https://10.0.0.1:443",
        "https://simulator:443",
        "",
        "x",
    ],
)
def test_gateways_elsewhere(name: str) -> None:
    assert not is_local(name)


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
