"""The HTML report as a file: what it holds, where its links lead, and what it never overwrites."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

HOSTILE = '"><img src=x onerror=alert(1)><script>document.title="gone"</script> ]]> {{ 7*7 }} \u202e</style>'
# Fault → what becomes of the shot.
FAULTS = {
    "fine": "",
    "doubtful": "[simulate: lost_response]",
    "small": "[simulate: wrong_resolution resolution=720p]",
    "rival": "[simulate: 400_google]",
    "crowd": "[simulate: 400_google]",
    "broken": "[simulate: failed_with_error]",
}


class Elements(HTMLParser):
    """Every element with its attributes and the text directly behind its opening tag."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.found[-1][2] += data

    def named(self, tag, kind=None):
        return [
            (attributes, text)
            for name, attributes, text in self.found
            if name == tag and (kind is None or kind in (attributes.get("class") or "").split())
        ]


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    """Where the film is kept once it was shot, for the other tests of this file."""
    return tmp_path_factory.mktemp("keep") / "film"


@pytest.fixture
def shot_film(film, keep):
    """A film whose shots ended in every way that a person must look at, and one that is pending."""
    if not keep.exists():
        shots = {name: f"Shot {name} {fault}" for name, fault in FAULTS.items()}
        shots["small"] = {"prompt": shots["small"], "resolution": "1080p", "seconds": 8, "tags": ["hero"]}
        film.list({**shots, "hostile": {"prompt": HOSTILE, "tags": ["<b>"]}, "later": "Another day"}, budget_usd=9)
        film.run(*[word for shot in [*FAULTS, "hostile"] for word in ("--only", shot)])
        shutil.copytree(film.folder, keep)
    shutil.copytree(keep, film.folder, dirs_exist_ok=True)
    return film


def report(film, *words):
    return film.command("report", "shots.yaml", "-p", "quick.yaml", *words)


def html(film, name="report.html"):
    result = report(film, "-o", name)
    assert (result.code, result.out) == (0, ""), result
    return (film.folder / name).read_text("utf-8")


def task_ids(film):
    folder = film.folder / ".veopipe" / "shots" / "state"
    states = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    return [a["task_id"] for s in states for t in s["takes"] for a in t["attempts"] if "task_id" in a]


def test_a_page_shows_where_every_shot_stands_and_what_it_cost(shot_film):
    page = Elements(html(shot_film))
    cards = {attributes["id"]: attributes["data-status"] for attributes, _ in page.named("article", "card")}
    assert cards == {
        "shot-fine": "verified",
        "shot-doubtful": "in_doubt",
        "shot-small": "mismatched",
        "shot-rival": "refused",
        "shot-crowd": "refused",
        "shot-broken": "failed",
        "shot-hostile": "verified",
        "shot-later": "pending",
    }
    assert page.named("p", "verdict")[0][1] == "2 of 8 shots verified, 5 need you, 1 still to come."
    assert [text for _, text in page.named("dd")][:4] == ["$0.90", "$0.60", "$0.30", "$1.50"]


def test_what_needs_a_person_is_grouped_by_cause_with_doubt_first(shot_film):
    text = html(shot_film)
    people = text[text.index('class="people"') : text.index('class="toolbar')]
    titles = re.findall(r"</span>([A-Z][a-z ]+) <b>(\d+)</b></h3>", people)
    assert titles == [("In doubt", "1"), ("Not as ordered", "1"), ("Failed", "1"), ("Refused", "2")]
    assert people.count("use case is currently not supported") == 1
    command = re.search(r'<code class="command">(.*?)</code>', people)[1]
    assert re.sub(r"</?span>", "", command) == "veopipe resolve shots.yaml -p quick.yaml"


def test_a_difference_between_order_and_file_is_marked(shot_film):
    text = html(shot_film)
    assert '<tr class="differs"><th>size</th><td>1920 × 1080</td><td>1280 × 720</td></tr>' in text
    assert text.count('class="differs"') == 1


