"""How quick the HTML report is in a real browser: 300 shots with three takes each.

Measured are: `veopipe report` that writes the page; the page from its address to ready; a search; a pick by key, until
the next picture is drawn; the time until the videos near the window are loaded, and how many those are. The median of
five. Needs the extra `browser`, a Chromium and its chromedriver.

Limits (issue 10): the page stays quick: ready in 3 s, a pick in 0.1 s, and far from the window nothing is loaded.

    python -m benchmarks.page [--shots 300]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

from benchmarks.measuring import Table, scratch
from tests.harness.browser import Page, many_takes, opened, written
from tests.harness.film import Film, environment_of
from veopipe.simulator.server import Options, start

LIMITS = {"ready s": 3.0, "search s": 0.3, "pick s": 0.1, "videos loaded": 60.0}
_READY = "const [n] = performance.getEntriesByType('navigation'); return (n.loadEventEnd - n.startTime) / 1000"
_DRAWN = (
    "const end = (done) => () => setTimeout(() => done((performance.now() - begun) / 1000));"
    "return new Promise(done => requestAnimationFrame(end(done)))"
)
_PRESS = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}));"
_PICK = f"const begun = performance.now(); {_PRESS} {_DRAWN}"
_SEARCH = (
    "const begun = performance.now(), s = document.getElementById('search');"
    f"s.value = arguments[0]; s.dispatchEvent(new Event('input')); {_DRAWN}"
)
_LOADED = "return [...document.querySelectorAll('video')].filter(v => v.preload !== 'none').length"


def measure(folder: Path, shots: int) -> dict[str, float]:
    """Seconds, and a number of videos."""
    with start(Options(task_time=0)) as gateway:
        film = Film(folder, gateway.base_url, environment_of(folder))
        film.pipeline()
        many_takes(film, shots)
    began = time.perf_counter()
    path = written(film)
    found = {"report s": time.perf_counter() - began, "MB": path.stat().st_size / 1e6}
    window = opened(folder / "profile")
    try:
        ready, searches, picks = [], [], []
        for _ in range(5):
            page = Page(window, path)
            ready.append(page.run(_READY))
            searches += [page.run(_SEARCH, word) for word in ("sea", "s1", "")]
            page.run("document.activeElement.blur()")
            for key in "123":
                page.keys("j")
                picks.append(page.run(_PICK, key))
        found |= {"ready s": median(ready), "search s": median(searches), "pick s": median(picks)}
        return found | {"videos loaded": page.run(_LOADED)}
    finally:
        window.quit()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shots", type=int, default=300)
    shots = options.parse_args().shots
    table = Table(("what", "measured", "limit"))
    with scratch() as folder:
        for name, value in measure(folder, shots).items():
            limit = LIMITS.get(name)
            table.add(name, round(value, 3), limit or "")
            if limit is not None:
                table.require(name, value, limit)
    table.close()


if __name__ == "__main__":
    main()
