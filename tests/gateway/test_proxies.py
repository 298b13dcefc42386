"""Which proxy carries a request, and what NO_PROXY excepts; no network."""

from __future__ import annotations

import pytest

from veopipe.errors import EnvironmentFault
from veopipe.gateway import proxies
from veopipe.text import holds_secret, printable, without_keys

PROXY = "http://proxy.corp:8080"


def carried(url: str, no_proxy: str, **more: str) -> bool:
    return proxies.read({"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy, **more}).carrier(url) is not None


# Entry → what it excepts, what it doesn't.
ENTRIES = {
    "example.com": (["https://example.com", "https://a.b.example.com", "https://EXAMPLE.com."], ["https://xexample.com"]),
    ".example.com": (["https://example.com", "https://a.example.com"], ["https://example.com.x"]),
    "*.example.com": (["https://example.com", "https://a.example.com"], ["https://badexample.com"]),
    "*example.com": (["https://example.com", "https://a.example.com"], []),
    "example.com.": (["https://example.com"], []),
    "EXAMPLE.COM": (["https://example.com"], []),
    "a.x, example.com": (["https://example.com", "https://a.x"], ["https://b.y"]),
    "a.x example.com;b.y|c.z": (["https://example.com", "https://a.x", "https://b.y", "https://c.z"], []),
    "example.com:443": (["https://example.com", "https://a.example.com:443"], ["https://example.com:8443"]),
    "example.com:8443": (["https://example.com:8443"], ["https://example.com"]),
    "https://example.com/path": (["https://example.com"], ["https://example.org"]),
    "https://example.com:8443/": (["https://example.com:8443"], ["https://example.com"]),
    "bücher.example": (["https://xn--bcher-kva.example", "https://bücher.example"], ["https://bucher.example"]),
    "10.0.0.7": (["https://10.0.0.7"], ["https://10.0.0.70", "https://110.0.0.7"]),
    "10.0.0.0/8": (["https://10.9.8.7", "https://[::ffff:10.0.0.7]"], ["https://11.0.0.1", "https://ten.example"]),
    "10.0.0.7/8": (["https://10.9.8.7"], []),
    "10.0.0.0/255.0.0.0": (["https://10.9.8.7"], ["https://11.0.0.1"]),
    "10.*": (["https://10.9.8.7"], ["https://11.0.0.1"]),
    "fd00::/8": (["https://[fd12::1]", "https://[fd00::]"], ["https://[fe80::1]", "https://10.0.0.1"]),
    "[fd00::]/8": (["https://[fd12::1]"], ["https://[fe80::1]"]),
    "[fd00::/8]": (["https://[fd12::1]"], ["https://[fe80::1]"]),
    "2001:db8::1": (["https://[2001:db8::1]", "https://[2001:0db8:0:0::1]"], ["https://[2001:db8::2]"]),
    "[2001:db8::1]": (["https://[2001:db8::1]"], ["https://[2001:db8::2]"]),
    "[2001:db8::1]:443": (["https://[2001:db8::1]"], ["https://[2001:db8::1]:8443"]),
    "[2001:db8::1": (["https://[2001:db8::1]"], []),
    "fe80::1%eth0": (["https://[fe80::1]"], ["https://[fe80::2]"]),
    "*": (["https://anything.example", "https://10.0.0.1", "https://[::2]"], []),
    "x,*,y": (["https://anything.example"], []),
    "*:443": (["https://anything.example"], ["https://anything.example:8443"]),
    "": ([], ["https://example.com"]),
    ",, ;": ([], ["https://example.com"]),
    "https://[": ([], ["https://example.com"]),
    "300.1.2.3/99": ([], ["https://10.0.0.1", "https://example.com"]),
    ":::/200": ([], ["https://[::2]"]),
    "example.com:http": (["https://example.com"], []),
}  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_of_no_proxy_means_what_curl_and_requests_make_of_it(entry: str) -> None:
    excepted, others = ENTRIES[entry]
    assert [url for url in excepted if carried(url, entry)] == []
    assert [url for url in others if not carried(url, entry)] == []


@pytest.mark.parametrize("url", ["https://localhost:1", "http://127.0.0.1:8", "https://[::1]", "https://127.9.9.9"])
@pytest.mark.parametrize("entry", ["", "[::1]", "::1/128", "localhost;127.0.0.1", "10.0.0.0/8", "https://localhost"])
def test_this_machine_is_reached_straight_however_no_proxy_spells_it(url: str, entry: str) -> None:
    assert not carried(url, entry, HTTP_PROXY=PROXY, ALL_PROXY=PROXY)


def test_the_lower_case_variable_wins_and_switches_off() -> None:
    both = {"HTTPS_PROXY": PROXY, "https_proxy": "http://other:1"}
    found = proxies.read(both).carrier("https://a.example")
    assert found is not None
    assert (found.variable, found.url) == ("https_proxy", "http://other:1")
    assert proxies.read({**both, "https_proxy": ""}).carrier("https://a.example") is None
    excepted = {"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example"}
    assert proxies.read(excepted).carrier("https://a.example") is None
    assert proxies.read({**excepted, "no_proxy": ""}).carrier("https://a.example") is not None


def test_all_proxy_stands_in_for_what_isnt_set() -> None:
    found = proxies.read({"ALL_PROXY": PROXY, "HTTP_PROXY": "http://other:1"}).carrier("https://a.example")
    assert found is not None
    assert found.variable == "ALL_PROXY"


PLACES = {
    "proxy": "http://proxy",
    "proxy:8080": "http://proxy:8080",
    "HTTP://proxy:8080/": "http://proxy:8080",
    "https://proxy": "https://proxy",
    "http://[::1]:8080": "http://[::1]:8080",
    "http://proxy:8080/path?x#y": "http://proxy:8080",
    "http://proxy:": "http://proxy",
    "socks5h://proxy:1080": "socks5h://proxy:1080",
    "http://bücher.example:80": "http://xn--bcher-kva.example:80",
    "http://my_proxy.corp.:80": "http://my_proxy.corp.:80",
}


@pytest.mark.parametrize(("written", "url"), PLACES.items())
def test_a_proxy_is_understood_as_it_is_written(written: str, url: str) -> None:
    found = proxies.read({"HTTPS_PROXY": f" {written}\n"}).carrier("https://a.example")
    assert found is not None
    assert found.url == url


@pytest.mark.parametrize(
    "written", ["http:proxy:80", "http:/proxy:80", "//proxy:80", "http://::1:80", "http://[zz]:80", "http://-x:80",
                "http://proxy:port", "http://pro xy", "http://" + "a" * 300, "http://[::1", "http://proxy:-1"],
)  # fmt: skip
def test_what_is_no_proxy_is_named_by_its_variable(written: str) -> None:
    found = proxies.read({"https_proxy": written})
    with pytest.raises(EnvironmentFault, match="https_proxy can't be used") as refused:
        found.carrier("https://a.example")
    assert written not in f"{refused.value} {refused.value.hint}"
    assert refused.value.hint
    assert found.carrier("https://localhost") is None  # nobody needs it there


def test_a_login_is_no_part_of_what_a_proxy_says_of_itself() -> None:
    found = proxies.read({"HTTPS_PROXY": "http://somebody:hunter2%23@proxy:80"}).carrier("https://a.example")
    assert found is not None
    assert found.login == ("somebody", "hunter2#")
    assert "hunter2" not in f"{found} {found!r} {found.url} {found.name}"


def test_logins_are_masked_in_every_form_but_are_no_keys() -> None:
    """A task id that holds a password by chance is a task id."""
    proxies.hide_logins({"Ftp_Proxy": "http://someone:kestrel%2Fone@proxy", "RSYNC_PROXY": "me:falcon#one@proxy:1"})
    for secret in ("someone:kestrel%2Fone", "kestrel/one", "kestrel%2Fone", "falcon#one", "falcon%23one",
                   "c29tZW9uZTprZXN0cmVsL29uZQ=="):  # fmt: skip
        assert without_keys(f"before {secret} after") == "before sk-… after"
        assert not holds_secret(f"task_{secret}")
        assert printable(f"a prompt with {secret}", own=True) == f"a prompt with {secret}"
    assert printable("at http://someone:kestrel%2Fone@proxy", own=True) == "at http://sk-…@proxy"


@pytest.mark.parametrize("written", ["http://proxy.corp:8080", "http://[fd00::12]:8080/", "proxy.corp:8080/path"])
def test_an_address_without_a_login_hides_nothing(written: str) -> None:
    proxies.hide_logins({"HTTPS_PROXY": written, "NO_PROXY": "user:canary-of-no-proxy@x"})
    assert without_keys(f"{written} canary-of-no-proxy") == f"{written} canary-of-no-proxy"
