"""What people decide on the HTML report, in a real headless Chromium, and what `veopipe review` makes of it.

A lane of its own, as `test_html_in_browser.py` is.
"""

import json
import re
import shlex
import shutil

import pytest

from tests.harness.browser import Page, many_takes, window, written

pytest.importorskip("selenium", reason="the extra `browser` isn't installed: run `make browser`")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ["window"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def dailies(tmp_path_factory):
    """Where a film with several takes of its shots is kept."""
    return tmp_path_factory.mktemp("dailies") / "film"


@pytest.fixture
def review(film, dailies, window, tmp_path):
    """The report of a film with three takes of a shot, two of the next, and one of the last."""
    if not dailies.exists():
        film.list({"SC01": {"prompt": "A pier", "takes": 3}, "SC02": {"prompt": "A bay", "takes": 2}, "SC03": "A hut"})
        film.run()
        shutil.copytree(film.folder, dailies)
    shutil.copytree(dailies, film.folder, dirs_exist_ok=True)
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    window.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    page = Page(window, written(film))
    page.run("localStorage.clear()")
    return Page(window, written(film))


VERDICTS = """
const takes = (card) => [...card.querySelectorAll('.take')].map(t => t.dataset.verdict);
return Object.fromEntries([...document.querySelectorAll('.card')].map(c => [c.id.slice(5), takes(c)]));
"""
CHIPS = """
const chips = [...document.querySelectorAll('[data-show]')];
return Object.fromEntries(chips.map(c => [c.dataset.show, c.querySelector('b').textContent]));
"""
BADGES = """
const badges = [...document.querySelectorAll('#shot-SC01 .badge')];
return badges.filter(b => b.checkVisibility()).map(b => b.textContent);
"""
VIDEOS = "const videos = [...document.querySelectorAll('#shot-SC01 video')]; return "


def verdicts(page):
    """Shot → verdict of each of its takes, as the page shows them."""
    return page.run(VERDICTS)


def saved(page, folder, name="decisions.json", by="Ana"):
    """Save the decisions, say a name where it is asked for, and read the file that the browser wrote."""
    page.run("document.getElementById('save').click()")
    if page.run("return document.getElementById('who').open"):
        page.window.find_element(By.ID, "name").send_keys(by, Keys.ENTER)
    path = folder / name
    WebDriverWait(page.window, 20, poll_frequency=0.02).until(lambda _: path.exists())
    return path


@pytest.mark.shows("film M9")
def test_keys_choose_and_veopipe_takes_in_what_the_browser_saved(review, film, posts, tmp_path):
    before = posts()
    review.keys("j", "2")
    review.keys(Keys.ARROW_LEFT, "x")
    review.keys("r", "m")
    review.window.switch_to.active_element.send_keys("the gull, at 5 s; it's <b>\n2 \u00fc", Keys.ESCAPE)
    assert review.current == "shot-SC01"
    review.keys("u", "1", "j", "a")
    assert verdicts(review) == {"SC01": ["reject", "pick", ""], "SC02": ["pick", ""], "SC03": ["alt"]}
    said = review.run("return document.getElementById('said').textContent")
    assert said == "4 takes decided: 2 picked, 1 alt, 1 rejected, 1 once more ($0.30 if the next run buys it)"
    path = saved(review, tmp_path)
    assert (
        review.complaints(),
        [url for url in review.asked() if "://" in url and not url.startswith(("file:", "blob:"))],
    ) == ([], [])
    document = json.loads(path.read_text("utf-8"))
    assert document["ledger"] == json.loads((film.folder / ".veopipe/shots/ledger.json").read_text())["id"]
    assert [each["take"] for each in document["decisions"]] == ["SC01.001", "SC01.002", "SC02.001", "SC03.001"]
    taken = film.command("review", "shots.yaml", "-p", "quick.yaml", str(path), "--format", "json").document
    assert sorted(taken["changed"]) == ["SC01.001", "SC01.002", "SC02.001", "SC03.001"]
    listed = film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json").shots["SC01"]["takes"][0]
    assert (listed["verdict"], listed["again"], listed["by"]) == ("reject", True, "Ana")
    assert listed["note"] == "the gull, at 5 s; it's <b>\n2 \u00fc"
    assert posts() == before
    fresh = Page(review.window, written(film))
    assert fresh.run("return document.getElementById('bar').hidden")
    assert verdicts(fresh) == {"SC01": ["reject", "pick", ""], "SC02": ["pick", ""], "SC03": ["alt"]}


def test_a_draft_outlives_the_window_and_yesterdays_page(review, film, tmp_path):
    review.keys("j", "3", "x", "m")
    review.window.switch_to.active_element.send_keys("too dark")
    for page in (Page(review.window, film.folder / "report.html"), Page(review.window, written(film))):
        assert verdicts(page)["SC01"] == ["", "", "reject"]
        assert page.run("return document.querySelector('[data-name=\"SC01.003\"] textarea').value") == "too dark"
        assert "Kept in this browser" in page.run("return document.getElementById('kept').textContent")
    saved(page, tmp_path)
    assert "Saved" in page.run("return document.getElementById('kept').textContent")
    again = Page(review.window, film.folder / "report.html")
    assert verdicts(again)["SC01"] == ["", "", "reject"]
    (film.folder / "report.html").write_text(
        (film.folder / "report.html").read_text("utf-8").replace('data-made="20', 'data-made="21'), "utf-8"
    )
    later = Page(review.window, film.folder / "report.html")
    assert verdicts(later)["SC01"] == ["", "", ""]


def test_another_pick_makes_the_first_an_alternative_and_a_second_press_takes_it_back(review):
    review.keys("j", "1")
    review.keys("3")
    assert verdicts(review)["SC01"] == ["alt", "", "pick"]
    review.keys("3")
    assert verdicts(review)["SC01"] == ["alt", "", ""]
    review.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, "a")
    assert review.run("return document.getElementById('bar').hidden")
    review.keys("r", "9")
    assert review.run("return document.getElementById('bar').hidden") is False


