"""Whatever stands in a file on disk ends in a value or a sentence, and never in a second payment.

Per push each fuzzer tries the same inputs; `VEOPIPE_LONG=1` tries many more, other ones each time (`conftest`).
What once went wrong, or nearly, is kept in `corpus/` and tried every time.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.fuzzing import (
    CORPUS,
    MEDIA,
    REAL,
    SINCE,
    a_folder,
    as_body,
    corpus,
    values,
)
from veopipe.delivery.mp4 import boxes
from veopipe.documents import schema, yaml
from veopipe.errors import UsageError, VeopipeError
from veopipe.ledger import owner, record, rescue, store
from veopipe.ledger.paths import Places
from veopipe.ledger.reading import Unreadable
from veopipe.manifest import csv, pictures
from veopipe.manifest.shots import load_manifest
from veopipe.plan import permission
from veopipe.plan.plan import Wanted, World
from veopipe.plan.planner import make_plan
from veopipe.profiles.reading import built_in
from veopipe.takes.order import Order
from veopipe.takes.status import CHARGED, Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take

# --- state files -----------------------------------------------------------------------------------

ORDER = Order("veo-3.1-fast-generate-preview", "a cat — späť", 8, "720p", "16:9", None, 7, (), 1)
FILE = Delivered("renders", "hero.001.mp4", "b" * 64, 1234, width=1280, height=720, duration_s=8.0)


def paid_state(status: Status) -> ShotState:
    """A shot whose one take was paid, or perhaps was."""
    task = "task_1" if status in CHARGED else None
    delivered = FILE if status in {Status.DOWNLOADED, Status.VERIFIED, Status.MISMATCHED} else None
    attempt = Attempt(1, "20261122T060000Z", status, REAL, Decimal("0.3"), SINCE, settled_at=SINCE, task_id=task)
    return ShotState("hero", (Take(1, ORDER.fingerprint(), ORDER, (attempt,), delivered),))


PAID = [
    record.dump(paid_state(status)) for status in (Status.IN_DOUBT, Status.RENDERING, Status.VERIFIED, Status.PARKED)
]


def assert_never_bought_again(text: bytes) -> None:
    """The file is unreadable, or understood: in both cases its order is bought by no plan."""
    states, unreadable = {}, {}
    try:
        states["hero"] = record.parse(text)
        assert record.parse(record.dump(states["hero"])) == states["hero"]
    except Unreadable as error:
        unreadable["hero"] = str(error)
    wanted = {"hero": Wanted("hero", ORDER, built_in().models[ORDER.model])}
    world = World(
        states=states,
        unreadable=unreadable,
        strays={},
        gateway=REAL,
        retry_all=False,
        retry_failed=0,
        manifest_ids=wanted.keys(),
    )
    assert not any(item.buys for item in make_plan(wanted, world).items), text


@pytest.mark.slow
@given(st.sampled_from(PAID), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_bytes_in_a_state_file_never_lead_to_a_create(text: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(text)
    for place, byte in damage:
        damaged[place % len(text)] = byte
    assert_never_bought_again(bytes(damaged))


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inside for place in places_in(child, (*path, key)))]


@pytest.mark.slow
@given(st.sampled_from(PAID), st.integers(0, 1000), values, st.booleans())
def test_a_changed_value_in_a_state_file_never_leads_to_a_create(
    text: bytes, which: int, value: Any, drop: bool
) -> None:
    found: Any = json.loads(text)
    paths = [path for path in places_in(found) if path]
    *way, last = paths[which % len(paths)]
    holder = found
    for step in way:
        holder = holder[step]
    if drop:
        del holder[last]
    else:
        holder[last] = value
    assert_never_bought_again(as_body(found))


@given(st.sampled_from(PAID), st.integers(0, 5000), st.integers(0, 5000), st.binary(max_size=30))
def test_a_spliced_state_file_never_leads_to_a_create(text: bytes, start: int, length: int, piece: bytes) -> None:
    start %= len(text)
    assert_never_bought_again(text[:start] + piece + text[start + length % len(text) :])


@pytest.mark.parametrize("path", corpus("state"), ids=lambda path: path.name)
def test_a_saved_state_file_never_leads_to_a_create(path: Path) -> None:
    assert_never_bought_again(path.read_bytes())


RECORD = {"format": 1, "at": SINCE, "shot": "hero", "take": 1, "attempt": 1, "event": "ACCEPTED", "task_id": "task_9"}


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from([*RECORD, "file", "price_usd", "unknown", "number", "status"]), values, max_size=2)
)
def test_a_damaged_rescue_record_never_leads_to_a_create(changed: dict[str, Any]) -> None:
    with a_folder() as folder:
        places = Places(folder / "shots.yaml", ".veopipe", "renders")
        places.state.mkdir(parents=True)
        places.rescue.mkdir()
        (places.state / "hero.json").write_bytes(PAID[0])
        (places.rescue / "hero.0.json").write_bytes(as_body(RECORD | changed))
        rescue.merge(store.open_store(places))
        assert_never_bought_again((places.state / "hero.json").read_bytes())


# --- ledger, plan, table ---------------------------------------------------------------------------

LEDGER = {"format": 1, "id": "0" * 32, "manifest": "shots.yaml", "open_runs": []}


def assert_ledger(text: bytes) -> None:
    with a_folder() as folder:
        places = Places(folder / "shots.yaml", ".veopipe", "renders")
        places.folder.mkdir(parents=True)
        (folder / "shots.yaml").write_text("version: 1", "ascii")
        (places.folder / "ledger.json").write_bytes(text)
        try:
            found = owner.look_up(places)
            owner.claim_output(places, owner.write(places, found))
            owner.refuse_if_renamed(places)
        except VeopipeError:
            return
        assert owner.look_up(places) == replace(found, manifest="shots.yaml")  # a moved ledger names it anew


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(list(LEDGER)), values, max_size=2) | values | st.binary(max_size=40))
def test_a_damaged_ledger_is_a_sentence(changed: Any) -> None:
    assert_ledger(
        as_body(LEDGER | changed)
        if isinstance(changed, dict)
        else changed
        if isinstance(changed, bytes)
        else as_body(changed)
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"manifest": "a" * 300},
        {"manifest": "\ud800.yaml"},
        {"manifest": "../x.yaml"},
        {"manifest": "a\0b"},
        {"id": "\ud800"},
        {"id": "a/b"},
        {"open_runs": {"a": 1}},
        {"open_runs": [1]},
        {"format": 1e999},
    ],
    ids=repr,
)
def test_an_impossible_name_in_a_ledger_is_a_sentence(changed: dict[str, Any]) -> None:
    assert_ledger(as_body(LEDGER | changed))


ENTRY = {
    "shot": "a",
    "fingerprint": "f" * 64,
    "attempt": 1,
    "further_attempts": 0,
    "price_usd": "0.30",
    "action": "create",
}


def assert_permission(text: bytes) -> None:
    with a_folder() as folder:
        path = folder / "plan.json"
        path.write_bytes(text)
        try:
            allowed = permission.read_permission(path, str)
        except UsageError:
            return
    for (shot, fingerprint), (last, price) in allowed.creates.items():
        assert isinstance(shot, str)
        assert isinstance(fingerprint, str)
        assert type(last) is int
        assert 0 <= price < 10**9


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(list(ENTRY)), values, max_size=2), values | st.just(1))
def test_a_damaged_plan_file_is_a_sentence_or_allows_less(changed: dict[str, Any], form: Any) -> None:
    assert_permission(as_body({"format": form, "shots": [ENTRY, ENTRY | changed]}))


@pytest.mark.parametrize("path", corpus("plan"), ids=lambda path: path.name)
def test_a_saved_plan_file_is_a_sentence_or_allows_less(path: Path) -> None:
    assert_permission(path.read_bytes())


cells = st.text(max_size=12) | st.sampled_from(
    ["=1+1", "@x", "16:9", "no", "~", "a,b", "a\nb", "\x1b[2J", "\u202e", '"', "<<"]
)
rows = st.lists(st.lists(cells, max_size=4).map(",".join), max_size=5)


@pytest.mark.slow
@given(
    rows | st.text(max_size=100),
    st.sampled_from(["id,prompt\n", "id;tags;prompt\n", "", "id,id\n", "\ufeffid\tseed\n"]),
)
def test_a_table_is_a_shot_list_or_a_sentence(lines: list[str] | str, header: str) -> None:
    known = schema.part("manifest", "$defs", "settings", "properties")
    with a_folder() as folder:
        path = folder / "x.csv"
        path.write_bytes(
            (header + (lines if isinstance(lines, str) else "\n".join(lines))).encode("utf-8", "surrogatepass")
        )
        try:
            found = csv.read_shots(path, known)
        except UsageError:
            return
        assert found
        target = folder / "shots.yaml"
        target.write_text(yaml.dump({"version": 1, "shots": found}), "utf-8")
        load_manifest(target)


# --- pictures and videos ---------------------------------------------------------------------------

PICTURES = {path.name: path.read_bytes() for path in sorted((CORPUS / "pictures").iterdir())}
VIDEOS = {path.name: path.read_bytes() for path in sorted(MEDIA.iterdir()) if path.stat().st_size < 30_000}
ONE_PIECE = sorted(name for name in VIDEOS if "fragmented" not in name)  # fragments may end after any of them
mutations = st.lists(
    st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9), st.booleans()), min_size=1, max_size=5
)


def mutated(whole: bytes, changes: list[tuple[int, bytes, bool]], near: int | None = None) -> bytes:
    content = bytearray(whole)
    for place, piece, insert in changes:
        at = place % len(content) if near is None else (near + place % 600) % len(content)
        content[at : at if insert else at + len(piece)] = piece
    return bytes(content)


@pytest.mark.slow
@given(st.sampled_from(sorted(PICTURES)), mutations, st.booleans())
def test_a_damaged_picture_is_a_picture_or_a_fault(
    name: str, changes: list[tuple[int, bytes, bool]], head: bool
) -> None:
    with a_folder() as folder:
        (folder / "p").write_bytes(mutated(PICTURES[name], changes, 0 if head else None))
        found = pictures.inspect("p", folder, folder)
        assert isinstance(found, pictures.PictureFacts | pictures.PictureFault)
        if isinstance(found, pictures.PictureFacts):
            assert found.width * found.height <= pictures.MAX_PIXELS


@pytest.mark.slow
@given(st.sampled_from(sorted(VIDEOS)), mutations, st.booleans())
def test_a_damaged_video_is_walked_to_an_end(name: str, changes: list[tuple[int, bytes, bool]], moov: bool) -> None:
    with a_folder() as folder:
        path = folder / "v.mp4"
        path.write_bytes(mutated(VIDEOS[name], changes, VIDEOS[name].find(b"moov") if moov else None))
        found = boxes.look(path)
        assert isinstance(found, boxes.Video) or found.reason


@given(st.sampled_from(ONE_PIECE), st.integers(0, 1 << 20))
def test_a_cut_video_never_passes_the_walk(name: str, lost: int) -> None:
    with a_folder() as folder:
        path = folder / "v.mp4"
        path.write_bytes(VIDEOS[name][: -1 - lost % (len(VIDEOS[name]) - 1)])
        assert isinstance(boxes.look(path), boxes.BoxFault)
