"""What these tests must show, line by line, and the test that shows it. A test that was renamed or lost fails here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.harness.bugs import BUGS
from tests.harness.points import ON_FILES, STEPS
from tests.harness.wire.answers import BEHAVIOURS

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "veopipe"
# Requirement → tests.
SHOWN: dict[str, tuple[str, ...]] = {
    "stopped at each durable operation, SIGKILL and power loss": (
        "sweeps/test_power_loss.py::test_stopped_at_every_point_a_new_shot_is_paid_once_from_every_disk_that_it_may_find",
        "sweeps/test_power_loss.py::test_stopped_around_the_create_a_shot_with_a_picture_is_paid_once",
        "sweeps/test_power_loss.py::test_a_power_cut_takes_exactly_what_was_not_synced",
        "acceptance/test_crash.py::test_killed_at_every_step_it_pays_once_and_goes_on",
    ),
    "compound crashes, also during recovery": (
        "sweeps/test_power_loss.py::test_struck_again_and_again_also_while_it_recovers_it_pays_once",
        "sweeps/test_power_loss.py::test_stopped_while_it_goes_on_from_any_status_a_paid_shot_is_not_paid_again",
        "sweeps/test_power_loss.py::test_stopped_while_a_doubt_is_recorded_or_resolved_it_is_neither_lost_nor_paid_again",
        "acceptance/test_crash.py::test_killed_again_and_again_while_it_recovers_it_pays_once",
    ),
    "stopped with several creates under way, and between the files of several shots": (
        "sweeps/test_power_loss.py::test_stopped_while_two_creates_are_under_way_each_shot_is_paid_once_and_no_more_than_two_"
        "are_in_doubt",
        "sweeps/test_power_loss.py::test_stopped_while_several_shots_are_renamed_and_shown_none_is_paid_again",
        "acceptance/test_crash.py::test_killed_40_times_at_random_a_batch_of_16_is_paid_16_times",
    ),
    "stopped in the other commands": (
        "sweeps/test_power_loss.py::test_stopped_while_a_mismatched_take_is_judged_again_it_is_verified_in_the_end",
        "sweeps/test_power_loss.py::test_stopped_while_a_file_is_made_it_is_the_old_one_or_the_new_one",
        "sweeps/test_power_loss.py::test_a_finished_name_that_was_removed_comes_back_whatever_stops_it",
    ),
    "each operation fails, once and for ever; short writes; the rescue": (
        "sweeps/test_io_errors.py::test_at_whichever_operation_the_disk_fails_nothing_is_lost_and_nothing_is_paid_twice",
        "sweeps/test_io_errors.py::test_writes_that_the_kernel_cuts_short_are_not_taken_for_whole",
        "sweeps/test_io_errors.py::test_on_a_disk_that_is_really_full_it_stops_in_time_and_goes_on_when_there_is_room",
        "sweeps/test_io_errors.py::test_a_paid_answer_that_finds_no_room_takes_the_reserve_s_place",
        "acceptance/test_two_at_once.py::test_a_rescued_answer_counts_more_than_what_a_person_believes",
    ),
    "45 behaviours of the wire at three stages, each with its class": (
        "wire/test_wire.py::test_every_behaviour_has_its_classes",
        "wire/test_wire.py::test_a_create_gets_its_class_and_is_sent_once",
        "wire/test_wire.py::test_a_poll_gets_its_class",
        "wire/test_wire.py::test_a_download_gets_its_class_and_leaves_a_part_only_when_it_is_complete",
        "wire/test_wire.py::test_the_command_never_repeats_a_spoiled_create",
        "wire/test_wire.py::test_the_command_asks_again_for_what_is_free",
    ),
    "a stateful property test": (
        "sweeps/test_machine.py::test_whatever_a_night_brings_nothing_is_paid_twice_and_nothing_is_lost",
    ),
    "hostile input, at least 10,000": (
        "hostile/test_index.py::test_an_attack_has_its_test",
        "hostile/test_index.py::test_a_run_tries_more_than_ten_thousand_inputs",
        "hostile/test_media.py::test_every_damaged_video_is_walked_in_a_moment_and_no_part_of_one_passes",
        "hostile/test_media.py::test_every_damaged_video_is_measured_or_refused_and_the_child_never_hangs",
    ),
    "the key is searched for in everything": (
        "test_canary.py::test_each_form_of_the_key_is_found_in_text_in_files_and_at_both_ends_of_long_ones",
        "test_canary.py::test_a_test_that_leaks_fails_though_it_asserts_nothing",
    ),
    "lock held, holder killed, child left behind": (
        "acceptance/test_ledger_guards.py::test_of_two_runs_at_once_one_is_told_to_wait",
        "acceptance/test_crash.py::test_the_lock_dies_with_its_process",
        "acceptance/test_two_at_once.py::test_a_child_that_outlives_a_killed_run_holds_no_lock_and_ends_by_itself",
    ),
    "two lists that share an output": (
        "acceptance/test_two_at_once.py::test_two_lists_that_share_an_output_folder_never_write_over_each_other",
        "acceptance/test_two_at_once.py::test_of_two_lists_that_claim_one_output_folder_at_the_same_moment_one_gets_it",
    ),
    "resolve while a run is on": (
        "acceptance/test_two_at_once.py::test_while_a_run_is_on_what_would_write_is_told_to_wait_and_what_only_looks_is_not",
    ),
    "a clone, a cleaned checkout, renamed lists and shots": (
        "acceptance/test_ledger_guards.py::test_a_fresh_clone_buys_nothing_and_gets_the_videos_again",
        "acceptance/test_ledger_guards.py::test_takes_that_no_state_file_knows_hold_their_shot",
        "acceptance/test_ledger_guards.py::test_a_renamed_list_stops_and_after_the_printed_command_nothing_is_bought",
        "acceptance/test_ledger_guards.py::test_renamed_shots_take_their_takes_over",
        "acceptance/test_ledger_guards.py::test_a_copied_ledger_is_refused_and_the_printed_command_helps",
        "hostile/test_run.py::test_a_deleted_ledger_beside_its_videos_buys_nothing",
    ),
    "the harness has teeth": (
        "sweeps/test_teeth.py::test_the_bug_is_noticed",
        "sweeps/test_teeth.py::test_without_a_bug_no_trial_complains",
    ),
    "soak": ("sweeps/test_soak.py::test_killed_and_cheated_again_and_again_every_shot_settles_and_the_money_agrees",),
    "the budget: concurrency, a crash loop, resumption": (
        "acceptance/test_money_holds.py::test_many_creates_at_once_never_reserve_more_than_the_budget",
        "acceptance/test_money_holds.py::test_a_service_that_restarts_it_ten_times_spends_one_budget",
        "acceptance/test_money_holds.py::test_a_take_that_fails_after_the_restart_is_tried_again_only_within_the_first_runs_budget",
        "sweeps/test_power_loss.py::test_a_budget_holds_in_a_service_that_dies_ten_times",
    ),
    "wallet empty, key exhausted or refused in the middle": (
        "acceptance/test_money_holds.py::test_an_empty_wallet_ends_creating_and_the_next_run_goes_on_with_what_was_paid",
        "acceptance/test_money_holds.py::test_a_key_refused_in_the_middle_ends_creating_and_what_is_paid_is_kept",
        "acceptance/test_money_holds.py::test_a_key_that_ends_while_takes_render_parks_them_and_a_new_key_brings_them_home",
    ),
    "429 and Retry-After: creates and polls slow down together, and recover": (
        "acceptance/test_pace.py::test_retry_after_is_kept_by_creates_and_polls_alike",
        "acceptance/test_pace.py::test_polls_get_slower_when_there_are_too_many_and_quick_again_afterwards",
        "acceptance/test_pace.py::test_creates_that_are_too_many_slow_down_and_none_is_lost_or_paid_twice",
        "acceptance/test_pace.py::test_a_gateway_that_stays_busy_ends_creating_and_nothing_is_refused_for_good",
    ),
    "disk space before a download; a full disk": (
        "acceptance/test_room_and_time.py::test_room_is_looked_at_before_a_download_and_more_of_it_is_all_that_is_needed",
        "acceptance/test_room_and_time.py::test_a_disk_that_fills_up_stops_downloads_and_loses_nothing",
    ),
    "48 hours": (
        "acceptance/test_room_and_time.py::test_what_the_gateway_will_forget_soon_is_fetched_first",
        "acceptance/test_long_waits.py::test_a_video_that_does_not_come_is_waited_for_until_its_time_is_over_and_then_it_is_said_"
        "to_be_gone",
        "acceptance/test_long_waits.py::test_a_deleted_video_comes_back_while_the_gateway_keeps_it_and_afterwards_nobody_is_asked",
    ),
    "300 s: a late answer still counts": (
        "acceptance/test_long_waits.py::test_an_answer_that_comes_too_late_is_in_doubt_until_it_comes_and_then_counts",
        "acceptance/test_long_waits.py::test_a_run_that_ends_before_the_late_answer_leaves_a_doubt_that_costs_and_is_never_sent_"
        "again",
    ),
    "600 s: a task that the gateway doesn't know": (
        "acceptance/test_long_waits.py::test_a_task_that_stays_unknown_is_parked_after_its_time_and_not_before_and_is_asked_about_"
        "again",
        "acceptance/test_long_waits.py::test_a_task_that_becomes_known_in_between_has_all_its_time_again",
    ),
    "monotonic deadlines; clock changes alter messages only": (
        "acceptance/test_room_and_time.py::test_a_clock_that_jumped_changes_no_decision",
        "acceptance/test_room_and_time.py::test_the_time_of_day_is_asked_for_in_three_places_and_every_wait_is_monotonic",
    ),
}


@pytest.mark.parametrize("requirement", SHOWN)
def test_a_requirement_has_its_tests(requirement: str) -> None:
    for place in SHOWN[requirement]:
        path, _, name = place.partition("::")
        text = (TESTS / path).read_text("utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), place


def test_there_are_as_many_behaviours_and_seeded_bugs_as_promised() -> None:
    assert len(BEHAVIOURS) >= 45
    assert len(BUGS) >= 12


def test_the_crash_harness_names_files_and_steps_that_veopipe_has() -> None:
    """A file that was moved, or a step that was renamed, would be disturbed no more, and no sweep would say so."""
    sources = [path.read_text("utf-8") for path in PACKAGE.rglob("*.py")]
    reached = {step for source in sources for step in re.findall(r"\breach\(\"([a-z-]+)\"", source)}

    assert [name for name in ON_FILES if not (PACKAGE / name).is_file()] == []
    assert STEPS - {"exit"} - reached == set()  # the exit is the child's own
