"""One gateway under two names: what was bought under the one is named before the other is paid for it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

PUBLIC = "https://gateway.example"


@pytest.fixture
def forwarded(film: Film, gateway: Simulator) -> Film:
    """A film that is bought through a port on this machine; nothing else can be reached from there."""
    film.list({"a": "a lighthouse at dusk", "b": "a harbour at dawn"})
    assert film.run().statuses == {"a": "verified", "b": "verified"}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        film.environment["HTTPS_PROXY"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
    return film


def named(film: Film) -> str:
    return f"2 shots were already bought at {film.base_url}"


def test_the_plan_says_what_was_bought_through_a_port_on_this_machine(forwarded: Film) -> None:
    words = ("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", PUBLIC)
    shown = forwarded.command(*words)
    assert named(forwarded) in shown.out
    assert f"--base-url {forwarded.base_url}" in shown.out
    entries = forwarded.command(*words, "--format", "json").document["shots"]
    assert [entry["bought_at"] for entry in entries] == [forwarded.base_url] * 2
    assert f"already bought at {forwarded.base_url}" in entries[0]["reason"]


def test_a_run_that_nobody_agreed_to_says_it_and_sends_nothing(forwarded: Film) -> None:
    run = forwarded.run("--base-url", PUBLIC, yes=False)
    assert run.code == 2
    assert named(forwarded) in run.document["error"]


@pytest.mark.parametrize("words", [("--yes",), ("--max-cost", "10"), ("--quiet", "--yes"), ("--plan", "plan.json")])
def test_a_run_that_was_agreed_to_says_it_before_its_first_create(words: tuple[str, ...], forwarded: Film) -> None:
    where = ("shots.yaml", "-p", "quick.yaml", "--base-url", PUBLIC)
    assert forwarded.command("plan", *where, "-o", "plan.json").code == 0
    run = forwarded.command("run", *where, "--format", "json", *words)
    assert run.code == 6  # nobody answers there
    assert any(named(forwarded) in line for line in run.err.splitlines()[:2])  # beside how long it takes
    assert named(forwarded) in run.document["notes"][0]
    assert named(forwarded) in json.dumps(forwarded.log())


def test_with_the_name_it_was_bought_under_everything_is_kept(forwarded: Film, gateway: Simulator) -> None:
    port = forwarded.base_url.rpartition(":")[2]
    for name in (forwarded.base_url, f"http://localhost:{port}", f"http://[::1]:{port}"):
        run = forwarded.run("--base-url", name, yes=False)
        assert (run.code, run.statuses) == (0, {"a": "verified", "b": "verified"})
        assert "already bought" not in run.out + run.err
    assert len(gateway.ledger) == 2


def test_what_was_bought_under_the_public_name_satisfies_a_run_through_a_port(
    forwarded: Film, gateway: Simulator
) -> None:
    for shot in ("a", "b"):
        path = forwarded.folder / f".veopipe/shots/state/{shot}.json"
        path.write_text(path.read_text("utf-8").replace(forwarded.base_url, f"{PUBLIC}:443"), "utf-8")
    for name in (forwarded.base_url, "https://other.example"):
        run = forwarded.run("--base-url", name, yes=False)
        assert (run.code, run.statuses) == (0, {"a": "verified", "b": "verified"})
    assert len(gateway.ledger) == 2
