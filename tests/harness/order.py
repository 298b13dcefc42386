"""Long tests first, shared among the workers, so that none works alone at the end.

pytest-xdist gives each worker a piece of the list, all of them equally long, and lets one that is done take the last
half of another's piece, but never what that one does next. A piece that begins with two long tests would keep both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

LONG: dict[str, dict[str, int]] = {
    "sweeps/test_power_loss.py": {
        "test_stopped_at_every_point_a_new_shot_is_paid_once_from_every_disk_that_it_may_find": 110,
        "test_stopped_at_every_point_a_shot_at_google_is_paid_once": 60,
        "test_stopped_while_several_shots_are_renamed_and_shown_none_is_paid_again": 40,
        "test_stopped_while_it_goes_on_from_any_status_a_paid_shot_is_not_paid_again": 40,
        "test_stopped_around_the_create_a_shot_with_a_picture_is_paid_once": 30,
        "test_stopped_while_it_wakes_a_parked_take_it_is_not_paid_again": 30,
        "test_struck_again_and_again_also_while_it_recovers_it_pays_once": 25,
        "test_stopped_while_two_creates_are_under_way_each_shot_is_paid_once_and_no_more_than_two_are_in_doubt": 29,
        "test_stopped_while_a_doubt_is_recorded_or_resolved_it_is_neither_lost_nor_paid_again": 25,
        "test_stopped_while_a_renamed_shot_takes_its_state_over_it_is_not_paid_again": 20,
        "test_stopped_while_it_looks_at_the_accounts_log_what_was_not_charged_is_sent_once": 20,
        "test_stopped_anywhere_in_a_chain_each_shot_is_paid_once": 20,
        "test_stopped_while_a_mismatched_take_is_judged_again_it_is_verified_in_the_end": 12,
    },
    "sweeps/test_carriers.py": {
        "test_a_worker_that_dies_at_any_step_into_a_folder_costs_a_download_at_most": 18,
        "test_a_run_that_dies_at_any_step_on_the_way_into_a_bucket_sends_each_video_once": 16,
        "test_a_power_cut_where_a_worker_is_at_work_leaves_nothing_that_is_half_there": 12,
        "test_a_run_that_dies_after_it_gave_an_errand_out_finds_the_take_in_its_bucket": 10,
        "test_a_run_that_dies_after_it_gave_an_errand_out_finds_the_take_in_its_folder": 10,
    },
    "sweeps/test_io_errors.py": {
        "test_at_whichever_operation_the_disk_fails_nothing_is_lost_and_nothing_is_paid_twice": 40,
    },
    "sweeps/test_machine.py": {"test_whatever_a_night_brings_nothing_is_paid_twice_and_nothing_is_lost": 45},
    "sweeps/test_teeth.py": {"test_without_a_bug_no_trial_complains": 30},
    "sweeps/test_far_teeth.py": {"test_without_a_bug_no_trial_complains": 12},
    "sweeps/test_field.py": {"test_the_page_claims_no_more_situations_than_are_tried": 15},
    "sweeps/test_soak.py": {
        "test_killed_and_cheated_again_and_again_every_shot_settles_and_the_money_agrees": 15,
    },
    "acceptance/test_nights.py": {
        "test_a_take_that_a_person_resolved_while_the_night_touched_its_shot_ends_well": 27,
        "test_a_take_that_a_person_wrote_off_stays_so": 26,
    },
    "acceptance/test_disks.py": {"test_what_needs_no_working_folder_works_without_one": 14},
    "test_nightly.py": {"test_the_end_of_a_nights_time_lets_the_create_under_way_be_answered": 13},
    "test_api.py": {"test_the_page_is_as_typed": 10},
}
"""File and function → seconds, roughly, of each of its cases."""

Item = TypeVar("Item")


def seconds_of(nodeid: str) -> int:
    """How long a test takes, if it is one of those; 0: like most."""
    file, _, name = nodeid.removeprefix("tests/").partition("::")
    return LONG.get(file, {}).get(name.partition("[")[0], 0)


def shared(items: Sequence[tuple[str, Item]], workers: int) -> list[Item]:
    """The list in pieces for so many workers: each begins with its share of the long ones, and goes on as it was.

    Args:
        items: node id and item.
        workers: how many.
    """
    shares: list[list[Item]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for nodeid, item in sorted(items, key=lambda each: -seconds_of(each[0])):
        if seconds := seconds_of(nodeid):
            least = loads.index(min(loads))
            shares[least].append(item)
            loads[least] += seconds
    others = iter([item for nodeid, item in items if not seconds_of(nodeid)])
    made: list[Item] = []
    for worker, share in enumerate(shares):
        size = (len(items) - len(made)) // (workers - worker)  # as its `WorkStealingScheduling` divides them
        made += [*share, *islice(others, max(0, size - len(share)))]
    return [*made, *others]
