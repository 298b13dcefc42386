"""Whatever stands in a list or a pipeline is usable, or a problem with its place: no traceback, no hang.

Per push each fuzzer tries the same inputs; `VEOPIPE_LONG=1` tries many more, other ones each time (`conftest`).
What once went wrong, or nearly, is kept in `corpus/` and tried every time.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.fuzzing import (
    UNSAFE,
    a_folder,
    as_body,
    corpus,
    scalars,
    values,
)
from veopipe.clock import parse_duration
from veopipe.documents import schema, yaml
from veopipe.documents.nodes import plain
from veopipe.gateway.address import parse_base_url
from veopipe.manifest.shots import load_manifest
from veopipe.pipeline.reading import load_pipeline
from veopipe.text import SHOWN

# --- YAML ------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["a", "b: ", "- ", "\n", "\n  ", "\n    ", "---\n", "...\n", "%YAML 1.1\n", "16:9", "0x1f", "1e5"]
) | (
    st.sampled_from(["[", "]", "{", "}", ", ", "&a ", "*a", "<<: ", "!!int ", "!", "'", '"', "|\n", ">-\n", "? ", ": "])
    | st.sampled_from(["#", "\t", "\\", "~", "\ufeff", "\x85"])
)
yaml_texts = (
    st.lists(PIECES | st.text(max_size=3), max_size=40).map(
        lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")
    )
    | st.binary(max_size=80)
    | st.text(max_size=80).map(lambda text: text.encode("utf-16"))
)


def assert_read(data: bytes) -> None:
    found = yaml.read(data, "x.yaml")
    assert found.root is not None or found.problems
    for problem in found.problems:
        assert (problem.line, problem.column) >= (1, 1)
        assert not UNSAFE.search(problem.message)
        assert len(problem.message) < 3 * SHOWN
    if found.root is not None:
        plain(found.root)


@given(yaml_texts)
def test_a_yaml_text_is_a_document_or_problems_with_places(data: bytes) -> None:
    assert_read(data)


@pytest.mark.parametrize("path", corpus("yaml"), ids=lambda path: path.name)
@pytest.mark.shows("e 10")
def test_a_saved_yaml_text_is_a_document_or_problems(path: Path) -> None:
    assert_read(path.read_bytes())


KEYS = [*schema.part("manifest", "$defs", "settings", "properties"), "durations", "size", "generateAudio", "id"]
shots = st.dictionaries(
    st.text("aB0-_/.\n", max_size=4) | st.sampled_from(["CON", "a" * 300, "x\u202ey"]),
    st.dictionaries(
        st.sampled_from(KEYS), values | st.sampled_from(["16:9", "4k", 8, "720p", "../x.png", "/dev/zero"]), max_size=5
    )
    | scalars,
    max_size=3,
)


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(["version", "shots", "defaults", "budget_usd", "x"]), values | shots, max_size=5)
)
def test_a_shot_list_is_usable_or_has_problems(value: dict[str, Any]) -> None:
    with a_folder() as folder:
        path = folder / "shots.yaml"
        path.write_bytes(as_body({"version": 1, **value}))
        loaded = load_manifest(path)
    assert loaded.manifest is not None or any(problem.severity == "error" for problem in loaded.problems)
    for problem in loaded.problems:
        assert not UNSAFE.search(problem.message)
        assert len(problem.message) < 5 * SHOWN


sections = st.dictionaries(
    st.sampled_from(list(schema.part("pipeline", "properties"))),
    values
    | st.dictionaries(
        st.sampled_from(
            [
                "base_url",
                "models",
                "in_flight",
                "max_cost_usd",
                "deadline",
                "interval",
                "timeout",
                "duration_tolerance",
                "a",
            ]
        ),
        values,
        max_size=4,
    ),
    max_size=4,
)


@pytest.mark.slow
@given(sections)
def test_a_pipeline_is_usable_or_has_problems(value: dict[str, Any]) -> None:
    with a_folder() as folder:
        path = folder / "p.yaml"
        path.write_bytes(as_body({"version": 1, **value}))
        pipeline, problems = load_pipeline(str(path), folder)
    assert pipeline is not None or any(problem.severity == "error" for problem in problems)
    for problem in problems:
        assert not UNSAFE.search(problem.message)
        assert len(problem.message) < 5 * SHOWN


@given(st.text(max_size=40) | st.floats() | st.integers())
def test_a_duration_and_an_address_are_values_or_sentences(written: Any) -> None:
    for read in (parse_duration, lambda said: parse_base_url(str(said))):
        with suppress(ValueError):
            assert read(written) is not None
