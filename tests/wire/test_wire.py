"""Whatever the wire does to a create, a poll or a download, it gets the class it must have, and in time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.breadth import cases
from tests.harness.wire.answers import BEHAVIOURS
from tests.harness.wire.expected import EXPECTED, LARGE, SLOW
from tests.harness.wire.server import FaultServer
from tests.harness.wire.spoken import SPOKEN
from tests.harness.wire.trials import HURRIED, KEY, PATIENT, create, download, poll, word_for
from veopipe.text import SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.film import Film, Result

VIDEO = Path(__file__).parent.parent / "media/whole/hevc.mp4"
NAMES = sorted(BEHAVIOURS)


in_both = pytest.mark.parametrize("dialect", SPOKEN)


def server(name: str, stage: str, other: FaultServer, dialect: str) -> FaultServer:
    return FaultServer(name, VIDEO, stage=stage, other=other, dialect=dialect)


def elsewhere(name: str, stage: str, dialect: str) -> FaultServer:
    """Where redirects lead: a good server, unless that one is to misbehave."""
    return FaultServer(name if "host_that_says" in name else "good", VIDEO, stage=stage, dialect=dialect)


def assert_class(found: str, expected: str) -> None:
    assert any(found == one or found.startswith(f"{one}:") for one in expected.split(" or ")), found


def assert_no_key_left(other: FaultServer) -> None:
    assert not any({"authorization", "x-goog-api-key"} & request.headers.keys() for request in other.requests)
    assert not any(KEY in value for request in other.requests for value in request.headers.values())


@pytest.mark.shows("45 behaviours of the wire at three stages, each with its class")
def test_every_behaviour_has_its_classes() -> None:
    assert EXPECTED.keys() == SPOKEN.keys()
    assert all(set(classes) == set(BEHAVIOURS) for classes in EXPECTED.values())
    assert len(BEHAVIOURS) > 45


@in_both
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.shows("45 behaviours of the wire at three stages, each with its class")
@pytest.mark.shows("e 31")
@pytest.mark.shows("e 32")
@pytest.mark.slow
def test_a_create_gets_its_class_and_is_sent_once(name: str, dialect: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with elsewhere(name, "create", dialect) as other, server(name, "create", other, dialect) as gateway:
        answer, _ = create(
            gateway, tmp_path, HURRIED if name in SLOW else PATIENT, 8_000_000 if name in LARGE else 200_000
        )
    assert_class(word_for(answer), EXPECTED[dialect][name][0])
    assert time.monotonic() - began < 30
    assert other.connections == 0, "a create was redirected"
    assert gateway.connections <= 1, "a create was repeated"
    assert len(gateway.creates()) <= 1
    if answer.outcome == "not sent":
        assert sum(request.body for request in gateway.requests) == 0
    assert KEY not in repr(answer)
    assert len(answer.message) < 2 * SHOWN


@in_both
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.shows("45 behaviours of the wire at three stages, each with its class")
@pytest.mark.shows("e 30")
@pytest.mark.shows("e 34")
@pytest.mark.slow
def test_a_poll_gets_its_class(name: str, dialect: str) -> None:
    with elsewhere(name, "poll", dialect) as other, server(name, "poll", other, dialect) as gateway:
        answer = poll(gateway, HURRIED if name in SLOW else PATIENT)[0]
    assert_class(str(answer.progress), EXPECTED[dialect][name][1])
    assert other.connections == 0, "a poll was redirected"
    assert KEY not in repr(answer)


@in_both
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.shows("45 behaviours of the wire at three stages, each with its class")
@pytest.mark.shows("e 29")
@pytest.mark.shows("e 35")
@pytest.mark.slow
def test_a_download_gets_its_class_and_leaves_a_part_only_when_it_is_complete(
    name: str, dialect: str, tmp_path: Path
) -> None:
    with elsewhere(name, "content", dialect) as other, server(name, "content", other, dialect) as gateway:
        part = download(gateway, tmp_path, HURRIED if name in SLOW else PATIENT)
    assert_class(str(part.fetched), EXPECTED[dialect][name][2])
    assert_no_key_left(other)
    assert gateway.connections <= 6
    assert "sig=secret" not in part.why
    if part.sha256:
        assert (tmp_path / ".shot.001.part").read_bytes() == VIDEO.read_bytes()


# --- connections -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["closes_kept_connections", "keeps_connections"])
def test_each_create_has_a_connection_of_its_own(name: str, tmp_path: Path) -> None:
    with FaultServer(name, VIDEO, stage="create") as gateway:
        for number in range(3):
            assert word_for(create(gateway, tmp_path / str(number), PATIENT)[0]) == "accepted"
        assert gateway.connections == len(gateway.creates()) == 3


def test_polls_share_a_connection_that_the_gateway_keeps() -> None:
    with FaultServer("keeps_connections", VIDEO, stage="poll") as gateway:
        assert {str(answer.progress) for answer in poll(gateway, PATIENT, 5)} == {"completed"}
        assert gateway.connections == 1


def test_polls_survive_a_gateway_that_closes_what_it_promised_to_keep() -> None:
    with FaultServer("closes_kept_connections", VIDEO, stage="poll") as gateway:
        progress = [str(answer.progress) for answer in poll(gateway, PATIENT, 5)]
    assert set(progress) <= {"completed", "trouble"}
    assert "completed" in progress


@pytest.mark.shows("e 33")
def test_a_bomb_is_never_unpacked_beyond_what_is_read() -> None:
    import tracemalloc

    with FaultServer("gzip_bomb", VIDEO, stage="poll") as gateway:
        poll(gateway, PATIENT)
        tracemalloc.start()
        poll(gateway, PATIENT)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 12 << 20  # of 50 MB that it unpacks to


def test_a_download_that_drips_is_given_up_long_before_its_time_is_over(tmp_path: Path) -> None:
    with FaultServer("body_drips_for_ever", VIDEO, stage="content") as gateway:
        part = download(gateway, tmp_path, replace(PATIENT, read=0.5))
    assert (str(part.fetched), part.why[:8]) == ("corrupt", "too slow")


def test_the_gateway_s_clock_is_waited_for_no_longer_than_a_poll() -> None:
    from veopipe.dialects.videos.dialect import Videos
    from veopipe.gateway.address import Address
    from veopipe.gateway.client import Gateway

    async def ask(base_url: str) -> float | None:
        gateway = Gateway(Address(base_url), Videos(), KEY, HURRIED)
        said = await gateway.clock()
        await gateway.close()
        return said

    with FaultServer("interim_answers_drip", VIDEO, stage="poll") as server:
        assert asyncio.run(asyncio.wait_for(ask(server.base_url), 10)) is None


# --- through the real command ----------------------------------------------------------------------


@pytest.fixture
def run(make_film: Callable[[str], Film]) -> Callable[[FaultServer], tuple[Film, Result]]:
    """One shot of the real command against a fault server."""

    def once(gateway: FaultServer, film: Film | None = None) -> tuple[Film, Result]:
        film = film or make_film("film")
        film.base_url, film.dialect = gateway.base_url, gateway.spoken.dialect.name
        film.pipeline()
        film.list({"shot": "a cat"})
        return film, film.run()

    return once


Run = "Callable[[FaultServer], tuple[Film, Result]]"

CREATES = {
    "refused": (6, "pending"),
    "plain_behind_https": (6, "pending"),
    "reset_within_the_body": (3, "in_doubt"),
    "closed_after_the_request": (3, "in_doubt"),
    "cut_in_the_body": (3, "in_doubt"),
    "http_0_9": (3, "in_doubt"),
    "header_of_200_kb": (3, "in_doubt"),
    "gzip_bomb": (3, "in_doubt"),
    "redirect_to_another_origin": (3, "in_doubt"),
    "redirect_javascript": (3, "in_doubt"),
    "json_deep": (3, "in_doubt"),
    "id_that_climbs": (3, "in_doubt"),
    "early_413": (1, "refused"),
    "early_401": (6, "refused"),
    "charset_base64": (0, "verified"),
}


@cases(("name", "dialect"), [(name, dialect) for name in CREATES for dialect in SPOKEN], quick=6)
@pytest.mark.shows("45 behaviours of the wire at three stages, each with its class")
def test_the_command_never_repeats_a_spoiled_create(
    name: str,
    dialect: str,
    run: Run,  # type: ignore[valid-type]
    measured_video: Path,
) -> None:
    with FaultServer("good", measured_video, dialect=dialect) as other:
        with FaultServer(name, measured_video, spoils="create", other=other, dialect=dialect) as gateway:
            film, result = run(gateway)
            again = film.run()
        sent = len(gateway.creates())
    code, status = CREATES[name]
    assert (result.code, result.statuses) == (code, {"shot": status})
    if status == "in_doubt":
        assert sent == 1
        assert (again.code, again.statuses) == (code, {"shot": status})
    assert other.connections == 0
    assert sent <= 2  # the second run may try a refused account again


def test_a_whole_file_that_cannot_be_measured_is_kept_and_the_gateway_is_not_needed_for_it_again(
    run: Run,  # type: ignore[valid-type]
) -> None:
    with FaultServer("good", VIDEO.parent.parent / "odd/sound-only.mp4") as gateway:
        film, first = run(gateway)
        asked = len(gateway.requests)
        part = film.folder / "renders/shots/takes/.shot.001.part"
        before = part.stat()
        again = film.run()  # by now the gateway may have forgotten the task
        assert len(gateway.requests) == asked
    for result in (first, again):
        assert (result.code, result.statuses) == (4, {"shot": "parked"})
        assert "no video track" in result.shots["shot"]["reason"]
    assert (part.stat().st_ino, part.stat().st_size) == (before.st_ino, before.st_size)


FREE = ["reset_after_the_request", "cut_in_the_body", "html_page", "gzip_bomb", "headers_for_ever", "json_nan"]


@pytest.mark.parametrize("stage", ["poll", "content"])
@cases(("name", "dialect"), [(name, dialect) for name in FREE for dialect in SPOKEN])
@pytest.mark.shows("45 behaviours of the wire at three stages, each with its class")
def test_the_command_asks_again_for_what_is_free(
    name: str,
    dialect: str,
    stage: str,
    run: Run,  # type: ignore[valid-type]
    measured_video: Path,
) -> None:
    with FaultServer(name, measured_video, spoils=stage, times=2, dialect=dialect) as gateway:
        _, result = run(gateway)
        assert len(gateway.creates()) == 1
    assert (result.code, result.statuses) == (0, {"shot": "verified"})
