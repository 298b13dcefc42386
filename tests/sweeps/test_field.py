"""What the field broke, kind by kind: which tests try it, and that docs/reliability.md claims no more than they are.

A case is one situation: one answer, file, disk, list, signal or checkout that somebody met or could meet.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
# Kind, as the page calls it → patterns of the tests that try it, each `file::test`.
KINDS: dict[str, tuple[str, ...]] = {
    "a text of ours that costs the ledger": (
        r"test_ledger_kept.py::.*(list|lists|videos_left|copied_ledger|locale|hint_is_meant)_",
        r"ledger/test_owner.py::.*newer_veopipe",
    ),
    "a file of ours that hides it": (r"test_ledger_kept.py::.*(called_as_a_folder|gitignore)",),
    "a ledger of which a part is missing": (
        r"test_ledger_kept.py::.*(stands_for|states_that|lost_order|older_than|older_version|gone_for_good|is_killed)",
        r"test_ledger_kept.py::.*(an_older_veopipe|change_ids|count_that|holds_everything|misses_nothing|conflict)",
        r"test_ledger_guards.py::.*older_ledger",
    ),
    "a file among the states that is none, or isn't here": (
        r"test_ledger_kept.py::.*(no_shot_can_have|copy_under_a_name|copy_that_knows|placeholder|keeps_elsewhere)",
    ),
    "a night that can't be saved": (r"test_nights.py::", r"test_merging.py::"),
    "a label that refuses a whole film": (
        r"test_delivered_bytes.py::.*(lies_around_it|whatever_its_label|nobody_can_read|for_its_label)",
        r"delivery/test_wrapping.py::",
        r"dialects/test_videos.py::.*(head_of_a_content|a_label_only)",
    ),
    "bytes around a whole film": (
        r"delivery/test_boxes.py::.*(follows|behind_a_film|first_bytes_of_a_fragment|may_begin)",
    ),
    "measurements that contradict each other": (
        r"delivery/test_measure.py::.*(witness|header_that_says|contradict)",
        r"test_delivered_bytes.py::.*(fragment_for_each|verify_heals)",
    ),
    "a network that this machine can't judge": (
        r"gateway/test_redirects.py::.*(proxy|clothes|excepted)",
        r"test_network.py::.*(only_the_proxy|both|spelt_out|could_not_look_up|storage_only)",
    ),
    "a password in an address": (
        r"test_network.py::.*(makes_no_sense|login|refuses_is_named|cant_be_reached|socks|no_text|told_no|secret)",
        r"gateway/test_proxies.py::.*(understood|what_is_no_proxy|login)",
    ),
    "exceptions from a proxy": (
        r"gateway/test_proxies.py::.*(entry_of_no_proxy|reached_straight|lower_case|stands_in)",
        r"test_network.py::.*(chokes|excepted_gateway|straight|all_proxy)",
    ),
    "certificates": (r"test_network.py::.*(authority|certificate|certificates|webhook_goes)",),
    "a terminal that goes, and other signals": (r"test_hangups.py::",),
    "words of a gateway that nobody was told": (
        r"test_gateway_words.py::.*(says|word_of_failure|parked|old_task)",
        r"dialects/test_videos.py::.*(word_|usual_word|wrapper|passes_the_words|named)",
    ),
    "an answer about the address": (
        r"dialects/test_videos.py::.*(about_the_address|about_the_order|at_an_address|says_nothing_of)",
        r"test_gateway_words.py::.*(address|base_url|model_that)",
        r"gateway/test_address.py::.*(apis_own_path|below_a_v1)",
    ),
    "an id beside an error": (
        r"dialects/test_videos.py::.*(beside_an_error|error_that_is_none)",
        r"test_gateway_words.py::.*beside_an_error",
    ),
    "a disk without modes, links or locks": (
        r"test_disks.py::.*(without_modes|such_a_disk|copied_once|without_locks|cannot_sync|not_listed)",
    ),
    "a disk or clone on which everything is open": (
        r"test_disks.py::.*(no_permissions|share|of_ours|umask|another_user|sticky)",
        r"hostile/test_run.py::.*another_user",
    ),
    "a working folder that is gone or closed": (r"test_disks.py::.*(working_folder|may_not_be_entered|needs_no)",),
    "a stand-in in place of a file": (r"test_stand_ins.py::", r"test_standins.py::"),
    "bought already, under another name": (
        r"test_other_gateways.py::",
        r"plan/test_plan.py::.*(this_machine|never_named_as_bought)",
    ),
    "a text that means a place elsewhere": (
        r"test_local_paths.py::",
        r"test_files.py::.*(elsewhere|however_odd|refuse_the_same|word_of_the_command|repeats_no)",
    ),
    "a good picture that was called damaged": (
        r"manifest/test_pictures.py::.*(doesnt_make|kind_of_png|end_marker|flaw|scans)",
    ),
    "notes that are uploaded with a picture": (r"manifest/test_pictures.py::.*(notes|position)",),
    "JSON and YAML that other tools write": (r"documents/test_syntax.py::",),
    "a text that is cut, or that nobody sees": (r"manifest/test_shots.py::.*(cuts|comment|invisible|same_characters)",),
    "what spreadsheets put around a table": (r"manifest/test_csv.py::",),
}


pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it collects all tests there are


@pytest.fixture(scope="module")
def cases() -> dict[str, int]:
    """Kind → how many cases there are."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    ids = [line for line in done.stdout.splitlines() if "::" in line]
    return {
        kind: sum(any(re.search(f"/{pattern}", name) for pattern in patterns) for name in ids)
        for kind, patterns in KINDS.items()
    }


def test_the_page_claims_no_more_situations_than_are_tried(cases: dict[str, int]) -> None:
    claimed = {kind: int(number) for kind, number in re.findall(r"^\| ([^|*]+) \| ([0-9]+) \|$", PAGE, re.MULTILINE)}
    together = re.search(r"^\| \*\*together\*\* \| \*\*([0-9,]+)\*\* \|$", PAGE, re.MULTILINE)

    assert claimed.keys() == KINDS.keys()
    assert {kind: number for kind, number in claimed.items() if number > cases[kind]} == {}
    assert together is not None
    assert int(together[1].replace(",", "")) == sum(claimed.values())
