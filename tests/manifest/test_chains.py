"""Chains of a list: mistakes in long lists are told in no time, and stop only the commands that are about them."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.harness.served import SERVED
from veopipe.documents.problems import Finding
from veopipe.manifest import chains
from veopipe.manifest.chains import Link, Linked
from veopipe.manifest.shots import Loaded, load_manifest
from veopipe.pipeline.reading import load_pipeline

FAST = "veo-3.1-fast-generate-preview"


def linked(*producers: str) -> Linked:
    """A shot that takes frames of these."""
    return Linked({("reference_images", i): Link("reference_images", shot, "last") for i, shot in enumerate(producers)})


def found(shots: Mapping[str, Linked], *more: str) -> list[tuple[str, Finding]]:
    return list(chains.judge(shots, [*shots, *more]))


# --- names that are no shot's ----------------------------------------------------------------------


def test_a_name_that_is_no_shot_s_is_told_with_the_one_that_was_meant() -> None:
    ((shot, finding),) = found({"b": linked("SC1")}, "SC01")
    assert (shot, finding.rule) == ("b", "chain-unknown")
    assert finding.message == "there is no shot SC1: did you mean SC01?"


def test_one_wrong_name_in_the_defaults_of_a_long_list_takes_no_time() -> None:
    shots = {f"scene-{number:05}": linked("scene-1") for number in range(5_000)}
    began = time.perf_counter()
    findings = found(shots)
    assert time.perf_counter() - began < 10
    assert len(findings) == 5_000
    (message,) = {finding.message for _, finding in findings}
    assert message.startswith("there is no shot scene-1: did you mean scene-0")


def test_of_many_wrong_names_the_first_ones_are_guessed() -> None:
    shots = {f"scene-{number:05}": linked(f"scene_{number:05}") for number in range(5_000)}
    began = time.perf_counter()
    findings = found(shots)
    assert time.perf_counter() - began < 20
    assert [("did you mean" in finding.message) for _, finding in findings] == [True] * 20 + [False] * 4_980


# --- rings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2, "s0 → s1 → s0"),
        (8, "s0 → s1 → s2 → s3 → s4 → s5 → s6 → s7 → s0"),
        (9, "s0 → s1 → s2 → s3 → s4 → s5 → s6 → s7 → … → s0"),
        (5_000, "s0 → s1 → s2 → s3 → s4 → s5 → s6 → s7 → … → s0"),
    ],
)
def test_a_ring_names_its_first_shots(size: int, message: str) -> None:
    ((shot, finding),) = found({f"s{number}": linked(f"s{(number + 1) % size}") for number in range(size)})
    assert (shot, finding.rule, finding.path) == ("s0", "chain-cycle", ("reference_images", 0, "shot"))
    assert finding.message == f"these shots wait for each other: {message}"


def test_a_ring_behind_a_dead_end_names_its_own_shots() -> None:
    shots = {"a": linked("b", "d"), "b": linked("c"), "c": linked("x"), "d": linked("e"), "e": linked("a")}
    ((shot, finding),) = found(shots, "x")
    assert (shot, finding.message) == ("a", "these shots wait for each other: a → d → e → a")
    assert finding.path == ("reference_images", 1, "shot")


def test_many_long_rings_need_little_memory_and_the_first_ones_are_told() -> None:
    """Each shot leads on and back to the start of the list, or to the middle of it."""
    size = 6_000
    shots = {
        f"s{number}": linked(f"s{(number + 1) % size}", "s0" if number % 2 else f"s{number // 2}")
        for number in range(size)
    }
    tracemalloc.start()
    began = time.perf_counter()
    findings = found(shots)
    took, (_, most) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 20
    assert most < 8 << 20
    assert {finding.rule for _, finding in findings} == {"chain-self", "chain-cycle"}
    assert sum(finding.rule == "chain-cycle" for _, finding in findings) == 20
    assert len({(shot, finding.path) for shot, finding in findings}) == len(findings)


# --- what a command isn't about --------------------------------------------------------------------

CHAIN = f"""\
version: 1
defaults: {{model: {FAST}, prompt: x}}
shots:
  SC01: {{seconds: 8}}
  SC02: {{input_reference: {{shot: SC01, frame: 6}}}}
  SC03: {{}}
  SC04: {{input_reference: {{shot: SC02, frame: last}}}}
"""
Load = Callable[..., Loaded]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a list with overrides, for a command that is about some of its shots."""

    def loaded(text: str, overrides: str = "", *only: str) -> Loaded:
        (tmp_path / "shots.yaml").write_text(text, "utf-8")
        (tmp_path / "pipelines").mkdir(exist_ok=True)
        (tmp_path / "pipelines/mine.yaml").write_text(overrides or "output: renders\n", "utf-8")
        pipeline, problems = load_pipeline("mine", tmp_path)
        assert (pipeline is not None, problems) == (True, ())
        return load_manifest(
            tmp_path / "shots.yaml",
            overrides=pipeline and pipeline.overrides,
            models=SERVED,
            shown_as="shots.yaml",
            selects=(lambda shot, _: shot in only) if only else None,
        )

    return loaded


def errors(loaded: Loaded) -> list[tuple[str, str | None, int]]:
    return [(found.rule, found.shot, found.line) for found in loaded.problems if found.severity == "error"]


def test_a_chain_that_only_the_overrides_break_stops_no_command_about_other_shots(load: Load) -> None:
    assert load(CHAIN).problems == ()
    for only in ("SC03", "SC01"):
        loaded = load(CHAIN, "overrides: {seconds: 4}\n", only)
        assert (loaded.manifest is not None, errors(loaded)) == (True, [])


@pytest.mark.parametrize("only", [(), ("SC02",), ("SC04",), ("SC03", "SC04")], ids=repr)
def test_it_stops_those_about_its_shots_and_what_waits_for_them(load: Load, only: tuple[str, ...]) -> None:
    loaded = load(CHAIN, "overrides: {seconds: 4}\n", *only)
    assert (loaded.manifest, errors(loaded)) == (None, [("chain-frame", "SC02", 5)])


def test_a_list_must_be_right_by_itself_whatever_a_command_is_about(load: Load) -> None:
    assert errors(load(CHAIN.replace("frame: 6", "frame: 9"), "", "SC03")) == [("chain-frame", "SC02", 5)]
    names = CHAIN.replace("shot: SC01", "shot: SC99").replace("shot: SC02", "shot: SC04")
    loaded = load(names, "overrides: {seconds: 4}\n", "SC03")
    assert errors(loaded) == [("chain-unknown", "SC02", 5), ("chain-self", "SC04", 7)]