@pytest.mark.parametrize(
    "before", [(), ("--pick", "1", "--again", "--note", "x"), ("--reject", "1", "--again"), ("--alt", "2")]
)
def test_the_commands_do_what_the_file_does(review, film, tmp_path, before):
    if before:
        assert film.command("review", "shots.yaml", "SC01", "-p", "quick.yaml", "--by", "ben", *before).code == 0
    page = Page(review.window, written(film))
    act = "document.querySelector(arguments[0]).click()"
    for number, what in ((1, "pick"), (1, "pick"), (1, "again"), (2, "alt"), (2, "again"), (3, "reject")):
        page.run(act, f"[data-name='SC01.00{number}'] [data-act={what}]")
    page.run(act, "#shot-SC02 [data-act=again]")
    page.run("const t = document.querySelector('#shot-SC03 textarea'); t.focus()")
    page.keys('it\'s "a" $HOME `x`')
    path = saved(page, tmp_path, by="Ana B.")
    page.run(act, "#as-commands")
    lines = page.run("return document.getElementById('lines').value").splitlines()
    page.keys(Keys.ESCAPE)
    folder, start = film.folder / "review", film.folder / "before"
    if folder.exists():
        shutil.copytree(folder, start)
    else:
        start.mkdir()
    taken = []
    for way in (
        lambda: film.command("review", "shots.yaml", "-p", "quick.yaml", str(path)),
        lambda: run_lines(film, lines),
    ):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(start, folder)
        way()
        shots = film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json").shots
        taken.append({shot: row["takes"] for shot, row in shots.items()})
    assert taken[0] == taken[1]
    assert taken[0]["SC03"][0]["note"] == 'it\'s "a" $HOME `x`'


def run_lines(film, lines):
    for line in lines:
        result = film.command(*shlex.split(line)[1:])
        assert result.code == 0, (line, result)


def test_takes_of_a_shot_have_one_time(review):
    review.until(VIDEOS + "videos.every(v => v.readyState >= 2)")
    review.keys("j", " ")
    review.until(VIDEOS + "videos.every(v => !v.paused && v.currentTime > 0.3)")
    times, muted = review.run(VIDEOS + "[videos.map(v => v.currentTime), videos.map(v => v.muted)]")
    assert max(times) - min(times) < 0.3
    assert muted == [False, True, True]
    review.keys(Keys.ARROW_RIGHT, " ")
    assert review.run(VIDEOS + "videos.map(v => v.muted)") == [True, False, True]
    review.keys(" ")
    assert review.run(VIDEOS + "videos.every(v => v.paused)")
    review.run(
        "const t = document.querySelector('#shot-SC01 .time'); t.value = 500; t.dispatchEvent(new Event('input'))"
    )
    review.until(VIDEOS + "videos.every(v => Math.abs(v.currentTime - 2) < 0.05)")
    assert review.run("return document.querySelector('#shot-SC01 .clock').textContent") == "2.0 s"


