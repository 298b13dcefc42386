"""The key that must stand nowhere, and the search for it in all that a test wrote or printed.

A plugin of pytest: it lets every test run with this key in its environment,
logs at DEBUG, and looks through the test's folder and its captured output afterwards. Tests that throw their
folders away look before they do (`leaks_below`).
"""

from __future__ import annotations

import base64
import logging
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KEY = "Qz7canary_4f0c7d19a2-tail8901"
"""Of no known form, so that only its value gives it away."""
WHOLE = 64 << 20
"""Bytes; of longer files only both ends are searched. No command here writes any, but tests make sparse ones."""
END = 1 << 20


def traces_of(key: str) -> tuple[bytes, ...]:
    """The key, its last eight characters, its base64 at each alignment."""
    packed = {base64.b64encode(b"x" * shift + key.encode())[4:-4] for shift in range(3)}
    safe = {text.replace(b"+", b"-").replace(b"/", b"_") for text in packed}
    return key.encode(), key[-8:].encode(), *sorted(packed | safe)


TRACES = traces_of(KEY)


def holds_key(content: bytes | str | mmap.mmap) -> bool:
    """Whether anything of the key stands there."""
    searched = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return any(searched.find(trace) >= 0 for trace in TRACES)


def leaks_below(folder: Path) -> list[str]:
    """The files below a folder in which, or in whose names, anything of the key stands."""
    found = []
    for base, inner, names in os.walk(folder):
        for name in [*inner, *names]:
            path = os.path.join(base, name)
            if holds_key(os.fsencode(name)) or (name in names and _is_leak(path)):
                found.append(path)
    return found


def _is_leak(path: str) -> bool:
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        with open(path, "rb") as file:
            if status.st_size > WHOLE:
                begin = file.read(END)
                file.seek(-END, os.SEEK_END)
                return holds_key(begin) or holds_key(file.read())
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return holds_key(content)
    except FileNotFoundError:  # something is still at work there
        return False


@pytest.fixture(autouse=True)
def the_key_is_kept(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """The environment's key is the canary, and afterwards it stands in no file of this test."""
    monkeypatch.setenv("VEOPIPE_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(
        logging.INFO, "httpcore"
    )  # at DEBUG it quotes what a gateway sent, the key that one repeats as well
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    leaks = leaks_below(folder) if folder is not None else []
    assert not leaks, f"the key stands in {leaks}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """Nor was it printed or logged: what pytest captured is part of the report."""
    report = yield
    if report.passed and any(holds_key(text) for _, text in report.sections):
        report.outcome, report.longrepr = "failed", f"the key was printed or logged: {report.sections}"
    return report
