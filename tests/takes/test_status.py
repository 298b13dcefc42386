"""The attempt table: every pair either leads where the design says or is refused; nothing is forgotten."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from veopipe.takes import status as state
from veopipe.takes.status import TABLE, Event, IllegalTransition, Status, after

# The attempt table (docs/design.md, 6), written down a second time on purpose: a change is a change of two files.
DESIGN = """
submitting: accepted rendering, refused refused, unknown in_doubt
in_doubt: accepted rendering, refused refused, written_off abandoned
rendering: completed rendered, failed failed, unsettled parked
rendered: delivered downloaded, running_again rendering, unsettled parked, gone abandoned
downloaded: matches verified, differs mismatched, unsettled parked, part_lost rendered
parked: resumed rendering, written_off abandoned
mismatched: matches verified
"""
LISTED = {
    (Status(status), Event[event.upper()]): Status(then)
    for status, _, row in (line.partition(": ") for line in DESIGN.strip().splitlines())
    for event, then in (entry.split() for entry in row.split(", "))
}
PAIRS = list(product(Status, Event))
SETTLED_BY_DESIGN = {"refused", "failed", "abandoned", "mismatched", "verified"}


@pytest.mark.parametrize(("status", "event"), PAIRS, ids=lambda value: value.name.lower())
def test_a_pair_leads_where_the_design_says_or_is_illegal(status: Status, event: Event) -> None:
    if (status, event) in LISTED:
        assert after(status, event) is LISTED[status, event]
    else:
        with pytest.raises(IllegalTransition, match=status.value):
            after(status, event)


def test_every_status_has_a_row() -> None:
    assert set(TABLE) == set(Status)


def test_every_event_happens_somewhere() -> None:
    assert {event for row in TABLE.values() for event in row} == set(Event)


def test_every_status_can_be_reached_from_a_new_attempt() -> None:
    reached, todo = set(), {Status.SUBMITTING}
    while todo:
        status = todo.pop()
        reached.add(status)
        todo |= set(TABLE[status].values()) - reached

    assert reached == set(Status)


def test_every_open_status_can_be_settled() -> None:
    for status in set(Status) - state.SETTLED:
        reached, todo = set(), {status}
        while todo:
            here = todo.pop()
            reached.add(here)
            todo |= set(TABLE[here].values()) - reached
        assert reached & state.SETTLED, status


def test_the_table_cannot_be_changed_by_a_module() -> None:
    with pytest.raises(TypeError):
        TABLE[Status.VERIFIED] = {}  # type: ignore[index]


def test_the_settled_ones_are_those_of_the_design() -> None:
    assert {status.value for status in state.SETTLED} == SETTLED_BY_DESIGN


def test_no_settled_status_ever_goes_back_to_asking_the_gateway() -> None:
    """Only `veopipe verify` may turn mismatched into verified; everything else is final."""
    ways_out = {status: set(TABLE[status].values()) for status in state.SETTLED if TABLE[status]}

    assert ways_out == {Status.MISMATCHED: {Status.VERIFIED}}


def test_every_status_but_refused_may_have_cost_money() -> None:
    assert set(Status) - {Status.REFUSED} == state.CHARGED | state.POSSIBLY_CHARGED
    assert not state.CHARGED & state.POSSIBLY_CHARGED


def test_each_status_is_open_for_a_person_open_for_a_run_or_settled() -> None:
    groups = (state.UNKNOWN_OUTCOME, state.CARRIED_ON, state.SETTLED)

    assert sum(len(group) for group in groups) == len(Status)
    assert frozenset.union(*groups) == set(Status)


def test_parked_takes_and_takes_in_doubt_hold_no_place_in_flight() -> None:
    assert {status.value for status in state.IN_FLIGHT} == {"rendering", "rendered", "downloaded"}


def test_the_diagram_shows_every_status_and_every_pair() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    diagram = readme.partition("```mermaid")[2].partition("```")[0]
    arrows = [line.strip() for line in diagram.splitlines() if "-->" in line]

    for (status, event), then in LISTED.items():
        assert f"{status.value} --> {then.value}: {event.value}" in arrows
    for status in state.SETTLED:
        assert f"{status.value} --> [*]" in arrows
    assert len(arrows) == len(LISTED) + len(state.SETTLED) + 1
