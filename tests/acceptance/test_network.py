"""Company networks: proxies that look names up, logins with odd signs, authorities that nobody else knows.

The gateway is a real one behind a real proxy, under a name that this machine's DNS doesn't know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.companynet import Authority, CompanyProxy
from tests.harness.film import AUTHORITY

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow  # many situations of one kind; each promise has faster tests

GATEWAY, MEDIA = "gateway.example", "media.example"
BASE = f"https://{GATEWAY}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that no list of the world knows."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def contexts(authority: Authority) -> dict[str, Any]:
    """Certificates for both names."""
    return {name: authority.certify(name) for name in (GATEWAY, MEDIA)}


@pytest.fixture
def company(gateway: Simulator, contexts: dict[str, Any]) -> Callable[..., CompanyProxy]:
    """Make a proxy before the test's gateway; what `media.example` is asked for, is the last task's video."""

    def make(**more: Any) -> CompanyProxy:
        routes = {GATEWAY: gateway.port, MEDIA: gateway.port}
        video = {MEDIA: lambda: f"/_elsewhere/{gateway.ledger[-1]['task_id']}"}
        return CompanyProxy(routes, {**contexts, **more.pop("contexts", {})}, paths=video, **more)

    return make


@pytest.fixture
def proxy(company: Callable[..., CompanyProxy]) -> Iterator[CompanyProxy]:
    """One that asks nobody who he is."""
    with company() as made:
        yield made


@pytest.fixture
def inside(film: Film, authority: Authority) -> Film:
    """A film whose gateway is only reached through a proxy, and whose machine knows the authority."""
    film.base_url = BASE
    film.environment["SSL_CERT_FILE"] = str(authority.pem)
    film.list({"a": "a cat"})
    return film


def told(film: Film, result: Result) -> str:
    """All that a command said and everything that it wrote."""
    files = [path.read_bytes().decode("utf-8", "replace") for path in film.folder.parent.rglob("*")
             if path.is_file() and path.suffix != ".mp4"]  # fmt: skip
    return "\n".join((result.out, result.err, *files))


def checks(result: Result) -> dict[str, Any]:
    """Doctor's findings by name."""
    return {check["name"]: check for check in result.document["checks"]}


def doctor(film: Film, **environment: str) -> Result:
    """`veopipe doctor` at the film's gateway."""
    return film.start("doctor", "--base-url", film.base_url, "--format", "json", **environment).result()


# --- where a redirect leads is the proxy's to know -------------------------------------------------


def test_a_redirect_to_a_name_that_only_the_proxy_knows_is_followed_through_it(
    inside: Film, gateway: Simulator, proxy: CompanyProxy
) -> None:
    gateway.order_fault("redirect_302_other_host", times=None, location=f"https://{MEDIA}/signed?x=1")
    ended = inside.start(*inside.arguments(), HTTPS_PROXY=proxy.url).result()
    assert (ended.code, ended.statuses) == (0, {"a": "verified"})
    assert set(proxy.asked) == {f"{GATEWAY}:443", f"{MEDIA}:443"}
    assert len(gateway.charged) == 1


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_every_variable_that_names_a_proxy_carries_both(
    inside: Film, gateway: Simulator, proxy: CompanyProxy, variable: str
) -> None:
    gateway.order_fault("redirect_302_other_host", times=None, location=f"https://{MEDIA}/signed?x=1")
    ended = inside.start(*inside.arguments(), **{variable: proxy.url}).result()
    assert ended.statuses == {"a": "verified"}


@pytest.mark.parametrize("host", ["10.0.0.7", "127.1", "[::ffff:10.0.0.1]", "localhost", "[64:ff9b::a00:7]"])
def test_an_address_inside_that_is_spelt_out_is_refused_behind_a_proxy_too(
    inside: Film, gateway: Simulator, proxy: CompanyProxy, host: str
) -> None:
    inside.pipeline(download__not_ready_for="100ms")
    gateway.order_fault("redirect_302_other_host", times=None, location=f"https://{host}/latest/meta-data")
    ended = inside.start(*inside.arguments(), HTTPS_PROXY=proxy.url).result()
    assert ended.statuses == {"a": "parked"}
    assert "inside this network" in ended.shots["a"]["reason"]
    assert set(proxy.asked) == {f"{GATEWAY}:443"}


