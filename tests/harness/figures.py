"""The figures of a run of these tests, collected by the run itself and shown at its end.

A test tells what it tried (`figures`); fuzzers are counted input by input, with a limit for each one's time and
for their memory. The last lines of the run are a table for docs/reliability.md and the same as JSON. Tests of other
processes (pytest-xdist) are counted as well: figures travel in the properties of their reports.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

PREFIX = "figure: "
LONG = bool(os.environ.get("VEOPIPE_LONG"))
"""Whether the long form is wanted: every combination and many more seeds."""
COLUMNS = ("points", "faults", "inputs", "paid_twice", "lost")
# Where → part of the table, and what one test of it counts as if it tells nothing itself.
PARTS: dict[str, tuple[str, str]] = {
    "sweeps/test_power_loss": ("kills and power cuts", ""),
    "sweeps/test_carriers": ("carriers that die", ""),
    "sweeps/test_io_errors": ("disks that fail", ""),
    "wire/test_wire": ("faults on the wire", "faults"),
    "sweeps/test_machine": ("nights made up by chance", ""),
    "hostile/": ("hostile input", "inputs"),
    "sweeps/test_soak": ("soak", ""),
    "sweeps/test_teeth": ("protocol bugs seeded and noticed", ""),
    "sweeps/test_far_teeth": ("protocol bugs seeded and noticed", ""),
}
LONGEST_INPUT = 5.0
"""Seconds of this process that one input may take: a thousandth of that on an idle machine."""
MOST_MEMORY = 400 << 20
"""Bytes by which a fuzzer may raise the peak of its process, its imports included."""

Figures = Callable[..., None]


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Tell what this test tried: `figures(points=91, faults=319)`."""

    def tell(**found: int) -> None:
        request.node.user_properties += [(PREFIX + name, number) for name, number in found.items()]

    return tell


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Count a fuzzer's inputs, and keep each within its time and all within their memory."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        return (yield)
    inner, tried, before = handle.inner_test, Counter[str](), _peak()

    @functools.wraps(inner)
    def counted(*arguments: Any, **named: Any) -> None:
        tried["inputs"] += 1
        began = time.process_time()
        inner(*arguments, **named)
        assert time.process_time() - began < LONGEST_INPUT, "an input took too long"

    handle.inner_test = counted
    try:
        result = yield
    finally:
        handle.inner_test = inner
    assert _peak() - before < MOST_MEMORY, f"{(_peak() - before) >> 20} MiB more"
    item.user_properties.append((PREFIX + "inputs", tried["inputs"]))
    return result


def part_of(nodeid: str) -> tuple[str, str] | None:
    """The part of the table that a test belongs to, if to any."""
    return next((part for name, part in PARTS.items() if nodeid.startswith(f"tests/{name}")), None)


def collected(reports: list[pytest.TestReport]) -> dict[str, Counter[str]]:
    """Part → its figures."""
    parts: dict[str, Counter[str]] = {name: Counter() for name, _ in PARTS.values()}
    for report in reports:
        part = part_of(report.nodeid)
        if part is None:
            continue
        name, counts_as = part
        told = Counter[str]()
        for key, value in report.user_properties:
            if key.startswith(PREFIX):
                told[key.removeprefix(PREFIX)] += value  # type: ignore[operator]
        parts[name].update(told or ({counts_as: 1} if counts_as else {}))
        parts[name].update(tests=1, seconds=report.duration)  # type: ignore[arg-type]
    return {name: found for name, found in parts.items() if found["tests"]}


def table(parts: dict[str, Counter[str]]) -> list[str]:
    """The figures for a page in Markdown; what a part doesn't count is left open."""
    together = Counter[str]()
    for found in parts.values():
        together.update(found)  # unlike +, it keeps a figure that is 0
    rows = [*parts.items(), ("**together**", together)]
    lines = ["| | points tried | faults survived | inputs tried | paid twice | lost | tests |", "|---" * 7 + "|"]
    for name, found in rows:
        cells = [f"{found[column]:,}" if column in found else "" for column in COLUMNS]
        lines.append(f"| {' | '.join([name, *cells, str(found['tests'])])} |")
    return lines


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table and the JSON."""
    stats = terminalreporter.stats
    parts = collected([*stats.get("passed", []), *stats.get("failed", [])])
    if not parts:
        return
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    terminalreporter.section("figures for docs/reliability.md")
    if failed:
        terminalreporter.write_line(f"{failed} failed: these figures show nothing")
    for line in table(parts):
        terminalreporter.write_line(line)
    document = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "form": "long" if LONG else "push",
        "failed": failed,
        "parts": {name: {key: round(number) for key, number in found.items()} for name, found in parts.items()},
    }
    terminalreporter.write_line("")
    terminalreporter.write_line("VEOPIPE-FIGURES " + json.dumps(document))
