"""A machine that gives a process little: few open files, little memory. Nothing is sent, or it is recorded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator


def limited(film: Film, limit: str, *words: str) -> Result:
    """A command under a limit of the shell's."""
    program = ("bash", "-c", f'ulimit {limit} && exec "$0" -m veopipe "$@"', sys.executable)
    return film.start(*words, program=program).result()


@pytest.mark.parametrize("few", [12, 24])
def test_where_too_few_files_may_be_open_nothing_is_sent_and_it_is_said(
    film: Film, gateway: Simulator, few: int
) -> None:
    film.list({"shot": "a cat"})
    told = limited(film, f"-n {few}", *film.arguments()).document
    assert told["exit_code"] == 6
    assert f"only {few} files may be open at once" in told["error"]
    assert (told["hint"], gateway.ledger) == ("ulimit -n 1024", [])


def test_a_run_asks_for_as_many_open_files_as_it_may_have(film: Film, gateway: Simulator) -> None:
    film.list({f"S{number:02d}": f"shot {number}" for number in range(40)})
    film.pipeline(limits__creates_in_flight=16)
    gateway.order_fault("slow_create", times=None, seconds=0.3)
    assert limited(film, "-Sn 32", *film.arguments()).code == 0
    assert len(gateway.charged) == 40


@pytest.mark.parametrize("few", [48, 56])
def test_what_is_paid_while_no_file_can_be_opened_is_on_record(film: Film, gateway: Simulator, few: int) -> None:
    film.list({f"S{number:02d}": f"shot {number}" for number in range(40)})
    film.pipeline(limits__creates_in_flight=16)
    gateway.order_fault("slow_create", times=None, seconds=0.5)
    assert limited(film, f"-n {few}", *film.arguments()).code in {0, 6}
    gateway.clear_faults()
    assert set(film.run().statuses.values()) == {"verified"}
    assert len({create["prompt"] for create in gateway.charged}) == len(gateway.charged) == 40
