"""Lists that are meant to be slow, large or endless: answered in a moment, in bounded memory, with a short message."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fuzzing import corpus
from veopipe import files
from veopipe.documents import schema, yaml
from veopipe.documents.nodes import plain
from veopipe.manifest.shots import load_manifest
from veopipe.text import SHOWN

MODEL = "veo-3.1-fast-generate-preview"
A_MOMENT = 5.0
"""Seconds of this process: a fraction of a second on an idle machine, minutes or for ever without the limits."""


def problems_of(folder: Path, **shot: Any) -> list[str]:
    """The rules that one shot breaks; each message is short."""
    path = folder / "shots.yaml"
    path.write_text(json.dumps({"version": 1, "shots": {"a": {"model": MODEL, "prompt": "x"} | shot}}), "utf-8")
    began = time.process_time()
    found = load_manifest(path).problems
    assert time.process_time() - began < A_MOMENT
    assert all(len(problem.message) < 3 * SHOWN for problem in found)
    return [problem.rule for problem in found if problem.severity == "error"]


# --- YAML (docs/hazards.md, e 1 to 4, 6 and 9 to 11) -----------------------------------------------


@pytest.mark.parametrize(
    "written", ["16:9", "0123", "1_000", "no", "2026-05-20", "2026-13-45", "1e999", ".nan", "0x1f", "=", "9" * 5000]
)
@pytest.mark.shows("e 1")
def test_a_text_that_other_loaders_guess_at_stays_text(written: str) -> None:
    found = yaml.read(f"a: {written}\n".encode(), "x")
    assert not found.problems
    assert found.root is not None
    assert plain(found.root) == {"a": written}


@pytest.mark.parametrize(
    "tag", ["!!int ''", "!!bool z", "!!timestamp x", "!!binary aGk=", "!!set {a}", "!!omap [a: 1]"]
)
@pytest.mark.shows("e 2")
@pytest.mark.shows("e 9")
def test_a_tag_is_refused_whatever_it_stands_for(tag: str) -> None:
    assert "yaml-tag" in {problem.rule for problem in yaml.read(f"a: {tag}\n".encode(), "x").problems}


@pytest.mark.parametrize("path", corpus("yaml"), ids=lambda path: path.stem)
@pytest.mark.shows("e 6")
def test_no_saved_bomb_takes_more_than_a_moment(path: Path) -> None:
    began = time.process_time()
    yaml.load(path)
    assert time.process_time() - began < A_MOMENT


@pytest.mark.shows("e 11")
def test_a_list_of_gigabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "shots.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    began = time.process_time()
    assert [problem.rule for problem in yaml.load(path).problems] == ["file-unreadable"]
    assert time.process_time() - began < A_MOMENT


# --- schema (docs/hazards.md, e 13 to 16) ----------------------------------------------------------


def patterns_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["pattern"]] if isinstance(value.get("pattern"), str) else []
        for child in value.values():
            yield from patterns_in(child)
    elif isinstance(value, list):
        for child in value:
            yield from patterns_in(child)


FOLDER = Path(__file__).parents[2] / "schemas"
PATTERNS = sorted(
    {pattern for path in FOLDER.glob("*.json") for pattern in patterns_in(json.loads(path.read_text("utf-8")))}
)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.shows("e 13")
def test_no_pattern_takes_more_than_a_moment(pattern: str) -> None:
    began = time.process_time()
    for piece in ("a", "0", " ", "a-", "0.", "aa ", "https://", "\n", "é"):
        for end in ("", "!", "\n"):
            re.search(pattern, piece * (20_000 // len(piece)) + end)
    assert time.process_time() - began < A_MOMENT


@pytest.mark.parametrize("key", ["tags", "reference_images"])
@pytest.mark.shows("e 14")
def test_thousands_of_objects_in_a_list_are_refused_in_a_moment(tmp_path: Path, key: str) -> None:
    assert problems_of(tmp_path, **{key: [{"a": n} for n in range(3000)]})


@pytest.mark.parametrize("seed", ["1e400", "-1e400", "9" * 400, 1e308, -1, 2**32, 1.5, True, "NaN"])
@pytest.mark.shows("e 15")
def test_a_number_beyond_all_bounds_is_refused(tmp_path: Path, seed: Any) -> None:
    assert problems_of(tmp_path, seed=seed) == ["seed-range"]


@pytest.mark.parametrize("key", ["resolution", "aspect_ratio", "model", "seconds", "size", "input_reference"])
@pytest.mark.shows("e 16")
def test_a_megabyte_of_text_makes_a_short_message(tmp_path: Path, key: str) -> None:
    assert problems_of(tmp_path, **{key: "\x1b[2J" * 250_000})


# --- what was built in is what is used (docs/hazards.md, e 12) -------------------------------------


def test_no_schema_refers_to_anything_outside_the_package() -> None:
    for path in FOLDER.glob("*.json"):
        text = path.read_text("utf-8")
        assert not re.search(r'"\$(?:ref|dynamicRef)":\s*"(?:[a-z]+:|/)', text), path.name
        names = re.findall(r'"\$ref":\s*"([^"#]+)', text)
        assert all((FOLDER / name).is_file() for name in names)


def test_a_list_that_is_a_pipe_or_a_device_is_never_waited_for() -> None:
    assert [problem.rule for problem in yaml.load(Path("/dev/zero")).problems] == ["file-unreadable"]
    with pytest.raises(ValueError, match="regular"):
        files.read_bounded(Path("/dev/zero"), 10)
    assert schema.part("manifest", "$defs")