def test_what_a_prompt_says_stays_text(shot_film):
    page = Elements(html(shot_film))
    assert page.named("img") == []
    assert len(page.named("script")) == len(page.named("style")) == 1
    shown = [text for _, text in page.named("p", "prompt")]
    assert HOSTILE.replace("\u202e", "\\u202e") in shown
    assert [attributes["data-tag"] for attributes, _ in page.named("button", "tag")] == ["hero", "<b>"]
    assert not [a for _, attributes, _ in page.found for a in attributes if a.startswith("on") or a == "style"]


def test_the_policy_allows_this_style_and_this_script_only(shot_film):
    page = Elements(html(shot_film))
    policy = next(a["content"] for a, _ in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.named(tag)[0][1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_nothing_is_loaded_from_elsewhere_and_videos_are_linked_from_beside_the_page(shot_film):
    (shot_film.folder / "out put").mkdir()
    page = Elements(html(shot_film, "out put/morning.html"))
    links = [a[k] for _, a, _ in page.found for k in ("src", "href", "poster", "data") if a.get(k)]
    assert [link for link in links if "://" in link or link.startswith(("//", "/"))] == []
    videos = [attributes["src"].partition("#")[0] for attributes, _ in page.named("video")]
    assert len(videos) == 3
    assert all((shot_film.folder / "out put" / unquote(video)).is_file() for video in videos)


@pytest.mark.parametrize("name", ["r.html", "r.xml", "r.md"])
def test_a_task_id_is_shortened_in_what_is_shown_to_others(shot_film, name):
    assert report(shot_film, "-o", name).code == 0
    text = (shot_film.folder / name).read_text("utf-8")
    ids = task_ids(shot_film)
    assert len(ids) == 4
    assert [task for task in ids if task in text] == []
    if name == "r.html":
        assert all(f"{task[:8]}…" in text for task in ids)


def test_a_shot_without_its_file_says_so(shot_film):
    for path in (shot_film.folder / "renders" / "shots").rglob("fine*.mp4"):
        path.unlink()
    text = html(shot_film)
    assert "Its file isn&#39;t on this disk." in text
    assert "fine.mp4" not in text


def test_an_edited_shot_shows_its_earlier_take_until_it_has_another(film):
    film.list({"one": "First words"})
    film.run()
    film.list({"one": "Other words"})
    page = Elements(html(film))
    assert page.named("span", "earlier")[0][1] == "take 1, of an earlier order"
    assert page.named("p", "prompt")[0][1] == "Other words"
    assert len(page.named("video")) == 1


@pytest.mark.slow
def test_a_rehearsal_has_a_page_of_its_own(film):
    film.list({"one": "Words"})
    assert film.command("run", "shots.yaml", "--simulate").code == 0
    assert film.command("report", "shots.yaml", "--simulate", "-o", "r.html").code == 0
    page = Elements((film.folder / "r.html").read_text("utf-8"))
    assert page.named("b", "rehearsal")
    assert page.named("video")[0][0]["src"].startswith("renders/shots.simulated/one.mp4")


def test_what_is_held_and_what_is_unreadable_needs_a_person(shot_film):
    (shot_film.folder / ".veopipe" / "shots" / "state" / "fine.json").write_text("{")
    (shot_film.folder / "renders" / "shots" / "takes" / "later.001.mp4").write_bytes(b"a stray")
    page = Elements(html(shot_film))
    cards = {attributes["id"]: attributes["data-status"] for attributes, _ in page.named("article", "card")}
    assert (cards["shot-fine"], cards["shot-later"]) == ("unreadable", "held")
    assert page.named("p", "verdict")[0][1] == "1 of 8 shots verified, 7 need you."


# --- the command -----------------------------------------------------------------------------------


def test_the_ending_of_the_file_decides_the_format(shot_film):
    begins = {"a.html": "<!doctype html>", "a.json": "{", "a.xml": "<?xml", "a.md": "## "}
    for name, beginning in begins.items():
        assert report(shot_film, "-o", name).code == 0
        assert (shot_film.folder / name).read_text("utf-8").startswith(beginning)


def test_without_a_format_and_a_file_it_is_what_status_prints(shot_film):
    status = shot_film.command("status", "shots.yaml", "-p", "quick.yaml")
    assert report(shot_film).out == status.out


def test_stdout_is_one_document_with_format_json_with_a_file_too(shot_film):
    assert report(shot_film, "--format", "json").document["shots"].keys() >= FAULTS.keys()
    written = report(shot_film, "--format", "json", "-o", "r.json")
    assert written.document == {"exit_code": 0, "file": "r.json"}
    assert json.loads((shot_film.folder / "r.json").read_text("utf-8"))["manifest"] == "shots.yaml"


@pytest.mark.parametrize("name", ["shots.yaml", "fine.mp4", ".veopipe/shots/state/fine.json", "folder", "notes.txt"])
def test_a_report_overwrites_nothing_but_a_report(shot_film, name):
    film = shot_film.folder
    (film / "folder").mkdir()
    (film / "notes.txt").write_text("mine")
    (film / "fine.mp4").write_text("mine")
    before = (film / name).read_bytes() if (film / name).is_file() else None
    result = report(shot_film, "--format", "html", "-o", name)
    assert result.code == 2
    assert "Error:" in result.err
    assert before == ((film / name).read_bytes() if (film / name).is_file() else None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "r.pdf"), "names no format"),
        (("--format", "text", "-o", "r.html"), "text goes to the terminal only"),
        (("--format", "junit", "--open"), "--open shows an HTML report"),
        (("-o", "no where/r.html"), "can't be written: there is no such folder\n→ make it: mkdir -p 'no where'\n"),
    ],
)
def test_what_cant_be_written_is_said_in_a_sentence(shot_film, words, said):
    result = report(shot_film, *words)
    assert result.code in (2, 6)
    assert said in result.err


