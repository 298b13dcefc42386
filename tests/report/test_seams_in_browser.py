"""Seams on the HTML report, in a real headless Chromium: what is drawn, when, and how it is looked at.

A lane of its own, as `test_html_in_browser.py` is.
"""

import io
import shutil

import pytest
from PIL import Image, ImageStat

from tests.harness.browser import Page, many_takes, window, written

pytest.importorskip("selenium", reason="the extra `browser` isn't installed: run `make browser`")
pytest.importorskip("av", reason="the extra `film` isn't installed")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

__all__ = ["window"]
pytestmark = pytest.mark.browser

SHOTS = {
    "SC01": {"prompt": "A pier", "takes": 2},
    "SC02": {"prompt": "A bay", "input_reference": {"shot": "SC01", "frame": "last"}},
}


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    """Where a film is kept whose second shot continues from the first take of the first one."""
    return tmp_path_factory.mktemp("seams") / "film"


@pytest.fixture
def chained(film, keep):
    """Such a film."""
    if not keep.exists():
        film.list({"SC01": SHOTS["SC01"]})
        film.run()
        film.command("review", "shots.yaml", "SC01", "-p", "quick.yaml", "--pick", "1")
        film.list(SHOTS)
        film.run()
        shutil.copytree(film.folder, keep)
    shutil.copytree(keep, film.folder, dirs_exist_ok=True)
    return film


@pytest.fixture
def page(chained, window):
    """Its report, without a draft."""
    Page(window, written(chained)).run("localStorage.clear()")
    return Page(window, written(chained))


CANVASES = "return document.querySelectorAll('.joint canvas').length"
LARGE = "return document.getElementById('seam').dataset.drawn === 'yes'"
TOLD = "return document.querySelector('#seam .told').textContent"
SIDES = "return [...document.querySelectorAll('#seam figcaption')].map(e => e.textContent)"


def seen(page, selector):
    """What is on the screen there, without its edges."""
    shown = Image.open(io.BytesIO(page.window.find_element(By.CSS_SELECTOR, selector).screenshot_as_png))
    return shown.convert("RGB").crop((4, 4, shown.width - 4, shown.height - 4))


def light(page, selector):
    """The mean of what is seen there, 0 to 255."""
    return sum(ImageStat.Stat(seen(page, selector)).mean) / 3


def test_the_pictures_of_a_seam_are_beside_each_other_and_what_differs_is_dark(page):
    page.until(f"{CANVASES} === 3")
    page.keys("j", "s")
    page.until(LARGE)
    assert page.run(SIDES) == ["SC01, take 1, last frame", "SC02, take 1, first frame", "what differs"]
    assert page.run(TOLD) == ""
    assert light(page, "#seam .side:nth-child(1) .pane") > 15
    assert light(page, "#seam .differs .pane") < 4
    assert page.complaints() == []


def test_a_seam_follows_what_is_picked_on_the_page_and_says_what_it_was_made_from(page):
    page.keys("j", "2", "s")
    page.until(LARGE)
    assert page.run(SIDES)[0] == "SC01, take 2, last frame"
    assert page.run(TOLD) == "made from take 1"
    page.keys(Keys.ESCAPE)
    page.until("return document.querySelector('.joint .told').textContent === 'made from take 1'")
    assert page.current == "shot-SC01"


def test_a_seam_is_reached_without_a_mouse_and_played_across(page):
    page.run("document.querySelector('.joint').focus()")
    page.keys(Keys.ENTER)
    page.until(LARGE)
    played = "const s = document.querySelector('#seam .stage'), v = s.querySelector('video'); return !s.hidden && v"
    page.keys(Keys.SPACE)
    page.until(f"{played} && !v.paused && v.src.includes('SC01')")
    page.until(f"{played} && !v.paused && v.src.includes('SC02')")
    page.until("return document.querySelector('#seam .stage').hidden")
    page.keys(Keys.SPACE)
    page.until(f"{played} && !v.paused")
    page.keys(Keys.ESCAPE)
    page.until("return document.querySelector('#seam .stage').hidden && !document.getElementById('seam').open")
    assert page.complaints() == []


