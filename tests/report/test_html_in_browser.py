"""The HTML report in a real headless Chromium: it plays, filters, moves by keys, changes colours, loads nothing.

A lane of its own: `pytest -m browser` with the extra `browser`, a Chromium and its chromedriver; skipped without.
"""

import base64
import shutil
from pathlib import Path

import pytest

from tests.harness.browser import Page, window, written

pytest.importorskip("selenium", reason="the extra `browser` isn't installed: run `make browser`")
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

__all__ = ["window"]
pytestmark = pytest.mark.browser
HOSTILE = '"><img src=x onerror=alert(1)><script>document.title="gone"</script> ]]> `tick`'
MANY = 500


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    """Where the film is kept once it was shot, for the other tests of this file."""
    return tmp_path_factory.mktemp("keep") / "film"


@pytest.fixture
def page(film, keep, window):
    """The report of a film with a good, a hostile, a wrong, a refused and a pending shot."""
    if not keep.exists():
        shots = {
            "SC01": {"prompt": "A lighthouse at dusk", "tags": ["coast"]},
            "SC02": {"prompt": HOSTILE, "tags": ["<b>coast</b>"]},
            "SC03": {"prompt": "Keeper [simulate: wrong_duration seconds=6]", "tags": ["people"], "seconds": 4},
            "SC04": {"prompt": "A rival [simulate: 400_google]", "tags": ["people", "coast"]},
            "SC05": "Another day",
        }
        film.list(shots)
        film.run("--only", "SC0[1-4]")
        shutil.copytree(film.folder, keep)
    shutil.copytree(keep, film.folder, dirs_exist_ok=True)
    return Page(window, written(film))


def test_a_page_opens_from_disk_without_a_complaint_and_asks_for_nothing_but_videos(page):
    page.until("return [...document.querySelectorAll('video')].every(v => v.readyState >= 2)")
    assert page.complaints() == []
    asked = [url for url in page.asked() if not url.startswith("data:")]
    assert {Path(url.partition("#")[0]).suffix for url in asked} == {".html", ".mp4"}
    assert all(url.startswith("file://") for url in asked)


def test_a_frame_shows_its_picture_and_plays_with_sound_on_a_click(page):
    page.until("return document.querySelector('#shot-SC01 video').readyState >= 2")
    state = page.run(
        "const v = document.querySelector('#shot-SC01 video'); return [v.paused, v.currentTime, v.videoWidth]"
    )
    assert state == [True, 0.5, 1280]
    frame = page.window.find_element(By.CSS_SELECTOR, "#shot-SC01 .frame")
    page.run("arguments[0].scrollIntoView({block: 'center'})", frame)
    webdriver.ActionChains(page.window).click(frame).perform()
    page.until(
        "const v = document.querySelector('#shot-SC01 video'); return !v.paused && !v.muted && v.currentTime > 0.1"
    )
    assert page.run("return document.querySelectorAll('.playing').length") == 1


def test_a_frame_plays_silently_under_the_pointer_and_stops_when_it_leaves(page):
    frame = page.window.find_element(By.CSS_SELECTOR, "#shot-SC01 .frame")
    page.run("arguments[0].scrollIntoView({block: 'center'})", frame)
    webdriver.ActionChains(page.window).move_to_element(frame).perform()
    page.until("const v = document.querySelector('#shot-SC01 video'); return !v.paused && v.muted")
    webdriver.ActionChains(page.window).move_to_element(page.window.find_element(By.ID, "search")).perform()
    page.until("return document.querySelector('#shot-SC01 video').paused")


def test_filters_search_and_tags_show_what_fits(page):
    assert page.shown == ["SC01", "SC02", "SC03", "SC04", "SC05"]
    click = "document.querySelector(arguments[0]).click()"
    page.run(click, "[data-status=refused]")
    assert page.shown == ["SC04"]
    page.run(click, "[data-status=verified]")
    assert page.shown == ["SC01", "SC02", "SC04"]
    page.run(click, "[data-tag=coast]")
    assert page.shown == ["SC01", "SC04"]
    page.keys("/", "light", Keys.ENTER)
    assert page.shown == ["SC01"]
    assert page.run("return document.getElementById('shown').textContent") == "1 of 5 shots"
    page.run(click, "#clear")
    assert page.shown == ["SC01", "SC02", "SC03", "SC04", "SC05"]
    page.keys("/", "nowhere to be found")
    page.until("return !document.getElementById('nothing').hidden")
    assert page.shown == []


def test_keys_move_open_play_and_explain(page):
    page.keys("j")
    assert page.current == "shot-SC01"
    page.keys("j")
    page.keys("k")
    assert page.current == "shot-SC01"
    page.keys("n")
    assert page.current == "shot-SC03"
    page.keys(Keys.ENTER)
    assert page.run("return document.querySelector('#shot-SC03 details').open")
    page.keys(" ")
    page.until("return !document.querySelector('#shot-SC03 video').paused")
    page.keys("?")
    assert page.run("return document.getElementById('help').open")
    page.keys(Keys.ESCAPE)
    page.until("return !document.getElementById('help').open")