def test_what_this_machine_could_not_look_up_is_parked_with_a_remedy_and_never_given_up(
    inside: Film, gateway: Simulator, proxy: CompanyProxy
) -> None:
    """`media.example` is excepted from the proxy here, and DNS doesn't know it. The gateway's 48 h are over."""
    inside.pipeline(download__not_ready_for="100ms", provider__profile=inside.keeps("10ms"))
    gateway.order_fault("redirect_302_other_host", times=None, location=f"https://{MEDIA}/signed?secret=1")
    environment = {"HTTPS_PROXY": proxy.url, "NO_PROXY": MEDIA}
    for _ in range(2):
        ended = inside.start(*inside.arguments(), **environment).result()
        assert (ended.code, ended.statuses) == (4, {"a": "parked"})
    assert MEDIA in ended.shots["a"]["reason"]
    assert "HTTPS_PROXY" in ended.shots["a"]["reason"]
    assert "secret" not in ended.shots["a"]["reason"]
    listed = inside.command("resolve", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    assert "HTTPS_PROXY" in listed.document["takes"][0]["message"]
    gateway.clear_faults()
    assert inside.start(*inside.arguments(), **environment).result().statuses == {"a": "verified"}
    assert len(gateway.charged) == 1


def test_a_proxy_that_refuses_the_storage_only_is_said_and_nothing_is_given_up(
    inside: Film, gateway: Simulator, proxy: CompanyProxy
) -> None:
    inside.pipeline(download__not_ready_for="100ms", provider__profile=inside.keeps("10ms"))
    gateway.order_fault("redirect_302_other_host", times=None, location="https://storage.example/signed?x=1")
    ended = inside.start(*inside.arguments(), HTTPS_PROXY=proxy.url).result()
    assert ended.statuses == {"a": "parked"}
    assert "storage.example (HTTP 502)" in ended.shots["a"]["reason"]


# --- logins ----------------------------------------------------------------------------------------

# user and password as they stand in the variable: httpx and urllib cut there, and quote what is left as a port
CUT = {
    "a hash": "http://somebody:hunter2#hunter3@{}",
    "a slash": "http://somebody:hunter2/hunter3@{}",
    "a question mark": "http://somebody:hunter2?hunter3@{}",
    "a short one": "http://me:h2#h3@{}",
    "no scheme": "somebody:hunter2#hunter3@{}",
    "two at signs and a hash": "http://some@body:hunter2#hunter3@{}",
    "all behind the hash": "http://#hunter2hunter3@{}",
    "socks": "socks5://somebody:hunter2#hunter3@{}",
}
BROKEN = {
    "no host": "http://somebody:hunter2hunter3",
    "a bracket": "http://somebody:hunter2hunter3@[::1",
    "a port out of range": "http://somebody:hunter2hunter3@127.0.0.1:99999",
    "port nought": "http://somebody:hunter2hunter3@127.0.0.1:0",
    "a space in the host": "http://somebody:hunter2hunter3@pro xy:8080",
    "an unknown scheme": "nonsense://somebody:hunter2hunter3@127.0.0.1:1",
    "socks without a version": "socks://somebody:hunter2hunter3@127.0.0.1:1",
    "a password as scheme": "hunter2hunter3://x@127.0.0.1:1",
    "a line break": "http://somebody:hunter2\nhunter3@127.0.0.1:1",
    "bytes that are no text": "http://somebody:hunter2hunter3%ff@127.0.0.1:1",
    "no name": "http://somebody:hunter2hunter3@",
    "only a scheme": "http://",
    "a name of dots": "http://somebody:hunter2hunter3@...:80",
}
PIECES = ("hunter2", "hunter3", "somebody", "h2#", "#h3")


SENSELESS = [("HTTPS_PROXY", name) for name in (*CUT, *BROKEN)] + [("https_proxy", "a hash"), ("all_proxy", "a slash")]


@pytest.mark.parametrize(("variable", "kind"), SENSELESS)
def test_a_proxy_that_makes_no_sense_is_named_by_its_variable_and_nothing_of_it_is_told(
    inside: Film, gateway: Simulator, variable: str, kind: str
) -> None:
    environment = {variable: {**CUT, **BROKEN}[kind].format("127.0.0.1:1")}
    as_text = ("run", "shots.yaml", "-p", "quick.yaml", "--yes", "--base-url", BASE)
    for result in (inside.start(*as_text, **environment).result(), doctor(inside, **environment)):
        assert result.code == 6
        said = told(inside, result)
        assert f"{variable} can't be used" in said
        assert "percent-encoded" in said
        assert not [piece for piece in PIECES if piece in said]
    assert gateway.wire == []


ENCODED = {
    "#/?@:%": ("some%40body", "h%23u%2Fn%3Ft%40e%3Ar%25", "some@body:h#u/n?t@e:r%"),
    "two at signs": ("some@body", "hunter2", "some@body:hunter2"),
    "a colon more": ("somebody", "hunt:er2", "somebody:hunt:er2"),
    "umlauts": ("j%C3%B6rg", "schl\u00fcssel", "jörg:schlüssel"),
    "a domain": ("CORP\\somebody", "hunter2", "CORP\\somebody:hunter2"),
    "a token alone": ("tok3n-tok3n", "", "tok3n-tok3n:"),
}


@pytest.mark.parametrize(("user", "password", "login"), ENCODED.values(), ids=list(ENCODED))
def test_a_login_reaches_the_proxy_as_it_was_meant_and_nobody_else(
    inside: Film, company: Callable[..., CompanyProxy], user: str, password: str, login: str
) -> None:
    written = f"{user}:{password}" if password else user
    with company(login=login) as proxy:
        ended = inside.start(*inside.arguments(), HTTPS_PROXY=f" http://{written}@127.0.0.1:{proxy.port}/\n").result()
    assert ended.statuses == {"a": "verified"}
    assert set(proxy.logins) == {login}
    said = told(inside, ended)
    assert not [secret for secret in (password or user, login) if secret in said]


@pytest.mark.parametrize(("status", "said"), [(407, "wants a user name and a password"), (403, "HTTP 403")])
def test_a_proxy_that_refuses_is_named_without_its_words_and_nothing_was_sent(
    inside: Film, gateway: Simulator, company: Callable[..., CompanyProxy], status: int, said: str
) -> None:
    """Its words repeat the login."""
    with company(status=status) as proxy:
        environment = {"HTTPS_PROXY": f"http://me:pw1@127.0.0.1:{proxy.port}"}
        ended = inside.start(*inside.arguments(), **environment).result()
        looked = doctor(inside, **environment)
    assert (ended.code, ended.statuses) == (6, {"a": "pending"})
    for result in (ended, looked):
        everything = told(inside, result)
        assert said in everything
        assert "(HTTPS_PROXY)" in everything
        assert f"127.0.0.1:{proxy.port}" in everything
        assert "me:pw1" not in everything
        assert "No way" not in everything
    assert gateway.wire == []
    with company() as open_proxy:  # nothing is in doubt: the same command goes on
        ended = inside.start(*inside.arguments(), HTTPS_PROXY=open_proxy.url).result()
    assert ended.statuses == {"a": "verified"}
    assert len(gateway.charged) == 1


@pytest.mark.parametrize(
    ("junk", "why"),
    [(b"", "the connection was closed"), (b"somebody:hunter2 says hello\r\n\r\n", "what was answered isn't HTTP")],
    ids=["hangs up", "says something else"],
)
def test_a_proxy_that_speaks_no_http_is_named_without_its_words(
    inside: Film, gateway: Simulator, company: Callable[..., CompanyProxy], junk: bytes, why: str
) -> None:
    with company(junk=junk) as proxy:
        environment = {"HTTPS_PROXY": f"http://somebody:hunter2@127.0.0.1:{proxy.port}"}
        for result in (inside.start(*inside.arguments(), **environment).result(), doctor(inside, **environment)):
            assert result.code == 6
            said = told(inside, result)
            assert f"{why} (through the proxy 127.0.0.1:{proxy.port} (HTTPS_PROXY))" in said
            assert not [word for word in ("hunter2", "somebody", "bytearray", "hello") if word in said]
    assert gateway.wire == []


def test_a_prompt_that_holds_a_proxys_password_is_shown_as_it_is(
    inside: Film, company: Callable[..., CompanyProxy]
) -> None:
    inside.list({"harbour": {"prompt": "a harbour at dawn", "tags": ["harbour"], "notes": "the old harbour"}})
    with company(login="bob:harbour") as proxy:
        environment = {"HTTPS_PROXY": f"http://bob:harbour@127.0.0.1:{proxy.port}"}
        assert inside.start(*inside.arguments(), **environment).result().statuses == {"harbour": "verified"}
    for kind in ("html", "md", "xml"):
        place = inside.folder / f"report.{kind}"
        assert (
            inside.start("report", "shots.yaml", "-p", "quick.yaml", "-o", str(place), **environment).result().code == 0
        )
        assert "sk-…" not in place.read_text("utf-8")
        assert "harbour" in place.read_text("utf-8")


def test_a_proxy_that_cant_be_reached_is_named_without_its_login(inside: Film, gateway: Simulator) -> None:
    environment = {"HTTPS_PROXY": "http://somebody:hunter2@127.0.0.1:1"}
    for result in (inside.start(*inside.arguments(), **environment).result(), doctor(inside, **environment)):
        assert result.code == 6
        said = told(inside, result)
        assert "through the proxy 127.0.0.1:1 (HTTPS_PROXY)" in said
        assert "hunter2" not in said
        assert "somebody" not in said
    assert gateway.wire == []


def test_socks_without_its_library_is_named_with_what_to_install(inside: Film) -> None:
    result = doctor(inside, ALL_PROXY="socks5h://somebody:hunter2@127.0.0.1:1")
    assert checks(result)["network"]["state"] == "bad"
    assert "ALL_PROXY" in checks(result)["network"]["found"]
    assert "socksio" in checks(result)["network"]["remedy"]
    assert "hunter2" not in result.out


@pytest.mark.parametrize("idle", ["socks://127.0.0.1:1080/", "socks5://127.0.0.1:1080", "nonsense://x#y@z"])
def test_all_proxy_is_no_matter_where_another_variable_stands_before_it(
    inside: Film, proxy: CompanyProxy, idle: str
) -> None:
    """GNOME and many proxy programs set both."""
    ended = inside.start(*inside.arguments(), HTTPS_PROXY=proxy.url, ALL_PROXY=idle).result()
    assert ended.statuses == {"a": "verified"}


# --- NO_PROXY --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry", ["fd00::/8", "[::1]", "::1", "[::1]:8080", "[::1", "*.corp,[fe80::]/10,;,10/8", "https://[", "ü..,.,:"]
)
def test_an_entry_of_no_proxy_that_httpx_chokes_on_is_no_matter(inside: Film, proxy: CompanyProxy, entry: str) -> None:
    ended = inside.start(*inside.arguments(), HTTPS_PROXY=proxy.url, NO_PROXY=entry).result()
    assert (ended.code, ended.statuses) == (0, {"a": "verified"})
    assert proxy.asked


