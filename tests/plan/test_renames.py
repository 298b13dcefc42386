"""Who takes over whose state: over everything that people may do to the ids of a list."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veopipe.plan.renames import takeovers
from veopipe.takes.order import Order
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt, ShotState, Take

IDS = ["a", "b", "c", "d", "E", "e"]
TEXTS = st.sampled_from("uvwxyz")
ORDER = Order("veo", "A pier", 8, "720p", "16:9", None, None, (), 1)
ATTEMPT = Attempt(1, "r1", Status.VERIFIED, "simulator", Decimal("0.3"), "2026-11-22T06:00:00Z", task_id="task_1")


def state(shot: str, texts: list[str]) -> ShotState:
    return ShotState(shot, tuple(Take(number, text, ORDER, (ATTEMPT,)) for number, text in enumerate(texts, 1)))


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(IDS), TEXTS, max_size=6),
    st.dictionaries(st.sampled_from(IDS), st.lists(TEXTS, min_size=1, max_size=3, unique=True), max_size=6),
    st.sets(st.sampled_from(IDS), max_size=2),
)
@example({"a": "v", "b": "u"}, {"a": ["u"], "b": ["v"]}, set())
@example({"a": "z", "b": "u", "c": "v"}, {"a": ["u"], "b": ["v"]}, set())
def test_whatever_changed_ids_no_state_is_lost_overwritten_or_taken_from_who_wants_it(
    wanted: dict[str, str], has: dict[str, list[str]], unselected: set[str]
) -> None:
    states = {shot: state(shot, texts) for shot, texts in has.items()}
    selected = {shot: (text,) for shot, text in wanted.items() if shot not in unselected}
    moves = takeovers(selected, states, {*wanted, *unselected}, set())

    assert len(set(moves.values())) == len(moves)
    assert set(moves.values()) <= states.keys()
    assert {shot for shot in moves if shot in states} <= set(moves.values())  # who gets one gives its own
    assert not (moves.keys() | set(moves.values())) & (unselected & (wanted.keys() | unselected))
    after = {shot: has[moves.get(shot, shot)] for shot in {*moves, *(states.keys() - set(moves.values()))}}
    assert sorted(map(sorted, after.values())) == sorted(map(sorted, has.values()))
    for shot, text in selected.items():
        if text in has.get(shot, ()):
            assert shot not in moves  # it keeps what it wants
        elif text not in after.get(shot, ()):  # bought, so nobody has it to spare
            spare = [other for other in after if other not in selected and other not in unselected]
            assert not any(text in after[other] for other in spare) or shot.casefold() in {s.casefold() for s in states}