def test_a_report_follows_the_selection(shot_film):
    result = report(shot_film, "--tag", "hero", "-o", "r.html")
    assert result.code == 0
    page = Elements((shot_film.folder / "r.html").read_text("utf-8"))
    assert [attributes["id"] for attributes, _ in page.named("article", "card")] == ["shot-small"]


def test_open_shows_the_page_in_the_persons_browser(shot_film):
    browser = shot_film.folder / "browser.sh"
    browser.write_text('#!/bin/sh\necho "$1" > "$(dirname "$0")/opened"\n')
    browser.chmod(0o755)
    words = ("report", "shots.yaml", "-p", "quick.yaml", "--open")
    result = shot_film.start(*words, BROWSER=f"{browser} %s").result()
    assert (result.code, result.out) == (0, "")
    page = shot_film.folder / "shots.report.html"
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert (shot_film.folder / "opened").read_text().strip() == page.as_uri()


# --- takes beside each other ---------------------------------------------------------------------------


def takes_of(page, shot):
    """The attributes of a shot's takes, in the page's order."""
    found, inside = [], False
    for tag, attributes, _ in page.found:
        if tag == "article":
            inside = attributes["id"] == f"shot-{shot}"
        if inside and "take" in (attributes.get("class") or "").split():
            found.append(attributes)
    return found


@pytest.fixture
def dailies(film):
    """A film with three takes of its first shot, and one of the other."""
    film.list({"SC01": {"prompt": "A pier", "takes": 3}, "SC02": "A bay"})
    film.run()
    return film


def review(film, *words):
    result = film.command("review", "shots.yaml", "-p", "quick.yaml", *words)
    assert result.code == 0, result