@pytest.mark.parametrize("entry", [GATEWAY, ".example", "*.example", f"x, https://{GATEWAY}/", f"{GATEWAY}:443", "*"])
def test_an_excepted_gateway_isnt_asked_for_through_the_proxy(inside: Film, proxy: CompanyProxy, entry: str) -> None:
    result = doctor(inside, HTTPS_PROXY=proxy.url, NO_PROXY=entry)
    assert checks(result)["proxy"]["found"] == "none for this gateway"
    assert checks(result)["gateway"]["state"] == "bad"
    assert proxy.asked == []


def test_a_gateway_on_this_machine_is_reached_straight_whatever_the_variables_hold(film: Film) -> None:
    film.list({"a": "a cat"})
    environment = {"HTTPS_PROXY": "http://a:b#c@d", "http_proxy": "x://", "NO_PROXY": "[::1],fd00::/8"}
    assert film.start(*film.arguments(), **environment, SSL_CERT_FILE="/nowhere.pem").result().code == 0


# --- certificates ----------------------------------------------------------------------------------


def test_a_company_s_authority_is_believed_by_each_of_its_variables(
    inside: Film, proxy: CompanyProxy, authority: Authority
) -> None:
    del inside.environment["SSL_CERT_FILE"]
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        found = checks(doctor(inside, HTTPS_PROXY=proxy.url, **{variable: str(authority.pem)}))
        assert found["gateway"]["state"] == "good", found
        assert variable in found["certificates"]["found"]