def test_a_shot_that_needs_a_person_is_reached_from_the_top_though_it_is_filtered_away(page):
    page.run("document.querySelector('[data-status=verified]').click()")
    page.run("document.querySelector('.shots a[href=\"#shot-SC04\"]').click()")
    assert page.current == "shot-SC04"
    assert "SC04" in page.shown


def test_it_is_dark_where_the_system_is_and_where_a_person_wants_it(page):
    colour = "return getComputedStyle(document.body).backgroundColor"
    found = {}
    for scheme in ("light", "dark"):
        emulated = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.window.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
        found[scheme] = page.run(colour)
    assert found == {"light": "rgb(244, 239, 230)", "dark": "rgb(21, 19, 15)"}
    page.keys("t")
    assert page.run(colour) == found["light"]
    page.window.refresh()
    page.until("return document.documentElement.dataset.ready === 'yes'")
    assert page.run(colour) == found["light"]
    page.run("localStorage.clear()")
    page.window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_a_prompt_says_stays_text(page):
    assert page.window.title == "film: contact sheet"
    assert page.run("return document.querySelector('#shot-SC02 .prompt').textContent") == HOSTILE
    assert page.run("return document.querySelectorAll('img, .card script, .tags b').length") == 0
    assert page.complaints() == []


def test_the_policy_stops_what_a_page_was_made_to_do(page):
    page.run(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"https://127.0.0.1:1/x.png\" onerror=\"pwned=1\">')"
    )
    page.until("return document.images.length === 1 && document.images[0].complete")
    assert page.run("return typeof pwned") == "undefined"
    assert any("Content Security Policy" in entry["message"] for entry in page.complaints())


@pytest.mark.parametrize("width", [320, 400, 900, 1600])
def test_nothing_is_wider_than_the_window(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wide, room = page.run("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    page.window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide == room
    assert width - 20 <= room <= width


def test_a_contact_sheet_is_printed_with_its_pictures(page):
    page.until("return [...document.querySelectorAll('video')].every(v => v.readyState >= 2)")
    printed = page.window.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Subtype /Image") >= 3


def test_five_hundred_shots_are_quick(film, window):
    words = "The same sea, again and again"
    film.list({f"S{number:03d}": words for number in range(MANY)})
    film.run("--only", "S000")
    states = film.folder / ".veopipe" / "shots" / "state"
    text = (states / "S000.json").read_text("utf-8")
    takes = film.folder / "renders" / "shots" / "takes"
    for number in range(1, MANY):
        shot = f"S{number:03d}"
        (states / f"{shot}.json").write_text(text.replace("S000", shot), "utf-8")
        (takes / f"{shot}.001.mp4").hardlink_to(takes / "S000.001.mp4")
    page = Page(window, written(film))
    assert len(page.shown) == MANY
    times = page.run("const [n] = performance.getEntriesByType('navigation'); return n.loadEventEnd - n.startTime")
    assert times < 3000
    page.until("return document.querySelector('#shot-S000 video').readyState >= 2")
    loaded = page.run("return [...document.querySelectorAll('video')].filter(v => v.preload !== 'none').length")
    assert 0 < loaded < 60
    spent = page.run(
        "const s = document.getElementById('search'), start = performance.now();"
        "for (const word of ['s', 'se', 'sea', 'sea 4', 'sea 49', '']) { s.value = word;"
        " s.dispatchEvent(new Event('input')); }"
        "return new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))))"
    )
    assert spent < 1000
    page.keys("/", "s49")
    page.until("return document.getElementById('shown').textContent === '10 of 500 shots'")
    assert page.complaints() == []


def test_a_report_of_two_pages_is_read_like_one(film, window):
    """Links lead to shots of the other page, filters are about this one, and each page saves its own decisions."""
    shots = {f"S{at:04d}": f"shot number {at}" for at in range(1_002)}
    shots["S1000"] += " [simulate: 400_google]"
    film.list(shots)
    film.run("--only", "S0003", "--only", "S100[01]")
    page = Page(window, written(film))
    assert page.run("return document.getElementById('shown').parentElement.innerText").startswith(
        "1000 shots on this page"
    )
    page.run("document.querySelector('#shot-S0003 .take [data-act=reject]').click()")
    assert page.run("return document.querySelector('.bar-of-review p').innerText").startswith(
        "On this page: 1 take decided"
    )
    page.run("document.querySelector('.shots a').click()")
    page.until("return document.title.endsWith(', page 2') && document.documentElement.dataset.ready === 'yes'")
    assert page.run("return document.activeElement.id") == "shot-S1000"
    assert page.run("return location.hash") == "#shot-S1000"
    assert "1 take is decided on other pages" in page.run("return document.getElementById('elsewhere').innerText")
    assert page.run("return document.getElementById('bar').hidden")
    page.run("document.querySelector('[data-status=verified]').click()")
    page.until("return document.getElementById('shown').innerText === '1 of 2 shots'")
    page.run("document.querySelector('.pages.turn a[rel=prev]').click()")
    page.until("return !document.title.endsWith(', page 2') && document.documentElement.dataset.ready === 'yes'")
    assert page.run("return document.querySelector('#shot-S0003 .take').dataset.verdict") == "reject"
    assert page.run("return document.getElementById('elsewhere').hidden")
    assert page.complaints() == []
