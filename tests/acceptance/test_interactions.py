"""Google's Interactions API from outside: the real command buys, polls, fetches and verifies, and pays once.

The gateway is a simulator of that API with books of its own; the pipeline has the profile `google`, and of its own
nothing but the address and the variable with the key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from tests.harness.film import Film
from tests.harness.fork import Mishap, hurried
from veopipe.simulator.server import Options, Simulator, start

OMNI = "gemini-omni-1.2-flash"
PROVIDER = {"provider__profile": "google", "provider__api_key_env": "VEOPIPE_API_KEY"}
LIST = {"defaults": {"model": OMNI}}


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """Speaks the Interactions API; videos are made at once."""
    with start(Options(task_time=0, dialect="interactions")) as running:
        yield running


@pytest.fixture
def film(make_film: Callable[[str], Film]) -> Film:
    made = make_film("film")
    made.pipeline(**PROVIDER)
    return made


def noise(film: Film, name: str, size: tuple[int, int]) -> str:
    """A picture that no format makes small."""
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(film.folder / name, "PNG", compress_level=0)
    return name


def asked(gateway: Simulator, method: str) -> list[dict[str, Any]]:
    return [entry for entry in gateway.wire if entry["method"] == method]


# --- what is bought ----------------------------------------------------------------------------------


def test_every_kind_of_shot_is_bought_once_fetched_and_verified(film: Film, gateway: Simulator) -> None:
    first, last = film.picture("first.png"), film.picture("last.png", shade=90)
    references = [film.picture(f"ref{number}.png", shade=40 * number) for number in range(6)]
    film.list(
        {
            "text": "a lighthouse at dusk",
            "first": {"prompt": "it begins to rain", "input_reference": first},
            "both": {"prompt": "day turns into night", "input_reference": first, "last_frame": last},
            "refs": {"prompt": "they meet", "reference_images": references},
            "portrait": {"prompt": "a harbour", "aspect_ratio": "9:16", "resolution": "360p", "seconds": 3},
        },
        **LIST,
    )
    run = film.run()

    assert set(run.statuses.values()) == {"verified"}
    bought = {create["prompt"]: create for create in gateway.charged}
    assert {prompt: create["mode"] for prompt, create in bought.items()} == {
        "a lighthouse at dusk": "text",
        "<FIRST_FRAME> it begins to rain": "first frame",
        "<FIRST_FRAME> <LAST_FRAME> day turns into night": "first and last frame",
        " ".join([*(f"<IMAGE_REF_{number}>" for number in range(6)), "they meet"]): "reference images",
        "a harbour": "text",
    }
    assert [file["field"] for file in bought["<FIRST_FRAME> <LAST_FRAME> day turns into night"]["files"]] == [
        "first_frame",
        "last_frame",
    ]
    assert len(asked(gateway, "POST")) == 5
    assert all("x-goog-api-key" in (name.lower() for name in entry["headers"]) for entry in gateway.wire)
    again = film.run()
    assert set(again.statuses.values()) == {"verified"}
    assert len(asked(gateway, "POST")) == 5


def test_the_record_says_who_bought_it_and_where_its_video_is(film: Film) -> None:
    film.list({"text": "a cat", "picture": {"prompt": "a dog", "input_reference": film.picture("dog.png")}}, **LIST)
    assert film.run().code == 0

    (attempt,) = film.state("text")["takes"][0]["attempts"]
    assert attempt["dialect"] == "interactions"
    assert re.fullmatch(r"/v1beta/files/[a-z0-9]{12}:download", attempt["content_url"])
    assert "echo_bytes" not in attempt
    (attempt,) = film.state("picture")["takes"][0]["attempts"]
    size = (film.folder / "dog.png").stat().st_size
    assert attempt["echo_bytes"] == (size + 2) // 3 * 4


def test_what_an_answer_tells_is_what_it_cost(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat", "b": {"prompt": "a dog", "input_reference": film.picture("dog.png")}}, **LIST)
    run = film.run()

    told = {create["prompt"].split()[-1]: Decimal(create["price_usd"]) for create in gateway.charged}
    attempts = {shot: film.state(shot)["takes"][0]["attempts"][0] for shot in ("a", "b")}
    assert Decimal(attempts["a"]["price_usd"]) == 4 * Decimal("0.0695") + Decimal("0.02")
    assert Decimal(attempts["a"]["charged_usd"]) == told["cat"] < Decimal(attempts["a"]["price_usd"])
    assert Decimal(attempts["b"]["charged_usd"]) == told["dog"] > told["cat"]
    costs = run.document["cost_usd"]
    assert Decimal(costs["charged"]) == Decimal(costs["this_run"]) == told["cat"] + told["dog"]
    assert Decimal(costs["possibly_charged"]) == 0


def test_what_was_set_aside_and_not_charged_is_free_for_the_run_again(film: Film, gateway: Simulator) -> None:
    film.pipeline(**PROVIDER, limits__in_flight=1)
    film.list({shot: f"a cat {shot}" for shot in "abc"}, **LIST)
    reserved, told = 3 * Decimal("0.298"), 3 * Decimal("0.284607")
    run = film.run("--max-cost", str((reserved + told) / 2))
    assert (run.code, set(run.statuses.values())) == (0, {"verified"})


def test_a_killed_run_is_carried_on_without_a_second_create(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat"}, **LIST)
    for step in ("poll", "download", "measure"):
        assert film.start(*film.arguments(), first=Mishap("kill", step)).result().code == -9
    assert film.run().statuses == {"a": "verified"}
    assert (len(asked(gateway, "POST")), len(gateway.charged)) == (1, 1)


@pytest.mark.parametrize("step", ["body", "answer", "record"])
def test_a_run_that_is_killed_while_it_asks_is_in_doubt_and_asks_no_more(
    step: str, film: Film, gateway: Simulator
) -> None:
    film.list({"a": "a cat"}, **LIST)
    assert film.start(*film.arguments(), first=Mishap("kill", step)).result().code == -9
    run = film.run()
    assert (run.code, run.statuses) == (3, {"a": "in_doubt"})
    assert len(asked(gateway, "POST")) <= 1


def test_a_take_is_carried_on_by_the_dialect_that_bought_it(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat"}, **LIST)
    assert film.start(*film.arguments(), first=Mishap("kill", "poll")).result().code == -9
    film.pipeline()  # LaoZhang, which sells the same model in another dialect
    assert film.run().statuses == {"a": "verified"}
    assert len(asked(gateway, "POST")) == 1
    assert {entry["path"].rpartition("/")[0] for entry in asked(gateway, "GET")} == {
        "/v1beta/interactions",
        "/v1beta/files",
    }


def test_a_task_that_a_person_found_is_one_of_that_dialect(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("lost_response")
    film.list({"a": "a cat"}, **LIST)
    assert film.run().code == 3
    resolve = ("resolve", "shots.yaml", "a", "-p", "quick.yaml", "--task-id")
    assert film.command(*resolve, "task_0123456789").code == 2
    assert film.command(*resolve, gateway.charged[0]["task_id"]).code == 0
    assert film.run().statuses == {"a": "verified"}
    assert len(asked(gateway, "POST")) == 1


@pytest.mark.slow
def test_a_rehearsal_speaks_the_dialect_of_the_pipeline(film: Film) -> None:
    film.list({"a": "a cat"}, **LIST)
    assert film.run("--simulate", yes=False).statuses == {"a": "verified"}
    (attempt,) = film.state("a", "shots.simulated")["takes"][0]["attempts"]
    assert (attempt["dialect"], attempt["gateway"]) == ("interactions", "simulator")


@pytest.mark.slow
def test_a_rehearsal_without_a_pipeline_plays_the_gateway_of_the_usual_one(film: Film) -> None:
    (film.folder / "pipelines").mkdir()
    film.pipeline("pipelines/default.yaml", **PROVIDER)
    references = [film.picture(f"ref{number}.png", shade=40 * number) for number in range(4)]
    film.list({"a": {"prompt": "they meet", "reference_images": references, "seconds": 3}}, **LIST)
    assert film.command("run", "shots.yaml", "--simulate", "--format", "json").statuses == {"a": "verified"}
    (attempt,) = film.state("a", "shots.simulated")["takes"][0]["attempts"]
    assert attempt["dialect"] == "interactions"


# --- answers to creates ------------------------------------------------------------------------------


def test_a_refusal_of_a_shot_costs_nothing_and_the_others_go_on(film: Film, gateway: Simulator) -> None:
    reasons = {"400_safety": "safety", "400_value": "invalid_request", "404_retired": "model_retired"}
    reasons |= {"413_html": "http_413"}
    film.list({fault: f"a cat [simulate: {fault}]" for fault in reasons} | {"fine": "a dog"}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (1, dict.fromkeys(reasons, "refused") | {"fine": "verified"})
    assert {shot: film.state(shot)["takes"][0]["attempts"][0]["reason"] for shot in reasons} == reasons
    assert len(gateway.ledger) == 1


@pytest.mark.parametrize("fault", ["400_key", "400_billing", "403_denied"])
def test_a_refusal_of_the_account_ends_creating(fault: str, film: Film, gateway: Simulator) -> None:
    gateway.order_fault(fault)
    film.list({"a": "a cat", "b": "a dog"}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (6, {"a": "refused", "b": "pending"})
    assert gateway.ledger == []


@pytest.mark.parametrize(
    "faults", [("lost_response", "500_internal"), ("no_id", "bad_id"), ("cut_json", "redirect_307")]
)
def test_an_answer_that_proves_nothing_is_in_doubt_and_never_sent_again(
    faults: tuple[str, str], film: Film, gateway: Simulator
) -> None:
    film.list({fault: f"a cat [simulate: {fault}]" for fault in faults}, **LIST)
    for _ in range(2):
        run = film.run()
        assert (run.code, run.statuses) == (3, dict.fromkeys(faults, "in_doubt"))
    assert len(asked(gateway, "POST")) == 2


def test_a_busy_gateway_is_asked_again_and_pays_once(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("429_quota", times=2)
    film.list({"a": "a cat"}, **LIST)
    assert film.run().statuses == {"a": "verified"}
    assert (len(asked(gateway, "POST")), len(gateway.charged)) == (3, 1)


def test_an_order_that_it_has_no_words_for_is_held_and_nothing_is_sent(film: Film, gateway: Simulator) -> None:
    profile = {
        "version": 1,
        "name": "mine",
        "dialect": "interactions",
        "base_url": gateway.base_url,
        "models": {OMNI: {"family": "veo-3.1", "price": {"per_call": 0.60}}},
    }
    (film.folder / "profiles").mkdir()
    (film.folder / "profiles" / "mine.yaml").write_text(json.dumps(profile), "utf-8")
    film.pipeline(provider__profile="mine")
    film.list({"a": {"prompt": "a cat", "negative_prompt": "blurry"}, "b": "a dog"}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (6, {"a": "pending", "b": "verified"})
    assert "the Interactions API takes no negative prompt and no seed" in run.out
    assert [create["prompt"] for create in gateway.ledger] == ["a dog"]


# --- answers to polls --------------------------------------------------------------------------------


def test_a_blocked_shot_has_failed_at_once_and_is_not_bought_again(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat [simulate: blocked]"}, **LIST)
    run = film.run()

    assert (run.code, run.statuses) == (1, {"a": "failed"})
    assert run.shots["a"]["reason"].startswith("the gateway made no video: I can't make this video")
    attempt = film.state("a")["takes"][0]["attempts"][0]
    assert (attempt["reason"], attempt["charged_usd"]) == ("blocked", gateway.charged[0]["price_usd"])
    assert run.document["cost_usd"]["charged"] == attempt["charged_usd"]
    assert len(asked(gateway, "GET")) == 1
    assert film.run().statuses == {"a": "failed"}
    assert len(gateway.ledger) == 1


@pytest.mark.shows("e 33b")
def test_a_poll_that_repeats_what_was_never_sent_is_trouble(film: Film, gateway: Simulator) -> None:
    film.pipeline(**PROVIDER, poll__timeout="300ms")
    film.list({"a": "a cat [simulate: long_echo times=all bytes=4000000]"}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "parked"})
    assert "the answer has more than 1,048,576 bytes" in run.shots["a"]["reason"]


@pytest.mark.slow
def test_a_poll_may_repeat_30_megabytes_of_pictures(film: Film, gateway: Simulator) -> None:
    pictures = [noise(film, f"noise{number}.png", (2200, 1238)) for number in range(3)]
    film.list({"a": {"prompt": "they meet", "reference_images": pictures}}, **LIST)

    assert film.run().statuses == {"a": "verified"}
    assert film.state("a")["takes"][0]["attempts"][0]["echo_bytes"] > 30_000_000
    assert len(gateway.charged) == 1


GOES_ON = (
    *("unknown_word times=3", "unknown_word word=queued", "unknown_word word=idle", "flap_failed times=2"),
    *("credentials_400 times=4", "blobstore_400 times=2", "unknown_id_first", "denied_403", "poll_429"),
    *("poll_502_html times=2", "poll_503 times=2", "poll_html_200", "poll_cut times=2", "wrong_id"),
    "long_echo times=2",
)


def test_a_poll_that_settles_nothing_is_made_again(film: Film, gateway: Simulator) -> None:
    shots = {f"S{number:02d}": f"a cat [simulate: {fault}]" for number, fault in enumerate(GOES_ON)}
    film.list(shots, **LIST)
    assert film.run().statuses == dict.fromkeys(shots, "verified")
    assert len(gateway.charged) == len(asked(gateway, "POST")) == len(shots)


def test_an_end_without_a_video_is_believed_at_the_third_time(film: Film, gateway: Simulator) -> None:
    film.pipeline(**PROVIDER, limits__stop_after_failures=50)
    words = ("failed", "cancelled", "incomplete", "budget_exceeded", "requires_action", "requires_continuation")
    film.list({word: f"a cat [simulate: ended word={word}]" for word in words}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (1, dict.fromkeys(words, "failed"))
    assert all("An internal error has occurred" in row["reason"] for row in run.shots.values())
    assert len(asked(gateway, "GET")) == 3 * len(words)


def test_a_paid_video_without_an_address_is_parked_and_said(film: Film, gateway: Simulator) -> None:
    faults = ("no_address", "no_usage", "inline")
    for fault in faults:
        gateway.order_fault(fault, match={"prompt": fault})
    film.list({fault: f"a cat, {fault}" for fault in faults}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (4, dict.fromkeys(faults, "parked"))
    assert all("its video can't be asked for" in row["reason"] for row in run.shots.values())
    gateway.clear_faults()
    assert film.run().statuses == dict.fromkeys(faults, "verified")
    assert len(gateway.charged) == len(asked(gateway, "POST")) == len(faults)


@pytest.mark.shows("e 35b")
def test_an_address_on_another_host_gets_no_request_and_no_key(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("other_host", host="localhost")
    film.list({"a": "a cat"}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (4, {"a": "parked"})
    assert "another host (localhost)" in run.shots["a"]["reason"]
    assert not any("/files/" in entry["path"] for entry in gateway.wire)


@pytest.mark.parametrize("fault", ["poll_key_400", "poll_403_list"])
def test_a_key_that_polls_refuse_parks_what_is_paid(fault: str, film: Film, gateway: Simulator) -> None:
    gateway.order_fault(fault)
    film.list({"a": "a cat"}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (6, {"a": "parked"})
    assert film.run().statuses == {"a": "verified"}
    assert len(asked(gateway, "POST")) == 1


def test_an_interaction_that_nobody_knows_is_parked_after_a_while(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("unknown_id")
    film.list({"a": "a cat"}, **LIST)
    hurry = hurried("run.steps.UNKNOWN_FOR=0.3")
    run = film.start(*film.arguments(), first=hurry).result()
    assert (run.code, run.statuses) == (4, {"a": "parked"})
    assert "Invalid interaction name" in run.shots["a"]["reason"]


# --- videos ------------------------------------------------------------------------------------------

FETCHED = (
    *("processing seconds=0.3", "truncated_length", "truncated_chunked", "content_cut times=2", "content_429"),
    *("html_200", "metadata_200", "empty_200", "corrupt_mp4"),
)


def test_a_download_that_goes_wrong_is_made_again(film: Film, gateway: Simulator) -> None:
    shots = {f"S{number:02d}": f"a cat [simulate: {fault}]" for number, fault in enumerate(FETCHED)}
    film.list(shots, **LIST)
    assert film.run().statuses == dict.fromkeys(shots, "verified")
    assert len(asked(gateway, "POST")) == len(shots)


def test_a_redirect_to_another_host_is_followed_without_the_key(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("redirect_302_other_host")
    film.list({"a": "a cat"}, **LIST)
    assert film.run().code == 0
    (elsewhere,) = (entry for entry in gateway.wire if entry["path"].startswith("/_elsewhere/"))
    assert "x-goog-api-key" not in {name.lower() for name in elsewhere["headers"]}


def test_a_video_that_is_gone_is_waited_for_and_parked(film: Film, gateway: Simulator) -> None:
    film.pipeline(**PROVIDER, download__not_ready_for="400ms")
    faults = ("expired_403", "expired_404")
    film.list({fault: f"a cat [simulate: {fault}]" for fault in faults}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (4, dict.fromkeys(faults, "parked"))
    assert len(gateway.charged) == 2


def test_a_video_that_isnt_as_ordered_is_mismatched_and_kept(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("wrong_resolution", resolution="360p")
    film.list({"a": "a cat"}, **LIST)
    run = film.run()
    assert (run.code, run.statuses) == (1, {"a": "mismatched"})
    assert run.shots["a"]["width"] == 640


def test_the_doctor_finds_the_gateway_and_tells_a_wrong_key(film: Film, gateway: Simulator) -> None:
    doctor = ("doctor", "-p", "quick.yaml")
    film.pipeline(**PROVIDER, provider__base_url=gateway.base_url)
    assert "answers and takes the key" in film.command(*doctor).out
    with start(Options(dialect="interactions", key="another")) as other:
        film.pipeline(**PROVIDER, provider__base_url=other.base_url)
        assert "refuses the key: INVALID_ARGUMENT: API key not valid" in film.command(*doctor).out
