"""The contract of a shelf, over a folder and over a bucket of a real store: the same tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.harness.store import Store, environment_of
from veopipe.delivery.buckets.objects import Objects
from veopipe.delivery.marks import KEY, Mark
from veopipe.delivery.output import Output, output_of
from veopipe.delivery.shelf import Absent, Shelf
from veopipe.errors import EnvironmentFault, LedgerRefused
from veopipe.files import sha256_of_bytes
from veopipe.ledger.ledgerfile import Ledger
from veopipe.ledger.paths import Places
from veopipe.takes.order import Order
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take

ORDER = Order("veo", "A pier", 8, "720p", "16:9", None, None, (), 1)
ATTEMPT = Attempt(1, "r1", Status.VERIFIED, "https://x:443", Decimal("0.3"), "2026-11-22T06:00:00Z", task_id="task_1")
LEDGER = Ledger("1" * 32, "shots.yaml")
FACTS = {"width": 1280, "height": 720, "duration_s": 8.0, "measured": {"fps": 24.0}}

pytestmark = pytest.mark.engine


@dataclass
class Place:
    """An output that was looked at and claimed, and how a test sees behind it.

    Attributes:
        places: of its list.
        store: where it lies, or None: in a folder.
    """

    places: Places
    store: Store | None
    output: Output

    @property
    def shelf(self) -> Shelf:
        return self.output.shelf

    @property
    def url(self) -> str:
        return f"{self.places.output_base}/shots"

    def again(self) -> Output:
        """The output as the next run sees it."""
        output = output_of(self.places, LEDGER.id)
        output.look(LEDGER)
        return output

    def put(self, name: str, content: bytes, about: dict[str, str] | None = None) -> None:
        """Put something there, as a stranger does."""
        if self.store is None:
            path = self.places.output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        else:
            self.store.put(self.url, name, content, about)

    def content(self, name: str) -> bytes:
        if self.store is None:
            return (self.places.output / name).read_bytes()
        return self.store.content(self.url, name)

    def names(self) -> list[str]:
        if self.store is None:
            base = self.places.output
            return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())
        return sorted(self.store.objects(self.url))

    def take(self, number: int = 1, content: bytes = b"video", task: str | None = None) -> Take:
        """A take whose part is on this disk, measured and not put away."""
        part = self.shelf.part("hero", number)
        part.write_bytes(content)
        file = self.shelf.expected("hero", number, sha256_of_bytes(content), len(content))
        attempt = replace(ATTEMPT, task_id=task or f"task_{number}")
        return Take(number, "f" * 64, ORDER, (attempt,), replace(file, **FACTS))

    def delivered(self, number: int = 1, content: bytes = b"video", task: str | None = None) -> Take:
        """A take that was put away."""
        made = self.take(number, content, task)
        assert made.file is not None
        return replace(made, file=self.shelf.put_away(self.shelf.part("hero", number), made, made.file))


@contextmanager
def opened(tmp_path: Path, base: str, store: Store | None) -> Iterator[Place]:
    places = Places(tmp_path / "shots.yaml", ".veopipe", base)
    output = output_of(places, LEDGER.id)
    assert output.look(LEDGER) == LEDGER
    output.claim(LEDGER)
    yield Place(places, store, output)
    output.close()


@pytest.fixture
def bucket(store: Store, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name, value in environment_of(store.endpoint).items():
        monkeypatch.setenv(name, value)
    with opened(tmp_path, prefix, store) as place:
        yield place


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Place]:
    with opened(tmp_path, "renders", None) as place:
        yield place


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def test_a_take_gets_its_name_once_and_its_part_is_gone(place: Place) -> None:
    made = place.delivered()

    assert place.names() == [".ledger", "takes/hero.001.mp4"]
    assert place.content("takes/hero.001.mp4") == b"video"
    assert not place.shelf.part("hero", 1).exists()
    assert (made.file.name, made.file.output) == ("hero.001.mp4", place.places.output_base)
    assert (made.file.width, made.file.measured) == (1280, {"fps": 24.0})


def test_a_name_that_is_taken_is_left_to_what_has_it(place: Place) -> None:
    place.put("takes/hero.001.mp4", b"older")

    first, second = place.delivered(content=b"new"), place.delivered(content=b"newer", task="task_2")

    assert place.content("takes/hero.001.mp4") == b"older"
    assert (first.file.name, second.file.name) == ("hero.001-2.mp4", "hero.001-3.mp4")
    assert place.content("takes/hero.001-3.mp4") == b"newer"


def test_a_part_is_found_before_it_got_its_name(place: Place) -> None:
    made = place.take()

    assert place.shelf.locate(made) == place.shelf.part("hero", 1)


def test_a_take_is_found_after_it_got_its_name(place: Place) -> None:
    """As after a crash: the record is that of the part."""
    before = place.take()
    place.shelf.put_away(place.shelf.part("hero", 1), before, before.file)

    found = place.shelf.locate(before)

    if isinstance(found, Delivered):
        assert replace(found, stored=None) == before.file
    else:
        assert found is not None
        assert found.read_bytes() == b"video"


def test_what_is_neither_here_nor_there_is_not_found(place: Place) -> None:
    made = place.take()
    place.shelf.part("hero", 1).unlink()

    assert place.shelf.locate(made) is None
    assert place.shelf.locate(replace(made, file=None)) is None


def test_a_finished_name_shows_its_take(place: Place) -> None:
    made = place.delivered()

    shown = place.shelf.publish("hero", made, [made])

    assert shown.left is None
    assert place.content("hero.mp4") == b"video"
    assert place.shelf.is_shown("hero", shown.file)
    assert place.again().shelf.is_shown("hero", shown.file)


def test_a_newer_take_takes_the_name_and_the_older_one_stays(place: Place) -> None:
    first, second = place.delivered(1, b"first"), place.delivered(2, b"second")
    first = replace(first, file=place.shelf.publish("hero", first, [first]).file)

    shown = place.shelf.publish("hero", second, [first, second])

    assert shown.left is None
    assert (place.content("hero.mp4"), place.content("takes/hero.001.mp4")) == (b"second", b"first")
    assert place.shelf.is_shown("hero", shown.file)
    assert not place.shelf.is_shown("hero", first.file)
    assert place.shelf.is_whole(first.file)


def test_what_is_not_ours_keeps_a_finished_name(place: Place) -> None:
    made = place.delivered()
    place.put("hero.mp4", b"mine")

    shown = place.shelf.publish("hero", made, [made])

    assert shown.left is not None
    assert "/hero.mp4 holds none of the takes of hero: left alone; move it away" in shown.left
    assert place.content("hero.mp4") == b"mine"


def test_a_take_that_is_only_left_under_its_finished_name_comes_back(place: Place) -> None:
    made = place.delivered()
    made = replace(made, file=place.shelf.publish("hero", made, [made]).file)
    _remove(place, "takes/hero.001.mp4")
    shelf = place.again().shelf

    assert not shelf.is_whole(made.file)
    assert shelf.restore("hero", made)
    assert place.content("takes/hero.001.mp4") == b"video"


def test_a_take_that_is_nowhere_does_not_come_back(place: Place) -> None:
    made = place.delivered()
    _remove(place, "takes/hero.001.mp4")

    assert not place.again().shelf.restore("hero", made)
    assert place.names() == [".ledger"]


def test_a_take_of_another_size_is_not_there(place: Place) -> None:
    made = place.delivered()
    _remove(place, "takes/hero.001.mp4")
    place.put("takes/hero.001.mp4", b"vid")
    shelf = place.again().shelf

    assert not shelf.is_whole(made.file)
    assert not shelf.restore("hero", made)


def test_a_take_is_brought_whole_or_not_at_all(place: Place) -> None:
    made = place.delivered()

    path = place.shelf.bring(made.file)

    assert path.read_bytes() == b"video"
    assert place.shelf.bring(made.file) == path
    with pytest.raises(Absent):
        place.shelf.bring(replace(made.file, name="hero.009.mp4"))
    with pytest.raises(Absent):
        place.shelf.bring(replace(made.file, sha256="0" * 64))


def test_reports_say_where_it_is_found(place: Place) -> None:
    made = place.delivered()

    found = place.shelf.found("hero", made)

    assert found == f"{place.places.output_base}/shots/takes/hero.001.mp4"
    assert found == place.shelf.address(made.file)


@pytest.mark.parametrize("name", ["hero.002.mp4", "hero.002-2.mp4"])
def test_a_take_that_nobody_knows_is_found(place: Place, name: str) -> None:
    known = {"hero": ShotState("hero", (place.delivered(),))}
    place.put(f"takes/{name}", b"x")
    place.put("takes/other.002.mp4", b"x")
    place.put("hero.mp4", b"x")

    strays = place.again().strays(known, ["hero"])

    assert strays == {"hero": f"{place.places.output_base}/shots/takes/{name}"}


def test_a_part_that_nobody_knows_is_found(place: Place) -> None:
    place.shelf.part("hero", 2).write_bytes(b"x")

    assert place.again().strays({}, ["hero"]).keys() == {"hero"}


def test_an_output_is_one_ledgers(place: Place) -> None:
    other = Ledger("2" * 32, "shots.yaml")

    assert place.content(".ledger") == f"{LEDGER.id}\n".encode()
    with pytest.raises(LedgerRefused, match="belongs to another ledger"):
        _looked_at_and_claimed(place.places, other)


def _looked_at_and_claimed(places: Places, ledger: Ledger) -> None:
    output = output_of(places, ledger.id)
    output.look(ledger)
    output.claim(ledger)


def _remove(place: Place, name: str) -> None:
    """As a person does by hand: there is no such thing in veopipe."""
    if place.store is None:
        (place.places.output / name).unlink()
    else:
        place.store.remove(place.url, name)


# --- what only a bucket has -------------------------------------------------------------------------


def test_metadata_says_whose_task_a_take_is(bucket: Place) -> None:
    bucket.delivered()

    said = json.loads(bucket.store.objects(bucket.url)["takes/hero.001.mp4"])

    assert said == {
        "v": 1,
        "ledger": LEDGER.id,
        "task_id": "task_1",
        "sha256": sha256_of_bytes(b"video"),
        "bytes": 5,
        "measured": {"width": 1280, "height": 720, "duration_s": 8.0, "fps": 24.0},
    }


def test_another_delivery_of_the_task_is_the_take_where_it_came_first(bucket: Place) -> None:
    first = bucket.delivered(content=b"first")
    second = bucket.take(content=b"other")

    kept = bucket.shelf.put_away(bucket.shelf.part("hero", 1), second, second.file)

    assert kept == first.file
    assert bucket.content("takes/hero.001.mp4") == b"first"
    assert bucket.names() == [".ledger", "takes/hero.001.mp4"]


@pytest.mark.parametrize(
    "mark",
    [
        Mark("2" * 32, "task_1", "a" * 64, 5, {"width": 1280, "height": 720, "duration_s": 8.0}).dump()[KEY],
        Mark(LEDGER.id, "task_1", "a", 5, {"width": 1280, "height": 720, "duration_s": 8.0}).dump()[KEY],
        Mark(LEDGER.id, "task_1", "a" * 64, 5, {"width": "1280"}).dump()[KEY],
        '{"v": 2}',
        "[]",
        "{" * 500,
    ],
    ids=["another ledger's", "no hash", "no facts", "newer", "a list", "deep"],
)
def test_a_mark_that_is_not_this_takes_is_a_strangers(bucket: Place, mark: str) -> None:
    bucket.put("takes/hero.001.mp4", b"x", {KEY: mark})

    assert bucket.delivered().file.name == "hero.001-2.mp4"


def test_a_take_behind_a_strangers_is_found_again(bucket: Place) -> None:
    bucket.put("takes/hero.001.mp4", b"older")
    made = bucket.take()
    put = bucket.shelf.put_away(bucket.shelf.part("hero", 1), made, made.file)

    assert bucket.shelf.locate(made) == put
    assert put.name == "hero.001-2.mp4"


def test_the_same_content_is_never_copied_again_where_only_etags_differ(bucket: Place) -> None:
    made = bucket.delivered()
    shown = bucket.shelf.publish("hero", made, [made]).file
    forgotten = replace(made, file=replace(shown, stored={"etag": "x", "finished": "y"}))
    output = bucket.again()
    before = Objects(bucket.url).list()

    assert not output.shelf.is_shown("hero", forgotten.file)
    assert output.shelf.restore("hero", forgotten)
    assert output.shelf.publish("hero", forgotten, []).file == shown
    assert Objects(bucket.url).list() == before


def test_what_was_not_looked_at_is_believed(bucket: Place) -> None:
    made = bucket.delivered()
    unlooked = output_of(bucket.places).shelf
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"

    assert unlooked.is_whole(made.file)
    assert unlooked.found("hero", made) == f"{bucket.url}/takes/hero.001.mp4"


def test_a_lost_ledger_takes_the_id_that_the_store_remembers(bucket: Place) -> None:
    lost = Ledger("2" * 32, "shots.yaml", is_lost=True)

    assert output_of(bucket.places, lost.id).look(lost).id == LEDGER.id


def test_scratch_is_kept_out_of_git(bucket: Place) -> None:
    assert (bucket.places.scratch / ".gitignore").read_text() == "*\n"


# --- one after the other ----------------------------------------------------------------------------


def test_takes_stay_where_they_are_when_the_output_changes(bucket: Place) -> None:
    stored = bucket.delivered()
    places = replace(bucket.places, output_base="renders")
    shelf = output_of(places, LEDGER.id).shelf
    shelf.part("hero", 2).parent.mkdir(parents=True)
    shelf.part("hero", 2).write_bytes(b"second")
    second = bucket.take(2, b"second")
    second = replace(second, file=shelf.expected("hero", 2, sha256_of_bytes(b"second"), 6))
    second = replace(second, file=shelf.put_away(shelf.part("hero", 2), second, second.file))

    for each in (shelf, bucket.again().shelf):
        assert each.is_whole(stored.file)
        assert each.is_whole(second.file)
        assert each.address(stored.file) == f"{bucket.url}/takes/hero.001.mp4"
        assert each.address(second.file) == "renders/shots/takes/hero.002.mp4"
        assert each.bring(stored.file).read_bytes() == b"video"
        assert each.bring(second.file).read_bytes() == b"second"
    assert shelf.is_shown("hero", stored.file)
    assert shelf.publish("hero", stored, []).file == stored.file
    assert bucket.again().shelf.publish("hero", second, []).file == second.file
    assert bucket.names() == [".ledger", "takes/hero.001.mp4"]
    assert not list(places.output.glob("*.mp4"))
    assert not (places.manifest.parent / "s3:").exists()


# --- what is wrong with a store ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "403"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "can't be reached"),
        ({"AWS_ENDPOINT_URL": "http://192.0.2.1"}, "in the clear"),
        ({"AWS_ENDPOINT_URL_S3": "http://store.example:8333"}, "in the clear"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT": "http://192.0.2.1"},
            "AWS_ENDPOINT names http://192",
        ),
        ({"AWS_ENDPOINT_URL_S3": "https://store.example", "AWS_ENDPOINT": "http://192.0.2.1"}, "in the clear"),
        ({"AWS_Endpoint": "http://192.0.2.1"}, "AWS_Endpoint names http://192.0.2.1"),
    ],
    ids=["secret", "nobody there", "no TLS", "by another variable", "by one of two", "beside TLS", "in small letters"],
)
def test_a_store_that_cannot_be_used_is_said_before_anything_is_sent(
    bucket: Place, variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(EnvironmentFault, match=words):
        output_of(bucket.places, LEDGER.id).look(LEDGER)


def test_a_bucket_that_is_not_there_is_said(bucket: Place) -> None:
    places = replace(bucket.places, output_base="s3://no-such-bucket/film")

    with pytest.raises(EnvironmentFault, match="there is no such bucket"):
        output_of(places, LEDGER.id).look(LEDGER)
