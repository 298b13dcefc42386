"""The attack list of docs/hazards.md, e, item by item, and the test that is named after each attack.

An item without a test, or a test that was renamed, fails here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.harness.fuzzing import MEASURED, NIGHTLY, PUSH, WALKED

TESTS = Path(__file__).parent.parent
PAGE = (TESTS.parent / "docs" / "hazards.md").read_text("utf-8")
ATTACKS = {
    "1": "hostile/test_limits.py::test_a_text_that_other_loaders_guess_at_stays_text",
    "2": "hostile/test_limits.py::test_a_tag_is_refused_whatever_it_stands_for",
    "3": "documents/test_yaml.py::test_a_bomb_is_refused_at_once",
    "4": "documents/test_yaml.py::test_a_bomb_is_refused_at_once",
    "5": "documents/test_yaml.py::test_what_is_wrong_is_a_problem_with_its_place",
    "6": "hostile/test_limits.py::test_no_saved_bomb_takes_more_than_a_moment",
    "7": "documents/test_yaml.py::test_all_duplicates_are_reported_in_one_go",
    "8": "documents/test_yaml.py::test_keys_are_text_as_written",
    "9": "hostile/test_limits.py::test_a_tag_is_refused_whatever_it_stands_for",
    "10": "hostile/test_lists.py::test_a_saved_yaml_text_is_a_document_or_problems",
    "11": "hostile/test_limits.py::test_a_list_of_gigabytes_is_refused_by_its_size",
    "12": "hostile/test_run.py::test_a_schema_that_a_list_names_is_never_fetched",
    "13": "hostile/test_limits.py::test_no_pattern_takes_more_than_a_moment",
    "14": "hostile/test_limits.py::test_thousands_of_objects_in_a_list_are_refused_in_a_moment",
    "15": "hostile/test_limits.py::test_a_number_beyond_all_bounds_is_refused",
    "16": "hostile/test_limits.py::test_a_megabyte_of_text_makes_a_short_message",
    "17": "hostile/test_run.py::test_an_id_that_is_no_name_is_refused_and_makes_no_file",
    "18": "manifest/test_pictures.py::test_a_path_that_leads_out_is_refused",
    "19": "manifest/test_pictures.py::test_what_is_not_a_regular_file_is_neither_opened_nor_waited_for",
    "20": "manifest/test_pictures.py::test_a_picture_swapped_after_the_plan_is_not_read",
    "21": "hostile/test_run.py::test_a_planted_link_leads_to_nothing_that_is_written",
    "22": "hostile/test_run.py::test_a_ledger_of_another_user_that_everybody_can_write_is_refused",
    "23": "manifest/test_pictures.py::test_what_is_not_a_usable_picture_is_said",
    "24": "manifest/test_pictures.py::test_what_a_picture_tells_besides_is_noticed",
    "25": "delivery/test_boxes.py::test_a_malformed_file_gets_the_reason_that_fits",
    "26": "delivery/test_measure.py::test_a_playlist_called_mp4_opens_nothing_that_it_names",
    "27": "hostile/test_media.py::test_a_title_of_megabytes_full_of_controls_is_only_a_title "
    "hostile/test_media.py::test_every_damaged_video_is_measured_or_refused_and_the_child_never_hangs",
    "28": "dialects/test_videos.py::test_an_id_that_could_rewrite_a_url_is_no_id",
    "29": "wire/test_wire.py::test_a_download_gets_its_class_and_leaves_a_part_only_when_it_is_complete",
    "30": "wire/test_wire.py::test_a_poll_gets_its_class",
    "31": "wire/test_wire.py::test_a_create_gets_its_class_and_is_sent_once",
    "32": "wire/test_wire.py::test_a_create_gets_its_class_and_is_sent_once",
    "33": "wire/test_wire.py::test_a_bomb_is_never_unpacked_beyond_what_is_read",
    "34": "wire/test_wire.py::test_a_poll_gets_its_class",
    "35": "wire/test_wire.py::test_a_download_gets_its_class_and_leaves_a_part_only_when_it_is_complete",
    "36": "hostile/test_run.py::test_broken_network_settings_are_named_and_nothing_is_sent",
    "37": "hostile/test_run.py::test_an_address_without_tls_or_with_a_password_is_refused "
    "hostile/test_run.py::test_no_option_takes_a_key_or_turns_tls_off "
    "cli/test_doctor.py::test_a_proxy_is_named_without_its_password",
    "38": "hostile/test_run.py::test_a_key_in_a_dotenv_file_is_not_read",
    "39": "hostile/test_run.py::test_a_key_with_odd_characters_is_refused_and_never_shown",
    "40": "hostile/test_run.py::test_no_option_takes_a_key_or_turns_tls_off",
    "41": "hostile/test_run.py::test_a_gateway_that_repeats_the_key_gets_it_written_nowhere",
    "42": "hostile/test_run.py::test_reports_of_a_gateway_that_repeats_the_key_hold_nothing_of_it",
    "43": "hostile/test_run.py::test_the_log_of_a_bug_is_private_and_without_the_key",
    "43b": "hostile/test_run.py::test_reports_for_others_show_no_whole_task_id",
    "44": "hostile/test_run.py::test_no_output_takes_a_terminal_over",
    "45": "hostile/test_run.py::test_the_html_report_holds_no_foreign_markup",
    "46": "hostile/test_run.py::test_no_report_is_a_spreadsheet_that_could_calculate",
    "47": "hostile/test_run.py::test_markdown_holds_no_foreign_links_pictures_cells_or_mentions",
    "48": "hostile/test_run.py::test_json_for_machines_is_json_without_python_in_it",
    "49": "hostile/test_run.py::test_a_thousand_shots_by_mistake_need_a_yes",
    "50": "hostile/test_run.py::test_an_edit_after_payment_says_that_it_costs_again",
    "51": "hostile/test_run.py::test_a_deleted_ledger_beside_its_videos_buys_nothing",
}


LISTED = re.findall(r"^\| ([0-9]+b?) \|", PAGE.partition("\n## (e)")[2].partition("\n## (f)")[0], re.MULTILINE)


def test_the_page_lists_what_is_tested() -> None:
    assert list(ATTACKS) == LISTED
    assert len(LISTED) >= 52


@pytest.mark.parametrize("attack", LISTED)
def test_an_attack_has_its_test(attack: str) -> None:
    for place in ATTACKS[attack].split():
        path, _, name = place.partition("::")
        assert f"def {name}(" in (TESTS / path).read_text("utf-8"), place


def test_a_run_tries_more_than_ten_thousand_inputs() -> None:
    """What is counted input by input stands at the end of a run; here: that it can't become fewer unseen."""
    fuzzers = sum(path.read_text("utf-8").count("\n@given(") for path in Path(__file__).parent.glob("test_*.py"))
    assert fuzzers * PUSH + WALKED + MEASURED >= 10_000
    assert fuzzers * NIGHTLY >= 100_000