def test_filters_show_what_waits_for_a_verdict_and_what_is_new(review):
    click = "document.querySelector(arguments[0]).click()"
    assert review.run(CHIPS) == {"undecided": "2", "new": "3"}
    review.run(click, "[data-show=undecided]")
    assert review.shown == ["SC01", "SC02"]
    review.run(click, "#shot-SC01 [data-act=pick]")
    assert (review.shown, review.run(CHIPS)["undecided"]) == (["SC01", "SC02"], "1")  # a card doesn't run away
    review.run(click, "[data-show=new]")
    assert review.shown == ["SC02"]


def test_two_picks_are_named_until_one_is_left(review, film):
    film.command("review", "shots.yaml", "SC01", "-p", "quick.yaml", "--pick", "1")
    folder = film.folder / "review" / "shots"
    text = (folder / "SC01.001.yaml").read_text("utf-8")
    digits = film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json").shots["SC01"]["takes"][1][
        "sha256"
    ]
    (folder / "SC01.002.yaml").write_text(re.sub("sha256:[0-9a-f]+", f"sha256:{digits[:12]}", text), "utf-8")
    page = Page(review.window, written(film))
    assert page.run(BADGES) == ["two picks"]
    page.keys("j", "2")
    assert (page.run(BADGES), verdicts(page)["SC01"]) == ([], ["alt", "pick", ""])


@pytest.mark.parametrize("width", [320, 400, 900, 1600])
def test_takes_beside_each_other_fit_the_window(review, width):
    review.keys("j", "1")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    review.window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wide, room = review.run("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    review.window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide == room


def test_a_shot_with_one_take_leaves_no_room_empty_between_those_with_several(review):
    edges = "const r = document.getElementById(arguments[0]).getBoundingClientRect(); return [r.left, r.right]"
    assert review.run(edges, "shot-SC03") == review.run(edges, "shot-SC01")
    below = (
        "const text = document.querySelector('#shot-SC03 .text');"
        "return text.offsetTop - text.previousElementSibling.offsetTop"
    )
    assert review.run(below) == 0  # beside its picture
    size = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    review.window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    narrow = review.run(below)
    review.window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert narrow > 200


def test_what_another_window_decides_is_seen_here(review, film):
    first = review.window.current_window_handle
    review.window.switch_to.new_window("tab")
    other = Page(review.window, film.folder / "report.html")
    other.keys("j", "2")
    review.window.close()
    review.window.switch_to.window(first)
    review.until("return document.querySelector('[data-name=\"SC01.002\"]').dataset.verdict === 'pick'")


@pytest.mark.parametrize(
    "kept", ["", "{", "null", "[1]", '{"verdict": "constructor", "again": "yes", "note": 7}', '{"__proto__": {"x": 1}}']
)
def test_a_draft_that_somebody_spoiled_is_none(review, film, kept):
    key = "Object.keys(localStorage).find(k => k.startsWith('veopipe-review'))"
    review.keys("j", "2")
    review.run(f"localStorage.setItem({key}, arguments[0])", kept)
    page = Page(review.window, film.folder / "report.html")
    assert verdicts(page)["SC01"] == ["", "", ""]
    assert page.complaints() == []


def test_three_hundred_shots_with_three_takes_are_quick(film, window):
    page = Page(window, written(many_takes(film)))
    assert len(page.shown) == 300
    assert page.run("return document.querySelectorAll('video').length") == 900
    page.until("return document.querySelector('video').readyState >= 2")
    loaded = page.run("return [...document.querySelectorAll('video')].filter(v => v.preload !== 'none').length")
    assert 0 < loaded < 60
    page.keys("j", "2", "j", "3")
    assert page.run("return document.querySelectorAll('.take.drafted').length") == 2
    assert page.complaints() == []
    page.run("localStorage.clear()")