def test_an_authority_that_nobody_knows_is_said_with_the_variable_that_makes_it_known(
    inside: Film, gateway: Simulator, proxy: CompanyProxy, tmp_path: Path
) -> None:
    del inside.environment["SSL_CERT_FILE"]
    gone = str(tmp_path / "gone.pem")
    environment = {"HTTPS_PROXY": proxy.url, "REQUESTS_CA_BUNDLE": gone}
    for result in (inside.start(*inside.arguments(), **environment).result(), doctor(inside, **environment)):
        assert result.code == 6
        assert "authority that isn't known here" in result.out
        assert "SSL_CERT_FILE" in result.out
        assert f"REQUESTS_CA_BUNDLE names {gone}, which isn't there" in result.out
    assert gateway.wire == []


def test_what_is_known_instead_of_an_authority_is_one_sentence(
    inside: Film, proxy: CompanyProxy, authority: Authority
) -> None:
    del inside.environment["SSL_CERT_FILE"]
    others = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), AUTHORITY)
    said = checks(doctor(inside, HTTPS_PROXY=proxy.url, **others))["gateway"]["found"]
    assert "; known are those of SSL_CERT_FILE, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE" in said
    said = checks(doctor(inside, HTTPS_PROXY=proxy.url, CURL_CA_BUNDLE=AUTHORITY))["gateway"]["found"]
    assert "; known are certifi's and this machine's, and those of CURL_CA_BUNDLE" in said


