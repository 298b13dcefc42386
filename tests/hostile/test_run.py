"""Hostile lists, folders, environments and gateways against the real command.

Nothing outside the project is written, the key stands nowhere, no terminal is taken over, no money goes by mistake.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.breadth import cases
from tests.harness.canary import KEY, holds_key, leaks_below
from tests.harness.fork import Mishap
from tests.harness.wire.server import FaultServer

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = "\x1b]0;owned\x07\x9b2J\r\u202egpj.exe <script>alert(1)</script> ![x](http://evil/y) | `rm` @all #1"


@pytest.fixture
def secret(film: Film) -> Film:
    """A folder whose commands have the canary as key."""
    film.environment = {**film.environment, "VEOPIPE_API_KEY": KEY}
    film.list({"shot": "a cat"})
    return film


def assert_key_nowhere(film: Film, *results: Result) -> None:
    assert not leaks_below(film.folder.parent)
    assert not any(holds_key(result.out + result.err) for result in results)


def assert_tame(result: Result) -> None:
    """Nothing that a terminal obeys; line ends and tabs are fine."""
    assert not CONTROL.search(result.out + result.err), result


# --- profiles of strangers ---------------------------------------------------------------------------

HEAD = "version: 1\nname: mine\ndialect: videos\nmodels:\n"
FAST = "  veo-3.1-fast-generate-preview: {family: veo-3.1, price: {per_call: 0.30}}\n"
STRANGE = {
    "escapes in a model's name": HEAD + '  "\\e]0;owned\\a\\u202e": {family: veo-3.1, price: {per_call: 1}}\n',
    "escapes in a text": f'{HEAD}{FAST}token_setup: "\\e[2J\\e]0;owned\\a"\n',
    "a price of 400 digits": f"{HEAD}  a: {{family: veo-3.1, price: {{per_call: {'9' * 400}}}}}\n",
    "a retention of 400 digits": f"{HEAD}  a: {{family: veo-3.1, price: {{per_call: 1}}, retention: {'9' * 400}d}}\n",
    "a poll interval of 400 digits": f"{HEAD}{FAST}poll: {{interval: {'9' * 400}s}}\n",
    "a form field that ends its line": (
        HEAD + '  a: {family: gemini-omni, price: {per_call: 1}, pictures: {input_reference: "a\\r\\nX: y"}}\n'
    ),
    "a file as an address": f"{HEAD}{FAST}base_url: file:///etc/passwd\n",
    "an address with a password": f"{HEAD}{FAST}base_url: https://u:p@127.0.0.1/\n",
    "a path as a version": f"{HEAD.replace('videos', 'interactions')}{FAST}api_version: ../../admin\n",
    "a name of a kilobyte": f"{HEAD}{FAST}description: {'x' * 1000}\napi_key_env: {'A' * 1000}\n",
}


@cases("profile", STRANGE.values(), ids=STRANGE)
@pytest.mark.shows("a profile file that tries paths, huge numbers or terminal escapes")
def test_a_strangers_profile_buys_nothing_and_takes_no_terminal_over(
    film: Film, gateway: Simulator, profile: str
) -> None:
    (film.folder / "profiles").mkdir()
    (film.folder / "profiles/mine.yaml").write_text(profile, "utf-8")
    film.pipeline(provider__profile="mine")
    film.list({"shot": "a cat"})
    common = ["shots.yaml", "-p", "quick.yaml"]
    for words in (film.arguments(), ["plan", *common], ["validate", *common], ["doctor", "-p", "quick.yaml"]):
        result = film.command(*words)
        assert result.code in {2, 6}, result
        assert_tame(result)
        assert len(result.out + result.err) < 20_000
    assert_tame(film.command("profiles"))
    assert gateway.wire == []


@pytest.mark.parametrize(
    "name", ["../../../../etc/passwd.yaml", "/etc/hostname.yaml", "\x1b[2J", "x" * 5000, "a\0b.yaml"]
)
@pytest.mark.shows("a profile file that tries paths, huge numbers or terminal escapes")
def test_a_pipeline_that_names_a_strange_profile_buys_nothing(film: Film, gateway: Simulator, name: str) -> None:
    film.pipeline(provider__profile=name)
    film.list({"shot": "a cat"})
    result = film.run()
    assert result.code == 2
    assert_tame(result)
    assert "root:" not in result.out + result.err
    assert gateway.wire == []


# --- the list (docs/hazards.md, e 12) --------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shows("e 12")
def test_a_schema_that_a_list_names_is_never_fetched(film: Film, measured_video: Path) -> None:
    with FaultServer("good", measured_video) as trap:
        place = f"{trap.base_url}/schema.json"
        film.list({"shot": {"prompt": "x", "$ref": place}}, **{"$schema": place, "$ref": place, "$id": place})
        assert film.command("validate", "shots.yaml").code == 2
        assert trap.connections == 0


# --- paths (docs/hazards.md, e 17, 21 and 22) ------------------------------------------------------


@pytest.mark.parametrize(
    "shot", ["../x", "/etc/x", "a\nb", "a/b", "..", "", "a" * 300, "a\x1b[2Jb", "ä", "-rf", "x\u202ey"], ids=ascii
)
@pytest.mark.shows("e 17")
def test_an_id_that_is_no_name_is_refused_and_makes_no_file(film: Film, gateway: Simulator, shot: str) -> None:
    film.list({shot: "a cat"})
    before = sorted(film.folder.parent.rglob("*"))
    result = film.run()
    assert result.code == 2
    assert_tame(result)
    assert sorted(film.folder.parent.rglob("*")) == before
    assert gateway.wire == []


PLANTED = [
    "renders/shots/shot.mp4",
    "renders/shots/takes/.shot.001.part",
    "renders/shots/takes/shot.001.mp4",
    "renders/shots/.ledger",
    ".veopipe/shots/lock",
    ".veopipe/shots/ledger.json",
    ".veopipe/shots/state/shot.json",
    ".veopipe/.gitignore",
]


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.shows("e 21")
def test_a_planted_link_leads_to_nothing_that_is_written(film: Film, gateway: Simulator, planted: str) -> None:
    victim = film.folder.parent / "victim"
    victim.write_bytes(b"precious\n")
    victim.chmod(0o644)
    film.list({"shot": "a cat"})
    link = film.folder / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    for result in (film.run(), film.run()):
        assert result.code in {0, 2, 6}, result
    assert victim.read_bytes() == b"precious\n"
    assert victim.stat().st_mode & 0o777 == 0o644
    assert len(gateway.charged) <= 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("folder", [".veopipe/shots", ".veopipe/shots/state"])
@pytest.mark.shows("e 22")
def test_a_ledger_of_another_user_that_everybody_can_write_is_refused(
    film: Film, gateway: Simulator, folder: str
) -> None:
    film.list({"shot": "a cat"})
    (film.folder / folder).mkdir(parents=True)
    (film.folder / folder).chmod(0o777)
    os.chown(film.folder / folder, 65534, 65534)
    result = film.run()
    assert result.code == 6
    assert "chmod -R o-w" in result.out
    assert gateway.wire == []
    (film.folder / folder).chmod(0o775)  # the group's, as a clone with a umask of 002 has it
    assert film.run().code == 0


# --- the environment (docs/hazards.md, e 36 to 40) -------------------------------------------------

BROKEN = {
    "ALL_PROXY": "socks5://user:hunter2@127.0.0.1:1",
    "HTTPS_PROXY": "http://[::1",
    "HTTP_PROXY": "nonsense://x",
    "SSL_CERT_FILE": "/nowhere/ca.pem",
    "NO_PROXY": "[::1",
}


@pytest.mark.parametrize("variable", BROKEN)
@pytest.mark.shows("e 36")
def test_broken_network_settings_are_named_and_nothing_is_sent(secret: Film, variable: str) -> None:
    words = ("run", "shots.yaml", "-p", "quick.yaml", "--yes", "--base-url", "https://127.0.0.2.invalid")
    result = secret.start(*words, **{variable: BROKEN[variable]}).result()
    assert result.code == 6, result
    assert "hunter2" not in result.out + result.err
    if variable != "NO_PROXY":  # this httpx takes it
        assert variable in result.err
    assert_key_nowhere(secret, result)


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "http://[::1", "socks5://127.0.0.1:1"])
def test_no_proxy_stands_between_this_machine_and_itself(film: Film, proxy: str) -> None:
    film.list({"shot": "a cat"})
    environment = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"), proxy)
    assert film.start(*film.arguments(), **environment).result().code == 0


@pytest.mark.parametrize(
    "url",
    [
        *("http://api.example.com", "https://user:hunter2@api.example.com", "https://api.example.com?key=hunter2"),
        *("ftp://x", "https://", "//x", "https://x\\@y"),
    ],
)
@pytest.mark.shows("e 37")
def test_an_address_without_tls_or_with_a_password_is_refused(secret: Film, url: str) -> None:
    secret.pipeline("written.yaml", provider__base_url=url)
    for result in (secret.run("--base-url", url), secret.command("plan", "shots.yaml", "-p", "./written.yaml")):
        assert result.code == 2
        assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize("option", ["--insecure", "--no-verify", "--key", "--api-key", "--verify=false"])
@pytest.mark.shows("e 37")
@pytest.mark.shows("e 40")
def test_no_option_takes_a_key_or_turns_tls_off(secret: Film, option: str) -> None:
    assert secret.run(option, "x").code == 2
    assert "--" + option.strip("-").partition("=")[0] not in secret.command("run", "--help").out.split()


@pytest.mark.shows("e 38")
def test_a_key_in_a_dotenv_file_is_not_read(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "a cat"})
    (film.folder / ".env").write_text("VEOPIPE_API_KEY=sk-of-the-dotenv-file\n", "ascii")
    result = film.start(*film.arguments(), VEOPIPE_API_KEY="").result()
    assert (result.code, gateway.wire) == (6, [])


@pytest.mark.parametrize("odd", [f"{KEY}\nX: y", f"{KEY} x", f"{KEY}–x", f"\ufeff{KEY}", f"{KEY}\x7f", KEY * 40])
@pytest.mark.shows("e 39")
def test_a_key_with_odd_characters_is_refused_and_never_shown(secret: Film, gateway: Simulator, odd: str) -> None:
    result = secret.start(*secret.arguments(), VEOPIPE_API_KEY=odd).result()
    assert (result.code, gateway.wire) == (6, [])
    assert_key_nowhere(secret, result)


@pytest.mark.parametrize("around", ["{}\n", " {}", "\t{}\r\n"])
def test_space_around_a_key_is_no_part_of_it(film: Film, around: str) -> None:
    film.list({"shot": "a cat"})
    key = around.format(film.environment["VEOPIPE_API_KEY"])
    assert film.start(*film.arguments(), VEOPIPE_API_KEY=key).result().code == 0


# --- secrets (docs/hazards.md, e 41 to 43b) --------------------------------------------------------

ECHOES = ["echo_in_an_error", "echo_in_a_refusal", "echo_as_the_id", "echo_cut_off", "echo_in_a_redirect"]


def reports_of(film: Film) -> list[Result]:
    """Every report there is, as text and as files."""
    kinds = [film.command("report", "shots.yaml", "-p", "quick.yaml", "--format", kind) for kind in
             ("html", "json", "markdown", "junit")]  # fmt: skip
    return [*kinds, film.command("status", "shots.yaml", "-p", "quick.yaml"), film.command("resolve", "shots.yaml")]


@pytest.mark.parametrize("stage", ["create", "poll", "content"])
@cases("echo", ["echo_in_the_protocol", *ECHOES])
@pytest.mark.shows("e 41")
def test_a_gateway_that_repeats_the_key_gets_it_written_nowhere(
    secret: Film, measured_video: Path, echo: str, stage: str
) -> None:
    secret.pipeline(poll__timeout="300ms", download__not_ready_for="300ms")
    with FaultServer(echo, measured_video, spoils=stage) as gateway:
        secret.base_url = gateway.base_url
        as_json = secret.run()
        words = [word for word in secret.arguments() if word not in {"--format", "json"}]
        results = [as_json, *([secret.command(*words)] if stage == "create" else [])]
    assert as_json.code in {1, 3, 4, 6}, as_json
    assert_key_nowhere(secret, *results)


@pytest.mark.shows("e 42")
def test_reports_of_a_gateway_that_repeats_the_key_hold_nothing_of_it(secret: Film, measured_video: Path) -> None:
    with FaultServer("echo_in_an_error", measured_video, spoils="create") as gateway:
        secret.base_url = gateway.base_url
        assert secret.run().code == 3
    results = reports_of(secret)
    assert [result.code for result in results] == [0] * len(results)
    assert_key_nowhere(secret, *results)


@pytest.mark.shows("e 43")
def test_the_log_of_a_bug_is_private_and_without_the_key(secret: Film) -> None:
    result = secret.start(*secret.arguments(), first=Mishap("odd", "poll")).result()
    assert result.code == 70
    (log,) = (secret.folder.parent / "tmp").glob("veopipe-bug-*.log")
    assert log.stat().st_mode & 0o777 == 0o600
    assert "LookupError" in log.read_text("utf-8")
    assert_key_nowhere(secret, result)


@pytest.mark.shows("e 43b")
def test_reports_for_others_show_no_whole_task_id(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "a cat"})
    assert film.run().code == 0
    task = film.state("shot")["takes"][0]["attempts"][0]["task_id"]
    for kind in ("html", "markdown", "junit"):
        result = film.command("report", "shots.yaml", "-p", "quick.yaml", "--format", kind)
        assert result.code == 0
        assert task not in result.out


# --- output (docs/hazards.md, e 44 to 48) ----------------------------------------------------------


@pytest.fixture
def shown(film: Film, gateway: Simulator) -> Film:
    """A run whose prompt and notes try everything."""
    film.list({"shot": {"prompt": HOSTILE, "notes": HOSTILE}, "other": "a cat"})
    assert film.run().code == 0
    return film


def words_of(film: Film) -> list[list[str]]:
    common = ["shots.yaml", "-p", "quick.yaml"]
    return [
        ["plan", *common],
        ["status", *common],
        ["verify", *common],
        ["validate", "shots.yaml"],
        ["resolve", *common],
        ["report", *common],
        ["report", *common, "--format", "markdown"],
        ["report", *common, "--format", "junit"],
        ["report", *common, "--format", "html"],
        ["status", *common, "--format", "json"],
        ["plan", *common, "--format", "json"],
    ]


@pytest.mark.shows("e 44")
def test_no_output_takes_a_terminal_over(shown: Film) -> None:
    for words in words_of(shown):
        result = shown.command(*words)
        assert result.code == 0, result
        assert_tame(result)
    assert_tame(shown.command(*(word for word in shown.arguments() if word not in {"--format", "json"})))


def test_a_gateways_words_take_no_terminal_over(film: Film, measured_video: Path) -> None:
    film.list({"shot": "a cat"})
    with FaultServer("binary_noise", measured_video, spoils="create") as gateway:
        film.base_url = gateway.base_url
        result = film.command(*(word for word in film.arguments() if word not in {"--format", "json"}))
    assert result.code == 3
    assert_tame(result)


@pytest.mark.parametrize(
    "text", [b"a: \x1b]0;x\x07\n", "shots: {\u202ex: \u2066y}\n".encode(), b"a: \xc2\x9b2J\n", b"\x00"]
)
def test_a_source_line_that_is_shown_is_tame(film: Film, text: bytes) -> None:
    (film.folder / "shots.yaml").write_bytes(text)
    result = film.command("validate", "shots.yaml")
    assert result.code == 2
    assert_tame(result)


@pytest.mark.parametrize("kind", ["text", "json", "github"])
def test_a_files_name_takes_no_terminal_and_no_workflow_over(film: Film, kind: str) -> None:
    name = "x\x1b]0;owned\x07\n::error::y\u202e.yaml"
    (film.folder / name).write_text("a: [", "ascii")
    result = film.command("validate", name, "--format", kind)
    assert result.code == 2
    assert_tame(result)
    assert not any(line.startswith("::error::") for line in result.out.splitlines())


@pytest.mark.shows("e 45")
def test_the_html_report_holds_no_foreign_markup(shown: Film) -> None:
    text = shown.command("report", "shots.yaml", "-p", "quick.yaml", "--format", "html").out
    assert "<script>alert" not in text
    assert "default-src 'none'" in text or "default-src &#39;none&#39;" in text
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:|//|data:text|javascript:)""", text)


