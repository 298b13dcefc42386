"""Whatever stands in a list or a pipeline is usable, or a problem with its place: no traceback, no hang.

Per push each fuzzer tries the same inputs; `VEOPIPE_LONG=1` tries many more, other ones each time (`conftest`).
What once went wrong, or nearly, is kept in `corpus/` and tried every time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
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
from veopipe.documents.syntax import LINE_END
from veopipe.gateway.address import parse_base_url
from veopipe.manifest.shots import load_manifest
from veopipe.pipeline.reading import load_pipeline
from veopipe.profiles.prices import Price
from veopipe.profiles.profile import Model
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


# --- references to texts ---------------------------------------------------------------------------

MARKS = st.sampled_from(["${", "$${", "${look}", "${lok}", "${ look}", "$", "{", "}", "look"])
AROUND = st.sampled_from([" ", "\n", "\n\n", "x ", "\u00e9", "\U0001f30a", "\u2028", " #", "'", '"', "\\", ": "])
prompts = st.lists(MARKS | AROUND, min_size=1, max_size=12).map("".join)


def spelt(prompt: str, style: str) -> str:
    """A prompt as a value of YAML, not always of exactly that text."""
    if style == "as we write it":
        return yaml.dump({"p": prompt}).removeprefix("p: ")
    if style == "in lines of its own":
        return "|2-\n" + "".join(f"      {line}\n" for line in prompt.split("\n"))
    return json.dumps(prompt, ensure_ascii=style == "as JSON")


def written_out(prompt: str) -> tuple[str, int]:
    """The same by hand, sign by sign: what a prompt says, and how many references of it are wrong."""
    said, wrong = "", 0
    while prompt:
        mark = next((mark for mark in ("$${", "${look}", "${", prompt[0]) if prompt.startswith(mark)), "")
        wrong += mark == "${"
        said += {"$${": "${", "${look}": "cold"}.get(mark, mark)
        prompt = prompt[len(mark) :]
    return said, wrong


@given(prompts, st.sampled_from(["as we write it", "in lines of its own", "as JSON", "in double quotes"]))
def test_a_reference_is_written_out_or_a_problem_at_its_place(prompt: str, style: str) -> None:
    text = f"version: 1\ntexts: {{look: cold}}\nshots:\n  a:\n    model: any\n    prompt: {spelt(prompt, style)}"
    read = yaml.read(text.encode(), "x")
    if read.root is None:
        return
    (value,) = [node.items["prompt"] for node in read.root.items["shots"].items.values()]  # type: ignore[union-attr]
    said, wrong = written_out(value.text)  # type: ignore[union-attr]
    with a_folder() as folder:
        (folder / "shots.yaml").write_bytes(text.encode())
        loaded = load_manifest(folder / "shots.yaml", models={"any": Model("any", Price(Decimal(1)), family="none")})
    places = [(p.line, p.column) for p in loaded.problems if p.rule == "text-unknown"]
    if loaded.manifest is not None:
        assert (loaded.manifest.shots["a"].prompt, wrong) == (said, 0)
    elif wrong and places != [(value.line, value.column)]:
        lines = LINE_END.split(text)
        assert [lines[line - 1][column - 1 :][:2] for line, column in places] == ["${"] * wrong


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