def test_what_is_wrong_with_a_certificate_is_called_what_it_is(
    inside: Film, company: Callable[..., CompanyProxy], authority: Authority
) -> None:
    shown = {
        "has expired": authority.certify(GATEWAY, days=-1),
        "is for another name": authority.certify("another.example"),
        "is signed by itself": authority.self_signed(GATEWAY),
    }
    for words, context in shown.items():
        with company(contexts={GATEWAY: context}) as proxy:
            found = checks(doctor(inside, HTTPS_PROXY=proxy.url))["gateway"]["found"]
        assert f"the certificate of {GATEWAY} {words}" in found
        assert "CERTIFICATE_VERIFY_FAILED" not in found


def _cases(folder: Path) -> dict[str, tuple[str, Path, str]]:
    for name in ("empty.pem", "text.pem"):
        (folder / name).write_text("" if name == "empty.pem" else "no certificate\n", "utf-8")
    (folder / "der.pem").write_bytes(b"\x30\x82\x01\x0a\xff\xfe")
    (folder / "bare").mkdir()
    return {
        "a file that isn't there": ("SSL_CERT_FILE", folder / "gone.pem", "isn't there"),
        "an empty file": ("SSL_CERT_FILE", folder / "empty.pem", "no certificate in PEM form"),
        "a text": ("SSL_CERT_FILE", folder / "text.pem", "no certificate in PEM form"),
        "bytes": ("SSL_CERT_FILE", folder / "der.pem", "no certificate in PEM form"),
        "a folder": ("SSL_CERT_FILE", folder / "bare", "is a folder"),
        "no folder": ("SSL_CERT_DIR", folder / "gone", "isn't there"),
        "a file as folder": ("SSL_CERT_DIR", folder / "text.pem", "is no folder"),
        "a folder without hashed names": ("SSL_CERT_DIR", folder / "bare", "openssl rehash"),
    }


def test_a_variable_that_names_no_certificates_ends_the_run_by_its_name(
    inside: Film, gateway: Simulator, proxy: CompanyProxy, tmp_path: Path
) -> None:
    del inside.environment["SSL_CERT_FILE"]
    for variable, path, words in _cases(tmp_path).values():
        environment = {"HTTPS_PROXY": proxy.url, variable: str(path)}
        ended = inside.start(*inside.arguments(), **environment).result()
        assert ended.code == 6
        assert ended.document["error"].startswith(f"{variable} can't be used: {path} ")
        assert words in ended.document["error"]
        assert checks(doctor(inside, **environment))["certificates"]["state"] == "bad"
    assert gateway.wire == []
    assert proxy.asked == []


