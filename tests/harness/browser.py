"""A report in a real headless Chromium. Needs the extra `browser`, a Chromium and its chromedriver.

    page = Page(window, written(film))
    page.keys("j", "2")

`window` is a fixture: a test module that imports it has one browser for itself.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.film import Film

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
# A browser that talks to nobody but the page.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
)


def opened(profile: Path) -> Any:
    """A browser with a profile of its own; whoever opens it quits it."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for a test module."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium and chromedriver on this machine: apt-get install chromium chromium-driver")
    driver = opened(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


class Page:
    """An opened report."""

    def __init__(self, window: Any, path: Path) -> None:
        self.window = window
        window.get_log("browser")
        window.get_log("performance")
        window.get(path.as_uri())
        self.until("return document.documentElement.dataset.ready === 'yes'")

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.window.execute_script(script, *arguments)

    def until(self, script: str, limit: float = 20) -> None:
        """Wait until a script returns something true; seconds at most."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.window, limit, poll_frequency=0.02).until(lambda driver: driver.execute_script(script))

    def keys(self, *keys: str) -> None:
        """Press keys where the focus is."""
        for key in keys:
            self.window.switch_to.active_element.send_keys(key)

    @property
    def shown(self) -> list[str]:
        """The shots that no filter hides."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll('.card:not([hidden])')].map(c => c.id.slice(5))"
        )
        return found

    @property
    def current(self) -> str:
        """The id of what has the focus."""
        found: str = self.run("return document.activeElement.id")
        return found

    def complaints(self) -> list[dict[str, Any]]:
        """What the browser's console says since the last question."""
        found: list[dict[str, Any]] = self.window.get_log("browser")
        return found

    def asked(self) -> list[str]:
        """Every address that the page asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self.window.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def written(film: Film) -> Path:
    """The report of a film, as a page."""
    result = film.command("report", "shots.yaml", "-p", "quick.yaml", "-o", "report.html")
    assert result.code == 0, result
    return film.folder / "report.html"


def many_takes(film: Film, shots: int = 300) -> Film:
    """A film of many shots with three takes each: one is made, and the others are like it."""
    film.list({f"S{number:03d}": {"prompt": "The same sea, again and again", "takes": 3} for number in range(shots)})
    film.run("--only", "S000")
    states = film.folder / ".veopipe" / "shots" / "state"
    takes = film.folder / "renders" / "shots" / "takes"
    text = (states / "S000.json").read_text("utf-8")
    for number in range(1, shots):
        shot = f"S{number:03d}"
        (states / f"{shot}.json").write_text(text.replace("S000", shot), "utf-8")
        for take in range(1, 4):
            (takes / f"{shot}.{take:03d}.mp4").hardlink_to(takes / f"S000.{take:03d}.mp4")
    return film