def test_all_takes_of_a_shot_are_shown_with_what_was_said_of_them(dailies):
    review(dailies, "SC01", "--pick", "2", "--reject", "1", "--note", HOSTILE, "--by", "Ana <b>")
    review(dailies, "SC01", "--take", "3", "--again")
    text = html(dailies)
    page = Elements(text)
    takes = takes_of(page, "SC01")
    assert [take["data-name"] for take in takes] == ["SC01.001", "SC01.002", "SC01.003"]
    assert [take["data-verdict"] for take in takes] == ["reject", "pick", ""]
    assert ["data-again" in take for take in takes] == [False, False, True]
    said = dailies.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json").shots["SC01"]["takes"]
    assert [take["data-digits"] for take in takes] == [take["sha256"][:12] for take in said]
    assert page.named("span", "by")[0][1] == "Ana <b>"
    assert [text for _, text in page.named("p", "noted")] == [HOSTILE.replace("\u202e", "\\u202e")] * 2
    assert page.named("img") == []
    assert text.count("Once more <i>$0.30</i>") == 4
    assert len(page.named("video")) == 4


@pytest.mark.shows("film 22")
def test_a_take_that_isnt_on_this_disk_has_its_number_and_its_verdict_only(dailies):
    review(dailies, "SC01", "--pick", "3", "--note", "the gull")
    for path in (dailies.folder / "renders" / "shots").rglob("SC01*.mp4"):
        if not path.samefile(dailies.folder / "renders/shots/takes/SC01.001.mp4"):
            path.unlink()
    text = html(dailies)
    page = Elements(text)
    takes = takes_of(page, "SC01")
    assert [(take["data-number"], take["data-verdict"]) for take in takes] == [("1", ""), ("2", ""), ("3", "pick")]
    assert len(page.named("video")) == 2
    assert text.count("not on this disk") == 2
    assert text.count('<button type="button" data-act="pick"') == 2  # of SC01.001 and SC02.001
    assert ("the gull" in text, "SC01.003.mp4" in text) == (True, False)


def test_the_page_names_its_ledger_and_the_command_that_takes_decisions_in(dailies):
    [(body, _)] = Elements(html(dailies)).named("body")
    ledger = json.loads((dailies.folder / ".veopipe/shots/ledger.json").read_text("utf-8"))
    assert (body["data-ledger"], body["data-about"]) == (ledger["id"], "shots.yaml -p quick.yaml")
    assert dailies.command("run", "shots.yaml", "--simulate", "--only", "SC02").code == 0
    assert dailies.command("report", "shots.yaml", "--simulate", "-o", "r.html").code == 0
    [(rehearsed, _)] = Elements((dailies.folder / "r.html").read_text("utf-8")).named("body")
    ledger = json.loads((dailies.folder / ".veopipe/shots.simulated/ledger.json").read_text("utf-8"))
    assert (rehearsed["data-ledger"], rehearsed["data-about"]) == (ledger["id"], "shots.yaml --simulate")


def test_what_stands_out_about_a_shot_is_a_badge_with_its_price(dailies):
    pytest.importorskip("av", reason="the extra `film` isn't installed")
    frame = {"prompt": "Up", "input_reference": {"shot": "SC01", "frame": "last"}}
    dailies.list({"SC01": {"prompt": "A pier", "takes": 3}, "SC02": frame})
    page = Elements(html(dailies))
    assert [a["data-status"] for a, _ in page.named("article", "card")] == ["verified", "waiting"]
    assert page.named("span", "badge") == []  # the status says so
    review(dailies, "SC01", "--pick", "1")
    assert dailies.run().code == 0
    review(dailies, "SC01", "--pick", "2")
    page = Elements(html(dailies))
    [(badge, text)] = page.named("span", "badge")
    assert (badge["class"], text) == ("badge stale", "stale, $0.30")
    assert "take 1 of SC01" in badge["title"]
    assert [(a["data-show"]) for a, _ in page.named("button", "show")] == ["undecided", "stale", "new"]
    dailies.list({"SC01": {"prompt": "Another pier", "takes": 3}, "SC02": frame})
    badges = [text for _, text in Elements(html(dailies)).named("span", "badge")]
    assert badges == ["locked, $0.90 spared", "stale, $0.30"]
