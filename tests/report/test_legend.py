"""The legend has a row for every status, and each medium finds its order in it."""

from veopipe.report.legend import HELD, LEGEND, PENDING, UNREADABLE, WAITING
from veopipe.takes.status import SETTLED, Status


def test_every_status_has_a_row():
    assert set(LEGEND) == {*Status, PENDING, UNREADABLE, HELD, WAITING}


def test_the_pages_bar_goes_from_what_is_well_to_what_is_in_doubt():
    bar = sorted(LEGEND.values(), key=lambda standing: standing.place)

    assert [standing.place for standing in bar] == list(range(1, len(LEGEND) + 1))
    tones = list(dict.fromkeys(standing.tone for standing in bar))
    assert tones == ["good", "open", "idle", "wait", "bad", "doubt"]


def test_a_person_is_needed_for_what_ended_badly_is_parked_in_doubt_or_held():
    needed = {status for status, standing in LEGEND.items() if standing.advice is not None}

    assert needed == (SETTLED - {Status.VERIFIED}) | {Status.PARKED, Status.IN_DOUBT, UNREADABLE, HELD, WAITING}
    assert len({standing.advice.rank for standing in LEGEND.values() if standing.advice}) == len(needed)