def test_another_take_is_looked_at_in_a_seam_and_nothing_is_picked(chained, window):
    (chained.folder / "cuts").mkdir()
    clips = "version: 1\nclips: [{shot: SC02, out: 1s}, {shot: SC01, in: 12f}]\n"
    (chained.folder / "cuts" / "main.yaml").write_text(clips, "utf-8")
    page = Page(window, written(chained))
    page.keys("j", "s", "2")
    page.until(LARGE)
    assert page.run(SIDES)[:2] == ["SC02, take 1, frame 23", "SC01, take 2, frame 12"]
    assert page.run("return document.querySelector('#seam .differs').hidden")  # neither was made from the other
    page.keys(Keys.ARROW_RIGHT)
    page.until(f"{LARGE} && document.getElementById('seam-title').textContent === 'Seam 2 of 2'")
    assert page.run("return document.getElementById('bar').hidden")
    page.keys(Keys.ESCAPE)
    click = "new MouseEvent('click', {bubbles: true, cancelable: true})"
    page.run(f"document.querySelector('.cut a').dispatchEvent({click})")
    assert page.current == "shot-SC02"  # the first clip


def test_a_video_that_is_gone_leaves_its_picture_empty_and_is_told(chained, window):
    path = written(chained)
    for video in (chained.folder / "renders" / "shots").rglob("SC02*.mp4"):
        video.unlink()
    page = Page(window, path)
    page.until(f"{CANVASES} === 1")
    page = Page(window, written(chained))
    told = "SC02, take 1, first frame: no video here"
    page.until(f"return document.querySelector('.joint .told').textContent === '{told}'")


def test_hundreds_of_seams_load_what_is_looked_at(film, window):
    many_takes(film)
    (film.folder / "cuts").mkdir()
    clips = "".join(f"  - {{shot: S{number:03d}}}\n" for number in range(300))
    (film.folder / "cuts" / "main.yaml").write_text(f"version: 1\nclips:\n{clips}", "utf-8")
    page = Page(window, written(film))
    assert page.run("return document.querySelectorAll('.joint').length") == 299
    page.until(f"{CANVASES} >= 4")
    assert page.run(CANVASES) < 30
    page.run("document.querySelector('.joints').scrollLeft = 1e6")
    page.until("return document.querySelectorAll('[data-seam=\"298\"] canvas').length === 2")
    page.until("return document.querySelectorAll('[data-seam=\"0\"] canvas').length === 0")
    assert page.run(CANVASES) < 30
    assert page.complaints() == []
    page.run("localStorage.clear()")


@pytest.mark.parametrize("width", [320, 400, 900, 1600])
def test_a_seam_fits_the_window(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.keys("j", "s")
    page.until(LARGE)
    wide, room = page.run("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    own, inside = page.run("const e = document.getElementById('seam'); return [e.scrollWidth, e.clientWidth]")
    page.window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert (wide, own) == (room, inside)


@pytest.mark.parametrize("width", [320, 360, 900, 1600])
def test_a_badge_leaves_a_shot_its_name(chained, window, width):
    name = "SC02-the-keeper-at-the-door"
    chained.list({"SC01": SHOTS["SC01"], name: SHOTS["SC02"]})  # another name: nothing is bought
    chained.command("review", "shots.yaml", "SC01", "-p", "quick.yaml", "--pick", "2")
    page = Page(window, written(chained))
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    edge = f"const e = document.querySelector('#shot-{name} .edge'), id = e.querySelector('.id');"
    seen = "return [e.querySelector('.badge').textContent, id.scrollWidth, id.clientWidth]"
    badge, needs, has = page.run(edge + seen)
    page.window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert badge == "stale, $0.30"
    assert needs <= has