@pytest.mark.shows("e 47")
def test_markdown_holds_no_foreign_links_pictures_cells_or_mentions(shown: Film) -> None:
    text = shown.command("report", "shots.yaml", "-p", "quick.yaml", "--format", "markdown").out
    for piece in ("![x]", "](http", "<script", "`rm`", "@all"):
        assert piece not in text


@pytest.mark.shows("e 46")
def test_no_report_is_a_spreadsheet_that_could_calculate(shown: Film) -> None:
    assert shown.command("report", "shots.yaml", "--format", "csv").code == 2


@pytest.mark.shows("e 48")
def test_json_for_machines_is_json_without_python_in_it(shown: Film) -> None:
    def refuse(name: str) -> Any:
        raise AssertionError(name)

    for words in words_of(shown):
        if "json" in words:
            json.loads(shown.command(*words).out, parse_constant=refuse)


# --- money (docs/hazards.md, e 49 to 51) -----------------------------------------------------------


@pytest.mark.shows("e 49")
def test_a_thousand_shots_by_mistake_need_a_yes(film: Film, gateway: Simulator) -> None:
    film.list({f"shot-{number}": "a cat" for number in range(1000)})
    result = film.run(yes=False)
    assert (result.code, gateway.wire) == (2, [])
    assert "$300.00" in result.out


@pytest.mark.shows("e 50")
def test_an_edit_after_payment_says_that_it_costs_again(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "a cat"})
    assert film.run().code == 0
    film.list({"shot": "a dog"})
    result = film.run(yes=False)
    assert result.code == 2
    assert "bought" in result.out
    assert "prompt changed" in result.out
    assert len(gateway.charged) == 1


@pytest.mark.shows("a clone, a cleaned checkout, renamed lists and shots")
@pytest.mark.shows("e 51")
def test_a_deleted_ledger_beside_its_videos_buys_nothing(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "a cat"})
    assert film.run().code == 0
    for path in sorted((film.folder / ".veopipe").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    os.rmdir(film.folder / ".veopipe")
    assert film.run().code in {2, 6}
    assert len(gateway.charged) == 1
