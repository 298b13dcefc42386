"""The search for the key finds it wherever it may stand, and nothing where it doesn't."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.canary import END, KEY, TRACES, WHOLE, holds_key, leaks_below

ROOT = Path(__file__).parents[1]
PACKED = [base64.b64encode(b"x" * shift + KEY.encode() + b"tail").decode() for shift in range(3)]
SPOILT = {
    "whole": f"Authorization: Bearer {KEY}",
    "its end": KEY[-8:],
    **{f"base64 {shift}": text for shift, text in enumerate(PACKED)},
}
# A test with a leak each, none of which asserts anything: the fixture and the hook must fail it.
LEAKS = {
    "a file": "(tmp_path / 'deep').mkdir(); (tmp_path / 'deep/x.mp4').write_bytes(b'\\0' * 5000 + KEY.encode())",
    "a name": "(tmp_path / f'x{KEY}').mkdir()",
    "a print": "print(KEY[-8:])",
    "stderr of a child": "subprocess.run(['sh', '-c', f'echo {KEY} >&2'])",
    "a log": "logging.getLogger('httpx').debug('headers %s', KEY)",
    "the environment": "(tmp_path / 'x').write_text(str(dict(os.environ)))",
}


@pytest.mark.parametrize("form", SPOILT)
@pytest.mark.shows("the key is searched for in everything")
def test_each_form_of_the_key_is_found_in_text_in_files_and_at_both_ends_of_long_ones(
    form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spoilt")
    spoilt = SPOILT[form].encode()
    (folder / "clean").write_bytes(b"\xff" * 5000)
    (folder / "link").symlink_to("/proc/self/environ")
    assert leaks_below(folder) == []
    (folder / "short.mp4").write_bytes(b"\xff" * 5000 + spoilt + b"\xff")
    for name, at in (("begins", 100), ("ends", WHOLE + END)):
        with (folder / name).open("wb") as file:
            file.seek(at)
            file.write(spoilt)
            file.truncate(WHOLE + 2 * END - 1)
    assert holds_key(spoilt)
    assert {Path(path).name for path in leaks_below(folder)} == {"short.mp4", "begins", "ends"}


def test_what_is_looked_for_is_long_enough_to_stand_nowhere_by_chance() -> None:
    assert min(map(len, TRACES)) >= 8
    assert not holds_key(b"Qz7canary_4f0c7d19a2-tail890 tail89")


@pytest.mark.slow
@pytest.mark.shows("the key is searched for in everything")
def test_a_test_that_leaks_fails_though_it_asserts_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("suite")
    tests = [*LEAKS.values(), "print('nothing'); (tmp_path / 'x').write_text('nothing')"]
    lines = [f"def test_{number}(tmp_path):\n    {line}\n" for number, line in enumerate(tests)]
    (folder / "test_leaks.py").write_text(
        "\n".join(["import logging, os, subprocess", "from tests.harness.canary import KEY", *lines])
    )
    (folder / "conftest.py").write_text("pytest_plugins = ['tests.harness.canary']\n")
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    words = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}"]
    said = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stdout
    spoilt = {int(number) for number in re.findall(r"^(?:FAILED|ERROR) test_leaks.py::test_(\d+)", said, re.MULTILINE)}
    assert spoilt == set(range(len(LEAKS))), said
