"""Every way in which a gateway can misbehave: what a run makes of it, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.breadth import cases

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

ONE = {"a": "a shot whose gateway misbehaves"}


def two() -> dict[str, str]:
    return {"a": "the first", "b": "the second"}


# --- create ----------------------------------------------------------------------------------------

# Fault, its parameters, whether the gateway charged for it.
IN_DOUBT: list[tuple[str, dict[str, Any], bool]] = [
    ("lost_response", {}, True),
    ("cut_json", {}, True),
    ("cut_upload", {}, False),
    ("html_502", {"charged": True}, True),
    ("html_502", {"charged": False}, False),
    ("html_504", {}, True),
    ("html_524", {}, True),
    ("500_do_request_failed", {"charged": True}, True),
    ("500_do_request_failed", {"charged": False}, False),
    ("redirect_307", {}, False),
    ("no_ids", {}, True),
    ("bad_id", {}, True),
]


@cases(("fault", "parameters", "charged"), IN_DOUBT, quick=4)
def test_what_cannot_be_known_is_in_doubt_counts_as_spent_and_is_never_sent_again(
    film: Film, gateway: Simulator, posts: Callable[[], int], fault: str, parameters: dict[str, Any], charged: bool
) -> None:
    film.list(two())
    if fault == "cut_upload":
        film.list({**two(), "a": {"prompt": "the first", "input_reference": film.picture("big.png", (4000, 2250))}})
    gateway.order_fault(fault, match={"prompt": "the first"}, **parameters)
    run = film.run()
    assert (run.code, run.statuses) == (3, {"a": "in_doubt", "b": "verified"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.30"
    assert list(run.shots) == ["a", "b"]
    again = film.run("--retry-failed")
    assert (again.code, again.statuses) == (3, run.statuses)
    assert (posts(), len(gateway.charged)) == (2, 1 + charged)


def test_after_two_in_doubt_in_a_row_nothing_more_is_sent(
    film: Film, gateway: Simulator, posts: Callable[[], int]
) -> None:
    film.list({**two(), "c": "the third", "d": "the fourth"})
    gateway.order_fault("html_502", times=None)
    run = film.run()
    assert (run.code, sorted(run.statuses.values())) == (3, ["in_doubt", "in_doubt", "pending", "pending"])
    assert posts() == 2
    gateway.clear_faults()
    assert film.run().code == 3
    assert posts() == 4


REFUSED = ["400_google", "404_retired", "503_no_channel", "500_build_request_failed", "413_html"]


@pytest.mark.parametrize("fault", REFUSED)
def test_what_was_refused_costs_nothing_and_is_sent_again_only_when_someone_says_so(
    film: Film, gateway: Simulator, posts: Callable[[], int], fault: str
) -> None:
    film.list(two())
    gateway.order_fault(fault, match={"prompt": "the first"})
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "refused", "b": "verified"})
    assert run.document["cost_usd"]["charged"] == "0.30"
    assert run.document["cost_usd"]["possibly_charged"] == "0.00"
    assert run.shots["a"]["reason"]
    assert film.run().code == 1
    assert posts() == 2
    assert film.run("--retry-failed").code == 0
    assert len(gateway.charged) == 2


@pytest.mark.parametrize("fault", ["401_bad_key", "401_exhausted_midrun", "403_quota"])
def test_an_account_that_is_refused_ends_creating_and_the_next_run_tries_again(
    film: Film, gateway: Simulator, posts: Callable[[], int], fault: str
) -> None:
    film.list(two())
    gateway.order_fault(fault)
    run = film.run()
    assert (run.code, run.statuses) == (6, {"a": "refused", "b": "pending"})
    assert posts() == 1
    gateway.clear_faults()
    again = film.run()
    assert (again.code, len(gateway.charged)) == (0, 2)
    assert gateway.charged[0]["prompt"] == "the second"  # what was never tried comes first


def test_an_empty_wallet_ends_creating_and_what_is_under_way_goes_on(film: Film, gateway: Simulator) -> None:
    film.list({**two(), "c": "the third"})
    gateway.fill_wallet(Decimal("0.60"))
    run = film.run()
    assert (run.code, run.statuses) == (6, {"a": "verified", "b": "verified", "c": "refused"})
    gateway.fill_wallet(Decimal(5))
    assert film.run().code == 0


@pytest.mark.parametrize("fault", ["429_busy", "429_empty"])
def test_a_busy_gateway_is_asked_again_after_a_wait(
    film: Film, gateway: Simulator, posts: Callable[[], int], fault: str
) -> None:
    film.list(ONE)
    gateway.order_fault(fault, times=2)
    run = film.run()
    assert (run.code, posts(), len(gateway.charged)) == (0, 3, 1)
    assert "busy" in run.err


def test_a_gateway_that_stays_busy_leaves_the_rest_pending(
    film: Film, gateway: Simulator, posts: Callable[[], int]
) -> None:
    film.list(two())
    gateway.order_fault("429_busy", times=None)
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "pending", "b": "pending"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.00"
    assert posts() == 6
    gateway.clear_faults()
    assert film.run().code == 0


@pytest.mark.parametrize("fault", ["no_task_id", "no_id", "empty_status"])
def test_an_accepted_create_is_understood_in_every_shape(film: Film, gateway: Simulator, fault: str) -> None:
    film.list(ONE)
    gateway.order_fault(fault)
    assert film.run().statuses == {"a": "verified"}


def test_the_id_of_another_take_is_no_answer(film: Film, gateway: Simulator) -> None:
    film.list(two())
    gateway.order_fault("duplicate_id", after=1)
    run = film.run()
    assert (run.code, run.statuses) == (3, {"a": "verified", "b": "in_doubt"})
    assert len(gateway.charged) == 2


@pytest.mark.parametrize("fault", ["metadata_wins", "last_frame_ignored"])
def test_a_gateway_that_drops_fields_is_noticed_at_least_in_its_ledger(
    film: Film, gateway: Simulator, fault: str
) -> None:
    pictures = {"input_reference": film.picture("1.png"), "last_frame": film.picture("2.png", shade=9)}
    film.list({"a": {"prompt": "dropped", "seed": 5}, "b": {"prompt": "frames", "seconds": 8, **pictures}})
    gateway.order_fault(fault, times=None)
    assert film.run().code == 0
    assert any(create["dropped"] for create in gateway.ledger)


# --- poll ------------------------------------------------------------------------------------------

POLLED = [
    "unknown_first",
    "flap_failed",
    "wrapped_data",
    "upper_case_status",
    "nulls",
    "completed_at_while_running",
    "back_to_in_progress",
    "wrong_id",
    "poll_429",
    "poll_502_html",
    "poll_html_200",
    "poll_cut",
    "task_not_exist_first",
]


@cases("fault", POLLED, quick=4)
def test_a_poll_that_says_nothing_or_says_it_oddly_costs_only_time(film: Film, gateway: Simulator, fault: str) -> None:
    film.list(ONE)
    gateway.order_fault(fault, times=2)
    run = film.run()
    assert (run.code, run.statuses, len(gateway.ledger)) == (0, {"a": "verified"}, 1)
    assert any(fault in (entry["fault"] or "") for entry in gateway.wire)


@pytest.mark.parametrize("fault", ["stuck_queued", "stuck_in_progress", "task_not_exist_after_restart"])
def test_a_task_that_never_ends_is_parked_and_picked_up_by_the_next_run(
    film: Film, gateway: Simulator, fault: str
) -> None:
    film.list(ONE)
    film.pipeline(poll__timeout="300ms")
    gateway.order_fault(fault, times=None)
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "parked"})
    assert run.document["cost_usd"]["charged"] == "0.30"
    gateway.clear_faults()
    assert film.run(yes=False).statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


def test_a_ghost_is_parked_and_can_only_be_written_off(film: Film, gateway: Simulator) -> None:
    film.list(ONE)
    film.pipeline(poll__timeout="300ms")
    gateway.order_fault("ghost_id")
    assert film.run().statuses == {"a": "parked"}
    assert film.run().statuses == {"a": "parked"}
    assert film.command("resolve", "shots.yaml", "a", "--write-off").code == 0
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "abandoned"})
    assert len(gateway.ledger) == 1


@pytest.mark.parametrize("fault", ["failed_no_error", "failed_with_error", "failed_http_500_with_job_body"])
def test_a_failure_is_believed_after_three_polls(film: Film, gateway: Simulator, fault: str) -> None:
    film.list(ONE)
    gateway.order_fault(fault)
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "failed"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.30"
    assert sum(entry["method"] == "GET" for entry in gateway.wire) == 3


def test_a_key_that_is_refused_while_polling_parks_and_the_next_run_picks_up(film: Film, gateway: Simulator) -> None:
    film.list(two())
    gateway.order_fault("poll_401", times=None)
    run = film.run()
    assert (run.code, set(run.statuses.values())) == (6, {"parked"} | set(run.statuses.values()) & {"pending"})
    gateway.clear_faults()
    assert film.run().code == 0
    assert len(gateway.ledger) == 2


# --- content ---------------------------------------------------------------------------------------

FETCHED: list[tuple[str, dict[str, Any]]] = [
    ("lag_404", {"seconds": 0.2}),
    ("truncated_length", {}),
    ("truncated_chunked", {"moov": "first"}),
    ("html_200", {}),
    ("corrupt_mp4", {}),
    ("stall", {"seconds": 0.2}),
    ("lag_400", {"seconds": 0.2}),
    ("lag_400", {"seconds": 0.2, "wording": "new-api"}),
    ("lag_502", {"seconds": 0.2}),
    ("truncated_chunked", {}),
    ("content_cut", {}),
    ("json_200", {}),
    ("json_200", {"type": "video/mp4", "times": 6}),  # words aren't a damaged video, of which four are enough
    ("content_429", {}),
    ("empty_200", {}),
    ("redirect_302_other_host", {}),
]


@cases(("fault", "parameters"), FETCHED, quick=6)
def test_a_download_that_is_no_whole_video_is_made_again(
    film: Film, gateway: Simulator, fault: str, parameters: dict[str, Any]
) -> None:
    film.list(ONE)
    gateway.order_fault(fault, **parameters)
    run = film.run()
    assert (run.code, run.statuses, len(gateway.ledger)) == (0, {"a": "verified"}, 1)
    assert film.finished("a").stat().st_size == film.state("a")["takes"][0]["file"]["bytes"]
    assert [path.name for path in (film.folder / "renders/shots/takes").iterdir()] == ["a.001.mp4"]
    elsewhere = [entry for entry in gateway.wire if entry["path"].startswith("/_elsewhere")]
    assert all("authorization" not in map(str.lower, entry["headers"]) for entry in elsewhere)


@pytest.mark.parametrize("fault", ["safety_completed_502", "expired_502", "html_200", "corrupt_mp4"])
def test_a_video_that_never_comes_is_parked(film: Film, gateway: Simulator, fault: str) -> None:
    film.list(ONE)
    film.pipeline(download__not_ready_for="300ms")
    gateway.order_fault(fault, times=None)
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "parked"})
    assert run.shots["a"]["file"] is None
    gateway.clear_faults()
    assert film.run().statuses == {"a": "verified"}
    assert len(gateway.ledger) == 1


def test_a_refused_video_is_no_refused_key(film: Film, gateway: Simulator) -> None:
    film.list({**two(), "c": "the third"})
    film.pipeline(download__not_ready_for="300ms")
    gateway.order_fault("blocked_403", times=None, match={"prompt": "the first"})
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "parked", "b": "verified", "c": "verified"})
    assert "request blocked" in run.shots["a"]["reason"]
    assert "key" not in run.shots["a"]["reason"]


def test_a_gateway_that_takes_completed_back_for_ever_is_waited_for_no_longer_than_for_any_other(
    film: Film, gateway: Simulator
) -> None:
    film.list(ONE)
    film.pipeline(poll__timeout="600ms", download__not_ready_for="8s")
    gateway.order_fault("lag_400", times=None, seconds=3600)
    for turn in range(1, 150):  # each meets the poll after the one that all before it let pass: every other one
        gateway.order_fault("back_to_in_progress", after=turn)
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "parked"})
    assert "after this run began to ask" in run.shots["a"]["reason"]
    assert sum("back_to" in (entry["fault"] or "") for entry in gateway.wire) > 2


def test_standing_in_line_for_a_download_is_no_waiting_for_content(film: Film, gateway: Simulator) -> None:
    film.list(two())
    film.pipeline(limits__downloads=1, download__not_ready_for="1s")
    gateway.order_fault("stall", seconds=2.5, match={"prompt": "the first"})
    gateway.order_fault("lag_502", seconds=0.2, match={"prompt": "the second"})
    assert film.run().statuses == {"a": "verified", "b": "verified"}


def test_a_take_that_was_parked_says_what_the_last_answer_was(film: Film, gateway: Simulator) -> None:
    film.list(ONE)
    film.pipeline(poll__timeout="300ms")
    gateway.order_fault("poll_502_html", times=None)
    assert "(HTTP 502)" in film.run().shots["a"]["reason"]


def test_a_video_that_is_gone_for_good_is_abandoned_and_never_bought_again(film: Film, gateway: Simulator) -> None:
    film.list(ONE)
    gateway.order_fault("expired_410", times=None)
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "abandoned"})
    assert run.document["cost_usd"]["possibly_charged"] == "0.30"
    assert film.run("--retry-failed").code == 1
    assert len(gateway.ledger) == 1


# --- the delivered file ----------------------------------------------------------------------------


@pytest.mark.slow  # to draw it takes seconds
def test_a_4k_order_that_arrives_as_1080p_is_mismatched_with_the_evidence_and_kept(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": {"prompt": "4K", "resolution": "4k", "seconds": 8}})
    gateway.order_fault("wrong_resolution", resolution="1080p")
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "mismatched"})
    row = run.shots["a"]
    assert (row["width"], row["height"], row["file"]) == (1920, 1080, "renders/shots/takes/a.001.mp4")
    assert "1920x1080" in row["reason"]
    assert "3840x2160" in row["reason"]
    assert (film.folder / row["file"]).stat().st_mode & 0o777 == 0o444
    assert not film.finished("a").exists()
    assert film.run("--retry-failed").code == 1
    assert len(gateway.ledger) == 1


@pytest.mark.parametrize("fault", ["wrong_duration", "wrong_aspect"])
def test_a_video_of_another_length_or_shape_is_mismatched(film: Film, gateway: Simulator, fault: str) -> None:
    film.list(ONE)
    gateway.order_fault(fault)
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "mismatched"})


def test_a_video_without_sound_is_delivered_with_a_note(film: Film, gateway: Simulator) -> None:
    film.list(ONE)
    gateway.order_fault("no_audio")
    run = film.run()
    assert (run.code, run.statuses) == (0, {"a": "verified"})
    assert "sound" in run.shots["a"]["reason"] or "audio" in run.shots["a"]["reason"]