# --- the webhook -----------------------------------------------------------------------------------


def test_the_webhook_goes_the_way_of_all_else(
    inside: Film, gateway: Simulator, company: Callable[..., CompanyProxy]
) -> None:
    """Through the proxy, with the same authorities: the far side is the gateway, which has no such page."""
    inside.pipeline(notify={"webhook_env": "HOOK"})
    with company(login="somebody:hunter2/#") as proxy:
        environment = {"HTTPS_PROXY": f"http://somebody:hunter2%2F%23@127.0.0.1:{proxy.port}", "NO_PROXY": "[::1]"}
        ended = inside.start(*inside.arguments(), **environment, HOOK=f"https://{GATEWAY}/services/s3cret").result()
    assert ended.code == 0
    assert "nobody was told by the webhook: it answered 404" in ended.err
    assert [entry["path"] for entry in gateway.wire if entry["method"] == "POST"] == ["/v1/videos", "/services/s3cret"]


def test_a_webhook_whose_proxy_makes_no_sense_names_the_variable_and_ends_nothing(film: Film) -> None:
    film.list({"a": "a cat"})
    film.pipeline(notify={"webhook_env": "HOOK"})
    hook = f"https://{GATEWAY}/services/s3cret"
    ended = film.start(*film.arguments(), HTTPS_PROXY="http://me:h2#h3@x:1", HOOK=hook).result()
    assert ended.code == 0
    assert "HTTPS_PROXY can't be used" in ended.err
    assert not [piece for piece in ("h2#", "h3@", "s3cret", "'h2'") if piece in ended.err]


# --- what a crash leaves behind --------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "FTP_PROXY", "npm_config_https_proxy"])
def test_no_text_shows_what_any_proxy_variable_holds(film: Film, variable: str) -> None:
    """Whatever brings it there: here the name of a command that doesn't exist."""
    written = "http://somebody:hunter2#hunter3@proxy.corp:8080"
    for words in ([written], ["somebody:hunter2#hunter3"], ["c29tZWJvZHk6aHVudGVyMiNodW50ZXIz"]):
        done = film.start(*words, **{variable: written}).result()
        assert done.code == 2
        assert "hunter2" not in done.err
        assert words[0] not in done.err


def test_json_is_told_no_login_either(film: Film) -> None:
    written = "http://somebody:hunter2#hunter3@proxy.corp:8080"
    done = film.start("doctor", "-p", "somebody:hunter2#hunter3", "--format", "json", HTTPS_PROXY=written).result()
    assert "hunter2" not in json.dumps(done.document)


@pytest.mark.parametrize(
    ("setting", "secret"),
    [
        ({"provider__base_url": "https://somebody:hunter2#x@gateway.example"}, "hunter2"),
        ({"provider__base_url": "https://tok3n-tok3n@gateway.example"}, "tok3n"),
        ({"notify": {"webhook_env": "https://hooks.example/services/T0/s3cret"}}, "s3cret"),
        ({"provider__api_key_env": "AIza-s3cret-of-google"}, "s3cret"),
        ({"provider__api_key_env": "sk-abcdefgh-secret"}, "secret"),
        ({"provider__api_key_env": "$QwErTzUiOpSecretXyAsDfGh"}, "Secret"),
        ({"provider__api_key_env": "kqzvwmxjhrtplsdgfbnc-secret-kqzvwmxjhrtplsdgfbnck"}, "secret"),
    ],
    ids=["a password", "a token", "a webhook", "a key", "a plain key", "a key with a sign", "a key of letters"],
)
def test_a_secret_in_a_pipeline_isnt_shown_with_the_line_that_is_wrong(
    film: Film, setting: dict[str, Any], secret: str
) -> None:
    film.pipeline("wrong.yaml", **setting)
    film.list({"a": "a cat"})
    for words in (["plan", "shots.yaml"], ["doctor"], ["run", "shots.yaml", "--yes"]):
        done = film.command(*words, "-p", "wrong.yaml")
        assert done.code == 2
        assert "wrong.yaml:1:" in done.err
        assert secret not in done.out + done.err
